"""Score the default weights on images they never learnt from: ``make score``.

    python book/measured/score.py BENCHMARK [--images N] [--weights FILE] [--to FILE]

Two sets, both by the authors' metric at their dose of 0.45 electrons per pixel: the
authors' clean images, where they can be fetched (eight draws of the counts each), and N
images of the benchmark's strict test split, cut and resized as the authors cut and
resize theirs (one draw each, spread evenly over the split by a seed). The windowed
Fourier filter sees the same counts. What is printed is also written, as JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import sbd
from sbd.companion.pages.generalisation import frame_as_published
from sbd.data.registry import DataUnavailableError
from sbd.files import write_json
from sbd.simulation.frame import BOX_SAMPLES
from sbd.simulation.specimens import SEEN

AUTHORS = ("clean/PtNp2-S3_5", "clean/PtNp2-S3_2-S5_2", *SEEN)
DRAWS = 8
SEED = 11


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
    return {
        "psnr": round(float(psnr.mean()), 2),
        "standard_error": round(float(psnr.std(ddof=1) / len(psnr) ** 0.5), 2),
        "lowest_psnr": round(float(psnr.min()), 2),
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
    for key in ("contrast", "thickness"):
        for value in sorted(labels[key].dropna().unique()):
            some = np.flatnonzero((labels[key] == value).to_numpy())
            if len(some) > 1:
                table[f"{key} {value}"] = mean_of([scores[i] for i in some])
    return table


def main() -> None:
    """Score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--weights")
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = sbd.load_model(options.weights)
    table = {
        "dose": sbd.VACUUM,
        "authors": authors_images(model),
        "strict test split": test_images(
            sbd.Benchmark(options.benchmark), model, options.images
        ),
    }
    print(json.dumps(table, indent=1))
    if options.to:
        write_json(options.to, table)


if __name__ == "__main__":
    main()
