"""A micrograph to try things on, from the best source that can be had."""

import logging
import os
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import resample
from skimage.io import imread
from skimage.transform import resize

from sbd.data.registry import ITEMS, DataUnavailableError, fetch
from sbd.metrics import authors_resize
from sbd.simulation.frame import AUTHORS_PIXEL, BOX, PIXEL, SHRINK
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Image
from sbd.validation import check_image, check_whole, check_word

Source: TypeAlias = Literal["real", "authors", "simulated"]
"""Where a micrograph comes from, the best first."""

_LOG = logging.getLogger(__name__)
_SOURCES = ("real", "authors", "simulated")
_CLEAN = tuple(name for name in ITEMS if name.startswith("clean/"))
_UNLABELLED = tuple(name for name in ITEMS if name.startswith("unlabelled/"))


@dataclass(frozen=True)
class Micrograph:
    """A noisy image and what is known about it."""

    noisy: Image  # recorded counts, float32 [electrons per pixel]
    clean: Image | None  # counts to expect; None for a real one [electrons per pixel]
    source: Source
    title: str  # the source in words, for a figure's title
    pixel_size: float  # side of a pixel in the object [angstrom]
    vacuum: float  # mean count; of a real micrograph an estimate [electrons per pixel]


def example_micrograph(
    source: Literal["auto"] | Source = "auto",
    *,
    rng: np.random.Generator,
    frames: int = 1,
    crop: int | None = None,
    item: str = "clean/PtNp2-S3_5",
) -> Micrograph:
    """Get a micrograph of a platinum particle on ceria.

    The authors' images are resized by 0.785 along both axes, to the pixel size that
    the paper's real data have (their own loader swaps the axes; see
    :func:`sbd.authors_resize`). The vacuum of the real micrograph is estimated from
    it: the mean of that tenth of its 120 x 120 pixel blocks whose counts vary least
    from one 12 x 12 pixel bin to the next, relative to their mean, because shot noise
    is then all there is.

    Parameters
    ----------
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        The real micrograph; an authors' simulated image; or this project's own, which
        is bundled. ``"auto"`` takes the one that the environment's ``SBD_SOURCE``
        names, else the first of the three that can be had, and logs which and why.
    rng : numpy.random.Generator
        Source of the shot noise of the simulated images.
    frames : int, default 1
        Frames that are summed into the recording. The real micrograph is one.
    crop : int or None, default None
        Side of a square to cut from the centre; None keeps the whole [pixels].
    item : str, default "clean/PtNp2-S3_5"
        Which of the authors' images to take.

    Returns
    -------
    Micrograph
        Counts, and the clean image where there is one.

    Raises
    ------
    ValueError
        If `source`, ``SBD_SOURCE`` or `item` is unknown, `frames` is less than one or
        more than the real micrograph has, or `crop` is larger than the image.
    DataUnavailableError
        If the source that was asked for cannot be had.
    """
    source = _chosen(source)
    check_word("item", item, _CLEAN)
    check_whole("frames", frames)
    if crop is not None:
        check_whole("crop", crop)
    if source != "auto":
        return _from_source(source, rng, frames, crop, item)
    for choice in _SOURCES[:-1]:
        if choice == "real" and frames > 1:
            _LOG.info("source 'real' is passed over: it is one frame, not %d", frames)
            continue
        try:
            found = _from_source(choice, rng, frames, crop, item)
        except DataUnavailableError as error:
            reason = str(error).partition("\n")[0]
            _LOG.info("source %r is passed over: %s", choice, reason)
        else:
            _LOG.info("source %r is taken", choice)
            return found
    _LOG.info("source %r is taken", _SOURCES[-1])
    return _from_source(_SOURCES[-1], rng, frames, crop, item)


def example_truth(source: Literal["auto"] | Source = "auto") -> tuple[Image, str]:
    """Get a clean image to judge denoisers by, as the paper's numbers are made.

    Parameters
    ----------
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        As for `example_micrograph`. The real micrograph has no truth; the authors'
        image stands in for it, and the bundled one where that cannot be had.

    Returns
    -------
    clean : ndarray of shape (height, width)
        Expected counts; the authors' PtNp2-S3_5, resized as they do, or the bundled
        simulated image [electrons per pixel].
    title : str
        Which of the two it is.

    Raises
    ------
    ValueError
        If `source` or ``SBD_SOURCE`` is unknown.

    Examples
    --------
    >>> example_truth("simulated")[1].startswith("this project's simulated image")
    True
    """
    source = _chosen(source)
    if source != "simulated":
        try:
            clean = authors_resize(fetch_clean("clean/PtNp2-S3_5"))
        except DataUnavailableError as error:
            _LOG.info("no authors' image: %s", str(error).partition("\n")[0])
        else:
            title = "authors' simulated image PtNp2-S3_5, resized as they do"
            return np.maximum(clean, 0.0), title
    clean, _, label = _simulated_clean()
    return np.maximum(clean, 0.0), f"this project's simulated image {label}".strip()


