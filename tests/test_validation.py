"""Check that bad input is named."""

import numpy as np
import pytest

import sbd
from sbd.validation import (
    apply_denoiser,
    check_counts,
    check_image,
    check_pixel,
    check_positive,
    check_whole,
)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((0, 4)), ValueError, r"noisy must not be empty; got shape \(0, 4\)"),
        (np.zeros((2, 3, 4)), ValueError, r"two-dimensional .* got shape \(2, 3, 4\)"),
        (np.zeros(5), ValueError, r"two-dimensional .* got shape \(5,\)"),
        ([[1.0, np.nan]], ValueError, "finite; got 1 NaN or infinite of 2 pixels"),
        ([[np.inf, np.nan]], ValueError, "finite; got 2 NaN"),
        ([[1.0, -0.5]], ValueError, "no value below 0; got -0.5"),
        ([["a", "b"]], TypeError, "real numbers; got dtype <U1"),
        ([[1j, 0]], TypeError, "real numbers; got dtype complex128"),
        ([[1, 2], [3]], ValueError, "two-dimensional .* got rows of unlike length"),
        (None, TypeError, "real numbers; got dtype object"),
    ],
)
def test_a_bad_image_is_refused_by_name(image, error, message):
    with pytest.raises(error, match=message):
        check_image(image, "noisy", counts=True)


def test_negative_values_are_fine_where_no_counts_are_asked_for():
    assert check_image([[-1.0]]).min() == -1.0


def test_single_precision_is_kept_and_whole_numbers_become_double():
    assert check_image(np.zeros((2, 2), np.float32)).dtype == np.float32
    assert check_image(np.zeros((2, 2), np.uint16)).dtype == np.float64


@pytest.mark.parametrize("pixel", [(3, 0), (0, 4), (-1, 0)])
def test_a_pixel_outside_is_refused(pixel):
    with pytest.raises(IndexError, match=r"inside an image of shape \(3, 4\)"):
        check_pixel(pixel, (3, 4))


@pytest.mark.parametrize("pixel", [(1.5, 0), (1,), "ab", None, (1, 2, 3)])
def test_what_is_no_pixel_is_refused(pixel):
    with pytest.raises(TypeError, match="pair of whole numbers"):
        check_pixel(pixel, (3, 4))


@pytest.mark.parametrize("number", [0, -1.0, float("nan"), float("inf")])
def test_a_number_that_is_not_positive_is_named(number):
    check_positive(one=1, tiny=1e-30)
    with pytest.raises(ValueError, match=f"width must be positive; got {number}"):
        check_positive(one=1, width=number)


def test_whole_numbers_within_the_limits_are_taken():
    for number in (1, np.int64(7), 10**9):
        check_whole("draws", number)
    check_whole("levels", 3, 2, 3)


@pytest.mark.parametrize("number", [0, 1.0, True, None, "2", np.float64(3)])
def test_what_is_no_whole_number_is_named(number):
    with pytest.raises(ValueError, match="draws must be a whole number of at least 1"):
        check_whole("draws", number)


@pytest.mark.parametrize("number", [1, 4])
def test_a_whole_number_beyond_its_limits_is_named_with_them(number):
    with pytest.raises(ValueError, match=f"a whole number from 2 to 3; got {number}"):
        check_whole("levels", number, 2, 3)


def test_a_denoiser_that_writes_on_its_image_spoils_a_copy():
    counts = np.ones((2, 3))
    zeros = apply_denoiser(lambda image: np.multiply(image, 0, out=image), counts)
    assert zeros.sum() == 0
    assert counts.sum() == 6


@pytest.mark.parametrize("dose", [0.01, 0.1, 0.45, 2.0, 10.0, 200.0])
def test_counts_of_any_dose_are_taken_for_counts(dose):
    clean, _ = sbd.example_truth("simulated")
    counts = np.random.default_rng(1).poisson(clean * (dose / sbd.VACUUM))
    counts[300, 300] = 1_000_000  # a hot pixel is none of the neighbours' business
    np.testing.assert_array_equal(check_counts(counts), counts)
    np.testing.assert_array_equal(check_counts(clean), clean)


@pytest.mark.parametrize("gain", [3.0, 30.0])  # varies 2.9 or 29 times, say
@pytest.mark.parametrize(
    "denoise",
    ["denoise_windowed_fourier", "denoise_wiener", "denoise_vst", "denoise_absf",
     "denoise_purelet", "denoise_correlation_averaging"],
)  # fmt: skip
def test_every_denoiser_warns_of_a_detectors_units(denoise, gain):
    counts = np.random.default_rng(1).poisson(2.0, (96, 96))
    with pytest.warns(UserWarning, match="noisy varies (2|3)"):
        getattr(sbd, denoise)(gain * counts)


@pytest.mark.parametrize("kind", ["spot_filter", "wiener", "absf"])
def test_filters_made_of_two_functions_warn_once(kind):
    counts = np.random.default_rng(1).poisson(2.0, (96, 96))
    with pytest.warns(UserWarning, match="noisy varies") as said:
        getattr(sbd, f"denoise_{kind}")(30 * counts)
    assert len(said) == 1


def test_of_few_pixels_or_electrons_nothing_is_said():
    rng = np.random.default_rng(1)
    for units in (
        30 * rng.poisson(2.0, (20, 400)),
        30.0 * (rng.random((96, 96)) < 3e-3),
    ):
        check_counts(units)
