"""Calibrated statements about columns: p-values, false discoveries, power.

A column is claimed by its image. The counts are asked whether they rule out what would
be there without it: vacuum, or what `sbd.evidence.erasure` tells of the place. The laws
of the score are exact (`sbd.evidence.laws`).

All of this takes the claim as given beforehand. A denoiser that made it from the same
counts has used them already. `thin_counts` splits a recording into two that are
independent, one to denoise and one to test on; `sbd.evidence.verdicts` does all of it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbd.columns.finding import Columns, check_columns
from sbd.evidence.erasure import ErasedColumns
from sbd.evidence.laws import ScoreLaws, check_recorded
from sbd.simulation.noise import VACUUM
from sbd.typing import Image
from sbd.validation import check_between, check_counts, check_image

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
    whole = check_recorded(noisy, noisy)
    first = rng.binomial(whole, share)
    return first.astype(np.float32), (whole - first).astype(np.float32)


def column_p_values(
    noisy: Image,
    claimed: Image,
    columns: Columns,
    *,
    vacuum: float = VACUUM,
    erased: ErasedColumns | None = None,
) -> NDArray[np.float64]:
    """Tell how probable a column's score, or a greater one, is without the column.

    What is tested is that the disc holds `erased`, the image without this column and
    what may be wrong with that; without it, that the disc holds vacuum of exactly the
    mean `vacuum`. A small p-value rules that out. Against vacuum, a disc on top of
    other material is told from vacuum, column or none; and where the vacuum counts 5 %
    more than was said, a bright column of the paper's size has a p-value up to 0.05
    three times as often as it should.

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
    erased : ErasedColumns, optional
        From `erase_columns` of `claimed`, to be tested instead of vacuum, in its discs.

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
    >>> from scipy import stats
    >>> disc = Columns(np.array([[4.0, 4.0]]), np.array([0.5]), np.array([1.0]))
    >>> claim, counts = np.full((9, 9), 2.0), np.full((9, 9), 3)
    >>> p = column_p_values(counts, claim, disc, vacuum=1.0)  # of one pixel
    >>> bool(np.isclose(p[0], stats.poisson.sf(2, 1.0)))
    True
    """
    counts = check_recorded(noisy, claimed)
    return ScoreLaws(claimed, columns, vacuum, erased=erased).presence(counts)


def detection_power(
    claimed: Image,
    columns: Columns,
    *,
    level: float = 0.01,
    vacuum: float = VACUUM,
    erased: ErasedColumns | None = None,
    dose: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Tell how probable it is that a column is found by its test, if it is there.

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
    erased : ErasedColumns, optional
        From `erase_columns` of `claimed`, to be tested instead of vacuum, in its discs.
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
    return ScoreLaws(claimed, columns, vacuum, erased=erased, dose=dose).power(level)


def absence_p_values(
    noisy: Image,
    claimed: Image,
    columns: Columns,
    *,
    occupancy: float = 1.0,
    vacuum: float = VACUUM,
    erased: ErasedColumns | None = None,
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
        Part of what the claim adds to the rest, or takes from it, that is to be ruled
        out. With 1 the column as claimed is tested, errors of the claim included; less
        forgives a claim that is too strong, and takes more counts.
    vacuum : float, default 0.45
        As for `column_p_values` [electrons per pixel].
    erased : ErasedColumns, optional
        From `erase_columns` of `claimed`, the rest that the claim adds to.

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
    >>> from scipy import stats
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
    counts = check_recorded(noisy, claimed)
    laws = ScoreLaws(claimed, columns, vacuum, erased=erased, occupancy=occupancy)
    return laws.absence(counts)


def decidable_dose(
    claimed: Image,
    columns: Columns,
    *,
    level: float = 0.01,
    power: float = 0.9,
    vacuum: float = VACUUM,
    erased: ErasedColumns | None = None,
) -> NDArray[np.float64]:
    """Find the dose at which a claim made beforehand would be found by its test.

    All of the counts test it. `judge_columns` makes its claims from a part of them, and
    tells the dose for that.

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
    erased : ErasedColumns, optional
        From `erase_columns` of `claimed`, to be tested instead of vacuum, in its discs.

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
    options = {"level": level, "vacuum": vacuum, "erased": erased}
    never = detection_power(claimed, columns, dose=np.exp(high), **options) < power
    for _ in range(10):  # from a factor of 4,096 to one of 1.008
        middle = (low + high) / 2
        enough = (
            detection_power(claimed, columns, dose=np.exp(middle), **options) >= power
        )
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(never, np.inf, vacuum * np.exp(high))
