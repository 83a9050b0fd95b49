"""Check that counts of electrons pass, and what is none is refused."""

import numpy as np
import pytest
from scipy import ndimage, stats

import sbd
from sbd.audits import focal_series
from sbd.evidence.counts import (
    _covariances,
    _margins,
    check_independence,
    dose_mask,
    whole_counts,
)

CLEAN = sbd.example_micrograph("simulated", rng=np.random.default_rng(0)).clean
VACUUM = 0.45
EVERYWHERE = np.ones(CLEAN.shape, dtype=bool)


def at_dose(dose):
    """Expected counts of the bundled image, of that mean in vacuum."""
    return CLEAN * (dose / VACUUM)


def recorded(dose, seed=1):
    return np.random.default_rng(seed).poisson(at_dose(dose))


def smoothed(counts):
    return ndimage.gaussian_filter(counts.astype(float), 4)


def check_all(counts):
    """Do what is done with a recording."""
    whole = whole_counts(counts)
    check_independence(whole, smoothed(whole), dose_mask(whole))


def counted_twice(dose, part, *, rng, beside):
    """Count a part of the electrons once more, in their pixel or in one beside it."""
    once = rng.poisson(at_dose(dose) / (1 + part))
    again = rng.binomial(once, part)
    if not beside:
        return once + again
    for k, (axis, step) in enumerate(((0, 1), (0, -1), (1, 1), (1, -1))):
        there = rng.binomial(again, 1 / (4 - k))
        again = again - there
        once = once + np.roll(there, step, axis)
    return once


@pytest.mark.parametrize("dose", [0.01, 0.45, 9.9, 200.0])
def test_electron_counts_pass(dose):
    counts = recorded(dose)
    check_all(counts)
    check_all(counts[:64, :64])
    check_all(np.random.default_rng(2).poisson(dose, (256, 256)))


@pytest.mark.parametrize("dose", [0.05, 2.0, 100.0])
def test_fringes_pass(dose):
    for defocus, scene in focal_series([0, 16, 20]).items():
        clean = scene.clean * (dose / np.median(scene.clean))
        check_all(np.random.default_rng(int(defocus)).poisson(clean))


def test_counts_come_back_as_integers():
    counts = recorded(VACUUM)
    whole = whole_counts(counts.astype(np.float32))
    assert whole.dtype == np.int64
    np.testing.assert_array_equal(whole, counts)


def test_what_is_no_count_at_all_is_refused():
    counts = recorded(VACUUM).astype(float)
    with pytest.raises(ValueError, match=r"whole counts; got 0\.5"):
        whole_counts(counts / 2)
    with pytest.raises(ValueError, match="no value below 0; got -1"):
        whole_counts(counts - 1)
    with pytest.raises(ValueError, match="must be finite; got 1 NaN"):
        whole_counts(np.where(np.arange(counts.size).reshape(counts.shape), 1, np.nan))


@pytest.mark.parametrize("gain", [2, 3])
def test_units_of_a_whole_gain_are_named(gain):
    with pytest.raises(ValueError, match=f"multiples of {gain} .*sbd.estimate_gain"):
        whole_counts(gain * recorded(VACUUM))


@pytest.mark.parametrize(("dose", "most"), [(0.45, 1), (2.25, 1), (2.25, 2), (9.9, 3)])
def test_clipped_counts_are_refused(dose, most):
    counts = np.minimum(recorded(dose), most)
    with pytest.raises(ValueError, match=f"clipped; its largest count is {most}"):
        whole_counts(counts)


