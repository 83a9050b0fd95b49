"""Check that the parts of a diagram lie where they are put, in inches."""

import numpy as np
import pytest

from sbd.companion.pages.diagrams import (
    draw_arrow,
    draw_frame,
    draw_network,
    open_canvas,
    open_panel,
    place_image,
)


@pytest.fixture
def canvas():
    return open_canvas(4.0, 2.0)[1]


def test_an_image_is_placed_in_inches_and_the_canvas_stays(canvas):
    shown = place_image(canvas, np.eye(10)[:5], (1.0, 0.5), 2.0)
    assert shown.get_extent() == [1.0, 3.0, 0.5, 1.5]
    assert (canvas.get_xlim(), canvas.get_ylim()) == ((0, 4), (0, 2))


def test_a_scale_is_as_long_as_it_says(canvas):
    place_image(canvas, np.eye(10), (1.0, 0.5), 1.0, pixel_size=4.0)
    # 10 pixels of 4 angstrom are 1 inch: 1 nm is a quarter
    assert canvas.patches[-1].get_width() == pytest.approx(0.25)
    assert canvas.texts[0].get_text() == "1 nm"


def test_a_stack_lies_behind_its_first_image(canvas):
    shown = place_image(canvas, np.eye(4), (1.0, 0.5), 1.0, copies=3)
    assert len(canvas.images) == 3
    assert canvas.images[-1] is shown
    assert canvas.images[0].get_extent()[0] == pytest.approx(1.1)


def test_an_arrow_ends_where_it_should(canvas):
    draw_arrow(canvas, (1.0, 1.0), 0.5)
    corners = canvas.patches[0].get_xy()
    assert corners[:, 0].max() == 1.5
    assert corners[:, 1].mean() == pytest.approx(1.0, abs=0.02)


def test_a_network_is_as_high_as_asked(canvas):
    draw_network(canvas, (0.5, 0.25), 1.0)
    corners = np.concatenate([patch.get_xy() for patch in canvas.patches])
    np.testing.assert_allclose(corners.min(axis=0), [0.5, 0.25])
    np.testing.assert_allclose(corners.max(axis=0), [0.5 + 1.44, 1.25])


def test_a_frame_carries_its_label(canvas):
    draw_frame(canvas, (0.1, 0.1), (3.8, 1.8), "Training", colour="#0000ff")
    assert canvas.texts[0].get_text() == "Training"


def test_a_panel_opens_in_inches(canvas):
    panel = open_panel(canvas, 1.0, 0.5, (2.0, 1.0))
    assert panel.get_position().bounds == pytest.approx((0.25, 0.25, 0.5, 0.5))


def test_what_is_no_image_is_refused(canvas):
    with pytest.raises(ValueError, match="image must be two-dimensional"):
        place_image(canvas, [1.0], (0, 0), 1.0)
