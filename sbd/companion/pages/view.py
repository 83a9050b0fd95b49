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

NETWORKS = {
    "every pixel, 2 scales": "view-pixels-2",
    "every pixel, 4 scales": "view-pixels-4",
    "bins of 4 x 4, 2 scales": "view-bins-2",
    "bins of 4 x 4, 4 scales": "view-bins-4",
    "bins of 4 x 4, 6 scales": "view-bins-6",
    "bins and views of the lattice": "view-lattice",
    "the paper's kind": "paper",
    "default": "default",
}
OTHERS = "the paper's kind", "default"  # which were not trained like the others
CHANGES = {  # networks after and before
    "every pixel: 4 scales instead of 2": (
        "every pixel, 4 scales",
        "every pixel, 2 scales",
    ),
    "bins: 4 scales instead of 2": (
        "bins of 4 x 4, 4 scales",
        "bins of 4 x 4, 2 scales",
    ),
    "bins: 6 scales instead of 4": (
        "bins of 4 x 4, 6 scales",
        "bins of 4 x 4, 4 scales",
    ),
    "4 scales: bins instead of pixels": (
        "bins of 4 x 4, 4 scales",
        "every pixel, 4 scales",
    ),
    "bins: views of the lattice": (
        "bins and views of the lattice",
        "bins of 4 x 4, 4 scales",
    ),
}

_FRACTION = 0.95  # of the weight, for a radius
_NOT_IMAGES = "radius", "radius (absolute)", "equal"
_MARKS = {"equal": ("o", STEEL), "other": ("D", RED)}


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


def compare_views(
    table: pd.DataFrame, errors: pd.DataFrame, pairs: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Say what each change brings, from pairs of networks (after, before).

    The gain [dB], mean over the images, its standard error, and the radii's ratio.
    """
    images = list(errors)
    changes = {}
    for name, (after, before) in pairs.items():
        gain = table.loc[after, images] - table.loc[before, images]
        both = errors.loc[[after, before], images].to_numpy(float)
        radii = table["radius"].astype(float)
        changes[name] = {
            "better by": gain.mean(),
            "error": np.sqrt((both**2).sum()) / len(images),
            "wider by": radii[after] / radii[before],
        }
    return pd.DataFrame(changes).T


def show_views(table: pd.DataFrame, errors: pd.DataFrame) -> Figure:
    """Draw the quality of networks against how far they look, a panel for each image.

    A row of the table is a network: ``radius`` of its effective field of view [pixels],
    ``equal`` (trained like the others: a disc), and the PSNR by image, with its errors
    in the other table [dB].
    """
    images = [name for name in table if name not in _NOT_IMAGES]
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, height=0.5 * WIDTH)
    numbers = range(1, len(table) + 1)
    low, high = table[images].to_numpy().min(), table[images].to_numpy().max()
    for name, image in zip(names, images, strict=True):
        ax = panels[name]
        for number, (network, row) in zip(numbers, table.iterrows(), strict=True):
            mark, colour = _MARKS["equal" if row["equal"] else "other"]
            label = f"{number} {network}"
            at = row["radius"], row[image]
            ax.plot(*at, mark, color=colour, markersize=6, label=label)
            ax.vlines(
                at[0], *(at[1] + np.array([-1, 1]) * errors.loc[network, image]),
                color=colour, linewidth=1,
            )  # fmt: skip
            ax.annotate(
                str(number), at, (0, 5), textcoords="offset points", ha="center",
                fontsize=7,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_ylim(low - 0.08 * (high - low), high + 0.12 * (high - low))
        across = "radius of the effective field of view (pixel)"
        title = textwrap.fill(f"({name}) {image}", 40)
        name_chart(ax, title, across, "PSNR (dB)")
    name_lines(panels["a"], 2, fontsize=7, frameon=False)
    return fig
