"""Check what is filed with a figure, and what a notebook is shown."""

import base64
import json
import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure

from sbd.companion import filing
from sbd.companion.filing import save_figure
from sbd.companion.frames import draw_frames
from sbd.figureguard.comparison import figure_problems
from sbd.figureguard.digests import picture_hash
from sbd.provenance import read_provenance

NUMBERS = {"source": "simulated", "psnr": 36.2, "rows": [{"name": "network", "n": 3}]}


def small_figure():
    fig = Figure(figsize=(2, 1))
    fig.subplots().imshow(np.eye(4), cmap="gray")
    return fig


def colourful_figure():
    """Draw more than 256 colours."""
    fig = Figure(figsize=(2, 2))
    pixels = np.random.default_rng(0).random((99, 99, 3))
    fig.add_axes((0, 0, 1, 1)).imshow(pixels, interpolation="nearest")
    return fig


def opened(path):
    with PIL.Image.open(path) as picture:
        picture.load()
        return picture


def test_picture_drawing_and_numbers_are_written(tmp_path):
    assert save_figure(small_figure(), "02_result", NUMBERS, tmp_path) == NUMBERS
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["02_result.json", "02_result.png", "02_result.svg"]
    assert json.loads((tmp_path / "02_result.json").read_text()) == NUMBERS
    assert opened(tmp_path / "02_result.png").size == (300, 150)
    ET.parse(tmp_path / "02_result.svg")


def test_two_runs_give_the_same_bytes(tmp_path):
    for run in "ab":
        save_figure(small_figure(), "02_result", NUMBERS, tmp_path / run)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_picture_says_what_it_was_made_from(tmp_path):
    save_figure(small_figure(), "02_result-table", NUMBERS, tmp_path)
    text = opened(tmp_path / "02_result-table.png").text
    assert text["Title"] == "02_result-table"
    assert text["Source"] == "notebooks/02_result.py"
    assert json.loads(text["Description"]) == NUMBERS
    assert text["Software"].startswith("sbd ")
    assert "Date" not in (tmp_path / "02_result-table.svg").read_text()[:3000]


def test_few_colours_are_kept_exactly(tmp_path):
    save_figure(small_figure(), "a", {}, tmp_path)
    picture = opened(tmp_path / "a.png")
    assert picture.mode == "P"
    expected = filing._render(small_figure())
    np.testing.assert_array_equal(picture.convert("RGB"), expected)


def test_a_large_drawing_is_left_out_and_its_older_one_removed(tmp_path, monkeypatch):
    save_figure(small_figure(), "a", {}, tmp_path)
    monkeypatch.setattr(filing, "_LARGEST_SVG", 1)
    save_figure(small_figure(), "a", {}, tmp_path)
    assert not (tmp_path / "a.svg").exists()


def test_many_colours_are_kept_until_the_file_is_large(tmp_path, monkeypatch):
    save_figure(colourful_figure(), "a", {}, tmp_path)
    assert opened(tmp_path / "a.png").mode == "RGB"
    monkeypatch.setattr(filing, "_LARGEST_RGB", 1)
    save_figure(colourful_figure(), "a", {}, tmp_path)
    assert opened(tmp_path / "a.png").mode == "P"


def test_a_chart_may_have_fewer_colours(tmp_path):
    save_figure(colourful_figure(), "a", {}, tmp_path, exact=False)
    assert opened(tmp_path / "a.png").mode == "P"
    fig = Figure(figsize=(4, 3))
    ax, curve = fig.subplots(), np.linspace(0, 9, 99)
    for k in range(13):
        ax.plot(curve, np.sin(curve + k / 4), color=f"C{k}")
    for name, exact in (("full", True), ("few", False)):
        save_figure(fig, name, {}, tmp_path, exact=exact)
    full, few = (tmp_path / f"{name}.png" for name in ("full", "few"))
    assert opened(full).mode == "RGB"
    assert few.stat().st_size < 0.5 * full.stat().st_size
    one, other = (np.asarray(opened(p).convert("RGB"), int) for p in (full, few))
    # the edges of lines differ, by some levels; paper and lines do not
    assert (np.abs(one - other).max(axis=2) > 32).mean() < 1e-3


def test_a_picture_too_large_for_a_notebook_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(filing, "_LARGEST_PNG", 3000)
    with pytest.raises(ValueError, match=r"fig must fit into a notebook, in 3 kB; got"):
        save_figure(colourful_figure(), "a", {}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_numpy_numbers_become_plain_ones(tmp_path):
    numbers = {"a": np.float32(0.5), "b": np.int64(2), "c": np.array([1, 2]), "d": (1,)}
    filed = save_figure(small_figure(), "a", numbers, tmp_path)
    assert filed == {"a": 0.5, "b": 2, "c": [1, 2], "d": [1]}
    assert type(filed["a"]) is float
    assert type(filed["b"]) is int


@pytest.mark.parametrize(
    ("numbers", "error", "words"),
    [
        ({"psnr": np.nan}, ValueError, "finite; got nan in psnr"),
        ({"rows": [{"x": np.inf}]}, ValueError, r"finite; got inf in rows\[0\]\.x"),
        ({"when": None}, TypeError, "numbers or text; got NoneType in when"),
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path, numbers, error, words):
    with pytest.raises(error, match=words):
        save_figure(small_figure(), "a", numbers, tmp_path)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "-a", "a.png"])
