"""Check the amorphous film."""

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial import KDTree

from sbd.simulation.films import add_film
from sbd.simulation.imaging import exit_wave, form_image

BOX = 20.0


def lay(thickness, seed=0):
    one = Atoms("Pt2", [(10, 10, 2), (10, 10, 5)], cell=(BOX, BOX, 7), pbc=True)
    return add_film(one, thickness, rng=np.random.default_rng(seed))


def test_no_two_carbon_atoms_overlap_also_through_the_sides():
    film = lay(20.0).positions[2:]
    film[:, :2] %= BOX
    tree = KDTree(film, boxsize=(BOX, BOX, 0))
    assert not tree.query_pairs(1.4)


def test_a_film_has_the_density_of_amorphous_carbon_and_lies_before_the_specimen():
    atoms = lay(20.0)
    # 2.0 g/cm^3 of 12.011 g/mol: 0.1003 atoms per cubic angstrom
    number = 2.0 / 12.011 * 0.60221 * BOX * BOX * 20.0
    assert atoms.symbols.count("C") == pytest.approx(number, rel=0.01)
    z = atoms.positions[:, 2]
    assert z[2:].max() < z[:2].min() - 1.4
    np.testing.assert_allclose(np.diff(atoms.positions[:2], axis=0), [[0, 0, 3]])
    # the specimen is as far from the far face of the box as it was
    assert atoms.cell[2, 2] - z[:2].max() == pytest.approx(2.0)


def test_the_seed_alone_says_where_the_atoms_are():
    np.testing.assert_array_equal(lay(10.0).positions, lay(10.0).positions)
    assert not np.allclose(lay(10.0, seed=1).positions, lay(10.0).positions)


def test_a_thicker_film_has_more_contrast_and_takes_no_electrons():
    contrasts = []
    for thickness in (10.0, 40.0):
        film = lay(thickness)[2:]
        image = form_image(exit_wave(film, grid=128), defocus=100.0)
        contrasts.append(image.std() / image.mean())
        # the little that carbon absorbs, or scatters beyond the aperture
        assert image.mean() == pytest.approx(0.45, rel=0.02)
    # contrast of independent layers grows with the root of their number
    assert contrasts[1] / contrasts[0] == pytest.approx(2.0, rel=0.25)


def test_a_film_without_thickness_is_refused():
    with pytest.raises(ValueError, match="thickness must be"):
        lay(0.0)
