"""The authors' folder layout: their code reads our images, ours reads theirs.

A folder holds tables ``train_white.csv``, ``valid_white.csv`` and ``test_white.csv``
(or other contrasts, their names sorted and joined by "_") and 32-bit float TIFFs. The
authors' loader goes by the place of a column: 0 path of the image below the folder, 1
particle label such as ``PtNp1-D2``, 4 thickness, 5 tilt_x, 6 tilt_y, 10 defocus, 11
contrast. What they have in columns 2, 3 and 7 to 9 is not known; ours are named in
`COLUMNS`.
"""

import json
import logging
import math
import operator
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
from tqdm import tqdm

from sbd.benchmark.dataset import Benchmark
from sbd.files import replacing, write_text
from sbd.simulation.frame import BOX, BOX_SAMPLES, CROP, CROP_SHAPE
from sbd.simulation.imaging import resample
from sbd.simulation.noise import VACUUM
from sbd.typing import Image
from sbd.validation import check_image

log = logging.getLogger(__name__)

COLUMNS = {
    "path": "image, below this folder",
    "particle": "label: shape and defect, joined by '-'",
    "structure": "the shape alone",
    "defect": "the defect alone",
    "thickness": "of the support [angstrom]",
    "tilt_x": "crystal tilt [degrees]",
    "tilt_y": "crystal tilt [degrees]",
    "variant": "letter of the structure among those of one label and thickness",
    "pixel_size": "side of a pixel [angstrom]",
    "vacuum": "mean intensity of the vacuum [electrons per pixel]",
    "defocus": "positive for overfocus [nm]",
    "contrast": "white, intermediate or black atomic columns",
}
"""Columns of the tables that `write_authors_layout` writes, in their order."""

CONTRASTS = ("black", "intermediate", "white")
_SPLITS = ("train", "valid", "test")
_WHOLE = ("thickness", "tilt_x", "tilt_y", "defocus")
_PLACES = {"path": 0, "particle": 1, "defocus": 10, "contrast": 11}
_PLACES |= {"thickness": 4, "tilt_x": 5, "tilt_y": 6}
_ABOUT = "layout.json"
_TIFF_BYTES = math.prod(CROP_SHAPE) * 4 + 256  # a header of PIL is shorter


@dataclass(frozen=True)
class AuthorsDataset:
    """A folder in the authors' layout, as a sequence of images with their table.

    Parameters
    ----------
    folder : pathlib.Path
        Where the tables are.
    table : pandas.DataFrame
        A row for each image: path, particle, defect, thickness [angstrom], tilt_x,
        tilt_y [degrees], defocus [nm], contrast, split.
    """

    folder: Path
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Image:
        """Read image `index` of the table, as float32 [e/pixel]."""
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            msg = f"index must be below {len(self)}; got {index}"
            raise IndexError(msg)
        path = self.folder / self.table["path"].iloc[index]
        try:
            with PIL.Image.open(path) as opened:
                mode, image = opened.mode, np.array(opened)
        except FileNotFoundError:
            msg = f"folder must hold every image of its tables; got none at {path}"
            raise FileNotFoundError(msg) from None
        except (OSError, SyntaxError) as error:  # what PIL raises at a damaged file
            msg = f"folder must hold whole TIFF files; got a damaged {path} ({error})"
            raise ValueError(msg) from error
        if mode != "F":
            msg = f"images must be 32-bit floats; got mode {mode!r} in {path}"
            raise ValueError(msg)
        return check_image(image, str(path))


def read_authors_layout(
    folder: str | Path, *, contrast: str = "white"
) -> AuthorsDataset:
    """Read a folder that is laid out as the authors' loader expects.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where the tables are: the authors' dataset, or what `write_authors_layout`
        wrote.
    contrast : str, default "white"
        Which tables: contrasts joined by "_", as in ``"black_intermediate_white"``.

    Returns
    -------
    AuthorsDataset
        Images and their table. An image is read when it is asked for.

    Raises
    ------
    FileNotFoundError
        If a table is missing; the message lists those that are there.
    ValueError
        If a table has fewer than twelve columns, no numbers where they belong, or no
        label such as ``PtNp1-D2``.

    Examples
    --------
    >>> read_authors_layout("nowhere")
    Traceback (most recent call last):
        ...
    FileNotFoundError: folder must hold train_white.csv; got no tables in nowhere
    """
    folder = Path(folder)
    name = "_".join(sorted(contrast.split("_")))
    tables = [_read_table(folder, f"{split}_{name}.csv", split) for split in _SPLITS]
    return AuthorsDataset(folder, pd.concat(tables, ignore_index=True))


