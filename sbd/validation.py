"""Say clearly what is wrong with an input, before anything is computed from it."""

from pathlib import Path
from typing import Any

import numpy as np

from sbd.typing import Image, Pixel


def check_image(image: Any, name: str = "image", *, counts: bool = False) -> Image:  # noqa: ANN401
    """Return an image as a two-dimensional float array, or say why it is none.

    Parameters
    ----------
    image : array_like of shape (height, width)
        What the caller passed in.
    name : str, default "image"
        The argument's name, for the message.
    counts : bool, default False
        Whether the values are electrons, so that none may be negative.

    Returns
    -------
    ndarray of shape (height, width)
        The same values; float32 and float64 are kept, anything else becomes float64.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is empty, masked, not two-dimensional, not finite, or has a
        negative count.

    Examples
    --------
    >>> check_image([[1, 2], [3, 4]]).dtype
    dtype('float64')
    """
    try:
        array = np.asarray(image)
    except ValueError:
        msg = (
            f"{name} must be two-dimensional (height, width); got rows of unlike length"
        )
        raise ValueError(msg) from None
    if np.ma.is_masked(image):
        msg = (
            f"{name} must not be masked; got {np.ma.count_masked(image)} masked pixels"
        )
        raise ValueError(msg)
    if isinstance(image, str | Path):
        msg = f"{name} must be an array; got the name {str(image)!r} (load it first)"
        raise TypeError(msg)
    if array.dtype.kind not in "buif":
        msg = f"{name} must hold real numbers; got dtype {array.dtype}"
        raise TypeError(msg)
    if array.ndim != 2:
        msg = f"{name} must be two-dimensional (height, width); got shape {array.shape}"
        raise ValueError(msg)
    if array.size == 0:
        msg = f"{name} must not be empty; got shape {array.shape}"
        raise ValueError(msg)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        msg = f"{name} must be finite; got {bad} NaN or infinite of {array.size} pixels"
        raise ValueError(msg)
    if counts and array.min() < 0:
        msg = (
            f"{name} must hold electron counts, so no value below 0; got "
            f"{array.min():g} (subtract the detector's offset first, then clip at 0)"
        )
        raise ValueError(msg)
    return array


def check_between(value: float, name: str) -> None:
    """Refuse a level, share or probability that is not between 0 and 1.

    Parameters
    ----------
    value : float
        What the caller passed in.
    name : str
        The argument's name, for the message.

    Raises
    ------
    ValueError
        If it is 0, 1, or beyond.

    Examples
    --------
    >>> check_between(0.05, "level")
    """
    if not 0 < value < 1:
        msg = f"{name} must be between 0 and 1; got {value}"
        raise ValueError(msg)


def check_positive(**numbers: float) -> None:
    """Refuse numbers that are not finite and above 0.

    Parameters
    ----------
    **numbers : float
        What the caller passed in, by the argument's name.

    Raises
    ------
    ValueError
        If one is not.

    Examples
    --------
    >>> check_positive(cutoff=0.02)
    """
    for name, number in numbers.items():
        real = isinstance(number, int | float | np.number) and number is not True
        if not (real and 0 < number < np.inf):
            msg = f"{name} must be positive; got {number!r}"
            raise ValueError(msg)


def check_workers(workers: int) -> None:
    """Refuse a number of threads or processes that is none.

    Parameters
    ----------
    workers : int
        What the caller passed in.

    Raises
    ------
    ValueError
        If it is not a whole number of at least 1.

    Examples
    --------
    >>> check_workers(2)
    """
    whole = isinstance(workers, int | np.integer) and not isinstance(workers, bool)
    if not (whole and workers >= 1):
        msg = f"workers must be a whole number of at least 1; got {workers!r}"
        raise ValueError(msg)


def check_pixel(pixel: Pixel, shape: tuple[int, int]) -> Pixel:
    """Return a pixel as two ints, or say that it lies outside the image.

    Parameters
    ----------
    pixel : tuple of int
        (row, column).
    shape : tuple of int
        (height, width) of the image.

    Returns
    -------
    tuple of int
        (row, column).

    Raises
    ------
    TypeError
        If `pixel` is not a pair of whole numbers.
    IndexError
        If it lies outside.

    Examples
    --------
    >>> check_pixel((1, 2), (3, 3))
    (1, 2)
    """
    try:
        row, column = (int(p) for p in pixel)
        whole = (row, column) == tuple(pixel)
    except (TypeError, ValueError):
        whole = False
    if not whole:
        msg = f"pixel must be a (row, column) pair of whole numbers; got {pixel!r}"
        raise TypeError(msg)
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        msg = f"pixel must lie inside an image of shape {shape}; got {(row, column)}"
        raise IndexError(msg)
    return row, column
