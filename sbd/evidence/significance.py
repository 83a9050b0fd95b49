r"""Calibrated statements about columns: p-values, false discoveries, power.

The score of a column is the sum over its disc of :math:`w_i y_i`, with the counts
:math:`y_i` and the weights :math:`w_i = \log(x_i / v)` of its likelihood ratio against
vacuum (`sbd.evidence.likelihood`). Counts are Poisson, so the distribution of the score
is known exactly, for vacuum and for the column as it was denoised: a compound Poisson
law, whose Fourier transform is
:math:`\exp \sum_i \lambda_i (e^{\mathrm{i} \theta w_i} - 1)`.
Weights are rounded to a fine grid, and what is then computed holds for the rounded
score without approximation.

All of this takes the claim :math:`x` as given beforehand. A denoiser that made it from
the same counts has used them already. `thin_counts` splits a recording into two that
are independent, one to denoise and one to test on; `judge_columns` does all of it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.columns.discs import count_vacuum, disc_pixels, vacuum_region
from sbd.columns.finding import Columns, check_columns, find_columns
from sbd.evidence.likelihood import check_claims, supported_columns
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import (
    apply_denoiser,
    check_between,
    check_counts,
    check_image,
    check_positive,
)

_GRID = 8192  # values that a rounded score can take
_LEAST = 1e-12  # what the transform resolves of a probability
_AT_ONCE = 64  # columns whose distributions are in the memory
_DOSES = 1 / 64, 64.0  # times the recorded one, between which a dose is looked for


def thin_counts(
    noisy: Image, *, share: float = 0.5, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Split a recording into two independent ones.

    Each electron goes to the first with probability `share`. If a count is Poisson with
    mean `x`, the two parts are independent Poisson counts with means ``share * x`` and
    ``(1 - share) * x``.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Whole counts [electrons per pixel].
    share : float, default 0.5
        Mean share of the electrons in the first part.
    rng : numpy.random.Generator
        Source of the randomness.

    Returns
    -------
    first : ndarray of shape (height, width)
        The one part, as float32 [electrons per pixel].
    second : ndarray of shape (height, width)
        The other; their sum is `noisy` [electrons per pixel].

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is no image of whole counts, or `share` is not between 0 and 1.

    Examples
    --------
    >>> first, second = thin_counts([[3, 0], [1, 4]], rng=np.random.default_rng(0))
    >>> (first + second).tolist()
    [[3.0, 0.0], [1.0, 4.0]]
    """
    noisy = check_counts(noisy)
    check_between(share, "share")
    if not isinstance(rng, np.random.Generator):
        msg = f"rng must be a numpy.random.Generator; got {rng!r}"
        raise TypeError(msg)
    whole = _whole_counts(noisy)
    first = rng.binomial(whole, share)
    return first.astype(np.float32), (whole - first).astype(np.float32)


def column_p_values(
    noisy: Image, claimed: Image, columns: Columns, *, vacuum: float = VACUUM
) -> NDArray[np.float64]:
    """Tell how probable a column's score, or a greater one, is in vacuum.

    What is tested is that the disc holds vacuum of exactly the mean `vacuum`: a small
    p-value rules that out. On top of other material it says nothing about a column;
    and where the vacuum counts 5 % more than was said, a bright column of the paper's
    size has a p-value up to 0.05 three times as often as it should.

    Where a disc has pixels of equal weight the score takes few values, and p-values are
    larger than uniform ones: the test keeps its level.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts [electrons per pixel].
    claimed : ndarray of shape (height, width)
        What is claimed about their means, from counts other than these
        [electrons per pixel].
    columns : Columns
        Columns to judge, each in the disc of its radius.
    vacuum : float, default 0.45
        Expected counts without the object [electrons per pixel].

    Returns
    -------
    ndarray of shape (n,)
        Exact one-sided p-values, but for a floor of 1e-12; 1 where the claim is the
        vacuum.

    Raises
    ------
    TypeError
        As for `log_likelihood_ratio`.
    ValueError
        As for `log_likelihood_ratio`, or if a count is not whole.

    Examples
    --------
    >>> disc = Columns(np.array([[4.0, 4.0]]), np.array([0.5]), np.array([1.0]))
    >>> claim, counts = np.full((9, 9), 2.0), np.full((9, 9), 3)
    >>> p = column_p_values(counts, claim, disc, vacuum=1.0)  # of one pixel
    >>> bool(np.isclose(p[0], stats.poisson.sf(2, 1.0)))
    True
    """
    laws = _Laws(noisy, claimed, columns, vacuum)
    scores = laws.scores(_whole_counts(laws.noisy))
    p_values = np.empty(len(columns))
    for some in laws.groups():
        tails = laws.survival(some, claimed=False)
        p_values[some] = _look_up(tails, scores[some] - laws.first[some])
    return np.where(laws.silent, 1.0, p_values.clip(_LEAST, 1.0))


