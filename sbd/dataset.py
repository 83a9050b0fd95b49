"""The benchmark: simulated images with their labels, in one folder.

A folder holds ``benchmark.json`` (what was asked for) and ``images.zarr``, an array of
shape (structures, tilts, defoci, 128, 128) with one chunk for each structure. An image
is stored as 128 x 128 samples of the 50 angstrom box in electrons per pixel, which is
all there is of it; `Benchmark.image` evaluates it on any finer grid, exactly. Noise is
never stored: it is drawn when an image is used.
"""

import csv
import json
import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from tqdm import tqdm

from sbd.simulation import IMAGE_SAMPLES, check_grid, exit_wave, form_image, resample
from sbd.structures import (
    THICKNESSES,
    TILTS,
    Edits,
    check_tilts,
    defect_labels,
    pt_on_ceria,
)
from sbd.typing import Image

log = logging.getLogger(__name__)

DEFOCI = tuple(float(d) for d in range(21))
"""Defocus values of the paper's dataset, positive for overfocus [nm]."""

_SPLITS = {"D0": "train", "D1": "train", "D2": "train", "Ds": "train", "Dh": "valid"}


@dataclass(frozen=True)
class Recipe:
    """One atomic structure of a benchmark.

    Parameters
    ----------
    particle : str
        Shape of the particle, see `pt_on_ceria`.
    defect : str or tuple
        Label, or atoms to take or add by site.
    thickness : float
        Support thickness along the beam [angstrom].
    """

    particle: str
    defect: str | Edits
    thickness: float

    @property
    def split(self) -> str:
        """``"train"``, ``"valid"`` or ``"test"``: no structure is in two of them."""
        return (
            _SPLITS.get(self.defect, "test") if isinstance(self.defect, str) else "test"
        )


def default_recipes() -> tuple[Recipe, ...]:
    """List the structures of the default benchmark.

    Returns
    -------
    tuple of Recipe
        Every particle and defect label of the evaluation logs at the four thicknesses,
        and the four published PtNp2 structures at 40 angstrom.

    Examples
    --------
    >>> len(default_recipes())
    60
    """
    recipes = []
    for thickness in THICKNESSES:
        for particle in ("PtNp1", "PtNp2", "PtNp3", "PtNp4"):
            for defect in defect_labels(particle):
                if not defect.startswith("S") or thickness == 40.0:
                    recipes.append(Recipe(particle, defect, thickness))
    return tuple(recipes)


@cache
def _contrast_table() -> dict[tuple[int, int, int, int], str]:
    text = (files("sbd") / "assets" / "contrast.csv").read_text().splitlines()
    keys = ("thickness", "tilt_x", "tilt_y", "defocus")
    return {
        tuple(int(float(row[key])) for key in keys): row["label"]
        for row in csv.DictReader(text)
    }


def contrast_label(
    thickness: float, tilt: tuple[float, float], defocus: float
) -> str | None:
    """Look up whether the authors call the atomic columns white or black.

    Parameters
    ----------
    thickness : float
        Support thickness [angstrom].
    tilt : tuple of float
        About x and about y [degrees].
    defocus : float
        In nm, as in the authors' table.

    Returns
    -------
    str or None
        ``"white"``, ``"intermediate"`` or ``"black"``; None for parameters that the
        published dataset does not have.

    Notes
    -----
    The table is recovered from the authors' evaluation logs, where the label depends on
    these parameters alone in 99.5 % of the rows; cells the logs do not show are
    filled in and say so in the table's column ``source``.

    Examples
    --------
    >>> contrast_label(30, (0, 0), 2)
    'intermediate'
    """
    key = (thickness, *tilt, defocus)
    return _contrast_table().get(key) or None


class Benchmark:
    """A folder of simulated images, as a sequence of images with a table of labels.

    Parameters
    ----------
    folder : str or pathlib.Path
        What `simulate_benchmark` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no benchmark in `folder`.

    Examples
    --------
    >>> Benchmark("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: folder must hold a benchmark (benchmark.json); got nowhere
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            text = (self.folder / "benchmark.json").read_text()
        except FileNotFoundError:
            msg = f"folder must hold a benchmark (benchmark.json); got {folder}"
            raise FileNotFoundError(msg) from None
        self._settings = json.loads(text)
        if not {"recipes", "tilts", "defoci"} <= self._settings.keys():
            msg = f"folder must hold a benchmark; got no such settings in {folder}"
            raise ValueError(msg)
        self._images = zarr.open_array(self.folder / "images.zarr", mode="r")

    @cached_property
    def table(self) -> pd.DataFrame:
        """Labels of the images, one row each, in the order of the images."""
        rows = []
        for i, (particle, defect, thickness, split) in enumerate(
            self._settings["recipes"]
        ):
            if not _chunk(self.folder, i).exists():
                continue
            name = defect if isinstance(defect, str) else "custom"
            for t, tilt in enumerate(self._settings["tilts"]):
                for d, defocus in enumerate(self._settings["defoci"]):
                    contrast = contrast_label(thickness, tilt, defocus)
                    rows.append(
                        (
                            particle,
                            name,
                            thickness,
                            *tilt,
                            defocus,
                            contrast,
                            split,
                            i,
                            t,
                            d,
                        )
                    )
        names = "particle defect thickness tilt_x tilt_y defocus contrast split"
        return pd.DataFrame(rows, columns=[*names.split(), "_i", "_t", "_d"])

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Image:
        """Return image `index` as stored: 128 x 128 samples of the box [e/pixel]."""
        return self.read([index])[0].astype(np.float32)

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Read images as stored, each structure's chunk once.

        Parameters
        ----------
        indices : sequence of int
            Rows of the table.

        Returns
        -------
        ndarray of shape (n, 128, 128)
            Samples of the box, as float16 [electrons per pixel].

        Raises
        ------
        ValueError
            If a chunk is damaged; the message names the file.
        """
        rows = self.table.iloc[list(indices)].reset_index(drop=True)
        images = np.empty((len(rows), *2 * (IMAGE_SAMPLES,)), np.float16)
        for structure, group in rows.groupby("_i"):
            try:
                block = self._images[int(structure)]
            except (RuntimeError, ValueError) as error:
                msg = (
                    "folder must hold whole images; got a damaged "
                    f"{_chunk(self.folder, structure)} (delete that file and call "
                    "simulate_benchmark again)"
                )
                raise ValueError(msg) from error
            images[group.index] = block[group["_t"], group["_d"]]
        return images

    def image(self, index: int, *, samples: int | tuple[int, int]) -> Image:
        """Evaluate an image on a finer grid, exactly.

        Parameters
        ----------
        index : int
            Row of the table.
        samples : int or tuple of int
            Samples of the box, (height, width); 1024 are the authors'.

        Returns
        -------
        ndarray of shape (height, width)
            Expected electrons per pixel.
        """
        shape = (samples, samples) if np.ndim(samples) == 0 else samples
        stored = self[index]
        return resample(np.fft.fft2(stored) / stored.size, shape)


