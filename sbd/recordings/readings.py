"""The reading under which values vary as counts of electrons do.

Values stand on a comb or not, above an offset or none. Of the ways to read them as
electrons that is taken under which neighbours vary as Poisson counts do: their variance
is their mean, and their third cumulant, too, which tells units of a detector above an
offset from counts where mean and variance happen to agree. Where there is none, it is
said what stands against it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from sbd.denoisers.detectors import estimate_gain
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.evidence.counts import find_hot_pixels
from sbd.recordings.comb import LOOKED_AT, find_combs
from sbd.recordings.findings import Finding
from sbd.validation import measure_dispersion

_MIDDLE = 256  # half the side of what is tested for dependence [pixels]
_BELOW = 1e-3  # share of pixels that may hold less than no electron
_SKEW = 0.5  # by how much the skewness of counts may differ from 1
_SURE = 5.0  # standard errors of a skewness that is believed
_FEW = 400  # differences, below which none is measured
_SOME = 0.02  # share of pixels that may be hot
_ROUNDS = 5  # in which hot pixels beside others are found
_WHITE = 0.08  # by how much the finest of the noise may be weaker than the next finest
_CHANCE = 2.0  # standard deviation of that, times the side; measured: 1.5 at any dose
_SIDE = 32  # of the blocks in which it is looked for [pixels]
_COUNTS = 0.15  # by how much the variance over mean of counts may differ from 1
_BLOCK = 0.6  # by how much that of a single block of an image may
_DETECTED = 0.02  # share of values that are one and the same, as clipping leaves them
_ALONE = 3.0  # times the next most frequent value
_BRIGHTER, _NEVER = 20.0, 1e-12  # times its surroundings; probability of a group
_ELECTRONS = 100  # that a group has at least
_RING = 9**2 - 5**2  # pixels around it that are looked at
_WHOLE = 2.0**53  # up to which whole numbers are told apart
_NORMAL = 0.6745  # median of the size of a standard normal deviate


@dataclass(frozen=True)
class Reading:
    """One way to read values: as so many units above an offset."""

    unit: float
    offset: float
    noise: float  # [electrons]
    counted: bool


def read_values(
    stack: Sequence[NDArray],
    total: NDArray,
    some: NDArray[np.bool_],
    read_noise: float | None,
    findings: list[Finding],
) -> Reading | None:
    """Find the reading under which values vary as counts of electrons do."""
    frames = len(stack)
    exact, coarse = find_combs(_sample(stack, some))
    combs = [comb for comb in (exact, coarse) if comb is not None]
    if not combs:
        return _read_analogue(total, some, frames, read_noise, findings)
    readings = [Reading(c.unit, c.offset, c.noise / c.unit, True) for c in combs]
    readings = [_snap(reading) for reading in readings]
    low = min(float(frame[some].min()) for frame in stack)
    raised = [
        replace(r, offset=r.offset + r.unit * np.floor((low - r.offset) / r.unit + 0.5))
        for r in readings
    ]
    found = {}
    for reading in dict.fromkeys((*readings, *raised)):
        found[reading] = look = _look(reading, total, some, frames)
        if look.counts:
            chosen = reading
            break
    else:
        chosen = readings[0]
        _tell_no_counts(found[chosen], findings)
        if found[chosen].dispersion > found[chosen].high:
            return _read_units(total, some, frames, found[chosen], findings)
    if chosen.offset and chosen not in readings:
        words = (
            f"no value is below {chosen.offset:.6g}, and they vary as counts do above "
            "it: it is taken for no electron"
        )
        findings.append(Finding("offset", "warning", words))
    if abs(chosen.unit - 1) > 1e-9:
        findings.append(_tell_unit(chosen, found[chosen].dispersion))
    if found[chosen].unknown:
        words = "too few electrons or pixels to tell whether they vary as counts do"
        findings.append(Finding("few", "warning", words))
    return chosen


def _sample(stack: Sequence[NDArray], some: NDArray[np.bool_]) -> NDArray:
    """Take values at even steps through all frames, as many as combs look at."""
    size = int(np.count_nonzero(some))
    step = max(1, size * len(stack) // LOOKED_AT)
    return np.concatenate(
        [frame[some][-number * size % step :: step]
         for number, frame in enumerate(stack)]
    )  # fmt: skip


def _snap(reading: Reading) -> Reading:
    """Take a unit for 1 where rounding alone makes the difference."""
    return replace(reading, unit=1.0) if abs(reading.unit - 1) < 1e-6 else reading


class Look(NamedTuple):
    """How values vary under a reading."""

    dispersion: float  # variance over mean; NaN where too little tells it
    skew: float  # third cumulant over the second, 1 for counts
    error: float  # of the skew
    low: float  # limits of the dispersion of counts
    high: float
    below: float  # share of pixels with less than no electron

    @property
    def unknown(self) -> bool:
        """Whether there is too little to tell."""
        return bool(np.isnan(self.dispersion))

    @property
    def counts(self) -> bool:
        """Whether counts of electrons may vary so."""
        if self.below > _BELOW:
            return False
        alike = abs(self.skew - 1) <= max(_SKEW, _SURE * self.error)
        return self.unknown or (self.low < self.dispersion < self.high and alike)


def _look(
    reading: Reading, total: NDArray, some: NDArray[np.bool_], frames: int
) -> Look:
    electrons = (total - frames * reading.offset) / reading.unit
    below = float((electrons[some] < -0.5).mean())
    electrons = np.where(some & (electrons > -0.5), electrons, 0)
    _, mended = mend_pixels(electrons)
    added = frames * reading.noise**2
    dispersion = measure_scatter(mended, some, added)
    limits = _limits(total.shape)
    look = Look(dispersion, *_skew(mended, some, added), *limits, below)
    if not look.counts and limits[0] < dispersion < limits[1] and below <= _BELOW:
        # fine structure has its own skewness: what a filter sees of it is taken off
        middle = middle_of(total.shape)
        image = mended[middle]
        seen = denoise_windowed_fourier(image.clip(0).astype(np.float32))
        rest = image - seen
        look = Look(dispersion, *_skew(rest, some[middle], added), *limits, below)
    return look


def middle_of(shape: tuple[int, int]) -> tuple[slice, slice]:
    """Give the part of an image that is looked at closely."""
    return tuple(slice(max(0, n // 2 - _MIDDLE), n // 2 + _MIDDLE) for n in shape)


def _skew(
    electrons: NDArray, some: NDArray[np.bool_], added: float
) -> tuple[float, float]:
    """Third cumulant over the second between neighbours, and its standard error.

    From second differences along both axes: their weights' squares add up to 36, and
    so do their cubes. What the detector added has no third cumulant.
    """
    rough = np.diff(np.diff(electrons, 2, 0), 2, 1)
    inner = ndimage.binary_erosion(some)[1:-1, 1:-1]
    if rough.size < _FEW or inner.sum() < _FEW:
        return 1.0, np.inf
    rough = rough[inner]
    second = float(np.mean(rough**2)) - 36 * added
    if second <= 0:
        return 1.0, np.inf
    cubes = rough**3
    # differences share pixels, with signs such that the mean of cubes varies less, 0.3
    # times as much; this is safe
    error = 0.4 * cubes.std() / np.sqrt(cubes.size) / second
    return float(cubes.mean()) / second, float(error)


def _find_blur(image: NDArray, some: NDArray[np.bool_]) -> float:
    """Tell the power of the finest noise over that of the next finest, if below 1.

    Fourth and second differences along both axes have the same of independent pixels,
    whatever varies with brightness; an interpolation leaves less in the fourth. It must
    be seen in the values, and in what a filter leaves of them, where they have fine
    structure, and in the median block. 1 where chance explains it.
    """
    middle = middle_of(image.shape)
    values, inside = image[middle].astype(np.float64), some[middle]
    if min(values.shape) < _SIDE + 4:
        return 1.0
    with warnings.catch_warnings():  # of values in another unit, which is no matter
        warnings.simplefilter("ignore")
        seen = denoise_windowed_fourier(values.clip(0).astype(np.float32))
    found = [_compare_differences(one, inside) for one in (values, values - seen)]
    chance = _SURE * _CHANCE / np.sqrt(inside.sum())
    ratio = max(found)
    return ratio if ratio < 1 - max(_WHITE, chance) else 1.0


def _tell_blur(
    total: NDArray, some: NDArray[np.bool_], look: Look, findings: list[Finding]
) -> bool:
    """Say that neighbours share their noise; whether no unit can be had for that."""
    alike = _find_blur(total, some)
    if alike == 1:
        return False
    words = (
        f"the finest of their noise has {alike:.2g} times the power that it has where "
        "pixels are independent: interpolated, smoothed, or spread by the detector "
        "(take the sum of frames as they were counted)"
    )
    if look.counts:  # by chance, as noise that was averaged tells no unit
        findings.append(Finding("averaged", "refusal", words))
        return True
    findings.append(Finding("dependent", "warning", words))
    return False


def _compare_differences(values: NDArray, inside: NDArray[np.bool_]) -> float:
    """Power of fourth differences over that of second ones, in the median block."""
    sums = []
    for order, weights in ((4, 70), (2, 6)):
        rough = np.diff(np.diff(values, order, 0), order, 1) / weights
        rough = rough if order == 4 else rough[1:-1, 1:-1]
        sums.append(_add_blocks(rough**2))
    fourth, second = sums
    whole = ndimage.binary_erosion(inside, np.ones((5, 5)))[2:-2, 2:-2]
    judged = (_add_blocks(whole) > _SIDE**2 / 2) & (second > 0)
    return float(np.median(fourth[judged] / second[judged])) if judged.any() else 1.0


def _add_blocks(values: NDArray) -> NDArray[np.float64]:
    """Add up over square blocks; what is over at the end is left out."""
    high, wide = (n // _SIDE for n in values.shape)
    cut = values[: high * _SIDE, : wide * _SIDE]
    return cut.reshape(high, _SIDE, wide, _SIDE).sum((1, 3), dtype=np.float64)


def measure_scatter(electrons: NDArray, some: NDArray[np.bool_], added: float) -> float:
    """Variance over mean, without what the detector added; NaN if too little tells."""
    image = np.where(some, electrons, 0)
    found = measure_dispersion(image)
    less = added / float(image[some].mean()) if added else 0.0
    return float(np.clip(found - less, 0, None))


def mend_pixels(electrons: NDArray) -> tuple[NDArray[np.int_], NDArray]:
    """Find hot pixels, and put the mean of the others around there."""
    hot, mended = [], electrons
    for _ in range(_ROUNDS):
        counts = np.rint(mended.clip(0, _WHOLE)).astype(np.int64)
        places, _ = find_hot_pixels(counts)
        if not len(places):
            break
        hot.append(places)
        if sum(map(len, hot)) > _SOME * electrons.size:  # then none is an exception
            return np.empty((0, 2), int), electrons
        bad = np.zeros(electrons.shape, bool)
        bad[tuple(np.concatenate(hot).T)] = True
        mended = fill_pixels(electrons, bad)
    return (np.concatenate(hot) if hot else np.empty((0, 2), int)), mended


def find_clusters(electrons: NDArray, some: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Find groups of pixels so bright that no column beside its surroundings is.

    A cosmic ray lights up some pixels at once, which are no guide to one another. Where
    each group is, as (row, column), the brightest first. A group must hold more in 3 x
    3 pixels than 20 times what the pixels around make likely, between 5 x 5 and 9 x 9;
    half of those must have recorded something.
    """
    image = np.where(some, electrons, np.float32(0)).astype(np.float32)
    group = np.rint(_sum_group(image))
    if group.max() < _ELECTRONS:
        return np.empty((0, 2), int)
    around = np.rint(_sum_ring(image)).clip(0)
    pixels = np.rint(_sum_ring(some.astype(np.float32)))
    judged = (pixels >= _RING / 2) & (group >= _ELECTRONS)
    rows, columns = np.nonzero(judged & (group * pixels > _BRIGHTER * 9 * around))
    # given the sum of both, the share of one is binomial
    mine, rest = group[rows, columns], around[rows, columns]
    share = _BRIGHTER * 9 / (pixels[rows, columns] + _BRIGHTER * 9)
    sure = stats.binom.sf(mine - 1, mine + rest, share) < _NEVER
    found = np.zeros(image.shape, bool)
    found[rows[sure], columns[sure]] = True
    labels, number = ndimage.label(found, np.ones((3, 3)))
    peaks = ndimage.maximum_position(group, labels, np.arange(1, number + 1))
    peaks = sorted(peaks, key=lambda place: -group[place])
    return np.array(peaks, int).reshape(-1, 2)


