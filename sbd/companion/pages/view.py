"""Page 08: how far a network looks."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbd.evidence.jacobian import effective_field_of_view
from sbd.plotting.charts import name_chart, name_lines
from sbd.plotting.colours import RED, STEEL
from sbd.plotting.images import WIDTH, arrange_panels
from sbd.typing import Image

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
    "the paper's kind": ("paper",),
    "default": ("default",),
}
OTHERS = "the paper's kind", "default"  # which were not trained like the others
CHANGES = {  # what is changed, what is equal; networks after and before
    ("pixels: 4 scales, not 2", "seconds"): (
        "every pixel, 4 scales",
        "every pixel, 2 scales",
    ),
    ("pixels: 4 scales, not 2", "steps"): (
        "every pixel, 4 scales",
        "every pixel, 2 scales, 400 steps",
    ),
    ("bins: 4 scales, not 2", "both"): (
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

_FRACTION = 0.95  # of the weight, for a radius
_NOT_IMAGES = "radius", "radius (absolute)", "kind"
_MARKS = {
    "seconds": ("o", STEEL, STEEL),
    "steps": ("o", STEEL, "white"),
    "other": ("D", RED, RED),
}


def tell_kind(network: str) -> str:
    """Say what a network has in common with the others of the study."""
    if network in OTHERS:
        return "other"
    return "steps" if network.endswith("steps") else "seconds"


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
    that between draws; the ratio of the radii; and what is more than two errors.
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
            "wider by": radii[after] / radii[before],
        }
    table = pd.DataFrame(rows).T.rename_axis(["change", "equal"])
    sure = table["better by"].abs() > 2 * table["error"]
    word = np.where(table["better by"] > 0, "better", "worse")
    return table.round(2).assign(says=np.where(sure, word, "no difference shown"))


def show_views(table: pd.DataFrame, errors: pd.DataFrame) -> Figure:
    """Draw the quality of networks against how far they look, a panel for each image.

    A row of the table is a network: ``radius`` of its effective field of view [pixels],
    ``kind`` (trained like the others for equal seconds, or steps, or other), and the
    PSNR by image, with its errors in the other table [dB].
    """
    images = [name for name in table if name not in _NOT_IMAGES]
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, height=0.5 * WIDTH)
    numbers = range(1, len(table) + 1)
    low, high = table[images].to_numpy().min(), table[images].to_numpy().max()
    for name, image in zip(names, images, strict=True):
        ax = panels[name]
        for number, (network, row) in zip(numbers, table.iterrows(), strict=True):
            mark, colour, inside = _MARKS[row["kind"]]
            label = f"{number} {network}"
            at = row["radius"], row[image]
            ax.vlines(
                at[0], *(at[1] + np.array([-1, 1]) * errors.loc[network, image]),
                color=colour, linewidth=1,
            )  # fmt: skip
            ax.plot(
                *at, mark, color=colour, markerfacecolor=inside, markersize=6,
                label=label,
            )  # fmt: skip
            ax.annotate(
                str(number), at, (0, -13 if row["kind"] == "other" else 5),
                textcoords="offset points", ha="center",
                fontsize=7,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_ylim(low - 0.08 * (high - low), high + 0.12 * (high - low))
        across = "radius of the effective field of view (pixel)"
        title = textwrap.fill(f"({name}) {image}", 40)
        name_chart(ax, title, across, "PSNR (dB)")
    name_lines(panels["a"], 2, fontsize=7, frameon=False)
    return fig
