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
