"""Check the table of `make mutations` without running a notebook."""

import ast
import json
import sys
from importlib import util
from pathlib import Path

import pytest

from sbd.figureguard.plugin import HEADING

ROOT = Path(__file__).resolve().parents[1]
SPEC = util.spec_from_file_location("mutations", ROOT / ".ci/mutations.py")
mutations = sys.modules["mutations"] = util.module_from_spec(SPEC)
SPEC.loader.exec_module(mutations)
TABLE = mutations.read_table()
each = pytest.mark.parametrize("mutation", TABLE, ids=lambda mutation: mutation.name)


def edited(mutation):
    return (ROOT / mutation.file).read_text("utf8").replace(mutation.old, mutation.new)


@each
def test_every_edit_applies_at_one_place(mutation):
    assert (ROOT / mutation.file).read_text("utf8").count(mutation.old) == 1
    assert mutation.new != mutation.old


@each
def test_every_edited_file_can_still_be_read(mutation):
    if mutation.file.endswith((".yml", ".md")):
        return
    if mutation.file.endswith(".json"):
        assert json.loads(edited(mutation))
        return
    if mutation.file.endswith(".ipynb"):
        cells = json.loads(edited(mutation))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    else:
        code = [edited(mutation)]
    for text in code:
        ast.parse(text)


@each
def test_every_edit_is_noticed_by_something_that_is_there(mutation):
    assert bool(mutation.notebook) != bool(mutation.tests)
    if mutation.tests:
        assert (ROOT / mutation.tests.split()[0]).exists()
        return
    path = ROOT / "notebooks" / f"{mutation.notebook}.ipynb"
    assert path.exists()
    if mutation.file.endswith(".ipynb"):
        assert ROOT / mutation.file == path


def test_the_table_covers_the_book():
    assert len({mutation.name for mutation in TABLE}) == len(TABLE) >= 24
    assert len({m.notebook for m in TABLE if m.notebook}) >= 12
    assert len([m for m in TABLE if m.tests]) >= 12
    rooms = {Path(m.file).parts[1] for m in TABLE if m.file.startswith("sbd/")}
    seen = {"columns", "companion", "denoisers", "evidence", "networks", "plotting"}
    assert rooms >= seen | {"simulation", "metrics.py"}


def test_few_edits_are_excused():
    excused = [mutation for mutation in TABLE if mutation.survives]
    assert len(excused) <= len(TABLE) / 10


def test_every_notebook_of_the_table_runs_untouched_once():
    every = mutations.with_controls(TABLE)
    untouched = [mutation for mutation in every if not mutation.file]
    found = {m.notebook or m.tests for m in untouched}
    assert found == {m.notebook or m.tests for m in TABLE}
    assert len(found) == len(untouched)
    assert {mutation.wanted for mutation in untouched} == {"green"}


# --- what comes out of a run


def test_a_finding_of_the_guard_is_red():
    output = (
        f"Notebook cell\n\x1b[94m{mutations.NOTICED}\x1b[0m\nfigure 1: off\n1 failed"
    )
    assert mutations.judge(1, output) == ("red", "figure 1: off")


def test_a_failed_test_is_red_and_an_error_on_the_way_is_not():
    failed = "FAILED tests/test_claims.py::test_it - assert 1 == 2\n1 failed"
    assert mutations.judge(1, failed, "FAILED ")[0] == "red"
    broken = "ERROR tests/test_claims.py - ImportError\n1 error"
    assert mutations.judge(2, broken, "FAILED ")[0] == "no figure"


def test_the_guard_heads_its_findings_with_these_words():
    assert mutations.NOTICED == HEADING


def test_a_failure_without_a_figure_is_not_red():
    assert mutations.judge(1, "ValueError: no atoms\n1 failed") == (
        "no figure",
        "ValueError: no atoms",
    )
    assert mutations.judge(2, "Figures differ\nusage: pytest")[0] == "no figure"


def test_words_of_a_traceback_that_only_begin_like_an_error_are_not_its_reason():
    output = "Exception or exceptions that shall\nValueError: no atoms\n1 failed"
    assert mutations.judge(1, output)[1] == "ValueError: no atoms"


def test_a_record_that_was_not_compared_is_neither():
    assert mutations.judge(0, "9 skipped in 2 s")[0] == "skipped"
    assert mutations.judge(0, "8 passed in 2 s")[0] == "green"


