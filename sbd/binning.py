"""Fewer, larger pixels: counts add up, and a band-limited image loses nothing."""

import numpy as np
from scipy import ndimage

from sbd.typing import Image

_MARGIN = 8  # a spline forgets its border by a factor of 3.7 a pixel


def check_binning(binning: int) -> None:
    """Refuse a width of bins that is no positive whole number.

    Parameters
    ----------
    binning : int
        Width of the bins [pixels].

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> check_binning(4)
    """
    if not isinstance(binning, int | np.integer) or binning < 1:
        msg = f"binning must be a positive whole number; got {binning!r}"
        raise ValueError(msg)


def bin_counts(noisy: Image, width: int) -> Image:
    """Add up the electrons in squares of pixels: Poisson counts stay Poisson counts.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Counts, in electrons per pixel; mirrored at the far border where a side is no
        multiple of `width`.
    width : int
        Side of a square [pixels].

    Returns
    -------
    ndarray
        One value for each square, begun ones included: counts as float32, in electrons
        per binned pixel.

    Raises
    ------
    ValueError
        If `width` is not a positive whole number.

    Examples
    --------
    >>> import numpy as np
    >>> bin_counts(np.ones((5, 4)), 2).tolist()
    [[4.0, 4.0], [4.0, 4.0], [4.0, 4.0]]
    """
    check_binning(width)
    missing = [(0, -side % width) for side in noisy.shape]
    rows, columns = (
        (side + m) // width for side, (_, m) in zip(noisy.shape, missing, strict=True)
    )
    padded = np.pad(noisy, missing, mode="symmetric").astype(np.float32)
    return padded.reshape(rows, width, columns, width).sum(axis=(1, 3))


def unbin(binned: Image, width: int, shape: tuple[int, int]) -> Image:
    """Bring an estimate on binned pixels back to the fine grid by cubic splines.

    Parameters
    ----------
    binned : ndarray of shape (rows, columns)
        Estimate, in electrons per binned pixel.
    width : int
        Side of the bins [pixels].
    shape : tuple of int
        (height, width) of the result; the mirrored rest is cropped.

    Returns
    -------
    ndarray of shape `shape`
        Estimate as float32, in electrons per pixel.

    Examples
    --------
    >>> import numpy as np
    >>> unbin(np.full((3, 2), 4.0), 2, (5, 4)).round(5).tolist()[0]
    [1.0, 1.0, 1.0, 1.0]
    """
    density = np.asarray(binned, np.float32) / width**2
    if width == 1:
        return density
    # scipy's own mirroring is off by up to 1e-3 where a side has under five pixels
    density = np.pad(density, _MARGIN, mode="symmetric")
    density = ndimage.zoom(density, width, order=3, mode="nearest", grid_mode=True)
    first = _MARGIN * width
    return density[first : first + shape[0], first : first + shape[1]]
