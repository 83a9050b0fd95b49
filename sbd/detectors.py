r"""What a detector does to electrons, read from the noise of one image.

A detector with gain :math:`\alpha` [units per electron], offset :math:`\delta` and read
noise :math:`\tau` records :math:`v = \alpha z + \delta + N(0, \tau^2)` for counts
:math:`z`, so that the variance of a recorded value is a straight line over its mean,
:math:`\alpha (\mathrm{E}v - \delta) + \tau^2`.
"""

import numpy as np

from sbd.typing import Image
from sbd.validation import check_image

_BLOCK = 16  # pixels: 64 independent differences, little structure
_ROUNDS = 20
_FAR = 3.0  # standard deviations from which a block is an edge


def estimate_gain(image: Image, *, offset: float = 0.0) -> tuple[float, float]:
    r"""Estimate gain and read noise from the noise of a single image.

    In blocks of 16 x 16 pixels, the variance of the differences of neighbours, rows and
    columns both, is set against the mean; a straight line is fitted, with blocks that
    hold an edge left out. Noise must not be correlated between pixels (no resampling,
    no blur by the detector), and blocks of different brightness are needed to tell gain
    from read noise.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        What the detector recorded, in its units; at least 32 x 32 pixels.
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
        If `image` is too small, not two-dimensional, not finite, or its noise does not
        grow with brightness.

    References
    ----------
    .. [1] Foi, Trimeche, Katkovnik, Egiazarian, "Practical Poissonian-Gaussian noise
       modeling and fitting for single-image raw-data", IEEE Trans. Image Processing 17
       (2008) 1737.

    Examples
    --------
    >>> import numpy as np
    >>> clean = np.linspace(1, 20, 256) * np.ones((256, 1))
    >>> rng = np.random.default_rng(0)
    >>> recorded = 30 * rng.poisson(clean) + 100 + rng.normal(0, 15, clean.shape)
    >>> gain, read_noise = estimate_gain(recorded, offset=100)
    >>> abs(gain - 30) < 2
    True
    """
    image = check_image(image, "image")
    if min(image.shape) < 2 * _BLOCK:
        msg = (
            f"image must be at least {2 * _BLOCK} x {2 * _BLOCK} pixels to estimate a "
            f"gain from; got shape {image.shape}"
        )
        raise ValueError(msg)
    if not np.isfinite(offset):
        msg = f"offset must be finite; got {offset!r}"
        raise ValueError(msg)
    mean, variance = _blocks(image.astype(np.float64) - offset)
    slope, floor = _fit_line(mean, variance)
    if not slope > 0:
        msg = (
            "image must have more noise where it is brighter, as counts do; got "
            f"{slope:.3g} more variance per unit (give gain and read_noise instead)"
        )
        raise ValueError(msg)
    return float(slope), float(np.sqrt(max(floor, 0)))


def _blocks(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each block, and the variance of a pixel of it by its differences."""
    rows, columns = (side // _BLOCK for side in image.shape)
    cut = image[: rows * _BLOCK, : columns * _BLOCK]
    half = _BLOCK // 2
    quads = cut.reshape(rows, half, 2, columns, half, 2)
    signs = np.array([[1, -1], [-1, 1]]) / 2
    difference = np.einsum("aibckd,bd->acik", quads, signs)
    return quads.mean((1, 2, 4, 5)).ravel(), np.square(difference).mean((2, 3)).ravel()


def _fit_line(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Fit slope and floor to the blocks whose variance is noise."""
    design = np.column_stack([mean, np.ones_like(mean)])
    spread = np.full_like(mean, max(np.median(variance), np.finfo(float).tiny))
    residual = np.ones_like(mean)
    kept = np.ones(len(mean), bool)
    line = np.zeros(2)
    for turn in range(_ROUNDS):
        # first the line through the middle of the blocks, then the mean near it
        weight = 1 / spread
        if turn < _ROUNDS // 2:
            weight = weight / np.sqrt(np.maximum(np.abs(residual), 0.1))
        rows = design[kept] * weight[kept, None]
        line = np.linalg.lstsq(rows, variance[kept] * weight[kept])[0]
        fitted = design @ line
        spread = np.maximum(fitted, 0.01 * fitted.max())
        if not fitted.max() > 0:
            break
        residual = (variance - fitted) / spread / np.sqrt(2 / (_BLOCK // 2) ** 2)
        if turn >= _ROUNDS // 2:
            kept = np.abs(residual) < _FAR
    return line[0], line[1]
