"""Which columns a denoiser loses and invents, and what PSNR says to that."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbd.audits.inspection import PIXEL
from sbd.audits.placed_atoms import RADII, TOLERANCE
from sbd.audits.scenes import Scene
from sbd.audits.vacuum import vacuum_response
from sbd.columns.finding import Columns, find_columns, match_columns
from sbd.columns.surfaces import score_columns
from sbd.metrics import authors_psnr
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser


def score_scene(scene: Scene, image: Image) -> pd.DataFrame:
    """Score the columns that an estimate shows against those of the clean image.

    Parameters
    ----------
    scene : Scene
        A clean image and where its atoms are.
    image : ndarray of shape (height, width)
        An estimate of it [electrons per pixel].

    Returns
    -------
    pandas.DataFrame
        As of `sbd.score_columns`, within 0.8 angstrom. What is true is what the same
        finder sees in the clean image, so the clean image itself scores 1.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> score_scene(Scene("vacuum", flat, empty), flat)["f1"].tolist()
    [1.0, 1.0, 1.0]
    """
    return score_found(scene, scene.look(image).found)


def score_found(scene: Scene, found: Columns) -> pd.DataFrame:
    """Score columns that were found already; `score_scene` says how.

    Parameters
    ----------
    scene : Scene
        A clean image and where its atoms are.
    found : Columns
        What `Scene.look` found in an estimate.

    Returns
    -------
    pandas.DataFrame
        As of `sbd.score_columns`.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> scene = Scene("vacuum", flat, empty)
    >>> score_found(scene, scene.truth.found)["found"].tolist()
    [0, 0, 0]
    """
    true = scene.truth.found
    return score_columns(
        found,
        true,
        tolerance=TOLERANCE,
        pixel=scene.specimen.pixel,
        particle=scene.specimen.is_particle(true.positions),
    )


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
        many ``columns`` the finder sees in the clean image, how many of these are
        ``lost``, and how many are ``invented``: found where no atom is and where the
        clean image shows nothing; ``recall``, ``precision``, ``f1`` and ``jaccard`` of
        the particle's columns, and ``surface_f1`` and ``surface_jaccard`` of those at
        its surface (see `score_scene`).

    Raises
    ------
    ValueError
        If there is no denoiser, scene or dose, a dose is not positive, `draws` is
        below 1, or a denoiser returns another shape.

    See Also
    --------
    sbd.column_audit : The same for a benchmark, one denoiser and one dose at a time.
    audit_vacuum : What denoisers make of nothing.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> constant = {"constant": lambda noisy: np.full(noisy.shape, noisy.mean())}
    >>> table = audit_denoisers(constant, [Scene("vacuum", flat, empty)], seed=0)
    >>> table[["columns", "lost", "invented"]].values.tolist()
    [[0, 0, 0]]
    """
    _check(denoisers=denoisers, scenes=scenes, doses=doses)
    if not all(np.isfinite(dose) and dose > 0 for dose in doses):
        msg = f"doses must be numbers above 0; got {list(doses)}"
        raise ValueError(msg)
    if draws < 1:
        msg = f"draws must be at least 1; got {draws}"
        raise ValueError(msg)
    rows = []
    for (i, scene), (j, dose), draw in itertools.product(
        enumerate(scenes), enumerate(doses), range(draws)
    ):
        rng = np.random.default_rng([seed, i, j, draw])
        noisy = poisson_noise(scene.clean * (dose / VACUUM), rng=rng)
        for name, denoise in denoisers.items():
            result = apply_denoiser(denoise, noisy, name) * (VACUUM / dose)
            label = {"method": name, "image": scene.title, "dose": float(dose)}
            rows.append(label | {"draw": draw} | _row(scene, result))
    return pd.DataFrame(rows)


