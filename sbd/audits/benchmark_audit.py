"""Audit denoisers: other doses, empty vacuum, columns found and columns invented."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from sbd.audits.inspection import Inspection, column_shares, inspect_columns
from sbd.benchmark.dataset import Benchmark
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser
from sbd.validation import check_whole

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
        how many in both (``kept``) and in the clean one only (``lost``). Then what is
        found where nothing is: in the clean image (``ghosts``), in the denoised one
        (``false``), and in the denoised one only (``invented``). ``limit`` is seen /
        columns, ``found_share`` found / columns, ``kept_share`` kept / seen,
        ``true_share`` found / (found + false); ``psnr`` is the authors' [dB].

    Raises
    ------
    ValueError
        If there are no rows, a structure is not known, or `dose` or `pixel` is not
        positive.
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
    """Inspect the same counts of several images with several denoisers, by name.

    Options are those of `column_audit`; the inspections are in the order of `rows`.
    """
    options = {"dose": dose, "seed": seed, "pixel": pixel}
    return {
        name: [inspect_columns(denoise, benchmark, row, **options) for row in rows]
        for name, denoise in denoisers.items()
    }


def tabulate_inspections(inspections: Iterable[Inspection]) -> pd.DataFrame:
    """Write what was found in each image into the table of `column_audit`."""
    table = pd.DataFrame([one.labels | one.counts for one in inspections])
    return table.assign(**column_shares(table))


def found_by_score(
    inspections: Iterable[Inspection], edges: Sequence[float] = tuple(range(8))
) -> pd.DataFrame:
    """Tell which share of the columns is found, by what their counts can tell.

    `edges` bound the classes of the ``score`` [standard deviations], the last is open;
    a row says how many ``columns`` there are and their ``found_share``.
    """
    pairs = [(one.scores, one.found) for one in inspections]
    scores, found = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    lower = np.asarray(edges)[np.searchsorted(edges, scores, side="right") - 1]
    table = pd.DataFrame({"score": lower, "found": found}).groupby("score")["found"]
    return table.agg(columns="size", found_share="mean")


def summarise_audit(table: pd.DataFrame) -> dict[str, float]:
    """Sum up a `column_audit`, all columns of all images together.

    Shares are those of all columns; ghosts, false and invented ones are per image, and
    ``psnr`` is the mean [dB].
    """
    total = table.select_dtypes("number").sum()
    means = table[["ghosts", "false", "invented", "psnr"]].mean()
    shares = {name: float(value) for name, value in column_shares(total).items()}
    sizes = {"images": len(table), "columns": int(total["columns"])}
    return sizes | shares | {name: float(value) for name, value in means.items()}


def legible(table: pd.DataFrame) -> pd.Series:
    """Tell in which images of a `column_audit` the truth itself shows the columns.

    Near the focus at which contrast reverses it does not: to find them would be luck.
    """
    return table["seen"] >= _LEGIBLE * table["columns"]


def spread_rows(table: pd.DataFrame, number: int) -> list[int]:
    """Choose the labels of rows evenly over structures, tilts and defoci, ascending.

    Each of these is there as often as any other, give or take one; all rows if there
    are no more than `number`.
    """
    check_whole("number", number)
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