def _sum_group(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up the 3 x 3 pixels at each."""
    return ndimage.uniform_filter(image, 3, mode="mirror") * 9


def _sum_ring(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up those around each, between 5 x 5 and 9 x 9."""
    wide = ndimage.uniform_filter(image, 9, mode="mirror") * 81
    return wide - ndimage.uniform_filter(image, 5, mode="mirror") * 25


def fill_pixels(image: NDArray, bad: NDArray[np.bool_]) -> NDArray:
    """Put the mean of the good pixels around into bad ones, wider where need be."""
    image, side = np.array(image, np.float64), 5
    filled = image.copy()
    left = bad.copy()
    while left.any() and side < 2 * max(image.shape):
        good = ndimage.uniform_filter((~bad).astype(np.float64), side, mode="constant")
        sums = ndimage.uniform_filter(np.where(bad, 0, image), side, mode="constant")
        now = left & (good > 0.5 / side**2)
        filled[now] = sums[now] / good[now]
        left &= ~now
        side = 2 * side + 1
    return filled


def _limits(shape: tuple[int, int]) -> tuple[float, float]:
    """Between which limits the dispersion of counts lies, in an image of a shape."""
    blocks = np.prod([max(1, min(side - 4, 508) // 32) for side in shape])
    off = max(_COUNTS, _BLOCK / np.sqrt(blocks))
    return 1 - off, 1 + off


def _tell_no_counts(look: Look, findings: list[Finding]) -> None:
    """Say what stands against counts."""
    if look.dispersion <= look.low:
        words = (
            f"values vary only {look.dispersion:.2g} times as counts do: an offset of "
            "the detector, a mean of neighbours, resampled, smoothed or simulated "
            "(take off the offset; take the sum of frames as they were counted)"
        )
        findings.append(Finding("averaged", "warning", words))
    elif look.dispersion < look.high:
        words = (
            f"values vary as counts do, but with {look.skew:.2g} times their skewness "
            f"(+- {look.error:.1g}): units of a detector above an offset, which one "
            "image cannot tell apart (take off the offset and divide by the gain)"
        )
        if look.below > _BELOW:
            words = (
                f"{look.below:.0%} of the values are below zero (take off the offset "
                "of the detector)"
            )
        findings.append(Finding("units", "refusal", words))


def _tell_unit(reading: Reading, dispersion: float) -> Finding:
    """Say what a unit may come from."""
    unit = reading.unit
    share = 1 / unit
    if reading.noise:
        kind = "counted electrons, times a gain that differs a little between pixels"
    elif unit > 1 and abs(unit - round(unit)) < 1e-6:
        kind = "counts times a whole number"
    elif 1.5 < share < 1000 and abs(share - round(share)) < 1e-3 * share:
        kind = (
            f"a mean of {round(share)} frames or pixels, or counts over {round(share)}"
        )
    else:
        kind = "counts that were scaled"
    told = f", and vary {dispersion:.3g} times as counts do" if dispersion > 0 else ""
    words = f"values stand {unit:.6g} apart{told}: {kind}; divided by {unit:.6g}"
    return Finding("unit", "warning", words)


def _read_units(
    total: NDArray,
    some: NDArray[np.bool_],
    frames: int,
    look: Look,
    findings: list[Finding],
) -> Reading | None:
    """Read gain and read noise of a detector that does not count."""
    told = f"values vary {look.dispersion:.3g} times as much as counts do"
    why = "brightness differs too little to tell how many an electron has"
    try:
        gain, noise = estimate_gain(np.where(some, total, np.median(total)) / frames)
        gain *= frames  # of the mean of frames
        reading = Reading(gain, 0.0, noise / gain, False)
        again = _look(reading, total, some, frames)
        if not again.unknown and not 0.6 < again.dispersion < 1.6:
            why = "their noise does not grow with brightness as that of electrons does"
            raise ValueError(why)
    except ValueError:
        words = (
            f"{told}, so they are units of a detector (or resampled), and {why} (take "
            "off its offset and divide by its gain)"
        )
        findings.append(Finding("units", "refusal", words))
        return None
    words = (
        f"{told}: units of a detector, {gain:.4g} for an electron by their noise; read "
        "noise and offset cannot be told apart, and electrons were not counted one by "
        "one"
    )
    findings.append(Finding("units", "warning", words))
    return reading


def _read_analogue(
    total: NDArray,
    some: NDArray[np.bool_],
    frames: int,
    read_noise: float | None,
    findings: list[Finding],
) -> Reading | None:
    """Read values that stand on no comb."""
    inside = total[some].astype(np.float64)
    values, number = np.unique(inside, return_counts=True)
    if len(values) == 1:
        words = f"all values are {values[0]:.4g}"
        findings.append(Finding("constant", "refusal", words))
        return None
    below, mean = inside[inside < 0], float(inside.mean())
    noise = read_noise or 0.0
    if read_noise is None and below.size > _BELOW * inside.size:
        noise = float(np.median(np.abs(below))) / _NORMAL / frames**0.5
    if not mean > 0:
        words = f"their mean is {mean:.3g}: an offset, or no electrons at all"
        findings.append(Finding("offset", "refusal", words))
        return None
    reading = Reading(1.0, 0.0, noise, False)
    added = frames * noise**2
    dispersion, skew = measure_scatter(total, some, added), _skew(total, some, added)
    look = Look(dispersion, *skew, *_limits(total.shape), below=0.0)
    most, second = int(np.argmax(number)), np.partition(number, -2)[-2]
    if (
        values[most] == values[0]
        and number[most] > max(_DETECTED * inside.size, _ALONE * second)
        and not dispersion < look.low / 2
    ):
        words = (
            f"{number[most] / inside.size:.0%} of the values are {values[most]:.3g}, "
            "and no others repeat: what lay below was clipped, which no denoiser can "
            "undo (take the signed values, with their read noise, or round to whole "
            "electrons)"
        )
        findings.append(Finding("clipped", "warning", words))
        return reading
    if below.size:
        words = (
            f"{below.size / inside.size:.1%} of the values are below zero: a read "
            f"noise of {noise:.3g} units{'' if read_noise else ', by their size'}; "
            "they are taken as they are, not clipped"
        )
        findings.append(Finding("signed", "note", words))
    if look.unknown:
        words = "values stand on no comb, and are too few or too small to tell more"
        findings.append(Finding("unknown", "refusal", words))
        return None
    if dispersion > look.low and _tell_blur(total, some, look, findings):
        return None
    if look.counts:
        return reading
    if dispersion >= look.high:
        return _read_units(total, some, frames, look, findings)
    if dispersion > look.low:
        _tell_no_counts(look, findings)
        return None
    _tell_too_even(dispersion, findings)
    return None


def _tell_too_even(dispersion: float, findings: list[Finding]) -> None:
    """Say that values on no comb vary less than counts do."""
    words = (
        f"values stand on no comb and vary only {dispersion:.2g} times as counts do: "
        "smaller units, averaged, smoothed, interpolated or simulated (take the sum of "
        "frames as they were counted)"
    )
    findings.append(Finding("averaged", "refusal", words))
