"""Check what stands around the library: versions, commands, licences."""

import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = runpy.run_path(str(ROOT / ".ci/lock.py"))
PYTHON = "3.11"  # the one that makes records and pins
NEWER = ["3.12", "3.13"]  # that the library is tested with, but no figure
COLAB = "3.13"  # the one of Google Colab
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COMMANDS = [ROOT / "Makefile", *(ROOT / ".ci").iterdir(), *WORKFLOWS]


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def pinned():
    return dict(line.split("==") for line in constraints())


def required():
    """Yield every requirement of the package, its extras and its build."""
    yield from PROJECT["build-system"]["requires"]
    yield from PROJECT["project"]["dependencies"]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        yield from extra


def targets():
    return re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text())


def script(name, *arguments):
    """Run one of the scripts in .ci/."""
    command = [sys.executable, str(ROOT / ".ci" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# --- versions


def test_every_version_is_exact_sorted_and_named_once():
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", c) for c in constraints())
    names = [line.partition("==")[0] for line in constraints()]
    assert names == sorted(set(names))


@pytest.mark.parametrize("text", sorted(set(required())))
def test_every_requirement_is_pinned_and_satisfied(text):
    requirement = Requirement(text)
    version = pinned()[LOCK["canonical"](requirement.name)]
    assert requirement.specifier.contains(version)


def test_what_the_pinned_packages_need_is_pinned_too():
    pins = pinned()
    for name in pins:
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        for need in map(Requirement, needs):
            other = LOCK["canonical"](need.name)
            if LOCK["CUDA"].match(other):
                continue
            ours = {"extra": "", "python_version": PYTHON}  # others may need more
            if need.marker is None or need.marker.evaluate(ours):
                assert other in pins, f"{name} needs {other}"


def test_this_environment_holds_the_pinned_versions():
    for name, version in pinned().items():
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            continue
        assert Version(installed).public == version, f"{name}: run `make env`"


def test_every_pin_has_the_hashes_of_its_files():
    hashes = LOCK["read_hashes"]((ROOT / "hashes.txt").read_text())
    assert sorted(hashes) == sorted(constraints()), "run `make lock`"
    for pin, found in hashes.items():
        assert found, pin
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in found)


def test_pip_reads_the_hashes_of_all_but_torch():
    text = (ROOT / "hashes.txt").read_text()
    assert text.startswith(LOCK["HASHES"])
    joined = text.replace("\\\n", " ").splitlines()
    lines = [line for line in joined if not line.startswith("#")]
    names = [line.partition("==")[0] for line in lines]
    assert set(pinned()) - set(names) == {"torch"} == LOCK["APART"]
    shape = r"[a-z0-9-]+==\S+( +--hash=sha256:[0-9a-f]{64})+"
    assert all(re.fullmatch(shape, line) for line in lines)


def test_make_env_refuses_a_file_with_another_hash_before_it_goes_on():
    recipe = re.search(r"(?ms)^install:\n(.*?)\n\n", (ROOT / "Makefile").read_text())[1]
    strict, check = recipe.index("--require-hashes"), recipe.index("lock.py --check")
    assert strict < check < recipe.index("-e '.[$(EXTRAS)]'")


def report_of(**digests):
    """Write what pip says of the files that it took."""
    taken = [
        {
            "metadata": {"name": name},
            "download_info": {"archive_info": {"hashes": {"sha256": digest}}},
        }
        for name, digest in digests.items()
    ]
    return {"install": [*taken, {"metadata": {"name": "sbd"}, "download_info": {}}]}


def test_hashes_survive_being_written_and_what_pip_took_counts():
    listed = "# by a resolver\nattrs==1 \\\n    --hash=sha256:aa\ntorch==2 \\\n"
    listed += "    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    lines = LOCK["with_hashes"](listed, report_of(Torch="dd", attrs="aa"))
    text = LOCK["HASHES"] + "\n".join(lines) + "\n"
    every = {"attrs==1": {"aa"}, "torch==2": {"bb", "cc", "dd"}}
    assert LOCK["read_hashes"](text) == every
    with pytest.raises(ValueError, match="attrs==1 must have a hash; got none"):
        LOCK["with_hashes"]("attrs==1\n", report_of())


def test_a_strange_file_is_named(tmp_path):
    hashes, report = tmp_path / "hashes.txt", tmp_path / "report.json"
    hashes.write_text("#torch==2 \\\n#    --hash=sha256:bb\n")
    for digest, code in (("bb", 0), ("cc", 1)):
        report.write_text(json.dumps(report_of(torch=digest)))
        done = script("lock.py", "--check", hashes, report)
        assert done.returncode == code
        assert ("torch is not one of the files" in done.stderr) == bool(code)


def test_what_came_from_no_file_is_named_and_old_reports_are_read():
    folder = {"metadata": {"name": "torch"}, "download_info": {"dir_info": {}}}
    found = LOCK["strange_files"]("torch==2 --hash=sha256:bb", {"install": [folder]})
    assert found == ["torch is from no file, so that nothing tells what it is"]
    old = folder | {"download_info": {"archive_info": {"hash": "sha256=bb"}}}
    assert LOCK["strange_files"]("torch==2 --hash=sha256:bb", {"install": [old]}) == []


def test_conda_takes_the_versions_and_extras_of_make_env():
    python, pip, nested = yaml.safe_load((ROOT / "environment.yml").read_text())[
        "dependencies"
    ]
    extras = re.search(r"(?m)^EXTRAS := (.*)$", (ROOT / "Makefile").read_text())[1]
    assert (python, pip) == (f"python={PYTHON}", "pip")
    assert nested == {"pip": ["-c constraints.txt", f"-e .[{extras}]"]}
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()


def jobs():
    """Yield the jobs of all workflows."""
    for path in WORKFLOWS:
        yield from yaml.safe_load(path.read_text())["jobs"].values()


def versions(job):
    """List the versions of Python that a job is repeated with."""
    return job.get("strategy", {}).get("matrix", {}).get("python", [])


def set_up(job):
    """List the versions of Python that a job sets up."""
    steps = [s["with"] for s in job["steps"] if "setup-python" in s.get("uses", "")]
    return [str(step["python-version"]) for step in steps]


def commands(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_one_python_version_everywhere():
    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    assert all(version in supported for version in [PYTHON, *NEWER])
    assert f"\nPYTHON ?= python{PYTHON}\n" in (ROOT / "Makefile").read_text()
    fixed = (set_up(job) for job in jobs() if not versions(job))
    chosen = f"${{{{ matrix.versions == 'colab' && '{COLAB}' || '{PYTHON}' }}}}"
    assert {version for each in fixed for version in each} == {PYTHON, chosen}


def test_newer_python_versions_run_the_tests_of_the_library_alone():
    (job,) = (job for job in jobs() if versions(job))
    assert versions(job) == NEWER
    assert set_up(job) == ["${{ matrix.python }}"]
    assert "make env PYTHON=python${{ matrix.python }}\n" in commands(job)
    assert "-m pytest" in commands(job)
    assert "nbval" not in commands(job)  # one version makes and compares records


def test_the_weekly_run_breaks_the_library_and_runs_the_smallest_scale():
    flow = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text())
    lines = [s["run"] for s in flow["jobs"]["rot"]["steps"] if "run" in s]
    (pinned,) = (line for line in lines if ".ci/run" in line)
    assert {"make smoke", "make mutations", "make sphinx"} <= set(pinned.split(" && "))
    assert f"make colab PYTHON=python{COLAB}" in lines


def test_every_requirement_has_a_lowest_version():
    for requirement in map(Requirement, required()):
        operators = {each.operator for each in requirement.specifier}
        assert operators & {">=", "=="}, f"{requirement.name} has no lower bound"


# --- commands


def test_help_is_what_make_does_first_and_lists_every_target():
    command = ["make", "-C", str(ROOT), "--no-print-directory"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in shown.splitlines()] == targets()


@pytest.mark.parametrize(
    "path",
    [*COMMANDS, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "book").glob("*.md"))],
    ids=lambda path: path.name,
)
def test_every_make_command_that_is_named_exists(path):
    named = re.findall(r"(?m)(?:`|&& |run: |^ *)make ([a-z][a-z-]*)", path.read_text())
    assert set(named) <= set(targets())


