"""How much of a column is there: its intensity, its occupancy, and its removal."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from sbd.columns.blobs import LaplacianLadder
from sbd.columns.finding import Columns, check_columns, check_inside
from sbd.typing import Image
from sbd.validation import check_image


def column_occupancy(
    image: Image, columns: Columns, *, reference: Image | None = None
) -> pd.DataFrame:
    r"""Measure the intensity of each column, and its share of a full one.

    Each column is a Gaussian dot of its own width on a ground that may slope. The
    Laplacian of Gaussian at the place of a column hears that column and its
    neighbours, but neither the ground nor its slope; save at the border, where the
    image goes on as its mirror image: three widths away from it nothing of that is
    left, and at one width a lone dot is a fifth too faint. With a filter of width
    :math:`\sigma`, the median of the widths :math:`s_j`, what is heard of column j at
    the distance d is known,

    .. math:: K_{kj} = \frac{2 s_j^2 \sigma^2}{(s_j^2 + \sigma^2)^2}\,
       \left(1 - \frac{d^2}{2 (s_j^2 + \sigma^2)}\right)
       e^{-d^2 / 2 (s_j^2 + \sigma^2)},

    so the amplitudes solve :math:`K a = r`. They are linear in the image: of counts
    they are unbiased, of denoised images as good as those.

    White noise of variance :math:`v` per pixel gives a lone amplitude the standard
    error :math:`\sqrt{2 v / \pi} / s`. In a phase-contrast image the amplitude is no
    count of atoms: it depends on thickness, tilt and focus. Compare like with like.

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

    Examples
    --------
    >>> y, x = np.mgrid[:60, :80]
    >>> dot = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    >>> one = Columns(np.array([[30.0, 40.0]]), np.array([5 * 2**0.5]), np.ones(1))
    >>> table = column_occupancy(0.45 + 0.1 * dot, one, reference=0.45 + 0.2 * dot)
    >>> table.round(3).values.tolist()
    [[0.1, 15.708, 0.5]]
    """
    image = check_image(image).astype(np.float64)
    check_columns(columns)
    widths = columns.radii / np.sqrt(2)
    amplitudes = _amplitudes(image, columns)
    if reference is None:
        full = np.full(len(columns), np.median(amplitudes) if len(columns) else np.nan)
    else:
        reference = check_image(reference, "reference").astype(np.float64)
        if reference.shape != image.shape:
            msg = f"reference must have shape {image.shape}; got {reference.shape}"
            raise ValueError(msg)
        full = _amplitudes(reference, columns)
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
    >>> y, x = np.mgrid[:60, :80]
    >>> dot = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    >>> one = Columns(np.array([[30.0, 40.0]]), np.array([5 * 2**0.5]), np.ones(1))
    >>> float(np.abs(erase_columns(0.45 + 0.2 * dot, one, [0]) - 0.45).max().round(5))
    0.0
    """
    image = check_image(image).astype(np.float64)
    amplitudes = _amplitudes(image, columns)
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


def _amplitudes(image: NDArray[np.float64], columns: Columns) -> NDArray[np.float64]:
    """Heights of Gaussian dots at given places, of given widths."""
    check_inside(columns, image.shape)
    places = columns.positions
    if not len(places):
        return np.zeros(0)
    if columns.radii.max() > max(image.shape):
        msg = (
            f"columns must be smaller than the image of shape {image.shape}; got a "
            f"radius of {columns.radii.max():g}"
        )
        raise ValueError(msg)
    squares = columns.radii**2 / 2
    square = np.median(squares)
    both = squares + square
    apart = spatial.distance.cdist(places, places, "sqeuclidean") / (2 * both)
    kernel = 2 * squares * square / both**2 * (1 - apart) * np.exp(-apart)
    if np.linalg.cond(kernel) > 1e4:
        msg = "columns must lie far enough apart to be told from each other"
        raise ValueError(msg)
    width = float(np.sqrt(square))
    (heard,) = LaplacianLadder(image, least=width, most=width).at(places)
    return np.linalg.solve(kernel, heard)
