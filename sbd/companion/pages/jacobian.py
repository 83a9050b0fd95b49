"""Draw what a denoised pixel depends on: waves, columns, maps of weights."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sbd.columns.finding import Columns, box_around
from sbd.data.examples import Micrograph
from sbd.evidence.jacobian import effective_field_of_view
from sbd.evidence.row_filters import column_weights
from sbd.metrics import psnr
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import ORANGE
from sbd.plotting.images import (
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.plotting.marks import Box, frame_panel, mark_box, mark_pixel, mark_scale
from sbd.typing import Image, Pixel

PER = 1e-5
"""What weights are drawn in."""


def show_column_weights(
    ax: Axes, image: Image, table: pd.DataFrame, pixel: Pixel, *, title: str = ""
) -> PathCollection:
    """Draw from which columns a denoised pixel borrows, over the image.

    `table`: `sbd.column_weights`; red discs add, blue take off, by their area.
    """
    values = table["weight"].to_numpy()
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    show_image(ax, image, title=title)
    limits = ax.get_xlim(), ax.get_ylim()
    discs = ax.scatter(
        table["column"],
        table["row"],
        s=4 + 60 * np.abs(values) / limit,
        c=values,
        cmap="coolwarm",
        norm=Normalize(-limit, limit),
        edgecolors="black",
        linewidths=0.3,
    )
    ax.set(xlim=limits[0], ylim=limits[1])
    mark_pixel(ax, pixel, colour=ORANGE, size=3.0)
    add_bar(ax, discs, "weight of the disc")
    return discs


def box_of_weight(row: Image, pixel: Pixel) -> tuple[int, int, int, int]:
    """Box in which a circle around the pixel holds half of a row's squared weight."""
    side = 2 * math.ceil(effective_field_of_view(row, pixel, fraction=0.5)) + 2
    return box_around(pixel, tuple(min(side, n) for n in row.shape), row.shape)


def deepest(row: Image) -> float:
    """Magnitude that one weight in 500 exceeds, for the deepest colour."""
    return float(np.quantile(np.abs(row), 0.998))


def show_row(
    row: Image,
    denoised: Image,
    micrograph: Micrograph,
    pixel: Pixel,
    box: Box,
    *,
    heading: str = "",
) -> Figure:
    """Draw counts, denoised image, and a row of the Jacobian in a box round its pixel.

    The map is in units of `PER`.
    """
    top, left, height, width = box
    inside = np.s_[top : top + height, left : left + width]
    fig, panels = arrange_panels("ab;cd", width=5.8, height=5.25, heading=heading)
    show_image(panels["a"], micrograph.noisy, title="(a) Noisy", limits="robust")
    whole = show_image(panels["b"], denoised, title="(b) Denoised")
    add_bar(panels["b"], whole)
    same = {"limits": whole.get_clim()}
    show_image(panels["c"], denoised[inside], title="(c) Denoised (zoomed)", **same)
    weights = row[inside] / PER
    limit = deepest(weights)
    label = f"weight / {PER:g}"
    show_map(panels["d"], weights, title="(d) Gradient", limit=limit, label=label)
    for ax in panels.values():
        mark_scale(ax, micrograph.pixel_size, length=None)
    for name in "ab":
        mark_box(panels[name], box)
        mark_pixel(panels[name], pixel)
    mark_pixel(panels["c"], (pixel[0] - top, pixel[1] - left))
    frame_panel(panels["c"])
    return fig


def list_row(
    row: Image, bias: float, counts: Image, pixel: Pixel, box: Box
) -> dict[str, float | list[int]]:
    """Give the numbers of a row of the Jacobian to a figure."""
    top, left, height, width = box
    weight = np.abs(row)
    within = weight[top : top + height, left : left + width].sum() / weight.sum()
    return {
        "pixel": list(pixel),
        "explained": round(float((row * counts).sum()), 3),
        "net_bias": round(bias, 3) + 0.0,
        "largest_weight": round(float(weight.max()), 6),
        "box": list(box),
        "weight_in_box": round(float(within), 2),
    }


def share_weights(row: Image, columns: Columns, pixel: Pixel) -> dict[str, float]:
    """Tell which shares of a row's absolute weight lie where.

    In the disc of the pixel's own column, in those of the columns next to it (no
    farther than 1.5 times the nearest), in all other discs, and between discs.
    """
    table = column_weights(row, columns, pixel).sort_values("distance")
    share, away = table["share"].to_numpy(), table["distance"].to_numpy()
    nearest = away[1] if len(away) > 1 else np.inf
    beside = (away <= 1.5 * nearest) & (np.arange(len(away)) > 0)
    parts = {"own": share[0], "beside": share[beside].sum()}
    parts["far"] = share[1:][~beside[1:]].sum()
    parts["between"] = max(0.0, 1.0 - sum(parts.values()))
    return {name: float(value) for name, value in parts.items()}


