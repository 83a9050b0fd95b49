"""How much an estimate depends on where the image was cut.

A micrograph ends where the detector ends. What a network makes of a column far from any
border should not change when the same counts come in a larger or smaller image, or one
that begins a few pixels later. `change_by_distance` measures by how much it does.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from matplotlib.figure import Figure
from torch import nn

from sbd.columns.finding import find_columns, match_columns
from sbd.companion.wording import markdown
from sbd.metrics import authors_psnr
from sbd.networks.published import UNet
from sbd.plotting.charts import name_chart, name_lines
from sbd.plotting.colours import OCHRE, RED, STEEL
from sbd.plotting.images import (
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    shared_grey,
    show_image,
    show_map,
)
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_image, check_whole

if TYPE_CHECKING:
    from IPython.display import Markdown

_FAINT = 1e-3  # of the largest value: a change that nobody would see
_LEAST = 1e-8  # a change that does not matter, less than rounding
_LINES = ((RED, "-"), (OCHRE, "--"), (STEEL, "-"))

_SAME = 8.0  # half an angstrom: the same column [pixels]
_BAND = 32  # width of the bands along the far border [pixels]


class ZeroFilledUNet(nn.Module):
    """The paper's network with its published decoder.

    Where a side is no multiple of ``2**scales``, the decoder comes out a row short, and
    a row of zeros is put beside it. `UNet` mirrors the image up to a multiple instead.
    """

    def __init__(self, model: UNet) -> None:
        super().__init__()
        if not isinstance(model, UNet) or model.binning != 1:
            msg = f"model must be a UNet without binning; got {type(model).__name__}"
            raise TypeError(msg)
        self.model = model

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, 1, height, width)."""
        estimate = self.model.convolve(noisy, _fill)
        return noisy - estimate if self.model.residual else estimate


