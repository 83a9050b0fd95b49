r"""Refuse recordings that are not independent Poisson counts, before they are judged.

Every probability of this room rests on one assumption: pixels hold independent Poisson
counts. What can be told against it from one recording is told here. For such counts
the covariance of two pixels is zero and the variance of one is its mean. The means are
unknown, so both are read from the highest spatial frequencies alone, where a smooth
image has nothing: with a high-pass filter :math:`K` and counts :math:`y`,

.. math:: T = \sum_{ij} K_{ij} y_i y_j - \sum_i K_{ii} y_i

has mean zero, and the variance :math:`2 \sum_{ij} K_{ij}^2 x_i x_j` at any dose. Its
products are what halves of thinned counts would give, averaged over every split, so
that no split is sharper. Correlations over more than some four pixels look like
structure, and only several frames can tell them from it.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from sbd.typing import Image
from sbd.validation import check_image, check_shape

_LEAST = 1e-12  # probability below which a thing is not put down to chance
_FEW = 4  # pixels that a message lists
_CONTRAST = 1.5  # times the mean of those around it, that a pixel's mean may be
_WIDE = 0.3  # more variance than the mean, that is not of a few hot pixels
_RING = 2  # pixels on each side of a pixel that tell what it should hold
_STEADY = 60  # electrons from which a local mean is taken
_SEEN = 100  # larger counts that must be expected before their absence is clipping
_DARK = 0.2  # times the typical mean that dark structure may be
_NEAR = 1e-3  # probability of no electron, in windows beside an empty area
_BLOCK = 32  # side of the blocks whose middle mean is typical [pixels]

_SIDES = 1, 2  # of the blocks that are looked at [pixels]
_ORDERS = 4, 8  # of the high-pass filters; the second confirms the first
_SMOOTH = 2.0  # deviation of a local mean, of which the filter lets nothing pass
_LAGS = (0, 0), (0, 1), (1, 0), (1, 1), (1, -1)
_DIRECTIONS = "rows", "columns", "diagonals", "antidiagonals", "rows and columns"
_SURE = 5.0  # standard errors of a deviation that is believed
_OVER = 0.03  # more variance than the mean, that may pass
_UNDER = 0.1  # less of it, to the safe side, that may pass
_JOINT = 0.02  # covariance of neighbours over the mean, that may pass


def whole_counts(noisy: Image) -> NDArray[np.int64]:
    """Return counts as integers, or say by which values no electrons were counted.

    Looks at single values: whole, with no common divisor, not clipped, no hot pixel.
    """
    counts = round_counts(check_image(noisy, "noisy", counts=True))
    _refuse_divisor(counts)
    refuse_clipping(counts)
    _refuse_hot_pixels(counts)
    return counts


def round_counts(noisy: Image) -> NDArray[np.int64]:
    """Return counts as integers, or say which is none."""
    counts = np.rint(noisy).astype(np.int64)
    odd = counts != noisy
    if odd.any():
        msg = (
            f"noisy must hold whole counts; got {noisy[odd][0]:g} (in a sum over "
            "resampled or gain-corrected frames the noise is not Poisson; take the sum "
            "of frames as they were counted)"
        )
        raise ValueError(msg)
    return counts


def dose_mask(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell where a recording has dose, and is not behind an aperture or a beam stop.

    Left out are empty windows so large that even dark structure would have electrons.
    """
    if not counts.any():
        msg = "noisy must hold electrons; got 0 everywhere"
        raise ValueError(msg)
    typical = _typical_mean(counts)
    electrons = _integral(counts)
    pixels = max(16, int(np.ceil(-np.log(_LEAST) / (_DARK * typical))))
    side = np.sqrt(pixels)
    none = np.zeros(counts.shape, dtype=bool)
    for stretch in (1 / pixels, 1 / 16, 1, 16, pixels):
        window = [max(1, round(side * s)) for s in (stretch**0.5, stretch**-0.5)]
        none |= _empty_windows(electrons, window)
    if none.any():
        # a window is too coarse for a round border: small ones beside it fill it up
        small = max(2, int(np.ceil(np.sqrt(-np.log(_NEAR) / typical))))
        beside = _empty_windows(electrons, (small, small)) | none
        turns = max(1, round(side / 2))
        none = ndimage.binary_dilation(none, iterations=turns, mask=beside)
    return ~none


