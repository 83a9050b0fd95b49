"""The objects: a platinum particle on ceria, seen along [1-10].

Every atom sits in a column along the beam, so a structure is written as text: one line
per row of columns, top row first, with the number of atoms in each. Axes: x = [11-2] to
the right, y = [111] up, z = [1-10] along the beam; lengths in angstrom.

PtNp2 is the structure that the authors published images of, matched to the atom. The
shapes of PtNp1, PtNp3 and PtNp4 are read off the silhouettes in the paper's dataset
figure, and which label belongs to which silhouette, like the meaning of the defect
labels, is our reconstruction.
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

BOX = 50.0
"""Side of the simulated field [angstrom]."""

PT_LATTICE = 3.983
"""Lattice parameter of platinum that fits the authors' images [angstrom]."""

CEO2_LATTICE = 5.400
"""Lattice parameter of ceria that fits the authors' images [angstrom]."""

THICKNESSES = (30.0, 40.0, 50.0, 60.0)
"""Nominal thickness of the support along the beam in the paper's dataset [angstrom]."""

TILTS = tuple((float(t), 0.0) for t in range(5)) + tuple(
    (0.0, float(t)) for t in range(1, 5)
)
"""Crystal tilts of the paper's dataset, about x or about y, never both [degrees]."""

# A row is "shift: counts". The shift places its first column, in thirds of a column
# spacing to the right of the first column of the row above: -2 continues a {100} facet
# and +1 a {111} facet. A 0 keeps the site and leaves it empty.
_PARTICLES = {
    "PtNp1": """
         0: 5 6 7 6 5 4 3
        -2: 5 6 7 8 7 6 5 4
        -2: 5 6 7 8 9 8 7 6 5
         1: 6 7 8 9 10 9 8 7 6
        -2: 6 7 8 9 10 9 8 7 6
    """,
    "PtNp2": """
         0: 5 6 7 6 5 4 3
        -2: 5 6 7 8 7 6 5 4
        -2: 5 6 7 8 9 8 7 6 5
        -2: 0 6 7 8 9 10 9 8 7 6
         1: 6 7 8 9 10 11 10 9 8 7
    """,
    "PtNp3": """
         0: 4 5 6 5 4
        -2: 4 5 6 7 6 5 4
        -2: 4 5 6 7 8 7 6 5 4
        -2: 4 5 6 7 8 9 8 7 6 5
        -2: 4 5 6 7 8 9 10 9 8 7 6
         1: 5 6 7 8 9 10 11 10 9 8 7
    """,
    "PtNp4": """
         0: 3 4
        -2: 3 4 5 4 3
         1: 4 5 6 5 4
    """,
}
# Layers by which the right-hand part of the support stands higher, from this x on.
_STEPS = {"PtNp4": (1, 18.0)}
_CENTRES = {"PtNp1": 24.5, "PtNp2": 21.272, "PtNp3": 24.0, "PtNp4": 31.0}

# Atoms taken from (negative) or put on (positive) a site (row, column). The S sites of
# the authors' file names are the left-hand edge columns: S1 in row 3, S3 in row 2, S5
# in row 0.
_DEFECTS: dict[str, dict[str, tuple[tuple[int, int, int], ...]]] = {
    "PtNp1": {
        "D0": (),
        "D1": ((0, 0, -5),),
        "D2": ((0, 0, -5), (0, 6, -3)),
        "Dh": ((0, 0, -3),),
        "Ds": ((0, 0, -1), (0, 6, -1)),
    },
    "PtNp2": {
        "D0": (),
        "D1": ((1, 7, -4),),
        "Dh": ((1, 0, -3),),
        "Ds": ((0, 6, -1), (1, 0, -1)),
        "S3_5": ((2, 0, -5),),
        "S5_5": ((0, 0, -5),),
        "S3_2-S5_2": ((2, 0, -2), (0, 0, -2)),
        "S1-2_2-S3_1": ((3, 0, 2), (2, 0, -1)),
    },
    "PtNp3": {"D0": (), "D1": ((0, 0, -4),), "D2": ((0, 0, -4), (1, 6, -4))},
    "PtNp4": {"D0": (), "D1": ((1, 0, -3),)},
}

PARTICLES = tuple(_PARTICLES)
"""Labels of the four particles."""

_LAYERS = 8  # Ce layers of the support
_TOP_LAYER = 26.05  # height of its top Ce layer above the bottom of the box
_INTERFACE = 2.344  # from the top Ce layer to the lowest Pt row
_PT_FORWARD = 1.7  # of the particle's middle behind the support's, along the beam
Edits = Sequence[tuple[int, int, int]]


def defect_labels(particle: str) -> tuple[str, ...]:
    """Name the defects that a particle is published with.

    Parameters
    ----------
    particle : str
        One of `PARTICLES`.

    Returns
    -------
    tuple of str
        ``D`` labels of the evaluation logs first, then published file names.

    Raises
    ------
    ValueError
        If there is no such particle.

    Examples
    --------
    >>> defect_labels("PtNp4")
    ('D0', 'D1')
    """
    if particle not in _PARTICLES:
        msg = f"particle must be one of {', '.join(PARTICLES)}; got {particle!r}"
        raise ValueError(msg)
    return tuple(_DEFECTS[particle])


def check_tilts(
    tilts: Sequence[tuple[float, float]],
) -> list[tuple[float, float]]:
    """Return crystal tilts as pairs of floats, or say what is wrong with one.

    Parameters
    ----------
    tilts : sequence of (tilt_x, tilt_y)
        About x and about y, at most 10 [degrees].

    Returns
    -------
    list of tuple of float
        The same.

    Raises
    ------
    ValueError
        If there is none, or one is no pair of angles of at most 10 degrees.

    Examples
    --------
    >>> check_tilts([(0, 2)])
    [(0.0, 2.0)]
    """
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


