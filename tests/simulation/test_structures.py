"""Check the atoms."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import sbd
from sbd.simulation.frame import BOX
from sbd.simulation.specimens import PARTICLES, THICKNESSES, defect_labels
from sbd.simulation.structures import PT_LATTICE

EVERY = [(p, d) for p in PARTICLES for d in defect_labels(p)]


def neighbours(atoms):
    return cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]


@pytest.mark.parametrize(("particle", "defect"), EVERY)
def test_no_two_atoms_are_closer_than_chemistry_allows(particle, defect):
    atoms = sbd.pt_on_ceria(particle, defect, thickness=40.0)
    # the closest pairs of the model are Pt and O at the interface, 1.6 angstrom
    assert neighbours(atoms).min() > 1.5
    platinum = atoms[atoms.symbols == "Pt"]
    # nearest neighbours of an fcc lattice are a / sqrt(2) apart
    np.testing.assert_allclose(neighbours(platinum), PT_LATTICE / np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize("particle", PARTICLES)
def test_ceria_is_stoichiometric_and_bonded(particle):
    atoms = sbd.pt_on_ceria(particle, thickness=40.0)
    cerium, oxygen = (atoms.symbols.count(symbol) for symbol in ("Ce", "O"))
    # a step of the support has one oxygen column less at its foot
    assert 2 * cerium - oxygen in ({0, 10} if particle == "PtNp4" else {0})
    oxide = atoms[~(atoms.symbols == "Pt")]
    # the Ce-O bond of fluorite is a sqrt(3) / 4, but where the support does not close
    whole = abs(oxide.positions[:, 0] - 48.0) > 3.0
    bonds = neighbours(oxide)[whole]
    np.testing.assert_allclose(bonds, 5.4 * np.sqrt(3) / 4, rtol=1e-5)


def test_the_support_is_a_lattice_across_the_sides_of_the_box():
    # moved by one column the support is itself, save at its seam and its end
    cerium = sbd.pt_on_ceria(thickness=40.0)
    cerium = cerium.positions[cerium.symbols == "Ce"]
    spacing, period = 5.4 * np.sqrt(6) / 4, 5.4 / np.sqrt(2)
    moved = cerium + np.array([spacing, 0.0, period / 2])
    moved[:, 0] %= BOX
    inner = (abs(cerium[:, 0] - 48.0) > 4.0) & (cerium[:, 2] < cerium[:, 2].max() - 4.0)
    distance, _ = cKDTree(cerium).query(moved[inner])
    # half a period forwards or backwards: neighbouring columns alternate
    other = cerium + np.array([spacing, 0.0, -period / 2])
    other[:, 0] %= BOX
    back, _ = cKDTree(cerium).query(other[inner])
    assert np.minimum(distance, back).max() < 1e-6


def test_the_published_particle_has_its_atoms():
    counts = {d: sbd.pt_on_ceria("PtNp2", d).symbols.count("Pt") for d in
              ("D0", "S3_5", "S5_5", "S3_2-S5_2", "S1-2_2-S3_1")}  # fmt: skip
    # the authors' names say how many atoms were taken or put on
    assert counts["D0"] == 300
    assert {d: n - 300 for d, n in counts.items() if d != "D0"} == {
        "S3_5": -5, "S5_5": -5, "S3_2-S5_2": -4, "S1-2_2-S3_1": 1,
    }  # fmt: skip


@pytest.mark.parametrize("thickness", THICKNESSES)
def test_the_support_is_as_thick_as_whole_periods_allow(thickness):
    atoms = sbd.pt_on_ceria(thickness=thickness)
    cerium = atoms.positions[atoms.symbols == "Ce", 2]
    period = 5.4 / np.sqrt(2)
    assert abs(np.ptp(cerium) + period / 2 - thickness) <= period / 2 + 1e-6


def test_atoms_lie_in_the_box_and_remember_what_was_asked_for():
    atoms = sbd.pt_on_ceria("PtNp3", "D1", thickness=30.0, tilt=(0, 2))
    assert atoms.positions.min() > 0
    assert (atoms.positions < atoms.cell.lengths()).all()
    assert atoms.cell.lengths()[0] == BOX
    assert atoms.info == {
        "particle": "PtNp3", "defect": "D1", "thickness": 30.0, "tilt": (0.0, 2.0),
    }  # fmt: skip


def test_columns_are_counted_as_the_authors_count_them():
    columns = sbd.atoms_per_column(sbd.pt_on_ceria("PtNp2", thickness=40.0))
    platinum = columns[columns["element"] == "Pt"]
    layers = [group["atoms"].tolist() for _, group in platinum.groupby("y", sort=False)]
    # the atoms per column of the authors' published structures, top row first
    assert layers == [
        [5, 6, 7, 6, 5, 4, 3],
        [5, 6, 7, 8, 7, 6, 5, 4],
        [5, 6, 7, 8, 9, 8, 7, 6, 5],
        [6, 7, 8, 9, 10, 9, 8, 7, 6],
        [6, 7, 8, 9, 10, 11, 10, 9, 8, 7],
    ]
    # 40 angstrom are ten periods, and CeO2 has one O column of each Ce atom's length
    cerium = columns[columns["element"] == "Ce"]["atoms"]
    assert set(cerium) == {10}


def test_a_defect_of_ones_own_takes_atoms_from_its_site():
    perfect = sbd.pt_on_ceria("PtNp4")
    edited = sbd.pt_on_ceria("PtNp4", [(0, 1, -2)])
    assert perfect.symbols.count("Pt") - edited.symbols.count("Pt") == 2


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("PtNp9",), {}, "particle must be one of PtNp1, .*; got 'PtNp9'"),
        (("PtNp4", "D7"), {}, r"defect of PtNp4 must be one of D0, .*, D1d; got 'D7'"),
        (("PtNp4", [(9, 0, -1)]), {}, r"name a site of PtNp4; got \(9, 0\)"),
        (("PtNp4", [(-1, 0, -1)]), {}, r"name a site of PtNp4; got \(-1, 0\)"),
        (("PtNp4", [(0, 0)]), {}, "in whole numbers; got"),
        (("PtNp4", [(0.5, 0, -1)]), {}, "in whole numbers; got"),
        ((), {"tilt": 5}, "tilt must be two angles .* got 5"),
        ((), {"tilt": (float("nan"), 0)}, "tilt must be two angles"),
        (("PtNp4", [(0, 0, -9)]), {}, r"leave 0 to 20 atoms .* got \(0, 0, -9\)"),
        ((), {"thickness": 1.0}, "thickness must be 10 to 200 angstrom; got 1.0"),
        ((), {"tilt": (0, 45)}, "tilt must be two angles of at most 10 degrees"),
    ],
)
def test_impossible_structures_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        sbd.pt_on_ceria(*arguments, **options)
