"""The command line: a thin door onto the functions."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sbd.typing import Image


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sbd COMMAND ...``.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; ``sys.argv`` if not given.

    Returns
    -------
    int
        0 when all went well, 1 when an input was refused.

    Examples
    --------
    >>> main(["fetch", "no-such-item"])
    1
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        sys.stderr.write(f"sbd {options.command}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sbd", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    fetch = commands.add_parser("fetch", help="fetch an item of the registry")
    fetch.add_argument("name")
    fetch.set_defaults(run=_fetch)

    _add_simulate(commands)

    verify = commands.add_parser(
        "verify", help="compare a benchmark with its checksums"
    )
    verify.add_argument("folder", type=Path)
    verify.set_defaults(run=_verify)

    _add_train(commands)

    denoise = commands.add_parser("denoise", help="denoise counts in a .npy file")
    denoise.add_argument("noisy", type=Path)
    denoise.add_argument("denoised", type=Path, help="the .npy file to write")
    denoise.add_argument("--model", help="name or file of the weights")
    denoise.add_argument("--pixel", type=float, help="size of a pixel [angstrom]")
    denoise.add_argument("--device", default="auto")
    denoise.add_argument("--tile", type=int, help="side of the pieces, for the memory")
    denoise.add_argument(
        "--ensemble", action="store_true", help="average over turns and mirrors"
    )
    denoise.set_defaults(run=_denoise)

    _add_judge(commands)

    export = commands.add_parser("export", help="write a network as an ONNX file")
    export.add_argument("file", type=Path, help="the .onnx file to write")
    export.add_argument("--model", help="name or file of the weights")
    export.add_argument(
        "--shape", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="of the images it will take; any, for networks that do not bin counts",
    )  # fmt: skip
    export.set_defaults(run=_export)
    return parser


def _add_judge(commands: argparse._SubParsersAction) -> None:
    judge = commands.add_parser(
        "judge",
        help="tell which atomic columns of a recording its counts support",
        description="Denoise one half of the electrons, find the columns, and ask the "
        "other half which of them are there. Writes a table, a row for each column.",
    )
    judge.add_argument("noisy", type=Path, help=".npy file of whole counts")
    judge.add_argument("table", type=Path, help="the .csv file to write")
    judge.add_argument(
        "--vacuum", type=float, required=True,
        help="mean count of a corner without specimen [electrons per pixel]",
    )  # fmt: skip
    judge.add_argument("--picture", type=Path, help="a .png file to write too")
    judge.add_argument("--level", type=float, default=0.05, help="of false discoveries")
    judge.add_argument("--seed", type=int, default=0, help="of the split")
    judge.add_argument("--model", help="name or file of the weights")
    judge.add_argument("--pixel", type=float, help="size of a pixel [angstrom]")
    judge.add_argument("--device", default="auto")
    judge.set_defaults(run=_judge)


def _judge(options: argparse.Namespace) -> None:
    import numpy as np

    from sbd.denoisers.network import denoise
    from sbd.evidence.significance import (
        decidable_dose,
        judge_columns,
        tabulate_verdicts,
    )
    from sbd.networks.models import load_model
    from sbd.plotting.verdicts import show_verdicts

    _check_target(options.table, "table", ".csv")
    if options.picture:
        _check_target(options.picture, "picture", ".png")
    noisy = _read_image(options.noisy)
    model = load_model(options.model) if options.model else None
    how = {"pixel": options.pixel, "device": options.device}
    verdicts = judge_columns(
        noisy,
        lambda part: denoise(part, model, **how),
        rng=np.random.default_rng(options.seed),
        level=options.level,
        vacuum=options.vacuum,
    )
    claimed, columns = verdicts.denoised, verdicts.columns
    dose = decidable_dose(claimed, columns, vacuum=options.vacuum)
    table = tabulate_verdicts(verdicts, dose).round(6)
    with _replacing(options.table) as part:
        table.to_csv(part, index=False, lineterminator="\n")
    if options.picture:
        fig = show_verdicts(verdicts, dose, recorded=options.vacuum)
        with _replacing(options.picture) as part:
            fig.savefig(part, format="png", dpi=200)
    sys.stdout.write(
        f"{len(columns)} columns, {verdicts.supported.sum()} of them supported at a "
        f"false discovery rate of {options.level:g}; {verdicts.power.sum():.0f} were "
        "to be expected if all are there\n"
    )


def _check_target(file: Path, name: str, suffix: str) -> None:
    """Say before anything is computed that a file could not be written."""
    if file.suffix != suffix:
        msg = f"{name} must be the name of a {suffix} file; got {file}"
        raise ValueError(msg)
    if not file.parent.is_dir():
        msg = f"{name} must be in a folder that exists; got {file}"
        raise ValueError(msg)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """Give a temporary name, and rename what is written there."""
    part = file.with_name(file.name + ".part")
    yield part
    part.replace(file)


def _read_image(file: Path) -> Image:
    """Load an image that is denoised or judged."""
    import numpy as np

    try:
        return np.load(file, allow_pickle=False)
    except (EOFError, ValueError):
        msg = (
            f"noisy must be a .npy file with an image; got {file} (read it "
            "with tifffile, say, and numpy.save the counts)"
        )
        raise ValueError(msg) from None


def _export(options: argparse.Namespace) -> None:
    from sbd.networks.models import load_model
    from sbd.networks.onnx import export_onnx

    shape = tuple(options.shape) if options.shape else None
    export_onnx(load_model(options.model), options.file, shape=shape)
    sys.stdout.write(f"{options.file}\n")


def _add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="train a network, or go on")
    train.add_argument("benchmark", type=Path, help="folder that simulate wrote")
    train.add_argument("folder", type=Path, help="gets checkpoint, curve and weights")
    train.add_argument(
        "--model", default="LatticeUNet", help="which network; see sbd.create_model"
    )
    train.add_argument("--start", help="name or file of weights to go on from")
    train.add_argument(
        "--pilot", help="file of the LatticeUNet that a CrystalUNet begins with"
    )
    train.add_argument("--channels", type=int)
    train.add_argument("--scales", type=int)
    train.add_argument("--binning", type=int)
    train.add_argument("--bias-free", action="store_true")
    train.add_argument("--steps", type=int, required=True)
    train.add_argument("--batch", type=int, default=8)
    train.add_argument("--crop", type=int, default=128, help="bins along a side")
    train.add_argument(
        "--upright", type=float, default=0.0, help="share of upright examples"
    )
    train.add_argument(
        "--dose", type=float, nargs=2, default=(0.1, 10.0), metavar=("LOW", "HIGH"),
        help="range of the other doses [electrons/pixel]",
    )  # fmt: skip
    train.add_argument(
        "--paper-dose", type=float, default=0.6, help="share of examples at 0.45"
    )
    train.add_argument(
        "--only", action="append", default=[], metavar="LABEL=VALUE[,VALUE]",
        help="learn from images with this label only, such as contrast=white",
    )  # fmt: skip
    train.add_argument(
        "--split", default="split", help="column of the table that says what is learnt"
    )
    train.add_argument("--workers", type=int, default=0, help="that draw examples")
    train.add_argument("--rate", type=float, default=2e-3)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="auto")
    train.add_argument("--bf16", action="store_true")
    train.set_defaults(run=_train)


def _add_simulate(commands: argparse._SubParsersAction) -> None:
    simulate = commands.add_parser("simulate", help="simulate the benchmark, or go on")
    simulate.add_argument("folder", type=Path)
    simulate.add_argument("--workers", type=int, help="processes (2)")
    simulate.add_argument("--dask", metavar="ADDRESS", help="scheduler of a cluster")
    simulate.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    simulate.add_argument("--grid", type=int, help="samples of the box (640)")
    simulate.add_argument("--particles", nargs="+", help="only these, as PtNp2")
    simulate.add_argument("--defects", nargs="+", help="only these, as D0 D1")
    simulate.add_argument("--thicknesses", nargs="+", type=float, help="in angstrom")
    simulate.add_argument(
        "--tilts", nargs="+", type=_pair, metavar="X,Y", help="in degrees, as 3,0"
    )
    simulate.add_argument("--defoci", nargs="+", type=float, help="in nm")
    simulate.add_argument(
        "--structures", nargs="+", type=Path, help="structure files instead"
    )
    simulate.add_argument(
        "--microscope", type=Path, help="JSON file with fields of Microscope"
    )
    simulate.set_defaults(run=_simulate)


def _pair(text: str) -> tuple[float, float]:
    about_x, about_y = text.split(",")
    return float(about_x), float(about_y)


def _fetch(options: argparse.Namespace) -> None:
    from sbd.data.registry import fetch

    sys.stdout.write(f"{fetch(options.name)}\n")


def _simulate(options: argparse.Namespace) -> None:
    from sbd.benchmark.production import simulate_benchmark
    from sbd.benchmark.recipes import default_recipes, read_recipe

    if options.structures:
        chosen = (options.particles, options.defects, options.thicknesses)
        if any(chosen):
            msg = "structures must come without particles, defects and thicknesses"
            raise ValueError(msg)
        recipes = [read_recipe(path) for path in options.structures]
    else:
        recipes = default_recipes(
            particles=options.particles,
            defects=options.defects,
            thicknesses=options.thicknesses,
        )
    workers = options.workers
    if workers is None:
        workers = 1 if options.dask else 2
    conditions = {
        name: value
        for name in ("tilts", "defoci")
        if (value := getattr(options, name)) is not None
    }
    benchmark = simulate_benchmark(
        options.folder, recipes=recipes, workers=workers, dask=options.dask,
        device=options.device, grid=options.grid,
        microscope=_microscope(options.microscope), **conditions,
    )  # fmt: skip
    sys.stdout.write(f"{len(benchmark)} images in {options.folder}\n")


def _microscope(path: Path | None):  # noqa: ANN202
    """Read optics from a file, or say which of its names are none."""
    from sbd.simulation.microscope import Microscope

    if path is None:
        return None
    try:
        return Microscope(**json.loads(path.read_text()))
    except (TypeError, json.JSONDecodeError) as error:
        names = ", ".join(Microscope.__dataclass_fields__)
        msg = f"microscope must be a JSON object of {names}; got {path} ({error})"
        raise ValueError(msg) from None


def _verify(options: argparse.Namespace) -> None:
    from sbd.benchmark.dataset import Benchmark

    count = Benchmark(options.folder).verify()
    sys.stdout.write(f"{count} structures are whole\n")


def _train(options: argparse.Namespace) -> None:
    from sbd.benchmark.dataset import Benchmark
    from sbd.networks.models import create_model, load_model
    from sbd.networks.training import Drawing, train

    if options.start:
        model = load_model(options.start)
    else:
        names = "scales", "channels", "binning"
        config = {name: getattr(options, name) for name in names}
        config["bias"] = False if options.bias_free else None
        config = {key: value for key, value in config.items() if value is not None}
        model = create_model(
            options.model, seed=options.seed, pilot=options.pilot, **config
        )
    drawing = Drawing(
        crop=options.crop, upright=options.upright, dose=tuple(options.dose),
        paper_dose=options.paper_dose,
    )  # fmt: skip
    benchmark = Benchmark(options.benchmark).select(
        split=options.split, **dict(_read_label(text) for text in options.only)
    )
    train(
        model, benchmark, options.folder, steps=options.steps,
        seed=options.seed, batch=options.batch, rate=options.rate, drawing=drawing,
        device=options.device, bf16=options.bf16, workers=options.workers,
    )  # fmt: skip
    last = json.loads((options.folder / "curve.json").read_text())["curve"][-1]
    sys.stdout.write(f"{last}\n")


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


def _denoise(options: argparse.Namespace) -> None:
    import numpy as np

    from sbd.denoisers.network import denoise
    from sbd.networks.models import load_model

    _check_target(options.denoised, "denoised", ".npy")
    noisy = _read_image(options.noisy)
    model = load_model(options.model) if options.model else None
    denoised = denoise(
        noisy,
        model,
        pixel=options.pixel,
        device=options.device,
        ensemble=options.ensemble,
        tile=options.tile,
    )
    with _replacing(options.denoised) as part, part.open("wb") as file:
        np.save(file, denoised)
