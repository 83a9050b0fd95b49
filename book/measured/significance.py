"""Measure that probabilities of columns are what they say: ``make significance``.

    python book/measured/significance.py FILE [--images N] [--draws N]

Calibration: discs in counts of pure vacuum are tested with claims that a denoiser made
from independent counts, from the other part of split counts, and, naively, from the
same counts. False discoveries: the same where half of the discs hold a column. The
whole procedure: an image whose truth is known, judged at five doses; how many columns
find support, and how many were to be expected; then judged at the doses that were said
to decide, and how often those columns find support there; and whether the seed or a
crop changes the verdicts.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import sbd
from sbd.columns.finding import Columns
from sbd.companion.freshness import write_measured
from sbd.evidence import calibration
from sbd.typing import Denoiser, Image

DOSES = (0.1, 0.45, 1.0, 2.0, 5.0)
LEVELS = (0.05, 0.1)
WHOLE = (0.2, 0.45, 0.9, 2.0, 5.0)  # doses of the whole procedure [electrons per pixel]
DEALS = 3
FAINT = 0.15  # of the strong columns' contrast, that a column has
NEAR = 16.0  # of a true column, that a claim may be [pixels]
SAID_AT = (0.2, 0.45)  # dose of the recordings that say which dose decides
TRIED, MOST = 6, 10.0  # doses that are tried, and no column's beyond [e/pixel]
BAND = 1.06  # factor from the dose that decides


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
        first, second = sbd.thin_counts(noisy, rng=rng)
        p_values["split"] = sbd.column_p_values(
            second, denoise(first), discs, vacuum=dose / 2
        )
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


def judge_whole(clean: Image, denoise: Denoiser, draws: int, deals: int) -> dict:
    """Judge an image whose truth is known at many doses, by the whole procedure."""
    true = sbd.find_columns(clean, threshold=FAINT)

    def judge(dose: float, seed: list[int]) -> tuple[pd.DataFrame, dict]:
        rng = np.random.default_rng(seed)
        noisy = rng.poisson(clean * (dose / sbd.VACUUM))
        judged = sbd.judge_columns(
            noisy, denoise, rng=rng, deals=deals, threshold=FAINT
        )
        match = sbd.match_columns(judged.columns, true, tolerance=NEAR)
        here, there = match.pairs.T
        wrong = judged.supported[match.spurious].sum()
        return pd.DataFrame({
            "dose": dose, "draw": seed[-1], "column": there,
            "supported": judged.supported[here], "ruled out": judged.ruled_out[here],
            "power": judged.power[here], "decides": dose * judged.dose[here],
        }), {
            "dose": dose, "claims": len(judged.columns),
            "invented": len(match.spurious), "invented, supported": int(wrong),
            "invented, ruled out": int(judged.ruled_out[match.spurious].sum()),
        }  # fmt: skip

    rows, shares = zip(
        *(judge(dose, [4, k, draw])
          for (k, dose), draw in product(enumerate(WHOLE), range(draws))), strict=True
    )  # fmt: skip
    table = pd.concat(rows)
    record = summarise_whole(table, pd.DataFrame(shares), draws)
    for base in SAID_AT:
        wanted = find_doses(table[table["dose"] == base])
        tried = [
            judge(dose, [6, k, draw])[0]
            for (k, dose), draw in product(enumerate(wanted), range(draws // 2))
        ]
        record[f"at the dose that a recording of {base:g} e/pixel says decides"] = (
            summarise_decided(wanted, pd.concat(tried))
        )
    return record


def find_doses(table: pd.DataFrame) -> dict[float, pd.Series]:
    """Choose some doses, each with those columns that it is said to decide."""
    each = table.groupby("column")["decides"]
    said = each.median()[each.size() * 2 > table["draw"].nunique()]
    said = said[np.isfinite(said) & (said < MOST)]
    doses = np.unique(said.quantile(np.linspace(0.1, 0.9, TRIED)).round(3))
    return {dose: said[said.between(dose / BAND, dose * BAND)] for dose in doses}


def summarise_decided(
    wanted: dict[float, pd.Series], tried: pd.DataFrame
) -> dict[str, float]:
    """Count how often columns find support at the dose that was said to decide."""
    mine = pd.concat([
        tried[(tried["dose"] == dose) & tried["column"].isin(said.index)]
        for dose, said in wanted.items()
    ])  # fmt: skip
    by_column = mine.groupby("column")["supported"].mean()
    draws = tried["draw"].nunique()
    return {
        "columns": len(by_column), "within a factor": BAND,
        "least of the doses": min(wanted), "most": max(wanted),
        "claimed": round(len(mine) / (draws * sum(map(len, wanted.values()))), 3),
        "promised of the claimed": 0.9,
        "supported": round(float(by_column.mean()), 3),
        "its standard error": round(float(by_column.sem()), 3),
    }  # fmt: skip


def summarise_whole(table: pd.DataFrame, shares: pd.DataFrame, draws: int) -> dict:
    """Compare what was expected with what was found."""
    record = {}
    for dose, mine in table.groupby("dose"):
        each = mine.groupby("draw")[["supported", "power"]].sum()
        gap = each["supported"] - each["power"]
        record[f"{dose:g} e/pixel"] = {
            "draws": draws,
            "true columns found": round(float(mine.groupby("draw").size().mean()), 1),
            "supported": round(float(each["supported"].mean()), 1),
            "expected by their power": round(float(each["power"].mean()), 1),
            "difference": round(float(gap.mean()), 1),
            "its standard error": round(float(gap.sem()), 1),
            "true, ruled out": int(mine["ruled out"].sum()),
            **shares[shares["dose"] == dose].drop(columns="dose").sum().to_dict(),
        }
    return record


def change_seeds(clean: Image, denoise: Denoiser, draws: int) -> dict:
    """Judge the same recordings with two seeds, and a crop of each."""
    other, crop, seconds = [], [], []
    window = np.s_[200:560, 150:560]
    for draw in range(draws):
        noisy = np.random.default_rng([5, draw]).poisson(clean)
        started = time.perf_counter()
        first, second = (
            sbd.judge_columns(
                noisy, denoise, rng=np.random.default_rng(k), threshold=FAINT
            )
            for k in (1, 2)
        )
        seconds.append((time.perf_counter() - started) / 2)
        other.append(np.mean(first.verdicts != second.verdicts))
        part = sbd.judge_columns(
            noisy[window], denoise, rng=np.random.default_rng(3), threshold=FAINT
        )
        match = sbd.match_columns(
            part.columns.positions + np.array([200, 150]),
            first.columns.positions,
            tolerance=8.0,
        )
        here, there = match.pairs.T
        crop.append(np.mean(part.verdicts[here] == first.verdicts[there]))
    return {
        "recordings": draws,
        "verdicts that another seed changes": round(float(np.mean(other)), 4),
        "at most": round(float(np.max(other)), 4),
        "verdicts of a crop that are those of the whole": round(
            float(np.mean(crop)), 3
        ),
        "seconds each": round(float(np.median(seconds)), 1),
    }


def measure(images: int, draws: int) -> dict:
    """Measure everything."""
    model = sbd.load_model()
    denoisers = {
        "Gaussian": sbd.denoise_gaussian,
        "windowed Fourier": sbd.denoise_windowed_fourier,
        "network": lambda noisy: sbd.denoise_network(noisy, model, device="cpu"),
    }
    record = {"doses [e/pixel]": DOSES, "vacuum alone": {}, "half of them columns": {}}
    for name, denoise in denoisers.items():
        started = time.perf_counter()
        record["vacuum alone"][name] = calibrate(denoise, images)
        record["half of them columns"][name] = count_false(denoise, 2 * images)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    for source in ("simulated", "authors"):
        try:
            clean, title = sbd.example_truth(source)
        except sbd.DataUnavailableError:
            continue
        how = {"draws": draws, "deals": DEALS}
        record[f"whole procedure, {title}"] = judge_whole(
            clean, denoisers["network"], **how
        )
        record[f"seeds, {title}"] = change_seeds(clean, denoisers["network"], 3)
        print(title, flush=True)
    return record


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--draws", type=int, default=4)
    given = parser.parse_args()
    record = measure(given.images, given.draws)
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
