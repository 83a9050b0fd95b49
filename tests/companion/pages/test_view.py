"""Check that networks are drawn at what they see."""

import numpy as np
import pandas as pd
import pytest

from sbd.companion.pages.view import (
    average_runs,
    compare_views,
    measure_radii,
    show_views,
)


def test_networks_stand_at_what_they_see_and_reach():
    table = pd.DataFrame(
        {"radius": [9.0, 90.0], "kind": ["seconds", "other"], "vacuum": [30.0, 34.0]},
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


def table(psnr):
    """Scores of runs on two images: the mean, and a draw above and below it."""
    return pd.DataFrame(
        [
            {"method": run, "image": image, "draw": draw, "psnr": mean + step}
            for run, mean in psnr.items()
            for image, extra in (("a", 0.0), ("b", 2.0))
            for draw, step in enumerate((extra - 0.1, extra + 0.1))
        ]
    )


RUNS = {"near": ("near-1", "near-2"), "far": ("far-1", "far-2"), "other": ("one",)}
SCORES = {"near-1": 30.0, "near-2": 30.2, "far-1": 31.0, "far-2": 31.6, "one": 35.0}


def test_a_change_is_told_with_its_error():
    radii = pd.Series({"near": 10.0, "far": 40.0})
    pairs = {("wider", "steps"): ("far", "near")}
    row = compare_views(table(SCORES), radii, pairs, RUNS).loc[("wider", "steps")]
    # variances .02 and .18; the draws move both alike
    assert row.to_dict() == pytest.approx(
        {"better by": 1.2, "error": 0.32, "wider by": 4.0, "says": "better"}
    )


def test_runs_and_draws_make_the_error_of_a_network():
    means, errors = average_runs(table(SCORES), RUNS)
    assert means.loc["far"].tolist() == pytest.approx([31.3, 33.3])
    assert errors.loc["far", "a"] == pytest.approx((0.1 / 2 + 0.1**2) ** 0.5)
    assert errors.loc["other", "b"] == pytest.approx(0.1)  # of the draws alone


def test_the_error_covers_what_another_training_would_say():
    rng = np.random.default_rng(0)
    radii, held = pd.Series({"near": 1.0, "far": 2.0}), []
    names = {f"{n}": (f"{n}-1", f"{n}-2") for n in ("near", "far", *range(7))}
    for _ in range(300):
        psnr = {run: 30 + rng.normal(0, 0.3) for runs in names.values() for run in runs}
        pairs = {("none", "steps"): ("far", "near")}
        row = compare_views(table(psnr), radii, pairs, names).iloc[0]
        held.append(abs(row["better by"]) < 2 * row["error"])
    # 9 degrees of freedom: .926 expected, .015 its standard deviation
    assert 0.87 < np.mean(held) < 0.97


def test_many_small_weights_far_away_count_more_as_they_are_than_squared():
    row = np.full((41, 41), 1e-3)
    row[20, 20] = 1.0
    radii = measure_radii([row, row, -row], [(20, 20)] * 3)
    assert radii["radius"] == 0  # 1680 squares of 1e-6
    # 95 % of 2.68 are 1.546 beside the middle, nearly all of the square
    assert 20 < radii["radius (absolute)"] < 20 * 2**0.5