def check_independence(
    counts: NDArray[np.int64], estimate: Image, mask: NDArray[np.bool_]
) -> None:
    """Refuse counts whose variance is not their mean, or that depend on neighbours.

    It must be seen in the counts, where structure may fake it, and in what `estimate`
    leaves of them, where a denoiser may that follows the noise.
    """
    check_shape(estimate, "estimate", counts, "noisy")
    check_shape(mask, "mask", counts, "noisy")
    for side in _SIDES:
        y, x, some = (_blocks(values, side) for values in (counts, estimate, mask))
        some = some == side**2
        seen = _nearer(y, y - x, some, _ORDERS[0])
        margins = _margins(y, some, _ORDERS[0])
        if _find_fault(seen, margins, side):
            # of structure the second filter lets less than half as much pass
            again = _nearer(y, y - x, some, _ORDERS[1])
            seen = np.where(2 * again / np.where(seen, seen, 1) >= 1, seen, 0)
        fault = _find_fault(seen, margins, side)
        if fault:
            raise ValueError(fault)


def _refuse_divisor(counts: NDArray[np.int64]) -> None:
    """Refuse counts that are multiples of one number."""
    divisor = int(np.gcd.reduce(counts, axis=None))
    if divisor > 1:
        msg = (
            f"noisy must hold electrons, one by one; all its values are multiples of "
            f"{divisor} (divide it by {divisor}; sbd.estimate_gain tells the units per "
            "electron)"
        )
        raise ValueError(msg)


def refuse_clipping(counts: NDArray[np.int64]) -> None:
    """Refuse counts that end at a value beyond which many must lie."""
    most = int(counts.max())
    mean = counts.mean()
    if not most:
        return
    # with that many electrons chance moves a local mean little, and so does the tail
    side = max(9, int(np.ceil(np.sqrt(_STEADY / mean)))) | 1
    local = ndimage.uniform_filter(counts.astype(np.float64), side, mode="mirror")
    expected = float(stats.poisson.sf(most, local.clip(0)).sum())
    if expected > _SEEN:
        msg = (
            f"noisy must not be clipped; its largest count is {most}, where "
            f"{expected:.3g} pixels with more are to be expected (take the counts as "
            "they were before a limit, a mean of frames or an interpolation)"
        )
        raise ValueError(msg)


