"""The benchmark: simulated images with their labels, in one folder.

A folder holds ``benchmark.json`` (what was asked for), ``images.zarr``, an array of
shape (structures, tilts, defoci, n, n) with one chunk for each structure, a data card,
and the chunks' checksums. An image is stored as n x n samples of its box in electrons
per pixel (128 x 128 for the 50 angstrom of the paper), which is all there is of it;
`Benchmark.image` evaluates it on any finer grid, exactly. Noise is never stored: it is
drawn when an image is used. `sbd.benchmark.production` makes such a folder.
"""

import csv
import hashlib
import json
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from ase import Atoms

from sbd.benchmark.splits import published_split
from sbd.simulation.imaging import resample
from sbd.simulation.specimens import Edits, structure_table
from sbd.simulation.structures import pt_on_ceria
from sbd.typing import Image

DEFOCI = tuple(float(d) for d in range(21))
"""Defocus values of the paper's dataset, positive for overfocus [nm]."""

_SPLITS = "split", "published_split", "published_split_white"
FORMAT = 2  # of benchmark.json


@dataclass(frozen=True)
class Recipe:
    """One atomic structure of a benchmark.

    Parameters
    ----------
    particle : str
        Shape of the particle, see `pt_on_ceria`; any name with `atoms`.
    defect : str or tuple
        Label, or atoms to take or add by site; any word with `atoms`.
    thickness : float
        Support thickness along the beam [angstrom].
    atoms : ase.Atoms, optional
        A structure of one's own instead, in a box that is square across the beam (z);
        see `read_recipe`.

    Examples
    --------
    >>> Recipe("PtNp1", "Dhb", 50.0).name
    'PtNp1-Dhb-50'
    """

    particle: str
    defect: str | Edits
    thickness: float
    atoms: Atoms | None = None

    @property
    def name(self) -> str:
        """Name of the structure, as in `structure_table`."""
        return f"{self.particle}-{self._word}-{self.thickness:g}"

    @property
    def label(self) -> tuple[str, str]:
        """Label of the evaluation logs and letter of the variant."""
        known = _labels().get((self.particle, self._word))
        if known and self.atoms is None:
            return known[:2]
        return (self.defect if isinstance(self.defect, str) else "custom"), "a"

    @property
    def split(self) -> str:
        """``"train"``, ``"valid"`` or ``"test"``: no structure is in two of them."""
        known = _labels().get((self.particle, self._word))
        return known[2] if known and self.atoms is None else "test"

    @property
    def _word(self) -> str:
        if isinstance(self.defect, str):
            return self.defect
        return "_".join(f"{row}.{column}:{n:+d}" for row, column, n in self.defect)

    def build(self) -> Atoms:
        """Build the structure.

        Returns
        -------
        ase.Atoms
            See `pt_on_ceria`.

        Raises
        ------
        ValueError
            If there is no such structure.
        """
        if self.atoms is not None:
            return self.atoms
        return pt_on_ceria(self.particle, self.defect, thickness=self.thickness)


@cache
def _labels() -> dict[tuple[str, str], tuple[str, str, str]]:
    return {
        (row.particle, f"{row.defect}{row.variant.lstrip('a')}"): (
            row.defect,
            row.variant,
            row.split,
        )
        for row in structure_table().itertuples()
    }


def default_recipes(
    *,
    particles: Sequence[str] | None = None,
    defects: Sequence[str] | None = None,
    thicknesses: Sequence[float] | None = None,
) -> tuple[Recipe, ...]:
    """List the structures of the paper's benchmark, or some of them.

    Parameters
    ----------
    particles, defects : sequence of str, optional
        Only these labels, such as ``["PtNp2"]`` and ``["D0", "D1"]``; a label stands
        for its variants too.
    thicknesses : sequence of float, optional
        Only these [angstrom].

    Returns
    -------
    tuple of Recipe
        In the order of `structure_table`: 95 if nothing is left out.

    Raises
    ------
    ValueError
        If a label or a thickness is in no structure, or nothing is left.

    Examples
    --------
    >>> len(default_recipes()), len(default_recipes(particles=["PtNp4"]))
    (95, 14)
    """
    table = structure_table()
    wanted = {"particle": particles, "defect": defects, "thickness": thicknesses}
    for name, values in wanted.items():
        if values is None:
            continue
        known = list(dict.fromkeys(table[name]))
        for value in values:
            if value not in known:
                plural = {"thickness": "thicknesses"}.get(name, f"{name}s")
                allowed = ", ".join(str(k) for k in structure_table()[name].unique())
                msg = f"{plural} must be among {allowed}; got {value!r}"
                raise ValueError(msg)
    for name, values in wanted.items():
        if values is not None:
            table = table[table[name].isin(list(values))]
    if table.empty:
        asked = {name: list(v) for name, v in wanted.items() if v is not None}
        msg = (
            f"particles, defects and thicknesses must meet in a structure; got {asked}"
        )
        raise ValueError(msg)
    return tuple(
        Recipe(r.particle, f"{r.defect}{r.variant.lstrip('a')}", r.thickness)
        for r in table.itertuples()
    )


