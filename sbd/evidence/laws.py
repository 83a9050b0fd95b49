r"""The exact laws of columns' scores, without and with the column.

The score of a column is the sum over its disc of :math:`w_i y_i`, with the counts
:math:`y_i` and the weights :math:`w_i = \log(x_i / z_i)` of its likelihood ratio: what
is claimed, :math:`x`, against what would be there without it, :math:`z`. Counts are
Poisson, so the distribution of the score is a compound Poisson law, whose Fourier
transform is :math:`\exp \sum_i \lambda_i (e^{\mathrm{i} \theta w_i} - 1)`. Weights are
rounded to a fine grid, and what is then computed holds for the rounded score without
approximation.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns
from sbd.evidence.counts import round_counts
from sbd.evidence.erasure import ErasedColumns
from sbd.typing import Image
from sbd.validation import check_counts, check_image, check_positive, check_shape

LEAST = 1e-12
"""What the transform resolves of a probability."""

_GRID = 4096  # values that a rounded score can take
_AT_ONCE = 64  # columns whose distributions are in the memory
_COARSE = 0.25  # of the largest weight: on a coarser grid the law is taken as normal
_FAINT = np.log(LEAST) - 20  # of a frequency, what no probability feels
_RAISED = 1e-3  # a mean below this part of the one without the column is raised to it


class ScoreLaws:
    """The distributions of the rounded scores of all columns.

    Without the column counts `vacuum`, or what `erased` tells of its disc and how far
    that is to be doubted; with it what is `claimed`, or the part `occupancy` of what
    that adds.
    """

    def __init__(
        self,
        claimed: Image,
        columns: Columns,
        vacuum: float,
        *,
        erased: ErasedColumns | None = None,
        dose: ArrayLike = 1.0,
        occupancy: ArrayLike = 1.0,
    ) -> None:
        check_positive(vacuum=vacuum)
        claimed = check_image(claimed, "claimed").astype(np.float64)
        columns = columns if erased is None else check_erased(erased, columns)
        self.which, self.pixels = disc_pixels(columns, claimed.shape)
        self.number = len(columns)
        dose = np.broadcast_to(np.asarray(dose, np.float64), self.number)[self.which]
        there = claimed[self.pixels]
        bare = np.full(len(there), float(vacuum)) if erased is None else erased.means
        there = np.maximum(there, _RAISED * bare)
        median, self.scale = 0.0, 0.0
        if erased is not None:
            median = erased.doubts[self.which, 0].clip(-0.5, 0.95)
            self.scale = erased.doubts[:, 1]
        empty = np.maximum(bare + median * (there - bare), _RAISED * bare)
        weights = np.log(there / empty)
        self.bare, self.there = bare * dose, there * dose
        self.empty = empty * dose
        occupancy = np.broadcast_to(occupancy, self.number)[self.which]
        self.full = np.maximum(bare + occupancy * (there - bare), 0.0) * dose
        self.excess = self._sum((there - bare) * dose)
        self.means = [self._sum(rate * weights) for rate in (self.empty, self.full)]
        self.variances = [
            self._sum(rate * weights**2) for rate in (self.empty, self.full)
        ]
        self._round(weights)

    def _round(self, weights: NDArray[np.float64]) -> None:
        """Choose a grid that holds both laws, and round the weights to it."""
        # the score without the column is spread by what may be left of it
        self.blur = self.scale * self._sum((self.there - self.bare) * weights).clip(0)
        # farther from its mean than this no sum is, but for `LEAST` (Bernstein)
        largest = np.zeros(self.number)
        np.maximum.at(largest, self.which, np.abs(weights))
        skew = -np.log(LEAST) * largest / 3
        variance = np.maximum(self.variances[0] + self.blur**2, self.variances[1])
        far = skew + np.sqrt(skew**2 - 2 * np.log(LEAST) * variance)
        self.silent = largest < 1e-9
        self.apart = self.means[1] - self.means[0] > 2 * far
        apart = np.minimum(np.abs(self.means[1] - self.means[0]), 2 * far)
        span = apart + 2 * far
        step = np.where(self.silent, 1.0, span / _GRID)
        self.steps = self.blur / step
        # so many electrons that the law is normal, but for its skewness
        self.coarse = ~self.silent & (step > _COARSE * largest)
        self.exact = weights
        self.weights = np.rint(weights / step[self.which]).astype(np.int64)
        self.first = np.rint((np.minimum(*self.means) - far) / step).astype(np.int64)

    def _sum(self, values: NDArray) -> NDArray:
        return np.bincount(self.which, weights=values, minlength=self.number)

    def groups(self) -> list[NDArray[np.intp]]:
        """Split the columns into groups that fit into the memory."""
        each = np.arange(self.number)
        return [each[i : i + _AT_ONCE] for i in range(0, self.number, _AT_ONCE)]

    def scores(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum the weighted counts of every column."""
        return np.rint(self._sum(self.weights * counts[self.pixels])).astype(np.int64)

    def presence(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each score, or a greater one, without column."""
        scores = self.scores(counts)
        p_values = np.empty(self.number)
        for some in self.groups():
            p_values[some] = self._tails(some, scores[some], claimed=False)
        if self.coarse.any():
            score = self._standard(counts, claimed=False)
            p_values = np.where(self.coarse, stats.norm.sf(score), p_values)
        return np.where(self.silent, 1.0, p_values.clip(LEAST, 1.0))

    def absence(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each score, or a smaller one, with the column."""
        scores = self.scores(counts)
        p_values = np.empty(self.number)
        for some in self.groups():
            above = self._tails(some, scores[some] + 1, claimed=True)
            # beyond the grid's lower end no score is as small
            below = scores[some] < self.first[some]
            p_values[some] = np.where(below, 0.0, 1 - above)
        p_values = np.where(self.apart, self._normal_tail(scores), p_values)
        if self.coarse.any():
            score = self._standard(counts, claimed=True)
            p_values = np.where(self.coarse, stats.norm.cdf(score), p_values)
        return np.where(self.silent, 1.0, p_values.clip(LEAST, 1.0))

    def amplitudes(
        self, counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimate which part of each claim is there, and the standard deviation."""
        # an unbiased sum over the disc, with the weights of the test
        claimed = self._sum(self.weights * (self.there - self.bare))
        claimed = np.where(claimed > 0, claimed, np.inf)
        found = self._sum(self.weights * (counts[self.pixels] - self.bare))
        noise = np.sqrt(self._sum(self.weights**2 * self.there))
        return found / claimed, noise / claimed

    def power(self, level: float) -> NDArray[np.float64]:
        """Return the probability of a p-value of at most `level` with the column."""
        power = np.empty(self.number)
        for some in self.groups():
            reached = self.survival(some, claimed=False) <= level
            first = np.where(reached.any(axis=1), reached.argmax(axis=1), _GRID)
            power[some] = _look_up(self.survival(some, claimed=True), first)
        power = np.where(self.apart, 1.0, power.clip(0.0, 1.0))
        if self.coarse.any():
            mean, width, skew = self._moments(claimed=False)
            score = stats.norm.isf(level)
            bar = mean + width * (score + skew * (score**2 - 1) / 6)
            mean, width, _ = self._moments(claimed=True)
            power = np.where(self.coarse, stats.norm.sf((bar - mean) / width), power)
        return np.where(self.silent, 0.0, power)

    def _moments(
        self, *, claimed: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean, standard deviation and skewness of each score."""
        rates = self.full if claimed else self.empty
        mean, square, cube = (self._sum(rates * self.exact**k) for k in (1, 2, 3))
        square = square + (0.0 if claimed else self.blur**2)
        width = np.sqrt(np.where(square > 0, square, 1.0))
        return mean, width, cube / width**3

    def _standard(
        self, counts: NDArray[np.int64], *, claimed: bool
    ) -> NDArray[np.float64]:
        """Return the standard score of every column, its skewness taken out."""
        mean, width, skew = self._moments(claimed=claimed)
        score = (self._sum(self.exact * counts[self.pixels]) - mean) / width
        # beyond that the correction would turn back
        far = 3 / np.maximum(np.abs(skew), 1e-9)
        score = score.clip(-far, far)
        return score - skew * (score**2 - 1) / 6

    def _normal_tail(self, scores: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each score or a smaller one, nearly, if claimed."""
        mean = self._sum(self.full * self.weights)
        deviation = np.sqrt(self._sum(self.full * self.weights**2))
        return stats.norm.cdf((scores - mean) / np.where(deviation > 0, deviation, 1.0))

    def survival(self, some: NDArray[np.intp], *, claimed: bool) -> NDArray[np.float64]:
        """Return the probability of each score or a greater one, from `first` on."""
        law = self._law(some, claimed=claimed)
        order = (self.first[some][:, None] + np.arange(_GRID)) % _GRID
        law = np.take_along_axis(law, order, axis=1)
        return np.cumsum(law[:, ::-1], axis=1)[:, ::-1]

    def _tails(
        self, some: NDArray[np.intp], scores: NDArray[np.int64], *, claimed: bool
    ) -> NDArray[np.float64]:
        """Return the probability of one score of each column, or a greater one."""
        law = self._law(some, claimed=claimed)
        first = self.first[some][:, None]
        place = (np.arange(_GRID) - first) % _GRID
        return law.sum(axis=1, where=place >= scores[:, None] - first)

    def _law(self, some: NDArray[np.intp], *, claimed: bool) -> NDArray[np.float64]:
        """Return the probability of each score, by its remainder on the grid."""
        rates = self.full if claimed else self.empty
        mine = (self.which >= some[0]) & (self.which <= some[-1])
        row = self.which[mine] - some[0]
        place = row * _GRID + self.weights[mine] % _GRID
        jumps = np.bincount(place, weights=rates[mine], minlength=len(some) * _GRID)
        wave = np.fft.rfft(jumps.reshape(len(some), _GRID), axis=1)
        wave = wave - wave[:, :1].real
        if not claimed and self.steps[some].any():
            angle = np.arange(wave.shape[1]) * (2 * np.pi / _GRID)
            wave = wave - (self.steps[some, None] * angle) ** 2 / 2
        # few are, and exp takes most of the time; what is no number stays so
        loud = ~(wave.real <= _FAINT)
        wave = np.exp(wave, out=np.zeros_like(wave), where=loud)
        return np.fft.irfft(wave, _GRID, axis=1)


def check_recorded(noisy: Image, claimed: Image) -> NDArray[np.int64]:
    """Return whole counts as integers, or say what is wrong with either image."""
    noisy = check_counts(noisy)
    check_shape(check_image(claimed, "claimed"), "claimed", noisy, "noisy")
    return round_counts(noisy)


def check_erased(erased: ErasedColumns, columns: Columns) -> Columns:
    """Return the discs of `erased`, or say that it is of other columns."""
    mine, theirs = erased.columns.positions, columns.positions
    if mine.shape != theirs.shape or (mine != theirs).any():
        msg = (
            f"erased must be what erase_columns gives for these {len(theirs)} columns; "
            f"got {len(mine)}, or others"
        )
        raise ValueError(msg)
    for name, values in (("means", erased.means), ("doubts", erased.doubts)):
        if not np.isfinite(values).all():
            msg = f"erased must have finite {name}; got NaN or infinity"
            raise ValueError(msg)
    return erased.columns


def _look_up(tails: NDArray, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take one entry of each row; beyond the last there is no probability."""
    tails = np.pad(tails, ((0, 0), (0, 1)))
    place = place.clip(0, _GRID)[:, None]
    return np.take_along_axis(tails, place, axis=1)[:, 0]
