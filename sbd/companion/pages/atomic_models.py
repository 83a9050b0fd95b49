"""Draw atomic models as balls in a box."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from sbd.plotting.colours import INK
from sbd.plotting.images import STYLE

if TYPE_CHECKING:
    from sbd.simulation.structures import Atoms

ATOMS = {"Pt": ("#a9a9b4", 1.39), "Ce": ("#e9e3a6", 1.35), "O": ("#c8281e", 0.75)}
"""Colour and drawn radius of each element [angstrom]."""


def show_atoms(
    ax: Axes,
    atoms: "Atoms",
    *,
    turn: float = 0.0,
    lean: float = 0.0,
    colours: ArrayLike | None = None,
    box: bool = True,
    title: str = "",
) -> EllipseCollection:
    """Draw an atomic model as balls in their box, far ones first, z towards the reader.

    `turn` about the vertical, then `lean` [degrees]; `colours` are RGB, 0 to 1.
    """
    if len(atoms) == 0:
        msg = "atoms must hold at least one atom; got none"
        raise ValueError(msg)
    cell = np.asarray(atoms.get_cell())
    matrix = _rotation(turn, lean)
    centre = cell.sum(axis=0) / 2
    points = (atoms.get_positions() - centre) @ matrix.T
    symbols = atoms.get_chemical_symbols()
    looks = [ATOMS.get(symbol, ATOMS["Pt"]) for symbol in symbols]
    seen = _visible(points, symbols)
    points, radii = points[seen], np.array([radius for _, radius in looks])[seen]
    if colours is None:
        base = np.array([to_rgb(looks[i][0]) for i in seen])
        base = _faded(base, points[:, 2])
    else:
        base = np.asarray(colours, dtype=float)
        shape, values = (len(atoms), 3), (base >= 0) & (base <= 1)
        if base.shape != shape or not values.all():
            msg = f"colours must have shape {shape} and values from 0 to 1; got "
            raise ValueError(msg + f"shape {base.shape}")
        base = base[seen]
    light = 1 - 0.35 * (1 - base)
    balls = EllipseCollection(
        *[_interleave(2 * radii, 0.9 * radii)] * 2,
        np.zeros(2 * len(radii)),
        units="xy",
        offsets=_interleave(
            points[:, :2], points[:, :2] + radii[:, None] * np.array([-0.3, 0.3])
        ),
        offset_transform=ax.transData,
        facecolors=_interleave(base, light),
        edgecolors=_interleave(0.45 * base, light),
        linewidths=_interleave(np.full(len(radii), 0.15), np.zeros(len(radii))),
        rasterized=True,
        zorder=2,
    )
    ax.add_collection(balls)
    corners = _draw_box(ax, cell, centre, matrix) if box else points[:, :2]
    reach = np.abs(np.concatenate([corners, points[:, :2]])).max(axis=0) + 1.5
    ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=STYLE["axes.titlesize"])
    return balls


def _rotation(turn: float, lean: float) -> NDArray[np.float64]:
    """Rotate about y, then about x; angles in degrees."""
    a, b = np.radians([turn, lean])
    about_y = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    about_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    return np.array(about_x) @ np.array(about_y)


def _visible(points: NDArray[np.float64], symbols: list[str]) -> NDArray[np.intp]:
    """Order atoms from far to near, without those exactly behind one of their kind."""
    order = np.argsort(-points[:, 2], kind="stable")
    spots = np.round(points[order, :2], 2)
    kinds = np.unique(symbols, return_inverse=True)[1][order]
    keys = np.column_stack([spots, kinds])
    _, nearest = np.unique(keys, axis=0, return_index=True)
    return order[np.sort(nearest)][::-1]


def _faded(
    colours: NDArray[np.float64], depth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Let colours fade a little with the distance."""
    near = (depth - depth.min()) / max(np.ptp(depth), 1e-9)
    return 1 - (1 - colours) * (0.75 + 0.25 * near)[:, None]


def _interleave(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Put each entry of the second array after its partner in the first."""
    return np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _draw_box(
    ax: Axes,
    cell: NDArray[np.float64],
    centre: NDArray[np.float64],
    matrix: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Draw the edges of the cell and return its corners in the plane."""
    steps = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T
    corners = (steps @ cell - centre) @ matrix.T
    edges = [
        (i, j)
        for i in range(8)
        for j in range(i + 1, 8)
        if np.abs(steps[i] - steps[j]).sum() == 1
    ]
    farthest = corners[:, 2].argmin()
    for hidden in (True, False):
        some = [(i, j) for i, j in edges if (farthest in (i, j)) == hidden]
        lines = LineCollection(
            [corners[[i, j], :2] for i, j in some],
            colors=INK,
            linewidths=0.5,
            zorder=1 if hidden else 3,
        )
        ax.add_collection(lines)
    return corners[:, :2]
