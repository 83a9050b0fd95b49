"""Atom by atom: add or take platinum atoms while that explains an image better.

An atom more or less in a column changes an image only within some angstrom, so that
columns far enough from each other are tried in one simulation. Where the residual asks
for more than one atom, so many are put on, or taken, at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from ase import Atoms
from numpy.typing import NDArray
from scipy import spatial, special
from tqdm import tqdm

from sbd.simulation.imaging import exit_wave
from sbd.simulation.matching import SimulationMatch, compare_frame, make_template
from sbd.simulation.microscope import Microscope
from sbd.simulation.specimens import find_shape, layer_counts
from sbd.simulation.structures import project_atoms, pt_on_ceria
from sbd.typing import Image
from sbd.validation import check_image, check_positive, check_shape, check_whole

_REACH = 4.4  # of an atom's influence on an image [angstrom]
_APART = 9.0  # columns that are tried in one simulation [angstrom]
_MOST = 20  # atoms of a column


@dataclass(frozen=True)
class RefinedSpecimen:
    """The atoms of a particle's columns that explain an image best.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        The simulated image, as a `SimulationMatch` has it.
    edits : tuple of (row, column, atoms)
        What has to be put on the perfect particle, or taken from it (negative), as
        `pt_on_ceria` takes it for `shape`.
    shape : str
        The particle with its support.
    table : pandas.DataFrame
        A row for each site: ``row`` from the top and ``column`` from the left; how many
        ``atoms`` there are and how many were ``before``; by how much the logarithm of
        the likelihood grows with an atom less and with one more (``one less``, ``one
        more``: negative where that is worse); and the ``probability`` of the count
        among these three, if they are equally likely beforehand.
    rounds : int
        How often atoms were changed.
    """

    image: Image = field(repr=False)
    edits: tuple[tuple[int, int, int], ...]
    shape: str
    table: pd.DataFrame = field(repr=False)
    rounds: int


def refine_specimen(
    image: Image,
    match: SimulationMatch,
    *,
    microscope: Microscope | None = None,
    grid: int | None = None,
    gain: float = 4.0,
    rounds: int = 8,
    progress: bool = False,
) -> RefinedSpecimen:
    """Add or take atoms of a particle's columns while the likelihood grows.

    Atoms are taken from a column where the beam leaves it, and put on there. Thickness,
    tilt, focus and registry are those of the match. Counts are Poisson; the misfit of a
    clean image is taken for Gaussian noise.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        What `match` is of: clean, or counts [electrons per pixel].
    match : SimulationMatch
        From `match_simulation`, where the search begins.
    microscope : Microscope, optional
        With which `match` was found, if that is not the default one.
    grid : int, optional
        Samples of the box in the multislice calculation, instead of the microscope's
        640.
    gain : float, default 4.0
        By how much the logarithm of the likelihood has to grow for a change, at least:
        few of some forty columns are changed by noise alone.
    rounds : int, default 8
        Changes after each other, at most.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    RefinedSpecimen
        With what stays uncertain, column by column.

    Raises
    ------
    ValueError
        If `image` is none, or not of the shape of the match; or `gain` is not positive.

    Examples
    --------
    >>> refine_specimen(np.zeros((9, 9)), None)
    Traceback (most recent call last):
    ValueError: match must be a SimulationMatch; got None
    """
    if not isinstance(match, SimulationMatch):
        msg = f"match must be a SimulationMatch; got {match!r}"
        raise ValueError(msg)
    image = check_image(image).astype(float)
    check_shape(image, "image", match.image, "match.image")
    check_positive(gain=gain)
    check_whole("rounds", rounds)
    work = _Refinement(image, match, microscope or Microscope(), grid)
    bar = tqdm(unit="simulation", disable=not progress)
    work.count = bar.update
    done = 0
    while True:
        gains = work.try_all()
        changes = work.choose(gains, gain)
        if not changes or done == rounds:
            break
        work.change(changes)
        done += 1
    bar.close()
    return RefinedSpecimen(
        image=work.full_image(), edits=work.edits(work.atoms), shape=work.shape,
        table=work.table(gains), rounds=done,
    )  # fmt: skip


class _Refinement:
    """Counts of all sites, the image they make, and what an atom changes."""

    def __init__(
        self,
        image: Image,
        match: SimulationMatch,
        microscope: Microscope,
        grid: int | None,
    ) -> None:
        told = match.parameters
        self.told, self.scope, self.grid = told, microscope, grid
        self.shape = find_shape(told["particle"], told["defect"])
        self.comparison = compare_frame(image, told["pixel"], told["mirrored"])
        self.origin = np.array(told["origin"])
        self.perfect = layer_counts(told["particle"])
        present = layer_counts(told["particle"], told["defect"])
        self.atoms = {
            (i, j): n for i, row in enumerate(present) for j, n in enumerate(row)
        }
        self.sites = list(self.atoms)
        self.before = dict(self.atoms)
        self.count = lambda: None
        self.places = self._find_places()
        self.groups = self._group()
        self.responses = {}
        self.spectrum = self._simulate(self.atoms)
        self._compare()

    def _find_places(self) -> NDArray[np.float64]:
        """Where the sites are in the box, in the middle of their columns [angstrom]."""
        # one atom at every site tells where that is
        filled = {site: max(n, 1) for site, n in self.atoms.items()}
        atoms = self._build(filled)
        tilt = self.told["tilt_x"], self.told["tilt_y"]
        seen = np.stack(project_atoms(atoms, tilt), 1)[atoms.symbols == "Pt"]
        ends = np.cumsum([filled[site] for site in self.sites])[:-1]
        return np.array([part.mean(0) for part in np.split(seen, ends)])

    def _group(self) -> list[list[int]]:
        """Sort sites into groups whose members do not see each other."""
        groups = []
        for k in range(len(self.sites)):
            for group in groups:
                away = self.places[group] - self.places[k]
                if np.hypot(*away.T).min() >= _APART:
                    group.append(k)
                    break
            else:
                groups.append([k])
        return groups

    def _build(self, atoms: dict) -> Atoms:
        edits = self.edits(atoms)
        return pt_on_ceria(self.shape, edits, thickness=self.told["thickness"])

    def _simulate(self, atoms: dict) -> NDArray[np.complex64]:
        """Centred Fourier coefficients of the image of so many atoms at the sites."""
        tilt = self.told["tilt_x"], self.told["tilt_y"]
        (wave,) = exit_wave(
            self._build(atoms), self.scope, grid=self.grid, tilts=[tilt]
        )
        self.count()
        return make_template(wave, self.told["defocus"])

    def _compare(self) -> None:
        """Lay the image of the present atoms over what is to be explained."""
        values, inside = self.comparison.values(self.spectrum, self.origin)
        image = self.comparison.image
        self.scale = self.comparison.scale(image[inside], values[inside])
        values = self.scale[0] * values + self.scale[1]
        self.residual, self.inside = image - values, inside
        self.variance = np.full(image.shape, np.mean(self.residual[inside] ** 2))
        if self.comparison.noisy:
            self.variance = values.clip(1e-9) / self.comparison.pixels

    def try_all(self) -> NDArray[np.float64]:
        """By how much the likelihood grows with an atom less, and more: (sites, 2)."""
        rows, columns = self.comparison.places_in_box(self.origin)
        gains = np.full((len(self.sites), 2), -np.inf)
        self.wanted = np.zeros(len(self.sites))
        for group in self.groups:
            for side, step in enumerate((-1, 1)):
                some = [
                    k for k in group if 0 <= self.atoms[self.sites[k]] + step <= _MOST
                ]
                todo = [k for k in some if (k, step) not in self.responses]
                if todo:
                    self._respond(todo, step)
                for k in some:
                    row, column = self.places[k]
                    near = np.hypot(rows[:, None] - row, columns - column) < _REACH
                    near &= self.inside
                    more = self.scale[0] * self.responses[k, step][near]
                    left, weight = self.residual[near], 0.5 / self.variance[near]
                    gains[k, side] = (weight * (2 * left - more) * more).sum()
                    if gains[k, side] > 0:
                        size = (weight * left * more).sum() / (weight * more**2).sum()
                        self.wanted[k] = step * max(1, round(size))
        return gains

    def _respond(self, some: Sequence[int], step: int) -> None:
        """Simulate an atom more, or less, at sites that do not see each other."""
        atoms = dict(self.atoms)
        for k in some:
            atoms[self.sites[k]] += step
        change = self._simulate(atoms) - self.spectrum
        values, _ = self.comparison.values(change, self.origin)
        for k in some:
            self.responses[k, step] = values

    def choose(self, gains: NDArray[np.float64], least: float) -> dict[int, int]:
        """Choose sites to change, the surest first, none that sees another."""
        chosen = {}
        for k in np.argsort(-gains.max(1)):
            if gains[k].max() <= least:
                break
            away = [np.hypot(*(self.places[k] - self.places[c])) for c in chosen]
            if min(away, default=np.inf) >= _REACH:
                chosen[k] = int(self.wanted[k])
        return chosen

    def change(self, changes: dict[int, int]) -> None:
        """Put atoms on, or take them, and forget what is not so any more."""
        for k, more in changes.items():
            site = self.sites[k]
            self.atoms[site] = int(np.clip(self.atoms[site] + more, 0, _MOST))
        near = spatial.KDTree(self.places[list(changes)])
        moved = near.query(self.places)[0] < _APART
        self.responses = {
            key: value for key, value in self.responses.items() if not moved[key[0]]
        }
        self.spectrum = self._simulate(self.atoms)
        self._compare()

    def edits(self, atoms: dict) -> tuple[tuple[int, int, int], ...]:
        """Tell by what so many atoms differ from the perfect particle."""
        return tuple(
            (i, j, n - self.perfect[i][j])
            for (i, j), n in atoms.items()
            if n != self.perfect[i][j]
        )

    def table(self, gains: NDArray[np.float64]) -> pd.DataFrame:
        """Tell what is at each site, and how sure that is."""
        logs = np.column_stack([gains[:, 0], np.zeros(len(gains)), gains[:, 1]])
        return pd.DataFrame(
            {
                "row": [i for i, _ in self.sites],
                "column": [j for _, j in self.sites],
                "atoms": [self.atoms[site] for site in self.sites],
                "before": [self.before[site] for site in self.sites],
                "one less": gains[:, 0],
                "one more": gains[:, 1],
                "probability": special.softmax(logs, axis=1)[:, 1],
            }
        )

    def full_image(self) -> Image:
        """Give the image of the present atoms on the input's own pixels."""
        return self.comparison.full(self.spectrum, self.origin, self.scale)
