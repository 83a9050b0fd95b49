"""Judge several denoisers on the same draws of the counts."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbd.audits.scenes import Scene
from sbd.denoisers.baselines import name_parameters
from sbd.metrics import authors_psnr, authors_ssim, score_regions
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_doses, check_image


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
    _check(denoisers, draws)
    rows = []
    for draw in range(draws):
        noisy = poisson_noise(clean, rng=np.random.default_rng([seed, draw]))
        for name, denoise in denoisers.items():
            result = apply_denoiser(denoise, noisy, name)
            scores = authors_psnr(clean, result), authors_ssim(clean, result)
            rows.append((name, *scores))
    table = pd.DataFrame(rows, columns=["denoiser", "PSNR", "SSIM"])
    return table.groupby("denoiser", sort=False).mean()


def judge_denoisers(
    scene: Scene, denoisers: Mapping[str, Denoiser], *, draws: int, seed: int
) -> pd.DataFrame:
    """Judge denoisers by what matters: regions, columns, false columns, and time.

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
        particle, the surface and the vacuum (see `sbd.audits.placed_atoms.Specimen.regions`);
        ``recall``, the share of the particle's columns that `find_columns` finds in the
        estimate; ``false``, how many it finds where nothing is; and ``seconds``, the
        median time of one image.

    Raises
    ------
    ValueError
        If there is no denoiser, one returns another shape, or `draws` is below 1.

    See Also
    --------
    sbd.column_audit : Columns found and invented in many images.

    Notes
    -----
    The ``seconds`` are of the wall clock, on as many threads as the denoiser takes:
    with ``OMP_NUM_THREADS=1`` one. They change from run to run, so leave them out of
    what is compared: ``table.drop(columns="seconds")``.

    Read ``recall`` beside ``false``: who sees dots everywhere hits every column.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> vacuum, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> constant = {"constant": lambda noisy: np.full(noisy.shape, noisy.mean())}
    >>> scene = Scene("vacuum", vacuum, empty)
    >>> table = judge_denoisers(scene, constant, draws=1, seed=0)
    >>> table[["recall", "false"]].values.tolist()
    [[1.0, 0.0]]
    """
    _check(denoisers, draws)
    regions = {"": np.ones(scene.clean.shape, bool)} | {
        f" {name}": mask for name, mask in scene.specimen.regions.items()
    }
    rows = []
    for draw in range(draws):
        noisy = poisson_noise(scene.clean, rng=np.random.default_rng([seed, draw]))
        for name, denoise in denoisers.items():
            start = time.perf_counter()
            result = apply_denoiser(denoise, noisy, name)
            row = {"denoiser": name, "seconds": time.perf_counter() - start}
            parts = score_regions(scene.clean, result, regions)
            for part, scores in parts.items():
                row |= dict(zip((f"PSNR{part}", f"SSIM{part}"), scores, strict=True))
            found = scene.look(result)
            row["recall"] = float(found.hit.mean()) if found.hit.size else 1.0
            row["false"] = len(found.rest)
            rows.append(row)
    groups = pd.DataFrame(rows).groupby("denoiser", sort=False)
    table = groups.mean()
    table.insert(0, "parameters", [name_parameters(f) for f in denoisers.values()])
    return table.drop(columns="seconds").assign(seconds=groups["seconds"].median())


def rank_denoisers(scores: pd.DataFrame, *, reference: str) -> pd.DataFrame:
    """Rank denoisers over several images.

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

    Notes
    -----
    Images differ by several decibels and methods mostly agree on which are hard, so the
    error of a difference is much smaller than the difference of two errors.

    Examples
    --------
    >>> rows = [("a", 1, 30.0), ("a", 2, 34.0), ("b", 1, 31.0), ("b", 2, 35.5)]
    >>> table = pd.DataFrame(rows, columns=["method", "image", "psnr"]).assign(draw=0)
    >>> rank_denoisers(table, reference="a")["difference"].to_dict()
    {'b': 1.25, 'a': 0.0}
    """
    methods = list(dict.fromkeys(scores["method"]))
    if reference not in methods:
        msg = f"reference must be one of {', '.join(methods)}; got {reference!r}"
        raise ValueError(msg)
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


def _check(denoisers: Mapping[str, Denoiser], draws: int) -> None:
    if not denoisers:
        msg = "denoisers must hold at least one; got none"
        raise ValueError(msg)
    if draws < 1:
        msg = f"draws must be at least 1; got {draws}"
        raise ValueError(msg)


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
    for name, given in (("denoisers", denoisers), ("cleans", cleans)):
        if not given:
            msg = f"{name} must hold at least one; got none"
            raise ValueError(msg)
    check_doses(doses)
    if draws < 1:
        msg = f"draws must be at least 1; got {draws}"
        raise ValueError(msg)
    rows = []
    for i, (image, clean) in enumerate(cleans.items()):
        clean = check_image(clean, image, counts=True)
        for j, dose in enumerate(doses):
            for draw in range(draws):
                rng = np.random.default_rng([seed, i, j, draw])
                noisy = poisson_noise(clean * (dose / VACUUM), rng=rng)
                for method, denoise in denoisers.items():
                    scaled = apply_denoiser(denoise, noisy, method) * (VACUUM / dose)
                    score = authors_psnr(clean, scaled)
                    rows.append((method, image, float(dose), draw, score))
    return pd.DataFrame(rows, columns=["method", "image", "dose", "draw", "psnr"])
