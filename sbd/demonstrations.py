"""The authors' demonstration that PSNR does not see one column of a surface."""

import logging
from typing import Literal

import numpy as np
from scipy import ndimage

from sbd import metrics
from sbd.examples import Source, example_truth, fetch_clean
from sbd.occupancies import erase_columns
from sbd.registry import DataUnavailableError
from sbd.scenes import Scene, published_scene
from sbd.structures import pt_on_ceria
from sbd.surfaces import surface_columns
from sbd.testbed import example_scene
from sbd.typing import Image
from sbd.validation import check_image

AUTHORS_SCORES = {"f1": 0.933, "jaccard": 0.875, "psnr": 41.9}
"""What their notebook prints for one column more or less [the PSNR in dB]."""

_LOG = logging.getLogger(__name__)
_PAIR = "S3_2-S5_2", "S3_5"  # the second lacks one column of the first


def surface_pair(source: Literal["auto"] | Source = "auto") -> tuple[Scene, Scene]:
    """Get two clean images that differ in one column of the particle's surface.

    Parameters
    ----------
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        As for `sbd.example_truth`.

    Returns
    -------
    whole : Scene
        The authors' image PtNp2-S3_2-S5_2, the reference of their demonstration,
        resized as they do; where their images cannot be had, the bundled one.
    less : Scene
        Their image PtNp2-S3_5, which has one column less; or the bundled image with the
        weakest column of the particle's surface erased. The title tells.

    Raises
    ------
    ValueError
        If `source` or ``SBD_SOURCE`` is unknown.

    Notes
    -----
    Their demonstration has four images. The two that are not used here differ from the
    reference by one column, too: one more, and one less at another place. By symmetry
    to add a column is to swap the two.

    Examples
    --------
    >>> whole, less = surface_pair("simulated")
    >>> less.title
    'one column erased'
    """
    _, title = example_truth(source)
    if title.startswith("authors"):
        try:
            return tuple(_published(name) for name in _PAIR)
        except DataUnavailableError as error:
            _LOG.info("no pair of theirs: %s", str(error).partition("\n")[0])
    scene = example_scene("simulated")
    found = scene.truth.found
    places = np.flatnonzero(
        surface_columns(found) & scene.specimen.is_particle(found.positions)
    )
    weakest = places[np.abs(found.amplitudes[places]).argmin()]
    clean = erase_columns(scene.clean, found, [weakest])
    return scene, Scene("one column erased", clean, scene.specimen)


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


def _published(name: str) -> Scene:
    """Read an authors' image of PtNp2 and place its atoms."""
    atoms = pt_on_ceria("PtNp2", name, thickness=40.0)
    image, title = fetch_clean(f"clean/PtNp2-{name}"), f"authors' PtNp2-{name}"
    return published_scene(image, atoms, (3.0, 0.0), title=title)
