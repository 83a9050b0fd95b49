"""Check the guard in a project of somebody else: plain Matplotlib, and one line."""

import copy
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

HEAD = """\
%load_ext sbd.figureguard
%matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

row, column = np.mgrid[:40, :40]
lattice = 0.45 + 0.1 * np.cos(0.37 * row) * np.cos(0.3 * column)
x = np.linspace(0, 1, 50)
seed = 0

def image(values, **how):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.imshow(values, **how)
    return ax

def curve(values, **how):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.plot(x, values, **how)
    return ax

def pair(left, right):
    fig, axes = plt.subplots(1, 2, figsize=(4, 2))
    axes[0].imshow(left)
    axes[1].imshow(right)
    plt.show()

def bands(low, high):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.fill_between(x, 0, x, color="k", zorder=low)
    ax.plot(x, x, color="w", zorder=high)
"""

CHANGES = {
    # name: code of the cell, old, new, words that the failure must hold
    "sign": ("_ = image(lattice)", "lattice", "-lattice", "panel 1, image 1, mean"),
    "flip": ("_ = image(lattice)", "lattice", "lattice[::-1]", "image 1, projections"),
    "transpose": ("_ = image(lattice)", "lattice", "lattice.T", "image 1, projections"),
    "shift": (
        "_ = image(np.roll(lattice, 0, axis=1))",
        "0, axis",
        "1, axis",
        "image 1, projections",
    ),
    "colour map": (
        "_ = image(lattice, cmap='gray')",
        "gray",
        "viridis",
        "cmap, name: 'gray' became 'viridis'",
    ),
    "colour scale": (
        "_ = image(lattice, vmin=0, vmax=1.0)",
        "1.0",
        "1.05",
        "clim: 1 became 1.05",
    ),
    "swap": (
        "pair(lattice, 2 * lattice)",
        "lattice, 2 * lattice",
        "2 * lattice, lattice",
        "panel 1, image 1",
    ),
    "seed": (
        "_ = image(np.random.default_rng(seed).poisson(lattice))",
        "seed",
        "seed + 1",
        "image 1, projections",
    ),
    "title": (
        "_ = image(lattice).set_title('Data')",
        "Data",
        "Date",
        "title 1: 'Data' became 'Date'",
    ),
    "axis label": (
        "_ = curve(x).set_xlabel('dose (e/pixel)')",
        "pixel",
        "nm",
        "label 1: 'dose (e/pixel)' became 'dose (e/nm)'",
    ),
    "curve": (
        "_ = curve(np.exp(x))",
        "np.exp(x)",
        "1.01 * np.exp(x)",
        "line 1, up, mean",
    ),
    "log axis": (
        "_ = curve(1 + x).set_yscale('linear')",
        "linear",
        "log",
        "scale 2: 'linear' became 'log'",
    ),
    "legend": (
        "_ = curve(x, label='network').legend()",
        "network",
        "filter",
        "legend 2: 'network' became 'filter'",
    ),
    "hidden": (
        "_ = curve(x).lines[0].set_visible(True)",
        "True",
        "False",
        "lines: 1 became 0",
    ),
    "opacity": ("_ = curve(x, alpha=1.0)", "1.0", "0.9", "line 1, opacity"),
    "marker": ("_ = curve(x, marker='o')", "'o'", "'s'", "marker: 'o' became 's'"),
    "marker size": (
        "_ = curve(x, marker='o', ms=4)",
        "ms=4",
        "ms=5",
        "marker_size: 4 became 5",
    ),
    "steps": (
        "_ = curve(x, drawstyle='default')",
        "default",
        "steps-mid",
        "steps: 'default' became 'steps-mid'",
    ),
    "ink": (
        "_ = curve(x, color='k')",
        "'k'",
        "'r'",
        "colour: '#000000ff' became '#ff0000ff'",
    ),
    "order": ("bands(1, 2)", "1, 2", "2, 1", "order 1: 'collection 1' became 'line 1'"),
    "point": (
        "fig, ax = plt.subplots(figsize=(2, 2))\n_ = ax.scatter(x, x)",
        "x, x",
        "x[1:], x[1:]",
        "collection 1, points: 50 became 49",
    ),
    "bar": (
        "fig, ax = plt.subplots(figsize=(2, 2))\n_ = ax.bar(['a', 'b'], [2, 3])",
        "[2, 3]",
        "[2, 3.1]",
        "patch 2, bounds",
    ),
    "text": (
        "_ = image(lattice).text(3, 4, 'atom')",
        "(3, 4",
        "(3, 6",
        "text 1, at: 4 became 6",
    ),
    "missing": (
        "_ = image(lattice)",
        "image(",
        "print(",
        "shows 1 figures, the code now",
    ),
    "twice": (
        "_ = image(lattice)",
        "_ = image(",
        "image(x[None]), image(",
        "now draws 2",
    ),
    "no digest": ("_ = image(lattice)", "", "", "figure 1 of the record has no digest"),
    "never run": ("_ = image(lattice)", "", "", "never run"),
    "other picture": (
        "_ = image(lattice)",
        "",
        "",
        "is not the picture that its digest",
    ),
}
SAME = {
    # name: code of the cell, old, new
    "again": ("_ = image(lattice)", "", ""),
    "noise": (
        "_ = image(lattice * (1 + 0e-3 * np.cos(99.0 * row * column)))",
        "0e-3",
        "1e-3",
    ),
    "noisy curve": ("_ = curve(x + 0e-3 * np.cos(99 * x))", "0e-3", "1e-3"),
    "by name": ("display(image(lattice).figure)\nplt.close()", "", ""),
    "none": ("1 + 1", "", ""),
    "svg": (
        "%config InlineBackend.figure_formats = ['svg']\n_ = image(lattice)",
        "",
        "",
    ),
    "left out": (
        "# NBVAL_IGNORE_OUTPUT\n_ = image(lattice)",
        "(lattice",
        "(-lattice",
    ),
}
CELLS = {**{name: row[:3] for name, row in CHANGES.items()}, **SAME}


