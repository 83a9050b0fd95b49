"""Check outlines and their scores on lattices whose surface is known."""

import numpy as np
import pytest

from sbd.columns.finding import Columns
from sbd.columns.surfaces import outline_columns, score_columns, surface_columns


def hexagon(spacing, *, rings=2, centre=(160.0, 170.0), angle=0.2):
    """Return the close-packed points of a hexagon: 1, 7, 19, ... of them."""
    steps = range(-rings, rings + 1)
    axial = np.array([(a, b) for a in steps for b in steps if abs(a + b) <= rings])
    along = np.array([[np.sin(t), np.cos(t)] for t in (angle, angle + np.pi / 3)])
    return spacing * axial @ along + centre


def columns_at(positions, shape=None):
    n = len(positions)
    return Columns(np.array(positions), np.full(n, 5.0), np.ones(n), 1, shape)


def enclosed_area(positions, edges):
    """Sum up the triangles between the origin and the edges (Green's theorem)."""
    (y0, x0), (y1, x1) = (np.asarray(positions)[end].T for end in edges.T)
    return (y0 * x1 - y1 * x0).sum() / 2


@pytest.mark.parametrize("spacing", [8.0, 50.0])
def test_the_outline_encloses_the_hexagon(spacing):
    points = hexagon(spacing)
    edges = outline_columns(columns_at(points))
    lengths = np.linalg.norm(np.diff(points[edges], axis=1)[:, 0], axis=1)
    np.testing.assert_allclose(lengths, spacing)  # from one column to the next
    # six triangles of side 2 spacings; positive if the material is on the left
    area = 6 * np.sqrt(3) / 4 * (2 * spacing) ** 2
    assert enclosed_area(points, edges) == pytest.approx(area)
    # closed: every column of it is left as often as it is reached
    np.testing.assert_array_equal(np.sort(edges[:, 0]), np.sort(edges[:, 1]))


def test_a_hole_has_an_outline_of_its_own():
    points = hexagon(30.0, rings=3)
    middle = int(np.argmin(np.linalg.norm(points - (160, 170), axis=1)))
    whole = enclosed_area(points, outline_columns(columns_at(points)))
    rest = np.delete(points, middle, axis=0)
    edges = outline_columns(columns_at(rest))
    # the six triangles that met at the missing column
    assert enclosed_area(rest, edges) == pytest.approx(
        whole - 6 * np.sqrt(3) / 4 * 30**2
    )
    assert len(edges) == 18 + 6


@pytest.mark.parametrize("spacing", [8.0, 50.0])
def test_the_outer_ring_of_a_hexagon_is_its_surface(spacing):
    points = hexagon(spacing)
    radius = np.linalg.norm(points - points.mean(axis=0), axis=1)
    outer = radius > 1.5 * spacing
    np.testing.assert_array_equal(surface_columns(columns_at(points)), outer)
    assert outer.sum() == 12


def test_a_notch_lays_the_columns_behind_it_bare():
    points = hexagon(40.0)
    middle = points.mean(axis=0)
    whole = surface_columns(columns_at(points))
    side = np.linalg.norm(points - middle, axis=1)
    gone = int(np.argmin(np.abs(side - np.sqrt(3) * 40)))  # in the middle of a side
    bare = surface_columns(columns_at(np.delete(points, gone, axis=0)))
    newly = np.delete(points, gone, axis=0)[bare & ~np.delete(whole, gone)]
    assert len(newly) == 2
    # both touched the missing one: one spacing away, up to rounding
    np.testing.assert_allclose(np.linalg.norm(newly - points[gone], axis=1), 40.0)


def test_a_crystal_cut_by_the_image_has_its_surface_at_the_vacuum_only():
    rows = np.arange(120.0, 300.0, 40 * np.sqrt(3) / 2)
    points = [
        (row, col)
        for k, row in enumerate(rows)
        for col in np.arange(20.0 + 20 * (k % 2), 300.0, 40.0)
    ]
    top = np.array(points)[:, 0] == 120.0
    found = surface_columns(columns_at(points, shape=(300, 300)))
    np.testing.assert_array_equal(found, top)


def test_few_or_collinear_columns_are_all_surface():
    for points in (
        np.zeros((0, 2)),
        [[5.0, 5.0]],
        [[5.0, 5.0], [9.0, 5.0]],
        [[0.0, 0.0], [10.0, 10.0], [20.0, 20.0], [30.0, 30.0]],
    ):
        assert surface_columns(columns_at(points)).tolist() == [True] * len(points)


def test_a_lone_column_beside_a_crystal_is_surface():
    points = np.vstack([hexagon(20.0), [(300.0, 300.0)]])
    surface = surface_columns(columns_at(points))
    assert surface[-1]
    assert surface.sum() == 13


def test_reach_must_be_positive():
    with pytest.raises(ValueError, match="reach must be positive; got 0"):
        surface_columns(columns_at(hexagon(20.0)), reach=0)


def test_columns_at_one_place_share_its_fate():
    points = hexagon(40.0)
    surface = surface_columns(columns_at(points))
    twice = surface_columns(columns_at(np.vstack([points, points])))
    assert surface.any()
    assert not surface.all()
    np.testing.assert_array_equal(twice, np.concatenate([surface, surface]))


