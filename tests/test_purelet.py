"""Check PURE-LET: its risk must be the true error, on average and to the last term."""

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from sbd.purelet import denoise_purelet, haar_dictionary


def scene(peak, shape=(32, 32)):
    """An edge and a slope, from a tenth of the peak to the peak."""
    rows, columns = np.indices(shape)
    ramp = rows / shape[0] / 2 + np.where(columns < shape[1] // 3, 0.5, 0.0)
    return peak * (0.1 + 0.9 * ramp)


def record(clean, rng, read_noise=0.0):
    counts = rng.poisson(clean) + read_noise * rng.standard_normal(clean.shape)
    return counts.astype(np.float32)


def with_one_less(counts, dictionary, *, step=0.0, **options):
    """Every function at each pixel when that pixel has one electron less."""
    values = np.empty((*dictionary.functions.shape[1:], len(dictionary.functions) + 1))
    for pixel in np.ndindex(counts.shape):
        less = counts.copy()
        less[pixel] += step - 1
        other = haar_dictionary(less, **options)
        values[pixel] = [*other.functions[:, *pixel], other.lowpass[pixel]]
    return values


@pytest.mark.parametrize("read_noise", [0.0, 0.8])
def test_correlations_are_those_of_removing_each_electron_in_turn(read_noise):
    rng = np.random.default_rng(0)
    counts = record(scene(3.0, (8, 9)), rng, read_noise)
    options = {"levels": 2, "read_noise": read_noise}
    dictionary = haar_dictionary(counts, **options)
    less = with_one_less(counts, dictionary, **options)
    expected = np.tensordot(counts, less, axes=2)
    if read_noise:
        step = 1e-2
        higher, lower = (
            with_one_less(counts, dictionary, step=s, **options) for s in (step, -step)
        )
        divergence = (higher - lower).sum(axis=(0, 1)) / (2 * step)
        expected -= read_noise**2 * divergence
    ours = [*dictionary.correlations, dictionary.lowpass_correlation]
    # without read noise both are sums of the same terms in single precision; with it
    # the central difference errs by step**2 and by 1e-7 / step, over 72 pixels
    tolerance = 5e-3 if read_noise else 1e-4
    np.testing.assert_allclose(ours, expected, atol=tolerance)


@pytest.mark.parametrize(
    ("peak", "read_noise"), [(0.5, 0.0), (2.0, 0.0), (20.0, 0.0), (2.0, 1.0)]
)
def test_the_risk_is_unbiased_for_coefficients_chosen_beforehand(peak, read_noise):
    rng = np.random.default_rng(1)
    clean = scene(peak)
    options = {"levels": 3, "read_noise": read_noise}
    frozen = haar_dictionary(record(clean, rng, read_noise), **options).solve()
    excess = []
    for _ in range(300):
        dictionary = haar_dictionary(record(clean, rng, read_noise), **options)
        error = np.mean((dictionary.combine(frozen) - clean) ** 2)
        excess.append(dictionary.risk(frozen) - error)
    standard_error = np.std(excess) / np.sqrt(len(excess))
    assert abs(np.mean(excess)) < 4 * standard_error


def test_the_scatter_of_the_risk_is_the_one_its_docstring_states():
    rng = np.random.default_rng(2)
    clean = np.full((64, 64), 2.0)
    risks = [
        denoise_purelet(record(clean, rng), return_risk=True)[1] for _ in range(80)
    ]
    # the standard deviation of 80 values is itself known to 8 %
    assert np.std(risks) == pytest.approx(2.0 * np.sqrt(2 / 64**2), rel=0.3)


@pytest.mark.parametrize("read_noise", [0.0, 0.5])
def test_all_coefficients_one_give_the_noisy_image_and_its_risk(read_noise):
    counts = record(scene(5.0, (21, 30)), np.random.default_rng(3), read_noise)
    dictionary = haar_dictionary(counts, levels=4, read_noise=read_noise)
    ones = np.ones(len(dictionary.functions))
    # single precision: boxes of 16 x 16 counts of 5 are summed and divided again
    np.testing.assert_allclose(dictionary.combine(ones), counts, atol=1e-4)
    # PURE of f = y is the mean count plus the variance of the read noise
    expected = counts.mean(dtype=float) + read_noise**2
    assert dictionary.risk(ones) == pytest.approx(expected, rel=1e-3)


def test_the_fitted_risk_is_below_that_of_the_noisy_and_of_the_blurred_image():
    counts = record(scene(2.0, (64, 64)), np.random.default_rng(4))
    dictionary = haar_dictionary(counts, levels=4)
    fitted = dictionary.risk(dictionary.solve())
    none = np.zeros(len(dictionary.functions))
    assert fitted < dictionary.risk(none)
    assert fitted < dictionary.risk(none + 1)


@pytest.mark.parametrize(("peak", "decibels"), [(1, 21), (10, 25.8), (120, 31.8)])
def test_a_photograph_comes_out_as_well_as_it_should(peak, decibels):
    # published figures for a similar photograph: 20.4 at peak 1, 31.0 at 120; this one,
    # shrunk from 512 pixels, is smoother. A draw moves the figure by about 0.1 dB
    photograph = resize(data.camera() / 255, (256, 256), anti_aliasing=True)
    clean = peak * photograph / photograph.max()
    counts = np.random.default_rng(5).poisson(clean)
    error = np.mean((denoise_purelet(counts) - clean) ** 2)
    assert 10 * np.log10(peak**2 / error) > decibels


def test_the_edge_survives_and_the_plain_is_smooth():
    clean = np.where(np.arange(128) < 64, 0.2, 1.2) * np.ones((128, 1))
    counts = np.random.default_rng(6).poisson(clean)
    estimate = denoise_purelet(counts)
    # a column of 128 counts has a standard error of 0.1 at most
    assert estimate[:, 65].mean() - estimate[:, 62].mean() > 0.6
    assert estimate[:, 20:44].std() < 0.05


def test_a_shifted_image_has_a_shifted_estimate():
    counts = record(scene(1.0, (20, 33)), np.random.default_rng(7))
    shifted = denoise_purelet(np.roll(counts, (5, 8), (0, 1)))
    # the same terms in another order, in single precision, through a linear system
    expected = np.roll(denoise_purelet(counts), (5, 8), (0, 1))
    np.testing.assert_allclose(shifted, expected, atol=1e-3)


def test_gain_and_offset_change_the_unit_and_nothing_else():
    counts = record(scene(4.0), np.random.default_rng(8), read_noise=0.5)
    plain, risk = denoise_purelet(counts, read_noise=0.5, return_risk=True)
    detector = denoise_purelet(
        8 * counts.astype(float) + 100,
        gain=8.0,
        offset=100.0,
        read_noise=4.0,
        return_risk=True,
    )
    np.testing.assert_allclose(detector[0], plain, atol=1e-4)
    assert detector[1] == pytest.approx(risk, abs=1e-4)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (17, 200), (130, 129)])
