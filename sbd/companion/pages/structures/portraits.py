"""Portraits of a specimen: its atoms counted along the beam, and drawn as balls."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, PathCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba_array
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from sbd.companion.pages.atomic_models import ATOMS, show_atoms
from sbd.companion.pages.diagrams import BLUE
from sbd.plotting.colours import INK, RED
from sbd.plotting.images import STYLE
from sbd.simulation.specimens import defect_labels, find_shape, particle_card
from sbd.simulation.structures import CEO2_LATTICE, atoms_per_column, pt_on_ceria

if TYPE_CHECKING:
    from sbd.simulation.structures import Atoms

Extent: TypeAlias = tuple[float, float, float, float]
"""What a panel shows: left, right, bottom, top [angstrom]."""

COUNTS = LinearSegmentedColormap.from_list(
    "atoms per column", ["#f4f6f8", "#b9cfd8", "#6f9fb4", "#3a6a86", "#1d3a52"]
)
"""Colours of 1 to 13 atoms in a column."""

TAKEN, ADDED = "#f6bcb5", "#86a8e4"
"""Colours of balls: atoms that only the perfect particle has, or only the defect."""

_MOST = 13  # atoms in a column
_EDGE = "#1d3a52"
_DISC, _RING = 1.02, 1.13  # radii of discs and of rings round them [angstrom]
_DASHES = (0, (2.0, 1.2))
_TURN, _LEAN = 25.0, 14.0  # of the balls [degrees]
_FOOT = 6.0  # that is shown beside the edge of a support [angstrom]
_NARROWEST = 26.0  # width of a projection of a small particle [angstrom]
_FONT = FontProperties(family=STYLE["font.family"])
_BOLD = FontProperties(family=STYLE["font.family"], weight="bold")


def changed_columns(particle: str, defect: str = "D0") -> pd.DataFrame:
    """List a particle's platinum columns: place [angstrom], atoms, and how many more.

    More than in the perfect particle; columns that only the latter has have 0 atoms.
    """
    whole = _columns(find_shape(particle, defect), "D0")
    found, perfect = (
        columns[columns["element"] == "Pt"].set_index(["y", "x"])["atoms"]
        for columns in (_columns(particle, defect), whole)
    )
    both = pd.DataFrame({"atoms": found, "before": perfect}).fillna(0).astype(int)
    both["change"] = both["atoms"] - both.pop("before")
    return both.sort_index().reset_index()[["x", "y", "atoms", "change"]]


def show_columns(ax: Axes, particle: str, defect: str = "D0") -> EllipseCollection:
    """Draw a particle along the beam, with the number of atoms in each column.

    Red rings: fewer than in the perfect particle; blue: more; broken circles: none.
    """
    columns = changed_columns(particle, defect)
    left, right, bottom, top = find_limits(particle)
    left, right = (x + find_offset(particle, defect) for x in (left, right))
    support = _columns(particle, defect).query("y > @bottom and element != 'Pt'")
    support = support[support["x"].between(left - 2, right + 2)]
    there, gone = columns[columns["atoms"] > 0], columns[columns["atoms"] == 0]
    fewer, more = there[there["change"] < 0], there[there["change"] > 0]
    width = 0.7 if (columns["change"] != 0).all() else 1.3
    looks = [
        (group, 0.8 * ATOMS[element][1], _pale(element), "none", 0.0, "-")
        for element, group in support.groupby("element")
    ]
    looks += [
        (group, _DISC, COUNTS((count - 1) / (_MOST - 1)), _EDGE, 0.3, "-")
        for count, group in there.groupby("atoms", sort=False)
    ]
    looks += [
        (fewer, _RING, "none", RED, width, "-"),
        (more, _RING, "none", BLUE, width, "-"),
        (gone, _DISC, "none", RED, width, _DASHES),
    ]
    circles = _draw_circles(ax, looks)
    _print_numbers(ax, there)
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    ax.set_axis_off()
    return circles


def show_model(
    ax: Axes, particle: str, defect: str = "D0", *, thickness: float = 50.0
) -> EllipseCollection:
    """Draw a particle on a support [angstrom] as balls, seen from above its left.

    Pale red: atoms that only the perfect particle has; blue: only the defect.
    """
    shown = (particle, defect), (find_shape(particle, defect), "D0")
    atoms, perfect = (pt_on_ceria(*one, thickness=thickness) for one in shown)
    for each in (atoms, perfect):
        each.positions[:, 0] -= find_offset(particle, defect)
    atoms, perfect = (_cut(each, particle) for each in (atoms, perfect))
    here, there = _places(atoms), _places(perfect)
    taken = perfect[[place not in set(here) for place in there]]
    taken.positions += (atoms.cell.lengths() - taken.cell.lengths()) / 2
    known = set(there)
    pairs = zip(atoms.get_chemical_symbols(), here, strict=True)
    colours = [ATOMS[symbol][0] if at in known else ADDED for symbol, at in pairs]
    paint = [to_rgb(colour) for colour in [*colours, *[TAKEN] * len(taken)]]
    look = {"turn": _TURN, "lean": _LEAN, "box": False}
    return show_atoms(ax, atoms + taken, colours=paint, **look)


def find_offset(particle: str, defect: str) -> float:
    """Tell how far a structure stands right of the perfect particle [angstrom]."""
    return (
        particle_card(find_shape(particle, defect))["centre"]
        - particle_card(particle)["centre"]
    )


@cache
def find_limits(particle: str) -> Extent:
    """Find left, right, bottom and top of what a projection has to show [angstrom]."""
    labels = defect_labels(particle)
    offsets = {label: find_offset(particle, label) for label in labels}
    spots = pd.concat([
        changed_columns(particle, label).assign(x=lambda t, by=by: t["x"] - by)
        for label, by in offsets.items()
    ])  # fmt: skip
    left, right = spots["x"].min() - 1.3, spots["x"].max() + 1.3
    for label, by in offsets.items():  # show where a support falls off
        edges = particle_card(find_shape(particle, label))["edges"]
        left = min([left, *(edge - by - _FOOT for edge in edges[:1])])
    spare = max(0.0, _NARROWEST - (right - left)) / 2
    left, right, bottom = left - spare, right + spare, spots["y"].min() - 3.9
    if any(particle_card(find_shape(particle, label))["edges"] for label in labels):
        bottom -= CEO2_LATTICE / np.sqrt(3)
    return left, right, bottom, spots["y"].max() + 1.4


def explain_discs(canvas: Axes, corner: tuple[float, float], scale: float) -> None:
    """Draw a scale bar and, behind it, the meaning of discs and rings.

    From `corner` (right, up) on [inch]; `scale` is in inch per angstrom.
    """
    x, y = corner
    end = x + 10 * scale
    canvas.plot([x, end], [y, y], color="black", linewidth=2, solid_capstyle="butt")
    canvas.text(end + 0.05, y, "1 nm", va="center", fontsize=6.5)
    ring = {"facecolor": "none", "linewidth": 1.3}
    disc = {"facecolor": COUNTS(0.4), "edgecolor": _EDGE, "linewidth": 0.3}
    looks = {
        "Pt column, with its atoms": disc,
        "fewer than in D0": ring | {"edgecolor": RED},
        "column missing": ring | {"edgecolor": RED, "linestyle": _DASHES},
        "more than in D0": ring | {"edgecolor": BLUE},
        "Ce": {"facecolor": _pale("Ce")},
        "O": {"facecolor": _pale("O")},
    }
    _explain(canvas, (end + 0.5, y), looks)


def explain_balls(canvas: Axes, corner: tuple[float, float]) -> None:
    """Write what the colours of the balls mean, from (right, up) on [inch]."""
    faces = {symbol: ATOMS[symbol][0] for symbol in ("Pt", "Ce", "O")}
    faces |= {"Pt of D0, missing here": TAKEN, "Pt that D0 does not have": ADDED}
    edge = {"edgecolor": INK, "linewidth": 0.3}
    looks = {words: {"facecolor": face, **edge} for words, face in faces.items()}
    _explain(canvas, (corner[0] + 0.06, corner[1]), looks)


def _explain(
    canvas: Axes, place: tuple[float, float], looks: Mapping[str, Any]
) -> None:
    """Put circles and words from left to right."""
    x, y = place
    for words, look in looks.items():
        canvas.add_patch(Circle((x, y), 0.058, **look))
        canvas.text(x + 0.1, y, words, va="center", fontsize=6.5)
        x += (
            0.3 + TextPath((0, 0), words, size=6.5, prop=_FONT).get_extents().width / 72
        )


@cache
def _columns(particle: str, defect: str) -> pd.DataFrame:
    return atoms_per_column(pt_on_ceria(particle, defect, thickness=40.0))


def _cut(atoms: "Atoms", particle: str) -> "Atoms":
    """Keep the particle, and of the support what a projection shows."""
    left, right, bottom, _ = find_limits(particle)
    x, y, _ = atoms.positions.T
    return atoms[(atoms.symbols == "Pt") | (x > left) & (x < right) & (y > bottom)]


def _places(atoms: "Atoms") -> list[tuple[float, ...]]:
    """Where atoms are, from the middle of the cell."""
    places = (atoms.positions - atoms.cell.lengths() / 2).round(2) + 0.0
    return [tuple(place) for place in places]


def _pale(element: str) -> NDArray[np.float64]:
    return 1 - 0.55 * (1 - np.array(to_rgb(ATOMS[element][0])))


def _draw_circles(ax: Axes, looks: list[tuple]) -> EllipseCollection:
    """Draw circles: spots, radius, face, edge, width of line and style of each kind."""
    numbers = [len(spots) for spots, *_ in looks]
    kinds = zip(*(look[1:] for look in looks), strict=True)
    radius, face, edge, width, style = (
        [value for value, n in zip(kind, numbers, strict=True) for _ in range(n)]
        for kind in kinds
    )
    size = 2 * np.array(radius)
    circles = EllipseCollection(
        size,
        size,
        0 * size,
        units="xy",
        offsets=np.concatenate([spots[["x", "y"]] for spots, *_ in looks]),
        offset_transform=ax.transData,
        facecolors=to_rgba_array(face),
        edgecolors=to_rgba_array(edge),
        linewidths=width,
        linestyles=style,
    )
    return ax.add_collection(circles)


def _print_numbers(ax: Axes, columns: pd.DataFrame) -> PathCollection:
    """Print the atoms on each column, as outlines that grow with the panel."""
    paths = [
        _outline(str(atoms)).transformed(Affine2D().translate(x, y))
        for x, y, atoms in columns[["x", "y", "atoms"]].itertuples(index=False)
    ]
    paint = np.where(columns["atoms"] < 0.55 * _MOST, "black", "white")
    return ax.add_collection(PathCollection(paths, facecolors=paint, linewidths=0))


@cache
def _outline(number: str) -> Path:
    """Draw the outline of a number round the origin."""
    size = 1.6 if len(number) == 1 else 1.35  # [angstrom]
    outline = TextPath((0, 0), number, size=size, prop=_BOLD)
    middle = outline.get_extents().get_points().mean(axis=0)
    return outline.transformed(Affine2D().translate(*-middle))
