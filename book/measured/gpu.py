"""Try everything on a graphics processor, and train the paper's network: ``make gpu``.

    python book/measured/gpu.py FOLDER FILE [--minutes M] [--device cpu --smoke]

For a machine that is lent for a quarter of an hour, so each part is written to FILE as
soon as it is done, and is not done again; FOLDER keeps the benchmark and the training.
What the GPU does little in goes on beside the other parts.

machine
    what it is.
benchmark
    simulating all images, or what is missing, on all processor cores but two.
tests
    those marked ``gpu``, beside it.
compiling
    the published network for training, once and for all that follows.
times
    of one image of 727 x 687 by the default network and by the published one of 128
    channels, through `sbd.denoise_network` and called directly, and of a row of the
    Jacobian, while the benchmark is simulated on other cores; how far the results are
    from those of the CPU on a part of it, relative to the largest.
throughput
    crops a second that networks learn from.
studies
    the small networks that learn from parts of the benchmark, on processor cores.
notebooks
    all that are here, with ``-p device``.
training
    the published UNet of 4 scales and 128 channels for M minutes, on white images that
    the paper and the strict split both train on. The weights are in FOLDER;
    `sbd.companion.make.studies` packs them.
score
    how well it does by the authors' metric, on one draw of the counts, the one of
    ``methods.py``: on the strict test split, on the paper's 280 white test images, and
    on the 279 that its authors' 38.16 dB are of. Whole, with the decoder extended by
    reflection and as published; in patches of 400; and what the same patches have in
    the whole images, which alone is like for like.
authors
    the same, whole, on the authors' images that can be fetched, over draws of the
    counts, and beside it the default network; on the processor, without the benchmark.

``--smoke`` does all of it in toy sizes.
"""

import argparse
import copy
import json
import math
import multiprocessing
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.make.studies import AGAIN, GPU, SUBSETS
from sbd.companion.measurements import PUBLISHED_SHAPE, average, describe_machine
from sbd.companion.pages.borders import ZeroFilledUNet
from sbd.companion.pages.generalisation import frame_as_published
from sbd.files import write_json
from sbd.networks.inference import whole_precision
from sbd.networks.models import create_model
from sbd.networks.training import time_steps, train
from sbd.simulation.frame import BOX_SAMPLES
from sbd.simulation.specimens import SEEN

ROOT = Path(__file__).parents[2]
PATCH = 400  # side of the authors' patches [pixels]
PART = 240  # of an image, on which the CPU is asked too [pixels]
SEED = 21  # of the counts, and of which images: those of methods.py
THEIRS = "paper-4x128"
AUTHORS = ("clean/PtNp2-S3_5", "clean/PtNp2-S3_2-S5_2", *SEEN)
DRAWS = 4
LEARNERS = {  # class, settings, crop, batch
    "LatticeUNet, 64 channels": ("LatticeUNet", {"channels": 64}, 160, 64),
    "CrystalUNet": ("CrystalUNet", {}, 160, 32),
}


@dataclass
class Trial:
    """Where everything is, and how large."""

    folder: Path
    device: str
    minutes: float
    smoke: bool
    compiled: bool = True  # until that fails, or does not pay

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
    # no others: a bare machine may lack what they import
    files = [
        str(file)
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.gpu" in file.read_text(encoding="utf-8")
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-5000:] if done.returncode else "", end="", flush=True)
    said = done.stdout.strip().splitlines()[-1]
    return {"device": trial.device, "code": done.returncode, "said": said}


def simulate(trial: Trial) -> dict:
    """Simulate what is missing of the benchmark."""
    began, folder = time.perf_counter(), trial.folder / "benchmark"
    if trial.smoke:
        make_small(folder)
    else:
        workers = max(1, len(os.sched_getaffinity(0)) - 3)
        command = [sys.executable, "-m", "sbd.cli", "simulate", str(folder)]
        subprocess.run([*command, "--workers", str(workers)], check=True, cwd=ROOT)
    splits = trial.benchmark.table["split"].value_counts().to_dict()
    return {"images": splits, "seconds": round(time.perf_counter() - began, 1)}


def make_small(folder: Path) -> sbd.Benchmark:
    """Simulate a benchmark of two structures, to rehearse with."""
    return sbd.simulate_benchmark(
        folder, progress=False, grid=64, defoci=(5.0, 6.0),
        recipes=(sbd.Recipe("PtNp4", "D0", 10.0), sbd.Recipe("PtNp2", "Dh", 40.0)),
        tilts=((3.0, 0.0),),
    )  # fmt: skip


