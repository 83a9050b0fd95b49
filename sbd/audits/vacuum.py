"""Empty vacuum: what a denoiser draws where there is nothing."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from sbd.simulation.noise import poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_doses, check_image

_LOBE, _RING = 5, 10  # a spectral peak reaches no farther; its surroundings do [bins]
_LEAST = 1e-6  # share of the power below which a peak, or rounding, does not matter

_PERIODS = 8  # across the image; what is slower is no lattice


def vacuum_response(
    denoiser: Denoiser,
    *,
    doses: Sequence[float],
    shape: tuple[int, int] = (512, 512),
    seed: int,
) -> pd.DataFrame:
    """Denoise counts of nothing: whatever is in the result was invented.

    Parameters
    ----------
    denoiser : callable
        Image to image.
    doses : sequence of float
        Mean count [electrons per pixel].
    shape : tuple of int, default (512, 512)
        (height, width), at least 32 x 32 [pixels].
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        A row for each ``dose``: ``mean`` of the result, its standard ``deviation``, the
        ``largest`` distance of a pixel from the mean [electrons per pixel], the
        ``relative`` deviation in units of the dose, and the `peak_share` of the
        deviation's power as ``peaks``.

    Raises
    ------
    ValueError
        If there is no dose, one is not positive, or `shape` is too small.

    Examples
    --------
    >>> def flatten(noisy):
    ...     return np.full(noisy.shape, noisy.mean())
    >>> vacuum_response(flatten, doses=[0.45], shape=(64, 64), seed=0)["peaks"].item()
    0.0
    """
    how = {"doses": doses, "shape": shape, "seed": seed, "name": "denoiser"}
    return pd.DataFrame([row for row, _ in denoise_vacuum(denoiser, **how)])


def denoise_vacuum(
    denoiser: Denoiser,
    *,
    doses: Sequence[float],
    shape: tuple[int, int],
    seed: int,
    name: str,
) -> Iterator[tuple[dict[str, float], Image]]:
    """Yield for each dose what `vacuum_response` says of the result, and the result."""
    check_doses(doses)
    for i, dose in enumerate(doses):
        vacuum = np.full(shape, float(dose))
        noisy = poisson_noise(vacuum, rng=np.random.default_rng([seed, i]))
        result = apply_denoiser(denoiser, noisy, name).astype(np.float64)
        mean, deviation = result.mean(), result.std()
        row = {"dose": float(dose), "mean": mean, "deviation": deviation}
        row["largest"] = np.abs(result - mean).max()
        row |= {"relative": deviation / dose, "peaks": peak_share(result)}
        yield row, result


def peak_share(image: Image) -> float:
    """Return the share of an image's variance in spectral peaks: a lattice, fringes.

    A peak, of 8 periods or more, would be there by chance in one image of a hundred.
    """
    image = check_image(image).astype(np.float64)
    if min(image.shape) < 32:
        msg = f"image must be at least 32 x 32 pixels; got shape {image.shape}"
        raise ValueError(msg)
    if np.ptp(image) <= 1e-6 * np.abs(image).max():  # flat, to float32's rounding
        return 0.0
    height, width = image.shape
    window = np.outer(*(np.sin(np.pi * np.arange(n) / n) ** 2 for n in image.shape))
    power = np.abs(np.fft.fft2((image - np.average(image, weights=window)) * window))
    power **= 2
    side = 2 * _LOBE + 1
    top = power == ndimage.maximum_filter(power, side, mode="wrap")
    rows, columns = (np.fft.fftfreq(n, 1 / n) for n in image.shape)
    top &= np.hypot(rows[:, None], columns) >= _PERIODS
    peaks = np.argwhere(top)
    background = _surroundings(power, peaks)
    # smoothed noise has powers that scatter exponentially about a smooth spectrum: one
    # in e^t exceeds t times its mean; a real image's holds each coefficient twice
    uphill = np.log(100 * power.size / 2) * background.max(axis=0)
    stands = power[tuple(peaks.T)] > uphill
    stands &= power[tuple(peaks.T)] > _LEAST * power.sum()
    floor = np.full(power.shape, np.nan)
    step = np.arange(-_LOBE, _LOBE + 1)
    levels = background.mean(axis=0)[stands]
    for (row, column), level in zip(peaks[stands], levels, strict=True):
        floor[np.ix_((row + step) % height, (column + step) % width)] = level
    inside = np.isfinite(floor)
    return float(max((power - floor)[inside].sum(), 0.0) / power.sum())


def _surroundings(power: NDArray, peaks: NDArray) -> NDArray:
    """Mean power in each of four quadrants around each peak (4, n), from medians.

    On a slope, or at the spectrum's end, a peak has to exceed what lies uphill.
    """
    step = np.arange(-_RING, _RING + 1)
    down, right = (grid.ravel() for grid in np.meshgrid(step, step, indexing="ij"))
    ring = np.maximum(np.abs(down), np.abs(right)) > _LOBE
    levels = []
    for up, left in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        here = ring & (up * down >= 0) & (left * right >= 0)
        rows = (peaks[:, :1] + down[here]) % power.shape[0]
        columns = (peaks[:, 1:] + right[here]) % power.shape[1]
        levels.append(np.median(power[rows, columns], axis=1))
    return np.array(levels) / np.log(2)  # the median of exponential scatter