def test_a_line_has_no_outline():
    line = np.stack([np.arange(5.0), 2 * np.arange(5.0)], axis=1)
    assert outline_columns(columns_at(line)).shape == (0, 2)
    assert outline_columns(columns_at(np.zeros((0, 2)))).shape == (0, 2)
    with pytest.raises(ValueError, match="reach must be positive; got -1"):
        outline_columns(columns_at(line), reach=-1)


def test_a_lattice_without_vacuum_has_no_surface():
    rows = np.arange(17.0, 300.0, 40 * np.sqrt(3) / 2)
    points = [
        (row, col)
        for k, row in enumerate(rows)
        for col in np.arange(15.0 + 20 * (k % 2), 300.0, 40.0)
    ]
    assert surface_columns(columns_at(points)).any()  # if nothing lay beyond
    lattice = columns_at(points, shape=(300, 300))
    assert not surface_columns(lattice).any()
    assert score_columns(lattice, lattice, tolerance=5)["f1"].tolist() == [1, 1, 1]


def test_a_lost_column_costs_two_at_the_surface():
    # The one that is gone, and the one behind it that now lies bare. This is the
    # arithmetic of the authors' demonstration: of 15 columns in the outline 14 are
    # common to both, so F1 is 28 / 30 and the Jaccard index 14 / 16.
    points = hexagon(40.0)
    radius = np.linalg.norm(points - (160, 170), axis=1)
    corner = int(np.argmax(radius))
    true = columns_at(points)
    scores = score_columns(true, true, tolerance=8)
    assert scores["f1"].tolist() == scores["jaccard"].tolist() == [1, 1, 1]
    assert scores["true"].tolist() == [19, 19, 12]
    lost = columns_at(np.delete(points, corner, axis=0))
    scores = score_columns(lost, true, tolerance=8)
    # behind a corner there are three columns; two were surface already, one was not
    row = scores.loc["surface", ["true", "found", "matched"]]
    assert row.tolist() == [12, 12, 11]
    assert scores.loc["surface", "f1"] == pytest.approx(22 / 24)
    assert scores.loc["surface", "jaccard"] == pytest.approx(11 / 13)
    assert scores.loc["all", "recall"] == pytest.approx(18 / 19)


def test_scores_count_the_particle_alone_where_it_is_named():
    particle, support = hexagon(20.0), hexagon(30.0, centre=(160.0, 400.0))
    true = columns_at(np.vstack([particle, support]))
    ours = np.arange(len(true)) < len(particle)
    found = columns_at(np.vstack([particle, support[3:]]))
    scores = score_columns(found, true, tolerance=5, particle=ours)
    assert scores["true"].tolist() == [38, 19, 12]
    assert scores["found"].tolist() == [35, 19, 12]
    assert scores["recall"].tolist() == [35 / 38, 1, 1]


def test_a_tolerance_is_in_angstrom_where_the_pixel_is_known():
    true = columns_at(hexagon(40.0))
    moved = columns_at(
        hexagon(40.0, centre=(166.0, 170.0))
    )  # 0.3 angstrom down the rows
    pixel = (0.05, 0.1)
    assert score_columns(moved, true, tolerance=0.31, pixel=pixel)["f1"].min() == 1
    assert score_columns(moved, true, tolerance=0.29, pixel=pixel)["f1"].max() == 0


def test_nothing_found_and_nothing_there_have_scores():
    nothing, one = columns_at(np.zeros((0, 2))), columns_at([[5.0, 5.0]])
    assert score_columns(nothing, nothing, tolerance=1)["f1"].tolist() == [1, 1, 1]
    assert score_columns(nothing, one, tolerance=1)["recall"].tolist() == [0, 0, 0]
    assert score_columns(one, nothing, tolerance=1)["precision"].tolist() == [0] * 3
    assert score_columns(one, one, tolerance=1)["jaccard"].tolist() == [1, 1, 1]


def test_scores_say_what_is_wrong():
    true = columns_at(hexagon(40.0))
    with pytest.raises(ValueError, match=r"true columns; got bool of shape \(3,"):
        score_columns(true, true, tolerance=1, particle=[True, False, True])
    with pytest.raises(ValueError, match="height and a width, above 0; got 0"):
        score_columns(true, true, tolerance=1, pixel=0)
    with pytest.raises(ValueError, match="tolerance must be positive; got 0"):
        score_columns(true, true, tolerance=0)


def test_which_are_the_particles_is_said_by_true_and_false():
    grid = np.argwhere(np.ones((3, 3))) * 10.0
    columns = Columns(grid, np.full(9, 3.0), np.ones(9))
    with pytest.raises(ValueError, match="particle must be True or False for each"):
        score_columns(columns, columns, tolerance=2.0, particle=np.arange(9))
    with pytest.raises(TypeError, match="found must be Columns"):
        score_columns(grid, columns, tolerance=2.0)
    with pytest.raises(TypeError, match="columns must be Columns"):
        surface_columns(grid)
    with pytest.raises(ValueError, match="reach must be positive; got '1'"):
        surface_columns(columns, reach="1")
    with pytest.raises(ValueError, match="pixel must be a side, or a height and a"):
        score_columns(columns, columns, tolerance=2.0, pixel=(1, 2, 3))
