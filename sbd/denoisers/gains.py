"""What a filter in Fourier space is: a gain for every frequency."""

import numpy as np
from scipy import fft

from sbd.typing import Image


def frequency_length(shape: tuple[int, int]) -> Image:
    """Tell how far each place of a spectrum is from zero frequency [cycles/pixel].

    Zero frequency comes first.
    """
    rows, columns = (fft.fftfreq(n).astype(np.float32) for n in shape)
    return np.hypot(rows[:, None], columns)


def apply_gain(
    noisy: Image, gain: Image, *, return_gain: bool = False
) -> Image | tuple[Image, Image]:
    """Multiply an image's spectrum, its mean excepted, by a gain.

    The gain is symmetric about zero frequency, which comes first.
    """
    mean = noisy.mean(dtype=np.float64)
    gain = gain.astype(np.float32)
    gain[0, 0] = 1  # the mean is as certain as it can be
    spectrum = fft.rfft2((noisy - mean).astype(np.float32))
    spectrum *= gain[:, : spectrum.shape[1]]
    estimate = fft.irfft2(spectrum, s=noisy.shape) + np.float32(mean)
    return (estimate, gain) if return_gain else estimate
