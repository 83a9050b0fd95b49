"""Check that what was done to counts is told, undone where it can be, else refused."""

import numpy as np
import pytest
from scipy import ndimage

import sbd
from sbd.recordings import PixelSize, Recording, check_counts, to_counts
from sbd.recordings.comb import find_combs


@pytest.fixture(scope="module")
def clean():
    return sbd.example_truth("simulated")[0]


@pytest.fixture(scope="module")
def counts(clean):
    return np.random.default_rng(0).poisson(clean).astype(np.float64)


def noise(shape, deviation, seed=9):
    return np.random.default_rng(seed).normal(0, deviation, shape)


def found(report):
    return {finding.what for finding in report.findings}


def test_counts_are_counts_at_any_dose(clean):
    for dose in (0.1, 0.45, 3.0, 100.0):
        counts = np.random.default_rng(1).poisson(clean * dose / sbd.VACUUM)
        report = check_counts(counts)
        assert report.verdict == "Counted electrons."
        assert report.dose == pytest.approx(counts.mean())
        # 500 x 500 pixels, median of 256 blocks; few electrons are not normal
        assert report.dispersion == pytest.approx(1, abs=0.08)
        assert found(report) == ({"many electrons"} if dose > 30 else set())
        np.testing.assert_array_equal(to_counts(counts, report).values, counts)


SCALED = {
    "a gain of three": (3.0, 1),
    "values of 0 to 1": (1 / 6, 1),
    "over 255": (1 / 255, 1),
    "a gain and eight bits": (7.0, 1),
    "a mean of ten frames": (0.1, 10),
}


@pytest.mark.parametrize("case", SCALED)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_scaled_counts_are_recovered(clean, case, kind):
    unit, frames = SCALED[case]
    counts = np.random.default_rng(2).poisson(frames * clean)
    report = check_counts((unit * counts).astype(kind))
    assert report.unit == pytest.approx(unit, rel=1e-6)
    assert found(report) == {"unit"}
    assert report.counted
    recovered = to_counts((unit * counts).astype(kind)).values
    np.testing.assert_array_equal(recovered, counts)


@pytest.mark.parametrize("offset", [0.5, 0.3, 10, 100, -3])
def test_an_offset_is_found_and_taken_off(counts, offset):
    np.testing.assert_array_equal(to_counts(counts + offset).values, counts)
    bright = np.random.default_rng(6).poisson(np.full((256, 256), 8.0))
    np.testing.assert_array_equal(to_counts(bright + offset).values, bright)


def test_counts_times_a_gain_of_each_pixel_s_own_are_recovered(counts):
    gain = 32.3 * (1 + noise(counts.shape, 0.01))
    report = check_counts(np.rint(gain * counts))  # whole numbers: a comb in a comb
    assert report.unit == pytest.approx(32.3, rel=2e-3)
    recovered = to_counts(np.rint(gain * counts)).values
    assert (recovered != counts).mean() < 1e-3
    assert report.verdict.startswith("Counted electrons, in units of 32.")


def test_a_comb_is_found_with_its_offset_and_noise():
    counts = np.random.default_rng(3).poisson(4.0, 200_000)
    values = 20 * counts + 3 + noise(counts.shape, 2.0)
    comb = find_combs(values)[1]
    # the phase of 2e5 values that agree to .8 is known to 2e-3 of a turn
    assert comb.unit == pytest.approx(20, rel=1e-3)
    assert comb.offset == pytest.approx(3, abs=0.3)
    assert comb.noise == pytest.approx(2, rel=0.05)
    assert not comb.exact


@pytest.mark.parametrize("law", ["normal", "uniform", "exponential"])
def test_there_is_no_comb_in_numbers_of_a_continuous_law(law):
    for seed in range(20):
        values = getattr(np.random.default_rng(seed), law)(size=40_000)
        assert find_combs(values) == (None, None)
        assert find_combs(values.astype(np.float32)) == (None, None)


