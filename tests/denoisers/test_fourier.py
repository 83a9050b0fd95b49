"""Check the Fourier-domain filters against what shot noise is known to be."""

import numpy as np
import pytest

from sbd.denoisers.binning import bin_counts, unbin
from sbd.denoisers.fourier import (
    denoise_absf,
    denoise_spot_filter,
    denoise_wiener,
    spot_mask,
    wiener_gain,
)
from sbd.denoisers.gains import apply_gain, frequency_length
from sbd.denoisers.lowpass import denoise_butterworth, denoise_lowpass
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.simulation.noise import VACUUM

FILTERS = (
    denoise_spot_filter,
    denoise_wiener,
    denoise_absf,
    denoise_windowed_fourier,
)
each = pytest.mark.parametrize("denoiser", FILTERS)


def rms(difference):
    return np.sqrt(np.mean(np.square(difference)))


def vacuum(shape, seed=0):
    return np.random.default_rng(seed).poisson(VACUUM, shape).astype(np.float32)


def lattice(shape, period=20.0, amplitude=0.1):
    rows, columns = np.indices(shape)
    waves = np.cos(2 * np.pi * rows / period) + np.cos(2 * np.pi * columns / period)
    return VACUUM + amplitude * waves


@pytest.fixture(scope="module")
def crystal():
    """A lattice in the left half, vacuum in the right, and its counts."""
    clean = lattice((250, 310))
    clean[:, 155:] = VACUUM
    return clean, np.random.default_rng(3).poisson(clean).astype(np.float32)


@each
def test_shape_and_type_are_kept_at_any_size(denoiser):
    for shape in ((1, 1), (1, 7), (5, 3), (33, 70), (101, 64)):
        estimate = denoiser(vacuum(shape))
        assert estimate.shape == shape
        assert estimate.dtype == np.float32
        assert np.isfinite(estimate).all()


@each
def test_whole_numbers_and_floats_are_the_same_counts(denoiser):
    counts = vacuum((40, 50))
    # float64 against float32 transforms of values below 10: 1e-6 of the largest
    np.testing.assert_allclose(
        denoiser(counts.astype(int)), denoiser(counts), atol=2e-5
    )


@each
def test_the_input_is_left_alone(denoiser):
    counts = vacuum((40, 50))
    before = counts.copy()
    denoiser(counts)
    np.testing.assert_array_equal(counts, before)


@each
def test_an_image_without_electrons_stays_dark(denoiser):
    np.testing.assert_array_equal(denoiser(np.zeros((30, 41))), 0)


@each
def test_a_constant_image_stays_constant(denoiser):
    # single precision of values around 3
    np.testing.assert_allclose(denoiser(np.full((64, 50), 3.0)), 3, rtol=1e-5)


@each
def test_vacuum_becomes_flat(denoiser):
    # counts scatter by sqrt(0.45) = 0.67; a thousandth of the spectrum would leave 0.02
    estimate = denoiser(vacuum((256, 200)))
    assert estimate.std() < 0.03
    assert estimate.mean() == pytest.approx(VACUUM, abs=0.02)


@each
def test_the_lattice_is_found(denoiser, crystal):
    clean, counts = crystal
    # the lattice has an rms of 0.1 in its half, so that a constant scores 0.07
    assert rms(denoiser(counts) - clean) < 0.045


@each
def test_negative_counts_are_refused(denoiser):
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoiser(np.full((9, 9), -1.0))


@pytest.mark.parametrize("denoiser", [*FILTERS[:3], denoise_lowpass])
@pytest.mark.parametrize("shape", [(40, 50), (33, 70), (1, 7)])
def test_the_gain_that_is_returned_is_the_one_that_was_applied(denoiser, shape):
    counts = vacuum(shape, 7)
    estimate, gain = denoiser(counts, return_gain=True)
    assert gain.shape == shape
    assert gain.dtype == estimate.dtype == np.float32
    assert gain[0, 0] == 1
    assert gain.min() >= 0
    assert gain.max() <= 1
    expected = np.fft.ifft2(gain * np.fft.fft2(counts))
    # single precision of sums of 2000 counts
    np.testing.assert_allclose(estimate, expected.real, atol=1e-5)
    np.testing.assert_allclose(expected.imag, 0, atol=1e-6)
    np.testing.assert_array_equal(estimate, denoiser(counts))


def test_the_gains_are_those_of_the_mask_and_of_the_wiener_filter(crystal):
    _, counts = crystal
    mask = denoise_spot_filter(counts, return_gain=True)[1]
    np.testing.assert_array_equal(mask, spot_mask(counts))
    expected = wiener_gain(counts)
    expected[0, 0] = 1  # the mean
    gain = denoise_wiener(counts, return_gain=True)[1]
    np.testing.assert_array_equal(gain, expected)
    absf = denoise_absf(counts, return_gain=True)[1]
    np.testing.assert_allclose(absf, 1 - np.sqrt(1 - expected), atol=1e-6)


