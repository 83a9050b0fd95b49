"""Draw networks side by side: heat maps, fields of view, what a cut changes."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sbd.companion.pages.fidelity.charts import name_chart
from sbd.plotting.images import TITLE_ROOM, arrange_panels, show_image, show_map
from sbd.plotting.marks import RED
from sbd.simulation.noise import VACUUM
from sbd.typing import Image

_HEAT = "viridis"
_LEAST = 1e-8  # a change that does not matter, less than rounding
_LINES = ((RED, "-"), ("#b58a2b", "--"), ("#2c5f8a", "-"))
_MARKS = {"equal": ("o", "#2c5f8a"), "other": ("D", RED)}


def show_heat_maps(
    maps: Mapping[str, Mapping[str, pd.DataFrame]],
    *,
    width: float = 7.0,
    unit: str = "dB",
) -> Figure:
    """Draw heat maps of what was trained on against what was tested on.

    Parameters
    ----------
    maps : dict of str to dict of str to pandas.DataFrame
        By row of the figure, then by study: `sbd.companion.pages.generalisation.generalisation_map`.
        The same studies in every row.
    width : float, default 7.0
        Width of the figure [inch].
    unit : str, default "dB"
        Of the numbers in the cells.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each map, with its numbers; one scale for all.

    Examples
    --------
    >>> heat = pd.DataFrame([[38.0, 30.0]], index=["a"], columns=["a", "b"])
    >>> len(show_heat_maps({"ours": {"letters": heat}}).axes)
    2
    """
    studies = list(next(iter(maps.values())))
    letters = iter("abcdefghijklmnop")
    mosaic = [[next(letters) for _ in studies] for _ in maps]
    tall = [max(len(row[s]) for s in studies) for row in maps.values()]
    widths = [max(4, len(next(iter(maps.values()))[s].columns)) for s in studies]
    heights = [0.27 * n + 0.8 for n in tall]
    fig, panels = arrange_panels(
        mosaic, width=width, height=sum(heights), widths=widths, heights=heights
    )
    values = np.concatenate(
        [heat.to_numpy().ravel() for row in maps.values() for heat in row.values()]
    )
    scale = Normalize(np.nanmin(values), np.nanmax(values))
    for names, (row, each) in zip(mosaic, maps.items(), strict=True):
        for name, (study, heat) in zip(names, each.items(), strict=True):
            _draw_heat(panels[name], heat, scale)
            panels[name].set_title(f"({name}) {row}: {study}", fontsize=8)
        panels[names[0]].set_ylabel("trained on", fontsize=7.5)
    for name in mosaic[-1]:
        panels[name].set_xlabel("tested on", fontsize=7.5)
    shown = panels[mosaic[0][0]].images[0]
    bar = fig.colorbar(shown, ax=list(panels.values()), shrink=0.6, pad=0.01)
    bar.set_label(unit, fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    return fig


def _draw_heat(ax: Axes, heat: pd.DataFrame, scale: Normalize) -> None:
    """Draw one map; a network's own kind is framed, dark cells get light words."""
    shown = ax.imshow(heat, cmap=_HEAT, norm=scale, aspect="auto")
    turn = {"rotation": 20, "ha": "right"} if max(map(len, heat.columns)) > 6 else {}
    ax.set_xticks(range(heat.shape[1]), heat.columns, fontsize=6.5, **turn)
    ax.set_yticks(range(heat.shape[0]), heat.index, fontsize=6.5)
    ax.tick_params(length=0)
    for (i, j), value in np.ndenumerate(heat.to_numpy()):
        red, green, blue, _ = shown.to_rgba(value)
        light = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        look = {"ha": "center", "va": "center", "fontsize": 6.5}
        own = heat.index[i] == heat.columns[j]
        look["fontweight"] = "bold" if own else "normal"
        ax.text(j, i, f"{value:.1f}", color="white" if light else "black", **look)


