"""Draw surfaces of particles, and what denoisers do to their columns."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from sbd.audits.placed_atoms import TOLERANCE
from sbd.audits.scenes import Scene
from sbd.columns.finding import Columns, box_around, match_columns
from sbd.columns.surfaces import outline_columns, surface_columns
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import BRICK, GREEN, GREY, INK, OCHRE, SCARLET, SKY, STEEL
from sbd.plotting.images import LEGEND, STYLE, TITLE_ROOM, arrange_panels, show_image
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
    width: float = 7.0,
    heading: str = "",
) -> Figure:
    """Draw the outlines of a particle in several images of it.

    Parameters
    ----------
    scene : Scene
        The reference: whose surface is the true one.
    looks : dict of str to (ndarray of shape (height, width), Columns)
        What to draw, by title, all on the first one's grey scale [electrons per pixel],
        and the columns that were found in it.
    size : tuple of int, optional
        (height, width) of a frame around the particle; the whole if not given [pixels].
    across : int, default 4
        Panels in a row.
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        Each image with its outline; the particle's columns at the surface are discs
        where the reference has them at its surface, too, else crosses; rings are where
        the reference alone has one.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> none = Columns(nowhere, np.zeros(0), np.zeros(0))
    >>> len(show_surfaces(Scene("", flat, empty), {"one": (flat, none)}).axes)
    1
    """
    names = list("abcdefghijklmnop"[: len(looks)])
    rows = [names[k : k + across] for k in range(0, len(names), across)]
    rows[-1] += ["."] * (len(rows[0]) - len(rows[-1]))
    pixel = scene.specimen.pixel
    stretch = pixel[0] / pixel[1]
    true = _surface(scene, scene.truth.found)
    top, left, high, wide = _frame(scene, size)
    tall = width / len(rows[0]) * high / wide * stretch + 2 * TITLE_ROOM
    fig, panels = arrange_panels(
        rows, width=width, height=tall * len(rows) + TITLE_ROOM, heading=heading
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
    handles, labels = panels["a"].get_legend_handles_labels()
    legend = fig.legend(handles, labels, loc="outside lower center", ncols=3, **LEGEND)
    legend.set_in_layout(True)
    for handle in legend.legend_handles[1:2]:
        handle.set_edgecolor(INK)
    return fig


def show_tradeoffs(
    table: pd.DataFrame, metrics: Mapping[str, str], *, width: float = 7.0
) -> Figure:
    """Draw scores of columns against PSNR.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.audit_denoisers`.
    metrics : dict of str to str
        Columns of the table to draw, with the words for the axis.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each metric, a mark for each image and dose, larger for more dose.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["a", "b"], "image": 1, "dose": 0.45,
    ...                       "draw": 0, "psnr": [20.0, 30.0], "f1": [0.5, 1.0]})
    >>> len(show_tradeoffs(table, {"f1": "F1"}).axes)
    1
    """
    names = "abcdef"[: len(metrics)]
    fig, panels = arrange_panels(names, width=width, height=0.62 * width)
    doses = sorted(set(table["dose"]))
    for name, (metric, words) in zip(names, metrics.items(), strict=True):
        ax = panels[name]
        for method, look in _looks(table).items():
            rows = table[table["method"] == method]
            size = 9 + 13 * np.searchsorted(doses, rows["dose"])
            ax.scatter(rows["psnr"], rows[metric], s=size, alpha=0.85, **look)
        ax.set_ylim(-0.04, 1.04)
        name_chart(ax, f"({name}) {words}", "PSNR (dB)", words)
    _name_methods(fig, panels["a"])
    return fig


def show_focal_series(
    scenes: Mapping[float, Scene],
    table: pd.DataFrame,
    metrics: Mapping[str, str],
    opposed: pd.DataFrame,
    *,
    least: Mapping[str, float] | None = None,
    width: float = 7.0,
) -> Figure:
    """Draw a particle through focus, and how denoisers fare with it.

    Parameters
    ----------
    scenes : dict of float to Scene
        One specimen by its defocus, such as `sbd.focal_series` gives [nm].
    table : pandas.DataFrame
        From `sbd.audits.hallucinations.audit_focal_series`; means over the draws are drawn.
    metrics : dict of str to str
        Columns of the table to draw, with the words for the axis.
    opposed : pandas.DataFrame
        By defocus, in a column for each of some metrics: the share of pairs of methods
        that PSNR puts in the opposite order (see `sbd.audits.hallucinations.disagreement`).
    least : dict of str to float, optional
        Where the axes of metrics begin; what lies below is not drawn.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Above up to six of the clean images, more of the first than of the last ones,
        each on a grey scale of its own, and how many of the particle's columns the
        finder sees there; below a panel for each metric, and one for the pairs.

    Raises
    ------
    ValueError
        If there are no scenes.

    Examples
    --------
    >>> from sbd.audits.placed_atoms import Specimen
    >>> flat, nowhere = np.full((32, 32), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (32, 32))
    >>> table = pd.DataFrame({"method": ["a", "b"], "defocus": 6.0, "f1": [0.5, 1.0]})
    >>> pairs = pd.DataFrame({"f1": [0.2]}, index=[6.0])
    >>> fig = show_focal_series({6.0: Scene("", flat, empty)}, table, {"f1": "F1"},
    ...                         pairs)
    >>> [ax.get_title() for ax in fig.axes]
    ['(a) 6 nm', '(b) F1', '(c) Pairs of methods in opposite order']
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
    tall = width / _ACROSS * first.clean.shape[0] / first.clean.shape[1] * stretch
    heights = [tall + 2 * TITLE_ROOM] + [0.31 * width] * (len(cells) - 1)
    fig, panels = arrange_panels(
        cells, width=width, height=sum(heights) + 3 * TITLE_ROOM, heights=heights
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
    _name_methods(fig, panels[next(iter(below))])
    return fig


def show_doses(
    table: pd.DataFrame, metrics: Mapping[str, str], *, width: float = 7.0
) -> Figure:
    """Draw how denoisers fare by dose.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.audit_denoisers`; means over the images are drawn.
    metrics : dict of str to str
        Columns of the table to draw, with the words for the axis.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each metric, side by side.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["a", "b"], "image": 1, "dose": 0.45,
    ...                       "draw": 0, "psnr": [20.0, 30.0]})
    >>> len(show_doses(table, {"psnr": "PSNR (dB)"}).axes)
    1
    """
    names = "abcdef"[: len(metrics)]
    fig, panels = arrange_panels(
        names, width=width, height=0.42 * width + 3 * TITLE_ROOM
    )
    for name, (metric, words) in zip(names, metrics.items(), strict=True):
        _draw_scores(panels[name], name, table, "dose", metric, words)
        _by_dose(panels[name], table["dose"])
    _name_methods(fig, panels["a"])
    return fig


def show_hallucinations(
    table: pd.DataFrame, vacuum: pd.DataFrame, *, width: float = 7.0
) -> Figure:
    """Draw columns lost and invented by dose, and what becomes of nothing.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.audit_denoisers`.
    vacuum : pandas.DataFrame
        From `sbd.audit_vacuum`.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Columns lost and invented in an image, mean over the images; of vacuum the
        deviation from flat and the columns found in it.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["a"], "dose": 0.45, "lost": 1, "invented": 2})
    >>> empty = pd.DataFrame({"method": ["a"], "dose": 0.45, "relative": 0.1,
    ...                       "columns": 0.0})
    >>> len(show_hallucinations(table, empty).axes)
    4
    """
    fig, panels = arrange_panels(
        "ab;cd", width=width, height=0.68 * width + 3 * TITLE_ROOM
    )
    charts = {
        "a": (table, "lost", "Columns lost", "in one image"),
        "b": (table, "invented", "Columns invented", "in one image"),
        "c": (vacuum, "relative", "Vacuum: deviation", "share of the dose"),
        "d": (vacuum, "columns", "Vacuum: columns found", "in 1 nm²"),
    }
    for name, (rows, value, title, words) in charts.items():
        ax = panels[name]
        _draw_lines(ax, rows, "dose", value)
        _by_dose(ax, rows["dose"])
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
    _name_methods(fig, panels["a"])
    return fig


def _frame(scene: Scene, size: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """(row, column, height, width) of a frame around the particle's columns."""
    specimen = scene.specimen
    if size is None or not specimen.platinum.any():
        return 0, 0, *scene.clean.shape
    particle = specimen.columns[specimen.platinum]
    middle = (particle.min(axis=0) + particle.max(axis=0)) / 2
    return box_around(middle, size, scene.clean.shape)


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


def _by_dose(ax: Axes, doses: pd.Series) -> None:
    """Give the doses a logarithmic axis, with a tick at each."""
    ax.set_xscale("log")
    ax.set_xticks(sorted(set(doses)), [f"{dose:g}" for dose in sorted(set(doses))])
    ax.xaxis.set_minor_formatter(NullFormatter())


def _name_methods(fig: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=5, **LEGEND)
