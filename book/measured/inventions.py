"""Measure whether the published map finds invented columns: ``make inventions``.

    python book/measured/inventions.py FILE [--draws N] [--sources NAME ...]

An image whose truth is known is counted again and again, at 0.45 electrons per pixel;
draw i has the seed i, as on the page of the map. The default network denoises each, and
the map judges its columns by the counts that made them, in two forms: the denoised
intensity of each pixel, or one mean for each disc. A column is invented if the clean
image shows none within 1 angstrom. Fresh counts of the same image judge it too. The
arrow is at the column of the surface whose score, in standard deviations of what vacuum
would give, is lowest. AUC is the probability that an invented column scores less than a
true one of the surface. Standard errors are those of a bootstrap over draws.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats

import sbd
from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine
from sbd.typing import Image

FORMS = ("pixels", "mean")
LEVELS = (0.001, 0.01, 0.05, 0.5)
RESAMPLES = 1000


def test_means(
    noisy: Image, denoised: Image, columns: Columns, vacuum: float
) -> tuple[np.ndarray, np.ndarray]:
    """Score and p-value where one mean is claimed of a disc: only its sum counts."""
    which, pixels = disc_pixels(columns, noisy.shape)
    area, total, claim = (
        np.bincount(which, weights=values, minlength=len(columns))
        for values in (np.ones(len(which)), noisy[pixels], denoised[pixels])
    )
    empty = vacuum * area
    more = claim > empty
    score = np.where(more, 1, -1) * (total - empty) / np.sqrt(empty)
    above, below = stats.poisson.sf(total - 1, empty), stats.poisson.cdf(total, empty)
    return score, np.where(more, above, below)


def test_columns(
    noisy: Image, denoised: Image, columns: Columns, vacuum: float, form: str
) -> dict[str, np.ndarray]:
    """Ask counts for columns: the map's ratio, the score, the p-value."""
    how = (noisy, denoised, columns)
    ratio = sbd.log_likelihood_ratio(*how, vacuum=vacuum, intensity=form)
    if form == "mean":
        score, p = test_means(*how, vacuum)
    else:
        score = sbd.column_significance(*how, vacuum=vacuum)
        p = sbd.column_p_values(*how, vacuum=vacuum)
    return {"ratio": ratio, "score": score, "p": p}


def judge_draw(source: str, seed: int, model: torch.nn.Module) -> pd.DataFrame:
    """Make the map of one draw: a row for each claimed column and each form."""
    micrograph = sbd.example_micrograph(source, rng=np.random.default_rng(seed))
    denoised = sbd.denoise(micrograph.noisy, model, device="cpu")
    fresh = sbd.poisson_noise(micrograph.clean, rng=np.random.default_rng([seed, 1]))
    claimed = sbd.find_columns(denoised, threshold=0.15)
    true = sbd.find_columns(micrograph.clean, threshold=0.15)
    match = sbd.match_columns(claimed, true, tolerance=1.0 / micrograph.pixel_size)
    surface = sbd.surface_columns(claimed)
    tables = []
    for form in FORMS:
        same, other = (
            test_columns(counts, denoised, claimed, micrograph.vacuum, form)
            for counts in (micrograph.noisy, fresh)
        )
        table = pd.DataFrame({**same, "p of fresh counts": other["p"]})
        weakest = np.where(surface, same["score"], np.inf).argmin()
        tables.append(
            table.assign(
                draw=seed,
                form=form,
                invented=np.isin(np.arange(len(claimed)), match.spurious),
                surface=surface,
                arrow=np.arange(len(claimed)) == weakest,
                missed=len(match.missed),
            )
        )
    return pd.concat(tables)


