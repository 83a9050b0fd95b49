"""Draw the map of one draw beside its verdicts, and tell how often the map is right."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from sbd.columns.finding import Columns, box_around
from sbd.companion.wording import describe_micrograph
from sbd.data.examples import Micrograph
from sbd.evidence.likelihood import LikelihoodMap
from sbd.evidence.verdicts import VERDICTS, ColumnVerdicts
from sbd.plotting.images import (
    LEGEND,
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.plotting.marks import mark_arrow, mark_box, mark_scale
from sbd.plotting.verdicts import DARK, INVENTED, LOOKS, mark_places, sample_mark

MEASURED = Path(__file__).resolve().parents[3] / "book" / "measured" / "inventions.json"
"""What `make inventions` wrote; an installed package is without it."""

_ZOOM = 110, 220  # (height, width) of the surroundings of the weakest column [pixels]
# finer than where one image is all; sizes are in points, not times a column's
_LOOKS = {
    "supported": replace(LOOKS["supported"], line=1.3, size=5.5),
    "undecided": replace(LOOKS["undecided"], size=5.0),
    "ruled out": replace(LOOKS["ruled out"], line=1.5, size=5.0),
    "invented": replace(INVENTED, line=1.3, size=6.5),
}
_LEVELS = "0.01", "0.05", "0.5"
_SOURCES = {"authors": "authors' image", "simulated": "bundled image"}
_FORMS = {"pixels": "each pixel", "mean": "disc means"}


def show_map_and_verdicts(
    micrograph: Micrograph,
    likelihood: LikelihoodMap,
    judged: ColumnVerdicts,
    weakest: int,
    *,
    false: NDArray[np.bool_] | None = None,
    heading: str = "",
) -> Figure:
    """Draw the paper's map, the verdicts, and both round the weakest column, larger.

    Which columns are `false` is marked in every panel, if it is known.
    """
    denoised, columns = judged.denoised, judged.columns
    height, width = denoised.shape
    tall = WIDTH / 3.3 * height / width
    room = TITLE_ROOM * (4 + heading.count("\n"))
    mosaic = [["a", "b", "c"], ["d", "e", "f"], ["d", "g", "h"]]
    fig, panels = arrange_panels(
        mosaic, height=2 * tall + room, heights=(2, 1, 1), heading=heading
    )
    limit = float(np.quantile(np.abs(likelihood.ratios), 0.98))
    unit = "log likelihood ratio (nats/pixel)"
    show_image(panels["a"], micrograph.noisy, title="(a) Data", limits="robust")
    whole = show_image(panels["b"], denoised, title="(b) Denoised image")
    title = "(c) Likelihood map, same counts"
    show_map(panels["c"], likelihood.image, title=title, label=unit, limit=limit)
    grey = {"limits": whole.get_clim()}
    show_image(panels["d"], denoised, title="(d) Verdicts, other counts", **grey)
    place, angle = columns.positions[weakest], free_angle(columns.positions, weakest)
    top, left, *size = box = box_around(place, _ZOOM, denoised.shape)
    inside = np.s_[top : top + size[0], left : left + size[1]]
    show_image(panels["e"], micrograph.noisy[inside], title="(e) Data", limits="robust")
    show_image(panels["f"], denoised[inside], title="(f) Denoised", **grey)
    shown = likelihood.image[inside]
    show_map(panels["g"], shown, title="(g) Map", limit=limit, colour_bar=False)
    show_image(panels["h"], denoised[inside], title="(h) Verdicts", **grey)
    add_bar(panels["f"], panels["f"].images[0], "e/pixel")
    add_bar(panels["h"], panels["h"].images[0], "e/pixel")
    for name, ax in panels.items():
        if name in "abe":  # no column there would be hidden
            mark_scale(ax, micrograph.pixel_size, length=None)
        corner, scale = ((0, 0), 1.0) if name in "abcd" else ((top, left), 2.3)
        if name in "dh":
            for kind in ("undecided", "supported", "ruled out"):
                some = judged.verdicts == kind
                _mark(ax, columns[some], kind, corner, scale)
        if false is not None:
            _mark(ax, columns[false], "invented", corner, scale)
        if name in "abcd":
            mark_box(ax, box, "white" if name in "abd" else DARK, line_width=1.0)
        else:
            arrow = mark_arrow(ax, place - (top, left), gap=9.0, angle=angle)
            around = [withStroke(linewidth=3.0, foreground="white")]
            arrow.arrow_patch.set_path_effects(around)
    _name_marks(fig, judged, known=false is not None)
    return fig


def free_angle(positions: NDArray[np.float64], weakest: int) -> float:
    """Find from where an arrow to a column stays farthest from all others [degrees].

    Of eight directions, the first of the best, from above on.
    """
    angles = 90.0 + 45.0 * np.arange(8)
    turn = np.deg2rad(angles)
    away = np.stack([-np.sin(turn), np.cos(turn)], axis=1)
    shafts = positions[weakest] + away[:, None] * np.linspace(14, 34, 5)[:, None]
    others = np.delete(positions, weakest, axis=0)
    if not len(others):
        return float(angles[0])
    gaps = np.linalg.norm(shafts[:, :, None] - others, axis=-1).min((1, 2))
    return float(angles[gaps.round(6).argmax()])


def _name_marks(fig: Figure, judged: ColumnVerdicts, *, known: bool) -> None:
    """Say below the figure what the marks mean."""
    names = {kind: f"{(judged.verdicts == kind).sum()} {kind}" for kind in _LOOKS}
    names["invented"] = "not there in truth"
    kinds = [kind for kind in _LOOKS if kind != "invented" or known]
    looks = [_LOOKS[kind] for kind in kinds]
    marks = [sample_mark(look, look.size, look.line) for look in looks]
    where = {"loc": "outside lower center", "ncols": len(kinds)}
    fig.legend(marks, [names[kind] for kind in kinds], **where, **LEGEND)


def _mark(
    ax: Axes, columns: Columns, kind: str, corner: tuple[int, int], scale: float
) -> None:
    """Mark those columns that a panel shows, from its upper left corner on."""
    places = columns.positions - corner
    shape = ax.images[0].get_array().shape
    shown = ((places >= 0) & (places < shape)).all(1)
    mark_places(ax, places[shown], _LOOKS[kind], scale)


def count_draw(
    likelihood: LikelihoodMap,
    judged: ColumnVerdicts,
    weakest: int,
    *,
    false: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Count columns by verdict, and the inventions that each way lets pass."""
    numbers = {
        "columns": len(judged.columns),
        "weakest": [round(float(x)) for x in judged.columns.positions[weakest]],
        "vacuum_ratio": round(float(likelihood.vacuum_ratio), 3),
        **{kind: int((judged.verdicts == kind).sum()) for kind in VERDICTS},
    }
    if false is None:
        return numbers
    return numbers | {
        "invented": int(false.sum()),
        "invented_positive": int((likelihood.ratios[false] > 0).sum()),
        "invented_supported": int(judged.supported[false].sum()),
        "arrow_at_invented": bool(false[weakest]),
    }


