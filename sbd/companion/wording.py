"""Words of pages: which files a copy was made with, numbers with errors, lists."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbd.data.examples import Micrograph

if TYPE_CHECKING:
    from IPython.display import Markdown

_MEASURED = Path(__file__).resolve().parents[2] / "book" / "measured"

STAND_IN = (
    "**This copy shows a stand-in.** It was made without the authors' files, so {what}."
    " A copy made with them shows other numbers."
)
"""What the first lines of a page say where the authors' files were not at hand."""


def describe_dose(dose: float, pixel_size: float) -> str:
    """Write a dose [electrons per pixel] with what it is per square angstrom."""
    return f"{dose:.2g} e/pixel = {dose / pixel_size**2:.0f} e/\u00c5\u00b2"


def describe_micrograph(micrograph: Micrograph) -> str:
    """Say in a heading which image is shown, and at which dose in both units."""
    name = micrograph.title.partition(",")[0]
    verb = "recorded at about" if micrograph.clean is None else "counted at"
    return f"{name}, {verb} {describe_dose(micrograph.vacuum, micrograph.pixel_size)}"


def tell_image(micrograph: Micrograph) -> "Markdown":
    """Say on which image a page is shown, and whether it stands in for another."""
    what = describe_micrograph(micrograph)
    if micrograph.source == "simulated":
        return markdown(STAND_IN.format(what=f"the page is made on {what}"))
    truth = "not known" if micrograph.clean is None else "known"
    return markdown(f"The image of this copy: {what}. Its truth is {truth}.")


def tell_copy(*, whole: bool, shown: str, missing: str) -> "Markdown":
    """Say what a page shows, or, where the authors' files are missing, what instead."""
    return markdown(shown if whole else STAND_IN.format(what=missing))


def markdown(words: str) -> "Markdown":
    """Make a cell show words as prose."""
    from IPython.display import Markdown

    return Markdown(words)


def with_error(value: float, error: float, *, digits: int = 2) -> str:
    """Write a value and its standard error, both to one or two digits of the error.

    To no more than one digit beyond `digits` behind the point, and without an error
    (NaN, or none at all) to `digits`.
    """
    if not (math.isfinite(error) and error > 0):
        return f"{value:.{digits}f}"
    leading = math.floor(math.log10(error))
    behind = max(0, 1 - leading if error / 10**leading < 2.95 else -leading)
    behind = min(behind, digits + 1)
    return f"{value:.{behind}f} \u00b1 {error:.{behind}f}"


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
        "behind, at 95 %": ["yes" if sure else "" for sure in table["behind"]],
    }, table.index)  # fmt: skip


def read_measured(name: str) -> dict[str, Any]:
    """Read a file of ``book/measured``; empty in an installed package, without them."""
    path = _MEASURED / f"{name}.json"
    return json.loads(path.read_text("utf8")) if path.is_file() else {}
