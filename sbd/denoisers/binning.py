"""Fewer, larger pixels: counts add up, and a band-limited image loses nothing."""

import numpy as np
from scipy import fft, ndimage

from sbd.typing import Image
from sbd.validation import check_image

_MARGIN = 8  # a spline forgets its border by a factor of 3.7 a pixel
_SPREAD = 2.5  # standard deviation of the smoothing of the power [half Fourier pixels]
_SIGNIFICANT = 2.5  # noise's smoothed power stays below 2.2 on 25 images of vacuum
_BRIGHTEST = 30.0  # a coefficient counts no more than this, lest its tail be taken
_ALONE = 45.0  # noise's power reaches this once in 10^10 coefficients
_EXCESS, _DEVIATIONS = 0.05, 5.0  # of a ring's mean power over the noise's
_UNSEEN, _WIDEST = 8, 10  # bins where nothing is seen, and at most [pixels]


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
    whole = isinstance(binning, int | np.integer) and not isinstance(binning, bool)
    if not whole or binning < 1:
        msg = f"binning must be a positive whole number; got {binning!r}"
        raise ValueError(msg)


def choose_binning(
    noisy: Image,
    binning: int | str = "auto",
    *,
    samples: float = 4.0,
    least: int = 32,
    read_noise: float = 0.0,
) -> int:
    """Return a width of bins, found from the image's own band limit if asked to.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    binning : int or "auto", default "auto"
        A width, which is checked and returned, or "auto" [pixels].
    samples : float, default 4.0
        Bins that "auto" leaves to the shortest period of `band_limit`. Two are the
        least; with four a bin damps that period by 10 % and leaves room for what
        is too weak to be seen.
    least : int, default 32
        Bins that "auto" leaves along the shorter side of the image.
    read_noise : float, default 0.0
        As for `band_limit`.

    Returns
    -------
    int
        Width of the bins [pixels]; from "auto" at most 10, and 8 where nothing stands
        above the noise.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is no image of counts, or `binning` is neither "auto" nor a positive
        whole number.

    Examples
    --------
    >>> import numpy as np
    >>> waves = np.cos(2 * np.pi * np.arange(256) / 20) * np.ones((256, 1))
    >>> counts = np.random.default_rng(0).poisson(2 + 0.2 * waves)
    >>> choose_binning(counts), choose_binning(counts, 3)
    (4, 3)
    """
    if not isinstance(binning, str):
        check_binning(binning)
        return int(binning)
    if binning != "auto":
        msg = f"binning must be a positive whole number or 'auto'; got {binning!r}"
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
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count.

    Examples
    --------
    >>> import numpy as np
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

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Counts, in electrons per pixel; mirrored at the far border where a side is no
        multiple of `width`: there some counts are added twice, and their sums scatter
        more than counts do.
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


def repeat_bins(binned: Image, width: int, shape: tuple[int, int]) -> Image:
    """Give each pixel what its bin has, with nothing in between.

    Parameters
    ----------
    binned : ndarray of shape (rows, columns)
        Any values.
    width : int
        Side of the bins [pixels].
    shape : tuple of int
        (height, width) of the result; the mirrored rest is cropped.

    Returns
    -------
    ndarray of shape `shape`
        The values, of the type of `binned`.

    Examples
    --------
    >>> import numpy as np
    >>> repeat_bins(np.array([[1, 2]]), 2, (2, 3)).tolist()
    [[1, 1, 2], [1, 1, 2]]
    """
    fine = np.repeat(np.repeat(binned, width, axis=0), width, axis=1)
    return fine[: shape[0], : shape[1]]
