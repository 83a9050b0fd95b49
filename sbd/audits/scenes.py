"""A clean image together with the atoms that it shows.

Whoever simulates knows where the atoms are, and so which pixels are the particle's,
its surface's and the vacuum's, and which columns a finder should find.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from ase import Atoms

from sbd.audits.placed_atoms import Look, PlacedAtoms, place_atoms
from sbd.benchmark.dataset import Benchmark
from sbd.benchmark.recipes import Recipe, default_recipes
from sbd.columns.finding import box_around
from sbd.metrics import authors_resize
from sbd.simulation.frame import AUTHORS_PIXEL, BOX, BOX_SAMPLES, CROP
from sbd.typing import Image


@dataclass(frozen=True, eq=False)
class Scene:
    """A clean image and the specimen that it shows."""

    title: str  # which image, in words
    clean: Image  # expected counts, the vacuum at 0.45 [electrons per pixel]
    specimen: PlacedAtoms  # where its atoms are

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
        """Look for columns in an estimate, as bright or dark as in the clean image."""
        if np.shape(image) != self.clean.shape:
            msg = f"image must have shape {self.clean.shape}; got {np.shape(image)}"
            raise ValueError(msg)
        return self.specimen.look(image, self.polarity)


def find_recipe(structure: str) -> Recipe:
    """Look up a structure that `default_recipes` lists, such as "PtNp1-Dhb-50"."""
    recipe = _recipes().get(structure)
    if recipe is None:
        known = "structures that default_recipes lists"
        msg = f"benchmark must hold {known}; got {structure}"
        raise ValueError(msg)
    return recipe


def square_scene(benchmark: Benchmark, row: int, pixel: float) -> Scene:
    """Show a benchmark's image in the authors' frame, on square pixels [angstrom]."""
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

    The image is the whole box (1024, 1024) or their crop (876, 927) [electrons per
    pixel], the tilt in degrees; the 727 x 687 pixels of the result are 12 % higher than
    wide.
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
        pixel=tuple((AUTHORS_PIXEL * scale).tolist()),
        corner=corner,
    )
    return Scene(title, clean, specimen)


def crop_scene(scene: Scene, size: tuple[int, int]) -> Scene:
    """Cut (height, width) [pixels] around the particle, or what there is."""
    if np.shape(size) != (2,) or min(size) < 1:
        msg = f"size must be (height, width) of at least a pixel; got {size}"
        raise ValueError(msg)
    whole = scene.specimen
    top, left, height, width = frame_particle(whole, size)
    places = whole.columns - (top, left)
    inside = ((places >= 0) & (places <= (height - 1, width - 1))).all(axis=1)
    part = PlacedAtoms(
        places[inside],
        whole.platinum[inside],
        whole.support - (top, left),
        whole.pixel,
        (height, width),
    )
    clean = scene.clean[top : top + height, left : left + width]
    return Scene(scene.title, clean, part)


def frame_particle(
    specimen: PlacedAtoms, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Place a (row, column, height, width) around the particle, or in the middle."""
    middle = np.array(specimen.shape) / 2
    if specimen.platinum.any():
        particle = specimen.columns[specimen.platinum]
        middle = (particle.min(axis=0) + particle.max(axis=0)) / 2
    return box_around(middle, size, specimen.shape)


@cache
def _recipes() -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in default_recipes()}
