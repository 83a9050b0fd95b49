"""Score the classical denoisers on the images with known truth: ``make rivals``.

    python book/measured/rivals.py FILE [--draws N]

Defaults and tuned parameters, on the authors' image (if it can be had) and on the
bundled one, 0.45 electrons per pixel, the authors' metric, means over the draws; and on
pure vacuum, the deviation from its mean. VST + BM3D takes part where the package bm3d
is installed; its licence is for non-commercial use only.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import torch

import sbd
from sbd.companion.freshness import write_measured


def main() -> None:
    """Score all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("to", type=Path)
    parser.add_argument("--draws", type=int, default=12)
    given = parser.parse_args()
    torch.set_num_threads(1)
    denoisers = sbd.classical_denoisers()
    tuned = sbd.tuned_denoisers().items()
    denoisers |= {f"{name}, tuned": f for name, f in tuned if hasattr(f, "keywords")}
    denoisers["low-pass"] = sbd.denoise_lowpass
    if importlib.util.find_spec("bm3d"):
        denoisers["VST + BM3D"] = sbd.denoise_bm3d
    rows = {name: {} for name in denoisers}
    for source in ("authors", "simulated"):
        try:
            clean, title = sbd.example_truth(source)
        except sbd.DataUnavailableError:
            continue
        table = sbd.compare_denoisers(clean, denoisers, draws=given.draws, seed=0)
        for name, row in table.iterrows():
            rows[name][title] = [
                round(float(row["PSNR"]), 2),
                round(float(row["SSIM"]), 3),
            ]
    vacuum = np.random.default_rng(0).poisson(sbd.VACUUM, (512, 512))
    for name, denoise in denoisers.items():
        rows[name]["deviation in vacuum"] = round(float(denoise(vacuum).std()), 4)
        print(name, rows[name], flush=True)
    about = {"draws": given.draws, "seed": 0, "dose": sbd.VACUUM}
    write_measured(given.to, about | {"denoisers": rows}, __file__)


if __name__ == "__main__":
    main()
