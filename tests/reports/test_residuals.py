"""Check that what an estimate leaves is told from chance, and how often."""

from functools import partial

import numpy as np
import pytest

import sbd
from sbd.reports import judge_residuals

SHAPE = 96, 96


def know(truth):
    """A denoiser of half the electrons that cannot be better."""
    return lambda _: truth / 2


@pytest.fixture(scope="module")
def wave():
    rows, columns = np.indices(SHAPE)
    return 2 + np.cos(rows / 5) * np.cos(columns / 7)


def test_of_the_truth_only_chance_is_left_as_often_as_p_says(wave):
    found = [
        judge_residuals(
            np.random.default_rng([seed, 1]).poisson(wave),
            know(wave),
            rng=np.random.default_rng([seed, 2]),
            deals=1,
            draws=99,
        )
        for seed in range(100)
    ]
    # a dispersion of n blocks of x electrons has the variance (2 + 1 / x) / n
    number, mean = (SHAPE[0] // found[0].side) ** 2, found[0].electrons
    error = np.sqrt((2 + 1 / mean) / number / len(found))
    assert np.mean([one.dispersion for one in found]) == pytest.approx(1, abs=3 * error)
    # neighbours: the mean of 2 n products of variance 1
    error = np.sqrt(1 / (2 * number) / len(found))
    assert np.mean([one.correlation for one in found]) == pytest.approx(
        0, abs=3.5 * error
    )
    for name in ("p_value", "p_low"):
        rate = np.mean([getattr(one, name) <= 0.1 for one in found])
        assert rate <= 0.1 + 3 * np.sqrt(0.09 / len(found))
    # of places 2.5 % of images have one
    assert np.mean([len(one.places) > 0 for one in found]) <= 0.025 + 3 * 0.0156


def test_noise_that_went_into_the_estimate_is_seen_and_not_corrected_for():
    counts = np.random.default_rng(0).poisson(np.full((200, 200), 2.0))
    test = judge_residuals(counts, lambda y: y, rng=np.random.default_rng(1))
    # both halves have the noise of counts: B - A varies by twice the mean. The mean of
    # (B - A)^2 / A is 2 (1 + 1 / x) to first order, of 2500 blocks and more
    expected = 2 * (1 + 1 / test.electrons)
    assert test.dispersion == pytest.approx(expected, abs=0.15)
    assert test.p_value < 0.01


def test_the_error_of_an_estimate_is_told_with_its_interval(wave):
    held = []
    for seed in range(40):
        counts = np.random.default_rng([seed, 3]).poisson(10 * wave)
        rng = np.random.default_rng([seed, 4])
        one = judge_residuals(counts, know(11 * wave), rng=rng, deals=1, draws=39)
        sums = one.electrons / 1.1
        truth = np.sqrt(np.mean((0.05 * 10 * wave) ** 2)) * one.side**2
        # waves are longer than blocks: a block is off by a tenth of what it holds
        held.append(one.error[1] <= truth / (1.1 * sums) <= one.error[2])
    # .95 of 40: 3 standard deviations are .1
    assert np.mean(held) >= 0.84


def test_a_column_that_an_estimate_lacks_is_ringed_where_it_is(wave):
    rows, columns = np.indices(SHAPE)
    dot = 3 * np.exp(-((rows - 60) ** 2 + (columns - 30) ** 2) / 50)
    counts = np.random.default_rng(5).poisson(wave + dot)
    test = judge_residuals(counts, know(wave), rng=np.random.default_rng(6))
    assert len(test.places) == 1
    assert np.abs(test.places[0] - (60, 30)).max() < 10
    assert test.p_value < 0.05


def test_what_was_not_recorded_is_left_out(wave):
    counts = np.random.default_rng(7).poisson(wave)
    some = np.ones(SHAPE, bool)
    some[:30] = False
    counts[:30] = 0
    test = judge_residuals(
        counts, know(wave), rng=np.random.default_rng(8), recorded=some
    )
    empty = -(-30 // test.side)
    assert np.isnan(test.residuals[:empty]).all()
    assert np.isfinite(test.residuals[empty:]).all()
    assert test.p_value > 0.01
    assert not len(test.places)


def test_counts_that_vary_less_than_counts_do_are_told(wave):
    counts = np.rint(4 * wave).astype(int)  # no noise at all
    test = judge_residuals(counts, know(4 * wave), rng=np.random.default_rng(9))
    # a thinned number of 4 n electrons has half the variance of counts
    assert test.dispersion == pytest.approx(0.5, abs=0.1)
    assert test.p_low < 0.01


def test_the_same_seed_gives_the_same(wave):
    counts = np.random.default_rng(0).poisson(wave)
    blur = partial(sbd.denoise_gaussian, sigma=5)
    one, two = (
        judge_residuals(counts, blur, rng=np.random.default_rng(1), deals=2, draws=39)
        for _ in range(2)
    )
    assert one.p_value == two.p_value
    np.testing.assert_array_equal(one.residuals, two.residuals)


def test_what_cannot_be_tested_is_refused(wave):
    rng = np.random.default_rng(0)
    counts = rng.poisson(wave)
    for wrong, message in (
        ({"counts": counts + 0.5}, "counts must be whole numbers; got"),
        ({"counts": counts[:20, :20]}, "counts must fill 16 blocks of 25 electrons"),
        ({"counts": 0 * counts}, "counts must fill 16 blocks"),
        ({"recorded": counts[:9] > 0}, "recorded must have the shape of counts"),
        ({"deals": 0}, "deals must be a whole number of at least 1"),
        ({"draws": 9}, "draws must be a whole number of at least 39"),
        ({"denoise": lambda y: y[1:]}, "must return shape"),
    ):
        given = {"counts": counts, "denoise": know(wave), "rng": rng} | wrong
        with pytest.raises(ValueError, match=message):
            judge_residuals(given.pop("counts"), given.pop("denoise"), **given)
