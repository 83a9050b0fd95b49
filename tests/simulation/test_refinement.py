"""Check that changed atoms are found again."""

import numpy as np
import pytest

import sbd
from sbd.simulation.matching import match_simulation
from sbd.simulation.refinement import refine_specimen
from sbd.simulation.specimens import layer_counts

# a coarse grid is as good as a fine one where image and search share it
GRID, TILT, FOCUS = 128, (2.0, 0.0), 8.0
EDITS = ((0, 3, -1), (2, 4, 1), (4, 1, -2))
ONE = {
    "particles": ("PtNp1",), "thicknesses": (30.0,), "tilts": (TILT,),
    "defoci": (FOCUS,), "grid": GRID,
}  # fmt: skip


def simulate(edits):
    atoms = sbd.pt_on_ceria("PtNp1", edits, thickness=30.0)
    (wave,) = sbd.exit_wave(atoms, grid=GRID, tilts=[TILT])
    image = sbd.form_image(wave, defocus=10 * FOCUS, samples=512)
    return image[33:445, 16:464].astype(float)


@pytest.fixture(scope="module")
def image():
    return simulate(EDITS)


@pytest.fixture(scope="module")
def match(image):
    return match_simulation(image, pixel=50 / 512, **ONE)


@pytest.fixture(scope="module")
def refined(image, match):
    return refine_specimen(image, match, grid=GRID)


def test_atoms_put_on_and_taken_are_found(refined):
    assert set(refined.edits) == set(EDITS)
    counts = refined.table["atoms"].tolist()
    assert counts == np.concatenate(layer_counts("PtNp1", EDITS)).tolist()
    before = refined.table["before"].tolist()
    assert before == np.concatenate(layer_counts("PtNp1")).tolist()


def test_the_image_of_the_atoms_found_is_the_image(image, refined):
    assert refined.image.shape == image.shape
    # registration: a hundredth of a pixel times slopes of 0.06 e/pixel a pixel
    inside = np.s_[20:-20, 40:-40]
    assert abs(refined.image - image)[inside].max() < 6e-4


def test_without_noise_every_count_is_sure(refined):
    assert (refined.table["probability"] > 0.999).all()
    assert (refined.table[["one less", "one more"]] < 0).all(axis=None)


def test_few_electrons_leave_counts_open_and_change_nothing(image):
    counts = np.random.default_rng(0).poisson(image * (0.45 / 0.45)).astype(float)
    match = match_simulation(counts, pixel=50 / 512, **ONE)
    found = refine_specimen(counts, match, grid=GRID)
    assert found.table["probability"].median() < 0.9
    # one column in forty is what a threshold of exp(4) allows at most
    assert (found.table["atoms"] != found.table["before"]).sum() <= 1


def test_many_electrons_find_what_few_do_not(image):
    counts = np.random.default_rng(0).poisson(image * 1000).astype(float)
    match = match_simulation(counts, pixel=50 / 512, **ONE)
    assert set(refine_specimen(counts, match, grid=GRID).edits) == set(EDITS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gain": 0.0}, "gain must be"),
        ({"rounds": -1}, "rounds must be"),
    ],
)
def test_senseless_options_are_refused(image, match, options, message):
    with pytest.raises(ValueError, match=message):
        refine_specimen(image, match, **options)


def test_another_image_than_the_match_s_is_refused(image, match):
    with pytest.raises(ValueError, match="image"):
        refine_specimen(image[1:], match)
