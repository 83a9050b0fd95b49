"""Check the band limit against waves of known frequency, and the bins it gives."""

import numpy as np
import pytest

from sbd.denoisers.binning import (
    band_limit,
    bin_counts,
    choose_binning,
    repeat_bins,
    unbin,
)

each_shape = pytest.mark.parametrize("shape", [(300, 400), (512, 128), (200, 200)])


def counts(clean, seed=0):
    return np.random.default_rng(seed).poisson(clean).astype(np.float32)


def wave(shape, row_frequency, column_frequency, amplitude=0.1):
    rows, columns = np.indices(shape)
    phase = 2 * np.pi * (row_frequency * rows + column_frequency * columns)
    return 0.45 + amplitude * np.cos(phase + 0.3)


@each_shape
def test_nothing_is_seen_in_vacuum(shape):
    assert [band_limit(counts(np.full(shape, 0.45), seed)) for seed in range(8)] == (
        [0.0] * 8
    )


@each_shape
@pytest.mark.parametrize("frequency", [0.03, 0.1, 0.25, 0.4])
def test_the_band_limit_of_a_wave_is_its_frequency(shape, frequency):
    noisy = counts(wave(shape, 0.8 * frequency, 0.6 * frequency))
    # the smoothing's tail of 1, cut at 4 deviations, and a leak of as many again, in
    # half Fourier pixels of the shorter side; rings are 2 Fourier pixels wide
    width = 1 / min(shape)
    assert frequency - 2 * width < band_limit(noisy) < frequency + 5 * width


def test_a_wave_that_fits_the_image_is_seen_although_it_is_one_coefficient():
    # 20 half periods in 200 rows and in 200 columns: all power in one place
    rows, columns = (np.cos(np.pi * (np.arange(200) + 0.5) / 10) for _ in range(2))
    noisy = counts(0.45 + 0.2 * rows[:, None] * columns)
    assert band_limit(noisy) == pytest.approx(np.hypot(0.05, 0.05), abs=1 / 200)


def test_of_two_waves_the_finer_one_counts():
    noisy = counts(wave((256, 256), 0.05, 0) + wave((256, 256), 0, 0.2) - 0.45)
    assert band_limit(noisy) == pytest.approx(0.2, abs=5 / 256)


def test_a_picture_with_edges_has_no_band_limit():
    blocks = np.kron(np.random.default_rng(1).uniform(2, 60, (64, 64)), np.ones((5, 5)))
    assert band_limit(counts(blocks)) > 0.45
    assert choose_binning(counts(blocks)) == 1


def test_more_electrons_show_more():
    rows, columns = np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)
    rng = np.random.default_rng(2)
    spectrum = rng.normal(size=(256, 129)) * np.exp(-40 * np.hypot(rows, columns))
    clean = np.fft.irfft2(spectrum)
    clean = np.maximum(0.45 * (1 + 0.3 * clean / clean.std()), 0)
    few, many, most = (band_limit(counts(dose * clean)) for dose in (1, 20, 400))
    assert 0 < few < many < most < 0.3


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (5, 5), (16, 40)])
def test_where_there_is_nothing_to_see_zero_is_returned(shape):
    for image in (np.zeros(shape), np.full(shape, 3.0)):
        assert band_limit(image) == 0
        assert choose_binning(image) == 1
    assert 0 <= band_limit(counts(np.full(shape, 0.45))) <= 0.5


def test_the_bins_leave_samples_to_the_shortest_period():
    noisy = counts(wave((600, 640), 0.05, 0.0))
    limit = band_limit(noisy)
    for samples in (2.5, 4.0, 6.0):
        width = choose_binning(noisy, samples=samples)
        assert width * limit * samples <= 1 < (width + 1) * limit * samples


def test_bins_are_no_wider_than_the_image_allows():
    for side, width in ((31, 1), (64, 2), (200, 6), (1000, 8)):
        assert choose_binning(counts(np.full((side, 1000), 0.45))) == width


def test_a_width_that_is_given_is_taken():
    assert choose_binning(np.ones((4, 4)), 3) == 3
    assert choose_binning(np.ones((4, 4)), np.int64(3)) == 3


def test_bins_hold_sums_and_the_border_is_mirrored_where_they_do_not_fit():
    image = np.arange(20.0).reshape(5, 4)
    binned = bin_counts(image, 2)
    assert binned[0].tolist() == [0 + 1 + 4 + 5, 2 + 3 + 6 + 7]
    assert binned[2].tolist() == [2 * (16 + 17), 2 * (18 + 19)]  # the last row twice
    assert repeat_bins(binned, 2, (5, 3))[:, 2].tolist() == [18, 18, 50, 50, 74]
    flat = unbin(np.full((3, 2), 4.0), 2, image.shape)
    np.testing.assert_allclose(flat, np.ones(image.shape), rtol=1e-6)  # float32


def test_what_is_no_image_or_width_is_refused():
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        band_limit(np.full((9, 9), -1.0))
    with pytest.raises(ValueError, match="noisy must be finite"):
        band_limit(np.full((9, 9), np.nan))
    with pytest.raises(ValueError, match=r"binning must be a whole .* 'auto'; got 'x"):
        choose_binning(np.ones((9, 9)), "x")
    with pytest.raises(ValueError, match=r"binning must be a whole number .* got 0"):
        choose_binning(np.ones((9, 9)), 0)
