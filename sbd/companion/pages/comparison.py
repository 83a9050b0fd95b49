"""Page 02: images with nested zooms, row by row."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from sbd.plotting.colours import ORANGE, RED
from sbd.plotting.images import (
    TITLE_ROOM,
    Limits,
    arrange_panels,
    prepare_images,
    show_image,
)
from sbd.plotting.marks import Box, check_box, frame_panel, mark_box
from sbd.typing import Image

if TYPE_CHECKING:
    pass


def show_zooms(
    images: Mapping[str, Image],
    boxes: Sequence[Box],
    *,
    colours: Sequence[str] = (RED, ORANGE),
    limits: Limits | Mapping[str, Limits] = "full",
    width: float = 7.0,
    heading: str = "",
) -> Figure:
    """Draw images in columns, and below each the same boxes of it enlarged.

    Parameters
    ----------
    images : dict of str to ndarray of shape (height, width)
        The images by title, all of one shape, in electrons per pixel.
    boxes : sequence of tuple of int
        (row, column, height, width) of each zoom: one row of panels a box [pixels].
    colours : sequence of str, optional
        Colours of the boxes, and of the frames of the panels that show them.
    limits : {"full", "robust", "shared"}, tuple of float, or dict, default "full"
        Grey limits of the whole images as in `show_images`; the zooms keep them.
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure, such as where its images come from.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; ``fig.axes`` holds the panels row by row.

    Raises
    ------
    TypeError, ValueError
        If an image is none, the shapes differ, there is no box or too few colours, or
        a box does not lie inside.

    Examples
    --------
    >>> import numpy as np
    >>> fig = show_zooms({"(a)": np.eye(9)}, [(1, 1, 4, 4), (2, 2, 2, 2)])
    >>> [ax.images[0].get_array().shape for ax in fig.axes]
    [(9, 9), (4, 4), (2, 2)]
    """
    checked, grey = prepare_images(images, limits)
    shapes = {image.shape for image in checked.values()}
    if len(shapes) != 1:
        msg = f"images must have one shape; got {sorted(shapes)}"
        raise ValueError(msg)
    if not 1 <= len(boxes) <= len(colours):
        msg = f"boxes must be 1 to {len(colours)}, one per colour; got {len(boxes)}"
        raise ValueError(msg)
    (shape,) = shapes
    boxes = [check_box(box, shape) for box in boxes]
    panel = width / len(checked)
    heights = [panel * h / w for h, w in (shape, *(box[2:] for box in boxes))]
    mosaic = [[f"{row} {name}" for name in checked] for row in range(len(heights))]
    height = sum(heights) + TITLE_ROOM
    height += TITLE_ROOM if heading else 0.0
    fig, panels = arrange_panels(
        mosaic, width=width, height=height, heights=heights, heading=heading
    )
    for name, image in checked.items():
        whole = panels[f"0 {name}"]
        shown = show_image(whole, image, title=name, limits=grey[name])
        for k, (box, colour) in enumerate(zip(boxes, colours, strict=False), start=1):
            row, column, height, across = box
            zoom = image[row : row + height, column : column + across]
            show_image(panels[f"{k} {name}"], zoom, limits=shown.get_clim())
            frame_panel(panels[f"{k} {name}"], colour)
            mark_box(whole, box, colour)
    return fig
