"""Draw how faithful the simulation is: pairs, the test of one column, profiles."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sbd.columns.finding import box_around
from sbd.companion.pages.fidelity.pairs import Pair
from sbd.companion.pages.fidelity.residuals import (
    compare_spectra,
    find_seam,
    inner_frame,
    locate_difference,
    measure_columns,
    profile_difference,
)
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import INK, PALE, PURPLE, RED, SILVER
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.plotting.marks import frame_panel, mark_arrow, mark_box, mark_scale
from sbd.simulation.frame import BOX
from sbd.simulation.noise import VACUUM

_THEIRS, _OURS, _REST = SILVER, RED, PURPLE
_BAR_ROOM = 0.62  # of a colour bar with its words [inch]
_SMALL = 7.5  # size of words in a chart [points]
_LEGEND = {"frameon": False, "handlelength": 1.3, "borderpad": 0.2}
_ZOOM = 320  # side of a zoom [pixels]
_BAND = 1.2  # beyond it there is nothing [1/angstrom]


def show_pairs(pairs: Mapping[str, Pair]) -> Figure:
    """Draw published images, ours, and the difference on a scale of its own.

    A difference is in percent of the vacuum; its title says how many times stronger its
    contrast is than that of the images.
    """
    limit = max(
        float(np.quantile(np.abs(inner_frame(pair.difference)), 0.9995))
        for pair in pairs.values()
    )
    rows = [[f"{name} {k}" for k in range(3)] for name in pairs]
    shape = next(iter(pairs.values())).published.shape
    height = (WIDTH - 2 * _BAR_ROOM) / 3 * shape[0] / shape[1] + TITLE_ROOM
    fig, panels = arrange_panels(rows, height=height * len(rows))
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for name, pair in pairs.items():
        titles = [f"({next(letters)}) " for _ in range(3)]
        ax = panels[f"{name} 0"]
        grey = show_image(ax, pair.published, title=f"{titles[0]}{pair.whose}, {name}")
        mark_scale(ax, pair.parameters["pixel"][1])
        clim = grey.get_clim()
        ax = panels[f"{name} 1"]
        grey = show_image(ax, pair.simulated, title=f"{titles[1]}Ours", limits=clim)
        mark_scale(ax, pair.parameters["pixel"][1])
        add_bar(ax, grey, "e/pixel")
        _show_difference(panels[f"{name} 2"], pair, titles[2], limit, clim)
    return fig


def show_structure_test(
    pair: Pair, other: Pair, weights: Mapping[str, pd.Series]
) -> Figure:
    """Draw what one column more does to the agreement.

    Zooms on the place where `other` (the same image, another structure) differs most,
    the difference in the whole frame, and the curves of `weigh_column`, by image.
    """
    pixel, _ = locate_difference(other)
    box = box_around(pixel, (_ZOOM, _ZOOM), pair.published.shape)
    inside = np.s_[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
    mosaic = [[*"aabbcc"], [*"dddeee"]]
    fig, panels = arrange_panels(mosaic, height=0.83 * WIDTH, heights=(1, 1.02))
    images = {
        f"(a) {pair.whose}": pair.published,
        "(b) Ours": pair.simulated,
        "(c) Ours, with the column": other.simulated,
    }
    clim = float(pair.published.min()), float(pair.published.max())
    for ax, (title, image) in zip(map(panels.get, "abc"), images.items(), strict=True):
        show_image(ax, image[inside], title=title, limits=clim)
        mark_scale(ax, pair.parameters["pixel"][1], length=5.0)
        frame_panel(ax, _REST, line_width=1.5)
        mark_arrow(ax, (pixel[0] - box[0], pixel[1] - box[1]))
    limit = float(np.abs(inner_frame(other.difference)).max())
    _show_difference(panels["e"], other, "(e) ", limit, clim)
    mark_box(panels["e"], box, _REST)
    _draw_weights(panels["d"], weights)
    return fig


def show_profiles(pair: Pair) -> Figure:
    """Draw spectra, histograms, and the difference across the frame."""
    fig, panels = arrange_panels("abc", height=0.36 * WIDTH)
    fig.get_layout_engine().set(wspace=0.04)
    _draw_spectra(panels["a"], pair)
    _draw_histograms(panels["b"], pair)
    _draw_profile(panels["c"], pair)
    return fig


def show_column_peaks(pairs: Mapping[str, Pair]) -> Figure:
    """Draw each platinum column's peak, and our error of it, against its atoms."""
    table = pd.concat(map(measure_columns, pairs.values()))
    whose = next(iter(pairs.values())).whose
    fig, panels = arrange_panels("ab", height=0.4 * WIDTH)
    fig.get_layout_engine().set(wspace=0.04)
    looks = {
        "published": (whose, -0.13, {"c": "none", "edgecolors": INK}),
        "simulated": ("Ours", 0.13, {"c": _OURS, "marker": "x"}),
    }
    for name, (label, shift, look) in looks.items():
        across = table["atoms"] + shift
        panels["a"].scatter(
            across, table[name], s=16, linewidths=0.9, label=label, **look
        )
    rest = table["simulated"] - table["published"]
    panels["b"].scatter(table["atoms"], rest, s=16, c="none", edgecolors=_REST)
    panels["b"].axhline(0.0, color=_THEIRS, linewidth=0.8)
    panels["b"].set_ylim(min(-0.1, 1.15 * rest.min()), max(0.1, 1.25 * rest.max()))
    panels["a"].legend(loc="lower right", fontsize=_SMALL, **_LEGEND)
    name_chart(
        panels["a"], "(a) Peaks", "atoms in the column", "above vacuum (% of vacuum)"
    )
    name_chart(
        panels["b"],
        f"(b) Ours less {whose.lower()}",
        "atoms in the column",
        "difference (% of vacuum)",
    )
    for ax in panels.values():
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig


