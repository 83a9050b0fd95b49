"""How well PURE, the estimated error of PURE-LET, follows the true one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from sbd.denoisers.purelet import let_dictionary
from sbd.plotting.charts import name_chart, name_lines, scale_doses
from sbd.plotting.colours import BRICK, GREY, INK, OCHRE, STEEL
from sbd.plotting.images import LEGEND, WIDTH, arrange_panels
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Image
from sbd.validation import check_image, check_whole

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

    Once each is kept or removed, with nothing fitted, and once weighted as PURE-LET
    does; thresholds are in standard deviations of the noise. What PURE is off by for
    the blurred image is taken off. Risk and error are relative to the square of the
    dose.
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

    By mean dose: the bias of the correlations' sum as a share of its true value, and
    its standard error over the draws, two at least. Of `clean` only the shape counts.
    """
    clean = check_image(clean, "clean", counts=True)
    check_whole("draws", draws, 2)
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


def show_risks(table: pd.DataFrame) -> Figure:
    """Draw PURE and the true error as the threshold moves, for up to six doses.

    True errors are lines, PURE marks, both means over the draws.
    """
    doses = list(dict.fromkeys(table["dose"]))
    names = "abcdef"[: len(doses)]
    fig, panels = arrange_panels(names, height=0.4 * WIDTH)
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
    name_lines(panels["a"], 4)
    return fig


def show_expansion(table: pd.DataFrame, *, width: float = 4.5) -> Figure:
    """Draw the bias of the correlations with its standard error, by dose."""
    fig, panels = arrange_panels("a", width=width, height=0.62 * width)
    ax = panels["a"]
    for name, rows in table.groupby("dictionary", sort=False):
        look = _LOOKS[name] | {"markersize": 4, "capsize": 2, "linewidth": 1.2}
        ax.errorbar(rows["dose"], rows["bias"], rows["error"], **look, label=name)
    ax.axhline(0, color=INK, linewidth=0.6, linestyle=":")
    scale_doses(ax, table["dose"])
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
