"""Page 08: how far a network looks."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from sbd.plotting.charts import name_chart
from sbd.plotting.colours import RED, STEEL
from sbd.plotting.images import arrange_panels

_MARKS = {"equal": ("o", STEEL), "other": ("D", RED)}


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