def show_views(table: pd.DataFrame, *, width: float = 7.0) -> Figure:
    """Draw the quality of networks against how far they look.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each network, named by the index: ``radius`` of its effective field of
        view [pixels], ``equal`` (whether it is one of those trained for equal times),
        and a column of PSNR for each image [dB].
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each image; networks trained for equal times are discs.

    Examples
    --------
    >>> table = pd.DataFrame({"radius": [9.0, 90.0], "equal": True,
    ...                       "vacuum": [30.0, 34.0]}, index=["near", "far"])
    >>> len(show_views(table).axes)
    1
    """
    images = [name for name in table if name not in ("radius", "equal")]
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, width=width, height=0.5 * width)
    numbers = range(1, len(table) + 1)
    low, high = table[images].to_numpy().min(), table[images].to_numpy().max()
    for name, image in zip(names, images, strict=True):
        ax = panels[name]
        for number, (network, row) in zip(numbers, table.iterrows(), strict=True):
            mark, colour = _MARKS["equal" if row["equal"] else "other"]
            label = f"{number} {network}"
            at = row["radius"], row[image]
            ax.plot(*at, mark, color=colour, markersize=6, label=label)
            ax.annotate(
                str(number), at, (0, 5), textcoords="offset points", ha="center",
                fontsize=7,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_ylim(low - 0.08 * (high - low), high + 0.12 * (high - low))
        across = "radius of the effective field of view (pixel)"
        title = textwrap.fill(f"({name}) {image}", 40)
        name_chart(ax, title, across, "PSNR (dB)")
    handles, labels = panels["a"].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=2, fontsize=7, frameon=False
    )
    return fig


def show_changes(
    changes: Mapping[str, Mapping[str, pd.Series]], *, width: float = 7.0
) -> Figure:
    """Draw how what changes by a cut falls with the distance from it.

    Parameters
    ----------
    changes : dict of str to dict of str to pandas.Series
        By cut, then by network: `sbd.companion.pages.borders.change_by_distance`.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each cut. No change at all is drawn on the lower edge.

    Examples
    --------
    >>> fall = pd.Series([0.1, 0.0], index=[0, 32])
    >>> len(show_changes({"by one": {"network": fall}}).axes)
    1
    """
    names = "abcdef"[: len(changes)]
    fig, panels = arrange_panels(names, width=width, height=0.42 * width)
    for name, (cut, each) in zip(names, changes.items(), strict=True):
        ax = panels[name]
        for network, (colour, style) in zip(each, _LINES, strict=False):
            fall = each[network].clip(lower=_LEAST)
            ax.plot(fall.index, fall, style, color=colour, label=network, linewidth=1.3)
        ax.set_yscale("log")
        ax.set_ylim(_LEAST, 1)
        name_chart(ax, f"({name}) {cut}", "distance (pixel)", "largest change")
    handles, labels = panels["a"].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=7, frameon=False
    )
    return fig


def show_cuts(
    estimates: Mapping[str, Image],
    differences: Mapping[str, Image],
    *,
    limit: float,
    width: float = 7.0,
) -> Figure:
    """Draw estimates, and what changes in them when the image is cut.

    Parameters
    ----------
    estimates : dict of str to ndarray of shape (height, width)
        By network [electrons per pixel].
    differences : dict of str to ndarray of shape (height, width)
        By the same networks: cut then denoised, less denoised then cut.
    limit : float
        End of the scale of the differences [electrons per pixel].
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Estimates above, differences below, as a share of the vacuum's intensity.

    Examples
    --------
    >>> flat = np.ones((8, 9))
    >>> len(show_cuts({"a": flat}, {"a": 0 * flat}, limit=0.1).axes[0].images)
    1
    """
    names = list("abcdef"[: len(estimates)])
    shape = next(iter(estimates.values())).shape
    tall = width / len(names) * shape[0] / shape[1]
    mosaic = [names, [name.upper() for name in names]]
    fig, panels = arrange_panels(mosaic, width=width, height=2 * tall + 2 * TITLE_ROOM)
    for name, network in zip(names, estimates, strict=True):
        show_image(panels[name], estimates[network], title=f"({name}) {network}")
        show_map(
            panels[name.upper()],
            100 * differences[network] / VACUUM,
            limit=100 * limit / VACUUM,
            label="% of the vacuum",
            colour_bar=name == names[-1],
        )
    return fig
