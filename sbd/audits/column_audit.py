"""Audit denoisers: other doses, empty vacuum, columns found and columns invented."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sbd.audits.inspection import PIXEL, Inspection, inspect_columns
from sbd.benchmark.dataset import Benchmark
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser

_LEGIBLE = 0.9  # share of the columns that a clean image must show to be judged


def column_audit(
    denoiser: Denoiser,
    benchmark: Benchmark,
    rows: Sequence[int],
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> pd.DataFrame:
    """Count the particle's columns that a denoiser finds, loses and invents.

    Parameters
    ----------
    denoiser : callable
        Image to image.
    benchmark : Benchmark
        Of structures that `default_recipes` lists.
    rows : sequence of int
        Of its table.
    dose : float, default 0.45
        Mean count in vacuum [electrons per pixel].
    seed : int
        Of the counts, which depend on (seed, row) alone.
    pixel : float, default 0.0622
        Side of a pixel; that of the paper's movies if not given [angstrom].

    Returns
    -------
    pandas.DataFrame
        A row for each image: its number in the benchmark as ``row``, its labels, the
        ``polarity`` of its columns, the median of their ``score``, and of the
        particle's columns how many there are (``columns``), how many the finder sees in
        the clean image (``seen``), how many it finds in the denoised one (``found``),
        and how many in both (``kept``). Then what is found where nothing is: in the
        clean image (``ghosts``), in the denoised one (``false``), and in the denoised
        one only (``invented``). ``limit`` is seen / columns, ``recall`` found /
        columns, ``recall_seen`` kept / seen, ``precision`` found / (found + false);
        ``psnr`` is the authors' [dB].

    Raises
    ------
    ValueError
        If there are no rows, a structure is not known, or `dose` or `pixel` is not
        positive.

    See Also
    --------
    sbd.audits.inspection.inspect_columns : How columns are found and matched.

    Examples
    --------
    >>> column_audit(np.array, Benchmark, [], seed=0)
    Traceback (most recent call last):
    ValueError: rows must name at least one image; got none
    """
    if not len(rows):
        msg = "rows must name at least one image; got none"
        raise ValueError(msg)
    options = {"dose": dose, "seed": seed, "pixel": pixel}
    return tabulate_inspections(
        inspect_columns(denoiser, benchmark, int(row), **options) for row in rows
    )


def inspect_rows(
    denoisers: Mapping[str, Denoiser],
    benchmark: Benchmark,
    rows: Sequence[int],
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> dict[str, list[Inspection]]:
    """Inspect the same counts of several images with several denoisers.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    benchmark, rows, dose, seed, pixel
        As for `column_audit`.

    Returns
    -------
    dict of str to list of Inspection
        By name, in the order of `rows`.

    Examples
    --------
    >>> inspect_rows({"raw": np.array}, Benchmark, [], seed=0)
    {'raw': []}
    """
    options = {"dose": dose, "seed": seed, "pixel": pixel}
    return {
        name: [inspect_columns(denoise, benchmark, row, **options) for row in rows]
        for name, denoise in denoisers.items()
    }


def tabulate_inspections(inspections: Iterable[Inspection]) -> pd.DataFrame:
    """Write what was found in each image into the table of `column_audit`.

    Parameters
    ----------
    inspections : iterable of Inspection
        From `sbd.audits.inspection.inspect_columns`.

    Returns
    -------
    pandas.DataFrame
        A row for each, see `column_audit`.

    Examples
    --------
    >>> from types import SimpleNamespace as Like
    >>> counts = {"columns": 10, "seen": 8, "found": 9, "kept": 8, "false": 0}
    >>> one = Like(labels={"row": 7}, counts=counts)
    >>> tabulate_inspections([one])[["row", "limit", "recall"]].values.tolist()
    [[7.0, 0.8, 0.9]]
    """
    table = pd.DataFrame([one.labels | one.counts for one in inspections])
    return table.assign(**_ratios(table))


def recall_by_score(
    inspections: Iterable[Inspection], edges: Sequence[float] = tuple(range(8))
) -> pd.DataFrame:
    """Tell which share of the columns is found, by what their counts can tell.

    Parameters
    ----------
    inspections : iterable of Inspection
        From `sbd.audits.inspection.inspect_columns`; their columns are taken together.
    edges : sequence of float, default 0 to 7
        Bounds of the classes, in ascending order [standard deviations]; the last class
        has no upper bound.

    Returns
    -------
    pandas.DataFrame
        By the lower bound of the ``score``: how many ``columns`` there are, and the
        ``recall``, the share of them that is found. Empty classes are left out.

    Examples
    --------
    >>> from types import SimpleNamespace as Like
    >>> one = Like(scores=np.array([0.5, 3.1, 3.2]), found=np.array([0, 1, 0], bool))
    >>> recall_by_score([one])["recall"].to_dict()
    {0: 0.0, 3: 0.5}
    """
    pairs = [(one.scores, one.found) for one in inspections]
    scores, found = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    lower = np.asarray(edges)[np.searchsorted(edges, scores, side="right") - 1]
    table = pd.DataFrame({"score": lower, "found": found}).groupby("score")["found"]
    return table.agg(columns="size", recall="mean")


def summarise_audit(table: pd.DataFrame) -> dict[str, float]:
    """Sum up a `column_audit`, all columns of all images together.

    Parameters
    ----------
    table : pandas.DataFrame
        From `column_audit`, or some rows of it.

    Returns
    -------
    dict
        How many ``images`` and ``columns``, the ratios of `column_audit` over all
        columns, ``ghosts``, ``false`` and ``invented`` columns per image, and the mean
        ``psnr``.

    Examples
    --------
    >>> names = ("columns", "seen", "found", "kept", "ghosts", "false", "invented")
    >>> table = pd.DataFrame([(10, 10, 9, 9, 0, 1, 1), (10, 8, 8, 7, 1, 2, 1)],
    ...                      columns=names).assign(psnr=30.0)
    >>> summary = summarise_audit(table)
    >>> summary["recall"], summary["limit"], summary["invented"]
    (0.85, 0.9, 1.0)
    """
    total = table.select_dtypes("number").sum()
    means = table[["ghosts", "false", "invented", "psnr"]].mean()
    ratios = {name: float(value) for name, value in _ratios(total).items()}
    sizes = {"images": len(table), "columns": int(total["columns"])}
    return sizes | ratios | {name: float(value) for name, value in means.items()}


def legible(table: pd.DataFrame) -> pd.Series:
    """Tell in which images of a `column_audit` the truth itself shows the columns.

    Parameters
    ----------
    table : pandas.DataFrame
        From `column_audit`.

    Returns
    -------
    pandas.Series of bool
        Whether the finder sees at least 90 % of the columns in the clean image. Near
        the focus at which contrast reverses it does not, and to find those columns
        after denoising would be luck.

    Examples
    --------
    >>> legible(pd.DataFrame({"columns": [10, 10], "seen": [10, 8]})).tolist()
    [True, False]
    """
    return table["seen"] >= _LEGIBLE * table["columns"]


def spread_rows(table: pd.DataFrame, number: int) -> list[int]:
    """Choose images evenly over structures, tilts and defoci.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a benchmark, or some rows of it; every structure at every tilt and defocus.
    number : int
        How many; all if there are no more.

    Returns
    -------
    list of int
        Labels of rows, in ascending order; of a benchmark's table, their numbers. Each
        structure, tilt and defocus is there as often as any other, give or take one.

    Raises
    ------
    ValueError
        If `number` is below 1.

    Examples
    --------
    >>> grid = [(s, x, 0.0, f) for s in "ab" for x in (0.0, 1.0) for f in range(4)]
    >>> names = ["structure", "tilt_x", "tilt_y", "defocus"]
    >>> spread_rows(pd.DataFrame(grid, columns=names), 4)
    [0, 6, 11, 13]
    """
    if number < 1:
        msg = f"number must be at least 1; got {number}"
        raise ValueError(msg)
    keys = [["structure"], ["tilt_x", "tilt_y"], ["defocus"]]
    pairs = [a + b for a, b in itertools.combinations(keys, 2)]
    groups = [table.groupby(names).ngroup().to_numpy() for names in keys + pairs]
    # what was taken equally often is in no order, so that no two axes keep in step
    cost, chosen = 1e-6 * np.random.default_rng(0).random(len(table)), []
    for _ in range(min(number, len(table))):
        best = int(cost.argmin())
        chosen.append(best)
        cost[best] = np.inf
        for group, price in zip(groups, (1.0,) * 3 + (1e-4,) * 3, strict=True):
            cost[group == group[best]] += price
    return sorted(table.index[chosen].tolist())


def _ratios(table: pd.DataFrame | pd.Series) -> dict[str, NDArray]:
    """Divide the counts of an audit, or their totals."""
    claimed = table["found"] + table["false"]
    return {
        "limit": _ratio(table["seen"], table["columns"]),
        "recall": _ratio(table["found"], table["columns"]),
        "recall_seen": _ratio(table["kept"], table["seen"]),
        "precision": _ratio(table["found"], claimed),
    }


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray:
    """Divide; of nothing, nothing is lost."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)
