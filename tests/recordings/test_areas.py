"""Check which part of a recording counts, and what is put where none was recorded."""

import numpy as np
import pytest

import sbd
from sbd.recordings import (
    Recording,
    crop_recording,
    fill_gaps,
    mask_recording,
    to_counts,
)
from sbd.recordings.areas import take_part


def counts_of(seed, shape=(200, 240), dose=0.45):
    return np.random.default_rng(seed).poisson(dose, shape)


def test_a_box_is_cut_out_of_every_frame():
    stack = np.arange(2 * 20 * 30).reshape(2, 20, 30)
    part = crop_recording(stack, (3, 5, 10, 7))
    np.testing.assert_array_equal(part.values, stack[:, 3:13, 5:12])
    assert isinstance(part, Recording)
    assert crop_recording(stack, (0, 0, 20, 30)).shape == (20, 30)


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((0, 0, 21, 30), "box must lie within 20 x 30 pixels"),
        ((-1, 0, 5, 5), "box must lie within"),
        ((0, 0, 0, 5), "box must lie within"),
        ((0, 0, 5), "box must be four whole numbers"),
        ((0.5, 0, 5, 5), "box must be four whole numbers"),
        (None, "box must be four whole numbers"),
    ],
)
def test_a_box_that_is_none_is_refused(box, told):
    with pytest.raises(ValueError, match=told):
        crop_recording(np.ones((20, 30)), box)


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4", "f8"])
def test_the_rest_of_a_masked_recording_keeps_its_values(kind):
    counts = counts_of(0).astype(kind)
    mask = np.ones(counts.shape, bool)
    mask[50:80, 60:90] = False
    values = mask_recording(counts, mask).values
    assert np.isnan(values[~mask]).all()
    np.testing.assert_array_equal(values[mask], counts[mask])


def test_a_mask_must_fit_and_leave_something():
    with pytest.raises(ValueError, match="mask must have the shape"):
        mask_recording(np.ones((20, 30)), np.ones((30, 20)))
    with pytest.raises(ValueError, match="mask must leave something"):
        mask_recording(np.ones((20, 30)), np.zeros((20, 30)))


@pytest.mark.parametrize("unit", [1, 32.3])
@pytest.mark.parametrize("offset", [0, 100])
def test_what_is_masked_does_not_change_what_is_found(unit, offset):
    counts = counts_of(1, dose=3.0)
    values = (counts * unit + offset).astype(np.float32)
    mask = np.ones(counts.shape)
    mask[:60, :70] = 0
    spoiled = values.copy()
    spoiled[:60, :70] = 3e4 * np.random.default_rng(2).random((60, 70))
    recording = mask_recording(spoiled, mask)
    report = sbd.check_counts(recording)
    assert report.counted
    assert report.unit == pytest.approx(unit, rel=1e-5)
    assert report.dose == pytest.approx(counts[mask > 0].mean(), rel=1e-6)
    found = to_counts(recording, report).values
    np.testing.assert_array_equal(found[mask > 0], counts[mask > 0])
    assert (found[mask == 0] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_gaps_are_filled_with_counts_of_the_mean_around(seed):
    """Half of the image has twice the dose; each half of the gap gets its own."""
    dose = np.where(np.arange(240) < 120, 2.0, 4.0) * np.ones((200, 1))
    counts = np.random.default_rng(seed).poisson(dose).astype(float)
    recorded = np.ones(counts.shape, bool)
    recorded[:40] = False
    given = np.where(recorded, counts, 0)
    filled = fill_gaps(given, recorded, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(filled[40:], counts[40:])
    for half, mean in ((np.s_[:40, :80], 2.0), (np.s_[:40, 160:], 4.0)):
        part = filled[half]
        # what is around covers some 12 x 24 pixels beside each place, so some six
        # independent means of 3 % for the gap's width; 3,200 counts of it, 2 %
        assert part.mean() == pytest.approx(mean, rel=4 * 0.03)
        assert part.var() == pytest.approx(mean, rel=0.15)
    again = fill_gaps(given, recorded, rng=np.random.default_rng(9))
    np.testing.assert_array_equal(again, filled)


def test_nothing_is_filled_where_there_is_no_gap_or_no_image():
    counts = counts_of(0).astype(float)
    whole = np.ones(counts.shape, bool)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(fill_gaps(counts, whole, rng=rng), counts)
    with pytest.raises(ValueError, match="hold a place that was recorded"):
        fill_gaps(counts, ~whole, rng=rng)


def test_a_mask_and_a_frame_without_numbers_go_together():
    stack = np.random.default_rng(5).poisson(2.0, (6, 96, 96)).astype(float)
    stack[2] = np.nan
    mask = np.zeros((96, 96))
    mask[:40] = 1  # less than half of the frame
    report = sbd.check_counts(mask_recording(stack, mask))
    assert not report.refused
    assert [f.what for f in report.findings] == ["empty frames", "no number"]
    assert report.dose == pytest.approx(np.nansum(stack[:, :40], 0).mean(), rel=1e-6)


def test_places_are_those_of_the_whole():
    counts = counts_of(6)
    counts[120, 110] = 400
    part = crop_recording(crop_recording(counts, (50, 50, 140, 150)), (10, 5, 120, 120))
    assert part.corner == (60, 55)
    report = sbd.check_counts(part)
    (hot,) = [f for f in report.findings if f.what == "hot pixels"]
    assert "400 at (120, 110)" in hot.words
    assert report.hot.tolist() == [[60, 55]]
    assert "from (60, 55) on" in str(part)


def test_a_mask_of_several_images_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((2, 40, 40)))
    recording = Recording(counts_of(0, (40, 40)), None)
    with pytest.raises(ValueError, match="mask must be one image; got 2 frames"):
        take_part(recording, mask=tmp_path / "mask.npy")


def test_a_blank_frame_is_named_and_hides_no_other():
    stack = np.random.default_rng(7).poisson(3.0, (30, 128, 128))
    stack[4] *= 2
    stack[2] = 0
    found = {f.what: f.words for f in sbd.check_counts(stack).findings}
    assert found["blank frames"].startswith("frames 2 hold one value")
    assert found["odd frames"].startswith("frames 4 (")
