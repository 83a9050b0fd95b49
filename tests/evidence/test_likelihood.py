"""Check likelihoods against scipy's Poisson and against simulated vacuum."""

import warnings

import numpy as np
import pytest
from scipy import stats

import sbd
from sbd.columns.finding import Columns
from sbd.evidence.likelihood import (
    column_significance,
    likelihood_map,
    log_likelihood_ratio,
    unsupported_columns,
)

VACUUM = 0.45


def columns_at(*positions, radius=9.0):
    n = len(positions)
    return Columns(np.array(positions, float).reshape(-1, 2), [radius] * n, [0.1] * n)


def atoms(shape, *centres, contrast=0.2, sigma=7.0):
    rows, cols = np.indices(shape)
    return VACUUM + sum(
        contrast * np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / (2 * sigma**2))
        for r, c in centres
    )


def disc(shape, centre, radius):
    rows, cols = np.indices(shape)
    return (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 <= radius**2


def test_the_ratio_is_the_difference_of_two_poisson_log_likelihoods():
    shape, centres = (60, 70), [(20.3, 25.6), (41.5, 2.0)]  # one cut by the border
    claim = atoms(shape, *centres)
    noisy = np.random.default_rng(0).poisson(claim)
    for vacuum in (VACUUM, 1.3):
        ratios = log_likelihood_ratio(noisy, claim, columns_at(*centres), vacuum=vacuum)
        expected = [
            (
                stats.poisson.logpmf(noisy[where], claim[where])
                - stats.poisson.logpmf(noisy[where], vacuum)
            ).mean()
            for where in (disc(shape, centre, 9.0) for centre in centres)
        ]
        # sums of some 250 terms of order 1 in double precision
        np.testing.assert_allclose(ratios, expected, rtol=0, atol=1e-12)


def test_with_the_mean_intensity_only_the_total_counts():
    shape, centres = (60, 70), [(20.3, 25.6), (41.5, 2.0)]
    claim, columns = atoms(shape, *centres), columns_at(*centres)
    noisy = np.random.default_rng(0).poisson(claim)
    ratios = log_likelihood_ratio(noisy, claim, columns, intensity="mean")
    expected = [
        (
            stats.poisson.logpmf(noisy[where].sum(), claim[where].sum())
            - stats.poisson.logpmf(noisy[where].sum(), VACUUM * where.sum())
        )
        / where.sum()
        for where in (disc(shape, centre, 9.0) for centre in centres)
    ]
    np.testing.assert_allclose(ratios, expected, rtol=0, atol=1e-12)
    support = likelihood_map(noisy, claim, columns, intensity="mean")
    np.testing.assert_array_equal(support.ratios, ratios)
    assert support.vacuum_ratio < 0
    with pytest.raises(ValueError, match="intensity must be 'pixels' or 'mean'"):
        log_likelihood_ratio(noisy, claim, columns, intensity="median")


@pytest.mark.parametrize("contrast", [0.3, -0.3], ids=["bright", "dark"])
def test_counts_speak_for_the_atom_they_came_from(contrast):
    claim = atoms((60, 60), (30, 30), contrast=contrast)
    column = columns_at((30, 30))
    # expected counts: the ratio is a Kullback-Leibler divergence, of either sign
    assert log_likelihood_ratio(claim, claim, column)[0] > 0
    assert log_likelihood_ratio(np.full((60, 60), VACUUM), claim, column)[0] < 0
    assert column_significance(claim, claim, column)[0] > 1


def test_a_claim_of_vacuum_scores_zero():
    flat = np.full((40, 40), VACUUM)
    noisy = np.random.default_rng(1).poisson(flat)
    column = columns_at((20, 20))
    assert log_likelihood_ratio(noisy, flat, column).tolist() == [0.0]
    assert column_significance(noisy, flat, column).tolist() == [0.0]


def test_no_counts_at_all_speak_against_a_bright_atom():
    claim = atoms((40, 40), (20, 20))
    column = columns_at((20, 20))
    nothing = np.zeros((40, 40))
    where = disc((40, 40), (20, 20), 9.0)
    expected = -(claim[where] - VACUUM).mean()
    assert log_likelihood_ratio(nothing, claim, column)[0] == pytest.approx(expected)


def test_negative_denoised_values_still_have_a_likelihood():
    claim = np.full((40, 40), -0.2)
    noisy = np.random.default_rng(1).poisson(VACUUM, claim.shape)
    assert np.isfinite(log_likelihood_ratio(noisy, claim, columns_at((20, 20)))).all()


def test_significance_is_a_standard_score_under_vacuum():
    shape = (200, 200)
    centres = [(r, c) for r in range(12, 200, 25) for c in range(12, 200, 25)]
    claim = atoms(shape, *centres)
    columns = columns_at(*centres)
    rng = np.random.default_rng(4)
    scores = np.concatenate(
        [
            column_significance(rng.poisson(VACUUM, shape), claim, columns)
            for _ in range(40)
        ]
    )
    n = scores.size  # 2560 discs that do not overlap, so independent
    assert n == 2560
    # four standard errors of the mean, 1/sqrt(n), and of the variance, sqrt(2/n)
    assert scores.mean() == pytest.approx(0, abs=4 / np.sqrt(n))
    assert scores.var() == pytest.approx(1, abs=4 * np.sqrt(2 / n))
    # a disc of 253 pixels holds 114 electrons: skewness 0.1 at most, which moves the
    # upper 5 % by 0.1 * (1.645^2 - 1) / 6 * 0.103 = 0.3 %; and four standard errors
    above = (scores > stats.norm.isf(0.05)).mean()
    assert above == pytest.approx(0.05, abs=0.003 + 4 * np.sqrt(0.05 * 0.95 / n))


def test_a_claim_made_from_the_counts_themselves_scores_too_high():
    """The caveat of the docstring, in numbers: the counts must not be used twice."""
    shape = (100, 100)
    centres = [(r, c) for r in range(12, 100, 25) for c in range(12, 100, 25)]
    noisy = np.random.default_rng(5).poisson(VACUUM, shape)
    blurred = VACUUM + (noisy - noisy.mean()) * 0.2
    scores = column_significance(noisy, blurred, columns_at(*centres))
    # each pixel adds a square instead of a product of independent terms
    assert scores.min() > 3


def test_support_is_decided_at_a_false_discovery_rate():
    rng = np.random.default_rng(6)
    vacuum = np.arange(400) < 200
    shares = []
    for _ in range(200):
        scores = rng.standard_normal(400) + np.where(vacuum, 0.0, 3.0)
        supported = ~unsupported_columns(scores, level=0.1)
        shares.append((supported & vacuum).sum() / max(supported.sum(), 1))
    # with half of them vacuum the expected share is 0.05; its standard deviation per
    # trial is about sqrt(0.05 / 180) = 0.017, so 0.0012 for the mean: four of them
    assert np.mean(shares) == pytest.approx(0.05, abs=0.005)


def test_support_follows_the_step_up_rule():
    p_values = np.array([0.001, 0.012, 0.03, 0.2])
    # thresholds k/4 * 0.05 are 0.0125, 0.025, 0.0375, 0.05: the third is the last below
    scores = stats.norm.isf(p_values)
    assert unsupported_columns(scores).tolist() == [False, False, False, True]
    assert unsupported_columns(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("level", [0, 1, -0.1, float("nan")])
def test_a_level_must_be_a_probability(level):
    with pytest.raises(ValueError, match="level must be between 0 and 1; got"):
        unsupported_columns([1.0], level=level)


def test_the_map_shows_discs_vacuum_and_a_white_guard_between():
    shape, centres = (160, 200), [(100, 60), (100, 90), (100, 120)]
    claim = atoms(shape, *centres)
    noisy = np.random.default_rng(7).poisson(claim)
    columns = columns_at(*centres)
    support = likelihood_map(noisy, claim, columns, guard=30)
    np.testing.assert_array_equal(
        support.ratios, log_likelihood_ratio(noisy, claim, columns)
    )
    discs = np.zeros(shape, bool)
    near = np.zeros(shape, bool)
    for centre, ratio in zip(centres, support.ratios, strict=True):
        where = disc(shape, centre, 9.0)
        np.testing.assert_array_equal(support.image[where], ratio)
        discs |= where
        near |= disc(shape, centre, 30.0)
    region = support.vacuum_region
    np.testing.assert_array_equal(support.image[region], support.vacuum_ratio)
    assert np.isnan(support.image[~region & ~discs]).all()
    assert not (region & near).any()
    # only cusps between the scallops of the guard are too narrow for vacuum
    assert (~region & ~near).sum() < 0.01 * near.sum()


def test_the_vacuum_shows_what_the_claims_would_score_there():
    shape, centres = (250, 400), [(20, 60), (20, 100)]
    claim = atoms(shape, *centres)
    columns = columns_at(*centres)
    rng = np.random.default_rng(8)
    support = likelihood_map(rng.poisson(claim), claim, columns)
    part = claim[:40, :130]
    elsewhere = [
        log_likelihood_ratio(rng.poisson(VACUUM, part.shape), part, columns).mean()
        for _ in range(400)
    ]
    # the map's vacuum has some 94 000 pixels, 185 pairs of discs, against 400 here:
    # four standard errors of the difference
    error = np.std(elsewhere) * np.sqrt(1 / 185 + 1 / 400)
    assert support.vacuum_ratio == pytest.approx(np.mean(elsewhere), abs=4 * error)
    assert support.vacuum_ratio < 0 < support.ratios.min()


def test_the_guard_is_one_lattice_spacing_by_default():
    shape, centres = (200, 200), [(150, 60), (150, 100), (150, 140)]
    claim = atoms(shape, *centres)
    region = likelihood_map(claim, claim, columns_at(*centres)).vacuum_region
    assert region[150 - 41, 100]
    assert not region[150 - 40, 100]


def test_slivers_between_columns_and_border_are_no_vacuum():
    shape = (200, 200)
    centres = [(r, c) for r in range(100, 200, 25) for c in range(30, 200, 25)]
    claim = atoms(shape, *centres)
    region = likelihood_map(claim, claim, columns_at(*centres), guard=26).vacuum_region
    assert region[:74].all()
    assert not region[100:].any()


def test_the_columns_are_found_when_none_are_given():
    claim = atoms((120, 160), (60, 50), (60, 90))
    support = likelihood_map(claim, claim)
    np.testing.assert_allclose(support.columns.positions, [(60, 50), (60, 90)], atol=1)


def test_an_image_without_columns_is_all_vacuum():
    flat = np.full((50, 60), VACUUM)
    support = likelihood_map(flat, flat)
    assert (len(support.ratios), support.vacuum_ratio) == (0, 0.0)
    np.testing.assert_array_equal(support.image, 0.0)


def test_an_image_without_vacuum_shows_only_its_columns():
    claim = atoms((50, 50), (25, 25))
    support = likelihood_map(claim, claim, columns_at((25, 25)))
    assert np.isnan(support.vacuum_ratio)
    assert np.isfinite(support.image).sum() == disc((50, 50), (25, 25), 9.0).sum()


def test_a_disc_smaller_than_a_pixel_takes_the_pixel_it_lies_on():
    claim = np.full((9, 9), 0.9)
    ratio = log_likelihood_ratio(claim, claim, columns_at((4.4, 4.4), radius=0.1))
    assert ratio[0] == pytest.approx(0.9 * np.log(2) - 0.45)


@pytest.mark.parametrize("judge", [log_likelihood_ratio, column_significance])
def test_input_that_cannot_be_judged_is_refused(judge):
    image, column = np.ones((20, 20)), columns_at((10, 10))
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        judge(-image, image, column)
    with pytest.raises(ValueError, match="noisy must be finite"):
        judge(image * np.nan, image, column)
    with pytest.raises(ValueError, match=r"shape of noisy, \(20, 20\); got \(9, 20\)"):
        judge(image, image[:9], column)
    with pytest.raises(
        ValueError, match=r"inside the image .* got one at \(25.0, 3.0\)"
    ):
        judge(image, image, columns_at((10, 10), (25, 3)))
    with pytest.raises(ValueError, match="vacuum must be positive; got 0"):
        judge(image, image, column, vacuum=0)


def test_a_guard_must_be_positive():
    image = np.ones((20, 20))
    with pytest.raises(ValueError, match="guard must be positive; got -3"):
        likelihood_map(image, image, guard=-3)


def test_a_vacuum_that_does_not_fit_the_image_is_told():
    vacuum = np.full((200, 200), 1.35)
    noisy = sbd.poisson_noise(vacuum, rng=np.random.default_rng(0))
    none = sbd.find_columns(vacuum)
    with pytest.warns(UserWarning, match=r"counts 1\.3.* but vacuum=0\.45; .* pass it"):
        sbd.likelihood_map(noisy, vacuum, none)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sbd.likelihood_map(noisy, vacuum, none, vacuum=1.35)


@pytest.mark.parametrize(
    "centres",
    [[(60, 60)], [(60, 30), (60, 60), (60, 90)], [(60, 55), (60, 62), (64, 58)]],
    ids=["one", "collinear", "overlapping"],
)
def test_columns_of_every_arrangement_have_a_map(centres):
    claim = atoms((160, 160), *centres)
    noisy = np.random.default_rng(9).poisson(claim)
    columns = columns_at(*centres)
    support = likelihood_map(noisy, claim, columns)
    alone = [
        log_likelihood_ratio(noisy, claim, columns[i])[0] for i in range(len(columns))
    ]
    np.testing.assert_array_equal(support.ratios, alone)
    discs = [disc(claim.shape, centre, 9.0) for centre in centres]
    # where discs overlap the last one is on top
    np.testing.assert_array_equal(support.image[discs[-1]], support.ratios[-1])
    assert support.vacuum_region.any()


def test_no_counts_and_parts_of_counts_have_a_likelihood():
    """Sums over gain-corrected frames are no whole numbers: the ratio takes them."""
    claim, column = atoms((60, 60), (30, 30)), columns_at((30, 30))
    nothing = log_likelihood_ratio(np.zeros_like(claim), claim, column)
    whole = log_likelihood_ratio(np.ones_like(claim), claim, column)
    part = log_likelihood_ratio(np.full_like(claim, 0.25), claim, column)
    # linear in the counts; values of order 0.1 in double precision
    np.testing.assert_allclose(part, 0.75 * nothing + 0.25 * whole, rtol=0, atol=1e-15)
    with pytest.warns(UserWarning, match="counts 0 electrons per pixel"):
        support = likelihood_map(np.zeros((160, 160)), atoms((160, 160), (30, 30)))
    assert support.ratios[0] < 0
    assert support.vacuum_ratio == support.ratios[0]
