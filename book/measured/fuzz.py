"""Hand thousands of damaged files to ``sbd check``: ``make files``.

    python book/measured/fuzz.py PACKAGES FILE [--files N] [--only KIND ...]

For each kind of file a whole one is damaged N times: bits flipped, cut off, bytes put
in, whole numbers near its head set to extremes, blocks doubled. Each is read and
checked as the command does it, in a process that may hold 2 GB of its own and use 10
seconds of the processor for a file; what may keep its reader, or crash it, is read in a
child of that process, which has 10 seconds too. All that may come out is a report or
one of the errors that the command turns into words: `not read in time` and `crashed
their reader` are those that the child was for. Files of microscopes' makers are damaged
from those of other people that recordings.py put in PACKAGES. `crashes` lists what came
out instead, by the number of the damage, which repeats it; `asked for more memory`
counts those that were refused because of that limit; `seconds` and `megabytes` are the
most that any file took.
"""

import argparse
import io
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import tifffile
from tqdm import tqdm

from sbd.cli.check import _check, _to_json
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine
from sbd.recordings import write_micrograph
from sbd.recordings.isolation import ReadingProcess

MEMORY, PATIENCE = 2**31, 10.0  # bytes, seconds of the processor
WAIT = 600  # seconds, if a worker sleeps
EXTREMES = 0, 1, 2**7, 2**8 - 1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40
HEAD = 2048  # bytes in which headers are
IMAGE = np.random.default_rng(0).poisson(3.0, (40, 50)).astype(np.uint16)
STACK = np.random.default_rng(1).poisson(1.0, (3, 40, 50)).astype(np.uint16)
OURS = {  # of which a whole file is made here, and its suffix
    "npy": ".npy", "npz": ".npz", "tif": ".tif", "tif of ImageJ": ".tif",
    "tif of OME": ".ome.tif", "tif, stack": ".tif", "tif, deflated": ".tif",
    "mrc": ".mrc", "h5": ".h5", "h5, packed": ".h5", "hspy": ".hspy",
}  # fmt: skip
OTHERS = {  # in the package hyperspy
    "dm3": "dm_stackbuilder_plugin/test_stackbuilder_imagestack.dm3",
    "dm4": "dm4_2D_data/test-1.dm4",
    "emd": "emd_files/example_image.emd",
    "ser": "FEI_old/64x64_TEM_images_acquire_1.ser",
}


def write_whole(kind: str, file: Path) -> None:
    """Write a whole file of a kind."""
    if kind == "npy":
        np.save(file, IMAGE)
    elif kind == "npz":
        np.savez_compressed(file, counts=IMAGE)
    elif kind == "tif of ImageJ":
        about = {"unit": "nm", "axes": "TYX", "finterval": 0.4}
        tifffile.imwrite(
            file, STACK, imagej=True, resolution=(160, 160), metadata=about
        )
    elif kind == "tif of OME":
        about = {"axes": "YX", "PhysicalSizeX": 6.2, "PhysicalSizeXUnit": "pm",
                 "PhysicalSizeY": 6.4, "PhysicalSizeYUnit": "pm"}  # fmt: skip
        tifffile.imwrite(file, IMAGE, ome=True, metadata=about)
    elif kind.startswith("tif"):
        values = IMAGE if kind == "tif" else STACK
        packed = "zlib" if kind == "tif, deflated" else None
        tifffile.imwrite(file, values, compression=packed, photometric="minisblack")
    elif kind == "mrc":
        with mrcfile.new(file) as mrc:
            mrc.set_data(STACK.astype(np.float32))
            mrc.voxel_size = (0.062, 0.064, 1.0)
    elif kind == "hspy":
        write_micrograph(IMAGE, file, pixel=0.062)
    else:
        options = {"compression": "gzip", "chunks": (20, 25)} if "," in kind else {}
        with h5py.File(file, "w") as store:
            store.create_dataset("a/counts", data=IMAGE, **options)


def damage(whole: bytes, kind: str, number: int) -> tuple[bytes, str]:
    """Damage the bytes of a file in a way that its kind and a number tell."""
    rng = np.random.default_rng([number, *kind.encode()])
    content, done = bytearray(whole), []
    for _ in range(rng.integers(1, 4)):
        # half of the places are in the head, where sizes and kinds stand
        near = min(len(content), HEAD if rng.random() < 0.5 else len(content))
        place = int(rng.integers(max(1, near)))
        name = rng.choice(list(WAYS))
        WAYS[name](content, place, rng)
        done.append(f"{name} at {place}")
    return bytes(content), ", ".join(done)


def flip(content: bytearray, place: int, rng: np.random.Generator) -> None:
    """Flip some bits from a place on."""
    for step in range(int(rng.integers(1, 9))):
        if place + step < len(content):
            content[place + step] ^= int(rng.integers(1, 256))


def set_extreme(content: bytearray, place: int, rng: np.random.Generator) -> None:
    """Set a whole number of 1 to 8 bytes to a very small or large one."""
    size = int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice(EXTREMES)) % 2 ** (8 * size)
    order = "big" if rng.random() < 0.5 else "little"
    place -= place % size
    content[place : place + size] = value.to_bytes(size, order)


