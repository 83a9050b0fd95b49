"""Page 08: how far a network looks."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from sbd.columns.finding import box_around
from sbd.companion.wording import markdown, with_error, with_sign
from sbd.evidence.jacobian import (
    effective_field_of_view,
    jacobian_row,
    jacobian_rows,
)
from sbd.networks.published import UNet
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import GREEN, GREY, INK, OCHRE, RED, STEEL
from sbd.plotting.images import LEGEND, arrange_panels
from sbd.typing import Image, Pixel

if TYPE_CHECKING:
    from IPython.display import Markdown

NETWORKS = {  # and the weights of each of their runs
    "every pixel, 2 scales": ("view-pixels-2", "view-pixels-2-again"),
    "every pixel, 2 scales, 400 steps": (
        "view-pixels-2-steps",
        "view-pixels-2-steps-again",
    ),
    "every pixel, 4 scales": ("view-pixels-4", "view-pixels-4-again"),
    "bins of 4 x 4, 2 scales": ("view-bins-2", "view-bins-2-again"),
    "bins of 4 x 4, 4 scales": ("view-bins-4", "view-bins-4-again"),
    "bins of 4 x 4, 6 scales": ("view-bins-6", "view-bins-6-again"),
    "bins of 4 x 4, 6 scales, 1000 steps": (
        "view-bins-6-steps",
        "view-bins-6-steps-again",
    ),
    "views of the lattice": ("view-lattice", "view-lattice-again"),
    "views of the lattice, 1000 steps": (
        "view-lattice-steps",
        "view-lattice-steps-again",
    ),
    "the paper's network": ("paper-4x128",),
    "default": ("default",),
}
OTHERS = "the paper's network", "default"  # which were not trained like the others
CHANGES = {  # what is changed, what is equal; networks after and before
    ("pixels: 4 scales, not 2", "seconds"): (
        "every pixel, 4 scales",
        "every pixel, 2 scales",
    ),
    ("pixels: 4 scales, not 2", "steps"): (
        "every pixel, 4 scales",
        "every pixel, 2 scales, 400 steps",
    ),
    ("bins: 4 scales, not 2", "seconds and steps"): (
        "bins of 4 x 4, 4 scales",
        "bins of 4 x 4, 2 scales",
    ),
    ("bins: 6 scales, not 4", "seconds"): (
        "bins of 4 x 4, 6 scales",
        "bins of 4 x 4, 4 scales",
    ),
    ("bins: 6 scales, not 4", "steps"): (
        "bins of 4 x 4, 6 scales, 1000 steps",
        "bins of 4 x 4, 4 scales",
    ),
    ("4 scales: bins, not pixels", "seconds"): (
        "bins of 4 x 4, 4 scales",
        "every pixel, 4 scales",
    ),
    ("bins: views of the lattice", "seconds"): (
        "views of the lattice",
        "bins of 4 x 4, 4 scales",
    ),
    ("bins: views of the lattice", "steps"): (
        "views of the lattice, 1000 steps",
        "bins of 4 x 4, 4 scales",
    ),
}

WINDOW = 288  # around a place, where the paper's network sees all it can [pixels]
_GRID = 16  # of its halvings [pixels]

_FRACTION = 0.95  # of the weight, for a radius
_WIDE = 128  # channels
_NOT_IMAGES = "radius", "radius (absolute)", "kind"
_MARKS = {"seconds": "o", "steps": "o", "other": "D"}
_FAMILIES = {
    "every pixel": OCHRE,
    "bins of 4 x 4": STEEL,
    "views of the lattice": GREEN,
    "": RED,
}


def tell_kind(network: str) -> str:
    """Say what a network has in common with the others of the study."""
    if network in OTHERS:
        return "other"
    return "steps" if network.endswith("steps") else "seconds"


def rows_of(
    model: object, noisy: Image, places: Sequence[Pixel], *, device: str = "auto"
) -> tuple[list[Image], list[Pixel]]:
    """Find the rows of the Jacobian of places, and where their pixels are in them.

    The published network, which works on every pixel with many channels, is asked in
    windows around the places, on the grid of its halvings: they hold all that its
    layers reach, 122 pixels around.
    """
    if not (isinstance(model, UNet) and model.config["channels"] >= _WIDE):
        return list(jacobian_rows(model, noisy, places, device=device)[0]), list(places)
    rows, there = [], []
    for place in places:
        top, left, height, width = box_around(place, (WINDOW, WINDOW), noisy.shape)
        bottom, right = top + height, left + width
        top, left = (at - at % _GRID for at in (top, left))
        part = noisy[top:bottom, left:right]
        there.append((place[0] - top, place[1] - left))
        rows.append(jacobian_row(model, part, there[-1], device=device)[0])
    return rows, there


def measure_radii(
    rows: Sequence[Image], places: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Measure the radius of squared and of absolute weight, medians over places."""
    powers = {"radius": 1.0, "radius (absolute)": 0.5}
    return {
        name: float(
            np.median([
                effective_field_of_view(np.abs(row) ** power, place, fraction=_FRACTION)
                for row, place in zip(rows, places, strict=True)
            ])
        )
        for name, power in powers.items()
    }  # fmt: skip


