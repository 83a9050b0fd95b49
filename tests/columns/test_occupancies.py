"""Check intensities against dots that were drawn, and against counted ones."""

import numpy as np
import pytest

from sbd.columns.finding import Columns
from sbd.columns.occupancies import column_occupancy, erase_columns

VACUUM = 0.45
WIDTHS = np.array([6.0, 8.0, 7.0, 6.5])
PLACES = np.array([[60.3, 50.7], [60.0, 72.0], [82.0, 60.5], [120.0, 130.0]])
COLUMNS = Columns(PLACES, WIDTHS * np.sqrt(2), np.ones(4))


def scene(heights, *, slope=0.0):
    rows, cols = np.indices((180, 190))
    image = VACUUM + slope * (rows - 2.0 * cols)
    for (row, col), width, height in zip(PLACES, WIDTHS, heights, strict=True):
        squared = (rows - row) ** 2 + (cols - col) ** 2
        image = image + height * np.exp(-squared / (2 * width**2))
    return image


def test_overlapping_columns_get_back_what_each_was_given():
    # three of them 3 widths apart, on a ground that slopes by 0.09 over a spacing
    heights = np.array([0.2, 0.1, -0.05, 0.0])
    table = column_occupancy(scene(heights, slope=1e-3), COLUMNS)
    # the mirror images of the ground at the border bend it by the slope: at 5 widths
    # from the border exp(-12.5) of the slope times a width are left, below 1e-7; the
    # response between pixels is a cubic spline, with an error of (pi / width)^4 / 384
    np.testing.assert_allclose(table["amplitude"], heights, atol=2e-4)
    np.testing.assert_allclose(
        table["intensity"], 2 * np.pi * WIDTHS**2 * heights, atol=0.08
    )


def test_occupancy_is_a_share_of_the_reference():
    full = np.array([0.2, 0.1, 0.15, 0.12])
    shares = np.array([1.0, 0.5, 0.0, 2.0])
    table = column_occupancy(scene(shares * full), COLUMNS, reference=scene(full))
    np.testing.assert_allclose(table["occupancy"], shares, atol=2e-3)


def test_without_a_reference_the_typical_column_is_full():
    table = column_occupancy(scene([0.2, 0.2, 0.2, 0.1]), COLUMNS)
    np.testing.assert_allclose(table["occupancy"], [1, 1, 1, 0.5], atol=3e-3)


def test_counts_give_the_amplitude_with_the_error_they_promise():
    rows, cols = np.indices((120, 120))
    dot = 0.2 * np.exp(-((rows - 60) ** 2 + (cols - 60) ** 2) / (2 * 8.0**2))
    one = Columns(np.array([[60.0, 60.0]]), np.array([8 * np.sqrt(2)]), np.ones(1))
    rng = np.random.default_rng(1)
    draws = [
        column_occupancy(rng.poisson(VACUUM + dot), one)["amplitude"].item()
        for _ in range(200)
    ]
    # noise of the vacuum; that of the dot itself, weighed by the squared kernel, adds
    # less than 0.2 / 0.45 of the variance: between 1 and sqrt(1.45) times
    promised = np.sqrt(2 * VACUUM / np.pi) / 8
    # the standard deviation of 200 draws scatters by 1 / sqrt(400) = 5 %; four of them
    assert 0.8 < np.std(draws) / promised < 1.2 * 1.2
    # 4 standard errors of the mean
    assert np.mean(draws) == pytest.approx(0.2, abs=4 * 1.2 * promised / np.sqrt(200))


def test_an_erased_column_is_gone_and_the_others_stay():
    image = scene([0.2, 0.1, 0.15, 0.12], slope=1e-4)
    left = erase_columns(image, COLUMNS, [1])
    expected = scene([0.2, 0.0, 0.15, 0.12], slope=1e-4)
    np.testing.assert_allclose(left, expected, atol=3e-4)
    assert erase_columns(image, COLUMNS, []).tolist() == image.tolist()
    mask = np.array([True, False, False, True])
    np.testing.assert_array_equal(
        erase_columns(image, COLUMNS, mask), erase_columns(image, COLUMNS, [0, 3])
    )


def test_nothing_has_no_intensity():
    nothing = Columns(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    flat = np.full((30, 40), VACUUM)
    assert column_occupancy(flat, nothing).shape == (0, 3)
    np.testing.assert_array_equal(erase_columns(flat, nothing, []), flat)
    dark = column_occupancy(np.zeros((180, 190)), COLUMNS)
    assert dark["amplitude"].tolist() == [0, 0, 0, 0]
    assert dark["occupancy"].isna().all()  # of nothing, no share


def test_what_cannot_be_measured_is_refused():
    image = scene([0.2, 0.1, 0.15, 0.12])
    with pytest.raises(ValueError, match="columns must lie inside the image of shape"):
        column_occupancy(image[:100], COLUMNS)
    with pytest.raises(ValueError, match=r"reference must have shape \(180, 190\)"):
        column_occupancy(image, COLUMNS, reference=image[:, 1:])
    with pytest.raises(ValueError, match="columns must lie far enough apart"):
        column_occupancy(image, COLUMNS[[0, 0, 1]])
    with pytest.raises(IndexError):
        erase_columns(image, COLUMNS, [7])
    with pytest.raises(ValueError, match="image must be finite"):
        column_occupancy(np.full((180, 190), np.nan), COLUMNS)


def test_columns_between_the_border_and_the_first_pixel_are_inside():
    y, x = np.mgrid[:60, :80]
    dot = 0.2 * np.exp(-((y + 0.3) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    place, radius = np.array([[-0.3, 40.0]]), np.array([5 * 2**0.5])
    table = column_occupancy(dot, Columns(place, radius, np.ones(1)), reference=dot)
    np.testing.assert_allclose(table["occupancy"], 1.0)
    with pytest.raises(ValueError, match=r"got one at \(-0.6, 40.0\)"):
        column_occupancy(dot, Columns(place - [[0.3, 0]], radius, np.ones(1)))
    with pytest.raises(ValueError, match="columns must be smaller than the image"):
        column_occupancy(dot, Columns(place, np.array([300.0]), np.ones(1)))
    with pytest.raises(TypeError, match="columns must be Columns"):
        column_occupancy(dot, place)
