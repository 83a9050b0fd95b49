"""Page 01: the dataset, from atomic models to noisy images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbd.companion.pages.atomic_models import show_atoms
from sbd.companion.pages.diagrams import open_canvas, open_panel, place_image
from sbd.plotting.images import STYLE
from sbd.typing import Image

if TYPE_CHECKING:
    from sbd.simulation.structures import Atoms


def show_dataset(
    structures: Mapping[str, "Atoms"],
    thicknesses: Mapping[str, "Atoms"],
    tilts: Mapping[str, tuple["Atoms", float]],
    images: Mapping[str, Image],
    *,
    captions: tuple[str, str, str, str],
    pixel_size: float,
) -> Figure:
    """Draw what the dataset varies: structure, thickness, tilt and defocus.

    Three models along the beam, two from the side, two with their angle about x
    [degrees], and six images by what they are of, three rows of two, on one grey
    scale; a caption for each of the four parts. `pixel_size` [angstrom] is the images'.
    """
    counts = [len(group) for group in (structures, thicknesses, tilts, images)]
    if counts != [3, 2, 2, 6]:
        msg = (
            "structures, thicknesses, tilts and images must be 3, 2, 2 and 6; got "
            f"{', '.join(map(str, counts))}"
        )
        raise ValueError(msg)
    with mpl.rc_context(STYLE):
        fig, canvas = open_canvas(7.0, 3.7)
        titles = ("(a) Structure", "(b) Thickness", "(c) Tilt", "(d) Defocus and tilt")
        centres = (0.66, 1.92, 3.18, 5.66)
        for x, title, caption in zip(centres, titles, captions, strict=True):
            canvas.text(x, 3.53, title, ha="center", weight="bold")
            canvas.text(x, 0.08, caption, ha="center", va="bottom", fontsize=8)
        canvas.plot([0.03, 3.81, 3.81, 0.03, 0.03], [0.4, 0.4, 3.44, 3.44, 0.4], "k-")
        for x in (1.29, 2.55):
            canvas.plot([x, x], [0.4, 3.44], "k-")
        _models(canvas, structures, thicknesses, tilts)
        canvas.fill(
            [3.95, 4.3, 4.3, 4.55, 4.3, 4.3, 3.95],
            [1.97, 1.97, 2.07, 1.87, 1.67, 1.77, 1.77],
            "k",
        )
        _images(canvas, images, pixel_size)
    return fig


def _images(canvas: Axes, images: Mapping[str, Image], pixel_size: float) -> None:
    """Draw the six images, and the bar of their grey."""
    ends = [(im.min(), im.max()) for im in images.values()]
    limits = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    for k, (name, image) in enumerate(images.items()):
        corner = (4.74 + 0.96 * (k % 2), 2.4 - 0.98 * (k // 2))
        look = {"limits": limits, "pixel_size": pixel_size}
        shown = place_image(canvas, image, corner, 0.82, **look)
        left, _, _, top = shown.get_extent()
        canvas.text(left, top + 0.02, name, va="bottom", fontsize=6.5)
    beside = open_panel(canvas, 6.58, 0.9, (0.07, 1.9))
    bar = canvas.figure.colorbar(shown, cax=beside)
    bar.ax.tick_params(labelsize=6.5)
    canvas.text(6.54, 2.86, "e/pixel", fontsize=6.5)


def _models(
    canvas: Axes,
    structures: Mapping[str, "Atoms"],
    thicknesses: Mapping[str, "Atoms"],
    tilts: Mapping[str, tuple["Atoms", float]],
) -> None:
    """Draw the seven atomic models of the dataset figure."""
    for k, (name, atoms) in enumerate(structures.items()):
        panel = open_panel(canvas, 0.1, 2.5 - 0.93 * k, (1.12, 0.78))
        show_atoms(panel, atoms)
        canvas.text(0.66, 3.29 - 0.93 * k, name, ha="center", fontsize=8)
    for k, (name, atoms) in enumerate(thicknesses.items()):
        panel = open_panel(canvas, 1.34, 2.03 - 1.37 * k, (1.16, 1.12))
        show_atoms(panel, atoms, turn=35, lean=8)
        canvas.text(1.92, 3.22 - 1.37 * k, name, ha="center", fontsize=8)
    for k, (name, (atoms, angle)) in enumerate(tilts.items()):
        panel = open_panel(canvas, 2.6, 2.03 - 1.37 * k, (1.16, 1.12))
        show_atoms(panel, atoms, lean=angle)
        canvas.text(3.18, 3.22 - 1.37 * k, name, ha="center", fontsize=8)
