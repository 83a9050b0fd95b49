"""Check what the set-up cell finds on Colab, without an environment like Colab's."""

import json
import re
import runpy
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
COLAB = runpy.run_path(str(ROOT / ".ci" / "colab.py"))
PINS = [
    Requirement(line)
    for line in (ROOT / ".ci" / "colab.txt").read_text().splitlines()
    if not line.startswith("#")
]
EXACT = {
    pin.name: next(iter(pin.specifier)).version for pin in PINS if "==" in str(pin)
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def asked_for():
    """Yield what the set-up cell makes pip look at: ours, and what abTEM needs."""
    extra = PROJECT["optional-dependencies"]["simulation"]
    yield from map(Requirement, [*PROJECT["dependencies"], *extra])
    without = {**default_environment(), "extra": ""}
    for name in ("abtem", "ipympl", "scikit-image", "pooch"):
        for requirement in map(Requirement, distribution(name).requires):
            if requirement.marker is None or requirement.marker.evaluate(without):
                yield requirement


def test_what_colab_has_is_new_enough_for_us_and_for_abtem():
    seen = set()
    for requirement in asked_for():
        have = EXACT.get(requirement.name)
        if have:
            assert requirement.specifier.contains(have), f"{requirement}; Colab: {have}"
            seen.add(requirement.name)
    assert seen >= {"numpy", "torch", "matplotlib", "scipy", "dask", "ipywidgets"}


def test_what_a_rehearsal_begins_with_is_no_part_of_what_is_installed():
    there = {pin.name for pin in PINS}
    assert not there & {"abtem", "papermill", "jupytext", "sbd", "zarr", "ase"}


def test_every_notebook_can_be_rehearsed():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = COLAB["in_colab"](path.read_text("utf8"), "file:///a clone", "smoke")
        cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
        assert 'repository = "file:///a clone"' in cells[1]["source"], path.name
        assert 'scale = "smoke"' in cells[0]["source"]
        assert not any(cell["outputs"] for cell in cells)


def test_a_notebook_without_the_cell_is_refused():
    cell = {"cell_type": "code", "source": ['scale = "default"'], "outputs": []}
    with pytest.raises(ValueError, match="one set-up cell and one scale; got 1 of 2"):
        COLAB["in_colab"](json.dumps({"cells": [cell]}), "", "smoke")


def test_what_was_missing_and_what_was_changed_are_told_apart():
    before = {"numpy": "2.1.3", "dask": "2025.12.0"}
    after = {"numpy": "2.1.3", "dask": "2026.8.0", "abtem": "1.0.11"}
    new, other = COLAB["changes"](before, after)
    assert new == ["abtem 1.0.11"]
    assert other == ["dask 2025.12.0 became 2026.8.0"]
    assert COLAB["changes"](before, before) == ([], [])


def test_of_two_versions_the_one_that_is_imported_counts(tmp_path, monkeypatch):
    for folder, number in (("above", "2"), ("below", "1")):
        about = tmp_path / folder / f"some_thing-{number}.dist-info"
        about.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: some_thing\nVersion: {number}\n"
        (about / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "below")
    monkeypatch.syspath_prepend(tmp_path / "above")
    shown = []
    exec(COLAB["LIST"], {"print": shown.append})
    assert json.loads(shown[0])["some-thing"] == "2"


def test_the_cell_is_given_an_address_that_pip_can_take():
    cell = (ROOT / ".ci" / "setup_cell.py").read_text()
    assert COLAB["ADDRESS"].search(cell)
    assert re.search(r"git\+\{repository\}", cell)
