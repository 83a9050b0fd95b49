"""Page 01: the dataset, from atomic models to noisy images."""

from collections.abc import Mapping, Sequence
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
    images: Sequence[Image],
    *,
    captions: tuple[str, str, str, str],
) -> Figure:
    """Draw what the dataset varies: structure, thickness, tilt and defocus.

    Three models along the beam, two from the side, two with their angle about x
    [degrees], and six images, three rows of two; a caption for each of the four parts.
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
            4.4, 2.35, "simulated at\ndifferent\ndefocus", ha="center", va="center"
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
