"""The surface of a particle: its outline, its columns, and how well they are found."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from sbd.columns.finding import (
    Columns,
    Match,
    check_columns,
    check_sides,
    match_columns,
)
from sbd.validation import check_positive


def outline_columns(columns: Columns, *, reach: float = 0.9) -> NDArray[np.intp]:
    """Draw the line between the material and the vacuum.

    The columns are joined into triangles (Delaunay); a triangle is material if its
    circumscribed circle is small, at most `reach` times the distance from its corners
    to their nearest neighbours. The edges with material on one side only are the
    outline: an alpha shape whose alpha follows the lattice, so that neither the pixel
    size nor a second lattice beside the first matters. An edge less than 1.5 neighbour
    distances from the image's border does not count: what it faces may be material that
    the border cuts. Source: Edelsbrunner, Kirkpatrick, Seidel, "On the shape of a set
    of points in the plane", IEEE Trans. Inf. Theory 29 (1983).

    Parameters
    ----------
    columns : Columns
        All columns of the object. Without a ``shape`` the object is taken as whole.
    reach : float, default 0.9
        Largest circumradius of a triangle of material, in neighbour distances. Perfect
        close-packed rows have 0.58, square ones 0.71, a missing column's place 1.
        Rectangular cells have half the root of 1 + (aspect ratio)²: from a ratio of 1.5
        on they need a longer reach, and then vacancies go unseen. Columns displaced by
        a tenth of the lattice or more make holes that are not there.

    Returns
    -------
    ndarray of int of shape (m, 2)
        Indices of the two columns that each edge joins; in an image, whose rows point
        down, the material is to the left on the way from the first to the second.
        Empty for fewer than three columns and for columns on one line.

    Raises
    ------
    ValueError
        If `reach` is not positive.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 9.0], [9.0, 0.0]])
    >>> edges = outline_columns(Columns(square, np.full(4, 3.0), np.ones(4)))
    >>> sorted(edges.tolist())
    [[0, 3], [1, 0], [2, 1], [3, 2]]
    """
    return _outline(columns, reach)[0]


def surface_columns(columns: Columns, *, reach: float = 0.9) -> NDArray[np.bool_]:
    """Tell which columns touch the vacuum.

    They are the ends of the edges of `outline_columns`, and the columns that belong to
    no material at all. Of a close-packed lattice, the notch that one missing column
    leaves belongs to the surface.

    Parameters
    ----------
    columns : Columns
        All columns of the object, as for `outline_columns`.
    reach : float, default 0.9
        Largest circumradius of a triangle of material, in neighbour distances; as for
        `outline_columns`.

    Returns
    -------
    ndarray of bool of shape (n,)
        True for columns at the surface; of fewer than three, or of columns on one line,
        all are.

    Raises
    ------
    ValueError
        If `reach` is not positive.

    Examples
    --------
    >>> grid = np.argwhere(np.ones((3, 3))) * 10.0
    >>> surface_columns(Columns(grid, np.full(9, 3.0), np.ones(9))).sum().item()
    8
    """
    edges, material = _outline(columns, reach)
    at_surface = ~material
    at_surface[edges] = True
    # of columns at one place, the triangles know the first only
    _, first, back = np.unique(
        columns.positions, axis=0, return_index=True, return_inverse=True
    )
    return at_surface[first][back.ravel()]


def score_columns(
    found: Columns,
    true: Columns,
    *,
    tolerance: float,
    pixel: float | tuple[float, float] = 1.0,
    particle: ArrayLike | None = None,
    reach: float = 0.9,
) -> pd.DataFrame:
    """Score found columns: all, those of the particle, and those of its surface.

    Parameters
    ----------
    found, true : Columns
        The two sets.
    tolerance : float
        Largest distance within a pair [pixels, or angstrom if `pixel` is given].
    pixel : float or tuple of float, default 1
        Side of a pixel, or its height and width [angstrom].
    particle : array_like of bool of shape (n,), optional
        Which of the true columns are the particle's; all if not given. A found column
        counts to the particle if the true column nearest to it does.
    reach : float, default 0.9
        As for `surface_columns`.

    Returns
    -------
    pandas.DataFrame
        Rows ``"all"``, ``"particle"`` and ``"surface"`` (of the particle); how many are
        ``true``, ``found`` and ``matched``, and ``precision``, ``recall``, ``f1`` and
        ``jaccard``. Each set has the surface that its own columns make: with one column
        lost, the one behind it lies bare, and two are wrong.

    Raises
    ------
    ValueError
        If `tolerance`, `pixel` or `reach` is not positive, or `particle` has not one
        value for each true column.

    Examples
    --------
    >>> grid = np.argwhere(np.ones((3, 3))) * 10.0
    >>> true = Columns(grid, np.full(9, 3.0), np.ones(9))
    >>> part = true[[0, 2, 3, 4, 5, 6, 7, 8]]  # none in the middle of a side
    >>> score_columns(part, true, tolerance=2.0)["jaccard"].round(3).to_dict()
    {'all': 0.889, 'particle': 0.889, 'surface': 0.778}
    """
    check_columns(found, "found")
    check_columns(true, "true")
    ours = np.ones(len(true), bool) if particle is None else np.asarray(particle)
    if ours.shape != (len(true),) or (ours.size and ours.dtype != bool):
        msg = (
            "particle must be True or False for each of the true columns; got "
            f"{ours.dtype} of shape {ours.shape}"
        )
        raise ValueError(msg)
    ours = ours.astype(bool)
    here, there = (_in_angstrom(columns, pixel) for columns in (found, true))
    theirs = np.ones(len(here), bool)
    if len(there) and len(here):
        theirs = ours[spatial.KDTree(there.positions).query(here.positions)[1]]
    bare = theirs & surface_columns(here, reach=reach)
    edge = ours & surface_columns(there, reach=reach)
    groups = {
        "all": (here, there),
        "particle": (here[theirs], there[ours]),
        "surface": (here[bare], there[edge]),
    }
    rows = {
        name: _scores(match_columns(*pair, tolerance=tolerance))
        for name, pair in groups.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _scores(match: Match) -> dict[str, float]:
    """Write a match as a row of a table."""
    pairs = len(match.pairs)
    counts = {
        "true": pairs + len(match.missed),
        "found": pairs + len(match.spurious),
        "matched": pairs,
    }
    ratios = ("precision", "recall", "f1", "jaccard")
    return counts | {name: getattr(match, name) for name in ratios}


def _in_angstrom(columns: Columns, pixel: float | tuple[float, float]) -> Columns:
    """Measure places in another unit, along each axis its own."""
    side = check_sides(pixel) * np.ones(2)
    shape = None if columns.shape is None else tuple(columns.shape * side)
    area = float(np.sqrt(side.prod()))
    return Columns(
        columns.positions * side,
        columns.radii * area,
        columns.amplitudes,
        columns.polarity,
        shape,
    )


def _outline(
    columns: Columns, reach: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Edges of the outline, and which columns belong to any material."""
    check_columns(columns)
    check_positive(reach=reach)
    material = np.zeros(len(columns), dtype=bool)
    places, first = np.unique(columns.positions, axis=0, return_index=True)
    if len(places) < 3 or np.linalg.matrix_rank(places - places[0], tol=1e-6) < 2:
        return np.zeros((0, 2), dtype=np.intp), material  # a line has no inside
    triangles = spatial.Delaunay(places).simplices
    nearest = spatial.KDTree(places).query(places, k=2)[0][:, 1]
    limit = reach * nearest[triangles].mean(axis=1)
    triangles = triangles[_circumradii(places[triangles]) <= limit]
    material[first[np.unique(triangles)]] = True
    edges = np.concatenate([np.roll(triangles, -k, axis=1) for k in range(3)])
    _, where, uses = np.unique(
        np.sort(edges[:, :2], axis=1), axis=0, return_index=True, return_counts=True
    )
    edges = edges[where[uses == 1], :2]
    if columns.shape is not None:
        edges = edges[_faces_inside(places, edges, nearest, columns.shape)]
    return first[edges], material


def _faces_inside(
    places: NDArray, edges: NDArray, nearest: NDArray, shape: tuple[float, float]
) -> NDArray[np.bool_]:
    """Tell which edges look at the image, not at its border."""
    one, other = edges.T
    along = places[other] - places[one]
    # Delaunay's triangles go round from the first axis to the second
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    step = 0.75 * (nearest[one] + nearest[other])[:, None]
    outside = (places[one] + places[other]) / 2 + step * normal
    return ((outside >= 0) & (outside < shape)).all(axis=1)


def _circumradii(corners: NDArray) -> NDArray[np.float64]:
    """Radius of the circle through the corners (n, 3, 2) of each triangle."""
    sides = corners - np.roll(corners, 1, axis=1)
    lengths = np.linalg.norm(sides, axis=2)
    twice_area = np.abs(np.linalg.det(sides[:, :2]))
    flat = twice_area < 1e-12 * lengths.max(axis=1) ** 2
    radii = lengths.prod(axis=1) / (2 * np.where(flat, 1.0, twice_area))
    return np.where(flat, np.inf, radii)
