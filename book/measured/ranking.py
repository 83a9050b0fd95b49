"""Test rankings without truth where the truth is known: ``make ranking``.

    python book/measured/ranking.py FILE [--draws N]

Counts of a piece of the bundled image, drawn N times at some doses, are handed to
`sbd.recordings.rank_denoisers`. `cover` is the share of draws in which the interval of
the difference between a denoiser and a blur of 5 pixels holds the true difference of
their errors on the thinned counts; `right` the share in which the sign is right, and
`right where clear` that among the draws (`clear`) whose true difference is more than
two standard errors; `gap` its mean, in standard errors.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.recordings import rank_denoisers

PIECE = np.s_[100:228, 180:308]
SETTINGS = (0.9, 0.5), (4.0, 0.5), (0.9, 0.8)  # vacuum [electrons/pixel], share
AGAINST = "blur of 5 pixels"
LEVEL, WIDTH = 0.95, 1.96


def make_denoisers() -> dict:
    """Two blurs close to the first, a filter and the network."""
    model = sbd.load_model()
    return {
        AGAINST: partial(sbd.denoise_gaussian, sigma=5),
        "blur of 6 pixels": partial(sbd.denoise_gaussian, sigma=6),
        "blur of 7.5 pixels": sbd.denoise_gaussian,
        "windowed Fourier": sbd.denoise_windowed_fourier,
        "network": partial(sbd.denoise_network, model=model, device="cpu"),
    }


def watch(denoisers: dict, seen: dict) -> dict:
    """Keep what denoisers return, beside returning it."""

    def one(name: str, image: np.ndarray) -> np.ndarray:
        seen.setdefault(name, []).append(denoisers[name](image))
        return seen[name][-1]

    return {name: partial(one, name) for name in denoisers}


def rank_draws(denoisers: dict, dose: float, share: float, draws: int) -> dict:
    """Rank many draws, and compare with the truth."""
    clean = sbd.example_truth("simulated")[0][PIECE] * (dose / sbd.VACUUM)
    rows = {name: [] for name in denoisers if name != AGAINST}
    for draw in tqdm(range(draws), mininterval=10):
        counts = np.random.default_rng([draw, 1]).poisson(clean)
        seen = {}
        table = rank_denoisers(
            counts, watch(denoisers, seen), rng=np.random.default_rng([draw, 2]),
            against=AGAINST, share=share, level=LEVEL,
        )  # fmt: skip
        errors = {
            name: np.mean([(image - share * clean) ** 2 for image in images])
            for name, images in seen.items()
        }
        for name, kept in rows.items():
            row = table.loc[name]
            truth = (errors[name] - errors[AGAINST]) / table.attrs["dose"]
            error = (row["high"] - row["low"]) / (2 * WIDTH)
            right = np.sign(row["worse by"]) == np.sign(truth)
            kept.append((row["low"] <= truth <= row["high"], right, truth / error))
    record = {}
    for name, kept in rows.items():
        cover, right, gap = np.array(kept, float).T
        clear = np.abs(gap) > 2
        record[name] = {
            "cover": round(float(cover.mean()), 3),
            "right": round(float(right.mean()), 3),
            "gap": round(float(gap.mean()), 2),
            "clear": int(clear.sum()),
        }
        if clear.any():
            record[name]["right where clear"] = round(float(right[clear].mean()), 3)
    return record


def main() -> None:
    """Rank at every setting, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    denoisers = make_denoisers()
    record = {"draws": given.draws, "level": LEVEL}
    for dose, share in SETTINGS:
        name = f"{dose:g} electrons per pixel, {share:g} of them denoised"
        record[name] = rank_draws(denoisers, dose, share, given.draws)
    write_measured(given.file, record, __file__)


if __name__ == "__main__":
    main()
