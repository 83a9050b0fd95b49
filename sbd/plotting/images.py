"""Draw images, marks and maps in one style.

Figures are made without pyplot, so that no state is shared and no display is needed.
They are 7 inches wide unless told otherwise, so that 10 point stay readable in the 700
pixels of a page.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike
from skimage.measure import block_reduce

from sbd.plotting.colours import INK
from sbd.plotting.marks import mark_scale
from sbd.typing import Image
from sbd.validation import check_image

DPI = 150
"""Pixels per inch: 1050 across a figure of 7 inches, for a column of 700."""

Limits: TypeAlias = str | tuple[float, float]
"""Grey limits: "full", "robust", or (black, white) in the image's unit."""

STYLE = {
    "axes.linewidth": 0.6,
    "axes.titlesize": 9,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}
"""Matplotlib settings of every figure; the fonts come with Matplotlib."""

LEGEND = {"frameon": False, "fontsize": 7.5, "handlelength": 1.6}
"""Options of the legend of a chart."""

WIDTH = 7.0
"""Of a figure [inch]."""

TITLE_ROOM = 0.25
"""Height of a line of words above a panel [inch]."""


_BAR = 0.75  # width of a bar with its words [inch]


def arrange_panels(
    mosaic: str | Sequence[Sequence[str]],
    *,
    width: float = WIDTH,
    height: float = 2.0,
    widths: Sequence[float] | None = None,
    heights: Sequence[float] | None = None,
    heading: str = "",
) -> tuple[Figure, dict[str, Axes]]:
    """Make a figure of named panels.

    Parameters
    ----------
    mosaic : str or nested sequence of str
        The arrangement, one row a line: ``"abcd"``, ``"aab;aac"``, or lists of names;
        ``"."`` stays empty.
    width, height : float, default 7.0 and 2.0
        Size of the figure [inch].
    widths : sequence of float, optional
        Relative widths of the columns.
    heights : sequence of float, optional
        Relative heights of the rows.
    heading : str, optional
        Words above the whole figure, such as where its images come from.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The figure, which `save_figure` files.
    panels : dict
        The panels by name.

    Examples
    --------
    >>> fig, panels = arrange_panels("ab")
    >>> sorted(panels)
    ['a', 'b']
    """
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        if heading:
            fig.suptitle(heading, fontsize=STYLE["font.size"], color=INK)
        panels = fig.subplot_mosaic(mosaic, width_ratios=widths, height_ratios=heights)
    return fig, panels


def show_image(
    ax: Axes, image: Image, *, title: str = "", limits: Limits = "full"
) -> AxesImage:
    """Draw an image into a panel, in grey and with square pixels.

    An image of more pixels than the panel has is averaged down to them. One of fewer is
    resampled smoothly, except for whole counts, which are drawn pixel by pixel.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    image : ndarray of shape (height, width)
        What to draw, in electrons per pixel.
    title : str, optional
        Words above it.
    limits : {"full", "robust"} or tuple of float, default "full"
        What is black and what is white: the smallest and largest value, the 2nd and
        98th percentile of what the panel can resolve (for noise), or two values in
        electrons per pixel.

    Returns
    -------
    matplotlib.image.AxesImage
        The drawn image.

    Raises
    ------
    TypeError, ValueError
        If `image` is no image, or `limits` are unknown or not increasing.

    Examples
    --------
    >>> fig, panels = arrange_panels("a")
    >>> show_image(panels["a"], [[0.0, 2.0]]).get_clim()
    (0.0, 2.0)
    """
    shown = draw_image(ax, image, limits, _inches(ax))
    _bare(ax, title)
    return shown


def draw_image(ax: Axes, image: Image, limits: Limits, inches: float) -> AxesImage:
    """Draw an image that will be so many inches wide; `show_image` says how."""
    image = check_image(image)
    pixels = inches * DPI
    low, high = _grey_limits(image, limits, pixels)
    grainy = image.shape[1] < pixels and bool(np.all(image == np.round(image)))
    how = "nearest" if grainy else "auto"
    return ax.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation=how)