def _rows(particle: str, defect: str | Edits) -> list[tuple[int, list[int]]]:
    """Read the text of a particle and apply a defect: (shift, counts) a row."""
    labels = defect_labels(particle)
    if isinstance(defect, str) and defect not in labels:
        msg = f"defect of {particle} must be one of {', '.join(labels)}; got {defect!r}"
        raise ValueError(msg)
    rows = []
    for line in _PARTICLES[particle].strip().splitlines():
        shift, counts = line.split(":")
        rows.append((int(shift), [int(n) for n in counts.split()]))
    edits = _DEFECTS[particle][defect] if isinstance(defect, str) else defect
    for edit in edits:
        if len(edit) != 3 or any(n != int(n) for n in edit):
            msg = f"defect must hold (row, column, atoms) in whole numbers; got {edit}"
            raise ValueError(msg)
        row, column, atoms = (int(n) for n in edit)
        if not (0 <= row < len(rows) and 0 <= column < len(rows[row][1])):
            msg = f"defect must name a site of {particle}; got {(row, column)}"
            raise ValueError(msg)
        left = rows[row][1][column] + atoms
        if not 0 <= left <= 20:
            msg = f"defect must leave 0 to 20 atoms at a site; got {edit}"
            raise ValueError(msg)
        rows[row][1][column] = left
    return rows


def _column(n: int, period: float, full: int) -> np.ndarray:
    """Heights of the first `n` atoms of a column that is centred when `full`."""
    return period * (np.arange(n) - (full - 1) / 2)


def _platinum(particle: str, defect: str | Edits) -> np.ndarray:
    """Positions of the platinum atoms; z = 0 in the middle."""
    spacing = PT_LATTICE * np.sqrt(6) / 4
    period = PT_LATTICE / np.sqrt(2)
    layer = PT_LATTICE / np.sqrt(3)
    rows, perfect = _rows(particle, defect), _rows(particle, "D0")
    steps = _STEPS.get(particle, (0, 0.0))[0]
    bottom = _TOP_LAYER + steps * CEO2_LATTICE / np.sqrt(3) + _INTERFACE
    start = np.cumsum([shift for shift, _ in rows]) * spacing / 3
    middle = start[-1] + spacing * (len(rows[-1][1]) - 1) / 2
    x0 = _CENTRES[particle] - middle
    atoms = []
    for k, ((_, counts), (_, full)) in enumerate(zip(rows, perfect, strict=True)):
        y = bottom + (len(rows) - 1 - k) * layer
        for j, (n, of) in enumerate(zip(counts, full, strict=True)):
            # an empty site takes atoms of the parity that its neighbours ask for
            of = of or full[j + 1] - 1
            z = _column(n, period, of)
            atoms += [
                (x0 + start[k] + spacing * j, y, height) for height in z + _PT_FORWARD
            ]
    return np.array(atoms)


def _ceria(particle: str, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of cerium and of oxygen; z = 0 in the middle."""
    spacing = CEO2_LATTICE * np.sqrt(6) / 4
    period = CEO2_LATTICE / np.sqrt(2)
    layer = CEO2_LATTICE / np.sqrt(3)
    bond = CEO2_LATTICE * np.sqrt(3) / 4
    steps, edge = _STEPS.get(particle, (0, 0.0))
    n = round(thickness / period)
    cerium, oxygen = [], []
    for k in range(-steps - 1, _LAYERS + 1):  # k counts downward from the flat top
        y = _TOP_LAYER - k * layer
        # one layer down: a third of the spacing to the left and half a period along z
        first = 0.6 * spacing - k * spacing / 3
        inside = range(
            int(np.ceil(-first / spacing)), int((BOX - 0.5 - first) / spacing) + 1
        )
        for j in inside:
            x = first + j * spacing
            z = period * (np.arange(n) - (n - 1) / 2 + (0.5 - (j + k) % 2) / 2)
            if 0 <= k < _LAYERS or (-steps <= k < 0 and x >= edge):
                cerium += [(x, y, height) for height in z]
            oxygen += [(x, y + up, height) for up in (-bond, bond) for height in z]
    keep = [o for o in oxygen if o[1] < _surface(o[0], steps, edge, layer)]
    keep = np.array(keep)
    keep = keep[keep[:, 1] > _TOP_LAYER - (_LAYERS - 1) * layer - 0.3 * layer]
    return np.array(cerium), np.unique(keep.round(6), axis=0)


def _surface(x: float, steps: int, edge: float, layer: float) -> float:
    """Height above which there is no oxygen."""
    return _TOP_LAYER + (steps if x >= edge else 0) * layer + 0.3 * layer


def pt_on_ceria(
    particle: str = "PtNp1",
    defect: str | Edits = "D0",
    *,
    thickness: float = 50.0,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> Atoms:
    """Build a platinum particle on a ceria support.

    Parameters
    ----------
    particle : {"PtNp1", "PtNp2", "PtNp3", "PtNp4"}
        Shape of the particle.
    defect : str or sequence of (row, column, atoms)
        A label of `defect_labels`, or the atoms to take from (negative) or to put on
        (positive) each site, rows counted from the top and columns from the left.
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

    Notes
    -----
    The platinum lattice is a twin of the ceria lattice about [111].

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
    cerium, oxygen = _ceria(particle, thickness)
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
