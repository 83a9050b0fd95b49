"""The amorphous carbon film on which a specimen may lie."""

import numpy as np
from ase import Atoms
from scipy import spatial

from sbd.simulation.potential import check_atoms
from sbd.validation import check_positive

_DENSITY = 0.1  # 2.0 g/cm^3 [atoms per cubic angstrom]
_BOND = 1.4  # no two carbon atoms are closer [angstrom]
_AWAY = 2.0  # the film from the specimen, and atoms from the faces [angstrom]


def add_film(atoms: Atoms, thickness: float, *, rng: np.random.Generator) -> Atoms:
    """Lay an amorphous carbon film across the whole box, where the beam enters.

    Carbon atoms of 2.0 g/cm^3 stand at random, no two closer than 1.4 angstrom. A real
    film has more order between neighbours, and so a little less contrast.

    Parameters
    ----------
    atoms : ase.Atoms
        A specimen in a box that is square across the beam (z).
    thickness : float
        Of the film [angstrom].
    rng : numpy.random.Generator
        Of the carbon atoms.

    Returns
    -------
    ase.Atoms
        The specimen's atoms in their order, moved along the beam, and the film's, in a
        box that is deeper by the film and 2 angstrom.

    Raises
    ------
    TypeError
        If `atoms` are none.
    ValueError
        If `thickness` is not positive, or the atoms cannot be simulated.

    Examples
    --------
    >>> one = Atoms("Pt", [(10, 10, 2)], cell=(20, 20, 4), pbc=True)
    >>> film = add_film(one, 10.0, rng=np.random.default_rng(0))
    >>> film.symbols.count("C")
    400
    """
    box = check_atoms(atoms)
    check_positive(thickness=thickness)
    number = round(_DENSITY * box**2 * thickness)
    film = _pack(number, (box, box, thickness), rng)
    film[:, 2] += _AWAY
    result = atoms.copy()
    result.positions[:, 2] += thickness + _AWAY
    result += Atoms("C" * len(film), film)
    result.set_cell((box, box, atoms.cell[2, 2] + thickness + _AWAY))
    result.pbc = True
    return result


def _pack(
    number: int, size: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """Place points at random, periodic across the beam, those too close anew."""
    places = rng.uniform(0, size, (number, 3))
    while True:
        tree = spatial.KDTree(places, boxsize=(*size[:2], 0))
        close = np.unique(tree.query_pairs(_BOND, output_type="ndarray")[:, 1])
        if not len(close):
            return places
        places[close] = rng.uniform(0, size, (len(close), 3))
