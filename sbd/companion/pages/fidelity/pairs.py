"""How faithful is the simulation? It beside the images that the authors published.

The authors' files say what they show: PtNp2, a defect, 40 angstrom of ceria, and 6 nm
of overfocus. `sbd.match_simulation` finds the structure again, the tilt, and where the
frame lies in the box; nothing else is fitted here, not even the brightness, because the
vacuum of both is 0.45 electrons per pixel.

Where their file cannot be had, our own finest calculation stands in for it, so that
everything still runs; it then tells how well the default settings approximate that one.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from sbd.data.examples import fetch_clean
from sbd.data.registry import DataUnavailableError
from sbd.metrics import psnr
from sbd.simulation.imaging import IMAGE_SAMPLES, ExitWave, exit_wave, form_image
from sbd.simulation.matching import AUTHORS_PIXEL, match_simulation
from sbd.simulation.microscope import REFERENCE, Microscope
from sbd.simulation.noise import VACUUM
from sbd.simulation.specimens import PUBLISHED, Edits, defect_edits, layer_counts
from sbd.simulation.structures import BOX, pt_on_ceria
from sbd.typing import Image

BORDER = 60
"""Pixels off each border that the inner frame leaves out."""

_CONDITIONS = {"thickness": 40.0, "tilt_x": 3.0, "tilt_y": 0.0, "defocus": 6.0}
_STAND_IN = {"origin": (2.07, 49.985), "shape": (876, 927)}  # as in the authors' files
_ENOUGH = 256  # samples of the box that the search does with


@dataclass(frozen=True)
class Pair:
    """A published image, and a simulation on its pixels.

    Parameters
    ----------
    published : ndarray of shape (height, width)
        The image that is taken for true [electrons per pixel].
    simulated : ndarray of shape (height, width)
        Ours [electrons per pixel].
    parameters : dict
        What `simulated` was computed with, as `sbd.match_simulation` returns it;
        ``defect`` is a label or the atoms taken from and put on each site.
    source : {"authors", "simulated"}
        Whether `published` is the authors' file, or our own finest calculation, which
        stands in where the file cannot be had.
    """

    published: Image
    simulated: Image
    parameters: dict
    source: Literal["authors", "simulated"]

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

    Parameters
    ----------
    name : {"S3_5", "S3_2-S5_2", "S5_5", "S1-2_2-S3_1"}
        Which of the authors' images, by its defect.
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        ``"authors"`` takes their file and ``"simulated"`` an image of ours of the same
        structure, calculated as finely as `sbd.REFERENCE` says. ``"auto"`` does what
        the environment's ``SBD_SOURCE`` says, else it takes the file if it can be had;
        so does ``"real"``, since a recorded micrograph has no truth to compare with.
    grid : int, optional
        Samples of the box in our multislice calculation; the microscope's if not given.

    Returns
    -------
    Pair
        The images, and what ours was computed with.

    Raises
    ------
    ValueError
        If `name` or `source` is unknown.
    DataUnavailableError
        If ``"authors"`` was asked for and their file cannot be had.

    Notes
    -----
    Structure and place are found on a grid of at most 256 samples, which is enough for
    that: the place is off by less than a fiftieth of a pixel.

    Examples
    --------
    >>> compare_published("S9")
    Traceback (most recent call last):
    ValueError: name must be one of S3_5, S5_5, S3_2-S5_2, S1-2_2-S3_1; got 'S9'
    """
    if name not in PUBLISHED:
        msg = f"name must be one of {', '.join(PUBLISHED)}; got {name!r}"
        raise ValueError(msg)
    published, source = _published(name, source)
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


def change_structure(pair: Pair, defect: str | Edits) -> Pair:
    """Simulate other atoms in the place of those that were found.

    Parameters
    ----------
    pair : Pair
        From `compare_published`.
    defect : str or sequence of (row, column, atoms)
        As for `sbd.pt_on_ceria`.

    Returns
    -------
    Pair
        The same published image, and the other simulation.

    Raises
    ------
    ValueError
        If there is no such defect.

    Examples
    --------
    >>> flat, found = np.ones((2, 2)), {"particle": "PtNp2"}
    >>> change_structure(Pair(flat, flat, found, "simulated"), [(9, 0, 1)])
    Traceback (most recent call last):
    ValueError: defect must name a site of PtNp2; got (9, 0)
    """
    if not isinstance(defect, str):
        defect = tuple(map(tuple, defect))
    layer_counts(pair.parameters["particle"], defect)
    parameters = pair.parameters | {"defect": defect}
    simulated = _simulate(parameters, pair.published.shape)
    return replace(pair, simulated=simulated, parameters=parameters)


