"""Score both weights on what the benchmark lacks: ``make robustness``.

    python book/measured/robustness.py BENCHMARK FILE [--images N]

N structures of the strict test split, each at a tilt and a focus of the benchmark, are
simulated once as the benchmark is and once for each condition that it lacks: foci in
between, residual aberrations, more blur, uneven illumination, a carbon film, strain, a
turned particle. All are cut and resized as the authors do, and counted at their dose
with one generator for all conditions of an image. ``weights/default`` learnt from the
benchmark alone, ``weights/robust`` went on with such conditions, drawn at random for
other structures (`sbd.companion.make.varied`). `loss` is of the default, against its
own PSNR on the same scene as learnt; `robust ahead` is by how much the others are
better, `ahead of the filter` the better of both than the windowed Fourier filter, which
learnt nothing. Conditions are as strong as a careful operator leaves them, and
stronger.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from tqdm import tqdm

import sbd
from sbd.benchmark.recipes import default_recipes
from sbd.companion.freshness import write_measured
from sbd.companion.make.varied import move_particle, turning
from sbd.companion.measurements import average
from sbd.companion.pages.generalisation import frame_as_published
from sbd.simulation import DEFOCI, ResidualAberrations, add_film, exit_wave, form_image
from sbd.simulation.frame import BOX_SAMPLES
from sbd.simulation.imaging import ExitWave
from sbd.simulation.microscope import Microscope

SEED = 13
LEARNT = "as learnt"
SCOPE = Microscope()
OPTICS = {  # change of focus, residual aberrations, microscope
    LEARNT: {},
    "focus between two steps": {"focus": 5.0},
    "focus 3 nm beyond the series": {"beyond": 30.0},
    "astigmatism 2 nm": {"astigmatism": 20.0},
    "astigmatism 5 nm": {"astigmatism": 50.0},
    "coma 50 nm": {"coma": 500.0},
    "coma 200 nm": {"coma": 2000.0},
    "threefold astigmatism 50 nm": {"threefold": 500.0},
    "threefold astigmatism 200 nm": {"threefold": 2000.0},
    "vibration 0.8 angstrom": {"scope": replace(SCOPE, vibration=0.8)},
    "vibration 0.3 angstrom": {"scope": replace(SCOPE, vibration=0.3)},
    "focal spread 7 nm": {"scope": replace(SCOPE, focal_spread=70.0)},
    "no spherical aberration": {"scope": replace(SCOPE, cs=0.0)},
}
ILLUMINATION = {"illumination falls by 20 %": 0.2, "illumination falls by 40 %": 0.4}


def change_specimen(atoms: Atoms, rng: np.random.Generator) -> Iterator[tuple]:
    """Give each other specimen a name."""
    for thickness in (20.0, 50.0):
        yield f"carbon film {thickness / 10:g} nm", add_film(atoms, thickness, rng=rng)
    for strain in (0.02, 0.05):
        matrix = [[1 + strain, 0.0], [0.0, 1 - strain]]
        yield f"particle strained by {strain:.0%}", move_particle(atoms, matrix)
    yield "particle turned by 10 degrees", move_particle(atoms, turning(10.0))


def take_image(wave: ExitWave, focus: float, angle: float, how: dict) -> np.ndarray:
    """Take an image of the whole box under some condition."""
    residual = {name: how[name] for name in how if hasattr(ResidualAberrations, name)}
    angles = {f"{name}_angle": angle for name in residual}
    if "beyond" in how:
        focus = 10.0 * max(DEFOCI) + how["beyond"]
    return form_image(
        wave, defocus=focus + how.get("focus", 0.0), samples=BOX_SAMPLES,
        microscope=how.get("scope"), residual=ResidualAberrations(**residual, **angles),
    )  # fmt: skip


def make_images(row: object, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Simulate one scene under all conditions."""
    recipe = {recipe.name: recipe for recipe in default_recipes()}[row.structure]
    atoms, focus = recipe.build(), 10.0 * row.defocus
    tilts, angle = [(row.tilt_x, row.tilt_y)], rng.uniform(0, 360)
    wave = exit_wave(atoms, tilts=tilts)[0]
    images = {n: take_image(wave, focus, angle, how) for n, how in OPTICS.items()}
    for name, other in change_specimen(atoms, rng):
        try:
            wave = exit_wave(other, tilts=tilts)[0]
        except ValueError:  # a turned particle may touch the support
            continue
        images[name] = take_image(wave, focus, angle, {})
    down, across = np.indices(images[LEARNT].shape) / max(images[LEARNT].shape)
    slope = np.cos(np.deg2rad(angle)) * across + np.sin(np.deg2rad(angle)) * down
    slope = (slope - slope.min()) / np.ptp(slope)
    for name, fall in ILLUMINATION.items():
        images[name] = images[LEARNT] * (1 - fall * slope)
    return {name: frame_as_published(image) for name, image in images.items()}


def main() -> None:
    """Score every condition on the same scenes, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--images", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    table = sbd.Benchmark(given.benchmark).table
    denoisers = {
        name: partial(
            sbd.denoise, model=sbd.load_model(f"weights/{name}"), device="cpu"
        )
        for name in ("default", "robust")
    }
    denoisers["filter"] = sbd.denoise_windowed_fourier
    test = table[table["split"] == "test"]
    chosen = test.sample(given.images, random_state=SEED)
    scores = []
    for number, row in enumerate(tqdm(chosen.itertuples(), total=len(chosen))):
        rng = np.random.default_rng([SEED, number])
        for condition, clean in make_images(row, rng).items():
            counting = np.random.default_rng([SEED, number, 1])
            noisy = sbd.poisson_noise(clean, rng=counting)
            for name, denoise in denoisers.items():
                psnr = sbd.authors_psnr(clean, denoise(noisy))
                scores.append((condition, number, name, float(psnr)))
    columns = ["condition", "image", "method", "psnr"]
    psnr = (
        pd.DataFrame(scores, columns=columns).set_index(columns[:3])["psnr"].unstack()
    )
    write_measured(given.file, {name: tell(psnr, name) for name in dict.fromkeys(
        condition for condition, *_ in scores
    )}, __file__)  # fmt: skip


def tell(psnr: pd.DataFrame, condition: str) -> dict:
    """Compare the methods under one condition, image by image."""
    here, learnt = psnr.loc[condition], psnr.loc[LEARNT]
    record = {"images": len(here)}
    for name in here:
        record[name] = average(here[name])["mean"]
    for what, gap in (
        ("loss", learnt["default"].loc[here.index] - here["default"]),
        ("robust ahead", here["robust"] - here["default"]),
        (
            "ahead of the filter",
            here[["default", "robust"]].max(axis=1) - here["filter"],
        ),
    ):
        means = average(gap)
        record |= {what: means["mean"], f"error of {what}": means["standard_error"]}
    return record


if __name__ == "__main__":
    main()
