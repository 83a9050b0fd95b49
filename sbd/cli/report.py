"""``sbd report``: one page on a recording, and how far to believe it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sbd.cli.files import (
    add_dataset,
    check_free,
    check_target,
    choose_sides,
    read_part,
)

HELP = "write a page on what a recording says, and how far to believe it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Write one HTML page that holds all it shows, and beside it a .json file with "
        "its numbers: what the values of a recording are, which denoiser does best on "
        "it, the denoised image and what that misses, which columns the counts "
        "support, and what the network invents at this dose where the truth is known. "
        "A part that cannot be had says why."
    )
    parser.add_argument(
        "recording", type=Path,
        help="an image or a stack of frames: .tif, .dm4, .mrc, .npy and others",
    )  # fmt: skip
    add_dataset(parser)
    parser.add_argument("page", type=Path, help="the .html file to write")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--model", help="name or file of the network's weights")
    parser.add_argument(
        "--pixel", type=float, nargs="+", metavar="SIDE",
        help="size of a pixel, or of its sides down and across, instead of what the "
        "file says [angstrom]",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="split the electrons once: faster, and the verdicts depend on the seed",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="of all that is drawn")
    parser.add_argument("--date", help="to print; by default none")
    parser.add_argument("--device", help="where the network computes")


def run(
    recording: Path,
    page: Path,
    *,
    pixel: Sequence[float] | None = None,
    force: bool = False,
    **how: object,
) -> None:
    """Write the page and the numbers; `how` are options of `write_report`."""
    from sbd.reports import write_report
    from sbd.reports.sentences import tell_outcome

    check_target(page, "page", ".html")
    check_free(page, recording, "page", force=force)
    check_free(page.with_suffix(".json"), recording, "numbers", force=force)
    limit = how.pop("limit", None)
    read = read_part(recording, dataset=how.get("dataset"), limit=limit)
    numbers = write_report(
        read, page, pixel=choose_sides(pixel), progress=sys.stderr.isatty(), **how
    )
    sys.stdout.write("\n".join(tell_outcome(numbers)) + f"\n{page}\n")