def _read_table(folder: Path, name: str, split: str) -> pd.DataFrame:
    """Read one table by the places of its columns."""
    if not (folder / name).is_file():
        tables = ", ".join(sorted(path.name for path in folder.glob("*.csv")))
        msg = f"folder must hold {name}; got {tables or 'no tables'} in {folder}"
        raise FileNotFoundError(msg)
    raw = pd.read_csv(folder / name, sep=",", header=0)
    if raw.shape[1] < 12:
        msg = f"{name} must have at least 12 columns; got {raw.shape[1]}"
        raise ValueError(msg)
    table = pd.DataFrame({key: raw.iloc[:, at] for key, at in _PLACES.items()})
    for key in _WHOLE:
        try:
            table[key] = _whole(table[key])
        except (TypeError, ValueError):
            msg = (
                f"{name} must hold whole numbers ({key}) in column {_PLACES[key]}; "
                f"got {table[key].head(3).tolist()}"
            )
            raise ValueError(msg) from None
    labels = table["particle"].astype(str).str.extract("^([^-]+)-(.+)$")
    if labels.isna().any(axis=None):
        first = table["particle"][labels[0].isna()].iloc[0]
        msg = f"{name} must hold labels such as PtNp1-D2 in column 1; got {first!r}"
        raise ValueError(msg)
    table["particle"] = labels[0]
    table.insert(2, "defect", labels[1])
    order = ("path", "particle", "defect", *_WHOLE, "contrast")
    return table[list(order)].assign(split=split)


def write_authors_layout(
    benchmark: Benchmark,
    folder: str | Path,
    *,
    contrasts: Sequence[str] = ("white",),
    split: str | None = None,
    rows: Sequence[bool] | None = None,
    progress: bool = True,
) -> Path:
    """Write the images of a benchmark as the authors' loader expects them.

    Images that are there already are kept, so a run that was killed goes on where it
    stopped. Other contrasts of the same benchmark may go to the same folder. The tables
    are those of the last call.

    An image is the crop that the authors made of theirs, 876 x 927 pixels of 50/1024
    angstrom, row 0 at the top. Images whose contrast is not known (60 angstrom without
    tilt) are in none of the tables.

    Parameters
    ----------
    benchmark : Benchmark
        Images and labels; thickness, tilts and foci must be whole numbers.
    folder : str or pathlib.Path
        Where they go: new, empty, or begun by this function from the same benchmark.
    contrasts : sequence of {"black", "intermediate", "white"}, default ("white",)
        Which images, by contrast.
    split : str, optional
        Column of the benchmark's table that says ``"train"``, ``"valid"`` or
        ``"test"``; images of which it says anything else are left out. If not given,
        ``"published_split_white"`` for white images alone, else ``"published_split"``.
    rows : sequence of bool, optional
        Which rows of the benchmark's table to take part; all if not given.
    progress : bool, default True
        Whether to show a bar.

    Returns
    -------
    pathlib.Path
        The folder, with three tables and the images of these rows.

    Raises
    ------
    ValueError
        If an argument is none of the allowed values, no image is left, or `folder`
        holds something else.
    OSError
        If the disk has too little room: an image is 3.2 MB, the whole benchmark 58 GB.
    """
    contrasts = tuple(sorted({contrasts} if isinstance(contrasts, str) else contrasts))
    if not contrasts or not set(contrasts) <= set(CONTRASTS):
        among = ", ".join(map(repr, CONTRASTS))
        msg = f"contrasts must be among {among}; got {contrasts}"
        raise ValueError(msg)
    if split is None:
        split = "published_split" + "_white" * (contrasts == ("white",))
    folder = Path(folder)
    table = _layout_table(benchmark, split, rows)
    table = table[table["contrast"].isin(contrasts)]
    if table.empty:
        msg = f"contrasts, split and rows must leave images; got none of {contrasts}"
        raise ValueError(msg)
    about = {"columns": COLUMNS, "benchmark": benchmark.settings}
    _check_folder(folder, about)
    absent = table[[not (folder / path).exists() for path in table["path"]]]
    _check_room(folder, len(absent))
    write_text(folder / _ABOUT, _text(about))
    bar = tqdm(total=len(table), initial=len(table) - len(absent), unit="image",
               disable=not progress)  # fmt: skip
    with bar:
        for _, group in absent.groupby(benchmark.table["_i"]):  # one chunk each
            stored = benchmark.read(group["_row"])
            for image, path in zip(stored, group["path"], strict=True):
                _write_image(image, folder / path)
                bar.update()
    for name in _SPLITS:
        path = folder / f"{name}_{'_'.join(contrasts)}.csv"
        with replacing(path) as part:
            here = table["_split"] == name
            table.loc[here, list(COLUMNS)].to_csv(part, index=False)
    return folder


