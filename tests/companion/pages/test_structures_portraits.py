"""Check the portraits: every column, number, ring and ball is what the atoms say."""

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from sbd.companion.pages.atomic_models import ATOMS
from sbd.companion.pages.diagrams import BLUE
from sbd.companion.pages.structures.portraits import (
    ADDED,
    COUNTS,
    TAKEN,
    changed_columns,
    explain_balls,
    explain_discs,
    find_limits,
    find_offset,
    show_columns,
    show_model,
)
from sbd.plotting.colours import RED
from sbd.simulation.specimens import (
    PARTICLES,
    defect_edits,
    defect_labels,
    layer_counts,
)
from sbd.simulation.structures import atoms_per_column, pt_on_ceria

BOLD = FontProperties(weight="bold")
EVERY = [(p, d) for p in PARTICLES for d in defect_labels(p)]


def drawn(particle, defect="D0"):
    """Return the panel of a projection and its circles."""
    ax = Figure().subplots()
    return ax, show_columns(ax, particle, defect)


def discs(circles):
    """Return (x, y, atoms) of the discs of platinum, the atoms read from the colour."""
    scale = COUNTS(np.arange(13) / 12)
    wrong = np.abs(circles.get_facecolor()[:, None] - scale).sum(axis=2)
    platinum = wrong.min(axis=1) < 1e-9
    atoms = 1 + wrong[platinum].argmin(axis=1)
    return np.column_stack([circles.get_offsets()[platinum], atoms])


def rings(particle, defect):
    """List (colour, broken or not, change of the column) of the circles of no face."""
    columns = changed_columns(particle, defect)
    _, circles = drawn(particle, defect)
    hollow = np.flatnonzero(circles.get_facecolor()[:, 3] == 0)
    offsets, edges = circles.get_offsets(), circles.get_edgecolor()
    spots = columns[["x", "y"]].to_numpy()
    found = []
    for i in hollow:
        (at,) = np.flatnonzero(np.abs(spots - offsets[i]).max(axis=1) < 1e-9)
        broken = circles.get_linestyle()[i][1] is not None
        found.append((to_hex(edges[i]), broken, columns["change"][at]))
    return found


@pytest.mark.parametrize(("particle", "defect"), EVERY)
def test_changes_are_those_of_the_table(particle, defect):
    edits = defect_edits(particle, defect)
    columns = changed_columns(particle, defect)
    assert sorted(columns["change"][columns["change"] != 0]) == sorted(
        atoms for _, _, atoms in edits if atoms
    )
    assert columns["atoms"].sum() == sum(map(sum, layer_counts(particle, defect)))


@pytest.mark.parametrize(("particle", "defect"), EVERY)
def test_every_platinum_column_is_a_disc_with_its_count(particle, defect):
    _, circles = drawn(particle, defect)
    atoms = pt_on_ceria(particle, defect)
    counted = atoms_per_column(atoms[atoms.symbols == "Pt"])
    shown, truth = discs(circles), counted[["x", "y", "atoms"]].to_numpy()
    order = np.lexsort(shown.T[:2]), np.lexsort(truth.T[:2])
    np.testing.assert_allclose(shown[order[0]], truth[order[1]], atol=1e-9)


def test_the_number_on_a_disc_is_its_count():
    ax, circles = drawn("PtNp2", "S1-2_2-S3_1")
    _, numbers = ax.collections
    counts = {(x, y): int(atoms) for x, y, atoms in discs(circles)}
    assert len(numbers.get_paths()) == len(counts)
    for path in numbers.get_paths():
        box = path.get_extents()
        middle = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
        (place,) = (key for key in counts if np.abs(middle - key).max() < 1e-9)
        outline = TextPath((0, 0), str(counts[place]), size=1.0, prop=BOLD)
        factor = box.height / outline.get_extents().height
        shape = factor * (outline.vertices - outline.vertices[0])
        np.testing.assert_allclose(path.vertices - path.vertices[0], shape, atol=0.02)


def test_a_perfect_particle_has_no_ring():
    assert rings("PtNp3", "D0") == []


def test_a_missing_column_is_a_broken_red_circle():
    assert rings("PtNp3", "D2") == [(RED, True, -4)] * 2