def test_any_size_is_taken(shape):
    counts = np.random.default_rng(9).poisson(0.45, shape)
    estimate = denoise_purelet(counts)
    assert estimate.shape == shape
    assert estimate.dtype == np.float32
    assert np.isfinite(estimate).all()


def test_an_image_without_electrons_stays_dark():
    np.testing.assert_array_equal(denoise_purelet(np.zeros((9, 12))), 0)


def test_bad_input_is_named():
    good = np.ones((8, 20))
    with pytest.raises(ValueError, match="noisy must be at least 2 x 2 pixels"):
        denoise_purelet(np.ones((1, 50)))
    with pytest.raises(ValueError, match=r"levels must be a whole .* 1 to 3 .* got 4"):
        denoise_purelet(good, levels=4)
    with pytest.raises(ValueError, match="levels must be a whole number"):
        denoise_purelet(good, levels=1.5)
    with pytest.raises(ValueError, match="gain must be positive; got 0"):
        denoise_purelet(good, gain=0)
    with pytest.raises(ValueError, match="read_noise must not be negative; got -1"):
        denoise_purelet(good, read_noise=-1)
    with pytest.raises(ValueError, match="offset must be finite; got nan"):
        denoise_purelet(good, offset=np.nan)
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoise_purelet(-good)
    # with an offset or read noise, negative values are to be expected
    assert denoise_purelet(good - 2, offset=-1.0).shape == good.shape
