"""``sbd denoise``: an estimate of the clean image."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from sbd.cli.files import (
    add_reading,
    check_free,
    check_target,
    find_weights,
    read_recording,
)
from sbd.files import sha256

HELP = "denoise a recording"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "noisy", type=Path, help="a recording: .tif, .dm4, .mrc, .npy and others"
    )
    add_reading(parser)
    parser.add_argument(
        "denoised", type=Path, help="what to write: .tif, .ome.tif, .mrc, .npy, .npz, "
        "or .hspy, with the size of a pixel and how it was made",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--model", help="name or file of the weights")
    parser.add_argument(
        "--pixel", type=float, nargs="+", metavar="SIDE",
        help="size of a pixel, or of its sides down and across, instead of what the "
        "file says [angstrom]",
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
    dataset: str | None = None,
    unchecked: bool = False,
    force: bool = False,
    **how: object,
) -> None:
    """Write the estimate, say what was added; `how` are options of `sbd.denoise`."""
    from sbd.denoisers.network import denoise, log
    from sbd.recordings import write_micrograph
    from sbd.recordings.writing import WRITERS

    check_target(denoised, "denoised", *sorted(WRITERS))
    check_free(denoised, noisy, "denoised", force=force)
    recording, read_noise = read_recording(noisy, dataset=dataset, unchecked=unchecked)
    sides = recording.pixel.sides
    if pixel:
        sides = pixel[0] if len(pixel) == 1 else tuple(pixel)
    elif sides:
        sys.stderr.write(f"pixels of {recording.pixel}\n")
    said = logging.StreamHandler()  # how many pixels were added
    log.setLevel(logging.INFO)
    log.addHandler(said)
    try:
        image = denoise(
            recording.values, model or None, pixel=sides, read_noise=read_noise, **how
        )
    finally:
        log.removeHandler(said)
    weights = find_weights("model", model or "weights/default")
    provenance = {
        "made by": f"sbd denoise {version('sbd')}",
        "from": noisy.name,
        "sha256": sha256(noisy),
        "weights": weights.name,
        "sha256 of the weights": sha256(weights),
        "pixel": sides,
        "read noise": read_noise,
        **how,
    }
    write_micrograph(image, denoised, pixel=sides, provenance=provenance, force=force)
