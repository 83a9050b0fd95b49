"""Check PURE-LET: its risk must be the true error, on average and to the last term."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.transform import resize

import sbd
from sbd.denoisers import purelet
from sbd.denoisers.detectors import estimate_gain
from sbd.denoisers.haar import moments_above
from sbd.denoisers.purelet import denoise_purelet, let_dictionary


def scene(peak, shape=(32, 32)):
    """An edge and a slope, from a tenth of the peak to the peak."""
    rows, columns = np.indices(shape)
    ramp = rows / shape[0] / 2 + np.where(columns < shape[1] // 3, 0.5, 0.0)
    return peak * (0.1 + 0.9 * ramp)


def record(clean, rng, read_noise=0.0):
    counts = rng.poisson(clean) + read_noise * rng.standard_normal(clean.shape)
    return counts.astype(np.float32)


def with_one_less(counts, made, *, step=0.0, **options):
    """Every function at each pixel when that pixel has one electron less."""
    values = np.empty((*made.functions.shape[1:], len(made.functions) + 1))
    for pixel in np.ndindex(counts.shape):
        less = counts.copy()
        less[pixel] += step - 1
        other = let_dictionary(less, **options)
        values[pixel] = [*other.functions[:, *pixel], other.lowpass[pixel]]
    return values


EXACT = ["haar", "interscale"]


@pytest.mark.parametrize("dictionary", EXACT)
@pytest.mark.parametrize("read_noise", [0.0, 0.8])
def test_correlations_are_those_of_removing_each_electron_in_turn(
    dictionary, read_noise
):
    rng = np.random.default_rng(0)
    counts = record(scene(3.0, (8, 9)), rng, read_noise)
    options = {"levels": 2, "read_noise": read_noise, "dictionary": dictionary}
    ours = let_dictionary(counts, **options)
    less = with_one_less(counts, ours, **options)
    expected = np.tensordot(counts, less, axes=2)
    if read_noise:
        step = 1e-2
        higher, lower = (
            with_one_less(counts, ours, step=s, **options) for s in (step, -step)
        )
        divergence = (higher - lower).sum(axis=(0, 1)) / (2 * step)
        expected -= read_noise**2 * divergence
    ours = ours.overlaps
    # without read noise both are sums of the same terms in single precision; with it
    # the central difference errs by step**2 and by 1e-7 / step, over 72 pixels
    tolerance = 5e-3 if read_noise else 1e-4
    np.testing.assert_allclose(ours, expected, atol=tolerance)


@pytest.mark.parametrize("dictionary", EXACT)
@pytest.mark.parametrize(
    ("peak", "read_noise"),
    [(0.5, 0.0), (2.0, 0.0), (20.0, 0.0), (2.0, 1.0), (0.5, 0.3)],
)
def test_the_risk_is_unbiased_for_coefficients_chosen_beforehand(
    dictionary, peak, read_noise
):
    rng = np.random.default_rng(1)
    clean = scene(peak)
    options = {"levels": 3, "read_noise": read_noise, "dictionary": dictionary}
    frozen = let_dictionary(record(clean, rng, read_noise), **options).solve()
    # and for every function by itself, which the solution may leave out
    single = []
    excess = []
    for _ in range(400):
        made = let_dictionary(record(clean, rng, read_noise), **options)
        error = np.mean((made.combine(frozen) - clean) ** 2)
        excess.append(made.risk(frozen) - error)
        truth = made.functions.reshape(len(frozen), -1) @ clean.ravel()
        single.append(made.correlations - truth)
    standard_error = np.std(excess) / 20
    assert abs(np.mean(excess)) < 4 * standard_error
    scatter = np.std(single, axis=0) / 20
    # of up to 36 functions and ten cases the farthest is expected at 3 of these
    assert (np.abs(np.mean(single, axis=0)) < 5 * scatter + 1e-9).all()


def deviation_of_cosines(mean):
    """How far the correlations of all cosines are off, in standard errors."""
    rng = np.random.default_rng(2)
    clean = scene(1.0, (64, 64))
    clean *= mean / clean.mean()
    excess = []
    for _ in range(60):
        made = let_dictionary(record(clean, rng), levels=1, dictionary="dct8")
        cosines = made.functions[-63:].reshape(63, -1) @ clean.ravel()
        excess.append(np.sum(made.correlations[-63:] - cosines))
    return abs(np.mean(excess)) / (np.std(excess) / 60**0.5)


def test_the_expansion_to_first_order_fails_among_few_electrons_and_is_refused():
    assert deviation_of_cosines(0.25) > 4
    assert deviation_of_cosines(4.0) < 4
    few = np.random.default_rng(3).poisson(0.5, (64, 64))
    with pytest.raises(ValueError, match="at least 3 electrons per pixel on average"):
        denoise_purelet(few, dictionary="dct8")
    more = np.random.default_rng(3).poisson(4.0, (64, 64))
    assert denoise_purelet(more, dictionary="dct8").shape == few.shape


@pytest.mark.parametrize("read_noise", [0.0, 1.5])
def test_correlations_of_cosines_expand_the_removal_of_an_electron(read_noise):
    counts = record(scene(400.0, (8, 9)), np.random.default_rng(4), read_noise)
    options = {"levels": 1, "read_noise": read_noise, "dictionary": "dct8"}
    made = let_dictionary(counts, **options)
    less = with_one_less(counts, made, **options)
    expected = np.tensordot(counts, less, axes=2)[-64:-1]
    if read_noise:
        higher, lower = (
            with_one_less(counts, made, step=s, **options) for s in (0.5, -0.5)
        )
        divergence = (higher - lower).sum(axis=(0, 1))
        expected -= read_noise**2 * divergence[-64:-1]
    ours = made.correlations[-63:]
    # among hundreds of electrons one is a small step: of the correlation's own
    # correction, y'(f - f-), the second order is about a hundredth
    correction = np.abs(
        np.tensordot(counts, made.functions[-63:].transpose(1, 2, 0), axes=2) - expected
    )
    assert (np.abs(ours - expected) < 0.05 * correction + 1.0).all()


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
    dictionary = let_dictionary(counts, levels=4, read_noise=read_noise)
    ones = np.ones(len(dictionary.functions))
    assert dictionary.equations().risk(ones) == pytest.approx(
        dictionary.risk(ones), rel=1e-4
    )
    # single precision: boxes of 16 x 16 counts of 5 are summed and divided again
    np.testing.assert_allclose(dictionary.combine(ones), counts, atol=1e-4)
    # PURE of f = y is the mean count plus the variance of the read noise
    expected = counts.mean(dtype=float) + read_noise**2
    assert dictionary.risk(ones) == pytest.approx(expected, rel=1e-3)


def test_the_fitted_risk_is_below_that_of_the_noisy_and_of_the_blurred_image():
    counts = record(scene(2.0, (64, 64)), np.random.default_rng(4))
    dictionary = let_dictionary(counts, levels=4)
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


def expected_above(electrons, draws, rng, limit=8.0):
    """Draw what noise leaves above the threshold, box by box, by the definition."""
    ahead = rng.binomial(electrons, 0.5, draws)
    square = (2.0 * ahead - electrons) ** 2
    ratio = square / (limit * (electrons + 1))
    return square - square / (1 + ratio**8)


@pytest.mark.parametrize("electrons", [8, 9, 40, 255])
def test_what_noise_leaves_above_the_threshold_is_its_mean_and_variance(electrons):
    drawn = expected_above(electrons, 200_000, np.random.default_rng(electrons))
    mean, variance = moments_above(8.0)[:, electrons]
    error = drawn.std() / len(drawn) ** 0.5
    assert abs(drawn.mean() - mean) < 4 * error
    spread = (drawn - drawn.mean()) ** 2
    assert abs(spread.mean() - variance) < 4 * spread.std() / len(drawn) ** 0.5


def test_among_noise_the_surplus_is_nothing_and_its_variance_no_smaller():
    # boxes that share pixels count as one, so the variance is an upper bound; the mean
    # is exact whatever the electrons, those beyond the table's 255 included
    for mean in (0.45, 30.0):
        flat = np.full((64, 64), mean)
        rng = np.random.default_rng(5)
        found = [
            let_dictionary(record(flat, rng), levels=3).surplus for _ in range(200)
        ]
        above = np.array(found)[:, ::2]
        error = above[..., 0].std(0, ddof=1) / len(above) ** 0.5
        assert (np.abs(above[..., 0].mean(0)) < 4 * error).all()
        assert (above[..., 0].var(0, ddof=1) < 1.2 * above[..., 1].mean(0)).all()
        assert (np.array(found)[:, 1::2] == (1.0, 0.0)).all()


def test_an_edge_holds_more_than_noise_would():
    clean = np.full((64, 64), 1.0)
    clean[:, 32:] = 4.0
    made = let_dictionary(record(clean, np.random.default_rng(3)), levels=4)
    surplus, variance = made.surplus.T
    across = surplus[::6] > 3 * variance[::6] ** 0.5  # differences along columns
    assert across[2:].all()


def test_no_pixel_of_many_electrons_comes_out_as_a_spike():
    """A single pixel of chance says nothing of what to expect there.

    Half of its box of 2 x 2 pixels holds 8 electrons where 2 were to be expected;
    nothing finer than the crystal is there, so what is found at the pixel must be
    nearly what is found beside it.
    """
    bundled = sbd.example_micrograph("simulated", rng=np.random.default_rng(0)).clean
    for seed in range(4):
        noisy = record(bundled, np.random.default_rng(seed))
        estimate = denoise_purelet(noisy)
        beside = ndimage.median_filter(estimate, 5, mode="wrap")
        # the crystal changes by less than 0.1 within two pixels
        assert np.abs(estimate - beside).max() < 0.1


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


@pytest.mark.parametrize("dictionary", [*EXACT, "dct8"])
def test_a_large_image_is_denoised_in_parts_alike(dictionary, monkeypatch):
    counts = record(scene(9.0, (150, 70)), np.random.default_rng(10))
    options = {"levels": 3, "dictionary": dictionary, "return_risk": True}
    whole, risk = denoise_purelet(counts, **options)
    made = []
    parts = purelet._parts

    def count_parts(*arguments):
        made.extend(parts(*arguments))
        return made

    monkeypatch.setattr(purelet, "_MEMORY", 1 << 16)
    monkeypatch.setattr(purelet, "_parts", count_parts)
    in_parts, same = denoise_purelet(counts, **options)
    assert len(made) > 2
    # the same sums in another order, in single precision, through a linear system
    np.testing.assert_allclose(in_parts, whole, atol=2e-3)
    assert same == pytest.approx(risk, rel=1e-3)


@pytest.mark.parametrize("dictionary", [*EXACT, "dct8"])
def test_no_digit_depends_on_the_number_of_threads(dictionary):
    counts = record(scene(9.0, (300, 310)), np.random.default_rng(11))
    one, two, three = (
        denoise_purelet(counts, levels=3, dictionary=dictionary, workers=w)
        for w in (1, 2, 3)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)


def test_the_memory_is_that_of_forty_images():
    counts = np.random.default_rng(12).poisson(5.0, (512, 512)).astype(np.float32)
    tracemalloc.start()
    denoise_purelet(counts, levels=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * counts.nbytes


def test_frames_of_a_stack_are_denoised_one_by_one():
    frames = np.random.default_rng(13).poisson(scene(3.0), (3, 32, 32))
    stack, risks = denoise_purelet(frames, return_risk=True)
    for frame, estimate, risk in zip(frames, stack, risks, strict=True):
        alone = denoise_purelet(frame, return_risk=True)
        np.testing.assert_array_equal(estimate, alone[0])
        assert risk == alone[1]


def test_left_alone_it_takes_the_levels_that_the_image_holds():
    rng = np.random.default_rng(14)
    for shape, levels in (((256, 300), 7), ((40, 300), 5), ((5, 9), 2)):
        counts = rng.poisson(5.0, shape)
        chosen = denoise_purelet(counts)
        np.testing.assert_array_equal(chosen, denoise_purelet(counts, levels=levels))


def test_frames_of_a_stack_share_one_estimated_gain():
    clean = np.linspace(0.5, 8, 96) * np.ones((96, 1))
    frames = 5.0 * np.random.default_rng(17).poisson(clean, (6, 96, 96))
    means = denoise_purelet(frames, gain="auto").mean(axis=(1, 2))
    ratios = means / frames.mean(axis=(1, 2))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)


def test_what_edges_the_neighbours_show_helps():
    photograph = resize(data.camera() / 255, (256, 256), anti_aliasing=True)
    clean = 10 * photograph / photograph.max()
    counts = np.random.default_rng(15).poisson(clean)
    errors = [
        np.mean((denoise_purelet(counts, dictionary=d) - clean) ** 2)
        for d in ("haar", "interscale", "dct8")
    ]
    assert errors[0] > errors[1] > errors[2]


def test_gain_and_read_noise_come_from_the_image_on_request():
    photograph = resize(data.camera() / 255, (256, 256), anti_aliasing=True)
    clean = 20 * photograph
    rng = np.random.default_rng(16)
    units = 12.0 * record(clean, rng, read_noise=0.5) + 40
    known = denoise_purelet(units, gain=12.0, offset=40.0, read_noise=6.0)
    found = denoise_purelet(units, gain="auto", offset=40.0)
    gain, _ = estimate_gain(units, offset=40.0)
    error, least = (np.mean((e - clean) ** 2) for e in (found * gain / 12.0, known))
    assert error < 1.1 * least


def test_an_image_without_electrons_stays_dark():
    np.testing.assert_array_equal(denoise_purelet(np.zeros((9, 12))), 0)


def test_bad_input_is_named():
    good = np.ones((8, 20))
    with pytest.raises(ValueError, match="noisy must be at least 2 x 2 pixels"):
        denoise_purelet(np.ones((1, 50)))
    with pytest.raises(ValueError, match=r"levels must be a whole .* 1 to 3; got 4"):
        denoise_purelet(good, levels=4)
    with pytest.raises(ValueError, match="levels must be a whole number"):
        denoise_purelet(good, levels=1.5)
    with pytest.raises(ValueError, match=r"gain must be positive, .*; got 0"):
        denoise_purelet(good, gain=0)
    with pytest.raises(ValueError, match="read_noise must not be negative; got -1"):
        denoise_purelet(good, read_noise=-1)
    with pytest.raises(ValueError, match="offset must be finite; got nan"):
        denoise_purelet(good, offset=np.nan)
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoise_purelet(-good)
    with pytest.raises(ValueError, match=r"whole electron counts; got 0\.5"):
        denoise_purelet(good / 2)
    assert denoise_purelet(good / 2, gain=1.0).shape == good.shape
    with pytest.raises(
        ValueError, match=r"dictionary must be one of haar, .*; got 'd'"
    ):
        denoise_purelet(good, dictionary="d")
    with pytest.raises(ValueError, match="at least 16 x 16 pixels for 'dct16'"):
        denoise_purelet(good, dictionary="dct16")
    with pytest.raises(ValueError, match="workers must be a whole number"):
        denoise_purelet(good, workers=0)
    with pytest.raises(ValueError, match="gain must be positive, 'auto' or None"):
        denoise_purelet(good, gain="automatic")
    with pytest.raises(ValueError, match="noisy must be finite"):
        denoise_purelet(good * np.nan)
    with pytest.raises(ValueError, match=r"must not fall below offset \(3\)"):
        denoise_purelet(good, offset=3.0)
    with pytest.raises(ValueError, match=r"whole electron counts; got 1\.5"):
        denoise_purelet(good + 0.5, offset=0.25)
    # with an offset or read noise, negative values are to be expected
    assert denoise_purelet(good - 2, offset=-1.0).shape == good.shape
