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

from sbd.figureguard.comparison import read_digest

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
                yield output.data["image/png"], read_digest(output.metadata)


def test_nothing_stands_alone():
    known = {f"{stem}.{suffix}" for stem in STEMS for suffix in ("json", "png", "svg")}
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
    ((picture, digest),) = shown(stem)
    assert base64.b64decode(picture) == (FIGURES / f"{stem}.png").read_bytes()
    assert digest["numbers"] == numbers(stem)


@named
def test_a_drawing_is_small_and_without_a_date(stem):
    path = FIGURES / f"{stem}.svg"
    if path.exists():
        ET.parse(path)
        assert path.stat().st_size < 1_000_000
        assert not re.search(r"<dc:date>", path.read_text())
