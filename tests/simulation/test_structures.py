"""Check the atoms."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

import sbd
from sbd.simulation.frame import BOX
from sbd.simulation.specimens import (
    PARTICLES,
    SHAPES,
    THICKNESSES,
    defect_labels,
    particle_card,
)
from sbd.simulation.structures import _SEAM, PT_LATTICE

EVERY = [(p, d) for p in SHAPES for d in defect_labels(p)]


def neighbours(atoms):
    return cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]


@pytest.mark.parametrize(("particle", "defect"), EVERY)
def test_no_two_atoms_are_closer_than_chemistry_allows(particle, defect):
    atoms = sbd.pt_on_ceria(particle, defect, thickness=40.0)
    # the closest pairs of the model are Pt and O at the interface, 1.6 angstrom
    assert neighbours(atoms).min() > 1.5
    platinum = atoms[atoms.symbols == "Pt"]
    lattice = particle_card(particle).get("lattice", PT_LATTICE)
    # nearest neighbours of an fcc lattice are a / sqrt(2) apart
    np.testing.assert_allclose(neighbours(platinum), lattice / np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize("particle", PARTICLES)
def test_ceria_is_stoichiometric_and_bonded(particle):
    atoms = sbd.pt_on_ceria(particle, thickness=40.0)
    cerium, oxygen = (atoms.symbols.count(symbol) for symbol in ("Ce", "O"))
    # the box cuts through the crystal; a step has two oxygen columns less at its foot
    assert 2 * cerium - oxygen == (0 if particle == "PtNp4" else -20)
    oxide = atoms[~(atoms.symbols == "Pt")]
    # the Ce-O bond of fluorite is a sqrt(3) / 4, but where the support does not close
    whole = abs(oxide.positions[:, 0] - _SEAM) > 3.0
    bonds = neighbours(oxide)[whole]
    np.testing.assert_allclose(bonds, 5.4 * np.sqrt(3) / 4, rtol=1e-5)


def test_the_support_is_a_lattice_across_the_sides_of_the_box():
    # moved by one column the support is itself, save at its seam and its end
    cerium = sbd.pt_on_ceria(thickness=40.0)
    cerium = cerium.positions[cerium.symbols == "Ce"]
    spacing, period = 5.4 * np.sqrt(6) / 4, 5.4 / np.sqrt(2)
    moved = cerium + np.array([spacing, 0.0, period / 2])
    moved[:, 0] %= BOX
    inner = (abs(cerium[:, 0] - _SEAM) > 4.0) & (
        cerium[:, 2] < cerium[:, 2].max() - 4.0
    )
    distance, _ = cKDTree(cerium).query(moved[inner])
    # half a period forwards or backwards: neighbouring columns alternate
    other = cerium + np.array([spacing, 0.0, -period / 2])
    other[:, 0] %= BOX
    back, _ = cKDTree(cerium).query(other[inner])
    assert np.minimum(distance, back).max() < 1e-6


@pytest.mark.parametrize(("particle", "top"), [("PtNp1", 15), ("PtNp4", 11)])
def test_layers_of_the_support_have_the_columns_of_the_paper_s_drawing(particle, top):
    columns = sbd.atoms_per_column(sbd.pt_on_ceria(particle, thickness=30.0))
    cerium = columns[columns["element"] == "Ce"]
    layers = [len(group) for _, group in cerium.groupby("y", sort=False)]
    assert layers == [top, 15, 16, 15, 15, 16, 15, 15]


def test_particles_stand_where_the_paper_s_drawing_has_them():
    # of the middle of the lowest row from the nearest cerium of the top layer, in
    # column spacings of ceria; read off the drawings to 0.03
    drawn = {"PtNp1": -0.175, "PtNp3": -0.162, "PtNp4": -0.411}
    for particle, wanted in drawn.items():
        columns = sbd.atoms_per_column(sbd.pt_on_ceria(particle, thickness=30.0))
        platinum, cerium = (columns[columns["element"] == e] for e in ("Pt", "Ce"))
        lowest = platinum[platinum["y"] == platinum["y"].min()]["x"].mean()
        top = cerium[cerium["y"] == cerium["y"].max()]["x"] - lowest
        nearest = top.iloc[top.abs().argmin()]
        assert -nearest / (5.4 * np.sqrt(6) / 4) == pytest.approx(wanted, abs=0.03)


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


def cut_crystal():
    """Cut |x| + |y| + |z| <= 4 a, max(|x|, |y|, |z|) <= 3 a out of platinum, about an
    atom, and take the half with x + y + z >= 0."""
    n = np.arange(-6, 7)
    x = np.stack(np.meshgrid(n, n, n), -1).reshape(-1, 3)  # in halves of a
    x = x[x.sum(1) % 2 == 0]
    inside = (abs(x).sum(1) <= 8) & (abs(x).max(1) <= 6) & (x.sum(1) >= 0)
    return x[inside]


def test_a_particle_seen_in_images_is_a_cut_of_the_crystal_with_three_planes():
    atoms = cut_crystal()
    assert len(atoms) == sbd.pt_on_ceria("PtNp1").symbols.count("Pt")
    # seen along [1-10]: up is [111], to the right [11-2], in thirds of a column spacing
    layer, right = atoms.sum(1) // 2, atoms @ [1, 1, -2]
    rows, first = [], []
    for k in range(layer.max(), -1, -1):
        places, counts = np.unique(right[layer == k], return_counts=True)
        rows.append(counts.tolist())
        first.append(places[0])
    card = particle_card("PtNp1")["rows"]
    assert [counts for _, counts in card] == rows
    assert [shift for shift, _ in card][1:] == np.diff(first).tolist()


def test_a_support_that_falls_off_keeps_no_oxygen_on_a_single_column_of_cerium():
    atoms = sbd.pt_on_ceria("PtNp1", "D0b", thickness=30.0)
    cerium, oxygen = (atoms.positions[atoms.symbols == s] for s in ("Ce", "O"))
    bond = 5.4 * np.sqrt(3) / 4
    near = cKDTree(cerium).query_ball_point(oxygen, 1.01 * bond)
    columns = [len(np.unique(cerium[some, :2].round(2), axis=0)) for some in near]
    # but where the support does not close
    assert min(np.array(columns)[(oxygen[:, 0] > 1) & (oxygen[:, 0] < 46)]) >= 2
    # four layers begin one after another, 4/3 of a column spacing apart
    layers = [
        cerium[abs(cerium[:, 1] - y) < 0.1, 0] for y in np.unique(cerium[:, 1].round(3))
    ]
    starts = [x[x < 46].min() for x in layers[::-1][:4]]
    np.testing.assert_allclose(
        np.diff(starts), -4 / 3 * 5.4 * np.sqrt(6) / 4, rtol=1e-6
    )


@pytest.mark.parametrize("particle", PARTICLES)
def test_cerium_stays_where_it_is_when_a_particle_s_support_gets_thicker(particle):
    planes = []
    for thickness in (30.0, 34.0, 38.0):  # 8, 9 and 10 periods
        atoms = sbd.pt_on_ceria(particle, thickness=thickness)
        middle = atoms.positions[atoms.symbols == "Pt", 2].mean()
        cerium = atoms.positions[atoms.symbols == "Ce"] - (0, 0, middle)
        column = cerium[abs(cerium[:, :2] - cerium[0, :2]).max(1) < 0.01]
        planes.append(column[:, 2] % (5.4 / np.sqrt(2)))
    np.testing.assert_allclose(planes[1], planes[0][0], atol=1e-6)
    np.testing.assert_allclose(planes[2], planes[0][0], atol=1e-6)