def score_pair(pair: Pair) -> dict[str, float]:
    """Say in numbers how near the simulation is.

    Parameters
    ----------
    pair : Pair
        From `compare_published`.

    Returns
    -------
    dict
        ``PSNR`` of the whole frame, ``PSNR inside`` the inner frame, `BORDER` pixels
        off each border (both with a peak of 1 electron per pixel) [dB];
        ``correlation``, Pearson's, of the whole frame; ``rms`` and ``largest``
        difference inside [% of the vacuum].

    Examples
    --------
    >>> image = VACUUM * (1 + np.eye(200))
    >>> pair = Pair(image, image + 0.0045, {}, "simulated")
    >>> round(score_pair(pair)["PSNR"], 2), round(score_pair(pair)["rms"], 2)
    (46.94, 1.0)
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

    Parameters
    ----------
    pair : Pair
        From `compare_published`.
    site : tuple of int, default (2, 0)
        (row, column) of the site, rows from the top, columns from the left; S3 of the
        authors' file names if not given.

    Returns
    -------
    pandas.Series
        PSNR inside the inner frame by the number of atoms on the site, from none to as
        many as the perfect particle has [dB].

    Examples
    --------
    >>> flat, found = np.ones((2, 2)), {"particle": "PtNp2"}
    >>> weigh_column(Pair(flat, flat, found, "simulated"), (9, 0))
    Traceback (most recent call last):
    ValueError: site must be one of PtNp2's; got (9, 0)
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

    Parameters
    ----------
    pairs : dict of str to Pair
        By name.

    Returns
    -------
    pandas.DataFrame
        PSNR inside the inner frame [dB], one column for each pair, one row for the
        perfect particle and each published structure.

    Examples
    --------
    >>> compare_structures({}).index.tolist()[:2]
    ['D0', 'S3_5']
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
    """Leave `BORDER` pixels off each border, where the image has more than those.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        An image.

    Returns
    -------
    ndarray
        Its inner part.

    Examples
    --------
    >>> inner_frame(np.ones((200, 130))).shape
    (80, 10)
    """
    inside = slice(BORDER, -BORDER)
    return image[inside, inside] if min(image.shape) > 2 * BORDER else image


def _published(name: str, source: str) -> tuple[Image, str]:
    """Get the authors' file, or what stands in for it; and which of the two."""
    if source == "auto":
        source = os.environ.get("SBD_SOURCE") or source
    if source not in ("auto", "real", "authors", "simulated"):
        msg = "source must be one of 'auto', 'real', 'authors', 'simulated'; got "
        raise ValueError(msg + repr(source))
    if source != "simulated":
        try:
            return fetch_clean(f"clean/PtNp2-{name}"), "authors"
        except DataUnavailableError:
            if source == "authors":
                raise
    pixel = (AUTHORS_PIXEL, AUTHORS_PIXEL)
    parameters = _CONDITIONS | {"particle": "PtNp2", "defect": name, "pixel": pixel}
    parameters |= {"origin": _STAND_IN["origin"], "dose": VACUUM, "grid": None}
    return _simulate(parameters, _STAND_IN["shape"]), "simulated"


def _simulate(parameters: Mapping, shape: tuple[int, int]) -> Image:
    """Simulate a frame of the box; by the reference where no grid is given."""
    particle, defect = parameters["particle"], parameters["defect"]
    edits = defect_edits(particle, defect) if isinstance(defect, str) else defect
    atoms = tuple(sorted(edit for edit in edits if edit[2]))  # by any name, one wave
    names = ("thickness", "tilt_x", "tilt_y", "grid")
    wave = _wave(particle, atoms, *(parameters[name] for name in names))
    defocus, dose = 10 * parameters["defocus"], parameters["dose"]
    image = form_image(wave, defocus=defocus, samples=IMAGE_SAMPLES, dose=dose)
    spectrum = np.fft.fftshift(np.fft.fft2(image, norm="forward"))[1:, 1:]
    frequencies = np.arange(-IMAGE_SAMPLES // 2 + 1, IMAGE_SAMPLES // 2) / BOX
    rows, columns = (
        np.exp(2j * np.pi * np.outer(start + pixel * np.arange(n), frequencies))
        for start, pixel, n in zip(
            parameters["origin"], parameters["pixel"], shape, strict=True
        )
    )
    return (rows @ spectrum @ columns.T).real


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
