"""Draw what a denoised pixel depends on: waves, columns, maps of weights."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sbd.columns.finding import box_around
from sbd.evidence.jacobian import effective_field_of_view
from sbd.plotting.colours import ORANGE
from sbd.plotting.images import WIDTH, arrange_panels, show_image, show_map
from sbd.plotting.marks import mark_pixel
from sbd.typing import Image, Pixel


def show_column_weights(
    ax: Axes, image: Image, table: pd.DataFrame, pixel: Pixel, *, title: str = ""
) -> PathCollection:
    """Draw from which columns a denoised pixel borrows, over the image.

    `table`: `sbd.column_weights`; red discs add, blue take off, by their area.
    """
    values = table["weight"].to_numpy()
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    show_image(ax, image, title=title)
    limits = ax.get_xlim(), ax.get_ylim()
    discs = ax.scatter(
        table["column"],
        table["row"],
        s=4 + 60 * np.abs(values) / limit,
        c=values,
        cmap="coolwarm",
        norm=Normalize(-limit, limit),
        edgecolors="black",
        linewidths=0.3,
    )
    ax.set(xlim=limits[0], ylim=limits[1])
    mark_pixel(ax, pixel, colour=ORANGE, size=3.0)
    beside = ax.inset_axes((1.04, 0.0, 0.06, 1.0))
    bar = ax.figure.colorbar(discs, cax=beside)
    bar.ax.tick_params(labelsize=7.5)
    return discs


def box_of_weight(row: Image, pixel: Pixel) -> tuple[int, int, int, int]:
    """Box in which a circle around the pixel holds half of a row's squared weight."""
    side = 2 * math.ceil(effective_field_of_view(row, pixel, fraction=0.5)) + 2
    return box_around(pixel, tuple(min(side, n) for n in row.shape), row.shape)


def deepest(row: Image) -> float:
    """Magnitude that one weight in 500 exceeds, for the deepest colour."""
    return float(np.quantile(np.abs(row), 0.998))


def show_filter(
    spectrum: tuple[Image, np.ndarray],
    image: Image,
    table: pd.DataFrame,
    pixel: Pixel,
    maps: Mapping[str, Image],
    *,
    band: float = 0.1,
    heading: str = "",
) -> Figure:
    """Draw a row of the Jacobian as a filter, above maps of other ways to look at it.

    From `sbd.filter_spectrum`, up to the frequency `band` [cycles per pixel], and from
    `sbd.column_weights`. The two maps' deepest colours are at their 99.9th percentile.
    """
    amplitude, frequencies = spectrum
    near = np.abs(frequencies) <= band
    fig, panels = arrange_panels("ab;cd", height=0.8 * WIDTH, heading=heading)
    fig.get_layout_engine().set(wspace=0.06)
    show_image(panels["a"], amplitude[np.ix_(near, near)], title="(a) Waves that pass")
    title = "(b) Borrowed from, weights"
    show_column_weights(panels["b"], image, table, pixel, title=title)
    for name, (title, values) in zip("cd", maps.items(), strict=True):
        limit = float(np.quantile(np.abs(values), 0.999)) or None
        show_map(panels[name], values, title=f"({name}) {title}", limit=limit)
    return fig
