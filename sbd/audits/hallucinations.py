"""Which columns a denoiser loses and invents, and what PSNR says to that."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbd.audits.inspection import inspect_estimate, score_found
from sbd.audits.placed_atoms import RADII
from sbd.audits.scenes import Scene
from sbd.audits.vacuum import denoise_vacuum
from sbd.columns.finding import find_columns
from sbd.denoisers.trials import check_trials, try_denoisers
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import check_doses


def audit_denoisers(
    denoisers: Mapping[str, Denoiser],
    scenes: Sequence[Scene],
    *,
    doses: Sequence[float] = (VACUUM,),
    draws: int = 1,
    seed: int,
) -> pd.DataFrame:
    """Count the columns that denoisers lose and invent, image by image and by dose.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    scenes : sequence of Scene
        Clean images and where their atoms are, such as `sbd.held_out_scenes` gives.
    doses : sequence of float, default (0.45,)
        Mean count in vacuum [electrons per pixel].
    draws : int, default 1
        Times that each image is counted at each dose.
    seed : int
        Of the counts; all denoisers see the same.

    Returns
    -------
    pandas.DataFrame
        A row for each ``method``, ``image``, ``dose`` and ``draw``: ``psnr`` by the
        authors' metric, with the vacuum scaled back to 0.45 [dB]; of the particle, how
        many columns are ``seen`` by the finder in the clean image, how many of these
        are ``lost``, and how many are ``invented``: found where no atom is and where
        the clean image shows nothing; ``recall``, ``precision``, ``f1`` and ``jaccard``
        of the particle's columns, and ``surface_f1`` and ``surface_jaccard`` of those
        at its surface (see `score_scene`); NaN where the clean image shows none.

    Raises
    ------
    ValueError
        If there is no denoiser, scene or dose, a dose is not positive, `draws` is
        below 1, or a denoiser returns another shape.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import PlacedAtoms
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = PlacedAtoms(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> constant = {"constant": lambda noisy: np.full(noisy.shape, noisy.mean())}
    >>> table = audit_denoisers(constant, [Scene("vacuum", flat, empty)], seed=0)
    >>> table[["seen", "lost", "invented"]].values.tolist()
    [[0, 0, 0]]
    """
    check_trials(draws, denoisers=denoisers, scenes=scenes, doses=doses)
    check_doses(doses)
    rows = []
    for (i, scene), (j, dose), draw in itertools.product(
        enumerate(scenes), enumerate(doses), range(draws)
    ):
        how = {"seed": [seed, i, j, draw], "dose": dose}
        for one in try_denoisers(denoisers, scene.clean, **how):
            label = {"method": one.name, "image": scene.title, "dose": float(dose)}
            rows.append(label | {"draw": draw} | _row(scene, one.estimate))
    return pd.DataFrame(rows)


def audit_focal_series(
    denoisers: Mapping[str, Denoiser],
    scenes: Mapping[float, Scene],
    *,
    dose: float = VACUUM,
    draws: int = 1,
    seed: int,
) -> pd.DataFrame:
    """Audit denoisers as `audit_denoisers` does while the focus changes.

    Scenes show one specimen by its defocus [nm], as `sbd.focal_series` gives them; the
    table has ``defocus`` in front.
    """
    given = list(scenes.values())
    table = audit_denoisers(denoisers, given, doses=[dose], draws=draws, seed=seed)
    table.insert(0, "defocus", np.repeat([*scenes], draws * len(denoisers)))
    return table


def audit_vacuum(
    denoisers: Mapping[str, Denoiser],
    *,
    doses: Sequence[float],
    shape: tuple[int, int] = (256, 256),
    pixel: float = PIXEL,
    seed: int,
) -> pd.DataFrame:
    """Denoise counts of nothing, and look for columns and lattices in the result.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    doses : sequence of float
        Mean count [electrons per pixel].
    shape : tuple of int, default (256, 256)
        (height, width), at least 32 x 32 [pixels].
    pixel : float, default 0.0622
        Side of a pixel; that of the paper's movies if not given [angstrom].
    seed : int
        Of the counts; all denoisers see the same.

    Returns
    -------
    pandas.DataFrame
        A row for each ``method`` and ``dose``: the columns of `sbd.vacuum_response`,
        and ``columns``, how many dots of 0.5 to 1 angstrom radius the finder finds in a
        square nanometre. There is nothing to find.

    Raises
    ------
    ValueError
        If there is no denoiser or dose, a dose is not positive, or `shape` is too
        small.

    Examples
    --------
    >>> constant = {"constant": lambda noisy: np.full(noisy.shape, noisy.mean())}
    >>> table = audit_vacuum(constant, doses=[0.45], shape=(64, 64), seed=0)
    >>> table[["relative", "peaks", "columns"]].values.tolist()
    [[0.0, 0.0, 0.0]]
    """
    check_trials(denoisers=denoisers, doses=doses)
    least, most = (radius / pixel for radius in RADII)
    area = shape[0] * shape[1] * (0.1 * pixel) ** 2  # [nm²]
    rows = []
    for name, denoise in denoisers.items():
        how = {"doses": doses, "shape": shape, "seed": seed, "name": name}
        for row, image in denoise_vacuum(denoise, **how):
            dots = find_columns(image, min_radius=least, max_radius=most)
            rows.append({"method": name, **row, "columns": len(dots) / area})
    return pd.DataFrame(rows)


def disagreement(
    table: pd.DataFrame,
    metrics: Sequence[str],
    *,
    against: str = "psnr",
    same: Sequence[str] = ("image", "dose", "draw"),
) -> pd.Series:
    """Tell how often the better PSNR belongs to the worse image of the atoms.

    For each metric the share of pairs of rows that are alike in `same` and that it and
    `against` put in opposite order, ties left out: a half if they know nothing of each
    other, NaN without a pair.
    """
    for name in (*metrics, against, *same):
        if name not in table:
            msg = f"table must have the column {name!r}; got {', '.join(table)}"
            raise ValueError(msg)
    counts = dict.fromkeys(metrics, (0, 0))
    for _, rows in table.groupby(list(same)):
        first, second = np.triu_indices(len(rows), k=1)
        signs = {
            name: np.sign(rows[name].to_numpy()[first] - rows[name].to_numpy()[second])
            for name in (*metrics, against)
        }
        for name in metrics:
            product = signs[name] * signs[against]
            opposed, all_pairs = counts[name]
            counts[name] = (
                opposed + int((product < 0).sum()),
                all_pairs + int((np.abs(product) > 0).sum()),
            )
    return pd.Series({k: a / n if n else np.nan for k, (a, n) in counts.items()})


def _row(scene: Scene, image: Image) -> dict[str, float]:
    """Score one estimate."""
    one = inspect_estimate(scene, image)
    scores = score_found(scene, one.estimate.found)
    particle, surface = scores.loc["particle"], scores.loc["surface"]
    counts = one.counts
    found = {
        **particle[["recall", "precision", "f1", "jaccard"]].to_dict(),
        "surface_f1": surface["f1"],
        "surface_jaccard": surface["jaccard"],
    }
    if not counts["seen"]:  # there is nothing to find
        found = dict.fromkeys(found, np.nan)
    return {
        **{name: counts[name] for name in ("psnr", "seen", "lost", "invented")},
        **found,
    }
