"""Tune the classical denoisers on validation images: ``make tune``.

    python -m sbd.companion.make.tune BENCHMARK [--images N] [--only NAME ...]

N images of the benchmark's strict valid split, spread evenly over structures, tilts and
defoci, cut and resized as the authors do, each counted once at 0.45 electrons per
pixel. Every denoiser of ``sbd.denoisers.baselines.BASELINES`` that has a grid is tuned
by the authors' PSNR; the best parameters go to ``sbd/assets/tuned.json``. A run that
was stopped goes on; with ``--only``, what is known of the others stays.
"""

import argparse
import json
import time
from pathlib import Path

import torch

import sbd
from sbd.audits.benchmark_audit import spread_rows
from sbd.companion.make.packing import ASSETS
from sbd.companion.pages.generalisation import frame_as_published
from sbd.denoisers.baselines import BASELINES
from sbd.files import write_json
from sbd.simulation.frame import BOX_SAMPLES

FILE = ASSETS / "tuned.json"
CACHE = ASSETS.parents[1] / "_build" / "tune"
DRAWS = 1
SEED = 21
LABELS = ["structure", "tilt_x", "tilt_y", "defocus", "contrast"]
DIGITS = 3
SHOWN = {"score": 3, "difference": 3, "standard_error": 3}


def summarise(found: sbd.Tuning) -> dict:
    """Keep what a table shows, and how near the others come."""
    best = found.best
    row = {
        "parameters": found.parameters,
        "score": best["score"],
        "difference": best["difference"],
        "standard_error": best["standard_error"],
    }
    rounded = {k: v if k == "parameters" else round(v, DIGITS) for k, v in row.items()}
    return rounded | {"edges": found.edges, "candidates": len(found.table)}


def main() -> None:
    """Tune one after the other, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--images", type=int, default=14)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[])
    given = parser.parse_args()
    tunable = [name for name, baseline in BASELINES.items() if baseline.grid]
    for name in given.only:
        if name not in tunable:
            parser.error(f"NAME must be one of {', '.join(tunable)}; got {name!r}")
    torch.set_num_threads(1)
    benchmark = sbd.Benchmark(given.benchmark)
    rows = spread_rows(benchmark.table.query("split == 'valid'"), given.images)
    images = (benchmark.image(row, samples=BOX_SAMPLES) for row in rows)
    cleans = [frame_as_published(image) for image in images]
    about = {
        "metric": "sbd.authors_psnr",
        "dose": sbd.VACUUM,
        "split": "valid",
        "draws": DRAWS,
        "seed": SEED,
        "images": benchmark.table.loc[rows, LABELS].to_dict("records"),
    }
    held = json.loads(FILE.read_text()) if FILE.exists() else {}
    same = {k: v for k, v in held.items() if k != "denoisers"} == about
    entries = held["denoisers"] if same else {}
    for name in given.only or tunable:
        baseline, start = BASELINES[name], time.perf_counter()
        found = sbd.tune(
            baseline.denoise, cleans, baseline.grid, draws=DRAWS, seed=SEED,
            cache=CACHE / f"{name}.json", progress=True,
        )  # fmt: skip
        entries[name] = summarise(found)
        ran = (time.perf_counter() - start) / len(found.table) / len(cleans)
        print(f"{name} ({ran:.2f} s an image and candidate)")
        print(found.table.round(SHOWN).to_string(), flush=True)
        order = {n: entries[n] for n in BASELINES if n in entries}
        write_json(FILE, about | {"denoisers": order})
        (CACHE / f"{name}.json").unlink()


if __name__ == "__main__":
    main()
