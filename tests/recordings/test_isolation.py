"""Check that a file that keeps or crashes its reader does so in another process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from sbd.cli import main
from sbd.recordings import isolation, read_micrograph, write_micrograph
from sbd.recordings.isolation import ReadingProcess, is_safe, seconds_allowed

IMAGE = np.random.default_rng(0).poisson(3.0, (40, 50)).astype(np.uint16)
pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


def save(file: Path) -> Path:
    if file.suffix == ".h5":
        with h5py.File(file, "w") as store:
            store["a/counts"] = IMAGE
            store["b"] = IMAGE.T
    elif file.suffix == ".tif":
        tifffile.imwrite(file, np.stack([IMAGE] * 3), photometric="minisblack")
    elif file.suffix == ".npy":
        np.save(file, IMAGE)
    else:
        write_micrograph(IMAGE, file, pixel=0.06, provenance={"made by": "a test"})
    return file


@pytest.fixture
def process():
    with ReadingProcess() as one:
        yield one


def test_another_process_reads_what_this_one_reads(tmp_path, process):
    for name in ("a.h5", "a.tif", "a.npy", "a.npz", "a.hspy", "a.mrc"):
        file = save(tmp_path / name)
        dataset = "b" if file.suffix == ".h5" else None
        here = read_micrograph(file, dataset=dataset)
        there = process.read(file, dataset=dataset, limit=60)
        np.testing.assert_array_equal(there.values, here.values)
        assert there.values.dtype == here.values.dtype
        assert isinstance(there.values, np.memmap) == isinstance(here.values, np.memmap)
        assert (str(there), there.title, there.file) == (str(here), here.title, file)
        assert repr(there.metadata) == repr(here.metadata)


def test_values_of_another_process_outlive_it(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "_MAPPED", 0)  # as if they were large
    values = read_micrograph(save(tmp_path / "a.hspy"), limit=60).values
    assert isinstance(values, np.memmap)
    np.testing.assert_array_equal(values, IMAGE)


def test_what_is_refused_is_refused_in_the_same_words(tmp_path, process):
    two = save(tmp_path / "two.h5")
    broken = tmp_path / "broken.h5"
    broken.write_bytes(two.read_bytes()[:700])
    for file in (two, broken, tmp_path / "none.h5", tmp_path / "a.doc"):
        if file.suffix == ".doc":
            file.write_text("words")
        with pytest.raises((ValueError, OSError)) as here:
            read_micrograph(file)
        with pytest.raises(type(here.value).__mro__[-4]) as there:
            process.read(file, dataset=None, limit=60)
        assert str(there.value) == str(here.value)


@pipes
def test_a_reader_that_does_not_come_back_is_ended(tmp_path, process):
    os.mkfifo(tmp_path / "pipe.tif")  # which nobody writes to
    words = r"file must be one that can be read within 0.5 s; got .*pipe.tif"
    with pytest.raises(ValueError, match=words):
        read_micrograph(tmp_path / "pipe.tif", limit=0.5)
    with pytest.raises(ValueError, match=words):
        process.read(tmp_path / "pipe.tif", dataset=None, limit=0.5)
    assert process.pid is None
    file = save(tmp_path / "a.tif")
    assert process.read(file, dataset=None, limit=60).frames == 3


@pipes
def test_a_reader_that_crashes_is_replaced(tmp_path, process):
    os.mkfifo(tmp_path / "pipe.tif")

    def crash():
        while process.pid is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)

    threading.Thread(target=crash).start()
    with pytest.raises(ValueError, match=r"crashed its reader \(exit code -9\)"):
        process.read(tmp_path / "pipe.tif", dataset=None, limit=60)
    file = save(tmp_path / "a.tif")
    assert process.read(file, dataset=None, limit=60).frames == 3


@pipes
def test_one_file_that_keeps_its_reader_does_not_stop_the_others(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.tif")
    save(tmp_path / "b.hspy")
    assert main(["check", str(tmp_path), "--limit", "20"]) == 1
    first, second = capsys.readouterr().out.split("b.hspy:")
    assert "a.tif: file must be one that can be read within 20 s" in first
    assert "40 x 50 pixels, uint16, pixel 0.06" in second


def test_a_child_loads_no_network():
    # of what a child could load torch would take longest
    code = "import sys, sbd.recordings.reading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_time_grows_with_the_file(tmp_path):
    file = tmp_path / "a.dm4"
    with file.open("wb") as opened:
        opened.truncate(50_000_000)
    assert seconds_allowed(file) == 15
    assert not is_safe(file)
    assert is_safe(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="limit must be"):
        read_micrograph(file, limit=-1)


def test_a_process_that_was_ended_between_files_is_no_fault_of_the_next(
    tmp_path, process
):
    first, second = save(tmp_path / "a.tif"), save(tmp_path / "b.tif")
    process.read(first, dataset=None, limit=60)
    process._process.kill()  # and nobody has noticed yet
    read = process.read(second, dataset=None, limit=60)
    np.testing.assert_array_equal(read.values, np.stack([IMAGE] * 3))


def test_an_answer_to_an_interrupted_question_is_of_no_other_file(
    tmp_path, process, monkeypatch
):
    first, second = save(tmp_path / "a.npy"), tmp_path / "b.npy"
    np.save(second, IMAGE + 1)
    process.read(first, dataset=None, limit=60)

    with monkeypatch.context() as patch:
        patch.setattr(process, "_answers", Interrupting(process._answers))
        with pytest.raises(KeyboardInterrupt):
            process.read(first, dataset=None, limit=60)
    read = process.read(second, dataset=None, limit=60)
    np.testing.assert_array_equal(read.values, IMAGE + 1)


class Interrupting:
    """A queue at which somebody presses a key."""

    def __init__(self, queue):
        self.queue = queue

    def get(self, **_how):
        raise KeyboardInterrupt

    def __getattr__(self, name):
        return getattr(self.queue, name)


def test_a_folder_that_is_gone_is_no_fault_of_the_file(tmp_path, process, monkeypatch):
    file = save(tmp_path / "a.tif")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert process.read(file, dataset=None, limit=60).values.shape == (3, 40, 50)


def test_any_limit_can_be_counted(tmp_path, process):
    file = save(tmp_path / "a.tif")
    for limit in (1e12, 60):
        read = process.read(file, dataset=None, limit=limit)
        assert read.values.shape == (3, 40, 50)
