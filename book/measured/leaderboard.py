"""Score every denoiser of the book as ``sbd score`` does: ``make leaderboard``.

    python book/measured/leaderboard.py BENCHMARK FOLDER [--to FILE]
        [--strict N] [--white N] [--columns N]

The networks and the classical denoisers, on N of the strict test split's 60 images, on
N of the 280 that the paper tests on, and on N in which columns are counted. All see
the same counts, so that each is compared with the next frame by frame: the mean of the
differences, with its standard error. Frames that are done are kept in FOLDER, and are
not done again.
"""

import argparse
import warnings
from pathlib import Path

import torch
from tqdm import tqdm

import sbd
from sbd.audits import load_entrant, score_denoiser
from sbd.audits.score_means import paired_difference
from sbd.companion.freshness import write_measured
from sbd.denoisers.baselines import BASELINES

NETWORKS = {
    "network": "default",
    "robust network": "robust",
    "paper's network": "paper-4x128",
    "paper's kind": "paper",
}
QUALITY = ("strict", "white")
SHOWN = ("psnr", "psnr_error", "lowest", "ssim", "ssim_error")
COUNTED = (
    "found_share", "found_share_error", "false", "false_error", "invented",
    "invented_error",
)  # fmt: skip


def rank(sets: dict[str, dict]) -> dict[str, dict]:
    """Sort denoisers by their PSNR, and compare each with the next."""
    order = sorted(sets, key=lambda name: -sets[name]["means"]["all"]["psnr"])
    table = {}
    for name, following in zip(order, [*order[1:], None], strict=True):
        means = sets[name]["means"]
        table[name] = {key: means["all"][key] for key in SHOWN}
        if following:
            pair = sets[name]["frames"], sets[following]["frames"]
            ahead, error = paired_difference(*pair)
            table[name] |= {"ahead of the next": ahead, "ahead_error": error}
        table[name]["by group"] = {
            group: {key: some[key] for key in ("images", "psnr", "psnr_error")}
            for group, some in means.items()
            if group != "all"
        }
    return table


def main() -> None:
    """Score what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--to", type=Path, default=Path("book/measured/leaderboard.json")
    )
    parser.add_argument("--strict", type=int, default=60)
    parser.add_argument("--white", type=int, default=40)
    parser.add_argument("--columns", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)  # filters without a lattice
    given.folder.mkdir(parents=True, exist_ok=True)
    benchmark = sbd.Benchmark(given.benchmark)
    limits = {"strict": given.strict, "columns": given.columns, "white": given.white}
    names = NETWORKS | {name: name.replace(" ", "-") for name in BASELINES}
    entrants = {name: load_entrant(key, name=name) for name, key in names.items()}
    scored: dict[str, dict] = {name: {} for name in limits}
    results = {}
    for part, limit in limits.items():
        for name in tqdm(names, desc=part, unit="denoiser"):
            keep = given.folder / f"{names[name].lower()}.jsonl"
            how = {"sets": [part], "limit": limit, "keep": keep}
            results[name] = score_denoiser(entrants[name], benchmark, **how)
            scored[part][name] = results[name]["sets"][part]
    some = next(iter(results.values()))
    record = {
        key: some[key] for key in ("schema", "sbd", "benchmark", "dose", "seeds")
    } | {
        "machine": some["machine"],
        "versions": some["versions"],
        "parts": {part: next(iter(scored[part].values()))["part"] for part in limits},
        "denoisers": {
            name: one["denoiser"] | {"repeatable": one["repeatable"]}
            for name, one in results.items()
        },
    }
    record |= {part: rank(scored[part]) for part in QUALITY}
    record["columns"] = {
        name: {key: scored["columns"][name]["means"]["all"][key] for key in COUNTED}
        for name in record["strict"]
    }
    write_measured(given.to, record, __file__)


if __name__ == "__main__":
    main()
