"""Check that files are whole, whatever happens, and that digests are the known ones."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from sbd.files import replacing, sha256, write_bytes, write_json, write_text

# of "abc": FIPS 180-2, appendix B.1
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_takes_the_place_of_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_the_temporary_file_lies_hidden_beside_the_target(tmp_path):
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("")
        assert part.parent == tmp_path
        assert part.name.startswith(".a.txt.")
        assert part.suffix == ".part"


def _name_of_part(path):
    with replacing(path) as part:
        part.write_text("")
        return part.name


def test_two_processes_do_not_write_to_the_same_temporary_file(tmp_path):
    path = tmp_path / "a.txt"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        other = pool.apply(_name_of_part, (path,))
    assert other != _name_of_part(path)


def test_threads_and_nested_blocks_have_a_part_each(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as outer:
        outer.write_text("outer")
        write_text(path, "inner")
    assert path.read_text() == "outer"
    assert names(tmp_path) == ["a.txt"]


def test_a_link_goes_on_pointing_at_what_is_written(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "link").symlink_to("a.txt")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_folder_is_refused_before_anything_is_computed(tmp_path):
    reached = []
    words = "path must be that of a file; got"
    with pytest.raises(IsADirectoryError, match=words), replacing(tmp_path):
        reached.append(1)
    assert not reached


def test_an_error_is_told_although_the_part_cannot_be_removed(tmp_path):
    def fail():
        with replacing(tmp_path / "a") as part:
            part.mkdir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_folders_are_made_and_names_may_be_text(tmp_path):
    write_text(f"{tmp_path}/deep/er/a.txt", "å\n")
    assert (tmp_path / "deep/er/a.txt").read_bytes() == b"\xc3\xa5\n"


def test_json_ends_with_a_line_and_takes_the_options_of_dumps(tmp_path):
    path, value = tmp_path / "a.json", {"b": [1, 2.5], "a": "å"}
    write_json(path, value)
    assert path.read_text() == json.dumps(value, indent=1) + "\n"
    write_json(path, value, indent=None, ensure_ascii=False)
    assert path.read_bytes() == '{"b": [1, 2.5], "a": "å"}\n'.encode()


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {1, 2})
    assert json.loads(path.read_text()) == [1]
    assert names(tmp_path) == ["a.json"]


def test_bytes_files_and_both_in_turn_have_the_published_digest(tmp_path):
    for name, content in (("abc", b"abc"), ("b", b"b"), ("none", b"")):
        write_bytes(tmp_path / name, content)
    assert sha256(b"abc") == ABC
    assert sha256(tmp_path / "abc") == ABC
    assert sha256(b"a", tmp_path / "b", tmp_path / "none", b"c") == ABC


def test_an_array_is_digested_as_the_bytes_it_holds():
    assert sha256(np.frombuffer(b"abc", np.uint8).data) == ABC


def test_a_file_that_is_not_there_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256(Path(tmp_path / "nothing"))