def test_as_many_larger_counts_are_told_as_there_were():
    counts = np.random.default_rng(3).poisson(2.25, (400, 400))
    with pytest.raises(ValueError, match="are to be expected") as refusal:
        whole_counts(np.minimum(counts, 3))
    told = float(str(refusal.value).split("where ")[1].split(" pixels")[0])
    # the mean is that of clipped counts, and so are the larger counts it foretells
    clipped = np.minimum(np.arange(99), 3) @ stats.poisson.pmf(np.arange(99), 2.25)
    expected = counts.size * stats.poisson.sf(3, clipped)
    # local means of 81 counts have a relative deviation of at most 8 %, which raises
    # what is beyond by (4 - 2.25)^2 / 2 * 0.08^2 = 1 %; and 3 digits are told
    assert told == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("dose", "value"), [(0.45, 20), (0.45, 500), (2.0, 50), (9.9, 500)]
)
def test_a_hot_pixel_is_named(dose, value):
    counts = recorded(dose)
    counts[333, 222] = value
    with pytest.raises(ValueError, match=rf"1 of {counts.size} .*{value} at \(333, 22"):
        whole_counts(counts)


def test_hot_pixels_side_by_side_and_in_the_corner_are_named():
    counts = recorded(VACUUM)
    counts[0, 0] = counts[40, 50] = counts[40, 51] = 300
    with pytest.raises(ValueError, match=r"3 of .*\(0, 0\), 300 at \(40, 50\)"):
        whole_counts(counts)


def test_the_corner_of_what_is_lit_is_not_hot():
    counts = recorded(200.0)
    counts[:100] = counts[:, :100] = 0
    whole_counts(counts)


def test_a_gain_is_not_called_hot_pixels():
    with pytest.raises(ValueError, match=r"variance of its pixels is 2\.\d+ times"):
        check_all(np.rint(2.5 * recorded(VACUUM)))


def test_all_of_a_whole_recording_has_dose():
    for dose in (0.01, 0.45, 100.0):
        assert dose_mask(recorded(dose)).all()


@pytest.mark.parametrize("dose", [0.1, 0.45, 9.9])
def test_dark_fringes_have_dose(dose):
    scene = focal_series([20])[20]
    clean = scene.clean * (dose / np.median(scene.clean))
    assert dose_mask(np.random.default_rng(4).poisson(clean)).all()


@pytest.mark.parametrize("dose", [0.45, 2.0, 100.0])
def test_a_frame_and_a_round_aperture_are_left_out(dose):
    row, column = np.indices(CLEAN.shape)
    frame = (row >= 30) & (column < CLEAN.shape[1] - 30)
    for lit in (frame, np.hypot(row - 330, column - 350) < 300):
        counts = np.where(lit, recorded(dose), 0)
        mask = dose_mask(counts)
        assert not (mask & ~lit).any()
        # it may grow by half the side of a window in which structure a fifth as bright
        # has no electron with probability 1e-12, from one that chance made a pixel
        # larger; mostly it does not
        most = (np.log(1e12) / (0.2 * dose)) ** 0.5 / 2
        depth = ndimage.distance_transform_edt(lit)
        assert depth[lit & ~mask].max(initial=0) <= max(most, 2) + 1
        assert np.sum(lit & ~mask) < np.sum(lit & (depth <= 1))
        check_independence(counts, smoothed(counts), mask)


def test_dead_lines_are_left_out():
    lit = np.ones(CLEAN.shape, dtype=bool)
    lit[300] = lit[:, 200] = False
    mask = dose_mask(np.where(lit, recorded(9.9), 0))
    np.testing.assert_array_equal(mask, lit)


def test_a_recording_without_an_electron_is_refused():
    with pytest.raises(ValueError, match="must hold electrons; got 0 everywhere"):
        dose_mask(np.zeros((64, 64), dtype=np.int64))


@pytest.mark.parametrize("order", [4, 8])
@pytest.mark.parametrize("dose", [0.02, 1.0, 50.0])
def test_of_counts_the_covariances_are_within_their_margins(order, dose):
    rng = np.random.default_rng(5)
    some = np.ones((96, 96), dtype=bool)
    ratios = []
    for _ in range(200):
        counts = rng.poisson(dose, some.shape).astype(float)
        measured = _covariances(counts, counts, some, order)
        ratios.append(5 * measured / _margins(counts, some, order))
    mean, deviation = np.mean(ratios, axis=0), np.std(ratios, axis=0)
    # four standard errors of 200 values; margins are wider than five deviations by
    # what few pairs need, so 5 times a ratio has at most the deviation 1
    assert (abs(mean) < 4 / 200**0.5).all()
    assert (deviation < 1 + 4 / 400**0.5).all()
    if dose >= 1:
        assert (deviation > 0.7).all()


