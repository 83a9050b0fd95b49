"""The command line: a thin door onto the functions."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


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

    simulate = commands.add_parser("simulate", help="simulate the benchmark, or go on")
    simulate.add_argument("folder", type=Path)
    simulate.add_argument("--workers", type=int, default=2)
    simulate.add_argument("--grid", type=int, default=512)
    simulate.set_defaults(run=_simulate)

    train = commands.add_parser("train", help="train a network, or go on")
    train.add_argument("benchmark", type=Path, help="folder that simulate wrote")
    train.add_argument("folder", type=Path, help="gets checkpoint, curve and weights")
    train.add_argument("--model", default="LatticeUNet", help="LatticeUNet or UNet")
    train.add_argument("--start", help="name or file of weights to go on from")
    train.add_argument("--channels", type=int, default=32)
    train.add_argument("--scales", type=int, default=4)
    train.add_argument("--bias-free", action="store_true")
    train.add_argument("--steps", type=int, required=True)
    train.add_argument("--batch", type=int, default=8)
    train.add_argument("--rate", type=float, default=2e-3)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="auto")
    train.add_argument("--bf16", action="store_true")
    train.set_defaults(run=_train)

    denoise = commands.add_parser("denoise", help="denoise counts in a .npy file")
    denoise.add_argument("noisy", type=Path)
    denoise.add_argument("denoised", type=Path, help="the .npy file to write")
    denoise.add_argument("--model", help="name or file of the weights")
    denoise.add_argument("--device", default="auto")
    denoise.set_defaults(run=_denoise)
    return parser


def _fetch(options: argparse.Namespace) -> None:
    from sbd.registry import fetch

    sys.stdout.write(f"{fetch(options.name)}\n")


def _simulate(options: argparse.Namespace) -> None:
    from sbd.dataset import simulate_benchmark

    benchmark = simulate_benchmark(
        options.folder, workers=options.workers, grid=options.grid
    )
    sys.stdout.write(f"{len(benchmark)} images in {options.folder}\n")


def _train(options: argparse.Namespace) -> None:
    from sbd.dataset import Benchmark
    from sbd.models import create_model, load_model
    from sbd.training import train

    if options.start:
        model = load_model(options.start)
    else:
        model = create_model(
            options.model,
            seed=options.seed,
            scales=options.scales,
            channels=options.channels,
            bias=not options.bias_free,
        )
    train(
        model, Benchmark(options.benchmark), options.folder, steps=options.steps,
        seed=options.seed, batch=options.batch, rate=options.rate,
        device=options.device, bf16=options.bf16,
    )  # fmt: skip
    last = json.loads((options.folder / "curve.json").read_text())["curve"][-1]
    sys.stdout.write(f"{last}\n")


def _denoise(options: argparse.Namespace) -> None:
    import numpy as np

    from sbd.denoisers import denoise
    from sbd.models import load_model

    if options.denoised.suffix != ".npy":
        msg = f"denoised must be the name of a .npy file; got {options.denoised}"
        raise ValueError(msg)
    if not options.denoised.parent.is_dir():
        msg = f"denoised must be in a folder that exists; got {options.denoised}"
        raise ValueError(msg)
    try:
        noisy = np.load(options.noisy, allow_pickle=False)
    except (EOFError, ValueError):
        msg = (
            f"noisy must be a .npy file with an image; got {options.noisy} (read it "
            "with tifffile, say, and numpy.save the counts)"
        )
        raise ValueError(msg) from None
    model = load_model(options.model) if options.model else None
    denoised = denoise(noisy, model, device=options.device)
    part = options.denoised.with_name(options.denoised.name + ".part")
    with part.open("wb") as file:
        np.save(file, denoised)
    part.replace(options.denoised)


if __name__ == "__main__":
    raise SystemExit(main())
