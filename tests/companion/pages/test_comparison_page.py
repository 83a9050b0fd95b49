"""Check that images are zoomed into where their boxes are, and scores are theirs."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

import sbd
from sbd.companion.pages.comparison import (
    frame_box,
    list_scores,
    score_draws,
    show_psnr,
    show_zooms,
    tabulate_scores,
    tell_scores,
)
from sbd.plotting.colours import ORANGE, RED

IMAGE = np.arange(2000.0).reshape(40, 50)


def colours_of_frame(ax):
    return {spine.get_edgecolor() for spine in ax.spines.values()}


def test_zooms_show_the_pixels_of_their_boxes():
    fig = show_zooms({"a": IMAGE, "b": -IMAGE}, [(5, 10, 20, 30), (8, 12, 10, 6)])
    shown = [ax.images[0].get_array() for ax in fig.axes]
    np.testing.assert_array_equal(shown[3], -IMAGE[5:25, 10:40])
    np.testing.assert_array_equal(shown[4], IMAGE[8:18, 12:18])


def test_zooms_keep_the_grey_of_the_whole_image():
    fig = show_zooms({"a": IMAGE}, [(0, 0, 5, 5)], limits=(-1.0, 5000.0))
    assert [ax.images[0].get_clim() for ax in fig.axes[:2]] == [(-1, 5000)] * 2


def test_boxes_and_frames_share_their_colours():
    fig = show_zooms({"a": IMAGE}, [(5, 10, 20, 30), (8, 12, 10, 6)])
    whole, first, second = fig.axes[:3]
    edges = [patch.get_edgecolor() for patch in whole.patches]
    assert edges == [to_rgba(RED), to_rgba(ORANGE)]
    assert colours_of_frame(first) == {to_rgba(RED)}
    assert colours_of_frame(second) == {to_rgba(ORANGE)}


def test_frames_show_the_box_of_every_image_without_its_letter():
    images = {"(a) Data": IMAGE, "(d) SBD": -IMAGE}
    frames = frame_box(images, (5, 10, 20, 30), limits=(0.0, 1.0), pixel_size=0.5)
    assert list(frames) == ["Data", "SBD"]
    shown = frames["SBD"].axes[0].images[0]
    np.testing.assert_array_equal(shown.get_array(), -IMAGE[5:25, 10:40])
    assert shown.get_clim() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("images", "boxes", "words"),
    [
        ({"a": IMAGE, "b": IMAGE.T}, [(0, 0, 2, 2)], "images must have one shape"),
        ({"a": IMAGE}, [], "boxes must be 1 to 2, one per colour; got 0"),
        ({"a": IMAGE}, [(0, 0, 2, 2)] * 3, "got 3"),
        ({"a": IMAGE}, [(0, 0, 41, 2)], "box must lie inside"),
        ({}, [(0, 0, 2, 2)], "images must hold at least one"),
    ],
)
def test_zooms_that_cannot_be_are_refused(images, boxes, words):
    with pytest.raises(ValueError, match=words):
        show_zooms(images, boxes)


SCORES = pd.DataFrame(
    {"PSNR": [40.82, 36.07, 26.3, 6.3], "PSNR error": [0.64, 0.3, 0.001, np.nan]},
    index=["network", "averaging", "constant", "raw counts"],
).assign(SSIM=0.9876, **{"SSIM error": 0.0012})


def test_scores_are_those_of_compare_denoisers_with_errors_the_best_first():
    clean = np.full((24, 24), 0.45)
    both = {"counts": lambda noisy: noisy, "constant": sbd.denoise_constant}
    table = score_draws(clean, both, draws=3, seed=1)
    plain = sbd.compare_denoisers(clean, both, draws=3, seed=1)
    assert list(table.index) == ["constant", "counts"]
    pd.testing.assert_frame_equal(table[["PSNR", "SSIM"]], plain.loc[table.index])
    singles = [score_draws(clean, both, draws=n, seed=1)["PSNR"] for n in (1, 2, 3)]
    ones = np.array([n * s for n, s in zip((1, 2, 3), singles, strict=True)])
    draws = np.diff(ones, axis=0, prepend=0.0)  # means times n, apart again
    error = draws.std(axis=0, ddof=1) / 3**0.5
    np.testing.assert_allclose(table["PSNR error"], error)


def test_one_draw_has_no_error():
    clean = np.full((24, 24), 0.45)
    table = score_draws(clean, {"constant": sbd.denoise_constant}, draws=1, seed=0)
    assert set(list_scores(table)["constant"]) == {"psnr", "ssim"}


def test_scores_are_written_with_their_errors():
    written = tabulate_scores(SCORES)
    first = ["40.8 \u00b1 0.6", "36.1 \u00b1 0.3", "26.30 \u00b1 0.00", "6.3"]
    assert list(written["PSNR (dB)"]) == first
    assert written["SSIM"].iloc[0] == "0.9876 \u00b1 0.0012"


def test_a_chart_of_scores_has_dots_in_order_and_lines_where_they_belong():
    ax = show_psnr(SCORES, paper=38.16).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["network", "averaging"]
    assert ax.get_ylim() == (1.5, -0.5)
    assert [t.get_text() for t in ax.texts] == [
        "a constant",
        "paper, 279 validation images: 38.16",
    ]
    assert len(show_psnr(SCORES).axes[0].texts) == 1


def test_what_is_said_of_scores_is_what_they_are():
    said = tell_scores(SCORES, {}, 3)
    assert "counted 3 times, the best is the network, by 4.8 dB over averaging" in said
    assert "split" not in said
    assert "counted once" in tell_scores(SCORES, {}, 1)
    mine = {"images": 60, "psnr": 40.13, "standard_error": 0.16}
    record = {"strict test split": {"all": {**mine, "windowed_fourier_psnr": 34.9}}}
    said = tell_scores(SCORES, record, 3)
    assert "60 images" in said
    assert "40.13 \u00b1 0.16 dB" in said
