"""Guard the guard: what must turn nbval red does, and nothing else."""

import contextlib
import copy
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sbd.companion import guard
from sbd.companion.guard import figure_problems

# --- one notebook, whose cells are changed one by one

HEAD = """\
# %% tags=["parameters"]
seed = 0

# %%
import numpy as np

from sbd.plotting.images import arrange_panels, show_images, show_map
from sbd.companion.filing import save_figure

row, column = np.mgrid[:40, :40]
clean = 0.45 + 0.1 * np.cos(0.37 * row) * np.cos(0.3 * column)
atoms = np.argwhere((row % 17 == 8) & (column % 21 == 10))
relative = 1.0
"""
CELLS = {
    "sign": ("weights = clean - 0.45", "weights = 0.45 - clean"),
    "swap": ('{"a": clean, "b": 2 * clean}', '{"a": 2 * clean, "b": clean}'),
    "scale": ("limit=1.0", "limit=1.05"),
    "atom": ("atoms)", "atoms[1:])"),
    "seed": ("default_rng(seed)", "default_rng(seed + 1)"),
    "gone": ("save_figure(fig, ", "print(fig, "),
    "number": ('"columns": 4', '"columns": 5'),
    "digest": ("", ""),  # stripped from the record
    "never": ("", ""),  # its count is taken from the record
    "other": ("", ""),  # the record shows another picture than its digest tells
    "same": ("", ""),
    "noise": ("clean * relative", "clean * (1 + 1e-3 * np.cos(99.0 * row))"),
    "rounding": ("0.4514", "0.4515"),
}
CODE = {
    "sign": "weights = clean - 0.45\nfig = show_images({'w': weights}, width=2)",
    "swap": 'fig = show_images({"a": clean, "b": 2 * clean}, width=2)',
    "scale": (
        'fig, panels = arrange_panels("a", width=2)\n'
        'show_map(panels["a"], clean, limit=1.0)'
    ),
    "atom": (
        "fig = show_images({'a': clean}, width=2)\n"
        "fig.axes[0].scatter(*np.transpose(atoms))"
    ),
    "seed": (
        "counts = np.random.default_rng(seed).poisson(clean)\n"
        "fig = show_images({'n': counts}, width=2)"
    ),
    "noise": "fig = show_images({'a': clean * relative}, width=2)",
}
GREEN = {"same", "noise", "rounding"}


def source(name):
    """Write the code of one cell."""
    if name == "rounding":
        return "print('mean: 0.4514 e/pixel')"
    numbers = '{"columns": 4}' if name == "number" else "{}"
    draw = CODE.get(name, "fig = show_images({'a': clean}, width=2)")
    return f'{draw}\nsave_figure(fig, "01_{name}", {numbers})'


def change(record):
    """Change every cell of a record in its own way, green ones harmlessly."""
    cells = dict(zip(["head", "data", *CELLS], record["cells"], strict=True))
    for name, (old, new) in CELLS.items():
        text = "".join(cells[name]["source"])
        assert old in text
        cells[name]["source"] = text.replace(old, new) if old else text
    del cells["digest"]["outputs"][0]["metadata"]["sbd_digest"]
    cells["never"].update(execution_count=None, outputs=[])
    data = cells["other"]["outputs"][0]["data"]
    data["image/png"] = cells["atom"]["outputs"][0]["data"]["image/png"]


def run(*command, cwd, **variables):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def nbval(folder, **variables):
    """Compare the notebooks of a folder; give the finished process and each cell."""
    plugin = ("-p", "sbd.companion.guard", "-p", "no:cacheprovider")
    options = ("--nbval", "--nbval-current-env", "--junitxml=report.xml", "-W", "error")
    done = run("pytest", *plugin, *options, "notebooks", cwd=folder, **variables)
    cases = ET.parse(folder / "report.xml").iter("testcase")
    return done, {case.get("name"): case for case in cases}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Keep the record of an unchanged notebook."""
    root = tmp_path_factory.mktemp("guard")
    (root / "notebooks").mkdir()
    cells = [HEAD, *(f"# %%\n{source(name)}\n" for name in CELLS)]
    (root / "notebooks" / "01_guard.py").write_text("\n".join(cells))
    done = run("sbd.companion.records", "run", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def verdicts(project, tmp_path_factory):
    """Compare a record whose cells were all changed; give the message of each cell."""
    root = tmp_path_factory.mktemp("changed")
    record = json.loads((project / "notebooks" / "01_guard.ipynb").read_text())
    change(record)
    (root / "notebooks").mkdir()
    (root / "notebooks" / "01_guard.ipynb").write_text(json.dumps(record))
    done, cases = nbval(root)
    assert done.returncode == 1, done.stdout
    assert not (root / "figures").exists(), "a comparison must leave figures/ alone"
    failures = [cases[f"Cell {2 + i}"].find("failure") for i in range(len(CELLS))]
    texts = ["" if failure is None else failure.text for failure in failures]
    return dict(zip(CELLS, texts, strict=True))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sign", "panel 1 'w', image 1, mean"),
        ("swap", "panel 1 'a', image 1, mean"),
        ("scale", "panel 1, image 1, clim: -1 became -1.05"),
        ("atom", "collection 1, points: 4 became 3"),
        ("seed", "image 1, projections"),
        ("gone", "the record shows 1 figures, the code now draws 0"),
        ("number", "numbers, columns: 4 became 5"),
        ("digest", "figure 1 of the record has no digest"),
        ("never", "never run"),
        ("other", "is not the picture that its digest was made with"),
    ],
)
def test_a_changed_figure_is_red_and_the_change_is_named(verdicts, name, words):
    assert words in verdicts[name]


@pytest.mark.parametrize("name", sorted(GREEN))
def test_noise_and_rounding_are_green(verdicts, name):
    assert verdicts[name] == ""


def test_every_cell_has_its_verdict(verdicts):
    assert {name for name, text in verdicts.items() if not text} == GREEN


NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once


class Answer(http.server.BaseHTTPRequestHandler):
    """A server that has something else under every path."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"no image")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def wrong_mirror():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def copied(project, folder, *, needs):
    """Copy a project, with a record that says it needs a file from outside."""
    shutil.copytree(project, folder)
    path = folder / "notebooks" / "01_guard.ipynb"
    record = json.loads(path.read_text())
    record["metadata"]["sbd"]["made_from"]["items"] = dict.fromkeys(needs, "")
    for cell in record["cells"]:  # what it shows is that of another image
        cell["outputs"] = []
    path.write_text(json.dumps(record))
    return folder


