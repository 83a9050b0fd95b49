"""Which part of a recording counts: a box of it, a mask, and what was not recorded.

A frame, an aperture or a beam stop holds no electrons, and a denoiser that is shown its
edge takes it for the specimen's. So what was not recorded is filled with counts that
could have been, and what comes out there is not shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from sbd.recordings.reading import read_micrograph
from sbd.recordings.recording import Recording, as_recording
from sbd.typing import Image
from sbd.validation import check_image

_REACH = 12.0  # standard deviation of what is around a gap [pixels]
_LITTLE = 1e-3  # share of it, below which the nearest place tells more


def crop_recording(recording: Recording | ArrayLike, box: Sequence[int]) -> Recording:
    """Take a box of a recording.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    box : sequence of four int
        Row and column of its upper left pixel, its height and its width [pixels].

    Returns
    -------
    Recording
        All else as it was.

    Raises
    ------
    ValueError
        If the box is none, or does not lie within the recording.

    Examples
    --------
    >>> crop_recording(np.ones((40, 60)), (10, 20, 30, 25)).shape
    (30, 25)
    """
    recording = as_recording(recording)
    try:
        row, column, height, width = (int(n) for n in box)
        whole = (row, column, height, width) == tuple(box)
    except (TypeError, ValueError):
        whole = False
    if not whole:
        msg = (
            "box must be four whole numbers, row and column of its upper left pixel, "
            f"height and width; got {box!r}"
        )
        raise ValueError(msg)
    most = recording.shape
    inside = (
        row >= 0 <= column and row + height <= most[0] and column + width <= most[1]
    )
    if not (inside and height > 0 < width):
        msg = (
            f"box must lie within {most[0]} x {most[1]} pixels; got row {row}, column "
            f"{column}, {height} x {width}"
        )
        raise ValueError(msg)
    part = recording.values[..., row : row + height, column : column + width]
    corner = recording.corner[0] + row, recording.corner[1] + column
    return replace(recording, values=part, corner=corner)


def mask_recording(recording: Recording | ArrayLike, mask: ArrayLike) -> Recording:
    """Leave out of a recording what a mask does not hold.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    mask : ndarray of shape (height, width)
        True, or any number but 0, where the recording is to be believed.

    Returns
    -------
    Recording
        With NaN elsewhere, which `check_counts` leaves out; its values are floats.

    Raises
    ------
    ValueError
        If the mask is of another shape, or leaves nothing.

    Examples
    --------
    >>> mask = np.ones((20, 30))
    >>> mask[:, 20:] = 0
    >>> int(np.isnan(mask_recording(np.ones((20, 30)), mask).values).sum())
    200
    """
    recording = as_recording(recording)
    kept = check_image(mask, "mask") != 0
    if kept.shape != recording.shape:
        msg = f"mask must have the shape of the recording; got {kept.shape}"
        raise ValueError(msg)
    if not kept.any():
        msg = "mask must leave something; got none but 0"
        raise ValueError(msg)
    values = np.asarray(recording.values)
    small = values.dtype.kind in "bui" and values.dtype.itemsize <= 2
    kind = np.float32 if small or values.dtype == np.float32 else np.float64
    values = values.astype(kind)
    values[..., ~kept] = np.nan
    return replace(recording, values=values)


def take_part(
    recording: Recording,
    box: Sequence[int] | None = None,
    mask: ArrayLike | str | Path | None = None,
) -> Recording:
    """Mask a recording, then crop it, each if asked; a mask may be a file."""
    if mask is not None:
        if isinstance(mask, str | Path):
            read = read_micrograph(mask)
            if read.frames > 1:
                msg = f"mask must be one image; got {read.frames} frames in {mask}"
                raise ValueError(msg)
            mask = read.stack[0]
        recording = mask_recording(recording, mask)
    return recording if box is None else crop_recording(recording, box)


def fill_gaps(
    image: Image, recorded: NDArray[np.bool_], *, rng: np.random.Generator
) -> Image:
    """Put counts where nothing was recorded, with the mean of those around.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Counts, in electrons per pixel.
    recorded : ndarray of shape (height, width), bool
        Where they are to be believed, as in `CountsReport.recorded`.
    rng : numpy.random.Generator
        Of the counts that are put.

    Returns
    -------
    ndarray of shape (height, width)
        The same where it was recorded.

    Raises
    ------
    ValueError
        If nothing was recorded, or the shapes differ.

    Examples
    --------
    >>> counts = np.full((40, 40), 3.0)
    >>> counts[:10] = 0
    >>> filled = fill_gaps(counts, counts > 0, rng=np.random.default_rng(0))
    >>> bool(2.6 < filled[:10].mean() < 3.4), bool((filled[10:] == 3).all())
    (True, True)
    """
    image = check_image(image)
    recorded = np.asarray(recorded, bool)
    if recorded.shape != image.shape or not recorded.any():
        msg = (
            f"recorded must have the shape of image, {image.shape}, and hold a place "
            f"that was recorded; got shape {recorded.shape}"
        )
        raise ValueError(msg)
    if recorded.all():
        return image
    known = np.where(recorded, image, 0.0)
    share = ndimage.gaussian_filter(recorded.astype(np.float64), _REACH)
    around = ndimage.gaussian_filter(known, _REACH) / np.maximum(share, _LITTLE)
    told = share > _LITTLE
    nearest = ndimage.distance_transform_edt(
        ~told, return_distances=False, return_indices=True
    )
    around = around[tuple(nearest)]
    filled = image.copy()
    gaps = ~recorded
    filled[gaps] = rng.poisson(around[gaps].clip(0))
    return filled
