"""Check that frames are added up as counts, one at a time."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import tifffile

import sbd.recordings.reading
from sbd.recordings import (
    check_counts,
    each_frame,
    read_micrograph,
    running_sums,
    sum_frames,
    to_counts,
)


@pytest.fixture(scope="module")
def movie():
    return np.random.default_rng(0).poisson(0.45, (11, 64, 48)).astype(np.uint16)


def test_frames_one_at_a_time_are_those_of_the_whole(movie):
    scaled = 7.5 * movie.astype(float)
    scaled[:, 10, 10] = 7.5 * 60  # a hot pixel
    scaled[3, 40, 20] = np.nan
    report = check_counts(scaled)
    assert len(report.hot) == 1
    one_by_one = np.stack(list(each_frame(scaled, report)))
    np.testing.assert_array_equal(one_by_one, to_counts(scaled, report).values)
    good = np.ones(movie.shape, bool)
    good[:, 10, 10] = good[:, 40, 20] = False
    np.testing.assert_array_equal(one_by_one[good], movie[good])


def test_what_holds_no_counts_is_refused_at_once(movie):
    with pytest.raises(ValueError, match="recording must hold electrons; all values"):
        each_frame(np.ones((3, 64, 64)))
    with pytest.raises(ValueError, match="report must be that of this recording"):
        each_frame(movie, check_counts(movie[:, :32]))


def test_sums_are_sums(movie):
    total = sum_frames(movie)
    np.testing.assert_array_equal(total.values, movie.sum(0))
    assert total.unit == "electrons"
    one = sum_frames(movie[0])
    np.testing.assert_array_equal(one.values, movie[0])


def test_shifts_put_a_moving_thing_into_one_place_as_whole_counts():
    scene = np.random.default_rng(1).poisson(3.0, (80, 80))
    moves = np.array([[0, 0], [2, -3], [5, 1], [-4, 0]])
    movie = np.stack([
        np.roll(scene, tuple(move), (0, 1))[10:70, 10:70] for move in moves
    ])  # fmt: skip
    off = np.random.default_rng(2).uniform(-0.49, 0.49, moves.shape)
    total = sum_frames(movie, shifts=moves + off)
    assert total.values.shape == (60 - 9, 60 - 4)
    # the first that all show is 10 less the least shift, of the scene
    expected = 4 * scene[14:65, 13:69]
    np.testing.assert_array_equal(total.values, expected)


def test_shifts_are_refused_where_they_cannot_be(movie):
    with pytest.raises(ValueError, match="two numbers for each of the 11 frames"):
        sum_frames(movie, shifts=np.zeros((10, 2)))
    far = np.zeros((11, 2))
    far[3, 1] = 48
    with pytest.raises(ValueError, match="leave an area that all frames show"):
        sum_frames(movie, shifts=far)
    far[3, 1] = np.nan
    with pytest.raises(ValueError, match="two numbers"):
        sum_frames(movie, shifts=far)


@pytest.mark.parametrize(("frames", "step"), [(3, None), (3, 1), (4, 2), (2, 5)])
def test_windows_hold_the_frames_they_should(movie, frames, step):
    found = list(running_sums(movie, frames, step=step))
    firsts = range(0, len(movie) - frames + 1, step or frames)
    assert len(found) == len(firsts)
    for window, first in zip(found, firsts, strict=True):
        expected = movie[first : first + frames].sum(0)
        np.testing.assert_array_equal(window.values, expected)


def test_tumbling_windows_are_independent_and_sliding_ones_are_not():
    flat = np.random.default_rng(3).poisson(0.45, (40, 64, 64))

    def correlate(step):
        sums = np.stack([w.values.ravel() for w in running_sums(flat, 4, step=step)])
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairwise(sums)])

    # 9 pairs of 4096 pixels: standard error 1 / sqrt(9 x 4096) = 0.005
    assert abs(correlate(None)) < 0.025
    # neighbours share three frames of four
    assert correlate(1) == pytest.approx(0.75, abs=0.025)


def test_windows_are_refused_where_there_are_none(movie):
    with pytest.raises(ValueError, match="frames must be at most the 11 there are"):
        running_sums(movie, 12)
    with pytest.raises(ValueError, match="step must be a whole number"):
        running_sums(movie, 2, step=0)


@pytest.mark.parametrize("suffix", ["tif", "npy", "h5", "mrc"])
def test_a_large_stack_stays_on_the_disc(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(sbd.recordings.reading, "_LARGE", 2**20)
    movie = np.random.default_rng(4).poisson(0.45, (40, 256, 256)).astype(np.uint16)
    file = tmp_path / f"movie.{suffix}"
    if suffix == "npy":
        np.save(file, movie)
    elif suffix == "tif":
        tifffile.imwrite(file, movie, compression="zlib", photometric="minisblack")
    elif suffix == "mrc":
        import mrcfile

        with mrcfile.new(file) as mrc:
            mrc.set_data(movie)
    else:
        import h5py

        with h5py.File(file, "w") as store:
            store.create_dataset("movie", data=movie, chunks=(1, 64, 256))
    check_counts(movie)  # what is loaded once does not count
    peaks = []
    for some in (lambda: movie[:20], lambda: read_micrograph(file)):
        tracemalloc.start()
        try:
            total = sum_frames(some())
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(total.values, movie.sum(0))
    # combs look at as many values of 20 frames as of 40; all other memory is of single
    # frames, and 20 more of these take 2.5 MiB as they are
    assert peaks[1] - peaks[0] < 2**20


def test_shifts_follow_the_frames_that_are_left_out():
    movie = np.random.default_rng(3).poisson(2.0, (6, 64, 64)).astype(float)
    movie[2] = np.nan
    shifts = np.arange(12).reshape(6, 2) % 4
    kept = [0, 1, 3, 4, 5]
    whole = sum_frames(movie, shifts=shifts).values
    np.testing.assert_array_equal(
        whole, sum_frames(movie[kept], shifts=shifts[kept]).values
    )
    sums = [one.values for one in running_sums(movie, 2, shifts=shifts)]
    again = [one.values for one in running_sums(movie[kept], 2, shifts=shifts[kept])]
    np.testing.assert_array_equal(sums, again)
