"""Check that records are made whole, the same twice, and from known parameters."""

import json
import os
import subprocess
import sys

import nbformat
import numpy as np
import papermill
import pytest

from sbd.companion import fingerprints, records
from sbd.companion.fingerprints import check_records
from sbd.companion.records import (
    computing,
    copy_prose,
    kernel_environment,
    main,
    run_notebook,
)

TEXT = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Prose

# %% tags=["parameters"]
scale = "default"
seed = 0
device = "auto"
figures = "figures"

# %% mystnb={"figure": {"caption": "A caption.", "name": "fig-one"}}
from sbd.plotting.images import show_images
from sbd.companion.filing import save_figure

fig = show_images({"(a) Data": [[0.0, 1.0 + seed]]})
save_figure(fig, "01_one", {"source": "authors", "scale": scale}, figures)

# %%
print("first")
print("second")
"""
FAILING = TEXT.replace('print("second")', "1 / 0")


def lay_out(folder, text=TEXT):
    (folder / "notebooks").mkdir(parents=True)
    path = folder / "notebooks" / "01_one.py"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Run a notebook twice in place, then once small and elsewhere."""
    root = tmp_path_factory.mktemp("project")
    path = lay_out(root)
    package = root / "sbd"  # the real one may be edited while the tests run
    package.mkdir()
    (package / "noise.py").write_text("VACUUM = 0.45\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "PACKAGE", package)
        runs = []
        for _ in range(2):
            run_notebook(path)
            files = sorted(p for p in root.rglob("*.*") if p.parent != package)
            runs.append({p.relative_to(root).as_posix(): p.read_bytes() for p in files})
        other = root / "other"
        run_notebook(path, parameters={"scale": "smoke", "seed": 3}, to=other)
        yield root, runs, check_records(root / "notebooks")


def read(path):
    return nbformat.read(path, as_version=4)


def test_two_runs_give_the_same_bytes(done):
    _, (first, second), _ = done
    names = {f"notebooks/01_one.{suffix}" for suffix in ("py", "ipynb")}
    names |= {f"figures/01_one.{suffix}" for suffix in ("png", "svg", "json")}
    assert set(first) == names | {"notebooks/bundled/01_one.json"}
    assert first == second


def test_a_record_just_made_is_fresh(done):
    assert done[2] == []


def test_a_record_has_the_cells_of_its_text(done):
    record = read(done[0] / "notebooks" / "01_one.ipynb")
    text = fingerprints.read_text(done[0] / "notebooks" / "01_one.py")
    assert [c.source for c in record.cells] == [c.source for c in text.cells]
    nbformat.validate(record)


def test_a_record_holds_no_times_and_counts_from_one(done):
    record = read(done[0] / "notebooks" / "01_one.ipynb")
    code = [cell for cell in record.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert {key for cell in record.cells for key in cell.metadata} == {"mystnb", "tags"}
    assert set(record.metadata) == {"kernelspec", "language_info", "sbd"}
    assert "version" not in record.metadata.language_info


def test_a_record_says_what_it_was_made_with(done):
    about = read(done[0] / "notebooks" / "01_one.ipynb").metadata.sbd
    assert (about.scale, about.seed, about.source) == ("default", 0, "authors")
    assert about.made_from.parameters.device == "auto"
    assert "plotting/images.py" in about.made_from.library
    assert "companion/filing.py" in about.made_from.library
    assert "networks/published.py" not in about.made_from.library


def test_what_is_shown_without_downloads_is_kept_beside_it(done):
    folder = done[0] / "notebooks"
    kept = json.loads((folder / "bundled" / "01_one.json").read_text())
    code = [c for c in read(folder / "01_one.ipynb").cells if c.cell_type == "code"]
    assert len(kept["outputs"]) == len(code)
    outputs = [output for cell in kept["outputs"] for output in cell]
    (figure,) = (o for o in outputs if "sbd_digest" in o.get("metadata", {}))
    assert figure["metadata"]["sbd_digest"]["numbers"]
    assert "image/png" not in figure["data"]


def test_pieces_of_a_stream_are_joined(done):
    record = read(done[0] / "notebooks" / "01_one.ipynb")
    (output,) = record.cells[-1].outputs
    assert output.text == "first\nsecond\n"


def test_other_parameters_stand_in_a_cell_of_their_own(done):
    record = read(done[0] / "other" / "notebooks" / "01_one.ipynb")
    assert 'scale = "smoke"' in record.cells[2].source
    assert record.cells[2].metadata.tags == ["injected-parameters"]
    assert record.metadata.sbd.scale == "smoke"
    numbers = json.loads((done[0] / "other" / "figures" / "01_one.json").read_text())
    assert numbers["scale"] == "smoke"


def test_a_run_elsewhere_leaves_the_project_alone(done):
    numbers = json.loads((done[0] / "figures" / "01_one.json").read_text())
    assert numbers["scale"] == "default"


def test_a_failing_notebook_leaves_nothing(tmp_path):
    path = lay_out(tmp_path, FAILING)
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        run_notebook(path)
    assert [p.name for p in tmp_path.rglob("*.*")] == ["01_one.py"]


def test_an_unknown_parameter_is_refused_with_the_known_ones(tmp_path):
    path = lay_out(tmp_path)
    words = "parameters must be among scale, seed, device, figures; got sede"
    with pytest.raises(ValueError, match=words):
        run_notebook(path, parameters={"sede": 3}, to=tmp_path / "other")


def test_other_parameters_never_reach_the_committed_record(tmp_path):
    path = lay_out(tmp_path)
    with pytest.raises(ValueError, match=r"another seed, such as _build/executed; got"):
        run_notebook(path, parameters={"seed": 1})


def test_figures_that_are_no_longer_made_are_removed(tmp_path):
    made, kept = tmp_path / "made", tmp_path / "kept"
    for folder in (made, kept):
        folder.mkdir()
    (made / "01_one.png").write_text("new")
    older = ("01_one.svg", "01_one-old.png", "01_one.00.png", "01_one-old.01.png")
    for name in ("01_one.png", *older, "01_one.txt", "02.png"):
        (kept / name).write_text("old")
    records._file_figures(made, kept, "01_one")
    names = sorted(path.name for path in kept.iterdir())
    assert names == ["01_one.png", "01_one.txt", "02.png"]
    assert (kept / "01_one.png").read_text() == "new"


def test_prose_and_captions_reach_the_record_without_a_run(done, tmp_path):
    path = lay_out(tmp_path)
    record = path.with_suffix(".ipynb")
    record.write_bytes((done[0] / "notebooks" / "01_one.ipynb").read_bytes())
    before = read(record)
    path.write_text(TEXT.replace("Prose", "Verse").replace("A cap", "Another cap"))
    copy_prose(path)
    after = read(record)
    assert after.cells[0].source == "# Verse"
    assert after.cells[2].metadata.mystnb.figure.caption == "Another caption."
    assert after.cells[2].outputs == before.cells[2].outputs
    assert after.metadata == before.metadata


def test_prose_is_not_copied_to_other_code(done, tmp_path):
    path = lay_out(tmp_path)
    record = path.with_suffix(".ipynb")
    record.write_bytes((done[0] / "notebooks" / "01_one.ipynb").read_bytes())
    path.write_text(TEXT.replace("second", "third"))
    with pytest.raises(ValueError, match="must have the text's code; run it instead"):
        copy_prose(path)


def test_the_command_line_checks_names_before_it_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(lay_out(tmp_path).parents[1])
    assert main(["run", "-p", "sede", "3", "--to", "other"]) == 1
    assert "got sede" in caplog.text
    assert not (tmp_path / "other").exists()


def test_the_command_line_runs_small_elsewhere(tmp_path):
    lay_out(tmp_path)
    command = [
        sys.executable,
        "-m",
        "sbd.companion.records",
        "run",
        "--scale",
        "smoke",
        "01",
    ]
    run = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "01_one: " in run.stderr
    assert (tmp_path / "_build/executed/notebooks/01_one.ipynb").exists()
    assert not (tmp_path / "figures").exists()


def test_notebooks_side_by_side_give_what_they_give_one_by_one(tmp_path):
    path = lay_out(tmp_path)
    (path.parent / "02_two.py").write_text(TEXT.replace("01_one", "02_two"))
    command = [
        sys.executable,
        "-m",
        "sbd.companion.records",
        "run",
        "--scale",
        "smoke",
        "--to",
    ]
    for more in (["one"], ["two", "--jobs", "2"]):
        subprocess.run([*command, *more], cwd=tmp_path, check=True, capture_output=True)
    made = [
        {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*")}
        for folder in (tmp_path / "one", tmp_path / "two")
    ]
    assert len(made[0]) == 8
    assert made[0] == made[1]


def test_a_failure_beside_others_is_told(tmp_path, monkeypatch, caplog):
    path = lay_out(tmp_path)
    (path.parent / "02_two.py").write_text(FAILING.replace("01_one", "02_two"))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--scale", "smoke", "--to", "out", "--jobs", "2"]) == 1
    assert "02_two must run; it ended with" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(SystemExit):
        main(["run", "--jobs", "0"])


def test_the_command_line_names_stale_records(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(lay_out(tmp_path).parents[1])
    assert main(["check"]) == 1
    assert "01_one has no record" in caplog.text


def test_kernels_round_alike_unless_the_environment_chose(monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        monkeypatch.delenv(name, raising=False)
    simd = {"found": ["X86_V3"]}
    monkeypatch.setattr(np, "show_config", lambda **_: {"SIMD Extensions": simd})
    assert computing()["OPENBLAS_CORETYPE"] == "Haswell"
    simd["found"] = ["NEON"]
    assert "OPENBLAS_CORETYPE" not in computing()
    simd["found"] = ["AVX2"]
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "256")
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & computing().keys()


def test_the_environment_is_as_before(monkeypatch):
    monkeypatch.setenv("SBD_SOURCE", "real")
    with kernel_environment(SBD_SOURCE=None, SBD_FIGURES="here"):
        pass
    assert os.environ["SBD_SOURCE"] == "real"
    assert "SBD_FIGURES" not in os.environ
