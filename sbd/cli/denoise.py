"""``sbd denoise``: an estimate of the clean image."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sbd.cli.files import (
    add_reading,
    check_free,
    check_target,
    choose_sides,
    find_weights,
    pop_part,
    read_checked,
    signed_noise,
)
from sbd.files import sha256

if TYPE_CHECKING:
    from sbd.recordings import CountsReport, Recording
    from sbd.typing import Image

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
        help="of a stack: denoise the sum of its frames, or each of them; the same "
        "command goes on with the latter where it was killed",
    )  # fmt: skip
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction,
        help="show a bar, of each frame (unsaid: on a terminal)",
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
    force: bool = False,
    progress: bool | None = None,
    **how: object,
) -> None:
    """Write the estimate, say what was added; `how` are options of `sbd.denoise`."""
    from sbd.denoisers.network import log
    from sbd.recordings.writing import WRITERS

    check_target(denoised, "denoised", *sorted(WRITERS))
    check_free(denoised, noisy, "denoised", force=force)
    part = pop_part(how)
    recording, report = read_checked(noisy, **part)
    part.pop("limit", None)  # which changes nothing that is read
    sides = choose_sides(pixel, recording)
    read_noise = signed_noise(recording, report)
    weights = find_weights("model", model or "weights/default")
    provenance = {
        "made by": f"sbd denoise {version('sbd')}",
        "from": noisy.name,
        "sha256": sha256(noisy),
        "weights": weights.name,
        "sha256 of the weights": sha256(weights),
        "pixel": sides,
        "read noise": read_noise,
        **{name: str(value) for name, value in part.items() if value},
        **how,
    }
    write = {"pixel": sides, "provenance": provenance, "force": force}
    options = {"pixel": sides, "read_noise": read_noise, **how}
    each = options.get("frames") == "each" and recording.values.ndim == 3
    said = logging.StreamHandler()  # how many pixels were added
    log.setLevel(logging.INFO)
    log.addHandler(said)
    try:
        if each:
            bar = sys.stderr.isatty() if progress is None else progress
            _write_each(recording, report, denoised, model, options, write, bar)
        else:
            _write_one(recording, report, denoised, model, options, write)
    finally:
        log.removeHandler(said)


def _write_one(
    recording: "Recording",
    report: "CountsReport | None",
    denoised: Path,
    model: str | None,
    options: dict,
    write: dict,
) -> None:
    """Denoise an image, or the sum of a stack's frames."""
    from sbd.denoisers.network import denoise
    from sbd.recordings import sum_frames, to_counts, write_micrograph

    counts = recording
    if report is not None and options.get("frames") == "sum":
        counts = sum_frames(recording, report)
    elif report is not None:
        counts = to_counts(recording, report)
    gaps = _Gaps(report)
    image = gaps.empty(denoise(gaps.fill(counts.values), model or None, **options))
    write_micrograph(image, denoised, **write)


def _write_each(
    recording: "Recording",
    report: "CountsReport | None",
    denoised: Path,
    model: str | None,
    options: dict,
    write: dict,
    bar: bool,
) -> None:
    """Denoise each frame of a stack; what is done when it is killed is kept."""
    from sbd.denoisers.network import denoise, log
    from sbd.networks.models import load_model
    from sbd.recordings import denoise_movie
    from sbd.recordings.framewise import list_left

    network = model or None  # by name the first time, for the warnings that has
    gaps = _Gaps(report)

    def one(frame: "Image") -> "Image":
        nonlocal network
        estimate = gaps.empty(denoise(gaps.fill(frame), network, **options))
        if not hasattr(network, "parameters"):
            network = load_model(network)
            log.setLevel(logging.WARNING)  # said once
        return estimate

    left = list_left(denoised)
    denoise_movie(
        recording, denoised, one, settings=write["provenance"], report=report,
        unchecked=report is None, progress=bar, **write,
    )  # fmt: skip
    for folder in left:
        if folder.exists():
            sys.stderr.write(
                f"{folder} was left by another run (remove it, unless that goes on)\n"
            )


class _Gaps:
    """Where nothing was recorded: what is shown to a denoiser, and of what it says."""

    def __init__(self, report: "CountsReport | None") -> None:
        everywhere = report is None or report.recorded.all()
        self.recorded = None if everywhere else report.recorded

    def fill(self, image: "Image") -> "Image":
        """Put counts that could have been there, so that no edge is seen."""
        import numpy as np

        from sbd.recordings import fill_gaps

        if self.recorded is None or image.ndim > 2:  # of a stack denoise asks more
            return image
        return fill_gaps(image, self.recorded, rng=np.random.default_rng(0))

    def empty(self, estimate: "Image") -> "Image":
        """Say there that nobody knows."""
        if self.recorded is not None:
            estimate[~self.recorded] = float("nan")
        return estimate
