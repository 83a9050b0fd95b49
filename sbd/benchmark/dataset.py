"""The benchmark: simulated images with their labels, in one folder.

A folder holds ``benchmark.json`` (what was asked for), ``images.zarr``, an array of
shape (structures, tilts, defoci, n, n) with one chunk for each structure, a data card,
and the chunks' checksums. An image is stored as n x n samples of its box in electrons
per pixel (128 x 128 for the 50 angstrom of the paper), which is all there is of it;
`Benchmark.image` evaluates it on any finer grid, exactly. Noise is never stored: it is
drawn when an image is used. `sbd.benchmark.production` makes such a folder.
"""

import json
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import zarr

from sbd.benchmark.recipes import RECIPE_LABELS, contrast_label
from sbd.benchmark.splits import published_split
from sbd.files import sha256
from sbd.simulation.imaging import resample
from sbd.typing import Image
from sbd.validation import check_word

_SPLITS = "split", "published_split", "published_split_white"
FORMAT = 2  # of benchmark.json


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
    An image of a benchmark on disk, at the authors' pixel::

        benchmark = Benchmark("data/benchmark")
        benchmark.image(4711, samples=1024)

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
            labels = tuple(recipe[name] for name in RECIPE_LABELS)
            for t, tilt in enumerate(settings["tilts"]):
                for d, defocus in enumerate(settings["defoci"]):
                    contrast = contrast_label(recipe["thickness"], tilt, defocus)
                    rows.append(
                        (*labels, *tilt, defocus, contrast, recipe["split"], i, t, d)
                    )
        names = (*RECIPE_LABELS, "tilt_x", "tilt_y", "defocus", "contrast", "split")
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

        Rows of the table; float16 samples of the box, (count, n, n) [electrons per
        pixel]. ValueError, with the file's name, if a chunk is damaged.
        """
        rows = self.table.iloc[list(indices)].reset_index(drop=True)
        images = np.empty((len(rows), *self._images.shape[-2:]), np.float16)
        for structure, group in rows.groupby("_i"):
            block = self._block(int(structure))
            images[group.index] = block[group["_t"], group["_d"]]
        return images

    def select(self, *, split: str = "split", **labels: object) -> "Benchmark":
        """Take only the images with certain labels, as a benchmark of its own.

        `split` names the column of the table that is ``split`` in the selection:
        ``"split"``, ``"published_split"`` or ``"published_split_white"``; a label is a
        value of a column, or several. Rows are counted anew from 0. ValueError if there
        is no such column or split, or no image with these labels.
        """
        table = self.table
        columns = [name for name in table if not name.startswith("_")]
        check_word("split", split, _SPLITS)
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
        """Evaluate the image of a row of the table on a finer grid, exactly.

        `samples` of the box, (height, width) or both: 1024 are the authors', and
        ``round(50 / pixel)`` those of a pixel in angstrom. Expected electrons per
        pixel.
        """
        shape = (samples, samples) if np.ndim(samples) == 0 else samples
        stored = self[index]
        return resample(np.fft.fft2(stored) / stored.size, shape)

    def verify(self) -> int:
        """Compare every chunk with its checksum, and return how many there are.

        ValueError, with all names, if chunks are damaged or missing; FileNotFoundError
        if there are no checksums, because the simulation never finished.
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
            if not file.exists() or sha256(file) != known.get(name):
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


def read_chunk(images: zarr.Array, i: int, path: Path) -> np.ndarray:
    """Read all images of structure `i`, or say that its chunk is damaged.

    Float16 (tilts, defoci, n, n) [electrons per pixel].
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
    """Tell where the images of structure `i` are kept."""
    return folder / "images.zarr" / "c" / f"{i}" / "0" / "0" / "0" / "0"


def parse_settings(text: str, folder: Path) -> dict:
    """Read what ``benchmark.json`` says; `folder` is for the messages."""
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
