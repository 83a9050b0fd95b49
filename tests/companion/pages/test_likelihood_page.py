"""Check that the page marks what was invented, and reads its odds as measured."""

import json

import numpy as np
import pytest

from sbd.columns.finding import Columns
from sbd.companion.pages.likelihood import (
    count_draw,
    count_verdicts,
    describe_draw,
    free_angle,
    list_weakest,
    read_odds,
    show_map_and_verdicts,
    tabulate_odds,
)
from sbd.data.examples import Micrograph
from sbd.evidence.likelihood import likelihood_map
from sbd.evidence.verdicts import ColumnVerdicts, tabulate_verdicts

FLAT = "flat, counted at 0.45 e/pixel = 116 e/\u00c5\u00b2"
PLACES = np.array([[60.0, 60.0], [60.0, 90.0], [200.0, 250.0]])
FALSE = np.array([True, False, True])


@pytest.fixture
def micrograph():
    clean = np.full((240, 300), 0.45)
    noisy = np.random.default_rng(0).poisson(clean).astype(np.float32)
    return Micrograph(noisy, clean, "simulated", "flat", 0.0622, 0.45)


@pytest.fixture
def judged():
    """Say of three columns that one is supported, one ruled out, one undecided."""
    rows, across = np.indices((240, 300))
    denoised = np.full((240, 300), 0.45)
    for row, column in PLACES:
        bump = np.exp(-((rows - row) ** 2 + (across - column) ** 2) / 72)
        denoised = denoised + 0.2 * bump
    some, none = np.ones(3), np.zeros(3)
    return ColumnVerdicts(
        columns=Columns(PLACES, np.full(3, 8.0), np.full(3, 0.2)),
        supported=np.array([False, True, False]),
        ruled_out=np.array([False, False, True]),
        p_values=some,
        absence=some,
        selected=none,
        electrons=none,
        interval=np.zeros((3, 2)),
        power=none,
        dose=some,
        denoised=denoised,
        judged=np.ones((240, 300), bool),
    )


@pytest.fixture
def draw(micrograph, judged):
    """Draw the figure, with the arrow at the first column."""
    counts = micrograph.noisy, judged.denoised, judged.columns
    return lambda **how: show_map_and_verdicts(
        micrograph, likelihood_map(*counts), judged, 0, **how
    )


def find_marks(ax):
    """Return the places (column, row) of all marks of a panel, group by group."""
    return [marks.get_offsets().tolist() for marks in ax.collections]


def find_panels(fig):
    return {ax.get_title()[:3]: ax for ax in fig.axes if ax.get_title()}


def test_inventions_are_marked_in_every_panel(draw):
    panels = find_panels(draw(false=FALSE))
    assert "".join(name[1] for name in sorted(panels)) == "abcdefgh"
    for name in "abc":  # whole images, x before y
        assert find_marks(panels[f"({name})"]) == [[[60, 60], [250, 200]]]
    # the box of 110 x 220 pixels round (60, 60) begins at row 5, column 0
    for name in "efg":
        assert find_marks(panels[f"({name})"]) == [[[60, 55]]]


def test_each_verdict_has_its_mark_and_its_number(draw):
    fig = draw(false=FALSE)
    undecided, supported, ruled_out, invented = find_marks(find_panels(fig)["(d)"])
    assert undecided == [[60, 60]]
    assert supported == [[90, 60]]
    assert ruled_out == [[250, 200]]
    assert invented == [[60, 60], [250, 200]]
    words = [text.get_text() for text in fig.legends[0].get_texts()]
    assert words == ["1 supported", "1 undecided", "1 ruled out", "not there in truth"]


def test_without_the_truth_nothing_is_called_invented(draw, micrograph):
    fig = draw()
    panels = find_panels(fig)
    assert find_marks(panels["(a)"]) == find_marks(panels["(g)"]) == []
    assert len(fig.legends[0].get_texts()) == 3
    words = describe_draw(micrograph, 3, {}, false=None, weakest=0)
    assert words == f"{FLAT}\nWhich columns are invented is not known."


