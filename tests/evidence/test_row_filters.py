"""Check spectra of known filters, and what columns get of a row."""

import numpy as np
import pytest

from sbd.columns.finding import Columns
from sbd.evidence.row_filters import column_weights, filter_spectrum


def gaussian(shape, centre, sigma):
    rows, cols = np.indices(shape)
    squared = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2
    return np.exp(-squared / (2 * sigma**2)) / (2 * np.pi * sigma**2)


@pytest.mark.parametrize("pixel", [(30, 40), (31, 35)])
def test_the_spectrum_of_a_gaussian_is_a_gaussian(pixel):
    sigma = 3.0
    amplitude, k = filter_spectrum(gaussian((64, 80), pixel, sigma), size=96)
    expected = np.exp(-2 * np.pi**2 * sigma**2 * (k[:, None] ** 2 + k**2))
    # cut at 10 deviations, and aliases of exp(-2 pi^2 9 / 4) = 5e-20: rounding only
    np.testing.assert_allclose(amplitude, expected, rtol=0, atol=1e-12)


def test_a_pixel_alone_passes_every_wave():
    row = np.zeros((7, 9))
    row[2, 3] = -1.0
    amplitude, k = filter_spectrum(row)
    assert amplitude.shape == (9, 9)
    np.testing.assert_allclose(amplitude, 1.0, rtol=0, atol=1e-15)
    assert k[9 // 2] == 0


def test_a_wave_comes_out_as_the_spectrum_says():
    row = np.random.default_rng(0).normal(size=(16, 16))
    amplitude, k = filter_spectrum(row)
    rows, cols = np.indices(row.shape)
    wave = np.exp(2j * np.pi * (k[11] * rows + k[3] * cols))
    # 256 products of order 1 in double precision
    assert amplitude[11, 3] == pytest.approx(abs((row * wave).sum()), abs=1e-12)


def test_a_spectrum_is_not_made_of_less_than_the_row():
    with pytest.raises(ValueError, match=r"size must be at least 9, .* got 8"):
        filter_spectrum(np.ones((4, 9)), size=8)
    with pytest.raises(ValueError, match="row must be two-dimensional"):
        filter_spectrum(np.ones(4))


def columns_at(*positions, radius):
    n = len(positions)
    places = np.array(positions, float).reshape(-1, 2)
    return Columns(places, np.full(n, float(radius)), np.ones(n))


def test_a_column_gets_what_lies_in_its_disc():
    rng = np.random.default_rng(1)
    row, noisy = rng.normal(size=(40, 50)), rng.poisson(0.45, (40, 50))
    centres = [(10.3, 12.0), (0.0, 49.0)]  # one cut by the border
    table = column_weights(row, columns_at(*centres, radius=5), (10, 16), noisy=noisy)
    rows, cols = np.indices(row.shape)
    for (_, got), (r, c) in zip(table.iterrows(), centres, strict=True):
        disc = (rows - r) ** 2 + (cols - c) ** 2 <= 25
        # sums of 80 terms of order 1 in double precision
        assert got["weight"] == pytest.approx(row[disc].sum(), abs=1e-13)
        share = np.abs(row[disc]).sum() / np.abs(row).sum()
        assert got["share"] == pytest.approx(share, abs=1e-13)
        value = (row * noisy)[disc].sum()
        assert got["contribution"] == pytest.approx(value, abs=1e-13)
        assert got["distance"] == pytest.approx(np.hypot(r - 10, c - 16))
        assert (got["row"], got["column"]) == (r, c)


def test_discs_that_fill_the_image_hold_the_whole_value():
    rng = np.random.default_rng(2)
    row, noisy = rng.normal(size=(6, 7)), rng.poisson(1.0, (6, 7))
    pixels = columns_at(*np.ndindex(6, 7), radius=0.1)
    table = column_weights(row, pixels, (0, 0), noisy=noisy)
    assert table["contribution"].sum() == pytest.approx(np.vdot(row, noisy), abs=1e-12)
    assert table["share"].sum() == pytest.approx(1, abs=1e-12)


def test_overlapping_columns_both_get_what_they_share():
    row = np.zeros((9, 9))
    row[4, 4] = 1.0
    table = column_weights(row, columns_at((4, 3), (4, 5), radius=2), (4, 4))
    assert table["weight"].tolist() == [1.0, 1.0]


def test_there_is_an_answer_without_columns_or_weight():
    none = columns_at(radius=1)
    table = column_weights(np.ones((4, 4)), none, (0, 0), noisy=np.ones((4, 4)))
    assert (len(table), list(table)[-1]) == (0, "contribution")
    assert column_weights(np.zeros((4, 4)), columns_at((1, 1), radius=1), (0, 0))[
        "share"
    ].tolist() == [0.0]


def test_what_does_not_fit_is_refused():
    one, row = columns_at((1, 1), radius=1), np.ones((4, 4))
    with pytest.raises(ValueError, match=r"shape of row, \(4, 4\); got \(4, 5\)"):
        column_weights(row, one, (0, 0), noisy=np.ones((4, 5)))
    with pytest.raises(TypeError, match="columns must be Columns"):
        column_weights(row, [(1, 1)], (0, 0))
    with pytest.raises(IndexError, match="pixel must lie inside"):
        column_weights(row, one, (4, 0))
    with pytest.raises(ValueError, match="columns must lie inside"):
        column_weights(row, columns_at((9, 1), radius=1), (0, 0))
