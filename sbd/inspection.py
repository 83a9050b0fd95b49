"""Look for atomic columns in a denoised image, and know which there are.

Whoever simulates knows the truth, and can be fair where a reader cannot: a column is
missed only if the same finder sees it in the clean image, and invented only if the
clean image shows the finder nothing there either.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from sbd.columns import find_columns, match_columns
from sbd.dataset import Benchmark, Recipe, default_recipes
from sbd.exchange import BOX_SAMPLES, CROP
from sbd.metrics import authors_psnr
from sbd.noise import VACUUM, poisson_noise
from sbd.structures import BOX
from sbd.typing import Denoiser, Image

PIXEL = BOX / BOX_SAMPLES / 0.785
"""Side of a pixel of the paper's recorded movies [angstrom]."""

_RADII = 0.5, 1.0  # of a column's dot in the paper's images [angstrom]
_TOLERANCE = 0.8  # a third of the distance between platinum columns [angstrom]
_LABELS = ["structure", "particle", "thickness", "tilt_x", "tilt_y", "defocus"]
_LABELS += ["contrast"]
_SUPPORT = 1.3  # any place in the support is that near to an atom of it [angstrom]


def project_columns(atoms: Atoms, tilt: tuple[float, float]) -> pd.DataFrame:
    """Tell where an image shows the atomic columns of a specimen.

    Parameters
    ----------
    atoms : ase.Atoms
        A specimen whose columns are parallel to z.
    tilt : tuple of float
        Of the crystal, about x and about y [degrees].

    Returns
    -------
    pandas.DataFrame
        One row a column: ``element``, ``row`` and ``column`` of the middle of its
        atoms, from the upper left corner of the box [angstrom], and ``atoms``.

    Notes
    -----
    A tilt displaces what lies before the last layer: down the rows if it is about x, to
    the right if about y.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> columns = project_columns(pt_on_ceria("PtNp4", "D1"), (0.0, 0.0))
    >>> columns.loc[columns["element"] == "Pt", "atoms"].sum()
    np.int64(47)
    """
    row, column = _project(atoms, tilt)
    x, y, _ = atoms.positions.round(3).T
    table = pd.DataFrame({"element": atoms.get_chemical_symbols(), "x": x, "y": y})
    table["row"], table["column"] = row, column
    groups = table.groupby(["element", "y", "x"], as_index=False)
    places = groups.agg(row=("row", "mean"), column=("column", "mean"),
                        atoms=("row", "size"))  # fmt: skip
    return places.drop(columns=["y", "x"])


def _project(atoms: Atoms, tilt: tuple[float, float]) -> tuple[NDArray, NDArray]:
    """Rows and columns of the atoms as an image shows them [angstrom]."""
    x, y, z = atoms.positions.T
    before = z.max() - z
    down, right = (before * np.tan(np.deg2rad(angle)) for angle in tilt)
    return BOX - y + down, x + right


@dataclass(frozen=True, eq=False)
class Inspection:
    """The particle's columns in one denoised image.

    Parameters
    ----------
    labels : dict
        Of the image: its number in the benchmark as ``row``, structure, particle,
        thickness [angstrom], tilt_x, tilt_y [degrees], defocus [nm] and contrast.
    clean, denoised : ndarray of shape (height, width)
        The truth and the estimate, both with the vacuum at 0.45 [electrons per pixel].
    columns : ndarray of shape (n, 2)
        True (row, column) places of the particle's columns [pixels].
    seen, found : ndarray of bool of shape (n,)
        Which of them the finder finds in `clean`, and which in `denoised`.
    scores : ndarray of shape (n,)
        What the counts of each column could tell at most: the matched filter's expected
        score where its place and shape are known [standard deviations]; 0 of columns
        that are not seen.
    ghosts, false : ndarray of shape (m, 2)
        Columns that the finder finds in `clean`, and in `denoised`, outside the support
        where there are no atoms [pixels].
    invented : ndarray of bool of shape (m,)
        Which of `false` are not among the ghosts.
    polarity : {1, -1}
        Whether columns were looked for as bright or as dark dots.

    Examples
    --------
    >>> flat, none = np.full((9, 9), 0.45), np.zeros((0, 2))
    >>> place, yes, no = np.array([[4.0, 4.0]]), np.array([True]), np.array([False])
    >>> one = Inspection({"row": 7}, flat, flat, place, yes, no, np.array([2.5]),
    ...                  none, none, np.zeros(0, bool), 1)
    >>> one.counts["seen"], one.counts["found"]
    (1, 0)
    """

    labels: dict
    clean: Image
    denoised: Image
    columns: NDArray[np.float64]
    seen: NDArray[np.bool_]
    found: NDArray[np.bool_]
    scores: NDArray[np.float64]
    ghosts: NDArray[np.float64]
    false: NDArray[np.float64]
    invented: NDArray[np.bool_]
    polarity: int

    @property
    def counts(self) -> dict[str, float]:
        """How many columns there are, found and not: what `sbd.column_audit` lists."""
        return {
            "polarity": self.polarity,
            "score": float(np.median(self.scores)) if len(self.scores) else 0.0,
            "columns": len(self.columns),
            "seen": int(self.seen.sum()),
            "found": int(self.found.sum()),
            "kept": int((self.found & self.seen).sum()),
            "ghosts": len(self.ghosts),
            "false": len(self.false),
            "invented": int(self.invented.sum()),
            "psnr": authors_psnr(self.clean, self.denoised),
        }


