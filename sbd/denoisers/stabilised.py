"""Denoisers made for Gaussian noise, on counts whose variance is stabilised.

Counts are binned first: the Anscombe transform fails below about one electron a pixel,
and the image is oversampled anyway.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from sbd.denoisers.binning import bin_counts, choose_binning, unbin
from sbd.typing import Denoiser, Image
from sbd.validation import check_counts, check_image, check_whole

_NODES, _BRIGHTEST = 2000, 20.0  # of the inverse's table, which ends at 400 electrons

_SAMPLES = 2.5  # bins to the shortest period seen: electrons matter more than detail
_LEAST = 8  # bins along the shorter side, which is what BM3D needs
_LAST_WEIGHT = 0.5  # of the counts in the last of several iterations


def denoise_vst(
    noisy: Image,
    *,
    inner: str | Denoiser = "nlm",
    binning: int | str | Sequence[int] = "auto",
    read_noise: float = 0.0,
    iterations: int = 1,
) -> Image:
    r"""Make the noise Gaussian, remove it with a denoiser made for that, and go back.

    Counts are binned, the generalised Anscombe transform brings their noise to standard
    deviation 1, and the exact unbiased inverse undoes it after denoising.

    With several iterations, what is transformed is the counts :math:`z` combined with
    the previous estimate, :math:`\lambda z + (1 - \lambda) \hat x`. If that estimate
    were the truth, the combination over :math:`\lambda^2` would have the mean and
    variance of :math:`\lambda^{-2}` times as many counts, for which the transform
    works better. :math:`\lambda` falls in equal steps from 1 to 1/2.

    Sources: Anscombe, "The transformation of Poisson, binomial and negative-binomial
    data", Biometrika 35 (1948) 246; Makitalo, Foi, "Optimal inversion of the Anscombe
    transformation in low-count Poisson image denoising", IEEE Trans. Image Processing
    20 (2011) 99; Makitalo, Foi, "Optimal inversion of the generalized Anscombe
    transformation for Poisson-Gaussian noise", IEEE Trans. Image Processing 22 (2013)
    91; Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005;
    Chambolle, "An algorithm for total variation minimization and applications", J.
    Math. Imaging and Vision 20 (2004) 89; Azzari, Foi, "Variance stabilization for
    noisy+estimate combination in iterative Poisson denoising", IEEE Signal Processing
    Letters 23 (2016) 1086.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; fractions are allowed, but their noise
        must be that of counts.
    inner : {"nlm", "tv"} or callable, default "nlm"
        Denoiser for Gaussian noise of standard deviation 1: non-local means, total
        variation, or any function from image to image.
    binning : int, "auto" or sequence of int, default "auto"
        As for `denoise_windowed_fourier`, but "auto" leaves two and a half samples to
        the shortest period. With several iterations also one width for each, coarse to
        fine.
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel.
        Above 0, counts may be negative.
    iterations : int, default 1
        Times that the image is denoised. More than one helps methods that rely on the
        transform at less than an electron per bin; on images that can be binned, as the
        paper's can, one is best.

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`; if there is no such `inner`, or it returns another
        shape; or if `binning`, `read_noise` or `iterations` is out of range.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (90, 75))
    >>> float(denoise_vst(vacuum, inner="tv", binning=10).std()) < 0.04
    True
    """
    noisy = _check_counts(noisy, read_noise)
    if callable(inner):
        remove = inner
    elif inner in ("nlm", "tv"):
        remove = {"nlm": _remove_by_patches, "tv": _remove_by_variation}[inner]
    else:
        msg = f"inner must be 'nlm', 'tv' or a function; got {inner!r}"
        raise ValueError(msg)
    widths = _widths(noisy, binning, iterations, read_noise)
    weights = np.linspace(1, _LAST_WEIGHT, iterations)
    estimate = noisy
    for width, weight in zip(widths, weights.tolist(), strict=True):
        mixed = noisy if weight == 1 else weight * noisy + (1 - weight) * estimate
        read = read_noise * width
        counts = bin_counts(mixed, width)
        stabilised = stabilise(counts, read_noise=read, weight=weight)
        denoised = np.asarray(remove(stabilised))
        if denoised.shape != counts.shape:
            msg = f"inner must return shape {counts.shape}; got {denoised.shape}"
            raise ValueError(msg)
        if not np.isfinite(denoised).all():
            msg = "inner must return finite values; got NaN or infinite ones"
            raise ValueError(msg)
        intensity = unstabilise(denoised, read_noise=read, weight=weight)
        estimate = unbin(intensity, width, noisy.shape)
    return estimate


def denoise_bm3d(
    noisy: Image,
    *,
    binning: int | str | Sequence[int] = "auto",
    profile: str = "vn",
    read_noise: float = 0.0,
    iterations: int = 1,
) -> Image:
    """Denoise binned, variance-stabilised counts with BM3D, where it is installed.

    The package ``bm3d`` is free for non-commercial use only, so it is no part of this
    library's environment; ``python -m pip install bm3d`` adds it. Source: Dabov, Foi,
    Katkovnik, Egiazarian, "Image denoising by sparse 3-D transform-domain
    collaborative filtering", IEEE Trans. Image Processing 16 (2007) 2080.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    binning : int, "auto" or sequence of int, default "auto"
        Width of the bins [pixels]; as for `denoise_vst`.
    profile : str, default "vn"
        Settings of that package; "vn" is its profile for very noisy images.
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel; as
        for `denoise_vst`.
    iterations : int, default 1
        Times that the image is denoised, as for `denoise_vst`.

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    ImportError
        If the package bm3d is not installed.
    TypeError
        As for `denoise_vst`.
    ValueError
        As for `denoise_vst`, or if the binned image is smaller than 8 x 8.

    Examples
    --------
    >>> denoise_bm3d([[-1.0]])
    Traceback (most recent call last):
    ValueError: noisy must hold electron counts...
    """
    noisy = _check_counts(noisy, read_noise)
    widths = _widths(noisy, binning, iterations, read_noise)
    if min(noisy.shape) < _LEAST * max(widths):
        msg = (
            f"noisy must be at least {_LEAST * max(widths)} pixels high and wide for a "
            f"binning of {max(widths)}; got shape {noisy.shape}"
        )
        raise ValueError(msg)
    try:
        import bm3d
    except ImportError as error:
        msg = (
            "denoise_bm3d needs the package bm3d, which is free for non-commercial use "
            "only and therefore not installed with sbd; if its licence suits you, run "
            "python -m pip install bm3d"
        )
        raise ImportError(msg) from error

    def inner(stabilised: Image) -> Image:
        return bm3d.bm3d(stabilised.astype(np.float64), 1.0, profile)

    return denoise_vst(
        noisy, inner=inner, binning=widths, read_noise=read_noise, iterations=iterations
    )


def _check_counts(noisy: Image, read_noise: float) -> Image:
    """Check the image; read noise may take a count below zero."""
    if not (np.isfinite(read_noise) and read_noise >= 0):
        msg = f"read_noise must not be negative; got {read_noise!r}"
        raise ValueError(msg)
    return check_counts(noisy) if read_noise == 0 else check_image(noisy, "noisy")


def _widths(
    noisy: Image, binning: int | str | Sequence[int], iterations: int, read_noise: float
) -> list[int]:
    """Tell the width of the bins in each iteration."""
    check_whole("iterations", iterations)
    if np.ndim(binning) == 0:
        width = choose_binning(
            noisy, binning, samples=_SAMPLES, least=_LEAST, read_noise=read_noise
        )
        return [width] * iterations
    if len(binning) != iterations:
        msg = f"binning must be one width, or {iterations}; got {binning!r}"
        raise ValueError(msg)
    return [choose_binning(noisy, width) for width in binning]


def _remove_by_patches(stabilised: Image) -> Image:
    wider = np.pad(stabilised, (0, 1), mode="symmetric")  # a single row fails there
    return denoise_nl_means(
        wider, patch_size=17, patch_distance=30, h=0.3, sigma=1.0, fast_mode=True
    )[:-1, :-1]


def _remove_by_variation(stabilised: Image) -> Image:
    return denoise_tv_chambolle(stabilised, weight=0.5, eps=1e-5, max_num_iter=500)


def stabilise(counts: Image, *, read_noise: float = 0.0, weight: float = 1.0) -> Image:
    """Make the noise of counts Gaussian with standard deviation 1, nearly.

    `weight` is the share of recorded counts in a mix with an estimate, `denoise_vst`.
    """
    return 2 * np.sqrt(np.maximum((counts + read_noise**2) / weight**2 + 3 / 8, 0))


def unstabilise(
    stabilised: Image, *, read_noise: float = 0.0, weight: float = 1.0
) -> Image:
    """Find the intensity whose stabilised counts have a given mean: exact, unbiased.

    Tabulated up to 400 electrons, asymptotic beyond; read noise comes off as variance.
    """
    intensity, mean = _table(float(weight))
    root = np.maximum(stabilised, mean[0])  # what no electron at all looks like
    beyond = weight**2 * (root**2 / 4 - 1 / 8)
    result = np.where(root < mean[-1], np.interp(root, mean, intensity), beyond)
    return np.maximum(result - read_noise**2, 0)


@lru_cache(maxsize=8)
def _table(weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the mean of the stabilised counts against the intensity."""
    intensity = np.linspace(0, _BRIGHTEST, _NODES) ** 2
    counts = np.arange(600)  # ten standard deviations above 400
    log_probability = (
        special.xlogy(counts, intensity[:, None])
        - intensity[:, None]
        - special.gammaln(counts + 1)
    )
    mixed = weight * counts + (1 - weight) * intensity[:, None]
    mean = (np.exp(log_probability) * stabilise(mixed, weight=weight)).sum(1)
    return intensity, mean
