"""The objects: a platinum particle on ceria, seen along [1-10].

Axes: x = [11-2] to the right, y = [111] up, z = [1-10] along the beam; lengths in
angstrom. What the particles look like stands in `sbd.simulation.specimens`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from scipy.spatial import KDTree

from sbd.simulation.frame import BOX
from sbd.simulation.specimens import Edits, find_shape, layer_counts, particle_card

PT_LATTICE = 3.924
"""Lattice parameter of platinum, but of PtNp2, that fits their images [angstrom]."""

CEO2_LATTICE = 5.400
"""Lattice parameter of ceria that fits the authors' images [angstrom]."""

_LAYERS = 8  # Ce layers of the support
_TOP_LAYER = 26.05  # height of its top Ce layer above the bottom of the box
_SEAM = 46.27  # where the support does not close, from the left of the box
_INTERFACE = 2.678  # from the top Ce layer to the lowest Pt row
_PT_FORWARD = 0.08  # of the particle's middle behind the support's, along the beam


def check_tilts(tilts: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return crystal tilts as pairs of floats [degrees], or say what is wrong."""
    if not len(tilts):
        msg = f"tilts must hold at least one pair of angles; got {tilts}"
        raise ValueError(msg)
    checked = []
    for tilt in tilts:
        pair = tuple(float(t) for t in np.ravel(tilt))
        if len(pair) != 2 or not all(abs(t) <= 10 for t in pair):
            msg = f"tilt must be two angles of at most 10 degrees; got {tilt}"
            raise ValueError(msg)
        checked.append(pair)
    return checked


def _column(n: int, period: float, full: int) -> np.ndarray:
    """Heights of the first `n` atoms of a column that is centred when `full`."""
    return period * (np.arange(n) - (full - 1) / 2)


def _platinum(particle: str, defect: str | Edits) -> np.ndarray:
    """Positions of the platinum atoms; z = 0 in the middle of the support."""
    card = particle_card(find_shape(particle, defect))
    lattice = card.get("lattice", PT_LATTICE)
    spacing, period = lattice * np.sqrt(6) / 4, lattice / np.sqrt(2)
    layer = lattice / np.sqrt(3)
    wanted, perfect = layer_counts(particle, defect), card["rows"]
    bottom = _TOP_LAYER + card.get("interface", _INTERFACE)
    forward = card.get("forward", _PT_FORWARD)
    start = np.cumsum([shift for shift, _ in perfect]) * spacing / 3
    middle = start[-1] + spacing * (len(wanted[-1]) - 1) / 2
    x0 = card["centre"] - middle
    atoms = []
    for k, (counts, (_, full)) in enumerate(zip(wanted, perfect, strict=True)):
        y = bottom + (len(wanted) - 1 - k) * layer
        for j, (n, of) in enumerate(zip(counts, full, strict=True)):
            # an empty site takes atoms of the parity that its neighbours ask for
            of = of or full[j + 1] - 1
            z = _column(n, period, of)
            atoms += [
                (x0 + start[k] + spacing * j, y, height + forward) for height in z
            ]
    return np.array(atoms)


def _ceria(shape: str, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of cerium and of oxygen; z = 0 in the middle."""
    spacing = CEO2_LATTICE * np.sqrt(6) / 4
    period = CEO2_LATTICE / np.sqrt(2)
    layer = CEO2_LATTICE / np.sqrt(3)
    bond = CEO2_LATTICE * np.sqrt(3) / 4
    edges = particle_card(shape)["edges"]
    n = round(thickness / period)
    turned = n % 2  # the planes of cerium stay where they are beside the platinum
    cerium, oxygen = [], []
    for k in range(-1, _LAYERS + 1):  # k counts downward from the top
        y = _TOP_LAYER - k * layer
        # one layer down: a third of the spacing to the left and half a period along z
        first = 0.6 * spacing - k * spacing / 3
        left, right = ((x - first) / spacing for x in (_SEAM - BOX, _SEAM))
        for j in range(int(np.ceil(left)), int(np.ceil(right))):
            x = first + j * spacing
            odd = (j + k + turned) % 2
            z = period * (np.arange(n) - (n - 1) / 2 + (0.5 - odd) / 2)
            if 0 <= k < _LAYERS and (k >= len(edges) or x >= edges[k]):
                cerium += [(x, y, height) for height in z]
            oxygen += [(x, y + up, height) for up in (-bond, bond) for height in z]
    cerium, oxygen = np.array(cerium), np.unique(np.array(oxygen).round(6), axis=0)
    down = (_TOP_LAYER - oxygen[:, 1]) / layer
    oxygen = oxygen[(down > -0.3) & (down < _LAYERS - 1 + 0.3)]
    if len(edges):
        aside = oxygen[:, 0] > edges[0] + spacing
        oxygen = oxygen[aside | _bound(oxygen, cerium, 1.05 * bond)]
    for atoms in (cerium, oxygen):
        atoms[:, 0] %= BOX
    return cerium, oxygen


def _bound(oxygen: np.ndarray, cerium: np.ndarray, reach: float) -> np.ndarray:
    """Tell which oxygen columns touch two cerium columns or more."""
    # within reach of an atom are up to two of one column, and one of each other
    near = KDTree(cerium).query_ball_point(oxygen, reach)
    columns = [len({tuple(c) for c in cerium[some, :2].round(3)}) for some in near]
    return np.array(columns) >= 2


def pt_on_ceria(
    particle: str = "PtNp1",
    defect: str | Edits = "D0",
    *,
    thickness: float = 50.0,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> Atoms:
    """Build a platinum particle on a ceria support.

    The platinum lattice is a twin of the ceria lattice about [111].

    Parameters
    ----------
    particle : {"PtNp1", "PtNp2", "PtNp3", "PtNp4", "PtNp1-falling"}
        Shape of the particle and of its support.
    defect : str or sequence of (row, column, atoms)
        A label such as ``"D1"`` or ``"D1b"`` (`structure_table` lists them), or the
        authors' file name such as ``"S3_5"``, or the atoms to take from (negative) or
        to put on (positive) each site, rows counted from the top, columns from the
        left.
    thickness : float, default 50.0
        Nominal thickness of the support along the beam, 10 to 200, built from whole
        periods of 3.818 [angstrom].
    tilt : tuple of float, default (0.0, 0.0)
        Crystal tilt about x and about y, at most 10; kept in ``atoms.info`` for the
        propagator, the atoms stay where they are [degrees].

    Returns
    -------
    ase.Atoms
        Atoms in a 50 x 50 angstrom box; ``atoms.info`` holds the arguments.

    Raises
    ------
    ValueError
        If an argument is not one of the allowed values.

    Examples
    --------
    >>> atoms = pt_on_ceria("PtNp2", thickness=40.0)
    >>> atoms.symbols.count("Pt")
    300
    """
    if not 10 <= thickness <= 200:
        msg = f"thickness must be 10 to 200 angstrom; got {thickness}"
        raise ValueError(msg)
    (tilt,) = check_tilts([tilt])
    cerium, oxygen = _ceria(find_shape(particle, defect), thickness)
    platinum = _platinum(particle, defect)
    symbols = ["Pt"] * len(platinum) + ["Ce"] * len(cerium) + ["O"] * len(oxygen)
    atoms = Atoms(symbols, np.concatenate([platinum, cerium, oxygen]))
    z = atoms.positions[:, 2]
    depth = float(z.max() - z.min()) + 4.0
    atoms.positions[:, 2] += depth / 2
    atoms.set_cell((BOX, BOX, depth))
    atoms.pbc = True
    atoms.info = {
        "particle": particle,
        "defect": defect if isinstance(defect, str) else tuple(map(tuple, defect)),
        "thickness": float(thickness),
        "tilt": tilt,
    }
    return atoms


def project_atoms(
    atoms: Atoms, tilt: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the atoms as an image shows them [angstrom].

    From the box's upper left corner; a tilt displaces what lies before the exit.
    """
    x, y, z = atoms.positions.T
    before = z.max() - z
    down, right = (before * np.tan(np.deg2rad(angle)) for angle in tilt)
    return BOX - y + down, x + right


def atoms_per_column(atoms: Atoms) -> pd.DataFrame:
    """Count the atoms of each atomic column along the beam.

    Parameters
    ----------
    atoms : ase.Atoms
        A specimen whose columns are parallel to z.

    Returns
    -------
    pandas.DataFrame
        One row a column: ``element``, ``x`` and ``y`` [angstrom], ``atoms``; from the
        top down, each layer from the left.

    Examples
    --------
    >>> columns = atoms_per_column(pt_on_ceria("PtNp4", "D1"))
    >>> columns[columns["element"] == "Pt"]["atoms"].tolist()
    [4, 3, 4, 5, 4, 3, 4, 5, 6, 5, 4]
    """
    x, y, _ = atoms.positions.round(3).T
    places = pd.DataFrame({"element": atoms.get_chemical_symbols(), "x": x, "y": y})
    columns = places.value_counts(sort=False).rename("atoms").reset_index()
    return columns.sort_values(["y", "x"], ascending=[False, True], ignore_index=True)
