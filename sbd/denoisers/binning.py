"""Fewer, larger pixels: counts add up, and a band-limited image loses nothing."""

import numpy as np
from scipy import fft, ndimage

from sbd.typing import Image
from sbd.validation import check_image, check_whole

_MARGIN = 8  # a spline forgets its border by a factor of 3.7 a pixel
_SPREAD = 2.5  # standard deviation of the smoothing of the power [half Fourier pixels]
_SIGNIFICANT = 2.5  # noise's smoothed power stays below 2.2 on 25 images of vacuum
_BRIGHTEST = 30.0  # a coefficient counts no more than this, lest its tail be taken
_ALONE = 45.0  # noise's power reaches this once in 10^10 coefficients
_EXCESS, _DEVIATIONS = 0.05, 5.0  # of a ring's mean power over the noise's
_UNSEEN, _WIDEST = 8, 10  # bins where nothing is seen, and at most [pixels]


def choose_binning(
    noisy: Image,
    binning: int | str = "auto",
    *,
    samples: float = 4.0,
    least: int = 32,
    read_noise: float = 0.0,
) -> int:
    """Return a width of bins [pixels], found from the image's band limit if "auto".

    At least `samples` bins to the shortest period, `least` along the shorter side.
    """
    if not isinstance(binning, str):
        check_whole("binning", binning)
        return int(binning)
    if binning != "auto":
        msg = f"binning must be a whole number of at least 1 or 'auto'; got {binning!r}"
        raise ValueError(msg)
    limit = band_limit(noisy, read_noise=read_noise)
    width = min(int(1 / (samples * limit)), _WIDEST) if limit else _UNSEEN
    return max(1, min(width, min(np.shape(noisy)) // least))


def band_limit(noisy: Image, *, read_noise: float = 0.0) -> float:
    r"""Find the highest frequency at which an image stands above its shot noise.

    The noise of counts is white and its power known: in the orthonormal cosine
    transform, which has no seam at the border, every coefficient of pure noise has
    the variance :math:`m` of a count. A frequency is seen where the power, smoothed
    over some forty coefficients, exceeds 2.5 :math:`m`, or a single one exceeds 45
    :math:`m`, as Bragg spots do; or where the mean over a ring exceeds :math:`m` by 5 %
    and by five of its standard deviations, as the spectrum of an ordinary picture does.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel. Where one electron is not one count,
        the noise's power is another and the answer means nothing.
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel.
        Above 0, counts may be negative.

    Returns
    -------
    float
        Band limit [cycles/pixel]; 0.0 if nothing is seen, at most 0.5. What is too weak
        to be seen at this dose may lie beyond.

    Raises
    ------
    TypeError, ValueError
        As for `denoise_constant`.

    Examples
    --------
    >>> waves = np.cos(2 * np.pi * np.arange(256) / 20) * np.ones((256, 1))
    >>> counts = np.random.default_rng(0).poisson(2 + 0.2 * waves)
    >>> abs(band_limit(counts) - 1 / 20) < 0.01
    True
    >>> band_limit(np.random.default_rng(0).poisson(2.0, (256, 256)))
    0.0
    """
    noisy = check_image(noisy, "noisy", counts=read_noise == 0)
    mean = noisy.mean(dtype=np.float64)
    variance = mean + read_noise**2
    if not variance > 0:
        return 0.0
    power = fft.dctn((noisy - mean).astype(np.float32), norm="ortho") ** 2
    power /= np.float32(variance)
    alone = power > _ALONE
    power = np.minimum(power, np.float32(_BRIGHTEST))
    rows, columns = (
        (np.arange(side, dtype=np.float32) / (2 * side)) for side in noisy.shape
    )
    frequency = np.hypot(rows[:, None], columns)
    # zeros outside: mirrored, the few coefficients at an edge would count twice
    found = ndimage.gaussian_filter(power, _SPREAD, mode="constant") > _SIGNIFICANT
    # a strong spot is smeared too: its far side must stand out with less smoothing
    found &= ndimage.gaussian_filter(power, 1, mode="constant") > _SIGNIFICANT
    spots = frequency[found | alone].max(initial=0)
    number = max(1, min(100, min(noisy.shape) // 4))  # of rings up to 0.5
    rings = np.minimum(frequency * (2 * number), number).astype(np.intp).ravel()
    pixels = np.maximum(np.bincount(rings), 1)
    excess = np.bincount(rings, power.ravel()) / pixels - 1
    # a squared normal variable has twice its squared mean as variance
    seen = excess > np.maximum(_EXCESS, _DEVIATIONS * np.sqrt(2 / pixels))
    ring = (np.flatnonzero(seen).max(initial=-1) + 1) / (2 * number)
    return float(min(max(spots, ring), 0.5))


def bin_counts(noisy: Image, width: int) -> Image:
    """Add up the electrons in squares of pixels: Poisson counts stay Poisson counts.

    Mirrored at the far border where a side is no multiple of `width`.
    """
    check_whole("width", width)
    missing = [(0, -side % width) for side in noisy.shape]
    rows, columns = (
        (side + m) // width for side, (_, m) in zip(noisy.shape, missing, strict=True)
    )
    padded = np.pad(noisy, missing, mode="symmetric").astype(np.float32)
    return padded.reshape(rows, width, columns, width).sum(axis=(1, 3))


def unbin(binned: Image, width: int, shape: tuple[int, int]) -> Image:
    """Bring electrons per bin back to electrons per pixel, by cubic splines.

    `shape` is that of the result; the mirrored rest is cropped.
    """
    density = np.asarray(binned, np.float32) / width**2
    if width == 1:
        return density
    # scipy's own mirroring is off by up to 1e-3 where a side has under five pixels
    density = np.pad(density, _MARGIN, mode="symmetric")
    density = ndimage.zoom(density, width, order=3, mode="nearest", grid_mode=True)
    first = _MARGIN * width
    return density[first : first + shape[0], first : first + shape[1]]


def repeat_bins(binned: Image, width: int, shape: tuple[int, int]) -> Image:
    """Give each pixel what its bin has, with nothing in between."""
    fine = np.repeat(np.repeat(binned, width, axis=0), width, axis=1)
    return fine[: shape[0], : shape[1]]