def _layout_table(
    benchmark: Benchmark, split: str, rows: Sequence[bool] | None
) -> pd.DataFrame:
    """Make the authors' table of all images that may be written."""
    table = benchmark.table
    if split not in table.columns:
        columns = ", ".join(name for name in table.columns if "split" in name)
        msg = f"split must be a column of the benchmark ({columns}); got {split!r}"
        raise ValueError(msg)
    chosen = np.ones(len(table), bool) if rows is None else np.asarray(rows)
    if chosen.dtype != bool or chosen.shape != (len(table),):
        msg = (
            f"rows must be {len(table)} bools, one for each image; got "
            f"{chosen.dtype} of shape {chosen.shape}"
        )
        raise ValueError(msg)
    try:
        whole = {name: _whole(table[name]) for name in _WHOLE}
    except ValueError:
        msg = f"benchmark must have whole numbers for {', '.join(_WHOLE)}; got others"
        raise ValueError(msg) from None
    labels = {
        "particle": table["particle"] + "-" + table["defect"],
        "structure": table["particle"],
        "pixel_size": benchmark.settings.get("box", BOX) / BOX_SAMPLES,
        "vacuum": VACUUM,
        "path": [
            f"images/{name}/tilt_{x}_{y}_defocus_{defocus:02d}.tif"
            for name, x, y, defocus in zip(
                table["structure"].str.replace(r"[^-+.,=()\w]", "_", regex=True),
                *(whole[key] for key in ("tilt_x", "tilt_y", "defocus")),
                strict=True,
            )
        ],
    }
    result = table.assign(**(whole | labels))[list(COLUMNS)]
    result["_row"], result["_split"] = np.arange(len(table)), table[split]
    if result["path"].duplicated().any():
        twice = result["path"][result["path"].duplicated()].iloc[0]
        msg = f"benchmark must have structures of different names; got twice {twice}"
        raise ValueError(msg)
    return result[chosen & table[split].isin(_SPLITS)]


def _whole(values: pd.Series) -> pd.Series:
    """Return values as integers, or raise because some are not."""
    numbers = values.astype(float)
    if not (numbers == numbers.round()).all():  # nor NaN
        msg = f"values must be whole numbers; got {values.head(3).tolist()}"
        raise ValueError(msg)
    return numbers.astype(int)


def _check_folder(folder: Path, about: dict) -> None:
    """Refuse a folder that holds anything but a layout of the same benchmark."""
    path = folder / _ABOUT
    same = path.is_file() and path.read_text() == _text(about)
    if not same and any(folder.glob("[!.]*")):
        msg = f"folder must be empty or of the same benchmark; got {folder}"
        raise ValueError(msg)


def _check_room(folder: Path, images: int) -> None:
    """Say how much will be written; refuse if the disk cannot take it."""
    needed = images * _TIFF_BYTES
    there = next(up for up in folder.absolute().parents if up.exists())
    free = shutil.disk_usage(folder if folder.exists() else there).free
    log.info("%d images to write, %s bytes", images, f"{needed:,}")
    if needed > free:
        msg = (
            f"folder must be on a disk with {needed:,} bytes free for {images} images; "
            f"got {free:,} at {folder}"
        )
        raise OSError(msg)


def _text(about: dict) -> str:
    return json.dumps(about, indent=1) + "\n"


def _write_image(stored: np.ndarray, path: Path) -> None:
    """Evaluate an image on the authors' grid, crop it and write it as TIFF."""
    spectrum = np.fft.fft2(stored.astype(np.float32)) / stored.size
    image = resample(spectrum, (BOX_SAMPLES, BOX_SAMPLES))[CROP]
    with replacing(path) as part:
        PIL.Image.fromarray(image).save(part, format="TIFF")
