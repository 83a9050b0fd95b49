"""The pictures of a report: PNG, small, and the same for the same numbers."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image as Picture
from skimage.measure import block_reduce

from sbd.evidence.verdicts import ColumnVerdicts, mean_dose
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import BRICK, INK, SILVER, STEEL
from sbd.plotting.images import STYLE, arrange_panels, show_map
from sbd.plotting.verdicts import show_verdicts
from sbd.reports.residuals import ResidualTest
from sbd.reports.rivals import FLAT, name_denoiser
from sbd.typing import Image

WIDE = 900
"""Most pixels across, of a picture of an image."""

PARTS = 1000
"""Of the variance of the noise, in which differences are told."""

_CHART = 4.6  # width of a chart: its words stay readable on a phone [inch]
_DPI = 160
_LEFT_OUT = (92, 104, 138), (128, 140, 172)  # stripes over what has no dose
_SMALL = 1e-3  # pixels expected of a count, below which none are drawn


def draw_grey(
    image: Image, limits: tuple[float, float], recorded: NDArray[np.bool_]
) -> bytes:
    """Draw an image in grey, blocks of it where it is large; striped without dose."""
    block = -(-image.shape[1] // WIDE)
    seen = _reduce(image, block)
    low, high = limits
    grey = np.rint(255 * ((seen - low) / (high - low)).clip(0, 1)).astype(np.uint8)
    empty = ~_reduce(recorded.astype(float), block).astype(bool)
    if not empty.any():
        return _save(Picture.fromarray(grey))
    colours = np.repeat(grey[..., None], 3, axis=2)
    rows, columns = np.indices(grey.shape)
    period = max(4, grey.shape[1] // 50)
    stripe = (rows + columns) // (period // 2) % 2
    colours[empty] = np.array(_LEFT_OUT, np.uint8)[stripe[empty]]
    return _save(Picture.fromarray(colours))


def draw_histogram(table: pd.DataFrame) -> bytes:
    """Draw how often each count is there, and would be if counts were Poisson."""
    fig, panels = arrange_panels("a;b", width=_CHART, height=3.5, heights=(2.2, 1.1))
    ax, ratio = panels["a"], panels["b"]
    middle = (table["from"] + table["to"]) / 2
    width = float((table["to"] - table["from"] + 1).iloc[0])
    expected, counted = table["expected"], table["counted"]
    some = expected > _SMALL
    ax.bar(middle, counted, 0.85 * width, color=SILVER, label="this recording")
    look = {"color": BRICK, "markersize": 3.5, "linewidth": 1.0}
    ax.plot(middle[some], expected[some], "o-", label="Poisson counts", **look)
    ax.set_yscale("log")
    most = max(counted.max(), expected.max())
    ax.set_ylim(max(0.5, min(1.0, most / 10)), 3 * most)
    ax.legend(frameon=False, fontsize=8)
    name_chart(ax, "", "", "pixels")
    enough = expected >= 5
    left = (counted - expected)[enough] / np.sqrt(expected[enough])
    ratio.axhspan(-2, 2, color=SILVER, alpha=0.35, linewidth=0)
    ratio.axhline(0, color=INK, linewidth=0.8)
    ratio.plot(middle[enough], left, "o", color=BRICK, markersize=3.5)
    reach = max(4.0, 1.15 * float(left.abs().max())) if enough.any() else 4.0
    ratio.set(ylim=(-reach, reach))
    ratio.sharex(ax)
    name_chart(ratio, "", "electrons in a pixel", "deviations")
    return _draw(fig)


def draw_ranking(table: pd.DataFrame) -> bytes:
    """Draw how much worse each is than the best, with intervals."""
    height = 0.75 + 0.3 * len(table)
    fig, panels = arrange_panels("a", width=_CHART, height=height)
    ax = panels["a"]
    rows = np.arange(len(table))
    for row, (_, one) in zip(rows, table.iterrows(), strict=True):
        colour = STEEL if one["behind"] else BRICK
        low, worse, high = (PARTS * one[k] for k in ("low", "worse by", "high"))
        ax.plot([low, high], [row, row], color=colour, linewidth=1.6)
        ax.plot([worse], [row], "o", color=colour, markersize=5)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(rows, map(name_denoiser, table.index), fontsize=8.5)
    ax.invert_yaxis()
    least = PARTS * min(0.0, float(table["low"].min()))
    near = table[table.index != FLAT] if len(table) > 2 else table
    ends = PARTS * float(near["high"].max()), PARTS * float(table["high"].max())
    # what everything beats by far would leave no room for the others
    most = max(ends[0] if ends[1] > 3 * ends[0] else ends[1], 1e-9)
    ax.set_xlim(least - 0.05 * (most - least), most + 0.05 * (most - least))
    for row, value in zip(rows, PARTS * table["worse by"], strict=True):
        if value > most:
            ax.text(most, row, f"{value:.3g} ▸", ha="right", va="center", fontsize=8)
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    name_chart(ax, "", "worse than the first by (1/1000 of the noise variance)", "")
    ax.ticklabel_format(axis="x", style="plain", useOffset=False)
    ax.locator_params(axis="x", nbins=5)
    return _draw(fig)


def draw_residuals(test: ResidualTest) -> bytes:
    """Draw what is left of each block, and where that is no chance."""
    rows, columns = test.residuals.shape
    width = 3.2
    tall = float(np.clip(0.82 * width * rows / columns, 0.8, 6.0))
    fig, panels = arrange_panels("a", width=width, height=tall + 0.15)
    ax = panels["a"]
    limit = 4.0 / np.sqrt(test.deals) * np.sqrt((1 + test.deals) / 2)
    show_map(ax, test.residuals, label="standard deviations", limit=float(limit))
    _ring(ax, test)
    return _draw(fig)


def _ring(ax: Axes, test: ResidualTest) -> None:
    """Draw a ring round each place that chance does not explain."""
    if len(test.places):
        down, across = (test.places.T + 0.5) / test.side - 0.5
        ax.scatter(
            across, down, 90, facecolors="none", edgecolors="black", linewidths=1.4
        )


def draw_columns(verdicts: ColumnVerdicts) -> bytes:
    """Draw the verdicts on columns."""
    return _draw(show_verdicts(verdicts, recorded=mean_dose(verdicts)), dpi=150)


def choose_limits(
    images: list[Image], recorded: NDArray[np.bool_], share: float = 0.1
) -> tuple[float, float]:
    """Find black and white for images: all but so many percent at either end."""
    ends = [np.percentile(one[recorded], (share, 100 - share)) for one in images]
    low, high = float(min(e[0] for e in ends)), float(max(e[1] for e in ends))
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def bin_for_the_eye(image: Image, recorded: NDArray[np.bool_]) -> tuple[Image, int]:
    """Average blocks of some ten electrons, as large as the image was."""
    mean = max(float(image[recorded].mean()), 1e-6)
    side = int(np.clip(np.ceil(np.sqrt(10 / mean)), 1, max(1, min(image.shape) // 16)))
    if side == 1:
        return image, 1
    fine = np.repeat(np.repeat(_reduce(image, side), side, 0), side, 1)
    return fine[: image.shape[0], : image.shape[1]], side


def _reduce(image: Image, block: int) -> Image:
    """Average blocks, the last ones of what there is."""
    if block == 1:
        return image
    padded = [(0, -n % block) for n in image.shape]
    return block_reduce(np.pad(image, padded, mode="edge"), block, np.mean)


def _draw(fig: Figure, dpi: int = _DPI) -> bytes:
    """Render a figure with few colours."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        fig.savefig(file, format="png", dpi=dpi, facecolor="white")
    picture = Picture.open(file).convert("RGB")
    return _save(picture.quantize(255, method=Picture.Quantize.FASTOCTREE))


def _save(picture: Picture.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()
