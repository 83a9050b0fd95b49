"""Check that movies are read as whole electrons, and that a pickle runs nothing."""

import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from sbd.data import movies
from sbd.data.movies import comb_gain, fetch_counts, fetch_values

GAINS = 30.0, 35.5  # units of two kinds of electrons, whose mean is near the comb


class Polygon:
    """Pickled as shapely does it."""

    def __reduce__(self):
        return from_wkb, (b"\x01\x03",)


def from_wkb(data):
    raise AssertionError(data)


from_wkb.__module__ = "shapely.io"


class Attack:
    """Ask for a call of a function as soon as it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def record(counts, rng):
    """Give every electron a gain by chance, whole units in the end."""
    first = rng.binomial(counts, 0.58)
    return np.rint(GAINS[0] * first + GAINS[1] * (counts - first)).astype(np.float32)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Put what a test gives in the movie's place."""
    path = tmp_path / "video.pkl"
    monkeypatch.setattr(movies, "fetch", {"recorded/movie": path}.__getitem__)
    return path


@pytest.fixture
def counts():
    return np.random.default_rng(0).poisson(3, (5, 40, 30))


@pytest.mark.parametrize("protocol", [3, 4])  # 4 is that of the published files
def test_the_electrons_are_those_that_were_counted(stored, counts, protocol):
    # up to four electrons no sum of gains is half a comb from its place
    few = np.minimum(counts, 4)
    values = record(few, np.random.default_rng(1))
    stored.write_bytes(pickle.dumps({"video": values}, protocol))
    found = fetch_counts("recorded/movie")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, few)
    np.testing.assert_array_equal(fetch_values("recorded/movie"), values)


def test_the_gain_is_read_from_the_comb(counts):
    values = record(counts, np.random.default_rng(1))
    # the mean gain of all; it has a standard error of 2.7 / sqrt(18,000) = 0.02, and
    # the peak of the comb, which is as wide as 32 / 3, some ten times of that
    assert comb_gain(values) == pytest.approx(0.58 * 30 + 0.42 * 35.5, abs=0.6)


def test_the_outline_is_left_out(stored, counts, monkeypatch):
    shapely = ModuleType("shapely.io")
    shapely.from_wkb = from_wkb
    monkeypatch.setitem(sys.modules, "shapely", shapely)
    monkeypatch.setitem(sys.modules, "shapely.io", shapely)
    movie = {"video": counts.astype(np.float32), "polygon": Polygon()}
    stored.write_bytes(pickle.dumps(movie, 4))
    np.testing.assert_array_equal(fetch_values("recorded/movie"), counts)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch attacked",)),
        (eval, ("open('attacked', 'w')",)),
        (open, ("attacked", "w")),
        (getattr, ("", "format")),
        (np.fromfile, ("attacked",)),
        (np.memmap, ("attacked", "u1", "w+", 0, (1,))),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_a_function_is_refused(
    stored, tmp_path, monkeypatch, function, arguments, protocol
):
    monkeypatch.chdir(tmp_path)
    attack = {"video": Attack(function, *arguments)}
    stored.write_bytes(pickle.dumps(attack, protocol))
    with pytest.raises(pickle.UnpicklingError, match="only numpy's arrays are read"):
        fetch_counts("recorded/movie")
    assert not (tmp_path / "attacked").exists()


def test_a_name_with_dots_reaches_nothing_behind_an_array(stored):
    # protocol 4 resolves "ndarray.tofile" attribute by attribute
    stored.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")
    with pytest.raises(pickle.UnpicklingError, match=r"got numpy\.ndarray\.tofile"):
        fetch_counts("recorded/movie")


@pytest.mark.parametrize(
    "content",
    [[1], {"image": np.ones((1, 2, 3), "f4")}, {"video": 1}, {"video": np.ones(3)}],
)
def test_a_pickle_without_frames_is_refused(stored, content):
    stored.write_bytes(pickle.dumps(content, 4))
    with pytest.raises(ValueError, match=r"video\.pkl must hold frames, as float32"):
        fetch_counts("recorded/movie")


@pytest.mark.parametrize("name", ["recorded/sound", "clean/PtNp2-S3_5", "", None])
def test_an_unknown_movie_is_told_the_known_ones(name):
    with pytest.raises(ValueError, match="recorded/movie, recorded/vacuum; got"):
        fetch_counts(name)
