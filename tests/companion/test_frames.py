"""Check that frames can be laid over each other and compared."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sbd.companion.frames import draw_frames, read_limits

IMAGES = {"a": np.eye(40, 60), "b": 3.0 - np.eye(40, 60)}


def test_frames_are_as_wide_as_asked_and_filled_by_their_image():
    frames = draw_frames(IMAGES, pixel_size=0.5, width=300)
    assert list(frames) == ["a", "b"]
    for label, fig in frames.items():
        (ax,) = fig.axes
        assert np.allclose(fig.get_size_inches() * 150, (300, 200))
        assert ax.get_position().bounds == (0, 0, 1, 1)
        np.testing.assert_array_equal(ax.images[0].get_array(), IMAGES[label])


def test_frames_share_their_grey_scale():
    assert read_limits(draw_frames(IMAGES, pixel_size=0.5)) == (0.0, 3.0)
    frames = draw_frames(IMAGES, limits=(0.1, 0.9), pixel_size=0.5)
    assert read_limits(frames) == (0.1, 0.9)


def test_every_frame_has_its_scale_bar():
    for fig in draw_frames(IMAGES, pixel_size=0.5).values():
        (ax,) = fig.axes
        assert [text.get_text() for text in ax.texts] == ["1 nm"]
        assert ax.patches[0].get_width() == 20  # 10 angstrom of half an angstrom


@pytest.mark.parametrize(
    ("images", "limits", "words"),
    [
        ({}, "shared", "images must hold at least one image"),
        ({"a": np.eye(4), "b": np.eye(5)}, "shared", "frames must have one shape; got"),
        (IMAGES, "robust", "frames must have one grey scale; got"),
        (IMAGES, {"a": (0.0, 1.0), "b": (0.0, 2.0)}, "must have one grey scale; got"),
    ],
)
def test_images_that_cannot_be_compared_are_refused(images, limits, words):
    with pytest.raises(ValueError, match=words):
        draw_frames(images, limits=limits, pixel_size=0.5)


def test_figures_that_are_no_frames_are_refused():
    frames = draw_frames(IMAGES, pixel_size=0.5)
    with pytest.raises(ValueError, match="frames must be at least two; got 1"):
        read_limits({"a": frames["a"]})
    with pytest.raises(ValueError, match="one image each; got 'empty'"):
        read_limits(frames | {"empty": Figure()})
    with pytest.raises(ValueError, match=r"must have a label .* got ' '"):
        read_limits(frames | {" ": frames["a"]})
    with pytest.raises(ValueError, match="frames must have one size"):
        read_limits(frames | draw_frames({"c": np.eye(9)}, pixel_size=1.0))
    other = draw_frames({"c": IMAGES["a"]}, limits=(0.0, 1.0), pixel_size=0.5)
    with pytest.raises(ValueError, match="frames must have one grey scale"):
        read_limits(frames | other)
