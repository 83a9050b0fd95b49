"""Time the naive way to simulate the benchmark, and ours: ``make bench``.

    python book/measured/bench.py book/measured/bench.json

The naive way is a newcomer's: for each of N images one whole abTEM run of its own, with
abTEM's potential (projected, 1024 samples a side, slices of 1/6 angstrom), a plane wave
at the image's tilt, and the contrast transfer with its envelopes. Ours makes the exit
waves of one structure at nine tilts and its 189 images. Both are given in CPU seconds
of this process, per image, and for the 17,955 images of the paper's dataset; a run is
printed as JSON. Both run in the environment that `sbd.benchmark.production` gives
workers: one thread, and memory that is kept.
"""

import argparse
import json
import os
import sys
import time
from itertools import islice, product
from pathlib import Path

import abtem
import numpy as np

import sbd
from sbd.benchmark.production import WORKER_ENVIRONMENT
from sbd.companion.freshness import write_measured
from sbd.simulation.microscope import Microscope
from sbd.simulation.specimens import TILTS

IMAGES = 17_955
DEFOCI = 10.0 * np.arange(21)
PARTICLE, THICKNESS = "PtNp2", 50.0


def naive_image(
    tilt: tuple[float, float], defocus: float, *, grid: int, thickness: float
) -> np.ndarray:
    """Simulate one image from nothing, as abTEM's quickstart would have it."""
    scope = Microscope()
    atoms = sbd.pt_on_ceria(PARTICLE, thickness=THICKNESS)
    potential = abtem.Potential(
        atoms, gpts=grid, slice_thickness=thickness, projection="infinite"
    )
    # along abTEM's axes x and y (up); our images have y down
    beam = 1e3 * np.deg2rad((tilt[1], -tilt[0]))
    wave = abtem.PlaneWave(energy=scope.energy, tilt=tuple(beam))
    exit_wave = wave.multislice(potential, lazy=False)
    transfer = abtem.CTF(
        energy=scope.energy,
        Cs=scope.cs,
        C50=scope.c5,
        defocus=-defocus,
        focal_spread=scope.focal_spread,
        angular_spread=scope.convergence,
    )
    image = exit_wave.apply_ctf(transfer).intensity()
    return np.asarray(image.array) * sbd.VACUUM


def time_naive(images: int, *, grid: int, thickness: float) -> float:
    """Return CPU seconds for each image, all tilts taken in turn; abTEM's own FFT."""
    conditions = product(DEFOCI[::7], TILTS)
    quiet = {"diagnostics.progress_bar": False, "local_diagnostics.progress_bar": False}
    with abtem.config.set(quiet):
        naive_image((0.0, 0.0), 0.0, grid=grid, thickness=1e3)  # plans the transforms
        started = time.process_time()
        for defocus, tilt in islice(conditions, images):
            naive_image(tilt, defocus, grid=grid, thickness=thickness)
        return (time.process_time() - started) / images


def time_ours() -> tuple[float, float]:
    """Return CPU seconds for the waves, and for the images, of one structure."""
    started = time.process_time()
    atoms = sbd.pt_on_ceria(PARTICLE, thickness=THICKNESS)
    waves = sbd.exit_wave(atoms, tilts=TILTS)
    between = time.process_time()
    for wave in waves:
        sbd.form_image(wave, defocus=DEFOCI)
    return between - started, time.process_time() - between


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="where to write, as JSON")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--grid", type=int, default=1024)
    parser.add_argument("--slice", type=float, default=1 / 6, dest="thickness")
    given = parser.parse_args()
    if not WORKER_ENVIRONMENT.items() <= os.environ.items():
        os.execve(  # libraries read it when they are loaded
            sys.executable, [sys.executable, *sys.argv], os.environ | WORKER_ENVIRONMENT
        )
    small = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    sbd.form_image(sbd.exit_wave(small, grid=64), defocus=0.0)  # what loads lazily
    time_ours()  # as the naive way, not counting what only the first run costs
    waves, images = time_ours()
    naive = time_naive(given.images, grid=given.grid, thickness=given.thickness)
    ours = (waves + images) / (len(TILTS) * len(DEFOCI))
    settings = {k: v for k, v in vars(given).items() if k != "file"}
    record = {
        "naive": {**settings, "seconds_per_image": round(naive, 2)},
        "ours": {
            "seconds_for_nine_waves": round(waves, 2),
            "seconds_for_189_images": round(images, 2),
            "seconds_per_image": round(ours, 4),
        },
        "ratio_per_image": round(naive / ours),
        "hours_for_17955_images": {
            "naive": round(naive * IMAGES / 3600, 2),
            "ours": round(ours * IMAGES / 3600, 3),
        },
        "specimen": f"{PARTICLE}, {THICKNESS:g} angstrom",
        "threads": 1,
        "abtem": abtem.__version__,
    }
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
