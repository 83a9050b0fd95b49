"""Draw which columns the counts support, and the dose that it takes."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from sbd.evidence.verdicts import ColumnVerdicts, explain_verdicts
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import GREY, INK, SCARLET, SKY, STEEL
from sbd.plotting.images import LEGEND, TITLE_ROOM, arrange_panels, show_image

DARK = "#20242a"
"""Over what has no dose, and around marks."""

_LINE = 0.17  # height of a line of the legend [inch]
_WIDE = 0.5  # height over width, below which an image has a row of its own
_SHARE = 0.61  # of the width, that an image takes beside the charts
_SIZES = 5.0, 72.0  # between which a ring's width lies [points]
_FARTHEST = 50.0  # times the recorded dose, beyond which none is drawn
_SCALES = 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5  # of a bar [angstrom]


@dataclass(frozen=True)
class Look:
    """How a kind of column is drawn."""

    colour: str  # on the image
    chart: str  # on white
    line: float  # width of a ring or cross [points]
    size: float  # of a mark, times that of a column
    marker: str = "o"


LOOKS = {
    "undecided": Look("#ffffff", GREY, 0.6, 1.0),
    "supported": Look(SKY, SKY, 1.7, 1.0),
    "ruled out": Look(SCARLET, SCARLET, 2.0, 0.8, "x"),
}
"""The last stands out most, and is drawn over the others."""

INVENTED = Look("#ffb000", "#ffb000", 1.5, 1.35, "s")


def show_verdicts(
    verdicts: ColumnVerdicts,
    *,
    false: NDArray[np.bool_] | None = None,
    recorded: float | None = None,
    width: float = 7.0,
    heading: str = "",
) -> Figure:
    """Draw what a recording says of its columns, and what a dose would decide.

    Parameters
    ----------
    verdicts : ColumnVerdicts
        From `sbd.judge_columns`.
    false : ndarray of bool of shape (n,), optional
        Which columns are not there, where the truth is known.
    recorded : float, optional
        Dose of the recording [electrons per pixel]; without it doses are drawn as
        factors of the recorded one.
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        The denoised image with a mark on each column; the electrons that each adds,
        sorted, with the intervals in which they lie; the share of the columns (of those
        that are there, with `false`) that a dose decides; and below, what marks mean.

    Raises
    ------
    ValueError
        If `false` does not have one value for each column.

    Examples
    --------
    >>> from sbd.evidence.judgement import judge_columns
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> blur = lambda y: np.full(y.shape, y.mean())
    >>> fig = show_verdicts(judge_columns(counts, blur, rng=np.random.default_rng(0)))
    >>> len(fig.axes)
    3
    """
    number = len(verdicts.columns)
    wrong = np.zeros(number, bool) if false is None else np.asarray(false, bool)
    if wrong.shape != (number,):
        msg = f"false must have a value for each of {number} columns; got {wrong.shape}"
        raise ValueError(msg)
    entries = _name_looks(verdicts, None if false is None else wrong)
    fig, panels, inches = _lay_out(verdicts, width, heading, len(entries))
    title = "(a) The denoised image, and what the counts say of it"
    show_image(panels["a"], verdicts.denoised, title=title)
    _dim(panels["a"], verdicts.judged)
    _mark_columns(panels["a"], verdicts, wrong, inches)
    _draw_scale(panels["a"], verdicts)
    _draw_electrons(panels["b"], verdicts, wrong)
    _draw_doses(panels["c"], verdicts.dose[~wrong], recorded)
    place = {"loc": "outside lower left", "labelspacing": 0.45}
    fig.legend(list(entries.values()), list(entries), **place, **LEGEND)
    return fig


def _lay_out(
    verdicts: ColumnVerdicts, width: float, heading: str, lines: int
) -> tuple[Figure, dict[str, Axes], float]:
    """Put charts beside the image, or below a wide one; with its width [inch]."""
    high, across = verdicts.denoised.shape
    room = _LINE * lines + TITLE_ROOM * (2 if heading else 1) + 0.1
    if high / across < _WIDE:
        tall = width * high / across
        heights = tall, 2.0
        size = {"height": tall + 2.0 + TITLE_ROOM + room, "heights": heights}
        fig, panels = arrange_panels("aa;bc", width=width, heading=heading, **size)
        return fig, panels, width
    tall = _SHARE * width * float(np.clip(high / across, 0.75, 1.5))
    size = {"height": tall + room, "widths": (0.66, 0.34)}
    fig, panels = arrange_panels("ab;ac", width=width, heading=heading, **size)
    return fig, panels, min(_SHARE * width, tall * across / high)


def _name_looks(
    verdicts: ColumnVerdicts, wrong: NDArray[np.bool_] | None
) -> dict[str, Line2D | Patch]:
    """Say what each mark means, and of how many columns."""
    words, kinds = explain_verdicts(verdicts), verdicts.verdicts
    entries = {
        f"{np.count_nonzero(kinds == kind)} {kind}: {words[kind]}": _sample(look)
        for kind, look in LOOKS.items()
    }
    entries = dict(sorted(entries.items(), key=lambda entry: "undecided" in entry[0]))
    if wrong is not None:
        passed = np.count_nonzero(wrong & verdicts.supported)
        name = f"{np.count_nonzero(wrong)} invented: not there in truth, {passed} of "
        entries[name + "them supported"] = _sample(INVENTED)
    if not verdicts.judged.all():
        look = {"facecolor": "#8a8d92", "edgecolor": DARK, "hatch": "////"}
        entries["without dose: not judged"] = Patch(**look, linewidth=0)
    return entries


def mark_places(
    ax: Axes, places: NDArray[np.float64], look: Look, side: float = 1.0
) -> None:
    """Draw a mark on each place (row, column), of `look.size` times `side` [points]."""
    if not len(places):
        return
    rows, across = places.T
    colours = {"color": look.colour}
    if look.marker != "x":
        colours = {"facecolors": "none", "edgecolors": look.colour}
    style = {"marker": look.marker, "linewidths": look.line, **colours}
    area = (look.size * side) ** 2
    ax.scatter(across, rows, area, path_effects=_outline(look), **style)


def sample_mark(look: Look, size: float, line: float) -> Line2D:
    """Make the mark of a legend, of that size and width of its line [points]."""
    paint = {"markerfacecolor": "none", "markeredgecolor": look.colour}
    form = {"marker": look.marker, "markersize": size, "markeredgewidth": line}
    around = {"path_effects": _outline(look)}
    return Line2D([], [], linestyle="none", **form, **paint, **around)


def _sample(look: Look) -> Line2D:
    """Make the mark of a legend no larger than its words."""
    return sample_mark(look, 6.5 * min(look.size, 1.0), min(look.line, 1.5))


def _outline(look: Look) -> list[withStroke]:
    """Set a mark off from what is behind it, be that bright or dark."""
    return [withStroke(linewidth=look.line + 0.9, foreground=DARK)]


def _mark_columns(
    ax: Axes, verdicts: ColumnVerdicts, wrong: NDArray[np.bool_], inches: float
) -> None:
    """Draw a mark on each column, of the size of columns."""
    if not len(verdicts.columns):
        return
    scale = 72 * inches / verdicts.denoised.shape[1]
    side = np.clip(2.3 * np.median(verdicts.columns.radii) * scale, *_SIZES)
    places = verdicts.columns.positions
    for kind, look in LOOKS.items():
        mark_places(ax, places[verdicts.verdicts == kind], look, side)
    mark_places(ax, places[wrong], INVENTED, side)


def _dim(ax: Axes, judged: NDArray[np.bool_]) -> None:
    """Darken and hatch what has no dose."""
    if judged.all():
        return
    shade = np.zeros((*judged.shape, 4))
    shade[~judged] = to_rgba(DARK, 0.6)
    ax.imshow(shade, interpolation="nearest")
    some = np.pad(~judged, 1).astype(float)
    rows, across = (np.arange(-1, n + 1) for n in judged.shape)
    hatched = ax.contourf(
        across, rows, some, levels=(0.5, 1.5), hatches=["////"], colors="none"
    )
    hatched.set(edgecolor="#d0d0d0", linewidth=0)
    height, wide = judged.shape
    ax.set(xlim=(-0.5, wide - 0.5), ylim=(height - 0.5, -0.5))


def _draw_scale(ax: Axes, verdicts: ColumnVerdicts) -> None:
    """Draw a bar below the image, where no mark is, if the pixel is known."""
    pixel = verdicts.settings.get("pixel [angstrom]")
    if pixel is None:
        return
    most = verdicts.denoised.shape[1] * pixel / 3
    length = next((length for length in _SCALES if length <= most), None)
    if length is None:
        return
    across = -0.5, length / pixel - 0.5
    below = offset_copy(ax.get_xaxis_transform(), ax.figure, y=-6, units="points")
    look = {"color": INK, "linewidth": 2.5, "solid_capstyle": "butt"}
    ax.add_artist(Line2D(across, (0, 0), transform=below, clip_on=False, **look))
    words = {"va": "center", "fontsize": 7.5, "color": INK}
    ax.text(across[1], 0, f"  {length / 10:g} nm", transform=below, **words)


def _draw_electrons(
    ax: Axes, verdicts: ColumnVerdicts, wrong: NDArray[np.bool_]
) -> None:
    """Draw what each column adds, the least first."""
    up = "electrons, 95 % interval"
    name_chart(ax, "(b) What each column adds", "columns, sorted", up)
    if not len(wrong):
        _say_none(ax)
        return
    rank = np.empty(len(wrong))
    rank[np.argsort(verdicts.electrons, kind="stable")] = np.arange(1, len(wrong) + 1)
    ax.axhline(0, color=INK, linewidth=0.8)
    thin = float(np.clip(70 / len(rank), 0.4, 1.6))
    for kind, look in LOOKS.items():
        some = verdicts.verdicts == kind
        low, high = verdicts.interval[some].T
        ax.vlines(rank[some], low, high, color=look.chart, alpha=0.65, linewidth=thin)
        ax.scatter(rank[some], verdicts.electrons[some], 5, color=look.chart, zorder=3)
    look = {"facecolors": "none", "edgecolors": INVENTED.chart, "linewidths": 1.2}
    around = {"marker": INVENTED.marker, "zorder": 4}
    ax.scatter(rank[wrong], verdicts.electrons[wrong], 28, **around, **look)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _draw_doses(ax: Axes, dose: NDArray[np.float64], recorded: float | None) -> None:
    """Draw the share of columns whose dose is reached, against the dose."""
    here = 1.0 if recorded is None else recorded
    unit = "times this dose" if recorded is None else "dose (e/pixel)"
    across = f"{unit}, power 0.9"
    name_chart(ax, "(c) What a dose decides", across, "share of columns")
    if not len(dose):
        _say_none(ax)
        return
    finite = np.sort(dose[np.isfinite(dose)])
    near = finite[finite <= _FARTHEST]
    first, last = 0.5 * near.min(initial=0.5), 2 * near.max(initial=2.5)
    share = np.arange(len(finite) + 1) / len(dose)
    share = np.append(share, share[-1])
    steps = here * np.concatenate([[first], finite, [max([last, *finite[-1:]])]])
    ax.step(steps, share, where="post", color=STEEL)
    reached = float((dose <= 1).mean())
    ax.plot([here], [reached], "o", color=STEEL, markersize=4)
    ax.axvline(here, color=INK, linewidth=0.8, linestyle=":")
    # the share only grows: one of two corners at the line is free
    up, ha, va = (0.02, "left", "bottom") if reached > 0.5 else (0.98, "right", "top")
    words = {"rotation": 90, "fontsize": 7, "color": INK, "ha": ha, "va": va}
    ax.text(here, up, "this recording", transform=ax.get_xaxis_transform(), **words)
    ax.set(xscale="log", xlim=(here * first, here * last), ylim=(0, 1.03))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _say_none(ax: Axes) -> None:
    """Tell that a chart is empty because there is nothing to draw."""
    where = {"transform": ax.transAxes, "ha": "center", "va": "center"}
    ax.text(0.5, 0.5, "no columns", fontsize=7.5, color=GREY, **where)
    ax.set(xticks=[], yticks=[])