def set_up(trial: Trial) -> dict:
    """Say how the published network is trained, but for its steps."""
    study = GPU[THEIRS]
    how = {"batch": study.batch, "drawing": study.drawing}
    if trial.smoke:
        how = {"batch": 2, "drawing": replace(study.drawing, crop=32)}
    return how | {"device": trial.device, "bf16": True, "compiled": trial.compiled}


def make_theirs(trial: Trial) -> torch.nn.Module:
    """Make the published network, with random weights."""
    study = GPU[THEIRS]
    config = {"scales": 2, "channels": 4} if trial.smoke else study.config
    return create_model(study.kind, seed=study.seed, **config)


def compile_theirs(trial: Trial) -> dict:
    """Take a few steps, for which torch compiles what it keeps."""
    began = time.perf_counter()
    small = make_small(trial.folder / "small")
    try:
        time_steps(make_theirs(trial), small, steps=3, **set_up(trial))
    except Exception as error:
        trial.compiled = False
        return {"failed": f"{type(error).__name__}: {str(error)[:500]}"}
    return {"seconds": round(time.perf_counter() - began, 1)}


def time_networks(trial: Trial) -> dict:
    """Time networks at work, and compare with the CPU."""
    shape = (64, 80) if trial.smoke else PUBLISHED_SHAPE
    noisy = sbd.poisson_noise(
        np.full(shape, sbd.VACUUM), rng=np.random.default_rng(0)
    ).astype(np.float32)
    networks = {"default": sbd.load_model(), "published": make_theirs(trial).eval()}
    return {name: time_one(trial, model, noisy) for name, model in networks.items()}