def inspect_columns(
    denoiser: Denoiser,
    benchmark: Benchmark,
    row: int,
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> Inspection:
    r"""Count an image of a benchmark, denoise it, and look for the particle's columns.

    Parameters
    ----------
    denoiser : callable
        Image to image.
    benchmark : Benchmark
        Of structures that `default_recipes` lists.
    row : int
        Of its table.
    dose : float, default 0.45
        Mean count in vacuum [electrons per pixel].
    seed : int
        Of the counts, which depend on (seed, row) alone.
    pixel : float, default 0.0622
        Side of a pixel; that of the paper's movies if not given [angstrom].

    Returns
    -------
    Inspection
        What is there, what was found, and what was invented.

    Raises
    ------
    ValueError
        If the structure is not known, or `dose` or `pixel` is not positive.

    Notes
    -----
    The image is the part of the box that the authors show, without the seams. Columns
    are looked for with `find_columns`, as dots of 0.5 to 1 angstrom radius; bright or
    dark, whichever shows more of the true ones in the clean image. They are matched,
    one to one, with the columns of both crystals; within 0.8 angstrom is a hit, a third
    of the distance between platinum columns. What is left over is false unless it lies
    in the support, within 1.3 angstrom of an atom there: between columns of cerium,
    contrast may reverse, and oxygen shows.

    A Gaussian dot of height :math:`A` and standard deviation :math:`\sigma` on a ground
    of :math:`v` counts per pixel has a score of :math:`A \sigma \sqrt{\pi / v}`: no
    method that looks at this dot alone does better.

    Examples
    --------
    >>> inspect_columns(np.array, Benchmark, 0, dose=0.0, seed=0)
    Traceback (most recent call last):
    ValueError: dose must be positive; got 0.0
    """
    for name, value in (("dose", dose), ("pixel", pixel)):
        if not (np.isfinite(value) and value > 0):
            msg = f"{name} must be positive; got {value}"
            raise ValueError(msg)
    clean, specimen = _stage(benchmark, row, pixel)
    rng = np.random.default_rng([seed, row])
    noisy = poisson_noise(clean * (dose / VACUUM), rng=rng)
    denoised = np.asarray(denoiser(noisy)) * (VACUUM / dose)
    looks = [specimen.look(clean, polarity) for polarity in ("bright", "dark")]
    truth = max(looks, key=lambda look: look.hit.sum())
    polarity = "bright" if truth is looks[0] else "dark"
    estimate = specimen.look(denoised, polarity)
    known = match_columns(
        estimate.rest, truth.rest, tolerance=_TOLERANCE / specimen.pixel
    )
    label = benchmark.table.iloc[row]
    return Inspection(
        labels={"row": int(row)} | {name: label[name] for name in _LABELS},
        clean=clean,
        denoised=denoised,
        columns=specimen.columns[specimen.platinum],
        seen=truth.hit,
        found=estimate.hit,
        scores=truth.strength * np.sqrt(np.pi * dose) / VACUUM,
        ghosts=truth.rest,
        false=estimate.rest,
        invented=np.isin(np.arange(len(estimate.rest)), known.spurious),
        polarity=1 if polarity == "bright" else -1,
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """What the finder finds in an image of a specimen.

    `hit` and `strength` (height times width of the dot) of the platinum columns, and
    the places of the `rest`, outside the support.
    """

    hit: NDArray[np.bool_]
    strength: NDArray[np.float64]
    rest: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Specimen:
    """What stands in an image: its columns, which are platinum, and the support."""

    columns: NDArray[np.float64]
    platinum: NDArray[np.bool_]
    support: spatial.KDTree
    pixel: float

    def look(self, image: Image, polarity: str) -> _Look:
        """Find columns, and tell which are platinum and which are where nothing is."""
        least, most = (radius / self.pixel for radius in _RADII)
        found = find_columns(
            image, min_radius=least, max_radius=most, polarity=polarity
        )
        match = match_columns(found, self.columns, tolerance=_TOLERANCE / self.pixel)
        here, there = match.pairs.T
        strength = np.zeros(len(self.columns))
        strength[there] = np.abs(found.amplitudes * found.radii)[here] / np.sqrt(2)
        rest = found.positions[match.spurious]
        nearest, _ = self.support.query(rest)
        return _Look(
            hit=np.isin(np.arange(len(self.columns)), there)[self.platinum],
            strength=strength[self.platinum],
            rest=rest[nearest > _SUPPORT / self.pixel],
        )


def _stage(benchmark: Benchmark, row: int, pixel: float) -> tuple[Image, _Specimen]:
    """Evaluate an image within the authors' frame, and place the atoms in it."""
    label = benchmark.table.iloc[row]
    recipe = _recipes().get(label["structure"])
    if recipe is None:
        msg = (
            "benchmark must hold structures that default_recipes lists; got "
            f"{label['structure']}"
        )
        raise ValueError(msg)
    samples = round(BOX / pixel)
    pixel = BOX / samples
    frame = tuple(
        slice(
            *(round(edge * samples / BOX_SAMPLES) for edge in (part.start, part.stop))
        )
        for part in CROP
    )
    clean = np.maximum(benchmark.image(row, samples=samples)[frame], 0.0)
    atoms, tilt = recipe.build(), (label["tilt_x"], label["tilt_y"])
    corner = [part.start for part in frame]

    def place(rows: ArrayLike, columns: ArrayLike) -> NDArray:
        return np.stack([rows, columns], axis=1) % BOX / pixel - corner

    table = project_columns(atoms, tilt).query("element != 'O'")
    places = place(table["row"], table["column"])
    inside = ((places >= 0) & (places <= np.array(clean.shape) - 1)).all(axis=1)
    support = place(*_project(atoms, tilt))[~(atoms.symbols == "Pt")]
    platinum = (table["element"] == "Pt").to_numpy()
    specimen = _Specimen(
        places[inside], platinum[inside], spatial.KDTree(support), pixel
    )
    return clean, specimen


@cache
def _recipes() -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in default_recipes()}
