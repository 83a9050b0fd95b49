"""Check the demonstration of the authors against what their notebook prints."""

import numpy as np
import pytest

from sbd.companion.pages.surfaces.demonstrations import (
    AUTHORS_SCORES,
    SURFACES,
    compare_surfaces,
    disturb_image,
    surface_scenes,
)
from sbd.data.examples import fetch_clean
from sbd.data.registry import DataUnavailableError
from sbd.metrics import psnr

# the finest detail of the images is 1 angstrom, three samples of this grid
SCENES = surface_scenes("simulated", grid=160)


def test_the_four_particles_differ_by_one_column():
    counts = {name: int(s.specimen.platinum.sum()) for name, s in SCENES.items()}
    assert counts == {
        "reference": 43, "one column less": 42, "another one less": 42,
        "one column more": 44,
    }  # fmt: skip
    for scene in SCENES.values():
        assert scene.truth.hit.all()
        assert not len(scene.truth.rest)
        assert "simulated here" in scene.title


@pytest.fixture(scope="module")
def compared():
    return compare_surfaces(SCENES, psnr=AUTHORS_SCORES["psnr"], seed=0)


def test_the_published_scores_come_out(compared):
    """0.933 and 0.875 are 28/30 and 14/16: 14 of 15 surface columns are common."""
    scores = compared[1]
    assert scores.loc["reference", "f1"] == 1.0
    assert scores.loc["reference, disturbed", ["f1", "jaccard"]].tolist() == [1, 1]
    wrong = scores.drop(["reference", "reference, disturbed"])
    assert len(wrong) == 6
    # rounded in the source to three digits
    np.testing.assert_allclose(wrong["f1"], AUTHORS_SCORES["f1"], atol=0.0005)
    np.testing.assert_allclose(wrong["jaccard"], AUTHORS_SCORES["jaccard"], atol=0.0005)


def test_one_psnr_stands_for_four_surfaces_and_prefers_a_wrong_one(compared):
    scores = compared[1]
    disturbed = scores[scores.index.str.endswith("disturbed")]
    np.testing.assert_allclose(disturbed["psnr"], AUTHORS_SCORES["psnr"], atol=1e-6)
    wrong, right = scores.loc["one column less"], scores.loc["reference, disturbed"]
    assert wrong["psnr"] > right["psnr"]
    assert wrong["f1"] < right["f1"]


def test_the_missing_column_is_hardly_occupied(compared):
    occupancy = compared[1]["occupancy"]
    assert occupancy["reference"] == pytest.approx(1)
    # its neighbours are no Gaussians: some of their wings are taken for the column
    assert (occupancy[["one column less", "another one less"]] < 0.3).all()
    assert occupancy["one column more"] > 0.9


def test_every_image_comes_with_its_columns_and_scores(compared):
    looks, scores = compared
    assert len(looks) == len(scores) == 8
    titles = list(looks)
    assert titles[0] == "reference\nF1 1.000, J 1.000"
    assert titles[5].startswith("one column less\n41.9 dB, F1 0.933, J 0.875")
    sizes = [len(found) for _, found in list(looks.values())[:4]]
    assert np.subtract(sizes, sizes[0]).tolist() == [0, -1, -1, 1]


@pytest.mark.network
@pytest.mark.parametrize("name", ["one column less", "another one less"])
def test_their_own_files_have_the_published_scores(name):
    try:
        fetch_clean(f"clean/PtNp2-{SURFACES['reference']}")
        fetch_clean(f"clean/PtNp2-{SURFACES[name]}")
    except DataUnavailableError as error:
        pytest.skip(str(error).partition("\n")[0])
    pair = surface_scenes("authors", names=("reference", name))
    scores = compare_surfaces(pair, psnr=41.9, seed=0)[1]
    assert scores.loc[name, "f1"] == pytest.approx(AUTHORS_SCORES["f1"], abs=0.0005)
    assert scores.loc[name, "jaccard"] == pytest.approx(0.875, abs=0.0005)


def test_a_disturbed_image_has_the_psnr_asked_for():
    rng = np.random.default_rng(0)
    clean = 0.45 + 0.1 * rng.standard_normal((60, 80))
    other = clean + 1e-3
    result = disturb_image(other, clean, psnr=40.0, rng=rng)
    assert psnr(clean, result) == pytest.approx(40.0, abs=1e-9)
    again = disturb_image(other, clean, psnr=psnr(clean, other), rng=rng)
    assert psnr(clean, again) >= psnr(clean, other) - 1e-6  # nothing is left to add


def test_the_error_is_as_smooth_as_asked_for():
    flat = np.full((256, 256), 0.45)
    for grain in (3.0, 8.0):
        rng = np.random.default_rng(1)
        error = disturb_image(flat, flat, psnr=40, grain=grain, rng=rng) - flat
        step = np.mean((error - np.roll(error, 1, axis=1)) ** 2) / np.mean(error**2)
        # white noise smoothed by a Gaussian correlates as exp(-d² / 4 grain²); about
        # 256² / (4 pi grain²), 80 or more, independent patches: within 40 %
        assert step == pytest.approx(2 * (1 - np.exp(-1 / (4 * grain**2))), rel=0.4)


def test_what_cannot_be_compared_is_refused(monkeypatch):
    flat, rng = np.full((20, 30), 0.45), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"at most that of the image, 20.0 dB; got 30"):
        disturb_image(flat + 0.1, flat, psnr=30, rng=rng)
    with pytest.raises(ValueError, match="psnr must be at most"):
        disturb_image(flat + 0.1, flat, psnr=float("nan"), rng=rng)
    with pytest.raises(ValueError, match="grain must be above 0; got 0"):
        disturb_image(flat, flat, psnr=30, grain=0, rng=rng)
    with pytest.raises(ValueError, match=r"clean must have shape \(20, 30\); got"):
        disturb_image(flat, flat[1:], psnr=30, rng=rng)
    with pytest.raises(ValueError, match="scenes must hold at least the reference"):
        compare_surfaces({}, psnr=41.9, seed=0)
    with pytest.raises(ValueError, match=r"names must be among reference, one .*'two'"):
        surface_scenes("simulated", names=["two"])
    monkeypatch.setenv("SBD_SOURCE", "film")
    with pytest.raises(ValueError, match=r"SBD_SOURCE must be one of .*; got 'film'"):
        surface_scenes()


def test_their_files_are_missed_only_where_they_are_asked_for(monkeypatch):
    def nothing(name):
        raise DataUnavailableError(name)

    monkeypatch.setattr("sbd.data.examples.fetch_clean", nothing)
    monkeypatch.delenv("SBD_SOURCE", raising=False)
    scenes = surface_scenes("auto", grid=128)
    assert all("simulated here" in scene.title for scene in scenes.values())
    with pytest.raises(DataUnavailableError):
        surface_scenes("authors")
