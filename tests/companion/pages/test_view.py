"""Check that networks are drawn at what they see."""

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.companion.pages.view import (
    WINDOW,
    average_runs,
    compare_views,
    measure_radii,
    rows_of,
    show_views,
    tabulate_changes,
    tell_verdict,
)
from sbd.networks.models import create_model


def test_networks_stand_at_what_they_see_and_reach():
    table = pd.DataFrame(
        {
            "radius": [9.0, 90.0, 30.0],
            "kind": ["seconds", "other", "seconds"],
            "vacuum": [30.0, 34.0, 31.0],
        },
        index=["every pixel, 2 scales", "default", "every pixel, 4 scales"],
    )
    errors = pd.DataFrame({"vacuum": [0.5, 0.25, 0.5]}, index=table.index)
    (ax,) = show_views(table, errors).axes
    joined, *_ = ax.lines  # the first family's networks of equal time
    assert joined.get_xydata().tolist() == [[9.0, 30.0], [30.0, 31.0]]
    marks = [bar.lines[0] for bar in ax.containers]
    assert marks[0].get_xydata().tolist() == [[9.0, 30.0]]
    assert marks[2].get_xydata().tolist() == [[90.0, 34.0]]
    assert marks[0].get_marker() != marks[2].get_marker()
    assert [t.get_text() for t in ax.texts] == ["2 scales", "4 scales", "default"]
    bars = [bar.lines[2][0].get_segments()[0][:, 1].tolist() for bar in ax.containers]
    assert bars == [[29.5, 30.5], [30.5, 31.5], [33.75, 34.25]]


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
    # variances .02 and .18; the draws move both alike; of two degrees of freedom an
    # interval of 95 % reaches 4.3 errors, 1.36
    assert row["better by"] == pytest.approx(1.2)
    assert row["error"] == pytest.approx(0.32, abs=0.005)
    assert (row["wider by"], row["says"]) == (4.0, "no difference shown")


def test_many_pairs_of_runs_make_a_difference_sure():
    radii = pd.Series({"near": 10.0, "far": 40.0})
    pairs = {("wider", "steps"): ("far", "near")}
    more = {f"{n}-{k}": 30.0 + 0.3 * k for n in range(8) for k in (1, 2)}
    names = {f"{n}": (f"{n}-1", f"{n}-2") for n in range(8)} | RUNS
    row = compare_views(table(SCORES | more), radii, pairs, names).iloc[0]
    assert row["says"] == "better"  # 10 degrees: 2.23 errors of .23


CLAIM = pd.DataFrame(
    {
        "better by": [1.0, 0.1, -0.3, 5.0],
        "error": 0.1,
        "radius before": [10.0, 40.0, 90.0, 90.0],
        "radius after": [40.0, 90.0, 30.0, 120.0],
        "wider by": [4.0, 2.25, 0.33, 1.3],
        "says": ["better", "no difference shown", "worse", "better"],
    },
    index=pd.MultiIndex.from_tuples(
        [("pixels: 4 scales, not 2", "s"), ("bins: 4 scales, not 2", "s"),
         ("bins: 6 scales, not 4", "s"), ("bins: views of the lattice", "s")]
    ),
)  # fmt: skip


def test_the_verdict_follows_the_rows():
    words = tell_verdict(CLAIM).data
    assert "borne out in part" in words
    assert "Of 2 comparisons" in words
    assert "better in 1 (it had seen 10 pixels or less before)" in words
    assert "not where it had seen 40 pixels or more" in words
    assert "In 1 more the radius did not grow" in words
    none = CLAIM.assign(says="no difference shown")
    assert "not borne out" in tell_verdict(none).data
    every = CLAIM.assign(says="better")
    assert "borne out by all" in tell_verdict(every).data


def test_tables_have_units_and_errors():
    told = tabulate_changes(CLAIM).iloc[0]
    assert told.to_dict() == {
        "gain (dB)": "+1.00 ± 0.10",
        "radius before (pixel)": 10,
        "after (pixel)": 40,
        "wider by": "x 4.0",
        "verdict": "better",
    }


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


def test_a_wide_network_is_asked_in_windows_that_hold_what_it_sees():
    how = {"scales": 2, "bias": False, "align_corners": False}
    wide = create_model("UNet", seed=0, channels=128, **how).eval()
    counts = np.random.default_rng(0).poisson(0.45, (310, 340)).astype(float)
    places = [(150, 171), (3, 336)]
    rows, there = rows_of(wide, counts, places, device="cpu")
    for row, place, whole in zip(rows, there, places, strict=True):
        assert min(row.shape) >= WINDOW
        top, left = np.subtract(whole, place)
        assert top % 16 == left % 16 == 0
        full = sbd.jacobian_row(wide, counts, whole, device="cpu")[0]
        part = full[top : top + row.shape[0], left : left + row.shape[1]]
        np.testing.assert_allclose(row, part, atol=1e-5 * np.abs(full).max())
        assert np.abs(part).sum() == pytest.approx(np.abs(full).sum())


def test_other_networks_are_asked_on_the_whole_image():
    small = create_model("UNet", seed=0, channels=4, scales=2).eval()
    counts = np.random.default_rng(0).poisson(0.45, (64, 72)).astype(float)
    rows, there = rows_of(small, counts, [(20, 30), (40, 50)], device="cpu")
    assert there == [(20, 30), (40, 50)]
    assert [row.shape for row in rows] == [(64, 72)] * 2
