"""Page 15: a recording of one's own, from its file to verdicts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbd.companion.wording import markdown, with_error
from sbd.data.examples import example_truth
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import ORANGE, RED, SILVER
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
)
from sbd.plotting.marks import mark_pixel, mark_scale
from sbd.recordings.diagnosis import CountsReport
from sbd.recordings.recording import Recording
from sbd.recordings.writing import write_micrograph
from sbd.simulation.frame import PIXEL
from sbd.typing import Image

if TYPE_CHECKING:
    from IPython.display import Markdown

MEASURED = Path(__file__).resolve().parents[3] / "book/measured/slips.json"
"""What `make slips` wrote; an installed package is without it."""

_UNIT, _HOT = 32.3, (90, 260)  # detector units for an electron, a hot pixel
_CLASSES = 200  # of values
_ADDED = 4  # pixels along a side, for the eye
_BORDER = 24  # rows that recorded nothing [pixels]


def write_example(folder: Path, *, side: int | None = None, seed: int = 0) -> Path:
    """Write a recording to try the page on, with what happens to recordings.

    The bundled image, counted, in detector units, with a hot pixel and a border that
    recorded nothing.
    """
    clean, _ = example_truth("simulated")
    clean = clean[:side, :side]
    values = _UNIT * np.random.default_rng(seed).poisson(clean)
    values[:_BORDER] = 0
    values[_HOT] = 200 * _UNIT
    file = folder / "recording.tif"
    write_micrograph(values.astype(np.float32), file, pixel=PIXEL, force=True)
    return file


def choose_pixel(recording: Recording, told: float = 0.0) -> float:
    """Give the side of a pixel [angstrom] that was told, or that the file says.

    Raises
    ------
    ValueError
        If nobody says it.
    """
    if told:
        return float(told)
    if recording.pixel.sides is None:
        msg = (
            "pixel must be told, as the file does not say the size of its pixels, on "
            "which bins and verdicts hang (set the parameter pixel [angstrom])"
        )
        raise ValueError(msg)
    return float(np.mean(recording.pixel.sides))


def show_checked(
    recording: Recording, report: CountsReport, *, heading: str = ""
) -> Figure:
    """Draw how often each value occurs, and the electrons with what is left out."""
    whole = _add_pixels(recording.sum())
    height = WIDTH / 2 * whole.shape[0] / whole.shape[1]
    height += TITLE_ROOM * (2 if heading else 1)
    fig, panels = arrange_panels("ab", height=height, heading=heading)
    values = recording.values[np.isfinite(recording.values)]
    ends = np.quantile(values, [0, 0.99999])
    number, edges = np.histogram(values, _CLASSES, ends)
    panels["a"].stairs(number / values.size, edges, fill=True, color=SILVER)
    panels["a"].set_yscale("log")
    name_chart(
        panels["a"], "values of the file", "value (unit of the file)", "share of pixels"
    )
    electrons = (whole - recording.frames * report.offset) / (report.unit or 1.0)
    title = f"{len(report.hot)} hot, {1 - report.recorded.mean():.0%} without dose"
    shown = show_image(panels["b"], electrons, title=title, limits="robust")
    add_bar(panels["b"], shown)
    if not report.recorded.all():
        share = _add_pixels(report.recorded.astype(float))
        panels["b"].contourf(share, levels=[-0.5, 0.5], colors=[ORANGE], alpha=0.5)
    for row, column in report.hot[:20]:
        mark_pixel(panels["b"], (row // _ADDED, column // _ADDED), colour=RED)
    if recording.pixel.sides:
        side = _ADDED * float(np.mean(recording.pixel.sides))
        mark_scale(panels["b"], side, length=None)
    return fig


def show_denoised(
    counts: Image, estimate: Image, recorded: Image, pixel: float | None, heading: str
) -> Figure:
    """Draw counts beside what the network makes of them; what nobody knows is grey."""
    ratio = counts.shape[0] / counts.shape[1]
    fig, panels = arrange_panels(
        "ab", height=0.45 * WIDTH * ratio + 2 * TITLE_ROOM, heading=heading
    )
    limits = tuple(np.quantile(estimate[recorded], [0.001, 0.999]))
    title = f"electrons, means of {_ADDED} x {_ADDED} pixels"
    show_image(panels["a"], _add_pixels(counts), title=title, limits=limits)
    shown = np.where(recorded, estimate, np.mean(limits))
    drawn = show_image(panels["b"], shown, title="denoised", limits=limits)
    add_bar(panels["b"], drawn)
    if pixel:
        mark_scale(panels["a"], _ADDED * pixel, length=None)
        mark_scale(panels["b"], pixel, length=None)
    return fig


def _add_pixels(image: Image) -> Image:
    """Give the means of blocks of pixels, for the eye."""
    high, wide = (n // _ADDED for n in image.shape)
    cut = image[: high * _ADDED, : wide * _ADDED]
    return cut.reshape(high, _ADDED, wide, _ADDED).mean((1, 3))


def tabulate_slips() -> "pd.DataFrame | Markdown":
    """Tabulate what slips cost, as measured; say so where that is not at hand."""
    if not MEASURED.exists():
        return markdown("What was measured is not part of an installed package.")
    lost = json.loads(MEASURED.read_text())["lost"]
    return pd.DataFrame({
        slip: {
            f"lost, {way} (dB)": with_error(cost["mean"], cost["standard_error"])
            for way, cost in row.items()
        }
        for slip, row in lost.items()
    }).T  # fmt: skip
