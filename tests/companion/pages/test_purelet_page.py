"""Check the tables that compare PURE with the true error."""

import numpy as np
import pandas as pd
import pytest

from sbd.companion.pages.purelet import (
    expansion_bias,
    show_expansion,
    show_risks,
    tabulate_expansion,
    tabulate_weights,
    tell_expansion,
    tell_risks,
    threshold_risks,
)
from sbd.denoisers.purelet import let_dictionary


def scene(shape=(64, 64)):
    rows, columns = np.indices(shape)
    return 0.45 + 0.3 * np.cos(rows / 4) * np.cos(columns / 5) * (rows > 20)


def test_the_risk_has_its_minimum_where_the_error_has():
    how = {"thresholds": [1.0, 2.0, 3.0, 5.0], "doses": [0.45, 5.0]}
    table = threshold_risks(scene(), **how, levels=4, draws=4, seed=0)
    plain = table[table["weights"] == "kept or removed"]
    mean = plain.groupby(["dose", "threshold"])[["risk", "error"]].mean()
    # over three orders of magnitude; one draw scatters by a few percent of the noise
    np.testing.assert_allclose(mean["risk"], mean["error"], rtol=0.15)
    fitted = table[table["weights"] == "fitted"].groupby("dose")["error"].mean()
    assert (fitted < mean["error"].groupby("dose").min() * 1.02).all()


def test_at_a_threshold_beyond_all_only_the_blurred_image_is_left():
    (row,) = (
        threshold_risks(scene(), thresholds=[1e3], levels=3, draws=1, seed=5)
        .query("weights == 'kept or removed'")
        .itertuples()
    )
    noisy = np.random.default_rng([5, 0, 0]).poisson(scene())
    blurred = let_dictionary(noisy, levels=3).lowpass
    expected = np.mean((blurred - scene()) ** 2) / 0.45**2
    assert row.error == pytest.approx(expected, rel=1e-3)
    assert row.risk == pytest.approx(expected, rel=1e-3)


def test_only_the_expansion_is_biased():
    table = expansion_bias(scene(), doses=[0.25, 8.0], draws=40, seed=1)
    deviation = (table["bias"] / table["error"]).abs().to_numpy()
    assert list(deviation > 4) == [False, True, False, False]


def test_draws_do_not_depend_on_how_many_there_are():
    how = {"thresholds": [2.0], "levels": 3, "seed": 2}
    one = threshold_risks(scene(), draws=1, **how)
    two = threshold_risks(scene(), draws=2, **how)
    pd.testing.assert_frame_equal(one, two[two["draw"] == 0])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="thresholds, doses and draws must name one"):
        threshold_risks(scene(), thresholds=[], draws=1, seed=0)
    with pytest.raises(ValueError, match="clean must hold counts somewhere"):
        expansion_bias(np.zeros((9, 9)), doses=[1.0], draws=2, seed=0)
    with pytest.raises(ValueError, match=r"draws must be a whole .* at least 2; got 1"):
        expansion_bias(scene(), doses=[1.0], draws=1, seed=0)


def test_the_charts_show_every_dose():
    table = threshold_risks(
        scene((16, 16)),
        thresholds=[2.0, 3.0],
        doses=[0.45, 2.0],
        levels=2,
        draws=1,
        seed=3,
    )
    assert [ax.get_title(loc="center")[:3] for ax in show_risks(table).axes] == [
        "(a)",
        "(b)",
    ]
    table = expansion_bias(scene((16, 16)), doses=[1.0, 4.0], draws=2, seed=3)
    ticks = show_expansion(table).axes[0].get_xticks()
    assert list(ticks) == [1.0, 4.0]


def test_what_is_told_of_pure_follows_from_the_table():
    rows = [
        (0.45, threshold, 0, weights, factor * error, error)
        for weights, factor in (("kept or removed", 1.1), ("fitted", 1.0))
        for threshold, error in ((1.0, 1.0), (3.0, 0.01))
    ]
    names = ["dose", "threshold", "draw", "weights", "risk", "error"]
    said = tell_risks(pd.DataFrame(rows, columns=names)).data
    assert "PURE is 1.10 to 1.10 times the true error, which spans 2.0 orders" in said
    assert "for 1 of 1 doses" in said
    assert "by a factor of 100.00 at most" in said


def test_deviations_are_told_with_their_errors():
    names = ["dose", "dictionary", "bias", "error"]
    haar, cosines = "Haar, exact", "cosines, to first order"
    rows = [(0.5, haar, 0.1, 0.2), (0.5, cosines, 3.5, 0.4)]
    table = pd.DataFrame(rows, columns=names)
    told = tabulate_expansion(table).loc["0.5 e/pixel"]
    assert told.tolist() == ["10 \u00b1 20", "350 \u00b1 40"]
    said = tell_expansion(table).data
    assert "Haar, exact: beyond three standard errors at no dose of 1" in said
    assert "order: beyond three standard errors at 0.5 e/pixel of 1" in said


def test_weights_are_listed_by_the_width_of_the_boxes():
    told = tabulate_weights(np.arange(12.0))
    assert told.loc["boxes of 2 pixels"].tolist() == [2.0, 3.0]
    assert len(told) == 2
