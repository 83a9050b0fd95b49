r"""Low-pass filters: blur, by a gain that depends on the length of the frequency alone.

The cutoff is where half of the power passes, a gain of :math:`1 / \sqrt 2`, for both.
"""

import numpy as np

from sbd.denoisers.gains import apply_gain, frequency_length
from sbd.typing import Image
from sbd.validation import check_image, check_positive


def denoise_lowpass(
    noisy: Image, *, cutoff: float = 0.02, return_gain: bool = False
) -> Image | tuple[Image, Image]:
    r"""Blur an image with a Gaussian in Fourier space.

    The gain is :math:`G = 2^{-(f / f_c)^2 / 2}`. `denoise_gaussian` is the same blur by
    its width in pixels and mirrored at the border; here the image is taken as periodic,
    as by every filter in Fourier space. Source: Gonzalez, Woods, "Digital Image
    Processing", 4th ed. (Pearson, 2018), section 4.8.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; fractions and negative values are
        allowed, nothing is asked of the noise.
    cutoff : float, default 0.02
        Frequency :math:`f_c` at which half of the power passes [cycles/pixel]. A blur
        of standard deviation `s` pixels has 0.1325 / s.
    return_gain : bool, default False
        Whether to return the gain as well.

    Returns
    -------
    ndarray, or a pair of them
        As from `denoise_spot_filter` [electrons per pixel].

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional or not finite, or if `cutoff` is not
        positive.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> estimate, gain = denoise_lowpass(vacuum, cutoff=4 / 64, return_gain=True)
    >>> [round(float(gain[0, i]), 3) for i in (0, 4, 16)]
    [1.0, 0.707, 0.004]
    """
    noisy = check_image(noisy, "noisy")
    check_positive(cutoff=cutoff)
    with np.errstate(under="ignore"):  # far beyond the cutoff, where nothing passes
        gain = np.exp2(-0.5 * (frequency_length(noisy.shape) / np.float32(cutoff)) ** 2)
    return apply_gain(noisy, gain, return_gain=return_gain)


def denoise_butterworth(
    noisy: Image,
    *,
    cutoff: float = 0.025,
    order: float = 3.0,
    return_gain: bool = False,
) -> Image | tuple[Image, Image]:
    r"""Cut off high frequencies with a slope that can be chosen.

    The gain is :math:`G = 1 / \sqrt{1 + (f / f_c)^{2 n}}`: flat below the cutoff, and
    falling the faster above it the higher the order `n` is, at the price of ringing.
    Source: Butterworth, "On the theory of filter amplifiers", Experimental Wireless and
    the Wireless Engineer 7 (1930) 536.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        As for `denoise_lowpass`.
    cutoff : float, default 0.025
        Frequency :math:`f_c` at which half of the power passes [cycles/pixel].
    order : float, default 3.0
        The order `n`.
    return_gain : bool, default False
        Whether to return the gain as well.

    Returns
    -------
    ndarray, or a pair of them
        As from `denoise_spot_filter` [electrons per pixel].

    Raises
    ------
    TypeError
        As for `denoise_lowpass`.
    ValueError
        As for `denoise_lowpass`, or if `order` is not positive.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> _, gain = denoise_butterworth(vacuum, cutoff=4 / 64, return_gain=True)
    >>> [round(float(gain[0, i]), 3) for i in (0, 4, 16)]
    [1.0, 0.707, 0.016]
    """
    noisy = check_image(noisy, "noisy")
    check_positive(cutoff=cutoff, order=order)
    with np.errstate(over="ignore"):  # far beyond the cutoff, where nothing passes
        steep = (frequency_length(noisy.shape) / np.float32(cutoff)) ** (2 * order)
    return apply_gain(noisy, 1 / np.sqrt(1 + steep), return_gain=return_gain)
