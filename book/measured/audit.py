"""Audit the default weights and the best filters: book/measured/audit.json.

    python book/measured/audit.py BENCHMARK [--images N] [--seed SEED] [--to FILE]

Columns found, lost and invented over N images of the strict test split, spread evenly
over structures, tilts and defoci, at the paper's dose; the quality at other doses; and
what is made of pure vacuum. With 120 images it takes some five minutes of one core.
"""

import argparse
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import sbd
from sbd.audits.benchmark_audit import (
    found_by_score,
    legible,
    spread_rows,
    summarise_audit,
)
from sbd.audits.inspection import inspect_columns
from sbd.companion.freshness import write_measured
from sbd.files import sha256
from sbd.simulation.frame import PIXEL

DOSES = (0.1, 0.45, 2.0, 10.0)
FILTERS = ("windowed Fourier", "PURE-LET", "Gaussian")
BANDS = ((0, 2), (2, 4), (4, np.inf))  # of the median score of an image's columns
DIGITS = 4


def denoisers() -> dict:
    """List the network with the default weights, and the best filters."""
    model, filters = sbd.load_model(), sbd.classical_denoisers()
    network = {"network": lambda noisy: sbd.denoise(noisy, model, device="cpu")}
    return network | {name: filters[name] for name in FILTERS}


def groups(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Choose the images that are summed up together."""
    found = {"all": table["columns"] > 0, "legible": legible(table)}
    for label in ("white", "intermediate", "black"):
        found[label] = table["contrast"] == label
    for low, high in BANDS:
        name = f"score {low} to {high}" if np.isfinite(high) else f"score {low} or more"
        found[name] = (table["score"] >= low) & (table["score"] < high)
    return found


def audit_columns(benchmark: sbd.Benchmark, images: int, seed: int) -> dict:
    """Inspect the same counts with every denoiser; sums for groups of images."""
    test = benchmark.table.query("split == 'test'")
    rows = spread_rows(test, images)
    result = {}
    for name, denoise in denoisers().items():
        counts, kept = [], []
        for row in tqdm(rows, desc=name):
            one = inspect_columns(denoise, benchmark, row, seed=seed)
            counts.append(one.labels | one.counts)
            # the images are 8 MB each
            kept.append(SimpleNamespace(scores=one.scores, found=one.found))
        table = pd.DataFrame(counts)
        sums = {
            group: summarise_audit(table[mask])
            for group, mask in groups(table).items()
            if mask.any()
        }
        result[name] = sums | {"by score": found_by_score(kept).to_dict("index")}
    return result


def audit_doses(seed: int) -> dict:
    """Score each image at each dose by each method [dB]."""
    truths = sbd.example_truth("simulated"), sbd.example_truth()
    cleans = {title: clean for clean, title in truths}
    table = sbd.dose_curve(denoisers(), cleans, doses=DOSES, draws=3, seed=seed)
    means = table.groupby(["image", "dose", "method"], sort=False)["psnr"].mean()
    return {name: means[name].unstack().to_dict("index") for name in cleans}


def audit_vacuum(seed: int) -> dict:
    """Describe what each method makes of nothing, by dose."""
    responses = {
        name: sbd.vacuum_response(denoise, doses=DOSES, seed=seed)
        for name, denoise in denoisers().items()
    }
    return {
        k: table.set_index("dose").to_dict("index") for k, table in responses.items()
    }


def rounded(value: object) -> object:
    """Round the numbers in nested dicts."""
    if isinstance(value, dict):
        return {str(key): rounded(entry) for key, entry in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, default=Path("book/measured/audit.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    benchmark = sbd.Benchmark(options.benchmark)
    found = {
        "weights": sha256(sbd.fetch("weights/default"))[:16],
        "split": "test",
        "dose": sbd.VACUUM,
        "pixel": PIXEL,
        "seed": options.seed,
        "columns": audit_columns(benchmark, options.images, options.seed),
        "doses": audit_doses(options.seed),
        "vacuum": audit_vacuum(options.seed),
    }
    write_measured(options.to, rounded(found), __file__)


if __name__ == "__main__":
    main()
