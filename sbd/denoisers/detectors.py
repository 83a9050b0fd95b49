r"""What a detector does to electrons, read from the noise of one image.

A detector with gain :math:`\alpha` [units per electron], offset :math:`\delta` and read
noise :math:`\tau` records :math:`v = \alpha z + \delta + N(0, \tau^2)` for counts
:math:`z`, so that the variance of a recorded value is a straight line over its mean,
:math:`\alpha (\mathrm{E}v - \delta) + \tau^2`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sbd.typing import Image
from sbd.validation import check_image

_BLOCK = 16  # pixels: 64 independent differences, little structure
_ROUNDS = 20
_SURE = 4.0  # standard errors of a slope that is believed
_FAR = 4.0  # standard deviations from which a block is an edge


def estimate_gain(image: Image, *, offset: float = 0.0) -> tuple[float, float]:
    r"""Estimate gain and read noise from the noise of a single image.

    In blocks of 16 x 16 pixels, the variance of the differences of neighbours, rows and
    columns both, is set against the mean; a straight line is fitted, with blocks that
    hold an edge left out. Noise must not be correlated between pixels (no resampling,
    no blur by the detector), and blocks of different brightness are needed to tell gain
    from read noise. Source: Foi, Trimeche, Katkovnik, Egiazarian, "Practical
    Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE
    Trans. Image Processing 17 (2008) 1737.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (frames, height, width)
        What the detector recorded, in its units; at least 32 x 32 pixels. Frames of a
        stack are taken together.
    offset : float, default 0.0
        Units where no electron arrives. From one image it cannot be told from the read
        noise.

    Returns
    -------
    gain : float
        Detector units per electron.
    read_noise : float
        Standard deviation of the Gaussian noise [detector units]; 0 if the line passes
        below zero at the offset.

    Raises
    ------
    TypeError
        If `image` does not hold real numbers.
    ValueError
        If `image` is too small, neither an image nor a stack, not finite, or does not
        tell: its noise does not grow with brightness by four standard errors.

    Examples
    --------
    >>> clean = np.linspace(1, 20, 256) * np.ones((256, 1))
    >>> rng = np.random.default_rng(0)
    >>> recorded = 30 * rng.poisson(clean) + 100 + rng.normal(0, 15, clean.shape)
    >>> gain, read_noise = estimate_gain(recorded, offset=100)
    >>> abs(gain - 30) < 2
    True
    """
    stack = isinstance(image, np.ndarray) and image.ndim == 3 and len(image)
    frames = [check_image(frame, "image") for frame in (image if stack else [image])]
    if min(frames[0].shape) < 2 * _BLOCK:
        msg = (
            f"image must be at least {2 * _BLOCK} x {2 * _BLOCK} pixels to estimate a "
            f"gain from; got shape {frames[0].shape}"
        )
        raise ValueError(msg)
    if not np.isfinite(offset):
        msg = f"offset must be finite; got {offset!r}"
        raise ValueError(msg)
    blocks = [_blocks(frame.astype(np.float64) - offset) for frame in frames]
    slope, floor, error = _fit_line(*np.concatenate(blocks, axis=1))
    if not slope > _SURE * error:
        msg = (
            "image must have more noise where it is brighter, and areas of different "
            f"brightness, to estimate a gain from; got {slope:.3g} more variance per "
            f"unit, with a standard error of {error:.2g} (give gain and read_noise "
            "instead)"
        )
        raise ValueError(msg)
    return slope, float(np.sqrt(max(floor, 0)))


def _blocks(image: Image) -> NDArray:
    """Mean of each block, that of those around it, and a pixel's variance in it."""
    rows, columns = (side // _BLOCK for side in image.shape)
    cut = image[: rows * _BLOCK, : columns * _BLOCK]
    half = _BLOCK // 2
    quads = cut.reshape(rows, half, 2, columns, half, 2)
    signs = np.array([[1, -1], [-1, 1]]) / 2
    difference = np.einsum("aibckd,bd->acik", quads, signs)
    mean = quads.mean((1, 2, 4, 5))
    ring = np.ones((3, 3))
    ring[1, 1] = 0
    inside = ndimage.correlate(np.ones_like(mean), ring, mode="constant")
    around = ndimage.correlate(mean, ring, mode="constant") / inside
    variance = np.square(difference).mean((2, 3))
    return np.array([mean.ravel(), around.ravel(), variance.ravel()])


def _fit_line(
    mean: NDArray, around: NDArray, variance: NDArray
) -> tuple[float, float, float]:
    """Fit slope and floor to the blocks whose variance is noise; the slope's error.

    A noisy mean flattens the line: what is around stands in (instrumental variable).
    """
    scatter = np.sqrt(2) / (_BLOCK // 2)
    weight = np.ones_like(variance)
    slope = floor = 0.0
    error = np.inf
    for turn in range(_ROUNDS):
        x, z, y = (
            values - np.average(values, weights=weight)
            for values in (mean, around, variance)
        )
        common = np.sum(weight * x * z)
        if not common > 0:
            return 0.0, 0.0, np.inf
        slope = np.sum(weight * y * z) / common
        floor = np.average(variance - slope * mean, weights=weight)
        error = np.sqrt(np.sum((weight * (y - slope * x) * z) ** 2)) / common
        fitted = floor + slope * around
        if not fitted.max() > 0:
            return 0.0, 0.0, np.inf
        spread = np.maximum(fitted, 0.01 * fitted.max())
        residual = np.abs(variance - fitted) / spread / scatter
        # first the line through the middle of the blocks, then the mean near it
        middle = turn < _ROUNDS // 2
        weight = 1 / np.maximum(residual, 0.5) if middle else residual < _FAR
        weight = weight * (fitted.max() / spread) ** 2
        if np.count_nonzero(weight) < 3:
            return 0.0, 0.0, np.inf
    return float(slope), float(floor), float(error)
