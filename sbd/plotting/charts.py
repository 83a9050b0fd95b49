"""Draw numbers that belong to names."""

from collections.abc import Iterable, Mapping

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import NullFormatter

from sbd.plotting.colours import BRICK, INK, SILVER
from sbd.plotting.images import LEGEND, STYLE, arrange_panels

_BAR, _BEST, _LINE = SILVER, BRICK, INK


def show_scores(
    scores: Mapping[str, float],
    *,
    label: str,
    reference: str | None = None,
    errors: Mapping[str, float] | None = None,
    width: float = 5.0,
    heading: str = "",
) -> Figure:
    """Draw one number for each of several names as bars, in the order given.

    Parameters
    ----------
    scores : dict of str to float
        The numbers by name.
    label : str
        What they are, with the unit.
    reference : str, optional
        Name whose number is drawn as a line through all bars.
    errors : dict of str to float, optional
        Standard errors by the same names, drawn to both sides of a bar's end.
    width : float, default 5.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; the longest bar stands out.

    Raises
    ------
    ValueError
        If there is no score, `reference` is not one of the names, or `errors` has other
        names.

    Examples
    --------
    >>> fig = show_scores({"constant": 26.3, "network": 37.0}, label="PSNR (dB)")
    >>> [float(bar.get_width()) for bar in fig.axes[0].patches]
    [26.3, 37.0]
    """
    if not scores:
        msg = "scores must hold at least one number; got none"
        raise ValueError(msg)
    if reference is not None and reference not in scores:
        msg = f"reference must be one of {', '.join(scores)}; got {reference!r}"
        raise ValueError(msg)
    if errors is not None and errors.keys() != scores.keys():
        msg = f"errors must have the names {', '.join(scores)}; got {', '.join(errors)}"
        raise ValueError(msg)
    best = max(scores, key=scores.__getitem__)
    height = 0.5 + 0.24 * len(scores) + (0.25 if heading else 0.0)
    fig, panels = arrange_panels("a", width=width, height=height, heading=heading)
    ax = panels["a"]
    colours = [_BEST if name == best else _BAR for name in scores]
    bars = ax.barh(list(scores), list(scores.values()), color=colours, height=0.7)
    if errors is not None:
        reach = [errors[name] for name in scores]
        look = {"fmt": "none", "ecolor": _LINE, "elinewidth": 0.8, "capsize": 2}
        ax.errorbar(list(scores.values()), list(scores), xerr=reach, **look)
    labels = ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    for text, name in zip(labels, scores, strict=True):
        error = (errors or {}).get(name, 0.0)
        text.xy = (scores[name] + (error if scores[name] >= 0 else -error), text.xy[1])
    if reference is not None:
        ax.axvline(scores[reference], color=_LINE, linewidth=0.8, linestyle=":")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel(label)
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def name_chart(ax: Axes, title: str, across: str, up: str) -> None:
    """Give a chart its words, in the style of the house."""
    with mpl.rc_context(STYLE):
        ax.set_title(title, fontsize=STYLE["axes.titlesize"])
        ax.set_xlabel(across)
        ax.set_ylabel(up)
    ax.spines[["top", "right"]].set_visible(False)


def scale_doses(ax: Axes, doses: Iterable[float]) -> None:
    """Give the doses a logarithmic axis, with a tick at each."""
    ticks = sorted(set(doses))
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{dose:g}" for dose in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())


def name_lines(ax: Axes, columns: int, **look: object) -> Legend:
    """Put the legend of one panel, which is that of all, below the figure."""
    handles, labels = ax.get_legend_handles_labels()
    place = {"loc": "outside lower center", "ncols": columns}
    return ax.figure.legend(handles, labels, **place, **(look or LEGEND))
