"""Try everything on a graphics processor, and train the paper's network: ``make gpu``.

    python book/measured/gpu.py FOLDER FILE [--minutes M] [--device cpu --smoke]

For a machine that is lent for a quarter of an hour, so each part is written to FILE as
soon as it is done, and is not done again; FOLDER keeps the benchmark and the training.

machine
    what it is.
tests
    those marked ``gpu``.
benchmark
    simulating all images, or what is missing.
times
    of one image of 727 x 687 by the default network and by the published one of 128
    channels, through `sbd.denoise_network` and called directly, and of a row of the
    Jacobian; how far the results are from those of the CPU, relative to the largest.
throughput
    crops a second that networks learn from, at the best batch of those tried.
notebooks
    all of them, with ``-p device``.
training
    the published UNet of 4 scales and 128 channels for M minutes, and how well it does
    on white images of the strict test split: whole, in patches of 400 as published, and
    beside the default. The weights are in FOLDER; `sbd.companion.make.studies` packs
    them.

``--smoke`` does all of it in toy sizes.
"""

import argparse
import copy
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import sbd
from sbd.companion.make.studies import GPU
from sbd.companion.measurements import PUBLISHED_SHAPE, average, describe_machine
from sbd.companion.pages.generalisation import frame_as_published
from sbd.files import write_json
from sbd.networks.inference import whole_precision
from sbd.networks.models import create_model
from sbd.networks.training import time_steps, train
from sbd.simulation.frame import BOX_SAMPLES

ROOT = Path(__file__).parents[2]
PATCH = 400  # side of the authors' patches [pixels]
LEARNERS = {
    "LatticeUNet, 64 channels": ("LatticeUNet", {"channels": 64}, 160, (32, 64, 128)),
    "CrystalUNet": ("CrystalUNet", {}, 160, (16, 32, 64)),
    "UNet, 4 x 128": ("UNet", {"channels": 128}, 400, (8, 16, 32)),
}


@dataclass
class Trial:
    """Where everything is, and how large."""

    folder: Path
    device: str
    minutes: float
    smoke: bool

    @property
    def benchmark(self) -> sbd.Benchmark:
        """The images."""
        return sbd.Benchmark(self.folder / "benchmark")

    def wait(self) -> None:
        """Wait until the processor has done what it was told to do."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def time(self, job: Callable, runs: int = 10) -> float:
        """Shortest seconds of several runs, the first two not counted."""
        seconds = []
        for _ in range(3 if self.smoke else runs + 2):
            began = time.perf_counter()
            job()
            self.wait()
            seconds.append(time.perf_counter() - began)
        return float(f"{min(seconds[2:]):.3g}")


def describe(trial: Trial) -> dict:
    """Say what this machine is."""
    name = torch.cuda.get_device_name() if trial.device == "cuda" else "CPU"
    cores = len(os.sched_getaffinity(0))
    return {"device": name, "cores": cores} | describe_machine("torch", "numpy")


def run_tests(trial: Trial) -> dict:
    """Run the tests for graphics processors; on another device they are skipped."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout.strip().splitlines()[-1]
    return {"device": trial.device, "code": done.returncode, "said": said}