def test_fewer_atoms_are_a_red_ring_and_more_a_blue_one():
    assert rings("PtNp1", "Dsd") == [(RED, False, -1), (BLUE, False, 1)]


def test_a_longer_particle_has_a_ring_round_every_column():
    assert rings("PtNp4", "D0d") == [(BLUE, False, 2)] * 12


@pytest.mark.parametrize("particle", PARTICLES)
def test_the_whole_particle_is_in_view_with_its_rings(particle):
    left, right, bottom, top = find_limits(particle)
    for defect in defect_labels(particle):
        columns = changed_columns(particle, defect)
        columns["x"] -= find_offset(particle, defect)
        # a ring has a radius of 1.13 angstrom, and its line is 0.15 wide at most
        assert columns["x"].between(left + 1.2, right - 1.2).all()
        assert columns["y"].between(bottom + 1.2, top - 1.2).all()


def test_the_step_of_the_support_is_in_view():
    _, circles = drawn("PtNp4")
    diameter = 2 * 0.8 * ATOMS["Ce"][1]
    cerium = circles.get_offsets()[np.isclose(circles.get_widths(), diameter)]
    heights, counts = np.unique(cerium[:, 1].round(3), return_counts=True)
    assert len(heights) == 2
    assert counts[0] > counts[1]


def test_a_support_that_falls_off_is_in_view():
    ax, circles = drawn("PtNp1", "D0b")
    assert find_offset("PtNp1", "D0b") == pytest.approx(10.0)
    diameter = 2 * 0.8 * ATOMS["Ce"][1]
    cerium = circles.get_offsets()[np.isclose(circles.get_widths(), diameter)]
    heights = np.unique(cerium[:, 1].round(3))
    first = [cerium[abs(cerium[:, 1] - y) < 0.1, 0].min() for y in heights]
    assert first[-1] > first[0] + 2.0 > ax.get_xlim()[0] + 1.0
    # beside it nothing else differs
    assert (changed_columns("PtNp1", "D0b")["change"] == 0).all()


def balls(particle, defect, thickness=40.0):
    """Return colours and places of the balls, without their highlights."""
    shown = show_model(Figure().subplots(), particle, defect, thickness=thickness)
    return shown.get_facecolor()[::2, :3], shown.get_offsets()[::2]


def alike(colours, name):
    """Tell which colours are one."""
    return np.abs(colours - to_rgb(name)).max(axis=1) < 1e-9


def test_missing_atoms_are_pale_balls_and_added_ones_blue():
    colours, _ = balls("PtNp2", "S1-2_2-S3_1")
    assert alike(colours, TAKEN).sum() == 1
    assert alike(colours, ADDED).sum() == 2


def test_a_perfect_model_has_neither():
    colours, _ = balls("PtNp1", "D0")
    assert not alike(colours, TAKEN).any()
    assert not alike(colours, ADDED).any()


def test_all_platinum_of_the_perfect_particle_is_drawn_where_it_was():
    _, perfect = balls("PtNp2", "D0")
    _, missing = balls("PtNp2", "S3_5")
    np.testing.assert_allclose(missing, perfect, atol=1e-9)


def test_a_thicker_support_reaches_further():
    thin, thick = (balls("PtNp4", "D0", t)[1] for t in (30.0, 60.0))
    assert np.ptp(thick[:, 0]) > np.ptp(thin[:, 0])


def test_keys_name_what_is_drawn():
    ax = Figure().subplots()
    explain_discs(ax, (0.0, 1.0), 0.05)
    explain_balls(ax, (0.0, 0.0))
    words = [text.get_text() for text in ax.texts]
    assert {"1 nm", "column missing", "fewer than in D0", "Pt of D0, missing here"} <= (
        set(words)
    )
    assert len(ax.patches) == len(words) - 1  # the bar is a line


@pytest.mark.parametrize("show", [show_columns, show_model, changed_columns])
def test_unknown_specimens_are_refused(show):
    first = () if show is changed_columns else (Figure().subplots(),)
    with pytest.raises(ValueError, match=r"particle must be one of .* got 'PtNp9'"):
        show(*first, "PtNp9")
    with pytest.raises(ValueError, match=r"defect of PtNp4 must be one of .* got 'D9'"):
        show(*first, "PtNp4", "D9")
