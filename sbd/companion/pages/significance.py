"""Draw what the counts say about columns: calibration, verdicts, the dose it takes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sbd.plotting.charts import name_chart
from sbd.plotting.colours import BRICK, GREEN, INK, OCHRE, STEEL
from sbd.plotting.images import LEGEND, arrange_panels

_COLOURS = (STEEL, GREEN, BRICK, OCHRE)


def show_calibration(
    p_values: Mapping[str, Mapping[str, ArrayLike]], *, width: float = 7.0
) -> Figure:
    """Draw how often p-values are as small as they say.

    Parameters
    ----------
    p_values : dict of str to dict of str to array_like
        By panel, then by way of testing; all of columns that are not there.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        The share of p-values up to a level, against the level; those of a calibrated
        test lie on the diagonal, those above it promise too much.

    Examples
    --------
    >>> p = np.linspace(0.01, 1, 100)
    >>> len(show_calibration({"filter": {"split": p}}).axes[0].lines)
    2
    """
    names = "abcdef"[: len(p_values)]
    fig, panels = arrange_panels(names, width=width, height=width / len(names) * 1.05)
    least = 0.3 / max(len(p) for each in p_values.values() for p in each.values())
    for name, (title, each) in zip(names, p_values.items(), strict=True):
        ax = panels[name]
        ax.plot([least, 1], [least, 1], color=INK, linewidth=0.8, linestyle=":")
        for (way, values), colour in zip(each.items(), _COLOURS, strict=False):
            values = np.sort(values)
            share = np.arange(1, len(values) + 1) / len(values)
            ax.step(values, share, where="post", color=colour, label=way, linewidth=1.3)
        ax.set(xscale="log", yscale="log", xlim=(least, 1), ylim=(least, 1.1))
        ax.set_aspect("equal")
        name_chart(ax, f"({name}) {title}", "level", "share of p-values up to it")
    panels["a"].legend(loc="lower right", **LEGEND)
    return fig
