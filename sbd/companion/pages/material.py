"""Page 17: another material, gold along [110] at 200 kV.

Particles that nobody took a benchmark of, a microscope without a corrector, and pixels
twice as wide as the paper's. They stand for whatever structure a reader brings: built
here with ASE, written as files, simulated and learnt from with the command line alone.

Axes as in `sbd.simulation.structures`; lengths in angstrom.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.cluster import Decahedron
from ase.io import write
from matplotlib.figure import Figure

from sbd.companion.measurements import average
from sbd.companion.wording import describe_dose, markdown, with_error, with_sign
from sbd.data.registry import fetch
from sbd.files import write_json
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import STEEL
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    shared_grey,
    show_image,
)
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL as PAPERS_PIXEL
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import Microscope
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image

if TYPE_CHECKING:
    from IPython.display import Markdown

LATTICE = 4.078
"""Lattice parameter of gold [angstrom]."""

BOX = 50.0
"""Side of the cell across the beam, wider than an example to train on [angstrom]."""

PIXEL = 0.12
"""Side of a pixel of the images that are denoised [angstrom]."""

DEFOCI = tuple(float(focus) for focus in range(-75, -25, 5))
"""Around the Scherzer focus, -45 nm [nm]."""

TILTS = (0.0, 0.0), (1.5, 0.0), (0.0, 1.5)
"""Crystal tilts [degrees]."""

MICROSCOPE = Microscope(
    energy=200e3, cs=6e6, c5=0.0, focal_spread=45.0, convergence=0.15,
    thermal={"Au": 0.085}, exit_plane=1.442,
)  # fmt: skip
"""A field emission microscope of 200 kV without a corrector."""

# [11-2], [111] and [1-10], the beam
_AXES = np.array([[1, 1, -2], [1, 1, 1], [1, -1, 0]]) / np.sqrt([[6], [3], [2]])
_CUBE = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
_FACES = {3: 1.0, 1: 1.15}  # relative distance of (111) and (100), by sum of squares


def gold_particle(rng: np.random.Generator, *, five: bool = False) -> Atoms:
    """Build a particle of gold, in a box with vacuum around.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of size, place, faces, twin and what is missing.
    five : bool, default False
        Whether to build a decahedron, of five twins around an axis along the beam,
        instead of a single or twinned crystal.

    Returns
    -------
    ase.Atoms
        In a box of 50 angstrom across the beam, which is [1-10].

    Examples
    --------
    >>> gold_particle(np.random.default_rng(0)).cell.lengths()[:2].tolist()
    [50.0, 50.0]
    """
    places = _decahedron(rng) if five else _crystal(rng)
    places = places[_kept(places, rng)]
    places -= (places.max(0) + places.min(0)) / 2
    room = BOX / 2 - 2.5 - np.abs(places[:, :2]).max(0)
    places[:, :2] += BOX / 2 + rng.uniform(-room, room)
    depth = np.ptp(places[:, 2]) + 4.0
    places[:, 2] += depth / 2
    return Atoms(["Au"] * len(places), places, cell=(BOX, BOX, depth), pbc=True)


def _lattice(reach: float) -> np.ndarray:
    """Places of a face-centred crystal within a reach, an atom at zero."""
    n = int(reach * np.sqrt(3) / LATTICE) + 2
    cells = np.stack(np.meshgrid(*3 * [np.arange(-n, n + 1)]), -1).reshape(-1, 1, 3)
    base = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    places = (cells + base).reshape(-1, 3) * LATTICE @ _AXES.T
    return places[np.abs(places).max(1) < reach]


def _crystal(rng: np.random.Generator) -> np.ndarray:
    """Cut a crystal by its faces, each a little off; one in two is twinned."""
    size = rng.uniform(8.0, 14.5)
    places = _lattice(1.6 * size) + rng.uniform(-1, 1, 3)
    faces = np.array([hkl for hkl in _CUBE if np.square(hkl).sum() in _FACES])
    squares = np.square(faces).sum(1)
    far = size * np.array([_FACES[s] for s in squares]) * rng.uniform(0.8, 1.2, 14)
    # along the beam thinner or thicker than across
    along = np.array([1, 1, rng.uniform(0.7, 1.3)])
    across = (faces / np.sqrt(squares)[:, None]) @ _AXES.T
    places = places[(places / along @ across.T < far).all(1)]
    if rng.random() < 0.5:  # reflected in the plane (111) that is nearest to a height
        height = rng.uniform(-0.5, 0.5) * size
        plane = places[np.abs(places[:, 1] - height).argmin(), 1]
        upper = places[places[:, 1] > plane + 0.1] - [0, plane, 0]
        # the twin's sites are those of the crystal, turned half about its normal
        lower = places[places[:, 1] < plane + 0.1]
        seam = lower[np.abs(lower[:, 1] - plane) < 0.1]
        site = seam[np.abs(seam[:, 0] - seam[:, 0].mean()).argmin()]
        turned = (upper - [site[0], 0, site[2]]) * [-1, 1, -1]
        turned += [site[0], plane, site[2]]
        places = np.concatenate([lower, turned])
    return places


def _decahedron(rng: np.random.Generator) -> np.ndarray:
    """Build a decahedron with ASE, turned at random about its axis."""
    p, q, r = int(rng.integers(3, 5)), int(rng.integers(4, 8)), int(rng.integers(0, 2))
    atoms = Decahedron("Au", p, q, r, latticeconstant=LATTICE)
    atoms.rotate(rng.uniform(0, 72), "z")
    return atoms.positions - atoms.positions.mean(0)


def _kept(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose atoms to leave out: whole columns of the surface, parts of others."""
    columns, which = np.unique(places[:, :2].round(2), axis=0, return_inverse=True)
    which = which.ravel()
    near = np.linalg.norm(columns[:, None] - columns[None], axis=2) < 0.72 * LATTICE
    surface = near.sum(1) < near.sum(1).max()
    kept = np.ones(len(places), bool)
    for column in range(len(columns)):
        atoms = np.flatnonzero(which == column)
        chance = rng.random()
        if chance < (0.15 if surface[column] else 0.01):
            kept[atoms] = False
        elif chance < (0.5 if surface[column] else 0.05):
            ordered = atoms[np.argsort(places[atoms, 2])]
            kept[ordered[: rng.integers(0, len(atoms) // 2 + 1)]] = False
    return kept


def write_structures(
    folder: Path, seeds: Sequence[int], *, five: bool = False
) -> list[Path]:
    """Write particles as .xyz files that ``sbd simulate --structures`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for seed in seeds:
        atoms = gold_particle(np.random.default_rng([41, seed, five]), five=five)
        files.append(folder / f"gold-{'five-' if five else ''}{seed}.xyz")
        write(files[-1], atoms, format="extxyz")
    return files


def write_optics(file: Path) -> None:
    """Write the microscope as ``sbd simulate --microscope`` reads it."""
    write_json(file, asdict(MICROSCOPE))


def take_image(seed: int, *, five: bool = False, grid: int | None = None) -> Image:
    """Simulate an image of a particle that no network has seen.

    At the paper's dose per area, in electrons per pixel of 0.12 angstrom.
    """
    rng = np.random.default_rng([41, seed, five])
    atoms = gold_particle(rng, five=five)
    tilt = TILTS[rng.integers(len(TILTS))]
    scope = MICROSCOPE if grid is None else replace(MICROSCOPE, grid=grid)
    (wave,) = exit_wave(atoms, scope, tilts=[tilt])
    samples = round(BOX / PIXEL)
    clean = form_image(wave, defocus=10 * rng.choice(DEFOCI), samples=samples)
    return clean.clip(min=0) * (BOX / samples / PAPERS_PIXEL) ** 2


def score_all(
    cleans: Mapping[str, Sequence[Image]],
    denoisers: Mapping[str, Denoiser],
    *,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, dict[str, Image]]]:
    """Score denoisers on the same counts of kinds of images.

    A table of the mean PSNR, and of the gain over the last denoiser, each with its
    standard error over images [dB]; and what was seen of the first image of each kind.
    """
    rows, shown = [], {}
    last = list(denoisers)[-1]
    for kind, images in cleans.items():
        scores = {name: [] for name in denoisers}
        for number, clean in enumerate(images):
            rng = np.random.default_rng([seed, number])
            noisy = poisson_noise(clean, rng=rng).astype(np.float32)
            seen = {name: denoise(noisy) for name, denoise in denoisers.items()}
            for name, image in seen.items():
                error = np.mean((image - clean) ** 2)
                level = VACUUM * (PIXEL / PAPERS_PIXEL) ** 2
                scores[name].append(10 * np.log10(level**2 / error))
            shown.setdefault(kind, {"clean": clean, "counts": noisy, **seen})
        for name, values in scores.items():
            mean = average(values)
            gain = average(np.subtract(values, scores[last]))
            rows.append((
                kind, name, len(images), mean["mean"], mean["standard_error"],
                gain["mean"], gain["standard_error"],
            ))  # fmt: skip
    names = ["images of", "denoiser", "n", "PSNR", "error", f"over {last}", "its error"]
    return pd.DataFrame(rows, columns=names).set_index(names[:2]), shown


def tabulate_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Write the table of `score_all` with units and errors."""
    gain = next(name for name in table if name.startswith("over "))
    pairs = zip(table["PSNR"], table["error"].fillna(0), strict=True)
    gains = zip(table[gain], table["its error"].fillna(0), strict=True)
    return pd.DataFrame({
        "images": table["n"],
        "PSNR (dB)": [with_error(*pair) for pair in pairs],
        f"{gain} (dB)": [with_sign(*pair) if pair[0] else "" for pair in gains],
    }, table.index)  # fmt: skip


def tell_worth(table: pd.DataFrame) -> "Markdown":
    """Say what a network of one's own and other weights gain on a filter."""
    gain = next(name for name in table if name.startswith("over "))
    errors = table["its error"].fillna(0)
    told = []
    for kind, rows in table.groupby(level=0, sort=False):
        parts = [
            f"{name} {with_sign(rows.loc[(kind, name), gain], errors[kind, name])} dB"
            for _, name in rows.index[:-1]
        ]
        told.append(f"* **{kind}**: {', '.join(parts)}")
    filter_name = gain.removeprefix("over ")
    return markdown(f"What is gained on {filter_name}:\n\n" + "\n".join(told))


def show_estimates(
    shown: Mapping[str, Mapping[str, Image]], *, heading: str = ""
) -> Figure:
    """Draw what was seen of one image of each kind, a row for each.

    All but the counts of a row are on one grey scale, that of the clean image.
    """
    names = list(next(iter(shown.values())))
    mosaic = [[f"{kind} {name}" for name in names] for kind in shown]
    height = 0.9 * WIDTH / len(names) * len(shown) + TITLE_ROOM * (2 + bool(heading))
    fig, panels = arrange_panels(mosaic, height=height, heading=heading)
    for row, (kind, images) in enumerate(shown.items()):
        limits = shared_grey([images["clean"]])
        for name, image in images.items():
            kept = "robust" if name == "counts" else limits
            title = name if row == 0 else ""
            ax = panels[f"{kind} {name}"]
            drawn = show_image(ax, image, title=title, limits=kept)
            mark_scale(ax, PIXEL, length=None)
        add_bar(ax, drawn)
        panels[f"{kind} {names[0]}"].set_ylabel(kind, fontsize=8)
    return fig


def tell_dose() -> str:
    """Say at which dose the images of this page are counted."""
    return describe_dose(VACUUM * (PIXEL / PAPERS_PIXEL) ** 2, PIXEL)


def show_training(*, heading: str = "") -> tuple[Figure, pd.DataFrame]:
    """Draw the curve of the weights that come with the page; also their runs."""
    card = json.loads(fetch("weights/gold").with_suffix(".json").read_text())
    curve = pd.DataFrame(card["curve"])
    fig, panels = arrange_panels("a", height=2.3, heading=heading)
    panels["a"].plot(curve["step"], curve["psnr"], color=STEEL, lw=1.3)
    name_chart(panels["a"], "", "steps", "PSNR (dB)")
    runs = {name: card[name] for name in card if name.startswith("run ")}
    table = pd.DataFrame(runs).loc[["class", "steps", "batch", "rate", "images"]]
    table.loc["processor seconds"] = [
        cost["processor seconds"] for cost in card["cost"].values()
    ]
    return fig, table


def tabulate_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Write the runs of `show_training` with units."""
    return pd.DataFrame({
        name: {
            "class": run["class"],
            "steps": run["steps"],
            "examples a step": run["batch"],
            "learning rate": f"{run['rate']:g}",
            "images learnt from": run["images"][0],
            "images of the curve": run["images"][1],
            "minutes of a core": f"{run['processor seconds'] / 60:.0f}",
        }
        for name, run in runs.items()
    }).T  # fmt: skip
