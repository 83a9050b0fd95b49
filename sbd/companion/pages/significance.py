"""Draw what the counts say about columns: calibration, verdicts, the dose it takes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns
from sbd.columns.surfaces import surface_columns
from sbd.companion.wording import markdown, with_error
from sbd.evidence.erasure import erase_columns
from sbd.evidence.verdicts import VERDICTS, ColumnVerdicts
from sbd.plotting.charts import name_chart, name_lines
from sbd.plotting.colours import BRICK, GREEN, INK, OCHRE, STEEL
from sbd.plotting.images import WIDTH, arrange_panels, show_image
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL
from sbd.typing import Image

if TYPE_CHECKING:
    from IPython.display import Markdown

MEASURED = Path(__file__).resolve().parents[3] / "book/measured/vacuum_counts.json"
"""What `make recorded` wrote; an installed package is without it."""

_WAYS = "simulated, on a grid", "on a grid", "by chance"
_TESTED = {  # ways of `sbd.evidence.calibration.calibrate`
    "independent": "on other counts",
    "split": "on the second part of a split recording",
    "same": "on the counts that made the claim",
}
_COLOURS = (STEEL, GREEN, BRICK, OCHRE)
_REACH = 40  # pixels around a column that is shown
_LEVEL = 0.05  # of the test that p-values are spread evenly


def group_p_values(
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Sort the p-values of `calibrate` by denoiser, then by way of testing."""
    return {
        name: {
            way: rows["p"].to_numpy() for way, rows in table.groupby("way", sort=False)
        }
        for name, table in tables.items()
    }


def count_verdicts(
    judged: ColumnVerdicts, false: NDArray[np.bool_]
) -> dict[str, int | float]:
    """Count columns by verdict, and those that are `false` among them."""
    return {
        "columns": len(false),
        "not there": int(false.sum()),
        "supported": int(judged.supported.sum()),
        "supported, not there": int((judged.supported & false).sum()),
        "ruled out": int(judged.ruled_out.sum()),
        "mean power": round(float(judged.power[~false].mean()), 2),
    }


def tabulate_truth(
    judged: ColumnVerdicts, again: ColumnVerdicts, false: NDArray[np.bool_]
) -> pd.DataFrame:
    """Count verdicts on columns that are there or not, and changes of verdict."""
    rows = {}
    for name, some in (("not there", false), ("there", ~false)):
        kinds = judged.verdicts[some]
        changed = np.mean(kinds != again.verdicts[some]) if some.any() else 0.0
        rows[name] = {kind: np.count_nonzero(kinds == kind) for kind in VERDICTS}
        rows[name]["changed by another seed"] = f"{changed:.1%}"
    return pd.DataFrame(rows).T