def read_odds(path: Path = MEASURED) -> dict[str, Any]:
    """Read what repeating the map gave, by source; empty where it is not at hand."""
    record = json.loads(path.read_text("utf8")) if path.is_file() else {}
    return {name: record[name] for name in _SOURCES if name in record}


def describe_draw(
    micrograph: Micrograph,
    seed: int,
    odds: Mapping[str, Any],
    *,
    false: NDArray[np.bool_] | None,
    weakest: int,
) -> str:
    """Say in a heading which draw it is, and how it was selected from how many."""
    title = describe_micrograph(micrograph)
    first = f"{title}, seed {seed}"
    if false is None:
        return f"{title}\nWhich columns are invented is not known."
    which = "one" if false[weakest] else "none"
    second = f"{false.sum()} of {len(false)} columns invented, {which} under the arrow."
    if micrograph.source in odds:
        mine = odds[micrograph.source]
        number = mine["pixels"]["arrow at an invention, draws"]
        second += f" Of {mine['draws']} draws {mine['draws that invent']} invent; "
        second += f"in {number} one is under the arrow."
    return f"{first}\n{second}"


def count_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Count the columns of a draw by what is said of them and whether they are there.

    `table` is that of `sbd.tabulate_verdicts`, with ``ratio`` and ``truth``.
    """
    words = {True: "map: below zero", False: "map: above zero"}
    both = pd.concat(
        [
            table.assign(says=(table["ratio"] < 0).map(words)),
            table.assign(says="held-back counts: " + table["verdict"]),
        ]
    )
    return pd.crosstab(both["says"], both["truth"]).rename_axis(
        index="what is said of a column", columns="in truth"
    )


def list_weakest(table: pd.DataFrame, number: int = 8) -> pd.DataFrame:
    """List the columns with the lowest scores, in words and with units."""
    some = table.sort_values("score").head(number)
    places = zip(some["row [pixels]"], some["column [pixels]"], strict=True)
    return pd.DataFrame(
        {
            "row, column (pixels)": [
                f"{row:.0f}, {column:.0f}" for row, column in places
            ],
            "map: mean ratio (nats/pixel)": some["ratio"].map("{:.3f}".format),
            "map: score (s.d. of vacuum)": some["score"].map("{:.2f}".format),
            "held-back counts: p if absent": some["p if absent"].map("{:.2g}".format),
            "verdict": some["verdict"],
            "in truth": some["truth"],
        }
    ).set_index("row, column (pixels)")


def tabulate_odds(odds: Mapping[str, Any]) -> pd.DataFrame:
    """List how often the map finds what was invented, by image and form of the map."""
    table = {}
    for source, entry in odds.items():
        for form, words in _FORMS.items():
            some = entry[form]
            rows = {
                "draws": entry["draws"],
                "draws that invent a column": entry["draws that invent"],
                "draws with the arrow at one": some["arrow at an invention, draws"],
                "inventions": entry["invented"],
                "inventions with a positive ratio": some[
                    "inventions with a positive ratio"
                ],
                "discs with a negative ratio": some["discs with a negative ratio"],
                "true columns among these": some["of those true columns"],
                "AUC of the ratio": _with_error(some["AUC of the ratio"]),
                "AUC of the score": _with_error(some["AUC of the score"]),
            }
            for counts in ("the same counts", "fresh counts"):
                shares = some[f"inventions: share of p-values on {counts}"]
                rows |= {
                    f"inventions with p \u2264 {level} on {counts}": _with_error(
                        shares[f"up to {level}"]
                    )
                    for level in _LEVELS
                }
            table[_SOURCES[source], words] = rows
    return pd.DataFrame(table)


def _with_error(entry: Mapping[str, float | None]) -> str:
    """Write a value with its standard error."""
    if entry["value"] is None:
        return "none"
    return f"{entry['value']:.2f} \u00b1 {entry['standard error']:.2f}"
