"""Make the list of the authors' test images that the package bundles.

    python -m sbd.companion.make.published_test

reads two of the authors' evaluation logs (`sbd.fetch`) and writes, for each particle
label, thickness and tilt, three strings of 21 digits: how many images at defocus 0 to
20 are in their test set of all contrasts, in that of the white ones, and in a
validation set of 279 white ones that is drawn here, because theirs is not known.
"""

import sys
from itertools import product

import numpy as np
import pandas as pd

import sbd
from sbd.companion.make.packing import ASSETS
from sbd.files import write_text

KEYS = ["label", "thickness", "tilt_x", "tilt_y", "defocus"]
TILTS = [(x, 0) for x in range(5)] + [(0, y) for y in range(1, 5)]
SEED = 201012970  # the paper's number on arXiv


def all_cells() -> pd.DataFrame:
    """List every point of the parameters, with the images and the contrast there."""
    structures = pd.read_csv(ASSETS / "structures.csv")
    structures["label"] = structures["particle"] + "-" + structures["defect"]
    labels = structures["label"].unique()
    points = product(labels, (30, 40, 50, 60), TILTS, range(21))
    cells = pd.DataFrame([(a, b, *c, d) for a, b, c, d in points], columns=KEYS)
    images = structures.groupby(KEYS[:2]).size().rename("images").reset_index()
    contrast = pd.read_csv(ASSETS / "contrast.csv")
    contrast = contrast[[*KEYS[1:], "label"]].rename(columns={"label": "contrast"})
    return cells.merge(images, how="left").merge(contrast, how="left")


def count(name: str, cells: pd.DataFrame) -> np.ndarray:
    """Count the rows of a log in each cell, and check that there are such images."""
    log = pd.read_csv(sbd.fetch(name)).rename(columns={"particle": "label"})
    sizes = log.groupby(KEYS).size()
    counts = sizes.reindex(pd.MultiIndex.from_frame(cells[KEYS]), fill_value=0)
    if counts.sum() != len(log):
        sys.exit(f"{name}: rows outside the parameters of the dataset")
    room = cells["images"] + slip(cells)  # the images of (0, 0) are at (1, 0)
    too_many = cells[KEYS][counts.to_numpy() > room]
    if len(too_many):
        sys.exit(f"{name}: more rows than images at\n{too_many}")
    return counts.to_numpy()


def slip(cells: pd.DataFrame) -> pd.Series:
    """Tell the cells that stand for two tilts in the authors' tables."""
    tilt = (cells["tilt_x"] == 1) & (cells["tilt_y"] == 0)
    return tilt & (cells["thickness"] == 60)


def draw(cells: pd.DataFrame, number: int) -> np.ndarray:
    """Draw white images that are in no test set, without replacement."""
    tested = cells[["test", "test_white"]].max(axis=1)
    left = (cells["images"] - tested).where(cells["contrast"] == "white", 0)
    left = left.where(~slip(cells) | (tested == 0), 0)
    rng = np.random.default_rng(SEED)
    chosen = rng.choice(np.repeat(cells.index, left), number, replace=False)
    return np.bincount(chosen, minlength=len(cells))


def main() -> None:
    """Count, draw, write, and say what was written."""
    cells = all_cells()
    cells["test"] = count("log/white", cells)
    cells["test_white"] = count("log/structure-1", cells)
    cells["valid"] = draw(cells, 279)
    names = ["test", "test_white", "valid"]
    lines = cells.groupby(KEYS[:-1], sort=False)[names].agg(
        lambda digits: "".join(map(str, digits))
    )
    path = ASSETS / "published_test.csv"
    write_text(path, lines.to_csv(lineterminator="\n"))
    white = cells["images"][cells["contrast"] == "white"].sum()
    print(f"{path.name}: {cells['images'].sum()} images, {white} of them white;")
    print(cells[names].sum().to_string())


if __name__ == "__main__":
    main()
