"""Page 00: the method in one picture."""

from collections.abc import Sequence
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
from sbd.plotting.colours import INK
from sbd.plotting.images import STYLE, show_map
from sbd.typing import Image

if TYPE_CHECKING:
    from sbd.simulation.structures import Atoms

_GREEN, _ORANGE = "#6fa53a", "#e4813a"


def show_pipeline(
    atoms: "Atoms",
    *,
    simulated: Sequence[Image],
    training: tuple[Image, Image, Image],
    inference: tuple[Image, Image, ArrayLike],
    pixels: tuple[float, float, float],
    captions: tuple[str, str, str] = (
        "Noisy data",
        "Denoised data",
        "Likelihood map\n(nats per pixel)",
    ),
    heading: str = "",
) -> Figure:
    """Draw the framework: simulate, train, infer.

    `simulated` are six images, `training` a clean, a noisy and a denoised one,
    `inference` a recorded and a denoised one and a likelihood map (NaN where it says
    nothing); `captions` are the words under these three, `heading` says where they come
    from. `pixels` are those of the three kinds of image, for scale bars [angstrom].
    """
    if len(simulated) != 6:
        msg = f"simulated must hold six images; got {len(simulated)}"
        raise ValueError(msg)
    with mpl.rc_context(STYLE):
        fig, canvas = open_canvas(7.0, 6.3)
        _simulating(canvas, atoms, simulated, pixels[0])
        _training(canvas, training, pixels[1])
        _inferring(canvas, inference, captions, pixels[2])
        canvas.text(6.8, 0.14, heading, ha="right", fontsize=7.5, color=INK)
    return fig


def _caption(canvas: Axes, x: float, y: float, words: str) -> None:
    canvas.text(x, y, words, ha="center", va="top", fontsize=8)


def _simulating(
    canvas: Axes, atoms: "Atoms", simulated: Sequence[Image], pixel: float
) -> None:
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
        place_image(canvas, image, corner, 0.8, pixel_size=pixel)
    _caption(canvas, 5.47, 4.45, "Simulated images")


def _training(canvas: Axes, training: tuple[Image, Image, Image], pixel: float) -> None:
    draw_frame(canvas, (0.06, 2.15), (6.88, 2.02), "Training", colour=BLUE)
    words = ("Simulated data", "Noisy data", "Denoised data")
    limits = ("full", "robust", "full")
    lefts = (0.25, 2.0, 5.4)
    for image, word, grey, left in zip(training, words, limits, lefts, strict=True):
        look = {"limits": grey, "copies": 4, "pixel_size": pixel}
        place_image(canvas, image, (left, 2.65), 1.15, **look)
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
    pixel: float,
) -> None:
    draw_frame(canvas, (0.06, 0.06), (6.88, 2.02), "Inference", colour=_ORANGE)
    recorded, denoised, likelihood = inference
    look = {"limits": "robust", "pixel_size": pixel}
    place_image(canvas, recorded, (0.25, 0.62), 1.3, **look)
    draw_arrow(canvas, (1.62, 1.25), 0.25)
    draw_network(canvas, (1.9, 0.78), 0.96, colour=_ORANGE)
    label = {"facecolor": _ORANGE, "edgecolor": "none", "boxstyle": "square,pad=0.4"}
    canvas.text(
        2.6, 0.48, "Trained network", ha="center", color="white", fontsize=8, bbox=label
    )
    draw_arrow(canvas, (3.3, 1.25), 0.25)
    place_image(canvas, denoised, (3.62, 0.62), 1.3, pixel_size=pixel)
    draw_arrow(canvas, (4.98, 1.25), 0.22)
    panel = open_panel(canvas, 5.25, 0.62, (1.24, 1.3))
    panel.set_anchor("SW")
    show_map(panel, likelihood)
    panel.child_axes[0].tick_params(labelsize=6, pad=1, length=1.5)
    for left, words in zip((0.9, 4.27, 5.87), captions, strict=True):
        _caption(canvas, left, 0.58, words)
