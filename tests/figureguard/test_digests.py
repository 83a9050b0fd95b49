"""Check when two digests agree."""

import copy
import json

import pytest

from sbd.figureguard.comparison import figure_problems, read_digest
from sbd.figureguard.digests import (
    DIGEST_KEY,
    compare_digests,
    picture_hash,
    same_but_for_rounding,
)

IMAGE = {
    "shape": [4, 5],
    "clim": [0.0, 2.0],
    "mean": 0.5,
    "rms": 1.0,
    "projections": [0.3, -1.2],
    "cmap": {"name": "gray"},
}
DIGEST = {
    "numbers": {
        **{"psnr": 38.2, "atoms": 52, "source": "authors", "mean": 2.0},
        "ratio": -0.008,
    },
    "panels": [
        {"titles": ["Data", "", ""], "images": [IMAGE], "position": [0, 0, 0.5, 1]},
        {"titles": ["Map", "", ""], "images": [], "position": [0.5, 0, 0.5, 1]},
    ],
}


def changed(path, value):
    """Return the digest with one entry set, and what the comparison says."""
    new = copy.deepcopy(DIGEST)
    *way, last = path
    place = new
    for step in way:
        place = place[step]
    place[last] = value
    return compare_digests(DIGEST, new)


FIRST = ("panels", 0, "images", 0)


def test_a_digest_agrees_with_itself():
    assert compare_digests(DIGEST, copy.deepcopy(DIGEST)) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*FIRST, "clim"), [0.0, 2.1], "panel 1 'Data', image 1, clim: 2 became 2.1"),
        ((*FIRST, "mean"), 0.51, "mean: 0.5 became 0.51"),
        ((*FIRST, "projections"), [0.3, -1.17], "projections: -1.2 became -1.17"),
        ((*FIRST, "shape"), [4, 6], "shape: 5 became 6"),
        ((*FIRST, "cmap", "name"), "viridis", "'gray' became 'viridis'"),
        (("panels", 0, "titles", 0), "Date", "'Data' became 'Date'"),
        (("panels", 0, "images"), [], "panel 1 'Data', images: 1 became 0"),
        (("panels", 1, "position"), [0.6, 0, 0.5, 1], "position: 0.5 became 0.6"),
        (("numbers", "psnr"), 38.5, "numbers, psnr: 38.2 became 38.5"),
        (("numbers", "atoms"), 51, "numbers, atoms: 52 became 51"),
        (("numbers", "ratio"), -0.006, "numbers, ratio: -0.008 became -0.006"),
        (("numbers", "ratio"), 0.008, "numbers, ratio: -0.008 became 0.008"),
        (("numbers", "source"), "simulated", "'authors' became 'simulated'"),
        (("numbers", "mean"), True, "2.0 became True"),
    ],
)
def test_a_change_is_named_with_its_place(path, value, words):
    (difference,) = changed(path, value)
    assert words in difference


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*FIRST, "clim"), [0.0, 2.015]),
        ((*FIRST, "mean"), 0.504),  # 5e-3 of the root mean square is 0.005
        ((*FIRST, "projections"), [0.315, -1.2]),
        (("panels", 1, "position"), [0.51, 0.0, 0.5, 1.0]),
        (("numbers", "psnr"), 38.3),
        (("numbers", "ratio"), -0.007),  # -0.0075 and a hair
        (("numbers", "mean"), 2.005),  # no image's mean: relative to itself
    ],
)
def test_what_another_machine_changes_is_let_through(path, value):
    assert changed(path, value) == []


def test_swapped_panels_are_a_change():
    new = {**DIGEST, "panels": DIGEST["panels"][::-1]}
    assert any("'Data' became 'Map'" in line for line in compare_digests(DIGEST, new))


def test_what_is_new_or_missing_is_named():
    assert compare_digests({"a": 1}, {"b": 1}) == ["a: missing now", "b: new"]


def test_a_long_list_of_differences_is_cut():
    old, new = ({str(i): i + step for i in range(30)} for step in (0, 1))
    found = compare_digests(old, new)
    assert len(found) == 13
    assert found[-1] == "and 18 more differences"


@pytest.mark.parametrize(
    ("reference", "fresh"),
    [
        ("{'mean': 0.451}", "{'mean': 0.452}"),
        ("38.2 dB", "38.19 dB"),  # repr drops the zero of 38.20
        ("1.50e-05", "1.51e-05"),
        ("no number", "no number"),
    ],
)
def test_the_last_digit_of_a_decimal_may_flip(reference, fresh):
    assert same_but_for_rounding(reference, fresh)


@pytest.mark.parametrize(
    ("reference", "fresh"),
    [
        ("{'mean': 0.451}", "{'mean': 0.453}"),
        ("{'mean': 0.451}", "{'mean': -0.451}"),
        ("38.2 dB", "38.2 %"),
        ("12 atoms", "13 atoms"),
        ("1.5 and 2.5", "1.5"),
        ("0.1", "0.10002"),
    ],
)
def test_everything_else_is_a_change(reference, fresh):
    assert not same_but_for_rounding(reference, fresh)


def test_a_digest_on_file_as_json_is_the_same_digest():
    picture = picture_hash(b"")
    digest = {"version": 2, "panels": [{"xlim": [0, 1]}], "picture": picture}
    data = {"image/png": ""}
    whole = {"data": data, "metadata": {DIGEST_KEY: digest}}
    packed = {"data": data, "metadata": {DIGEST_KEY: json.dumps(digest)}}
    moved = {**digest, "panels": [{"xlim": [0, 2]}]}
    other = {"data": data, "metadata": {DIGEST_KEY: moved}}
    assert read_digest(packed["metadata"]) == digest
    assert read_digest({}) is None
    assert figure_problems([packed], [whole]) == []
    assert "became 2" in figure_problems([packed], [other])[0]
