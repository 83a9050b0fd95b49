"""Look for the particle's columns in an estimate, and know which there are.

Whoever simulates knows the truth, and can be fair where a reader cannot. What is asked
of an estimate has one meaning everywhere: a column is *lost* if the finder sees it in
the clean image and not in the estimate; *false* is what it finds where no atom is, and
*invented* what of this the clean image does not show. *Recall*, *precision* and F1 are
those of what it finds in the estimate against what it finds in the clean image; the
shares of the atoms' columns themselves have names of their own (`column_shares`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sbd.audits.placed_atoms import TOLERANCE, Look
from sbd.audits.scenes import Scene, square_scene
from sbd.benchmark.dataset import Benchmark
from sbd.columns.finding import Columns, match_columns
from sbd.columns.surfaces import score_columns
from sbd.denoisers.trials import try_denoisers
from sbd.metrics import authors_psnr
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import check_positive

_LABELS = ["structure", "particle", "thickness", "tilt_x", "tilt_y", "defocus"]
_LABELS += ["contrast"]


@dataclass(frozen=True, eq=False)
class Inspection:
    """The particle's columns in one estimate, against the atoms and the clean image."""

    scene: Scene
    denoised: Image  # with the vacuum at 0.45 [electrons per pixel]
    estimate: Look  # what the finder finds in it
    dose: float = VACUUM  # mean count in vacuum [electrons per pixel]
    labels: dict = field(default_factory=dict)  # of the image: row, defocus, ...

    @property
    def clean(self) -> Image:
        """The truth, with the vacuum at 0.45 [electrons per pixel]."""
        return self.scene.clean

    @property
    def columns(self) -> NDArray[np.float64]:
        """True (row, column) of the particle's n columns, shape (n, 2) [pixels]."""
        return self.scene.specimen.columns[self.scene.specimen.platinum]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which of them the finder finds in the clean image, shape (n,)."""
        return self.scene.truth.hit

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which of them it finds in the estimate, shape (n,)."""
        return self.estimate.hit

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which of them it finds in the clean image only, shape (n,)."""
        return self.seen & ~self.found

    @property
    def scores(self) -> NDArray[np.float64]:
        """What the counts of each could tell at most [standard deviations].

        That is the score of the matched filter; 0 of columns that are not seen.
        """
        return self.scene.truth.strength * np.sqrt(np.pi * self.dose) / VACUUM

    @property
    def ghosts(self) -> NDArray[np.float64]:
        """(row, column) of what is found in the clean image where nothing is."""
        return self.scene.truth.rest

    @property
    def false(self) -> NDArray[np.float64]:
        """(row, column) of what is found in the estimate where nothing is."""
        return self.estimate.rest

    @property
    def invented(self) -> NDArray[np.bool_]:
        """Which of the false ones the clean image does not show as well."""
        pixel = self.scene.specimen.pixel
        known = match_columns(self.false, self.ghosts, tolerance=TOLERANCE, pixel=pixel)
        return np.isin(np.arange(len(self.false)), known.spurious)

    @property
    def counts(self) -> dict[str, float]:
        """How many columns there are, found and not: what `sbd.column_audit` lists."""
        return {
            "polarity": 1 if self.scene.polarity == "bright" else -1,
            "score": float(np.median(self.scores)) if len(self.scores) else 0.0,
            "columns": len(self.columns),
            "seen": int(self.seen.sum()),
            "found": int(self.found.sum()),
            "kept": int((self.found & self.seen).sum()),
            "lost": int(self.lost.sum()),
            "ghosts": len(self.ghosts),
            "false": len(self.false),
            "invented": int(self.invented.sum()),
            "psnr": authors_psnr(self.clean, self.denoised),
        }


def inspect_estimate(
    scene: Scene, image: Image, *, dose: float = VACUUM, labels: dict | None = None
) -> Inspection:
    """Look for columns in an estimate of a scene's clean image."""
    return Inspection(scene, image, scene.look(image), dose, labels or {})


def column_shares(counts: Mapping[str, ArrayLike]) -> dict[str, NDArray]:
    """Divide the counts of an inspection or of a table; of nothing, nothing is lost."""
    claimed = np.add(counts["found"], counts["false"])
    return {
        "limit": _share(counts["seen"], counts["columns"]),
        "found_share": _share(counts["found"], counts["columns"]),
        "kept_share": _share(counts["kept"], counts["seen"]),
        "true_share": _share(counts["found"], claimed),
    }


def _share(part: ArrayLike, whole: ArrayLike) -> NDArray:
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


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
    """
    return score_found(scene, scene.look(image).found)


def score_found(scene: Scene, found: Columns) -> pd.DataFrame:
    """Score columns that were found already; `score_scene` says how."""
    true = scene.truth.found
    return score_columns(
        found,
        true,
        tolerance=TOLERANCE,
        pixel=scene.specimen.pixel,
        particle=scene.specimen.is_particle(true.positions),
    )


def inspect_columns(
    denoiser: Denoiser,
    benchmark: Benchmark,
    row: int,
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> Inspection:
    """Count an image of a benchmark, denoise it, and look for the particle's columns.

    Counts depend on (seed, row) alone. Dots of 0.5 to 1 angstrom are matched one to one
    within 0.8 angstrom, a third of the distance between platinum columns; what is left
    is false unless it lies in the support, within 1.3 angstrom of an atom there.
    """
    check_positive(dose=dose, pixel=pixel)
    scene = square_scene(benchmark, row, pixel)
    how = {"seed": [seed, row], "dose": dose}
    (one,) = try_denoisers({"denoise": denoiser}, scene.clean, **how)
    label = benchmark.table.iloc[row]
    labels = {"row": int(row)} | {name: label[name] for name in _LABELS}
    return inspect_estimate(scene, one.estimate, dose=dose, labels=labels)
