"""Page 02: images with nested zooms, and the scores of their denoisers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbd.companion.frames import draw_frames
from sbd.companion.wording import with_error
from sbd.denoisers.trials import check_trials, try_denoisers
from sbd.metrics import authors_psnr, authors_ssim
from sbd.plotting.colours import BRICK, INK, ORANGE, RED, STEEL
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    Limits,
    add_bar,
    arrange_panels,
    prepare_images,
    shared_grey,
    show_image,
)
from sbd.plotting.marks import Box, check_box, frame_panel, mark_box, mark_scale
from sbd.typing import Denoiser, Image

PAPER = 38.16
"""PSNR of the paper's network on 279 validation images, by the authors' log [dB]."""


def show_zooms(
    images: Mapping[str, Image],
    boxes: Sequence[Box],
    *,
    colours: Sequence[str] = (RED, ORANGE),
    limits: Limits | Mapping[str, Limits] = "full",
    pixel_size: float | None = None,
    heading: str = "",
) -> Figure:
    """Draw images in columns, and below each the same boxes of it enlarged.

    Boxes are (row, column, height, width) [pixels], one row of panels each. `limits`
    are of the whole images, as in `show_images`; the zooms keep them. The bar on the
    right is that of the last column. With `pixel_size` [angstrom] panels have scales.
    """
    checked, grey = prepare_images(images, limits)
    shapes = {image.shape for image in checked.values()}
    if len(shapes) != 1:
        msg = f"images must have one shape; got {sorted(shapes)}"
        raise ValueError(msg)
    if not 1 <= len(boxes) <= len(colours):
        msg = f"boxes must be 1 to {len(colours)}, one per colour; got {len(boxes)}"
        raise ValueError(msg)
    (shape,) = shapes
    boxes = [check_box(box, shape) for box in boxes]
    panel = (WIDTH - 0.75) / len(checked)  # beside the bar
    heights = [panel * h / w for h, w in (shape, *(box[2:] for box in boxes))]
    mosaic = [[f"{row} {name}" for name in checked] for row in range(len(heights))]
    height = sum(heights) + TITLE_ROOM
    height += TITLE_ROOM if heading else 0.0
    fig, panels = arrange_panels(
        mosaic, height=height, heights=heights, heading=heading
    )
    for name, image in checked.items():
        whole = panels[f"0 {name}"]
        shown = show_image(whole, image, title=name, limits=grey[name])
        for k, (box, colour) in enumerate(zip(boxes, colours, strict=False), start=1):
            row, column, height, across = box
            zoom = image[row : row + height, column : column + across]
            show_image(panels[f"{k} {name}"], zoom, limits=shown.get_clim())
            frame_panel(panels[f"{k} {name}"], colour)
            mark_box(whole, box, colour)
    for k in range(len(heights)):
        add_bar(ax := panels[f"{k} {name}"], ax.images[0])
    if pixel_size is not None:
        for ax in panels.values():
            mark_scale(ax, pixel_size, length=None)
    return fig


def choose_grey(
    images: Mapping[str, Image],
) -> tuple[dict[str, Limits], tuple[float, float]]:
    """Give the first image, of counts, a grey of its own, and the others one for all.

    As limits for `show_zooms`, and (black, white) of the others.
    """
    counts, *names = images
    grey = shared_grey(images[name] for name in names)
    return {counts: "robust"} | dict.fromkeys(names, grey), grey


def frame_box(
    images: Mapping[str, Image],
    box: Box,
    *,
    limits: tuple[float, float],
    pixel_size: float,
) -> dict[str, Figure]:
    """Draw a box of each image alone, all on one grey scale, without their letters."""
    row, column, height, width = box
    parts = {
        name.rpartition(") ")[2]: image[row : row + height, column : column + width]
        for name, image in images.items()
    }
    return draw_frames(parts, limits=limits, pixel_size=pixel_size)


def score_draws(
    clean: Image, denoisers: Mapping[str, Denoiser], *, draws: int, seed: int
) -> pd.DataFrame:
    """Score denoisers on the draws of `sbd.compare_denoisers`, with standard errors.

    A row each, the best first; of one draw the errors are NaN.
    """
    check_trials(draws, denoisers=denoisers)
    rows = [
        (one.name, authors_psnr(clean, one.estimate), authors_ssim(clean, one.estimate))
        for draw in range(draws)
        for one in try_denoisers(denoisers, clean, seed=[seed, draw])
    ]
    table = pd.DataFrame(rows, columns=["denoiser", "PSNR", "SSIM"])
    groups = table.groupby("denoiser", sort=False)
    table = groups.mean().join(groups.sem().add_suffix(" error"))
    return table.sort_values("PSNR", ascending=False, kind="stable")


def list_scores(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Give the numbers of `score_draws` to a figure, those that there are."""
    names = {"PSNR": "psnr", "PSNR error": "psnr_error"}
    names |= {"SSIM": "ssim", "SSIM error": "ssim_error"}
    return {
        name: {
            short: round(float(row[long]), 2 if "PSNR" in long else 4)
            for long, short in names.items()
            if np.isfinite(row[long])
        }
        for name, row in table.iterrows()
    }


