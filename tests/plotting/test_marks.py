"""Check that marks lie where they are put."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from sbd.plotting.marks import (
    check_box,
    frame_panel,
    mark_arrow,
    mark_box,
    mark_pixel,
    mark_scale,
)


@pytest.fixture
def ax():
    ax = Figure().subplots()
    ax.imshow(np.zeros((40, 60)))
    return ax


def test_a_pixel_is_marked_at_column_then_row(ax):
    assert mark_pixel(ax, (10, 20)).get_xydata().tolist() == [[20, 10]]


def test_a_box_goes_round_its_pixels(ax):
    box = mark_box(ax, (2, 3, 5, 7), "#00ff00")
    assert box.get_bbox().bounds == (2.5, 1.5, 7, 5)
    assert box.get_edgecolor() == to_rgba("#00ff00")
    assert not box.get_fill()


def test_an_arrow_points_down_at_its_place(ax):
    arrow = mark_arrow(ax, (10.5, 20.0))
    assert arrow.xy == (20.0, 10.5)
    assert arrow.get_position()[1] > 0


def test_an_arrow_comes_from_where_it_is_told(ax):
    arrow = mark_arrow(ax, (10.5, 20.0), length=6.0, gap=4.0, angle=180.0)
    assert arrow.get_position() == pytest.approx((-10.0, 0.0))


def test_a_scale_bar_is_as_long_as_it_says(ax):
    bar = mark_scale(ax, 0.5, length=10.0)
    assert bar.get_width() == 20.0  # 10 angstrom of 0.5 each
    assert ax.texts[0].get_text() == "1 nm"


@pytest.mark.parametrize(
    ("pixel_size", "length", "words"), [(0.5, 10.0, "1 nm"), (0.07, 1.0, "0.1 nm")]
)
def test_a_scale_bar_without_a_length_is_round(ax, pixel_size, length, words):
    # of 60 pixels 40 % are 12 or 1.68 angstrom
    bar = mark_scale(ax, pixel_size, length=None)
    assert bar.get_width() == pytest.approx(length / pixel_size)
    assert ax.texts[0].get_text() == words


def test_a_frame_is_coloured_all_round(ax):
    frame_panel(ax, "#ff0000")
    assert {spine.get_edgecolor() for spine in ax.spines.values()} == {(1, 0, 0, 1)}


@pytest.mark.parametrize("pixel", [(40, 0), (0, 60), (-1, 0)])
def test_a_pixel_outside_is_refused(ax, pixel):
    with pytest.raises(IndexError, match="pixel must lie inside"):
        mark_pixel(ax, pixel)


def test_an_arrow_outside_is_refused(ax):
    with pytest.raises(IndexError, match="position must lie in an image"):
        mark_arrow(ax, (45.0, 3.0))


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 41, 1), "must lie inside an image of shape"),
        ((0, 0, 0, 1), "must lie inside"),
        ((-1, 0, 1, 1), "must lie inside"),
        ((0, 0, 1), "must be four whole numbers"),
        ((0, 0, 1, 1.5), "must be four whole numbers"),
    ],
)
def test_a_box_that_is_none_is_refused(box, words):
    with pytest.raises(ValueError, match=words):
        check_box(box, (40, 60))


@pytest.mark.parametrize(
    ("pixel_size", "length", "words"),
    [
        (0.0, 10.0, "pixel_size must be positive; got 0"),
        (0.5, -1.0, "length must be positive"),
        (0.5, 40.0, "length must be below 27 angstrom; got 40"),
    ],
)
def test_a_scale_bar_that_cannot_be_is_refused(ax, pixel_size, length, words):
    with pytest.raises(ValueError, match=words):
        mark_scale(ax, pixel_size, length=length)


def test_a_panel_without_image_cannot_be_marked():
    with pytest.raises(ValueError, match="ax must show an image"):
        mark_box(Figure().subplots(), (0, 0, 1, 1))
