"""Say clearly what is wrong with an input, before anything is computed from it."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sbd.typing import Denoiser, Image, Pixel

_SPREAD = 2.0  # times the variance of counts, from which they are none
_BLOCK = 32  # side of the parts of an image that are judged, one by one [pixels]
_AT_MOST = 512  # side of what is looked at, in the middle [pixels]
_LEAST = 1000  # electrons, below which nothing can be told


def check_image(image: Any, name: str = "image", *, counts: bool = False) -> Image:  # noqa: ANN401
    """Return an image as a finite, two-dimensional float array, or say why it is none.

    float32 and float64 are kept; `counts` may not be negative.
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
            f"{array.min():g} (subtract the detector's offset; if values still go "
            "below, do not clip them: sbd.recordings.check_counts tells their read "
            "noise, which some denoisers take)"
        )
        raise ValueError(msg)
    return array


def check_counts(noisy: Any) -> Image:  # noqa: ANN401
    """Return counts as `check_image` does; warn if their variance is not their mean.

    A denoiser would take most of the noise of detector units for the specimen.
    """
    counts = check_image(noisy, "noisy", counts=True)
    spread = measure_dispersion(counts)
    if spread > _SPREAD:
        warnings.warn(
            f"noisy varies {spread:.3g} times as much between pixels as electron "
            "counts do, so it holds none and the result will be wrong; divide it "
            "by the detector's units per electron (sbd.estimate_gain)",
            stacklevel=3,
        )
    return counts


def measure_dispersion(counts: Image) -> float:
    """Measure variance over mean of fourth differences, in the median block.

    NaN where there is too little to tell.
    """
    half = _AT_MOST // 2
    middle = (slice(max(0, n // 2 - half), n // 2 + half) for n in counts.shape)
    counts = counts[tuple(middle)].astype(np.float64)
    if min(counts.shape) < _BLOCK + 4 or counts.sum() < _LEAST:
        return float("nan")
    rough = counts
    for axis in (0, 1):
        rough = np.diff(rough, 4, axis)
    blocks = []
    for values in (rough**2, counts[2:-2, 2:-2]):
        high, wide = (n // _BLOCK for n in values.shape)
        parts = values[: high * _BLOCK, : wide * _BLOCK]
        blocks.append(parts.reshape(high, _BLOCK, wide, _BLOCK).sum((1, 3)))
    power, electrons = blocks
    some = electrons > 0
    if not some.any():
        return float("nan")
    # the squares of the weights 1, -4, 6, -4, 1 add up to 70 along each axis
    return float(np.median(power[some] / electrons[some])) / 70**2


def apply_denoiser(denoise: Denoiser, noisy: Image, name: str = "denoise") -> Image:
    """Denoise a copy of an image, and see that an image of its shape comes back."""
    result = np.asarray(denoise(noisy.copy()))
    if result.shape != noisy.shape:
        msg = f"{name!r} must return shape {noisy.shape}; got {result.shape}"
        raise ValueError(msg)
    return result


def check_between(value: float, name: str) -> None:
    """Refuse a level, share or probability that is not between 0 and 1."""
    real = isinstance(value, int | float | np.number)
    if not (real and 0 < value < 1):
        msg = f"{name} must be between 0 and 1; got {value}"
        raise ValueError(msg)


def check_positive(**numbers: float) -> None:
    """Refuse numbers, by their arguments' names, that are not finite and above 0."""
    for name, number in numbers.items():
        real = isinstance(number, int | float | np.number) and number is not True
        if not (real and 0 < number < np.inf):
            msg = f"{name} must be positive; got {number!r}"
            raise ValueError(msg)


def check_whole(name: str, value: int, least: int = 1, most: int | None = None) -> None:
    """Refuse what is no whole number, or is below `least` or above `most`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value >= least and (most is None or value <= most)):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        msg = f"{name} must be a whole number {limits}; got {value!r}"
        raise ValueError(msg)


def check_shape(array: Image, name: str, other: Image, of: str) -> None:
    """Refuse an array whose shape is not that of another, which is called so."""
    if array.shape != other.shape:
        msg = f"{name} must have the shape of {of}, {other.shape}; got {array.shape}"
        raise ValueError(msg)


def check_word(name: str, value: object, words: Iterable[str]) -> None:
    """Refuse what is none of some words, in the order in which they are told."""
    if value not in words:
        msg = f"{name} must be one of {', '.join(words)}; got {value!r}"
        raise ValueError(msg)


def check_doses(doses: Sequence[float]) -> None:
    """Refuse doses that are none, or of which one is not finite and above 0."""
    if not len(doses) or not all(np.isfinite(d) and d > 0 for d in doses):
        msg = f"doses must be one or more numbers above 0; got {list(doses)}"
        raise ValueError(msg)


def check_pixel(pixel: Pixel, shape: tuple[int, int]) -> Pixel:
    """Return a pixel as two ints, or say that it lies outside the image."""
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
