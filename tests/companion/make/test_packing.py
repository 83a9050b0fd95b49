"""Check that what is packed is entered in its own row of the catalogue alone."""

import tomllib

import pytest

from sbd.companion.make import packing
from sbd.data.catalogue import ITEMS
from sbd.files import sha256

BUNDLED = [name for name, item in ITEMS.items() if item.how == "bundled"]


@pytest.fixture
def catalogue(tmp_path):
    """Copy the catalogue, so that the true one stays."""
    path = tmp_path / "catalogue.toml"
    path.write_bytes(packing.CATALOGUE.read_bytes())
    return path


def test_the_catalogue_is_the_one_that_the_package_reads():
    assert list(tomllib.loads(packing.CATALOGUE.read_text("utf8"))["items"]) == [*ITEMS]


@pytest.mark.parametrize("name", BUNDLED)
def test_entering_a_digest_changes_that_row_alone(catalogue, tmp_path, name):
    before = catalogue.read_text("utf8")
    made = tmp_path / "made"
    made.write_bytes(name.encode())
    assert packing.enter_digest(name, made, catalogue) == sha256(made)
    after = catalogue.read_text("utf8")
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    changed = [new for old, new in pairs if old != new]
    assert changed == [f'digest = "sha256:{sha256(made)}"']
    old, new = tomllib.loads(before), tomllib.loads(after)
    old["items"][name]["digest"] = f"sha256:{sha256(made)}"
    assert new == old


def test_entering_the_digest_that_is_there_changes_nothing(catalogue):
    path = packing.ASSETS / ITEMS["example/held-out"].file
    packing.enter_digest("example/held-out", path, catalogue)
    assert catalogue.read_bytes() == packing.CATALOGUE.read_bytes()


def test_an_empty_digest_is_filled_in(catalogue, tmp_path):
    catalogue.write_text('[items."weights/new"]\nfile = "a"\ndigest = ""\n')
    (tmp_path / "a").write_bytes(b"new")
    digest = packing.enter_digest("weights/new", tmp_path / "a", catalogue)
    assert tomllib.loads(catalogue.read_text())["items"]["weights/new"] == {
        "file": "a",
        "digest": f"sha256:{digest}",
    }


@pytest.mark.parametrize("name", ["weights/unknown", "weights/default.", "default"])
def test_a_row_that_is_not_there_is_told(catalogue, name):
    with pytest.raises(ValueError, match="name must be that of a row with a digest"):
        packing.enter_digest(name, packing.CATALOGUE, catalogue)


def test_a_row_without_a_digest_does_not_get_that_of_the_next(catalogue):
    before = catalogue.read_bytes()
    with pytest.raises(ValueError, match="got 'authors-dataset'"):
        packing.enter_digest("authors-dataset", packing.CATALOGUE, catalogue)
    assert catalogue.read_bytes() == before


def test_packed_weights_are_those_of_the_run_and_what_is_fetched(
    tmp_path, catalogue, monkeypatch
):
    enter = packing.enter_digest
    monkeypatch.setattr(packing, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(
        packing, "enter_digest", lambda name, path: enter(name, path, catalogue)
    )
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"weights")
    packed = packing.pack_weights("default", run)
    assert packed == tmp_path / "weights" / "default.safetensors"
    assert packed.read_bytes() == b"weights"
    assert packed.stat().st_mode & 0o777 == 0o644
    row = tomllib.loads(catalogue.read_text("utf8"))["items"]["weights/default"]
    assert row["digest"] == f"sha256:{sha256(packed)}"
    assert packing.ASSETS / row["file"] == packing.ASSETS / "weights" / packed.name
