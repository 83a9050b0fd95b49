"""Draw surfaces of particles, and what denoisers do to their columns."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sbd.audits.placed_atoms import TOLERANCE
from sbd.audits.scenes import Scene, frame_particle
from sbd.columns.finding import Columns, match_columns
from sbd.columns.surfaces import outline_columns, surface_columns
from sbd.plotting.charts import name_chart, name_lines, scale_doses
from sbd.plotting.colours import BRICK, GREEN, GREY, INK, OCHRE, SCARLET, SKY, STEEL
from sbd.plotting.images import (
    LEGEND,
    STYLE,
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
)
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL
from sbd.typing import Image

# Four methods stand out, the last of a table among them; the others are a backdrop.
_NETWORK = (BRICK, "o")
_LIT = {"windowed Fourier": (STEEL, "s"), "PURE-LET": (OCHRE, "D"),
        "Gaussian": (GREEN, "^")}  # fmt: skip
_OTHERS = ("#c9ced4", "")
_COLOURS = STEEL, BRICK, OCHRE  # of scores
_MULTIPLES = 5  # panels in a row
_PAIRS = ("o", "-", None), ("s", "--", "white"), ("^", ":", None)
_ACROSS = 6  # images above the charts
_LINE, _RIGHT, _LOST, _FALSE = "#ffd60a", SKY, "#ffffff", SCARLET
_LEAST = MappingProxyType({"psnr": 18.0})  # the raw counts lie far below
_DOSE = "dose (e/pixel, above; e/\u00c5\u00b2, below)"
_SHARES = {"recall", "precision", "f1", "jaccard", "surface_f1", "surface_jaccard"}


def show_surfaces(
    scene: Scene,
    looks: Mapping[str, tuple[Image, Columns]],
    *,
    size: tuple[int, int] | None = None,
    across: int = 4,
    heading: str = "",
) -> Figure:
    """Draw the outlines of a particle in several images of it, on one grey scale.

    `looks` are images and the columns found in them, by title; `size` (height, width)
    frames the particle [pixels]. Surface columns are discs where the scene has them at
    its surface, too, else crosses; rings are where the scene alone has one.
    """
    names = list("abcdefghijklmnop"[: len(looks)])
    rows = [names[k : k + across] for k in range(0, len(names), across)]
    rows[-1] += ["."] * (len(rows[0]) - len(rows[-1]))
    pixel = scene.specimen.pixel
    stretch = pixel[0] / pixel[1]
    true = _surface(scene, scene.truth.found)
    whole = scene.clean.shape
    top, left, high, wide = frame_particle(scene.specimen, size or whole)
    tall = WIDTH / len(rows[0]) * high / wide * stretch + 2 * TITLE_ROOM
    fig, panels = arrange_panels(
        rows, height=tall * len(rows) + TITLE_ROOM, heading=heading
    )
    limits: str | tuple[float, float] = "full"
    for name, (title, (image, found)) in zip(names, looks.items(), strict=True):
        ax = panels[name]
        inside = image[top : top + high, left : left + wide]
        shown = show_image(ax, inside, title=f"({name}) {title}", limits=limits)
        limits = shown.get_clim()
        ax.title.set_fontsize(7.5)
        ax.set_aspect(stretch)
        edges = outline_columns(found)
        lines = (found.positions[edges] - (top, left))[..., ::-1]
        ax.add_collection(LineCollection(lines, colors=_LINE, linewidths=1.0))
        bare = _surface(scene, found)
        match = match_columns(bare, true, tolerance=TOLERANCE, pixel=pixel)
        right = bare.positions[match.pairs[:, 0]]
        ring = {"s": 26, "facecolors": "none", "edgecolors": _LOST}
        cross = {"s": 24, "color": _FALSE, "marker": "x"}
        marks = {
            "surface in both": (right, {"s": 7, "color": _RIGHT}),
            "surface of the reference only": (true.positions[match.missed], ring),
            "surface of this image only": (bare.positions[match.spurious], cross),
        }
        for label, (places, look) in marks.items():
            ax.scatter(
                *(places - (top, left)).T[::-1],
                linewidths=1.2,
                zorder=3,
                label=label,
                **look,
            )
        ax.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))
        mark_scale(ax, pixel[1], length=None)
    add_bar(panels[names[min(across, len(names)) - 1]], shown)
    legend = name_lines(panels["a"], 3)
    legend.set_in_layout(True)
    for handle in legend.legend_handles[1:2]:
        handle.set_edgecolor(INK)
    return fig


def show_tradeoffs(table: pd.DataFrame, metrics: Mapping[str, str]) -> Figure:
    """Draw scores of `sbd.audit_denoisers` against PSNR, a panel for each method.

    `metrics` names columns of the table, with the words for the legend. Marks are
    larger for more dose; behind them, in grey, lie the first score of all methods.
    """
    methods = list(dict.fromkeys(table["method"]))
    rows = [methods[k : k + _MULTIPLES] for k in range(0, len(methods), _MULTIPLES)]
    mosaic = [row + ["."] * (len(rows[0]) - len(row)) for row in rows]
    fig, panels = arrange_panels(mosaic, height=1.35 * len(rows) + 0.5)
    doses = sorted(set(table["dose"]))
    low, high = table["psnr"].min(), table["psnr"].max()
    first = next(iter(metrics))
    for method in methods:
        ax, mine = panels[method], table[table["method"] == method]
        ax.plot(table["psnr"], table[first], ".", color=_OTHERS[0], ms=2, zorder=1)
        for (metric, words), colour, marker in zip(
            metrics.items(), _COLOURS, "o^s", strict=False
        ):
            size = 5 + 9 * np.searchsorted(doses, mine["dose"])
            look = {"marker": marker, "facecolors": "none", "edgecolors": colour}
            ax.scatter(mine["psnr"], mine[metric], s=size, label=words, **look)
        ax.set_ylim(-0.08, 1.08)
        ax.set_xlim(low - 2, high + 2)
        left, bottom = (
            method in {row[0] for row in rows},
            method in methods[-_MULTIPLES:],
        )
        name_chart(ax, method, "PSNR (dB)" if bottom else "", "score" if left else "")
        ax.set_title(method, fontsize=7.5)
        if not left:
            ax.set_yticklabels([])
    name_lines(panels[methods[0]], len(metrics))
    return fig


def show_focal_series(
    scenes: Mapping[float, Scene],
    table: pd.DataFrame,
    metrics: Mapping[str, str],
    opposed: pd.DataFrame,
    *,
    errors: pd.DataFrame | None = None,
    least: Mapping[str, float] = _LEAST,
) -> Figure:
    """Draw a particle through focus [nm], and how denoisers fare with it.

    Above up to six clean images, with how many columns the finder sees; below a panel
    for each of the `metrics` (with words), and one for `opposed`, the pairs of methods
    that PSNR puts in the opposite order, with their standard errors. `least` is where
    the axes of some metrics begin.
    """
    if not scenes:
        msg = "scenes must hold at least one; got none"
        raise ValueError(msg)
    shown = np.unique(np.geomspace(1, len(scenes), _ACROSS).round().astype(int))
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    above = {next(letters): [*scenes][i - 1] for i in shown}
    below = {next(letters): name for name in (*metrics, "")}
    cells = [[*above] + ["."] * (_ACROSS - len(above))]
    wide = [name for name in below for _ in range(_ACROSS // 2)]
    wide += ["."] * (-len(wide) % _ACROSS)
    cells += [wide[k : k + _ACROSS] for k in range(0, len(wide), _ACROSS)]
    first = next(iter(scenes.values()))
    stretch = first.specimen.pixel[0] / first.specimen.pixel[1]
    tall = WIDTH / _ACROSS * first.clean.shape[0] / first.clean.shape[1] * stretch
    heights = [tall + 2 * TITLE_ROOM] + [0.31 * WIDTH] * (len(cells) - 1)
    fig, panels = arrange_panels(
        cells, height=sum(heights) + 3 * TITLE_ROOM, heights=heights
    )
    for name, defocus in above.items():
        scene, ax = scenes[defocus], panels[name]
        show_image(ax, scene.clean, title=f"({name}) {defocus:g} nm")
        mark_scale(ax, scene.specimen.pixel[1], length=None)
        ax.set_aspect(stretch)
        seen = f"{scene.truth.hit.sum()} of {len(scene.truth.hit)}, {scene.polarity}"
        ax.set_xlabel(seen, fontsize=STYLE["xtick.labelsize"])
    for name, metric in below.items():
        if metric:
            _draw_scores(panels[name], name, table, "defocus", metric, metrics[metric])
            panels[name].set_ylim(bottom=least.get(metric))
        else:
            _draw_pairs(panels[name], name, opposed, metrics, errors)
    name_lines(panels[next(iter(below))], 5)
    return fig


def show_doses(table: pd.DataFrame, metrics: Mapping[str, str]) -> Figure:
    """Draw how denoisers fare by dose: means over the images of `sbd.audit_denoisers`.

    `metrics` names columns of the table, with the words for the axis.
    """
    names = "abcdef"[: len(metrics)]
    fig, panels = arrange_panels(names, height=0.42 * WIDTH + 3 * TITLE_ROOM)
    for name, (metric, words) in zip(names, metrics.items(), strict=True):
        _draw_scores(panels[name], name, table, "dose", metric, words)
        _name_doses(panels[name], table["dose"])
    name_lines(panels["a"], 5)
    return fig


def show_hallucinations(table: pd.DataFrame, vacuum: pd.DataFrame) -> Figure:
    """Draw columns lost and invented by dose, and what becomes of nothing.

    From `sbd.audit_denoisers`, means over the images, and `sbd.audit_vacuum`.
    """
    fig, panels = arrange_panels("ab;cd", height=0.68 * WIDTH + 3 * TITLE_ROOM)
    charts = {
        "a": (table, "lost", "Columns lost", "in one image"),
        "b": (table, "invented", "Columns invented", "in one image"),
        "c": (vacuum, "relative", "Vacuum: deviation", "share of the dose"),
        "d": (vacuum, "columns", "Vacuum: columns found", "in 1 nm²"),
    }
    for name, (rows, value, title, words) in charts.items():
        ax = panels[name]
        _draw_lines(ax, rows, "dose", value)
        name_chart(ax, f"({name}) {title}", _DOSE, words)
        _name_doses(ax, rows["dose"])
        if value == "relative":
            ax.set_yscale("symlog", linthresh=1e-3)
            ax.yaxis.set_major_formatter(
                FuncFormatter(lambda share, _: f"{100 * share:g} %")
            )
        else:
            ax.set_yscale("symlog", linthresh=1.0)
            ax.yaxis.set_major_formatter("{x:g}")
        least = 1e-3 if value == "relative" else 1.0
        top = rows.groupby(["method", "dose"])[value].mean().max()
        ax.set_ylim(-0.05 * least, 1.5 * max(top, least))
    name_lines(panels["a"], 5)
    return fig


def _surface(scene: Scene, columns: Columns) -> Columns:
    """Columns of the particle that touch the vacuum."""
    return columns[
        surface_columns(columns) & scene.specimen.is_particle(columns.positions)
    ]


def _name_doses(ax: Axes, doses: pd.Series) -> None:
    """Give the doses a logarithmic axis, with ticks in both units."""
    scale_doses(ax, doses)
    ticks = sorted(set(doses))
    ax.set_xticks(ticks, [f"{dose:g}\n{dose / PIXEL**2:.0f}" for dose in ticks])


def _draw_lines(ax: Axes, table: pd.DataFrame, along: str, value: str) -> None:
    """Draw a line of means for each method; four with standard errors and names."""
    methods = list(dict.fromkeys(table["method"]))
    dark = [name for name in methods[:-1] if name not in _LIT]
    lit = [name for name in _LIT if name in methods[:-1]] + methods[-1:]
    for method in [*dark, *lit]:
        rows = table[table["method"] == method].groupby(along)[value]
        mean, error = rows.mean(), rows.sem()
        if method in dark:
            label = "others" if method == dark[0] else None
            ax.plot(mean.index, mean, color=_OTHERS[0], lw=0.9, zorder=1, label=label)
            continue
        last = method == methods[-1]
        colour, marker = _NETWORK if last else _LIT[method]
        ax.errorbar(
            mean.index, mean, error if error.notna().all() else None, color=colour,
            marker=marker, ms=3.5, lw=1.7 if last else 1.0, elinewidth=0.8,
            zorder=3 if last else 2, label=method,
        )  # fmt: skip


def _draw_scores(
    ax: Axes, name: str, table: pd.DataFrame, along: str, metric: str, words: str
) -> None:
    """Draw a chart of one metric."""
    _draw_lines(ax, table, along, metric)
    across = {"defocus": "defocus (nm)", "dose": _DOSE}[along]
    name_chart(ax, f"({name}) {words}", across, "")
    if metric in _SHARES:
        ax.set_ylim(-0.04, 1.04)


def _draw_pairs(
    ax: Axes,
    name: str,
    opposed: pd.DataFrame,
    metrics: Mapping[str, str],
    errors: pd.DataFrame | None,
) -> None:
    """Draw the share of pairs that PSNR orders the other way, and a half."""
    for metric, (marker, line, face) in zip(opposed, _PAIRS, strict=False):
        shares, look = opposed[metric], {"marker": marker, "linestyle": line}
        look |= {"markerfacecolor": face, "label": metrics.get(metric, metric)}
        reach = None if errors is None else errors[metric]
        ax.errorbar(shares.index, shares, reach, color=INK, ms=4, lw=1, **look)
    ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":", label="a half")
    name_chart(ax, f"({name}) Pairs of methods in opposite order", "defocus (nm)", "")
    ax.set_ylim(-0.04, 1.04)
    ax.legend(loc="upper right", **LEGEND)