def notebook():
    """Write a notebook with one figure a cell."""
    cells = [new_code_cell(HEAD), *(new_code_cell(row[0]) for row in CELLS.values())]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def change(record):
    """Change every cell of a record in its own way."""
    record = copy.deepcopy(record)
    cells = dict(zip(["head", *CELLS], record.cells, strict=True))
    for name, (_, old, new) in CELLS.items():
        assert old in cells[name].source
        if old:
            cells[name].source = cells[name].source.replace(old, new, 1)
    del cells["no digest"].outputs[-1].metadata["sbd_digest"]
    cells["never run"].update(execution_count=None, outputs=[])
    shown = cells["curve"].outputs[-1].data
    cells["other picture"].outputs[-1].data["image/png"] = shown["image/png"]
    return record


def run(*command, cwd=None):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MPLBACKEND", None)  # the notebook's own is what readers have
    command = [sys.executable, *command]
    return subprocess.run(
        command, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )


def execute(folder):
    """Run the notebooks of a folder as any project does, and keep what they show."""
    names = map(str, folder.glob("*.ipynb"))
    done = run("-m", "jupyter", "execute", "--inplace", *names, cwd=folder)
    assert done.returncode == 0, done.stderr


def compare(folder):
    """Compare the notebooks of a folder; give the message of each cell."""
    line = 'pytest_plugins = ["sbd.figureguard.plugin"]'
    (folder / "conftest.py").write_text(line)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = run(
        *("-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"),
        *("--junitxml=report.xml", "-q", "."),
        cwd=folder,
    )
    cases = ET.parse(folder / "report.xml").iter("testcase")
    failures = [case.find("failure") for case in cases]
    return done, ["" if failure is None else failure.text for failure in failures]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    nbformat.write(notebook(), folder / "any.ipynb")
    execute(folder)
    return nbformat.read(folder / "any.ipynb", as_version=4)


@pytest.fixture(scope="module")
def verdicts(record, tmp_path_factory):
    """Compare a record whose every cell was changed."""
    folder = tmp_path_factory.mktemp("changed")
    nbformat.write(change(record), folder / "any.ipynb")
    done, texts = compare(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    return dict(zip(["head", *CELLS], texts, strict=True))


def test_every_figure_has_its_digest_and_nothing_else_has(record):
    for name, cell in zip(["head", *CELLS], record.cells, strict=True):
        kind = "image/svg+xml" if name in {"svg", "left out"} else "image/png"
        shown = [out for out in cell.outputs if kind in out.get("data", {})]
        assert len(shown) == (name not in {"head", "none"}), name
        assert all("sbd_digest" in out.metadata for out in shown)
    assert json.loads(json.dumps(record.cells[1].outputs)) == record.cells[1].outputs


@pytest.mark.parametrize("name", CHANGES)
def test_a_real_change_is_red_and_says_what_it_is(verdicts, name):
    assert CHANGES[name][3] in verdicts[name]


@pytest.mark.parametrize("name", ["head", *SAME])
def test_what_is_the_same_is_green(verdicts, name):
    assert verdicts[name] == ""


# --- what it costs


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import sbd.figureguard.plugin", {"numpy", "matplotlib", "IPython"}),
        ("from sbd.figureguard import digest_figure", {"pytest", "nbval", "IPython"}),
        ("from sbd.figureguard import load_ipython_extension", {"pytest", "numpy"}),
    ],
)
def test_it_loads_what_it_needs_and_nothing_of_this_package(code, unwanted):
    code += """
import sys
print(*{n for n in sys.modules if not n.startswith("sbd.") and "." not in n})
print(*{n.split(".")[1] for n in sys.modules if n.startswith("sbd.")})
"""
    done = run("-c", code)
    others, ours = (set(line.split()) for line in done.stdout.splitlines())
    assert not others & {*unwanted, "torch", "scipy", "pandas"}
    assert ours == {"figureguard"}
