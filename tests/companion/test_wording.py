"""Check what pages say of their image, and how they write numbers and names."""

import numpy as np
import pytest

import sbd
from sbd.companion import wording
from sbd.data.examples import Micrograph

IMAGE = np.ones((4, 4), np.float32)


def micrograph(source, clean):
    title = f"the {source} image, counted somehow"
    return Micrograph(IMAGE, clean, source, title, pixel_size=0.5, vacuum=0.45)


def test_a_dose_is_told_per_pixel_and_per_area():
    assert wording.describe_dose(0.45, 0.5) == "0.45 e/pixel = 2 e/\u00c5\u00b2"


def test_the_stand_in_is_told_and_no_other_image_is_one():
    said = wording.tell_image(micrograph("simulated", IMAGE)).data
    assert said.startswith("**This copy shows a stand-in.**")
    assert "the simulated image, counted at 0.45 e/pixel" in said
    for source, clean, word in (("authors", IMAGE, "known"), ("real", None, "not")):
        said = wording.tell_image(micrograph(source, clean)).data
        assert "stand-in" not in said
        assert f"Its truth is {word}" in said


def test_the_bundled_image_is_a_stand_in():
    bundled = sbd.example_micrograph("simulated", rng=np.random.default_rng(0))
    assert "stand-in" in wording.tell_image(bundled).data


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (40.8213, 0.1846, "40.82 \u00b1 0.18"),
        (40.8213, 0.6446, "40.8 \u00b1 0.6"),
        (1.5, 0.96, "1.5 \u00b1 1.0"),
        (152.2, 14.4, "152 \u00b1 14"),
        (26.3325, 0.0004, "26.332 \u00b1 0.000"),
        (3.2, float("nan"), "3.20"),
        (3.2, 0.0, "3.20"),
    ],
)
def test_a_value_is_rounded_by_its_error(value, error, words):
    assert wording.with_error(value, error) == words


def test_what_was_measured_is_read_where_it_is():
    assert "strict test split" in wording.read_measured("score")
    assert wording.read_measured("nothing of the kind") == {}


def test_a_difference_has_its_sign():
    told = [wording.with_sign(v, 0.17) for v in (1.1149, -0.2345, 0.0)]
    assert told == ["+1.11 ± 0.17", "-0.23 ± 0.17", "+0.00 ± 0.17"]


def test_only_a_copy_without_the_files_speaks_of_a_stand_in():
    how = {"shown": "Theirs.", "missing": "ours is shown"}
    assert wording.tell_copy(whole=True, **how).data == "Theirs."
    said = wording.tell_copy(whole=False, **how).data
    assert "stand-in" in said
    assert "so ours is shown" in said


def test_names_become_a_phrase():
    told = [wording.list_names(list(names)) for names in ("", "a", "abc")]
    assert told == ["none", "a", "a, b and c"]
