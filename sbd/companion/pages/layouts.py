"""Whole figures: images with nested zooms, the method in a picture, the dataset."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sbd.companion.pages.atomic_models import show_atoms
from sbd.companion.pages.diagrams import (
    BLUE,
    draw_arrow,
    draw_frame,
    draw_network,
    open_canvas,
    open_panel,
    place_image,
)
from sbd.plotting.images import (
    STYLE,
    TITLE_ROOM,
    Limits,
    arrange_panels,
    prepare_images,
    show_image,
    show_map,
)
from sbd.plotting.marks import ORANGE, RED, Box, check_box, frame_panel, mark_box
from sbd.typing import Image

if TYPE_CHECKING:
    from sbd.simulation.structures import Atoms

_GREEN, _ORANGE = "#6fa53a", "#e4813a"


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


def show_pipeline(
    atoms: "Atoms",
    *,
    simulated: Sequence[Image],
    training: tuple[Image, Image, Image],
    inference: tuple[Image, Image, ArrayLike],
    captions: tuple[str, str, str] = ("Noisy data", "Denoised data", "Likelihood map"),
    heading: str = "",
) -> Figure:
    """Draw the framework: simulate, train, infer.

    Parameters
    ----------
    atoms : ase.Atoms
        The atomic model.
    simulated : sequence of six ndarray of shape (height, width)
        Simulated images, two rows of three, in electrons per pixel.
    training : tuple of three ndarray of shape (height, width)
        Clean, noisy and denoised image of a training pair, in electrons per pixel.
    inference : tuple of three ndarray of shape (height, width)
        Recorded image, denoised image (electrons per pixel) and likelihood map (NaN
        where it says nothing).
    captions : tuple of three str, optional
        Words under the images of the last row.
    heading : str, optional
        Where the recorded image comes from, in the last row.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, 7 x 6.3 inches.

    Raises
    ------
    ValueError
        If there are not six simulated images.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import Atoms
    >>> image = np.eye(4)
    >>> fig = show_pipeline(
    ...     Atoms("Pt", [(2, 2, 2)], cell=(4, 4, 4)),
    ...     simulated=[image] * 6,
    ...     training=(image, image, image),
    ...     inference=(image, image, image - 0.5),
    ... )
    >>> len(fig.axes)
    4
    """
    if len(simulated) != 6:
        msg = f"simulated must hold six images; got {len(simulated)}"
        raise ValueError(msg)
    with mpl.rc_context(STYLE):
        fig, canvas = open_canvas(7.0, 6.3)
        _simulating(canvas, atoms, simulated)
        _training(canvas, training)
        _inferring(canvas, inference, captions)
        canvas.text(6.8, 0.14, heading, ha="right", fontsize=7.5, color="#444444")
    return fig


def _caption(canvas: Axes, x: float, y: float, words: str) -> None:
    canvas.text(x, y, words, ha="center", va="top", fontsize=8)


def _simulating(canvas: Axes, atoms: "Atoms", simulated: Sequence[Image]) -> None:
    draw_frame(canvas, (0.06, 4.24), (6.88, 2.0), "Simulating", colour=_GREEN)
    solid = open_panel(canvas, 0.35, 4.5, (1.75, 1.7))
    show_atoms(solid, atoms, turn=-28, lean=18)
    flat = open_panel(canvas, 2.2, 4.7, (1.35, 1.4))
    show_atoms(flat, atoms)
    _caption(canvas, 2.87, 4.68, "2D projection from\nthe 3D atomic model")
    for words, spot, tip in (
        ("Pt", (1.72, 5.95), (1.35, 5.65)),
        ("CeO$_2$", (0.36, 5.62), (0.55, 5.3)),
    ):
        style = {"arrowstyle": "-|>", "color": "black", "linewidth": 0.7}
        canvas.annotate(words, tip, spot, ha="center", arrowprops=style, zorder=9)
    draw_arrow(canvas, (3.62, 5.4), 0.42)
    for k, image in enumerate(simulated):
        corner = (4.15 + 0.92 * (k % 3), 5.36 - 0.86 * (k // 3))
        place_image(canvas, image, corner, 0.8)
    _caption(canvas, 5.47, 4.45, "Simulated images")


def _training(canvas: Axes, training: tuple[Image, Image, Image]) -> None:
    draw_frame(canvas, (0.06, 2.15), (6.88, 2.02), "Training", colour=BLUE)
    words = ("Simulated data", "Noisy data", "Denoised data")
    limits = ("full", "robust", "full")
    lefts = (0.25, 2.0, 5.4)
    for image, word, grey, left in zip(training, words, limits, lefts, strict=True):
        place_image(canvas, image, (left, 2.65), 1.15, limits=grey, copies=4)
        _caption(canvas, left + 0.55, 2.6, word)
    draw_arrow(canvas, (1.6, 3.25), 0.35)
    canvas.text(1.77, 3.38, "noise", ha="center", fontsize=7)
    draw_arrow(canvas, (3.38, 3.25), 0.25)
    draw_network(canvas, (3.66, 2.78), 0.96)
    _caption(canvas, 4.4, 2.6, "Convolutional neural network")
    draw_arrow(canvas, (5.1, 3.25), 0.25)


def _inferring(
    canvas: Axes,
    inference: tuple[Image, Image, ArrayLike],
    captions: tuple[str, str, str],
) -> None:
    draw_frame(canvas, (0.06, 0.06), (6.88, 2.02), "Inference", colour=_ORANGE)
    recorded, denoised, likelihood = inference
    place_image(canvas, recorded, (0.25, 0.62), 1.3, limits="robust")
    draw_arrow(canvas, (1.62, 1.25), 0.25)
    draw_network(canvas, (1.9, 0.78), 0.96, colour=_ORANGE)
    label = {"facecolor": _ORANGE, "edgecolor": "none", "boxstyle": "square,pad=0.4"}
    canvas.text(
        2.6, 0.48, "Trained network", ha="center", color="white", fontsize=8, bbox=label
    )
    draw_arrow(canvas, (3.3, 1.25), 0.25)
    place_image(canvas, denoised, (3.62, 0.62), 1.3)
    draw_arrow(canvas, (4.98, 1.25), 0.22)
    panel = open_panel(canvas, 5.25, 0.62, (1.24, 1.3))
    panel.set_anchor("SW")
    show_map(panel, likelihood)
    panel.child_axes[0].tick_params(labelsize=6, pad=1, length=1.5)
    for left, words in zip((0.9, 4.27, 5.87), captions, strict=True):
        _caption(canvas, left, 0.58, words)


def show_dataset(
    structures: Mapping[str, "Atoms"],
    thicknesses: Mapping[str, "Atoms"],
    tilts: Mapping[str, tuple["Atoms", float]],
    images: Sequence[Image],
    *,
    captions: tuple[str, str, str, str],
) -> Figure:
    """Draw what the dataset varies: structure, thickness, tilt and defocus.

    Parameters
    ----------
    structures : dict of str to ase.Atoms
        Three models by name, drawn along the beam.
    thicknesses : dict of str to ase.Atoms
        Two models by thickness, drawn from the side.
    tilts : dict of str to tuple of ase.Atoms and float
        Two models by tilt, with the angle about x to draw them at [degrees].
    images : sequence of six ndarray of shape (height, width)
        Images at six defocus values, three rows of two, in electrons per pixel.
    captions : tuple of four str
        Words under the four parts: how many of each there are.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, 7 x 3.5 inches.

    Raises
    ------
    ValueError
        If there are not three structures, two thicknesses, two tilts and six images.

    Examples
    --------
    >>> import numpy as np
    >>> from ase import Atoms
    >>> atoms = Atoms("Pt", [(2, 2, 2)], cell=(4, 4, 4))
    >>> fig = show_dataset(
    ...     dict.fromkeys("123", atoms),
    ...     dict.fromkeys(["3 nm", "6 nm"], atoms),
    ...     {"0": (atoms, 0.0), "4": (atoms, 4.0)},
    ...     [np.eye(4)] * 6,
    ...     captions=("3 models", "2 thicknesses", "2 tilts", "6 images"),
    ... )
    >>> len(fig.axes)
    8
    """
    counts = [len(group) for group in (structures, thicknesses, tilts, images)]
    if counts != [3, 2, 2, 6]:
        msg = (
            "structures, thicknesses, tilts and images must be 3, 2, 2 and 6; got "
            f"{', '.join(map(str, counts))}"
        )
        raise ValueError(msg)
    with mpl.rc_context(STYLE):
        fig, canvas = open_canvas(7.0, 3.5)
        titles = ("(a) Structure", "(b) Thickness", "(c) Tilt", "(d) Defocus")
        centres = (0.66, 1.92, 3.18, 6.03)
        for x, title, caption in zip(centres, titles, captions, strict=True):
            canvas.text(x, 3.33, title, ha="center", weight="bold")
            canvas.text(x, 0.08, caption, ha="center", va="bottom", fontsize=8)
        canvas.plot([0.03, 3.81, 3.81, 0.03, 0.03], [0.4, 0.4, 3.24, 3.24, 0.4], "k-")
        for x in (1.29, 2.55):
            canvas.plot([x, x], [0.4, 3.24], "k-")
        _models(canvas, structures, thicknesses, tilts)
        canvas.text(
            4.4,
            2.35,
            "simulated at\ndifferent\ndefocus",
            ha="center",
            va="center",
        )
        canvas.fill(
            [3.95, 4.6, 4.6, 4.85, 4.6, 4.6, 3.95],
            [1.87, 1.87, 1.97, 1.77, 1.57, 1.67, 1.67],
            "k",
        )
        for k, image in enumerate(images):
            corner = (5.07 + 0.97 * (k % 2), 2.32 - 0.95 * (k // 2))
            place_image(canvas, image, corner, 0.92)
    return fig


def _models(
    canvas: Axes,
    structures: Mapping[str, "Atoms"],
    thicknesses: Mapping[str, "Atoms"],
    tilts: Mapping[str, tuple["Atoms", float]],
) -> None:
    """Draw the seven atomic models of the dataset figure."""
    for k, (name, atoms) in enumerate(structures.items()):
        panel = open_panel(canvas, 0.1, 2.3 - 0.93 * k, (1.12, 0.78))
        show_atoms(panel, atoms)
        canvas.text(0.66, 3.09 - 0.93 * k, name, ha="center", fontsize=8)
    for k, (name, atoms) in enumerate(thicknesses.items()):
        panel = open_panel(canvas, 1.34, 1.83 - 1.37 * k, (1.16, 1.12))
        show_atoms(panel, atoms, turn=35, lean=8)
        canvas.text(1.92, 3.02 - 1.37 * k, name, ha="center", fontsize=8)
    for k, (name, (atoms, angle)) in enumerate(tilts.items()):
        panel = open_panel(canvas, 2.6, 1.83 - 1.37 * k, (1.16, 1.12))
        show_atoms(panel, atoms, lean=angle)
        canvas.text(3.18, 3.02 - 1.37 * k, name, ha="center", fontsize=8)
