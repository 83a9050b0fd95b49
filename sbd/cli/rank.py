"""``sbd rank``: which denoiser does best on a recording, without a truth."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbd.cli.files import add_dataset, choose_sides, read_checked

if TYPE_CHECKING:
    import pandas as pd

HELP = "rank denoisers on a recording, without a clean image"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Split the electrons at random into two halves, denoise one and compare with "
        "the other; the network and a classical filter of each kind. The ranking is "
        "that at half of the dose. Prints how much more squared error each makes than "
        "the best, in units of the noise's variance, with an interval of 95 %."
    )
    parser.add_argument(
        "recording", type=Path,
        help="counted electrons, an image or a stack of frames: .tif, .dm4, .mrc, .npy "
        "and others",
    )  # fmt: skip
    add_dataset(parser)
    parser.add_argument(
        "--against", metavar="NAME",
        help="compare with this denoiser instead of the one that does best",
    )  # fmt: skip
    parser.add_argument("--splits", type=int, help="times that electrons are split")
    parser.add_argument("--seed", type=int, help="of the splits")
    parser.add_argument("--model", help="name or file of the network's weights")
    parser.add_argument(
        "--pixel", type=float, nargs="+", metavar="SIDE",
        help="size of a pixel, or of its sides down and across, instead of what the "
        "file says [angstrom]",
    )  # fmt: skip
    parser.add_argument("--device", help="where the network computes")
    parser.add_argument("--json", action="store_true", help="write JSON instead")


def run(
    recording: Path,
    *,
    against: str | None = None,
    splits: int = 4,
    seed: int = 0,
    model: str | None = None,
    pixel: Sequence[float] | None = None,
    device: str = "auto",
    json: bool = False,
    **part: object,
) -> None:
    """Print the table."""
    import numpy as np
    from tqdm import tqdm

    from sbd.recordings import rank_denoisers
    from sbd.reports.rivals import Told, list_rivals

    read, _ = read_checked(recording, **part)
    rivals = list_rivals(model, pixel=choose_sides(pixel, read), device=device)
    quiet = not sys.stderr.isatty()
    with tqdm(total=len(rivals) * splits, unit="image", disable=quiet) as bar:
        told = {name: Told(one, bar.update) for name, one in rivals.items()}
        rng = np.random.default_rng(seed)
        table = rank_denoisers(read, told, rng=rng, against=against, splits=splits)
    sys.stdout.write(_to_json(recording, table) if json else _to_text(table, against))


def _to_json(recording: Path, table: "pd.DataFrame") -> str:
    rows = table.reset_index().to_dict("records")
    return (
        json.dumps({"file": str(recording), **table.attrs, "rows": rows}, indent=1)
        + "\n"
    )


def _to_text(table: "pd.DataFrame", against: str | None) -> str:
    """Write a line for each, and what they say."""
    other = against or table.index[0]
    wide = max(map(len, table.index))
    lines = []
    for name, row in table.iterrows():
        ends = f"{row['low']:+.4f} to {row['high']:+.4f}"
        words = (
            "behind"
            if row["behind"]
            else "ahead"
            if row["high"] < 0
            else "cannot be told"
        )
        words = "compared with" if name == other else words
        lines.append(f"{name:{wide}}  {row['worse by']:+.4f}  ({ends})  {words}\n")
    dose = f"at {table.attrs['dose']:.3g} electrons per pixel, half of the recording's"
    return "".join(lines) + f"worse than {other} by so many noise variances, {dose}\n"
