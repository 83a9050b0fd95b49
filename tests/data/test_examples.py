"""Check the example micrographs, on files made here in the published formats."""

import logging

import numpy as np
import pytest
from skimage.io import imsave

import sbd
from sbd.data import examples
from sbd.data.examples import example_micrograph, fetch_clean
from sbd.data.registry import ITEMS, DataUnavailableError

REAL = "real-micrograph"
CLEAN = "clean/PtNp2-S3_5"
SIMULATED = "example/simulated"
PERIOD = 40.0  # pixels of the authors' files between the columns of the lattice


def scene(height, width, period, *, phase=0.0):
    """Draw vacuum above and a lattice below, 0.45 on average in both."""
    rows, columns = np.indices((height, width)) + 0.5
    turns = 2 * np.pi / period
    lattice = 0.15 * np.cos(turns * columns + phase) * np.cos(turns * rows)
    return sbd.VACUUM + np.where(rows > height / 2, lattice, 0)


def waves(n):
    """Sample on n x n pixels an image that 128 x 128 pixels hold completely."""
    x = np.arange(n) / n
    wave = 0.1 * np.cos(2 * np.pi * 9 * x)[:, None] * np.sin(2 * np.pi * 20 * x)
    return sbd.VACUUM + wave


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Replace what can be fetched; start with nothing."""
    files = {}

    def fetch(name):
        if name not in files:
            msg = f"{name} is not available"
            raise DataUnavailableError(msg)
        return files[name]

    def put(name, write, *arguments, **keywords):
        path = tmp_path / ITEMS[name].file.rpartition("/")[2]
        write(path, *arguments, **keywords)
        files[name] = path

    monkeypatch.setattr(examples, "fetch", fetch)
    monkeypatch.delenv("SBD_SOURCE", raising=False)
    return put


def put_real(shelf, image):
    shelf(REAL, np.save, image[None].astype(np.float64))


def put_authors(shelf, name=CLEAN, phase=0.0):
    image = scene(876, 927, PERIOD, phase=phase).astype(np.float32)
    shelf(name, imsave, image, check_contrast=False)


def put_simulated(shelf, dtype=np.float32, **more):
    shelf(SIMULATED, np.savez, clean=waves(128).astype(dtype), **more)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_authors_image_is_read_as_published(shelf):
    put_authors(shelf)
    image = fetch_clean(CLEAN)
    assert image.shape == (876, 927)
    assert image.dtype == np.float64
    expected = scene(876, 927, PERIOD).astype(np.float32)
    np.testing.assert_array_equal(image, expected)


def test_the_authors_image_is_resized_alike_along_both_axes(shelf):
    put_authors(shelf)
    micrograph = example_micrograph("authors", rng=rng())
    assert micrograph.clean.shape == (688, 728)
    # 50 A / 1024 pixels / 0.785 = 0.0622 A, the rounded shape moves it by 0.05 %
    assert micrograph.pixel_size == pytest.approx(0.0622, rel=1e-3)
    # The same lattice drawn at the new size: 876 to 688 and 927 to 728 pixels differ
    # by 1e-4 in scale, which the phase gathers over 728 / 31 periods (1.4 % of 0.15);
    # the edge of the lattice and the frame, where the spline has no data, are left out.
    expected = scene(688, 728, PERIOD * 688 / 876)
    np.testing.assert_allclose(
        micrograph.clean[360:-8, 8:-8], expected[360:-8, 8:-8], atol=0.003
    )


def test_the_clean_image_is_what_the_counts_average_to(shelf):
    put_authors(shelf)
    micrograph = example_micrograph("authors", rng=rng(), crop=256, frames=50)
    assert micrograph.noisy.dtype == np.float32
    np.testing.assert_array_equal(micrograph.noisy, np.round(micrograph.noisy))
    assert micrograph.vacuum == pytest.approx(22.5)
    # 65 536 Poisson counts in units of their deviation: mean 0 +- 0.004, and mean
    # square 1 +- 0.0056 (kurtosis 3 + 1/22)
    score = (micrograph.noisy - micrograph.clean) / np.sqrt(micrograph.clean)
    assert score.mean() == pytest.approx(0, abs=0.02)
    assert np.square(score).mean() == pytest.approx(1, abs=0.03)


def test_another_of_the_authors_images_can_be_chosen(shelf):
    put_authors(shelf)
    put_authors(shelf, "clean/PtNp2-S5_5", phase=1.0)
    first = example_micrograph("authors", rng=rng(), crop=64)
    other = example_micrograph("authors", rng=rng(), crop=64, item="clean/PtNp2-S5_5")
    assert "PtNp2-S3_5, counted at 0.45 e/pixel" in first.title
    assert "PtNp2-S5_5, counted at 0.45 e/pixel" in other.title
    assert not np.array_equal(first.clean, other.clean)


def test_the_simulated_image_is_interpolated_exactly(shelf):
    put_simulated(shelf)
    micrograph = example_micrograph("simulated", rng=rng())
    assert micrograph.clean.shape == (804, 804)
    assert micrograph.pixel_size == 50 / 804
    # float32 rounds what is below 1 by 3e-8 at most, 1e-8 rms; five times that, rounded
    np.testing.assert_allclose(micrograph.clean, waves(804), atol=1e-7)


def test_the_seam_of_the_simulated_image_can_be_cut_off(shelf):
    crop = {"crop_rows": (0.25, 0.75), "crop_cols": (0.1, 0.9)}
    put_simulated(shelf, np.float16, box=40.0, label="PtNp1, D1", **crop)
    micrograph = example_micrograph("simulated", rng=rng())
    size = round(40 / 0.0622)
    expected = waves(size)[round(size / 4) : round(size * 0.75)]
    expected = expected[:, round(size / 10) : round(size * 0.9)]
    # float16 rounds what is below 1 by 2.4e-4 at most, 1e-4 rms; five times that
    np.testing.assert_allclose(micrograph.clean, expected, atol=5e-4)
    assert micrograph.pixel_size == 40 / size
    assert "image PtNp1, D1, counted at" in micrograph.title


def test_the_real_micrograph_is_handed_out_as_recorded(shelf):
    counts = rng(1).poisson(scene(1200, 1184, 37.0))
    put_real(shelf, counts)
    micrograph = example_micrograph("real", rng=rng())
    assert micrograph.clean is None
    assert micrograph.noisy.dtype == np.float32
    np.testing.assert_array_equal(micrograph.noisy, counts)
    assert micrograph.title == "real micrograph, recorded at about 0.45 e/pixel"
    assert micrograph.pixel_size == pytest.approx(0.0622, rel=1e-3)


@pytest.mark.parametrize("level", [0.45, 2.0])
def test_the_vacuum_of_the_real_micrograph_is_found(shelf, level):
    clean = scene(1200, 1200, 37.0) * level / sbd.VACUUM
    clean[600:] *= 0.8  # the lattice is fainter than the vacuum
    clean[:, :200] = 0  # and a border recorded nothing
    put_real(shelf, rng(2).poisson(clean))
    # The calmest tenth of the blocks covers at least 120 000 of the 600 000 pixels of
    # vacuum: a standard error of at most 0.43 %, at 0.45 a pixel. Of that, 3.5 times.
    found = example_micrograph("real", rng=rng()).vacuum
    assert found == pytest.approx(level, rel=0.015)


def test_readings_below_zero_become_zero(shelf, caplog):
    image = np.ones((64, 64))
    image[3, 4] = -0.25
    put_real(shelf, image)
    with caplog.at_level(logging.INFO, "sbd.data.examples"):
        noisy = example_micrograph("real", rng=rng()).noisy
    assert noisy[3, 4] == 0
    assert "1 pixels below 0" in caplog.text


@pytest.mark.parametrize("source", ["real", "authors", "simulated"])
def test_a_crop_is_the_centre(shelf, source):
    put_real(shelf, rng(1).poisson(scene(300, 400, 37.0)))
    put_authors(shelf)
    put_simulated(shelf)
    whole = example_micrograph(source, rng=rng())
    part = example_micrograph(source, rng=rng(), crop=100)
    middle = tuple(
        slice((n - 100) // 2, (n - 100) // 2 + 100) for n in whole.noisy.shape
    )
    if source == "real":
        np.testing.assert_array_equal(part.noisy, whole.noisy[middle])
    else:
        np.testing.assert_array_equal(part.clean, whole.clean[middle])
        assert part.noisy.shape == (100, 100)
    assert part.vacuum == whole.vacuum


def test_the_best_source_is_taken_and_the_log_says_why(shelf, caplog):
    caplog.set_level(logging.INFO, "sbd.data.examples")
    put_simulated(shelf)
    assert example_micrograph(rng=rng(), crop=32).source == "simulated"
    assert "'real' is passed over: real-micrograph is not available" in caplog.text
    assert "'authors' is passed over: clean/PtNp2-S3_5 is not" in caplog.text
    assert "source 'simulated' is taken" in caplog.text
    put_authors(shelf)
    assert example_micrograph(rng=rng(), crop=32).source == "authors"
    put_real(shelf, np.ones((64, 64)))
    assert example_micrograph(rng=rng(), crop=32).source == "real"
    assert example_micrograph(rng=rng(), crop=32, frames=2).source == "authors"


def test_the_environment_chooses_when_the_caller_does_not(shelf, monkeypatch):
    put_authors(shelf)
    put_simulated(shelf)
    monkeypatch.setenv("SBD_SOURCE", "simulated")
    assert example_micrograph(rng=rng(), crop=32).source == "simulated"
    assert example_micrograph("authors", rng=rng(), crop=32).source == "authors"
    monkeypatch.setenv("SBD_SOURCE", "real")
    with pytest.raises(DataUnavailableError, match="real-micrograph"):
        example_micrograph(rng=rng())
    monkeypatch.setenv("SBD_SOURCE", "film")
    with pytest.raises(ValueError, match=r"SBD_SOURCE must be one of .*; got 'film'"):
        example_micrograph(rng=rng())


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("source", ["real", "authors", "simulated"])
def test_a_source_asked_for_by_name_is_never_replaced(source):
    with pytest.raises(DataUnavailableError, match="is not available"):
        example_micrograph(source, rng=rng())


def test_the_same_seed_gives_the_same_counts(shelf):
    put_simulated(shelf)
    first, second, other = (
        example_micrograph(rng=rng(seed), crop=64).noisy for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"source": "film"}, "source must be one of auto, .*; got 'film'"),
        ({"source": None}, "source must be one of auto, .*; got None"),
        ({"item": "PtNp9"}, "item must be one of clean/.*; got 'PtNp9'"),
        ({"frames": 0}, "frames must be a whole number of at least 1; got 0"),
        ({"frames": 1.5}, "frames must be a whole number of at least 1; got 1.5"),
        ({"crop": 0}, "crop must be a whole number of at least 1; got 0"),
        ({"crop": 805}, "crop must be at most 804, to fit .*; got 805"),
        ({"source": "real", "frames": 2}, "frames must be 1 for the real .*; got 2"),
    ],
)
def test_wrong_arguments_are_told_what_is_right(shelf, keywords, message):
    put_simulated(shelf)
    with pytest.raises(ValueError, match=message):
        example_micrograph(**keywords, rng=rng())


def test_an_image_that_is_not_the_authors_is_not_read():
    with pytest.raises(ValueError, match="name must be one of clean/PtNp2-S3_5"):
        fetch_clean("log/black")


def test_an_example_cannot_be_changed(shelf):
    put_simulated(shelf)
    micrograph = example_micrograph(rng=rng(), crop=32)
    with pytest.raises(AttributeError):
        micrograph.source = "real"
    assert sbd.example_micrograph is example_micrograph


def test_the_truth_is_the_authors_image_or_else_the_bundled_one(monkeypatch):
    def gone(_):
        msg = "no connection"
        raise DataUnavailableError(msg)

    monkeypatch.delenv("SBD_SOURCE", raising=False)
    monkeypatch.setattr(examples, "fetch_clean", lambda _: np.full((876, 927), 0.45))
    clean, title = examples.example_truth("real")
    assert clean.shape == (727, 687)  # resized with the axes swapped, as they do
    assert "PtNp2-S3_5" in title
    monkeypatch.setattr(examples, "fetch_clean", gone)
    clean, title = examples.example_truth()
    assert title.startswith("this project's simulated image")
    assert clean.min() >= 0


def test_an_unknown_truth_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="source must be one of"):
        examples.example_truth("film")
    monkeypatch.setenv("SBD_SOURCE", "film")
    with pytest.raises(ValueError, match="SBD_SOURCE must be one of"):
        examples.example_truth()
