"""A row of the Jacobian is a filter: which waves it passes, and where it borrows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns
from sbd.typing import Image, Pixel
from sbd.validation import check_image, check_pixel, check_shape


def filter_spectrum(
    row: Image, *, size: int | None = None
) -> tuple[Image, NDArray[np.float64]]:
    r"""Tell how strongly each wave in the counts passes into a denoised pixel.

    At that pixel the network is the linear filter :math:`\nabla f_i(y)`. A wave of
    frequency :math:`k` that is 1 at the pixel :math:`p_i` comes out as
    :math:`\sum_j [\nabla f_i(y)]_j \, e^{2 \pi \mathrm{i} k \cdot (p_j - p_i)}`, whose
    magnitude is returned: 1 for a wave that passes as it is, 0 for one that is taken
    off. A low-pass filter is one disc in the middle; a network that knows the crystal
    passes the spots of its reciprocal lattice.

    Parameters
    ----------
    row : ndarray of shape (height, width)
        Row of the Jacobian, from `jacobian_row`.
    size : int, optional
        Frequencies along each axis; by default the longer side of the image. More of
        them interpolate, and none may be fewer than the image has pixels.

    Returns
    -------
    amplitude : ndarray of shape (size, size)
        Magnitudes, zero frequency at ``[size // 2, size // 2]``.
    frequencies : ndarray of shape (size,)
        Along each axis [cycles per pixel].

    Raises
    ------
    TypeError
        If the row does not hold real numbers.
    ValueError
        If the row is no image, or `size` is smaller than it.

    Examples
    --------
    >>> row = np.zeros((8, 8))
    >>> row[4, 3:6] = 0.25, 0.5, 0.25  # passes (1 + cos(2 pi k)) / 2
    >>> amplitude, frequencies = filter_spectrum(row)
    >>> frequencies[4:7].tolist(), amplitude[4, 4:7].round(3).tolist()
    ([0.0, 0.125, 0.25], [1.0, 0.854, 0.5])
    """
    row = check_image(row, "row").astype(np.float64)
    least = max(row.shape)
    size = least if size is None else size
    if size < least:
        msg = f"size must be at least {least}, the longer side of row; got {size}"
        raise ValueError(msg)
    amplitude = np.abs(np.fft.fftshift(np.fft.fft2(row, (size, size))))
    return amplitude, np.fft.fftshift(np.fft.fftfreq(size))


def column_weights(
    row: Image, columns: Columns, pixel: Pixel, *, noisy: Image | None = None
) -> pd.DataFrame:
    """Tell from which columns a denoised pixel borrows.

    Where discs overlap, their common pixels count for each. The shares do not add up to
    1: weight lies between the columns too.

    Parameters
    ----------
    row : ndarray of shape (height, width)
        Row of the Jacobian, from `jacobian_row`.
    columns : Columns
        Such as those that `find_columns` finds in the denoised image.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    noisy : ndarray of shape (height, width), optional
        Recorded counts [electrons per pixel].

    Returns
    -------
    pandas.DataFrame
        For each column, in their order: ``row`` and ``column`` of its centre and its
        ``distance`` from the pixel [pixels]; ``weight``, the sum of the row over its
        disc; ``share``, that of the row's absolute weight that is in the disc; and with
        `noisy` the ``contribution`` to the denoised value, the sum of weights times
        counts [electrons per pixel].

    Raises
    ------
    TypeError
        If an image does not hold real numbers, or `columns` are none.
    ValueError
        If an image is no image, the shapes differ or a column lies outside.
    IndexError
        If `pixel` lies outside the image.

    Examples
    --------
    >>> row = np.zeros((9, 9))
    >>> row[4, 2], row[4, 6], row[0, 0] = 0.6, 0.2, -0.2
    >>> two = Columns(np.array([[4.0, 2.0], [4.0, 6.0]]), np.ones(2), np.ones(2))
    >>> table = column_weights(row, two, (4, 2), noisy=np.full((9, 9), 2.0))
    >>> table[["distance", "weight", "share", "contribution"]].round(3).values.tolist()
    [[0.0, 0.6, 0.6, 1.2], [4.0, 0.2, 0.2, 0.4]]
    """
    row = check_image(row, "row").astype(np.float64)
    pixel = check_pixel(pixel, row.shape)
    which, places = disc_pixels(columns, row.shape)
    table = pd.DataFrame(columns.positions, columns=["row", "column"])
    table["distance"] = np.hypot(*(columns.positions - pixel).T)
    sums = {"weight": row, "share": np.abs(row) / (np.abs(row).sum() or 1.0)}
    if noisy is not None:
        noisy = check_image(noisy, "noisy")
        check_shape(noisy, "noisy", row, "row")
        sums["contribution"] = row * noisy
    for name, values in sums.items():
        table[name] = np.bincount(which, values[places], minlength=len(columns))
    return table