def test_a_mean_of_neighbours_is_no_independent_count(counts):
    for image in (
        (counts[:, 1:] + counts[:, :-1]) / 2,
        ndimage.uniform_filter(counts, 3),
        0.7 * counts[:, 1:] + 0.3 * counts[:, :-1],
        ndimage.shift(counts, 0.5),
    ):
        report = check_counts(image)
        assert not report.verdict.startswith("Counted")
        assert found(report) & {"averaged", "dependent", "units"}
    assert check_counts(ndimage.shift(counts, 0.5)).refused


def test_clipping_is_told_at_either_end(clean, counts):
    bright = np.random.default_rng(4).poisson(5 * clean)
    report = check_counts(np.minimum(bright, 1))
    assert "clipped" in found(report)
    assert not report.verdict.startswith("Counted")
    report = check_counts(np.maximum(counts + noise(counts.shape, 0.3), 0))
    assert "clipped" in found(report)
    assert "no others repeat" in str(report)


def test_signed_values_are_taken_with_their_read_noise(counts):
    image = counts + noise(counts.shape, 0.3)
    report = check_counts(image)
    assert found(report) == {"signed"}
    assert report.read_noise == pytest.approx(0.3, rel=0.02)
    assert report.dispersion == pytest.approx(1, abs=0.08)
    values = to_counts(image).values
    assert values.min() < 0
    np.testing.assert_allclose(values, image, atol=1e-6)
    assert check_counts(image, read_noise=0.32).read_noise == 0.32


def test_units_of_a_detector_are_told_by_their_noise_or_refused(clean):
    electrons = np.random.default_rng(5).poisson(50 * clean)
    flat = np.random.default_rng(6).poisson(20.0, (256, 256))
    for image in (30 * flat + noise(flat.shape, 60), 0 * flat + 7):
        report = check_counts(np.rint(image))
        assert report.refused
        with pytest.raises(ValueError, match="recording must hold electrons; "):
            to_counts(np.rint(image))
    slope = np.random.default_rng(7).poisson(
        np.linspace(2, 60, 512) * np.ones((512, 1))
    )
    report = check_counts(np.rint(30 * slope + noise(slope.shape, 20)))
    assert report.unit == pytest.approx(30, rel=0.1)
    assert not report.counted
    assert check_counts(electrons).verdict == "Counted electrons."


def test_hot_pixels_are_named_and_replaced_and_nothing_else_is(counts):
    image = counts.copy()
    image[333, 222], image[5, 6] = 500, 60
    report = check_counts(image)
    assert sorted(map(tuple, report.hot)) == [(5, 6), (333, 222)]
    assert "500 at (333, 222)" in str(report)
    mended = to_counts(image, report).values
    changed = np.argwhere(mended != counts)
    assert set(map(tuple, changed)) <= {(5, 6), (333, 222)}
    assert mended.max() == counts.max()


def test_what_recorded_nothing_is_left_out_of_the_dose(counts):
    image = counts.copy()
    image[:30] = 0
    image[:, -30:] = 0
    report = check_counts(image)
    assert found(report) == {"no dose"}
    assert not report.recorded[:30].any()
    assert report.recorded[40:-10, 10:-40].all()
    assert report.dose == pytest.approx(counts[30:, :-30].mean(), rel=0.01)
    holes = counts.copy()
    holes[100:140, 50:90] = np.nan
    report = check_counts(holes)
    assert found(report) == {"no number"}
    assert not report.recorded[100:140, 50:90].any()


def test_a_subtraction_that_wrapped_is_refused(counts):
    image = (counts.astype(np.int64) - 1).astype(np.uint16)
    report = check_counts(image)
    assert "wrapped" in found(report)
    with pytest.raises(ValueError, match="below zero and wrapped round"):
        to_counts(image)


def test_the_dose_is_told_per_area_where_a_pixel_has_a_size(counts):
    recording = Recording(counts, PixelSize((0.062, 0.064), "said"))
    report = check_counts(recording)
    assert report.dose_area == pytest.approx(counts.mean() / (0.062 * 0.064))
    assert "per square angstrom" in str(report)