def fetch_clean(name: str) -> Image:
    """Read one of the authors' simulated images, as published.

    Parameters
    ----------
    name : str
        ``"clean/PtNp2-S3_5"``, or another ``"clean/..."`` item of the registry, or
        ``"unlabelled/1"`` to 3, of which no label is known.

    Returns
    -------
    ndarray of shape (876, 927), or (832, 896) without a label
        Float64, at 0.0488 angstrom a pixel; 0.45 in vacuum [electrons per pixel].

    Raises
    ------
    ValueError
        If there is no such image.
    DataUnavailableError
        If it cannot be had.

    Examples
    --------
    >>> fetch_clean("PtNp9")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: name must be one of clean/PtNp2-S3_5, ...; got 'PtNp9'
    """
    check_word("name", name, _CLEAN + _UNLABELLED)
    return check_image(imread(fetch(name)), name).astype(np.float64)


def find_published(name: str, source: str) -> Image | None:
    """Read an authors' clean image; None where ours stands in, as asked or for want."""
    source = _chosen(source)
    if source == "simulated":
        return None
    try:
        return fetch_clean(name)
    except DataUnavailableError as error:
        if source == "authors":
            raise
        _LOG.info("simulated instead: %s", str(error).partition("\n")[0])
        return None


def _chosen(source: str) -> str:
    """Return the source; for "auto" the one that the environment names, if any."""
    check_word("source", source, ("auto", *_SOURCES))
    if source == "auto" and os.environ.get("SBD_SOURCE"):
        source = os.environ["SBD_SOURCE"]
        check_word("SBD_SOURCE", source, _SOURCES)
    return source


def _from_source(
    source: Source, rng: np.random.Generator, frames: int, crop: int | None, item: str
) -> Micrograph:
    """Get a micrograph from one source, with the arguments checked."""
    if source == "real":
        return _real(frames, crop)
    if source == "authors":
        clean, pixel_size = _authors_clean(item)
        name = f"authors' simulated image {item.removeprefix('clean/')}"
    else:
        clean, pixel_size, label = _simulated_clean()
        name = f"this project's simulated image{label and f' {label}'}"
    clean = frames * np.maximum(_centre(clean, crop), 0)
    return Micrograph(
        noisy=poisson_noise(clean, rng=rng),
        clean=clean,
        source=source,
        title=f"{name}, counted at {frames * VACUUM:g} e/pixel",
        pixel_size=pixel_size,
        vacuum=frames * VACUUM,
    )


def _real(frames: int, crop: int | None) -> Micrograph:
    if frames != 1:
        msg = f"frames must be 1 for the real micrograph, which is one; got {frames}"
        raise ValueError(msg)
    stack = np.load(fetch("real-micrograph"), allow_pickle=False)
    whole = check_image(stack[0], "real-micrograph").astype(np.float32)
    if whole.min() < 0:
        _LOG.info("%d pixels below 0 are set to 0", np.count_nonzero(whole < 0))
        whole = np.maximum(whole, 0)
    vacuum = _estimate_vacuum(whole)
    return Micrograph(
        noisy=_centre(whole, crop),
        clean=None,
        source="real",
        title=f"real micrograph, recorded at about {vacuum:.2f} e/pixel",
        pixel_size=PIXEL,
        vacuum=vacuum,
    )


def _authors_clean(item: str) -> tuple[Image, float]:
    """Resize an authors' image, the same along both axes; with its pixel size."""
    published = fetch_clean(item)
    shape = tuple(round(SHRINK * n) for n in published.shape)
    # Cubic is exact to 3e-7 here: the image is band-limited at 0.06 cycles a pixel,
    # which is also why no filter is needed against aliasing.
    clean = resize(published, shape, order=3, anti_aliasing=False)
    return clean, AUTHORS_PIXEL * published.shape[0] / shape[0]


def _simulated_clean() -> tuple[Image, float, str]:
    """Sample the bundled image finely; with its pixel size and its label."""
    # clean is all that a periodic, band-limited image needs; box its side [angstrom];
    # crop_rows and crop_cols the fraction of it to show, from first to last, free of
    # the seam
    with np.load(fetch("example/simulated"), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    samples = check_image(arrays["clean"], "example/simulated").astype(np.float64)
    box = float(arrays.get("box", BOX))
    size = round(box / PIXEL)
    fine = resample(resample(samples, size, axis=0), size, axis=1)
    rows, columns = (
        slice(*(round(size * float(edge)) for edge in arrays.get(key, (0, 1))))
        for key in ("crop_rows", "crop_cols")
    )
    return fine[rows, columns], box / size, str(arrays.get("label", ""))


def _centre(image: Image, crop: int | None) -> Image:
    """Cut a square from the middle of an image."""
    if crop is None:
        return image
    if crop > min(image.shape):
        msg = f"crop must be at most {min(image.shape)}, to fit into the image; got "
        raise ValueError(msg + f"{crop}")
    top, left = ((n - crop) // 2 for n in image.shape)
    return image[top : top + crop, left : left + crop]


def _estimate_vacuum(counts: Image) -> float:
    """Average the blocks that vary as little as shot noise does."""
    size = 12
    height, width = (n // size for n in counts.shape)
    trimmed = counts[: height * size, : width * size].astype(np.float64)
    bins = trimmed.reshape(height, size, width, size).mean((1, 3))
    side = min(10, height, width)
    blocks = sliding_window_view(bins, (side, side)).reshape(-1, side * side)
    means = blocks.mean(1)
    dispersion = np.full(len(blocks), np.inf)  # where a dead border lets none through
    lit = blocks.min(1) > 0
    dispersion[lit] = blocks[lit].var(1) / means[lit]
    calmest = np.argsort(dispersion)[: max(1, len(means) // 10)]
    return float(means[calmest].mean())
