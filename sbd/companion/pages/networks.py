"""Draw how far a network can be trusted: training, doses, vacuum, columns."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from sbd.audits.benchmark_audit import found_by_score, tabulate_inspections
from sbd.audits.inspection import Inspection
from sbd.columns.finding import box_around
from sbd.plotting.charts import name_chart, name_lines, scale_doses
from sbd.plotting.colours import BRICK, GREEN, GREY, INK, OCHRE, SCARLET, SKY, STEEL
from sbd.plotting.images import (
    LEGEND,
    TITLE_ROOM,
    WIDTH,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.typing import Image

# The first method is what the figure is about.
_COLOURS = (BRICK, STEEL, GREY, OCHRE, GREEN, INK)
_MARKERS = "osD^v*"
_LOST, _INVENTED = SKY, SCARLET


def show_training(card: Mapping) -> Figure:
    """Draw how a network's weights came about: PSNR and loss by step, run by run.

    `card` holds the ``curve`` and the settings of ``run 1``, ``run 2``, ...
    """
    curve = pd.DataFrame(card["curve"])
    runs = {name: card[name] for name in card if name.startswith("run ")}
    ends = np.cumsum([run["steps"] for run in runs.values()])
    which = np.searchsorted(ends, curve["step"]).clip(max=len(runs) - 1)
    fig, panels = arrange_panels("ab", height=0.36 * WIDTH)
    for i, (name, run) in enumerate(runs.items()):
        part = curve[which == i]
        colour = _COLOURS[(len(runs) - 1 - i) % len(_COLOURS)]  # the last is the net
        look = {"color": colour, "linewidth": 1.2, "label": f"{name}: {run['class']}"}
        panels["a"].plot(part["step"], part["psnr"], **look)
        panels["b"].plot(part["step"], part["loss"], **look)
    for ax in panels.values():
        for end in ends[:-1]:
            ax.axvline(end, color=INK, linewidth=0.6, linestyle=":")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    panels["a"].legend(loc="lower right", **LEGEND)
    panels["b"].ticklabel_format(axis="y", scilimits=(-2, 3))
    name_chart(panels["a"], "(a) On validation images", "step", "PSNR (dB)")
    name_chart(panels["b"], "(b) On training images", "step", "loss")
    return fig


def show_doses(
    table: pd.DataFrame, *, trained: tuple[float, float] | None = None
) -> Figure:
    """Draw the quality of denoisers by dose, for each image of `sbd.dose_curve`.

    `trained` is the lowest and highest dose that was learnt from, to be shaded
    [e/pixel].
    """
    images = list(dict.fromkeys(table["image"]))
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, height=0.42 * WIDTH)
    for name, image in zip(names, images, strict=True):
        part = table[table["image"] == image]
        mean = part.groupby(["method", "dose"], sort=False)["psnr"].mean()
        _draw_methods(panels[name], {k: mean[k] for k in dict.fromkeys(part["method"])})
        scale_doses(panels[name], part["dose"])
        if trained is not None:
            panels[name].axvspan(*trained, color="#f1f1f1", linewidth=0, zorder=0)
        title = textwrap.fill(f"({name}) {image}", 44)
        name_chart(panels[name], title, "dose (e/pixel)", "PSNR (dB)")
    panels["a"].legend(loc="lower right", **LEGEND)
    low, high = table["psnr"].min(), table["psnr"].max()
    for ax in panels.values():
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return fig


def show_vacuum(
    maps: Mapping[str, Image], responses: Mapping[str, pd.DataFrame], *, dose: float
) -> Figure:
    """Draw what denoisers make of nothing: maps, and `sbd.vacuum_response` by dose.

    Each map is without its mean, on a scale of three of its standard deviations; below,
    how much deviates and how much of that is periodic.
    """
    *letters, first, second = "abcdefgh"[: len(maps) + 2]
    mosaic = [
        [letter for letter in letters for _ in range(2)],
        [first] * len(maps) + [second] * len(maps),
    ]
    heights = [WIDTH / len(maps), 0.36 * WIDTH]
    fig, panels = arrange_panels(
        mosaic, height=sum(heights) + 2 * TITLE_ROOM, heights=heights
    )
    for letter, (name, image) in zip(letters, maps.items(), strict=True):
        percent = 100 * (image - image.mean()) / dose
        limit = 3 * float(percent.std()) or 1.0
        title = f"({letter}) {name}"
        show_map(panels[letter], percent, title=title, limit=limit, colour_bar=False)
        panels[letter].set_xlabel(f"\u00b1{limit:.2g} % of the dose")
    curves = {name: table.set_index("dose") for name, table in responses.items()}
    _draw_methods(panels[first], {k: 100 * t["relative"] for k, t in curves.items()})
    _draw_methods(panels[second], {k: t["peaks"] for k, t in curves.items()})
    panels[first].set_yscale("log")
    panels[second].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[second].set_ylim(-0.04, 1.04)
    panels[first].legend(loc="lower left", **LEGEND)
    words = {first: ("How much", "deviation (% of the dose)"),
             second: ("How much of it is periodic", "share of the power")}  # fmt: skip
    for letter, (title, up) in words.items():
        scale_doses(panels[letter], next(iter(responses.values()))["dose"])
        name_chart(panels[letter], f"({letter}) {title}", "dose (e/pixel)", up)
    return fig


def show_inspections(inspections: Sequence[Inspection], *, heading: str = "") -> Figure:
    """Draw at most eight clean images above denoised ones, and mark what differs.

    Both on one grey scale; circles where a column was lost, crosses where one was
    invented. The titles tell the defocus, and the median score that the columns can
    reach.
    """
    names = "abcdefgh"[: len(inspections)]
    top, left, tall, wide = _around(inspections)
    inside = np.s_[top : top + tall, left : left + wide]
    panel = WIDTH / len(names) * tall / wide
    fig, panels = arrange_panels(
        [list(names.upper()), list(names)],
        height=2 * panel + TITLE_ROOM * (2.2 + bool(heading)),
        heading=heading,
    )
    for name, one in zip(names, inspections, strict=True):
        score = one.counts["score"]
        title = f"({name}) {one.labels['defocus']:g} nm, score {score:.1f}"
        shown = show_image(panels[name.upper()], one.clean[inside], title=title)
        ax = panels[name]
        show_image(ax, one.denoised[inside], limits=shown.get_clim())
        lost, made = (
            (places - (top, left)).T[::-1]
            for places in (one.columns[one.lost], one.false[one.invented])
        )
        ring = {"s": 40, "facecolors": "none", "edgecolors": _LOST}
        ax.scatter(*lost, linewidths=1.2, label="lost", **ring)
        cross = {"s": 30, "c": _INVENTED, "marker": "x"}
        ax.scatter(*made, linewidths=1.4, label="invented", **cross)
        ax.set(xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.5))
    for name, words in ((names[0].upper(), "clean"), (names[0], "denoised")):
        panels[name].set_ylabel(words)
    name_lines(panels[names[0]], 2)
    return fig


def show_column_audit(inspections: Mapping[str, Sequence[Inspection]]) -> Figure:
    """Draw which columns of one focal series are found, and how many are invented.

    By defocus, beside what the finder sees in the clean image; and the share found by
    score.
    """
    fig, panels = arrange_panels("abc", height=0.36 * WIDTH)
    series = {
        name: tabulate_inspections(ones).set_index("defocus").sort_index()
        for name, ones in inspections.items()
    }
    limit = next(iter(series.values()))["limit"]
    dots = {"color": INK, "linewidth": 0.9, "linestyle": ":"}
    panels["a"].plot(limit.index, limit, label="clean image", **dots)
    by_score = {name: found_by_score(ones) for name, ones in inspections.items()}
    _draw_methods(panels["a"], {k: t["found_share"] for k, t in series.items()})
    _draw_methods(panels["b"], {k: t["invented"] for k, t in series.items()})
    _draw_methods(panels["c"], {k: t["found_share"] for k, t in by_score.items()})
    for name in "ac":
        panels[name].yaxis.set_major_formatter(PercentFormatter(1.0))
        panels[name].set_ylim(-0.04, 1.04)
    panels["a"].legend(loc="lower right", **LEGEND)
    panels["b"].yaxis.set_major_locator(MaxNLocator(integer=True))
    across, score = "defocus (nm)", "score, at least (std. dev.)"
    name_chart(panels["a"], "(a) Columns found", across, "share of the columns")
    name_chart(panels["b"], "(b) Columns invented", across, "in one image")
    name_chart(panels["c"], "(c) Found, by evidence", score, "share of the columns")
    return fig


def _around(inspections: Sequence[Inspection]) -> tuple[int, int, int, int]:
    """Frame the particles of all images, with room for what is invented around them."""
    columns = np.concatenate([one.columns for one in inspections])
    low, high = columns.min(axis=0), columns.max(axis=0)
    room = 0.5 * (high - low).min() + 4
    size = tuple(int(n) for n in high - low + 2 * room)
    return box_around((low + high) / 2, size, inspections[0].clean.shape)


def _draw_methods(ax: Axes, curves: Mapping[str, pd.Series]) -> None:
    """Draw a line for each method; the first stands out."""
    for i, (name, curve) in enumerate(curves.items()):
        look = {"color": _COLOURS[i % len(_COLOURS)], "label": name}
        look |= {"marker": _MARKERS[i % len(_MARKERS)], "markersize": 4 if i else 5}
        ax.plot(curve.index, curve, linewidth=1.0 if i else 1.6, **look)
