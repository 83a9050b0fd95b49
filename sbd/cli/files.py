"""Files that commands read and write: refused before anything is computed."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbd.recordings import Recording


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
    """Say how any command that reads files is told which image to take."""
    parser.add_argument(
        "--dataset", help="which image of a file that holds several: name or number"
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Say how any command that takes a recording's electrons is told about it."""
    add_dataset(parser)
    parser.add_argument(
        "--unchecked", action="store_true",
        help="take the values as they stand, whatever they say about electrons",
    )  # fmt: skip


def read_recording(
    file: Path, *, dataset: str | None = None, unchecked: bool = False
) -> "tuple[Recording, float]":
    """Read a recording as electrons, and say on stderr what was amiss with it.

    Also the read noise of values that were not counted one by one [electrons].
    """
    from sbd.recordings import check_counts, read_micrograph, to_counts

    recording = read_micrograph(file, dataset=dataset)
    if unchecked:
        return recording, 0.0
    report = check_counts(recording)
    for finding in report.findings:
        sys.stderr.write(f"{file.name}: {finding.harm}: {finding.words}\n")
    counts = to_counts(recording, report)
    signed = not report.counted and float(counts.values.min()) < 0
    return counts, report.read_noise if signed else 0.0


def find_weights(role: str, name: str) -> Path:
    """Return the file of weights that are given by name or as a file."""
    from sbd.data.registry import ITEMS, fetch

    path = fetch(name) if name in ITEMS else Path(name)
    if not path.is_file():
        msg = f"{role} must be a file that exists; got {name}"
        raise FileNotFoundError(msg)
    return path
