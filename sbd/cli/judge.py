"""``sbd judge``: which columns of a recording its counts support."""

import argparse
import inspect
import sys
from pathlib import Path

from sbd.cli.files import check_target, read_image
from sbd.files import replacing

HELP = "tell which atomic columns of a recording its counts support"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Denoise one half of the electrons, find the columns, and ask the other half "
        "which of them are there. Writes a table, a row for each column."
    )
    parser.add_argument("noisy", type=Path, help=".npy file of whole counts")
    parser.add_argument("table", type=Path, help="the .csv file to write")
    parser.add_argument(
        "--vacuum", type=float, required=True,
        help="mean count of a corner without specimen [electrons per pixel]",
    )  # fmt: skip
    parser.add_argument("--picture", type=Path, help="a .png file to write too")
    parser.add_argument("--level", type=float, help="of false discoveries")
    parser.add_argument("--seed", type=int, help="of the split")
    parser.add_argument("--model", help="name or file of the weights")
    parser.add_argument("--pixel", type=float, help="size of a pixel [angstrom]")
    parser.add_argument("--device")


def run(
    noisy: Path,
    table: Path,
    *,
    vacuum: float,
    picture: Path | None = None,
    level: float | None = None,
    seed: int = 0,
    model: str | None = None,
    **how: object,
) -> None:
    """Write the table and the picture; `how` are options of `sbd.denoise`."""
    import numpy as np

    from sbd.denoisers.network import denoise
    from sbd.evidence.significance import (
        decidable_dose,
        judge_columns,
        tabulate_verdicts,
    )
    from sbd.networks.models import load_model

    check_target(table, "table", ".csv")
    if picture:
        check_target(picture, "picture", ".png")
    counts = read_image(noisy)
    network = load_model(model or None)
    if level is None:
        level = inspect.signature(judge_columns).parameters["level"].default
    verdicts = judge_columns(
        counts,
        lambda part: denoise(part, network, **how),
        rng=np.random.default_rng(seed),
        level=level,
        vacuum=vacuum,
    )
    dose = decidable_dose(verdicts.denoised, verdicts.columns, vacuum=vacuum)
    with replacing(table) as part:
        rows = tabulate_verdicts(verdicts, dose).round(6)
        rows.to_csv(part, index=False, lineterminator="\n")
    if picture:
        from sbd.plotting.verdicts import show_verdicts

        fig = show_verdicts(verdicts, dose, recorded=vacuum)
        with replacing(picture) as part:
            fig.savefig(part, format="png", dpi=200)
    sys.stdout.write(
        f"{len(verdicts.columns)} columns, {verdicts.supported.sum()} of them "
        f"supported at a false discovery rate of {level:g}; "
        f"{verdicts.power.sum():.0f} were to be expected if all are there\n"
    )
