"""Atomic columns: find them and match them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, spatial

from sbd.columns.blobs import LaplacianLadder, best_widths, find_peaks, refine_peaks
from sbd.typing import Image
from sbd.validation import check_image, check_positive

_POLARITIES = {"bright": 1, "dark": -1}


@dataclass(frozen=True, eq=False)
class Columns:
    """Atomic columns of one image.

    ``columns[which]`` keeps some of them (a mask, indices or a slice), ``len(columns)``
    counts them.

    Parameters
    ----------
    positions : ndarray of shape (n, 2)
        Centres as (row, column), to a fraction of a pixel [pixels].
    radii : ndarray of shape (n,)
        Radii of the discs that stand for the columns [pixels].
    amplitudes : ndarray of shape (n,)
        Contrast against the surroundings: positive where the column is brighter than
        they are [electrons per pixel].
    polarity : {1, -1}
        Whether the columns are bright (1) or dark (-1).
    shape : tuple of int, optional
        (height, width) of the image they were found in.

    Raises
    ------
    ValueError
        If the lengths disagree, a radius is not positive or `polarity` is no sign.

    Examples
    --------
    >>> pair = Columns(np.array([[4.0, 5.0], [4.0, 15.0]]), np.full(2, 3.0), np.ones(2))
    >>> len(pair), pair[pair.positions[:, 1] > 10].positions.tolist()
    (2, [[4.0, 15.0]])
    """

    positions: NDArray[np.float64]
    radii: NDArray[np.float64]
    amplitudes: NDArray[np.float64]
    polarity: int = 1
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        positions = _positions(self.positions, "positions")
        object.__setattr__(self, "positions", positions)
        for name in ("radii", "amplitudes"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (len(positions),):
                msg = (
                    f"{name} must have one value per column, so shape "
                    f"({len(positions)},); got {values.shape}"
                )
                raise ValueError(msg)
            object.__setattr__(self, name, values)
        if not ((self.radii > 0) & np.isfinite(self.radii)).all():
            worst = self.radii[~((self.radii > 0) & np.isfinite(self.radii))][0]
            msg = f"radii must be above 0; got {worst:g}"
            raise ValueError(msg)
        if not np.isfinite(self.amplitudes).all():
            msg = "amplitudes must be finite; got NaN or infinite ones"
            raise ValueError(msg)
        if self.polarity not in (1, -1):
            msg = f"polarity must be 1 (bright) or -1 (dark); got {self.polarity!r}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: ArrayLike | slice) -> "Columns":
        if not isinstance(which, slice):
            which = np.atleast_1d(np.asarray(which))
            which = which if which.size else which.astype(np.intp)
        return Columns(
            self.positions[which],
            self.radii[which],
            self.amplitudes[which],
            self.polarity,
            self.shape,
        )


@dataclass(frozen=True, eq=False)
class Match:
    """Which found columns are which true ones.

    A ratio of nothing to nothing is 1: who claims nothing makes no false claim.

    Parameters
    ----------
    pairs : ndarray of int of shape (k, 2)
        (index among the found, index among the true) of each matched pair.
    distances : ndarray of shape (k,)
        Distance within each pair [pixels, or angstrom if the pixel was given].
    missed : ndarray of int
        Indices of true columns without a partner.
    spurious : ndarray of int
        Indices of found columns without a partner.

    Examples
    --------
    >>> one = Match(np.array([[0, 0]]), np.zeros(1), np.array([1]), np.array([], int))
    >>> one.precision, one.recall, one.jaccard
    (1.0, 0.5, 0.5)
    """

    pairs: NDArray[np.intp]
    distances: NDArray[np.float64]
    missed: NDArray[np.intp]
    spurious: NDArray[np.intp]

    @property
    def precision(self) -> float:
        """Share of the found columns that are true."""
        return _share(len(self.pairs), len(self.spurious))

    @property
    def recall(self) -> float:
        """Share of the true columns that were found."""
        return _share(len(self.pairs), len(self.missed))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = len(self.missed) + len(self.spurious)
        return _share(2 * len(self.pairs), wrong)

    @property
    def jaccard(self) -> float:
        """Matched columns over all columns, found or true."""
        return _share(len(self.pairs), len(self.missed) + len(self.spurious))


def find_columns(
    image: Image,
    *,
    min_radius: float | None = None,
    max_radius: float | None = None,
    polarity: Literal["auto", "bright", "dark"] = "auto",
    threshold: float = 0.25,
    floor: float | None = None,
) -> Columns:
    r"""Find the atomic columns of a clean or denoised image.

    A column is a maximum of the scale-normalised Laplacian of Gaussian,
    :math:`\mp\sigma^2 \nabla^2 G_\sigma * x`, at the width that suits the whole image;
    a Gaussian blob of standard deviation :math:`\sigma` and height :math:`A` scores
    :math:`A/2` there. A parabola refines the position to a fraction of a pixel, another
    one the column's own width; its radius is :math:`\sqrt{2}\,\sigma`, where the
    Laplacian of the blob changes sign. Ridges, such as Fresnel fringes along an edge,
    are no columns, nor are blobs that the image's border cuts near their centre.

    Of a lone Gaussian dot position, radius and amplitude are exact. In a perfect
    close-packed lattice the neighbours' tails make the radius 10 % and the amplitude 5
    % too small; `column_occupancy` tells the columns apart. Within two widths of the
    border, where the image goes on as its mirror image, positions are off by up to a
    quarter of the width and amplitudes by a fifth. On a ground that varies more than
    the columns do, give their radii. With ``polarity="dark"`` the gaps of a bright
    lattice are found, as what they are: dots darker than their surroundings. Source:
    Manzorro et al., "Exploring blob detection to determine atomic column positions and
    intensities in time-resolved TEM images with ultra-low signal-to-noise", Microsc.
    Microanal. 28 (2022).

    Parameters
    ----------
    image : ndarray of shape (height, width)
        A clean or denoised image, in electrons per pixel; not raw counts.
    min_radius : float, optional
        Smallest radius of a column; by default that at which the image varies most,
        divided by 1.5 [pixels].
    max_radius : float, optional
        Largest radius of a column; by default 1.5 times that at which the image varies
        most [pixels].
    polarity : {"auto", "bright", "dark"}, default "auto"
        What a column looks like against its surroundings; "auto" takes the sign in
        which the image is the more dotted (skewness of the Laplacian).
    threshold : float, default 0.25
        Smallest contrast of a column, as a fraction of the strong columns' (their 90th
        percentile). The thinnest columns of the paper's particle, of three atoms, have
        half of that contrast; the ripples around a particle have less than a tenth.
    floor : float, optional
        Smallest contrast of a column in any case [electrons per pixel]; by default 0.1
        of the image's median, so that the ripples of an empty vacuum are no columns. At
        the paper's dose that is 1.5 standard errors of the mean count of a column.

    Returns
    -------
    Columns
        The columns, from top to bottom; none if nothing stands out.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If the image is no image, or an option is out of its range.

    Examples
    --------
    >>> y, x = np.mgrid[:60, :80]
    >>> blob = np.exp(-((y - 30.3) ** 2 + (x - 40.0) ** 2) / (2 * 5.0**2))
    >>> columns = find_columns(0.45 + 0.2 * blob)
    >>> columns.positions.round(1).tolist(), columns.radii.round(1).tolist()
    ([[30.3, 40.0]], [7.1])
    """
    image = check_image(image).astype(np.float64)
    _check_options(min_radius, max_radius, polarity, threshold, floor)
    if floor is None:
        floor = 0.1 * abs(np.median(image))
    floor = max(floor, 1e-6 * np.abs(image).max())  # not the rounding of a flat image
    least, most = (r and r / np.sqrt(2) for r in (min_radius, max_radius))
    ladder = LaplacianLadder(image, least=least, most=most)
    middle = len(ladder.sigmas) // 2
    response = ladder.image(middle)
    skewness = np.vdot(response * response, response)
    sign = _POLARITIES.get(polarity) or (1 if skewness >= 0 else -1)
    response *= sign
    separation = ladder.sigmas[middle]
    peaks = find_peaks(response, separation=separation, lowest=floor / 2)
    positions = refine_peaks(response, peaks)
    widths, heights = best_widths(ladder.sigmas, sign * ladder.at(positions))
    strong = np.percentile(heights, 90) if len(heights) else 0.0
    keep = heights >= max(threshold * strong, floor / 2)
    return Columns(
        positions=positions[keep],
        radii=np.sqrt(2) * widths[keep],
        amplitudes=2 * sign * heights[keep],
        polarity=sign,
        shape=image.shape,
    )


def match_columns(
    found: Columns | ArrayLike,
    true: Columns | ArrayLike,
    *,
    tolerance: float,
    pixel: float | tuple[float, float] = 1.0,
) -> Match:
    """Pair found columns with true ones, each at most once.

    Of all pairings within the tolerance, one with the most pairs is taken and, among
    those, the one with the smallest sum of distances (the assignment problem).

    Parameters
    ----------
    found, true : Columns or array_like of shape (n, 2)
        The two sets, or their (row, column) positions [pixels].
    tolerance : float
        Largest distance within a pair [pixels, or angstrom if `pixel` is given].
    pixel : float or tuple of float, default 1
        Side of a pixel, or its height and width [angstrom].

    Returns
    -------
    Match
        Pairs, what was missed and what is spurious, and the ratios made from them.

    Raises
    ------
    ValueError
        If the positions are no (row, column) pairs, or `tolerance` or `pixel` is not
        positive.

    Examples
    --------
    >>> match = match_columns([[10, 10], [10, 50]], [[11, 10], [40, 40]], tolerance=5)
    >>> match.pairs.tolist(), match.missed.tolist(), match.spurious.tolist()
    ([[0, 0]], [1], [1])
    """
    here, there = _positions(found, "found"), _positions(true, "true")
    check_positive(tolerance=tolerance)
    side = check_sides(pixel)
    distances = spatial.distance.cdist(here * side, there * side)
    # one pair too far costs more than any set of pairs within the tolerance
    too_far = tolerance * (min(distances.shape, default=0) + 1.0)
    cost = np.where(distances <= tolerance, distances, too_far)
    pairs = np.stack(optimize.linear_sum_assignment(cost), axis=1)
    pairs = pairs[distances[tuple(pairs.T)] <= tolerance]
    return Match(
        pairs=pairs,
        distances=distances[tuple(pairs.T)],
        missed=np.setdiff1d(np.arange(len(there)), pairs[:, 1]),
        spurious=np.setdiff1d(np.arange(len(here)), pairs[:, 0]),
    )


def check_columns(columns: Columns, name: str = "columns") -> None:
    """Refuse what are no columns."""
    if not isinstance(columns, Columns):
        msg = f"{name} must be Columns, as find_columns gives; got {columns!r}"
        raise TypeError(msg)


def check_inside(columns: Columns, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Return the pixel that each column lies on, or say which is outside the image."""
    check_columns(columns)
    nearest = np.rint(columns.positions).astype(np.intp)
    outside = ((nearest < 0) | (nearest >= shape)).any(axis=1)
    if outside.any():
        row, col = columns.positions[outside][0]
        msg = (
            f"columns must lie inside the image of shape {shape}; "
            f"got one at ({row:.1f}, {col:.1f})"
        )
        raise ValueError(msg)
    return nearest


