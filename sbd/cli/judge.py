"""``sbd judge``: which columns of a recording its counts support."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sbd.cli.files import (
    add_reading,
    check_free,
    check_target,
    choose_sides,
    find_weights,
    pop_part,
    read_checked,
)
from sbd.files import replacing, sha256, write_text

if TYPE_CHECKING:
    from sbd.evidence.verdicts import ColumnVerdicts

HELP = "tell which atomic columns of a recording its counts support"

DEALS = 5
"""Times that the command deals out electrons, unless it is told."""

_UNITS = (
    "the recording in electrons per pixel, places from its upper left pixel whatever "
    "the box; each name of the table says its own in brackets, and what has none is a "
    "number from 0 to 1"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Deal the electrons out to a few parts, denoise one, find the columns, and ask "
        "the others which of them are there; in turns, many times. Writes a table, a "
        "row for each column: supported, ruled out, or undecided."
    )
    parser.add_argument(
        "noisy", type=Path,
        help="a recording of counted electrons, an image or a stack of frames: .tif, "
        ".dm4, .mrc, .npy and others",
    )  # fmt: skip
    add_reading(parser)
    parser.add_argument("table", type=Path, help="the .csv file to write")
    parser.add_argument("--picture", type=Path, help="a .png file to write too")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument(
        "--vacuum", type=_number_or_auto, metavar="NUMBER|auto",
        help="test against vacuum of that mean count [electrons per pixel], or as the "
        "image has it, instead of against the image without the column; never needed, "
        "and wrong where a column stands on other material or on fringes",
    )  # fmt: skip
    parser.add_argument("--level", type=float, help="of false discoveries")
    times = parser.add_mutually_exclusive_group()
    times.add_argument(
        "--deals", type=int,
        help=f"times that electrons are dealt out (unsaid: {DEALS}); with more, such "
        "as the 20 of sbd.judge_columns, verdicts depend less on the seed, and take "
        "longer",
    )  # fmt: skip
    times.add_argument(
        "--quick", dest="deals", action="store_const", const=1,
        help="deal once: faster, and the verdicts depend on the seed",
    )  # fmt: skip
    parser.add_argument("--parts", type=int, help="into which electrons are dealt out")
    parser.add_argument("--seed", type=int, help="of the deals")
    parser.add_argument("--model", help="name or file of the denoiser's weights")
    parser.add_argument(
        "--eraser", help="file of the network that tells the image without a column"
    )
    parser.add_argument(
        "--pixel", type=float, help="size of a pixel, instead of what the file says"
    )
    parser.add_argument("--device", help="where to denoise")


def run(
    noisy: Path,
    table: Path,
    *,
    picture: Path | None = None,
    seed: int = 0,
    model: str | None = None,
    eraser: str | None = None,
    device: str | None = None,
    force: bool = False,
    **how: object,
) -> None:
    """Write the table and the picture; `how` are options of `sbd.judge_columns`."""
    import numpy as np

    from sbd.denoisers.network import denoise
    from sbd.evidence.judgement import judge_columns
    from sbd.evidence.verdicts import mean_dose
    from sbd.networks.models import load_model
    from sbd.networks.threads import share_cores
    from sbd.recordings import to_counts
    from sbd.simulation.frame import PIXEL

    check_target(table, "table", ".csv")
    check_free(table, noisy, "table", force=force)
    if picture:
        check_target(picture, "picture", ".png")
        check_free(picture, noisy, "picture", force=force)
    part = pop_part(how)
    recording, report = read_checked(noisy, **part)
    if report is not None:
        recording = to_counts(recording, report)
    if "pixel" not in how:
        paper = f"{PIXEL:.4g} angstrom, the paper's"
        if sides := choose_sides(None, recording, otherwise=paper):
            how["pixel"] = sum(sides) / 2
    given = {"seed": seed, "model": model, "eraser": eraser, "device": device, **how}
    part.pop("limit", None)  # which changes nothing that is read
    given |= {name: value for name, value in part.items() if value}
    options = {
        name: given[name] for name in ("pixel", "device") if given.get(name) is not None
    }
    network = load_model(model or None)
    weights = {"denoiser": find_weights("model", model or "weights/default")}
    if "vacuum" not in how:
        weights["eraser"] = find_weights("eraser", eraser or "weights/eraser")
    how = {"deals": DEALS, "eraser": weights.get("eraser"), **how}
    with share_cores(device, recording.shape) as workers:
        verdicts = judge_columns(
            recording.values,
            lambda part: denoise(part, network, **options),
            rng=np.random.default_rng(seed),
            workers=workers,
            progress=sys.stderr.isatty(),
            **how,
        )
    _write_table(table, verdicts, noisy, weights, given)
    if picture:
        from sbd.plotting.verdicts import show_verdicts

        heading = noisy.name.replace("$", r"\$")  # which would begin a formula
        fig = show_verdicts(verdicts, recorded=mean_dose(verdicts), heading=heading)
        with replacing(picture) as part:
            fig.savefig(part, format="png", dpi=200)
    sys.stdout.write(_say(verdicts) + "\n")


def _number_or_auto(text: str) -> float | Literal["auto"]:
    """Read what --vacuum takes."""
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError:
        msg = f"must be a number or auto; got {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def _write_table(
    table: Path,
    verdicts: "ColumnVerdicts",
    noisy: Path,
    weights: dict[str, Path],
    given: dict[str, object],
) -> None:
    """Write a row for each column, below lines that say how they were made."""
    from sbd.evidence.verdicts import VERDICTS, explain_verdicts, tabulate_verdicts

    rows = tabulate_verdicts(verdicts)
    row, column, *_ = given.get("box", (0, 0))  # places are those of the file
    rows["row [pixels]"] += row
    rows["column [pixels]"] += column
    meaning = explain_verdicts(verdicts)
    options = [
        f"--{name} {_write_value(value)}"
        for name, value in given.items()
        if value is not None
    ]
    head = {
        "about": "a row for each column that was found, and what the counts say of it",
        "input": noisy.name,
        "input sha256": sha256(noisy),
        "options": " ".join(options),
        **verdicts.settings,
        "seed": given["seed"],
    }
    for role, file in weights.items():
        head |= {role: file.name, f"{role} sha256": sha256(file)}
    head |= {
        "units": _UNITS,
        "columns": len(rows),
        **{kind: int((rows["verdict"] == kind).sum()) for kind in VERDICTS},
        "support expected, if all are there": f"{verdicts.power.sum():.1f}",
        "verdicts": "; ".join(f"{kind}: {meaning[kind]}" for kind in VERDICTS),
    }
    lines = [f"# {key}: {_write_value(value)}\n" for key, value in head.items()]
    text = rows.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    write_text(table, "".join(lines) + text)


def _write_value(value: object) -> str:
    """Write a value on one line, as a file's name may not be."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())


def _say(verdicts: "ColumnVerdicts") -> str:
    """Tell the outcome in a sentence."""
    import numpy as np

    from sbd.evidence.verdicts import mean_dose

    number = len(verdicts.columns)
    undecided = ~(verdicts.supported | verdicts.ruled_out)
    said = (
        f"{number} columns: {verdicts.supported.sum()} supported, "
        f"{verdicts.ruled_out.sum()} ruled out, {undecided.sum()} undecided at a false "
        f"discovery rate of {verdicts.settings['level']:g}; if all are there, "
        f"{verdicts.power.sum():.0f} were to be expected supported"
    )
    if 2 * undecided.sum() <= number:
        return said
    times = float(np.median(verdicts.dose[undecided]))
    if np.isinf(times):
        return f"{said}; no dose would decide half of the undecided"
    if times <= 1:
        return said
    return (
        f"{said}; half of the undecided would be decided at {times:.2g} times this "
        f"dose, {times * mean_dose(verdicts):.2g} electrons per pixel"
    )