def test_a_name_that_is_a_path_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name must be made of letters"):
        save_figure(small_figure(), name, {}, tmp_path)


@pytest.mark.parametrize(
    ("cwd", "folder", "expected"),
    [
        (".", "figures", "figures"),
        ("notebooks", "figures", "figures"),
        ("notebooks", "../figures", "figures"),
        ("notebooks", "./figures", "notebooks/figures"),
        ("_build/executed/notebooks", "figures", "_build/executed/figures"),
    ],
)
def test_figures_go_to_the_project_from_anywhere(
    tmp_path, monkeypatch, cwd, folder, expected
):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / cwd).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / cwd)
    save_figure(small_figure(), "a", {}, folder)
    assert (tmp_path / expected / "a.json").exists()


def test_outside_a_project_figures_go_to_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_figure(small_figure(), "a", {})
    assert (tmp_path / "figures" / "a.json").exists()


def test_the_environment_can_send_figures_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SBD_FIGURES", str(tmp_path / "there"))
    save_figure(small_figure(), "a", {}, tmp_path / "here")
    assert (tmp_path / "there" / "a.json").exists()
    assert not (tmp_path / "here").exists()


@pytest.fixture
def shown(monkeypatch):
    """Stand in for a notebook, and keep what it is shown."""
    shown = []
    display = SimpleNamespace(
        publish_display_data=lambda data, metadata: shown.append((data, metadata))
    )
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_is_shown_the_picture_with_its_digest(tmp_path, shown):
    save_figure(small_figure(), "a", NUMBERS, tmp_path)
    ((data, metadata),) = shown
    png = base64.b64decode(data["image/png"])
    digest = metadata["sbd_digest"]
    assert png == (tmp_path / "a.png").read_bytes()
    assert data["text/plain"] == "<Figure a>"
    assert digest["picture"] == picture_hash(png)
    assert digest["numbers"] == NUMBERS
    assert digest["panels"][0]["images"][0]["shape"] == [4, 4]


def some_frames(labels=("counts", "network"), *, shift=0.0):
    images = {label: np.eye(30) * (k + 1) + shift for k, label in enumerate(labels)}
    return draw_frames(images, limits=(0.0, 2.0), pixel_size=0.5, width=90)


def test_frames_are_filed_with_what_they_are_and_how_they_were_made(tmp_path):
    save_figure(small_figure(), "02_a", NUMBERS, tmp_path, frames=some_frames())
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"02_a.00.png", "02_a.01.png", "02_a.json"}
    for k, label in enumerate(("counts", "network")):
        path = tmp_path / f"02_a.{k:02d}.png"
        frame = opened(path)
        assert (frame.mode, frame.size) == ("L", (90, 90))
        assert frame.text["Title"] == f"02_a.{k:02d}"
        assert frame.text["Label"] == label
        assert frame.text["Grey"] == "0.00 to 2.00 electrons per pixel"
        assert json.loads(frame.text["Description"]) == NUMBERS
        assert read_provenance(path) == read_provenance(tmp_path / "02_a.png")


def test_frames_that_are_no_longer_made_are_removed(tmp_path):
    for name in ("02_a", "02_a-other"):
        save_figure(small_figure(), name, {}, tmp_path, frames=some_frames("abc"))
    save_figure(small_figure(), "02_a", {}, tmp_path, frames=some_frames("ab"))
    left = {path.name for path in tmp_path.glob("*.*.png")}
    assert left == {f"02_a.0{k}.png" for k in range(2)} | {
        f"02_a-other.0{k}.png" for k in range(3)
    }
    save_figure(small_figure(), "02_a", {}, tmp_path)
    assert not list(tmp_path.glob("02_a.*.png"))


def test_a_notebook_shows_one_picture_and_guards_its_frames(tmp_path, shown):
    for shift in (0.0, 0.1):
        frames = some_frames(shift=shift)
        save_figure(small_figure(), "a", NUMBERS, tmp_path / str(shift), frames=frames)
    old, new = ([{"data": d, "metadata": m}] for d, m in shown)
    assert figure_problems(old, old) == []
    found = figure_problems(old, new)
    assert found
    assert all(words.startswith("figure 1: frame ") for words in found)
    hashes = old[0]["metadata"][filing.FRAMES_KEY]
    files = sorted((tmp_path / "0.0").glob("a.*.png"))
    assert hashes == {path.name: picture_hash(path.read_bytes()) for path in files}


def test_another_label_of_a_frame_is_noticed(tmp_path, shown):
    for labels in ("ab", "ac"):
        save_figure(small_figure(), "a", {}, tmp_path, frames=some_frames(labels))
    old, new = ([{"data": d, "metadata": m}] for d, m in shown)
    assert figure_problems(old, new) == ["figure 1: frame 2, label: 'b' became 'c'"]


def test_frames_too_large_for_a_page_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(filing, "_LARGEST_FRAMES", 1000)
    with pytest.raises(ValueError, match="frames must fit into a page, in 1 kB; got"):
        save_figure(small_figure(), "a", {}, tmp_path, frames=some_frames())
    assert not list(tmp_path.iterdir())
