"""Put finished training runs into the package: ``make weights`` calls it.

    python -m sbd.companion.make.weights BENCHMARK_FOLDER RUN_FOLDER COMMIT [RUN_FOLDER COMMIT ...]

copies the weights of the last run, writes their card (data, settings, seed and commit
of each run, curve, metrics) and enters their digest in the catalogue. A run after the
first went on from the weights of the one before, or has them as its pilot. The first
folder may be a card: then its runs came before. What the environment variable REMARK
holds is put on the card.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

import sbd

PACKAGE = Path(sbd.__file__).parent
WEIGHTS = PACKAGE / "assets" / "weights" / "default.safetensors"
DRAWS = 8


def score() -> dict[str, float]:
    """Score the bundled weights on the bundled image, which no network has seen."""
    psnr, ssim = [], []
    for draw in range(DRAWS):
        rng = np.random.default_rng([7, draw])
        micrograph = sbd.example_micrograph("simulated", rng=rng)
        denoised = sbd.denoise(micrograph.noisy, device="cpu")
        psnr.append(sbd.authors_psnr(micrograph.clean, denoised))
        ssim.append(sbd.authors_ssim(micrograph.clean, denoised))
    flat = np.full((512, 512), sbd.VACUUM)
    vacuum = sbd.denoise(
        sbd.poisson_noise(flat, rng=np.random.default_rng(7)), device="cpu"
    )
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


def main(benchmark: Path, pairs: list[tuple[Path, str]]) -> None:
    """Copy, measure, and write the card."""
    torch.set_num_threads(1)
    WEIGHTS.parent.mkdir(exist_ok=True)
    part = WEIGHTS.with_suffix(".part")
    shutil.copyfile(pairs[-1][0] / "model.safetensors", part)
    part.chmod(0o644)
    part.replace(WEIGHTS)
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    catalogue = PACKAGE / "data" / "catalogue.py"
    text = catalogue.read_text()
    row = r'(_bundled\("weights/default", "weights/default.safetensors",\s*)'
    row += r'(None|"\w{64}")'
    text, found = re.subn(row, rf'\g<1>"{digest}"', text)
    if found != 1:
        sys.exit("catalogue.py: no row for weights/default")
    catalogue.write_text(text)
    runs, curve = read_runs(pairs)
    table = sbd.Benchmark(benchmark).table
    remark = os.environ.get("REMARK")
    card = {
        "name": "weights/default",
        "data": {
            "made by": "sbd simulate (default_recipes)",
            "images": {k: int(n) for k, n in table["split"].value_counts().items()},
            "never used": "any image of the authors; the bundled example",
        },
        **runs,
        **({"remark": remark} if remark else {}),
        "metrics": score(),
        "curve": curve,
    }
    part = WEIGHTS.with_name("default.json.part")
    part.write_text(json.dumps(card, indent=1) + "\n")
    part.replace(WEIGHTS.with_suffix(".json"))
    print(json.dumps(card["metrics"], indent=1))


if __name__ == "__main__":
    words = sys.argv[2:]
    folders = [Path(word) for word in words[::2]]
    main(Path(sys.argv[1]), list(zip(folders, words[1::2], strict=True)))
