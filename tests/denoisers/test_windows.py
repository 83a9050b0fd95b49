"""Check windowed Fourier filtering against what its windows must keep and cut."""

import numpy as np
import pytest

from sbd.denoisers.binning import choose_binning
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.simulation.noise import VACUUM


def rms(difference):
    return np.sqrt(np.mean(np.square(difference)))


def vacuum(shape, seed=0):
    return np.random.default_rng(seed).poisson(VACUUM, shape).astype(np.float32)


@pytest.fixture(scope="module")
def crystal():
    """An oblique lattice that ends at the image's border and at two lines inside."""
    rows, columns = np.indices((400, 440))
    u, v = rows + 0.4 * columns, columns - 0.3 * rows
    clean = VACUUM + 0.12 * (np.cos(u / 3.3) + np.cos(v / 3.5))
    clean[:100] = clean[:, :130] = VACUUM
    return clean, np.random.default_rng(1).poisson(clean).astype(np.float32)


@pytest.mark.parametrize(("side", "binning"), [(8, 1), (9, 1), (16, 3)])
def test_a_window_that_keeps_everything_changes_nothing(side, binning):
    counts = 1 + vacuum((48, 60))
    estimate, gain = denoise_windowed_fourier(
        counts,
        binning=binning,
        window=side,
        threshold=1e-12,
        excess=None,
        return_gain=True,
    )
    if binning == 1:
        np.testing.assert_allclose(estimate, counts, atol=1e-5)
    # every coefficient and the mean, whose own coefficient may round to zero
    np.testing.assert_allclose(gain * binning**2, 1, atol=1.01 / side**2)


def test_a_window_that_keeps_nothing_keeps_its_mean():
    estimate, gain = denoise_windowed_fourier(
        vacuum((90, 100)),
        binning=2,
        window=16,
        threshold=1e9,
        excess=None,
        return_gain=True,
    )
    np.testing.assert_allclose(gain, 1 / 32**2, rtol=1e-5)
    # a Hann window's mean has (3/2)^2 / 32^2 of a pixel's variance, at the border up to
    # four times that; overlapping windows have less
    assert estimate.std() < 2 * 1.5 * np.sqrt(VACUUM) / 32


@pytest.mark.parametrize("threshold", [1.0, 3.0])
def test_of_pure_noise_the_share_passes_that_its_distribution_says(threshold):
    counts = np.random.default_rng(2).poisson(9.0, (400, 400)).astype(np.float32)
    _, gain = denoise_windowed_fourier(
        counts,
        binning=1,
        window=32,
        threshold=threshold,
        excess=None,
        return_gain=True,
    )
    # 150 windows' area of independent coefficients: 8 000 are kept at 3, known to 1 %
    # or so; windows that keep little weigh more, which takes a few per cent off
    assert gain.mean() == pytest.approx(np.exp(-threshold), rel=0.06)


def test_the_gain_is_high_where_the_lattice_is(crystal):
    clean, counts = crystal
    estimate, gain = denoise_windowed_fourier(counts, window=24, return_gain=True)
    assert gain.shape == estimate.shape == clean.shape
    assert gain.dtype == np.float32
    assert gain[200:, 250:].mean() > 1.5 * gain[:40, :60].mean()


def test_the_second_pass_helps(crystal):
    clean, counts = crystal
    first = denoise_windowed_fourier(counts, excess=None)
    assert rms(denoise_windowed_fourier(counts) - clean) < 0.98 * rms(first - clean)


def test_windows_that_end_at_the_border_do_better_there_than_mirroring(crystal):
    clean, counts = crystal
    mirrored = np.pad(counts, 240, mode="symmetric")
    other = denoise_windowed_fourier(mirrored, binning=4)[240:-240, 240:-240]
    ours = denoise_windowed_fourier(counts, binning=4)
    border = np.s_[-24:, 200:]
    assert rms((ours - clean)[border]) < 0.9 * rms((other - clean)[border])


def test_auto_takes_the_bins_of_the_images_band_limit(crystal):
    _, counts = crystal
    width = choose_binning(counts)
    assert width > 1
    np.testing.assert_array_equal(
        denoise_windowed_fourier(counts),
        denoise_windowed_fourier(counts, binning=width),
    )


def test_a_window_larger_than_the_image_is_cut_down():
    counts = vacuum((20, 33))
    np.testing.assert_array_equal(
        denoise_windowed_fourier(counts, window=(500, 33)),
        denoise_windowed_fourier(counts, window=33),
    )


def test_what_is_no_factor_or_image_is_refused():
    counts = vacuum((20, 20))
    with pytest.raises(ValueError, match=r"excess must be positive; got 0\.0"):
        denoise_windowed_fourier(counts, excess=0.0)
    with pytest.raises(ValueError, match="threshold must be positive; got nan"):
        denoise_windowed_fourier(counts, threshold=np.nan)
    with pytest.raises(ValueError, match="noisy must be finite; got 400 NaN"):
        denoise_windowed_fourier(np.full((20, 20), np.nan))