def test_continuous_integration_runs_targets_that_exist():
    loop = re.search(r"for target in (.*); do", (ROOT / ".ci/run").read_text())[1]
    assert set(loop.split()) <= set(targets())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_no_command_leans_on_one_machine(path):
    absolute = r"(?<![\w.}$/])/(?!usr/bin/env|dev/null)[a-z]+/"
    code = re.sub(r"(?m)(?:^|\s)#(?!!).*|https?://\S+", "", path.read_text())
    assert re.findall(absolute, code) == []


@pytest.mark.parametrize("name", ["run", "stage"])
def test_shell_scripts_are_executable_and_stop_at_the_first_error(name):
    path = ROOT / ".ci" / name
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in path.read_text()
    subprocess.run(["bash", "-n", path], check=True)


def test_a_stage_says_its_time_and_hands_on_the_failure():
    stage = [ROOT / ".ci/stage", "a name", "bash", "-c", "exit 3"]
    ended = subprocess.run(stage, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert re.search(r"== a name: FAILED \(3\) in 0 min 0\d s\n", ended.stdout)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_well_formed(path):
    flow = yaml.safe_load(path.read_text())
    # YAML takes the key "on" for the value True
    assert flow.keys() >= {"name", True, "permissions", "jobs"}
    for job in flow["jobs"].values():
        assert set(job.get("needs", "").split()) <= flow["jobs"].keys()
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            version = r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})"
            assert re.fullmatch(version, step.get("uses", "a/b@v1"))
            shell = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
            subprocess.run(["bash", "-n"], input=shell, text=True, check=True)