def test_frames_are_counted_one_by_one_and_an_odd_one_is_named():
    rng = np.random.default_rng(8)
    stack = rng.poisson(2.0, (8, 96, 96)).astype(np.float64)
    stack[3] = 2 * rng.poisson(1.0, (96, 96))
    report = check_counts(stack)
    assert report.dose == pytest.approx(stack.sum(0).mean())
    (odd,) = [f for f in report.findings if f.what == "odd frames"]
    assert odd.words.startswith("frames 3 (")
    np.testing.assert_array_equal(to_counts(stack).values, stack)


def test_no_images_are_refused():
    for wrong in (np.ones(5), np.ones((2, 2, 2, 2)), np.ones((3, 3)) + 0j, [["a"]], []):
        with pytest.raises(ValueError, match="recording must be an image"):
            check_counts(wrong)


def test_the_answer_is_the_same_for_any_kind_of_number(counts):
    one = check_counts(counts)
    for kind in (np.uint8, np.int16, np.uint32, np.float32, ">u2", ">f4"):
        other = check_counts(counts.astype(kind))
        assert (other.verdict, other.dose) == (one.verdict, one.dose)


@pytest.mark.parametrize("side", [40, 64, 100, 160])
def test_small_images_of_counts_are_counts(side):
    verdicts = []
    for seed in range(40):
        counts = np.random.default_rng(seed).poisson(0.45, (side, side))
        verdicts += [check_counts(counts / scale).verdict for scale in (1, 6)]
    wrong = [v for v in verdicts if not v.startswith("Counted electrons")]
    assert len(wrong) <= 1  # of 80


X, Y = np.meshgrid(np.arange(256), np.arange(256))


def lattice(dose, contrast, period, seed):
    waves = np.cos(2 * np.pi * X / period) * np.cos(2 * np.pi * Y / period)
    return np.random.default_rng(seed).poisson(dose * (1 + contrast * waves))


@pytest.mark.parametrize("dose", [0.02, 0.5, 1, 12, 60, 300])
@pytest.mark.parametrize("period", [8, 12, 24])
def test_a_lattice_of_counts_is_one(dose, period):
    contrast = 0.5 if dose > 30 and period == 8 else 0.9
    for seed in range(3):
        report = check_counts(lattice(dose, contrast, period, seed))
        assert report.verdict == "Counted electrons."
        assert report.dose == pytest.approx(dose, rel=0.1)


@pytest.mark.parametrize(
    ("gain", "offset", "noise", "dose"),
    [
        (4, 100, 2, 0.5),
        (2, 10, 1, 1),
        (6, 100, 3, 3),
        (20, 100, 3, 0.5),
        (10, 30, 5, 8),
    ],
)
def test_whole_numbers_of_a_camera_are_no_counts(gain, offset, noise, dose):
    electrons = lattice(dose, 0.3, 24, 0)
    extra = np.random.default_rng(1).normal(0, noise, electrons.shape)
    report = check_counts(np.rint(gain * electrons + offset + extra).astype(np.uint16))
    assert not report.independent
    assert not report.verdict.startswith("Counted")


def test_an_offset_under_uneven_light_or_beside_a_border_is_found():
    uneven = np.where(X < 85, 8.0, 4 + 3 * np.cos(2 * np.pi * X / 12))
    counts = np.random.default_rng(0).poisson(uneven)
    assert check_counts(counts + 20).dose == pytest.approx(counts.mean())
    image = 7.3 * lattice(0.8, 0.7, 24, 0) + 20
    image[:30] = 0
    report = check_counts(image.astype(np.float32))
    assert report.unit == pytest.approx(7.3, rel=1e-4)
    assert report.dose == pytest.approx(0.8, rel=0.05)


def test_rows_of_hot_pixels_are_replaced_by_what_is_beside_them():
    image = np.random.default_rng(0).poisson(0.8, (128, 128))
    image[10, 10:13] = 300
    image[:, 50] = 300
    mended = to_counts(image).values
    assert mended.max() < 10
    assert mended[:, 50].mean() == pytest.approx(0.8, abs=0.3)
    assert check_counts(image).dose == pytest.approx(0.8, rel=0.05)
    small = np.random.default_rng(0).poisson(0.8, (64, 64))
    small[32, 32] = 60_000
    assert found(check_counts(small)) == {"hot pixels"}


