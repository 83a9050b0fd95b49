"""``sbd denoise``: an estimate of the clean image."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from sbd.cli.files import check_target, read_image
from sbd.files import replacing

HELP = "denoise counts in a .npy file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("noisy", type=Path)
    parser.add_argument("denoised", type=Path, help="the .npy file to write")
    parser.add_argument("--model", help="name or file of the weights")
    parser.add_argument(
        "--pixel", type=float, nargs="+", metavar="SIDE",
        help="size of a pixel, or of its sides down and across [angstrom]",
    )  # fmt: skip
    parser.add_argument(
        "--frames", choices=("sum", "each"),
        help="of a stack: denoise the sum of its frames, or each of them",
    )  # fmt: skip
    parser.add_argument("--device")
    parser.add_argument("--tile", type=int, help="side of the pieces, for the memory")
    parser.add_argument(
        "--ensemble", action="store_true", help="average over turns and mirrors"
    )


def run(
    noisy: Path,
    denoised: Path,
    *,
    model: str | None = None,
    pixel: Sequence[float] | None = None,
    **how: object,
) -> None:
    """Write the estimate, say what was added; `how` are options of `sbd.denoise`."""
    import numpy as np

    from sbd.denoisers.network import denoise, log

    check_target(denoised, "denoised", ".npy")
    sides = pixel[0] if pixel and len(pixel) == 1 else pixel
    said = logging.StreamHandler()  # how many pixels were added
    log.setLevel(logging.INFO)
    log.addHandler(said)
    try:
        image = denoise(read_image(noisy), model or None, pixel=sides, **how)
    finally:
        log.removeHandler(said)
    with replacing(denoised) as part, part.open("wb") as file:
        np.save(file, image)
