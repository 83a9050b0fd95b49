"""Check that columns are taken and planted where the table says, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from sbd.audits.placed_atoms import project_columns
from sbd.audits.removals import Removal, image_removal, remove_columns
from sbd.simulation.frame import BOX
from sbd.simulation.structures import pt_on_ceria

SPECIMENS = [("PtNp1", 30.0, (0.0, 0.0)), ("PtNp2", 40.0, (3.0, 0.0)),
             ("PtNp4", 50.0, (0.0, 4.0))]  # fmt: skip
PERIOD = 2.816  # along a platinum column [angstrom]


def removals(seeds=range(4)):
    """Draw specimens with what was removed from them."""
    for particle, thickness, tilt in SPECIMENS:
        atoms = pt_on_ceria(particle, thickness=thickness)
        for seed in seeds:
            rng = np.random.default_rng(seed)
            yield atoms, tilt, remove_columns(atoms, tilt, number=10, rng=rng)


def as_set(atoms):
    """Atoms as a set of symbols and places [0.001 angstrom]."""
    places = np.rint(1000 * atoms.positions).astype(int)
    return set(zip(atoms.get_chemical_symbols(), map(tuple, places), strict=True))


@pytest.fixture(scope="module")
def drawn():
    return list(removals())


def test_the_images_differ_by_the_atoms_of_the_sites_alone(drawn):
    for _, _, pair in drawn:
        present, absent = as_set(pair.present), as_set(pair.absent)
        assert absent < present
        assert len(present - absent) == pair.sites["atoms"].sum()
        np.testing.assert_array_equal(pair.present.cell, pair.absent.cell)


def test_what_is_absent_is_whole_columns_of_the_specimen(drawn):
    for atoms, _, pair in drawn:
        own = pair.sites[~pair.sites["planted"]]
        assert len(atoms) - len(pair.absent) == own["full"].sum()
        assert pair.absent.symbols.count("O") == atoms.symbols.count("O")


def test_the_columns_stand_where_the_table_says(drawn):
    for atoms, tilt, pair in drawn:
        extra = as_set(pair.present) - as_set(pair.absent)
        symbols, places = zip(*extra, strict=True)
        x, y, z = np.array(places).T / 1000
        before = atoms.positions[:, 2].max() - z
        row = BOX - y + before * np.tan(np.deg2rad(tilt[0]))
        column = x + before * np.tan(np.deg2rad(tilt[1]))
        for _, site in pair.sites.iterrows():
            near = np.hypot(row - site["row"], column - site["column"]) < 3.0
            assert near.sum() == site["atoms"]
            assert {symbols[k] for k in np.flatnonzero(near)} == {site["element"]}
            # parts lose atoms at one end, whose middle is off by half of these
            shift = np.hypot(
                row[near].mean() - site["row"], column[near].mean() - site["column"]
            )
            missing = (site["full"] - site["atoms"]) / 2 * 3.82
            steep = np.tan(np.deg2rad(max(tilt)))
            assert shift <= missing * steep + 0.002  # and rounding of both places


def test_sites_are_far_from_each_other_and_from_the_box(drawn):
    for _, _, pair in drawn:
        places = pair.sites[["row", "column"]].to_numpy()
        gaps = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
        assert gaps[~np.eye(len(gaps), dtype=bool)].min() >= 9.0
        assert places.min() >= 4.0
        assert places.max() <= BOX - 4.0


def test_planted_columns_stand_free_beside_the_particle(drawn):
    planted = 0
    for atoms, tilt, pair in drawn:
        table = project_columns(atoms, tilt).query("element != 'O'")
        everything = table[["row", "column"]].to_numpy()
        particle = table.query("element == 'Pt'")[["row", "column"]].to_numpy()
        for _, site in pair.sites[pair.sites["planted"]].iterrows():
            place = site[["row", "column"]].to_numpy(float)
            assert np.hypot(*(everything - place).T).min() > 1.9
            assert np.hypot(*(particle - place).T).min() < 3.2
            assert site["atoms"] == site["full"] <= 5
            assert site["rim"]
            planted += 1
    assert planted > 5


def test_there_are_whole_columns_and_parts_of_both_elements(drawn):
    sites = pd.concat(pair.sites for _, _, pair in drawn)
    own = sites[~sites["planted"]]
    assert set(own["element"]) == {"Pt", "Ce"}
    assert (own["atoms"] >= 1).all()
    assert (own["atoms"] <= own["full"]).all()
    part = (own["atoms"] < own["full"]).mean()
    # .35 of all with two atoms or more; of so many sites, within four deviations
    assert abs(part - 0.35) < 4 * np.sqrt(0.35 * 0.65 / len(own))


def test_the_same_numbers_give_the_same_removal():
    one, other = (next(removals([7]))[2] for _ in range(2))
    pd.testing.assert_frame_equal(one.sites, other.sites)
    np.testing.assert_array_equal(one.present.positions, other.present.positions)


def test_no_more_sites_than_there_is_room_for():
    atoms = pt_on_ceria("PtNp4", thickness=30.0)
    rng = np.random.default_rng(0)
    pair = remove_columns(atoms, (0.0, 0.0), number=500, rng=rng)
    # discs of 4.5 angstrom around sites that are 9 apart do not overlap
    assert 10 < len(pair.sites) < BOX**2 / (np.pi * 4.5**2)


def test_a_planted_column_that_is_longer_than_the_box_makes_it_deeper():
    # two short columns beside each other; what is planted has up to five atoms
    flat = Atoms(
        "Pt3", [(23, 25, 2), (25.44, 25, 2), (27.88, 25, 2)], cell=(BOX, BOX, 4)
    )
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pair = remove_columns(flat, (0.0, 0.0), number=1, rng=rng)
        z = pair.present.positions[:, 2]
        assert z.min() >= 2.0
        assert z.max() <= pair.present.cell[2, 2] - 2.0
        if pair.sites["planted"][0] and pair.sites["atoms"][0] == 5:
            assert pair.present.cell[2, 2] == pytest.approx(4 * PERIOD + 4.0)
            break
    else:
        pytest.fail("no column of five atoms was planted")


@pytest.mark.parametrize("number", [0, 2.5, True])
def test_a_number_of_sites_that_is_none_is_refused(number):
    atoms, rng = pt_on_ceria("PtNp4"), np.random.default_rng(0)
    with pytest.raises(ValueError, match="number must be a whole number of at least 1"):
        remove_columns(atoms, (0.0, 0.0), number=number, rng=rng)


def test_images_differ_where_the_column_is():
    two = Atoms("Pt2", [(6, 10, 2), (14, 10, 2)], cell=(20, 20, 4), pbc=True)
    pair = Removal(two, two[:1], pd.DataFrame())
    images = list(image_removal(pair, (0.0, 0.0), [60.0, 120.0], samples=80))
    assert len(images) == 2
    for present, absent in images:
        change = np.abs(present - absent)
        row, column = np.unravel_index(change.argmax(), change.shape)
        # a pixel is a quarter of an angstrom; the dot's middle is the column
        assert abs(row - 40) <= 2
        assert abs(column - 56) <= 2
        assert change[:, :28].max() < 0.1 * change.max()
