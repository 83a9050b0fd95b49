"""Compare all methods on the regenerated test images: ``make methods``.

    python book/measured/methods.py BENCHMARK FOLDER FILE [--images N] [--workers W]

At the paper's dose, one draw of the counts for each image, which all methods see, by
the authors' metric; cut and resized as the authors cut and resize theirs. Two sets:

strict test
    N images of structures of which nothing here was trained on, spread evenly over the
    split by a seed. Of the particle PtNp1 the default network learnt some labels, then
    with other atoms, so particles are given apart.
published white
    the 280 images that the paper tests on, as far as their labels could be recovered.
    The split is one of single images: of most structures other images were learnt from.
    The default network is therefore given for structures that it learnt from, and for
    the others, apart.

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


def score(folder: Path, kept: Path, row: int) -> Path:
    """Score one image by every method, but for what is done with the same weights."""
    file = kept / f"{row}.json"
    scores = json.loads(file.read_text()) if file.exists() else {}
    missing = {
        name: method
        for name, method in make_methods().items()
        if name not in scores or scores[name].get("weights") != method[1]
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
        scores["raw counts"]["not clipped"] = sbd.psnr(clean, noisy)
        write_json(file, scores)
    return file


def tabulate(files: list[Path]) -> dict:
    """Mean, standard error and lowest of each method, the best first."""
    scores = [json.loads(file.read_text()) for file in files]
    psnr = pd.DataFrame([{k: v["psnr"] for k, v in one.items()} for one in scores])
    ssim = pd.DataFrame([{k: v["ssim"] for k, v in one.items()} for one in scores])
    return {
        "images": len(scores),
        **{
            name: {"psnr": (means := average(psnr[name])).pop("mean"), **means}
            | {"ssim": round(float(ssim[name].mean()), 4)}
            for name in psnr.mean().sort_values(ascending=False).index
        },
    }


def main() -> None:
    """Score, group, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    table = sbd.Benchmark(given.benchmark).table
    strict = np.flatnonzero((table["split"] == "test").to_numpy())
    rng = np.random.default_rng(SEED)
    strict = np.sort(rng.choice(strict, min(given.images, len(strict)), replace=False))
    white = np.flatnonzero((table["published_split_white"] == "test").to_numpy())
    rows = sorted({*strict.tolist(), *white.tolist()})
    work = partial(score, given.benchmark, given.folder)
    with ProcessPoolExecutor(given.workers) as pool:
        done = tqdm(pool.map(work, rows), total=len(rows), unit="image", mininterval=10)
        files = dict(zip(rows, done, strict=True))
    record = {"strict test": {"all": tabulate([files[row] for row in strict])}}
    labels = table.iloc[strict]
    for key in GROUPS:
        for value in sorted(labels[key].dropna().unique()):
            some = strict[(labels[key] == value).to_numpy()]
            if len(some) > 2:
                name = f"{key} {value:g}" if key == "thickness" else f"{key} {value}"
                record["strict test"][name] = tabulate([files[row] for row in some])
    record["published white"] = {"all": tabulate([files[row] for row in white])}
    learnt = (table.iloc[white]["split"] != "test").to_numpy()
    for name, some in (("learnt from", white[learnt]), ("never", white[~learnt])):
        part = tabulate([files[row] for row in some])
        record["published white"][f"structures {name}"] = {
            key: part[key] for key in ("images", "network", "windowed Fourier")
        }
    counts = [json.loads(files[row].read_text())["raw counts"] for row in white]
    bare = average([one["not clipped"] for one in counts])
    record["published white"]["raw counts, not clipped"] = bare
    write_measured(given.file, record, __file__)
    print(json.dumps({k: v["all"] for k, v in record.items()}, indent=1))


if __name__ == "__main__":
    main()
