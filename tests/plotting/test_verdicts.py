"""Check that verdicts are drawn as they were given."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sbd.columns.finding import Columns
from sbd.evidence.verdicts import ColumnVerdicts, tabulate_verdicts
from sbd.plotting.verdicts import (
    INVENTED,
    LOOKS,
    mark_places,
    sample_mark,
    show_verdicts,
)


def make_verdicts(supported=(1, 0, 0, 0), ruled_out=(0, 0, 1, 0), dose=(0.5, 2, 4, 9)):
    """Four columns in an image that counts 0.45 and has no dose in a corner."""
    places = np.array([[10.0, 10.0], [10.0, 30.0], [30.0, 20.0], [30.0, 34.0]])
    electrons = np.array([80.0, 20.0, -5.0, 30.0])
    judged = np.ones((40, 40), bool)
    judged[:8, 32:] = False
    return ColumnVerdicts(
        columns=Columns(places, np.full(4, 4.0), np.full(4, 0.2)),
        supported=np.array(supported, bool),
        ruled_out=np.array(ruled_out, bool),
        p_values=np.array([1e-9, 0.2, 1.0, 0.1]),
        absence=np.array([1.0, 0.6, 1e-6, 0.7]),
        selected=np.array([1.0, 0.1, 0.0, 0.2]),
        electrons=electrons,
        interval=np.stack([electrons - 25, electrons + 25], 1),
        power=np.array([0.99, 0.4, 0.2, 0.1]),
        dose=np.array(dose, float),
        denoised=np.where(judged, 0.45, 7.0),
        judged=judged,
        settings={"level": 0.1, "pixel [angstrom]": 0.0622, "tested against": "a hat"},
    )


def find_marks(ax):
    """Return colours and places (column, row) of what is marked on an image."""
    drawn = [marks for marks in ax.collections if len(marks.get_offsets()) > 0]
    return {
        tuple(marks.get_edgecolors()[0]): marks.get_offsets().tolist()
        for marks in drawn
        if marks.get_offsets().any()
    }


def legend_of(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_each_column_gets_the_mark_of_its_verdict():
    fig = show_verdicts(make_verdicts(), false=np.array([0, 0, 0, 1], bool))
    marks = list(find_marks(fig.axes[0]).values())
    # x before y; a colour each for undecided, supported, ruled out and invented
    assert marks == [[[30, 10], [34, 30]], [[10, 10]], [[20, 30]], [[34, 30]]]


@pytest.mark.parametrize("look", [*LOOKS.values(), INVENTED])
def test_a_mark_has_its_size_in_points_and_so_has_its_sample(look):
    ax = Figure().add_subplot()
    mark_places(ax, np.array([[2.0, 7.0]]), look, side=10)
    (marks,) = ax.collections
    assert marks.get_offsets().tolist() == [[7, 2]]  # x before y
    assert marks.get_sizes() ** 0.5 == pytest.approx(10 * look.size)
    assert marks.get_linewidths() == [look.line]
    filled = len(marks.get_facecolors()) > 0
    assert filled == (look.marker == "x")  # rings show what they surround
    sample = sample_mark(look, 4.0, 0.5)
    assert (sample.get_markersize(), sample.get_markeredgewidth()) == (4.0, 0.5)
    assert sample.get_marker() == look.marker
    assert sample.get_markeredgecolor() == look.colour


def test_the_legend_says_what_verdicts_mean_and_how_many_there_are():
    verdicts = make_verdicts()
    rate = "(false discovery rate at most 10 %)"
    told = [
        f"1 supported: the counts rule out a hat {rate}",
        f"1 ruled out: the counts rule out even 50 % of what is claimed {rate}",
        "2 undecided: the counts allow both: too few electrons to tell",
    ]
    whole = replace(verdicts, judged=np.ones((40, 40), bool))
    assert legend_of(show_verdicts(whole)) == told
    wrong = np.array([1, 0, 0, 1], bool)
    assert legend_of(show_verdicts(verdicts, false=wrong)) == [
        *told,
        "2 invented: not there in truth, 1 of them supported",
        "without dose: not judged",
    ]


def test_what_has_no_dose_is_dimmed():
    verdicts = make_verdicts()
    shade = show_verdicts(verdicts).axes[0].images[1].get_array()
    np.testing.assert_array_equal(shade[..., 3] > 0, ~verdicts.judged)


def test_electrons_are_drawn_sorted_with_their_intervals():
    chart = show_verdicts(make_verdicts()).axes[1]
    lines = [c for c in chart.collections if isinstance(c, LineCollection)]
    dots = [c for c in chart.collections if c not in lines]
    points = np.vstack([c.get_offsets() for c in dots])
    points = points[np.argsort(points[:, 0])]
    np.testing.assert_allclose(points, [[1, -5], [2, 20], [3, 30], [4, 80]])
    ends = [path.vertices[:, 1].tolist() for c in lines for path in c.get_paths()]
    np.testing.assert_allclose(sorted(ends), [[-30, 20], [-5, 45], [5, 55], [55, 105]])


@pytest.mark.parametrize(("recorded", "unit"), [(None, 1.0), (0.45, 0.45)])
def test_the_share_that_a_dose_decides_is_of_those_that_are_there(recorded, unit):
    verdicts = make_verdicts(dose=(0.5, 2, 4, np.inf))
    false = np.array([0, 1, 0, 0], bool)
    stairs, here, line = (
        show_verdicts(verdicts, false=false, recorded=recorded).axes[2].lines
    )
    across, up = stairs.get_data()
    np.testing.assert_allclose(across[1:3], [unit * 0.5, unit * 4])
    # three are there, and one of them no dose decides
    np.testing.assert_allclose(up, [0, 1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(np.ravel(here.get_data()), [unit, 1 / 3])
    np.testing.assert_allclose(line.get_xdata(), unit)


@pytest.mark.parametrize("shape", [(40, 40), (40, 400), (400, 40)])
def test_a_picture_without_columns_is_drawn_in_any_form(shape, tmp_path):
    some = make_verdicts()
    none = np.zeros(4, bool)
    empty = {
        name: getattr(some, name)[none]
        for name in ("columns", "supported", "ruled_out", "p_values", "absence")
    }
    for name in ("selected", "electrons", "interval", "power", "dose"):
        empty[name] = getattr(some, name)[none]
    images = {"denoised": np.full(shape, 0.45), "judged": np.ones(shape, bool)}
    fig = show_verdicts(replace(some, **empty, **images), false=none[:0])
    fig.savefig(tmp_path / "none.png")
    words = [text.get_text() for ax in fig.axes[1:] for text in ax.texts]
    assert words == ["no columns", "no columns"]
    assert not find_marks(fig.axes[0])


def test_columns_that_no_dose_decides_are_drawn():
    fig = show_verdicts(make_verdicts(dose=(np.inf,) * 4))
    (steps,) = [line for line in fig.axes[2].lines if line.get_drawstyle() != "default"]
    assert set(steps.get_ydata()) == {0}


def test_a_truth_of_other_columns_is_refused():
    with pytest.raises(ValueError, match=r"false must have a value for each of 4"):
        show_verdicts(make_verdicts(), false=np.array([True]))


def test_a_table_has_the_units_of_what_it_lists():
    table = tabulate_verdicts(make_verdicts())
    assert table["row [pixels]"].tolist() == [10, 10, 30, 30]
    assert table["column [pixels]"].tolist() == [10, 30, 20, 34]
    kinds = ["supported", "undecided", "ruled out", "undecided"]
    assert table["verdict"].tolist() == kinds
    assert table["excess low [electrons]"].tolist() == [55, -5, -30, 5]
    assert table["dose to decide [times recorded]"].tolist() == [0.5, 2, 4, 9]
    # where there is dose the image counts 0.45
    doses = table["dose to decide [electrons per pixel]"]
    np.testing.assert_allclose(doses, 0.45 * np.array([0.5, 2, 4, 9]))
