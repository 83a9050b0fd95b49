"""Specimens with some columns, and the same specimens without them.

Some of the columns are whole, of some only a part of the atoms stays, and some were
planted beside the crystal, where a surface could have one more. What an image shows
without a column, and whether a denoiser shows one that is not there, is learnt and
measured on such pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from sbd.audits.placed_atoms import project_columns
from sbd.simulation.frame import BOX
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import Microscope
from sbd.typing import Image
from sbd.validation import check_whole

_APART = 9.0  # between sites of one specimen, so that none sees another [angstrom]
_BORDER = 4.0  # of the box, where there are no sites [angstrom]
_ROOM = 1.9  # of a planted column from all others [angstrom]
_STEP = 3.2  # between neighbours of the platinum lattice, at most [angstrom]
_AROUND = 3.0  # where the neighbours of a column are counted [angstrom]
_INSIDE = 6  # platinum neighbours of a column that is not at the rim
_DRAWN = {"rim": 3.0, "inside": 1.5, "support": 1.0}  # how often, in proportion
_MOST = 4  # planted columns of one specimen
_TALLEST = 5  # atoms of a planted column
_PART = 0.35  # part of the columns of which only some atoms stay
_PERIOD = 2.816  # along a platinum column [angstrom]
_CLEARANCE = 2.0  # of the outermost atoms from the faces of the box [angstrom]


@dataclass(frozen=True, eq=False)
class Removal:
    """A specimen with some columns, and the same without them."""

    present: Atoms
    absent: Atoms
    sites: pd.DataFrame  # element, row, column [angstrom], atoms, full, planted, rim


def remove_columns(
    atoms: Atoms, tilt: tuple[float, float], *, number: int, rng: np.random.Generator
) -> Removal:
    """Take columns out of a specimen, and plant others that are then taken away.

    Of a third of the columns that are in the crystal some atoms are missing before: in
    `present` they are but a part. Sites are at least 9 angstrom apart, so that an image
    shows each of them as if it were alone, and 4 angstrom from the box.

    Parameters
    ----------
    atoms : ase.Atoms
        A specimen, such as `pt_on_ceria` builds.
    tilt : tuple of float
        Crystal tilt about x and about y, with which it will be imaged [degrees].
    number : int
        Sites wanted; fewer if there is no room for so many.
    rng : numpy.random.Generator
        Which columns, and how much of each.

    Returns
    -------
    Removal
        ``present``, the specimen with the columns; ``absent``, without them; and
        ``sites``, a row for each: ``element``, ``row`` and ``column`` from the box's
        upper left corner [angstrom], how many ``atoms`` stand there in ``present`` and
        how many would make it ``full``, whether it is ``planted`` beside the crystal,
        and whether it is of the particle's ``rim``.

    Raises
    ------
    ValueError
        If `number` is no whole number of at least 1.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> rng = np.random.default_rng(0)
    >>> pair = remove_columns(pt_on_ceria("PtNp4"), (0.0, 0.0), number=3, rng=rng)
    >>> len(pair.present) - len(pair.absent) == pair.sites["atoms"].sum()
    np.True_
    """
    check_whole("number", number)
    specimen = _Specimen(atoms, tilt)
    order = specimen.draw_order(rng)
    free = specimen.draw_free_places(rng)
    queue = [(False, k) for k in order]
    for k in range(min(len(free), _MOST)):
        queue.insert(int(rng.integers(number)), (True, k))
    gone, removed = np.zeros((2, len(atoms)), dtype=bool)
    sites, put = [], []
    for planted, k in queue:
        if len(sites) == number:
            break
        place = free[k][0] if planted else specimen.places[k]
        if not _has_room(place, sites):
            continue
        if planted:
            stay = full = int(rng.integers(1, _TALLEST + 1))
            put += specimen.stack(*free[k], full)
        else:
            mine = specimen.members(k)
            stay, full = _draw_stay(len(mine), rng), len(mine)
            gone[mine[stay:] if rng.random() < 0.5 else mine[: full - stay]] = True
            removed[mine] = True
        sites.append(
            {
                "element": "Pt" if planted else specimen.elements[k],
                "row": place[0], "column": place[1], "atoms": stay, "full": full,
                "planted": planted, "rim": bool(planted or specimen.rim[k]),
            }
        )  # fmt: skip
    pair = _plant(atoms[~gone], atoms[~removed], put)
    names = ["element", "row", "column", "atoms", "full", "planted", "rim"]
    return Removal(*pair, pd.DataFrame(sites, columns=names))


class _Specimen:
    """The columns of a specimen but oxygen's, and the atoms of each."""

    def __init__(self, atoms: Atoms, tilt: tuple[float, float]) -> None:
        table = project_columns(atoms, tilt)
        metal = (table["element"] != "O").to_numpy()
        self.elements = table.loc[metal, "element"].to_numpy()
        self.places = table.loc[metal, ["row", "column"]].to_numpy()
        self.platinum = self.elements == "Pt"
        # the groups are those of the table, in its order
        x, y, _ = atoms.positions.round(3).T
        names = {"element": atoms.get_chemical_symbols(), "y": y, "x": x}
        self._group = pd.DataFrame(names).groupby(list(names)).ngroup().to_numpy()
        self._index = np.flatnonzero(metal)
        self._xyz = atoms.positions
        lattice = spatial.KDTree(self.places[self.platinum])
        near = lattice.query_ball_point(self.places, _AROUND, return_length=True) - 1
        self.rim = self.platinum & (near < _INSIDE)

    def members(self, k: int) -> NDArray[np.intp]:
        """Atoms of column `k`, in the order in which the beam leaves them."""
        mine = np.flatnonzero(self._group == self._index[k])
        return mine[np.argsort(self._xyz[mine, 2])]

    def draw_order(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw all columns one after another, those of the rim sooner."""
        inside = np.where(self.platinum, _DRAWN["inside"], _DRAWN["support"])
        weights = np.where(self.rim, _DRAWN["rim"], inside)
        return np.argsort(-np.log(rng.random(len(weights))) / weights)

    def draw_free_places(
        self, rng: np.random.Generator
    ) -> list[tuple[NDArray[np.float64], int]]:
        """Draw places where the platinum lattice could go on, each beside a column."""
        mine = np.flatnonzero(self.platinum)
        where = self.places[mine]
        pairs = spatial.KDTree(where).query_pairs(_STEP, output_type="ndarray")
        steps = where[pairs[:, 0]] - where[pairs[:, 1]]
        steps = np.unique(np.vstack([steps, -steps]).round(1), axis=0)
        everything = spatial.KDTree(self.places)
        free = []
        for k in mine[rng.permutation(len(mine))]:
            for step in steps[rng.permutation(len(steps))]:
                place = self.places[k] + step
                upwards = place[0] <= self.places[k, 0] + 0.5
                if everything.query(place)[0] > _ROOM and upwards:
                    free.append((place, k))
                    break
        return free

    def stack(
        self, place: NDArray[np.float64], beside: int, number: int
    ) -> list[NDArray[np.float64]]:
        """Positions of atoms in a new column at a place beside another."""
        own = self._xyz[self.members(beside)]
        down, right = place - self.places[beside]
        period = np.diff(own[:, 2]).min() if len(own) > 1 else _PERIOD
        heights = own[:, 2].mean() + period * (np.arange(number) - (number - 1) / 2)
        return [np.array([own[0, 0] + right, own[0, 1] - down, z]) for z in heights]


def _has_room(place: NDArray[np.float64], sites: Sequence[dict]) -> bool:
    """Tell whether a place is far enough from the box and from all sites."""
    inside = ((place >= _BORDER) & (place <= BOX - _BORDER)).all()
    others = np.array([(s["row"], s["column"]) for s in sites]).reshape(-1, 2)
    return bool(inside and (np.hypot(*(others - place).T) >= _APART).all())


def _draw_stay(full: int, rng: np.random.Generator) -> int:
    """Draw how many atoms of a column stay: all, or at least one."""
    if full > 1 and rng.random() < _PART:
        return int(rng.integers(1, full))
    return full


def _plant(
    present: Atoms, absent: Atoms, put: Sequence[NDArray[np.float64]]
) -> tuple[Atoms, Atoms]:
    """Put platinum atoms into the first specimen, and give both room for them."""
    if not put:
        return present, absent
    present = present + Atoms("Pt" * len(put), np.array(put), cell=present.cell)
    z = present.positions[:, 2]
    return tuple(_deepen(each, z.min(), z.max()) for each in (present, absent))


def _deepen(atoms: Atoms, least: float, most: float) -> Atoms:
    """Give a specimen room for atoms between two heights [angstrom]."""
    atoms = atoms.copy()
    least = min(least, _CLEARANCE)
    atoms.positions[:, 2] += _CLEARANCE - least
    depth = max(atoms.cell[2, 2], most - least + 2 * _CLEARANCE)
    atoms.set_cell((BOX, BOX, depth))
    atoms.pbc = True
    return atoms


def image_removal(
    removal: Removal,
    tilt: tuple[float, float],
    defocus: ArrayLike,
    *,
    samples: int = 804,
    microscope: Microscope | None = None,
) -> Iterator[tuple[Image, Image]]:
    """Form images of a specimen with the columns and without them.

    Parameters
    ----------
    removal : Removal
        From `remove_columns`, with the same tilt.
    tilt : tuple of float
        Crystal tilt about x and about y [degrees].
    defocus : array_like
        One or more, positive for overfocus [angstrom].
    samples : int, default 804
        Pixels along the box; the default gives pixels of 0.0622 angstrom.
    microscope : Microscope, optional
        What the images are simulated with, instead of the default one.

    Yields
    ------
    tuple of ndarray of shape (samples, samples)
        With the columns and without them, focus after focus; the vacuum is at 0.45
        [electrons per pixel].

    Examples
    --------
    >>> two = Atoms("Pt2", [(3, 5, 2), (7, 5, 2)], cell=(10, 10, 4), pbc=True)
    >>> pair = Removal(two, two[:1], pd.DataFrame())
    >>> present, absent = next(image_removal(pair, (0.0, 0.0), 60.0, samples=32))
    >>> int(abs(present - absent).max(axis=0).argmax()) in range(20, 25)
    True
    """
    waves = [
        exit_wave(atoms, microscope, tilts=[tilt])[0]
        for atoms in (removal.present, removal.absent)
    ]
    for focus in np.ravel(defocus):
        yield tuple(form_image(w, defocus=float(focus), samples=samples) for w in waves)