@pytest.mark.parametrize("order", [4, 8])
def test_covariances_are_those_that_were_put_in(order):
    rng = np.random.default_rng(6)
    some = np.ones((1000, 1000), dtype=bool)
    once = rng.poisson(2.0, some.shape)
    counts = (once + np.roll(rng.binomial(once, 0.2), 1, 1)).astype(float)
    measured = _covariances(counts, counts, some, order)
    # a fifth more electrons, each of which covaries with one a column before it
    expected = np.array([0, 0.2, 0, 0, 0, 0.1]) / 1.2
    error = _margins(counts, some, order) / 5
    assert (abs(measured - expected) < 4 * error).all()


@pytest.mark.parametrize("part", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("dose", [0.45, 9.9])
def test_electrons_counted_twice_are_refused(dose, part):
    rng = np.random.default_rng(7)
    counts = counted_twice(dose, part, rng=rng, beside=False)
    with pytest.raises(ValueError, match=r"variance of its pixels is 1\.\d+ .*once"):
        check_independence(counts, smoothed(counts), EVERYWHERE)
    counts = counted_twice(dose, part, rng=rng, beside=True)
    with pytest.raises(ValueError, match=r"neighbouring pixels .* of 0\.\d+ .*bin"):
        check_independence(counts, smoothed(counts), EVERYWHERE)


def test_smoothed_counts_are_refused():
    sharp = recorded(9.9).astype(float)
    blurred = np.rint(ndimage.gaussian_filter(sharp, 0.6)).astype(np.int64)
    with pytest.raises(ValueError, match=r"variance of its pixels is 0\.\d+ .*smooth"):
        check_independence(blurred, smoothed(blurred), EVERYWHERE)


def test_a_part_of_few_electrons_tells_nothing():
    counts = np.zeros(CLEAN.shape, dtype=np.int64)
    counts[100, 100] = counts[200, 200] = 2
    check_independence(counts, smoothed(counts), EVERYWHERE)


def test_what_lies_outside_the_mask_is_not_asked():
    counts = recorded(9.9)
    counts[:200] = counted_twice(9.9, 0.3, rng=np.random.default_rng(8), beside=False)[
        :200
    ]
    mask = EVERYWHERE.copy()
    mask[:200] = False
    check_independence(counts, smoothed(counts), mask)
    with pytest.raises(ValueError, match="variance"):
        check_independence(counts, smoothed(counts), EVERYWHERE)


def test_neither_structure_nor_a_denoiser_alone_causes_a_refusal():
    row, column = np.indices((400, 400))
    columns = 1 + 0.5 * np.cos(2 * np.pi * row / 4) * np.cos(2 * np.pi * column / 4)
    counts = np.random.default_rng(9).poisson(50 * columns)
    everywhere = np.ones(counts.shape, dtype=bool)
    # columns so fine are not told from noise without a denoiser that knows them
    with pytest.raises(ValueError, match="variance"):
        check_independence(counts, np.full(counts.shape, 50.0), everywhere)
    check_independence(counts, 50 * columns, everywhere)
    # and one that follows the noise leaves too little of it
    flat = np.random.default_rng(10).poisson(5.0, counts.shape)
    check_independence(flat, 0.5 * flat + 2.5, everywhere)


def test_shapes_are_those_of_the_recording():
    counts = recorded(VACUUM)
    with pytest.raises(ValueError, match="estimate must have the shape of noisy"):
        check_independence(counts, smoothed(counts)[1:], EVERYWHERE)
    with pytest.raises(ValueError, match="mask must have the shape of noisy"):
        check_independence(counts, smoothed(counts), EVERYWHERE[1:])
