r"""Thresholds of the undecimated Haar transform that know what one electron less does.

The transform is not normalised: a coefficient :math:`d` is a sum of counts with signs,
and :math:`s` the sum over the same box of :math:`2^j \times 2^j` pixels. Split the box
into the electrons that count positive, :math:`P = (s + d) / 2`, and those that count
negative, :math:`M = (s - d) / 2`. One electron less in the one lowers both :math:`s`
and :math:`d` by one, in the other it lowers :math:`s` and raises :math:`d`. With
:math:`\mathrm{E}[n \, g(n - 1)] = x \, \mathrm{E}[g(n)]` for counts :math:`n` of mean
:math:`x`, the overlap of a threshold :math:`\theta(d, s)` with the unknown clean
coefficient :math:`\delta` is that of

.. math:: P \, \theta(d - 1, s - 1) - M \, \theta(d + 1, s - 1)

on average: exactly, for any threshold, box and number of electrons.

Each orientation of each level has two functions: its coefficients below the threshold
:math:`k t`, :math:`d \, / \, (1 + (d / k t)^{16})`, and those above, with
:math:`t^2 = |s| + 1 + 4^j \sigma^2`. Where that is asked for, they are halved once
more, by whether the neighbouring boxes show an edge there: these share no pixel with
the box itself, so all stays exact. The blurred image comes last.

Where nothing but noise exceeds the threshold, the factor of what is above it is fitted
to a handful of coefficients, and single pixels come out as spikes. So it is told how
much more is there than noise leaves: of :math:`s` electrons without structure :math:`P`
is binomial, and the mean and variance of :math:`d \, \theta` are sums over it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from sbd.typing import Image

ORIENTATIONS = ((1, -1), (-1, 1), (-1, -1))  # sum or difference along rows, columns
KEPT = (1.0, 0.0)  # what is no matter of chance
_FEW = 256  # electrons in a box, from which on their difference is taken as normal
_PIECE = 1 << 14  # pixels: of what is counted in double precision
_STRIP = 1 << 17  # pixels: long enough for numpy, short enough for the cache


@dataclass(frozen=True)
class Expansion:
    """Images to combine, and what their risk needs."""

    functions: NDArray[np.float32]  # (count, height, width) [electrons per pixel]
    correlations: NDArray[np.float64]  # y^T f- - s^2 div f- of each, rows in charge
    # of each but the last, how much more it holds than noise would, and the variance
    # of that among noise; (1, 0) where it is no matter of chance
    surplus: NDArray[np.float64]


def haar_functions(
    counts: Image,
    *,
    levels: int,
    read_noise: float = 0.0,
    threshold: float = 8**0.5,
    interscale: bool = False,
    rows: slice = slice(None),
    workers: int = 1,
) -> Expansion:
    """Threshold periodic counts in an undecimated Haar transform, finest level first.

    `rows` are those in charge, where the image is a part of a larger one.
    """
    counts = np.ascontiguousarray(counts, np.float32)
    strips = _strips(counts.shape, rows)
    masks = 2 if interscale else 1
    functions = np.empty((6 * masks * levels + 1, *counts.shape), np.float32)
    correlations = np.empty(len(functions))
    surplus = np.empty((levels, 3, masks, 2, 2))
    surplus[:] = KEPT
    sums, found = counts, []
    spares: SimpleQueue[tuple[Image, Image]] = SimpleQueue()
    for _ in range(workers):
        strip = np.empty((5, min(_STRIP, counts.size)), np.float32)
        spares.put((strip, np.empty_like(counts)))
    with ThreadPoolExecutor(workers) as pool:
        for level in range(1, levels + 1):
            lag = 2 ** (level - 1)
            halves, sums = _add_up(sums, lag)
            here = slice(6 * masks * (level - 1), 6 * masks * level)
            bands = functions[here].reshape(3, masks, 2, *counts.shape)
            for band, orientation in zip(bands, ORIENTATIONS, strict=True):
                _detail(halves, lag, orientation, band[0, 0])
                if interscale:
                    _mask_edges(sums, 2 * lag, orientation, band[1, 0])
            del halves
            read = 4**level * read_noise**2
            shrink = _Shrink(sums, level, read=read, threshold=threshold)
            noise, surplus[level - 1, :, :, 0, 1] = shrink.noise(strips)
            surplus[level - 1, :, :, 0, 0] = -noise
            for band, orientation in zip(bands, ORIENTATIONS, strict=True):
                task = partial(_process, shrink, band, orientation, strips, spares)
                found.append(task() if workers == 1 else pool.submit(task))
            del shrink, task  # and with them the sums of this level
    totals = found if workers == 1 else [one.result() for one in found]
    correlations[:-1] = np.ravel([total for total, _ in totals])
    above = np.reshape([above for _, above in totals], (levels, 3, 1))
    surplus[..., 0, 0] += above
    correlations[-1] = _overlap(sums, levels, read_noise, strips)
    np.multiply(sums, np.float32(16.0**-levels), out=functions[-1])
    _spread(functions[-1], 2 ** (levels - 1), (1, 1), sums)
    return Expansion(functions, correlations, surplus.reshape(-1, 2))


def _strips(shape: tuple[int, int], rows: slice) -> list[tuple[int, int, bool]]:
    """Cut an image into runs of pixels, and say which are in charge."""
    height, width = shape
    start, stop, _ = rows.indices(height)
    strips = []
    for first, last, counted in (
        (0, start, False),
        (start, stop, True),
        (stop, height, False),
    ):
        edges = [*range(first * width, last * width, _STRIP), last * width]
        strips += [(a, b, counted) for a, b in pairwise(edges)]
    return strips


def _add(one: Image, other: Image, sign: int, out: Image) -> None:
    (np.add if sign > 0 else np.subtract)(one, other, out=out)


def _add_ahead(image: Image, lag: int, sign: int, axis: int, out: Image) -> None:
    """Add the pixel `lag` further on, periodically, without a copy in between."""
    if axis == 0:
        _add(image[:-lag], image[lag:], sign, out[:-lag])
        _add(image[-lag:], image[:lag], sign, out[-lag:])
    else:  # as one long row, whose ends are then put right
        _add(image.ravel()[:-lag], image.ravel()[lag:], sign, out.ravel()[:-lag])
        _add(image[:, -lag:], image[:, :lag], sign, out[:, -lag:])


def _add_behind(image: Image, lag: int, sign: int, axis: int, out: Image) -> None:
    """Add the pixel `lag` before, periodically."""
    if axis == 0:
        _add(image[lag:], image[:-lag], sign, out[lag:])
        _add(image[:lag], image[-lag:], sign, out[:lag])
    else:
        _add(image.ravel()[lag:], image.ravel()[:-lag], sign, out.ravel()[lag:])
        _add(image[:, :lag], image[:, -lag:], sign, out[:, :lag])


def _add_up(sums: Image, lag: int) -> tuple[Image, Image]:
    """Sum and difference along rows, and the sum over boxes twice as wide."""
    halves = np.empty((2, *sums.shape), np.float32)
    _add_ahead(sums, lag, 1, 0, halves[0])
    _add_ahead(sums, lag, -1, 0, halves[1])
    wider = np.empty_like(halves[0])
    _add_ahead(halves[0], lag, 1, 1, wider)
    return halves, wider


def _detail(halves: Image, lag: int, orientation: tuple[int, int], out: Image) -> Image:
    rows, columns = orientation
    _add_ahead(halves[0 if rows > 0 else 1], lag, columns, 1, out)
    return out


def _mask_edges(
    sums: Image, width: int, orientation: tuple[int, int], out: Image
) -> None:
    """Tell from the boxes beside each, along its differences, whether all is even."""
    across = [axis for axis, sign in enumerate(orientation) if sign < 0]
    if min(sums.shape[axis] for axis in across) < 2 * width:
        out[:] = 1  # the neighbour would be the box itself, around the border
        return
    step, level = sums, sums
    for axis in across:
        ahead, behind = (partial(np.roll, shift=k, axis=axis) for k in (-width, width))
        step, level = ahead(step) - behind(step), ahead(level) + behind(level)
    step = np.abs(step)
    if len(across) == 1:
        along = 1 - across[0]
        step += (np.roll(step, width, along) + np.roll(step, -width, along)) / 2
        step /= 2
    scale = np.abs(level) / len(across) + 2  # twice the mean of the boxes
    np.exp(-np.square(step) / (12 * scale), out=out)


class _Shrink:
    """The threshold of one level, and its overlap with what the counts stand for."""

    def __init__(
        self, sums: Image, level: int, *, read: float, threshold: float
    ) -> None:
        self.sums = sums.ravel()
        self.read = np.float32(read)
        self.limit = np.float32(threshold**2)
        self.scale = np.float32(16.0**-level)
        self.lag = 2 ** (level - 1)

    def variances(self, sums: Image, now: Image, fewer: Image) -> None:
        """Square the threshold, for the counts and for when one electron is missing."""
        if not self.read:  # no sum is negative
            np.multiply(sums, self.limit, out=fewer)
            np.add(fewer, self.limit, out=now)
            return
        for out, one in ((now, 0), (fewer, 1)):
            np.abs(sums - np.float32(one), out=out)
            out += 1 + self.read
            out *= self.limit

    def noise(self, strips: list[tuple[int, int, bool]]) -> tuple[float, float]:
        """Tell what noise alone leaves above the threshold, and its variance.

        Boxes that share pixels are taken as one, which makes the variance too large.
        """
        few = moments_above(float(self.limit))
        ones, others = _normal_moments(float(self.limit))
        mean = variance = 0.0
        for sums in self.pieces(strips):
            many = sums + self.read
            if not self.read:
                many = sums[sums >= _FEW - 0.5]
                whole = np.rint(sums[sums < _FEW - 0.5]).astype(np.intp)
                found = np.bincount(whole, minlength=_FEW)
                mean += float(found @ few[0])
                variance += float(found @ few[1])
            mean += ones * float(many.sum())
            variance += others * float(np.square(many).sum())
        return mean, variance * (2 * self.lag) ** 2

    def pieces(
        self, strips: list[tuple[int, int, bool]]
    ) -> Iterator[NDArray[np.float64]]:
        """Give the electrons of the boxes in charge, a few at a time."""
        for start, stop, counted in strips:
            if counted:
                for first in range(start, stop, _PIECE):
                    piece = self.sums[first : min(first + _PIECE, stop)]
                    yield np.abs(piece).astype(np.float64)

    def strip(
        self, bands: Image, here: slice, work: Image
    ) -> tuple[NDArray[np.float64], float]:
        """Turn coefficients into functions; their correlations, what is above."""
        sums = self.sums[here]
        detail, now, fewer, first, second = work[:, : sums.size]
        large, small = bands[0, 0, here], bands[0, 1, here]
        detail[:] = large
        self.variances(sums, now, fewer)
        large *= self.scale
        _below(detail, now, small, kept=large)
        large -= small
        above = float(np.dot(detail, large)) / float(self.scale)
        np.subtract(detail, 1, out=now)
        _below(now, fewer, first, kept=now)
        slopes = self.slopes(now, fewer, sums, 1) if self.read else None
        np.add(detail, 1, out=now)
        _below(now, fewer, second, kept=now)
        if slopes is not None:
            slopes += self.slopes(now, fewer, sums, -1)
        difference = np.subtract(first, second, out=now)
        first += second
        every = float(np.dot(detail, detail)) - float(np.sum(sums))
        every -= self.read * sums.size
        below = self.below(sums, detail, difference, first, slopes)
        totals = [np.array([every - below, below])]
        if len(bands) == 2:
            mask = bands[1, 0, here]
            first *= mask
            difference *= mask
            slopes = None if slopes is None else slopes * mask
            every = float(np.dot(detail * mask, detail)) - float(np.dot(mask, sums))
            every -= self.read * float(mask.sum(dtype=np.float64))
            below = self.below(sums, detail, difference, first, slopes)
            even = np.array([every - below, below])
            totals = [even, totals[0] - even]
            np.multiply(small, 1 - mask, out=bands[1, 1, here])
            small -= bands[1, 1, here]
            np.multiply(large, mask, out=first)
            np.subtract(large, first, out=mask)
            large[:] = first
        return np.array(totals), above

    def below(
        self,
        sums: Image,
        detail: Image,
        difference: Image,
        both: Image,
        slopes: Image | None,
    ) -> float:
        """Sum the correlations of what is below the threshold."""
        total = float(np.dot(difference, sums)) + float(np.dot(both, detail))
        if slopes is not None:
            total -= self.read * float(slopes.sum(dtype=np.float64))
        return total / 2

    def slopes(
        self, detail: Image, limit: Image, sums: Image, sign: int
    ) -> NDArray[np.float32]:
        """Differentiate along (1, `sign`) in (detail, sums), where one is missing."""
        kept = 1 / (1 + (detail**2 / limit) ** 8)
        steep = kept * (1 - kept)
        along_sums = 8 * detail * steep * self.limit / limit * np.sign(sums - 1)
        return kept - 16 * steep + sign * along_sums


def _below(detail: Image, limit: Image, out: Image, *, kept: Image) -> None:
    """Keep what belongs to coefficients whose square is below a limit."""
    np.multiply(detail, detail, out=out)
    out /= limit
    for _ in range(3):
        out *= out
    out += 1
    np.divide(kept, out, out=out)


@cache
def moments_above(limit: float) -> NDArray[np.float64]:
    """Mean and variance of what noise leaves above, for 0 to 255 electrons in a box.

    Of d times what is above the threshold, where the square of the threshold is `limit`
    times one more than the electrons, and these fall on either side alike.
    """
    table = np.zeros((2, _FEW))
    for electrons in range(1, _FEW):
        ahead = np.arange(electrons + 1)
        odds = binom.pmf(ahead, electrons, 0.5)
        power = _above(2.0 * ahead - electrons, limit * (electrons + 1))
        table[0, electrons] = mean = odds @ power
        table[1, electrons] = odds @ power**2 - mean**2
    return table


@cache
def _normal_moments(limit: float) -> tuple[float, float]:
    """Mean and variance of the same for one electron, in units of their number."""
    steps = np.linspace(-12, 12, 4801)
    odds = norm.pdf(steps) * (steps[1] - steps[0])
    power = _above(steps, limit)
    return float(odds @ power), float(odds @ power**2 - (odds @ power) ** 2)


def _above(detail: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Square of a coefficient, as far as it is above a limit of the square."""
    square = detail**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.nan_to_num(square / (1 + (limit / square) ** 8))


