"""Check that one place holds the repository's address, and the cell that needs it."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci/repository.py"
PLACES = runpy.run_path(str(SCRIPT))["PLACES"]
CELL = (ROOT / ".ci/setup_cell.py").read_text()
URL = "https://github.com/some-owner/some.name"


def repository(*arguments):
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    """Copy every file that holds the address, and add a pair of notebooks."""
    for path in (path for pattern in PLACES for path in ROOT.glob(pattern)):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    folder = tmp_path / "notebooks"
    folder.mkdir(exist_ok=True)
    cells = [nbformat.v4.new_code_cell(CELL.rstrip("\n"))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "99_extra.ipynb")
    (folder / "99_extra.py").write_text("# %%\n" + CELL)
    return tmp_path


def texts(folder):
    return {p: p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def parsed(path):
    return yaml.safe_load(path.read_text())


# --- the address


def test_all_places_agree_on_the_address():
    checked = repository("--check")
    assert checked.returncode == 0, checked.stderr


def test_the_address_is_written_everywhere_and_taken_back(copy):
    before = texts(copy)
    project = tomllib.loads((copy / "pyproject.toml").read_text())["project"]
    done = repository(URL + ".git/", "--root", copy)
    assert done.returncode == 0, done.stderr
    assert all(URL in text for text in texts(copy).values())
    assert repository("--check", "--root", copy).returncode == 0
    assert "0 files changed" in repository(URL, "--root", copy).stdout
    repository(project["urls"].get("Repository", "--unset"), "--root", copy)
    assert texts(copy) == before


def test_every_file_still_reads_as_what_it_is(copy):
    repository(URL, "--root", copy)
    project = tomllib.loads((copy / "pyproject.toml").read_text())["project"]
    assert project["urls"] == {"Repository": URL}
    assert parsed(copy / "_config.yml")["repository"]["url"] == URL
    assert parsed(copy / "CITATION.cff")["repository-code"] == URL
    cell = (copy / ".ci/setup_cell.py").read_text().rstrip("\n")
    for path in (copy / "notebooks").glob("*.ipynb"):
        assert cell in [c.source for c in nbformat.read(path, as_version=4).cells]


def test_a_place_with_another_address_is_named(copy):
    repository(URL, "--root", copy)
    config = copy / "_config.yml"
    config.write_text(config.read_text().replace(URL, URL + "2"))
    checked = repository("--check", "--root", copy)
    assert checked.returncode == 1
    assert "_config.yml" in checked.stderr


def test_a_notebook_without_the_cell_is_named_and_nothing_is_written(copy):
    (copy / "notebooks/99_extra.py").write_text("# %%\n")
    before = texts(copy)
    done = repository(URL, "--root", copy)
    assert done.returncode == 2
    assert "99_extra.py must hold one place for the address; got 0" in done.stderr
    assert texts(copy) == before


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/owner/name",
        "http://github.com/owner/name",
        "https://github.com/owner",
        "https://github.com/owner/name/tree/main",
        'https://github.com/owner/name"; rm',
        "https://github.com/owner/..",
    ],
)
def test_what_is_no_address_is_refused_and_changes_nothing(copy, url):
    before = texts(copy)
    done = repository(url, "--root", copy)
    assert done.returncode == 2
    assert "URL must look like https://github.com/owner/name; got" in done.stderr
    assert texts(copy) == before


# --- the notebooks' set-up cell


@pytest.fixture
def calls(monkeypatch):
    """Record what the cell would run instead of running it."""
    made = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: made.append(command))
    return made


@pytest.fixture
def colab(monkeypatch):
    """Look like Colab."""
    monkeypatch.setitem(sys.modules, "google.colab", object())


def cell_with(url):
    return re.sub(r'repository = ".*?"', f'repository = "{url}"', CELL)


def test_the_cell_is_short_and_defines_nothing():
    assert len([line for line in CELL.splitlines() if line]) <= 10
    assert not re.search(r"(?m)^\s*(def|class) ", CELL)


def test_outside_colab_the_cell_does_nothing(calls):
    exec(cell_with(""), {})
    exec(cell_with(URL), {})
    assert calls == []


@pytest.mark.usefixtures("colab")
def test_on_colab_without_an_address_nothing_is_installed(calls):
    with pytest.raises(SystemExit, match="no address yet"):
        exec(cell_with(""), {})
    assert calls == []


@pytest.mark.usefixtures("colab")
def test_on_colab_numpy_and_torch_stay_as_they_are(calls):
    exec(cell_with(URL), {})
    ((*pip, numpy, torch, ours),) = calls
    assert pip == [sys.executable, "-m", "pip", "install", "--quiet"]
    assert numpy == f"numpy=={version('numpy')}"
    assert torch == f"torch=={version('torch')}"
    assert ours == f"sbd[simulation] @ git+{URL}"
