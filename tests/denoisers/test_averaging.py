"""Check averaging over a crystal's repeats against crystals that are known."""

import numpy as np
import pytest

import sbd.denoisers.averaging
from sbd.denoisers.averaging import denoise_correlation_averaging
from sbd.denoisers.binning import bin_counts
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.simulation.noise import VACUUM


def rms(difference):
    return np.sqrt(np.mean(np.square(difference)))


def vacuum(shape, seed=0):
    return np.random.default_rng(seed).poisson(VACUUM, shape).astype(np.float32)


def columns_on_a_lattice(shape):
    """Columns 40 pixels apart on a slanted lattice, below the top quarter."""
    rows, columns = np.indices(shape)
    u = (rows + 0.31 * columns) / 40 * 2 * np.pi
    v = (columns - 0.17 * rows) / 42 * 2 * np.pi
    image = VACUUM - 0.05 + 0.35 * np.exp(1.2 * (np.cos(u) + np.cos(v) - 2))
    image[: shape[0] // 4] = VACUUM
    return image


@pytest.fixture(scope="module")
def crystal():
    clean = columns_on_a_lattice((420, 370))
    return clean, np.random.default_rng(1).poisson(clean).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 7), (33, 70), (101, 64)])
def test_shape_and_type_are_kept_at_any_size(shape):
    estimate, number = denoise_correlation_averaging(vacuum(shape), return_number=True)
    assert estimate.shape == number.shape == shape
    assert estimate.dtype == number.dtype == np.float32
    assert np.isfinite(estimate).all()
    assert number.min() >= 1


def test_averaging_improves_on_its_first_estimate(crystal):
    clean, counts = crystal
    estimate, number = denoise_correlation_averaging(
        counts, binning=3, return_number=True
    )
    pilot = denoise_windowed_fourier(counts, binning=3)
    assert rms(estimate - clean) < 0.85 * rms(pilot - clean)
    # of about 10 x 10 columns those count whose surroundings look alike
    assert 10 < np.median(number[150:]) < 100


def test_a_missing_column_that_the_first_estimate_shows_stays_missing(crystal):
    clean, _ = crystal
    rows, columns = np.indices(clean.shape)
    middle = (rows - 260) ** 2 + (columns - 190) ** 2
    peak = np.argmax(np.where(middle < 30**2, clean, 0))
    row, column = np.unravel_index(peak, clean.shape)
    distance = np.hypot(rows - row, columns - column)
    defect = np.where(distance < 18, clean.min(), clean)
    dose = 16  # at 0.45 electrons per pixel the windows fill it
    counts = np.random.default_rng(2).poisson(dose * defect)
    filled = [
        (denoiser(counts, binning=3) / dose - defect)[distance < 6].mean()
        for denoiser in (denoise_windowed_fourier, denoise_correlation_averaging)
    ]
    column_height = (clean - defect)[distance < 6].mean()
    assert filled[0] < 0.5 * column_height
    assert filled[1] < filled[0] + 0.02 * column_height


def test_vacuum_becomes_flat():
    estimate = denoise_correlation_averaging(vacuum((256, 200)))
    # counts scatter by sqrt(0.45) = 0.67; a thousandth of the spectrum would leave 0.02
    assert estimate.std() < 0.03
    assert estimate.mean() == pytest.approx(VACUUM, abs=0.02)


@pytest.mark.parametrize("level", [0.0, 0.25, 3.0])
def test_a_constant_image_stays_constant(level):
    estimate, number = denoise_correlation_averaging(
        np.full((150, 170), level), binning=2, return_number=True
    )
    # single precision, whose rounding may be found to repeat
    np.testing.assert_allclose(estimate, level, rtol=1e-5, atol=1e-6)
    assert number.min() >= 1


def test_a_small_image_is_left_to_the_windows():
    counts = vacuum((60, 200))
    np.testing.assert_allclose(
        denoise_correlation_averaging(counts, binning=4),
        denoise_windowed_fourier(counts, binning=4),
        rtol=1e-6,
    )


def test_blocks_of_a_large_image_fit_together(crystal, monkeypatch):
    _, counts = crystal
    counts = bin_counts(counts, 3)[:, :90]  # 140 rows of places
    counts = np.pad(counts, ((0, 500), (0, 0)), mode="wrap")
    whole = denoise_correlation_averaging(counts, binning=1)
    monkeypatch.setattr(sbd.denoisers.averaging, "_CORE", 128)
    blocks = denoise_correlation_averaging(counts, binning=1)
    # the surroundings are all that matters: rounding of another order of sums
    np.testing.assert_allclose(blocks, whole, atol=2e-4)
    monkeypatch.setattr(sbd.denoisers.averaging, "_MARGIN", 0)
    seams = denoise_correlation_averaging(counts, binning=1)
    assert abs(seams - whole).max() > 2e-3


def test_the_input_is_left_alone(crystal):
    _, counts = crystal
    before = counts.copy()
    denoise_correlation_averaging(counts)
    np.testing.assert_array_equal(counts, before)


def test_what_is_no_image_or_option_is_refused():
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoise_correlation_averaging(np.full((9, 9), -1.0))
    with pytest.raises(ValueError, match="noisy must be finite"):
        denoise_correlation_averaging(np.full((9, 9), np.nan))
    for wrong in ((0.1,), (0.1, 0), 0.1, (0.1, np.nan)):
        with pytest.raises(ValueError, match="tolerances must be two positive numbers"):
            denoise_correlation_averaging(np.ones((9, 9)), tolerances=wrong)
    with pytest.raises(ValueError, match="binning must be a whole number of"):
        denoise_correlation_averaging(np.ones((9, 9)), binning=0)
