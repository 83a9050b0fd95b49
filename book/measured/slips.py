"""Measure what slips cost, and what preparing a recording wins back: ``make slips``.

    python book/measured/slips.py FILE [--draws N]

The bundled image is counted N times. Each time something is done to the counts that
happens to recordings: a detector's read noise, an offset that was clipped, pixels that
are hot, a frame without dose. `lost` is by how much the default network's PSNR falls
where there is dose, against the same counts without it [dB]: as values are handed over
as they are, and as `check_counts` and what it leads to prepare them.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import average
from sbd.recordings import fill_gaps, to_counts
from sbd.typing import Image

NOISES = 0.1, 0.2, 0.3, 0.5  # of the detector [electrons]
FRAME = 30  # rows and columns without dose [pixels]
HOT = (333, 222), (100, 400), (512, 77)
VALUE = 500.0  # of a hot pixel [electrons]


def denoise_prepared(values: Image, model: torch.nn.Module) -> Image:
    """Denoise as the command line does."""
    report = sbd.check_counts(values)
    counts = to_counts(values, report)
    signed = not report.counted and float(counts.values.min()) < 0
    image = fill_gaps(counts.sum(), report.recorded, rng=np.random.default_rng(0))
    noise = report.read_noise if signed else 0.0
    return sbd.denoise(image, model, device="cpu", read_noise=noise)


def denoise_as_they_are(values: Image, model: torch.nn.Module) -> Image:
    """Denoise the values themselves, negative ones clipped."""
    return sbd.denoise(values.clip(0), model, device="cpu")


def make_slips() -> dict[str, Callable[[Image, np.random.Generator], Image]]:
    """List what happens to counts."""

    def read_noise(sigma: float) -> Callable:
        return lambda counts, rng: counts + rng.normal(0, sigma, counts.shape)

    def frame(counts: Image, _: np.random.Generator) -> Image:
        counts[:FRAME] = counts[:, -FRAME:] = 0
        return counts

    def hot(counts: Image, _: np.random.Generator) -> Image:
        counts[tuple(np.transpose(HOT))] = VALUE
        return counts

    slips = {f"read noise of {s:g} electrons": read_noise(s) for s in NOISES}
    slips["a frame without dose"] = frame
    slips["three hot pixels"] = hot
    slips["counts in units of 32.3"] = lambda counts, _: 32.3 * counts
    slips["mean of 10 frames"] = lambda counts, _: counts / 10
    return slips


def score(clean: Image, estimate: Image) -> float:
    """Give the PSNR inside the frame, whether or not there is one [dB]."""
    inside = np.s_[FRAME:, :-FRAME]
    error = np.mean((estimate[inside] - clean[inside]) ** 2)
    return float(10 * np.log10(sbd.VACUUM**2 / error))


def main() -> None:
    """Do it N times, and write the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, slips = sbd.load_model(), make_slips()
    clean, _ = sbd.example_truth("simulated")
    ways = {"as they are": denoise_as_they_are, "prepared": denoise_prepared}
    lost = {name: {way: [] for way in ways} for name in slips}
    for draw in tqdm(range(given.draws), mininterval=10):
        counts = np.random.default_rng([draw, 1]).poisson(clean).astype(np.float64)
        best = score(clean, sbd.denoise(counts, model, device="cpu"))
        for number, (name, slip) in enumerate(slips.items()):
            values = slip(counts.copy(), np.random.default_rng([draw, 2, number]))
            unit = 1.0 if "units" in name or "mean" in name else None
            for way, denoise in ways.items():
                estimate = denoise(values, model)
                if unit and way == "as they are":  # the scale is not what is scored
                    estimate = estimate * counts.mean() / values.mean()
                lost[name][way].append(best - score(clean, estimate))
    record = {
        name: {way: average(values) for way, values in row.items()}
        for name, row in lost.items()
    }
    write_measured(given.file, {"draws": given.draws, "lost": record}, __file__)


if __name__ == "__main__":
    main()