def time_one(trial: Trial, model: torch.nn.Module, noisy: np.ndarray) -> dict:
    """Time one network at work, and compare with the CPU."""
    there, pixel = torch.device(trial.device), tuple(n // 2 for n in noisy.shape)
    counts = torch.from_numpy(noisy)[None, None].to(there)
    plain = copy.deepcopy(model).to(there)
    part, middle = noisy[:PART, :PART], tuple(min(n, PART) // 2 for n in noisy.shape)

    def call() -> None:
        with torch.no_grad(), whole_precision():
            plain(counts)

    def denoise(noisy: np.ndarray, device: str) -> np.ndarray:
        return sbd.denoise_network(noisy, model, device=device)

    def look(noisy: np.ndarray, pixel: tuple[int, int], device: str) -> np.ndarray:
        return sbd.jacobian_row(model, noisy, pixel, device=device)[0]

    return {
        "seconds": trial.time(lambda: denoise(noisy, trial.device)),
        "seconds, module called": trial.time(call),
        "seconds of a row": trial.time(lambda: look(noisy, pixel, trial.device), 3),
        "difference to the CPU": relate(
            denoise(part, trial.device), denoise(part, "cpu")
        ),
        "difference of the row": relate(
            look(part, middle, trial.device), look(part, middle, "cpu")
        ),
    }


def relate(ours: np.ndarray, known: np.ndarray) -> float:
    """Largest difference, relative to the largest value."""
    return float(f"{np.abs(ours - known).max() / np.abs(known).max():.1e}")


def measure_throughput(trial: Trial) -> dict:
    """Crops a second that networks learn from."""
    table = {}
    for name, (kind, config, crop, batch) in LEARNERS.items():
        model = create_model(
            kind,
            seed=0,
            **config | ({"channels": 4, "scales": 2} if trial.smoke else {}),
        )
        batch = 2 if trial.smoke else batch
        seconds = time_steps(
            model, trial.benchmark, steps=3 if trial.smoke else 8, batch=batch,
            drawing=sbd.Drawing(crop=32 if trial.smoke else crop), device=trial.device,
            bf16=True,
        )  # fmt: skip
        table[name] = {"batch": batch, "crops a second": round(batch / seconds, 1)}
    rates = {}
    for compiled in {False, trial.compiled}:
        how = set_up(trial) | {"compiled": compiled}
        seconds = time_steps(
            make_theirs(trial), trial.benchmark, steps=3 if trial.smoke else 20, **how
        )
        rates[compiled] = rate = round(how["batch"] / seconds, 1)
        name = "published, compiled" if compiled else "published"
        table[name] = {"batch": how["batch"], "crops a second": rate}
    trial.compiled = max(rates, key=rates.get)
    return table


def run_studies(trial: Trial) -> dict:
    """Train the networks that learn from parts of the benchmark, one on each core."""
    names = [f"{name}{again}" for again in ("", AGAIN) for name in SUBSETS]
    if trial.smoke:
        return {"trained": 0, "of": len(names)}
    began, cores = time.perf_counter(), len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "sbd.companion.make.studies"]
    command += [str(trial.folder / "benchmark"), str(trial.folder / "studies")]
    one = partial(
        subprocess.run, env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT,
        capture_output=True,
    )  # fmt: skip
    with ThreadPoolExecutor(max(1, cores - 4)) as pool:
        done = list(pool.map(lambda name: one([*command, name]), names))
    return {
        "trained": sum(run.returncode == 0 for run in done),
        "of": len(names),
        "seconds": round(time.perf_counter() - began, 1),
    }


def run_notebooks(trial: Trial) -> dict:
    """Run the notebooks that take a device on it."""
    command = [sys.executable, "-m", "sbd.records", "run", "--to"]
    command += [str(trial.folder / "records"), "-p", "device", trial.device]
    command += ["--jobs", "1" if trial.smoke else "3"]
    takes = "\ndevice = "
    names = [
        file.stem
        for file in sorted((ROOT / "notebooks").glob("*.py"))
        if takes in file.read_text(encoding="utf-8")
    ]
    command += ["--scale", "smoke", names[0]] if trial.smoke else names
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = (done.stderr.strip() or done.stdout.strip() or " ").splitlines()[-1]
    return {
        "code": done.returncode,
        "said": said,
        "notebooks": 1 if trial.smoke else len(names),
        "seconds": round(time.perf_counter() - began, 1),
    }


def select_learnt(trial: Trial) -> sbd.Benchmark:
    """Take the images that the published network learns from."""
    images = trial.benchmark
    return images if trial.smoke else images.select(**GPU[THEIRS].labels)


def train_theirs(trial: Trial) -> dict:
    """Train the paper's network for the minutes there are."""
    study, how = GPU[THEIRS], set_up(trial)
    run, model = trial.folder / THEIRS, make_theirs(trial)
    plan = trial.folder / "plan.json"  # a run that goes on has the steps it began with
    if not plan.exists():
        images = select_learnt(trial)
        seconds = time_steps(model, images, steps=4 if trial.smoke else 20, **how)
        steps = max(4, math.floor(60 * trial.minutes / seconds))
        write_json(plan, {"steps": steps, "seconds a step": round(seconds, 4)})
    steps = json.loads(plan.read_text())["steps"]
    began = time.perf_counter()
    model = train(
        model, select_learnt(trial), run, steps=steps, seed=study.seed,
        rate=study.rate, save_every=max(2, steps // 20), progress=not trial.smoke,
        **how,
    )  # fmt: skip
    minutes = (time.perf_counter() - began) / 60
    notes = json.loads((run / "curve.json").read_text())["settings"]
    notes = {"training": json.dumps(notes)}
    sbd.save_model(model, run / "half.safetensors", notes=notes, bits=16)
    return {
        "steps": steps, "batch": how["batch"], "crop": how["drawing"].crop,
        "config": model.config, "minutes": round(minutes, 2),
        "images": int((select_learnt(trial).table["split"] == "train").sum()),
    }  # fmt: skip


def choose_images(trial: Trial) -> dict[str, np.ndarray]:
    """Choose the rows of each set that the published network is scored on."""
    table = trial.benchmark.table
    strict = np.flatnonzero((table["split"] == "test").to_numpy())
    if trial.smoke:
        return {"strict test": strict[:2]}
    rng = np.random.default_rng(SEED)
    strict = np.sort(rng.choice(strict, 300, replace=False))
    white = {
        part: np.flatnonzero((table["published_split_white"] == part).to_numpy())
        for part in ("test", "valid")
    }
    return {
        "strict test": strict,
        "strict test, white": strict[(table["contrast"].iloc[strict] == "white")],
        "published white": white["test"],
        "published white, structures never": white["test"][
            (table["split"].iloc[white["test"]] == "test")
        ],
        "published white, validation": white["valid"],
    }


@cache
def load_theirs(folder: Path) -> torch.nn.Module:
    """Load the published network, once in a process."""
    torch.set_num_threads(1)
    return sbd.load_model(folder / THEIRS / "half.safetensors")


def score_image(trial: Trial, row: int) -> dict[str, float]:
    """Score one image, by the authors' metric [dB]."""
    model, side = load_theirs(trial.folder), 96 if trial.smoke else None
    clean = trial.benchmark.image(row, samples=BOX_SAMPLES)
    clean = frame_as_published(clean)[:side, :side]
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng([SEED, row]))
    run = partial(sbd.denoise_network, device=trial.device)
    whole, published = run(noisy, model), run(noisy, ZeroFilledUNet(model))
    psnr, parts = sbd.authors_psnr, list(zip(cut(clean), cut(noisy), strict=True))
    mean = lambda values: float(np.mean(list(values)))  # noqa: E731
    return {
        "whole": float(psnr(clean, whole)),
        "ssim": float(sbd.authors_ssim(clean, whole)),
        "whole, published": float(psnr(clean, published)),
        "ssim, published": float(sbd.authors_ssim(clean, published)),
        "patches": mean(psnr(truth, run(counts, model)) for truth, counts in parts),
        "patches of whole": mean(map(psnr, cut(clean), cut(whole))),
        "patches of whole, published": mean(map(psnr, cut(clean), cut(published))),
    }


def score(trial: Trial) -> dict:
    """Score the published network on images that it did not learn from."""
    sets = choose_images(trial)
    rows = sorted({int(row) for some in sets.values() for row in some})
    how = multiprocessing.get_context("spawn")  # a GPU cannot be shared by a fork
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(1 if trial.smoke else max(1, cores - 2), how) as pool:
        table = pd.DataFrame(pool.map(partial(score_image, trial), rows), index=rows)
    for name in ("whole", "whole, published"):
        parts = "patches of whole" + name.removeprefix("whole")
        table[f"patches less {name}"] = table["patches"] - table[name]
        table[f"patches less {parts}"] = table["patches"] - table[parts]
    table["mirrored less published"] = table["whole"] - table["whole, published"]
    return {
        name: {"images": len(some)}
        | {
            key: average(table.loc[some, key], 4 if "ssim" in key else 2)
            for key in table
        }
        for name, some in sets.items()
    }


def cut(image: np.ndarray) -> list[np.ndarray]:
    """Cut the patches of 400 x 400 in the corners, or the image where it is smaller."""
    ends = ((0, max(0, n - PATCH)) for n in image.shape)
    rows, columns = ends
    return [image[i : i + PATCH, j : j + PATCH] for i in rows for j in columns]


def score_authors(trial: Trial) -> dict:
    """Score the published network on the authors' images, on a processor."""
    model = load_theirs(trial.folder)
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0))))
    side, draws = (96, 1) if trial.smoke else (None, DRAWS)
    scores = {}
    for item in AUTHORS:
        try:
            clean = sbd.fetch_clean(item)
        except sbd.DataUnavailableError:
            continue
        clean = sbd.authors_resize(clean).clip(min=0)[:side, :side]
        run = {
            "published": partial(
                sbd.denoise_network, model=ZeroFilledUNet(model), device="cpu"
            ),
            "mirrored": partial(sbd.denoise_network, model=model, device="cpu"),
            "default network": partial(sbd.denoise, device="cpu"),
        }
        psnr = {name: [] for name in run}
        for i in range(draws):
            noisy = sbd.poisson_noise(clean, rng=np.random.default_rng([SEED, i]))
            for name, denoise in run.items():
                psnr[name].append(sbd.authors_psnr(clean, denoise(noisy)))
        scores[item.removeprefix("clean/")] = {
            name: {"psnr": (means := average(values)).pop("mean"), **means}
            for name, values in psnr.items()
        }
    return {"draws": draws, **scores}