def _fill(x: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Put zeros around feature maps that are too small."""
    short, narrow = (shape[i] - x.shape[i] for i in (-2, -1))
    half = narrow // 2, short // 2
    return F.pad(x, (half[0], narrow - half[0], half[1], short - half[1]))


def remember(denoise: Denoiser) -> Denoiser:
    """Keep what a denoiser makes of each image, as the page asks for some again."""
    kept: dict[tuple, Image] = {}

    def remembered(noisy: Image) -> Image:
        key = noisy.shape, np.asarray(noisy, float).tobytes()
        if key not in kept:
            kept[key] = denoise(noisy)
        return kept[key].copy()

    return remembered


def change_by_distance(
    denoise: Denoiser, noisy: Image, *, cut: int, step: int = 32
) -> pd.Series:
    """Compare cutting then denoising with denoising then cutting, by distance [pixels].

    `cut` columns go off the far end, or off the near one if negative. Returns the
    largest difference there or farther away, relative to the estimate's largest value.
    """
    noisy = check_image(noisy, "noisy")
    width = noisy.shape[1]
    if not 0 < abs(cut) < width:
        msg = f"cut must be 1 to {width - 1} columns, or minus that; got {cut}"
        raise ValueError(msg)
    check_whole("step", step)
    kept = slice(None, -cut) if cut > 0 else slice(-cut, None)
    whole = apply_denoiser(denoise, noisy)
    change = np.abs(apply_denoiser(denoise, noisy[:, kept]) - whole[:, kept])
    change = change.max(axis=0) / np.abs(whole).max()
    if cut > 0:
        change = change[::-1]  # from the new end on
    farther = np.maximum.accumulate(change[::-1])[::-1]
    at = np.arange(0, len(farther), step)
    return pd.Series(farther[at], index=pd.Index(at, name="distance"))


def border_psnr(clean: Image, image: Image, *, band: int = _BAND) -> dict[str, float]:
    """Score the far border of an image apart from the rest.

    By the authors' metric [dB]: the ``whole``, the ``last`` `band` rows, as many
    ``before`` them, and the ``rest``.
    """
    clean, image = check_image(clean, "clean"), check_image(image, "image")
    if not 0 < 2 * band < clean.shape[0]:
        msg = f"band must be 1 to {(clean.shape[0] - 1) // 2}; got {band}"
        raise ValueError(msg)
    parts = {
        "whole": slice(None),
        "last": slice(-band, None),
        "before": slice(-2 * band, -band),
        "rest": slice(None, -2 * band),
    }
    return {name: authors_psnr(clean[at], image[at]) for name, at in parts.items()}


def cut_cost(
    denoise: Denoiser, clean: Image, noisy: Image, *, cut: int
) -> dict[str, float]:
    """Say what cutting off some columns does to all that is left.

    As for `change_by_distance`, `cut` columns go off the far end, or off the near one
    if negative. PSNR before and after by the authors' metric [dB], and of the columns
    that are found in one of the two estimates the share that the other has not, within
    8 pixels.
    """
    kept = np.s_[:, slice(None, -cut) if cut > 0 else slice(-cut, None)]
    before = apply_denoiser(denoise, noisy)[kept]
    after = apply_denoiser(denoise, noisy[kept])
    found = [find_columns(image).positions for image in (before, after)]
    match = match_columns(*found, tolerance=_SAME)
    either = len(match.pairs) + len(match.missed) + len(match.spurious)
    return {
        "before": authors_psnr(clean[kept], before),
        "after": authors_psnr(clean[kept], after),
        "columns before": len(found[0]),
        "share that differs": 1 - len(match.pairs) / max(1, either),
    }


def tabulate_costs(
    costs: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> pd.DataFrame:
    """Write costs of `cut_cost`, by cut, then by network, with units."""
    rows = {
        (cut, network): {
            "PSNR before (dB)": f"{cost['before']:.3f}",
            "after (dB)": f"{cost['after']:.3f}",
            "columns before": cost["columns before"],
            "not in both (%)": f"{100 * cost['share that differs']:.1f}",
        }
        for cut, each in costs.items()
        for network, cost in each.items()
    }
    return pd.DataFrame(rows).T.rename_axis(["cut off", "network"])


def tabulate_borders(psnrs: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Write scores of `border_psnr`, by network, with units."""
    heads = {
        "whole": "whole image (dB)",
        "last": f"last {_BAND} columns (dB)",
        "before": f"the {_BAND} before (dB)",
        "rest": "all others (dB)",
    }
    return pd.DataFrame(psnrs).T.rename(columns=heads).map("{:.2f}".format)


def tell_reach(
    changes: Mapping[str, Mapping[str, pd.Series]],
    costs: Mapping[str, Mapping[str, Mapping[str, float]]],
    network: str,
) -> "Markdown":
    """Say how far a network feels each of the cuts, and what that costs."""
    told = []
    for cut, each in changes.items():
        fall, cost = each[network], costs[cut][network]
        near = fall.index[fall < _FAINT]
        far = (
            f"beyond {near[0]} pixels less than {100 * _FAINT:g} %" if len(near)
            else f"up to {100 * fall.iloc[-1]:.1f} % even at the other end"
        )  # fmt: skip
        told.append(
            f"* **{cut}**: up to {100 * fall.iloc[0]:.0f} % of the largest value "
            f"changes at the cut, {far}; {cost['after'] - cost['before']:+.3f} dB, and "
            f"{100 * cost['share that differs']:.1f} % of the columns."
        )
    return markdown(f"What the {network} makes of each cut:\n\n" + "\n".join(told))


def show_changes(
    changes: Mapping[str, Mapping[str, pd.Series]],
    costs: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
) -> Figure:
    """Draw how what changes by a cut falls with the distance from it.

    `changes` are of `change_by_distance`, by cut, then by network. No change at all is
    drawn on the lower edge. `costs`, of `cut_cost`, are written above the lines, in
    their colours.
    """
    names = "abcdef"[: len(changes)]
    fig, panels = arrange_panels(names, height=0.46 * WIDTH)
    for name, (cut, each) in zip(names, changes.items(), strict=True):
        ax = panels[name]
        for k, (network, (colour, style)) in enumerate(zip(each, _LINES, strict=False)):
            fall = each[network].clip(lower=_LEAST)
            ax.plot(fall.index, fall, style, color=colour, label=network, linewidth=1.3)
            if costs:
                cost = costs[cut][network]
                words = f"{cost['after'] - cost['before']:+.2f} dB, "
                words += f"{100 * cost['share that differs']:.1f} % of columns"
                place = {"transform": ax.transAxes, "ha": "right", "va": "top"}
                ax.text(1.0, 0.99 - 0.075 * k, words, color=colour, size=7, **place)
        ax.set_yscale("log")
        ax.set_ylim(_LEAST, 1e3 if costs else 1)
        ticks = 10.0 ** np.arange(-8, 1, 2)
        ax.set_yticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        ax.set_yticks([], minor=True)
        up = "largest change, of the largest value" if name == names[0] else ""
        name_chart(ax, f"({name}) {cut}", "distance from the cut (pixel)", up)
    name_lines(panels["a"], 3, fontsize=7, frameon=False)
    return fig


def show_cuts(
    estimates: Mapping[str, Image], differences: Mapping[str, Image], *, limit: float
) -> Figure:
    """Draw estimates by network, and below what changes in them when the image is cut.

    All estimates are on one grey scale. `limit` ends the scale of the differences
    [electrons per pixel]; they are drawn as a share of the vacuum's intensity.
    """
    names = list("abcdef"[: len(estimates)])
    shape = next(iter(estimates.values())).shape
    tall = 0.85 * WIDTH / len(names) * shape[0] / shape[1]
    mosaic = [names, [name.upper() for name in names]]
    fig, panels = arrange_panels(mosaic, height=2 * tall + 1.6 * TITLE_ROOM)
    limits = shared_grey(estimates.values())
    for name, network in zip(names, estimates, strict=True):
        title = f"({name}) {network}"
        shown = show_image(panels[name], estimates[network], title=title, limits=limits)
        mark_scale(panels[name], PIXEL, length=None)
        last = name == names[-1]
        if last:
            add_bar(panels[name], shown)
        show_map(
            panels[name.upper()],
            100 * differences[network] / VACUUM,
            limit=100 * limit / VACUUM,
            label="change, % of the vacuum",
            colour_bar=last,
        )
    return fig
