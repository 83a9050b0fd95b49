"""Check that weights are drawn where they are."""

import numpy as np
import pandas as pd
import pytest

from sbd.columns.finding import Columns
from sbd.companion.pages.jacobian import (
    box_of_weight,
    describe_rows,
    list_row,
    list_rows,
    share_weights,
    show_column_weights,
    show_filter,
    show_row,
    tabulate_rows,
    tell_rows,
)
from sbd.data.examples import Micrograph
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
    some = spectrum, np.ones((9, 9)), table, (3, 5), maps
    fig = show_filter(*some, pixel_size=0.5, band=0.2)
    shown = fig.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, amplitude[3:8, 3:8])  # -0.2 to 0.2
    # steps of 0.1 / 0.5 = 0.2 cycles per angstrom, each drawn as a square about it
    assert fig.axes[0].get_xlim() == pytest.approx((-0.5, 0.5))
    assert fig.axes[0].get_ylim() == pytest.approx((0.5, -0.5))
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


# a pixel's own column, two next to it, one far away; discs that do not overlap
FOUR = Columns(
    np.array([[10.0, 10.0], [10.0, 16.0], [16.0, 10.0], [30.0, 30.0]]),
    np.full(4, 2.0),
    np.ones(4),
)


def some_row():
    row = np.zeros((40, 50))
    row[10, 10], row[10, 16], row[16, 10], row[30, 30], row[25, 5] = 4, 2, -1, 2, 1
    return row / 10


def test_a_row_is_drawn_in_its_box_beside_what_it_comes_from():
    counts = np.arange(2000, dtype=np.float32).reshape(40, 50)
    image = Micrograph(counts, None, "real", "", pixel_size=0.5, vacuum=1.0)
    fig = show_row(some_row(), counts + 0.5, image, (10, 10), (5, 5, 20, 20))
    noisy, whole, zoom, weights = (ax for ax in fig.axes if ax.images)
    assert zoom.images[0].get_clim() == whole.images[0].get_clim() == (0.5, 1999.5)
    np.testing.assert_array_equal(zoom.images[0].get_array(), counts[5:25, 5:25] + 0.5)
    assert weights.images[0].get_array()[5, 5] == pytest.approx(4e4)
    assert [a.get_xydata().tolist() for a in zoom.lines] == [[[5.0, 5.0]]]
    assert all(ax.texts[0].get_text().endswith("nm") for ax in fig.axes if ax.images)
    assert (4.5, 4.5) in [patch.get_xy() for patch in noisy.patches]


def test_the_numbers_of_a_row_are_its_own():
    found = list_row(some_row(), 0.2, np.ones((40, 50)), (10, 10), (5, 5, 20, 20))
    assert found["explained"] == 0.8  # 4 + 2 - 1 + 2 + 1 tenths
    assert found["net_bias"] == 0.2
    assert found["largest_weight"] == 0.4
    assert found["weight_in_box"] == 0.7  # of ten tenths two and one lie outside


def test_weights_are_shared_out_by_how_far_their_column_is():
    parts = share_weights(some_row(), FOUR, (10, 10))
    assert parts == pytest.approx(
        {"own": 0.4, "beside": 0.3, "far": 0.2, "between": 0.1}
    )


def test_rows_are_described_the_second_within_its_box():
    counts = np.ones((40, 50), np.float32)
    known = Micrograph(counts, counts, "simulated", "", pixel_size=0.5, vacuum=1.0)
    row, box = some_row(), (5, 5, 20, 20)
    ours, paper = (row, 0.2, counts + 0.1), (row[5:25, 5:25], 0.5, counts + 0.01)
    both = describe_rows(ours, paper, known, FOUR, (10, 10), box)
    first, second = both.values()
    assert first["explained"] == pytest.approx(0.8)  # 4 + 2 - 1 + 2 + 1 tenths
    assert first["denoised"] == pytest.approx(1.0)
    assert second["explained"] == pytest.approx(0.5)  # two lie outside the box
    assert (second["far"], second["between"]) == pytest.approx((0.0, 0.0))
    assert second["own"] == pytest.approx(400 / 7)
    # 16 of 26 squared tenths are the pixel's own
    assert first["reach"] == 0.0
    assert (first["psnr"], second["psnr"]) == pytest.approx((20, 40), abs=1e-3)
    written = tabulate_rows(both)
    assert list(written.columns) == ["default network", "paper's network"]
    assert written.loc["of it, net bias (e/pixel)"].tolist() == ["0.200", "0.500"]
    assert list_rows(both)["paper's network"]["bias"] == 0.5
    unknown = Micrograph(counts, None, "real", "", pixel_size=0.5, vacuum=1.0)
    both = describe_rows(ours, paper, unknown, FOUR, (10, 10), box)
    assert "psnr" not in both["default network"]
    assert len(tabulate_rows(both)) == len(written) - 1


def test_what_is_said_of_weights_is_what_they_are():
    parts = {"own": 2.0, "beside": 4.0, "far": 56.0, "reach": 1.1}
    other = {"own": 29.0, "beside": 17.0, "far": 0.0, "reach": 0.06}
    assert "takes more of its weight" in tell_rows(parts, other)
    assert "takes no more of its weight" in tell_rows(other, parts)
    shares = "29 %, those next to it 17 %, those farther away 0 %"
    assert shares in tell_rows(parts, other)
