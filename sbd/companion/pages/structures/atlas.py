"""An atlas of the specimens: sheets of portraits, and the tables beside them."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sbd.companion.pages.atomic_models import ATOMS
from sbd.companion.pages.diagrams import open_canvas, open_panel
from sbd.companion.pages.structures.portraits import (
    Extent,
    changed_columns,
    explain_balls,
    explain_discs,
    find_limits,
    find_offset,
    show_columns,
    show_model,
)
from sbd.plotting.colours import INK, ORANGE, PURPLE
from sbd.plotting.images import DPI, STYLE
from sbd.simulation.specimens import (
    PARTICLES,
    PUBLISHED,
    THICKNESSES,
    defect_edits,
    layer_counts,
    particle_card,
    structure_table,
)
from sbd.simulation.structures import PT_LATTICE

_SPLITS = {"valid": ORANGE, "test": PURPLE}
_WIDTH, _ACROSS = 7.0, 4  # of a figure [inch], and its panels in a row
_GAP, _HEAD, _FOOT, _KEY = 15 / DPI, 26 / DPI, 34 / DPI, 42 / DPI  # [inch]


def describe_particles() -> pd.DataFrame:
    """List the four perfect particles, their columns and facets, and what is known."""
    layers = {particle: layer_counts(particle) for particle in PARTICLES}
    lines = [
        {
            "particle": particle,
            "Pt": sum(map(sum, counts)),
            "columns": " / ".join(" ".join(map(str, filter(None, k))) for k in counts),
            "facets": _facets(particle),
            "known": particle_card(particle)["known"],
        }
        for particle, counts in layers.items()
    ]
    return pd.DataFrame(lines)


def describe_structures() -> pd.DataFrame:
    """List the 95 structures with what follows from their atoms.

    `structure_table`, with ``Pt`` (platinum atoms), ``layers`` (columns in each layer,
    from the top down) and ``facets`` as in `describe_particles`.
    """
    table = structure_table()
    kept = [layer_counts(r.particle, _label(r)) for r in table.itertuples()]
    table["thickness"] = table["thickness"].astype(int)
    table["Pt"] = [sum(map(sum, counts)) for counts in kept]
    table["layers"] = [" ".join(str(np.count_nonzero(n)) for n in k) for k in kept]
    table["facets"] = [_facets(particle) for particle in table["particle"]]
    order = ("structure", "particle", "defect", "variant", "thickness", "split", "Pt")
    return table[[*order, "layers", "facets", "sites", "description"]]


def show_projections(particle: str, structures: pd.DataFrame | None = None) -> Figure:
    """Draw the distinct structures of a particle along the beam, label by label.

    `structures` are lines of `structure_table`, all if not given.
    """
    table = _structures(particle, structures).drop_duplicates("label")
    frame, across, up = _measure(particle)
    with mpl.rc_context(STYLE):
        fig, places = _open_sheet(_known(particle), table, (across, up + _FOOT))
        canvas = fig.axes[0]
        for row, (left, bottom) in places:
            ax = open_panel(canvas, left, bottom + _FOOT, (across, up))
            show_columns(ax, particle, row.label)
            aside = find_offset(particle, row.label)
            ax.set(xlim=(frame[0] + aside, frame[1] + aside), ylim=frame[2:])
            _name(ax, row.label, row.split)
            _write(canvas, left, bottom + _FOOT - 0.03, row.description, va="top")
        explain_discs(canvas, (_GAP, _KEY / 2), across / (frame[1] - frame[0]))
    return fig


def show_models(particle: str, structures: pd.DataFrame | None = None) -> Figure:
    """Draw all structures of a particle as balls, on one scale.

    `structures` are lines of `structure_table`, all if not given.
    """
    table = _structures(particle, structures)
    view, across, up = _look_round(particle, max(THICKNESSES))
    with mpl.rc_context(STYLE):
        fig, places = _open_sheet(_known(particle), table, (across, up))
        for row, corner in places:
            ax = open_panel(fig.axes[0], *corner, (across, up))
            show_model(ax, particle, row.label, thickness=row.thickness)
            ax.set(xlim=view[:2], ylim=view[2:])
            _name(ax, row.label, row.split, f"{row.thickness:g} \u00c5")
        explain_balls(fig.axes[0], (_GAP, _KEY / 2))
    return fig


def show_published() -> Figure:
    """Draw the four specimens of which the authors published images, in both ways."""
    frame, across, up = _measure("PtNp2")
    view, _, high = _look_round("PtNp2", 40.0)
    table = pd.DataFrame({"defect": "", "label": list(PUBLISHED)})
    words = "PtNp2 as in the four published image files. Known to the atom."
    below = high + 2 * _KEY
    with mpl.rc_context(STYLE):
        fig, places = _open_sheet(words, table, (across, below + up))
        canvas = fig.axes[0]
        for row, (left, bottom) in places:
            flat = open_panel(canvas, left, bottom + below, (across, up))
            show_columns(flat, "PtNp2", row.label)
            flat.set(xlim=frame[:2], ylim=frame[2:])
            _name(flat, row.label, "for evaluation")
            edits = defect_edits("PtNp2", row.label)
            told = "; ".join(f"row {site + 1}: {n:+d} atoms" for site, _, n in edits)
            told = told.replace("-", "\N{MINUS SIGN}")
            _write(canvas, left, bottom + below - 0.03, told, va="top")
        for row, corner in places:
            ax = open_panel(canvas, *corner, (across, high))
            show_model(ax, "PtNp2", row.label, thickness=40.0)
            ax.set(xlim=view[:2], ylim=view[2:])
        scale = across / (frame[1] - frame[0])
        explain_discs(canvas, (_GAP, high + 1.9 * _KEY), scale)
        explain_balls(canvas, (_GAP, _KEY / 2))
    return fig


def _label(row: Any) -> str:  # noqa: ANN401
    return f"{row.defect}{row.variant.lstrip('a')}"


def _facets(particle: str) -> str:
    return " | ".join(particle_card(particle)["facets"].values())


def _known(particle: str) -> str:
    return f"{particle}. {particle_card(particle)['known']}"


def _structures(particle: str, structures: pd.DataFrame | None) -> pd.DataFrame:
    """Pick the structures of a particle, with the labels of `pt_on_ceria`."""
    particle_card(particle)  # says what is wrong with the name
    table = structure_table() if structures is None else structures
    table = table[table["particle"] == particle]
    if table.empty:
        msg = f"structures must hold some of {particle}; got none"
        raise ValueError(msg)
    return table.assign(label=[_label(row) for row in table.itertuples()])


def _measure(particle: str) -> tuple[Extent, float, float]:
    """Fit a projection into a panel: its limits [angstrom], width and height [inch].

    Columns end whole pixels apart: what looks alike is, and the file stays small.
    """
    left, right, bottom, top = find_limits(particle)
    pixels = int(((_WIDTH - _GAP) / _ACROSS - _GAP) * DPI)
    spacing = particle_card(particle).get("lattice", PT_LATTICE) * np.sqrt(6) / 4
    third = int(spacing / 3 * pixels / (right - left))  # of a column spacing, in pixels
    scale = 3 * third / spacing
    spots, high = changed_columns(particle), round((top - bottom) * scale)
    x, y = spots["x"].iloc[0], spots["y"].iloc[0]
    left = x - round((x - (left + right - pixels / scale) / 2) * scale) / scale
    bottom = y - round((y - bottom) * scale) / scale
    frame = left, left + pixels / scale, bottom, bottom + high / scale
    return frame, pixels / DPI, high / DPI


def _look_round(particle: str, thickness: float) -> tuple[Extent, float, float]:
    """Fit a model of balls into a panel, as `_measure` does a projection."""
    balls = show_model(Figure().subplots(), particle, thickness=thickness)
    spots, radius = balls.get_offsets(), ATOMS["Pt"][1]
    (left, bottom), (right, top) = (
        spots.min(axis=0) - radius,
        spots.max(axis=0) + radius,
    )
    pixels = int(((_WIDTH - _GAP) / _ACROSS - _GAP) * DPI)
    high = round(pixels * (top - bottom) / (right - left))
    top = bottom + high * (right - left) / pixels
    return (left, right, bottom, top), pixels / DPI, high / DPI


def _open_sheet(
    words: str, table: pd.DataFrame, size: tuple[float, float]
) -> tuple[Figure, list[tuple[Any, tuple[float, float]]]]:
    """Make a figure with a heading and room for a key; place a panel for each line.

    Every label of the authors begins a new row of panels.
    """
    groups = (list(g.itertuples()) for _, g in table.groupby("defect", sort=False))
    rows = [g[i : i + _ACROSS] for g in groups for i in range(0, len(g), _ACROSS)]
    line = size[1] + _HEAD
    fig, canvas = open_canvas(_WIDTH, _HEAD + line * len(rows) + _KEY)
    _write(canvas, _GAP, canvas.get_ylim()[1] - 0.05, words, va="top", fontsize=6.8)
    fig.set_agg_filter(_few_colours)
    places = [
        (entry, (_GAP + c * (size[0] + _GAP), _KEY + line * (len(rows) - 1 - r)))
        for r, row in enumerate(rows)
        for c, entry in enumerate(row)
    ]
    return fig, places


def _few_colours(
    pixels: NDArray[np.float64], _: float
) -> tuple[NDArray[np.uint8], int, int]:
    """Bring a drawn figure to 128 colours: a fifth of the file, and none is missed."""
    drawn = np.round(255 * pixels[..., :3]).astype(np.uint8)
    how = PIL.Image.Quantize.MAXCOVERAGE
    few = PIL.Image.fromarray(drawn).quantize(128, how, kmeans=4)
    return np.asarray(few.convert("RGBA")), 0, 0


def _name(ax: Axes, label: str, split: str, thickness: str = "") -> None:
    """Write the label, the thickness and the split above a panel."""
    ax.set_title(label, loc="left", fontsize=8, weight="bold", pad=2)
    ax.set_title(thickness, loc="center", fontsize=7, pad=2)
    colour = _SPLITS.get(split, "#777777")
    ax.set_title(split, loc="right", fontsize=6.5, color=colour, pad=2)


def _write(canvas: Axes, x: float, y: float, words: str, **look: Any) -> None:  # noqa: ANN401
    canvas.text(x, y, words, **{"fontsize": 6.3, "color": INK} | look)
