"""``sbd provenance``: how a figure, a record or a denoised image was made."""

import argparse
import json
import sys
from pathlib import Path

HELP = "say how a figure, a notebook or a denoised image was made"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Read what files say of how they were made: software and commit, parameters "
        "and seeds, digests of data and weights, device, versions. Exit code 1 if one "
        "says nothing."
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE",
        help="a figure (.png, .svg, or the .json beside it), an executed notebook "
        "(.ipynb), or what sbd denoise wrote (.tif, .npz, .mrc, .hspy)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="write JSON instead")


def run(files: list[Path], *, json: bool = False) -> int:
    """Say how each file was made; 1 if one does not tell."""
    from sbd.provenance import read_provenance

    found, code = {}, 0
    for file in files:
        try:
            found[str(file)] = read_provenance(file)
        except (ValueError, OSError, ImportError) as error:
            sys.stderr.write(f"sbd provenance: {error}\n")
            code = 1
    sys.stdout.write(_to_json(found) if json else _to_tables(found))
    return code


def _to_json(found: dict[str, dict]) -> str:
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf8", "backslashreplace").decode()  # of halves of a letter


def _to_tables(found: dict[str, dict]) -> str:
    """Write a table for each file, and for each figure of a notebook."""
    text = ""
    for file, provenance in found.items():
        figures = provenance.get("figures", {})
        if not (isinstance(figures, dict) and all(map(_is_told, figures.values()))):
            figures = {}
        about = {
            k: told for k, told in provenance.items() if k != "figures" or not figures
        }
        text += _to_table(file, about) if about else ""
        for name, told in figures.items():
            text += _to_table(f"{file}: {name}", told)
    return text


def _to_table(title: str, provenance: dict) -> str:
    """Write names, then values in one column."""
    from sbd.provenance import list_provenance

    rows = list(list_provenance(provenance))
    width = max(len(name) for name, _ in rows)
    lines = [title, *(f"  {name:<{width}}  {value}" for name, value in rows)]
    return "".join(f"{_printable(line)}\n" for line in lines)


def _is_told(figure: object) -> bool:
    return isinstance(figure, dict) and bool(figure)


def _printable(line: str) -> str:
    """Write what would steer a terminal, or end the line, as its code."""
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line
    )
