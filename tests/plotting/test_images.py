"""Check what is drawn, how grey it is, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from sbd.plotting.images import (
    arrange_panels,
    shared_grey,
    show_image,
    show_images,
    show_map,
)

RNG = np.random.default_rng(0)
RAMP = np.linspace(0.0, 1.0, 5000).reshape(50, 100)
COUNTS = RNG.poisson(0.45, (60, 60)).astype(np.float32)


def limits_of(fig):
    return [ax.images[0].get_clim() for ax in fig.axes]


def test_images_stand_in_the_order_given_with_their_titles():
    fig = show_images({"(b) Late": RAMP, "(a) Early": 2 * RAMP})
    assert [ax.get_title() for ax in fig.axes] == ["(b) Late", "(a) Early"]
    np.testing.assert_array_equal(fig.axes[1].images[0].get_array(), 2 * RAMP)


def test_pixels_are_square_grey_and_without_ticks():
    (ax,) = show_images({"ramp": RAMP}).axes
    assert ax.get_aspect() == 1
    assert ax.images[0].get_cmap().name == "gray"
    assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0


def test_a_grid_leaves_the_last_places_empty():
    fig = show_images({str(i): RAMP for i in range(5)}, columns=3)
    assert len(fig.axes) == 5
    assert fig.axes[0].get_gridspec().get_geometry() == (2, 3)


def test_each_image_spans_black_to_white_unless_told():
    fig = show_images({"one": RAMP, "two": 3 * RAMP + 1})
    assert limits_of(fig) == [(0, 1), (1, 4)]


def test_shared_limits_span_all_images():
    fig = show_images({"one": RAMP, "two": 3 * RAMP + 1}, limits="shared")
    assert limits_of(fig) == [(0, 4), (0, 4)]


def test_limits_can_be_given_by_title():
    fig = show_images({"one": RAMP, "two": RAMP}, limits={"two": (0.2, 0.5)})
    assert limits_of(fig) == [(0, 1), (0.2, 0.5)]


def test_robust_limits_leave_two_percent_at_each_end():
    spiked = RAMP.copy()
    spiked[0, 0] = 1e6
    ((low, high),) = limits_of(show_images({"spiked": spiked}, limits="robust"))
    # the percentiles of a uniform ramp; one pixel in 5000 moves them by 2e-4
    assert (low, high) == pytest.approx((0.02, 0.98), abs=1e-3)


def test_robust_limits_are_those_of_what_the_panel_resolves():
    counts = RNG.poisson(0.45, (2000, 2000))
    fig = show_images(dict.fromkeys("abcd", counts), limits="robust")
    # 262 pixels for 2000 average 8 x 8 counts: sigma 0.084, of which 2.05 each way; the
    # averages come in steps of 1/64
    assert limits_of(fig)[0] == pytest.approx((0.278, 0.622), abs=0.016)


def test_a_constant_image_is_grey():
    assert limits_of(show_images({"flat": np.full((3, 3), 2.0)})) == [(1.5, 2.5)]


@pytest.mark.parametrize(("image", "how"), [(COUNTS, "nearest"), (RAMP, "auto")])
def test_small_images_of_counts_are_drawn_pixel_by_pixel(image, how):
    (ax,) = show_images({"image": image}).axes
    assert ax.images[0].get_interpolation() == how


def test_a_map_is_symmetric_and_has_a_colour_bar():
    _, panels = arrange_panels("a")
    shown = show_map(panels["a"], [[-1.0, 0.5]], label="weight")
    assert shown.get_clim() == (-1, 1)
    (bar,) = panels["a"].child_axes
    assert bar.get_ylabel() == "weight"


def test_a_colour_bar_takes_no_room_from_its_panel():
    fig, panels = arrange_panels("ab", height=2.5)
    for panel in panels.values():
        show_map(panel, np.eye(9), colour_bar=panel is panels["b"])
    fig.canvas.draw()
    sizes = [panel.get_position().size for panel in panels.values()]
    np.testing.assert_allclose(sizes[0], sizes[1], rtol=1e-6)


def test_a_map_is_white_where_it_says_nothing():
    _, panels = arrange_panels("a")
    shown = show_map(panels["a"], [[np.nan, 0.5]], colour_bar=False)
    assert shown.to_rgba(shown.get_array())[0, 0].tolist() == [1, 1, 1, 1]
    assert shown.get_clim() == (-0.5, 0.5)


def test_a_map_of_zeros_is_drawn():
    _, panels = arrange_panels("a")
    assert show_map(panels["a"], np.zeros((2, 2))).get_clim() == (-1, 1)


def test_the_image_that_was_passed_in_is_left_alone():
    image = RAMP.copy()
    fig = show_images({"ramp": image})
    fig.axes[0].images[0].get_array()[0, 0] = 9
    np.testing.assert_array_equal(image, RAMP)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        ({}, ValueError, "images must hold at least one"),
        ({"data": np.ones(3)}, ValueError, "data must be two-dimensional"),
        ({"data": np.ones((0, 3))}, ValueError, "data must not be empty"),
        ({"data": [["a"]]}, TypeError, "data must hold real numbers"),
        ({"data": [[np.nan]]}, ValueError, "data must be finite"),
    ],
)
def test_what_is_no_image_is_refused(images, error, words):
    with pytest.raises(error, match=words):
        show_images(images)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("bright", "limits must be 'full', 'robust', 'shared'.*got 'bright'"),
        ((1.0, 0.0), r"black below white; got \(1.0, 0.0\)"),
        (3, "black below white; got 3"),
        ({"other": "full"}, "limits must name titles of images; got 'other'"),
    ],
)
def test_limits_that_are_none_are_refused(limits, words):
    with pytest.raises(ValueError, match=words):
        show_images({"ramp": RAMP}, limits=limits)


@pytest.mark.parametrize(
    ("values", "limit", "words"),
    [
        ([[np.nan]], None, "values must hold a number; got NaN in all 1"),
        ([[np.inf]], None, "values must be finite"),
        ([1.0], None, "values must be two-dimensional"),
        ([[1.0]], 0.0, "limit must be positive; got 0"),
    ],
)
def test_a_map_that_is_none_is_refused(values, limit, words):
    _, panels = arrange_panels("a")
    with pytest.raises(ValueError, match=words):
        show_map(panels["a"], values, limit=limit)


def test_a_single_image_takes_no_shared_limits():
    _, panels = arrange_panels("a")
    with pytest.raises(ValueError, match="limits must be"):
        show_image(panels["a"], RAMP, limits="shared")


def test_no_display_and_no_pyplot_are_needed():
    code = (
        "import sys; from sbd.plotting.images import show_images;"
        "show_images({'a': [[0.0, 1.0]]}).canvas.draw();"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_grid_has_scales_in_its_panels_and_a_bar_at_the_end_of_each_row():
    images = {name: np.arange(2000.0).reshape(40, 50) for name in "abcde"}
    fig = show_images(images, limits="shared", pixel_size=0.5, bar="e/pixel")
    shown = [ax for ax in fig.axes if ax.images]
    assert {ax.images[0].get_clim() for ax in shown} == {(0.0, 1999.0)}
    assert [ax.texts[0].get_text() for ax in shown] == ["1 nm"] * 5
    assert [len(ax.child_axes) for ax in shown] == [0, 0, 0, 1, 1]
    assert shown[-1].child_axes[0].get_ylabel() == "e/pixel"


def test_a_shared_grey_passes_over_single_pixels():
    image = np.linspace(0.0, 1.0, 10_001)
    image[0], image[-1] = -50.0, 90.0
    low, high = shared_grey([image, image + 0.2])
    # 5 of 10,000 steps at each end
    assert (low, high) == pytest.approx((0.0005, 1.1995), abs=2e-4)
