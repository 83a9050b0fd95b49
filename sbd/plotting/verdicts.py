"""Draw which columns the counts support, and the dose that it takes."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from sbd.columns.finding import Columns
from sbd.evidence.significance import ColumnVerdicts
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import INK, SCARLET, SKY, STEEL
from sbd.plotting.images import LEGEND, TITLE_ROOM, arrange_panels, show_image

_YES, _NO, _WRONG = SKY, "#ffb000", SCARLET


def show_verdicts(
    verdicts: ColumnVerdicts,
    dose: NDArray[np.float64],
    *,
    false: NDArray[np.bool_] | None = None,
    recorded: float,
    width: float = 7.0,
    heading: str = "",
) -> Figure:
    """Draw which columns the counts support, and at what dose they would decide.

    Parameters
    ----------
    verdicts : ColumnVerdicts
        From `sbd.judge_columns`.
    dose : ndarray of shape (n,)
        From `sbd.decidable_dose` [electrons per pixel].
    false : ndarray of bool of shape (n,), optional
        Which columns are not there, where the truth is known.
    recorded : float
        Dose of the recording [electrons per pixel].
    width : float, default 7.0
        Width of the figure [inch].
    heading : str, optional
        Words above the whole figure.

    Returns
    -------
    matplotlib.figure.Figure
        The estimate with a ring around each column; the p-values against the power; the
        share of columns that a dose decides.

    Examples
    --------
    >>> none = Columns(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    >>> flat = np.ones((9, 9))
    >>> empty = np.zeros(0)
    >>> one = ColumnVerdicts(none, empty, empty > 0, empty, flat, flat, flat)
    >>> len(show_verdicts(one, empty, recorded=0.45).axes)
    3
    """
    tall = verdicts.denoised.shape[0] / verdicts.denoised.shape[1] * width / 2
    fig, panels = arrange_panels(
        "ab;ac", width=width, height=tall + TITLE_ROOM * 2, heading=heading
    )
    show_image(panels["a"], verdicts.denoised, title="(a) From the first part")
    wrong = np.zeros(len(dose), bool) if false is None else false
    kinds = {
        "supported": (verdicts.supported & ~wrong, _YES),
        "not supported": (~verdicts.supported & ~wrong, _NO),
        "not there": (wrong, _WRONG),
    }
    for label, (some, colour) in kinds.items():
        if not some.any():
            continue
        _ring(panels["a"], verdicts.columns, some, colour)
        look = {"s": 9, "color": colour, "label": label}
        panels["b"].scatter(verdicts.power[some], verdicts.p_values[some], **look)
    panels["b"].set(yscale="log", xlim=(-0.03, 1.03))
    name_chart(panels["b"], "(b) On the second part", "power", "p-value")
    if len(dose):
        panels["b"].legend(loc="lower left", **LEGEND)
    there = np.sort(dose[~wrong & np.isfinite(dose)])
    share = np.arange(1, len(there) + 1) / max((~wrong).sum(), 1)
    panels["c"].step(there, share, where="post", color=STEEL)
    panels["c"].axvline(recorded, color=INK, linewidth=0.8, linestyle=":")
    panels["c"].set(xscale="log", ylim=(-0.03, 1.03))
    panels["c"].xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panels["c"].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panels["c"].xaxis.set_minor_formatter(NullFormatter())
    name_chart(panels["c"], "(c) Decided by", "dose (e/pixel)", "share of the columns")
    return fig


def _ring(ax: object, columns: Columns, some: NDArray[np.bool_], colour: str) -> None:
    rows, cols = columns.positions[some].T
    look = {"s": 22, "facecolors": "none", "edgecolors": colour, "linewidths": 0.9}
    ax.scatter(cols, rows, **look)