def detection_power(
    claimed: Image,
    columns: Columns,
    *,
    level: float = 0.01,
    vacuum: float = VACUUM,
    dose: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Tell how probable it is that a column is told from vacuum, if it is there.

    Parameters
    ----------
    claimed : ndarray of shape (height, width)
        What is there [electrons per pixel].
    columns : Columns
        Columns to be tested, each in the disc of its radius.
    level : float, default 0.01
        Largest p-value that counts as support.
    vacuum : float, default 0.45
        Expected counts without the object [electrons per pixel].
    dose : float or array_like of shape (n,), default 1.0
        Times the dose of `claimed` and `vacuum` that will be recorded.

    Returns
    -------
    ndarray of shape (n,)
        Probability of a p-value of at most `level`, exact.

    Raises
    ------
    ValueError
        As for `column_p_values`, or if `level` is not between 0 and 1 or a dose is not
        positive.

    Examples
    --------
    >>> disc = Columns(np.array([[9.0, 9.0]]), np.array([6.0]), np.array([1.0]))
    >>> claim = np.full((19, 19), 0.6)
    >>> detection_power(claim, disc, dose=[1.0]) < detection_power(claim, disc, dose=4)
    array([ True])
    """
    check_between(level, "level")
    claimed = check_image(claimed, "claimed")
    check_columns(columns)
    dose = np.asarray(dose)
    real = dose.dtype.kind in "uif" and dose.shape in ((), (len(columns),))
    if not (real and ((dose > 0) & np.isfinite(dose)).all()):
        msg = f"dose must be one number above 0, or one for each column; got {dose}"
        raise ValueError(msg)
    laws = _Laws(np.zeros(claimed.shape), claimed, columns, vacuum, dose)
    power = np.empty(len(columns))
    for some in laws.groups():
        reached = laws.survival(some, claimed=False) <= level
        first = np.where(reached.any(axis=1), reached.argmax(axis=1), _GRID)
        power[some] = _look_up(laws.survival(some, claimed=True), first)
    power = np.where(laws.apart, 1.0, power.clip(0.0, 1.0))
    return np.where(laws.silent, 0.0, power)


def absence_p_values(
    noisy: Image,
    claimed: Image,
    columns: Columns,
    *,
    occupancy: float = 1.0,
    vacuum: float = VACUUM,
) -> NDArray[np.float64]:
    """Tell how probable a column's score, or a smaller one, is if the column is there.

    `column_p_values` asks whether the counts rule out vacuum; this asks whether they
    rule out the column. Where the dose is low they may do neither.

    Parameters
    ----------
    noisy, claimed : ndarray of shape (height, width)
        As for `column_p_values`.
    columns : Columns
        Columns to judge, each in the disc of its radius.
    occupancy : float, default 1.0
        Part of what the claim adds to the vacuum, or takes from it, that is to be ruled
        out. With 1 the column as claimed is tested, errors of the claim included; less
        forgives a claim that is too strong, and takes more counts.
    vacuum : float, default 0.45
        As for `column_p_values` [electrons per pixel].

    Returns
    -------
    ndarray of shape (n,)
        One-sided p-values, exact but for a floor of 1e-12; 1 where the claim is the
        vacuum. A column of that occupancy, or of more, gets one up to `level` with
        probability `level` at most.

    Raises
    ------
    TypeError
        As for `column_p_values`.
    ValueError
        As for `column_p_values`, or if `occupancy` is not above 0 and at most 1.

    Examples
    --------
    >>> disc = Columns(np.array([[4.0, 4.0]]), np.array([0.5]), np.array([1.0]))
    >>> claim, counts = np.full((9, 9), 6.0), np.full((9, 9), 2)
    >>> p = absence_p_values(counts, claim, disc, vacuum=1.0)  # of one pixel
    >>> bool(np.isclose(p[0], stats.poisson.cdf(2, 6.0)))
    True
    """
    real = isinstance(occupancy, int | float | np.number)
    if not (real and 0 < occupancy <= 1):
        msg = f"occupancy must be above 0 and at most 1; got {occupancy}"
        raise ValueError(msg)
    laws = _Laws(noisy, claimed, columns, vacuum, occupancy=occupancy)
    scores = laws.scores(_whole_counts(laws.noisy))
    p_values = np.empty(len(columns))
    for some in laws.groups():
        tails = laws.survival(some, claimed=True)
        above = _look_up(tails, scores[some] - laws.first[some] + 1)
        # beyond the grid's lower end no score is as small
        below = scores[some] < laws.first[some]
        p_values[some] = np.where(below, 0.0, 1 - above)
    p_values = np.where(laws.apart, laws.normal_tail(scores), p_values)
    return np.where(laws.silent, 1.0, p_values.clip(_LEAST, 1.0))


def decidable_dose(
    claimed: Image,
    columns: Columns,
    *,
    level: float = 0.01,
    power: float = 0.9,
    vacuum: float = VACUUM,
) -> NDArray[np.float64]:
    """Find the dose at which a column would be told from vacuum.

    Parameters
    ----------
    claimed : ndarray of shape (height, width)
        What is there [electrons per pixel].
    columns : Columns
        Columns to be tested, each in the disc of its radius.
    level : float, default 0.01
        Largest p-value that counts as support.
    power : float, default 0.9
        Probability of support to be reached.
    vacuum : float, default 0.45
        Expected counts without the object, at the dose of `claimed` [electrons per
        pixel].

    Returns
    -------
    ndarray of shape (n,)
        Mean counts in vacuum [electrons per pixel], to 1 percent; infinite where even
        64 times `vacuum` do not suffice, and not below a 64th of it. Scores are
        discrete: of small discs the power may fall short again a little higher up.

    Raises
    ------
    ValueError
        As for `detection_power`, or if `power` is not between 0 and 1.

    Examples
    --------
    >>> disc = Columns(np.array([[9.0, 9.0]]), np.array([6.0]), np.array([1.0]))
    >>> faint, strong = np.full((19, 19), 0.5), np.full((19, 19), 0.9)
    >>> bool(decidable_dose(faint, disc)[0] > 10 * decidable_dose(strong, disc)[0])
    True
    """
    check_between(power, "power")
    low, high = (np.full(len(columns), np.log(dose)) for dose in _DOSES)
    options = {"level": level, "vacuum": vacuum}
    never = detection_power(claimed, columns, dose=np.exp(high), **options) < power
    for _ in range(10):  # from a factor of 4,096 to one of 1.008
        middle = (low + high) / 2
        enough = (
            detection_power(claimed, columns, dose=np.exp(middle), **options) >= power
        )
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(never, np.inf, vacuum * np.exp(high))


@dataclass(frozen=True, eq=False)
class ColumnVerdicts:
    """What counts that a denoiser has not seen say about its columns."""

    columns: Columns  # found in `denoised`
    p_values: NDArray[np.float64]  # of each, under vacuum, on the part for the test
    supported: NDArray[np.bool_]  # which are told from vacuum
    power: NDArray[np.float64]  # probability of that, were it there as denoised
    denoised: Image  # from the first part, scaled to the whole [electrons per pixel]
    first: Image  # the part that was denoised [electrons per pixel]
    second: Image  # the part that was tested on [electrons per pixel]


def judge_columns(
    noisy: Image,
    denoise: Denoiser,
    *,
    rng: np.random.Generator,
    share: float = 0.5,
    level: float = 0.05,
    vacuum: float = VACUUM,
    columns: Columns | None = None,
    **finding: object,
) -> ColumnVerdicts:
    """Denoise one part of the counts, and ask the other which columns are there.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Whole counts [electrons per pixel].
    denoise : callable
        Image to image; sees the first part only.
    rng : numpy.random.Generator
        Of the split, see `thin_counts`.
    share : float, default 0.5
        Of the electrons that are denoised.
    level : float, default 0.05
        False discovery rate, see `supported_columns`.
    vacuum : float, default 0.45
        Expected counts of the whole without the object [electrons per pixel].
    columns : Columns, optional
        To be judged; by default those found in the denoised part.
    **finding
        Options of `find_columns`.

    Returns
    -------
    ColumnVerdicts
        ``columns``, ``p_values``, ``supported`` and ``power``, which is that at the
        largest p-value that was accepted, or at ``level / n`` if none was; and the
        images ``denoised``, ``first`` and ``second``. A warning tells where the image
        has no columns and counts something else than `vacuum`.

    Raises
    ------
    TypeError, ValueError
        As for `thin_counts`, `find_columns` and `column_p_values`.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> blur = lambda y: np.full(y.shape, y.mean())
    >>> len(judge_columns(counts, blur, rng=np.random.default_rng(0)).columns)
    0
    """
    first, second = thin_counts(noisy, share=share, rng=rng)
    estimate = apply_denoiser(denoise, first) / share  # at the dose of the whole
    if columns is None:
        columns = find_columns(estimate, **finding)
    check_positive(vacuum=vacuum)
    count_vacuum(first + second, vacuum_region(columns, first.shape), vacuum)
    left = {"vacuum": (1 - share) * vacuum}
    claimed = (1 - share) * estimate
    p_values = column_p_values(second, claimed, columns, **left)
    supported = supported_columns(p_values, level=level)
    worst = p_values[supported].max(initial=0.0) or level / max(len(columns), 1)
    worst = float(np.clip(worst, _LEAST, 1 - _LEAST))
    power = detection_power(claimed, columns, level=worst, **left)
    return ColumnVerdicts(columns, p_values, supported, power, estimate, first, second)


def tabulate_verdicts(
    verdicts: ColumnVerdicts, dose: NDArray[np.float64]
) -> pd.DataFrame:
    """List what was found of each column.

    Parameters
    ----------
    verdicts : ColumnVerdicts
        From `judge_columns`.
    dose : ndarray of shape (n,)
        From `decidable_dose` [electrons per pixel].

    Returns
    -------
    pandas.DataFrame
        For each column ``row``, ``column`` and ``radius`` [pixels], its contrast
        ``amplitude`` [electrons per pixel], ``p``, whether it is ``supported``, the
        ``power`` and the ``decidable dose`` [electrons per pixel].

    Raises
    ------
    ValueError
        If there is not one dose for each column.

    Examples
    --------
    >>> one = Columns(np.array([[4.0, 5.0]]), np.array([3.0]), np.array([0.2]))
    >>> few, flat = np.array([0.01]), np.ones((9, 9))
    >>> verdicts = ColumnVerdicts(one, few, few < 0.05, few, flat, flat, flat)
    >>> tabulate_verdicts(verdicts, np.array([0.9]))["supported"].tolist()
    [True]
    """
    columns = verdicts.columns
    dose = np.asarray(dose, dtype=np.float64)
    if dose.shape != (len(columns),):
        msg = f"dose must have one value for each of {len(columns)} columns; got {dose}"
        raise ValueError(msg)
    rows, across = columns.positions.T
    return pd.DataFrame(
        {
            "row": rows,
            "column": across,
            "radius": columns.radii,
            "amplitude": columns.amplitudes,
            "p": verdicts.p_values,
            "supported": verdicts.supported,
            "power": verdicts.power,
            "decidable dose": dose,
        }
    )


def _whole_counts(noisy: Image) -> NDArray[np.int64]:
    """Return counts as integers, or say which is none."""
    whole = np.rint(noisy).astype(np.int64)
    if (whole != noisy).any():
        odd = noisy[whole != noisy][0]
        msg = (
            f"noisy must hold whole counts; got {odd:g} (in a sum over resampled or "
            "gain-corrected frames the noise is not Poisson)"
        )
        raise ValueError(msg)
    return whole


def _look_up(tails: NDArray, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take one entry of each row; beyond the last there is no probability."""
    tails = np.pad(tails, ((0, 0), (0, 1)))
    place = place.clip(0, _GRID)[:, None]
    return np.take_along_axis(tails, place, axis=1)[:, 0]


class _Laws:
    """The distributions of the rounded scores of all columns."""

    def __init__(
        self,
        noisy: Image,
        claimed: Image,
        columns: Columns,
        vacuum: float,
        dose: ArrayLike = 1.0,
        occupancy: float = 1.0,
    ) -> None:
        self.noisy, logs, excess = check_claims(noisy, claimed, vacuum, "claimed")
        self.which, self.pixels = disc_pixels(columns, self.noisy.shape)
        self.number = len(columns)
        weights = logs[self.pixels]
        dose = np.broadcast_to(np.asarray(dose, np.float64), self.number)[self.which]
        self.empty = vacuum * dose
        self.full = (vacuum + occupancy * excess[self.pixels]) * dose
        means = [self._sum(rate * weights) for rate in (self.empty, self.full)]
        variance = np.maximum(
            *(self._sum(rate * weights**2) for rate in (self.empty, self.full))
        )
        # farther from its mean than this no sum is, but for `_LEAST` (Bernstein)
        largest = np.zeros(self.number)
        np.maximum.at(largest, self.which, np.abs(weights))
        skew = -np.log(_LEAST) * largest / 3
        far = skew + np.sqrt(skew**2 - 2 * np.log(_LEAST) * variance)
        self.silent = largest == 0
        self.apart = means[1] - means[0] > 2 * far
        apart = np.minimum(np.abs(means[1] - means[0]), 2 * far)
        span = apart + 2 * far
        step = np.where(self.silent, 1.0, span / _GRID)
        self.weights = np.rint(weights / step[self.which]).astype(np.int64)
        self.first = np.rint((np.minimum(*means) - far) / step).astype(np.int64)

    def _sum(self, values: NDArray) -> NDArray:
        return np.bincount(self.which, weights=values, minlength=self.number)

    def groups(self) -> list[NDArray[np.intp]]:
        """Split the columns into groups that fit into the memory."""
        each = np.arange(self.number)
        return [each[i : i + _AT_ONCE] for i in range(0, self.number, _AT_ONCE)]

    def scores(self, counts: Image) -> NDArray[np.int64]:
        """Sum the weighted counts of every column."""
        return np.rint(self._sum(self.weights * counts[self.pixels])).astype(np.int64)

    def normal_tail(self, scores: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each score or a smaller one, nearly, if claimed."""
        mean = self._sum(self.full * self.weights)
        deviation = np.sqrt(self._sum(self.full * self.weights**2))
        return stats.norm.cdf((scores - mean) / np.where(deviation > 0, deviation, 1.0))

    def survival(self, some: NDArray[np.intp], *, claimed: bool) -> NDArray[np.float64]:
        """Return the probability of each score or a greater one, from `first` on."""
        rates = self.full if claimed else self.empty
        mine = (self.which >= some[0]) & (self.which <= some[-1])
        row = self.which[mine] - some[0]
        place = row * _GRID + self.weights[mine] % _GRID
        jumps = np.bincount(place, weights=rates[mine], minlength=len(some) * _GRID)
        wave = np.fft.rfft(jumps.reshape(len(some), _GRID), axis=1)
        law = np.fft.irfft(np.exp(wave - wave[:, :1].real), _GRID, axis=1)
        order = (self.first[some][:, None] + np.arange(_GRID)) % _GRID
        law = np.take_along_axis(law, order, axis=1)
        return np.cumsum(law[:, ::-1], axis=1)[:, ::-1]
