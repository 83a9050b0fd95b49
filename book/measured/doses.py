"""Compare the default weights with weights taught one dose: ``make doses``.

    python book/measured/doses.py BENCHMARK STUDIES FILE [--images N]

STUDIES is the folder in which ``sbd.companion.make.studies`` trained ``dose-*``: the
default weights' second network, gone on with at one dose only. Both denoise the same
counts of N images of the strict test split, whole frames cut and resized as the authors
do, at that dose. The windowed Fourier filter sees them, too.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.pages.generalisation import frame_as_published
from sbd.simulation.frame import BOX_SAMPLES

SEED = 12


def compare(
    denoisers: dict, benchmark: sbd.Benchmark, rows: np.ndarray, dose: float
) -> dict:
    """Score all denoisers on the same counts, scaled back to the paper's vacuum."""
    cleans = {
        str(row): frame_as_published(benchmark.image(int(row), samples=BOX_SAMPLES))
        for row in rows
    }
    table = sbd.dose_curve(denoisers, cleans, doses=[dose], draws=1, seed=SEED)
    scores = table.pivot_table(index="image", columns="method", values="psnr")
    ahead = scores["one dose"] - scores["default"]
    return {
        **{name: round(float(scores[name].mean()), 2) for name in denoisers},
        "one dose ahead by": round(float(ahead.mean()), 3),
        "standard error": round(float(ahead.std(ddof=1) / len(ahead) ** 0.5), 3),
        "images": len(scores),
    }


def main() -> None:
    """Compare at every dose that something was trained for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("studies", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=24)
    given = parser.parse_args()
    torch.set_num_threads(1)
    benchmark = sbd.Benchmark(given.benchmark)
    test = np.flatnonzero((benchmark.table["split"] == "test").to_numpy())
    rng = np.random.default_rng(SEED)
    rows = np.sort(rng.choice(test, size=given.images, replace=False))
    models = {"default": sbd.load_model()}
    record = {}
    for folder in tqdm(sorted(given.studies.glob("dose-*")), unit="dose"):
        path = folder / "model.safetensors"
        if not path.exists():
            continue
        models["one dose"] = sbd.load_model(path)
        denoisers = {
            name: lambda noisy, model=model: sbd.denoise(noisy, model, device="cpu")
            for name, model in models.items()
        }
        denoisers["windowed Fourier"] = sbd.denoise_windowed_fourier
        dose = float(folder.name.partition("-")[2])
        settings = json.loads((folder / "curve.json").read_text())["settings"]
        record[f"{dose:g}"] = compare(denoisers, benchmark, rows, dose) | {
            "steps": settings["steps"]
        }
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