def tabulate_rows(rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Write the numbers of `describe_rows`, a column for each network."""
    words = {
        "psnr": ("PSNR of this draw, whole image (dB)", ".1f"),
        "denoised": ("denoised value (e/pixel)", ".3f"),
        "explained": ("of it, what the weights explain (e/pixel)", ".3f"),
        "bias": ("of it, net bias (e/pixel)", ".3f"),
        "reach": ("radius with half of the squared weight (nm)", ".2f"),
        "own": ("weight in the disc of the pixel's column (%)", ".0f"),
        "beside": ("in the discs of the columns next to it (%)", ".0f"),
        "far": ("in the discs of columns farther away (%)", ".0f"),
        "between": ("between the discs (%)", ".0f"),
    }
    table = {
        name: {
            text: format(round(row[key], 3) + 0.0, digits)
            for key, (text, digits) in words.items()
            if key in row
        }
        for name, row in rows.items()
    }
    return pd.DataFrame(table)


def describe_rows(
    ours: tuple[Image, float, Image],
    paper: tuple[Image, float, Image],
    micrograph: Micrograph,
    columns: Columns,
    pixel: Pixel,
    box: Box,
) -> dict[str, dict[str, float]]:
    """Say what two rows explain, how far they reach [nm] and where they lie [%].

    Each is a row of the Jacobian, a net bias and a denoised image; the second row is
    that of the `box` alone. Where a truth is known, with the PSNR of the images [dB].
    """
    top, left, height, width = box
    inside = np.s_[top : top + height, left : left + width]
    places = columns.positions - (top, left)
    within = ((places > -0.5) & (places < np.array([height, width]) - 0.5)).all(1)
    some = replace(columns[within], positions=places[within], shape=(height, width))
    there = pixel[0] - top, pixel[1] - left
    whole = (*ours[:2], micrograph.noisy, columns, pixel)
    part = (*paper[:2], micrograph.noisy[inside], some, there)
    both = {}
    names = "default network", "paper's network"
    for name, (row, bias, counts, found, place), image in zip(
        names, (whole, part), (ours[2], paper[2]), strict=True
    ):
        explained = float((row * counts).sum())
        reach = effective_field_of_view(row, place, fraction=0.5)
        parts = share_weights(row, found, place)
        entry = {"explained": explained, "bias": bias, "denoised": explained + bias}
        entry["reach"] = reach * micrograph.pixel_size / 10
        both[name] = entry | {part: 100 * parts[part] for part in parts}
        if micrograph.clean is not None:
            both[name]["psnr"] = psnr(micrograph.clean, image)
    return both


def list_rows(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Give the numbers of `describe_rows` to a figure."""
    return {
        name: {key: round(float(value), 3) + 0.0 for key, value in row.items()}
        for name, row in rows.items()
    }


def tell_rows(ours: Mapping[str, float], paper: Mapping[str, float]) -> str:
    """Say whom the pixel borrows from, in our network and in the paper's."""
    more = "more" if ours["far"] > ours["own"] + ours["beside"] else "no more"
    return (
        f"The default network takes {more} of its weight from columns farther away "
        f"({ours['far']:.0f} %) than from the pixel's column and those next to it "
        f"({ours['own'] + ours['beside']:.0f} %). In the paper's network, as trained "
        f"here, the pixel's own column holds {paper['own']:.0f} %, those next to it "
        f"{paper['beside']:.0f} %, those farther away {paper['far']:.0f} %, and half "
        f"of the squared weight lies within {paper['reach']:.2f} nm."
    )


def show_filter(
    spectrum: tuple[Image, np.ndarray],
    image: Image,
    table: pd.DataFrame,
    pixel: Pixel,
    maps: Mapping[str, Image],
    *,
    pixel_size: float,
    band: float = 0.1,
    heading: str = "",
) -> Figure:
    """Draw a row of the Jacobian as a filter, above maps of other ways to look at it.

    From `sbd.filter_spectrum`, up to the frequency `band` [cycles per pixel], and from
    `sbd.column_weights`. The two maps' deepest colours are at their 99.9th percentile.
    """
    amplitude, frequencies = spectrum
    near = np.abs(frequencies) <= band
    fig, panels = arrange_panels("ab;cd", height=0.84 * WIDTH, heading=heading)
    fig.get_layout_engine().set(wspace=0.06)
    ax = panels["a"]
    shown = show_image(ax, amplitude[np.ix_(near, near)], limits=(0.0, 1.0))
    ends = np.array([frequencies[near][0], frequencies[near][-1]]) / pixel_size
    half = (ends[1] - ends[0]) / (near.sum() - 1) / 2
    across = np.array([ends[0] - half, ends[1] + half])
    shown.set_extent([*across, *across[::-1]])
    ax.set_xticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    ax.set(xlim=across, ylim=across[::-1])
    name_chart(ax, "(a) Waves that pass", "spatial frequency (1/\u00c5)", "")
    add_bar(ax, shown, "amplitude that passes")
    title = "(b) Borrowed from, weights"
    show_column_weights(panels["b"], image, table, pixel, title=title)
    for name, (title, values) in zip("cd", maps.items(), strict=True):
        limit = float(np.quantile(np.abs(values), 0.999)) or None
        show_map(
            panels[name], values, title=f"({name}) {title}", limit=limit, label="weight"
        )
    for name in "bcd":
        mark_scale(panels[name], pixel_size, length=None)
    return fig
