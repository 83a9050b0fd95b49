"""Draw surfaces of particles, and what denoisers do to their columns."""

from collections.abc import Mapping

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
    arrange_panels,
    show_image,
)
from sbd.typing import Image

# The last method is what the figure is about; the others keep their place in it.
_NETWORK = (BRICK, "o")
_LOOKS = (
    ("#bdbdbd", "x"), (GREY, "+"), (GREEN, "^"), (STEEL, "s"),
    ("#7fb2d9", "D"), (OCHRE, "v"), ("#7a4f9a", "P"), ("#3f9d93", "<"),
    (INK, ">"), ("#d98cb3", "*"), ("#7a5230", "d"), ("#a3b02e", "h"),
)  # fmt: skip
_PAIRS = ("o", "-", None), ("s", "--", "white"), ("^", ":", None)
_ACROSS = 6  # images above the charts
_LINE, _RIGHT, _LOST, _FALSE = "#ffd60a", SKY, "#ffffff", SCARLET
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
    legend = name_lines(panels["a"], 3)
    legend.set_in_layout(True)
    for handle in legend.legend_handles[1:2]:
        handle.set_edgecolor(INK)
    return fig


def show_tradeoffs(table: pd.DataFrame, metrics: Mapping[str, str]) -> Figure:
    """Draw scores of `sbd.audit_denoisers` against PSNR, a panel for each.

    `metrics` names columns of the table, with the words for the axis. Marks are larger
    for more dose.
    """
    names = "abcdef"[: len(metrics)]
    fig, panels = arrange_panels(names, height=0.62 * WIDTH)
    doses = sorted(set(table["dose"]))
    for name, (metric, words) in zip(names, metrics.items(), strict=True):
        ax = panels[name]
        for method, look in _looks(table).items():
            rows = table[table["method"] == method]
            size = 9 + 13 * np.searchsorted(doses, rows["dose"])
            ax.scatter(rows["psnr"], rows[metric], s=size, alpha=0.85, **look)
        ax.set_ylim(-0.04, 1.04)
        name_chart(ax, f"({name}) {words}", "PSNR (dB)", words)
    name_lines(panels["a"], 5)
    return fig


def show_focal_series(
    scenes: Mapping[float, Scene],
    table: pd.DataFrame,
    metrics: Mapping[str, str],
    opposed: pd.DataFrame,
    *,
    least: Mapping[str, float] | None = None,
) -> Figure:
    """Draw a particle through focus [nm], and how denoisers fare with it.

    Above up to six clean images, with how many columns the finder sees; below a panel
    for each of the `metrics` (with words), and one for `opposed`, the pairs of methods
    that PSNR puts in the opposite order. `least` is where the axes of some metrics
    begin.
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
        ax.set_aspect(stretch)
        seen = f"{scene.truth.hit.sum()} of {len(scene.truth.hit)}, {scene.polarity}"
        ax.set_xlabel(seen, fontsize=STYLE["xtick.labelsize"])
    for name, metric in below.items():
        if metric:
            _draw_scores(panels[name], name, table, "defocus", metric, metrics[metric])
            panels[name].set_ylim(bottom=(least or {}).get(metric))
        else:
            _draw_pairs(panels[name], name, opposed, metrics)
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
        scale_doses(panels[name], table["dose"])
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
        scale_doses(ax, rows["dose"])
        name_chart(ax, f"({name}) {title}", "dose (e/pixel)", words)
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


def _looks(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Give each method its colour and mark; the last stands out."""
    methods = list(dict.fromkeys(table["method"]))
    looks = [_LOOKS[i % len(_LOOKS)] for i in range(len(methods) - 1)] + [_NETWORK]
    return {
        name: {"color": colour, "marker": mark, "label": name}
        for name, (colour, mark) in zip(methods, looks, strict=True)
    }


def _draw_lines(ax: Axes, table: pd.DataFrame, along: str, value: str) -> None:
    """Draw a line of means for each method."""
    methods = _looks(table)
    for i, (method, look) in enumerate(methods.items(), start=1):
        mean = table[table["method"] == method].groupby(along)[value].mean()
        last = i == len(methods)
        look = look | {"linewidth": 1.7 if last else 1.0, "zorder": 3 if last else 2}
        ax.plot(mean.index, mean, markersize=4.5, **look)


def _draw_scores(
    ax: Axes, name: str, table: pd.DataFrame, along: str, metric: str, words: str
) -> None:
    """Draw a chart of one metric."""
    _draw_lines(ax, table, along, metric)
    across = {"defocus": "defocus (nm)", "dose": "dose (e/pixel)"}[along]
    name_chart(ax, f"({name}) {words}", across, "")
    if metric in _SHARES:
        ax.set_ylim(-0.04, 1.04)


def _draw_pairs(
    ax: Axes, name: str, opposed: pd.DataFrame, metrics: Mapping[str, str]
) -> None:
    """Draw the share of pairs that PSNR orders the other way, and where chance is."""
    for metric, (marker, line, face) in zip(opposed, _PAIRS, strict=False):
        shares, look = opposed[metric], {"marker": marker, "linestyle": line}
        look |= {"markerfacecolor": face, "label": metrics.get(metric, metric)}
        ax.plot(shares.index, shares, color="#111111", markersize=4.5, **look)
    ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":", label="chance")
    name_chart(ax, f"({name}) Pairs of methods in opposite order", "defocus (nm)", "")
    ax.set_ylim(-0.04, 1.04)
    ax.legend(loc="upper right", **LEGEND)