def test_the_low_pass_is_the_gaussian_blur():
    image = np.zeros((63, 80))
    image[30, 41] = 1
    estimate = denoise_lowpass(image, cutoff=np.sqrt(np.log(2)) / (2 * np.pi * 4))
    # a standard deviation of 4 pixels; what lies outside is nothing in float32
    rows, columns = np.indices(image.shape)
    square = (rows - 30) ** 2 + (columns - 41) ** 2
    expected = np.exp(-square / 32) / (32 * np.pi)
    np.testing.assert_allclose(estimate, expected, atol=2e-7)


@pytest.mark.parametrize("denoiser", [denoise_lowpass, denoise_butterworth])
def test_half_of_the_power_passes_at_the_cutoff(denoiser):
    rows = np.arange(80)[:, None]
    wave = 2 + np.cos(2 * np.pi * rows * 5 / 80) * np.ones(60)
    estimate = denoiser(wave, cutoff=5 / 80)
    np.testing.assert_allclose(estimate - 2, (wave - 2) / np.sqrt(2), atol=1e-6)


def test_the_order_is_the_slope():
    for order in (1, 2, 4.5):
        _, gain = denoise_butterworth(
            np.ones((512, 4)), cutoff=4 / 512, order=order, return_gain=True
        )
        # two octaves far above the cutoff, where 1 is nothing beside 16^2 or more
        assert gain[64, 0] / gain[256, 0] == pytest.approx(4**order, rel=3e-3)


@pytest.mark.parametrize("denoiser", [denoise_lowpass, denoise_butterworth])
def test_low_passes_take_any_finite_image(denoiser):
    for shape in ((1, 1), (2, 3), (1, 7), (33, 70)):
        assert denoiser(vacuum(shape) - 0.3).shape == shape
        np.testing.assert_allclose(denoiser(np.full(shape, -2.5)), -2.5, rtol=1e-6)
        np.testing.assert_array_equal(denoiser(np.zeros(shape)), 0)
    with pytest.raises(ValueError, match="noisy must be finite; got 4 NaN"):
        denoiser(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="cutoff must be positive; got 0"):
        denoiser(np.ones((2, 2)), cutoff=0)
    with np.errstate(all="raise"):  # steepest far from the cutoff
        denoiser(np.ones((9, 9)), cutoff=1e-7)


def test_a_gain_leaves_the_mean():
    counts = vacuum((30, 41))
    flat = apply_gain(counts, np.zeros(counts.shape))
    np.testing.assert_allclose(flat, counts.mean(), rtol=1e-6)


def test_the_length_of_a_frequency_is_that_of_the_grid():
    expected = np.hypot(np.fft.fftfreq(31)[:, None], np.fft.fftfreq(20))
    np.testing.assert_allclose(frequency_length((31, 20)), expected, rtol=1e-6)


@each
def test_no_number_is_refused_by_name(denoiser):
    with pytest.raises(ValueError, match="noisy must be finite; got 1 NaN"):
        denoiser(np.where(np.eye(4)[0] > 0, np.nan, np.ones((1, 4))))


@each
def test_fractions_are_counts_too(denoiser):
    # of two frames' mean the noise is half of what is expected: more is cut, no more
    halves = 0.5 * (vacuum((60, 60), 8) + vacuum((60, 60), 9))
    assert denoiser(halves).std() < halves.std() / 10


def test_the_spot_mask_opens_at_the_bragg_spots_and_nowhere_else():
    clean = lattice((200, 240))
    counts = np.random.default_rng(4).poisson(clean)
    mask = spot_mask(counts)
    # periods of 20 in 200 rows and 240 columns: harmonics 10 and 12
    for spot in ((10, 0), (-10, 0), (0, 12), (0, -12), (0, 0)):
        assert mask[spot] == 1
        mask[spot] = 0
    rows, columns = np.nonzero(mask > 0.5)
    rows, columns = np.minimum(rows, 200 - rows), np.minimum(columns, 240 - columns)
    # the least hole is one Fourier pixel of the shorter side
    assert np.all(np.minimum(abs(rows - 10), rows) <= 2)
    assert np.all(np.minimum(abs(columns - 12), columns) <= 2)


def test_the_spot_mask_of_vacuum_is_the_centre_alone():
    for seed in range(5):
        mask = spot_mask(vacuum((128, 128), seed))
        assert mask[0, 0] == 1
        frequency = np.fft.fftfreq(128)
        far = np.hypot(frequency[:, None], frequency) > 0.04
        assert mask[far].max() < 1e-3


def test_the_spot_mask_is_point_symmetric_so_that_the_image_is_real(crystal):
    mask = spot_mask(crystal[1])
    mirrored = np.roll(mask[::-1, ::-1], (1, 1), (0, 1))
    np.testing.assert_allclose(mask, mirrored, atol=1e-6)


def test_the_gain_is_the_textbooks_where_nothing_is_smoothed():
    counts = np.random.default_rng(5).poisson(lattice((60, 64)))
    power = np.abs(np.fft.fft2(counts - counts.mean())) ** 2
    expected = np.maximum(0, 1 - counts.sum() / np.maximum(power, 1e-9))
    gain = wiener_gain(counts, smoothing=0, excess=1)
    # single-precision transform: its errors are 1e-6 of the strongest coefficient
    np.testing.assert_allclose(gain, expected, atol=1e-3)


