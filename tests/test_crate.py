"""Check the description of the project for archives, without their programs."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = runpy.run_path(str(ROOT / ".ci/crate.py"))


@pytest.fixture(scope="module")
def graph():
    entities = SCRIPT["crate"](ROOT)["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities)  # nothing is described twice
    return found


def links(value):
    """Yield what a value refers to."""
    if isinstance(value, list):
        for each in value:
            yield from links(each)
    elif isinstance(value, dict):
        yield value["@id"]


def kinds(entity):
    found = entity["@type"]
    return {found} if isinstance(found, str) else set(found)


def test_it_is_a_workflow_crate_whose_workflow_is_the_makefile(graph):
    start, whole = graph["ro-crate-metadata.json"], graph["./"]
    assert start["about"] == {"@id": "./"}
    assert set(links(start["conformsTo"])) == {
        "https://w3id.org/ro/crate/1.1",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    (main,) = links(whole["mainEntity"])
    workflow = {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert kinds(graph[main]) == workflow
    (language,) = links(graph[main]["programmingLanguage"])
    assert graph[language]["@type"] == "ComputerLanguage"
    assert whole.keys() >= {"name", "description", "license", "datePublished"}
    assert graph["README.md"]["about"] == {"@id": "./"}


def test_every_reference_leads_to_an_entity(graph):
    for entity in graph.values():
        for key, value in entity.items():
            if not key.startswith("@") and isinstance(value, dict | list):
                for name in links(value):
                    known = name in graph or name.startswith(("http://", "https://"))
                    assert known or name == "https://w3id.org/ro/crate/1.1", name


def test_every_file_is_there_and_is_part_of_the_whole(graph):
    parts = set(links(graph["./"]["hasPart"]))
    for name, entity in graph.items():
        if "File" in kinds(entity):
            assert (ROOT / name).is_file(), name
            assert name in parts
            assert entity["contentSize"] == str((ROOT / name).stat().st_size)
            assert entity["license"]


def test_every_notebook_is_a_step_with_its_figures(graph):
    texts = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
    made = set()
    for text in texts:
        run = graph[f"#run-{text.stem}"]
        assert f"notebooks/{text.name}" in set(links(run["instrument"]))
        made |= set(links(run["result"]))
    filed = {f"figures/{p.name}" for p in (ROOT / "figures").iterdir()}
    records = {f"notebooks/{text.stem}.ipynb" for text in texts}
    assert made == filed | records


def test_a_run_read_the_weights_that_its_record_names(graph):
    path = ROOT / "notebooks/02_comparison.ipynb"
    used = json.loads(path.read_text())["metadata"]["sbd"]["made_from"]["data"]
    read = set(links(graph["#run-02_comparison"]["object"]))
    assert read == {f"sbd/{name}" for name in used}


def test_without_git_the_year_stands_for_the_day(graph, tmp_path):
    (tmp_path / "_config.yml").write_text('copyright: "2026"\n')
    assert SCRIPT["commit_date"](tmp_path) == "2026"
    assert graph["./"]["datePublished"].startswith("20")


def test_git_ignores_what_is_written():
    ask = ["git", "-C", str(ROOT), "check-ignore", "ro-crate-metadata.json"]
    done = subprocess.run(ask, capture_output=True, check=False)
    assert done.returncode in (0, 128)  # 128: no repository
