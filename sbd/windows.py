"""Windowed Fourier thresholding: the lattice is local, the noise is everywhere."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import fft

from sbd.binning import bin_counts, unbin
from sbd.typing import Image
from sbd.validation import check_image

_CUT_POWER = 50  # what a threshold cuts off, in kept coefficients' worth of noise
_HOPS = 6  # positions of a window per window length


def denoise_windowed_fourier(
    noisy: Image,
    *,
    binning: int = 4,
    window: int | Sequence[int] = 96,
    threshold: float = 7.0,
) -> Image:
    r"""Keep the Fourier coefficients of small windows that shot noise does not explain.

    The counts are binned, cut into overlapping Hann windows :math:`w`, and from each
    the mean :math:`m`, in electrons per bin, is taken off. Pure noise would have
    :math:`E|F|^2 = m \sum w^2`; a coefficient is kept where it exceeds `k` times that,
    which noise does with probability :math:`e^{-k}`. The windows are added up, each
    with the inverse of its error's variance as weight: the noise of the kept
    coefficients, and a constant for what was cut.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    binning : int, default 4
        Width of the bins [pixels]; 4 loses nothing on an image that is band-limited at
        0.06 cycles/pixel, as the paper's are. Use 1 for one that is not.
    window : int or sequence of int, default 96
        Side of the windows [binned pixels]; with several, their results are combined.
        A window that is larger than the binned image is cut down to it.
    threshold : float, default 7.0
        The factor `k`.

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count, if
        `binning` or `window` is not a positive whole number, or if `threshold` is not
        positive.

    References
    ----------
    .. [1] Kemao, "Windowed Fourier transform for fringe pattern analysis", Applied
       Optics 43 (2004) 2695.
    .. [2] Kemao, "Two-dimensional windowed Fourier transform for fringe pattern
       analysis: principles, applications and implementations", Optics and Lasers in
       Engineering 45 (2007) 304.

    Examples
    --------
    >>> import numpy as np
    >>> fringes = 0.45 + 0.2 * np.cos(np.arange(128) * np.pi / 16) * np.ones((128, 1))
    >>> counts = np.random.default_rng(0).poisson(fringes)
    >>> estimate = denoise_windowed_fourier(counts)
    >>> float(np.sqrt(np.mean((estimate - fringes) ** 2))) < 0.03
    True
    """
    noisy = check_image(noisy, "noisy", counts=True)
    if not threshold > 0:
        msg = f"threshold must be positive; got {threshold!r}"
        raise ValueError(msg)
    windows = [window] if np.ndim(window) == 0 else list(window)
    whole = [isinstance(side, int | np.integer) and side > 0 for side in windows]
    if not all(whole or [False]):
        msg = f"window must be a positive whole number, or several; got {window!r}"
        raise ValueError(msg)
    counts = bin_counts(noisy, binning)
    sums = [
        _sum_windows(counts, min(side, *counts.shape), threshold) for side in windows
    ]
    total, weight = (sum(parts) for parts in zip(*sums, strict=True))
    return unbin(total / weight, binning, noisy.shape)


def _sum_windows(counts: Image, side: int, threshold: float) -> tuple[Image, Image]:
    """Threshold every window of one size; the weighted sum of all, and the weights."""
    hop = max(1, side // _HOPS)
    hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    hann = np.outer(hann, hann).astype(np.float32)
    margin = side - hop
    padding = [(margin, margin + (side - n - 2 * margin) % hop) for n in counts.shape]
    padded = np.pad(counts, padding, mode="symmetric")
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    for row, patches in _window_rows(padded, side, hop):
        mean = np.tensordot(patches, hann)[:, None, None] / hann.sum()
        spectrum = fft.rfft2((patches - mean) * hann)
        noise = mean * np.square(hann).sum()
        kept = spectrum.real**2 + spectrum.imag**2 > threshold * noise
        spectrum *= kept
        estimates = fft.irfft2(spectrum, s=(side, side)) + mean * hann
        error = 2 * kept.sum(axis=(1, 2)) + 1 + _CUT_POWER
        trust = ((hop * side) ** 2 / error).astype(np.float32)
        for index, (estimate, t) in enumerate(zip(estimates, trust, strict=True)):
            here = np.s_[row : row + side, index * hop : index * hop + side]
            total[here] += t * hann * estimate
            weight[here] += t * hann**2
    inside = tuple(slice(margin, margin + n) for n in counts.shape)
    return total[inside], weight[inside]


def _window_rows(
    padded: Image, side: int, hop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """One row of windows at a time, so that memory stays that of a few images."""
    views = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    for row in range(0, views.shape[0], hop):
        yield row, views[row, ::hop]
