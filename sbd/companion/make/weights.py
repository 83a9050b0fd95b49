"""Put finished training runs into the package: ``make weights`` calls it.

    python -m sbd.companion.make.weights BENCHMARK RUN COMMIT [RUN COMMIT ...]

copies the weights of the last run, writes their card (data, settings, seed and commit
of each run, curve, metrics) and enters their digest in the catalogue. A run after the
first went on from the weights of the one before, or has them as its pilot. A run is a
folder; the first may be a card: then its runs came before. What the environment
variable REMARK holds is put on the card.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch

import sbd
from sbd.companion.make.packing import pack_weights
from sbd.files import write_json

DRAWS = 8


def score(weights: Path) -> dict[str, float]:
    """Score packed weights on the bundled image, which no network has seen."""
    model = sbd.load_model(weights)  # by its file: the catalogue was read before
    psnr, ssim = [], []
    for draw in range(DRAWS):
        rng = np.random.default_rng([7, draw])
        micrograph = sbd.example_micrograph("simulated", rng=rng)
        denoised = sbd.denoise(micrograph.noisy, model, device="cpu")
        psnr.append(sbd.authors_psnr(micrograph.clean, denoised))
        ssim.append(sbd.authors_ssim(micrograph.clean, denoised))
    flat = np.full((512, 512), sbd.VACUUM)
    noisy = sbd.poisson_noise(flat, rng=np.random.default_rng(7))
    vacuum = sbd.denoise(noisy, model, device="cpu")
    return {
        "psnr_bundled_image": round(float(np.mean(psnr)), 2),
        "psnr_standard_error": round(float(np.std(psnr, ddof=1) / DRAWS**0.5), 2),
        "ssim_bundled_image": round(float(np.mean(ssim)), 4),
        "deviation_in_pure_vacuum": round(float(vacuum.std()), 4),
        "draws": DRAWS,
    }


def read_runs(pairs: list[tuple[Path, str]]) -> tuple[dict, list[dict]]:
    """Read the settings of each run, and the curve through all of them."""
    runs, curve = {}, []
    if pairs[0][0].suffix == ".json":
        (card, _), *pairs = pairs
        earlier = json.loads(card.read_text())
        runs = {key: run for key, run in earlier.items() if key.startswith("run ")}
        curve = earlier["curve"]
    for number, (folder, commit) in enumerate(pairs, start=len(runs) + 1):
        record = json.loads((folder / "curve.json").read_text())
        runs[f"run {number}"] = {"commit": commit, **record["settings"]}
        done = curve[-1]["step"] if curve else 0
        curve += [{**point, "step": done + point["step"]} for point in record["curve"]]
    return runs, curve


def main() -> None:
    """Copy, measure, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("runs", nargs="+", metavar="RUN COMMIT")
    parser.add_argument("--name", default="default", help="of the weights")
    given = parser.parse_args()
    if len(given.runs) % 2:
        parser.error(f"RUN COMMIT must be pairs; got {len(given.runs)} words")
    folders, commits = map(Path, given.runs[::2]), given.runs[1::2]
    pairs = list(zip(folders, commits, strict=True))
    torch.set_num_threads(1)
    weights = pack_weights(given.name, pairs[-1][0], bits=16)
    runs, curve = read_runs(pairs)
    table = sbd.Benchmark(given.benchmark).table
    remark = os.environ.get("REMARK")
    card = {
        "name": f"weights/{given.name}",
        "data": {
            "made by": "sbd simulate (default_recipes)",
            "images": {k: int(n) for k, n in table["split"].value_counts().items()},
            "never used": "any image of the authors; the bundled example",
        },
        **runs,
        **({"remark": remark} if remark else {}),
        "metrics": score(weights),
        "curve": curve,
    }
    write_json(weights.with_suffix(".json"), card)
    print(json.dumps(card["metrics"], indent=1))


if __name__ == "__main__":
    main()
