"""Files read in a process of their own, for what a damaged one does to its reader.

The libraries for HDF5 and for the files of microscopes' makers may never come back from
a damaged file, or end the process. So a child reads it, and has so many seconds; what
it read comes back through a file that is mapped, however large it is. The child loads
what reading takes, and no network. It can read file after file; where one ended it, the
next is read by another.
"""

import faulthandler
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import IO

import numpy as np

from sbd.recordings.lengths import RefusedFileError
from sbd.recordings.recording import Recording
from sbd.validation import check_positive

_SECONDS, _SPEED = 10.0, 1e7  # for any file, and bytes in each second beyond
_LONGEST = 1e6  # seconds, that a clock can count
_START = 120.0  # seconds, in which a computer starts Python and loads the libraries
_MAPPED = 2**28  # larger images stay on the disc [bytes]
_SAFE = "npy", "npz", "mrc", "mrcs", "st", "rec"
_ERRORS = ValueError, OSError, ImportError
_CHILD = "from sbd.recordings.isolation import serve; serve()"


def is_safe(file: Path) -> bool:
    """Whether nothing is known to keep the reader of such files, or to crash it."""
    return file.suffix.lower().lstrip(".") in _SAFE


def seconds_allowed(file: Path) -> float:
    """Tell how long reading a whole file may take: 10 s, and 1 s for every 10 MB."""
    parts = [file] if file.is_file() else file.rglob("*")
    size = sum(part.stat().st_size for part in parts if part.is_file())
    return _SECONDS + size / _SPEED


