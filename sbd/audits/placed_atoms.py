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
from sbd.simulation.structures import BOX
from sbd.typing import Image

REGIONS = ("particle", "surface", "vacuum")
"""Parts of an image, as `Specimen.regions` names them."""

TOLERANCE = 0.8
"""A third of the distance between platinum columns [angstrom]."""

RADII = 0.5, 1.0
"""Of a column's dot in the paper's images [angstrom]."""

_SUPPORT = 1.3  # any place in the support is that near to an atom of it [angstrom]
_PARTICLE = 1.5  # as far as a place between columns is from the nearest [angstrom]
_BAND = 2.4  # from one platinum column to the next [angstrom]
_VACUUM = 3.0  # where no atom's dot and no place for one more reaches [angstrom]


def project_columns(atoms: Atoms, tilt: tuple[float, float]) -> pd.DataFrame:
    """Tell where an image shows the atomic columns of a specimen.

    Parameters
    ----------
    atoms : ase.Atoms
        A specimen whose columns are parallel to z.
    tilt : tuple of float
        Of the crystal, about x and about y [degrees].

    Returns
    -------
    pandas.DataFrame
        One row a column: ``element``, ``row`` and ``column`` of the middle of its
        atoms, from the upper left corner of the box [angstrom], and ``atoms``.

    Notes
    -----
    A tilt displaces what lies before the last layer: down the rows if it is about x, to
    the right if about y.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> columns = project_columns(pt_on_ceria("PtNp4", "D1"), (0.0, 0.0))
    >>> columns.loc[columns["element"] == "Pt", "atoms"].sum()
    np.int64(47)
    """
    row, column = _project(atoms, tilt)
    x, y, _ = atoms.positions.round(3).T
    table = pd.DataFrame({"element": atoms.get_chemical_symbols(), "x": x, "y": y})
    table["row"], table["column"] = row, column
    groups = table.groupby(["element", "y", "x"], as_index=False)
    places = groups.agg(row=("row", "mean"), column=("column", "mean"),
                        atoms=("row", "size"))  # fmt: skip
    return places.drop(columns=["y", "x"])


def _project(atoms: Atoms, tilt: tuple[float, float]) -> tuple[NDArray, NDArray]:
    """Rows and columns of the atoms as an image shows them [angstrom]."""
    x, y, z = atoms.positions.T
    before = z.max() - z
    down, right = (before * np.tan(np.deg2rad(angle)) for angle in tilt)
    return BOX - y + down, x + right


@dataclass(frozen=True, eq=False)
class Look:
    """What the finder finds in an image of a specimen.

    Parameters
    ----------
    hit : ndarray of bool of shape (n,)
        Which of the platinum columns.
    strength : ndarray of shape (n,)
        Height times width of their dots; 0 where there is none [e/pixel x pixel].
    rest : ndarray of shape (m, 2)
        (row, column) of what is found outside the support where nothing is [pixels].
    found : Columns
        All that is found.
    """

    hit: NDArray[np.bool_]
    strength: NDArray[np.float64]
    rest: NDArray[np.float64]
    found: Columns


@dataclass(frozen=True, eq=False)
class Specimen:
    """Where the columns of a particle and the atoms of its support are in an image.

    Parameters
    ----------
    columns : ndarray of shape (n, 2)
        (row, column) of all columns but oxygen's inside the image [pixels].
    platinum : ndarray of bool of shape (n,)
        Which of them are the particle's.
    support : ndarray of shape (m, 2)
        (row, column) of the support's atoms [pixels].
    pixel : tuple of float
        Height and width of a pixel [angstrom].
    shape : tuple of int
        (height, width) of the image [pixels].

    Examples
    --------
    >>> one = np.array([[20.0, 20.0]])
    >>> specimen = Specimen(one, np.array([True]), one + 15, (0.2, 0.2), (40, 40))
    >>> {name: int(mask.sum()) for name, mask in specimen.regions.items()}
    {'particle': 177, 'surface': 437, 'vacuum': 702}
    """

    columns: NDArray[np.float64]
    platinum: NDArray[np.bool_]
    support: NDArray[np.float64]
    pixel: tuple[float, float]
    shape: tuple[int, int]

    @cached_property
    def _support(self) -> spatial.KDTree:
        return spatial.KDTree(self.support * self.pixel)

    @property
    def _side(self) -> float:
        """Side of a square as large as a pixel [angstrom]."""
        return float(np.sqrt(np.prod(self.pixel)))

    def look(self, image: Image, polarity: str) -> Look:
        """Find columns, and tell which are platinum and which are where nothing is.

        Parameters
        ----------
        image : ndarray of shape (height, width)
            A clean or denoised image [electrons per pixel].
        polarity : {"bright", "dark"}
            What a column looks like.

        Returns
        -------
        Look
            Dots of 0.5 to 1 angstrom radius that `sbd.find_columns` finds, matched one
            to one with the columns of both crystals; within 0.8 angstrom is a hit.
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
        """Tell which places belong to the particle, not to the support.

        Parameters
        ----------
        places : array_like of shape (m, 2)
            (row, column) [pixels].

        Returns
        -------
        ndarray of bool of shape (m,)
            Whether the nearest column is platinum; False if there are no columns.
        """
        places = np.asarray(places, dtype=np.float64).reshape(-1, 2)
        if not len(self.columns) or not len(places):
            return np.zeros(len(places), dtype=bool)
        nearest = spatial.KDTree(self.columns * self.pixel)
        return self.platinum[nearest.query(places * self.pixel)[1]]

    @cached_property
    def regions(self) -> Mapping[str, NDArray[np.bool_]]:
        """Masks of shape (height, width) by name.

        ``"particle"`` is what lies within 1.5 angstrom of a platinum column;
        ``"surface"`` within 2.4 of one that touches the vacuum, which is one distance
        between columns to either side; ``"vacuum"`` farther than 3 from any atom.
        """
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
) -> Specimen:
    """Place the atoms of a specimen in the frame of an image.

    Parameters
    ----------
    atoms : ase.Atoms
        From `sbd.pt_on_ceria`.
    tilt : tuple of float
        Of the crystal, about x and about y [degrees].
    shape : tuple of int
        (height, width) of the image [pixels].
    pixel : tuple of float
        Height and width of a pixel [angstrom].
    corner : tuple of float, default (0, 0)
        (row, column) of the box at which pixel (0, 0) is, in pixels of the image.

    Returns
    -------
    Specimen
        The columns of platinum and cerium in the frame, and the support's atoms.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> atoms = pt_on_ceria("PtNp2", thickness=40.0)
    >>> place_atoms(atoms, (0, 0), shape=(500, 500), pixel=(0.1, 0.1)).platinum.sum()
    np.int64(43)
    """

    def place(rows: ArrayLike, columns: ArrayLike) -> NDArray:
        return np.stack([rows, columns], axis=1) % BOX / pixel - np.asarray(corner)

    table = project_columns(atoms, tilt).query("element != 'O'")
    places = place(table["row"], table["column"])
    inside = ((places >= 0) & (places <= np.array(shape) - 1)).all(axis=1)
    support = place(*_project(atoms, tilt))[~(atoms.symbols == "Pt")]
    platinum = (table["element"] == "Pt").to_numpy()
    return Specimen(
        places[inside], platinum[inside], support, tuple(pixel), tuple(shape)
    )