def audit_focal_series(
    denoisers: Mapping[str, Denoiser],
    scenes: Mapping[float, Scene],
    *,
    dose: float = VACUUM,
    draws: int = 1,
    seed: int,
) -> pd.DataFrame:
    """Count the columns that denoisers lose and invent while the focus changes.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    scenes : dict of float to Scene
        One specimen by its defocus, such as `sbd.focal_series` gives [nm].
    dose : float, default 0.45
        Mean count in vacuum [electrons per pixel].
    draws : int, default 1
        Times that each image is counted.
    seed : int
        Of the counts; all denoisers see the same.

    Returns
    -------
    pandas.DataFrame
        As of `sbd.audit_denoisers`, with ``defocus`` in front [nm].

    Raises
    ------
    ValueError
        As `sbd.audit_denoisers`.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> constant = {"constant": lambda noisy: np.full(noisy.shape, noisy.mean())}
    >>> series = {6.0: Scene("", flat, empty), 8.0: Scene("", flat, empty)}
    >>> audit_focal_series(constant, series, seed=0)["defocus"].tolist()
    [6.0, 8.0]
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
    _check(denoisers=denoisers, doses=doses)
    least, most = (radius / pixel for radius in RADII)
    area = shape[0] * shape[1] * (0.1 * pixel) ** 2  # [nm²]
    tables = []
    for name, denoise in denoisers.items():
        kept = []

        def watched(noisy: Image, *, denoise: Denoiser = denoise) -> Image:
            kept.append(apply_denoiser(denoise, noisy, name))  # noqa: B023
            return kept[-1]  # noqa: B023

        table = vacuum_response(watched, doses=doses, shape=shape, seed=seed)
        dots = [
            len(find_columns(image, min_radius=least, max_radius=most))
            for image in kept
        ]
        table.insert(0, "method", name)
        tables.append(table.assign(columns=np.array(dots) / area))
    return pd.concat(tables, ignore_index=True)


def disagreement(
    table: pd.DataFrame,
    metrics: Sequence[str],
    *,
    against: str = "psnr",
    same: Sequence[str] = ("image", "dose", "draw"),
) -> pd.Series:
    """Tell how often the better PSNR belongs to the worse image of the atoms.

    Parameters
    ----------
    table : pandas.DataFrame
        From `audit_denoisers`.
    metrics : sequence of str
        Columns of the table, larger being better.
    against : str, default "psnr"
        The column that they are compared with, larger being better.
    same : sequence of str, default ("image", "dose", "draw")
        What the two rows of a pair have in common: with the default these are two
        methods on the same counts; with ``("method", "dose", "draw")`` two images that
        one method made.

    Returns
    -------
    pandas.Series
        For each metric the share of pairs that the two put in opposite order; pairs
        that either puts on a level are left out. 0 if they always agree, a half if they
        know nothing of each other; NaN without a pair.

    Raises
    ------
    ValueError
        If the table has no such column.

    Examples
    --------
    >>> table = pd.DataFrame({"image": 1, "dose": 1, "draw": 0, "psnr": [1, 2, 3],
    ...                       "f1": [0.1, 0.3, 0.2]})
    >>> disagreement(table, ["f1"]).round(2).to_dict()
    {'f1': 0.33}
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
                all_pairs + int((product != 0).sum()),
            )
    return pd.Series({k: a / n if n else np.nan for k, (a, n) in counts.items()})


def _row(scene: Scene, image: Image) -> dict[str, float]:
    """Score one estimate."""
    truth, estimate, pixel = scene.truth, scene.look(image), scene.specimen.pixel
    known = match_columns(estimate.rest, truth.rest, tolerance=TOLERANCE, pixel=pixel)
    scores = score_found(scene, estimate.found)
    particle, surface = scores.loc["particle"], scores.loc["surface"]
    return {
        "psnr": authors_psnr(scene.clean, image),
        "columns": int(truth.hit.sum()),
        "lost": int((truth.hit & ~estimate.hit).sum()),
        "invented": len(known.spurious),
        **particle[["recall", "precision", "f1", "jaccard"]].to_dict(),
        "surface_f1": surface["f1"],
        "surface_jaccard": surface["jaccard"],
    }


def _check(**given: Sequence | Mapping) -> None:
    for name, values in given.items():
        kind = Mapping if name == "denoisers" else Sequence | np.ndarray
        if not isinstance(values, kind) or isinstance(values, str):
            what = "a dict of functions by name" if kind is Mapping else "a sequence"
            msg = f"{name} must be {what}; got {values!r}"
            raise TypeError(msg)
        if not len(values):
            msg = f"{name} must hold at least one; got none"
            raise ValueError(msg)