def show_images(
    images: Mapping[str, Image],
    *,
    columns: int | None = None,
    limits: Limits | Mapping[str, Limits] = "full",
    pixel_size: float | None = None,
    bar: str = "",
    width: float = WIDTH,
    heading: str = "",
) -> Figure:
    """Draw images side by side, or in a grid.

    Parameters
    ----------
    images : dict of str to ndarray of shape (height, width)
        The images by title, in electrons per pixel.
    columns : int, optional
        Images in a row; by default up to four.
    limits : {"full", "robust", "shared"}, tuple of float, or dict, default "full"
        Grey limits as in `show_image`; "shared" is "full" over all images together. A
        dict gives the limits by title, "full" where it says nothing.
    pixel_size : float, optional
        Side of a pixel, for a scale bar in each image; without it none [angstrom].
    bar : str, optional
        Words beside a grey bar, with the unit, at the end of each row; without them
        none. It is that of the row's last image.
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; ``fig.axes`` holds the panels in the order of `images`.

    Raises
    ------
    TypeError, ValueError
        If there is no image, one of them is none, or `limits` are unknown.

    Examples
    --------
    >>> fig = show_images({"(a) Data": np.eye(3), "(b) Vacuum": np.ones((3, 3))})
    >>> [ax.get_title() for ax in fig.axes]
    ['(a) Data', '(b) Vacuum']
    """
    checked, grey = prepare_images(images, limits)
    columns = min(columns or 4, len(checked))
    names = list(checked)
    rows = [names[i : i + columns] for i in range(0, len(names), columns)]
    panel = (width - (_BAR if bar else 0.0)) / columns
    shapes = [[checked[name].shape for name in row] for row in rows]
    heights = [panel * max(h / w for h, w in row) for row in shapes]
    mosaic = [row + ["."] * (columns - len(row)) for row in rows]
    height = sum(heights) + TITLE_ROOM * len(rows)
    height += TITLE_ROOM if heading else 0.0
    fig, panels = arrange_panels(
        mosaic, width=width, height=height, heights=heights, heading=heading
    )
    for title, image in checked.items():
        shown = show_image(panels[title], image, title=title, limits=grey[title])
        if pixel_size is not None:
            mark_scale(panels[title], pixel_size, length=None)
        if bar and any(title == row[-1] for row in rows):
            add_bar(panels[title], shown, bar)
    return fig


def show_map(
    ax: Axes,
    values: ArrayLike,
    *,
    title: str = "",
    label: str = "",
    limit: float | None = None,
    colour_bar: bool = True,
) -> AxesImage:
    """Draw signed values with zero in the middle: blue below, red above.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    values : ndarray of shape (height, width)
        What to draw; NaN stays white.
    title : str, optional
        Words above it.
    label : str, optional
        Words beside the colour bar, with the unit.
    limit : float, optional
        Value of the deepest colours; by default the largest magnitude there is.
    colour_bar : bool, default True
        Whether to draw one beside the panel, in room that the layout adds.

    Returns
    -------
    matplotlib.image.AxesImage
        The drawn map.

    Raises
    ------
    TypeError, ValueError
        If `values` is not two-dimensional, holds infinities or nothing but NaN, or
        `limit` is not positive.

    Examples
    --------
    >>> fig, panels = arrange_panels("a")
    >>> show_map(panels["a"], [[-1.0, 0.5]]).get_clim()
    (-1.0, 1.0)
    """
    values = np.asarray(values, dtype=float)
    hidden = np.isnan(values)
    check_image(np.where(hidden, 0, values), "values")
    if hidden.all():
        msg = f"values must hold a number; got NaN in all {values.size} pixels"
        raise ValueError(msg)
    if limit is None:
        limit = float(np.nanmax(np.abs(values))) or 1.0
    if not limit > 0:
        msg = f"limit must be positive; got {limit}"
        raise ValueError(msg)
    colours = mpl.colormaps["coolwarm"].with_extremes(bad="white")
    with mpl.rc_context(STYLE):
        shown = ax.imshow(
            np.ma.masked_invalid(values),
            cmap=colours,
            vmin=-limit,
            vmax=limit,
            interpolation="nearest" if hidden.any() else "auto",
        )
        if colour_bar:
            add_bar(ax, shown, label)
    _bare(ax, title)
    return shown