def write_project(root):
    """Make a project of one module, and a notebook that nbval need not understand."""
    for name in ("sbd", "notebooks", "figures"):
        (root / name).mkdir()
    (root / "pyproject.toml").write_text("")
    (root / "sbd/__init__.py").write_text("")
    (root / "sbd/noise.py").write_text("VACUUM = 0.45\nDOSE = 0.45\n")
    return mutations.Mutation("one", "00_one", "sbd/noise.py", "VACUUM = 0.45", "V = 1")


def test_an_edit_changes_one_place_of_the_copy(tmp_path):
    mutation = write_project(tmp_path)
    assert mutation.apply(tmp_path)
    assert (tmp_path / "sbd/noise.py").read_text() == "V = 1\nDOSE = 0.45\n"
    assert not mutation.apply(tmp_path)  # the old text is gone


@pytest.mark.parametrize("whole", [False, True])
def test_a_copy_has_every_room_and_no_caches_or_downloads(tmp_path, whole):
    root, copy = tmp_path / "project", tmp_path / "copy"
    root.mkdir()
    copy.mkdir()
    write_project(root)
    rooms = ["sbd/data/registry.py", "book/measured/score.json"]
    tests = ["tests/data/test_registry.py", "book/claims.yml"]
    left_out = ["data/a.tif", ".venv/a.py", ".git/a", "book/_build/a.html"]
    left_out += ["_build/a.json", "sbd/data/__pycache__/registry.cpython-311.pyc"]
    for name in (*rooms, *tests, *left_out):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    mutations.copy_project(root, copy, whole=whole)
    found = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()}
    made = {"pyproject.toml", "sbd/__init__.py", "sbd/noise.py", *rooms}
    assert found == made | {*(tests if whole else ())}


def test_a_copy_of_the_library_lacks_no_module(tmp_path):
    mutations.copy_project(ROOT, tmp_path, whole=False)
    modules = {p.relative_to(ROOT) for p in ROOT.glob("sbd/**/*.py")}
    assert modules == {p.relative_to(tmp_path) for p in tmp_path.glob("sbd/**/*.py")}


def test_an_edit_that_could_be_meant_for_two_places_is_not_applied(tmp_path):
    write_project(tmp_path)
    twice = mutations.Mutation("two", "00_one", "sbd/noise.py", "0.45", "0.5")
    result, line = mutations.try_out(twice, tmp_path / "data", root=tmp_path)
    assert result == "not applied"
    assert "sbd/noise.py" in line


def test_a_copy_that_nothing_imported_proves_nothing(tmp_path):
    mutation = write_project(tmp_path)
    assert not mutations.is_imported(mutation, tmp_path)
    compiled = tmp_path / "sbd/__pycache__"
    compiled.mkdir()
    (compiled / "noise.cpython-311.pyc").write_bytes(b"")
    assert mutations.is_imported(mutation, tmp_path)


def test_a_run_takes_the_copy_and_nothing_that_this_machine_offers(
    tmp_path, monkeypatch
):
    for name in ("SBD_SOURCE", "SBD_MIRROR", "SBD_FIGURES"):
        monkeypatch.setenv(name, "here")
    found = mutations.environment(tmp_path, tmp_path / "data")
    assert found["PYTHONPATH"] == str(tmp_path)
    ours = {name: value for name, value in found.items() if name.startswith("SBD_")}
    assert ours == {"SBD_DATA_DIR": str(tmp_path / "data"), "SBD_ONLY_BUNDLED": "1"}


def test_results_are_kept_while_edit_and_code_are_the_same(tmp_path, monkeypatch):
    mutation = write_project(tmp_path)
    runs = []

    def try_out(mutation, data):
        runs.append((mutation.name, data.is_dir()))
        return "red", "figure 1: off"

    monkeypatch.setattr(mutations, "try_out", try_out)
    code = mutations.digest(tmp_path)
    monkeypatch.setattr(mutations, "digest", lambda: code)
    for _ in range(2):
        rows = mutations.measure([mutation], 1, tmp_path / "results.json")
    assert runs == [("one", True)]
    assert rows == json.loads((tmp_path / "results.json").read_text())
    code = "another"
    mutations.measure([mutation], 1, tmp_path / "results.json")
    assert len(runs) == 2


def test_the_digest_of_the_code_sees_every_file_that_is_copied(tmp_path):
    write_project(tmp_path)
    before = mutations.digest(tmp_path)
    assert mutations.digest(tmp_path) == before
    (tmp_path / "sbd/__pycache__").mkdir()
    (tmp_path / "sbd/__pycache__/noise.pyc").write_bytes(b"")
    assert mutations.digest(tmp_path) == before
    (tmp_path / "notebooks/00_one.ipynb").write_text("{}")
    assert mutations.digest(tmp_path) != before