# --- what readers and archives get


def test_the_wheel_holds_the_whole_package(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run([*build, "-d", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("sbd/")}
    ours = {p.relative_to(ROOT).as_posix() for p in (ROOT / "sbd").rglob("*.*")}
    assert held == {name for name in ours if "__pycache__" not in name}


def test_the_citation_is_complete():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper = citation["preferred-citation"]
    assert citation["cff-version"] == "1.2.0"
    assert citation.keys() >= {"message", "title", "authors"}
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert (paper["type"], paper["year"], len(paper["authors"])) == ("article", 2022, 9)
    assert f"https://doi.org/{paper['doi']}" in (ROOT / "README.md").read_text()


def test_code_and_text_have_their_licences():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    text = (ROOT / "LICENSE-text").read_text()
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text
    for section in range(1, 9):
        assert re.search(rf"(?m)^ *Section {section} ", text)


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")), ids=lambda path: path.stem)
def test_links_of_the_pages_at_the_top_lead_somewhere(path):
    links = re.findall(r"\]\(([^)]+)\)", path.read_text())
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_scoreboard_is_current():
    assert script("scoreboard.py", "--check").returncode == 0


def test_the_scoreboard_follows_the_measurements(tmp_path):
    board = runpy.run_path(str(ROOT / ".ci/scoreboard.py"))
    shutil.copytree(ROOT / "figures", tmp_path / "figures")
    shutil.copytree(ROOT / "book/measured", tmp_path / "book/measured")
    shutil.copy(ROOT / "book/claims.yml", tmp_path / "book")
    methods = tmp_path / "book/measured/methods.json"
    numbers = json.loads(methods.read_text())
    numbers["strict test"]["all"] = {
        "images": 7,
        "constant": {"psnr": 17.04, "standard_error": 0.2, "ssim": 0.5},
        "network": {"psnr": 36.66, "standard_error": 0.31, "ssim": 0.98},
    }
    others = "PURE-LET", "spot filter", "correlation averaging"
    for i, name in enumerate(others):  # claims ask for more methods
        row = {"psnr": 28.0 + i, "standard_error": 0.1, "ssim": 0.9}
        numbers["strict test"]["all"][name] = row
    methods.write_text(json.dumps(numbers))
    trial = tmp_path / "book/measured/gpu.json"
    numbers = json.loads(trial.read_text())
    numbers["training"]["minutes"] = 3.2
    numbers["score"]["strict test"] |= {
        "images": 7,
        "whole": {"mean": 33.333, "standard_error": 0.04},
        "ssim": {"mean": 0.97},
    }
    trial.write_text(json.dumps(numbers))
    readme = tmp_path / "README.md"
    readme.write_text("Before\n<!-- scoreboard -->\n<!-- /scoreboard -->\nAfter\n")
    assert board["main"](["--check"], tmp_path) == 1
    assert board["main"]([], tmp_path) == 0
    assert board["main"](["--check"], tmp_path) == 0
    table = [line for line in readme.read_text().splitlines() if line[:1] == "|"]
    assert table[2:] == [
        "| network | 36.7 ± 0.3 | 0.980 |",
        "| paper's network, 3 GPU minutes | 33.33 ± 0.04 | 0.970 |",
        "| correlation averaging | 30.00 ± 0.10 | 0.900 |",
        "| spot filter | 29.00 ± 0.10 | 0.900 |",
        "| PURE-LET | 28.00 ± 0.10 | 0.900 |",
        "| constant | 17.04 ± 0.20 | 0.500 |",
    ]
    assert "Means of 7 simulated images" in readme.read_text()


# --- the tests' own ground (conftest.py)


def test_a_test_cannot_leave_this_machine():
    with socket.socket() as plug, pytest.raises(RuntimeError, match="must not use"):
        plug.connect(("192.0.2.1", 80))


def test_a_test_can_reach_a_server_of_its_own():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_a_test_has_one_thread_and_a_cache_of_its_own():
    import torch

    assert torch.get_num_threads() == 1
    parents = Path(os.environ["SBD_DATA_DIR"]).parents
    assert any(folder.name.startswith("pytest-") for folder in parents)
    assert "SBD_MIRROR" not in os.environ