PARTS = {
    "machine": describe,
    "benchmark": simulate,
    "tests": run_tests,
    "compiling": compile_theirs,
    "times": time_networks,
    "throughput": measure_throughput,
    "studies": run_studies,
    "notebooks": run_notebooks,
    "training": train_theirs,
    "score": score,
    "authors": score_authors,
}
BESIDE = "benchmark", "tests", "studies", "notebooks"
NEEDS = dict.fromkeys(("throughput", "studies", "training", "score"), "benchmark")


class Record:
    """What the parts found, in the file; one that failed is told, and left out."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.parts = json.loads(file.read_text()) if file.exists() else {}
        self.running: dict[str, tuple[float, Future]] = {}
        self.failed = False

    def keep(self, name: str, find: Callable[[], dict], began: float) -> None:
        """Write what a part finds."""
        try:
            self.parts[name] = find()
        except Exception:  # the others are worth having
            self.failed = True
            print(f"{name} failed", traceback.format_exc(), sep="\n", flush=True)
            return
        write_json(self.file, self.parts)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)

    def wait(self, name: str) -> None:
        """Wait for a part that goes on beside the others."""
        if name in self.running:
            began, part = self.running.pop(name)
            self.keep(name, part.result, began)


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
    trial = Trial(given.folder.resolve(), given.device, given.minutes, given.smoke)
    record = Record(given.file)
    with ThreadPoolExecutor(len(BESIDE)) as pool:
        for name in given.parts:
            if name in record.parts:
                continue
            record.wait(NEEDS.get(name, ""))
            began = time.perf_counter()
            if name in BESIDE:
                record.running[name] = began, pool.submit(PARTS[name], trial)
            else:
                record.keep(name, partial(PARTS[name], trial), began)
        for name in list(record.running):
            record.wait(name)
    write_measured(given.file, record.parts, __file__)
    sys.exit(record.failed)


if __name__ == "__main__":
    main()
