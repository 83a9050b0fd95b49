"""What a figure shows, as a digest: a page of numbers to compare years later.

Pictures cannot be compared: the same drawing differs more between two versions of
Matplotlib than a curve that is off by 5 %. What was asked to be drawn can be: the
images, lines, points, boxes, colours, limits and words of every panel.
"""

from collections import Counter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import (
    Colormap,
    LogNorm,
    NoNorm,
    Normalize,
    to_hex,
    to_rgba_array,
)
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, FigureImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.table import Table
from matplotlib.text import Annotation, Text
from numpy.typing import ArrayLike, NDArray

from sbd.figureguard.digests import VERSION, Digest

_PROJECTIONS = 8
_STEPS = 9  # between the limits of a norm
_BLOCKS = 8  # per side: a missing atom must move the mean of its block
_FIXED_LABELS = {"FixedFormatter", "FuncFormatter", "StrCategoryFormatter"}
_DRAWN_ELSEWHERE = {"XAxis", "YAxis", "Rectangle", "Text", "Legend"}


def digest_figure(fig: Figure) -> Digest:
    """Describe the artists of a figure, once drawn, by numbers and words.

    Arrays become mean, rms and projections on random signs; images 8 x 8 blocks, too.
    What is hidden is left out.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The drawing.

    Returns
    -------
    dict
        Plain numbers, strings, lists and dicts, as JSON holds them.

    Examples
    --------
    >>> fig = Figure()
    >>> _ = fig.subplots().set_title("Data")
    >>> digest_figure(fig)["panels"][0]["titles"]
    ['Data', '', '']
    """
    owners = (fig, *fig.subfigs)  # titles are among their texts
    loose = [t for owner in owners for t in _shown(owner.texts) if t.get_text()]
    pasted = _shown(fig.images)
    return {
        "version": VERSION,
        "size": _rounded(fig.get_size_inches()),
        "texts": [_text(text) for text in loose],
        "lines": [_line(line) for line in _shown(fig.lines)],
        "patches": [_patch(patch) for patch in _shown(fig.patches)],
        "legends": [_legend(legend) for legend in _shown(fig.legends)],
        "panels": [_panel(ax) for ax in _shown(fig.axes)],
        **({"images": [_pasted(i) for i in pasted]} if pasted else {}),
    }


def _pasted(image: FigureImage) -> Digest:
    """Describe an image that lies on the figure itself, pixel by pixel."""
    at = {"at": _rounded([image.ox, image.oy])}
    return at | _mapped(image) | _summary(image.get_array())


def _shown(artists: Any) -> list:  # noqa: ANN401
    """Keep what is drawn: a hidden artist counts as a removed one."""
    return [artist for artist in artists if artist.get_visible()]


def _rounded(values: ArrayLike) -> list[float]:
    """Six significant digits: what the tolerances need, and short."""
    return [float(f"{value:.6g}") for value in np.ravel(np.asarray(values, float))]


def _colour(colour: Any) -> str | None:  # noqa: ANN401
    """Name a colour as #rrggbbaa; None where nothing is painted."""
    rgba = to_hex(colour, keep_alpha=True)
    return None if rgba.endswith("00") else rgba


