"""Measure that probabilities of columns are what they say: ``make significance``.

    python book/measured/significance.py FILE [--images N] [--seeds N]

Calibration: discs in counts of pure vacuum are tested with claims that a denoiser made
from independent counts, from the other part of split counts, and, naively, from the
same counts. False discoveries: the same where half of the discs hold a column. A
spurious column: beside the particle of the bundled image one is painted into what the
network makes of one half of the counts, a copy of a column at the surface, and the
other half is asked for it and for all true columns of the surface.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import sbd
from sbd.columns.finding import Columns
from sbd.evidence import calibration
from sbd.files import write_json
from sbd.typing import Denoiser, Image

DOSES = (0.1, 0.45, 1.0, 2.0, 5.0)
LEVELS = (0.05, 0.1)
FRAMES = (1, 2, 4, 8, 16)
LEVEL = 0.05


def calibrate(denoise: Denoiser, images: int) -> dict:
    """Test columns that are not there."""
    table = calibration.calibrate(denoise, doses=DOSES, images=images, seed=0)
    record = calibration.summarise_calibration(table).round(4).to_dict("index")
    for way, mine in table.groupby("way"):
        each = {f"{dose:g}": one for dose, one in mine.groupby("dose")}
        record[way]["KS at each dose"] = {
            dose: round(float(calibration.summarise_calibration(one)["KS"].iloc[0]), 4)
            for dose, one in each.items()
        }
    return record


def draw_mixture(
    dose: float, rng: np.random.Generator, side: int = 504
) -> tuple[Image, Columns, np.ndarray]:
    """Put columns of many strengths into every other disc, by chance."""
    discs = calibration.lay_discs((side, side))
    there = rng.random(len(discs)) < 0.5
    heights = np.where(there, rng.uniform(0.1, 0.9, len(discs)), 0.0)
    row, column = np.indices((24, 24)) - 11.5
    squared = row**2 + column**2
    # nothing of a column reaches another disc
    bump = np.where(squared < 12**2, np.exp(-squared / (2 * 3.5**2)), 0.0)
    number = side // 24
    return dose * (1 + np.kron(heights.reshape(number, number), bump)), discs, there


def count_false(denoise: Denoiser, images: int) -> dict:
    """Compare the share of false discoveries with the level that was asked for."""
    rows = []
    for dose, image in product(DOSES, range(images)):
        rng = np.random.default_rng([1, image, int(1e6 * dose)])
        truth, discs, there = draw_mixture(dose, rng)
        noisy, fresh = (sbd.poisson_noise(truth, rng=rng) for _ in range(2))
        claim = denoise(noisy)
        p_values = {
            way: sbd.column_p_values(counts, claim, discs, vacuum=dose)
            for way, counts in (("independent", fresh), ("same", noisy))
        }
        how = {"rng": rng, "vacuum": dose, "columns": discs}
        p_values["split"] = sbd.judge_columns(noisy, denoise, **how).p_values
        for (way, p), level in product(p_values.items(), LEVELS):
            chosen = sbd.supported_columns(p, level=level)
            rows.append(
                {
                    "way": way,
                    "level": level,
                    "sites": len(discs),
                    "vacuum": np.mean(~there),
                    "chosen": chosen.sum(),
                    "false": np.sum(chosen & ~there) / max(chosen.sum(), 1),
                    "found": np.mean(chosen[there]),
                }
            )
    record = {}
    for (way, level), some in pd.DataFrame(rows).groupby(["way", "level"]):
        record[f"{way}, level {level:g}"] = {
            "images": len(some),
            "sites": int(some["sites"].sum()),
            "promised": round(float(level * some["vacuum"].mean()), 4),
            "false discovery proportion": round(float(some["false"].mean()), 4),
            "its standard error": round(float(some["false"].sem()), 4),
            "columns found": round(float(some["found"].mean()), 3),
        }
    return record


def choose_place(true: Columns) -> tuple[int, np.ndarray]:
    """Choose a column of the surface and a step beyond it, into the vacuum."""
    # The step is that from its nearest neighbour. Of all, the place is taken that is
    # farthest from other columns, well inside the image.
    best = None
    for index in np.flatnonzero(sbd.surface_columns(true)):
        away = np.linalg.norm(true.positions - true.positions[index], axis=1)
        nearest = np.argsort(away)[1]
        step = np.rint(true.positions[index] - true.positions[nearest]).astype(int)
        place = true.positions[index] + step
        inside = (place > 20).all() and (place < np.array(true.shape) - 20).all()
        gap = np.linalg.norm(true.positions - place, axis=1).min()
        if inside and (best is None or gap > best[0]):
            best = gap, index, step
    return best[1:]


def paint(claim: Image, true: Columns, index: int, step: np.ndarray) -> Image:
    """Copy a column's surroundings to where it is not."""
    row, column = np.rint(true.positions[index]).astype(int)
    reach = int(np.ceil(true.radii[index])) + 1
    here = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
    row, column = row + step[0], column + step[1]
    there = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
    painted = claim.copy()
    painted[there] = claim[here]
    return painted