def test_where_a_file_is_missing_what_the_package_shows_is_compared(project, tmp_path):
    folder = copied(project, tmp_path / "copy", needs=["clean/PtNp2-S3_5"])
    cache = str(tmp_path / "cache")
    done, cases = nbval(folder, SBD_DATA_DIR=cache, SBD_MIRROR=NOWHERE)
    assert done.returncode == 0, done.stdout
    assert all(case.find("skipped") is None for case in cases.values())
    assert "01_guard.ipynb: compared without downloads: clean/PtNp2" in done.stdout


def test_there_too_a_changed_figure_is_red(project, tmp_path):
    folder = copied(project, tmp_path / "copy", needs=["clean/PtNp2-S3_5"])
    path = folder / "notebooks" / "bundled" / "01_guard.json"
    assert path.read_text().count('"columns": 4') == 1
    path.write_text(path.read_text().replace('"columns": 4', '"columns": 5'))
    done, _ = nbval(folder, SBD_ONLY_BUNDLED="1")
    assert done.returncode == 1
    assert "numbers, columns: 5 became 4" in done.stdout


@pytest.mark.parametrize(
    ("item", "left", "variables", "words"),
    [
        ("no/such-item", None, {}, "no/such-item is no item: run `make notebooks`"),
        ("clean/PtNp2-S3_5", "", {}, "must be there: run `make notebooks`"),
        ("clean/PtNp2-S3_5", '{"outputs": []}', {}, "cells; got 0: run `make"),
        ("clean/PtNp2-S3_5", None, {"SBD_MIRROR": "127.0.0.1:9"}, "SBD_MIRROR must"),
    ],
)
def test_what_nobody_could_compare_is_red(
    project, tmp_path, item, left, variables, words
):
    folder = copied(project, tmp_path / "copy", needs=[item])
    path = folder / "notebooks" / "bundled" / "01_guard.json"
    if left is not None:
        path.write_text(left) if left else path.unlink()
    cache = {"SBD_DATA_DIR": str(tmp_path / "cache"), "SBD_MIRROR": NOWHERE}
    done, _ = nbval(folder, **cache | variables)
    assert done.returncode == 1
    assert words in done.stdout


def test_a_file_that_is_not_what_it_should_be_is_red(project, tmp_path):
    folder = copied(project, tmp_path / "copy", needs=["clean/PtNp2-S3_5"])
    with wrong_mirror() as address:
        done, _ = nbval(
            folder, SBD_DATA_DIR=str(tmp_path / "cache"), SBD_MIRROR=address
        )
    assert done.returncode == 1
    assert "clean/PtNp2-S3_5, the authors' simulated image" in done.stdout


# --- without a kernel

DIGEST = {"picture": "e3b0c44298fc1c14", "panels": []}
FIGURE = {"metadata": {"sbd_digest": DIGEST}, "data": {"image/png": ""}}
DRAWS = "save_figure(fig, name, numbers, figures)"


def test_a_figure_agrees_with_itself():
    assert figure_problems([FIGURE], [copy.deepcopy(FIGURE)], DRAWS) == []


def test_text_is_left_to_nbval():
    assert figure_problems([{"data": {"text/plain": "1"}}], [], "1") == []


@pytest.mark.parametrize("mime", ["image/png", "image/svg+xml", "image/jpeg"])
def test_every_kind_of_picture_needs_a_digest(mime):
    bare = {"metadata": {}, "data": {mime: ""}}
    found = figure_problems([bare], [bare], "plt.plot()")
    assert [line for line in found if "has no digest" in line] == found
    assert len(found) == 2


def test_a_digest_needs_its_picture():
    bare = {"metadata": {"sbd_digest": DIGEST}, "data": {}}
    (problem,) = figure_problems([bare], [FIGURE], DRAWS)
    assert problem == "figure 1 of the record has a digest and no picture"


def test_a_record_that_shows_nothing_is_a_problem():
    (problem,) = figure_problems([], [FIGURE], DRAWS)
    assert problem == "the record shows no figure, but the code calls save_figure"


# --- what it costs those who do not use it


def test_loading_it_loads_nothing_heavy():
    heavy = ("torch", "matplotlib", "numpy", "nbformat", "papermill", "jupytext")
    code = f"import sys, sbd.companion.guard; print({heavy!r} & sys.modules.keys())"
    code = code.replace(repr(heavy), repr(set(heavy)))
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_the_notebooks_of_this_project_are_guarded():
    text = (Path(__file__).parents[2] / "notebooks" / "conftest.py").read_text()
    hooks = [name for name in vars(guard) if name.startswith("pytest_")]
    assert len(hooks) == 3
    assert all(f"    {name},\n" in text for name in hooks)
