"""How well PURE, the estimated error of PURE-LET, follows the true one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from sbd.denoisers.purelet import let_dictionary
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import BRICK, GREY, INK, OCHRE, STEEL
from sbd.plotting.images import LEGEND, arrange_panels
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Image
from sbd.validation import check_image

_LOOKS = {
    "kept or removed": {"color": GREY, "marker": "o"},
    "fitted": {"color": BRICK, "marker": "s"},
    "Haar, exact": {"color": STEEL, "marker": "o"},
    "cosines, to first order": {"color": OCHRE, "marker": "D"},
}


def threshold_risks(
    clean: Image,
    *,
    thresholds: Sequence[float],
    doses: Sequence[float] = (VACUUM,),
    levels: int = 5,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Move the threshold of the Haar coefficients, and compare PURE with the error.

    Once every coefficient above the threshold is kept and every other removed, with
    nothing fitted; and once both kinds are weighted as PURE-LET weights them.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts at `VACUUM` [electrons per pixel].
    thresholds : sequence of float
        In standard deviations of the coefficients' noise.
    doses : sequence of float
        What vacuum is scaled to [electrons per pixel].
    levels : int, default 5
        Of the Haar transform.
    draws : int
        Times that the image is counted.
    seed : int
        Of the counts; draw `i` of dose `j` depends on (seed, j, i) alone.

    Returns
    -------
    pandas.DataFrame
        ``dose``, ``threshold``, ``draw``, ``weights`` ("kept or removed" or "fitted"),
        ``risk`` and ``error``, both relative to the square of the dose. What PURE is
        off by for the blurred image, the share of all estimates from the same counts,
        is taken off the risk; only who knows the clean image can do that.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, or there is nothing to compare.

    Examples
    --------
    >>> table = threshold_risks(np.full((32, 32), 0.45), thresholds=[2.0, 3.0],
    ...                         levels=2, draws=1, seed=0)
    >>> list(table["weights"])
    ['kept or removed', 'fitted', 'kept or removed', 'fitted']
    """
    clean = check_image(clean, "clean", counts=True)
    if not (len(thresholds) and len(doses) and draws >= 1):
        msg = (
            "thresholds, doses and draws must name one at least; got "
            f"{list(thresholds)}, {list(doses)} and {draws}"
        )
        raise ValueError(msg)
    rows = []
    for which, dose in enumerate(doses):
        truth = clean * (dose / VACUUM)
        for draw in range(draws):
            rng = np.random.default_rng([seed, which, draw])
            noisy = poisson_noise(truth, rng=rng)
            for threshold in thresholds:
                made = let_dictionary(noisy, levels=levels, threshold=threshold)
                none = np.zeros(len(made.functions))
                offset = made.risk(none) - np.mean((made.lowpass - truth) ** 2)
                above = np.arange(len(made.functions)) % 2 == 0
                weights = {"kept or removed": above, "fitted": made.solve()}
                for name, coefficients in weights.items():
                    error = np.mean((made.combine(coefficients) - truth) ** 2)
                    judged = (made.risk(coefficients) - offset, float(error))
                    relative = [value / dose**2 for value in judged]
                    rows.append((dose, threshold, draw, name, *relative))
    columns = ["dose", "threshold", "draw", "weights", "risk", "error"]
    return pd.DataFrame(rows, columns=columns)


def expansion_bias(
    clean: Image, *, doses: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """Compare the exact correlations of Haar functions with the expansion of cosines.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts, of which only the shape of the scene is used.
    doses : sequence of float
        Mean counts [electrons per pixel].
    draws : int
        Times that the image is counted at each; at least 2.
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        For each ``dose`` and ``dictionary``, the ``bias`` of the correlations' sum as a
        share of its true value, and its standard ``error``.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, or empty of them, or there are no two draws.

    Examples
    --------
    >>> scene = np.outer(np.hanning(24), np.hanning(24))
    >>> table = expansion_bias(scene, doses=[4.0], draws=3, seed=0)
    >>> list(table["dictionary"])
    ['Haar, exact', 'cosines, to first order']
    """
    clean = check_image(clean, "clean", counts=True)
    if draws < 2:
        msg = f"draws must be at least 2; got {draws}"
        raise ValueError(msg)
    if not clean.any():
        msg = "clean must hold counts somewhere; got zeros only"
        raise ValueError(msg)
    rows = []
    for which, dose in enumerate(doses):
        truth = clean * (dose / clean.mean(dtype=np.float64))
        found = []
        for draw in range(draws):
            rng = np.random.default_rng([seed, which, draw])
            noisy = poisson_noise(truth, rng=rng)
            made = let_dictionary(noisy, levels=3, dictionary="dct8")
            overlap = np.tensordot(made.functions, truth, axes=2)
            off = made.correlations - overlap
            found.append((off[:-63].sum(), off[-63:].sum(),
                          overlap[:-63].sum(), overlap[-63:].sum()))  # fmt: skip
        found = np.array(found)
        scale = np.abs(found[:, 2:].mean(axis=0))
        bias = found[:, :2].mean(axis=0) / scale
        error = found[:, :2].std(axis=0, ddof=1) / np.sqrt(draws) / scale
        for name, b, e in zip(_KINDS, bias, error, strict=True):
            rows.append((dose, name, b, e))
    return pd.DataFrame(rows, columns=["dose", "dictionary", "bias", "error"])


_KINDS = ("Haar, exact", "cosines, to first order")


def show_risks(table: pd.DataFrame, *, width: float = 7.0) -> Figure:
    """Draw PURE and the true error as the threshold moves, a panel for each dose.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sbd.companion.pages.purelet.threshold_risks`; at most six doses.
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
        From `sbd.companion.pages.purelet.expansion_bias`.
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
    ax.axhline(0, color=INK, linewidth=0.6, linestyle=":")
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
