"""Check that what is drawn side by side is what was measured."""

import numpy as np
import pandas as pd
import pytest

from sbd.companion.pages.borders import show_changes, show_cuts
from sbd.companion.pages.generalisation import show_heat_maps
from sbd.companion.pages.view import show_views


def test_a_heat_map_says_its_numbers_and_shares_one_scale():
    near = pd.DataFrame(
        [[38.0, 30.0], [36.1, 37.0]], index=["a", "b"], columns=["a", "b"]
    )
    far = pd.DataFrame([[20.0, 25.0]], index=["a"], columns=["a", "c"])
    fig = show_heat_maps({"ours": {"letters": near}, "theirs": {"letters": far}})
    first, second = fig.axes[:2]
    words = {t.get_text(): t.get_fontweight() for t in first.texts}
    assert words == {"38.0": "bold", "30.0": "normal", "36.1": "normal", "37.0": "bold"}
    assert first.images[0].get_clim() == second.images[0].get_clim() == (20, 38)
    np.testing.assert_array_equal(first.images[0].get_array(), near)


def test_networks_stand_at_what_they_see_and_reach():
    table = pd.DataFrame(
        {"radius": [9.0, 90.0], "equal": [True, False], "vacuum": [30.0, 34.0]},
        index=["near", "far"],
    )
    (ax,) = show_views(table).axes
    places = [tuple(np.ravel(line.get_data())) for line in ax.lines]
    assert places == [(9.0, 30.0), (90.0, 34.0)]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert [t.get_text() for t in ax.texts] == ["1", "2"]


def test_a_change_of_nothing_lies_on_the_edge():
    fall = pd.Series([0.1, 0.0], index=[0, 32])
    ax = show_changes({"by one": {"network": fall}}).axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.1, ax.get_ylim()[0]])


def test_changes_are_shares_of_the_vacuum():
    flat = np.full((8, 9), 0.45)
    fig = show_cuts(
        {"a": flat, "b": flat}, {"a": 0 * flat, "b": 0.1 * flat}, limit=0.09
    )
    shown = fig.axes[3].images[0]
    np.testing.assert_allclose(shown.get_array(), 10)
    assert shown.get_clim() == pytest.approx((-20, 20))
