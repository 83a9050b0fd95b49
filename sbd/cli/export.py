"""``sbd export``: a network as a file for other runtimes."""

import argparse
import sys
from pathlib import Path

HELP = "write a network as an ONNX file, or as a package of bioimage.io"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, help="the file or folder to write")
    parser.add_argument("--model", help="name or file of the weights")
    parser.add_argument(
        "--shape", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="of the images it will take; any, for networks that do not bin counts",
    )  # fmt: skip
    parser.add_argument(
        "--bioimageio", action="store_true", help="write a model package of "
        "bioimage.io: a .zip, or a folder; of 512 x 512 pixels where it must have one "
        "shape and none is given",
    )  # fmt: skip


def run(
    file: Path,
    *,
    model: str | None = None,
    shape: tuple[int, int] | None = None,
    bioimageio: bool = False,
) -> None:
    """Write the network and print where."""
    from sbd.networks import export_onnx, load_model, write_bioimageio

    write = write_bioimageio if bioimageio else export_onnx
    write(load_model(model or None), file, shape=tuple(shape) if shape else None)
    sys.stdout.write(f"{file}\n")
