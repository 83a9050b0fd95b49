"""Time many rows of the Jacobian against separate calls: ``make jacobian``.

    python book/measured/jacobian.py FILE [--rows N] [--separate N]

One noisy image of 727 x 687 pixels and the default network, on one core and on all of
them. Together: `sbd.jacobian_rows`, with a thread for each core. Separately: for each
pixel the network's forward pass and one call of `torch.autograd.grad`, which uses as
many cores; half of these calls are made before and half after, so that the machine's
load is much the same. The same network is used by all, so that the separate calls gain
from its hand-written derivatives as well.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import (
    PUBLISHED_SHAPE,
    describe_machine,
    mirrored_truth,
)
from sbd.typing import Image, Pixel


def row_alone(model: torch.nn.Module, noisy: Image, pixel: Pixel) -> Image:
    """Compute a row as a newcomer would."""
    y = torch.from_numpy(noisy).float()[None, None].requires_grad_()
    value = model(y)[(0, 0, *pixel)]
    return torch.autograd.grad(value, y)[0][0, 0].numpy()


def measure(rows: int, separate: int) -> dict:
    """Time the ways in turn, on one core and on all."""
    model = sbd.load_model().eval()
    noisy = sbd.poisson_noise(mirrored_truth(), rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    pixels = [tuple(map(int, rng.integers(0, PUBLISHED_SHAPE))) for _ in range(rows)]
    record = {"shape": PUBLISHED_SHAPE, "rows": rows}
    record["rows computed separately"] = separate
    for cores in sorted({1, len(os.sched_getaffinity(0))}):
        record[f"cores: {cores}"] = compare(model, noisy, pixels, separate, cores)
    return record | {
        "default": type(model).__name__,
        **describe_machine("sbd", "torch"),
    }


def compare(
    model: torch.nn.Module,
    noisy: Image,
    pixels: list[Pixel],
    separate: int,
    cores: int,
) -> dict:
    """Time both ways on so many cores."""
    torch.set_num_threads(cores)
    seconds, alone = [], []
    sbd.jacobian_row(model, noisy, pixels[0])

    def some(which: list[Pixel]) -> None:
        for pixel in which:
            started = time.perf_counter()
            alone.append(row_alone(model, noisy, pixel))
            seconds.append(time.perf_counter() - started)

    some(pixels[: separate // 2])
    started = time.perf_counter()
    together, _ = sbd.jacobian_rows(model, noisy, pixels, workers=cores)
    whole = time.perf_counter() - started
    some(pixels[separate // 2 : separate])
    each = float(np.mean(seconds))
    error = np.abs(np.stack(alone) - together[:separate]).max()
    values = model(torch.from_numpy(noisy).float()[None, None])[0, 0].detach().numpy()
    value = np.array([values[pixel] for pixel in pixels])
    summed = np.tensordot(together.astype(float), noisy.astype(float), 2)
    return {
        "seconds for each row": {
            "together": round(whole / len(pixels), 3),
            "separately": round(each, 3),
        },
        "times faster": round(each * len(pixels) / whole, 2),
        "largest difference, relative to the largest weight": float(
            f"{error / np.abs(together).max():.1e}"
        ),
        "largest |f(y) - J y| [e/pixel]": float(f"{np.abs(summed - value).max():.1e}"),
    }


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--separate", type=int, default=10)
    given = parser.parse_args()
    record = measure(given.rows, given.separate)
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
