"""Put a finished training run into the package: ``make weights`` calls it.

    python .ci/weights.py RUN_FOLDER BENCHMARK_FOLDER COMMIT [REMARK]

copies the weights, writes their card (configuration, seed, commit, curve, metrics) and
enters their digest in the catalogue.
"""

import hashlib
import json
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
    vacuum = sbd.denoise(sbd.poisson_noise(flat, rng=np.random.default_rng(7)))
    return {
        "psnr_bundled_image": round(float(np.mean(psnr)), 2),
        "psnr_standard_error": round(float(np.std(psnr, ddof=1) / DRAWS**0.5), 2),
        "ssim_bundled_image": round(float(np.mean(ssim)), 4),
        "deviation_in_pure_vacuum": round(float(vacuum.std()), 4),
        "draws": DRAWS,
    }


def main(run: Path, benchmark: Path, commit: str, remark: str = "") -> None:
    """Copy, measure, and write the card."""
    torch.set_num_threads(1)
    WEIGHTS.parent.mkdir(exist_ok=True)
    part = WEIGHTS.with_suffix(".part")
    shutil.copyfile(run / "model.safetensors", part)
    part.replace(WEIGHTS)
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    catalogue = PACKAGE / "catalogue.py"
    text = catalogue.read_text()
    row = r'(_bundled\("weights/default", "weights/default.safetensors",\s*)'
    row += r'(None|"\w{64}")'
    text, found = re.subn(row, rf'\g<1>"{digest}"', text)
    if found != 1:
        sys.exit("catalogue.py: no row for weights/default")
    catalogue.write_text(text)
    record = json.loads((run / "curve.json").read_text())
    table = sbd.Benchmark(benchmark).table
    settings = record["settings"]
    card = {
        "name": "weights/default",
        "class": settings.pop("class"),
        "seed": settings.pop("seed"),
        "commit": commit,
        "data": {
            "made by": "sbd simulate (default_recipes)",
            "images": {k: int(n) for k, n in table["split"].value_counts().items()},
            "never used": "any image of the authors; the bundled example",
        },
        **({"remark": remark} if remark else {}),
        "configuration": settings,
        "metrics": score(),
        "curve": record["curve"],
    }
    part = WEIGHTS.with_name("default.json.part")
    part.write_text(json.dumps(card, indent=1) + "\n")
    part.replace(WEIGHTS.with_suffix(".json"))
    print(json.dumps(card["metrics"], indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
