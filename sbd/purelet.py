r"""PURE-LET: wavelet shrinkage that minimises an unbiased estimate of its own error.

The estimate is :math:`f = f_0 + \sum_k a_k f_k`, a linear expansion of thresholds
(LET). For counts :math:`y = z + b` with :math:`z \sim \mathrm{Poisson}(x)` and
:math:`b \sim N(0, s^2)`, and with :math:`f^-_n = f_n(y - e_n)` the estimate at a pixel
when that very pixel had one electron less,

.. math::
   \mathrm{PURE} = \tfrac1N \left(\|f\|^2 - 2 y^T f^- + 2 s^2 \, \mathrm{div} f^-
   + \|y\|^2 - \mathbf 1^T y\right) - s^2

has the expectation of the mean squared error :math:`\|f - x\|^2 / N`. It is quadratic
in :math:`a`, so its minimum is a small linear system.

The thresholds act on undecimated, unnormalised Haar coefficients, whose kernels are +1
and -1 only. One electron less then changes a coefficient :math:`d` and the sum
:math:`s` over the same box by exactly one, and :math:`f^-` needs no Taylor expansion
and no simulation, however few the electrons are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sbd.typing import Image
from sbd.validation import check_image

_MOST_LEVELS = 7  # boxes of 128 pixels
_STEEP = 4.0  # exp(-4**4) is nothing in float32
_BLOCK = 1 << 16  # pixels of the Gram matrix summed at once in float64
_ORIENTATIONS = ((1, -1), (-1, 1), (-1, -1))  # sum or difference along rows, columns


@dataclass(frozen=True)
class HaarDictionary:
    r"""What a PURE-LET estimate is combined from, and what its risk needs.

    Parameters
    ----------
    functions : ndarray of shape (count, height, width)
        The processed images :math:`f_k`, float32 [electrons per pixel].
    correlations : ndarray of shape (count,)
        :math:`y^T f_k^- - s^2 \mathrm{div} f_k^-` for each.
    lowpass : ndarray of shape (height, width)
        The fixed part :math:`f_0`, the blurred image [electrons per pixel].
    lowpass_correlation : float
        The same number for it.
    constant : float
        :math:`(\|y\|^2 - 1^T y) / N - s^2`, which no estimate changes.
    """

    functions: np.ndarray
    correlations: np.ndarray
    lowpass: Image
    lowpass_correlation: float
    constant: float

    def combine(self, coefficients: np.ndarray) -> Image:
        """Add the functions up.

        Parameters
        ----------
        coefficients : ndarray of shape (count,)
            The factors :math:`a_k`.

        Returns
        -------
        ndarray of shape (height, width)
            The estimate, float32 [electrons per pixel].
        """
        weights = coefficients.astype(np.float32)
        return self.lowpass + np.tensordot(weights, self.functions, axes=1)

    def risk(self, coefficients: np.ndarray) -> float:
        """Estimate the mean squared error of a combination.

        Unbiased for coefficients that were chosen before the counts were seen.

        Parameters
        ----------
        coefficients : ndarray of shape (count,)
            The factors :math:`a_k`.

        Returns
        -------
        float
            PURE [electrons squared per pixel squared].
        """
        estimate = self.combine(coefficients).astype(np.float64)
        overlap = self.lowpass_correlation + coefficients @ self.correlations
        fit = np.vdot(estimate, estimate) - 2 * overlap
        return float(fit / estimate.size + self.constant)

    def solve(self) -> np.ndarray:
        """Minimise the risk over the functions that show evidence of signal.

        Returns
        -------
        ndarray of shape (count,)
            The factors :math:`a_k`; zero where the correlation is not positive.
        """
        flat = self.functions.reshape(len(self.functions), -1)
        base = self.lowpass.ravel()
        gram = np.zeros((len(flat), len(flat)))
        target = self.correlations.copy()
        for start in range(0, base.size, _BLOCK):
            block = flat[:, start : start + _BLOCK].astype(np.float64)
            gram += block @ block.T
            target -= block @ base[start : start + _BLOCK]
        size = np.sqrt(np.diag(gram))
        kept = np.flatnonzero((target > 0) & (size > 1e-6 * size.max(initial=0)))
        coefficients = np.zeros(len(flat))
        if kept.size:
            size = size[kept]
            system = gram[np.ix_(kept, kept)] / np.outer(size, size)
            solution = np.linalg.lstsq(system, target[kept] / size, rcond=1e-6)[0]
            coefficients[kept] = solution / size
        return coefficients


def denoise_purelet(
    noisy: Image,
    *,
    levels: int | None = None,
    gain: float = 1.0,
    offset: float = 0.0,
    read_noise: float = 0.0,
    return_risk: bool = False,
) -> Image | tuple[Image, float]:
    r"""Shrink Haar wavelet coefficients so that the estimated error is least.

    Each orientation of each level has two functions, the coefficients above and below
    three times their noise, :math:`d (1 - e^{-(d / 3t)^8})` and
    :math:`d\, e^{-(d / 3t)^8}` with :math:`t^2 = |s| + 4^j \sigma^2` from the sum
    :math:`s` over the same box. The image is taken as periodic. Nothing is clipped, so
    that the risk is that of what is returned.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts in electrons per pixel, or the detector's units with `gain` and
        `offset`; at least 2 x 2 pixels.
    levels : int, optional
        Levels of the wavelet transform; the widest boxes have a side of ``2**levels``
        pixels, which the image must hold. By default as many as it holds, up to 7.
    gain : float, default 1.0
        Detector units per electron.
    offset : float, default 0.0
        Detector units where no electron arrives.
    read_noise : float, default 0.0
        Standard deviation of the Gaussian noise added by the detector, in its units.
    return_risk : bool, default False
        Whether to return PURE too.

    Returns
    -------
    estimate : ndarray of shape (height, width)
        Expected counts as float32, in electrons per pixel.
    risk : float
        Only with `return_risk`: PURE, the estimated mean squared error. At the fitted
        coefficients it is optimistic, and it has a standard error of about
        :math:`\sqrt{2 / N}` times the mean count whatever the estimate, so on one image
        compare risks rather than read one; it can be negative.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is smaller than 2 x 2 pixels, not two-dimensional, not finite, or has
        a negative count although `offset` and `read_noise` are 0; if the image cannot
        hold `levels`; or if `gain` or `read_noise` is out of range.

    References
    ----------
    .. [1] Luisier, Vonesch, Blu, Unser, "Fast interscale wavelet denoising of
       Poisson-corrupted images", Signal Processing 90 (2010) 415.
    .. [2] Luisier, Blu, Unser, "Image denoising in mixed Poisson-Gaussian noise", IEEE
       Trans. Image Processing 20 (2011) 696.

    Examples
    --------
    >>> import numpy as np
    >>> clean = np.where(np.arange(64) < 32, 0.3, 0.6) * np.ones((64, 1))
    >>> counts = np.random.default_rng(0).poisson(clean)
    >>> estimate = denoise_purelet(counts)
    >>> float(np.sqrt(np.mean((estimate - clean) ** 2))) < 0.1
    True
    """
    if not (np.isfinite(gain) and gain > 0):
        msg = f"gain must be positive; got {gain!r}"
        raise ValueError(msg)
    if not (np.isfinite(read_noise) and read_noise >= 0):
        msg = f"read_noise must not be negative; got {read_noise!r}"
        raise ValueError(msg)
    if not np.isfinite(offset):
        msg = f"offset must be finite; got {offset!r}"
        raise ValueError(msg)
    noisy = check_image(noisy, "noisy", counts=offset == 0 == read_noise)
    most = min(noisy.shape).bit_length() - 1
    if most < 1:
        msg = f"noisy must be at least 2 x 2 pixels; got shape {noisy.shape}"
        raise ValueError(msg)
    if levels is None:
        levels = min(most, _MOST_LEVELS)
    if levels not in range(1, most + 1):
        msg = (
            f"levels must be a whole number from 1 to {most} for an image of shape "
            f"{noisy.shape}; got {levels!r}"
        )
        raise ValueError(msg)
    levels = int(levels)
    counts = ((noisy - offset) / gain).astype(np.float32)
    dictionary = haar_dictionary(counts, levels=levels, read_noise=read_noise / gain)
    coefficients = dictionary.solve()
    estimate = dictionary.combine(coefficients)
    return (estimate, dictionary.risk(coefficients)) if return_risk else estimate


def haar_dictionary(
    counts: Image, *, levels: int, read_noise: float = 0.0
) -> HaarDictionary:
    """Process an image with every threshold of an undecimated Haar transform.

    Parameters
    ----------
    counts : ndarray of shape (height, width)
        Counts with unit gain and no offset, in electrons per pixel.
    levels : int
        Levels of the transform; ``2**levels`` must fit into the image.
    read_noise : float, default 0.0
        Standard deviation of the Gaussian part [electrons].

    Returns
    -------
    HaarDictionary
        Six functions a level and the low-pass.

    Examples
    --------
    >>> import numpy as np
    >>> haar_dictionary(np.ones((4, 6), np.float32), levels=2).functions.shape
    (12, 4, 6)
    """
    sums = counts = counts.astype(np.float32)
    functions = np.empty((6 * levels, *counts.shape), np.float32)
    correlations = np.empty(6 * levels)
    variance = read_noise**2
    for level in range(1, levels + 1):
        lag, scale = 2 ** (level - 1), 16.0**-level
        read = np.float32(4**level * variance)
        first = 6 * (level - 1)
        sums, details = _haar_step(sums, lag)
        for band, (detail, signs) in enumerate(
            zip(details, _ORIENTATIONS, strict=True)
        ):
            here = slice(first + 2 * band, first + 2 * band + 2)
            correlations[here] = scale * _correlate(detail, sums, read)
            for f, part in zip(
                functions[here], _shrink(detail, sums, read), strict=True
            ):
                f[:] = _adjoint(part, lag, signs)
                f *= scale
    width, scale = 2**levels, 16.0**-levels
    lowpass = scale * _box(_box(sums, width, 0), width, 1)
    wide = sums.astype(np.float64)
    overlap = scale * np.sum(wide * (wide - 1)) - variance * counts.size / width**2
    exact = counts.astype(np.float64)
    constant = np.mean(exact * (exact - 1)) - variance
    return HaarDictionary(functions, correlations, lowpass, overlap, constant)


def _haar_step(sums: Image, lag: int) -> tuple[Image, Iterator[Image]]:
    """Sum, with and without signs, over boxes twice as wide; all stays whole."""
    shifted = np.roll(sums, -lag, axis=0)
    rows = {1: sums + shifted, -1: sums - shifted}
    across = {sign: np.roll(row, -lag, axis=1) for sign, row in rows.items()}
    details = (rows[a] + b * across[a] for a, b in _ORIENTATIONS)
    return rows[1] + across[1], details


def _adjoint(part: Image, lag: int, signs: tuple[int, int]) -> Image:
    """Spread coefficients back over the boxes they were taken from."""
    for axis, sign in enumerate(signs):
        part = _box(part + sign * np.roll(part, lag, axis), lag, axis)
    return part


def _box(image: Image, width: int, axis: int) -> Image:
    """Sum over the `width` pixels that end here, periodically; a power of two."""
    reach = 1
    while reach < width:
        image = image + np.roll(image, reach, axis)
        reach *= 2
    return image


def _shrink(detail: Image, sums: Image, read: np.float32) -> tuple[Image, Image]:
    """Split coefficients into those above three times their noise, and the rest."""
    variance = np.maximum(np.abs(sums), 1) + read
    ratio = np.minimum(detail**2 / (9 * variance), _STEEP)
    small = detail * np.exp(-(ratio**4))
    return detail - small, small


def _correlate(detail: Image, sums: Image, read: np.float32) -> np.ndarray:
    """Multiply the counts with the thresholds that see one electron less."""
    total = np.zeros(2)
    for sign in (1, -1):
        electrons = (sums + sign * detail) / 2
        less = (detail - sign, sums - 1)
        for index, part in enumerate(_shrink(*less, read)):
            total[index] += sign * np.vdot(electrons.astype(np.float64), part)
        if read:
            total -= read / 2 * _slopes(*less, read, sign)
    return total


def _slopes(detail: Image, sums: Image, read: np.float32, sign: int) -> np.ndarray:
    """Sum both thresholds' derivatives along (1, `sign`) in (detail, sums)."""
    variance = np.maximum(np.abs(sums), 1) + read
    ratio = np.minimum(detail**2 / (9 * variance), _STEEP)
    decay, steep = np.exp(-(ratio**4)), 8 * ratio**4
    along_sums = np.where(np.abs(sums) > 1, np.sign(sums), 0)
    slope = decay * (1 - steep + sign * detail * steep / (2 * variance) * along_sums)
    small = slope.sum(dtype=np.float64)
    return np.array([slope.size - small, small])
