"""Denoise a movie frame by frame, so that whatever kills it, the rest is enough.

Frames that are done lie in a folder beside the file that is to come, with a journal of
their check sums. Its name has the digest of the input and of all settings, so that what
is left of another run is never taken for this one's. The file comes under its name when
it is whole.
"""

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from sbd.files import sha256
from sbd.recordings.diagnosis import (
    CountsReport,
    check_counts,
    frame_counter,
    leave_out_frames,
)
from sbd.recordings.recording import Recording, as_recording
from sbd.recordings.writing import find_writer, write_micrograph
from sbd.typing import Denoiser
from sbd.validation import apply_denoiser

_LINE = 9  # bytes of the journal for a frame: a check sum, and an end of line
_SHORT = 16  # digits of the digest in the folder's name


def denoise_movie(
    recording: Recording | ArrayLike,
    file: str | Path,
    denoise: Denoiser,
    *,
    settings: Mapping,
    report: CountsReport | None = None,
    unchecked: bool = False,
    pixel: tuple[float, float] | None = None,
    provenance: Mapping | None = None,
    force: bool = False,
    progress: bool = False,
) -> None:
    """Denoise each frame of a stack alone, and write them as one file.

    One frame is in the memory at a time, if the file is .tif, .ome.tif or .npy. What is
    done survives: the same call goes on where the last one was killed, and writes, byte
    by byte, what it would have written without that (but for .hspy, which keeps the
    time). Frames that are done are in a folder ``.NAME.DIGEST`` beside the file until
    then; what other settings or another input left there is not used.

    Parameters
    ----------
    recording : Recording or ndarray of shape (frames, height, width)
        From `read_micrograph`, or an array.
    file : str or pathlib.Path
        What is written, as for `write_micrograph`.
    denoise : callable
        Image to image, of electrons per pixel; the same every time.
    settings : Mapping
        All that makes `denoise` what it is, such as the digest of its weights, as JSON
        takes it. What it does not tell apart is taken for the same.
    report : CountsReport, optional
        What `check_counts` found; None asks it.
    unchecked : bool, default False
        Whether values are handed over as they stand.
    pixel : (float, float), optional
        Sides of a pixel, down and across, instead of the recording's [angstrom].
    provenance : Mapping, optional
        How the movie was made: anything that JSON takes.
    force : bool, default False
        Whether a file that is there may be replaced.
    progress : bool, default False
        Whether to show a bar.

    Raises
    ------
    FileExistsError, ValueError, ImportError
        As for `write_micrograph`; or if no counts can be had, the recording is no
        stack, or an estimate has another shape than its frame.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> movie = np.random.default_rng(0).poisson(0.45, (3, 64, 64))
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "movie.npy")
    ...     denoise_movie(movie, file, lambda y: y / 2, settings={"by": 2})
    ...     bool((np.load(file) == movie / 2).all()), len(list(Path(folder).iterdir()))
    (True, 1)
    """
    recording, file = as_recording(recording), Path(file).resolve()
    if recording.values.ndim != 3:
        msg = f"recording must be a stack of frames; got shape {recording.shape}"
        raise ValueError(msg)
    find_writer(file)
    _refuse_present(file, force=force)
    if unchecked:
        count = np.asarray
    else:
        report = check_counts(recording) if report is None else report
        recording = leave_out_frames(recording)
        count = frame_counter(recording, report)
    digest = _digest(recording, settings, report, unchecked=unchecked)
    folder = file.parent / f".{file.name}.{digest[:_SHORT]}"
    folder.mkdir(exist_ok=True)
    done, frames = folder / "frames", recording.stack
    try:
        with _open(done) as content, _open(folder / "journal") as journal:
            store = _Store(content, journal, digest, recording.shape)
            first = store.count(len(frames))
            with tqdm(
                total=len(frames), initial=first, unit="frame", disable=not progress
            ) as bar:
                for number in range(first, len(frames)):
                    store.write(number, apply_denoiser(denoise, count(frames[number])))
                    bar.update()
    except Exception:
        if not done.stat().st_size:  # there is nothing to go on with
            shutil.rmtree(folder)
        raise
    estimates = np.memmap(done, np.float32, "r", shape=recording.values.shape)
    whole = folder / file.name
    image = Recording(estimates, recording.pixel, exposure=recording.exposure)
    write_micrograph(image, whole, pixel=pixel, provenance=provenance, force=True)
    _refuse_present(file, force=force)  # nobody else has come first
    whole.replace(file)
    del image, estimates  # a file that is mapped cannot go everywhere
    shutil.rmtree(folder)


def list_left(file: str | Path) -> list[Path]:
    """List the folders that runs for a file have left beside it."""
    file = Path(file).resolve()
    places = file.parent.glob(f".{escape(file.name)}.{'[0-9a-f]' * _SHORT}")
    return sorted(place for place in places if (place / "journal").is_file())


def _refuse_present(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        msg = f"file must not be there yet; got {file} (force=True replaces it)"
        raise FileExistsError(msg)


def _open(path: Path) -> BinaryIO:
    """Open a file for reading and writing, at any place, made if there is none."""
    path.touch()
    return path.open("r+b")


def _digest(
    recording: Recording,
    settings: Mapping,
    report: CountsReport | None,
    *,
    unchecked: bool,
) -> str:
    """Tell a run from any that could write something else."""
    about = {
        "settings": dict(settings),
        "shape": recording.values.shape,
        "kind": recording.values.dtype.str,
        "unchecked": unchecked,
    }
    if report is not None and not unchecked:
        about["read as"] = [
            report.unit, report.offset, report.counted, report.hot.tolist()
        ]  # fmt: skip
    parts = (np.ascontiguousarray(frame).data.cast("B") for frame in recording.stack)
    return sha256(json.dumps(about, sort_keys=True).encode(), *_each(parts))


def _each(parts: Iterator[memoryview]) -> Iterator[bytes]:
    """Digest frames one at a time: unpacking them would hold them all."""
    for part in parts:
        yield sha256(part).encode()


class _Store:
    """Frames that are done, and the journal of their check sums.

    Each has its own place in both files: a run that is killed while it writes, or
    another that writes the same beside it, leaves nothing that stands elsewhere.
    """

    def __init__(
        self, done: BinaryIO, journal: BinaryIO, digest: str, shape: tuple[int, int]
    ) -> None:
        self.done, self.journal = done, journal
        self.head = f"{digest}\n".encode()
        self.size = 4 * int(np.prod(shape))

    def count(self, most: int) -> int:
        """Count the frames that are done and whole; begin a journal if need be."""
        self.journal.seek(0)
        if self.journal.read(len(self.head)) != self.head:
            self.journal.seek(0)
            self.journal.truncate()
            self.journal.write(self.head)
            self.journal.flush()
            return 0
        for number in range(most):
            self.done.seek(number * self.size)
            line, content = self.journal.read(_LINE), self.done.read(self.size)
            if len(content) < self.size or line != _sum(content):
                return number
        return most

    def write(self, number: int, estimate: NDArray) -> None:
        """Keep a frame, and say so in the journal."""
        content = np.ascontiguousarray(estimate, np.float32).tobytes()
        for file, place, part in (
            (self.done, number * self.size, content),
            (self.journal, len(self.head) + number * _LINE, _sum(content)),
        ):
            file.seek(place)
            file.write(part)
            file.flush()


def _sum(content: bytes) -> bytes:
    """Make the journal's line of a frame."""
    return f"{zlib.crc32(content):08x}\n".encode()