def test_what_is_counted_follows_the_truth(judged, micrograph):
    ratios = likelihood_map(micrograph.noisy, judged.denoised, judged.columns)
    known = count_draw(ratios, judged, 0, false=FALSE)
    kinds = {"supported": 1, "ruled out": 1, "undecided": 1}
    assert known.items() >= (kinds | {"columns": 3, "weakest": [60, 60]}).items()
    assert (known["invented"], known["invented_supported"]) == (2, 0)
    assert known["invented_positive"] == int((ratios.ratios[[0, 2]] > 0).sum())
    assert known["arrow_at_invented"] is True
    unknown = count_draw(ratios, judged, 0)
    assert unknown == {k: v for k, v in known.items() if "invented" not in k}


def test_a_draw_is_counted_and_its_weakest_come_first(judged):
    table = tabulate_verdicts(judged).assign(
        ratio=[-0.1, 0.2, 0.3], score=[0.5, 3.0, 0.1], truth=["there", "there", "not"]
    )
    counted = count_verdicts(table)
    assert counted.loc["map: below zero"].tolist() == [0, 1]
    assert counted.loc["map: above zero"].tolist() == [1, 1]
    assert counted.loc["held-back counts: ruled out"].tolist() == [1, 0]
    weakest = list_weakest(table, 2)
    assert list(weakest.index) == ["200, 250", "60, 60"]
    assert list(weakest["map: mean ratio (nats/pixel)"]) == ["0.300", "-0.100"]


def test_an_arrow_comes_from_where_no_column_is():
    above, beside = [70.0, 100.0], [100.0, 130.0]
    assert free_angle(np.array([[100.0, 100.0], above]), 0) == 270.0
    assert free_angle(np.array([[100.0, 100.0], beside]), 0) == 180.0
    assert free_angle(np.array([[100.0, 100.0]]), 0) == 90.0


def make_record():
    share = {"value": 0.25, "standard error": 0.125}
    none = {"value": None, "standard error": None}
    shares = dict.fromkeys(("up to 0.01", "up to 0.05", "up to 0.5"), share)
    form = {
        "arrow at an invention, draws": 2,
        "discs with a negative ratio": 9,
        "of those true columns": 8,
        "inventions with a positive ratio": 4,
        "AUC of the ratio": share,
        "AUC of the score": none,
        "inventions: share of p-values on the same counts": shares,
        "inventions: share of p-values on fresh counts": shares,
    }
    entry = {"draws": 20, "draws that invent": 3, "invented": 5}
    return {"dose": 0.45, "simulated": entry | {"pixels": form, "mean": form}}


def test_the_heading_tells_the_draw_and_its_odds(micrograph):
    odds = {"simulated": make_record()["simulated"]}
    words = describe_draw(micrograph, 3, odds, false=FALSE, weakest=0)
    assert words == (
        f"{FLAT}, seed 3\n2 of 3 columns invented, one under the arrow. "
        "Of 20 draws 3 invent; in 2 one is under the arrow."
    )
    words = describe_draw(micrograph, 3, {}, false=FALSE, weakest=1)
    assert words.endswith("2 of 3 columns invented, none under the arrow.")


def test_odds_are_read_as_measured(tmp_path):
    path = tmp_path / "inventions.json"
    assert read_odds(path) == {}
    assert tabulate_odds({}).empty
    path.write_text(json.dumps(make_record()))
    table = tabulate_odds(read_odds(path))["bundled image", "each pixel"]
    assert table["draws that invent a column"] == 3
    assert table["draws with the arrow at one"] == 2
    assert table["true columns among these"] == 8
    assert table["AUC of the ratio"] == "0.25 \u00b1 0.12"  # half to even
    assert table["AUC of the score"] == "none"
