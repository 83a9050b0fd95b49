"""Page 08: how far a network looks."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from sbd.plotting.charts import name_chart, name_lines
from sbd.plotting.colours import RED, STEEL
from sbd.plotting.images import WIDTH, arrange_panels

_MARKS = {"equal": ("o", STEEL), "other": ("D", RED)}


def show_views(table: pd.DataFrame) -> Figure:
    """Draw the quality of networks against how far they look, a panel for each image.

    A row of the table is a network: ``radius`` of its effective field of view [pixels],
    ``equal`` (trained for the same time as others: a disc), and the PSNR by image [dB].
    """
    images = [name for name in table if name not in ("radius", "equal")]
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, height=0.5 * WIDTH)
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
    name_lines(panels["a"], 2, fontsize=7, frameon=False)
    return fig
