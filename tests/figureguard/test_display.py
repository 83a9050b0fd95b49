"""Check what a displayed figure is given, for each kind of picture."""

import base64

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from matplotlib.figure import Figure

from sbd.figureguard.comparison import figure_problems
from sbd.figureguard.digests import DIGEST_KEY, picture_hash
from sbd.figureguard.display import load_ipython_extension, unload_ipython_extension


@pytest.fixture
def shell():
    shell = InteractiveShell()
    load_ipython_extension(shell)
    return shell


def figure(title=""):
    fig = Figure(figsize=(1, 1))
    fig.subplots().set_title(title)
    return fig


def shown(shell, *formats, fig=None):
    """Display a figure; give what a notebook would hold of it."""
    fig = fig or figure()
    select_figure_formats(shell, set(formats))
    data, metadata = shell.display_formatter.format(fig)
    return {"data": data, "metadata": metadata}


@pytest.mark.parametrize("kind", ["png", "retina"])
def test_a_png_is_hashed(shell, kind):
    output = shown(shell, kind)
    png = base64.b64decode(output["data"]["image/png"])
    assert output["metadata"][DIGEST_KEY]["picture"] == picture_hash(png)
    assert figure_problems([output], [shown(shell, kind)]) == []


def test_an_svg_has_a_digest_and_other_bytes_each_time(shell):
    output = shown(shell, "svg")
    assert output["metadata"][DIGEST_KEY]["picture"] is None
    assert figure_problems([output], [shown(shell, "svg")]) == []


def test_a_digest_of_an_svg_does_not_vouch_for_a_png(shell):
    output = shown(shell, "svg")
    output["data"]["image/png"] = ""
    (problem,) = figure_problems([output], [shown(shell, "svg")])
    assert (
        problem == "figure 1 of the record is not the picture that its digest was "
        "made with"
    )


def test_another_kind_of_picture_is_no_other_drawing(shell):
    assert figure_problems([shown(shell, "png")], [shown(shell, "svg")]) == []


def test_a_change_is_seen_in_every_kind_of_picture(shell):
    fresh = shown(shell, "svg", fig=figure("Data"))
    found = figure_problems([shown(shell, "svg")], [fresh])
    assert found == ["figure 1: panel 1, title 1: '' became 'Data'"]


def test_what_is_no_figure_is_left_alone(shell):
    assert shell.display_formatter.format("Data")[1] == {}


def test_an_empty_figure_has_neither_picture_nor_digest(shell):
    output = shown(shell, "png", fig=Figure())
    assert output["metadata"] == {}
    assert figure_problems([output], [output]) == []


def test_unloading_takes_it_back(shell):
    unload_ipython_extension(shell)
    output = shown(shell, "png")
    assert DIGEST_KEY not in output["metadata"]
    first, _ = figure_problems([output], [output])
    assert "figure 1 of the record has no digest: see that `%load_ext" in first
