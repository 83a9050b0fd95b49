"""Check that an image's own simulation is found again."""

import numpy as np
import pytest

import sbd
from sbd.data.registry import DataUnavailableError
from sbd.simulation.matching import _lattice_pixel

PIXEL = 50 / 1024
# a coarse grid is as good as a fine one where image and templates share it
FEW = {
    "particles": ("PtNp2", "PtNp4"),
    "thicknesses": (20.0, 30.0),
    "tilts": ((0.0, 0.0), (3.0, 0.0), (0.0, 2.0)),
    "defoci": (4.0, 6.0, 8.0),
    "grid": 128,
}
TRUE = {
    "particle": "PtNp4", "defect": "D1c", "thickness": 20.0,
    "tilt_x": 0.0, "tilt_y": 2.0, "defocus": 6.0,
}  # fmt: skip


def simulate(samples=1024, tilt=(0.0, 2.0)):
    atoms = sbd.pt_on_ceria("PtNp4", "D1c", thickness=20.0, tilt=tilt)
    return sbd.form_image(sbd.exit_wave(atoms, grid=128), defocus=60.0, samples=samples)


@pytest.fixture(scope="module")
def image():
    """Give a crop that begins a fraction of a pixel off the box's grid."""
    return simulate(4096)[151:, 42:][: 4 * 840 : 4, : 4 * 900 : 4]


@pytest.fixture(scope="module")
def found(image):
    return sbd.match_simulation(image, **FEW)


def test_all_parameters_of_a_clean_image_are_found(found):
    assert {name: found.parameters[name] for name in TRUE} == TRUE
    assert found.parameters["dose"] == pytest.approx(0.45, rel=1e-4)
    assert not found.parameters["mirrored"]


def test_the_match_is_registered_to_a_small_fraction_of_a_pixel(image, found):
    # it begins at row 151 and column 42 of 4096
    true = np.array([151, 42]) * 50 / 4096
    np.testing.assert_allclose(found.parameters["origin"], true, atol=0.01 * PIXEL)
    assert found.image.shape == image.shape
    # a hundredth of a pixel times slopes of 0.03 e/pixel a pixel
    assert np.abs(found.image - image).max() < 3e-4
    assert found.correlation > 0.99999
    assert found.frame_correlation > 0.99999


def test_the_correlation_is_pearson_s_on_the_support(image, found):
    inside = found.support
    wanted = np.corrcoef(image[inside], found.image[inside])[0, 1]
    assert found.correlation == pytest.approx(wanted, abs=1e-6)
    rows = np.flatnonzero(inside.any(axis=1))
    # the support's surface is 26 angstrom above the bottom of the box
    assert rows.min() * PIXEL + found.parameters["origin"][0] > 50 - 26


def test_scale_does_not_matter(image, found):
    bright = sbd.match_simulation(7 * image, **FEW)
    assert bright.parameters["dose"] == pytest.approx(7 * 0.45, rel=1e-4)
    assert bright.correlation == pytest.approx(found.correlation, abs=1e-5)


def test_an_offset_is_found(image):
    found = sbd.match_simulation(image + 5, **FEW)
    assert found.parameters["dose"] == pytest.approx(5.45, rel=1e-4)
    assert np.abs(found.image - image - 5).max() < 1e-3


def test_the_pixel_of_a_whole_box_need_not_be_given():
    found = sbd.match_simulation(simulate(400), **FEW)
    np.testing.assert_allclose(found.parameters["pixel"], 50 / 400, rtol=0.01)
    assert found.correlation > 0.9


def test_counts_at_the_paper_s_dose_are_enough_here(image):
    noisy = sbd.poisson_noise(image, rng=np.random.default_rng(0))
    found = sbd.match_simulation(noisy, **FEW)
    names = ("particle", "thickness", "tilt_x", "tilt_y", "defocus")
    assert {n: found.parameters[n] for n in names} == {n: TRUE[n] for n in names}
    # of counts, the correlation is that of the clean image times the share of signal
    assert 0.05 < found.correlation < 0.5


def test_the_pixel_is_found_where_it_is_not_the_authors():
    other = simulate(640)[60:560, 30:590]
    estimate = _lattice_pixel(other)
    np.testing.assert_allclose(estimate, 50 / 640, rtol=0.02)
    found = sbd.match_simulation(other, pixel=50 / 640, **FEW)
    assert found.correlation > 0.9999
    assert {name: found.parameters[name] for name in TRUE} == TRUE


def test_a_mirrored_image_is_recognised(image):
    few = FEW | {"tilts": ((0.0, 2.0),), "thicknesses": (20.0,), "defoci": (6.0,)}
    found = sbd.match_simulation(image[:, ::-1], pixel=PIXEL, **few)
    assert found.parameters["mirrored"]
    assert np.abs(found.image - image[:, ::-1]).max() < 3e-4


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.ones((700, 700)), {}, "image must not be constant; got 1.0 everywhere"),
        (np.eye(300), {}, "pixel must make image at least 25 angstrom"),
        (np.eye(600), {"pixel": -1.0}, "pixel must make image at least 25 angstrom"),
        (np.eye(600), {"defoci": ()}, "defoci must hold at least one candidate"),
        (np.eye(600), {"particles": ("Au",)}, "particle must be one of"),
        (np.eye(600), {"tilts": ()}, "tilts must hold at least one pair"),
        (np.full((600, 600), np.nan), {}, "image must"),
    ],
)
def test_what_cannot_be_matched_is_refused(image, options, message):
    with pytest.raises(ValueError, match=message):
        sbd.match_simulation(image, **options)


@pytest.mark.network
def test_the_authors_image_is_recognised():
    try:
        published = sbd.fetch_clean("clean/PtNp2-S3_5")
    except DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    found = sbd.match_simulation(
        published, particles=("PtNp2",), thicknesses=(40.0,),
        tilts=((2.0, 0.0), (3.0, 0.0)), defoci=(5.0, 6.0, 7.0), grid=384,
    )  # fmt: skip
    wanted = {"defect": "S3_5", "thickness": 40.0, "tilt_x": 3.0, "defocus": 6.0}
    assert {name: found.parameters[name] for name in wanted} == wanted
    assert found.correlation > 0.999
    assert found.frame_correlation > 0.999
    # whole frame, though the seam is only 1.1 angstrom beyond its right edge
    assert sbd.psnr(published, found.image) > 57
