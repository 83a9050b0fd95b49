"""Teach the default weights what the benchmark lacks: ``make robust``.

    python -m sbd.companion.make.varied simulate BENCHMARK FOLDER
    python -m sbd.companion.make.varied train BENCHMARK FOLDER RUN [--start WEIGHTS]

The benchmark has one microscope and 21 foci. The first command simulates images of its
training and validation structures under conditions drawn at random (`Condition`): foci
in between, residual aberrations, sharper and more blurred images, a carbon film, a
strained or turned particle; a file for each structure, and one that is there is left.
The second goes on with the last network of the default weights on images of both kinds,
half of the examples each, a third of all under uneven illumination.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from tqdm import tqdm

import sbd
from sbd.benchmark.recipes import Recipe, default_recipes
from sbd.files import replacing
from sbd.networks.drawing import Drawing
from sbd.simulation.films import add_film
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import Microscope, ResidualAberrations
from sbd.simulation.specimens import DEFOCI, TILTS
from sbd.typing import Image

SEED = 301
TURNED, IMAGES = 3, 6  # tilts of a structure, and images of each
EDGE = 10.0  # below the top of the box, where a film ends [angstrom]
STEPS, BATCH, RATE = 900, 8, 8e-4
DRAWING = Drawing(crop=160, upright=0.5, illumination=0.4)


@dataclass(frozen=True)
class Condition:
    """Optics of one image: each part is as in the benchmark, or drawn."""

    focus: float  # [angstrom]
    microscope: Microscope
    residual: ResidualAberrations

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Condition":
        """Draw what a microscope may leave after a careful alignment, and more."""
        changes = {}
        if rng.random() < 0.5:
            changes["vibration"] = rng.uniform(0.3, 0.8)
        if rng.random() < 0.5:
            changes["focal_spread"] = rng.uniform(30.0, 70.0)
        if rng.random() < 0.2:
            changes["cs"] = rng.uniform(-1.6e5, 5e4)
        residual = {}
        for name, size in (
            ("astigmatism", 25.0),
            ("coma", 1000.0),
            ("threefold", 800.0),
        ):
            if rng.random() < 0.5:
                residual[name] = abs(rng.normal(0, size))
                residual[f"{name}_angle"] = rng.uniform(0, 360)
        return cls(
            rng.uniform(10.0 * min(DEFOCI) - 20, 10.0 * max(DEFOCI) + 20),
            replace(Microscope(), **changes),
            ResidualAberrations(**residual),
        )


def move_particle(atoms: Atoms, matrix: Sequence[Sequence[float]]) -> Atoms:
    """Strain or turn the particle, not its support, about its middle.

    `matrix` (2, 2) acts on (x, y).
    """
    metal = atoms.symbols == "Pt"
    moved = atoms.copy()
    middle = atoms.positions[metal, :2].mean(0)
    across = atoms.positions[metal, :2] - middle
    moved.positions[metal, :2] = middle + across @ np.asarray(matrix).T
    return moved


def turning(degrees: float) -> list[list[float]]:
    """Give the matrix of a turn."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return [[cos, -sin], [sin, cos]]


def vary_specimen(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Strain or turn the particle, and lay a film, each sometimes.

    The film ends above the particle, where examples continue into vacuum.
    """
    kind = rng.choice(["as it is", "strained", "turned"], p=[0.5, 0.3, 0.2])
    if kind == "strained":
        wide, tall, shear = rng.normal(0, 0.015, 3)
        atoms = move_particle(atoms, [[1 + wide, shear], [shear, 1 + tall]])
    elif kind == "turned":
        atoms = move_particle(atoms, turning(rng.uniform(-12, 12)))
    if rng.random() < 0.4:
        atoms = add_film(atoms, rng.uniform(5.0, 50.0), rng=rng)
        below = atoms.positions[:, 1] < atoms.cell[1, 1] - EDGE
        atoms = atoms[(atoms.numbers != 6) | below]
    return atoms


def simulate(recipe: Recipe, number: int) -> np.ndarray:
    """Simulate the varied images of a structure: (images, 128, 128), float16."""
    rng = np.random.default_rng([SEED, number])
    plain = recipe.build()
    tilts = [TILTS[i] for i in rng.choice(len(TILTS), TURNED, replace=False)]
    try:
        waves = exit_wave(vary_specimen(plain, rng), tilts=tilts)
    except ValueError:  # a particle that was turned into its support
        waves = exit_wave(plain, tilts=tilts)
    images = [
        take_image(wave, Condition.draw(rng)) for wave in waves for _ in range(IMAGES)
    ]
    return np.stack(images).clip(min=0).astype(np.float16)


def take_image(wave: sbd.ExitWave, how: Condition) -> Image:
    """Take an image, sampled as the benchmark's are."""
    return form_image(
        wave, defocus=how.focus, microscope=how.microscope, residual=how.residual
    )


class Mixed:
    """A benchmark's images and varied ones, as many as there are of the others.

    What `sbd.train` asks of a benchmark: ``table`` and ``read``.
    """

    def __init__(self, benchmark: sbd.Benchmark, folder: Path) -> None:
        files = {
            recipe.name: folder / f"{recipe.name}.npz" for recipe in default_recipes()
        }
        images, splits = [], []
        table = benchmark.table
        for split in ("train", "valid"):
            rows = np.flatnonzero((table["split"] == split).to_numpy())
            names = table["structure"].iloc[rows].unique()
            varied = [np.load(files[name])["images"] for name in names]
            varied = np.concatenate(varied)
            rows = np.random.default_rng(SEED).choice(
                rows, 3 * len(varied), replace=False
            )
            images += [benchmark.read(np.sort(rows)), np.repeat(varied, 3, axis=0)]
            splits += [split] * 6 * len(varied)
        self.images = np.concatenate(images)
        self.table = pd.DataFrame({"split": splits})

    def read(self, rows: Sequence[int]) -> np.ndarray:
        """Read images as stored."""
        return self.images[rows]


def main() -> None:
    """Simulate, or train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("simulate", "train"))
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--start", type=Path, help="weights to go on with")
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    benchmark = sbd.Benchmark(given.benchmark)
    if given.what == "simulate":
        given.folder.mkdir(parents=True, exist_ok=True)
        recipes = [r for r in default_recipes() if r.split != "test"]
        for number, recipe in enumerate(
            tqdm(recipes, unit="structure", mininterval=10)
        ):
            file = given.folder / f"{recipe.name}.npz"
            if not file.exists():
                with replacing(file) as part, part.open("wb") as store:
                    np.savez_compressed(store, images=simulate(recipe, number))
        return
    images = Mixed(benchmark, given.folder)
    sbd.train(
        sbd.load_model(given.start), images, given.run, steps=given.steps, seed=SEED,
        batch=BATCH, rate=RATE, drawing=DRAWING, bf16=True, device="cpu",
    )  # fmt: skip


if __name__ == "__main__":
    main()