def insert(content: bytearray, place: int, rng: np.random.Generator) -> None:
    """Put some bytes in."""
    content[place:place] = rng.bytes(int(rng.integers(1, 40)))


def cut(content: bytearray, place: int, rng: np.random.Generator) -> None:
    """Cut off the rest, or a piece."""
    end = len(content) if rng.random() < 0.5 else place + int(rng.integers(1, 40))
    del content[place:end]


def double(content: bytearray, place: int, rng: np.random.Generator) -> None:
    """Put a block a second time, or over what follows."""
    block = content[place : place + int(2 ** rng.integers(2, 10))]
    to = place + len(block)
    content[to : to + len(block) * int(rng.integers(2))] = block


WAYS: dict[str, Callable] = {
    "bits flipped": flip, "an extreme number": set_extreme, "bytes put in": insert,
    "cut": cut, "a block doubled": double,
}  # fmt: skip


def work(kind: str, whole: Path, first: int, last: int) -> None:
    """Damage, read and check file after file, and say a line before and after each."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = whole.read_bytes()
    suffix = OURS.get(kind, whole.suffix)
    said, sys.stdout = sys.stdout, io.StringIO()  # a reader may print
    with tempfile.TemporaryDirectory() as folder, ReadingProcess() as process:
        file = Path(folder) / f"damaged{suffix}"
        for number in range(first, last):
            said.write(f"{number}\n")
            said.flush()
            file.write_bytes(damage(content, kind, number)[0])
            start = time.process_time() + processor_seconds(process.pid)
            signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # which ends the process
            try:
                found = _check(file, None, {"process": process})
                _to_json([found])
                outcome = "refused" if "error" in found else "checked"
                words = found.get("error", "")
                if "MemoryError" in words or "Unable to allocate" in words:
                    outcome = "asked for more memory"
                elif "be read within" in words:
                    outcome = "not read in time"
                elif "crashed its reader" in words:
                    outcome = "crashed their reader"
            except BaseException as error:  # what this script is there to find
                outcome, words = "crash", f"{type(error).__name__}: {error}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            seconds = time.process_time() + processor_seconds(process.pid) - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            peak = max(peak, megabytes_held(process.pid))
            said.write(json.dumps([outcome, words[:300], seconds, peak]) + "\n")
            said.flush()


def processor_seconds(pid: int | None) -> float:
    """Return what a process has used, 0 where there is none."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def megabytes_held(pid: int | None) -> float:
    """Return the most memory that a process has held, 0 where there is none."""
    if pid is None:
        return 0.0
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def run_workers(kind: str, whole: Path, number: int) -> Iterator[tuple[int, list]]:
    """Give what became of each damaged file; a worker that ends is replaced."""
    first = 0
    while first < number:
        command = [sys.executable, __file__, "--worker", kind, str(whole), str(first)]
        worker = subprocess.Popen(
            [*command, str(number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with worker, selectors.DefaultSelector() as ready:
            ready.register(worker.stdout, selectors.EVENT_READ)
            while first < number:
                line = worker.stdout.readline() if ready.select(WAIT) else b""
                if not line:
                    break
                answer = json.loads(line)
                if isinstance(answer, list):
                    yield first, answer
                    first += 1
            worker.kill()
        if first < number:
            code = worker.returncode
            words = f"ended with {code}"
            if code in (-signal.SIGPROF, -signal.SIGKILL):
                words = f"hung for {PATIENCE:g} s"
            yield first, ["crash", words, PATIENCE, 0.0]
            first += 1


def fuzz(kind: str, whole: Path, number: int) -> dict:
    """Count what became of all damaged files of a kind."""
    outcomes, crashes, seconds, peak = Counter(), {}, 0.0, 0.0
    content = whole.read_bytes()
    for one, (outcome, words, took, held) in tqdm(
        run_workers(kind, whole, number), kind, number, mininterval=10
    ):
        outcomes[outcome] += 1
        seconds, peak = max(seconds, took), max(peak, held)
        if outcome == "crash":
            crashes[one] = f"{words} ({damage(content, kind, one)[1]})"
    return {
        **dict(sorted(outcomes.items())),
        "seconds": round(seconds, 2),
        "megabytes": round(peak),
        "crashes": crashes,
    }


def main() -> None:
    """Damage files of all kinds, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=[*OURS, *OTHERS])
    given = parser.parse_args()
    record = {
        **describe_machine("sbd", "rosettasciio", "tifffile", "h5py", "numpy"),
        "files of each kind": given.files,
    }
    folder = given.packages / "hyperspy" / "hyperspy" / "tests" / "io"
    with tempfile.TemporaryDirectory() as made:
        for kind in given.only or [*OURS, *OTHERS]:
            whole = Path(made) / f"{kind}{OURS.get(kind)}"
            if kind in OURS:
                write_whole(kind, whole)
            else:
                whole = folder / OTHERS[kind]
            record[kind] = fuzz(kind, whole, given.files)
            write_measured(given.file, record, __file__)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:6]))
    else:
        main()
