"""Keep a kind of specimen back from a network, and test it on that: ``make kept-out``.

    python book/measured/kept_out.py BENCHMARK FILE [--images N]

The networks are ``weights/without-*``: the same small one, trained for the same steps
on all training structures but the thickest, on all images but those of the largest
tilts, on all particles but one, and on all; each twice. They denoise the same counts of
N images of each of these kinds and of none of them, whole frames cut and resized as the
authors do, at the paper's dose; all of structures that no network here learnt from. An
image of one kind is of none of the others. The windowed Fourier filter sees them, too.

A difference is to the network from which nothing was kept, image by image; its standard
error has the spread over structures, and that between the two trainings of each.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.pages import generalisation
from sbd.simulation.frame import BOX_SAMPLES

SEED = 16
FILTER = "filter"


def load_denoisers() -> dict[str, list]:
    """Load the networks, by what was kept from them, and the filter."""
    denoisers = {}
    for name, kind in generalisation.KEPT_OUT.items():
        models = [sbd.load_model(item) for item in kind.networks]
        denoisers[name] = [partial(sbd.denoise, model=m, device="cpu") for m in models]
    return denoisers | {FILTER: [sbd.denoise_windowed_fourier]}


def choose(table: pd.DataFrame, number: int) -> dict[str, np.ndarray]:
    """Draw test images that are of one kind alone, and some that are of none."""
    kinds = {name: kind.find(table) for name, kind in generalisation.KEPT_OUT.items()}
    of_kinds = sum(found.astype(int) for found in kinds.values())
    rng = np.random.default_rng(SEED)
    chosen = {}
    for name, found in kinds.items():
        some = of_kinds == 0 if name == "nothing" else found & (of_kinds == 1)
        rows = np.flatnonzero(some & (table["split"] == "test"))
        chosen[name] = np.sort(rng.choice(rows, min(number, len(rows)), replace=False))
    return chosen


def score(
    denoisers: dict[str, list], benchmark: sbd.Benchmark, kind: str, rows: np.ndarray
) -> pd.DataFrame:
    """Score all denoisers on images of one kind."""
    cleans = [benchmark.image(int(row), samples=BOX_SAMPLES) for row in rows]
    cleans = [generalisation.frame_as_published(clean) for clean in cleans]
    images = pd.DataFrame({"tested on": kind, "clean": cleans})
    place = list(generalisation.KEPT_OUT).index(kind)
    table = generalisation.score_networks(denoisers, images, seed=SEED + place)
    return table.assign(image=rows[table["image"]])


def main() -> None:
    """Score, compare, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=40, help="of each kind")
    given = parser.parse_args()
    torch.set_num_threads(1)
    benchmark = sbd.Benchmark(given.benchmark)
    chosen = choose(benchmark.table, given.images)
    denoisers = load_denoisers()
    bar = tqdm(chosen.items(), unit="kind")
    table = pd.concat([score(denoisers, benchmark, *one) for one in bar])
    structures = benchmark.table["structure"]
    table = table.assign(structure=table["image"].map(structures))
    gains, errors = generalisation.compare_in_columns(table, against="nothing")
    parts = {
        "psnr": generalisation.generalisation_map(table).round(2),
        "gain": gains.round(3),
        "standard error": errors.round(3),
    }
    record = {
        "images": {kind: len(rows) for kind, rows in chosen.items()},
        "structures": {
            k: structures.iloc[rows].nunique() for k, rows in chosen.items()
        },
        "trainings": len(denoisers["nothing"]),
        **{name: part.T.to_dict() for name, part in parts.items()},
    }
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
