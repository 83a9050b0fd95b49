"""Check that the tuned filters are what was tuned, on images nothing is judged on."""

import inspect
import json
import runpy
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import sbd
from sbd.denoisers.baselines import BASELINES, Baseline, name_parameters

RECORD = json.loads((files("sbd") / "assets" / "tuned.json").read_text())
FOUND = {
    name: {
        k: tuple(v) if isinstance(v, list) else v for k, v in row["parameters"].items()
    }
    for name, row in RECORD["denoisers"].items()
}
TUNABLE = [name for name, baseline in BASELINES.items() if baseline.grid]
ROOT = Path(__file__).resolve().parents[2]
FLAT = np.full((64, 60), sbd.VACUUM)
COUNTS = np.random.default_rng(0).poisson(sbd.VACUUM, (180, 160))


def test_both_lists_have_the_same_names_in_the_same_order():
    assert list(sbd.classical_denoisers()) == list(sbd.tuned_denoisers())
    assert list(sbd.tuning_table().index) == TUNABLE


@pytest.mark.parametrize("name", TUNABLE)
def test_what_was_tuned_is_what_would_be_tuned_now(name):
    baseline, found = BASELINES[name], RECORD["denoisers"][name]
    assert FOUND[name].keys() == baseline.grid.keys()
    tried = inspect.signature(baseline.denoise).parameters
    for keyword, value in FOUND[name].items():
        assert value in [*baseline.grid[keyword], tried[keyword].default]
    assert found["difference"] >= 0  # the default is a candidate
    sizes = [len({*v, tried[k].default}) for k, v in baseline.grid.items()]
    assert found["candidates"] <= np.prod(sizes)


@pytest.mark.parametrize("name", TUNABLE)
def test_a_tuned_denoiser_has_the_recorded_parameters(name):
    options = FOUND[name]
    by_hand = BASELINES[name].denoise(COUNTS, **options)
    np.testing.assert_array_equal(sbd.tuned_denoisers()[name](COUNTS), by_hand)
    shown = sbd.tuning_table().loc[name]
    assert shown["tuned"] == name_parameters(options)
    assert shown["default"] == name_parameters(BASELINES[name].denoise)


def test_no_image_of_the_tuning_is_of_a_structure_of_the_test_split():
    table = {recipe.name: recipe.split for recipe in sbd.default_recipes()}
    splits = {table[image["structure"]] for image in RECORD["images"]}
    assert splits == {RECORD["split"]} == {"valid"}
    assert 12 <= len(RECORD["images"]) <= 16
    for label in ("structure", "tilt_x", "tilt_y", "defocus"):
        assert len({image[label] for image in RECORD["images"]}) > 2
    # one image in twenty is black, and none of these is
    contrasts = {image["contrast"] for image in RECORD["images"]}
    assert contrasts == {"intermediate", "white"}


def test_a_denoiser_that_nobody_has_tuned_is_told(monkeypatch):
    monkeypatch.setitem(
        BASELINES, "new", Baseline(sbd.denoise_gaussian, {"sigma": (1,)})
    )
    for ask in (sbd.tuned_denoisers, sbd.tuning_table):
        with pytest.raises(ValueError, match=r"\(make tune\); got 'new', which is not"):
            ask()
    assert "new" in sbd.classical_denoisers()


def test_the_script_records_the_best_candidate_and_how_sure_it_is():
    script = runpy.run_path(str(ROOT / "sbd/companion/make/tune.py"))
    found = sbd.tune(
        sbd.denoise_gaussian, [FLAT, 2 * FLAT], {"sigma": (3.0,)}, draws=1, seed=0
    )
    row = script["summarise"](found)
    assert row["parameters"] == found.parameters == {"sigma": 7.5}
    assert (row["difference"], row["edges"], row["candidates"]) == (0, ("sigma",), 2)
    assert row["score"] == round(found.table["score"][0], 3)


def test_the_record_says_how_it_was_made():
    script = runpy.run_path(str(ROOT / "sbd/companion/make/tune.py"))
    assert RECORD["seed"] == script["SEED"]
    assert RECORD["draws"] == script["DRAWS"]
    assert RECORD["dose"] == sbd.VACUUM
    assert [*RECORD["images"][0]] == script["LABELS"]
