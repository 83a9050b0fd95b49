"""Page 02: images with nested zooms, row by row."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from sbd.plotting.colours import ORANGE, RED
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    Limits,
    arrange_panels,
    prepare_images,
    show_image,
)
from sbd.plotting.marks import Box, check_box, frame_panel, mark_box
from sbd.typing import Image


def show_zooms(
    images: Mapping[str, Image],
    boxes: Sequence[Box],
    *,
    colours: Sequence[str] = (RED, ORANGE),
    limits: Limits | Mapping[str, Limits] = "full",
    heading: str = "",
) -> Figure:
    """Draw images in columns, and below each the same boxes of it enlarged.

    Boxes are (row, column, height, width) [pixels], one row of panels each. `limits`
    are of the whole images, as in `show_images`; the zooms keep them.
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
    panel = WIDTH / len(checked)
    heights = [panel * h / w for h, w in (shape, *(box[2:] for box in boxes))]
    mosaic = [[f"{row} {name}" for name in checked] for row in range(len(heights))]
    height = sum(heights) + TITLE_ROOM
    height += TITLE_ROOM if heading else 0.0
    fig, panels = arrange_panels(
        mosaic, height=height, heights=heights, heading=heading
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