def _signs(n: int) -> NDArray[np.int8]:
    """Draw fixed signs (projections, n) from raw bits, which no NumPy ever changes."""
    words = np.random.PCG64(585).random_raw(-(-_PROJECTIONS * n // 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8))[: _PROJECTIONS * n]
    return (2 * bits.astype(np.int8) - 1).reshape(_PROJECTIONS, n)


def _filled(values: Any) -> tuple[NDArray[np.float64], float]:  # noqa: ANN401
    """Return the values with 0 where there is none, and the share of those."""
    array = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
    missing = ~np.isfinite(array)
    return np.where(missing, 0.0, array), float(missing.mean()) if array.size else 0.0


def _summary(values: Any) -> Digest:  # noqa: ANN401
    """Summarise any array: size, mean, root mean square and projections."""
    array, missing = _filled(values)
    flat = array.ravel()
    if not flat.size:
        return {"count": 0}
    sums = [np.sum(signs * flat) / np.sqrt(flat.size) for signs in _signs(flat.size)]
    return {
        "count": flat.size,
        "missing": _rounded(missing)[0],
        "mean": _rounded(flat.mean())[0],
        "rms": _rounded(np.sqrt(np.mean(flat**2)))[0],
        "projections": _rounded(sums),
    }


def _blocks(values: Any) -> list[float]:  # noqa: ANN401
    """Average an image in 8 x 8 blocks, where a local change cannot hide."""
    image, _ = _filled(values)
    rows = np.array_split(image, min(_BLOCKS, image.shape[0]), axis=0)
    columns = min(_BLOCKS, image.shape[1])
    return _rounded(
        [b.mean() for row in rows for b in np.array_split(row, columns, axis=1)]
    )


def _colours(cmap: Colormap) -> Digest:
    """Name a colour map and show five of its colours and the one of missing values."""
    shown = [_colour(cmap(x)) for x in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return {"name": cmap.name, "colours": shown, "missing": _colour(cmap.get_bad())}


def _mapped(artist: Any) -> Digest:  # noqa: ANN401
    """Describe how an artist turns values into colours."""
    limits = artist.get_clim()
    return {
        "clim": None if None in limits else _rounded(limits),
        "norm": type(artist.norm).__name__,
        "cmap": _colours(artist.get_cmap()),
        **_bend(artist),
    }


def _bend(artist: Any) -> Digest:  # noqa: ANN401
    """Tell how a norm with settings of its own bends the scale of its colours."""
    low, high = artist.get_clim()
    if None in (low, high) or type(artist.norm) in (Normalize, LogNorm, NoNorm):
        return {}
    steps = np.linspace(low, high, _STEPS)
    return {"bend": _rounded(np.ma.filled(artist.norm(steps).astype(float), 0.0))}


def _opacity(image: AxesImage) -> float | Digest | None:
    alpha = image.get_alpha()
    return _summary(alpha) if np.ndim(alpha) else alpha


def _image(image: AxesImage) -> Digest:
    values = image.get_array()
    return {
        "shape": list(values.shape),
        "extent": _rounded(image.get_extent()),
        "origin": image.origin,
        "interpolation": image.get_interpolation(),
        "alpha": _opacity(image),
        **_mapped(image),
        **_summary(values),
        "blocks": _blocks(values),
    }


def _line(line: Line2D) -> Digest:
    return {
        "colour": _colour(line.get_color()),
        "style": line.get_linestyle(),
        "width": line.get_linewidth(),
        "marker": str(line.get_marker()),
        "marker_size": line.get_markersize(),
        "filled": _colour(line.get_markerfacecolor()),
        "steps": line.get_drawstyle(),
        "opacity": line.get_alpha(),
        "across": _summary(line.get_xdata(orig=False)),
        "up": _summary(line.get_ydata(orig=False)),
    }


def _collection(collection: Collection) -> Digest:
    offsets = np.asarray(np.ma.filled(collection.get_offsets(), np.nan))
    paths = collection.get_paths()
    vertices = [path.vertices for path in paths if len(path.vertices)]
    values = collection.get_array()
    mapped = {} if values is None else {"values": _summary(values)}
    if values is not None:
        mapped |= _mapped(collection)
    sizes = getattr(collection, "get_sizes", list)()
    widths = getattr(collection, "get_widths", list)()
    return {
        "kind": type(collection).__name__,
        "points": len(offsets),
        "paths": len(paths),
        "across": _summary(offsets[:, 0]),
        "up": _summary(offsets[:, 1]),
        "outline": _summary(np.concatenate(vertices)) if vertices else None,
        "breadths": _summary([np.ptp(v[:, 0]) for v in vertices]),
        "heights": _summary([np.ptp(v[:, 1]) for v in vertices]),
        "sizes": _summary(sizes),
        "widths": _summary(widths),
        "face": _summary(collection.get_facecolor()),
        "edge": _summary(collection.get_edgecolor()),
        **mapped,
    }


def _patch(patch: Patch) -> Digest:
    path = patch.get_path()
    box = path.get_extents(patch.get_patch_transform())
    return {
        "kind": type(patch).__name__,
        "points": len(path.vertices),
        "bounds": _rounded(box.bounds),
        "face": _colour(patch.get_facecolor()),
        "edge": _colour(patch.get_edgecolor()),
        "width": patch.get_linewidth(),
        "hatch": patch.get_hatch(),
    }


def _text(text: Text) -> Digest:
    entry = {
        "text": text.get_text(),
        "at": _rounded([*text.get_position()]),
        "colour": _colour(text.get_color()),
        "opacity": text.get_alpha(),
        "font_size": _rounded(text.get_fontsize())[0],
        "turned": _rounded(text.get_rotation())[0],
    }
    if isinstance(text, Annotation):
        entry["tip"] = _rounded([*text.xy])
        if text.arrow_patch is not None:
            entry["arrow"] = _colour(text.arrow_patch.get_edgecolor())
    return entry


def _legend(legend: Any) -> list[str]:  # noqa: ANN401
    return [legend.get_title().get_text(), *(t.get_text() for t in legend.get_texts())]


def _ticks(axis: Any) -> list[str] | None:  # noqa: ANN401
    """Read tick labels that somebody chose; those Matplotlib chooses may change."""
    if type(axis.get_major_formatter()).__name__ not in _FIXED_LABELS:
        return None
    return [label.get_text() for label in axis.get_ticklabels()]


def _order(kinds: dict[str, list], children: list) -> list[str]:
    """List what is drawn from back to front: "image 1", then "line 1-3"."""
    places = {id(child): i for i, child in enumerate(children)}
    named = [
        (artist.get_zorder(), places.get(id(artist), 0), kind, i)
        for kind, artists in kinds.items()
        for i, artist in enumerate(artists, start=1)
    ]
    runs: list[list] = []
    for *_, kind, i in sorted(named):
        if runs and runs[-1][0] == kind and runs[-1][2] == i - 1:
            runs[-1][2] = i
        else:
            runs.append([kind, i, i])
    return [f"{kind} {a}" if a == b else f"{kind} {a}-{b}" for kind, a, b in runs]


def _grid(axis: Any) -> bool:  # noqa: ANN401
    """Tell whether an axis has grid lines."""
    return any(line.get_visible() for line in axis.get_gridlines())


def _keys(legend: Any) -> list[str | None]:  # noqa: ANN401
    """List the colours of the lines and boxes in a legend."""
    found = []
    for handle in legend.legend_handles:
        ink = getattr(handle, "get_color", getattr(handle, "get_facecolor", None))
        colours = ink() if ink else "none"
        rgba = to_rgba_array(colours)
        found.append(_colour(rgba[0]) if len(rgba) else None)
    return found


def _depth(ax: Axes) -> Digest | None:
    """Describe what a panel in three dimensions has more than one in two."""
    if not hasattr(ax, "get_zlim"):
        return None
    view = [ax.elev, ax.azim, getattr(ax, "roll", 0.0)]
    return {
        "zlim": _rounded(ax.get_zlim()),
        "label": ax.get_zlabel(),
        "scale": ax.get_zscale(),
        "view": _rounded(view),
    }


def _cells(table: Table) -> list[str]:
    return [cell.get_text().get_text() for _, cell in sorted(table.get_celld().items())]


def _panel(ax: Axes) -> Digest:
    """Describe one panel and the panels set into it."""
    kinds = {
        "image": _shown(ax.images),
        "line": _shown(ax.lines),
        "collection": _shown(ax.collections),
        "patch": _shown(ax.patches),
        "text": _shown(ax.texts),
    }
    known = {id(artist) for group in kinds.values() for artist in group}
    known |= {id(child) for child in ax.child_axes}
    names = [type(c).__name__ for c in _shown(ax.get_children()) if id(c) not in known]
    other = Counter(
        name
        for name in names
        if name not in _DRAWN_ELSEWHERE and not name.endswith("Spine")
    )
    sides = [ax.spines[s] for s in ("left", "right", "bottom", "top") if s in ax.spines]
    seen = [spine.get_visible() and ax.axison for spine in sides]
    legend = ax.get_legend() if isinstance(ax, Axes) else None
    titled = ("center", "left", "right") if isinstance(ax, Axes) else ()
    tables = [c for c in _shown(ax.get_children()) if isinstance(c, Table)]
    return {
        "titles": [ax.get_title(loc) for loc in titled],
        "labels": [ax.get_xlabel(), ax.get_ylabel()],
        "xlim": _rounded(ax.get_xlim()),
        "ylim": _rounded(ax.get_ylim()),
        "scales": [ax.get_xscale(), ax.get_yscale()],
        "ticks": [_ticks(ax.xaxis), _ticks(ax.yaxis)],
        "position": _rounded(ax.get_position().bounds),
        "frame": [
            _colour(spine.get_edgecolor()) if shown else None
            for spine, shown in zip(sides, seen, strict=True)
        ],
        "background": _colour(ax.get_facecolor()),
        "grid": [_grid(ax.xaxis), _grid(ax.yaxis)],
        "projection": ax.name,
        "depth": _depth(ax),
        "tables": [{"cells": _cells(table)} for table in tables],
        "order": _order(kinds, ax.get_children()),
        "images": [_image(image) for image in kinds["image"]],
        "lines": [_line(line) for line in kinds["line"]],
        "collections": [_collection(c) for c in kinds["collection"]],
        "patches": [_patch(patch) for patch in kinds["patch"]],
        "texts": [_text(text) for text in kinds["text"]],
        "legend": None if legend is None else _legend(legend),
        "keys": None if legend is None else _keys(legend),
        "other": dict(sorted(other.items())),
        "panels": [_panel(child) for child in _shown(ax.child_axes)],
    }
