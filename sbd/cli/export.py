"""``sbd export``: a network as a file for other runtimes."""

import argparse
import sys
from pathlib import Path

HELP = "write a network as an ONNX file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, help="the .onnx file to write")
    parser.add_argument("--model", help="name or file of the weights")
    parser.add_argument(
        "--shape", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="of the images it will take; any, for networks that do not bin counts",
    )  # fmt: skip


def run(
    file: Path, model: str | None = None, shape: tuple[int, int] | None = None
) -> None:
    """Write the network and print where."""
    from sbd.networks.models import load_model
    from sbd.networks.onnx import export_onnx

    export_onnx(load_model(model or None), file, shape=tuple(shape) if shape else None)
    sys.stdout.write(f"{file}\n")