def test_spurious(clean: Image, denoise: Denoiser, seeds: int) -> Mapping[str, dict]:
    """Ask for a painted column and for those of the surface, frame after frame."""
    true = sbd.find_columns(clean, threshold=0.15)
    index, step = choose_place(true)
    surface = np.flatnonzero(sbd.surface_columns(true))
    normal = np.abs(true.amplitudes) > 0.5 * np.median(np.abs(true.amplitudes))
    surface = surface[normal[surface]]
    one = true[[index]]
    one = replace(one, positions=one.positions + step)
    record = {}
    for frames in FRAMES:
        rows = []
        for seed in range(seeds):
            rng = np.random.default_rng([2, seed, frames])
            noisy = sbd.poisson_noise(frames * clean, rng=rng)
            dose = {"vacuum": frames * sbd.VACUUM}
            some = true[surface]
            judged = sbd.judge_columns(noisy, denoise, rng=rng, columns=some, **dose)
            claim = paint(0.5 * judged.denoised, true, index, step)
            left = {"vacuum": 0.5 * dose["vacuum"]}
            how = (judged.second, claim)
            row = {"supported": sbd.column_p_values(*how, one, **left)[0] <= LEVEL}
            for name, occupancy in (("whole", 1.0), ("half", 0.5)):
                more = left | {"occupancy": occupancy}
                row[name] = sbd.absence_p_values(*how, one, **more)[0] <= LEVEL
                row[f"{name} of true"] = (
                    sbd.absence_p_values(*how, some, **more) <= LEVEL
                )
            row["true"] = sbd.column_p_values(*how, some, **left) <= LEVEL
            row["power"] = sbd.detection_power(claim, some, level=LEVEL, **left)
            rows.append(row)
        record[f"{frames * sbd.VACUUM:g} e/pixel"] = summarise(rows)
    return {"columns of the surface": len(surface), "level": LEVEL, **record}


def summarise(rows: list[dict]) -> dict:
    """Count verdicts over the seeds."""
    table = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    record = {
        "seeds": len(rows),
        "spurious: not supported": int((~table["supported"]).sum()),
        "true: supported": round(float(table["true"].mean()), 3),
        "true: supported, expected of the claims": round(
            float(table["power"].mean()), 3
        ),
    }
    for name, words in (("whole", "as claimed"), ("half", "at half of it")):
        rates = table[f"{name} of true"]
        record[f"ruled out {words}"] = {
            "spurious": int(table[name].sum()),
            "true, rate": round(float(rates.mean()), 4),
            "its standard error": round(
                float(rates.mean(1).std(ddof=1) / len(rows) ** 0.5), 4
            ),
            "true, worst column": round(float(rates.mean(0).max()), 2),
        }
    return record


def measure(images: int, seeds: int) -> dict:
    """Measure everything."""
    model = sbd.load_model()
    denoisers = {
        "Gaussian": sbd.denoise_gaussian,
        "windowed Fourier": sbd.denoise_windowed_fourier,
        "network": lambda noisy: sbd.denoise_network(noisy, model, device="cpu"),
    }
    clean, title = sbd.example_truth("simulated")
    record = {"doses [e/pixel]": DOSES, "vacuum alone": {}, "half of them columns": {}}
    for name, denoise in denoisers.items():
        started = time.perf_counter()
        record["vacuum alone"][name] = calibrate(denoise, images)
        record["half of them columns"][name] = count_false(denoise, 2 * images)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    record["spurious column"] = {
        "image": title,
        **test_spurious(clean, denoisers["network"], seeds),
    }
    true = sbd.find_columns(clean, threshold=0.15)
    draws = calibration.judge_repeatedly(
        clean, denoisers["network"], true, draws=seeds, seed=3, threshold=0.15
    )
    record["invented by the network itself"] = {
        "level": LEVEL,
        "draws": seeds,
        "invented": int(draws["invented"].sum()),
        "of those supported": int(draws["let pass"].sum()),
        "true columns found": int(draws["true"].sum()),
        "share of those supported": round(float(draws["supported"].mean()), 3),
        "expected by their power": round(float(draws["expect"].mean()), 3),
    }
    return record


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    record = measure(given.images, given.seeds)
    write_json(given.file, record)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
