"""What the numbers of a report say, in sentences."""

import numpy as np
import pandas as pd

from sbd.evidence.verdicts import VERDICTS
from sbd.reports.content import Content
from sbd.reports.numbers import sum_inventions
from sbd.reports.residuals import ResidualTest
from sbd.reports.rivals import name_denoiser

SURE = 0.01
"""Probability of chance, below which an estimate is said to miss something."""

_SPREAD = 0.02  # more than counts, that neighbours vary and that is worth a word


def summarise(content: Content) -> str:
    """Say in one sentence what matters most."""
    parts = [_say_counts(content), _say_best(content), _say_columns(content)]
    parts = parts[:1] if content.report.refused else parts
    return "; ".join(parts) + "."


def _say_counts(content: Content) -> str:
    """Say whether these are electrons, and how many."""
    report = content.report
    verdict = report.verdict.removesuffix(".")
    if report.dose is None:
        return verdict
    area = report.dose_area
    told = "" if area is None else f", {area:.3g} per square angstrom"
    return f"{verdict}, {report.dose:.3g} per pixel{told}"


def _say_best(content: Content) -> str:
    """Say which denoiser does best, as far as the counts tell."""
    table = content.ranking
    if table is None:
        return "which denoiser does best here cannot be told"
    best, near = list_near(table)
    best = name_denoiser(best)
    if not near:
        return f"at half of this dose {best} does best of {len(table)} denoisers"
    return (
        f"at half of this dose {best} comes first of {len(table)} denoisers, but "
        f"cannot be told from {join(near)}"
    )


def list_near(table: pd.DataFrame) -> tuple[str, list[str]]:
    """Name the best of a ranking, and those that cannot be told from it."""
    best = table.index[0]
    return best, [n for n in table.index[1:] if not table.loc[n, "behind"]]


def _say_columns(content: Content) -> str:
    """Say how many columns the counts support."""
    verdicts = content.verdicts
    if verdicts is None:
        return "columns cannot be judged"
    if not len(verdicts.columns):
        return "no column is found"
    yes, no, open_ = ((verdicts.verdicts == kind).sum() for kind in VERDICTS)
    number = len(verdicts.columns)
    what = "the one column" if number == 1 else f"{number} columns"
    return (
        f"of {what} that the network shows, the counts support {yes}, rule out {no} "
        f"and leave {open_} undecided"
    )


def say_ranking(content: Content) -> list[str]:
    """Say what the ranking tells, and what it does not."""
    table, options = content.ranking, content.options
    best, near = list_near(table)
    behind = [n for n in table.index[1:] if n not in near]
    first = f"{start(name_denoiser(best))} comes first."
    if behind:
        first += f" Behind it: {join(behind)}."
    if near:
        first += f" Cannot be told from it: {join(near)}."
    times = "once" if options.splits == 1 else f"{options.splits} times"
    said = [
        first,
        f"How this is known without a clean image: the electrons are split {times} at "
        "random into two halves. A denoiser sees one, and is compared with the other, "
        "which it has not seen. So this is the ranking at half of this dose, "
        f"{table.attrs['dose']:.3g} electrons per pixel; at the whole dose those that "
        "are close may change places.",
        "A bar is an interval of 95 % for how much more squared error one makes than "
        "the first, in thousandths of the variance of that half's noise in a pixel. "
        "One is behind if all of its bar is above 0. The first was chosen by the same "
        "electrons: the bars of those close to it lie a little too high. How good the "
        "first is by itself is not said here: that drowns in the noise of the other "
        "half.",
    ]
    if not content.report.independent:
        said.append(
            "These counts are not independent, which the split takes for granted: the "
            "order of those that are close is not to be believed."
        )
    return said


def say_residuals(name: str, test: ResidualTest, spread: float) -> str:
    """Say whether an estimate leaves more than noise.

    `spread`: how much more neighbours vary than independent counts.
    """
    error, low, high = (100 * x for x in test.error)
    off = (
        f"In blocks of {test.side} x {test.side} pixels it is off by "
        f"{error:.2g} % (95 % interval {low:.2g} to {high:.2g} %)."
        if low > 0
        else f"In blocks of {test.side} x {test.side} pixels it is off by at most "
        f"{high:.2g} %, if at all."
    )
    if high <= 0:
        off = "What is left varies a little less than independent counts do."
    numbers = (
        f"dispersion {test.dispersion:.3f} (1 if only chance is left), product of "
        f"neighbours {test.correlation:+.3f} (0), p {say_p(test.p_value)}"
    )
    if test.p_low < SURE:
        return (
            f"{name}: {numbers}. What is left varies less than independent counts do "
            f"(p {say_p(test.p_low)}): electrons that arrive together were counted as "
            "one, or counts were averaged. The test cannot tell then what is missed."
        )
    if test.p_value < SURE or len(test.places):
        where = (
            f" Ringed: where the difference alone is no chance ({len(test.places)})."
            if len(test.places)
            else " No single place stands out: it is spread over the image."
        )
        said = f"{name}: the estimate misses something here; {numbers}.{where} {off}"
        if spread > 1 + _SPREAD:
            said += (
                f" Part of it may be the counts' own: between neighbours they vary "
                f"{spread:.3f} times as much as independent electrons do."
            )
        return said
    return f"{name}: nothing but chance is seen; {numbers}. {off}"


def say_p(value: float) -> str:
    """Write a probability; the smallest that was drawn is an upper bound."""
    return f"= {value:.2g}" if value > 0.0101 else "< 0.01"


def say_inventions(table: pd.DataFrame) -> list[str]:
    """Say what is invented and lost, before and after the verdict."""
    sums = sum_inventions(table)
    images, draws = table["image"].nunique(), int(table["draw"].nunique())

    def tell(name: str) -> str:
        mean, error = sums[name]
        # of nothing in n images there may be 3 / n in one, with 95 %
        return (
            f"{mean:.1f} ± {error:.1f}" if mean else f"none (so up to {3 / images:.1g})"
        )

    said = [
        f"Of {sums['seen'][0]:.0f} columns of the particle that a clean image shows, "
        f"the network loses {tell('lost')}, and it invents {tell('invented')} where "
        f"there is none: means of an image, over {images} images"
        + (f", each counted {draws} times" if draws > 1 else "")
        + ", with their standard errors."
    ]
    if table["invented after"].isna().any():
        reasons = sorted({r for r in table["reason"] if r})
        said.append("The verdict refuses some of these counts: " + "; ".join(reasons))
    else:
        said.append(
            "If only the columns are shown that the counts support, "
            f"{tell('lost after')} are lost and {tell('invented after')} invented."
        )
    return said


def start(words: str) -> str:
    """Begin a sentence."""
    return words[:1].upper() + words[1:]


def join(words: list[str]) -> str:
    """Join words with commas and an and."""
    words = [name_denoiser(word) for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def say_number(value: float | None, digits: int = 3) -> str:
    """Write a number, or that there is none."""
    known = value is not None and not np.isnan(value)
    return f"{value:.{digits}g}" if known else "none"


def tell_outcome(numbers: dict) -> list[str]:
    """Tell the outcome in a terminal: the sentence, and what was not done."""
    skipped = [f"not done: {part}: {why}" for part, why in numbers["not done"].items()]
    return [numbers["summary"], *skipped]
