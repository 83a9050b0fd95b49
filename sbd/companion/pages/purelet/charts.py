"""Draw what PURE-LET knows of its own error."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from sbd.companion.pages.fidelity.charts import name_chart
from sbd.plotting.images import LEGEND, arrange_panels

_LOOKS = {
    "kept or removed": {"color": "#8a8a8a", "marker": "o"},
    "fitted": {"color": "#c8372d", "marker": "s"},
    "Haar, exact": {"color": "#2c5f8a", "marker": "o"},
    "cosines, to first order": {"color": "#b58a2b", "marker": "D"},
}


def show_risks(table: pd.DataFrame, *, width: float = 7.0) -> Figure:
    """Draw PURE and the true error as the threshold moves, a panel for each dose.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.companion.pages.purelet.risks.threshold_risks`; at most six doses.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        The true errors as lines, PURE as marks, means over the draws.

    Examples
    --------
    >>> table = pd.DataFrame({"dose": 0.45, "threshold": [2.0, 3.0], "draw": 0,
    ...                       "weights": "fitted", "risk": 0.1, "error": 0.1})
    >>> len(show_risks(table).axes)
    1
    """
    doses = list(dict.fromkeys(table["dose"]))
    names = "abcdef"[: len(doses)]
    fig, panels = arrange_panels(names, width=width, height=0.4 * width)
    for name, dose in zip(names, doses, strict=True):
        ax, part = panels[name], table[table["dose"] == dose]
        for weights, rows in part.groupby("weights", sort=False):
            mean = rows.groupby("threshold")[["error", "risk"]].mean()
            look = _LOOKS[weights]
            label = f"error, {weights}"
            ax.plot(mean.index, mean["error"], color=look["color"], label=label)
            look = look | {"markersize": 4, "linestyle": "none", "fillstyle": "none"}
            ax.plot(mean.index, mean["risk"], **look, label=f"PURE, {weights}")
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        _between_positive(ax, table)
        up = "mean squared error / dose²" if name == "a" else ""
        name_chart(ax, f"({name}) {dose:g} e/pixel", "threshold (noise sd)", up)
    lines = panels["a"].get_legend_handles_labels()
    fig.legend(*lines, loc="outside lower center", ncols=4, **LEGEND)
    return fig


def show_expansion(table: pd.DataFrame, *, width: float = 4.5) -> Figure:
    """Draw how far the correlations are off on average, by dose.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.companion.pages.purelet.risks.expansion_bias`.
    width : float, default 4.5
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Bias with its standard error, a line for each dictionary.

    Examples
    --------
    >>> table = pd.DataFrame({"dose": [1.0], "dictionary": ["Haar, exact"],
    ...                       "bias": [0.0], "error": [0.1]})
    >>> show_expansion(table).axes[0].get_xscale()
    'log'
    """
    fig, panels = arrange_panels("a", width=width, height=0.62 * width)
    ax = panels["a"]
    for name, rows in table.groupby("dictionary", sort=False):
        look = _LOOKS[name] | {"markersize": 4, "capsize": 2, "linewidth": 1.2}
        ax.errorbar(rows["dose"], rows["bias"], rows["error"], **look, label=name)
    ax.axhline(0, color="#444444", linewidth=0.6, linestyle=":")
    ax.set_xscale("log")
    doses = sorted(set(table["dose"]))
    ax.set_xticks(doses, [f"{dose:g}" for dose in doses])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    ax.legend(**LEGEND)
    name_chart(ax, "", "mean dose (e/pixel)", "bias of the correlations")
    return fig


def _between_positive(ax: Axes, table: pd.DataFrame) -> None:
    """Give all panels one range; no logarithm shows a negative PURE."""
    values = table[["risk", "error"]].to_numpy()
    values = values[values > 0]
    if values.size:
        ax.set_ylim(values.min() / 1.5, values.max() * 1.5)
