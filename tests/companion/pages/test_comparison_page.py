"""Check that images are zoomed into where their boxes are."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from sbd.companion.pages.comparison import show_zooms
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
    assert [ax.images[0].get_clim() for ax in fig.axes] == [(-1, 5000)] * 2


def test_boxes_and_frames_share_their_colours():
    fig = show_zooms({"a": IMAGE}, [(5, 10, 20, 30), (8, 12, 10, 6)])
    whole, first, second = fig.axes
    edges = [patch.get_edgecolor() for patch in whole.patches]
    assert edges == [to_rgba(RED), to_rgba(ORANGE)]
    assert colours_of_frame(first) == {to_rgba(RED)}
    assert colours_of_frame(second) == {to_rgba(ORANGE)}


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