def show_calibration(p_values: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Draw how often p-values of columns that are not there are as small as they say.

    By panel, then by way of testing. Those of a calibrated test lie on the diagonal,
    those above it promise too much.
    """
    names = "abcdef"[: len(p_values)]
    fig, panels = arrange_panels(names, height=WIDTH / len(names) * 1.05)
    least = 0.3 / max(len(p) for each in p_values.values() for p in each.values())
    for name, (title, each) in zip(names, p_values.items(), strict=True):
        ax = panels[name]
        ax.plot([least, 1], [least, 1], color=INK, linewidth=0.8, linestyle=":")
        for (way, values), colour in zip(each.items(), _COLOURS, strict=False):
            values = np.sort(values)
            share = np.arange(1, len(values) + 1) / len(values)
            label = _TESTED.get(way, way)
            ax.step(values, share, where="post", color=colour, label=label, lw=1.3)
        ax.set(xscale="log", yscale="log", xlim=(least, 1), ylim=(least, 1.1))
        ax.set_aspect("equal")
        name_chart(ax, f"({name}) {title}", "level", "share of p-values up to it")
    name_lines(panels["a"], len(_TESTED))
    return fig


def tabulate_calibration(sums: pd.DataFrame) -> pd.DataFrame:
    """Write `summarise_calibration` of several denoisers in per cent, with errors.

    Of the test's p-value, which a rounding of the claims moves by a tenth, only whether
    it is below the level.
    """
    rows = {}
    for (name, way), row in sums.iterrows():
        told = {"discs": int(row["discs"])}
        for level in (0.01, 0.05):
            share = row[f"up to {level:g}"]
            error = (share * (1 - share) / row["discs"]) ** 0.5
            told[f"p \u2264 {level:g} (%)"] = with_error(100 * share, 100 * error)
        told["spread evenly"] = "yes" if row["KS"] >= _LEVEL else "no"
        rows[name, _TESTED.get(way, way)] = told
    return pd.DataFrame(rows).T.rename_axis(["denoiser", "tested"])


def list_calibration(sums: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Give the shares of `summarise_calibration` to a figure.

    Without the test's p-value, which hangs on a rounding of the claims.
    """
    shares = sums.drop(columns="KS").round(3)
    return {", ".join(way): row for way, row in shares.to_dict("index").items()}


def tabulate_draws(table: pd.DataFrame) -> pd.DataFrame:
    """Write `sbd.evidence.calibration.judge_repeatedly`, and what all draws say."""
    told = pd.DataFrame({
        "columns invented": table["invented"],
        "of them supported": table["let pass"],
        "true columns": table["true"],
        "of them supported (%)": [f"{100 * share:.0f}" for share in table["supported"]],
        "expected by their power (%)": [f"{100 * x:.0f}" for x in table["expect"]],
    })  # fmt: skip
    told.index = [f"draw {k + 1}" for k in range(len(table))]
    means, errors = table.mean(), table.sem()
    shares = [
        with_error(100 * means[name], 100 * errors[name])
        for name in ("supported", "expect")
    ]
    whole = [int(table[name].sum()) for name in ("invented", "let pass", "true")]
    told.loc["all"] = [*whole, *shares]
    return told


def tell_draws(table: pd.DataFrame) -> "Markdown":
    """Say how often columns are invented, and how many of them the test lets pass."""
    draws, found = len(table), int(table["invented"].sum())
    if not found:
        return markdown(
            f"In {draws} draws of the counts the network invents no column."
        )
    rate = with_error(table["invented"].mean(), table["invented"].sem(), digits=1)
    passed = int(table["let pass"].sum())
    verb = "is" if passed == 1 else "are"
    return markdown(
        f"In {draws} draws of the counts the network invents {rate} columns an image; "
        f"of {found} in all, {passed} {verb} supported."
    )


def choose_columns(columns: Columns, shape: tuple[int, int], number: int) -> Columns:
    """Choose columns whose surroundings lie in the image, half of them of a surface."""
    places = columns.positions
    inner = ((places >= _REACH) & (places < np.subtract(shape, _REACH))).all(1)
    rim, columns = surface_columns(columns)[inner], columns[inner]
    groups = [np.flatnonzero(rim), np.flatnonzero(~rim)]
    if min(map(len, groups)) < number // 2:
        groups = [np.arange(len(columns))]
    some = [
        group[np.linspace(0, len(group) - 1, number // len(groups)).astype(int)]
        for group in groups
        if len(group)
    ]
    return columns[np.concatenate([np.empty(0, int), *some])]


def tabulate_recorded(path: Path = MEASURED) -> "pd.DataFrame | Markdown":
    """List how p-values of columns spread in recorded vacuum; words without the file.

    A row for each dose, place of the discs and sign of the column, in discs of 8
    pixels; the vacuum is that of the other frames.
    """
    if not path.is_file():
        return markdown("What was measured is not part of an installed package.")
    rows = {}
    for dose, ways in json.loads(path.read_text("utf8"))["p-values"].items():
        for way in _WAYS:
            for disc, found in ways[way].items():
                vacuum, radius, kind = disc.split(", ")
                if (vacuum, radius) == ("field", "radius 8"):
                    share = f"{100 * found['up to 0.05']:.1f}"
                    error = f"{100 * found['up to 0.05, standard error']:.1f}"
                    rows[dose, way, kind] = {
                        "discs": found["discs"],
                        "p \u2264 0.05 (%)": f"{share} \u00b1 {error}",
                        "p > 0.95 (%)": f"{100 * found['over 0.95']:.1f}",
                        "KS": found["KS"],
                    }
    return pd.DataFrame(rows).T.rename_axis(["counts", "discs lie", "column"])


def show_erased(
    image: Image, columns: Columns, *, heading: str = ""
) -> tuple[Figure, NDArray[np.float64]]:
    """Draw places of an image with their column and, below, without it.

    Also returns how far each of these is to be doubted, as a part of the column.
    """
    erased = erase_columns(image, columns)
    doubts = erased.doubts[:, 1]
    which, pixels = disc_pixels(erased.columns, image.shape)
    upper, lower = "abcdefgh"[: len(columns)], "ijklmnop"[: len(columns)]
    height = 2.25 * WIDTH / len(columns)
    fig, panels = arrange_panels(
        f"{upper};{lower}", width=WIDTH, height=height, heading=heading
    )
    padded = np.pad(image, _REACH, mode="edge")
    for k, (above, below) in enumerate(zip(upper, lower, strict=True)):
        without = padded.copy()
        rows, cols = (axis[which == k] + _REACH for axis in pixels)
        without[rows, cols] = erased.means[which == k]
        row, col = np.rint(columns.positions[k]).astype(int)
        cut = np.s_[row : row + 2 * _REACH + 1, col : col + 2 * _REACH + 1]
        limits = float(padded[cut].min()), float(padded[cut].max())
        show_image(panels[above], padded[cut], title=f"{doubts[k]:.2f}", limits=limits)
        show_image(panels[below], without[cut], limits=limits)
    mark_scale(panels[lower[0]], PIXEL, length=2.0)
    for name, words in ((upper[0], "with"), (lower[0], "without")):
        panels[name].set_ylabel(words, fontsize=8)
    return fig, doubts
