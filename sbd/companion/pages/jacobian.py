"""Draw what a denoised pixel depends on: waves, columns, maps of weights."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sbd.plotting.colours import ORANGE
from sbd.plotting.images import arrange_panels, show_image, show_map
from sbd.plotting.marks import mark_pixel
from sbd.typing import Image, Pixel


def show_column_weights(
    ax: Axes,
    image: Image,
    table: pd.DataFrame,
    pixel: Pixel,
    *,
    of: str = "weight",
    title: str = "",
) -> PathCollection:
    """Draw from which columns a denoised pixel borrows, over the image.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    image : ndarray of shape (height, width)
        The denoised image [electrons per pixel].
    table : pandas.DataFrame
        From `sbd.column_weights`.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    of : str, default "weight"
        Column of the table that the discs show: red adds, blue takes off, and their
        area is its size.
    title : str, optional
        Words above it.

    Returns
    -------
    matplotlib.collections.PathCollection
        The discs.

    Examples
    --------
    >>> fig, panels = arrange_panels("a")
    >>> table = pd.DataFrame({"row": [1.0], "column": [2.0], "weight": [0.5]})
    >>> discs = show_column_weights(panels["a"], np.ones((5, 5)), table, (1, 2))
    >>> discs.get_clim()
    (-0.5, 0.5)
    """
    values = table[of].to_numpy()
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


def show_filter(
    spectrum: tuple[Image, np.ndarray],
    image: Image,
    table: pd.DataFrame,
    pixel: Pixel,
    maps: Mapping[str, Image],
    *,
    band: float = 0.1,
    width: float = 7.0,
    heading: str = "",
) -> Figure:
    """Draw a row of the Jacobian as a filter, above maps of other ways to look at it.

    Parameters
    ----------
    spectrum : tuple of ndarray
        From `sbd.filter_spectrum`.
    image : ndarray of shape (height, width)
        The denoised image [electrons per pixel].
    table : pandas.DataFrame
        From `sbd.column_weights`.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    maps : dict of str to ndarray of shape (height, width)
        Two maps of weights, by title; the deepest colours are at their 99.9th
        percentile.
    band : float, default 0.1
        Highest frequency that is drawn [cycles per pixel].
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels.

    Examples
    --------
    >>> flat = np.ones((4, 4))
    >>> none = pd.DataFrame({"row": [], "column": [], "weight": []})
    >>> spectrum = flat, np.fft.fftshift(np.fft.fftfreq(4))
    >>> fig = show_filter(spectrum, flat, none, (1, 1), {"row": flat, "guided": flat})
    >>> fig.axes[2].get_title()
    '(c) row'
    """
    amplitude, frequencies = spectrum
    near = np.abs(frequencies) <= band
    fig, panels = arrange_panels(
        "ab;cd", width=width, height=0.8 * width, heading=heading
    )
    fig.get_layout_engine().set(wspace=0.06)
    show_image(panels["a"], amplitude[np.ix_(near, near)], title="(a) Waves that pass")
    title = "(b) Borrowed from, weights"
    show_column_weights(panels["b"], image, table, pixel, title=title)
    for name, (title, values) in zip("cd", maps.items(), strict=True):
        limit = float(np.quantile(np.abs(values), 0.999)) or None
        show_map(panels[name], values, title=f"({name}) {title}", limit=limit)
    return fig
