"""Check the bars."""

import pytest

import sbd


def test_each_bar_is_its_number_and_the_best_stands_out():
    fig = sbd.show_scores({"a": 1.0, "b": 3.0, "c": 2.0}, label="x", reference="a")
    bars = fig.axes[0].patches
    assert [bar.get_width() for bar in bars] == [1.0, 3.0, 2.0]
    colours = [bar.get_facecolor() for bar in bars]
    assert colours[0] == colours[2] != colours[1]
    assert fig.axes[0].lines[0].get_xdata() == [1.0, 1.0]


def test_no_scores_and_an_unknown_reference_are_refused():
    with pytest.raises(ValueError, match="at least one number; got none"):
        sbd.show_scores({}, label="x")
    with pytest.raises(ValueError, match="reference must be one of a; got 'b'"):
        sbd.show_scores({"a": 1.0}, label="x", reference="b")


def test_errors_reach_to_both_sides_and_numbers_stand_beyond():
    scores, errors = {"a": 10.0, "b": 8.0}, {"b": 0.5, "a": 2.0}
    ax = sbd.show_scores(scores, label="x", errors=errors).axes[0]
    (reaches,) = (bars.get_segments() for bars in ax.collections)
    assert [list(reach[:, 0]) for reach in reaches] == [[8.0, 12.0], [7.5, 8.5]]
    assert [text.xy[0] for text in ax.texts] == [12.0, 8.5]
    with pytest.raises(ValueError, match="errors must have the names a, b; got a"):
        sbd.show_scores(scores, label="x", errors={"a": 1.0})
