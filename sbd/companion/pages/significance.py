"""Draw what the counts say about columns: calibration, verdicts, the dose it takes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sbd.plotting.charts import name_chart
from sbd.plotting.colours import BRICK, GREEN, INK, OCHRE, STEEL
from sbd.plotting.images import LEGEND, WIDTH, arrange_panels

_COLOURS = (STEEL, GREEN, BRICK, OCHRE)


def show_calibration(p_values: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Draw how often p-values of columns that are not there are as small as they say.

    By panel, then by way of testing. Those of a calibrated test lie on the diagonal,
    those above it promise too much.
    """
    names = "abcdef"[: len(p_values)]
    fig, panels = arrange_panels(names, height=WIDTH / len(names) * 1.05)
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
