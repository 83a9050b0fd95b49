"""Check the scales."""

import pytest

import sbd


def test_scales_grow():
    small, middle, large = (sbd.at_scale(n) for n in ("smoke", "default", "paper"))
    assert small.draws <= middle.draws <= large.draws
    assert small.grid < middle.grid < large.grid


@pytest.mark.parametrize("name", ["huge", "", None, ["smoke"]])
def test_an_unknown_scale_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match="one of 'smoke', 'default', 'paper'; got"):
        sbd.at_scale(name)
