"""Check what a figure says of its making, in a notebook and outside of one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sbd
from sbd.companion import provenance
from sbd.companion.fingerprints import hash_cells, read_code, read_text
from sbd.companion.provenance import describe_figure, read_commit
from sbd.files import sha256

PACKAGE = Path(sbd.__file__).parent
CELLS = [
    "",
    'scale = "default"\nseed = 0\ndevice = "cpu"\nfigures = "figures"',
    '# Parameters\nscale = "smoke"\nseed = 3\nfigures = "elsewhere"',
    "import sbd\nthree = 1 + 2",
]


@pytest.fixture
def notebook(monkeypatch):
    """Pretend that a notebook runs, whose third cell was put in by papermill."""
    shell = SimpleNamespace(user_ns={"In": CELLS})
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell)
    )


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *who, *words]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=clean
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """Make a repository with a package, a notebook, its record and a figure."""
    for name in ("sbd/__init__.py", "notebooks/01_one.py", "figures/01_one.json"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1\n")
    (tmp_path / "notebooks/01_one.ipynb").write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=one")
    read_commit.cache_clear()
    yield tmp_path
    read_commit.cache_clear()


@pytest.mark.usefixtures("notebook")
def test_parameters_are_those_that_were_injected():
    told = describe_figure("01_one-more")
    assert (told["figure"], told["notebook"]) == ("01_one-more", "notebooks/01_one.py")
    assert told["scale"] == "smoke"
    assert told["seeds"] == {"seed": 3}
    assert told["parameters"] == {"device": "cpu"}  # not the folder of the figures


@pytest.mark.usefixtures("notebook")
def test_the_code_is_that_of_the_cells_so_far_whatever_was_injected():
    code = describe_figure("01_one")["code"]
    assert code["cells"] == hash_cells([CELLS[1], CELLS[3]])
    assert code["cells"] != hash_cells([CELLS[1]])


@pytest.mark.usefixtures("notebook")
def test_versions_and_device_are_those_of_this_machine():
    told = describe_figure("01_one")
    assert told["versions"]["numpy"] == np.__version__
    assert told["versions"].keys() == {"python", "numpy", "torch", "matplotlib"}
    assert told["device"] == "cpu"
    assert told["software"] == f"sbd {provenance.version('sbd')}"


def test_outside_a_notebook_what_is_not_known_is_said_to_be_so():
    told = describe_figure("a")
    assert (told["scale"], told["data"], told["weights"]) == ("unknown",) * 3
    assert told["parameters"] == told["seeds"] == {}


@pytest.mark.usefixtures("notebook")
def test_nothing_tells_the_time_or_the_place():
    text = json.dumps(describe_figure("01_one"))
    assert str(PACKAGE.parent) not in text
    assert describe_figure("01_one") == describe_figure("01_one")


def test_files_that_were_used_are_told_by_their_digests():
    lines = [
        "import json, sbd",
        "from sbd.companion import tracing",
        "from sbd.companion.provenance import describe_figure",
        "tracing.start()",
        "sbd.load_model()",
        f"open({str(PACKAGE / 'assets/tuned.json')!r}).close()",
        "print(json.dumps(describe_figure('a')))",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    for kind, name in (
        ("data", "assets/tuned.json"),
        ("weights", "assets/weights/default.safetensors"),
    ):
        assert told[kind] == {name: f"sha256:{sha256(PACKAGE / name)}"}
    assert told["device"] in ("cpu", "mps") or told["device"].startswith("cuda")


def test_the_commit_is_that_of_the_checkout(checkout):
    assert read_commit(checkout) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "name", ["sbd/__init__.py", "sbd/new.py", "notebooks/01_one.py"]
)
def test_code_that_was_changed_is_marked(checkout, name):
    (checkout / name).write_text("2\n")
    assert read_commit(checkout) == git(checkout, "rev-parse", "HEAD") + "+"


@pytest.mark.parametrize("name", ["notebooks/01_one.ipynb", "figures/01_one.json"])
def test_what_a_run_rewrites_is_no_changed_code(checkout, name):
    (checkout / name).write_text("2\n")
    assert read_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_a_copy_within_another_repository_has_no_commit_of_it(checkout):
    installed = checkout / "venv" / "lib"
    (installed / "sbd").mkdir(parents=True)
    (installed / "sbd" / "__init__.py").write_text("1\n")
    assert read_commit(installed) == "unknown"


def test_without_git_the_commit_is_unknown(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert read_commit(checkout) == "unknown"


def test_the_cells_of_a_real_notebook_have_the_digest_of_its_record(monkeypatch):
    path = PACKAGE.parent / "notebooks" / "00_pipeline.py"
    if not path.exists():
        pytest.skip("the notebooks are not beside the package")
    cells = read_code(read_text(path))
    shell = SimpleNamespace(user_ns={"In": ["", *cells]})
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell)
    )
    assert describe_figure("00_pipeline")["code"]["cells"] == hash_cells(cells)