def _process(
    shrink: _Shrink,
    band: Image,
    orientation: tuple[int, int],
    strips: list[tuple[int, int, bool]],
    spares: SimpleQueue[tuple[Image, Image]],
) -> tuple[NDArray[np.float64], float]:
    """Turn the coefficients of a band into its functions; their sums, as in `strip`."""
    strip, image = spares.get()
    flat = band.reshape(*band.shape[:2], -1)
    total, above = np.zeros(band.shape[:2]), 0.0
    # far above the threshold nothing is small; without an electron none can be missing
    with np.errstate(over="ignore", divide="ignore"):
        for start, stop, counted in strips:
            found, over = shrink.strip(flat, slice(start, stop), strip)
            total += found * counted
            above += over * counted
    for function in band.reshape(-1, *band.shape[2:]):
        _spread(function, shrink.lag, orientation, image)
    spares.put((strip, image))
    return total * float(shrink.scale), above


def _spread(image: Image, lag: int, signs: tuple[int, int], work: Image) -> None:
    """Sum over the boxes that a pixel is in, in place: the transposed transform."""
    lags = [lag, *(1 << k for k in range(lag.bit_length() - 1))]
    for axis, sign in enumerate(signs):
        for step, reach in enumerate(lags):
            _add_behind(image, reach, 1 if step else sign, axis, work)
            image, work = work, image  # an even number of times in all


def _overlap(
    sums: Image, levels: int, read_noise: float, strips: list[tuple[int, int, bool]]
) -> float:
    """Correlate the blurred image with what the counts stand for."""
    flat, total, pixels = sums.ravel(), 0.0, 0
    for start, stop, counted in strips:
        if counted:
            wide = flat[start:stop].astype(np.float64)
            total += float(np.dot(wide, wide) - wide.sum())
            pixels += wide.size
    return 16.0**-levels * (total - 4**levels * read_noise**2 * pixels)
