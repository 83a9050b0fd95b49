"""Check that weights are drawn where they are."""

import numpy as np
import pandas as pd
import pytest

from sbd.companion.pages.jacobian import (
    box_of_weight,
    show_column_weights,
    show_filter,
)
from sbd.plotting.images import arrange_panels


def test_discs_lie_on_the_columns_and_show_their_weights():
    table = pd.DataFrame(
        {"row": [3.0, 9.0], "column": [5.0, 2.0], "weight": [0.2, -0.1]}
    )
    _, panels = arrange_panels("a")
    discs = show_column_weights(panels["a"], np.ones((12, 14)), table, (3, 5))
    assert discs.get_offsets().tolist() == [[5.0, 3.0], [2.0, 9.0]]  # x before y
    assert discs.get_array().tolist() == [0.2, -0.1]
    assert discs.get_clim() == (-0.2, 0.2)
    large, small = discs.get_sizes()
    assert large > small
    assert panels["a"].lines[0].get_xydata().tolist() == [[5.0, 3.0]]
    assert panels["a"].get_xlim() == (-0.5, 13.5)
    empty = show_column_weights(panels["a"], np.ones((12, 14)), table[:0], (3, 5))
    assert len(empty.get_offsets()) == 0


def test_a_filter_is_drawn_to_its_band_and_maps_to_their_quantile():
    amplitude = np.arange(100.0).reshape(10, 10)
    spectrum = amplitude, np.fft.fftshift(np.fft.fftfreq(10))
    table = pd.DataFrame({"row": [3.0], "column": [5.0], "weight": [0.2]})
    maps = {"row": np.linspace(-1, 3, 10001)[None], "guided": np.zeros((2, 2))}
    fig = show_filter(spectrum, np.ones((9, 9)), table, (3, 5), maps, band=0.2)
    shown = fig.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, amplitude[3:8, 3:8])  # -0.2 to 0.2
    # 0.1 % of them, ten of 10,001 steps of 0.0004, are beyond
    low, high = fig.axes[2].images[0].get_clim()
    assert (low, high) == pytest.approx((-2.996, 2.996), abs=4e-4)
    assert fig.axes[3].images[0].get_clim() == (-1.0, 1.0)


def test_the_box_holds_half_of_the_squared_weight_in_a_circle():
    row = np.zeros((40, 50))
    row[20, 20], row[20, 27], row[20, 35] = 1.0, 1.0, 0.5
    assert box_of_weight(row, (20, 20)) == (12, 12, 16, 16)  # 2 of 2.25 within 7
    row[:] = 1.0
    top, left, height, width = box_of_weight(row, (20, 20))
    # half of 2000 squares are a disc of radius 17.8, of which the border cuts nothing
    assert height == width == 38
    assert top == left == 1
    row[:] = 0.0
    row[0, 49] = 1.0
    assert box_of_weight(row, (39, 0))[2:] == (40, 50)  # no larger than the image
