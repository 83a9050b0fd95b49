"""Measure what is won by choosing on the recording itself: ``make choosing``.

    python book/measured/choosing.py BENCHMARK FILE [--images N] [--networks N]

Counts of images are handed to `sbd.recordings.tune_on_counts` and to
`sbd.recordings.adapt_network`, which see no truth. Once they are N images of the strict
test split, once particles of gold at 200 kV (`sbd.companion.pages.material`), of which
the default weights know nothing. `gain` is by how much the PSNR of the estimate of the
whole recording rises over the defaults' [dB]; `changed` the share of images on which
they were left; `times` how long it took, in calls of the denoiser.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import average
from sbd.companion.pages import material as gold
from sbd.recordings import adapt_network, tune_on_counts
from sbd.simulation.frame import BOX, PIXEL
from sbd.typing import Image

GRIDS = {
    "Gaussian": (sbd.denoise_gaussian, {"sigma": (5.0, 6.0, 9.0, 11.0)}),
    "Wiener": (
        sbd.denoise_wiener,
        {"smoothing": (1.0, 1.5, 2.0), "excess": (1.7, 2.0, 2.5)},
    ),
    "windowed Fourier": (
        sbd.denoise_windowed_fourier, {"threshold": (5.0, 6.0, 7.0)},
    ),
}  # fmt: skip
SIDE = 384  # of the images of the benchmark [pixels]
PER_AREA = sbd.VACUUM / PIXEL**2  # the paper's dose [electrons / square angstrom]


def platinum(folder: Path, number: int) -> Iterator[tuple[Image, float]]:
    """Give images of the strict test split, and the size of their pixels."""
    benchmark = sbd.Benchmark(folder)
    tested = np.flatnonzero(benchmark.table["split"] == "test")
    rows = np.random.default_rng(0).choice(tested, number, replace=False)
    samples = round(BOX / PIXEL)
    for row in rows:
        yield benchmark.image(int(row), samples=samples)[:SIDE, :SIDE], BOX / samples


def particles(number: int) -> Iterator[tuple[Image, float]]:
    """Give images of gold, one of each particle, at the same dose per area."""
    samples = round(gold.BOX / gold.PIXEL)
    for seed in range(number):
        rng = np.random.default_rng([41, 200 + seed, False])
        wave = sbd.exit_wave(gold.gold_particle(rng), gold.MICROSCOPE)
        focus = 10 * gold.DEFOCI[seed % len(gold.DEFOCI)]
        clean = sbd.form_image(wave, defocus=focus, samples=samples)
        pixel = gold.BOX / samples
        yield clean * PER_AREA * pixel**2 / sbd.VACUUM, pixel


def score(clean: Image, estimate: Image) -> float:
    """Give the PSNR to the level of vacuum; only its differences are told [dB]."""
    return float(-10 * np.log10(np.mean((estimate - clean) ** 2)))


def try_out(
    images: list[tuple[Image, float]],
    choose: Callable[[Image, float, np.random.Generator], tuple[Callable, bool]],
    default: Callable[[Image, float], Image],
) -> dict:
    """Choose on each image, and score with the truth."""
    gains, changed, times = [], [], []
    for number, (clean, pixel) in enumerate(tqdm(images, mininterval=10)):
        counts = np.random.default_rng([number, 1]).poisson(clean.clip(0))
        counts = counts.astype(np.float32)
        began = time.perf_counter()
        before = score(clean, default(counts, pixel))
        once = time.perf_counter() - began
        began = time.perf_counter()
        denoise, left = choose(counts, pixel, np.random.default_rng([number, 2]))
        times.append((time.perf_counter() - began) / once)
        after = score(clean, denoise(counts)) if left else before
        gains.append(after - before)
        changed.append(left)
    return {
        "gain": average(gains),
        "changed": round(float(np.mean(changed)), 3),
        "times": round(float(np.median(times)), 1),
        "images": len(images),
    }


def tune_one(denoise: Callable, grid: dict, counts: Image, _: float, rng) -> tuple:  # noqa: ANN001
    """Choose parameters of a filter."""
    choice = tune_on_counts(counts, denoise, grid, rng=rng)
    return partial(denoise, **choice.parameters), choice.changed


def adapt_one(model: object, counts: Image, pixel: float, rng) -> tuple:  # noqa: ANN001
    """Adapt the network."""
    found = adapt_network(counts, model, pixel=pixel, rng=rng, device="cpu")
    denoise = partial(sbd.denoise, model=found.model, pixel=pixel, device="cpu")
    return denoise, found.kept


def main() -> None:
    """Do both on both, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--networks", type=int, default=12)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = sbd.load_model()
    record = {}
    for name, images in (
        ("strict test split", list(platinum(given.benchmark, given.images))),
        ("gold at 200 kV", list(particles(given.networks))),
    ):
        row = {
            label: try_out(
                images, partial(tune_one, denoise, grid),
                lambda counts, _, denoise=denoise: denoise(counts),
            )
            for label, (denoise, grid) in GRIDS.items()
        }  # fmt: skip
        row["gains of the network"] = try_out(
            images[: given.networks], partial(adapt_one, model),
            lambda counts, pixel: sbd.denoise(counts, model, pixel=pixel, device="cpu"),
        )  # fmt: skip
        record[name] = row
    write_measured(given.file, record, __file__)


if __name__ == "__main__":
    main()