def test_values_that_no_pixel_holds_are_refused_and_gaps_are_left_out():
    image = np.random.default_rng(0).poisson(0.8, (128, 128)).astype(float)
    for value, what in ((1e30, "huge"), (np.inf, "no number"), (-500, "no dose")):
        wrong = image.copy()
        wrong[5, 5] = value
        report = check_counts(wrong)
        assert what in found(report)
        if what != "huge":
            assert report.dose == pytest.approx(0.8, rel=0.05)
            assert 0 <= to_counts(wrong).values.max() < 10
    for nothing in (np.full((64, 64), np.nan), np.zeros((64, 64))):
        assert check_counts(nothing).refused
    masked = np.ma.masked_greater(image, 3)
    assert check_counts(masked).dose == pytest.approx(masked.mean())


def test_a_frame_without_numbers_is_named_and_left_out():
    stack = np.random.default_rng(8).poisson(2.0, (8, 96, 96)).astype(np.float32)
    stack[3] = np.nan
    stack[5, :60] = np.inf
    report = check_counts(stack)
    (empty,) = [f for f in report.findings if f.what == "empty frames"]
    assert "of 8 frames, 2 hold no number in most of their pixels: 3, 5;" in empty.words
    rest = stack[[0, 1, 2, 4, 6, 7]]
    assert report.verdict == "Counted electrons."
    assert report.dose == pytest.approx(rest.sum(0).mean())
    np.testing.assert_array_equal(to_counts(stack, report).values, rest)
    stack[:] = np.nan
    assert check_counts(stack).refused


@pytest.mark.parametrize("dose", [0.45, 3.0])
def test_groups_of_bright_pixels_are_named_and_not_replaced(clean, dose):
    for seed in range(5):
        counts = np.random.default_rng(seed).poisson(clean * dose / sbd.VACUUM)
        assert "bright groups" not in found(check_counts(counts))
        counts[200:203, 100:103] += 1000
        report = check_counts(counts)
        (bright,) = [f for f in report.findings if f.what == "bright groups"]
        assert bright.words.startswith("1 group of pixels")
        assert "at (201, 101)" in bright.words


def test_the_lit_part_of_an_image_is_no_bright_group():
    counts = np.random.default_rng(0).poisson(60.0, (128, 128))
    counts[:, 4:] = 0
    assert "bright groups" not in found(check_counts(counts))


@pytest.mark.parametrize("zoom", [1.01, 1.1, 1.5, 2.0])
def test_interpolated_images_are_refused_whatever_their_scale(clean, zoom):
    for seed, dose in enumerate((0.45, 3.0, 30.0)):
        counts = np.random.default_rng(seed).poisson(clean * dose / sbd.VACUUM)
        small = counts[100:356, 100:356].astype(np.float64)
        for scale in (1.0, 1.3, 2.5):
            report = check_counts(scale * ndimage.zoom(small, zoom, order=3))
            assert not report.independent


@pytest.mark.parametrize("side", [64, 256])
def test_independent_values_with_read_noise_are_never_called_interpolated(clean, side):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for dose in (0.45, 3.0, 30.0, 100.0):
            counts = rng.poisson(clean[:side, :side] * dose / sbd.VACUUM)
            report = check_counts(counts + rng.normal(0, 0.3, counts.shape))
            assert found(report) <= {"signed", "many electrons", "unknown"}


def test_numbers_too_small_to_be_units_give_no_comb():
    image = np.random.default_rng(0).poisson(0.8, (128, 128)).astype(np.float64)
    image[5, 5:9] = 1e-40, 3e-40, -3e-30, 1e-38  # what damage leaves in a file
    with np.errstate(all="raise", under="ignore"):
        report = check_counts(image)
    assert report.refused or report.unit == pytest.approx(1, rel=1e-3)


def test_pictures_are_no_electrons():
    data = pytest.importorskip("skimage.data")
    for picture in (data.coins(), data.camera()):
        assert not check_counts(picture).independent
