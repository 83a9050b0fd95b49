"""Check that the page on verdicts draws and counts what it was given."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.columns.finding import Columns
from sbd.companion.pages.significance import (
    choose_columns,
    count_verdicts,
    group_p_values,
    list_calibration,
    show_calibration,
    show_erased,
    tabulate_calibration,
    tabulate_draws,
    tabulate_recorded,
    tabulate_truth,
    tell_draws,
)

DOSE = 4.5  # of vacuum [electrons per pixel]
ADDED = 0.9 * DOSE  # by the middle of a dot [electrons per pixel]
WIDTH = 5.0  # standard deviation of a dot [pixels]
REACH = 0.75 / 0.0622  # radius of the disc that is tested [pixels]


def draw_dots(places, shape):
    """Draw a Gaussian dot at each place (row, column), on vacuum."""
    pixels = np.stack(np.indices(shape), -1)[:, :, None]
    squares = ((pixels - places) ** 2).sum(-1)
    return DOSE + ADDED * np.exp(-squares / (2 * WIDTH**2)).sum(-1)


def make_columns(places):
    number = len(places)
    return Columns(places, np.full(number, 8.0), np.full(number, ADDED))


def make_grid(first, step, number):
    return first + step * np.argwhere(np.ones((number, number))).astype(float)


@pytest.fixture(scope="module")
def judged():
    """Judge nine dots, and as many places with no more than vacuum."""
    dots, empty = make_grid(24.0, 56.0, 3), make_grid(52.0, 56.0, 3)
    truth = draw_dots(dots, (188, 188))
    counts = np.random.default_rng(0).poisson(truth)
    return sbd.judge_columns(
        counts, lambda part: sbd.denoise_gaussian(part, sigma=3.0), deals=2,
        columns=make_columns(np.concatenate([dots, empty])),
        rng=np.random.default_rng(1),
    )  # fmt: skip


FALSE = np.arange(18) >= 9


def test_a_share_is_drawn_over_its_level():
    fig = show_calibration({"filter": {"split": [0.5, 0.1, 0.2, 0.9]}})
    line = fig.axes[0].lines[1]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(line.get_ydata(), [0.25, 0.5, 0.75, 1.0])


def test_shares_are_told_with_their_errors():
    sums = pd.DataFrame(
        [{"discs": 400, "up to 0.01": 0.01, "up to 0.05": 0.06, "KS": 0.123}],
        index=pd.MultiIndex.from_tuples([("filter", "same")]),
    )
    told = tabulate_calibration(sums)
    assert told.index.tolist() == [("filter", "on the counts that made the claim")]
    row = told.iloc[0]  # errors: .0050 and .0119
    assert row["p \u2264 0.01 (%)"] == "1.0 \u00b1 0.5"
    assert row["p \u2264 0.05 (%)"] == "6.0 \u00b1 1.2"
    assert row["spread evenly"] == "yes"
    assert list_calibration(sums) == {
        "filter, same": {"discs": 400, "up to 0.01": 0.01, "up to 0.05": 0.06}
    }
    uneven = tabulate_calibration(sums.assign(KS=0.049)).iloc[0]
    assert uneven["spread evenly"] == "no"


def test_draws_are_listed_and_summed():
    table = pd.DataFrame({
        "invented": [0, 2], "let pass": [0, 1], "true": [100, 120],
        "supported": [0.7, 0.8], "expect": [0.7, 0.7],
    })  # fmt: skip
    told = tabulate_draws(table)
    assert told.loc["all"].tolist()[:4] == [2, 1, 220, "75 \u00b1 5"]
    said = tell_draws(table).data
    assert "In 2 draws" in said
    assert "invents no column" in tell_draws(table * 0).data
    assert "1.0 \u00b1 1.0 columns an image; of 2 in all, 1 is supported" in said


def test_p_values_are_sorted_by_denoiser_and_way():
    ways = ["split", "same", "split", "same"]
    table = pd.DataFrame({"way": ways, "p": [0.4, 0.3, 0.2, 0.1]})
    groups = group_p_values({"one": table, "other": table[:1]})
    told = {
        name: {way: p.tolist() for way, p in each.items()}
        for name, each in groups.items()
    }
    assert told == {
        "one": {"split": [0.4, 0.2], "same": [0.3, 0.1]},
        "other": {"split": [0.4]},
    }
    assert list(groups["one"]) == ["split", "same"]  # the colours go by this order


def test_columns_are_counted_by_verdict_and_truth(judged):
    numbers = count_verdicts(judged, FALSE)
    # a dot adds 600 electrons to the 2050 of its disc, 13 times their noise
    assert numbers == {
        "columns": 18,
        "not there": 9,
        "supported": 9,
        "supported, not there": 0,
        "ruled out": judged.ruled_out.sum(),
        "mean power": round(judged.power[:9].mean(), 2),
    }
    assert numbers["mean power"] > 0.9
    # were the dots what is not there, all that is supported would be wrong
    assert count_verdicts(judged, ~FALSE)["supported, not there"] == 9


def test_verdicts_that_another_seed_changes_are_told_by_truth(judged):
    table = tabulate_truth(judged, judged, FALSE)
    assert table.loc["there", "supported"] == 9
    assert table.loc["not there", "supported"] == 0
    kinds = table[["supported", "ruled out", "undecided"]]
    assert kinds.sum(axis=1).to_dict() == {"not there": 9, "there": 9}
    assert table["changed by another seed"].tolist() == ["0.0%", "0.0%"]
    fewer = judged.supported & (np.arange(18) != 4)
    table = tabulate_truth(judged, replace(judged, supported=fewer), FALSE)
    assert table.loc["there", "supported"] == 9  # of the first of the two
    assert table["changed by another seed"].to_dict() == {
        "not there": "0.0%",
        "there": f"{1 / 9:.1%}",
    }
    table = tabulate_truth(judged, judged, np.zeros(18, bool))
    assert table.loc["not there"].tolist() == [0, 0, 0, "0.0%"]


def test_half_of_the_chosen_columns_are_of_the_surface():
    places = make_grid(20.0, 30.0, 7)
    some = choose_columns(make_columns(places), (220, 220), 8).positions
    # the outer ones are too near to the border, and with them goes the surface
    assert len(some) == 8
    assert ((some >= 40) & (some < 180)).all()
    assert (np.diff(some[:, 0]) >= 0).all()  # one group, in the order of the columns
    rim = lambda p: np.isin(p, (50.0, 200.0)).any(1)  # noqa: E731
    some = choose_columns(make_columns(make_grid(50.0, 30.0, 6)), (250, 250), 8)
    assert rim(some.positions).tolist() == [True] * 4 + [False] * 4
    assert len(np.unique(some.positions, axis=0)) == 8


def test_of_no_columns_none_is_chosen():
    none = make_columns(np.empty((0, 2)))
    assert len(choose_columns(none, (100, 100), 8)) == 0


def test_a_disc_is_shown_without_its_dot_and_the_rest_as_it_was():
    places = np.array([[60.0, 60.0], [60.0, 100.0], [20.0, 100.0]])
    image = draw_dots(places, (120, 160))
    fig, doubts = show_erased(image, make_columns(places), heading="three dots")
    panels = [ax.images[0].get_array() for ax in fig.axes]
    titles = [ax.get_title() for ax in fig.axes]
    assert titles == [*(f"{doubt:.2f}" for doubt in doubts), "", "", ""]
    assert ((doubts > 0) & (doubts < 0.5)).all()
    near = np.hypot(*(np.indices((81, 81)) - 40)) <= REACH
    held = ADDED * 2 * np.pi * WIDTH**2 * (1 - np.exp(-((REACH / WIDTH) ** 2) / 2))
    for place, above, below in zip(places, panels[:3], panels[3:], strict=True):
        row, column = place.astype(int)
        beyond = max(40 - row, 0)  # the upper border, above which it goes on
        shown = image[row - 40 + beyond : row + 41, column - 40 : column + 41]
        np.testing.assert_array_equal(above[beyond:], shown)
        np.testing.assert_array_equal(above[:beyond], np.tile(shown[0], (beyond, 1)))
        np.testing.assert_array_equal(below[~near], above[~near])
        # the network knows simulated columns, of which a round dot is none: it takes
        # that dot, neither its half nor half as much again
        assert 0.75 < (above - below).sum() / held < 1.25


def make_record():
    found = {
        "discs": 100,
        "up to 0.05": 0.0432,
        "up to 0.05, standard error": 0.0126,
        "over 0.95": 0.07,
        "KS": 0.25,
    }
    discs = {"field, radius 8, bright": found, "field, radius 8, dark": found}
    discs |= {"frame, radius 8, bright": {}, "field, radius 12, bright": {}}
    ways = ("on a grid", "by chance", "simulated, on a grid")
    return {"p-values": {"3 e/pixel": dict.fromkeys(ways, discs) | {"judged": {}}}}


def test_recorded_p_values_are_listed_in_percent(tmp_path):
    path = tmp_path / "vacuum_counts.json"
    assert "not part of an installed package" in tabulate_recorded(path).data
    path.write_text(json.dumps(make_record()))
    table = tabulate_recorded(path)
    assert table.index.tolist() == [
        ("3 e/pixel", way, kind)
        for way in ("simulated, on a grid", "on a grid", "by chance")
        for kind in ("bright", "dark")
    ]
    assert table.iloc[0].to_dict() == {
        "discs": 100,
        "p \u2264 0.05 (%)": "4.3 \u00b1 1.3",
        "p > 0.95 (%)": "7.0",
        "KS": 0.25,
    }


def test_the_record_that_was_measured_is_listed_whole():
    table = tabulate_recorded()
    doses, ways, kinds = table.index.levels
    assert len(table) == len(doses) * len(ways) * len(kinds) >= 12
    assert not table.isna().any().any()
