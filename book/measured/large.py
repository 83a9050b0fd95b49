"""Time the commands on large images, and see what memory they take: ``make large``.

    python book/measured/large.py FILE [--side N]

Each command is a process of its own; `seconds` are those that it took, start and all,
`megabytes` the most memory that it held. The machine may be at work for others, so a
fixed piece of work, `reference`, is timed before and after: transforms in numpy and
convolutions in torch. `ratio` is the seconds over the mean of both.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine, mirrored_truth

# a process counts the memory of the one that it is split from as its own: a small one
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
number = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(number, 0)
seconds = time.perf_counter() - start
code = os.waitstatus_to_exitcode(status)
print("", code, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def work_a_while() -> float:
    """Time a fixed piece of work [s]."""
    image = np.random.default_rng(0).normal(size=(1024, 1024))
    tensor = torch.ones(1, 16, 512, 512)
    kernel = torch.ones(16, 16, 3, 3)
    start = time.perf_counter()
    for _ in range(8):
        np.fft.irfft2(np.fft.rfft2(image))
        torch.nn.functional.conv2d(tensor, kernel)
    return time.perf_counter() - start


def run_command(*words: str | Path) -> dict:
    """Run a command of the library in a process of its own."""
    command = [sys.executable, "-m", "sbd.cli", *map(str, words)]
    before = work_a_while()
    told = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
    ).stdout.split()[-4:]  # fmt: skip
    code, seconds, processor, kilobytes = map(float, told)
    reference = (before + work_a_while()) / 2
    return {
        "exit code": int(code),
        "seconds": round(seconds, 2),
        "seconds of the processor": round(processor, 2),
        "reference": round(reference, 3),
        "ratio": round(seconds / reference, 1),
        "megabytes": round(kilobytes / 1024),
    }


def main() -> None:
    """Run all commands and write the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    given = parser.parse_args()
    record = describe_machine("sbd", "numpy", "torch")
    record |= {"processors": os.cpu_count(), "threads": torch.get_num_threads()}
    rng = np.random.default_rng(0)
    clean = mirrored_truth()
    side = given.side
    turns = [-(-side // n) for n in clean.shape]
    wide = np.tile(clean, turns)[:side, :side]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        published, large = folder / "published.npy", folder / "large.npy"
        np.save(published, rng.poisson(clean).astype(np.uint16))
        np.save(large, rng.poisson(wide).astype(np.uint16))
        height, width = clean.shape
        size, all_of_it = f"{height} x {width}", f"{side} x {side}"
        commands = {
            "sbd --help": ["--help"],
            f"sbd check, {size}": ["check", published],
            f"sbd denoise, {size}": ["denoise", published, folder / "a.npy"],
            f"sbd judge, {size}": ["judge", published, folder / "a.csv"],
            f"sbd check, {all_of_it}": ["check", large],
            f"sbd denoise --tile 1024, {all_of_it}": [
                "denoise", large, folder / "b.npy", "--tile", "1024",
            ],
            f"sbd denoise, {all_of_it}": ["denoise", large, folder / "c.npy"],
        }  # fmt: skip
        for name, words in commands.items():
            record[name] = run_command(*words)
            sys.stderr.write(f"{name}: {record[name]}\n")
            write_measured(given.file, record, __file__)


if __name__ == "__main__":
    main()
