"""Check the scales, and that a mistyped parameter does not pass."""

import pytest

import sbd

OWN = 'scale = "default"  # a comment\nseed = 0'


def test_known_names_pass():
    sbd.check_parameters([OWN, '# Parameters\nscale = "smoke"\n', "import sbd"])


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="among scale, seed; got sclae"):
        sbd.check_parameters([OWN, '# Parameters\nsclae = "smoke"\nseed = 1'])


@pytest.mark.parametrize("cells", [[], [OWN], [OWN, "other = 1"]])
def test_nothing_is_said_where_nothing_was_injected(cells):
    sbd.check_parameters(cells)


def test_outside_a_notebook_there_is_nothing_to_check():
    sbd.check_parameters()


def test_scales_grow():
    small, middle, large = (sbd.at_scale(n) for n in ("smoke", "default", "paper"))
    assert small.draws <= middle.draws <= large.draws
    assert small.grid < middle.grid < large.grid


@pytest.mark.parametrize("name", ["huge", "", None, ["smoke"]])
def test_an_unknown_scale_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match="one of 'smoke', 'default', 'paper'; got"):
        sbd.at_scale(name)
