"""``sbd train``: teach a network on a benchmark, or go on."""

import argparse
import json
import sys
from pathlib import Path

HELP = "train a network, or go on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("benchmark", type=Path, help="folder that simulate wrote")
    parser.add_argument("folder", type=Path, help="gets checkpoint, curve and weights")
    parser.add_argument("--model", help="which network; see sbd.networks.create_model")
    parser.add_argument("--start", help="name or file of weights to go on from")
    parser.add_argument(
        "--pilot", help="name or file of the network that a CrystalUNet begins with"
    )
    parser.add_argument("--channels", type=int)
    parser.add_argument("--scales", type=int)
    parser.add_argument("--binning", type=int)
    parser.add_argument("--bias-free", action="store_const", const=False, dest="bias")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--crop", type=int, help="bins along a side")
    parser.add_argument(
        "--pixel", type=float, nargs=2, metavar=("LOW", "HIGH"),
        help="range of the pixels' sides, of which a bin has binning x binning "
        "[angstrom]",
    )  # fmt: skip
    parser.add_argument("--upright", type=float, help="share of upright examples")
    parser.add_argument(
        "--dose", type=float, nargs=2, metavar=("LOW", "HIGH"),
        help="range of the other doses [electrons/pixel]",
    )  # fmt: skip
    parser.add_argument("--paper-dose", type=float, help="share of examples at 0.45")
    parser.add_argument(
        "--only", action="append", metavar="LABEL=VALUE[,VALUE]",
        help="learn from images with this label only, such as contrast=white",
    )  # fmt: skip
    parser.add_argument("--split", help="column of the table that says what is learnt")
    parser.add_argument("--workers", type=int, help="that draw examples")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument(
        "--compiled", action="store_true",
        help="let torch compile the network first: a minute, then faster on a GPU",
    )  # fmt: skip


def run(
    benchmark: Path,
    folder: Path,
    *,
    start: str | None = None,
    split: str = "split",
    only: tuple[str, ...] = (),
    **options: object,
) -> None:
    """Train and print the last row of the curve."""
    from sbd.benchmark.dataset import Benchmark
    from sbd.networks.drawing import Drawing
    from sbd.networks.models import change_pilot, create_model, load_model
    from sbd.networks.training import train

    drawn = _taken(options, "crop", "pixel", "upright", "dose", "paper_dose")
    for name in {"pixel", "dose"} & set(drawn):
        drawn[name] = tuple(drawn[name])
    drawing = Drawing(**drawn)
    made = _taken(options, "channels", "scales", "binning", "bias", "pilot")
    kind = options.pop("model", "LatticeUNet")
    if start:
        model = load_model(start)
        if "pilot" in made:
            model = change_pilot(model, made["pilot"])
    else:
        model = create_model(kind, seed=options.get("seed", 0), **made)
    images = Benchmark(benchmark).select(
        split=split, **dict(_read_label(text) for text in only)
    )
    train(model, images, folder, drawing=drawing, **options)
    last = json.loads((folder / "curve.json").read_text())["curve"][-1]
    sys.stdout.write(f"{last}\n")


def _taken(options: dict[str, object], *names: str) -> dict[str, object]:
    """Take the options of these names that were given."""
    return {name: options.pop(name) for name in names if name in options}


def _read_label(text: str) -> tuple[str, list[str | float]]:
    """Read ``name=value,value``; a value that looks like a number is one."""
    name, equals, values = text.partition("=")
    if not equals:
        msg = f"only must be LABEL=VALUE[,VALUE]; got {text!r}"
        raise ValueError(msg)
    return name, [_read_number(value) for value in values.split(",")]


def _read_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
