"""Check that what is called a probability is one."""

import warnings

import numpy as np
import pytest
from scipy import ndimage, stats

from sbd.columns.finding import Columns
from sbd.evidence.likelihood import supported_columns
from sbd.evidence.significance import (
    absence_p_values,
    column_p_values,
    decidable_dose,
    detection_power,
    thin_counts,
)

STEP, RADIUS = 24, 8  # of a square lattice of discs [pixels]


def lattice(rows, cols, *, vacuum, height=0.5):
    """Claims of columns on a square lattice, by and by fainter, and their discs."""
    y, x = np.indices((STEP, STEP)) - (STEP - 1) / 2
    bump = np.exp(-(x**2 + y**2) / (2 * 3.5**2))
    heights = height * np.linspace(-0.6, 1, rows * cols).reshape(rows, cols)
    claim = vacuum * (1 + np.kron(heights, bump))
    places = np.stack(np.indices((rows, cols)), -1).reshape(-1, 2) * STEP
    places = places + (STEP - 1) / 2
    n = len(places)
    return claim, Columns(places, np.full(n, float(RADIUS)), np.full(n, 0.1))


def test_the_parts_of_a_recording_are_independent_poisson_counts():
    counts = np.random.default_rng(0).poisson(2.0, (400, 400))
    first, second = thin_counts(counts, share=0.3, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(first + second, counts)
    # means and variances of 160,000 counts: four standard errors, of a variance
    # sqrt((m + 2 m^2) / n)
    for part, mean in ((first, 0.6), (second, 1.4)):
        assert part.mean() == pytest.approx(mean, abs=4 * (mean / 160_000) ** 0.5)
        error = ((mean + 2 * mean**2) / 160_000) ** 0.5
        assert part.var() == pytest.approx(mean, abs=4 * error)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / 400


def test_a_p_value_is_the_probability_of_that_score_or_a_greater_one():
    claim = np.full((9, 9), 1.0)
    claim[4, 4], claim[4, 5], claim[5, 4] = 2.0, 1.5, 0.6
    disc = Columns(np.array([[4.0, 4.0]]), np.array([1.0]), np.array([0.1]))
    weights = np.log([2.0, 1.5, 0.6])
    counts = np.ones((9, 9))
    counts[4, 4], counts[4, 5], counts[5, 4] = 2, 1, 1
    n = np.stack(np.indices((25, 25, 25))).reshape(3, -1)
    law = stats.poisson.pmf(n, 1.0).prod(axis=0)
    score = weights @ n
    # ties of the true weights would be broken by rounding, and here there are none
    expected = law[score >= weights @ [2, 1, 1] - 1e-9].sum()
    (p,) = column_p_values(counts, claim, disc, vacuum=1.0)
    # weights are rounded to some 1/270 of the score's deviation, which moves few atoms
    # of the law across the border
    assert p == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("dose", [0.1, 0.45, 5.0])
def test_in_vacuum_p_values_are_uniform(dose):
    claim, discs = lattice(40, 50, vacuum=dose)
    counts = np.random.default_rng(3).poisson(dose, claim.shape)
    p = column_p_values(counts, claim, discs, vacuum=dose)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def follow_the_noise(noisy):
    return ndimage.gaussian_filter(noisy.astype(float), 4)


def test_the_same_counts_cannot_be_used_twice():
    rng = np.random.default_rng(4)
    counts = rng.poisson(0.45, (40 * STEP, 40 * STEP))
    _, discs = lattice(40, 40, vacuum=0.45)
    naive = column_p_values(counts, follow_the_noise(counts), discs)
    first, second = thin_counts(counts, rng=rng)
    split = column_p_values(second, follow_the_noise(first), discs, vacuum=0.225)
    assert stats.kstest(split, "uniform").pvalue > 0.01
    # ten times as many as there should be, and none of these columns is there
    assert np.mean(naive < 0.01) > 0.1
    assert supported_columns(naive).mean() > 0.1
    assert not supported_columns(split).any()


def test_an_absence_is_the_probability_of_that_score_or_a_smaller_one():
    claim = np.full((9, 9), 1.0)
    claim[4, 4], claim[4, 5], claim[5, 4] = 2.0, 1.5, 0.6
    disc = Columns(np.array([[4.0, 4.0]]), np.array([1.0]), np.array([0.1]))
    weights = np.log([2.0, 1.5, 0.6])
    counts = np.ones((9, 9))
    counts[4, 4], counts[4, 5], counts[5, 4] = 2, 1, 1
    n = np.stack(np.indices((25, 25, 25))).reshape(3, -1)
    for occupancy in (1.0, 0.5):
        means = 1 + occupancy * (np.array([2.0, 1.5, 0.6]) - 1)
        law = stats.poisson.pmf(n, means[:, None]).prod(axis=0)
        expected = law[weights @ n <= weights @ [2, 1, 1] + 1e-9].sum()
        (p,) = absence_p_values(counts, claim, disc, vacuum=1.0, occupancy=occupancy)
        # as above: rounded weights move few atoms of the law across the border
        assert p == pytest.approx(expected, rel=0.02)


def test_a_column_that_is_there_is_ruled_out_at_the_level():
    claim, discs = lattice(30, 40, vacuum=0.45, height=0.9)
    rng = np.random.default_rng(7)
    p = absence_p_values(rng.poisson(claim), claim, discs)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    # and with half of it at most as often, four standard errors of 1,200 columns
    half = absence_p_values(rng.poisson(claim), claim, discs, occupancy=0.5)
    assert np.mean(half <= 0.05) < 0.05
    # where there is vacuum it is ruled out as often as the powers say
    gone = absence_p_values(rng.poisson(0.45, claim.shape), claim, discs)
    assert np.mean(gone <= 0.05) > 0.2


def test_counts_far_from_both_are_still_answered():
    """Far apart, the exact laws are beyond the grid: the normal tail answers."""
    claim = np.full((40, 40), 9.0)
    disc = Columns(np.array([[20.0, 20.0]]), np.array([15.0]), np.array([4.0]))
    rng = np.random.default_rng(0)
    there = absence_p_values(rng.poisson(claim), claim, disc)[0]
    assert 0.001 < there < 0.999  # a uniform number
    assert absence_p_values(rng.poisson(0.45, (40, 40)), claim, disc)[0] == 1e-12
    assert absence_p_values(np.zeros((40, 40)), claim, disc)[0] == 1e-12


def test_power_is_how_often_a_column_is_found():
    claim, discs = lattice(3, 6, vacuum=0.45, height=0.9)
    rng, found = np.random.default_rng(5), 0
    for _ in range(200):
        p = column_p_values(rng.poisson(claim), claim, discs)
        found = found + (p <= 0.05)
    power = detection_power(claim, discs, level=0.05)
    error = np.sqrt(power * (1 - power) / 200)
    score = (found / 200 - power)[error > 0.005] / error[error > 0.005]
    assert np.abs(score).max() < 4  # of 18
    assert abs(score.mean()) < 4 / len(score) ** 0.5
    assert power.min() < 0.2
    assert power.max() > 0.8


def test_at_the_decidable_dose_the_power_is_what_was_asked_for():
    claim, discs = lattice(4, 5, vacuum=0.45)
    dose = decidable_dose(claim, discs, level=0.01, power=0.9)
    assert (dose > 0).all()
    there = np.isfinite(dose)
    power = detection_power(
        claim, discs, level=0.01, dose=np.where(there, dose, 1) / 0.45
    )
    np.testing.assert_allclose(power[there], 0.9, atol=0.02)
    faint = np.abs(claim.reshape(4, STEP, 5, STEP) - 0.45).max(axis=(1, 3)).argmin()
    assert dose[faint] == np.inf
    assert there.sum() > 10


def test_a_hopeless_column_is_never_decidable():
    flat = np.full((40, 40), 0.45)
    disc = Columns(np.array([[20.0, 20.0]]), np.array([6.0]), np.array([0.1]))
    assert np.isinf(decidable_dose(flat, disc)).all()
    assert column_p_values(np.ones((40, 40)), flat, disc).tolist() == [1.0]
    assert detection_power(flat, disc).tolist() == [0.0]


def test_a_strong_column_is_decidable_at_once():
    claim = np.full((40, 40), 4.5)
    disc = Columns(np.array([[20.0, 20.0]]), np.array([15.0]), np.array([4.0]))
    assert detection_power(claim, disc).tolist() == [1.0]
    assert decidable_dose(claim, disc)[0] <= 0.45 / 60
    counts = np.random.default_rng(0).poisson(claim)
    assert column_p_values(counts, claim, disc).tolist() == [1e-12]


def test_few_of_the_supported_are_vacuum():
    claim, discs = lattice(8, 8, vacuum=0.45, height=0.9)
    truth = claim.copy()
    truth[:, : 4 * STEP] = 0.45  # half of the columns are not there
    false = np.indices((8, 8))[1].ravel() < 4
    rng, shares = np.random.default_rng(6), []
    for _ in range(100):
        p = column_p_values(rng.poisson(truth), claim, discs)
        chosen = supported_columns(p, level=0.1)
        shares.append((chosen & false).sum() / max(chosen.sum(), 1))
    # half of the columns are vacuum, so that the mean share is half the level
    error = np.std(shares) / 100**0.5
    assert np.mean(shares) == pytest.approx(0.05, abs=4 * error)


def test_no_columns_are_an_answer():
    none = Columns(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    counts = np.ones((30, 30))
    assert column_p_values(counts, counts, none).shape == (0,)
    assert detection_power(counts, none).shape == (0,)
    assert decidable_dose(counts, none).shape == (0,)
    assert supported_columns([]).shape == (0,)
    assert absence_p_values(counts, counts, none).shape == (0,)


@pytest.mark.parametrize(
    "places",
    [[(60, 60)], [(60, 30), (60, 60), (60, 90)], [(60, 55), (60, 62), (64, 58)]],
    ids=["one", "collinear", "overlapping"],
)
def test_columns_of_every_arrangement_have_an_answer(places):
    y, x = np.indices((120, 120))
    claim = 0.45 + sum(
        0.5 * np.exp(-((y - r) ** 2 + (x - c) ** 2) / 50) for r, c in places
    )
    n = len(places)
    columns = Columns(np.array(places, float), np.full(n, 7.0), np.full(n, 0.5))
    counts = np.random.default_rng(1).poisson(claim)
    p = column_p_values(counts, claim, columns)
    # what overlaps is tested disc by disc: the same as alone
    alone = [column_p_values(counts, claim, columns[i])[0] for i in range(n)]
    np.testing.assert_allclose(p, alone, rtol=1e-9)
    assert (p < 0.01).all()


def test_no_counts_at_all_support_nothing():
    nothing, claim = np.zeros((60, 60)), lattice(2, 2, vacuum=0.45)[0]
    _, discs = lattice(2, 2, vacuum=0.45)
    claim = np.pad(np.maximum(claim, 0.5), 6, mode="edge")
    p = column_p_values(nothing, claim, discs)
    np.testing.assert_allclose(p, 1.0, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, _: thin_counts(y + 0.5, rng=np.random.default_rng(0)),
         "noisy must hold whole counts; got 1.5"),
        (lambda y, _: thin_counts(y, share=1, rng=np.random.default_rng(0)),
         "share must be between 0 and 1; got 1"),
        (lambda y, c: column_p_values(y / 2, y, c), "whole counts; got 0.5"),
        (lambda *_: supported_columns([0.1], level=0), "level must be between"),
        (lambda *_: supported_columns([1.1]), "p_values must be one row of numbers"),
        (lambda y, c: detection_power(y, c, dose=-1.0), "dose must be one number"),
        (lambda y, c: detection_power(y, c, level=2), "level must be between 0 and 1"),
        (lambda y, c: absence_p_values(y / 2, y, c), "whole counts; got 0.5"),
        (lambda y, c: absence_p_values(y, y, c, occupancy=0),
         "occupancy must be above 0 and at most 1; got 0"),
        (lambda y, c: decidable_dose(y, c, power=1), "power must be between 0 and 1"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, message):
    disc = Columns(np.array([[9.0, 9.0]]), np.array([6.0]), np.array([0.1]))
    with pytest.raises(ValueError, match=message):
        call(np.ones((20, 20)), disc)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("vacuum", "claim"), [(0.001, 0.0015), (0.01, 0.005), (0.1, 3)]
)
def test_p_values_of_a_single_pixel_are_those_of_its_count(vacuum, claim, count):
    """Far fewer electrons than one, where the law is anything but normal."""
    one = Columns(np.array([[4.0, 4.0]]), np.array([0.5]), np.array([1.0]))
    counts, claimed = np.full((9, 9), count), np.full((9, 9), claim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = column_p_values(counts, claimed, one, vacuum=vacuum)
        q = absence_p_values(counts, claimed, one, vacuum=vacuum)
    at_least, at_most = (
        lambda mean: stats.poisson.sf(count - 1, mean),
        lambda mean: stats.poisson.cdf(count, mean),
    )
    bright = claim > vacuum
    exact = (at_least if bright else at_most)(vacuum)
    np.testing.assert_allclose(p, max(exact, 1e-12), rtol=1e-3)
    exact = (at_most if bright else at_least)(claim)
    np.testing.assert_allclose(q, max(exact, 1e-12), rtol=1e-3)


def test_what_is_claimed_is_named_so():
    one = Columns(np.array([[4.0, 4.0]]), np.array([3.0]), np.array([1.0]))
    flat = np.full((9, 9), 0.5)
    for call in (
        lambda: column_p_values(flat * 0, flat * np.nan, one),
        lambda: detection_power(flat * np.nan, one),
        lambda: decidable_dose(flat * np.nan, one),
    ):
        with pytest.raises(ValueError, match="claimed must be finite"):
            call()
    with pytest.raises(ValueError, match="dose must be one number above 0, or one for"):
        detection_power(flat, one, dose=[1, 2])
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        detection_power(flat, one, level="0.05")
