"""Check that bad input is named."""

import numpy as np
import pytest

from sbd.validation import check_image, check_pixel, check_positive


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