def sum_up(each: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> dict:
    """Compute a statistic of draws, with its standard error by a bootstrap over them.

    `statistic` takes how often each draw counts; `each` tells how many there are of
    what the statistic is about, a row for each draw.
    """
    number = len(each)
    once = np.ones((1, number))
    if not (each.sum(0) > 0).all():
        return {"value": None, "standard error": None}
    again = np.random.default_rng(0).multinomial(number, once[0] / number, RESAMPLES)
    again = again[(again @ each > 0).all(1)]
    error = float(statistic(again).std(ddof=1))
    value = float(statistic(once)[0])
    return {"value": round(value, 4), "standard error": round(error, 4)}


def share(hits: pd.Series, draws: pd.Series) -> dict:
    """Which part of some columns it is, over all draws."""
    counts = (
        pd.DataFrame({"hit": hits, "all": True}).groupby(draws).sum().to_numpy(float)
    )
    return sum_up(counts[:, 1:], lambda w: (w @ counts[:, 0]) / (w @ counts[:, 1]))


def tell_apart(table: pd.DataFrame, name: str) -> dict:
    """Area under the curve: invented columns against true ones of the surface."""
    number = int(table["draw"].max()) + 1
    which = table["invented"], table["surface"] & ~table["invented"]
    some = [table[mask] for mask in which]
    each = np.stack([np.bincount(t["draw"], minlength=number) for t in some], 1)
    above = np.zeros((number, number))
    for column in some[0].itertuples(index=False):
        wins = some[1][name] > getattr(column, name)
        wins = wins + 0.5 * (some[1][name] == getattr(column, name))
        above[column.draw] += np.bincount(some[1]["draw"], wins, minlength=number)

    def area(weights: np.ndarray) -> np.ndarray:
        pairs = (weights @ each[:, 0]) * (weights @ each[:, 1])
        return ((weights @ above) * weights).sum(1) / pairs

    return sum_up(each, area)


def summarise_form(table: pd.DataFrame) -> dict:
    """Sum up one form of the map over all draws."""
    invented, negative = table["invented"], table["ratio"] < 0
    record = {
        "arrow at an invention, draws": int((table["arrow"] & invented).sum()),
        "discs with a negative ratio": int(negative.sum()),
        "of those true columns": int((negative & ~invented).sum()),
        "inventions with a positive ratio": int((invented & ~negative).sum()),
        "AUC of the ratio": tell_apart(table, "ratio"),
        "AUC of the score": tell_apart(table, "score"),
    }
    for who, some in (("inventions", table[invented]), ("true", table[~invented])):
        for name, words in (
            ("p", "the same counts"),
            ("p of fresh counts", "fresh counts"),
        ):
            record[f"{who}: share of p-values on {words}"] = {
                f"up to {level:g}": share(some[name] <= level, some["draw"])
                for level in LEVELS
            }
    return record


def measure(source: str, draws: int) -> dict:
    """Repeat the map of one image."""
    model = sbd.load_model()
    tables = []
    for seed in range(draws):
        tables.append(judge_draw(source, seed, model))
        print(f"{source}: draw {seed + 1} of {draws}", flush=True)
    table = pd.concat(tables, ignore_index=True)
    one = table[table["form"] == FORMS[0]]
    each = one.groupby("draw")
    invented = each["invented"].sum()
    record = {
        "image": sbd.example_micrograph(source, rng=np.random.default_rng(0)).title,
        "draws": draws,
        "draws that invent": int((invented > 0).sum()),
        "their share": share(invented > 0, pd.Series(invented.index, invented.index)),
        "claimed": len(one),
        "invented": int(invented.sum()),
        "of those at the surface": int((one["invented"] & one["surface"]).sum()),
        "missed": int(each["missed"].first().sum()),
    }
    for form, some in table.groupby("form", sort=False):
        record[form] = summarise_form(some)
    arrows = {
        f"arrow, {form}": (some["arrow"] & some["invented"]).groupby(some["draw"]).sum()
        for form, some in table.groupby("form", sort=False)
    }
    rows = pd.DataFrame({"claimed": each.size(), "invented": invented, **arrows})
    return record | {"each draw": {name: rows[name].tolist() for name in rows}}


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=70)
    parser.add_argument("--sources", nargs="+", default=["simulated", "authors"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    record = {"dose [e/pixel]": sbd.VACUUM, "threshold": 0.15}
    for source in given.sources:
        try:
            record[source] = measure(source, given.draws)
        except sbd.DataUnavailableError as error:
            print(error, flush=True)
    record |= describe_machine("sbd", "numpy", "torch")
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
