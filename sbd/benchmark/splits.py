"""The authors' test images, and the split of a benchmark that repeats theirs.

The authors published no list of their test images, but their evaluation logs have one
row for each: 3,567 images of all contrasts, and 280 of the experiments with white
columns only. ``assets/published_test.csv`` holds these rows as counts; it was made, and
is made again, by ``python -m sbd.companion.make.published_test``.
"""

from functools import cache
from importlib.resources import files
from string import ascii_lowercase
from typing import Literal

import numpy as np
import pandas as pd

_KEYS = ["label", "thickness", "tilt_x", "tilt_y", "defocus"]
_COUNTS = ["test", "test_white", "valid"]
_SLIP = 60  # thickness at which the authors' tables call tilt (0, 0) tilt (1, 0)


def published_test_counts() -> pd.DataFrame:
    """Count the authors' test images at each label, thickness, tilt and defocus.

    A label has up to five structures; ``valid`` was drawn by this project.
    """
    return _counts().copy()


@cache
def _counts() -> pd.DataFrame:
    with (files("sbd") / "assets" / "published_test.csv").open() as file:
        lines = pd.read_csv(file, dtype=dict.fromkeys(_COUNTS, str))
    # a line holds a digit for each defocus
    table = lines.assign(defocus=[range(len(digits)) for digits in lines["test"]])
    for name in _COUNTS:
        table[name] = lines[name].map(list)
    table = table.explode([*_COUNTS, "defocus"], ignore_index=True)
    return table[_KEYS + _COUNTS].astype(dict.fromkeys([*_COUNTS, "defocus"], int))


def published_split(
    table: pd.DataFrame, *, contrast: Literal["all", "white"] = "all"
) -> pd.Series:
    """Split a benchmark as the authors split theirs, as far as that is known.

    Exact are the particle label, thickness, tilt and defocus of each test image. Ours
    are three choices where the logs do not say more:

    * At 50 angstrom three to five structures share a label. If `n` images of them are
      in the logs, the first `n` structures in that order are taken.
    * At 60 angstrom the logs call both tilts (0, 0) and (1, 0) by the name (1, 0). Two
      images there are one of each. A single one is (1, 0) at odd defocus and (0, 0) at
      even defocus; for the white images it is always (1, 0), because the contrast of
      (0, 0) is not known.
    * The validation images are not known. The 279 here were drawn once, with a fixed
      seed, from the white images that are in neither test set; they are the same for
      both experiments, and none is at 60 angstrom and tilt (1, 0) beside a test image.

    The two test sets are separate draws: some images are in both, and most of the
    white test set is in the training set of all contrasts.

    Source: the authors' evaluation logs, `sbd.fetch` items ``"log/white"`` and
    ``"log/structure-1"``.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of a `Benchmark`: columns particle, defect, thickness, tilt_x,
        tilt_y, defocus and contrast. Structures that share a label and a thickness are
        ordered by the letter in column variant; where there is none, by their place in
        the table, which must then hold all of them.
    contrast : {"all", "white"}, default "all"
        The experiments on images of all contrasts, or on white columns only.

    Returns
    -------
    pandas.Series
        For each row ``"test"``, ``"valid"``, ``"train"``, or ``"unused"`` where it has
        no part in the experiment: parameters or labels that the published dataset does
        not have, and for ``"white"`` also a contrast that is not white.

    Raises
    ------
    TypeError
        If `table` is no pandas.DataFrame.
    ValueError
        If it lacks a column, or `contrast` is none of the two.

    Examples
    --------
    >>> row = {"particle": "PtNp1", "defect": "D2", "thickness": 50.0, "tilt_x": 0.0,
    ...        "tilt_y": 3.0, "defocus": 0.0, "contrast": "black"}
    >>> published_split(pd.DataFrame([row, row, row])).tolist()
    ['test', 'train', 'train']
    """
    if contrast not in ("all", "white"):
        msg = f"contrast must be one of 'all', 'white'; got {contrast!r}"
        raise ValueError(msg)
    if not isinstance(table, pd.DataFrame):
        msg = f"table must be a pandas.DataFrame; got {type(table).__name__}"
        raise TypeError(msg)
    needed = {"particle", "defect", "contrast", *_KEYS[1:]}
    if not needed <= set(table.columns):
        missing = sorted(needed - set(table.columns))
        msg = f"table must have the columns of a benchmark; got none named {missing}"
        raise ValueError(msg)
    rows = table[_KEYS[1:]].astype(float)
    rows.insert(0, "label", table["particle"] + "-" + table["defect"])
    rank = _rank(table, rows)
    # a left merge keeps the rows in order; what is not published gets NaN
    found = rows.merge(_cells(), how="left", on=_KEYS)
    tested = found[["test", "test_white"]].max(axis=1)
    valid = (rank >= tested) & (rank < tested + found["valid"])
    test = rank < found["test" if contrast == "all" else "test_white"]
    unused = found["valid"].isna()
    if contrast == "white":  # a test image is white by the authors' word
        unused |= (table["contrast"] != "white").to_numpy() & ~test
    split = np.select([unused, test, valid], ["unused", "test", "valid"], "train")
    return pd.Series(split, index=table.index, name="published_split")


def _rank(table: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Count from 0 the structures that share a label and a thickness."""
    place = rows.groupby(_KEYS, dropna=False).cumcount()
    if "variant" not in table.columns:
        return place.to_numpy()
    letters = {letter: i for i, letter in enumerate(ascii_lowercase)}
    return table["variant"].map(letters).fillna(place).to_numpy()


@cache
def _cells() -> pd.DataFrame:
    """Give the counts with the two tilts of the slip told apart."""
    cells = _counts().astype(dict.fromkeys(_KEYS[1:], float)).set_index(_KEYS)
    at = cells.index.to_frame()
    slip = (at["thickness"] == _SLIP) & (at["tilt_y"] == 0)
    tilted, straight = slip & (at["tilt_x"] == 1), slip & (at["tilt_x"] == 0)
    odd = (at["defocus"][tilted] % 2 == 1).to_numpy()
    both = cells.loc[tilted, "test"].to_numpy()
    cells.loc[tilted, "test"] = np.where(both == 1, odd, both == 2).astype(int)
    cells.loc[straight, "test"] = both - cells.loc[tilted, "test"].to_numpy()
    return cells.reset_index()
