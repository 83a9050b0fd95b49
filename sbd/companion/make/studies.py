"""Train the small networks of the studies: ``make studies``.

    python -m sbd.companion.make.studies BENCHMARK FOLDER [NAME ...]
    python -m sbd.companion.make.studies BENCHMARK FOLDER [NAME ...] --pack COMMIT

The first trains: each network gets a folder of its own, and goes on where it was
stopped. The second copies what is trained into the package, with a card each (data,
settings, seed, the commit that trained it, cost, curve, and a score that
`sbd.dose_curve` gives again), and enters the digests in the catalogue.

The networks of a study differ in one thing only, and are trained for about the same
processor time:

* ``contrast-*``, ``structure-*``, ``defect-*``: in what they learn from, the subsets of
  the paper's studies of generalisation, in the paper's split of single images. Those of
  structures and defects learn from white images, as in the paper. Each twice, from
  another seed (``*-again``).
* ``without-*``: in what was kept from them: the thickest specimens, the largest tilts,
  one particle, or nothing. Here the split is that of structures. Each twice, too.
* ``view-*``: in how far they see; each twice, too.
* ``dose-*``: the second network of the default weights, taught one dose more; not
  packed, only compared with them (``book/measured/doses.py``).
* ``paper``: the paper's network with a quarter of its channels, as the paper trains
  it: white images, its pixel sizes, its dose. ``paper-4x128`` and ``paper-6x128`` are
  the published ones, for a GPU: ``make gpu`` trains them, nobody else.
"""

import argparse
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

import sbd
from sbd.companion.make.packing import WEIGHTS, pack_weights
from sbd.companion.pages import generalisation
from sbd.files import write_json
from sbd.networks.drawing import Drawing
from sbd.simulation.frame import AUTHORS_PIXEL

DRAWS = 4
TRIAL = Path(sbd.__file__).parents[1] / "book" / "measured" / "gpu.json"
AGAIN = "-again"
SUBSETS = {
    f"{by}-{subset}": study.labels(subset)
    for by, study in generalisation.STUDIES.items()
    for subset in study.subsets
}
PAPER = Drawing(crop=128, paper_dose=1.0)
# the authors resize by 0.75 to 0.82, turn and mirror, and add nothing else
THEIRS = Drawing(
    pixel=(AUTHORS_PIXEL / 0.82, AUTHORS_PIXEL / 0.75), aspect=1.0, paper_dose=1.0,
    contrast=(1.0, 1.0), vacuum=0.0,
)  # fmt: skip
PIXELS = Drawing(crop=256, paper_dose=1.0)  # a crop is counted in what a network sees


@dataclass(frozen=True)
class Study:
    """One network and what it learns from."""

    kind: str
    config: dict
    steps: int
    labels: dict = field(default_factory=dict)
    split: str = "split"
    drawing: Drawing = PAPER
    batch: int = 8
    rate: float = 2e-3
    start: str | None = None
    seed: int = 0


def view(steps: int, kind: str = "UNet", **config: int) -> Study:
    """Make a network of the study of the field of view."""
    if kind == "UNet":
        config |= {"align_corners": False}
    how = {} if "binning" in config or kind != "UNet" else EVERY_PIXEL
    return Study(kind, config, steps, **how)


EVERY_PIXEL = {"batch": 4, "drawing": PIXELS}
ONCE = {
    name: Study("LatticeUNet", {"channels": 16}, 240, labels, "published_split")
    for name, labels in SUBSETS.items()
}
ONCE |= {
    f"without-{name}": Study("LatticeUNet", {"channels": 16}, 240, kind.rest)
    for name, kind in generalisation.KEPT_OUT.items()
}
ONCE |= {  # 200 s of one core each, except where a name tells that steps are as beside
    "view-pixels-2": view(600, scales=2, channels=32),
    "view-pixels-2-steps": view(400, scales=2, channels=32),
    "view-pixels-4": view(400, scales=4, channels=32),
    "view-bins-2": view(1000, scales=2, channels=32, binning=4),
    "view-bins-4": view(1000, scales=4, channels=32, binning=4),
    "view-bins-6": view(1700, scales=6, channels=16, binning=4),
    "view-bins-6-steps": view(1000, scales=6, channels=16, binning=4),
    "view-lattice": view(490, "LatticeUNet", channels=32),
    "view-lattice-steps": view(1000, "LatticeUNet", channels=32),
}
STUDIES = ONCE | {f"{name}{AGAIN}": replace(one, seed=1) for name, one in ONCE.items()}
for dose in (0.1, 2.0, 10.0):
    one = Drawing(dose=(dose, dose), paper_dose=0.0, contrast=(1.0, 1.0), upright=0.5)
    STUDIES[f"dose-{dose:g}"] = Study(
        "CrystalUNet", {}, 200, batch=4, rate=5e-4, start="weights/default", seed=1,
        drawing=one,
    )  # fmt: skip