def test_the_radial_background_of_pure_noise_is_the_poisson_floor():
    counts = vacuum((256, 256))
    known = wiener_gain(counts, excess=1.3)
    radial = wiener_gain(counts, excess=1.3, floor="radial")
    # rings of up to 800 exponential values, clipped at three times their mean, which
    # takes 5 % off; a gain of 1 - 1.3 / p then moves by 0.05 or so
    assert np.mean(np.abs(known - radial)) < 0.06


def test_absf_suppresses_more_than_wiener(crystal):
    _, counts = crystal
    assert denoise_absf(counts).std() < denoise_wiener(counts).std()


def test_the_published_defaults_let_most_noise_through():
    counts = vacuum((128, 128))
    left = denoise_wiener(counts, floor="radial", smoothing=0, excess=1).std()
    # E[(1 - 1/p)^2 p] over an exponential p > 1 is 0.22 of the noise's power
    assert left == pytest.approx(np.sqrt(0.22 * VACUUM), rel=0.15)


def test_windows_are_local(crystal):
    clean, counts = crystal
    spread = denoise_spot_filter(counts) - clean
    local = denoise_windowed_fourier(counts, window=32) - clean
    far = np.s_[:, 230:]  # 75 pixels from the lattice; its windows reach 64
    assert rms(local[far]) < rms(spread[far])


def test_noise_passes_the_threshold_as_often_as_its_distribution_says():
    counts = np.random.default_rng(6).poisson(4.0, (400, 400)).astype(np.float32)
    strict, loose = (
        denoise_windowed_fourier(
            counts, binning=1, window=40, threshold=k, excess=None
        ).std()
        for k in (12, 2)
    )
    # the kept power of an exponential p > k is (k + 1) exp(-k): 0.41 for 2, 8e-5 for 12
    # times 1600 coefficients. Overlapping windows average the first down a little, the
    # second leaves the scatter of the windows' means, 2 / 40 or so
    assert 0.2 < (loose / 2) ** 2 < 0.45
    assert strict < 0.1


def test_several_windows_are_combined(crystal):
    clean, counts = crystal
    one = denoise_windowed_fourier(counts, window=32)
    other = denoise_windowed_fourier(counts, window=60)
    both = denoise_windowed_fourier(counts, window=(32, 60))
    assert rms(both - clean) < max(rms(one - clean), rms(other - clean))


def test_binning_keeps_every_electron():
    counts = vacuum((60, 80))
    binned = bin_counts(counts, 4)
    assert binned.shape == (15, 20)
    assert binned.sum() == counts.sum()
    assert binned[2, 3] == counts[8:12, 12:16].sum()


def test_binning_loses_nothing_of_a_band_limited_image():
    # period 20: 0.05 cycles/pixel, 0.2 per binned pixel. A bin's mean damps it by
    # sinc(0.05 * 4) / sinc(0.05) = 0.939 and the spline by about 1 %
    clean = lattice((160, 200))
    back = unbin(bin_counts(clean, 4), 4, clean.shape)
    inside = np.s_[20:-20, 20:-20]
    damped = VACUUM + 0.939 * (clean - VACUUM)
    assert rms(back[inside] - damped[inside]) < 0.02 * rms(clean - VACUUM)


def test_bad_options_are_named():
    counts = vacuum((20, 20))
    with pytest.raises(ValueError, match="floor must be 'poisson' or 'radial'; got 'x"):
        denoise_wiener(counts, floor="x")
    with pytest.raises(ValueError, match="smoothing must not be negative; got -1"):
        denoise_absf(counts, smoothing=-1)
    with pytest.raises(ValueError, match="excess must be positive; got 0"):
        denoise_wiener(counts, excess=0)
    with pytest.raises(ValueError, match="spot_radius must be positive; got nan"):
        denoise_spot_filter(counts, spot_radius=np.nan)
    with pytest.raises(ValueError, match=r"binning must be a whole number .* 1\.5"):
        denoise_windowed_fourier(counts, binning=1.5)
    with pytest.raises(ValueError, match="window must be a positive whole number"):
        denoise_windowed_fourier(counts, window=(32, 0))
    with pytest.raises(ValueError, match="threshold must be positive; got 0"):
        denoise_windowed_fourier(counts, threshold=0)


def test_gains_are_those_of_the_filters_with_zero_frequency_in_the_middle():
    from sbd.denoisers.fourier import filter_gains

    counts = np.random.default_rng(0).poisson(0.45, (60, 81)).astype(np.float32)
    gains = filter_gains(counts)
    _, gain = denoise_wiener(counts, return_gain=True)
    # an odd side loses its last frequency
    np.testing.assert_array_equal(
        gains["Kilaas Wiener"], np.fft.fftshift(gain)[:, : 2 * (81 // 2)]
    )
    assert filter_gains(counts, reach=0.1)["ABSF"].shape == (12, 16)
    with pytest.raises(ValueError, match="reach must be positive; got 0"):
        filter_gains(counts, reach=0)
