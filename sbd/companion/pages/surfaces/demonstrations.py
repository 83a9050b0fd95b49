"""The authors' demonstration that PSNR does not see one column of a surface."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from scipy import ndimage

from sbd import metrics
from sbd.audits.inspection import score_found
from sbd.audits.scenes import Scene, published_scene
from sbd.columns.finding import Columns
from sbd.columns.occupancies import column_occupancy
from sbd.data.examples import Source, find_published
from sbd.simulation.frame import BOX_SAMPLES
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
_THICKNESS, _TILT, _DEFOCUS = 40.0, (3.0, 0.0), 60.0  # angstrom, degrees, angstrom


def surface_scenes(
    source: Literal["auto"] | Source = "auto",
    *,
    names: Sequence[str] = tuple(SURFACES),
    grid: int | None = None,
) -> dict[str, Scene]:
    """Get the four clean images of the authors' demonstration, or some by name.

    `source` "authors" takes their files and "simulated" ours of the same structures;
    "auto" what ``SBD_SOURCE`` says, else each of their files that can be had, as "real"
    does, since a micrograph has no truth. `grid` is of our multislice; titles tell
    whose they are.
    """
    scenes = {}
    for name in names:
        if name not in SURFACES:
            msg = f"names must be among {', '.join(SURFACES)}; got {name!r}"
            raise ValueError(msg)
        defect = SURFACES[name]
        image = find_published(f"clean/PtNp2-{defect}", source)
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
    """Compare images with the first, as they are and disturbed to one PSNR [dB].

    Returns images with their columns, by a title that tells the scores, and a table: F1
    and Jaccard index of the surface, and the least occupancy of the reference's
    columns. The errors depend on (seed, place in the list) alone.
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
    """Add an error as smooth as a denoiser leaves, up to a PSNR [dB] against `clean`.

    `grain` is the width of the Gaussian that smooths it [pixels].
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
    return form_image(exit_wave(atoms, scope), defocus=_DEFOCUS, samples=BOX_SAMPLES)
