"""Check that networks are drawn at what they see."""

import numpy as np
import pandas as pd
import pytest

from sbd.companion.pages.view import compare_views, measure_radii, show_views


def test_networks_stand_at_what_they_see_and_reach():
    table = pd.DataFrame(
        {"radius": [9.0, 90.0], "equal": [True, False], "vacuum": [30.0, 34.0]},
        index=["near", "far"],
    )
    errors = pd.DataFrame({"vacuum": [0.5, 0.25]}, index=table.index)
    (ax,) = show_views(table, errors).axes
    places = [tuple(np.ravel(line.get_data())) for line in ax.lines]
    assert places == [(9.0, 30.0), (90.0, 34.0)]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert [t.get_text() for t in ax.texts] == ["1", "2"]
    bars = [part.get_segments()[0][:, 1].tolist() for part in ax.collections]
    assert bars == [[29.5, 30.5], [33.75, 34.25]]


def test_a_change_is_told_with_its_error():
    table = pd.DataFrame(
        {"a": [30.0, 31.0], "b": [28.0, 31.0], "radius": [10.0, 40.0]},
        index=["near", "far"],
    )
    errors = pd.DataFrame({"a": [0.3, 0.4], "b": [0.0, 0.0]}, index=table.index)
    row = compare_views(table, errors, {"wider": ("far", "near")}).loc["wider"]
    assert row.to_dict() == pytest.approx(
        {"better by": 2.0, "error": 0.25, "wider by": 4.0}
    )


def test_many_small_weights_far_away_count_more_as_they_are_than_squared():
    row = np.full((41, 41), 1e-3)
    row[20, 20] = 1.0
    radii = measure_radii([row, row, -row], [(20, 20)] * 3)
    assert radii["radius"] == 0  # 1680 squares of 1e-6
    # 95 % of 2.68 are 1.546 beside the middle, nearly all of the square
    assert 20 < radii["radius (absolute)"] < 20 * 2**0.5
