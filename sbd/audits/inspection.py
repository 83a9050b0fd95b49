"""Look for atomic columns in a denoised image, and know which there are.

Whoever simulates knows the truth, and can be fair where a reader cannot: a column is
missed only if the same finder sees it in the clean image, and invented only if the
clean image shows the finder nothing there either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbd.audits.placed_atoms import TOLERANCE
from sbd.audits.scenes import square_scene
from sbd.benchmark.authors_layout import BOX_SAMPLES
from sbd.benchmark.dataset import Benchmark
from sbd.columns.finding import match_columns
from sbd.metrics import authors_psnr
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.simulation.structures import BOX
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_positive

PIXEL = BOX / BOX_SAMPLES / 0.785
"""Side of a pixel of the paper's recorded movies [angstrom]."""

_LABELS = ["structure", "particle", "thickness", "tilt_x", "tilt_y", "defocus"]
_LABELS += ["contrast"]


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
    check_positive(dose=dose, pixel=pixel)
    scene = square_scene(benchmark, row, pixel)
    rng = np.random.default_rng([seed, row])
    noisy = poisson_noise(scene.clean * (dose / VACUUM), rng=rng)
    denoised = apply_denoiser(denoiser, noisy) * (VACUUM / dose)
    truth, estimate = scene.truth, scene.look(denoised)
    tolerance = TOLERANCE / scene.specimen.pixel[0]
    known = match_columns(estimate.rest, truth.rest, tolerance=tolerance)
    label = benchmark.table.iloc[row]
    return Inspection(
        labels={"row": int(row)} | {name: label[name] for name in _LABELS},
        clean=scene.clean,
        denoised=denoised,
        columns=scene.specimen.columns[scene.specimen.platinum],
        seen=truth.hit,
        found=estimate.hit,
        scores=truth.strength * np.sqrt(np.pi * dose) / VACUUM,
        ghosts=truth.rest,
        false=estimate.rest,
        invented=np.isin(np.arange(len(estimate.rest)), known.spurious),
        polarity=1 if scene.polarity == "bright" else -1,
    )
