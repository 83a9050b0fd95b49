"""How faithful is the simulation? It beside the images that the authors published.

The authors' files say what they show: PtNp2, a defect, 40 angstrom of ceria, and 6 nm
of overfocus. `sbd.match_simulation` finds the structure again, the tilt, and where the
frame lies in the box; nothing else is fitted here, not even the brightness, because the
vacuum of both is 0.45 electrons per pixel.

Where their file cannot be had, our own finest calculation stands in for it, so that
everything still runs; it then tells how well the default settings approximate that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from sbd.data.examples import find_published
from sbd.metrics import psnr
from sbd.simulation.frame import AUTHORS_PIXEL, BOX, CROP_SHAPE
from sbd.simulation.imaging import IMAGE_SAMPLES, ExitWave, exit_wave
from sbd.simulation.matching import compare_frame, make_template, match_simulation
from sbd.simulation.microscope import REFERENCE, Microscope
from sbd.simulation.noise import VACUUM
from sbd.simulation.specimens import (
    PUBLISHED,
    SEEN,
    Edits,
    defect_edits,
    find_shape,
    layer_counts,
)
from sbd.simulation.structures import pt_on_ceria
from sbd.typing import Image
from sbd.validation import check_word

BORDER = 60
"""Pixels off each border that the inner frame leaves out."""

_CONDITIONS = {"thickness": 40.0, "tilt_x": 3.0, "tilt_y": 0.0, "defocus": 6.0}
# where the authors' files with and without a label lie in the box, nearly
_STAND_IN = {"origin": (2.07, 49.985), "shape": CROP_SHAPE}
_UNLABELLED = {"origin": (3.2, 1.5), "shape": (832, 896)}
_DIGITS = {"PSNR": 1, "PSNR inside": 1, "correlation": 4, "rms": 2, "largest": 1}
_ENOUGH = 256  # samples of the box that the search does with


@dataclass(frozen=True)
class Pair:
    """A published image, and a simulation on its pixels."""

    published: Image  # taken for true [electrons per pixel]
    simulated: Image  # ours [electrons per pixel]
    parameters: dict  # of ours, as of `sbd.match_simulation`; `defect` may be edits
    source: Literal["authors", "simulated"]  # their file, or our finest calculation

    @property
    def difference(self) -> Image:
        """Ours less theirs [electrons per pixel]."""
        return self.simulated - self.published

    @property
    def whose(self) -> str:
        """The published image in two words."""
        return "Authors' file" if self.source == "authors" else "Our reference"


def compare_published(
    name: str, *, source: str = "auto", grid: int | None = None
) -> Pair:
    """Simulate what a published image shows, and put both on the same pixels.

    `name` is a defect, such as "S3_5". `source` "authors" takes their file, "simulated"
    our finest calculation; "auto" what ``SBD_SOURCE`` says, else their file if it can
    be had, as "real" does, since a micrograph has no truth. `grid` is of our multislice
    alone.
    """
    check_word("name", name, PUBLISHED)
    stand_in = _CONDITIONS | {"particle": "PtNp2", "defect": name} | _STAND_IN
    published, source = _published(f"clean/PtNp2-{name}", source, stand_in)
    grid = grid or Microscope().grid
    found = match_simulation(
        published, particles=("PtNp2",), thicknesses=(_CONDITIONS["thickness"],),
        tilts=((_CONDITIONS["tilt_x"], _CONDITIONS["tilt_y"]),),
        defoci=(_CONDITIONS["defocus"],), grid=min(3 * grid // 4, _ENOUGH),
    )  # fmt: skip
    origin = tuple(round(place, 4) for place in found.parameters["origin"])
    parameters = found.parameters | {"origin": origin, "dose": VACUUM, "grid": grid}
    simulated = _simulate(parameters, published.shape)
    return Pair(published, simulated, parameters, source)


def compare_unlabelled(
    *, few: bool = False, source: str = "auto", grid: int | None = None
) -> dict[str, Pair]:
    """Simulate what the images without a label, or the first, were found to show.

    By the names of `sbd.simulation.SEEN`. As `compare_published`, but only the place is
    searched: ``make unlabelled`` searches all of the benchmark.
    """
    names = list(SEEN)[:1] if few else list(SEEN)
    return {name: _compare_seen(name, source, grid) for name in names}


def _compare_seen(name: str, source: str, grid: int | None) -> Pair:
    """Simulate what one image without a label shows."""
    particle, defect, thickness, tilt, defocus = SEEN[name]
    conditions = {
        "particle": particle, "defect": defect, "thickness": thickness,
        "tilt_x": tilt[0], "tilt_y": tilt[1], "defocus": defocus,
    }  # fmt: skip
    published, source = _published(name, source, conditions | _UNLABELLED)
    pixel = (AUTHORS_PIXEL, AUTHORS_PIXEL)
    parameters = conditions | {
        "pixel": pixel, "dose": VACUUM, "grid": grid or Microscope().grid
    }  # fmt: skip
    comparison = compare_frame(published, pixel, mirrored=False)
    start = np.array(_UNLABELLED["origin"])
    origin = comparison.refine(_spectrum(parameters), start)
    parameters["origin"] = tuple(round(float(place), 4) for place in origin)
    simulated = _simulate(parameters, published.shape)
    return Pair(published, simulated, parameters, source)


def change_structure(pair: Pair, defect: str | Edits) -> Pair:
    """Simulate other atoms (as for `sbd.pt_on_ceria`) in the place of those found."""
    if not isinstance(defect, str):
        defect = tuple(map(tuple, defect))
    layer_counts(pair.parameters["particle"], defect)
    parameters = pair.parameters | {"defect": defect}
    simulated = _simulate(parameters, pair.published.shape)
    return replace(pair, simulated=simulated, parameters=parameters)


def score_pairs(pairs: Mapping[str, Pair]) -> dict[str, dict[str, float]]:
    """Say the same as `score_pair`, of several and rounded."""
    return {
        name: {key: round(score, _DIGITS[key]) for key, score in score_pair(p).items()}
        for name, p in pairs.items()
    }


def score_pair(pair: Pair) -> dict[str, float]:
    """Say in numbers how near the simulation is.

    PSNR of the frame, and inside, `BORDER` pixels off each border (peak 1 e/pixel)
    [dB]; Pearson's correlation; rms and largest difference inside [% of the vacuum].
    """
    inside = inner_frame(pair.difference) / VACUUM * 100
    both = pair.published.ravel(), pair.simulated.ravel()
    return {
        "PSNR": psnr(pair.published, pair.simulated),
        "PSNR inside": psnr(inner_frame(pair.published), inner_frame(pair.simulated)),
        "correlation": float(np.corrcoef(*both)[0, 1]),
        "rms": float(np.sqrt((inside**2).mean())),
        "largest": float(np.abs(inside).max()),
    }


def weigh_column(pair: Pair, site: tuple[int, int] = (2, 0)) -> pd.Series:
    """Put fewer and more atoms on one column, and see which number fits.

    `site` counts rows from the top, columns from the left; (2, 0) is S3. Returns the
    PSNR inside by the number of atoms, up to the perfect particle's [dB].
    """
    particle, defect = (pair.parameters.get(key) for key in ("particle", "defect"))
    layers = layer_counts(particle)
    row, column = site
    if not (0 <= row < len(layers) and 0 <= column < len(layers[row])):
        msg = f"site must be one of {particle}'s; got {site}"
        raise ValueError(msg)
    edits = defect_edits(particle, defect) if isinstance(defect, str) else defect
    others = tuple(edit for edit in edits if tuple(edit[:2]) != tuple(site))
    full = layers[row][column]
    scores = {
        n: score_pair(change_structure(pair, (*others, (row, column, n - full))))
        for n in range(full + 1)
    }
    return pd.Series({n: score["PSNR inside"] for n, score in scores.items()})


def compare_structures(pairs: Mapping[str, Pair]) -> pd.DataFrame:
    """Simulate every published structure in the place of every other.

    PSNR inside [dB], a column for each pair, a row for each structure.
    """
    defects = ["D0", *PUBLISHED]
    scores = {
        name: [
            score_pair(change_structure(pair, defect))["PSNR inside"]
            for defect in defects
        ]
        for name, pair in pairs.items()
    }
    return pd.DataFrame(scores, index=defects)


def inner_frame(image: Image) -> Image:
    """Leave `BORDER` pixels off each border, where the image has more than those."""
    inside = slice(BORDER, -BORDER)
    return image[inside, inside] if min(image.shape) > 2 * BORDER else image


def _published(item: str, source: str, stand_in: Mapping) -> tuple[Image, str]:
    """Get the authors' file, or what stands in for it; and which of the two."""
    published = find_published(item, source)
    if published is not None:
        return published, "authors"
    pixel = (AUTHORS_PIXEL, AUTHORS_PIXEL)
    parameters = stand_in | {"pixel": pixel, "dose": VACUUM, "grid": None}
    return _simulate(parameters, stand_in["shape"]), "simulated"


