"""Frames of a slider: images alone, of one size and one grey scale."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from sbd.plotting.images import DPI, Limits, draw_image, prepare_images
from sbd.plotting.marks import mark_scale
from sbd.typing import Image

WIDTH = 440
"""Of a frame [pixels]; a page shows it as wide as this, or as the screen."""


def draw_frames(
    images: Mapping[str, Image],
    *,
    limits: str | tuple[float, float] = "shared",
    pixel_size: float,
    width: int = WIDTH,
) -> dict[str, Figure]:
    """Draw each image alone, with its scale bar, `width` pixels wide, by its label.

    `limits` are those of all of them, as in `sbd.show_images`; `pixel_size` [angstrom].
    """
    checked, grey = prepare_images(images, limits)
    _check_alike([image.shape for image in checked.values()], "shape")
    _check_alike(list(grey.values()), "grey scale")
    frames = {}
    for label, image in checked.items():
        high, wide = image.shape
        size = (width / DPI, round(width * high / wide) / DPI)
        fig = Figure(figsize=size)
        ax = fig.add_axes((0.0, 0.0, 1.0, 1.0))
        draw_image(ax, image, grey[label], size[0])
        ax.set_aspect("auto")  # half a pixel of the picture at most
        ax.set_axis_off()
        mark_scale(ax, pixel_size, length=None)
        ax.texts[0].get_bbox_patch().set_alpha(0.85)  # it is read above counts, too
        frames[label] = fig
    return frames


def read_limits(frames: Mapping[str, Figure]) -> tuple[float, float]:
    """Tell the black and the white of frames, or why they cannot be compared."""
    if len(frames) < 2:
        msg = f"frames must be at least two; got {len(frames)}"
        raise ValueError(msg)
    for label, fig in frames.items():
        if not label.strip() or len(fig.axes) != 1 or len(fig.axes[0].images) != 1:
            msg = f"frames must have a label and one image each; got {label!r}"
            raise ValueError(msg)
    _check_alike([(*fig.get_size_inches(),) for fig in frames.values()], "size")
    limits = [fig.axes[0].images[0].get_clim() for fig in frames.values()]
    _check_alike(limits, "grey scale")
    return limits[0]


def _check_alike(values: Sequence[Limits | tuple], what: str) -> None:
    """Refuse frames that differ in what they must share."""
    if isinstance(values[0], str) or len(set(values)) > 1:
        msg = f"frames must have one {what}; got {sorted(set(values))}"
        raise ValueError(msg)
