"""Check that a record is stale exactly when what it was made from has changed."""

import json
import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest

from sbd.companion import fingerprints
from sbd.companion.fingerprints import (
    check_records,
    find_notebooks,
    fingerprint,
    read_parameters,
    read_text,
)

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


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Lay out a package of two modules and a notebook with a fresh record."""
    package = tmp_path / "sbd"
    (package / "assets").mkdir(parents=True)
    (package / "noise.py").write_text("VACUUM = 0.45\n")
    (package / "cli.py").write_text("pass\n")
    (package / "assets" / "weights.npz").write_bytes(b"weights")
    monkeypatch.setattr(fingerprints, "PACKAGE", package)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "01_one.py").write_text(TEXT)
    keep_record(folder / "01_one.py")
    return folder


def keep_record(path, source="authors"):
    text = read_text(path)
    made_from = fingerprint(text, read_parameters(text), source)
    text.metadata["sbd"] = {"source": source, "made_from": made_from}
    nbformat.write(text, path.with_suffix(".ipynb"))


def edit(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_record_just_made_is_fresh(notebooks):
    assert check_records(notebooks) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("sbd/simulation/noise.py", "0.45", "0.46", "sbd/simulation/noise.py changed"),
        ("sbd/assets/weights.npz", "weights", "w", "sbd/assets/weights.npz changed"),
        ("notebooks/01_one.py", "print(seed)", "print(0)", "cells changed"),
        ("notebooks/01_one.py", "seed = 0", "seed = 1", "parameter seed changed"),
    ],
)
def test_a_change_makes_it_stale_and_is_named(notebooks, file, old, new, words):
    edit(notebooks.parent / file, old, new)
    (problem,) = check_records(notebooks)
    assert problem.startswith("01_one is stale: ")
    assert words in problem


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("sbd/cli/__init__.py", "pass", "1"),
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


def test_a_new_module_makes_it_stale(notebooks):
    (notebooks.parent / "sbd" / "new.py").write_text("")
    assert check_records(notebooks) == ["01_one is stale: sbd/new.py changed"]


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
    (problem,) = check_records(notebooks)
    assert problem == "02_two has no record: it was never run"


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
