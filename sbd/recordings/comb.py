r"""The comb that counted electrons leave in a detector's values.

A detector that counts and then scales gives :math:`v = u n + v_0 + N(0, \tau^2)` for
whole :math:`n`. The mean of :math:`\exp(i \omega v)` over all pixels is as large as
:math:`\exp(-\omega^2 \tau^2 / 2)` at :math:`\omega = 2 \pi / u`, whatever the image
shows; its phase tells :math:`v_0`, up to whole units. Without a comb there is nothing
there but chance, :math:`1 / \sqrt{N}`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, optimize

LOOKED_AT = 2**20
"""Values that are looked at, of as many as there are."""

_BINS = 2**16  # of their range
_FINEST = 2.0**32  # steps in their range, as no detector has
_LENGTH = 2**19  # of the transform, so that no peak falls between two places
_LEAST = 0.3, 6.0  # height of a peak (0.25 units of noise), and over chance
_TEETH = 2.5  # units in the range, at least
_FUNDAMENTAL = 0.97  # of the highest peak, where harmonics are as high
_ZERO = 0.6  # of the phase, within which no electron is at zero [rad]
_COARSER = 2.5  # times the unit that whole numbers have
_EXACT = 1e-3  # of a unit, that rounding leaves at most


@dataclass(frozen=True)
class Comb:
    """Values on a comb.

    Parameters
    ----------
    unit : float
        From one to the next; the detector's units for one electron, if it counted.
    offset : float
        Where one of them is, less than a unit from zero.
    noise : float
        Standard deviation of the values around them.
    exact : bool
        Whether all stand on it, but for rounding.
    """

    unit: float
    offset: float
    noise: float
    exact: bool


def find_combs(values: NDArray) -> tuple[Comb | None, Comb | None]:
    """Find the combs on which values stand: an exact one, and one with noise.

    Whole numbers may themselves stand on a coarser comb, as where each pixel has a gain
    of its own; the image's own distribution may look like one, too. None where there is
    none. Up to some thousand steps in the range that nearly all values are in.
    """
    flat = np.asarray(values).ravel()
    flat = flat[:: max(1, flat.size // LOOKED_AT)].astype(np.float64)
    if flat.size < 64:
        return None, None
    low, high = np.quantile(flat, [0.0005, 0.9995])
    flat = flat[(flat >= low) & (flat <= high)]
    span = high - low
    if not span > 0:
        return None, None
    levels = np.unique(flat)
    exact = _exact_comb(levels) if len(levels) <= _BINS // 16 else None
    finest = np.inf if exact is None else 1 / (_COARSER * exact.unit)
    peak = _find_peak(flat, low, span, finest)
    return exact, None if peak is None else _noisy_comb(flat, peak, span)


def _noisy_comb(flat: NDArray[np.float64], peak: float, span: float) -> Comb:
    """Measure a comb whose frequency is roughly known."""
    frequency = _refine(flat, peak, 1 / span)
    some = flat[flat != 0]
    angle = np.angle(np.exp(2j * np.pi * frequency * flat).mean())
    if abs(angle) < _ZERO and 0 < some.size < flat.size:
        # none is zero, and in phase with any unit: the others tell it
        frequency = _refine(some, frequency, 1 / span, from_zero=True)
        wave = abs(np.exp(2j * np.pi * frequency * some).mean())
        spread = np.sqrt(max(0.0, -np.log(wave) / (2 * np.pi**2)))
        return Comb(1 / frequency, 0.0, float(spread / frequency), exact=False)
    wave = np.exp(2j * np.pi * frequency * flat).mean()
    spread = np.sqrt(max(0.0, -np.log(abs(wave)) / (2 * np.pi**2)))
    # the noise's part falls with the frequency, and takes the peak along
    frequency /= 1 - min(0.5, (spread / frequency) ** 2 / flat.var())
    wave = np.exp(2j * np.pi * frequency * flat).mean()
    unit = 1 / frequency
    offset = float(np.angle(wave) / (2 * np.pi) * unit)
    return Comb(unit, offset, float(spread * unit), exact=False)


def _exact_comb(levels: NDArray[np.float64]) -> Comb | None:
    """Find the largest number of which all levels, less one, are multiples."""
    steps = np.diff(levels)
    unit = float(steps.min())
    if not unit > (levels[-1] - levels[0]) / _FINEST:  # what damage leaves, or rounding
        return None
    for _ in range(20):  # as Euclid does it, with what rounding leaves
        rest = np.abs(steps / unit - np.rint(steps / unit)) * unit
        if rest.max() < _EXACT * unit:
            break
        unit = float(rest[rest >= _EXACT * unit].min())
        if (levels[-1] - levels[0]) / unit > _BINS:
            return None
    else:
        return None
    number = np.rint((levels - levels[0]) / unit)
    unit = float(np.polyfit(number, levels, 1)[0]) if len(levels) > 2 else unit
    offset = levels[0] - unit * np.floor(levels[0] / unit + 2 * _EXACT)
    if abs(offset) < 2 * _EXACT * unit:
        offset = 0.0
    return Comb(unit, float(offset), 0.0, exact=True)


def _find_peak(
    flat: NDArray[np.float64], low: float, span: float, finest: float
) -> float | None:
    """Find the frequency of a comb, roughly, below the finest [1 / unit]."""
    number, _ = np.histogram(flat, _BINS, (low, low + span))
    height = np.abs(fft.rfft(number.astype(np.float64), _LENGTH)) / flat.size
    # beyond, bins are too coarse
    last = min(_LENGTH / 8, finest * _LENGTH * span / _BINS)
    height = height[: int(last)]
    # what the distribution itself has falls from 1 at once
    rises = np.flatnonzero(np.diff(height) > 0)
    if not len(rises):
        return None
    first = rises[0]
    highest = height[first:].max()
    if highest < max(_LEAST[0], _LEAST[1] / np.sqrt(flat.size)):
        return None
    peaks = np.flatnonzero(height[first:] >= _FUNDAMENTAL * highest)
    place = first + peaks[0]
    while place + 1 < len(height) and height[place + 1] > height[place]:
        place += 1
    # it must stand alone, and not be the distribution's own slow rise
    between = height[first : place + 1].min()
    frequency = place * _BINS / (_LENGTH * span)
    if between > 0.6 * height[place] or frequency * span < _TEETH:
        return None
    return frequency


def _refine(
    flat: NDArray[np.float64],
    frequency: float,
    width: float,
    *,
    from_zero: bool = False,
) -> float:
    """Find the frequency at which the values agree best in phase, or with zero."""

    def agree(f: float) -> float:
        wave = np.exp(2j * np.pi * f * flat).mean()
        return -wave.real if from_zero else -abs(wave)

    found = optimize.minimize_scalar(
        agree,
        bounds=(frequency - width / 2, frequency + width / 2), method="bounded",
        options={"xatol": 1e-6 * width},
    )  # fmt: skip
    return float(found.x)
