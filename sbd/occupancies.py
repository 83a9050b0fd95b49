"""How much of a column is there: its intensity, its occupancy, and its removal."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage, spatial

from sbd.columns import Columns
from sbd.typing import Image
from sbd.validation import check_image


def column_occupancy(
    image: Image, columns: Columns, *, reference: Image | None = None
) -> pd.DataFrame:
    r"""Measure the intensity of each column, and its share of a full one.

    Each column is a Gaussian dot of its own width on a ground that may slope. The
    Laplacian of Gaussian at the place of a column hears that column and its
    neighbours, but neither the ground nor its slope. With a filter of width
    :math:`\sigma`, the median of the widths :math:`s_j`, what is heard of column j at
    the distance d is known,

    .. math:: K_{kj} = \frac{2 s_j^2 \sigma^2}{(s_j^2 + \sigma^2)^2}\,
       \left(1 - \frac{d^2}{2 (s_j^2 + \sigma^2)}\right)
       e^{-d^2 / 2 (s_j^2 + \sigma^2)},

    so the amplitudes solve :math:`K a = r`. They are linear in the image: of counts
    they are unbiased, of denoised images as good as those.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Counts, a clean image or a denoised one [electrons per pixel].
    columns : Columns
        Where the columns are, or should be, and how wide they are.
    reference : ndarray of shape (height, width), optional
        An image in which all of them are full [electrons per pixel]; if not given, a
        full column is as strong as the median of the image's own.

    Returns
    -------
    pandas.DataFrame
        A row for each column: ``amplitude``, the height of its dot [electrons per
        pixel], negative where it is dark; ``intensity``, its integral [electrons]; and
        ``occupancy``, its amplitude as a share of a full one: 1 for a full column, 0
        where there is none. NaN where there is nothing to compare with.

    Raises
    ------
    TypeError
        If an image does not hold real numbers.
    ValueError
        If an image is no image, the shapes differ, a column is outside the image, or
        two columns are too close together to be told apart.

    Notes
    -----
    White noise of variance :math:`v` per pixel gives a lone amplitude the standard
    error :math:`\sqrt{2 v / \pi} / s`. In a phase-contrast image the amplitude is no
    count of atoms: it depends on thickness, tilt and focus. Compare like with like.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:60, :80]
    >>> dot = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    >>> one = Columns(np.array([[30.0, 40.0]]), np.array([5 * 2**0.5]), np.ones(1))
    >>> table = column_occupancy(0.45 + 0.1 * dot, one, reference=0.45 + 0.2 * dot)
    >>> table.round(3).values.tolist()
    [[0.1, 15.708, 0.5]]
    """
    image = check_image(image).astype(np.float64)
    widths = columns.radii / np.sqrt(2)
    amplitudes = _amplitudes(image, columns, "image")
    if reference is None:
        full = np.full(len(columns), np.median(amplitudes) if len(columns) else np.nan)
    else:
        reference = check_image(reference, "reference").astype(np.float64)
        if reference.shape != image.shape:
            msg = f"reference must have shape {image.shape}; got {reference.shape}"
            raise ValueError(msg)
        full = _amplitudes(reference, columns, "reference")
    there = np.abs(full) > 1e-12
    occupancy = np.full(len(columns), np.nan)
    occupancy[there] = amplitudes[there] / full[there]
    return pd.DataFrame(
        {
            "amplitude": amplitudes,
            "intensity": 2 * np.pi * widths**2 * amplitudes,
            "occupancy": occupancy,
        }
    )


def erase_columns(image: Image, columns: Columns, which: ArrayLike) -> Image:
    """Take columns out of an image: their dots go, the ground stays.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        A clean image [electrons per pixel].
    columns : Columns
        All its columns.
    which : array_like of int or bool
        Those to take out, as an index into the columns.

    Returns
    -------
    ndarray of shape (height, width)
        The image less the Gaussian dots of `column_occupancy`, float64.

    Raises
    ------
    TypeError, ValueError
        As for `column_occupancy`.
    IndexError
        If there is no such column.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:60, :80]
    >>> dot = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    >>> one = Columns(np.array([[30.0, 40.0]]), np.array([5 * 2**0.5]), np.ones(1))
    >>> float(np.abs(erase_columns(0.45 + 0.2 * dot, one, [0]) - 0.45).max().round(5))
    0.0
    """
    image = check_image(image).astype(np.float64)
    amplitudes = _amplitudes(image, columns, "image")
    which = np.atleast_1d(np.asarray(which))
    which = which if which.size else which.astype(np.intp)
    rows, cols = np.indices(image.shape)
    left = image.copy()
    chosen = columns[which]
    parts = zip(chosen.positions, chosen.radii, amplitudes[which], strict=True)
    for (row, column), radius, amplitude in parts:
        squared = (rows - row) ** 2 + (cols - column) ** 2
        left -= amplitude * np.exp(-squared / radius**2)  # radius² = 2 width²
    return left


def _amplitudes(
    image: NDArray[np.float64], columns: Columns, name: str
) -> NDArray[np.float64]:
    """Heights of Gaussian dots at given places, of given widths."""
    places = columns.positions
    if not len(places):
        return np.zeros(0)
    last = np.array(image.shape) - 1
    if (places < 0).any() or (places > last).any():
        msg = f"columns must lie inside the {name} of shape {image.shape}"
        raise ValueError(msg)
    squares = columns.radii**2 / 2
    square = np.median(squares)
    both = squares + square
    apart = spatial.distance.cdist(places, places, "sqeuclidean") / (2 * both)
    kernel = 2 * squares * square / both**2 * (1 - apart) * np.exp(-apart)
    if np.linalg.cond(kernel) > 1e4:
        msg = "columns must lie far enough apart to be told from each other"
        raise ValueError(msg)
    rows, cols = (np.pi * np.arange(n) / n for n in image.shape)
    a = square * (rows[:, None] ** 2 + cols**2)
    spectrum = fft.dctn(image - image.mean(), norm="ortho")
    response = fft.idctn(spectrum * a * np.exp(-a / 2), norm="ortho")
    heard = ndimage.map_coordinates(response, places.T, order=3, mode="nearest")
    return np.linalg.solve(kernel, heard)