def check_sides(pixel: float | tuple[float, float]) -> NDArray[np.float64]:
    """Return the side of a pixel, or its height and width, as an array."""
    side = np.asarray(pixel)
    real = side.dtype.kind in "uif" and side.shape in ((), (2,))
    if not (real and ((side > 0) & np.isfinite(side)).all()):
        msg = f"pixel must be a side, or a height and a width, above 0; got {pixel}"
        raise ValueError(msg)
    return side.astype(np.float64)


def box_around(
    point: ArrayLike, size: tuple[int, int], shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Frame a point, as centrally as the image's border allows.

    Parameters
    ----------
    point : tuple of float
        (row, column) [pixels].
    size : tuple of int
        (height, width) wanted; less where the image is smaller [pixels].
    shape : tuple of int
        (height, width) of the image [pixels].

    Returns
    -------
    tuple of int
        (row, column, height, width) of the box.

    Examples
    --------
    >>> box_around((5, 90), (20, 20), (100, 100))
    (0, 80, 20, 20)
    """
    height, width = (min(n, whole) for n, whole in zip(size, shape, strict=True))
    row, column = (
        int(np.clip(round(float(p) - n / 2), 0, whole - n))
        for p, n, whole in zip(point, (height, width), shape, strict=True)
    )
    return row, column, height, width


def particle_boxes(
    columns: Columns, shape: tuple[int, int], pixel_size: float
) -> list[tuple[int, int, int, int]]:
    """Frame the platinum particle in an image, and its left edge.

    Platinum columns are 2.44 angstrom from their neighbours and cerium columns 3.31, so
    the distance to the nearest neighbour tells them apart.

    Parameters
    ----------
    columns : Columns
        All columns of the image.
    shape : tuple of int
        (height, width) of the image [pixels].
    pixel_size : float
        Side of a pixel [angstrom].

    Returns
    -------
    list of two tuple of int
        (row, column, height, width) of a square around the particle, and of one two
        fifths as wide at the middle of its left edge; the middle of the image where no
        particle is found.

    Examples
    --------
    >>> places = np.array([(50, 40), (50, 56), (40, 48)])
    >>> columns = Columns(places, np.full(3, 4.0), np.ones(3))
    >>> particle_boxes(columns, (100, 100), 0.15)
    [(27, 30, 36, 36), (38, 33, 14, 14)]
    """
    frame = min(shape)
    centre, reach, edge = np.array(shape) / 2, frame / 4, None
    if len(columns) > 1:
        nearest = spatial.cKDTree(columns.positions).query(columns.positions, k=2)[0][
            :, 1
        ]
        platinum = columns.positions[nearest * pixel_size < 2.85]
        if len(platinum) > 1:
            low, high = platinum.min(axis=0), platinum.max(axis=0)
            centre = (low + high) / 2
            reach = max(float((high - low).max()) / 2 + 1.5 / pixel_size, 8.0)
            edge = (centre[0], low[1])
    side = int(min(round(2 * reach), frame))
    edge = centre if edge is None else edge
    small = round(0.4 * side)
    return [
        box_around(centre, (side, side), shape),
        box_around(edge, (small, small), shape),
    ]


def _positions(columns: Columns | ArrayLike, name: str) -> NDArray[np.float64]:
    if isinstance(columns, Columns):
        return columns.positions
    positions = np.asarray(columns, dtype=np.float64)
    if positions.size == 0:
        return positions.reshape(0, 2)
    if positions.ndim != 2 or positions.shape[1] != 2:
        msg = f"{name} must be (row, column) pairs, (n, 2); got {positions.shape}"
        raise ValueError(msg)
    if not np.isfinite(positions).all():
        msg = f"{name} must be finite; got NaN or infinite positions"
        raise ValueError(msg)
    return positions


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0


def _check_options(
    min_radius: float | None,
    max_radius: float | None,
    polarity: str,
    threshold: float,
    floor: float | None,
) -> None:
    given = {"min_radius": min_radius, "max_radius": max_radius}
    check_positive(**{name: r for name, r in given.items() if r is not None})
    if floor is not None and floor != 0:
        check_positive(floor=floor)
    if None not in (min_radius, max_radius) and min_radius > max_radius:
        msg = f"min_radius must not exceed max_radius ({max_radius}); got {min_radius}"
        raise ValueError(msg)
    if polarity not in ("auto", *_POLARITIES):
        msg = f"polarity must be 'auto', 'bright' or 'dark'; got {polarity!r}"
        raise ValueError(msg)
    real = isinstance(threshold, int | float | np.number)
    if not (real and 0 <= threshold <= 1):
        msg = f"threshold must be between 0 and 1; got {threshold}"
        raise ValueError(msg)