WHITE = {"contrast": ["white"]}
BOTH = WHITE | {"published_split_white": ["train"]}  # and of the strict split's, too
STUDIES["paper"] = Study(
    "UNet", {"scales": 4, "channels": 32}, 2400, WHITE,
    drawing=replace(THEIRS, crop=128),
)  # fmt: skip
GPU = {
    f"paper-{scales}x128": Study(
        "UNet", {"scales": scales, "channels": 128}, 4000, BOTH, rate=1e-3,
        drawing=replace(THEIRS, crop=crop),
    )
    for scales, crop in ((4, 400), (6, 448))  # multiples of 2**scales
}  # fmt: skip

EIGHT_BITS = {*GPU} | {n for n in STUDIES if n.startswith(("view-bins-6", "without"))}


def train(name: str, benchmark: sbd.Benchmark, folder: Path, workers: int) -> None:
    """Train one network, or go on."""
    study = (STUDIES | GPU)[name]
    if study.start:
        model = sbd.load_model(study.start)
    else:
        model = sbd.create_model(study.kind, seed=study.seed, **study.config)
    images = benchmark.select(split=study.split, **study.labels)
    sbd.train(
        model, images, folder / name, steps=study.steps, seed=study.seed,
        batch=study.batch, rate=study.rate, drawing=study.drawing, bf16=True,
        device="cpu", workers=workers,
    )  # fmt: skip


def score(name: str) -> dict[str, float]:
    """Score packed weights on the bundled image, which no network has seen."""
    clean, _ = sbd.example_truth("simulated")
    model = sbd.load_model(WEIGHTS / f"{name}.safetensors")
    run = {"network": lambda noisy: sbd.denoise(noisy, model, device="cpu")}
    how = {"doses": [sbd.VACUUM], "draws": DRAWS, "seed": 7}
    psnr = sbd.dose_curve(run, {"bundled": clean}, **how)["psnr"]
    return {
        "psnr_bundled_image": round(float(psnr.mean()), 2),
        "psnr_standard_error": round(float(psnr.std(ddof=1) / DRAWS**0.5), 2),
        "draws": DRAWS,
    }


def pack(name: str, benchmark: sbd.Benchmark, folder: Path, commit: str) -> None:
    """Copy weights into the package, and write their card."""
    study, run = (STUDIES | GPU)[name], folder / name
    pack_weights(name, run, bits=8 if name in EIGHT_BITS else 16)
    record = json.loads((run / "curve.json").read_text())
    images = benchmark.select(split=study.split, **study.labels).table["split"]
    cost = json.loads((run / "cost.json").read_text())
    if name in GPU:
        trial = json.loads(TRIAL.read_text())
        minutes, device = trial["training"]["minutes"], trial["machine"]["device"]
        cost = {"steps": cost["steps"], "minutes": minutes, "device": device}
    card = {
        "name": f"weights/{name}",
        "data": {
            "made by": "sbd simulate (default_recipes)",
            "labels": study.labels or "all",
            "split": study.split,
            "images": {k: int(n) for k, n in images.value_counts().items()},
            "never used": "any image of the authors; the bundled example",
        },
        "run 1": {"commit": commit, **record["settings"]},
        "cost": cost,
        "metrics": score(name),
        "curve": record["curve"],
    }
    write_json(WEIGHTS / f"{name}.json", card)


def main() -> None:
    """Train all that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="all, if none is given"
    )
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--pack", metavar="COMMIT", help="that trained them")
    given = parser.parse_args()
    known = STUDIES | GPU if given.pack else STUDIES
    for name in given.names:
        if name not in known:
            parser.error(f"NAME must be one of {', '.join(known)}; got {name!r}")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    benchmark = sbd.Benchmark(given.benchmark)
    if given.pack:
        names = given.names or [name for name in STUDIES if not name.startswith("dose")]
        for name in names:
            pack(name, benchmark, given.folder, given.pack)
        return
    for name in given.names or STUDIES:
        train(name, benchmark, given.folder, given.workers)


if __name__ == "__main__":
    main()
