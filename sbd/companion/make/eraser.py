"""Make the eraser, the network that tells an image without a column: ``make eraser``.

    python -m sbd.companion.make.eraser FOLDER [--specimens N] [--steps N] [--jobs N]

Specimens of the training split of three particles (PtNp2 is left for the evaluation)
are simulated with some of their columns and without them, counted and denoised, and
what the denoisers claim is kept with the truth: a file for each specimen, so that a
killed run goes on. A fifth of the specimens lies on an amorphous film. Then the
network learns what is left where a column is taken away. With ``--atoms FILE ...`` it
does so for other specimens: structure files that ASE reads, in a box of 50 x 50
angstrom, with the columns along z.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import torch
from ase import Atoms
from scipy import spatial
from tqdm import tqdm

import sbd
from sbd.audits.placed_atoms import TOLERANCE, project_columns
from sbd.audits.removals import Removal, image_removal, remove_columns
from sbd.companion.make.packing import WEIGHTS, enter_digest
from sbd.evidence.erasure import cut_patches
from sbd.files import replacing, write_json
from sbd.networks.eraser import save_eraser, train_eraser
from sbd.simulation.films import add_film
from sbd.simulation.frame import BOX
from sbd.simulation.specimens import structure_table
from sbd.typing import Denoiser, Image

SAMPLES = 804  # pixels along the box
PIXEL = BOX / SAMPLES  # [angstrom]
PARTICLES = ("PtNp1", "PtNp3", "PtNp4")
SITES, FOCI = 10, 6  # of a specimen
FILMED, FILM = 0.2, (10.0, 120.0)  # specimens on a film, and how thick [1, angstrom]
DOSES = 0.05, 22.0  # electrons per pixel in vacuum
KINDS = {"network": 0.6, "gaussian": 0.1, "windowed": 0.15, "exact": 0.15}
FAINT = {"threshold": 0.06, "floor": 0.02}  # a dot of the truth, so no invention
WIDEST = 24  # radius of a claim that may be a column [pixels]
DIMMEST = 0.05  # mean of a patch that is worth learning from [electrons per pixel]


@dataclass(frozen=True)
class Claim:
    """A column that a denoiser shows, and what there is."""

    site: int  # of the removal, or -1: invented
    element: str
    present: bool
    kind: str
    dose: float
    focus: float
    radius: float
    film: float  # thickness [angstrom]


def draw_specimen(
    number: int, given: list[Path], split: str = "train"
) -> tuple[np.random.Generator, Atoms, tuple[float, float]]:
    """Draw a specimen and its tilt; the generator goes on to the rest."""
    rng = np.random.default_rng([77, number, int(split == "test")])
    table = structure_table()
    table = table[(table["split"] == split) & table["particle"].isin(PARTICLES)]
    row = table.iloc[rng.integers(len(table))]
    thick = float(row["thickness"] if rng.random() < 0.5 else rng.uniform(25, 65))
    tilt = [0.0, 0.0]
    tilt[rng.integers(2)] = float(rng.uniform(-0.5, 4.3))
    if given:
        return rng, ase.io.read(given[number % len(given)]), tuple(tilt)
    defect = f"{row['defect']}{row['variant'].lstrip('a')}"
    atoms = sbd.pt_on_ceria(row["particle"], defect, thickness=thick)
    return rng, atoms, tuple(tilt)


def draw_film(number: int) -> float:
    """Draw how thick the film of a specimen is [angstrom], 0 if it has none."""
    rng = np.random.default_rng([78, number])
    return float(rng.uniform(*FILM)) if rng.random() < FILMED else 0.0


def choose_denoisers() -> dict[str, Denoiser | None]:
    """Whose claims are learnt from; None gives the exact image."""
    network = sbd.load_model()
    return {
        "network": lambda y: sbd.denoise_network(y, network, device="cpu"),
        "gaussian": sbd.denoise_gaussian,
        "windowed": sbd.denoise_windowed_fourier,
        "exact": None,
    }


def collect(
    clean: Image,
    without: Image,
    estimate: Image,
    removal: Removal,
    everything: np.ndarray,
    kind: str,
    film: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, sbd.Columns]:
    """Return claimed patches, the same without their columns, their sites, columns.

    `everything` holds (row, column) of all columns that there are [pixels]. On a film
    its speckles are no columns, wherever they are seen.
    """
    found = sbd.find_columns(estimate, threshold=0.15)
    sites = removal.sites[["row", "column"]].to_numpy() / PIXEL
    nothing = np.zeros((0, 32, 32), np.float32)
    if not len(found):
        return nothing, nothing, np.zeros(0, int), found
    distance, site = spatial.KDTree(sites).query(found.positions)
    mine = distance * PIXEL < TOLERANCE
    invented = spatial.KDTree(everything).query(found.positions)[0] * PIXEL > TOLERANCE
    polarity = "bright" if found.polarity > 0 else "dark"
    seen = sbd.find_columns(clean, polarity=polarity, **FAINT)
    if len(seen) and not film:
        gap = spatial.KDTree(seen.positions).query(found.positions)[0]
        invented &= gap * PIXEL > TOLERANCE
    keep = mine | (invented & (film > 0 or kind != "exact"))
    if not keep.any():
        return nothing, nothing, np.zeros(0, int), found[keep]
    places = found.positions[keep]
    truth = np.where(
        mine[keep, None, None],
        cut_patches(without, places, PIXEL),
        cut_patches(clean, places, PIXEL),
    )
    site = np.where(mine[keep], site[keep], -1)
    return cut_patches(estimate, places, PIXEL), truth, site, found[keep]


def make_specimen(number: int, folder: Path, given: list[Path]) -> None:
    """Write the claims of one specimen, if they are not there."""
    target = folder / f"{number:05d}.npz"
    if target.exists():
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of doses at which a network was not trained
    rng, atoms, tilt = draw_specimen(number, given)
    denoisers = choose_denoisers()
    removal = remove_columns(atoms, tilt, number=SITES, rng=rng)
    foci = rng.uniform(0, 205, FOCI)  # [angstrom]
    table, film = project_columns(atoms, tilt), draw_film(number)
    if film:
        laid = (
            add_film(each, film, rng=np.random.default_rng([79, number]))
            for each in (removal.present, removal.absent)
        )
        removal = Removal(*laid, removal.sites)
    else:
        table = table.query("element != 'O'")
    own = table[["row", "column"]].to_numpy() / PIXEL
    planted = removal.sites[["row", "column"]].to_numpy() / PIXEL
    rows, patches = [], []
    images = image_removal(removal, tilt, foci, samples=SAMPLES)
    for focus, pair in zip(foci, images, strict=True):
        for present, image in ((True, pair[0]), (False, pair[1])):
            high, wide = rng.integers(560, 760, 2)
            top = int(rng.integers(0, SAMPLES - high))
            left = int(rng.integers(0, SAMPLES - wide))
            cut = np.s_[top : top + high, left : left + wide]
            kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
            dose = float(np.exp(rng.uniform(*np.log(DOSES))))
            clean, without = (v[cut].astype(float) for v in (image, pair[1]))
            estimate, factor = clean, dose / sbd.VACUUM
            if denoisers[kind] is not None:
                counts = rng.poisson(clean * factor).astype(np.float32)
                estimate = np.asarray(denoisers[kind](counts), float) / factor
            corner = np.array([top, left])
            local = Removal(removal.present, removal.absent, removal.sites.assign(
                row=removal.sites["row"] - top * PIXEL,
                column=removal.sites["column"] - left * PIXEL,
            ))  # fmt: skip
            x, truth, site, found = collect(
                clean, without, estimate, local,
                np.vstack([own, planted]) - corner, kind, film,
            )  # fmt: skip
            patches.append((x, truth))
            elements = removal.sites["element"]
            rows += [
                Claim(int(s), elements[s] if s >= 0 else "-", present, kind, dose,
                      float(focus), float(r), film)
                for s, r in zip(site, found.radii, strict=True)
            ]  # fmt: skip
    x, truth = (
        np.concatenate(v).astype(np.float16) for v in zip(*patches, strict=True)
    )
    with replacing(target) as part, part.open("wb") as file:
        np.savez(file, claimed=x, without=truth, table=pd.DataFrame(rows).to_json())


def weigh(table: pd.DataFrame) -> np.ndarray:
    """Say how often each claim is learnt from: all kinds, and platinum first."""
    real = np.where(table["present"], 1.0, 0.8)
    invented = np.where(table["kind"] == "network", 0.3, 0.15)
    invented = np.where(table["film"] > 0, 0.08, invented)  # a film has hundreds
    weights = np.where(table["site"] >= 0, real, invented)
    return weights * np.where(table["element"] == "Pt", 2, 1)


def main() -> None:
    """Simulate, train, pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the simulated pairs")
    parser.add_argument("--specimens", type=int, default=240)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atoms", type=Path, nargs="+", default=[])
    parser.add_argument("--file", type=Path, help="where to write; else the package")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    make = partial(make_specimen, folder=given.folder, given=given.atoms)
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        todo = pool.imap_unordered(make, range(given.specimens))
        list(tqdm(todo, total=given.specimens, unit="specimen"))
    torch.set_num_threads(given.jobs)
    files = [given.folder / f"{n:05d}.npz" for n in range(given.specimens)]
    data = [np.load(f) for f in files]
    claimed, without = (
        np.concatenate([d[name] for d in data]).astype(np.float32)
        for name in ("claimed", "without")
    )
    tables = [pd.DataFrame(json.loads(str(d["table"]))) for d in data]
    table = pd.concat(tables, ignore_index=True)
    use = (claimed.mean((1, 2)) > DIMMEST) & (table["radius"].to_numpy() < WIDEST)
    claimed, without, table = claimed[use], without[use], table[use]
    curve = []
    bar = tqdm(total=given.steps, unit="step")

    def report(step: int, loss: float, doubt: float) -> None:
        bar.update(step - bar.n)
        curve.append({"step": step, "loss": round(loss, 5), "doubt": round(doubt, 5)})

    options = {"steps": given.steps, "seed": given.seed, "channels": given.channels}
    net = train_eraser(claimed, without, weigh(table), report=report, **options)
    target = given.file or WEIGHTS / "eraser.safetensors"
    save_eraser(net, target)
    target.chmod(0o644)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    card = {
        "name": "weights/eraser",
        "data": {
            "made by": "python -m sbd.companion.make.eraser",
            "specimens": given.specimens,
            "of": [f.name for f in given.atoms] or [*PARTICLES, "training split"],
            "claims": len(table),
            "at sites": int((table["site"] >= 0).sum()),
            "on a film": int((table["film"] > 0).sum()),
            "never used": "PtNp2; the validation and test splits; any image of others",
        },
        **options, "commit": commit,
        "parameters": sum(p.numel() for p in net.parameters()),
        "curve": curve,
    }  # fmt: skip
    write_json(target.with_suffix(".json"), card)
    if given.file is None:
        enter_digest("weights/eraser", target)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
