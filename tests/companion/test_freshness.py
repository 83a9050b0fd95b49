"""Check that measured files say what they were made from, and when they are old."""

import json

import pytest

from sbd.companion import freshness
from sbd.companion.freshness import MEASURED, check_measured, waive, write_measured

SCRIPT = """\
from sbd.noise import count
from sbd.companion.freshness import write_measured

write_measured("number.json", {"number": count(1)}, __file__)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Measure one number with a package of one function."""
    (tmp_path / "sbd").mkdir()
    (tmp_path / "sbd/__init__.py").write_text("")
    (tmp_path / "sbd/noise.py").write_text("def count(n):\n    return n\n")
    (tmp_path / "number.py").write_text(SCRIPT)
    monkeypatch.setattr(freshness, "ROOT", tmp_path)
    write_measured(tmp_path / "number.json", {"number": 1}, tmp_path / "number.py")
    return tmp_path


def change(folder, code="def count(n):\n    return n + 1\n"):
    (folder / "sbd/noise.py").write_text(code)


def test_what_was_just_measured_is_fresh(folder):
    assert json.loads((folder / "number.json").read_text()) == {"number": 1}
    assert check_measured(folder, folder) == {}


def test_other_code_makes_a_number_old_and_is_named(folder):
    change(folder)
    assert check_measured(folder, folder) == {"number": "changed since: noise:count"}


def test_a_number_that_was_typed_is_told(folder):
    (folder / "number.json").write_text('{"number": 2}')
    assert "not those that its script wrote" in check_measured(folder, folder)["number"]


def test_a_file_without_a_note_is_told(folder):
    (folder / "made_from/number.json").unlink()
    assert "nothing says" in check_measured(folder, folder)["number"]


def test_a_waiver_holds_until_the_next_change(folder):
    change(folder)
    waive(folder / "number.json", "only its speed has changed", folder)
    assert check_measured(folder, folder) == {}
    change(folder, "def count(n):\n    return 7\n")
    assert check_measured(folder, folder) == {"number": "changed since: noise:count"}


@pytest.mark.parametrize(("reason", "edit"), [("  ", True), ("a reason", False)])
def test_a_waiver_needs_a_change_and_a_reason(folder, reason, edit):
    if edit:
        change(folder)
    with pytest.raises(ValueError, match="a waiver must have"):
        waive(folder / "number.json", reason, folder)


def test_the_measured_files_of_the_book_are_fresh_or_say_why_not():
    assert check_measured() == {}


def test_every_script_of_the_book_notes_what_its_numbers_are_made_from():
    for file in MEASURED.glob("*.json"):
        assert "write_measured(" in file.with_suffix(".py").read_text("utf8"), file.name
