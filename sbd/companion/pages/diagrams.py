"""The parts of a diagram: a canvas, stacks of images, arrows, networks, frames."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke

from sbd.plotting.images import Limits, draw_image
from sbd.typing import Image
from sbd.validation import check_image

BLUE = "#3f6fc6"
"""Colour of arrows and of networks in training."""


def open_canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure with one bare panel that is measured in inches."""
    fig = Figure(figsize=(width, height))
    canvas = fig.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    canvas.set_axis_off()
    return fig, canvas


def open_panel(canvas: Axes, left: float, bottom: float, size: tuple) -> Axes:
    """Open a panel of (width, height) on a canvas [inch]."""
    width, height = canvas.get_xlim()[1], canvas.get_ylim()[1]
    place = (left / width, bottom / height, size[0] / width, size[1] / height)
    return canvas.figure.add_axes(place)


def place_image(
    canvas: Axes,
    image: Image,
    corner: tuple[float, float],
    side: float,
    *,
    limits: Limits = "full",
    copies: int = 1,
    pixel_size: float | None = None,
) -> AxesImage:
    """Put an image on a canvas, on top of a stack of more of its kind.

    `corner` is its lower left one, (right, up), and `side` the longer one [inch]. With
    `pixel_size` [angstrom] it has a scale bar of 1 nm.
    """
    field = canvas.get_xlim(), canvas.get_ylim()
    image = check_image(image)
    height, width = (side * n / max(image.shape) for n in image.shape)
    for k in reversed(range(copies)):
        left, bottom = (x + 0.05 * k for x in corner)
        shown = draw_image(canvas, image, limits, width)
        shown.set_extent([left, left + width, bottom, bottom + height])
        edge = FancyBboxPatch((left, bottom), width, height, "square,pad=0")
        edge.set(facecolor="none", edgecolor="black" if k == 0 else "white")
        edge.set(linewidth=0.6, zorder=shown.get_zorder())
        canvas.add_patch(edge)
    canvas.set(xlim=field[0], ylim=field[1], aspect="auto")
    if pixel_size is not None:
        inches = 10.0 / pixel_size * side / max(image.shape)
        draw_scale(canvas, corner, inches)
    return shown


def draw_scale(canvas: Axes, corner: tuple[float, float], inches: float) -> None:
    """Draw a scale bar of 1 nm, so long, into the lower left of an image [inch]."""
    left, bottom = corner[0] + 0.05, corner[1] + 0.05
    bar = Rectangle((left, bottom), inches, 0.025, zorder=9)
    bar.set(facecolor="white", edgecolor="black", linewidth=0.4)
    canvas.add_patch(bar)
    place = left + inches / 2, bottom + 0.045
    words = {"ha": "center", "va": "bottom", "fontsize": 6, "color": "white"}
    around = [withStroke(linewidth=1.2, foreground="black")]
    canvas.text(*place, "1 nm", zorder=9, path_effects=around, **words)


def draw_arrow(canvas: Axes, start: tuple[float, float], length: float) -> None:
    """Draw a hollow arrow to the right, from the middle of its tail [inch]."""
    x, y = start
    neck, half, wing = x + length - 0.1, 0.045, 0.09
    across = [x, neck, neck, x + length, neck, neck, x]
    up = [half, half, wing, 0.0, -wing, -half, -half]
    upward = [y + step for step in up]
    canvas.fill(across, upward, facecolor="white", edgecolor=BLUE, linewidth=0.9)


def draw_network(
    canvas: Axes, corner: tuple[float, float], height: float, *, colour: str = BLUE
) -> None:
    """Draw a network as slabs, 1.4 times as wide as they are high [inch]."""
    face = 1 - 0.45 * (1 - np.array(to_rgb(colour)))
    dark = 0.55 * np.array(to_rgb(colour))
    thick, deep, rise = 0.08 * height, 0.3 * height, 0.36 * height
    front = height - rise
    for k, shift in enumerate((0.0, 0.18, 0.36, 0.88, 1.06)):
        x, y = corner[0] + shift * height, corner[1]
        faces = {
            "front": ([0, thick, thick, 0], [0, 0, front, front], colour),
            "top": (
                [0, thick, thick + deep, deep],
                [front, front, height, height],
                dark,
            ),
            "side": (
                [thick, thick + deep, thick + deep, thick],
                [0, rise, height, front],
                face,
            ),
        }
        for across, up, paint in faces.values():
            canvas.fill(
                [x + step for step in across],
                [y + step for step in up],
                facecolor=paint,
                edgecolor="#222222",
                linewidth=0.5,
                zorder=2 + 0.1 * k,
            )
    canvas.text(corner[0] + 0.81 * height, corner[1] + 0.5 * height, "...", ha="center")


def draw_frame(
    canvas: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    label: str,
    *,
    colour: str,
) -> None:
    """Draw a rounded frame [inch] with a label in its lower left corner."""
    box = FancyBboxPatch(corner, *size, "round,pad=0,rounding_size=0.25")
    box.set(facecolor="none", edgecolor=colour, linewidth=1.2)
    canvas.add_patch(box)
    where = corner[0] + 0.2, corner[1] + 0.09
    canvas.text(*where, label, color=colour, fontsize=11, va="bottom")
