"""Compare all methods on the regenerated test images: ``make methods``.

    python book/measured/methods.py BENCHMARK FOLDER FILE
        [--images N] [--whole N] [--workers W]

At the paper's dose, one draw of the counts for each image, which all methods see, by
the authors' metric; cut and resized as the authors cut and resize theirs. Three sets:

strict test
    N images of structures of which nothing here was trained on, spread evenly over the
    split by a seed. Of the particle PtNp1 the default network learnt some labels, then
    with other atoms, so particles are given apart.
published white
    the 280 images that the paper tests on, as far as their labels could be recovered.
    The split is one of single images: of most structures other images were learnt from.
    The default network is therefore given for structures that it learnt from, and for
    those kept out, apart; those that it was chosen by are in neither.
published test
    all 3,567 images, of every contrast, that the paper holds back of the whole set, or
    N of them: too many for the slow filters, so four methods alone.

Each row has the mean, its standard error over images, and the lowest. The authors'
metric clips the counts to one electron; what they have without that stands apart.
Images that are done are kept in FOLDER, and are not done again with the same weights:
empty it where a filter has changed.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import average
from sbd.companion.pages.generalisation import frame_as_published
from sbd.files import sha256, write_json
from sbd.simulation.frame import BOX_SAMPLES
from sbd.typing import Image

SEED = 21
GROUPS = "contrast", "thickness", "particle"
QUICK = "network", "windowed Fourier", "Gaussian", "raw counts"
BEST = QUICK[:2]

NETWORKS = {"network": "weights/default", "paper's kind": "weights/paper"}


@cache
def make_methods() -> dict[str, tuple[Callable[[Image], Image], str | None]]:
    """Every method of the book, with its weights' digest; a process makes them once."""
    torch.set_num_threads(1)
    methods = {name: (f, None) for name, f in sbd.classical_denoisers().items()}
    for name, item in NETWORKS.items():
        model, digest = sbd.load_model(item), sha256(sbd.fetch(item))[:16]
        run = partial(sbd.denoise_network, model=model, device="cpu")
        methods[name] = run, digest
    return methods


def score(folder: Path, kept: Path, row: int, quick: bool) -> Path:
    """Score one image, but for what is done with the same weights."""
    file = kept / f"{row}.json"
    scores = json.loads(file.read_text()) if file.exists() else {}
    missing = {
        name: method
        for name, method in make_methods().items()
        if (name in QUICK or not quick)
        and (name not in scores or scores[name].get("weights") != method[1])
    }
    if missing:
        clean = sbd.Benchmark(folder).image(row, samples=BOX_SAMPLES)
        clean = frame_as_published(clean)
        noisy = sbd.poisson_noise(clean, rng=np.random.default_rng([SEED, row]))
        for name, (denoise, digest) in missing.items():
            image = denoise(noisy)
            scores[name] = {
                "psnr": float(sbd.authors_psnr(clean, image)),
                "ssim": float(sbd.authors_ssim(clean, image)),
                **({"weights": digest} if digest else {}),
            }
        if "raw counts" in missing:
            scores["raw counts"]["not clipped"] = sbd.psnr(clean, noisy)
        write_json(file, scores)
    return file


def tabulate(files: list[Path], names: tuple[str, ...] = ()) -> dict:
    """Mean, standard error and lowest of each method, or of some, the best first."""
    scores = [json.loads(file.read_text()) for file in files]
    psnr = pd.DataFrame([{k: v["psnr"] for k, v in one.items()} for one in scores])
    ssim = pd.DataFrame([{k: v["ssim"] for k, v in one.items()} for one in scores])
    some = psnr[list(names)] if names else psnr
    return {
        "images": len(scores),
        **{
            name: {"psnr": (means := average(psnr[name])).pop("mean"), **means}
            | {"ssim": round(float(ssim[name].mean()), 4)}
            for name in some.mean().sort_values(ascending=False).index
        },
    }


def tabulate_groups(
    labels: pd.DataFrame, files: dict[int, Path], names: tuple[str, ...] = ()
) -> dict:
    """Tabulate all images, and those of each contrast, thickness and particle."""
    record = {"all": tabulate([files[row] for row in labels.index], names)}
    for key in GROUPS:
        for value, some in labels.groupby(key):
            if len(some) > 2:
                name = f"{key} {value:g}" if key == "thickness" else f"{key} {value}"
                record[name] = tabulate([files[row] for row in some.index], names)
    return record


def tabulate_learnt(
    labels: pd.DataFrame, files: dict[int, Path], names: tuple[str, ...]
) -> dict:
    """Tabulate images of structures that the default learnt from, and of others."""
    parts = {
        f"structures {name}": labels[labels["split"] == split]
        for name, split in (("learnt from", "train"), ("never", "test"))
    }
    return {
        name: tabulate([files[row] for row in some.index], names)
        for name, some in parts.items()
        if len(some)
    }


def score_all(
    given: argparse.Namespace, full: set[int], quick: list[int]
) -> dict[int, Path]:
    """Score images by all methods, then others by the quick ones."""
    rows = [*sorted(full), *(row for row in quick if row not in full)]
    given.folder.mkdir(parents=True, exist_ok=True)
    work = partial(score, given.benchmark, given.folder)
    with ProcessPoolExecutor(given.workers) as pool:
        done = pool.map(work, rows, [row not in full for row in rows])
        bar = tqdm(done, total=len(rows), unit="image", mininterval=10)
        return dict(zip(rows, bar, strict=True))


def main() -> None:
    """Score, group, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--whole", type=int, help="all, if not given")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.whole is not None and given.whole < 1:
        parser.error(f"--whole must be at least 1; got {given.whole}")
    table = sbd.Benchmark(given.benchmark).table.reset_index(drop=True)
    strict = np.flatnonzero((table["split"] == "test").to_numpy())
    rng = np.random.default_rng(SEED)
    strict = np.sort(rng.choice(strict, min(given.images, len(strict)), replace=False))
    white = table[table["published_split_white"] == "test"]
    whole = table[table["published_split"] == "test"].sample(frac=1, random_state=SEED)
    whole = whole.iloc[: given.whole]
    files = score_all(given, {*strict.tolist(), *white.index}, whole.index.tolist())
    counts = [json.loads(files[row].read_text())["raw counts"] for row in white.index]
    record = {
        "strict test": tabulate_groups(table.iloc[strict], files),
        "published white": {
            "all": tabulate([files[row] for row in white.index]),
            **tabulate_learnt(white, files, BEST),
            "raw counts, not clipped": average([one["not clipped"] for one in counts]),
        },
        "published test": {
            **tabulate_groups(whole, files, QUICK),
            **tabulate_learnt(whole, files, QUICK),
        },
    }
    write_measured(given.file, record, __file__)
    print(json.dumps({k: v["all"] for k, v in record.items()}, indent=1))


if __name__ == "__main__":
    main()
