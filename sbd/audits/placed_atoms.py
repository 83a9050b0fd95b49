"""Where an image shows the atoms of a specimen, and what a finder finds there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from sbd.columns.finding import Columns, find_columns, match_columns
from sbd.columns.surfaces import surface_columns
from sbd.simulation.frame import BOX
from sbd.simulation.structures import project_atoms
from sbd.typing import Image

REGIONS = ("particle", "surface", "vacuum")
"""Parts of an image, as `PlacedAtoms.regions` names them."""

TOLERANCE = 0.8
"""A third of the distance between platinum columns [angstrom]."""

RADII = 0.5, 1.0
"""Of a column's dot in the paper's images [angstrom]."""

_SUPPORT = 1.3  # any place in the support is that near to an atom of it [angstrom]
_PARTICLE = 1.5  # as far as a place between columns is from the nearest [angstrom]
_BAND = 2.4  # from one platinum column to the next, to either side [angstrom]
_VACUUM = 3.0  # where no atom's dot and no place for one more reaches [angstrom]


def project_columns(atoms: Atoms, tilt: tuple[float, float]) -> pd.DataFrame:
    """List a specimen's columns: element, row and column [angstrom], number of atoms.

    From the box's upper left corner; a tilt displaces what lies before the exit.
    """
    row, column = project_atoms(atoms, tilt)
    x, y, _ = atoms.positions.round(3).T
    table = pd.DataFrame({"element": atoms.get_chemical_symbols(), "x": x, "y": y})
    table["row"], table["column"] = row, column
    groups = table.groupby(["element", "y", "x"], as_index=False)
    places = groups.agg(row=("row", "mean"), column=("column", "mean"),
                        atoms=("row", "size"))  # fmt: skip
    return places.drop(columns=["y", "x"])


@dataclass(frozen=True, eq=False)
class Look:
    """What the finder finds in an image of a specimen."""

    hit: NDArray[np.bool_]  # which of the n platinum columns
    strength: NDArray[np.float64]  # height times width of their dots, 0 where is none
    rest: NDArray[np.float64]  # (row, column) of what is found where nothing is
    found: Columns  # all that is found


@dataclass(frozen=True, eq=False)
class PlacedAtoms:
    """Where a particle's columns and its support's atoms are in an image."""

    columns: NDArray[np.float64]  # (row, column) of all but oxygen's, inside [pixels]
    platinum: NDArray[np.bool_]  # which of them are the particle's
    support: NDArray[np.float64]  # (row, column) of the support's atoms [pixels]
    pixel: tuple[float, float]  # height and width [angstrom]
    shape: tuple[int, int]  # (height, width) of the image [pixels]

    @cached_property
    def _support(self) -> spatial.KDTree:
        return spatial.KDTree(self.support * self.pixel)

    @property
    def _side(self) -> float:
        """Side of a square as large as a pixel [angstrom]."""
        return float(np.sqrt(np.prod(self.pixel)))

    def look(self, image: Image, polarity: str) -> Look:
        """Find dots of a column's size, and match them with both crystals' columns.

        One to one; within 0.8 angstrom is a hit. `polarity` is "bright" or "dark".
        """
        least, most = (radius / self._side for radius in RADII)
        found = find_columns(
            image, min_radius=least, max_radius=most, polarity=polarity
        )
        places = found.positions * self.pixel
        match = match_columns(places, self.columns * self.pixel, tolerance=TOLERANCE)
        here, there = match.pairs.T
        strength = np.zeros(len(self.columns))
        strength[there] = np.abs(found.amplitudes * found.radii)[here] / np.sqrt(2)
        nearest, _ = self._support.query(places[match.spurious])
        return Look(
            hit=np.isin(np.arange(len(self.columns)), there)[self.platinum],
            strength=strength[self.platinum],
            rest=found.positions[match.spurious][nearest > _SUPPORT],
            found=found,
        )

    def is_particle(self, places: ArrayLike) -> NDArray[np.bool_]:
        """Tell at which (row, column) [pixels] the nearest column is platinum."""
        places = np.asarray(places, dtype=np.float64).reshape(-1, 2)
        if not len(self.columns) or not len(places):
            return np.zeros(len(places), dtype=bool)
        nearest = spatial.KDTree(self.columns * self.pixel)
        return self.platinum[nearest.query(places * self.pixel)[1]]

    @cached_property
    def regions(self) -> Mapping[str, NDArray[np.bool_]]:
        """Masks of shape (height, width) of the parts that `REGIONS` names."""
        rows, columns = np.indices(self.shape)
        pixels = np.stack([rows.ravel(), columns.ravel()], axis=1) * self.pixel
        places = self.columns * self.pixel
        ones = np.ones(len(places))
        touches = surface_columns(
            Columns(places, ones, ones, shape=tuple(np.array(self.shape) * self.pixel))
        )

        def near(which: NDArray, reach: float) -> NDArray[np.bool_]:
            distance, _ = spatial.KDTree(which).query(
                pixels, distance_upper_bound=reach
            )
            return np.isfinite(distance).reshape(self.shape)

        material = np.concatenate([places, self.support * self.pixel])
        return {
            "particle": near(places[self.platinum], _PARTICLE),
            "surface": near(places[self.platinum & touches], _BAND),
            "vacuum": ~near(material, _VACUUM),
        }


def place_atoms(
    atoms: Atoms,
    tilt: tuple[float, float],
    *,
    shape: tuple[int, int],
    pixel: tuple[float, float],
    corner: ArrayLike = (0.0, 0.0),
) -> PlacedAtoms:
    """Place the atoms of a specimen, tilted [degrees], in the frame of an image.

    `pixel`: (height, width) [angstrom]; `corner`: of pixel (0, 0) in the box [pixels].
    """

    def place(rows: ArrayLike, columns: ArrayLike) -> NDArray:
        return np.stack([rows, columns], axis=1) % BOX / pixel - np.asarray(corner)

    table = project_columns(atoms, tilt).query("element != 'O'")
    places = place(table["row"], table["column"])
    inside = ((places >= 0) & (places <= np.array(shape) - 1)).all(axis=1)
    support = place(*project_atoms(atoms, tilt))[~(atoms.symbols == "Pt")]
    platinum = (table["element"] == "Pt").to_numpy()
    return PlacedAtoms(
        places[inside], platinum[inside], support, tuple(pixel), tuple(shape)
    )