def _simulate(parameters: Mapping, shape: tuple[int, int]) -> Image:
    """Simulate a frame of the box; by the reference where no grid is given."""
    spectrum = _spectrum(parameters)
    frequencies = np.arange(-IMAGE_SAMPLES // 2 + 1, IMAGE_SAMPLES // 2) / BOX
    rows, columns = (
        np.exp(2j * np.pi * np.outer(start + pixel * np.arange(n), frequencies))
        for start, pixel, n in zip(
            parameters["origin"], parameters["pixel"], shape, strict=True
        )
    )
    return (rows @ spectrum @ columns.T).real


def _spectrum(parameters: Mapping) -> np.ndarray:
    """Simulate the whole box: centred Fourier coefficients."""
    particle, defect = parameters["particle"], parameters["defect"]
    edits = defect_edits(particle, defect) if isinstance(defect, str) else defect
    atoms = tuple(sorted(edit for edit in edits if edit[2]))  # by any name, one wave
    names = ("thickness", "tilt_x", "tilt_y", "grid")
    shape = find_shape(particle, defect)
    wave = _wave(shape, atoms, *(parameters[name] for name in names))
    return make_template(wave, parameters["defocus"])


@lru_cache(maxsize=24)
def _wave(
    particle: str,
    defect: Edits,
    thickness: float,
    tilt_x: float,
    tilt_y: float,
    grid: int | None,
) -> ExitWave:
    scope = REFERENCE if grid is None else replace(Microscope(), grid=grid)
    tilt = (tilt_x, tilt_y)
    return exit_wave(
        pt_on_ceria(particle, defect, thickness=thickness, tilt=tilt), scope
    )
