"""Windowed Fourier filtering: the lattice is local, the noise is everywhere."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import fft

from sbd.denoisers.binning import bin_counts, choose_binning, repeat_bins, unbin
from sbd.typing import Image
from sbd.validation import check_counts

_CUT_POWER = 50  # what a pass cuts off, in kept coefficients' worth of noise
_HOPS = 4  # positions of a window per window length; 6 or 8 gain 0.02 dB


def denoise_windowed_fourier(
    noisy: Image,
    *,
    binning: int | str = "auto",
    window: int | Sequence[int] = (64, 128),
    threshold: float = 7.0,
    excess: float | None = 0.5,
    return_gain: bool = False,
) -> Image | tuple[Image, Image]:
    r"""Keep the Fourier coefficients of small windows that shot noise does not explain.

    The counts are binned, cut into overlapping Hann windows :math:`w`, which end at the
    image's border, and from each the mean :math:`m`, in electrons per bin, is taken
    off. Pure noise would have :math:`E|F|^2 = m \sum w^2`; a coefficient is kept where
    it exceeds `k` times that, which noise does with probability :math:`e^{-k}`. The
    windows are added up, each with the inverse of its error's variance as weight: the
    noise of the kept coefficients, and a constant for what was cut.

    In a second pass that estimate, cut into the same windows, says how strong each
    coefficient :math:`P` is, and the counts are filtered with the empirical Wiener gain
    :math:`|P|^2 / (|P|^2 + e\,m \sum w^2)`.

    Sources: Kemao, "Windowed Fourier transform for fringe pattern analysis", Applied
    Optics 43 (2004) 2695; Kemao, "Two-dimensional windowed Fourier transform for fringe
    pattern analysis: principles, applications and implementations", Optics and Lasers
    in Engineering 45 (2007) 304; Ghael, Sayeed, Baraniuk, "Improved wavelet denoising
    via empirical Wiener filtering", Proc. SPIE 3169 (1997) 389: the second pass.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; fractions are allowed, but their noise
        must be that of counts.
    binning : int or "auto", default "auto"
        Width of the bins [pixels]; "auto" leaves four samples to the shortest period
        that stands above the noise (`band_limit`), and is at most 10, and 8 where none
        does.
    window : int or sequence of int, default (64, 128)
        Side of the windows [binned pixels]; with several, their results are combined.
        A window that is larger than the binned image is cut down to its longer side.
    threshold : float, default 7.0
        The factor `k`.
    excess : float or None, default 0.5
        The factor `e`; below 1 because the first pass finds less than there is. None
        leaves the second pass out.
    return_gain : bool, default False
        Whether to return the noise gain as well.

    Returns
    -------
    estimate : ndarray of shape (height, width)
        As float32, in electrons per pixel.
    gain : ndarray of shape (height, width)
        With `return_gain` only, as float32: the share of white noise's variance that
        the gains of the coefficients let through, averaged over the windows around a
        pixel. Averaging the windows lowers the noise further, that the gains were
        chosen on the same noise raises it.

    Raises
    ------
    TypeError
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`, or if `binning` or `window` is not a positive whole
        number, or if `threshold` or `excess` is not positive.

    Examples
    --------
    >>> fringes = 0.45 + 0.2 * np.cos(np.arange(128) * np.pi / 16) * np.ones((128, 1))
    >>> counts = np.random.default_rng(0).poisson(fringes)
    >>> estimate, gain = denoise_windowed_fourier(counts, return_gain=True)
    >>> float(np.sqrt(np.mean((estimate - fringes) ** 2))) < 0.04
    True
    >>> bool(gain.max() < 0.01)  # of the noise's variance
    True
    """
    noisy = check_counts(noisy)
    for name, factor in (("threshold", threshold), ("excess", excess)):
        if factor is not None and not factor > 0:
            msg = f"{name} must be positive; got {factor!r}"
            raise ValueError(msg)
    sides = _check_sides(window)
    width = choose_binning(noisy, binning)
    counts = bin_counts(noisy, width)
    sides = dict.fromkeys(min(side, max(counts.shape)) for side in sides)

    def cut(_: np.ndarray, power: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return power > threshold * noise

    def shrink(pilot: np.ndarray, _: np.ndarray, noise: np.ndarray) -> np.ndarray:
        # the least number is for an image without electrons
        return pilot / (pilot + excess * noise + np.finfo(np.float32).tiny)

    estimate, gain = _filter_windows(counts, counts, sides, cut)
    if excess is not None:
        estimate, gain = _filter_windows(counts, estimate, sides, shrink)
    estimate = unbin(estimate, width, noisy.shape)
    if not return_gain:
        return estimate
    return estimate, repeat_bins(gain / width**2, width, noisy.shape)


def _check_sides(window: int | Sequence[int]) -> list[int]:
    sides = [window] if np.ndim(window) == 0 else list(window)
    whole = [isinstance(side, int | np.integer) and side > 0 for side in sides]
    if not all(whole or [False]):
        msg = f"window must be a positive whole number, or several; got {window!r}"
        raise ValueError(msg)
    return sides


def _filter_windows(
    counts: Image,
    pilot: Image,
    sides: Sequence[int],
    gain_of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Image, Image]:
    """Filter windows of all sizes; weighted means of the image and the noise gain."""
    sums = [_sum_windows(counts, pilot, side, gain_of) for side in sides]
    total, passed, weight = (sum(parts) for parts in zip(*sums, strict=True))
    return total / weight, passed / weight


def _sum_windows(
    counts: Image,
    pilot: Image,
    side: int,
    gain_of: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Image, Image, Image]:
    """Filter every window of one size; weighted sums of images, gains and weights."""
    hop = max(1, side // _HOPS)
    hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    hann = np.outer(hann, hann).astype(np.float32)
    twice = np.full(side // 2 + 1, 2, np.float32)  # half a spectrum stands for it all
    twice[0] = twice[-1 if side % 2 == 0 else 0] = 1
    margin = side - hop
    padding = [(margin, margin + (side - n - 2 * margin) % hop) for n in counts.shape]
    padded, guide = np.pad(counts, padding), np.pad(pilot, padding)
    total, passed, weight = (np.zeros_like(padded) for _ in range(3))
    for row, tapers in _tapers(padded.shape, padding, hann, hop):
        area = tapers.sum((1, 2), keepdims=True)
        noise = np.square(tapers).sum((1, 2), keepdims=True)
        spectrum, mean = _transform(padded, row, tapers, area, hop)
        noise *= mean
        power = spectrum.real**2 + spectrum.imag**2
        if pilot is not counts:
            guided, _ = _transform(guide, row, tapers, area, hop)
            gain = gain_of(guided.real**2 + guided.imag**2, power, noise)
        else:
            gain = gain_of(power, power, noise)
        spectrum *= gain
        estimates = fft.irfft2(spectrum, s=(side, side)) + mean * tapers
        kept = (gain**2 * twice).sum((1, 2)) + 1
        trust = side**2 / (kept + _CUT_POWER)
        for index, (estimate, t) in enumerate(zip(estimates, trust, strict=True)):
            here = np.s_[row : row + side, index * hop : index * hop + side]
            share = t * hann * tapers[index]
            total[here] += t * hann * estimate
            passed[here] += share * (kept[index] / side**2)
            weight[here] += share
    inside = tuple(slice(margin, margin + n) for n in counts.shape)
    return total[inside], passed[inside], weight[inside]


def _tapers(
    shape: tuple[int, int], padding: list[tuple[int, int]], hann: Image, hop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Windows that end at the image's border, a row of them at a time.

    Mirrored there, a lattice would be another one; in rows, the memory stays small.
    """
    side = len(hann)
    inside = [
        np.pad(np.ones(n - sum(p), np.float32), p)
        for n, p in zip(shape, padding, strict=True)
    ]
    rows, columns = (
        np.lib.stride_tricks.sliding_window_view(line, side)[::hop] for line in inside
    )
    for index, line in enumerate(rows):
        yield index * hop, hann * line[:, None] * columns[:, None, :]


def _transform(
    padded: Image, row: int, tapers: np.ndarray, area: np.ndarray, hop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Transform a row of windows without their means, and return these as well."""
    side = tapers.shape[1]
    band = padded[row : row + side]
    patches = np.lib.stride_tricks.sliding_window_view(band, (side, side))[0, ::hop]
    mean = (patches * tapers).sum((1, 2), keepdims=True) / area
    return fft.rfft2((patches - mean) * tapers), mean
