"""``sbd simulate``: a benchmark, or what is missing of one."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbd.simulation.microscope import Microscope

HELP = "simulate the benchmark, or go on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, help="processes (2)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a cluster")
    parser.add_argument("--device", help="cpu, cuda or mps")
    parser.add_argument("--grid", type=int, help="samples of the box (640)")
    parser.add_argument("--particles", nargs="+", help="only these, as PtNp2")
    parser.add_argument("--defects", nargs="+", help="only these, as D0 D1")
    parser.add_argument("--thicknesses", nargs="+", type=float, help="in angstrom")
    parser.add_argument(
        "--tilts", nargs="+", type=_pair, metavar="X,Y", help="in degrees, as 3,0"
    )
    parser.add_argument("--defoci", nargs="+", type=float, help="in nm")
    parser.add_argument(
        "--structures", nargs="+", type=Path,
        help="structure files instead (.cif, .xyz and what else ASE reads), in a cell "
        "that is square across the beam, z, and wide enough for an example to train on",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", nargs="+", type=Path, dest="held_out",
        help="structure files that training does not learn from, for its curve",
    )  # fmt: skip
    parser.add_argument(
        "--microscope", type=Path, help="JSON file with fields of Microscope"
    )


def run(
    folder: Path,
    *,
    structures: list[Path] | None = None,
    held_out: list[Path] | None = None,
    microscope: Path | None = None,
    **options: object,
) -> None:
    """Simulate and print how many images there are."""
    from sbd.benchmark.production import simulate_benchmark
    from sbd.benchmark.recipes import default_recipes, read_recipe

    names = ("particles", "defects", "thicknesses")
    chosen = {name: options.pop(name) for name in names if name in options}
    if structures and chosen:
        msg = "structures must come without particles, defects and thicknesses"
        raise ValueError(msg)
    if held_out and not structures:
        msg = "held_out must come with structures"
        raise ValueError(msg)
    own = [read_recipe(path) for path in structures or ()]
    own += [read_recipe(path, held_out=True) for path in held_out or ()]
    options.setdefault("workers", 1 if options.get("dask") else 2)
    benchmark = simulate_benchmark(
        folder,
        recipes=own or default_recipes(**chosen),
        microscope=_read_microscope(microscope) if microscope else None,
        **options,
    )
    sys.stdout.write(f"{len(benchmark)} images in {folder}\n")


def _pair(text: str) -> tuple[float, float]:
    about_x, about_y = text.split(",")
    return float(about_x), float(about_y)


def _read_microscope(path: Path) -> "Microscope":
    """Read optics from a file, or say which of its names are none."""
    from sbd.simulation.microscope import Microscope

    try:
        return Microscope(**json.loads(path.read_text()))
    except (TypeError, json.JSONDecodeError) as error:
        names = ", ".join(Microscope.__dataclass_fields__)
        msg = f"microscope must be a JSON object of {names}; got {path} ({error})"
        raise ValueError(msg) from None