def tabulate_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Write the numbers of `score_draws` with their errors."""
    return pd.DataFrame(
        {
            f"{name}{unit}": [
                with_error(value, error, digits=digits)
                for value, error in zip(
                    table[name], table[f"{name} error"], strict=True
                )
            ]
            for name, unit, digits in (("PSNR", " (dB)", 1), ("SSIM", "", 3))
        },
        index=table.index,
    )


def show_psnr(
    table: pd.DataFrame, *, paper: float | None = None, heading: str = ""
) -> Figure:
    """Draw the PSNR of `score_draws` as dots with standard errors, the best first.

    The raw counts are left out, the constant is a line, and so is the `paper`'s value.
    """
    table = table.drop(index=["raw counts"], errors="ignore")
    dots = table.drop(index=["constant"], errors="ignore")
    height = 0.75 + 0.24 * len(dots) + 0.25 * (heading.count("\n") + bool(heading))
    fig, panels = arrange_panels("a", width=6.0, height=height, heading=heading)
    ax, places = panels["a"], np.arange(len(dots))
    colours = [BRICK if "network" in name else STEEL for name in dots.index]
    for place, colour, (_, row) in zip(places, colours, dots.iterrows(), strict=True):
        reach = row["PSNR error"] if np.isfinite(row["PSNR error"]) else 0.0
        look = {"color": colour, "elinewidth": 1.0, "capsize": 2.5}
        ax.errorbar(row["PSNR"], place, xerr=reach, fmt="o", markersize=4.5, **look)
    lines = {"a constant": table["PSNR"].get("constant")}
    lines |= {f"paper, 279 validation images: {paper}": paper}
    words = {"color": INK, "fontsize": 7.5, "va": "bottom", "ha": "center"}
    for name, value in lines.items():
        if value is not None:
            ax.axvline(value, color=INK, linewidth=0.8, linestyle=":")
            ax.text(value, 1.0, name, transform=ax.get_xaxis_transform(), **words)
    ax.set_yticks(places, dots.index)
    ax.set_ylim(len(dots) - 0.5, -0.5)
    ax.margins(x=0.06)
    ax.grid(axis="y", color="#eeeeee", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_xlabel("PSNR (dB), mean and standard error over the draws")
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def tell_scores(table: pd.DataFrame, record: Mapping[str, Any], draws: int) -> str:
    """Say how far apart the best are here, and what many other images give."""
    best, second = table.index[:2]
    gap = table["PSNR"].iloc[0] - table["PSNR"].iloc[1]
    times = f"{draws} times" if draws > 1 else "once"
    words = (
        f"On this one image, counted {times}, the best is the {best}, by "
        f"{gap:.1f} dB over {second}; a draw is not another image, and errors are "
        "over the draws alone."
    )
    if record:
        mine = record["strict test split"]["all"]
        score = with_error(mine["psnr"], mine["standard_error"])
        words += (
            f" On {mine['images']} images of the strict test split, of structures that "
            f"the training split has not, the default network gets {score} dB, and the "
            f"windowed Fourier filter {mine['windowed_fourier_psnr']:.1f} dB."
        )
    return words
