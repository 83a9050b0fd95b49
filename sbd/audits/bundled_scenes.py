"""Clean images to judge denoisers on, with their atoms, from what is at hand."""

import json
from collections.abc import Sequence
from typing import Literal

import numpy as np

from sbd.audits.placed_atoms import place_atoms
from sbd.audits.scenes import Scene, crop_scene, find_recipe, published_scene
from sbd.data.examples import Source, example_truth, fetch_clean
from sbd.data.registry import fetch
from sbd.simulation.frame import BOX, BOX_SAMPLES, PIXEL
from sbd.simulation.imaging import resample
from sbd.simulation.specimens import DEFOCI
from sbd.simulation.structures import pt_on_ceria

_AUTHORS = ("PtNp2", "S3_5"), 40.0, (3.0, 0.0)  # structure, thickness, tilt
_BUNDLED = (
    ("PtNp1", ((0, 0, -3), (1, 7, -6))),
    45.0,
    (2.5, 0.5),
)  # see sbd/companion/make/assets.py


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


def held_out_scenes(*, frame: tuple[int, int] | None = None) -> list[Scene]:
    """List the bundled images of structures that nothing was trained or tuned on.

    ``sbd/companion/make/held_out.py`` chose and stored them.

    Parameters
    ----------
    frame : tuple of int, optional
        (height, width) to cut around the particle; the whole image if not given
        [pixels].

    Returns
    -------
    list of Scene
        Five images of the benchmark's test split, of different structure, thickness,
        tilt and defocus, in all of which the clean image shows the columns; cut and
        resized as the authors do. Titles tell what they show.

    Examples
    --------
    >>> [scene.clean.shape for scene in held_out_scenes()[:2]]
    [(727, 687), (727, 687)]
    """
    images, labels = _read("example/held-out")
    return [_scene(*pair, frame) for pair in zip(images, labels, strict=True)]


def focal_series(
    defoci: Sequence[float] = DEFOCI, *, frame: tuple[int, int] | None = None
) -> dict[float, Scene]:
    """Get one of these images at several defoci, to follow it through focus.

    ``sbd/companion/make/held_out.py`` chose and stored it. Near focus its columns turn
    from dark to bright, and one image there shows almost none.

    Parameters
    ----------
    defoci : sequence of float, default all
        Some of the benchmark's: 0, 1, ... 20 [nm].
    frame : tuple of int, optional
        As for `held_out_scenes` [pixels].

    Returns
    -------
    dict of float to Scene
        The same particle by its defocus, cut and resized as the authors do.

    Raises
    ------
    ValueError
        If there are no defoci, or one is not of the benchmark.

    Examples
    --------
    >>> series = focal_series([0, 12])
    >>> [scene.polarity for scene in series.values()]
    ['dark', 'bright']
    """
    if not len(defoci) or not set(defoci) <= set(DEFOCI):
        among = f"0, 1, ... {DEFOCI[-1]:g} nm"
        msg = f"defoci must be one or more of {among}; got {list(defoci)}"
        raise ValueError(msg)
    images, labels = _read("example/focal-series")
    places = {label["defocus"]: i for i, label in enumerate(labels)}
    return {
        float(d): _scene(images[places[d]], labels[places[d]], frame)
        for d in dict.fromkeys(defoci)
    }


def _read(name: str) -> tuple[np.ndarray, list[dict]]:
    """Read bundled images, as the benchmark stores them, and their labels."""
    with np.load(fetch(name), allow_pickle=False) as file:
        return file["images"], json.loads(str(file["labels"]))


def _scene(stored: np.ndarray, label: dict, frame: tuple[int, int] | None) -> Scene:
    """Show a bundled image as the authors would have published it."""
    spectrum = np.fft.fft2(stored.astype(np.float32)) / stored.size
    fine = resample(spectrum, (BOX_SAMPLES, BOX_SAMPLES))
    tilt = label["tilt_x"], label["tilt_y"]
    title = (
        f"{label['structure']}, tilt ({tilt[0]:g}, {tilt[1]:g}) degrees, "
        f"{label['defocus']:g} nm"
    )
    atoms = find_recipe(label["structure"]).build()
    scene = published_scene(fine, atoms, tilt, title=title)
    return scene if frame is None else crop_scene(scene, frame)
