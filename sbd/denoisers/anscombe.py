"""The Anscombe transform: counts in, noise of standard deviation 1 out, and back."""

from functools import lru_cache

import numpy as np
from scipy import special

from sbd.typing import Image

_NODES, _BRIGHTEST = 2000, 20.0  # of the inverse's table, which ends at 400 electrons


def stabilise(counts: Image, *, read_noise: float = 0.0, weight: float = 1.0) -> Image:
    r"""Make the noise of counts Gaussian with standard deviation 1, nearly.

    .. math:: f(y) = 2 \sqrt{\max(0,\; (y + \sigma^2) / \lambda^2 + \tfrac38)}

    Parameters
    ----------
    counts : ndarray of shape (height, width)
        Counts, in electrons per pixel; above about 4 the transform does what it says.
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel.
    weight : float, default 1.0
        Share :math:`\lambda` of the recorded counts in `counts`; the rest is an
        estimate of the intensity, without noise [2]_.

    Returns
    -------
    ndarray of shape (height, width)
        Stabilised counts, without a unit.

    References
    ----------
    .. [1] Anscombe, "The transformation of Poisson, binomial and negative-binomial
       data", Biometrika 35 (1948) 246.
    .. [2] Azzari, Foi, "Variance stabilization for noisy+estimate combination in
       iterative Poisson denoising", IEEE Signal Processing Letters 23 (2016) 1086.

    Examples
    --------
    >>> import numpy as np
    >>> stabilised = stabilise(np.random.default_rng(0).poisson(20.0, (200, 200)))
    >>> round(float(stabilised.std()), 1)
    1.0
    """
    return 2 * np.sqrt(np.maximum((counts + read_noise**2) / weight**2 + 3 / 8, 0))


def unstabilise(
    stabilised: Image, *, read_noise: float = 0.0, weight: float = 1.0
) -> Image:
    """Find the intensity whose stabilised counts have a given mean.

    The exact unbiased inverse: tabulated from the Poisson distribution up to 400
    electrons, the asymptotic formula beyond. Read noise is taken off as a
    variance, which is accurate enough [2]_.

    Parameters
    ----------
    stabilised : ndarray of shape (height, width)
        Denoised result of `stabilise`.
    read_noise : float, default 0.0
        As for `stabilise`.
    weight : float, default 1.0
        As for `stabilise`; the inverse is exact where the estimate that was mixed in is
        the intensity itself [3]_.

    Returns
    -------
    ndarray of shape (height, width)
        Intensity, in electrons per pixel; never negative.

    References
    ----------
    .. [1] Makitalo, Foi, "Optimal inversion of the Anscombe transformation in low-count
       Poisson image denoising", IEEE Trans. Image Processing 20 (2011) 99.
    .. [2] Makitalo, Foi, "Optimal inversion of the generalized Anscombe transformation
       for Poisson-Gaussian noise", IEEE Trans. Image Processing 22 (2013) 91.
    .. [3] Azzari, Foi, "Variance stabilization for noisy+estimate combination in
       iterative Poisson denoising", IEEE Signal Processing Letters 23 (2016) 1086.

    Examples
    --------
    >>> import numpy as np
    >>> stabilised = stabilise(np.random.default_rng(0).poisson(2.0, (200, 200)))
    >>> round(float(unstabilise(stabilised.mean())), 1)
    2.0
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
