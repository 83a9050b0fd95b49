"""Keep the notebooks thin, alike, paired with their records, and runnable small."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from sbd.companion.fingerprints import (
    bundled_record,
    check_records,
    is_code,
    read_parameters,
    read_text,
)
from sbd.companion.guard import figure_problems
from sbd.data.catalogue import ITEMS
from sbd.figureguard.comparison import read_digest
from sbd.figureguard.digests import DIGEST_KEY

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
TEXTS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
SET_UP = ROOT / ".ci" / "setup_cell.py"
PROMISED = {
    "00_pipeline",
    "01_dataset",
    "02_comparison",
    "03_jacobian",
    "04_likelihood",
    "05_structures",
    "06_fidelity",
    "07_networks",
    "08_view",
    "09_borders",
    "10_generalisation",
    "11_significance",
    "12_filters",
    "13_purelet",
    "14_surfaces",
    "15_recording",
    "16_electrons",
    "17_material",
}

named = pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)


def code(path):
    return [cell for cell in read_text(path).cells if is_code(cell)]


def record_of(path):
    return nbformat.read(path.with_suffix(".ipynb"), as_version=4)


def figure_cells(notebook):
    return [c for c in notebook.cells if is_code(c) and "save_figure(" in c.source]


def test_the_promised_notebooks_are_there():
    assert {path.stem for path in TEXTS} >= PROMISED


def test_texts_and_records_come_in_pairs():
    records = {path.stem for path in FOLDER.glob("*.ipynb")}
    assert records == {path.stem for path in TEXTS}
    assert len(records) == len(TEXTS)


@named
def test_a_notebook_is_thin(path):
    cells = [cell for i, cell in enumerate(code(path)) if i != 1]  # 1 is the set-up
    lines = [line for cell in cells for line in cell.source.splitlines() if line]
    assert len(lines) <= 60
    assert not any(line.lstrip().startswith(("def ", "class ")) for line in lines)


@named
def test_the_first_code_cell_holds_the_parameters(path):
    assert code(path)[0].metadata.get("tags") == ["parameters"]
    assert {"scale", "figures"} <= set(read_parameters(read_text(path)))


@named
def test_a_page_has_no_parameter_that_does_nothing(path):
    later = "\n".join(cell.source for cell in code(path)[1:])
    used = {n.id for n in ast.walk(ast.parse(later)) if isinstance(n, ast.Name)}
    assert set(read_parameters(read_text(path))) <= used


@named
def test_the_set_up_cell_is_the_same_everywhere(path):
    assert code(path)[1].source.strip() == SET_UP.read_text().strip()


@named
def test_no_cell_hides_its_value(path):
    # nbval runs cells without history, and then IPython shows what ";" should hide
    assert not [c.source for c in code(path) if c.source.rstrip().endswith(";")]


@named
def test_a_record_has_the_cells_of_its_text(path):
    pairs = zip(read_text(path).cells, record_of(path).cells, strict=True)
    for text, record in pairs:
        assert text.cell_type == record.cell_type
        assert text.source == record.source
        for key in ("tags", "mystnb"):
            assert text.metadata.get(key) == record.metadata.get(key)


@named
def test_a_record_is_fresh(path):
    assert check_records(FOLDER, [path.stem]) == []


@named
def test_a_record_is_small(path):
    assert path.with_suffix(".ipynb").stat().st_size < 1_500_000


@named
def test_every_cell_of_a_record_was_run(path):
    cells = [cell for cell in record_of(path).cells if is_code(cell)]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))


@named
def test_a_record_shows_no_warning_no_error_and_no_path(path):
    for cell in filter(is_code, record_of(path).cells):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            words = output.get("text", "") + output.get("data", {}).get(
                "text/plain", ""
            )
            assert not re.search(r"(/home/|/tmp/|/root/|/work/|[A-Z]:\\)", words)


@named
def test_every_figure_of_a_record_has_its_digest(path):
    cells = figure_cells(record_of(path))
    assert cells, "a notebook is there to show something"
    for cell in cells:
        assert figure_problems(cell.outputs, cell.outputs, cell.source) == []


@named
def test_every_figure_has_caption_name_and_alternative_text(path):
    for cell in figure_cells(read_text(path)):
        settings = cell.metadata.get("mystnb", {})
        assert len(settings.get("figure", {}).get("caption", "")) > 20
        assert settings["figure"].get("name", "").startswith("fig-")
        assert len(settings.get("image", {}).get("alt", "")) > 20


def test_every_figure_name_is_used_once():
    names = [
        cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        for path in TEXTS
        for cell in figure_cells(read_text(path))
    ]
    assert len(names) == len(set(names))


@named
def test_a_page_depends_on_its_own_module_and_on_no_other_page(path):
    about = record_of(path).metadata.sbd.made_from
    pages = {Path(name).parts[2] for name in about.library if "/pages/" in name}
    own = {path.stem[3:], f"{path.stem[3:]}.py"}
    shared = {"__init__.py", "atomic_models.py", "diagrams.py"}
    assert pages <= own | shared


@named
def test_every_figure_has_a_digest_without_downloads_too(path):
    kept = json.loads(bundled_record(path).read_text())
    code = [cell for cell in record_of(path).cells if is_code(cell)]
    for cell, outputs in zip(code, kept["outputs"], strict=True):
        digests = [o for o in outputs if DIGEST_KEY in o.get("metadata", {})]
        assert len(digests) == cell.source.count("save_figure(")
    assert kept["metadata"]["sbd"]["source"] == "simulated"
    items = kept["metadata"]["sbd"]["made_from"]["items"]
    assert {ITEMS[name].how for name in items} <= {"bundled"}


@named
def test_a_page_that_needs_no_download_shows_the_same_without(path):
    record = record_of(path)
    if {ITEMS[name].how for name in record.metadata.sbd.made_from["items"]} - {
        "bundled"
    }:
        return
    kept = json.loads(bundled_record(path).read_text())["outputs"]
    for cell, outputs in zip(filter(is_code, record.cells), kept, strict=True):
        shown = json.loads(json.dumps(cell.outputs))
        for output in shown:
            output.get("data", {}).pop("image/png", None)
            if DIGEST_KEY in output.get("metadata", {}):
                output["metadata"][DIGEST_KEY] = read_digest(output["metadata"])
        assert shown == outputs


@named
def test_no_cell_asks_to_be_left_out_of_the_comparison(path):
    # nor shows how long something took, which is another number in each run
    for cell in read_text(path).cells:
        assert "nbval" not in cell.source.lower()
        assert not [tag for tag in cell.metadata.get("tags", []) if "nbval" in tag]