def spread_of_runs(
    scores: pd.DataFrame, networks: Mapping[str, Sequence[str]] = NETWORKS
) -> float:
    """Measure the standard deviation of PSNR from one training to another [dB].

    Of `sbd.dose_curve` over the weights by name, the same draws for all; the mean over
    images, pooled over the networks that were trained more than once.
    """
    psnr = scores.groupby("method")["psnr"].mean()
    runs = [psnr[[*items]] for items in networks.values() if len(items) > 1]
    return float(np.sqrt(np.mean([run.var(ddof=1) for run in runs])))


def average_runs(
    scores: pd.DataFrame, networks: Mapping[str, Sequence[str]] = NETWORKS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average PSNR over runs and draws, a row for each network and column for an image.

    And its standard error, from the spread between runs and that between draws.
    """
    names = {item: name for name, items in networks.items() for item in items}
    scores = scores.assign(network=scores["method"].map(names))
    by = ["network", "image"]
    draws = scores.groupby([*by, "draw"])["psnr"].mean().groupby(by)
    counts = {name: len(items) for name, items in networks.items()}
    errors = {}
    for image, some in scores.groupby("image"):
        spread = {
            name: spread_of_runs(some, networks) / n**0.5 if n > 1 else 0.0
            for name, n in counts.items()
        }
        of_draws = draws.sem().xs(image, level="image").fillna(0)
        errors[image] = np.hypot(of_draws, pd.Series(spread)[of_draws.index])
    order = [*networks], [*dict.fromkeys(scores["image"])]
    means = draws.mean().unstack().loc[order[0], order[1]]
    return means, pd.DataFrame(errors).loc[order[0], order[1]]


def compare_views(
    scores: pd.DataFrame,
    radii: pd.Series,
    changes: Mapping[tuple[str, str], Sequence[str]] = CHANGES,
    networks: Mapping[str, Sequence[str]] = NETWORKS,
) -> pd.DataFrame:
    """Say what each change brings, from pairs of networks (after, before).

    The gain [dB], mean over images and over runs, run against run on the same counts;
    its standard error, of the spread between runs, pooled over all networks, and of
    that between draws; the radii before and after, and their ratio; and a verdict, by
    an interval of 95 % of Student's distribution, whose degrees of freedom are those
    of the pooled spread.
    """
    spread = spread_of_runs(scores, networks)
    psnr = scores.groupby(["method", "draw"])["psnr"].mean().unstack()
    rows = {}
    for change, (after, before) in changes.items():
        pairs = list(zip(networks[after], networks[before], strict=True))
        gains = np.array([psnr.loc[new] - psnr.loc[old] for new, old in pairs])
        of_runs = spread * (2 / len(pairs)) ** 0.5
        of_draws = pd.Series(gains.mean(0)).sem() if gains.shape[1] > 1 else 0.0
        rows[change] = {
            "better by": gains.mean(),
            "error": np.hypot(of_runs, of_draws),
            "radius before": radii[before],
            "radius after": radii[after],
            "wider by": radii[after] / radii[before],
        }
    table = pd.DataFrame(rows).T.rename_axis(["change", "equal"])
    freedom = sum(len(items) - 1 for items in networks.values())
    reach = stats.t.ppf(0.975, freedom)
    sure = table["better by"].abs() > reach * table["error"]
    word = np.where(table["better by"] > 0, "better", "worse")
    return table.assign(says=np.where(sure, word, "no difference shown"))


def tabulate_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Write `compare_views` with units, to the digits that the errors allow."""
    pairs = zip(table["better by"], table["error"], strict=True)
    return pd.DataFrame({
        "gain (dB)": [with_sign(*pair) for pair in pairs],
        "radius before (pixel)": table["radius before"].round().astype(int),
        "after (pixel)": table["radius after"].round().astype(int),
        "wider by": [f"x {ratio:.1f}" for ratio in table["wider by"]],
        "verdict": table["says"],
    }, table.index)  # fmt: skip


def tabulate_views(views: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Write how far networks look and what they reach, with units and errors."""
    reached = {
        f"PSNR (dB), {image}": [
            with_error(*pair) for pair in zip(views[image], errors[image], strict=True)
        ]
        for image in errors
    }
    far = views[["radius", "radius (absolute)"]].round().astype(int)
    far.columns = ["radius (pixel)", "radius, absolute weights (pixel)"]
    return far.assign(**reached)


def tabulate_training(
    cards: Mapping[str, dict], networks: Mapping[str, Sequence[str]] = NETWORKS
) -> pd.DataFrame:
    """Tell how each network was trained, from the cards of its runs."""
    rows = {}
    for name, runs in networks.items():
        parts = [v for k, v in cards[runs[0]].items() if k.startswith("run ")]
        costs = [cards[run].get("cost", {}) for run in runs]
        known = [
            f"{cost['processor seconds']:.0f}" if "processor seconds" in cost
            else f"{cost['minutes']:.0f} minutes of a GPU"
            for cost in costs if cost
        ]  # fmt: skip
        rows[name] = {
            "runs": len(runs),
            "steps": sum(part["steps"] for part in parts),
            "examples a step": ", ".join(str(part["batch"]) for part in parts),
            "channels": parts[-1]["config"]["channels"],
            "seconds of a core": ", ".join(known) or "hours, and minutes of a GPU",
        }
    return pd.DataFrame(rows).T


def tell_verdict(table: pd.DataFrame) -> "Markdown":
    """Say what `compare_views` makes of the claim that a wide view is what counts."""
    scales = table[table.index.get_level_values(0).str.contains("scales, not")]
    wider = scales[scales["wider by"] > 1]
    won = wider[wider["says"] == "better"]
    other = wider.drop(index=won.index)
    told = [
        f"Of {len(wider)} comparisons in which more scales alone made a network look "
        f"farther, it came out better in {len(won)}"
    ]
    if len(won) and len(other):
        seen, short = won["radius before"].max(), other["radius before"].min()
        told[0] += f" (it had seen {seen:.0f} pixels or less before)"
        if short > seen:
            told[0] += f", and not where it had seen {short:.0f} pixels or more"
    told[0] += "."
    if narrow := len(scales) - len(wider):
        told.append(
            f"In {narrow} more the radius did not grow, so "
            f"{'that says' if narrow == 1 else 'these say'} nothing about the claim; "
            "that of absolute weights may have grown."
        )
    lattice = table[table.index.get_level_values(0).str.contains("lattice")]
    if len(lattice):
        gain = lattice["better by"].min()
        told.append(
            f"Showing a network its lattice, at a view {lattice['wider by'].max():.1f} "
            f"times as wide at most, changes {gain:+.1f} dB at least."
        )
    verdict = "not borne out by" if won.empty else "borne out by all of"
    verdict = "borne out in part by" if len(won) and len(other) else verdict
    return markdown(f"**The claim is {verdict} these networks.** " + " ".join(told))


def show_views(
    table: pd.DataFrame, errors: pd.DataFrame, changes: pd.DataFrame | None = None
) -> Figure:
    """Draw the quality of networks against how far they look, a panel for each image.

    A row of the table is a network: ``radius`` of its effective field of view [pixels],
    ``kind`` (trained like the others for equal seconds, or steps, or other), and the
    PSNR by image, with its errors in the other table [dB]. Those of one family and
    equal time are joined. Below, what `compare_views` says of the changes.
    """
    images = [name for name in table if name not in _NOT_IMAGES]
    names = "abcdef"[: len(images)]
    mosaic, heights = [list(names)], [3.0]
    if changes is not None:
        mosaic.append(["z"] * len(names))
        heights.append(0.6 + 0.24 * len(changes))
    fig, panels = arrange_panels(mosaic, height=sum(heights) + 0.5, heights=heights)
    low, high = table[images].to_numpy().min(), table[images].to_numpy().max()
    for name, image in zip(names, images, strict=True):
        ax = panels[name]
        for family, colour in _FAMILIES.items():
            rows = table[table.index.map(tell_family) == family]
            alike = rows[rows["kind"] == "seconds"]
            ax.plot(alike["radius"], alike[image], "-", color=colour, lw=1, zorder=1)
            for network, row in rows.iterrows():
                _mark_network(ax, network, row, image, errors.loc[network, image])
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set_xlim(0.7 * table["radius"].min(), 2.2 * table["radius"].max())
        across = "radius of the field of view (pixel)"
        title = textwrap.fill(f"({name}) {image}", 40)
        name_chart(ax, title, across, "PSNR (dB)")
    handles = [
        Line2D([], [], marker="o", ls="-", lw=1, ms=4, color=colour, label=family)
        for family, colour in _FAMILIES.items() if family
    ]  # fmt: skip
    look = {"marker": "o", "ls": "", "color": INK, "markerfacecolor": "white", "ms": 4}
    handles.append(Line2D([], [], **look, label="as many steps, not seconds"))
    panels["a"].legend(handles=handles, loc="upper left", **LEGEND)
    if changes is not None:
        _draw_changes(panels["z"], "abcdefg"[len(names)], changes)
    return fig


def tell_family(network: str) -> str:
    """Say which networks differ from this one in scales alone."""
    return next((family for family in _FAMILIES if network.startswith(family)), "")


def _mark_network(
    ax: Axes, network: str, row: pd.Series, image: str, error: float
) -> None:
    """Put a network in its place, with its name beside."""
    family = tell_family(network)
    colour = _FAMILIES[family]
    inside = "white" if row["kind"] == "steps" else colour
    ax.errorbar(
        row["radius"], row[image], error, fmt=_MARKS[row["kind"]], color=colour,
        markerfacecolor=inside, ms=4, elinewidth=1, capsize=2.5, zorder=2,
    )  # fmt: skip
    words = network.removeprefix(family).removeprefix(", ")
    words = words if row["kind"] != "steps" else ""
    above = row["kind"] == "other"
    ax.annotate(
        words, (row["radius"], row[image]), (0, 6 if above else -11),
        textcoords="offset points", ha="center", fontsize=6.5, color=colour,
    )  # fmt: skip


def _draw_changes(ax: Axes, name: str, changes: pd.DataFrame) -> None:
    """Draw the gain of each change with two standard errors, and what is equal."""
    places = range(len(changes))[::-1]
    colours = [
        {"better": STEEL, "worse": RED}.get(word, GREY) for word in changes["says"]
    ]
    for y, gain, error, colour in zip(
        places, changes["better by"], changes["error"], colours, strict=True
    ):
        ax.errorbar(gain, y, xerr=2 * error, fmt="o", ms=4, capsize=2, color=colour)
    ax.axvline(0, color=INK, linewidth=0.8)
    words = [f"{change}, equal {equal}" for change, equal in changes.index]
    ax.set_yticks([])
    ax.set_ylim(-0.6, len(changes) - 0.4)
    low, high = ax.get_xlim()
    ax.set_xlim(low - 0.7 * (high - low), high)
    for y, label in zip(places, words, strict=True):
        ax.text(0.01, y, label, transform=ax.get_yaxis_transform(), va="center", size=7)
    across = "gain in PSNR (dB), with two standard errors"
    name_chart(ax, f"({name}) what one change brings", across, "")
    ax.spines["left"].set_visible(False)
