"""Check that a benchmark tells machines what it holds, and what is there."""

import json

import pandas as pd
import pytest

import sbd
from sbd.benchmark.recipes import Recipe
from sbd.files import sha256

FEW = {
    "recipes": (Recipe("PtNp4", "D0", 10.0), Recipe("PtNp4", "D1", 10.0)),
    "tilts": ((0.0, 0.0), (0.0, 2.0)),
    "defoci": (0.0, 6.0, 9.0),
    "grid": 64,
    "progress": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("few")
    sbd.simulate_benchmark(place, **FEW)
    return place


@pytest.fixture(scope="module")
def told(folder):
    return json.loads((folder / "croissant.json").read_text())


def named(nodes):
    return {node["@id"]: node for node in nodes}


def test_it_says_what_it_is_and_what_is_allowed(told):
    assert told["@type"] == "Dataset"
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert told["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert told["description"].startswith("12 simulated electron micrographs")


def test_every_file_has_its_checksum_and_its_length(folder, told):
    files = [n for n in told["distribution"] if n["@type"] == "cr:FileObject"]
    assert len(files) == 3
    for node in files:
        file = folder / node["contentUrl"]
        assert node["sha256"] == sha256(file)
        assert node["contentSize"] == f"{file.stat().st_size} B"


def test_the_chunks_are_those_that_are_there(folder, told):
    chunks = named(told["distribution"])["chunks"]
    assert len(list(folder.glob(chunks["includes"]))) == len(FEW["recipes"])


def test_every_column_has_a_type_and_a_length_has_a_unit(folder, told):
    table = pd.read_csv(folder / "labels.csv")
    fields = named(told["recordSet"])["labels"]["field"]
    assert [field["name"] for field in fields] == list(table.columns)
    for field in fields:
        number = table[field["name"]].dtype.kind == "f" and field["name"] != "contrast"
        assert field["dataType"] == ("sc:Float" if number else "sc:Text")
        assert field["description"].endswith("]") == number
        assert field["source"]["extract"] == {"column": field["name"]}


def test_the_array_is_described_as_it_is(folder, told):
    (field,) = named(told["recordSet"])["images"]["field"]
    array = json.loads((folder / "images.zarr/zarr.json").read_text())
    assert array["data_type"] == "float16"
    assert " x ".join(map(str, array["shape"][1:])) in field["description"]
    assert "[expected electrons per pixel]" in field["description"]


def test_every_reference_leads_to_a_part_of_it(told):
    ids = named(told["distribution"]).keys()
    for records in told["recordSet"]:
        for field in records["field"]:
            kinds = {"fileObject", "fileSet"} & field["source"].keys()
            (kind,) = kinds
            assert field["source"][kind]["@id"] in ids
            assert field["@id"].startswith(f"{records['@id']}/")


def test_the_same_benchmark_has_the_same_metadata(folder, told):
    sbd.simulate_benchmark(folder, **FEW)
    assert json.loads((folder / "croissant.json").read_text()) == told
