"""Time the likelihood map against a plain reading of the method: ``make likelihood``.

    python book/measured/likelihood.py FILE [--runs N]

Both take one noisy image of 727 x 687 pixels and its clean one, in one process and on
one thread. The plain reading finds blobs with `skimage.feature.blob_log` at ten widths,
then goes over the pixels one by one: the log likelihood of each under the image and
under vacuum, its sum over each blob's disc, and the map with its guard band. How plain
the loops are decides the ratio, so there are two: in one each pixel asks every column
whether it is near, in the other each column goes over its own square. Ours is
`sbd.likelihood_map`, which finds the columns as well. Columns are the same if they are
within two pixels of each other; those that the border cuts through, which `blob_log`
lists even if their centres lie outside and which it places to a pixel or two, are
counted apart.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage.feature import blob_log

import sbd
from sbd.columns.finding import Columns
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import (
    PUBLISHED_SHAPE,
    describe_machine,
    mirrored_truth,
)
from sbd.typing import Image

WIDTHS = 4.0, 12.0  # of the blobs, smallest and largest [pixels]
NEAR = 2.0  # columns that are the same are no farther apart [pixels]


def find_blobs(image: Image) -> Columns:
    """Find columns, which are bright here, at ten widths."""
    low, high = WIDTHS
    blobs = blob_log(image - np.median(image), low, high, num_sigma=10, threshold=0.05)
    radii = math.sqrt(2) * blobs[:, 2]
    return Columns(blobs[:, :2], radii, np.ones(len(blobs)), 1, image.shape)


def log_factorial(count: int) -> float:
    """Add up logarithms, or take Stirling's formula for large numbers."""
    if count > 100:
        return count * math.log(count) - count + 0.5 * math.log(2 * math.pi * count)
    return math.log(math.factorial(count))


def log_poisson(count: int, mean: float) -> float:
    """Log probability of a count."""
    return count * math.log(mean) - mean - log_factorial(count)


def compare_pixels(noisy: Image, denoised: Image) -> Image:
    """Log likelihood of each pixel under the image, less that under vacuum."""
    height, width = noisy.shape
    likely = np.zeros(noisy.shape)
    for i in range(height):
        for j in range(width):
            count, mean = (
                int(noisy[i, j]),
                max(float(denoised[i, j]), 1e-3 * sbd.VACUUM),
            )
            likely[i, j] = log_poisson(count, mean) - log_poisson(count, sbd.VACUUM)
    return likely


def ask_every_column(noisy: Image, denoised: Image) -> tuple[Image, np.ndarray]:
    """Do it pixel by pixel, and let each pixel ask every column whether it is near."""
    columns, likely = find_blobs(denoised), compare_pixels(noisy, denoised)
    guard = 2.0 * float(np.median(columns.radii))
    discs = [
        (number, float(row), float(col), float(radius))
        for number, ((row, col), radius) in enumerate(
            zip(columns.positions, columns.radii, strict=True)
        )
    ]
    image = np.zeros(noisy.shape)
    mine = [[] for _ in discs]
    for i in range(noisy.shape[0]):
        for j in range(noisy.shape[1]):
            for number, row, col, radius in discs:
                distance = math.sqrt((i - row) ** 2 + (j - col) ** 2)
                if distance <= radius:
                    mine[number].append((i, j))
                elif distance <= radius + guard:
                    image[i, j] = math.nan
    ratios = []
    for places in mine:
        ratios.append(sum(likely[place] for place in places) / len(places))
        for place in places:
            image[place] = ratios[-1]
    return image, np.array(ratios)


def plain_map(noisy: Image, denoised: Image) -> tuple[Image, Columns, np.ndarray]:
    """Do it pixel by pixel, but look for a column's pixels only where it is."""
    columns, likely = find_blobs(denoised), compare_pixels(noisy, denoised)
    height, width = noisy.shape
    guard = 2.0 * float(np.median(columns.radii))
    image = np.zeros(noisy.shape)
    ratios = []
    for sweep in ("guard", "discs"):  # discs last, so that they lie on top
        for (row, col), radius in zip(columns.positions, columns.radii, strict=True):
            reach = radius + guard if sweep == "guard" else radius
            inside = []
            for i in range(max(0, int(row - reach)), min(height, int(row + reach) + 2)):
                for j in range(
                    max(0, int(col - reach)), min(width, int(col + reach) + 2)
                ):
                    if (i - row) ** 2 + (j - col) ** 2 <= reach**2:
                        inside.append((i, j))
            value = math.nan
            if sweep == "discs":
                value = sum(likely[place] for place in inside) / len(inside)
                ratios.append(value)
            for place in inside:
                image[place] = value
    return image, columns, np.array(ratios)


def median_seconds(job: Callable, runs: int) -> float:
    """Return the median of some runs."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def compare(ours: Columns, theirs: Columns) -> dict:
    """Match the columns, and tell those that the border cuts from the others."""
    margin = float(np.median(ours.radii))
    match = sbd.match_columns(ours, theirs, tolerance=NEAR)

    def count(these: Columns) -> dict:
        far = (these.positions >= margin) & (
            these.positions <= np.array(PUBLISHED_SHAPE) - 1 - margin
        )
        inside = int(far.all(axis=1).sum())
        return {"cut by the border": len(these) - inside, "elsewhere": inside}

    return {
        "ours": len(ours),
        "plain": len(theirs),
        f"the same within {NEAR:g} pixels": len(match.pairs),
        "mean distance [pixels]": round(float(match.distances.mean()), 2),
        "largest distance [pixels]": round(float(match.distances.max()), 2),
        "ours only": count(ours[match.spurious]),
        "plain only": count(theirs[match.missed]),
    }


def measure(runs: int) -> dict:
    """Measure both, in turn."""
    clean = mirrored_truth()
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(0))
    model = sbd.load_model()
    record = {"shape": PUBLISHED_SHAPE, "runs": runs}
    claims = {
        "clean image": clean,
        "denoised image": sbd.denoise_network(noisy, model, device="cpu"),
    }
    for name, claim in claims.items():
        seconds, blobs = {}, None
        sbd.likelihood_map(noisy, claim)
        ours = median_seconds(lambda c=claim: sbd.likelihood_map(noisy, c), 3 * runs)
        plain = median_seconds(lambda c=claim: plain_map(noisy, c), runs)
        again = median_seconds(lambda c=claim: sbd.likelihood_map(noisy, c), 3 * runs)
        seconds = {"ours": (ours + again) / 2, "plain": plain}
        seconds["plain, every pixel asks every column"] = median_seconds(
            lambda c=claim: ask_every_column(noisy, c), 1
        )
        seconds["blob_log alone"] = median_seconds(lambda c=claim: find_blobs(c), runs)
        mine, (_, blobs, ratios) = (
            sbd.likelihood_map(noisy, claim),
            plain_map(noisy, claim),
        )
        same = sbd.log_likelihood_ratio(noisy, claim, blobs)
        record[name] = {
            "seconds": {key: round(value, 4) for key, value in seconds.items()},
            "times faster than": {
                key: round(value / seconds["ours"], 1)
                for key, value in seconds.items()
                if key != "ours"
            },
            "columns": compare(mine.columns, blobs),
            "ratios of the plain discs, largest difference": float(
                f"{np.abs(same - ratios).max():.1e}"
            ),
        }
    return record | describe_machine("sbd", "scikit-image", "scipy")


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    record = measure(given.runs)
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
