"""``sbd verify``: whether a benchmark is whole."""

import argparse
import sys
from pathlib import Path

HELP = "compare a benchmark with its checksums"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("folder", type=Path)


def run(folder: Path) -> None:
    """Print how many structures are whole."""
    from sbd.benchmark.dataset import Benchmark

    sys.stdout.write(f"{Benchmark(folder).verify()} structures are whole\n")
