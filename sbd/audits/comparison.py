"""Judge several denoisers on the same draws of the counts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbd.audits.inspection import column_shares, inspect_estimate
from sbd.audits.scenes import Scene
from sbd.denoisers.baselines import name_parameters
from sbd.denoisers.trials import check_trials, try_denoisers
from sbd.metrics import authors_psnr, authors_ssim, score_regions
from sbd.typing import Denoiser, Image
from sbd.validation import check_doses, check_image, check_word


def compare_denoisers(
    clean: Image, denoisers: Mapping[str, Denoiser], *, draws: int, seed: int
) -> pd.DataFrame:
    """Count a clean image several times and score each denoiser on all of them.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts [electrons per pixel].
    denoisers : dict of str to callable
        Image to image, by name.
    draws : int
        Times that the image is counted; draw `i` depends on (seed, i) alone.
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        A row for each denoiser, in the order given, with its mean ``PSNR`` [dB] and
        ``SSIM`` by the authors' metric.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, there is no denoiser, or `draws` is below 1.

    Examples
    --------
    >>> from sbd import denoise_constant
    >>> vacuum, constant = np.full((32, 32), 0.45), {"constant": denoise_constant}
    >>> table = compare_denoisers(vacuum, constant, draws=2, seed=0)
    >>> list(table.columns)
    ['PSNR', 'SSIM']
    """
    clean = check_image(clean, "clean", counts=True)
    check_trials(draws, denoisers=denoisers)
    rows = [
        (one.name, authors_psnr(clean, one.estimate), authors_ssim(clean, one.estimate))
        for draw in range(draws)
        for one in try_denoisers(denoisers, clean, seed=[seed, draw])
    ]
    table = pd.DataFrame(rows, columns=["denoiser", "PSNR", "SSIM"])
    return table.groupby("denoiser", sort=False).mean()


def judge_denoisers(
    scene: Scene, denoisers: Mapping[str, Denoiser], *, draws: int, seed: int
) -> pd.DataFrame:
    """Judge denoisers by what matters: regions, columns, false columns, and time.

    The ``seconds`` are of the wall clock, on as many threads as the denoiser takes:
    with ``OMP_NUM_THREADS=1`` one. They change from run to run, so leave them out of
    what is compared: ``table.drop(columns="seconds")``.

    Read ``found_share`` beside ``false``: who sees dots everywhere hits every column.

    Parameters
    ----------
    scene : Scene
        A clean image and where its atoms are, such as `sbd.example_scene` gives.
    denoisers : dict of str to callable
        Image to image, by name.
    draws : int
        Times that the image is counted; all denoisers see the same counts, those of
        `compare_denoisers`.
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        A row for each denoiser, in the order given: its ``parameters`` in words, where
        they are known; means over the draws of ``PSNR`` [dB] and ``SSIM`` by the
        authors' metric, of the whole image and, with the region's name behind, of the
        particle (within 1.5 angstrom of a platinum column), the surface (within 2.4 of
        one that touches the vacuum) and the vacuum (farther than 3 from any atom);
        ``found_share``, the share of the particle's columns that `find_columns` finds
        in the estimate; ``false``, how many it finds where nothing is; and ``seconds``,
        the median time of one image.

    Raises
    ------
    ValueError
        If there is no denoiser, one returns another shape, or `draws` is below 1.
    """
    check_trials(draws, denoisers=denoisers)
    regions = {"": np.ones(scene.clean.shape, bool)} | {
        f" {name}": mask for name, mask in scene.specimen.regions.items()
    }
    rows = []
    for draw in range(draws):
        for one in try_denoisers(denoisers, scene.clean, seed=[seed, draw]):
            row = {"denoiser": one.name, "seconds": one.seconds}
            parts = score_regions(scene.clean, one.estimate, regions)
            for part, scores in parts.items():
                row |= dict(zip((f"PSNR{part}", f"SSIM{part}"), scores, strict=True))
            counts = inspect_estimate(scene, one.estimate).counts
            row["found_share"] = float(column_shares(counts)["found_share"])
            rows.append(row | {"false": counts["false"]})
    groups = pd.DataFrame(rows).groupby("denoiser", sort=False)
    table = groups.mean()
    table.insert(0, "parameters", [name_parameters(f) for f in denoisers.values()])
    return table.drop(columns="seconds").assign(seconds=groups["seconds"].median())


def rank_denoisers(scores: pd.DataFrame, *, reference: str) -> pd.DataFrame:
    """Rank denoisers over several images.

    Images differ by several decibels and methods mostly agree on which are hard, so the
    error of a difference is much smaller than the difference of two errors.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `sbd.dose_curve` at one dose: ``method``, ``image``, ``draw`` and ``psnr``.
    reference : str
        The method that the others are compared with, image by image.

    Returns
    -------
    pandas.DataFrame
        A row for each method, the best first: mean ``PSNR`` over the images and its
        ``standard_error`` [dB], the mean ``difference`` to the reference and its
        ``difference_error`` [dB], and ``ahead``, in how many images it beats the
        reference. Of one image the errors are NaN.

    Raises
    ------
    ValueError
        If `reference` is none of the methods, there is more than one dose, or a method
        was not run on every image.

    Examples
    --------
    >>> rows = [("a", 1, 30.0), ("a", 2, 34.0), ("b", 1, 31.0), ("b", 2, 35.5)]
    >>> table = pd.DataFrame(rows, columns=["method", "image", "psnr"]).assign(draw=0)
    >>> rank_denoisers(table, reference="a")["difference"].to_dict()
    {'b': 1.25, 'a': 0.0}
    """
    methods = list(dict.fromkeys(scores["method"]))
    check_word("reference", reference, methods)
    if "dose" in scores and scores["dose"].nunique() > 1:
        msg = f"scores must be of one dose; got {sorted(set(scores['dose']))}"
        raise ValueError(msg)
    means = scores.groupby(["image", "method"])["psnr"].mean().unstack()
    if means.isna().any(axis=None):
        lacking = means.columns[means.isna().any()][0]
        msg = f"scores must hold every method on every image; got gaps of {lacking!r}"
        raise ValueError(msg)
    ahead = means.sub(means[reference], axis=0)
    table = pd.DataFrame(
        {
            "PSNR": means.mean(),
            "standard_error": means.sem(),
            "difference": ahead.mean(),
            "difference_error": ahead.sem(),
            "ahead": (ahead > 0).sum(),
        }
    )
    return table.loc[methods].sort_values("PSNR", ascending=False, kind="stable")


def dose_curve(
    denoisers: Mapping[str, Denoiser],
    cleans: Mapping[str, Image],
    *,
    doses: Sequence[float],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Score denoisers on the same images, counted at several doses.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    cleans : dict of str to ndarray of shape (height, width)
        Expected counts with the vacuum at 0.45, by name [electrons per pixel].
    doses : sequence of float
        Mean count in vacuum [electrons per pixel].
    draws : int
        Times that each image is counted at each dose.
    seed : int
        Of the counts; all denoisers see the same.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``image``, ``dose``, ``draw`` and ``psnr``: by the authors' metric,
        with the vacuum scaled back to 0.45, so that doses can be compared [dB].

    Raises
    ------
    ValueError
        If there is no denoiser, image or dose, a dose is not positive, `draws` is
        below 1, or a clean image has a negative value.

    Examples
    --------
    >>> vacuum = {"vacuum": np.full((32, 32), 0.45)}
    >>> table = dose_curve({"raw": np.array}, vacuum, doses=[1, 4], draws=1, seed=0)
    >>> bool(table["psnr"].is_monotonic_increasing)
    True
    """
    check_trials(draws, denoisers=denoisers, cleans=cleans)
    check_doses(doses)
    rows = []
    for i, (image, clean) in enumerate(cleans.items()):
        clean = check_image(clean, image, counts=True)
        for j, dose in enumerate(doses):
            for draw in range(draws):
                how = {"seed": [seed, i, j, draw], "dose": dose}
                for one in try_denoisers(denoisers, clean, **how):
                    score = authors_psnr(clean, one.estimate)
                    rows.append((one.name, image, float(dose), draw, score))
    return pd.DataFrame(rows, columns=["method", "image", "dose", "draw", "psnr"])
