"""Discs of columns: their pixels, what is counted in them, and the vacuum around."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from sbd.columns.finding import Columns, check_inside
from sbd.typing import Image

_OFF = 0.05  # of the vacuum, by which it may be off without a warning


def disc_pixels(
    columns: Columns, shape: tuple[int, int]
) -> tuple[NDArray[np.intp], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Index of the column, and (rows, columns), of every pixel in every disc."""
    nearest = check_inside(columns, shape)
    reach = int(np.ceil(min(columns.radii.max(initial=0), max(shape)))) + 1
    box = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    pixels = nearest[:, None] + box
    inside = ((pixels >= 0) & (pixels < shape)).all(axis=2)
    squared = ((pixels - columns.positions[:, None]) ** 2).sum(axis=2)
    # a column is judged by the pixel it lies on, however small its disc
    disc = (squared <= columns.radii[:, None] ** 2) | (box == 0).all(axis=1)
    which, place = np.nonzero(inside & disc)
    rows, cols = pixels[which, place].T
    return which, (rows, cols)


def count_vacuum(noisy: Image, region: NDArray[np.bool_], vacuum: float) -> float:
    """Count the electrons per pixel of a region, and warn if `vacuum` is not that.

    Without a region, `vacuum` itself.
    """
    if not region.any():
        return vacuum
    counted = float(noisy[region].mean())
    error = np.sqrt(vacuum / np.count_nonzero(region))
    if abs(counted - vacuum) > max(5 * error, _OFF * vacuum):
        warnings.warn(
            f"the image counts {counted:.3g} electrons per pixel where it has no "
            f"columns, but vacuum={vacuum:.3g}; if that is vacuum, pass it, or what is "
            "said of columns is wrong",
            stacklevel=3,
        )
    return counted


def vacuum_region(
    columns: Columns, shape: tuple[int, int], guard: float | None = None
) -> NDArray[np.bool_]:
    """Tell what is farther than `guard` [pixels] from all columns, slivers left out.

    The guard is that of `sbd.evidence.likelihood_map`.
    """
    if len(columns) == 0:
        return np.ones(shape, dtype=bool)
    if guard is None and len(columns) > 1:
        neighbours = spatial.KDTree(columns.positions).query(columns.positions, k=2)
        guard = float(np.median(neighbours[0][:, 1]))
    elif guard is None:
        guard = 4 * float(columns.radii[0])
    # a disc finds room where its middle is farther than the guard by its radius
    squared = _squared_distances(columns, shape, 1.5 * guard)
    narrow = np.isfinite(squared)
    if narrow.all():
        return np.zeros(shape, dtype=bool)
    covered = ndimage.distance_transform_edt(narrow) <= guard / 2 + 0.5
    return covered & (squared > guard**2)


def _squared_distances(
    columns: Columns, shape: tuple[int, int], reach: float
) -> NDArray[np.float64]:
    """Squared distance of each pixel to its nearest column; infinite beyond reach."""
    nearest = np.full(shape, np.inf)
    for position in columns.positions:
        first = np.maximum(np.ceil(position - reach), 0).astype(int)
        last = np.minimum(np.floor(position + reach) + 1, shape).astype(int)
        rows, cols = (
            (np.arange(*ends) - centre) ** 2
            for *ends, centre in zip(first, last, position, strict=True)
        )
        box = nearest[tuple(map(slice, first, last))]
        np.minimum(box, rows[:, None] + cols, out=box)
    nearest[nearest > reach**2] = np.inf
    return nearest
