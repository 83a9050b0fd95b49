"""What is said of columns holds on images whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from sbd.columns.finding import Columns
from sbd.evidence.calibration import (
    calibrate,
    judge_repeatedly,
    lay_discs,
    summarise_calibration,
)


def test_discs_lie_on_a_grid_with_half_a_spacing_to_spare():
    discs = lay_discs((100, 60))
    assert len(discs) == 4 * 2
    assert discs.positions.min() == 12
    assert (discs.positions.max(axis=0) == (84, 36)).all()


def test_discs_that_would_overlap_are_refused():
    with pytest.raises(ValueError, match="radius must be above 0 and at most 12"):
        lay_discs((100, 60), radius=13)


def test_only_columns_tested_on_their_own_counts_are_found_in_vacuum():
    table = calibrate(
        lambda noisy: ndimage.uniform_filter(noisy, 9),
        doses=[0.45],
        shape=(240, 240),
        seed=0,
    )
    found = (table["p"] < 0.05).groupby(table["way"]).mean()
    assert found["same"] > 0.1
    # of 100 discs, 5 and four standard deviations of 2.2
    assert found[["independent", "split"]].max() < 0.14


def test_uniform_p_values_are_told_to_be_uniform():
    table = pd.DataFrame({"way": "split", "p": (np.arange(100) + 0.5) / 100})
    summary = summarise_calibration(table).loc["split"]
    assert summary[["discs", "up to 0.01", "up to 0.05"]].tolist() == [100, 0.01, 0.05]
    assert summary["KS"] > 0.99


def test_a_flat_estimate_invents_no_column_in_any_draw():
    none = Columns(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    flat = np.full((64, 64), 0.45)
    table = judge_repeatedly(
        flat, lambda y: np.full(y.shape, y.mean()), none, draws=2, seed=0
    )
    assert table["invented"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="draws must be a whole number"):
        judge_repeatedly(flat, np.array, none, draws=0, seed=0)
