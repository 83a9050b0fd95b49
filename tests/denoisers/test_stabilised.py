"""Check variance stabilisation against the Poisson distribution itself."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage, stats

from sbd.denoisers.stabilised import denoise_bm3d, denoise_vst, stabilise, unstabilise
from sbd.simulation.noise import VACUUM

CLASSICAL = (
    denoise_vst,
    lambda noisy: denoise_vst(noisy, inner="tv"),
    lambda noisy: denoise_vst(noisy, inner="tv", iterations=3),
)


def vacuum(shape, seed=0):
    return np.random.default_rng(seed).poisson(VACUUM, shape).astype(np.float32)


def blur(stabilised):
    return ndimage.gaussian_filter(stabilised, 3)


@pytest.mark.parametrize("denoiser", CLASSICAL)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (33, 70), (101, 64)])
def test_shape_and_type_are_kept_at_any_size(denoiser, shape):
    estimate = denoiser(vacuum(shape))
    assert estimate.shape == shape
    assert estimate.dtype == np.float32
    assert np.isfinite(estimate).all()


@pytest.mark.parametrize("denoiser", CLASSICAL)
def test_a_constant_image_stays_constant(denoiser):
    # bins of 25 pixels: the inverse expects the noise of their 50 electrons, whose
    # variance bends the root by 1/4 of an electron, a half per cent, unless lambda
    # makes it less
    np.testing.assert_allclose(denoiser(np.full((40, 50), 2.0)), 2.0, rtol=1e-2)


@pytest.mark.parametrize("denoiser", CLASSICAL)
def test_an_image_without_electrons_stays_dark(denoiser):
    # stabilised to sqrt(3/2), which is what the inverse takes to 0, up to rounding
    np.testing.assert_allclose(denoiser(np.zeros((40, 50))), 0, atol=1e-5)


@pytest.mark.parametrize("denoiser", CLASSICAL)
def test_what_is_no_image_of_counts_is_refused(denoiser):
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoiser(np.full((9, 9), -1.0))
    with pytest.raises(ValueError, match="noisy must be finite; got 81 NaN"):
        denoiser(np.full((9, 9), np.nan))


@pytest.mark.parametrize("intensity", [0.0, 0.1, 0.7, 3.0, 45.0, 380.0, 420.0, 2000.0])
def test_the_inverse_undoes_the_mean_of_the_transform(intensity):
    counts = np.arange(4000)
    mean = stats.poisson.pmf(counts, intensity) @ stabilise(counts)
    # linear between table entries 0.01 apart in the root: (0.02)**2 / 16 at most; the
    # asymptotic formula misses a term of order 1e-2 / intensity
    assert unstabilise(mean) == pytest.approx(intensity, abs=2e-4)


def test_the_transform_makes_the_noise_of_counts_and_of_the_detector_one():
    rng = np.random.default_rng(1)
    for read_noise in (0.0, 2.0):
        counts = rng.poisson(20.0, 200_000) + read_noise * rng.standard_normal(200_000)
        stabilised = stabilise(counts, read_noise=read_noise)
        # standard error 0.0016; the transform itself is good to about 1 % here
        assert stabilised.std() == pytest.approx(1, abs=0.02)
        # standard error of the mean count: sqrt(24 / 200 000) = 0.011
        back = unstabilise(stabilised.mean(), read_noise=read_noise)
        assert back == pytest.approx(20, abs=0.05)


def test_what_is_denoised_between_the_transforms_has_noise_of_one():
    seen = []
    denoise_vst(vacuum((300, 300)), binning=10, inner=lambda z: seen.append(z) or z)
    (stabilised,) = seen
    assert stabilised.shape == (30, 30)
    # 900 values: the standard deviation is known to 2.4 %
    assert stabilised.std() == pytest.approx(1, abs=0.1)


def test_averaging_between_the_transforms_is_unbiased():
    counts = vacuum((400, 400), seed=2)
    flat = denoise_vst(counts, inner=lambda z: np.full_like(z, z.mean()), binning=2)
    # the naive inverse of 1.8 electrons in a bin would be off by 0.06 per pixel; the
    # standard error of a mean of 160 000 counts is 0.0017
    np.testing.assert_allclose(flat, counts.mean(), atol=0.007)


def test_both_inner_denoisers_find_the_lattice():
    waves = np.cos(np.arange(600) * 2 * np.pi / 60)
    clean = 0.45 + 0.15 * waves * np.ones((600, 1))
    counts = np.random.default_rng(3).poisson(clean)
    for inner in ("nlm", "tv"):
        error = denoise_vst(counts, inner=inner) - clean
        # the lattice has an rms of 0.106, bins of a hundred counts one of 0.067
        assert np.sqrt(np.mean(error**2)) < 0.05


def test_bad_options_are_named():
    counts = vacuum((20, 20))
    with pytest.raises(
        ValueError, match=r"inner must be 'nlm', 'tv' or a .* got 'bm3d'"
    ):
        denoise_vst(counts, inner="bm3d")
    with pytest.raises(ValueError, match=r"inner must return shape \(2, 2\)"):
        denoise_vst(counts, binning=10, inner=lambda z: z[:1])
    with pytest.raises(ValueError, match="binning must be a whole number of"):
        denoise_vst(counts, binning=0)
    with pytest.raises(ValueError, match="read_noise must not be negative"):
        denoise_vst(counts, read_noise=-1)


def test_without_bm3d_the_licence_and_the_way_out_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(ImportError, match=r"non-commercial .* pip install bm3d"):
        denoise_bm3d(vacuum((80, 80)))


def test_bm3d_is_given_noise_of_one_and_the_profile(monkeypatch):
    calls = []
    stand_in = SimpleNamespace(
        bm3d=lambda z, *rest: calls.append((z.std(), *rest)) or z
    )
    monkeypatch.setitem(sys.modules, "bm3d", stand_in)
    estimate = denoise_bm3d(vacuum((205, 300)), binning=10, profile="np")
    assert estimate.shape == (205, 300)
    ((scatter, sigma, profile),) = calls
    assert (sigma, profile) == (1.0, "np")
    assert scatter == pytest.approx(1, abs=0.1)  # 630 values: known to 3 %
    with pytest.raises(ValueError, match="noisy must be at least 80 pixels"):
        denoise_bm3d(vacuum((79, 300)), binning=10)


@pytest.mark.parametrize("weight", [1.0, 0.7, 0.3])
@pytest.mark.parametrize("intensity", [0.2, 2.0, 60.0, 3000.0])
def test_the_inverse_is_exact_for_counts_that_an_estimate_is_mixed_into(
    weight, intensity
):
    counts = np.arange(4000)
    mixed = weight * counts + (1 - weight) * intensity
    mean = stats.poisson.pmf(counts, intensity) @ stabilise(mixed, weight=weight)
    # as for weight 1: linear between the table's entries, asymptotic beyond
    found = unstabilise(mean, weight=weight)
    assert found == pytest.approx(intensity, abs=3e-4, rel=1e-6)


def test_mixing_an_estimate_in_leaves_noise_of_one():
    counts = np.random.default_rng(1).poisson(2.0, 200_000)
    plain = stabilise(counts).std()
    for weight in (0.5, 0.1):
        mixed = stabilise(weight * counts + (1 - weight) * 2.0, weight=weight).std()
        # more electrons help, and for small weights the transform becomes linear
        assert abs(mixed - 1) < abs(plain - 1)
    # what is left is the skewness of the counts: 1 - lambda / (4 intensity), and the
    # standard error of 0.002
    assert mixed == pytest.approx(1 - 0.1 / 8, abs=0.006)


def test_in_each_iteration_the_noise_is_one_and_the_binning_its_own():
    seen = []

    def average(stabilised):
        seen.append(stabilised)
        return np.full_like(stabilised, stabilised.mean())

    counts = vacuum((240, 240), seed=4)
    estimate = denoise_vst(counts, inner=average, binning=(8, 6, 4), iterations=3)
    assert [z.shape[0] for z in seen] == [30, 40, 60]
    # 900 values at least, known to 2.4 %; below 30 electrons the transform adds 1 %
    assert [z.std() for z in seen] == pytest.approx([1, 1, 1], abs=0.08)
    # the inverse of 7 electrons' mean is exact; 57 600 counts have an error of 0.0028
    np.testing.assert_allclose(estimate, counts.mean(), atol=0.005)


def test_iterations_repair_what_too_few_electrons_spoil():
    rows = np.indices((200, 200))[0]
    clean = 0.12 + 0.1 * np.cos(2 * np.pi * rows / 50)
    counts = np.random.default_rng(5).poisson(clean).astype(np.float32)
    one, four = (
        denoise_vst(counts, inner=blur, binning=1, iterations=n) for n in (1, 4)
    )
    assert abs(four - clean).mean() < 0.95 * abs(one - clean).mean()


def test_the_detectors_noise_is_not_taken_for_the_image():
    rng = np.random.default_rng(6)
    noisy = vacuum((200, 240)) + 2 * rng.standard_normal((200, 240))
    widths = []
    for read_noise in (2.0, 0.2):
        denoise_vst(
            noisy,
            read_noise=read_noise,
            inner=lambda z: widths.append(200 // z.shape[0]) or z,
        )
    assert widths == [8, 1]


def test_bad_iterations_are_named():
    counts = vacuum((20, 20))
    with pytest.raises(ValueError, match=r"iterations must be a whole .* got 0"):
        denoise_vst(counts, iterations=0)
    with pytest.raises(
        ValueError, match=r"binning must be one width, or 2; got \(3,\)"
    ):
        denoise_vst(counts, iterations=2, binning=(3,))
