"""Find the specimens of the authors' images without a label: ``make unlabelled``.

    python book/measured/specimens.py FILE [--grid N] [--draws N]

For each image all particles that this project knows, thicknesses, tilts and foci are
searched. What is found is then simulated with absorption in proportion to the potential
too, as it was fitted to one tilted specimen. Correlation, and the root mean
square error as a share of the contrast there, on the support, on the particle (discs of
1.3 angstrom about its columns) and in the frame without the seam of the box. Then atoms
are put on some columns of specimens, or taken, at random: how many columns does the
refinement get right from a match with the perfect particle, without noise and with?
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import spatial

import sbd
from sbd.audits.placed_atoms import project_columns
from sbd.companion.freshness import write_measured
from sbd.simulation.frame import AUTHORS_PIXEL
from sbd.simulation.matching import SimulationMatch, match_simulation
from sbd.simulation.microscope import LOBATO
from sbd.simulation.refinement import refine_specimen
from sbd.simulation.specimens import (
    DEFOCI,
    PARTICLES,
    THICKNESSES,
    TILTS,
    layer_counts,
)
from sbd.typing import Image

IMAGES = ("unlabelled/1", "unlabelled/2", "unlabelled/3")
SEAM = 44.0  # of the box, where the support does not close, and some before [angstrom]
NEAR = 1.3  # of a column of platinum [angstrom]
DIGITS = 5
FEW = 256  # samples of the box where specimens are changed, of truth and search alike
NOISY = (10.0, 0.45)  # doses [electrons per pixel]


def compare(image: Image, found: SimulationMatch) -> dict:
    """Compare an image with its simulation, region by region."""
    told = found.parameters
    tilt = told["tilt_x"], told["tilt_y"]
    atoms = sbd.pt_on_ceria(
        told["particle"], told["defect"], thickness=told["thickness"]
    )
    table = project_columns(atoms, tilt).query("element == 'Pt'")
    rows, columns = (
        start + np.arange(n) * step
        for start, n, step in zip(
            told["origin"], image.shape, told["pixel"], strict=True
        )
    )
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    known = spatial.KDTree(table[["row", "column"]].to_numpy())
    frame = np.broadcast_to(columns < SEAM, image.shape)
    particle = (known.query(places)[0] < NEAR) & frame
    record = {}
    for name, region in (
        ("support", found.support), ("particle", particle), ("frame", frame)
    ):  # fmt: skip
        ours, theirs = found.image[region], image[region]
        off = np.sqrt(np.mean((ours - theirs) ** 2))
        record[name] = {
            "correlation": round(float(np.corrcoef(ours, theirs)[0, 1]), DIGITS),
            "error over contrast": round(float(off / theirs.std()), DIGITS),
        }
    difference = (found.image - image)[frame]
    record["PSNR in the frame [dB]"] = round(
        float(-10 * np.log10(np.mean(difference**2))), 1
    )
    return record


def search(name: str, grid: int) -> dict:
    """Find an image's specimen, and compare it with both microscopes."""
    image = sbd.fetch_clean(name)
    how = {"pixel": AUTHORS_PIXEL, "grid": grid}
    started = time.perf_counter()
    found = match_simulation(image, progress=True, **how)
    seconds = time.perf_counter() - started
    told = found.parameters
    names = ("particle", "defect", "thickness", "tilt_x", "tilt_y", "defocus")
    one = {
        "particles": (told["particle"],), "thicknesses": (told["thickness"],),
        "tilts": ((told["tilt_x"], told["tilt_y"]),), "defoci": (told["defocus"],),
    }  # fmt: skip
    other = match_simulation(image, microscope=LOBATO, **one, **how)
    return {
        "found": {key: told[key] for key in names},
        "minutes": round(seconds / 60, 1),
        "the default microscope": compare(image, found),
        "absorption in proportion to the potential": compare(image, other),
    }


def draw_specimen(
    draw: int,
) -> tuple[dict, tuple[tuple[int, int, int], ...], np.random.Generator]:
    """Draw a specimen's conditions, and one to three columns that are changed."""
    rng = np.random.default_rng([21, draw])
    how = {
        "particle": PARTICLES[draw % 2], "thickness": float(rng.choice(THICKNESSES)),
        "tilt": TILTS[rng.integers(len(TILTS))], "defocus": float(rng.choice(DEFOCI)),
    }  # fmt: skip
    counts = [
        (i, j, n)
        for i, row in enumerate(layer_counts(how["particle"]))
        for j, n in enumerate(row)
    ]
    some = rng.choice(len(counts), rng.integers(1, 4), replace=False)
    edits = tuple((*counts[k][:2], int(rng.choice([-2, -1, 1, 2]))) for k in some)
    return how, edits, rng


def refine(draws: int) -> dict:
    """Change atoms at random, and let them be found."""
    rows = []
    for draw in range(draws):
        how, edits, rng = draw_specimen(draw)
        atoms = sbd.pt_on_ceria(how["particle"], edits, thickness=how["thickness"])
        (wave,) = sbd.exit_wave(atoms, grid=FEW, tilts=[how["tilt"]])
        image = sbd.form_image(wave, defocus=10 * how["defocus"], samples=1024)
        image = image[60:890, 31:927].astype(float)
        one = {
            "particles": (how["particle"],), "thicknesses": (how["thickness"],),
            "tilts": (how["tilt"],), "defoci": (how["defocus"],),
            "grid": FEW,
        }  # fmt: skip
        for dose in (None, *NOISY):
            seen = image
            if dose is not None:
                seen = rng.poisson(image.clip(0) * (dose / sbd.VACUUM)).astype(float)
            match = match_simulation(seen, pixel=AUTHORS_PIXEL, **one)
            found = refine_specimen(seen, match, grid=FEW)
            true = np.concatenate(layer_counts(how["particle"], edits))
            before = np.concatenate(layer_counts(how["particle"], "D0"))
            atoms = found.table["atoms"].to_numpy()
            changed = true != before
            rows.append({
                "dose": "no noise" if dose is None else f"{dose:g} e/pixel",
                "all right": (atoms == true).all(), "columns": len(true),
                "right": (atoms == true).sum(), "changed": changed.sum(),
                "changed and found": (changed & (atoms == true)).sum(),
                "changed by mistake": (~changed & (atoms != true)).sum(),
                "probability": found.table["probability"].mean(),
            })  # fmt: skip
        print(f"{draw + 1} of {draws} changed specimens", flush=True)
    record = {}
    for dose, some in pd.DataFrame(rows).groupby("dose"):
        sums = some.drop(columns=["dose", "probability"]).sum()
        record[dose] = {"specimens": len(some)} | {k: int(v) for k, v in sums.items()}
        record[dose]["mean probability told"] = round(
            float(some["probability"].mean()), 3
        )
    return record


def main() -> None:
    """Search, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--grid", type=int, default=640)
    parser.add_argument("--draws", type=int, default=20)
    given = parser.parse_args()
    record = {}
    for name in IMAGES:
        record[name] = search(name, given.grid)
        print(name, json.dumps(record[name], indent=1), flush=True)
    record["atoms put on and taken"] = refine(given.draws)
    write_measured(given.file, record, __file__)


if __name__ == "__main__":
    main()
