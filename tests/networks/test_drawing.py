"""Check what the network is shown: geometry, doses, splits, weights and averages."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import sbd
import sbd.networks.training
from sbd.benchmark.recipes import Recipe
from sbd.networks.drawing import (
    Drawing,
    Field,
    _Place,
    _show,
    draw_batch_there,
    draw_example,
)
from sbd.networks.models import create_model
from sbd.networks.training import _load_split, _update_average, _weighted_error
from sbd.simulation.imaging import resample

VACUUM = 0.45
WAVES = 20  # in the box of 50 angstrom
PERIOD = 50.0 / WAVES
# Small enough (24 bins of 0.24 angstrom, half a diagonal of 4.1) that no example
# reaches the sides of the field, 6.7 angstrom off, where it is mirrored.
PLAIN = Drawing(crop=24, pixel=(0.06, 0.06), aspect=1.0, paper_dose=1.0,
                contrast=(1.0, 1.0), vacuum=0.0)  # fmt: skip


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def stripes():
    """Vertical stripes: the vacuum put above continues them."""
    phase = 2 * np.pi * WAVES * np.arange(128) / 128
    row = VACUUM * (1 + 0.3 * np.cos(phase))
    return np.tile(row, (128, 1)).astype(np.float32)


def clean_of(image, drawing, seed, binning=4):
    return draw_example(image, drawing, binning=binning, rng=rng(seed))[1].astype(float)


def frequencies(clean, level=VACUUM):
    """Size of a plane wave's frequency along rows and columns [cycles per bin].

    A wave obeys f(r + 1) + f(r - 1) = 2 cos(2 pi u) f(r), whatever its phase.
    """
    wave = clean - level
    inner = wave[1:-1, 1:-1]
    down = wave[2:, 1:-1] + wave[:-2, 1:-1]
    right = wave[1:-1, 2:] + wave[1:-1, :-2]
    size = 2 * (inner**2).sum()
    cosines = [(pair * inner).sum() / size for pair in (down, right)]
    return np.arccos(np.clip(cosines, -1, 1)) / (2 * np.pi)


# The cubic spline through 12.8 samples a period is off by some 1.5e-4 of the wave,
# mostly at other frequencies; what is left of it changes a period by less than this.
SPLINE = 1e-3


@pytest.mark.parametrize("binning", [2, 4, 6])
@pytest.mark.parametrize("pixel", [0.04, 0.06])
def test_the_period_is_what_pixel_and_binning_say_at_any_rotation(
    stripes, binning, pixel
):
    crop = round(24 * 0.24 / (binning * pixel))
    drawing = replace(PLAIN, pixel=(pixel, pixel), crop=crop)
    found = np.array([frequencies(clean_of(stripes, drawing, seed, binning))
                      for seed in range(24)])  # fmt: skip
    periods = binning * pixel / np.hypot(*found.T)
    np.testing.assert_allclose(periods, PERIOD, rtol=SPLINE)
    angles = np.rad2deg(np.arctan2(*found.T))
    # 24 uniform angles leave out the first or last 30 of 90 degrees once in 16,000
    assert angles.min() < 30
    assert angles.max() > 60


def test_the_pixel_is_drawn_from_its_range(stripes):
    drawing = replace(PLAIN, pixel=(0.05, 0.07))
    periods = [PERIOD / 4 * np.hypot(*frequencies(clean_of(stripes, drawing, seed)))
               for seed in range(60)]  # fmt: skip
    assert min(periods) > 0.05 * (1 - SPLINE)
    assert max(periods) < 0.07 * (1 + SPLINE)
    # 60 uniform draws leave out the first or last 15 % once in 17,000
    assert min(periods) < 0.053
    assert max(periods) > 0.067


def test_the_two_pixel_sides_differ_by_no_more_than_the_aspect(stripes):
    drawing = replace(PLAIN, aspect=1.3)
    found = [frequencies(clean_of(stripes, drawing, seed)) for seed in range(80)]
    periods = 0.24 / np.hypot(*np.transpose(found))
    assert periods.max() / periods.min() < 1.3 * (1 + 2 * SPLINE)
    # either side by the root of it, and it is reached: the stretch is uniform in the
    # logarithm, so one in 9 draws has more than 2/3 of it along the wave
    assert periods.max() < PERIOD * 1.3**0.5 * (1 + SPLINE)
    assert periods.min() > PERIOD / 1.3**0.5 * (1 - SPLINE)
    assert periods.max() / periods.min() > 1.3 ** (2 / 3)


def test_a_gpu_s_way_of_drawing_shows_the_same(stripes):
    """The same places of an image, by cubic convolution of four times the samples.

    Only what lies wholly below the empty part: at its edge the slope changes, which
    both show, each in its way.
    """
    rows = 1 + 0.2 * np.sin(2 * np.pi * 9 * np.arange(128) / 128)
    image = stripes * rows[:, None]
    drawing = replace(
        PLAIN, aspect=1.1, contrast=(0.7, 1.2), vacuum=0.2, paper_dose=0.5
    )
    places, clean = [], []
    for seed in range(60):
        place = _Place.draw(drawing, Field(), 4, rng(seed))
        if place.empty or place.middle[0] > 47:
            places.append(place)
            clean.append(draw_example(image, drawing, binning=4, rng=rng(seed))[1])
    assert {place.empty for place in places} == {True, False}
    images = torch.from_numpy(np.stack([image] * len(places))).float()
    shown = _show(images, places, drawing.crop, Field())[:, 0].numpy()
    dose = np.array([place.dose for place in places])[:, None, None]
    # torch's cubic convolution is off by up to a tenth of what an image changes from
    # sample to sample; of a wave of period T and amplitude A that is 2 pi A / T
    change = 2 * np.pi * VACUUM * 1.2 * (0.3 / 51 * 1.2 + 0.2 / 114 * 1.3)
    assert np.abs((shown - clean) / dose).max() < 0.1 * change / VACUUM


def test_what_a_gpu_draws_are_counts_of_what_is_there_and_the_key_decides():
    drawing = replace(PLAIN, crop=40, vacuum=1.0)
    images = torch.full((3, 128, 128), VACUUM, dtype=torch.float16)
    noisy, clean = draw_batch_there(images, drawing, 4, 5, (0, 7))
    assert noisy.shape == clean.shape == (5, 1, 40, 40)
    assert torch.equal(noisy * 16, (noisy * 16).round())
    # 8,000 bins of 7.2 counts: four standard errors of mean and variance
    assert float(noisy.mean()) == pytest.approx(
        VACUUM, abs=4 * (7.2 / 8000) ** 0.5 / 16
    )
    assert float((16 * noisy).var()) == pytest.approx(7.2, rel=4 * (2 / 8000) ** 0.5)
    again, other = (draw_batch_there(images, drawing, 4, 5, (0, k))[0] for k in (7, 8))
    assert torch.equal(again, noisy)
    assert not torch.equal(other, noisy)


def geometry(drawing, seed):
    """Angstrom that a step of one bin goes down and right in the box, with signs.

    Column j is the step along axis j of the example. A seed draws the same geometry
    whatever the image is, so two waves a quarter of a period apart give a phase.
    """
    along = 2 * np.pi * WAVES * np.arange(128) / 128
    steps = np.empty((2, 2))
    for axis in (0, 1):
        pair = []
        for wave in (np.cos(along), np.sin(along)):
            line = VACUUM * (1 + 0.3 * wave)
            image = np.tile(line, (128, 1)).astype(np.float32)
            pair.append(clean_of(image if axis else image.T, drawing, seed) - VACUUM)
        phasor = pair[0] + 1j * pair[1]
        down = np.angle(phasor[1:, :-1] / phasor[:-1, :-1])
        right = np.angle(phasor[:-1, 1:] / phasor[:-1, :-1])
        # vacuum put above has no phase along the rows
        inside = np.hypot(down, right) > 0.1
        if inside.mean() < 0.6:
            return None
        for j, angles in enumerate((down, right)):
            steps[axis, j] = np.median(angles[inside]) * PERIOD / (2 * np.pi)
    return steps


def test_examples_are_turned_stretched_and_mirrored_but_keep_their_area():
    drawing = replace(PLAIN, aspect=1.3)
    drawn = [geometry(drawing, seed) for seed in range(50)]
    found = np.array([steps for steps in drawn if steps is not None])
    # a quarter of the positions are in the vacuum, where rows have no phase
    assert len(found) > 25
    areas = np.linalg.det(found)
    # the sides are stretched by a factor and its inverse
    np.testing.assert_allclose(np.abs(areas), 0.24**2, rtol=2 * SPLINE)
    sides = np.linalg.norm(found, axis=1)
    assert (sides.max(1) / sides.min(1)).max() < 1.3 * (1 + SPLINE)
    # uniform in the logarithm: all of 25 fall short of half of it once in 3e7
    assert (sides.max(1) / sides.min(1)).max() > 1.3**0.5
    # the two sides are at right angles
    cosines = (found[:, :, 0] * found[:, :, 1]).sum(1) / sides.prod(1)
    np.testing.assert_allclose(cosines, 0, atol=2 * SPLINE)
    # fair coins: fewer than 3 of 25 either way once in 50,000
    assert 3 <= (areas < 0).sum() <= len(areas) - 3
    # 25 turns leave one of the four quadrants out once in 300
    turns = np.arctan2(found[:, 1, 0], found[:, 0, 0])
    assert len(set(np.floor(turns / (np.pi / 2)))) == 4


def test_the_dose_is_the_level_of_the_vacuum():
    drawing = replace(PLAIN, paper_dose=0.0, dose=(2.0, 2.0))
    flat = np.full((128, 128), VACUUM, np.float32)
    for vacuum in (0.0, 1.0):
        clean = clean_of(flat, replace(drawing, vacuum=vacuum), 0)
        # single precision, in a Fourier transform and a spline
        np.testing.assert_allclose(clean, 2.0, rtol=2e-6)


def test_the_dose_scales_the_whole_example(stripes):
    high = replace(PLAIN, paper_dose=0.0, dose=(2.0, 2.0))
    low = replace(high, dose=(0.45, 0.45))
    # the two draw alike; single precision
    np.testing.assert_allclose(
        clean_of(stripes, high, 3) / 2.0, clean_of(stripes, low, 3) / 0.45, rtol=1e-6
    )


def test_contrast_scales_the_deviation_from_vacuum_in_a_third_of_the_examples(stripes):
    half = replace(PLAIN, contrast=(0.5, 0.5))
    factors = []
    for seed in range(90):
        full, less = (clean_of(stripes, d, seed) - VACUUM for d in (PLAIN, half))
        factor = (full * less).sum() / (full**2).sum()
        # single precision of 0.45
        np.testing.assert_allclose(less, factor * full, atol=1e-6)
        factors.append(factor)
    changed = np.isclose(factors, 0.5, atol=1e-5)
    assert (changed | np.isclose(factors, 1.0, atol=1e-5)).all()
    # binomial: 30 with a standard deviation of 4.5, four of them
    assert abs(changed.sum() - 30) < 18


def test_shares_and_range_of_the_doses_are_those_asked_for():
    flat = np.full((128, 128), VACUUM, np.float32)
    drawing = Drawing(crop=8, paper_dose=0.6, dose=(0.1, 10.0), vacuum=1.0)
    doses = np.array([clean_of(flat, drawing, seed).mean() for seed in range(400)])
    paper = np.isclose(doses, VACUUM, rtol=1e-6)
    # binomial: 240 with a standard deviation of 9.8
    assert abs(paper.sum() - 240) < 4 * 9.8
    others = np.log10(doses[~paper])
    assert others.min() >= -1 - 1e-6
    assert others.max() <= 1 + 1e-6
    # uniform over 2 decades: standard deviation 0.577 of one
    assert abs(others.mean()) < 4 * 0.577 / np.sqrt(len(others))


def test_the_share_of_empty_examples_is_the_one_asked_for(stripes):
    drawing = replace(PLAIN, crop=12, vacuum=0.3)
    empty = sum(np.ptp(clean_of(stripes, drawing, seed)) == 0 for seed in range(200))
    # binomial: 60 with a standard deviation of 6.5
    assert abs(empty - 60) < 26


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return sbd.simulate_benchmark(
        tmp_path_factory.mktemp("benchmark"),
        recipes=(Recipe("PtNp4", "D0", 10.0), Recipe("PtNp2", "Ds", 10.0),
                 Recipe("PtNp2", "S3_5", 10.0)),
        tilts=((3.0, 0.0),), defoci=(6.0,), grid=64, progress=False,
    )  # fmt: skip


@pytest.mark.parametrize(("split", "row"), [("train", 0), ("valid", 1), ("test", 2)])
def test_a_split_holds_its_own_images_and_no_others(benchmark, split, row):
    images = _load_split(benchmark, split)
    assert images.shape == (1, 128, 128)
    np.testing.assert_array_equal(images[0], benchmark[row])
    others = [benchmark[i] for i in range(3) if i != row]
    assert not any(np.array_equal(images[0], other) for other in others)


def test_steps_see_training_images_only_and_the_probe_validation_only(
    benchmark, tmp_path, monkeypatch
):
    real, calls = sbd.networks.training.draw_batch, []

    def spy(images, drawing, binning, batch, key, field):
        assert field == Field()
        calls.append((images.copy(), drawing, binning, batch, tuple(key)))
        return real(images, drawing, binning, batch, key, field)

    monkeypatch.setattr(sbd.networks.training, "draw_batch", spy)
    drawing = Drawing(crop=32)
    model = create_model(seed=0, scales=2, channels=4)
    sbd.train(model, benchmark, tmp_path, steps=3, seed=7, batch=2, drawing=drawing,
              save_every=1, device="cpu", progress=False)  # fmt: skip
    (probe,) = (call for call in calls if call[-1][1] == 2**31)
    steps = [call for call in calls if call[-1][1] != 2**31]
    np.testing.assert_array_equal(probe[0], benchmark[1][None])
    assert probe[1].paper_dose == 1.0
    assert probe[1].vacuum == 0.0
    keys = [call[-1] for call in steps]
    assert keys[:3] == [(7, 0), (7, 1), (7, 2)]
    # and those that the statistics of normalisations are measured on in the end
    assert keys[3:] == [(7, 2**31 + 1 + i) for i in range(32)]
    for images, drawn, binning, batch, _ in steps:
        np.testing.assert_array_equal(images, benchmark[0][None])
        assert (drawn, binning, batch) == (drawing, 4, 2)


def set_all(norm, weight, bias, mean, variance, count):
    with torch.no_grad():
        norm.weight.fill_(weight)
        norm.bias.fill_(bias)
        norm.running_mean.fill_(mean)
        norm.running_var.fill_(variance)
        norm.num_batches_tracked.fill_(count)


def test_the_average_is_the_hand_computed_one():
    average, model = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    set_all(average, 1.0, 0.0, 2.0, 4.0, 5)
    set_all(model, 3.0, 1.0, 6.0, 8.0, 9)
    _update_average(average, model, decay=0.75)
    set_all(model, -1.0, 2.0, 0.0, 1.0, 10)
    _update_average(average, model, decay=0.5)
    # 0.75 * 1 + 0.25 * 3 = 1.5, then 0.5 * 1.5 - 0.5 = 0.25, and so on; all exact
    assert average.weight.item() == 0.25
    assert average.bias.item() == (0.25 + 2.0) / 2
    assert average.running_mean.item() == (3.0 + 0.0) / 2
    assert average.running_var.item() == (5.0 + 1.0) / 2
    # a count is not averaged, and the model is left alone
    assert average.num_batches_tracked.item() == 5
    assert model.weight.item() == -1.0


@pytest.mark.parametrize(
    ("dose", "error"),
    # a tenth too bright is 0.01; times the root of the dose over 0.45, within 0.5 to 4
    [(0.45, 0.01), (1.8, 0.02), (4.05, 0.03), (0.0045, 0.005), (45.0, 0.04)],
)
def test_the_weight_of_an_error_rises_with_the_dose(dose, error):
    clean = torch.full((1, 1, 4, 4), dose)
    # single precision of a difference of a tenth
    assert _weighted_error(1.1 * clean, clean).item() == pytest.approx(error, rel=1e-5)


def test_each_example_of_a_batch_has_its_own_level():
    clean = torch.full((2, 1, 4, 4), 0.45)
    clean[1] = 1.8
    assert _weighted_error(1.1 * clean, clean).item() == pytest.approx(0.015, rel=1e-5)
    # an uneven image: relative to its mean, not to each pixel
    uneven = torch.tensor([0.3, 0.6]).reshape(1, 1, 1, 2)
    got = _weighted_error(uneven + 0.045, uneven).item()
    assert got == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_field_is_the_image_without_its_seams_under_vacuum(benchmark, index):
    image = benchmark[index]
    field, per = Field().cut(image)
    raw = resample(np.fft.fft2(image) / image.size, (256, 256))
    assert per == 50 / 256
    # 0, 6.4, 7, 5 and 40 angstrom are 0, 32.8, 35.8, 25.6 and 204.8 samples
    assert field.shape == (205 + 256 - 26 - 36, 256 - 33)
    np.testing.assert_array_equal(field[205:], raw[26:220, :223])
    np.testing.assert_array_equal(field[:205], np.tile(raw[26, :223], (205, 1)))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_nothing_but_vacuum_is_put_above_the_particle(benchmark, index):
    above = Field().cut(benchmark[index])[0][:205]
    # 5 angstrom from the support's other side its fringes are below 4 % of the vacuum
    assert above.mean() == pytest.approx(VACUUM, abs=0.005)
    assert np.abs(above - VACUUM).max() < 0.04 * VACUUM


def test_light_at_the_seams_stays_out_of_the_field():
    at = np.arange(128) * 50 / 128
    from_seam = abs(at - 46.3)
    from_seam = np.minimum(from_seam, 50 - from_seam)
    image = VACUUM + 0.2 * np.exp(-((from_seam / 0.6) ** 2) / 2)
    from_end = np.minimum(at, 50 - at)
    image = image + 0.2 * np.exp(-(from_end[:, None] ** 2) / 2)
    field, _ = Field().cut(image.astype(np.float32))
    # a Gaussian of 0.6 angstrom, 2.7 away: 0.2 exp(-10) = 9e-6; its spectrum ends
    # at 1.28 / angstrom with exp(-11.7) of its height
    np.testing.assert_allclose(field, VACUUM, atol=1e-4)


@pytest.mark.parametrize("there", [False, True])
def test_the_illumination_falls_across_a_third_of_the_examples(there):
    flat = np.full((128, 128), VACUUM, np.float32)
    drawing = replace(PLAIN, illumination=0.4)
    falls = []
    for seed in range(120):
        if there:
            place = _Place.draw(drawing, Field(), 4, rng(seed))
            clean = _show(torch.from_numpy(flat)[None], [place], 24, Field())[
                0, 0
            ].numpy()
        else:
            clean = clean_of(flat, drawing, seed)
        assert clean.mean() == pytest.approx(VACUUM, rel=1e-3)
        rows, columns = (np.ptp(clean.mean(axis)) / VACUUM for axis in (1, 0))
        falls.append(np.hypot(rows, columns) / (23 / 24))
    tilted = np.array(falls)[np.array(falls) > 1e-3]
    assert 0.2 < len(tilted) / 120 < 0.47  # a third, within 3 deviations
    # no less than nothing, no more than asked for
    assert tilted.max() < 0.41
    assert 0.15 < tilted.mean() < 0.25


def test_without_uneven_illumination_examples_are_what_they_were(stripes):
    two = [clean_of(stripes, replace(PLAIN, illumination=x), 3) for x in (0.0, 1e-12)]
    np.testing.assert_allclose(*two, rtol=1e-6)


class Folder:
    """What a benchmark says of how it was made."""

    def __init__(self, box, *own):
        recipes = [{"own": True} if mine else {} for mine in own]
        self.settings = {"box": box, "recipes": recipes}


def test_structures_of_one_s_own_are_taken_whole():
    assert Field.of(Folder(30.0, True, True)) == Field(30.0, repeats=True)
    assert Field.of(Folder(50.0, False)) == Field.of(object()) == Field()
    with pytest.raises(ValueError, match="not both; got 1 others of 2"):
        Field.of(Folder(50.0, True, False))


@pytest.mark.parametrize("there", [False, True])
def test_a_cell_of_any_size_repeats_without_a_seam(there):
    """A wave of 24 periods in a cell of 30 angstrom, across and past its sides."""
    along = 2 * np.pi * 12 * np.arange(128) / 128
    image = np.tile(VACUUM * (1 + 0.3 * np.cos(along)), (128, 1)).astype(np.float32)
    field, drawing = Field(30.0, repeats=True), replace(PLAIN, crop=48)
    crossed = 0
    for seed in range(40):
        place = _Place.draw(drawing, field, 4, rng(seed))
        if there:
            shown = _show(torch.from_numpy(image)[None], [place], 48, field)
            clean = shown[0, 0].numpy()
        else:
            clean = draw_example(image, drawing, binning=4, rng=rng(seed), field=field)[
                1
            ]
        grid = np.indices((48, 48)).reshape(2, -1) - 23.5
        across = (place.axes @ grid + place.middle[:, None])[1].reshape(48, 48)
        crossed += across.min() < 0 or across.max() > 30
        wave = VACUUM * (1 + 0.3 * np.cos(2 * np.pi * across / 2.5))
        # of the wave: a spline's error, or a tenth of its change between samples
        limit = 0.1 * 2 * np.pi * 30 / 1024 / 2.5 if there else SPLINE
        assert np.abs(clean - wave).max() < 0.3 * VACUUM * limit
    assert crossed > 10


def test_examples_wider_than_the_cell_are_said(benchmark, tmp_path, monkeypatch):
    narrow = Field(20.0, repeats=True)
    monkeypatch.setattr(Field, "of", lambda _: narrow)
    model = create_model(seed=0, scales=2, channels=4)
    with pytest.warns(
        UserWarning, match="examples of 41 angstrom repeat the box of 20"
    ):
        sbd.train(model, benchmark, tmp_path, steps=1, device="cpu", progress=False)