def simulate_benchmark(
    folder: str | Path,
    *,
    recipes: Sequence[Recipe] | None = None,
    tilts: Sequence[tuple[float, float]] = TILTS,
    defoci: Sequence[float] = DEFOCI,
    grid: int = 512,
    workers: int = 1,
    progress: bool = True,
) -> Benchmark:
    """Simulate a benchmark, or what is missing of one that was begun.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where it goes; made if need be.
    recipes : sequence of Recipe, optional
        Structures; `default_recipes` if not given.
    tilts : sequence of (tilt_x, tilt_y)
        Crystal tilts [degrees].
    defoci : sequence of float
        Positive for overfocus [nm].
    grid : int, default 512
        Samples of the box in the multislice calculation.
    workers : int, default 1
        Processes.
    progress : bool, default True
        Whether to show a bar.

    Returns
    -------
    Benchmark
        The finished folder.

    Raises
    ------
    ValueError
        If `folder` holds a benchmark of other settings, or an argument is impossible.

    Notes
    -----
    A structure is one chunk, written to a temporary name and renamed, so a run that was
    killed goes on where it stopped. The result does not depend on `workers`.
    """
    if workers < 1:
        msg = f"workers must be at least 1; got {workers}"
        raise ValueError(msg)
    if not len(defoci) or not np.isfinite(defoci).all():
        msg = f"defoci must be one or more finite numbers; got {defoci}"
        raise ValueError(msg)
    check_grid(grid)
    tilts = check_tilts(tilts)
    folder = Path(folder)
    recipes = default_recipes() if recipes is None else tuple(recipes)
    for recipe in recipes:  # before anything is written
        pt_on_ceria(recipe.particle, recipe.defect, thickness=recipe.thickness)
    settings = {
        "recipes": [[r.particle, r.defect, r.thickness, r.split] for r in recipes],
        "tilts": [list(map(float, tilt)) for tilt in tilts],
        "defoci": [float(d) for d in defoci],
        "grid": grid,
    }
    _prepare(folder, settings)
    todo = [i for i in range(len(recipes)) if not _chunk(folder, i).exists()]
    jobs = [(folder, i, recipes[i], tuple(tilts), tuple(defoci), grid) for i in todo]
    bar = tqdm(total=len(recipes), initial=len(recipes) - len(todo), unit="structure",
               disable=not progress)  # fmt: skip
    with bar:
        if workers == 1:
            for job in jobs:
                _simulate_structure(*job)
                bar.update()
        else:
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
                for done in as_completed(
                    pool.submit(_simulate_structure, *j) for j in jobs
                ):
                    done.result()
                    bar.update()
    return Benchmark(folder)


def _prepare(folder: Path, settings: dict) -> None:
    """Make the folder and its empty array, or check that it is the same benchmark."""
    path = folder / "benchmark.json"
    text = json.dumps(settings, indent=1) + "\n"
    if path.exists():
        if json.loads(path.read_text()) != json.loads(text):
            msg = f"folder must be empty or hold the same benchmark; got {folder}"
            raise ValueError(msg)
        return
    folder.mkdir(parents=True, exist_ok=True)
    inner = (len(settings["tilts"]), len(settings["defoci"]), *2 * (IMAGE_SAMPLES,))
    zarr.create_array(
        folder / "images.zarr",
        shape=(len(settings["recipes"]), *inner),
        chunks=(1, *inner),
        dtype="float16",
        compressors=[
            zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle"),
            zarr.codecs.Crc32cCodec(),  # a damaged chunk is an error, not an image
        ],
        overwrite=True,
    )
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)  # noqa: PTH105


def _chunk(folder: Path, i: int) -> Path:
    return folder / "images.zarr" / "c" / f"{i}" / "0" / "0" / "0" / "0"


def _simulate_structure(
    folder: Path,
    i: int,
    recipe: Recipe,
    tilts: tuple[tuple[float, float], ...],
    defoci: tuple[float, ...],
    grid: int,
) -> None:
    """Simulate one structure at all tilts and defoci and write its chunk."""
    atoms = pt_on_ceria(recipe.particle, recipe.defect, thickness=recipe.thickness)
    waves = exit_wave(atoms, grid=grid, tilts=tilts)
    series = [form_image(wave, defocus=10.0 * np.array(defoci)) for wave in waves]
    array = zarr.open_array(folder / "images.zarr", mode="r+")
    array[i] = np.array(series, np.float16)
