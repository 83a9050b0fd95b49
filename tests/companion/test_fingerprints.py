"""Check that a record is stale exactly when what it was made from has changed."""

import dataclasses
import json
import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest

from sbd.companion import fingerprints
from sbd.companion.fingerprints import (
    bare_code,
    bundled_record,
    check_records,
    find_notebooks,
    fingerprint,
    read_parameters,
    read_text,
)
from sbd.data import catalogue
from sbd.data.catalogue import ITEMS

TEXT = """\
# %% [markdown]
# # Prose

# %% tags=["parameters"]
scale = "default"
seed = 0

# %%
repository = ""  # the address
print(seed)
"""

NOISE = '''\
"""Counting electrons."""

VACUUM = 0.45  # e/pixel


def count(clean):
    """Count."""
    return clean  # of what it is given
'''


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Lay out a package of three modules and a notebook with fresh records."""
    package = tmp_path / "sbd"
    for name in ("assets", "simulation", "pages"):
        (package / name).mkdir(parents=True)
    (package / "simulation/noise.py").write_text(NOISE)
    (package / "pages/one.py").write_text("pass\n")
    (package / "pages/two.py").write_text("pass\n")
    (package / "assets/weights.npz").write_bytes(b"weights")
    (package / "assets/other.npz").write_bytes(b"other")
    monkeypatch.setattr(fingerprints, "PACKAGE", package)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "01_one.py").write_text(TEXT)
    keep_records(folder / "01_one.py", "pages/one.py")
    return folder


def keep_records(path, page, source="authors"):
    text = read_text(path)
    used = {
        "modules": ["simulation/noise.py", page],
        "assets": ["assets/weights.npz"],
        "items": ["clean/PtNp2-S3_5"],
    }
    made_from = fingerprint(text, read_parameters(text), source, used)
    text.metadata["sbd"] = {"source": source, "made_from": made_from}
    nbformat.write(text, path.with_suffix(".ipynb"))
    made_from = fingerprint(
        text, read_parameters(text), "simulated", used | {"items": []}
    )
    about = {"metadata": {"sbd": {"source": "simulated", "made_from": made_from}}}
    bundled_record(path).parent.mkdir(exist_ok=True)
    bundled_record(path).write_text(json.dumps(about))


def edit(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_record_just_made_is_fresh(notebooks):
    assert check_records(notebooks) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("sbd/simulation/noise.py", "0.45", "0.46", "sbd/simulation/noise.py changed"),
        ("sbd/simulation/noise.py", "return clean", "return -clean", "noise.py"),
        ("sbd/assets/weights.npz", "weights", "w", "sbd/assets/weights.npz changed"),
        ("notebooks/01_one.py", "print(seed)", "print(0)", "cells changed"),
        ("notebooks/01_one.py", "seed = 0", "seed = 1", "parameter seed changed"),
    ],
)
def test_a_change_makes_both_stale_and_is_named(notebooks, file, old, new, words):
    edit(notebooks.parent / file, old, new)
    record, bundled = check_records(notebooks)
    assert record.startswith("01_one is stale: ")
    assert bundled.startswith("01_one without downloads is stale: ")
    assert words in record
    assert words in bundled


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("sbd/pages/two.py", "pass", "1"),
        ("sbd/assets/other.npz", "other", "another"),
        ("sbd/simulation/noise.py", "Counting electrons", "What a detector does"),
        ("sbd/simulation/noise.py", "Count.", "Count\n    them."),
        ("sbd/simulation/noise.py", "  # e/pixel", "\n# a comment of its own"),
        ("sbd/simulation/noise.py", "\n\n\n", "\n\n"),
        ("notebooks/01_one.py", "# # Prose", "# # Better prose"),
        ("notebooks/01_one.py", 'repository = ""', 'repository = "https://x"'),
        ("sbd/simulation/noise.py", "\n", "\r\n"),
    ],
)
def test_what_no_figure_depends_on_leaves_it_fresh(notebooks, file, old, new):
    path = notebooks.parent / file
    assert old in path.read_text()
    path.write_bytes(path.read_text().replace(old, new).encode())
    assert check_records(notebooks) == []


def test_a_changed_page_makes_one_record_stale(notebooks):
    shutil.copy(notebooks / "01_one.py", notebooks / "02_two.py")
    keep_records(notebooks / "02_two.py", "pages/two.py")
    edit(notebooks.parent / "sbd/pages/two.py", "pass", "1")
    words = {problem.partition(":")[0] for problem in check_records(notebooks)}
    assert words == {"02_two is stale", "02_two without downloads is stale"}


def test_a_module_that_is_gone_makes_it_stale(notebooks):
    (notebooks.parent / "sbd/pages/one.py").unlink()
    assert "sbd/pages/one.py changed" in check_records(notebooks)[0]


def test_another_download_makes_it_stale(notebooks, monkeypatch):
    item = dataclasses.replace(ITEMS["clean/PtNp2-S3_5"], digest="sha256:0")
    others = {name: ITEMS[name] for name in ITEMS}
    monkeypatch.setattr(catalogue, "ITEMS", others | {item.name: item})
    (problem,) = check_records(notebooks)
    assert problem == "01_one is stale: the file clean/PtNp2-S3_5 changed"


ALIKE = [
    ("x = 1  # one\n", "x = 1\n"),
    ('def f():\n    """é: doc."""\n    return 1\n', "def f():\n    return 1"),
    ('class A:\n    """Doc\n\n    more."""\n\n    b = 1', "class A:\n    b = 1"),
    ('"doc"; x = 1', "x = 1"),
    ("f(a,\n  b)", "f(a, b)"),
    ("\ufeffx = 1", "x = 1"),
]
OTHERS = [
    ('x = """a\n\nb"""', 'x = """a\nb"""'),
    ('x = """a  \nb"""', 'x = """a\nb"""'),
    ('"Doc."\n\x0c\nx = 0.45\n"A gain."', '"Doc."\n\x0c\nx = 0.90\n"A gain."'),
    ('s = "\x85"\nx = 111\nz = 3  # c', 's = "\x85"\nx = 199\nz = 3  # c'),
    ('x = "# no comment"', 'x = "#"'),
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = True"),
    ("x: int = None", "x: int"),
    ("def f(*, a=1, b): pass", "def f(*, a, b=1): pass"),
    ("f(*[])", "f()"),
    ("x[1:]", "x[:1]"),
    ("{**a}", "{None: a}"),
    ("from . import a", "from .. import a"),
    ("if a: pass\nelse: b", "if a: b"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_code_is_stripped_of_what_it_says_about_itself(one, other):
    assert bare_code(one.encode()) == bare_code(other.encode())


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_other_code_is_other_code(one, other):
    assert bare_code(one.encode()) != bare_code(other.encode())


def test_a_module_that_cannot_be_read_is_named(notebooks):
    (notebooks.parent / "sbd/pages/one.py").write_text("def f(:\n")
    assert "sbd/pages/one.py changed" in check_records(notebooks)[0]


def test_another_source_is_seen(notebooks):
    path = notebooks / "01_one.ipynb"
    record = json.loads(path.read_text())
    record["metadata"]["sbd"]["source"] = "real"
    path.write_text(json.dumps(record))
    assert check_records(notebooks) == ["01_one is stale: source changed"]


def test_an_edited_fingerprint_is_seen(notebooks):
    path = notebooks / "01_one.ipynb"
    record = json.loads(path.read_text())
    record["metadata"]["sbd"]["made_from"]["digest"] = "0" * 16
    path.write_text(json.dumps(record))
    (problem,) = check_records(notebooks)
    assert problem == "01_one is stale: its fingerprint was edited"


def test_a_missing_record_is_named(notebooks):
    shutil.copy(notebooks / "01_one.py", notebooks / "02_two.py")
    assert check_records(notebooks) == [
        "02_two has no record: it was never run",
        "02_two has no record without downloads: it was never run",
    ]


def test_notebooks_are_found_by_the_start_of_their_names(notebooks):
    shutil.copy(notebooks / "01_one.py", notebooks / "02_two.py")
    assert [p.stem for p in find_notebooks(notebooks)] == ["01_one", "02_two"]
    assert [p.stem for p in find_notebooks(notebooks, ["02"])] == ["02_two"]
    assert [p.stem for p in find_notebooks(notebooks, ["01_one.ipynb"])] == ["01_one"]


def test_an_unknown_notebook_is_refused_with_those_there_are(notebooks):
    with pytest.raises(ValueError, match="names must be among 01_one; got 07"):
        find_notebooks(notebooks, ["07"])


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must hold notebooks; got "):
        check_records(tmp_path)


def test_parameters_are_read_with_their_values():
    text = jupytext.reads(TEXT, fmt="py:percent")
    assert read_parameters(text) == {"scale": "default", "seed": 0}


def test_a_notebook_without_parameters_is_refused():
    with pytest.raises(ValueError, match="one cell tagged parameters; got 0"):
        read_parameters(jupytext.reads("# %%\n1\n", fmt="py:percent"))


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match=r"must be a notebook's text; got x\.ipynb"):
        read_text(Path("x.ipynb"))