def _show_difference(
    ax: Axes, pair: Pair, title: str, limit: float, clim: tuple[float, float]
) -> None:
    """Draw a difference, and say how much stronger its contrast is."""
    limit = max(limit, 1e-6)
    factor = (clim[1] - clim[0]) / (2 * limit)
    times = f"{factor:.0f}" if factor >= 9.5 else f"{factor:.1f}"
    values = 100 * pair.difference / VACUUM
    title = f"{title}Difference, {times} times"
    limit = 100 * limit / VACUUM
    show_map(ax, values, title=title, label="% of vacuum", limit=limit)


def _draw_weights(ax: Axes, weights: Mapping[str, pd.Series]) -> None:
    """Draw how well each number of atoms fits, and point out the best."""
    for colour, marker, (name, curve) in zip(
        (_REST, INK), "os", weights.items(), strict=False
    ):
        ax.plot(
            curve.index, curve, marker=marker, color=colour, markersize=4, linewidth=1,
            label=name,
        )  # fmt: skip
        best = curve.idxmax()
        ax.plot([best], [curve[best]], marker, color=_OURS, markersize=6)
    ax.legend(loc="upper right", fontsize=_SMALL, **_LEGEND)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_chart(ax, "(d) How many atoms has it?", "atoms put on the column", "PSNR (dB)")


def _draw_spectra(ax: Axes, pair: Pair) -> None:
    spectra = compare_spectra(pair)
    spectra = spectra[(spectra.index > 0) & (spectra.index <= _BAND)]
    spectra = spectra / spectra["published"].max()
    ax.plot(spectra["published"], color=_THEIRS, linewidth=2.5, label=pair.whose)
    ax.plot(spectra["simulated"], color=_OURS, linewidth=0.9, label="Ours")
    ax.plot(spectra["difference"], color=_REST, linewidth=0.9, label="Difference")
    ax.set_yscale("log")
    ax.legend(loc="lower left", fontsize=_SMALL, **_LEGEND)
    name_chart(
        ax, "(a) Power spectra", "spatial frequency (1/Å)", "power (of the highest)"
    )


def _draw_histograms(ax: Axes, pair: Pair) -> None:
    low, high = pair.published.min(), pair.published.max()
    edges = np.linspace(low, max(high, low + 1e-6), 81)
    middles = (edges[1:] + edges[:-1]) / 2
    theirs, ours = (
        np.histogram(image, edges)[0] / image.size * 100
        for image in (pair.published, pair.simulated)
    )
    ax.plot(middles, theirs, color=_THEIRS, linewidth=2.5, label=pair.whose)
    ax.plot(middles, ours, color=_OURS, linewidth=0.9, label="Ours")
    ax.set_yscale("log")
    ax.legend(loc="upper right", fontsize=_SMALL, **_LEGEND)
    name_chart(ax, "(b) Pixel values", "value (e/pixel)", "pixels (%)")


def _draw_profile(ax: Axes, pair: Pair) -> None:
    profile = profile_difference(pair)
    ax.plot(profile.index, profile, color=_REST, linewidth=0.9)
    seam = find_seam()
    ax.axvline(seam, color=INK, linewidth=0.8, linestyle=":")
    ax.axvspan(profile.index[-1], BOX, color=PALE, linewidth=0)
    for place, words in ((BOX - 1.6, "outside"), (seam + 0.2, "seam")):
        ax.text(
            place, 0.04, words, rotation=90, ha="left", va="bottom", fontsize=_SMALL,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    ax.set_xlim(0.6 * seam, BOX)
    ax.set_ylim(0, None)
    across = "from the left of the box (Å)"
    name_chart(ax, "(c) Difference at the edge", across, "rms (% of vacuum)")
