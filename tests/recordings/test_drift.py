"""Check that a specimen is where it is said to be, within what is said of errors."""

import numpy as np
import pytest
from scipy import fft, stats

from sbd.data import example_truth
from sbd.recordings import check_counts, measure_drift, sum_frames

SIDE, MARGIN, SEEDS, REPEATS = 96, 32, 36, 10  # pixels, pixels, movies, of a bootstrap
PARTICLE, CRYSTAL = (210, 230), (440, 300)  # corners [pixels]
TRUTH = example_truth("simulated")[0]
TRUTH = TRUTH / TRUTH.mean()


def view(corner, position, side=SIDE):
    """Return a part of the clean image, moved by a phase of its waves."""
    area = (slice(c - MARGIN, c + side + MARGIN) for c in corner)
    waves = fft.fft2(TRUTH[tuple(area)])
    for axis, by in enumerate(position):
        k = 2 * np.pi * fft.fftfreq(waves.shape[axis])
        waves *= np.exp(-1j * by * (k[:, None] if axis == 0 else k))
    inside = slice(MARGIN, MARGIN + side)
    return fft.ifft2(waves).real[inside, inside].clip(0)


def walk(frames, seed):
    """Return positions of a random walk, against their mean [pixels]."""
    steps = np.random.default_rng([seed, 1]).normal(0, 1, (frames, 2))
    positions = steps.cumsum(0)
    return positions - positions.mean(0)


def film(positions, dose, seed, corner=PARTICLE):
    means = np.stack([view(corner, position) for position in positions])
    return np.random.default_rng([seed, 2]).poisson(dose * means)


def measure(movie, **how):
    return measure_drift(movie, repeats=REPEATS, **how)


def test_the_scene_is_what_the_tests_take_it_for():
    assert check_counts(film(walk(8, 0), 3, 0)).verdict == "Counted electrons."
    moved = view(PARTICLE, (3, -2))
    np.testing.assert_allclose(moved[5:, :-5], view(PARTICLE, (0, 0))[2:-3, 2:-3])


@pytest.fixture(scope="module")
def pulls():
    """Return misses over errors of movies of 8 frames, (movies, frames, axes)."""
    misses = []
    for seed in range(SEEDS):
        there = walk(8, seed)
        drift = measure(film(there, 3, seed))
        misses.append((drift.positions - there) / drift.errors)
    return np.array(misses)


def test_positions_lie_within_their_errors(pulls):
    # of 8 frames that are told against their mean, 7 are independent
    number = SEEDS * 7 * 2
    low, high = stats.binom(number, 0.6827).interval(0.999)
    assert low <= (np.abs(pulls) < 1).mean() * number <= high
    # pulls squared are a chi-square over errors that themselves scatter, by 10 repeats
    # of 7 x 2 independent numbers, one axis with 70: their inverse square is 70 / 68
    rms = np.sqrt((pulls**2).mean())
    scatter = 3.29 * np.sqrt((1 + 1 / REPEATS) / (2 * number))
    assert 1 - scatter <= rms <= np.sqrt(70 / 68) + scatter


def test_the_sum_is_sharper_with_the_positions_than_without():
    there = np.stack([np.linspace(-8, 8, 10), np.linspace(5, -5, 10)], 1)
    movie = film(there, 3, 3)
    drift = measure(movie)
    sharp = sum_frames(movie, shifts=drift.positions).values
    area = tuple(slice((96 - side) // 2, (96 + side) // 2) for side in sharp.shape)
    blurred = sum_frames(movie).values[area]
    # variance beyond that of Poisson's law is the structure's; what is left of some 30
    # among n pixels scatters by sqrt(2 / n) of the whole variance, here below 1
    sharp, blurred = (np.var(total) - np.mean(total) for total in (sharp, blurred))
    assert sharp - blurred > 4


def test_the_same_seed_gives_the_same_errors():
    movie = film(walk(6, 5), 3, 5)
    one, same, other = measure(movie), measure(movie, seed=0), measure(movie, seed=1)
    np.testing.assert_array_equal(one.errors, same.errors)
    assert (one.errors != other.errors).all()
    np.testing.assert_array_equal(one.positions, other.positions)


@pytest.mark.parametrize("seed", range(4))
def test_vacuum_is_refused(seed):
    movie = np.random.default_rng(seed).poisson(3, (8, SIDE, SIDE))
    with pytest.raises(ValueError, match=r"shot noise alone \(sum more frames"):
        measure(movie)


def test_a_flat_edge_is_refused():
    rows = 3 - 0.6 / (1 + np.exp(-(np.arange(SIDE) - 48) / 3))
    means = np.broadcast_to(rows[:, None], (8, SIDE, SIDE))
    movie = np.random.default_rng(0).poisson(means)
    with pytest.raises(ValueError, match=r"errors of .* across \(sum more frames"):
        measure(movie)


def test_a_dose_too_low_is_refused_and_sums_of_frames_measure_it():
    there = np.stack([np.linspace(-3, 3, 16), np.linspace(2, -2, 16)], 1)
    movie = film(there, 0.7, 6)
    with pytest.raises(ValueError, match="sum more frames for one position"):
        measure(movie)
    drift = measure(movie, frames=4)
    assert drift.frames == 4
    # in steps as even as those of the frames, between the middles of sums
    np.testing.assert_allclose(np.diff(drift.positions[2:6], 2, axis=0), 0, atol=1e-12)
    # 32 numbers of 3 x 2 that are independent: 4 standard deviations
    assert np.abs((drift.positions - there) / drift.errors).max() < 4


def test_steps_beyond_most_are_refused_and_measured_with_more():
    there = np.stack([np.arange(4) * 10.0 - 15, np.zeros(4)], 1)
    movie = film(there, 8, 7, CRYSTAL)
    with pytest.raises(ValueError, match="most must be as far as the specimen moves"):
        measure(movie)
    drift = measure(movie, most=14)
    np.testing.assert_allclose(drift.positions, there, atol=4 * drift.errors.max())


def test_a_lattice_that_looks_alike_is_refused():
    there = np.stack([np.arange(4) * 20.0 - 30, np.zeros(4)], 1)
    with pytest.raises(ValueError, match="look alike at one step alone"):
        measure(film(there, 8, 20, (230, 250)), most=24)


def test_frames_without_dose_are_refused():
    movie = film(walk(8, 8), 3, 8)
    movie[3] = 0
    with pytest.raises(ValueError, match=r"got 0 electrons .* from frame 3 on"):
        measure(movie)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"frames": 0}, "frames must be"),
        ({"frames": 3}, r"at least 4 times 3 frames"),
        ({"most": -1.0}, "most must be"),
        ({"most": 25.0}, "most must be at most 24, a quarter"),
    ],
)
def test_what_cannot_be_measured_is_said(how, words):
    with pytest.raises(ValueError, match=words):
        measure(film(walk(8, 0), 3, 0), **how)


def test_one_image_is_no_movie():
    with pytest.raises(ValueError, match="recording must have at least 4"):
        measure(film(walk(1, 0), 3, 0)[0])