class ReadingProcess:
    """A process that reads files, started when it is needed; closed with its block."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)

    def __enter__(self) -> "ReadingProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._folder.cleanup()

    @property
    def pid(self) -> int | None:
        """The number of the process, if it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running else None

    def read(self, file: Path, *, dataset: str | None, limit: float) -> Recording:
        """Read a file as `read_micrograph` does, within `limit` [s] or not at all."""
        check_positive(limit=limit)
        target = Path(self._folder.name) / "values.npy"
        limit = min(limit, _LONGEST)
        folder = "" if file.is_absolute() else str(Path.cwd())
        try:
            answer = self._begin((folder, str(file), dataset, str(target), limit))
            if answer == "begun":
                answer = self._answers.get(timeout=limit)
        except queue.Empty:
            self._end()
            msg = (
                f"file must be one that can be read within {limit:.3g} s; got {file}, "
                "which was not (it is damaged; a whole one may be given more time)"
            )
            raise RefusedFileError(msg) from None
        except BaseException:  # an answer that is still to come is of no other file
            self._end()
            raise
        if answer is None:
            code = self._end()
            msg = (
                f"file must be a whole one; got {file}, which crashed its reader "
                f"(exit code {code})"
            )
            raise RefusedFileError(msg)
        if isinstance(answer, Exception):
            raise answer
        return _unpack(*answer)

    def _begin(self, request: tuple) -> object:
        """Ask; and a new process, if that of earlier files ended before it began.

        It may have been ended from outside, or by what the file before has left.
        """
        earlier = self.pid is not None
        try:
            self._ask(request)
            answer = self._answers.get(timeout=_START)
        except OSError:  # nobody listens
            answer = None
        if answer is None and earlier:
            self._end()
            return self._begin(request)
        return answer

    def _ask(self, request: tuple) -> None:
        """Send a request, to a new process where there is none."""
        if self.pid is None:
            self._end()
            self._answers = queue.SimpleQueue()
            parts = (
                str(Path(part).absolute()) for part in sys.path if part or _is_here()
            )
            path = os.pathsep.join(parts)
            self._process = subprocess.Popen(
                # nothing that lies about where it is started is taken for a module
                [sys.executable, "-P", "-c", _CHILD],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            listening = threading.Thread(
                target=_listen, args=(self._process.stdout, self._answers), daemon=True
            )
            listening.start()
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()

    def _end(self) -> int | None:
        """End the process, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):  # of one that ends by itself
            process.wait(0.5 if self._answers.empty() else 0.05)
        process.kill()
        return process.wait()


def _is_here() -> bool:
    """Whether the folder in which this process runs is still there."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _listen(stream: IO[bytes], answers: queue.SimpleQueue) -> None:
    """Take answers as they come, and None when there will be no more."""
    with stream, suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            answers.put(pickle.load(stream))
    answers.put(None)


def serve() -> None:
    """Read the files that stdin asks for, and answer on stdout, in the child."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library may print

    def answer(content: object) -> None:
        answers.write(content if isinstance(content, bytes) else pickle.dumps(content))
        answers.flush()

    with suppress(EOFError):
        while True:
            folder, name, dataset, target, limit = pickle.load(sys.stdin.buffer)
            if folder:
                os.chdir(folder)
            file = Path(name)
            _load_reader(file)
            answer("begun")
            # if nobody is left to end it
            faulthandler.dump_traceback_later(2 * limit + 1, exit=True)
            answer(_read(file, dataset, Path(target)))
            faulthandler.cancel_dump_traceback_later()


def _load_reader(file: Path) -> None:
    """Load what reads a file, which takes longer than to read it."""
    from sbd.recordings.microscopes import FORMATS

    suffix = file.suffix.lower().lstrip(".")
    names = {"tif": "tifffile", "tiff": "tifffile", "h5": "h5py", "hdf5": "h5py"}
    with suppress(ImportError, StopIteration):
        if suffix in FORMATS:
            plugins = import_module("rsciio").IO_PLUGINS
            api = next(p["api"] for p in plugins if p["name"] == FORMATS[suffix])
            import_module(api).file_reader  # noqa: B018
        elif suffix in names:
            import_module(names[suffix])


def _read(file: Path, dataset: str | None, target: Path) -> bytes | Exception:
    """Read a file in the child, and pack what it holds or what is amiss with it."""
    from sbd.recordings.reading import read_micrograph

    try:
        return _pack(read_micrograph(file, dataset=dataset), target)
    except Exception as error:
        kind = next((kind for kind in _ERRORS if isinstance(error, kind)), ValueError)
        if isinstance(error, FileNotFoundError):
            kind = FileNotFoundError
        return kind(str(error))


def _pack(recording: Recording, target: Path) -> bytes:
    """Say where the values are, mapped from the file or in another, and all else."""
    values = recording.values
    where = {}
    if isinstance(values, np.memmap) and _is_whole(values, recording.file):
        where = {
            "filename": values.filename, "dtype": values.dtype,
            "offset": values.offset, "shape": values.shape,
        }  # fmt: skip
    else:
        np.save(target, values, allow_pickle=False)
        where["filename"] = str(target)
    rest = replace(recording, values=None, metadata=_keep_plain(recording.metadata))
    return pickle.dumps((rest, where))


def _is_whole(values: np.memmap, file: Path | None) -> bool:
    """Whether values are what their file holds from the place on that they tell."""
    if file is None or values.filename is None or not values.flags.c_contiguous:
        return False
    if not Path(values.filename).samefile(file):
        return False
    again = np.memmap(file, values.dtype, "r", values.offset, values.shape)
    ends = np.s_[..., -1:, :]
    return bool((again[ends] == values[ends]).all() and again.size == values.size)


def _unpack(rest: Recording, where: dict[str, object]) -> Recording:
    """Map the values, or bring them into the memory where they are few."""
    if "dtype" in where:
        return replace(rest, values=np.memmap(mode="r", **where))
    target = Path(where["filename"])
    mapped = np.load(target, mmap_mode="r", allow_pickle=False)
    values = mapped if mapped.nbytes > _MAPPED else np.array(mapped)
    del mapped
    with suppress(OSError):  # on Windows it goes when nobody maps it
        target.unlink()
    return replace(rest, values=values)


def _keep_plain(metadata: object) -> object:
    """Leave out of nested settings what no other process could have."""
    try:
        pickle.loads(pickle.dumps(metadata))
    except Exception:  # whatever keeps a reader's object where it is
        if not isinstance(metadata, dict):
            return None
        return {name: _keep_plain(value) for name, value in metadata.items()}
    return metadata
