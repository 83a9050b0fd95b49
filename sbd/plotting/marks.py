"""Marks on images: a pixel, a box, columns, an arrow, a scale bar, a coloured frame."""

from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from sbd.plotting.colours import PURPLE, RED
from sbd.typing import Pixel
from sbd.validation import check_pixel

Box: TypeAlias = tuple[int, int, int, int]
"""A rectangle of pixels: (row, column, height, width) from its upper left corner."""

_ROUND = tuple(step * 10.0**power for power in range(-1, 5) for step in (1, 2, 5))
"""Lengths of a scale bar [angstrom]."""


def mark_pixel(
    ax: Axes, pixel: Pixel, *, colour: str = RED, size: float = 5.0
) -> Line2D:
    """Mark a pixel with a small square.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A panel with an image.
    pixel : tuple of int
        (row, column).
    colour : str, optional
        Colour of the square.
    size : float, default 5.0
        Side of the square, whatever the zoom [points].

    Returns
    -------
    matplotlib.lines.Line2D
        The mark.

    Raises
    ------
    TypeError
        If `pixel` is no pair of whole numbers.
    IndexError
        If `pixel` lies outside the panel's image.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.imshow([[0.0, 1.0]])
    >>> mark_pixel(ax, (0, 1)).get_xydata().tolist()
    [[1.0, 0.0]]
    """
    row, column = check_pixel(pixel, _shape(ax))
    (mark,) = ax.plot(
        [column], [row], "s", color=colour, markersize=size, markeredgewidth=0
    )
    return mark


def mark_box(
    ax: Axes, box: Box, colour: str = RED, *, line_width: float = 1.5
) -> Rectangle:
    """Draw a rectangle round some pixels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A panel with an image.
    box : tuple of int
        (row, column, height, width), from the upper left corner [pixels].
    colour : str, optional
        Colour of the line.
    line_width : float, default 1.5
        Width of the line [points].

    Returns
    -------
    matplotlib.patches.Rectangle
        The mark.

    Raises
    ------
    ValueError
        If the box does not lie inside the panel's image.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.imshow([[0.0, 1.0, 2.0]])
    >>> mark_box(ax, (0, 1, 1, 2)).get_xy()
    (0.5, -0.5)
    """
    row, column, height, width = check_box(box, _shape(ax))
    mark = Rectangle(
        (column - 0.5, row - 0.5),
        width,
        height,
        fill=False,
        edgecolor=colour,
        linewidth=line_width,
    )
    return ax.add_patch(mark)


def mark_arrow(
    ax: Axes,
    position: tuple[float, float],
    *,
    colour: str = PURPLE,
    length: float = 13.0,
    gap: float = 6.0,
    angle: float = 90.0,
) -> Annotation:
    """Point at a place in an image with an arrow, from above if not told otherwise.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A panel with an image.
    position : tuple of float
        (row, column) of the place [pixels].
    colour : str, optional
        Colour of the arrow.
    length : float, default 13.0
        Length of the arrow [points].
    gap : float, default 6.0
        How far from the place the arrow ends [points].
    angle : float, default 90.0
        Where the arrow comes from, counterclockwise from the right [degrees].

    Returns
    -------
    matplotlib.text.Annotation
        The mark.

    Raises
    ------
    IndexError
        If `position` lies outside the panel's image.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> _ = ax.imshow([[0.0, 1.0]])
    >>> mark_arrow(ax, (0, 1)).xy
    (1, 0)
    """
    row, column = position
    height, width = _shape(ax)
    if not (-0.5 <= row <= height - 0.5 and -0.5 <= column <= width - 0.5):
        msg = f"position must lie in an image of shape {(height, width)}; got "
        raise IndexError(msg + f"{position}")
    style = {"arrowstyle": "-|>", "mutation_scale": 10, "shrinkA": 0, "shrinkB": gap}
    turn, reach = np.deg2rad(angle), length + gap
    return ax.annotate(
        "",
        (column, row),
        xytext=(reach * np.cos(turn), reach * np.sin(turn)),
        textcoords="offset points",
        arrowprops={**style, "color": colour, "linewidth": 1.3},
    )


def mark_scale(
    ax: Axes, pixel_size: float, *, length: float | None = 10.0
) -> Rectangle:
    """Draw a scale bar into the lower left corner; pixel and length are in angstrom.

    Without a length, it is the longest round one that takes up to 40 % of the width.
    """
    height, width = _shape(ax)
    if length is None and pixel_size > 0:
        most = 0.4 * width * pixel_size
        length = max(step for step in _ROUND if step <= max(most, min(_ROUND)))
    for name, value in (("pixel_size", pixel_size), ("length", length)):
        if not value > 0:
            msg = f"{name} must be positive; got {value}"
            raise ValueError(msg)
    across = length / pixel_size
    if across > 0.9 * width:
        msg = (
            f"length must be below {0.9 * width * pixel_size:g} angstrom; got {length}"
        )
        raise ValueError(msg)
    left, bottom = 0.05 * width, height - 0.06 * height
    bar = Rectangle((left, bottom - 0.02 * height), across, 0.02 * height)
    bar.set(facecolor="white", edgecolor="black", linewidth=0.4)
    backing = {"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 1.5}
    ax.text(
        left + across / 2,
        bottom - 0.05 * height,
        f"{length / 10:g} nm",
        color="white",
        fontsize=8,
        ha="center",
        va="bottom",
        bbox=backing,
    )
    return ax.add_patch(bar)


def frame_panel(ax: Axes, colour: str = RED, *, line_width: float = 2.5) -> None:
    """Give a panel a coloured frame, as that of the box it shows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    colour : str, optional
        Colour of the frame.
    line_width : float, default 2.5
        Width of the line [points].

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> frame_panel(ax, "#ff0000")
    >>> ax.spines["left"].get_edgecolor()
    (1.0, 0.0, 0.0, 1.0)
    """
    for spine in ax.spines.values():
        spine.set(visible=True, color=colour, linewidth=line_width)


def check_box(box: Box, shape: tuple[int, int]) -> Box:
    """Return a box as four ints, or say why it is none in an image."""
    values = np.asarray(box)
    if values.shape != (4,) or values.dtype.kind not in "iu":
        msg = f"box must be four whole numbers (row, column, height, width); got {box}"
        raise ValueError(msg)
    row, column, height, width = map(int, values)
    fits = row + height <= shape[0] and column + width <= shape[1]
    if min(row, column) < 0 or min(height, width) < 1 or not fits:
        msg = f"box must lie inside an image of shape {tuple(shape)}; got {tuple(box)}"
        raise ValueError(msg)
    return row, column, height, width


def _shape(ax: Axes) -> tuple[int, int]:
    """(height, width) of the image in a panel."""
    if not ax.images:
        msg = "ax must show an image before it is marked; got an empty panel"
        raise ValueError(msg)
    return ax.images[0].get_array().shape[:2]
