"""Check the balls of an atomic model: where, how large, in which order."""

import numpy as np
import pytest
from ase import Atoms
from matplotlib.figure import Figure

from sbd.companion.pages.atomic_models import ATOMS, show_atoms

CELL = (10.0, 10.0, 10.0)


def drawn(atoms, **options):
    """Return centre, diameter and colour of each ball, far ones first."""
    balls = show_atoms(Figure().subplots(), atoms, **options)
    return balls.get_offsets()[::2], balls.get_widths()[::2], balls.get_facecolor()[::2]


def test_x_is_right_and_y_is_up_from_the_middle_of_the_cell():
    offsets, widths, _ = drawn(Atoms("Pt", [(7.0, 6.0, 1.0)], cell=CELL))
    np.testing.assert_allclose(offsets, [(2.0, 1.0)], atol=1e-12)
    assert widths == pytest.approx(2 * ATOMS["Pt"][1])


def test_near_atoms_are_drawn_over_far_ones():
    atoms = Atoms("OCePt", [(4, 5, 9), (5, 5, 1), (6, 5, 5)], cell=CELL)
    offsets, _, _ = drawn(atoms)
    assert offsets[:, 0].tolist() == [0, 1, -1]


def test_atoms_exactly_behind_their_kind_are_left_out():
    column = Atoms("Pt3O", [(5, 5, 1), (5, 5, 4), (5, 5, 7), (5, 5, 2)], cell=CELL)
    assert len(drawn(column)[0]) == 2


def test_a_quarter_turn_shows_the_left_side():
    atoms = Atoms("Pt2", [(1, 5, 5), (5, 5, 1)], cell=CELL)
    offsets, _, _ = drawn(atoms, turn=90.0)
    # x goes into the depth: what was left (1, 5, 5) is in front, in the middle
    np.testing.assert_allclose(offsets, [(-4.0, 0.0), (0.0, 0.0)], atol=1e-9)


def test_leaning_shows_the_top():
    atoms = Atoms("Pt2", [(5, 9, 5), (5, 5, 5)], cell=CELL)
    offsets, _, _ = drawn(atoms, lean=90.0)
    assert len(offsets) == 1  # the upper atom now hides the lower


def test_colours_fade_with_the_distance():
    _, _, colours = drawn(Atoms("Pt2", [(2, 5, 1), (8, 5, 9)], cell=CELL))
    assert colours[0, :3].sum() > colours[1, :3].sum()


def test_the_whole_box_is_in_view():
    ax = Figure().subplots()
    show_atoms(ax, Atoms("Pt", [(5, 5, 5)], cell=CELL), turn=30, lean=20)
    for lines in ax.collections[1:]:
        for segment in lines.get_segments():
            assert (np.abs(segment[:, 0]) < ax.get_xlim()[1]).all()
            assert (np.abs(segment[:, 1]) < ax.get_ylim()[1]).all()
    assert sum(len(lines.get_segments()) for lines in ax.collections[1:]) == 12


def test_no_atoms_are_refused():
    with pytest.raises(ValueError, match="atoms must hold at least one atom"):
        drawn(Atoms(cell=CELL))


def test_atoms_take_the_colours_given_and_keep_them_when_sorted():
    atoms = Atoms("OCePt", [(4, 5, 9), (5, 5, 1), (6, 5, 5)], cell=CELL)
    paint = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    _, widths, colours = drawn(atoms, colours=paint)
    # far first: Ce, Pt, O; colours that are given do not fade
    assert widths.tolist() == [2 * ATOMS[name][1] for name in ("Ce", "Pt", "O")]
    np.testing.assert_array_equal(colours[:, :3], [(0, 1, 0), (0, 0, 1), (1, 0, 0)])


@pytest.mark.parametrize("paint", [[(1, 0, 0)], [(1, 0, 2)] * 2, [(1, 0)] * 2])
def test_colours_must_be_one_for_each_atom(paint):
    atoms = Atoms("Pt2", [(1, 1, 1), (2, 2, 2)], cell=CELL)
    with pytest.raises(ValueError, match=r"colours must have shape \(2, 3\) and"):
        drawn(atoms, colours=paint)
