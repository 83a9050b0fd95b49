"""Check that networks are drawn at what they see."""

import numpy as np
import pandas as pd

from sbd.companion.pages.view import show_views


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