def simulate(trial: Trial) -> dict:
    """Simulate what is missing of the benchmark."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "sbd.cli", "simulate"]
    command += [str(trial.folder / "benchmark")]
    if trial.smoke:
        recipes = sbd.Recipe("PtNp4", "D0", 10.0), sbd.Recipe("PtNp2", "Dh", 40.0)
        sbd.simulate_benchmark(
            trial.folder / "benchmark", recipes=recipes, tilts=((3.0, 0.0),),
            defoci=(5.0, 6.0), grid=64, progress=False,
        )  # fmt: skip
    else:
        cores = len(os.sched_getaffinity(0))
        command += ["--workers", str(max(1, cores - 2))]
        subprocess.run(command, check=True)
    splits = trial.benchmark.table["split"].value_counts().to_dict()
    return {"images": splits, "seconds": round(time.perf_counter() - began, 1)}


def time_networks(trial: Trial) -> dict:
    """Time networks at work, and compare with the CPU."""
    shape = (64, 80) if trial.smoke else PUBLISHED_SHAPE
    noisy = sbd.poisson_noise(
        np.full(shape, sbd.VACUUM), rng=np.random.default_rng(0)
    ).astype(np.float32)
    channels = 8 if trial.smoke else 128
    networks = {
        "default": sbd.load_model(),
        "published 4 x 128": create_model("UNet", seed=0, channels=channels).eval(),
    }
    return {name: time_one(trial, model, noisy) for name, model in networks.items()}


def time_one(trial: Trial, model: torch.nn.Module, noisy: np.ndarray) -> dict:
    """Time one network at work, and compare with the CPU."""
    there, pixel = torch.device(trial.device), tuple(n // 2 for n in noisy.shape)
    counts = torch.from_numpy(noisy)[None, None].to(there)
    plain = copy.deepcopy(model).to(there)

    def call() -> None:
        with torch.no_grad(), whole_precision():
            plain(counts)

    def denoise(device: str) -> np.ndarray:
        return sbd.denoise_network(noisy, model, device=device)

    def look(device: str) -> np.ndarray:
        return sbd.jacobian_row(model, noisy, pixel, device=device)[0]

    return {
        "seconds": trial.time(lambda: denoise(trial.device)),
        "seconds, module called": trial.time(call),
        "seconds of a row": trial.time(lambda: look(trial.device), 3),
        "difference to the CPU": relate(denoise(trial.device), denoise("cpu")),
        "difference of the row": relate(look(trial.device), look("cpu")),
    }


def relate(ours: np.ndarray, known: np.ndarray) -> float:
    """Largest difference, relative to the largest value."""
    return float(f"{np.abs(ours - known).max() / np.abs(known).max():.1e}")


def measure_throughput(trial: Trial) -> dict:
    """Crops a second, at each batch that fits into the memory."""
    table = {}
    for name, (kind, config, crop, batches) in LEARNERS.items():
        config = config | ({"channels": 4, "scales": 2} if trial.smoke else {})
        drawing = sbd.Drawing(crop=32 if trial.smoke else crop)
        table[name] = {}
        for batch in (2,) if trial.smoke else batches:
            model = create_model(kind, seed=0, **config)
            try:
                seconds = time_steps(
                    model, trial.benchmark, steps=3 if trial.smoke else 20,
                    batch=batch, drawing=drawing, device=trial.device, bf16=True,
                )  # fmt: skip
            except torch.cuda.OutOfMemoryError:
                break
            table[name][str(batch)] = round(batch / seconds, 1)
    return table


def run_notebooks(trial: Trial) -> dict:
    """Run the notebooks on the device."""
    command = [sys.executable, "-m", "sbd.records", "run", "--to"]
    command += [str(trial.folder / "records"), "-p", "device", trial.device]
    command += ["--jobs", "1" if trial.smoke else "4"]
    command += ["--scale", "smoke", "00"] if trial.smoke else []
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = (done.stderr.strip() or done.stdout.strip() or " ").splitlines()[-1]
    return {
        "code": done.returncode,
        "said": said,
        "seconds": round(time.perf_counter() - began, 1),
    }


def train_theirs(trial: Trial) -> dict:
    """Train the paper's network for the minutes there are, and try it."""
    study = GPU["paper-4x128"]
    config, drawing, batch = study.config, study.drawing, study.batch
    if trial.smoke:
        config = {"scales": 2, "channels": 4}
        drawing, batch = replace(drawing, crop=32), 2
    images = trial.benchmark
    if not trial.smoke:
        images = images.select(**study.labels)
    how = {"batch": batch, "drawing": drawing, "device": trial.device, "bf16": True}
    run = trial.folder / "paper-4x128"
    plan = trial.folder / "plan.json"  # a run that goes on has the steps it began with
    if not plan.exists():
        model = create_model(study.kind, seed=study.seed, **config)
        seconds = time_steps(model, images, steps=3 if trial.smoke else 20, **how)
        steps = max(4, math.floor(60 * trial.minutes / seconds))
        write_json(plan, {"steps": steps, "seconds a step": round(seconds, 4)})
    steps = json.loads(plan.read_text())["steps"]
    model = create_model(study.kind, seed=study.seed, **config)
    began = time.perf_counter()
    model = train(
        model, images, run, steps=steps, seed=study.seed, rate=study.rate,
        save_every=max(2, steps // 40), progress=not trial.smoke, **how,
    )  # fmt: skip
    minutes = (time.perf_counter() - began) / 60
    return {
        "steps": steps, "batch": batch, "crop": drawing.crop, "config": config,
        "minutes": round(minutes, 2),
    } | score(model, trial)  # fmt: skip


def score(model: torch.nn.Module, trial: Trial, number: int = 60) -> dict:
    """PSNR on white images of the test split, whole and in patches [dB]."""
    images = trial.benchmark
    table = images.table
    rows = np.flatnonzero((table["split"] == "test").to_numpy())
    if not trial.smoke:
        rows = rows[(table["contrast"].iloc[rows] == "white").to_numpy()]
    rng = np.random.default_rng(0)
    rows = rng.choice(rows, size=min(number, len(rows)), replace=False)
    rows, side = (rows[:1], 96) if trial.smoke else (rows, None)
    scores = {"whole": [], "patches of 400": [], "default": []}
    for row in rows:
        clean = frame_as_published(images.image(int(row), samples=BOX_SAMPLES))
        clean = clean[:side, :side]
        noisy = sbd.poisson_noise(clean, rng=np.random.default_rng([1, int(row)]))
        whole = sbd.denoise_network(noisy, model, device=trial.device)
        default = sbd.denoise_network(noisy, device=trial.device)
        patches = [
            sbd.authors_psnr(
                part, sbd.denoise_network(counts, model, device=trial.device)
            )
            for part, counts in zip(cut(clean), cut(noisy), strict=True)
        ]
        scores["whole"].append(sbd.authors_psnr(clean, whole))
        scores["patches of 400"].append(np.mean(patches))
        scores["default"].append(sbd.authors_psnr(clean, default))
    return {"images": len(rows)} | {
        name: {"psnr": (means := average(values)).pop("mean"), **means}
        for name, values in scores.items()
    }


def cut(image: np.ndarray) -> list[np.ndarray]:
    """Cut the patches of 400 x 400 in the corners, or the image where it is smaller."""
    ends = ((0, max(0, n - PATCH)) for n in image.shape)
    rows, columns = ends
    return [image[i : i + PATCH, j : j + PATCH] for i in rows for j in columns]


PARTS = {
    "machine": describe,
    "tests": run_tests,
    "benchmark": simulate,
    "times": time_networks,
    "throughput": measure_throughput,
    "notebooks": run_notebooks,
    "training": train_theirs,
}


def main() -> None:
    """Do every part that is not done, and write what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device must be there; got cuda, and this machine has none")
    given.folder.mkdir(parents=True, exist_ok=True)
    trial = Trial(given.folder, given.device, given.minutes, given.smoke)
    record = json.loads(given.file.read_text()) if given.file.exists() else {}
    for name in given.parts:
        if name in record:
            continue
        began = time.perf_counter()
        record[name] = PARTS[name](trial)
        write_json(given.file, record)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
