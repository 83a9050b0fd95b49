"""``sbd fetch``: a file of the catalogue."""

import argparse
import sys

HELP = "fetch an item of the registry"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name")


def run(name: str) -> None:
    """Print where the file is."""
    from sbd.data.registry import fetch

    sys.stdout.write(f"{fetch(name)}\n")
