"""Clean images to judge denoisers on, with their atoms, from what is at hand."""

import json
from typing import Literal

import numpy as np

from sbd.examples import Source, example_truth, fetch_clean
from sbd.exchange import BOX_SAMPLES
from sbd.inspection import PIXEL
from sbd.projections import place_atoms
from sbd.registry import fetch
from sbd.scenes import Scene, find_recipe, published_scene
from sbd.simulation import resample
from sbd.structures import BOX, pt_on_ceria

_AUTHORS = ("PtNp2", "S3_5"), 40.0, (3.0, 0.0)  # structure, thickness, tilt
_BUNDLED = ("PtNp1", ((0, 0, -5), (1, 7, -4))), 45.0, (2.5, 0.5)  # see .ci/assets.py


def example_scene(source: Literal["auto"] | Source = "auto") -> Scene:
    """Get the clean image of `example_truth`, and where its atoms are.

    Parameters
    ----------
    source : {"auto", "real", "authors", "simulated"}, default "auto"
        As for `example_truth`.

    Returns
    -------
    Scene
        The authors' image PtNp2-S3_5, resized as they do, or the bundled simulated one.

    Raises
    ------
    ValueError
        If `source` or ``SBD_SOURCE`` is unknown.

    Examples
    --------
    >>> scene = example_scene("simulated")
    >>> int(scene.specimen.platinum.sum()), scene.polarity
    (40, 'bright')
    """
    clean, title = example_truth(source)
    if title.startswith("authors"):
        structure, thickness, tilt = _AUTHORS
        atoms = pt_on_ceria(*structure, thickness=thickness)
        return published_scene(
            fetch_clean("clean/PtNp2-S3_5"), atoms, tilt, title=title
        )
    structure, thickness, tilt = _BUNDLED
    size = round(BOX / PIXEL)
    with np.load(fetch("example/simulated"), allow_pickle=False) as file:
        corner = [round(size * float(file[f"crop_{k}"][0])) for k in ("rows", "cols")]
    specimen = place_atoms(
        pt_on_ceria(*structure, thickness=thickness), tilt, shape=clean.shape,
        pixel=(BOX / size, BOX / size), corner=corner,
    )  # fmt: skip
    return Scene(title, clean, specimen)


def held_out_scenes() -> list[Scene]:
    """List the bundled images of structures that nothing was trained or tuned on.

    Returns
    -------
    list of Scene
        Five images of the benchmark's test split, of different structure, thickness,
        tilt and defocus, in all of which the clean image shows the columns; cut and
        resized as the authors do. Titles tell what they show.

    Notes
    -----
    ``.ci/held_out.py`` chose and stored them.

    Examples
    --------
    >>> [scene.clean.shape for scene in held_out_scenes()[:2]]
    [(727, 687), (727, 687)]
    """
    with np.load(fetch("example/held-out"), allow_pickle=False) as file:
        images, labels = file["images"], json.loads(str(file["labels"]))
    scenes = []
    for stored, label in zip(images, labels, strict=True):
        spectrum = np.fft.fft2(stored.astype(np.float32)) / stored.size
        fine = resample(spectrum, (BOX_SAMPLES, BOX_SAMPLES))
        tilt = label["tilt_x"], label["tilt_y"]
        title = (
            f"{label['structure']}, tilt ({tilt[0]:g}, {tilt[1]:g}) degrees, "
            f"{label['defocus']:g} nm"
        )
        atoms = find_recipe(label["structure"]).build()
        scenes.append(published_scene(fine, atoms, tilt, title=title))
    return scenes
