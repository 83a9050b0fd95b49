"""Keep figures/ whole: picture, numbers and record say the same, and no more."""

import base64
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import PIL.Image
import pytest

from sbd.companion.filing import FRAMES_KEY
from sbd.figureguard.comparison import read_digest
from sbd.figureguard.digests import picture_hash
from sbd.provenance import read_provenance

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "figures"
STEMS = sorted(path.stem for path in FIGURES.glob("*.json"))
named = pytest.mark.parametrize("stem", STEMS)
SOURCES = {"real", "authors", "simulated"}


def numbers(stem):
    return json.loads((FIGURES / f"{stem}.json").read_text())


def flat(value):
    """Yield the plain values in nested ones."""
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from flat(entry)
    else:
        yield value


def shown(stem):
    """Find what the notebook's record shows of a figure: its picture and its digest."""
    record = ROOT / "notebooks" / f"{stem.partition('-')[0]}.ipynb"
    for cell in nbformat.read(record, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.get("data", {}).get("text/plain") == f"<Figure {stem}>":
                yield output


def frames(stem):
    """Find the frames of a figure, which a slider shows."""
    return {path.name: path for path in FIGURES.glob(f"{stem}.*.png")}


def test_nothing_stands_alone():
    known = {f"{stem}.{suffix}" for stem in STEMS for suffix in ("json", "png", "svg")}
    known |= {name for stem in STEMS for name in frames(stem)}
    others = {".gitkeep", "README.md"}
    assert {path.name for path in FIGURES.iterdir()} <= known | others
    assert all((FIGURES / f"{stem}.png").exists() for stem in STEMS)


def test_every_notebook_files_its_figure():
    texts = (ROOT / "notebooks").glob("[0-9]*.py")
    assert {path.stem for path in texts} <= set(STEMS)


@named
def test_numbers_are_finite_and_name_their_source(stem):
    filed = numbers(stem)
    assert filed.get("source") in SOURCES
    assert all(math.isfinite(v) for v in flat(filed) if isinstance(v, int | float))


@named
def test_the_picture_carries_the_same_numbers(stem):
    with PIL.Image.open(FIGURES / f"{stem}.png") as picture:
        text = picture.text
    assert text["Title"] == stem
    assert (ROOT / text["Source"]).exists()
    assert json.loads(text["Description"]) == numbers(stem)


@named
def test_the_record_shows_this_picture_and_these_numbers(stem):
    (output,) = shown(stem)
    picture, digest = output.data["image/png"], read_digest(output.metadata)
    assert base64.b64decode(picture) == (FIGURES / f"{stem}.png").read_bytes()
    assert digest["numbers"] == numbers(stem)


@named
def test_the_record_knows_these_frames_and_what_they_show(stem):
    (output,) = shown(stem)
    found = {name: picture_hash(p.read_bytes()) for name, p in frames(stem).items()}
    assert output.metadata.get(FRAMES_KEY, {}) == found
    drawn = read_digest(output.metadata).get("frames", [])
    labels = [PIL.Image.open(p).text["Label"] for _, p in sorted(frames(stem).items())]
    assert [frame["label"] for frame in drawn] == labels


@named
def test_frames_say_how_they_were_made_as_their_figure_does(stem):
    for path in frames(stem).values():
        with PIL.Image.open(path) as picture:
            assert json.loads(picture.text["Description"]) == numbers(stem)
        assert read_provenance(path) == read_provenance(FIGURES / f"{stem}.png")


def test_all_frames_together_are_small():
    every = [path for stem in STEMS for path in frames(stem).values()]
    assert sum(path.stat().st_size for path in every) < 1_500_000


@named
def test_a_drawing_is_small_and_without_a_date(stem):
    path = FIGURES / f"{stem}.svg"
    if path.exists():
        ET.parse(path)
        assert path.stat().st_size < 1_000_000
        assert not re.search(r"<dc:date>", path.read_text())
