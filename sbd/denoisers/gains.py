"""What a filter in Fourier space is: a gain for every frequency."""

import numpy as np
from scipy import fft

from sbd.typing import Image


def frequency_length(shape: tuple[int, int]) -> Image:
    """Tell how far each place of a spectrum is from zero frequency, which comes first.

    Parameters
    ----------
    shape : tuple of int
        (height, width) of the image.

    Returns
    -------
    ndarray of shape (height, width)
        As float32 [cycles/pixel].

    Examples
    --------
    >>> frequency_length((4, 1)).tolist()
    [[0.0], [0.25], [0.5], [0.25]]
    """
    rows, columns = (fft.fftfreq(n).astype(np.float32) for n in shape)
    return np.hypot(rows[:, None], columns)


def apply_gain(
    noisy: Image, gain: Image, *, return_gain: bool = False
) -> Image | tuple[Image, Image]:
    """Multiply an image's spectrum, its mean excepted, by a gain.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    gain : ndarray of shape (height, width)
        Symmetric about zero frequency, which comes first.
    return_gain : bool, default False
        Whether to return the gain as well.

    Returns
    -------
    estimate : ndarray of shape (height, width)
        As float32, in electrons per pixel.
    gain : ndarray of shape (height, width)
        With `return_gain` only: the gain that was applied, 1 at zero frequency.

    Examples
    --------
    >>> import numpy as np
    >>> apply_gain(np.array([[1.0, 3.0]]), np.zeros((1, 2))).tolist()
    [[2.0, 2.0]]
    """
    mean = noisy.mean(dtype=np.float64)
    gain = gain.astype(np.float32)
    gain[0, 0] = 1  # the mean is as certain as it can be
    spectrum = fft.rfft2((noisy - mean).astype(np.float32))
    spectrum *= gain[:, : spectrum.shape[1]]
    estimate = fft.irfft2(spectrum, s=noisy.shape) + np.float32(mean)
    return (estimate, gain) if return_gain else estimate
