"""Simulate the whole benchmark and log what it cost: ``make benchmark``.

    python book/measured/benchmark.py FOLDER LOG [--workers N]

calls ``sbd.simulate_benchmark`` and writes the log: wall-clock and processor seconds,
peak memory of all processes together, bytes on disk, and what it ran on. A run that
goes on with what is missing writes none, because its times would be those of a part.
"""

import argparse
import json
import os
import resource
import threading
import time
from pathlib import Path

import psutil

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine


def resident() -> int:
    """Add up the memory of this process and its children, in bytes."""
    me = psutil.Process()
    total = 0
    for process in (me, *me.children(recursive=True)):
        try:
            memory = process.memory_full_info()
        except psutil.Error:  # it has ended
            continue
        # shared parts as a share, where the system tells
        total += getattr(memory, "pss", 0) or memory.rss
    return total


def main() -> None:
    """Simulate, watch and log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    before = len(list(options.folder.glob("images.zarr/c/*/0/0/0/0")))
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(2.0):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.monotonic()
    try:
        benchmark = sbd.simulate_benchmark(options.folder, workers=options.workers)
    finally:
        done.set()
        watcher.join()
    wall = time.monotonic() - start
    usage = [resource.getrusage(who) for who in
             (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]  # fmt: skip
    files = [path for path in options.folder.rglob("*") if path.is_file()]
    record = {
        "images": len(benchmark),
        "workers": options.workers,
        "wall seconds": round(wall, 1),
        "processor seconds": round(sum(u.ru_utime + u.ru_stime for u in usage), 1),
        "peak memory [GB]": round(peak[0] / 1e9, 2),
        "size [MB]": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "cores": os.cpu_count(),
        **describe_machine("sbd", "abtem", "numpy", "zarr"),
    }
    if not before:
        write_measured(options.log, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
