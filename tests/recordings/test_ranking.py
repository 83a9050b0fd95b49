"""Check that denoisers are ranked as the truth would, and with what certainty."""

from functools import partial

import numpy as np
import pytest

import sbd
from sbd.recordings import rank_denoisers

NARROW = partial(sbd.denoise_gaussian, sigma=5)
WIDE = partial(sbd.denoise_gaussian, sigma=7.5)


@pytest.fixture(scope="module")
def clean():
    return 2 * sbd.example_truth("simulated")[0][100:228, 180:308].astype(float)


def test_intervals_hold_the_true_difference_as_often_as_they_say(clean):
    held, right = [], []
    for seed in range(60):
        counts = np.random.default_rng([seed, 1]).poisson(clean)
        seen = {"narrow": [], "wide": []}
        both = {
            "narrow": lambda y, kept=seen["narrow"]: kept.append(NARROW(y)) or kept[-1],
            "wide": lambda y, kept=seen["wide"]: kept.append(WIDE(y)) or kept[-1],
        }
        rng = np.random.default_rng([seed, 2])
        table = rank_denoisers(counts, both, rng=rng, against="narrow")
        errors = {
            name: np.mean([(image - clean / 2) ** 2 for image in images])
            for name, images in seen.items()
        }
        truth = (errors["wide"] - errors["narrow"]) / table.attrs["dose"]
        row = table.loc["wide"]
        held.append(row["low"] <= truth <= row["high"])
        if abs(truth) > (row["high"] - row["low"]) / 2:
            right.append(np.sign(row["worse by"]) == np.sign(truth))
    # .95 of 60: 3 standard deviations are .085
    assert np.mean(held) > 0.87
    assert np.mean(right or [1]) >= 0.95


def test_a_clear_order_is_found_and_the_worst_is_behind(clean):
    three = {"mean": sbd.denoise_constant, "wide": WIDE, "raw": lambda y: y}
    counts = np.random.default_rng(0).poisson(10 * clean)
    table = rank_denoisers(counts, three, rng=np.random.default_rng(1))
    assert table.index.tolist() == ["wide", "mean", "raw"]
    assert table["worse by"].iloc[0] == table["high"].iloc[0] == 0
    assert table["behind"].tolist() == [False, True, True]
    # what is left as it was has the variance of its noise
    assert table.loc["raw", "worse by"] == pytest.approx(1, abs=0.25)
    assert table.attrs["dose"] == pytest.approx(5 * clean.mean(), rel=0.01)


def test_scaled_counts_frames_and_gaps_give_the_same_table(clean):
    counts = np.random.default_rng(0).poisson(5 * clean)
    both = {"narrow": NARROW, "wide": WIDE}
    one = rank_denoisers(counts, both, rng=np.random.default_rng(1))
    again = rank_denoisers(counts / 7, both, rng=np.random.default_rng(1))
    assert one.equals(again)
    empty = counts.copy()
    empty[:20] = 0
    table = rank_denoisers(empty, both, rng=np.random.default_rng(1))
    assert table.attrs["dose"] == pytest.approx(counts[20:].mean() / 2, rel=0.02)


def test_what_cannot_be_ranked_is_refused(clean):
    rng = np.random.default_rng(0)
    both, counts = {"narrow": NARROW, "wide": WIDE}, rng.poisson(clean)
    for wrong, message in (
        ({"denoisers": {"narrow": NARROW}}, "denoisers must be two or more"),
        ({"against": "none"}, "against must be one of narrow, wide"),
        ({"share": 1.0}, "share must be between 0 and 1"),
        ({"splits": 0}, "splits must be a whole number"),
        (
            {"recording": counts + rng.normal(0, 0.3, counts.shape)},
            "counted one by one",
        ),
    ):
        given = {"recording": counts, "denoisers": both, "rng": rng} | wrong
        with pytest.raises(ValueError, match=message):
            rank_denoisers(given.pop("recording"), given.pop("denoisers"), **given)
