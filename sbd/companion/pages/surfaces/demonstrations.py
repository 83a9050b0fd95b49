"""The authors' demonstration that PSNR does not see one column of a surface."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from scipy import ndimage

from sbd import metrics
from sbd.audits.hallucinations import score_found
from sbd.audits.scenes import Scene, published_scene
from sbd.columns.finding import Columns
from sbd.columns.occupancies import column_occupancy
from sbd.data.examples import Source, fetch_clean
from sbd.data.registry import DataUnavailableError
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import Microscope
from sbd.simulation.structures import pt_on_ceria
from sbd.typing import Image
from sbd.validation import check_image

AUTHORS_SCORES: Mapping[str, float] = MappingProxyType(
    {"f1": 0.933, "jaccard": 0.875, "psnr": 41.9}
)
"""What their notebook prints for one column more or less [the PSNR in dB]."""

SURFACES: Mapping[str, str] = MappingProxyType(
    {
        "reference": "S3_2-S5_2",
        "one column less": "S3_5",
        "another one less": "S5_5",
        "one column more": "S1-2_2-S3_1",
    }
)
"""Defects of the particle PtNp2 in their four images, by what they show."""

_DISTURBED = ", disturbed"
_LOG = logging.getLogger(__name__)
_THICKNESS, _TILT, _DEFOCUS = 40.0, (3.0, 0.0), 60.0  # angstrom, degrees, angstrom


def surface_scenes(
    source: Literal["auto"] | Source = "auto",
    *,
    names: Sequence[str] = tuple(SURFACES),
    grid: int | None = None,
) -> dict[str, Scene]:
    """Get the four clean images of the authors' demonstration.

    Parameters
    ----------
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        ``"authors"`` takes their files and ``"simulated"`` images of ours of the same
        structures; ``"auto"`` does what the environment's ``SBD_SOURCE`` says, else it
        takes each of their files that can be had and simulates the others; so does
        ``"real"``, since a recorded micrograph has no truth.
    names : sequence of str, default all
        Which of the four, by what they show.
    grid : int, optional
        Samples of the box in our multislice calculation; the microscope's if not given.

    Returns
    -------
    dict of str to Scene
        The ``"reference"``, and three particles that differ from it by one column of
        the surface, by what they show; resized as the authors do. The titles tell
        whose they are.

    Raises
    ------
    ValueError
        If `source`, ``SBD_SOURCE`` or a name is unknown.
    DataUnavailableError
        If ``"authors"`` was asked for and a file cannot be had.

    Examples
    --------
    >>> surface_scenes("film")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: source must be one of 'auto', 'real', 'authors', ...; got 'film'
    """
    if source == "auto":
        source = os.environ.get("SBD_SOURCE") or source
    if source not in ("auto", "real", "authors", "simulated"):
        msg = "source must be one of 'auto', 'real', 'authors', 'simulated'; got "
        raise ValueError(msg + repr(source))
    scenes = {}
    for name in names:
        if name not in SURFACES:
            msg = f"names must be among {', '.join(SURFACES)}; got {name!r}"
            raise ValueError(msg)
        defect, image = SURFACES[name], None
        if source != "simulated":
            try:
                image = fetch_clean(f"clean/PtNp2-{defect}")
            except DataUnavailableError as error:
                if source == "authors":
                    raise
                _LOG.info("simulated instead: %s", str(error).partition("\n")[0])
        whose = "simulated here" if image is None else "authors' file"
        if image is None:
            image = _simulate(defect, grid)
        atoms = pt_on_ceria("PtNp2", defect, thickness=_THICKNESS)
        title = f"{name}, {whose}"
        scenes[name] = published_scene(image, atoms, _TILT, title=title)
    return scenes


def compare_surfaces(
    scenes: Mapping[str, Scene], *, psnr: float, seed: int
) -> tuple[dict[str, tuple[Image, Columns]], pd.DataFrame]:
    """Compare images with the first, as they are and disturbed to one PSNR.

    Parameters
    ----------
    scenes : dict of str to Scene
        The reference, then others of the same shape, such as `surface_scenes` gives.
    psnr : float
        Of the disturbed images against the reference [dB].
    seed : int
        Of the errors, which depend on (seed, place in the list) alone.

    Returns
    -------
    looks : dict of str to (ndarray of shape (height, width), Columns)
        The images, then the same disturbed [electrons per pixel], each with the columns
        found in it, by a title that tells PSNR, F1 and Jaccard index.
    scores : pandas.DataFrame
        A row for each: ``psnr`` against the reference [dB]; ``f1`` and ``jaccard`` of
        the particle's surface, and ``occupancy``, the least of the reference's columns
        (see `sbd.column_occupancy`).

    Raises
    ------
    ValueError
        If there are no scenes, shapes differ, or an image is farther than `psnr` from
        the reference already.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> scenes = {"a": Scene("", flat, empty)}
    >>> looks, scores = compare_surfaces(scenes, psnr=60.0, seed=0)
    >>> list(scores.index), scores["psnr"].round(1).tolist()
    (['a', 'a, disturbed'], [inf, 60.0])
    """
    if not scenes:
        msg = "scenes must hold at least the reference; got none"
        raise ValueError(msg)
    reference = next(iter(scenes.values()))
    clean = reference.clean
    given = {name: scene.clean for name, scene in scenes.items()}
    for i, (name, scene) in enumerate(scenes.items()):
        rng = np.random.default_rng([seed, i])
        disturbed = disturb_image(scene.clean, clean, psnr=psnr, rng=rng)
        given[f"{name}{_DISTURBED}"] = disturbed
    looks, rows = {}, {}
    for name, image in given.items():
        found = reference.look(image).found
        surface = score_found(reference, found).loc["surface"]
        there = column_occupancy(image, reference.truth.found, reference=clean)
        decibels = metrics.psnr(clean, image)
        rows[name] = {"psnr": decibels, "f1": surface["f1"]}
        rows[name] |= {"jaccard": surface["jaccard"]}
        rows[name] |= {"occupancy": there["occupancy"].min()}
        far = "" if np.isinf(decibels) else f"{decibels:.1f} dB, "
        near = f"F1 {surface['f1']:.3f}, J {surface['jaccard']:.3f}"
        looks[f"{name.removesuffix(_DISTURBED)}\n{far}{near}"] = image, found
    return looks, pd.DataFrame.from_dict(rows, orient="index")


def disturb_image(
    image: Image,
    clean: Image,
    *,
    psnr: float,
    grain: float = 8.0,
    rng: np.random.Generator,
) -> Image:
    """Add an error as smooth as a denoiser leaves, up to a given PSNR.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        What is disturbed [electrons per pixel].
    clean : ndarray of shape (height, width)
        What the PSNR is measured against [electrons per pixel].
    psnr : float
        Of the result, with a range of 1 electron per pixel [dB].
    grain : float, default 8.0
        Width of the Gaussian that smooths the error; of the order of a column [pixels].
    rng : numpy.random.Generator
        Source of the error.

    Returns
    -------
    ndarray of shape (height, width)
        The image with the error, float64.

    Raises
    ------
    TypeError
        If an image does not hold real numbers.
    ValueError
        If an image is no image, the shapes differ, `grain` is not positive, or the
        image is farther from the clean one already.

    Examples
    --------
    >>> flat, rng = np.full((64, 64), 0.45), np.random.default_rng(0)
    >>> other = disturb_image(flat, flat, psnr=40.0, rng=rng)
    >>> float(np.sqrt(np.mean((other - flat) ** 2)).round(6))
    0.01
    """
    here = check_image(image).astype(np.float64)
    clean = check_image(clean, "clean").astype(np.float64)
    if here.shape != clean.shape:
        msg = f"clean must have shape {here.shape}; got {clean.shape}"
        raise ValueError(msg)
    if not (grain > 0 and np.isfinite(grain)):
        msg = f"grain must be above 0; got {grain}"
        raise ValueError(msg)
    wave = ndimage.gaussian_filter(rng.standard_normal(here.shape), grain, mode="wrap")
    wave /= np.sqrt(np.mean(wave**2))
    error = here - clean
    # the mean square of error + t wave, a parabola in t, must meet what is wanted
    half, rest = np.mean(error * wave), np.mean(error**2) - 10 ** (-psnr / 10)
    if not rest <= 0:
        has = metrics.psnr(clean, here)
        msg = f"psnr must be at most that of the image, {has:.1f} dB; got {psnr}"
        raise ValueError(msg)
    return here + (np.sqrt(half**2 - rest) - half) * wave


def _simulate(defect: str, grid: int | None) -> Image:
    """Simulate what one of the authors' files shows."""
    scope = Microscope() if grid is None else replace(Microscope(), grid=grid)
    atoms = pt_on_ceria("PtNp2", defect, thickness=_THICKNESS, tilt=_TILT)
    return form_image(exit_wave(atoms, scope), defocus=_DEFOCUS, samples=1024)