def find_hot_pixels(counts: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """Find counts so large that no mean near those around gives them.

    Places (number, 2) as (row, column), and the mean of the pixels around each.
    """
    likely = _CONTRAST * _mean_around(counts)
    rows, columns = np.nonzero(counts > likely + 3 * np.sqrt(likely) + 3)
    side = 2 * _RING + 1
    padded = np.pad(counts, _RING, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    ring = windows[rows, columns]  # a copy, of few
    ring[:, _RING, _RING] = 0  # the pixel itself
    nearest = np.sort(ring[:, 1:-1, 1:-1].reshape(-1, 9), axis=1)
    # a second hot pixel beside it is no guide
    rest = ring.sum((1, 2)) - ring.max((1, 2))
    n = side**2 - 2
    mine = counts[rows, columns]
    # given the sum of all, the share of one is binomial
    chance = stats.binom.sf(mine - 1, mine + rest, _CONTRAST / (n + _CONTRAST))
    hot = np.maximum(chance, stats.poisson.sf(mine - 1, nearest[:, -3])) < _LEAST
    return np.stack([rows[hot], columns[hot]], axis=1), rest[hot] / n


def _refuse_hot_pixels(counts: NDArray[np.int64]) -> None:
    """Refuse counts with hot pixels, unless all are too wide."""
    places, means = find_hot_pixels(counts)
    if not len(places):
        return
    mended = counts.copy()
    mended[tuple(places.T)] = np.rint(means)
    _refuse_units(mended)
    first = ", ".join(
        f"{counts[place]} at {place}" for place in map(tuple, places[:_FEW].tolist())
    )
    more = ", ..." if len(places) > _FEW else ""
    msg = (
        f"noisy must have no hot pixels; {len(places)} of {counts.size} hold more than "
        f"those around allow: {first}{more}, as (row, column) (replace them by the "
        "median of those around)"
    )
    raise ValueError(msg)


def _refuse_units(counts: NDArray[np.int64]) -> None:
    """Refuse counts that are too wide all over, so that none is a hot pixel."""
    everywhere = np.ones(counts.shape, dtype=bool)
    y, order = counts.astype(np.float64), _ORDERS[-1]
    excess = _covariances(y, y, everywhere, order)[:1]
    margin = np.maximum(_margins(y, everywhere, order)[:1], _WIDE)
    fault = _find_fault(excess, margin, 1)
    if excess > 0 and fault:
        raise ValueError(fault)


def _mean_around(counts: NDArray[np.int64]) -> Image:
    """Mean of the pixels around each, itself left out."""
    side = 2 * _RING + 1
    mean = ndimage.uniform_filter(counts.astype(np.float64), side, mode="mirror")
    return ((side**2 * mean - counts) / (side**2 - 1)).clip(0)


def _typical_mean(counts: NDArray[np.int64]) -> float:
    """Middle of the means of those blocks that have electrons."""
    means = [
        block.mean()
        for strip in np.array_split(counts, max(1, counts.shape[0] // _BLOCK))
        for block in np.array_split(strip, max(1, counts.shape[1] // _BLOCK), axis=1)
    ]
    return float(np.median([mean for mean in means if mean]))


def _integral(values: NDArray) -> NDArray[np.int64]:
    """Sum all that is above and left of each corner of a pixel."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=np.int64)
    np.cumsum(values, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


def _box_sums(integral: NDArray[np.int64], high: int, wide: int) -> NDArray[np.int64]:
    """Sum over every window of that size."""
    strips = integral[high:] - integral[:-high]
    return strips[:, wide:] - strips[:, :-wide]


def _empty_windows(
    electrons: NDArray[np.int64], window: tuple[int, int]
) -> NDArray[np.bool_]:
    """Mark the pixels of all windows without an electron."""
    high, wide = window
    shape = electrons.shape[0] - 1, electrons.shape[1] - 1
    if high > shape[0] or wide > shape[1]:
        return np.zeros(shape, dtype=bool)
    empty = _box_sums(electrons, high, wide) == 0
    if not empty.any():
        return np.zeros(shape, dtype=bool)
    empty = np.pad(empty, ((high - 1,) * 2, (wide - 1,) * 2))
    return _box_sums(_integral(empty), high, wide) > 0


def _blocks(values: NDArray, side: int) -> NDArray[np.float64]:
    """Sum over blocks of pixels."""
    if side == 1:
        return values.astype(np.float64)
    rows, columns = (n // side for n in values.shape)
    cut = values[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).sum((1, 3), dtype=np.float64)


def _high_pass(image: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Take a binomial mean off again and again: a smooth image vanishes."""
    for _ in range(order):
        mean = image
        for axis in (0, 1):
            mean = ndimage.convolve1d(mean, [0.25, 0.5, 0.25], axis, mode="nearest")
        image = image - mean
    return image


@cache
def _unmixing(order: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return what the filter makes of the mean, how to undo it, and the kernels.

    Statistic a has the sum over lags l of inverse[a, l] times the filter moved by l.
    """
    reach = order + 2
    point = np.zeros((2 * reach + 1,) * 2)
    point[reach, reach] = 1
    kernel = _high_pass(point, order)
    moved = [
        (np.roll(kernel, (r, c), (0, 1)) + np.roll(kernel, (-r, -c), (0, 1))) / 2
        for r, c in _LAGS
    ]
    seen = np.array([[k[reach + r, reach + c] for r, c in _LAGS] for k in moved])
    weights = seen[:, 0].copy()
    seen[:, 1:] *= 2  # a lag and its opposite
    inverse = np.linalg.inv(seen)
    inverse = np.vstack([inverse, inverse[1:3].mean(0)])  # the two nearest together
    return weights, inverse, np.tensordot(inverse, np.array(moved), 1)


def _inner(mask: NDArray[np.bool_], order: int) -> NDArray[np.bool_]:
    """Leave out the pixels whose statistics reach beyond a border."""
    size = 2 * (order + 1) + 1
    least = ndimage.minimum_filter(mask.view(np.uint8), size, mode="constant", cval=0)
    return least.view(bool)


def _covariances(
    values: NDArray[np.float64],
    counts: NDArray[np.float64],
    some: NDArray[np.bool_],
    order: int,
) -> NDArray[np.float64]:
    """Dispersion less 1, and covariances at each other lag, over the mean count.

    The last entry is the mean of the two nearest lags.
    """
    weights, inverse, _ = _unmixing(order)
    some = _inner(some, order)
    electrons = counts[some].sum()
    if not electrons:
        return np.zeros(len(inverse))
    passed = _high_pass(values, order)
    # the kernel sees no mean, but its sum along a border would be multiplied by it
    rough = values - ndimage.gaussian_filter(values, _SMOOTH, mode="nearest")
    inside = np.where(some, rough, 0)
    sums = [
        np.vdot(inside, np.roll(passed, (sign * r, sign * c), (0, 1)))
        for r, c in _LAGS
        for sign in (1, -1)
    ]
    means = np.reshape(sums, (-1, 2)).mean(1) / electrons
    return inverse @ (means - weights)


def _nearer(
    counts: NDArray[np.float64],
    left: NDArray[np.float64],
    some: NDArray[np.bool_],
    order: int,
) -> NDArray[np.float64]:
    """Covariances of counts, or of what is left of them, whichever is nearer to 0."""
    found, rest = (_covariances(v, counts, some, order) for v in (counts, left))
    least = np.copysign(np.minimum(abs(found), abs(rest)), found)
    return np.where(found * rest > 0, least, 0)


def _margins(
    counts: NDArray[np.float64], some: NDArray[np.bool_], order: int
) -> NDArray[np.float64]:
    """How far from 0 each covariance of independent counts may lie."""
    _, _, kernels = _unmixing(order)
    some = _inner(some, order)
    electrons = counts[some].sum()
    if not electrons:
        return np.full(len(kernels), np.inf)
    # neighbours are independent: the mean of their products is that of squared means
    squares = np.vdot(counts[some], _mean_around(counts)[some])
    variance = 2 * (kernels**2).sum((1, 2)) * squares
    # Bernstein: few pairs of electrons have no normal sum
    pair = 2 * np.abs(kernels).max((1, 2)) * _SURE**2 / 6
    return (pair + np.sqrt(pair**2 + _SURE**2 * variance)) / electrons


def _find_fault(
    covariances: NDArray[np.float64], margins: NDArray[np.float64], side: int
) -> str:
    """Say what independent counts would not have, if anything."""
    limits = np.where(np.arange(len(margins)), _JOINT, _OVER)
    above = covariances - np.maximum(limits, margins)
    below = -covariances - np.maximum(_UNDER, margins)
    worst = int(np.argmax(np.maximum(above, below)))
    if max(above[worst], below[worst]) <= 0:
        return ""
    what = "pixels" if side == 1 else f"blocks of {side} x {side} pixels"
    measured, margin = covariances[worst], margins[worst]
    if worst:
        return (
            f"noisy must hold independent counts; neighbouring {what} along "
            f"{_DIRECTIONS[worst - 1]} have a covariance of {measured:.3f} times the "
            f"mean, where electrons counted once have 0 +- {margin:.3f} (an electron "
            "counted in several pixels, a point spread of the detector, or frames that "
            "were interpolated: take the sum of frames as they were counted, or bin "
            "until neighbours are independent)"
        )
    reason = (
        "electrons counted more than once, units that are no electrons, or pixels of "
        "unlike gain: count each electron once, or divide by the units per electron, "
        "sbd.estimate_gain, and by a gain reference before counting; or columns of few "
        "pixels that the denoiser smooths away"
        if measured > 0
        else "counts clipped, averaged, smoothed or interpolated: take the sum of "
        "frames as they were counted"
    )
    return (
        f"noisy must hold Poisson counts; the variance of its {what} is "
        f"{1 + measured:.3f} times the mean, where independent electrons have 1 +- "
        f"{margin:.3f} ({reason})"
    )
