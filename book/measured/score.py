"""Score the default weights on images they never learnt from: ``make score``.

    python book/measured/score.py BENCHMARK [--images N] [--weights FILE] [--to FILE]

Two sets, both by the authors' metric at their dose of 0.45 electrons per pixel: the
authors' clean images, where they can be fetched (eight draws of the counts each), and N
images of the benchmark's strict test split, cut and resized as the authors cut and
resize theirs (one draw each, spread evenly over the split by a seed). The windowed
Fourier filter sees the same counts.

Six of those structures are also recorded with pixels of other sizes, at the same dose
per area: `pixel` is told to `sbd.denoise`, or counts are added by hand and the network
is given the bins. What is printed is also written, as JSON.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import fft
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import average
from sbd.companion.pages.generalisation import frame_as_published
from sbd.data.registry import DataUnavailableError
from sbd.denoisers import choose_bins
from sbd.simulation.frame import BOX, BOX_SAMPLES, PIXEL
from sbd.simulation.specimens import SEEN

AUTHORS = ("clean/PtNp2-S3_5", "clean/PtNp2-S3_2-S5_2", *SEEN)
DRAWS = 8
SEED = 11
PIXELS = (0.031, 0.0488, 0.062, 0.1, 0.124, 0.2, 0.25, 0.31, (0.062, 0.064))
SCENES = 6
FIELD = 43.0, 45.3  # of the box, below which is the seam [angstrom]


def rate(clean: np.ndarray, model: torch.nn.Module, seed: list[int]) -> dict:
    """Denoise one draw of the counts both ways."""
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(seed))
    ours = sbd.denoise(noisy, model, device="cpu")
    filtered = sbd.denoise_windowed_fourier(noisy)
    return {
        "psnr": sbd.authors_psnr(clean, ours),
        "ssim": sbd.authors_ssim(clean, ours),
        "filter_psnr": sbd.authors_psnr(clean, filtered),
    }


def mean_of(scores: list[dict]) -> dict:
    """Means, their standard errors, and the worst."""
    psnr = np.array([score["psnr"] for score in scores])
    means = average(psnr)
    return {
        "psnr": means["mean"],
        "standard_error": means["standard_error"],
        "lowest_psnr": means["lowest"],
        "share_below_37": round(float((psnr < 37).mean()), 3),
        "ssim": round(float(np.mean([score["ssim"] for score in scores])), 4),
        "windowed_fourier_psnr": round(
            float(np.mean([score["filter_psnr"] for score in scores])), 2
        ),
        "images": len(scores),
    }


def authors_images(model: torch.nn.Module) -> dict:
    """Score the authors' images that can be had."""
    table = {}
    for name in AUTHORS:
        try:
            clean = sbd.fetch_clean(name)
        except DataUnavailableError:
            continue
        clean = sbd.authors_resize(clean).clip(min=0)
        scores = [rate(clean, model, [SEED, draw]) for draw in range(DRAWS)]
        table[name.removeprefix("clean/")] = mean_of(scores)
    return table


def test_images(benchmark: sbd.Benchmark, model: torch.nn.Module, number: int) -> dict:
    """Score images of structures that are kept for tests."""
    rows = np.flatnonzero((benchmark.table["split"] == "test").to_numpy())
    chosen = np.random.default_rng(SEED).choice(rows, size=number, replace=False)
    scores = []
    for row in tqdm(np.sort(chosen), unit="image", mininterval=10):
        clean = frame_as_published(benchmark.image(int(row), samples=BOX_SAMPLES))
        scores.append(rate(clean, model, [SEED, int(row)]))
    table = {"all": mean_of(scores)}
    labels = benchmark.table.iloc[np.sort(chosen)]
    for key in ("contrast", "thickness", "particle"):
        for value in sorted(labels[key].dropna().unique()):
            some = np.flatnonzero((labels[key] == value).to_numpy())
            if len(some) > 1:
                table[f"{key} {value}"] = mean_of([scores[i] for i in some])
    return table


def pixel_sizes(benchmark: sbd.Benchmark, model: torch.nn.Module) -> dict:
    """Score the same scenes on pixels of other sizes, added up by us and by hand."""
    rows = np.flatnonzero((benchmark.table["split"] == "test").to_numpy())
    rows = np.random.default_rng(SEED).choice(rows, size=SCENES, replace=False)
    table = {}
    for pixel in PIXELS:
        sides = np.broadcast_to(np.array(pixel, float), 2)
        samples = tuple(round(BOX / side) for side in sides)
        sides = BOX / np.array(samples)  # so that whole pixels fit into the box
        share = sides.prod() / PIXEL**2  # of the electrons that a paper's pixel gets
        bins = choose_bins(tuple(sides), model)
        scores = {"told": [], "by hand": []}
        for row in rows:
            clean = benchmark.image(int(row), samples=samples).clip(min=0)
            ends = (np.array(FIELD) / sides).astype(int) // bins * bins
            clean = clean[: ends[0], : ends[1]]
            rng = np.random.default_rng([SEED, int(row)])
            noisy = sbd.poisson_noise(clean * share, rng=rng)
            told = sbd.denoise(noisy, model, pixel=tuple(sides), device="cpu") / share
            scores["told"].append(sbd.psnr(clean, told))
            scores["by hand"].append(
                sbd.psnr(clean, bin_by_hand(noisy, model, bins) / share)
            )
        table[" x ".join(f"{side:.4g}" for side in np.unique(sides))] = {
            "pixels in a bin": list(bins),
            "bin": [round(float(side), 3) for side in sides * bins],
            **{
                name: {"psnr": means["mean"], "standard_error": means["standard_error"]}
                for name, means in ((n, average(psnr)) for n, psnr in scores.items())
            },
            "largest difference": round(
                float(np.abs(np.subtract(*scores.values())).max()), 3
            ),
        }
    return table


def bin_by_hand(
    noisy: np.ndarray, model: torch.nn.Module, bins: tuple[int, int]
) -> np.ndarray:
    """Add counts up, give the network the bins, and interpolate by a Fourier series."""
    down, across = bins
    height, width = (n // b for n, b in zip(noisy.shape, bins, strict=True))
    summed = noisy.reshape(height, down, width, across).sum((1, 3))
    per = model.binning**2  # pixels of those it learnt from
    with torch.no_grad():
        counts = torch.from_numpy(summed.astype(np.float32))[None, None]
        estimate = model.denoise_binned(counts / per)[0, 0].numpy()
    estimate = estimate * (per / (down * across))
    for axis, size in enumerate(noisy.shape):  # a cosine series, and so mirrored
        series = fft.dct(estimate.astype(float), axis=axis, norm="forward")
        k = np.arange(series.shape[axis])
        waves = np.cos(np.pi * k * (np.arange(size)[:, None] + 0.5) / size)
        waves[:, 1:] *= 2
        estimate = np.moveaxis(np.tensordot(waves, series, axes=(1, axis)), 0, axis)
    return estimate


def main() -> None:
    """Score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--weights")
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="pixel of 0.2")  # which is meant
    model = sbd.load_model(options.weights)
    table = {
        "dose": sbd.VACUUM,
        "authors": authors_images(model),
        "strict test split": test_images(
            sbd.Benchmark(options.benchmark), model, options.images
        ),
        "pixel sizes": pixel_sizes(sbd.Benchmark(options.benchmark), model),
    }
    print(json.dumps(table, indent=1))
    if options.to:
        write_measured(options.to, table, __file__)


if __name__ == "__main__":
    main()
