"""Check that a column's life is told by its counts, and what is false is rare."""

import numpy as np
import pytest
from scipy import ndimage, stats

from sbd.columns.finding import Columns, find_columns
from sbd.recordings import check_counts, follow_columns

SIDE, FRAMES, WINDOW, VACUUM = 96, 8, 2, 1.0  # pixels, frames, electrons per pixel
WIDTH = 3.0  # of a column [pixels]
GRID = np.array([[r, c] for r in range(12, 96, 24) for c in range(12, 96, 24)], float)
THERE = (GRID.sum(1) // 24) % 2 == 1  # half of the places have a column
PLACES = Columns(GRID, np.full(16, 5.0), np.full(16, 1.0), shape=(SIDE, SIDE))


def blur(image):
    return ndimage.gaussian_filter(np.asarray(image, float), 2.0, mode="nearest")


def expect(there, contrast):
    """Return the means of all frames; `there` has a row for each of them."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    squares = (rows - GRID[:, :1, None]) ** 2 + (columns - GRID[:, 1:, None]) ** 2
    dots = np.exp(-squares / (2 * WIDTH**2))
    return VACUUM * (1 + contrast * np.tensordot(there, dots, 1))


STEADY = expect(np.tile(THERE, (FRAMES, 1)).astype(float), 0.5)
ALIVE = np.tile(THERE, (FRAMES, 1))
ALIVE[FRAMES // 2 :, 0] = False  # a column of the first half
VANISHING = expect(ALIVE.astype(float), 1.5)
STRONG = expect(ALIVE.astype(float), 4.0)
REPORT = check_counts(np.random.default_rng(9).poisson(STEADY))


def follow(means, seed, **how):
    movie = np.random.default_rng(seed).poisson(means)
    options = {"frames": WINDOW, "report": REPORT, "vacuum": FRAMES * VACUUM}
    options |= {"known": True, **how}
    places = options.pop("places", PLACES)
    return follow_columns(movie, places, blur, **options)


def test_the_scene_is_what_the_tests_take_it_for():
    assert REPORT.verdict == "Counted electrons."
    assert THERE[0]
    assert THERE.sum() == 8


def test_a_column_that_vanishes_is_seen_to():
    lives = follow(STRONG, 0)
    assert lives.first.tolist() == [0, 2, 4, 6]
    assert lives.states[0].tolist() == ["supported"] * 2 + ["ruled out"] * 2
    there = lives.states[THERE & (np.arange(16) != 0)]
    assert (there == "supported").all()
    assert (lives.states[~THERE] != "supported").all()
    # the disc holds 0.75 of 2 x 4 x 2 pi WIDTH^2 = 452 electrons, in noise of 23
    assert lives.electrons[THERE][1:].mean() == pytest.approx(339, abs=23)
    assert (lives.change[0] < 1e-3).all()


def test_p_values_of_what_is_not_there_are_uniform_or_larger():
    found, change = [], []
    for seed in range(50):
        lives = follow(STEADY, seed)
        p = lives.presence[~THERE]
        found.append(p[p < 1])  # 1 where no brighter disc is claimed
        change.append(lives.change)
    found, change = np.concatenate(found), np.concatenate(change).ravel()
    # 200 windows of 8 or 16 places; where no more is claimed there is no p-value
    for p, number in ((found, 400), (change, 1600)):
        assert p.size >= number
        for level in (0.01, 0.05, 0.2):
            bound = stats.binom.isf(1e-4, p.size, level) / p.size
            assert (p <= level).mean() <= bound
    # and not by being all large
    assert 0.45 < found.mean() < 0.6
    assert 0.45 < change.mean() < 0.6


@pytest.mark.parametrize("known", [True, False])
def test_false_discoveries_are_as_rare_as_promised(known):
    shares = {"supported": [], "ruled_out": []}
    detected = []
    for seed in range(50):
        how = {"known": known, "level": 0.2}
        if not known:  # found with the very counts that they are asked for
            movie = np.random.default_rng(seed).poisson(VANISHING)
            places = find_columns(blur(movie.sum(0)), polarity="bright")
            how |= {"places": places, "polarity": "bright"}
        lives = follow(VANISHING, seed, **how)
        positions = lives.columns.positions
        near = np.abs(positions[:, None] - GRID).max(2) < 6
        alive = near.astype(int) @ ALIVE[::WINDOW].T.astype(int) > 0
        for name, wrong in (("supported", ~alive), ("ruled_out", alive)):
            told = getattr(lives, name)
            shares[name].append((told & wrong).sum() / max(told.sum(), 1))
        detected.append((lives.supported & alive).sum() / ALIVE[::WINDOW].sum())
    for told in shares.values():
        error = np.std(told) / np.sqrt(len(told))
        assert np.mean(told) <= 0.2 + 3 * error
    assert np.mean(detected) > 0.9


def test_drift_looks_like_vanishing_unless_it_is_taken_off():
    moves = np.outer(np.arange(FRAMES), [3, 0])
    bright = 3 * STEADY[0] - 2 * VACUUM
    wide = np.pad(bright, ((24, 24), (0, 0)), "edge")
    means = np.stack([wide[24 - d : 24 - d + SIDE] for d, _ in moves])
    still = follow(means, 3, known=True)
    assert (still.states[THERE] == "supported").mean() < 0.6
    # rows 0 to 74 of the first frame are in all: those of three rows of places
    whole = GRID[:, 0] < 70
    lives = follow(means, 3, shifts=moves, places=PLACES[whole])
    assert (lives.states[THERE[whole]] == "supported").all()


def test_windows_begin_at_frames_of_the_movie():
    movie = np.random.default_rng(0).poisson(STEADY).astype(float)[:7]
    movie[2] = np.nan
    lives = follow_columns(movie, PLACES, blur, frames=2, known=True, vacuum=VACUUM)
    assert lives.first.tolist() == [0, 3, 5]
    with pytest.raises(ValueError, match="got 4 of the 6 frames"):
        follow_columns(movie, PLACES, blur, frames=4)


def test_what_cannot_be_followed_is_refused():
    movie = np.random.default_rng(0).poisson(STEADY)
    with pytest.raises(ValueError, match="frames must leave at least two windows"):
        follow_columns(movie, PLACES, blur, frames=5)
    noisy = movie * 30.0 + np.random.default_rng(1).normal(0, 20, movie.shape)
    with pytest.raises(ValueError, match="recording must hold electrons that were cou"):
        follow_columns(noisy, PLACES, blur, frames=2)
    smooth = ndimage.uniform_filter(movie, (1, 2, 2))
    with pytest.raises(ValueError, match="recording must hold"):
        follow_columns(smooth, PLACES, blur, frames=2)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        follow(STEADY, 0, level=0)
