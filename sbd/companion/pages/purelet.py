"""How well PURE, the estimated error of PURE-LET, follows the true one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import NDArray

from sbd.companion.wording import describe_dose, list_names, markdown, with_error
from sbd.denoisers.purelet import LetDictionary, let_dictionary
from sbd.plotting.charts import name_chart, name_lines, scale_doses
from sbd.plotting.colours import BRICK, GREY, INK, OCHRE, STEEL
from sbd.plotting.images import LEGEND, WIDTH, arrange_panels, shared_grey, show_images
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Image
from sbd.validation import check_image, check_whole

if TYPE_CHECKING:
    from IPython.display import Markdown

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


def tabulate_weights(weights: NDArray[np.float64]) -> pd.DataFrame:
    """Write fitted weights, averaged over directions, by the width of the boxes."""
    shaped = weights.reshape(-1, 3, 2).mean(axis=1)
    levels = [f"boxes of {2**j} pixels" for j in range(1, len(shaped) + 1)]
    return pd.DataFrame(shaped, levels, ["above threshold", "below"]).round(2)


def tell_risks(table: pd.DataFrame) -> "Markdown":
    """Say how well PURE follows the true error, and how much the threshold matters."""
    by = ["weights", "dose", "threshold"]
    mean = table.groupby(by)[["risk", "error"]].mean()
    plain, fitted = mean.loc["kept or removed"], mean.loc["fitted"]
    ratio = plain["risk"] / plain["error"]
    span = np.log10(plain["error"].max() / plain["error"].min())
    best = plain.groupby("dose").idxmin().map(lambda at: at[1])
    same = (best["risk"] == best["error"]).sum()
    range_of = fitted["error"].groupby("dose").agg(lambda x: x.max() / x.min()).max()
    return markdown(
        f"Kept or removed: PURE is {ratio.min():.2f} to {ratio.max():.2f} times the "
        f"true error, which spans {span:.1f} orders of magnitude, and has its lowest "
        f"point at the same threshold for {same} of {len(best)} doses. With fitted "
        f"weights the error changes by a factor of {range_of:.2f} at most over all "
        "thresholds."
    )


def tabulate_expansion(table: pd.DataFrame) -> pd.DataFrame:
    """Write `expansion_bias` in per cent, by dose."""
    told = [
        with_error(100 * bias, 100 * error, digits=1)
        for bias, error in zip(table["bias"], table["error"], strict=True)
    ]
    rows = table.assign(told=told).pivot(
        index="dose", columns="dictionary", values="told"
    )
    rows = rows[list(_KINDS)].rename(columns=lambda name: f"{name} (%)")
    rows.index = [f"{dose:g} e/pixel" for dose in rows.index]
    return rows


def tell_expansion(table: pd.DataFrame) -> "Markdown":
    """Say at which doses the deviations are more than three standard errors."""
    told = []
    for name in _KINDS:
        rows = table[table["dictionary"] == name]
        off = rows.loc[(rows["bias"] / rows["error"]).abs() > 3, "dose"]
        where = f"at {list_names([f'{x:g}' for x in off])} e/pixel"
        where = where if len(off) else "at no dose"
        told.append(f"{name}: beyond three standard errors {where} of {len(rows)}")
    return markdown(f"{'; '.join(told)}.")


_KINDS = ("Haar, exact", "cosines, to first order")


def show_pieces(
    made: LetDictionary, noisy: Image, clean: Image, *, heading: str = ""
) -> Figure:
    """Draw counts, and what their estimate is made of on the clean image's grey scale.

    The counts have one of their own.
    """
    above = np.arange(len(made.functions)) % 2 == 0
    images = {
        "(a) Counts": noisy,
        "(b) Blurred, f\u2080": made.lowpass,
        "(c) All above threshold": made.combine(above),
        "(d) Fitted weights": made.combine(made.solve()),
    }
    limits = dict.fromkeys(images, shared_grey([clean])) | {"(a) Counts": "robust"}
    look = {"pixel_size": PIXEL, "bar": "electrons per pixel"}
    look["heading"] = f"{heading}, {describe_dose(VACUUM, PIXEL)}"
    return show_images(images, limits=limits, **look)


def show_risks(table: pd.DataFrame) -> Figure:
    """Draw PURE and the true error as the threshold moves, for up to six doses.

    True errors are lines, PURE marks, both means over the draws.
    """
    doses = list(dict.fromkeys(table["dose"]))
    names = "abcdef"[: len(doses)]
    fig, panels = arrange_panels(names, height=0.43 * WIDTH)
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
        title = f"({name}) {dose:g} e/pixel\n{dose / PIXEL**2:.0f} e/\u00c5\u00b2"
        name_chart(ax, title, "threshold (noise sd)", up)
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
