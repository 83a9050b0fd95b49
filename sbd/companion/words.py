"""Phrases that pages put together from names and numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from sbd.companion.wording import STAND_IN, markdown, with_error

if TYPE_CHECKING:
    from IPython.display import Markdown


def tell_copy(*, whole: bool, shown: str, missing: str) -> "Markdown":
    """Say what a page shows, or, where the authors' files are missing, what instead."""
    return markdown(shown if whole else STAND_IN.format(what=missing))


def with_sign(value: float, error: float) -> str:
    """Write a difference with its standard error, and a plus where it is above 0."""
    written = with_error(value, error)
    return written if written.startswith("-") else f"+{written}"


def list_names(names: Sequence[str], last: str = "and") -> str:
    """Put names into one phrase: ``a, b and c``."""
    *most, end = names or ["none"]
    return f"{', '.join(most)} {last} {end}" if most else end


def tabulate_ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Write `sbd.recordings.rank_denoisers` in thousandths of the noise's variance."""
    ends = zip(1e3 * table["low"], 1e3 * table["high"], strict=True)
    return pd.DataFrame({
        "behind by (1/1000 of the noise's variance)": [
            f"{1e3 * x:.2f}" for x in table["worse by"]
        ],
        "interval of 95 %": [f"{low:.2f} to {high:.2f}" for low, high in ends],
        "behind for sure": ["yes" if sure else "" for sure in table["behind"]],
    }, table.index)  # fmt: skip
