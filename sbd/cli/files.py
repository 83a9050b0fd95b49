"""Files that commands read and write: refused before anything is computed."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbd.recordings import CountsReport, Recording
    from sbd.recordings.isolation import ReadingProcess


def check_target(file: Path, name: str, *suffixes: str) -> None:
    """Say that a file could not be written, by its suffix or its folder."""
    if not file.name.endswith(suffixes):
        msg = f"{name} must be the name of a {', '.join(suffixes)} file; got {file}"
        raise ValueError(msg)
    if not file.parent.is_dir():
        msg = f"{name} must be in a folder that exists; got {file}"
        raise ValueError(msg)


def check_free(target: Path, source: Path, name: str, *, force: bool) -> None:
    """Refuse to write over what is read, and unasked over what is there."""
    if target.exists() and source.exists() and target.samefile(source):
        msg = f"{name} must not be the file that is read; got {target}"
        raise ValueError(msg)
    if target.exists() and not force:
        msg = f"{name} must not be there yet; got {target} (--force replaces it)"
        raise FileExistsError(msg)


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Say how any command that reads files is told which part to take."""
    parser.add_argument(
        "--dataset", help="which image of a file that holds several: name or number"
    )
    parser.add_argument(
        "--box", type=int, nargs=4, metavar=("ROW", "COLUMN", "HEIGHT", "WIDTH"),
        help="only this part, from its upper left pixel on [pixels]",
    )  # fmt: skip
    parser.add_argument(
        "--mask", type=Path,
        help="an image of the same size that is 0 where nothing is to be believed",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS",
        help="for reading the file, which a damaged one may never end (unsaid: 10, and "
        "1 for every 10 MB; 0: none)",
    )  # fmt: skip


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Say how any command that takes a recording's electrons is told about it."""
    add_dataset(parser)
    parser.add_argument(
        "--unchecked", action="store_true",
        help="take the values as they stand, whatever they say about electrons",
    )  # fmt: skip


def read_part(
    file: Path,
    *,
    dataset: str | None = None,
    box: list[int] | None = None,
    mask: Path | None = None,
    limit: float | None = None,
    process: "ReadingProcess | None" = None,
) -> "Recording":
    """Read a recording, and leave out what is not wanted of it.

    What may not come back from its reader is read by `process`, or one of its own.
    """
    from sbd.recordings import read_micrograph
    from sbd.recordings.areas import take_part
    from sbd.recordings.isolation import is_safe, seconds_allowed

    if limit is None and file.exists() and not is_safe(file):
        limit = seconds_allowed(file)
    if process is not None and limit and file.exists():
        recording = process.read(file, dataset=dataset, limit=limit)
    else:
        recording = read_micrograph(file, dataset=dataset, limit=limit or None)
    return take_part(recording, box, mask)


def choose_sides(
    pixel: "Sequence[float] | None",
    recording: "Recording | None" = None,
    *,
    otherwise: str = "those that the network learnt from",
) -> "float | tuple[float, ...] | None":
    """Give the sides that were asked for, or that the file says; say it on stderr."""
    if pixel:
        return pixel[0] if len(pixel) == 1 else tuple(pixel)
    if recording is None:
        return None
    sides = recording.pixel.sides
    said = f"pixels of {recording.pixel}"
    if sides is None:
        said = (
            f"the file does not say the size of its pixels: taken for {otherwise}; "
            "--pixel tells it"
        )
    sys.stderr.write(f"{said}\n")
    return sides


def read_checked(
    file: Path, *, unchecked: bool = False, **part: object
) -> "tuple[Recording, CountsReport | None]":
    """Read a recording as it stands, and say on stderr what is amiss with it."""
    from sbd.recordings import check_counts

    if unchecked and part.get("mask"):
        msg = "mask must come without --unchecked, which takes every value as it is"
        raise ValueError(msg)
    recording = read_part(file, **part)
    if unchecked:
        return recording, None
    report = check_counts(recording)
    for finding in report.findings:
        sys.stderr.write(f"{file.name}: {finding.harm}: {finding.words}\n")
    return recording, report


def signed_noise(recording: "Recording", report: "CountsReport | None") -> float:
    """Return the read noise of values of which some lie below zero [electrons]."""
    from sbd.recordings import each_frame

    if report is None or report.counted:
        return 0.0
    below = any(float(frame.min()) < 0 for frame in each_frame(recording, report))
    return report.read_noise if below else 0.0


def pop_part(options: dict[str, object]) -> dict[str, object]:
    """Take out of a command's options those that `add_reading` adds."""
    names = "dataset", "box", "mask", "limit", "unchecked"
    return {name: options.pop(name) for name in names if name in options}


def find_weights(role: str, name: str) -> Path:
    """Return the file of weights that are given by name or as a file."""
    from sbd.data.registry import ITEMS, fetch

    path = fetch(name) if name in ITEMS else Path(name)
    if not path.is_file():
        msg = f"{role} must be a file that exists; got {name}"
        raise FileNotFoundError(msg)
    return path