def read_recipe(path: str | Path) -> Recipe:
    """Read a structure of one's own from a file.

    Parameters
    ----------
    path : str or pathlib.Path
        Any format that ASE reads (CIF, XYZ, POSCAR, ...), with a cell that is square
        across the beam (z); the images will be those of the whole cell, which repeats
        across.

    Returns
    -------
    Recipe
        Named by the file's stem, in split ``"test"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ASE cannot read it.

    Examples
    --------
    >>> read_recipe("nowhere.cif")
    Traceback (most recent call last):
    FileNotFoundError: path must be a structure file; got nowhere.cif
    """
    from ase.io import read

    path = Path(path)
    if not path.is_file():
        msg = f"path must be a structure file; got {path}"
        raise FileNotFoundError(msg)
    try:
        atoms = read(path)
    except Exception as error:  # ASE's readers raise what they like
        msg = f"path must be a structure file that ASE can read; got {path} ({error})"
        raise ValueError(msg) from error
    z = atoms.positions[:, 2]
    return Recipe(path.stem, "file", round(float(np.ptp(z)), 3), atoms)


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
    ValueError
        If it was made by another version of this library.

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
        self.settings = parse_settings(text, self.folder)
        try:
            self._images = zarr.open_array(self.folder / "images.zarr", mode="r")
        except FileNotFoundError:
            msg = (
                f"folder must hold images.zarr; got none in {folder} (call "
                "simulate_benchmark again)"
            )
            raise FileNotFoundError(msg) from None

    @cached_property
    def table(self) -> pd.DataFrame:
        """Labels of the images, one row each, in the order of the images.

        ``split`` is the strict one: no structure is in two splits. ``published_split``
        and ``published_split_white`` are those of the paper, image by image, for all
        contrasts and for the white images alone, as far as they are known.
        """
        rows = []
        settings = self.settings
        for i, recipe in enumerate(settings["recipes"]):
            if not chunk_path(self.folder, i).exists():
                continue
            labels = tuple(recipe[name] for name in _LABELS)
            for t, tilt in enumerate(settings["tilts"]):
                for d, defocus in enumerate(settings["defoci"]):
                    contrast = contrast_label(recipe["thickness"], tilt, defocus)
                    rows.append(
                        (*labels, *tilt, defocus, contrast, recipe["split"], i, t, d)
                    )
        names = (*_LABELS, "tilt_x", "tilt_y", "defocus", "contrast", "split")
        table = pd.DataFrame(rows, columns=[*names, "_i", "_t", "_d"])
        table["published_split"] = published_split(table)
        white = published_split(table, contrast="white")
        return table.assign(published_split_white=white)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Image:
        """Return image `index` as stored: samples of the box [e/pixel]."""
        return self.read([index])[0].astype(np.float32)

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Read images as stored, each structure's chunk once.

        Parameters
        ----------
        indices : sequence of int
            Rows of the table.

        Returns
        -------
        ndarray of shape (count, n, n)
            Samples of the box, as float16 [electrons per pixel].

        Raises
        ------
        ValueError
            If a chunk is damaged; the message names the file.
        """
        rows = self.table.iloc[list(indices)].reset_index(drop=True)
        images = np.empty((len(rows), *self._images.shape[-2:]), np.float16)
        for structure, group in rows.groupby("_i"):
            block = self._block(int(structure))
            images[group.index] = block[group["_t"], group["_d"]]
        return images

    def select(self, *, split: str = "split", **labels: object) -> "Benchmark":
        """Take only the images with certain labels, as a benchmark of its own.

        Parameters
        ----------
        split : {"split", "published_split", "published_split_white"}, default "split"
            Which column of the table is ``split`` in the selection.
        **labels : object or sequence of objects
            Column of the table and the value, or values, to take.

        Returns
        -------
        Benchmark
            The same folder; its rows are counted anew from 0.

        Raises
        ------
        ValueError
            If there is no such column or split, or no image with these labels.
        """
        table = self.table
        columns = [name for name in table if not name.startswith("_")]
        if split not in _SPLITS:
            msg = f"split must be one of {', '.join(_SPLITS)}; got {split!r}"
            raise ValueError(msg)
        for name in labels.keys() - set(columns):
            msg = f"labels must be among {', '.join(columns)}; got {name!r}"
            raise ValueError(msg)
        for name, values in labels.items():
            kept = [values] if np.ndim(values) == 0 else list(values)
            table = table[table[name].isin(kept)]
        if table.empty:
            msg = f"labels must be those of some images; got {labels} of none"
            raise ValueError(msg)
        chosen = copy(self)
        chosen.table = table.assign(split=table[split]).reset_index(drop=True)
        return chosen

    def _block(self, structure: int) -> np.ndarray:
        path = chunk_path(self.folder, structure)
        if not path.exists():  # zarr would give zeros
            msg = (
                f"folder must hold the images of its table; got none at {path} (call "
                "simulate_benchmark again)"
            )
            raise ValueError(msg)
        return read_chunk(self._images, structure, path)

    def image(self, index: int, *, samples: int | tuple[int, int]) -> Image:
        """Evaluate an image on a finer grid, exactly.

        Parameters
        ----------
        index : int
            Row of the table.
        samples : int or tuple of int
            Samples of the box, (height, width); 1024 are the authors', and
            ``round(50 / pixel)`` those of a pixel in angstrom.

        Returns
        -------
        ndarray of shape (height, width)
            Expected electrons per pixel.
        """
        shape = (samples, samples) if np.ndim(samples) == 0 else samples
        stored = self[index]
        return resample(np.fft.fft2(stored) / stored.size, shape)

    def verify(self) -> int:
        """Compare every chunk with its checksum.

        Returns
        -------
        int
            Chunks compared.

        Raises
        ------
        ValueError
            If chunks are damaged or missing; the message names them all.
        FileNotFoundError
            If there are no checksums, because the simulation never finished.
        """
        path = self.folder / CHECKSUMS
        if not path.exists():
            msg = (
                f"folder must hold a finished benchmark ({CHECKSUMS}); got "
                f"{self.folder} (call simulate_benchmark to finish it)"
            )
            raise FileNotFoundError(msg)
        count = len(self.settings["recipes"])
        wanted = [chunk_path(self.folder, i) for i in range(count)]
        wanted.append(self.folder / LABELS)
        known = {
            name: digest
            for digest, _, name in (
                line.partition("  ") for line in path.read_text().splitlines()
            )
        }
        wrong = []
        for file in wanted:
            name = file.relative_to(self.folder).as_posix()
            if not file.exists() or file_digest(file) != known.get(name):
                wrong.append(name)
        if wrong:
            msg = (
                f"folder must hold whole images; got {len(wrong)} damaged or missing "
                f"in {self.folder}: {', '.join(wrong)} (delete them and call "
                "simulate_benchmark again)"
            )
            raise ValueError(msg)
        return count


CHECKSUMS, LABELS = "SHA256SUMS", "labels.csv"
_LABELS = ("structure", "particle", "defect", "variant", "thickness")


def parse_settings(text: str, folder: Path) -> dict:
    """Read what ``benchmark.json`` says.

    Parameters
    ----------
    text : str
        Its content.
    folder : pathlib.Path
        Where it lies, for the messages.

    Returns
    -------
    dict
        The settings.

    Raises
    ------
    ValueError
        If it is damaged or of another version.

    Examples
    --------
    >>> parse_settings('{"format": 2}', Path("b"))
    {'format': 2}
    """
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"folder must hold a whole benchmark.json; got a damaged one in {folder}"
        raise ValueError(msg) from error
    found = settings.get("format") if isinstance(settings, dict) else None
    if found != FORMAT:
        msg = (
            f"folder must hold a benchmark of format {FORMAT}; got {folder} of format "
            f"{found} (simulate it again, into another folder)"
        )
        raise ValueError(msg)
    return settings


def read_chunk(images: zarr.Array, i: int, path: Path) -> np.ndarray:
    """Read all images of a structure, or say that its chunk is damaged.

    Parameters
    ----------
    images : zarr.Array
        Of the benchmark.
    i : int
        Number of the structure.
    path : pathlib.Path
        Of its chunk, for the message.

    Returns
    -------
    ndarray of shape (tilts, defoci, n, n)
        As float16 [electrons per pixel].

    Raises
    ------
    ValueError
        If the chunk is damaged; the message names the file.
    """
    try:
        return images[i]
    except (RuntimeError, ValueError) as error:
        msg = (
            f"folder must hold whole images; got a damaged {path} (delete that file "
            "and call simulate_benchmark again)"
        )
        raise ValueError(msg) from error


def chunk_path(folder: Path, i: int) -> Path:
    """Tell where the images of structure `i` are kept.

    Parameters
    ----------
    folder : pathlib.Path
        Of the benchmark.
    i : int
        Number of the structure.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> chunk_path(Path("b"), 3).as_posix()
    'b/images.zarr/c/3/0/0/0/0'
    """
    return folder / "images.zarr" / "c" / f"{i}" / "0" / "0" / "0" / "0"


def file_digest(path: Path) -> str:
    """Digest a file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Examples
    --------
    >>> import os
    >>> file_digest(Path(os.devnull))[:8]
    'e3b0c442'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