def add_bar(ax: Axes, shown: AxesImage, label: str = "electrons per pixel") -> Axes:
    """Draw the scale of an image or map beside its panel, as high as the image."""
    with mpl.rc_context(STYLE):
        beside = ax.inset_axes((1.04, 0.0, 0.06, 1.0))
        bar = ax.figure.colorbar(shown, cax=beside, label=label)
        bar.outline.set_linewidth(STYLE["axes.linewidth"])
    return beside


def shared_grey(images: Iterable[Image]) -> tuple[float, float]:
    """Find a black and a white with 999 of 1000 pixels of each image between them."""
    ends = np.array([np.percentile(image, (0.05, 99.95)) for image in images])
    return _widen(float(ends[:, 0].min()), float(ends[:, 1].max()))


def prepare_images(
    images: Mapping[str, Image], limits: Limits | Mapping[str, Limits]
) -> tuple[dict[str, Image], dict[str, Limits]]:
    """Check images that are drawn together, and give `show_image` each one's limits."""
    checked = {title: check_image(image, title) for title, image in images.items()}
    if not checked:
        msg = "images must hold at least one image; got none"
        raise ValueError(msg)
    if isinstance(limits, Mapping):
        unknown = [title for title in limits if title not in checked]
        if unknown:
            msg = f"limits must name titles of images; got {unknown[0]!r}"
            raise ValueError(msg)
        return checked, {**dict.fromkeys(checked, "full"), **limits}
    if limits == "shared":
        every = checked.values()
        limits = min(im.min() for im in every), max(im.max() for im in every)
        limits = _widen(*map(float, limits))
    return checked, dict.fromkeys(checked, limits)


def _grey_limits(image: Image, limits: Limits, pixels: float) -> tuple[float, float]:
    """Find what is black and what is white in an image drawn so many pixels wide."""
    if isinstance(limits, str):
        if limits not in ("full", "robust"):
            msg = "limits must be 'full', 'robust', 'shared' (of several images) or "
            raise ValueError(msg + f"(black, white); got {limits!r}")
        if limits == "full":
            return _widen(float(image.min()), float(image.max()))
        block = math.ceil(image.shape[1] / pixels)
        seen = block_reduce(image, min(block, *image.shape), np.mean)
        return _widen(*map(float, np.percentile(seen, (2.0, 98.0))))
    try:
        low, high = map(float, limits)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not low < high:
        msg = f"limits must be (black, white) with black below white; got {limits!r}"
        raise ValueError(msg)
    return low, high


def _widen(low: float, high: float) -> tuple[float, float]:
    """Make room round a single value."""
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _inches(ax: Axes) -> float:
    """Width of a panel before its figure is laid out [inch]."""
    spec = ax.get_subplotspec()
    if spec is None:
        return ax.get_window_extent().width / ax.figure.dpi
    ratios = np.array(spec.get_gridspec().get_width_ratios())
    share = ratios[spec.colspan.start : spec.colspan.stop].sum() / ratios.sum()
    return float(ax.figure.get_figwidth() * share)


def _bare(ax: Axes, title: str) -> None:
    """Leave a panel its frame and its title."""
    ax.set_xticks([])
    ax.set_yticks([])
    if title:
        ax.set_title(title, fontsize=STYLE["axes.titlesize"])
