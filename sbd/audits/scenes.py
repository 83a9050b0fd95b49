"""A clean image together with the atoms that it shows.

Whoever simulates knows where the atoms are, and so which pixels are the particle's,
its surface's and the vacuum's, and which columns a finder should find.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from ase import Atoms

from sbd.audits.placed_atoms import Look, Specimen, place_atoms
from sbd.benchmark.authors_layout import BOX_SAMPLES, CROP
from sbd.benchmark.dataset import Benchmark
from sbd.benchmark.recipes import Recipe, default_recipes
from sbd.columns.finding import box_around
from sbd.metrics import authors_resize
from sbd.simulation.structures import BOX
from sbd.typing import Image


@dataclass(frozen=True, eq=False)
class Scene:
    """A clean image and the specimen that it shows.

    Parameters
    ----------
    title : str
        Which image, in words.
    clean : ndarray of shape (height, width)
        Expected counts with the vacuum at 0.45 [electrons per pixel].
    specimen : Specimen
        Where its atoms are.

    Raises
    ------
    ValueError
        If the specimen is placed in an image of another shape.

    Examples
    --------
    >>> flat, none = np.full((9, 9), 0.45), np.zeros((0, 2))
    >>> empty = Specimen(none, np.zeros(0, bool), none + 4, (0.2, 0.2), (9, 8))
    >>> Scene("vacuum", flat, empty)
    Traceback (most recent call last):
    ValueError: specimen must be placed in the image of shape (9, 9); got (9, 8)
    """

    title: str
    clean: Image
    specimen: Specimen

    def __post_init__(self) -> None:
        if self.clean.shape != self.specimen.shape:
            msg = (
                "specimen must be placed in the image of shape "
                f"{self.clean.shape}; got {self.specimen.shape}"
            )
            raise ValueError(msg)

    @cached_property
    def _seen(self) -> tuple[str, Look]:
        looks = {p: self.specimen.look(self.clean, p) for p in ("bright", "dark")}
        polarity = max(looks, key=lambda name: looks[name].hit.sum())
        return polarity, looks[polarity]

    @property
    def polarity(self) -> str:
        """``"bright"`` or ``"dark"``: what shows more columns in the clean image."""
        return self._seen[0]

    @property
    def truth(self) -> Look:
        """What the finder finds in the clean image."""
        return self._seen[1]

    def look(self, image: Image) -> Look:
        """Look for columns in an estimate, bright or dark as the clean image has them.

        Parameters
        ----------
        image : ndarray of shape (height, width)
            An estimate of the clean image [electrons per pixel].

        Returns
        -------
        Look
            What is found there.

        Raises
        ------
        ValueError
            If the estimate has another shape than the clean image.
        """
        if np.shape(image) != self.clean.shape:
            msg = f"image must have shape {self.clean.shape}; got {np.shape(image)}"
            raise ValueError(msg)
        return self.specimen.look(image, self.polarity)


def find_recipe(structure: str) -> Recipe:
    """Look up a structure that `default_recipes` lists.

    Parameters
    ----------
    structure : str
        Its name, such as ``"PtNp1-Dhb-50"``.

    Returns
    -------
    Recipe
        How to build it.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> find_recipe("PtNp1-Dhb-50").split
    'test'
    """
    recipe = _recipes().get(structure)
    if recipe is None:
        known = "structures that default_recipes lists"
        msg = f"benchmark must hold {known}; got {structure}"
        raise ValueError(msg)
    return recipe


def square_scene(benchmark: Benchmark, row: int, pixel: float) -> Scene:
    """Show an image of a benchmark in the authors' frame, with square pixels.

    Parameters
    ----------
    benchmark : Benchmark
        Of structures that `default_recipes` lists.
    row : int
        Of its table.
    pixel : float
        Side of a pixel [angstrom].

    Returns
    -------
    Scene
        The part of the box that the authors show, without the seams.

    Raises
    ------
    ValueError
        If the structure is not known.
    """
    label = benchmark.table.iloc[row]
    atoms = find_recipe(label["structure"]).build()
    samples = round(BOX / pixel)
    pixel = BOX / samples
    frame = tuple(
        slice(
            *(round(edge * samples / BOX_SAMPLES) for edge in (part.start, part.stop))
        )
        for part in CROP
    )
    clean = np.maximum(benchmark.image(row, samples=samples)[frame], 0.0)
    specimen = place_atoms(
        atoms,
        (label["tilt_x"], label["tilt_y"]),
        shape=clean.shape,
        pixel=(pixel, pixel),
        corner=[part.start for part in frame],
    )
    return Scene(label["structure"], clean, specimen)


def published_scene(
    image: Image, atoms: Atoms, tilt: tuple[float, float], *, title: str
) -> Scene:
    """Cut and resize an image as the authors do, and place its atoms in it.

    Parameters
    ----------
    image : ndarray of shape (1024, 1024) or (876, 927)
        Expected counts in the whole box, or in the authors' crop of it [electrons per
        pixel].
    atoms : ase.Atoms
        What it shows.
    tilt : tuple of float
        Of the crystal, about x and about y [degrees].
    title : str
        Which image, in words.

    Returns
    -------
    Scene
        On the 727 x 687 pixels of the published numbers, which are 12 % higher than
        they are wide; none below 0.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> flat = np.full((876, 927), 0.45)
    >>> scene = published_scene(flat, pt_on_ceria(), (0.0, 0.0), title="nothing")
    >>> scene.clean.shape, [round(side, 4) for side in scene.specimen.pixel]
    ((727, 687), [0.0588, 0.0659])
    """
    cut = image[CROP] if image.shape == (BOX_SAMPLES, BOX_SAMPLES) else image
    clean = authors_resize(cut).clip(min=0)
    scale = np.array(cut.shape) / clean.shape
    # the middle of the first pixel, and the crop's first, in pixels of the result
    corner = (np.array([part.start for part in CROP]) + scale / 2 - 0.5) / scale
    specimen = place_atoms(
        atoms,
        tilt,
        shape=clean.shape,
        pixel=tuple((BOX / BOX_SAMPLES * scale).tolist()),
        corner=corner,
    )
    return Scene(title, clean, specimen)


def crop_scene(scene: Scene, size: tuple[int, int]) -> Scene:
    """Cut a frame around the particle.

    Parameters
    ----------
    scene : Scene
        A clean image and where its atoms are.
    size : tuple of int
        (height, width) of the frame; less where the image is smaller [pixels].

    Returns
    -------
    Scene
        The part of the image around the middle of the platinum columns, or of the image
        where there are none.

    Raises
    ------
    ValueError
        If `size` is not two numbers of pixels.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> flat = np.full((876, 927), 0.45)
    >>> scene = published_scene(flat, pt_on_ceria(), (0.0, 0.0), title="nothing")
    >>> part = crop_scene(scene, (400, 480))
    >>> part.clean.shape, int(part.specimen.platinum.sum())
    ((400, 480), 42)
    """
    if np.shape(size) != (2,) or min(size) < 1:
        msg = f"size must be (height, width) of at least a pixel; got {size}"
        raise ValueError(msg)
    whole = scene.specimen
    middle = np.array(whole.shape) / 2
    if whole.platinum.any():
        particle = whole.columns[whole.platinum]
        middle = (particle.min(axis=0) + particle.max(axis=0)) / 2
    top, left, height, width = box_around(middle, size, whole.shape)
    places = whole.columns - (top, left)
    inside = ((places >= 0) & (places <= (height - 1, width - 1))).all(axis=1)
    part = Specimen(
        places[inside],
        whole.platinum[inside],
        whole.support - (top, left),
        whole.pixel,
        (height, width),
    )
    clean = scene.clean[top : top + height, left : left + width]
    return Scene(scene.title, clean, part)


@cache
def _recipes() -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in default_recipes()}
