"""How much an estimate depends on where the image was cut.

A micrograph ends where the detector ends. What a network makes of a column far from any
border should not change when the same counts come in a larger or smaller image, or one
that begins a few pixels later. `change_by_distance` measures by how much it does.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from matplotlib.figure import Figure
from torch import nn

from sbd.metrics import authors_psnr
from sbd.networks.published import UNet
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import OCHRE, RED, STEEL
from sbd.plotting.images import TITLE_ROOM, arrange_panels, show_image, show_map
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_image

_LEAST = 1e-8  # a change that does not matter, less than rounding
_LINES = ((RED, "-"), (OCHRE, "--"), (STEEL, "-"))

_BAND = 32  # width of the bands along the far border [pixels]


class ZeroFilledUNet(nn.Module):
    """The paper's network with its published decoder.

    Where a side of the image is no multiple of ``2**scales``, halving drops the last
    row, and the decoder, interpolating back, comes out one row short. As published, a
    row of zeros is then put beside it. `UNet` mirrors the image up to a multiple first
    instead, with the same weights.

    Parameters
    ----------
    model : UNet
        Weights to use, of a network that works on every pixel.

    Raises
    ------
    TypeError
        If `model` is none.

    Examples
    --------
    >>> model = UNet(scales=2, channels=4).eval()
    >>> noisy = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    >>> with torch.no_grad():  # on multiples both are the same
    ...     bool(torch.allclose(ZeroFilledUNet(model)(noisy), model(noisy)))
    True
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


def change_by_distance(
    denoise: Denoiser, noisy: Image, *, cut: int, step: int = 32
) -> pd.Series:
    """Compare cutting then denoising with denoising then cutting.

    Parameters
    ----------
    denoise : callable
        Image to image.
    noisy : ndarray of shape (height, width)
        Recorded counts [electrons per pixel].
    cut : int
        Columns to cut off; at the far end, or at the near one if negative [pixels].
    step : int, default 32
        Between the distances [pixels].

    Returns
    -------
    pandas.Series
        By distance from the new end [pixels], the largest difference of the two
        estimates there or farther away, relative to the largest value of the estimate.

    Raises
    ------
    ValueError
        If nothing is cut off or nothing is left, or `step` is below 1.

    Examples
    --------
    >>> image = np.eye(40)
    >>> change_by_distance(np.array, image, cut=4).tolist()
    [0.0, 0.0]
    """
    noisy = check_image(noisy, "noisy")
    width = noisy.shape[1]
    if not 0 < abs(cut) < width:
        msg = f"cut must be 1 to {width - 1} columns, or minus that; got {cut}"
        raise ValueError(msg)
    if step < 1:
        msg = f"step must be at least 1; got {step}"
        raise ValueError(msg)
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

    Parameters
    ----------
    clean, image : ndarray of shape (height, width)
        Truth and estimate [electrons per pixel].
    band : int, default 32
        Width of each of two bands along the last rows [pixels].

    Returns
    -------
    dict of str to float
        By the authors' metric, ``whole``, the ``last`` rows, those ``before`` them, and
        the ``rest`` [dB].

    Raises
    ------
    ValueError
        If the images differ in shape, or the bands leave no rest.

    Examples
    --------
    >>> clean = np.full((80, 20), 0.45)
    >>> scores = border_psnr(clean, clean + 0.01 * (np.arange(80) > 47)[:, None])
    >>> scores["last"] < scores["whole"] < scores["rest"]
    True
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


def show_changes(
    changes: Mapping[str, Mapping[str, pd.Series]], *, width: float = 7.0
) -> Figure:
    """Draw how what changes by a cut falls with the distance from it.

    Parameters
    ----------
    changes : dict of str to dict of str to pandas.Series
        By cut, then by network: `sbd.companion.pages.borders.change_by_distance`.
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each cut. No change at all is drawn on the lower edge.

    Examples
    --------
    >>> fall = pd.Series([0.1, 0.0], index=[0, 32])
    >>> len(show_changes({"by one": {"network": fall}}).axes)
    1
    """
    names = "abcdef"[: len(changes)]
    fig, panels = arrange_panels(names, width=width, height=0.42 * width)
    for name, (cut, each) in zip(names, changes.items(), strict=True):
        ax = panels[name]
        for network, (colour, style) in zip(each, _LINES, strict=False):
            fall = each[network].clip(lower=_LEAST)
            ax.plot(fall.index, fall, style, color=colour, label=network, linewidth=1.3)
        ax.set_yscale("log")
        ax.set_ylim(_LEAST, 1)
        name_chart(ax, f"({name}) {cut}", "distance (pixel)", "largest change")
    handles, labels = panels["a"].get_legend_handles_labels()
    fig.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=7, frameon=False
    )
    return fig


def show_cuts(
    estimates: Mapping[str, Image],
    differences: Mapping[str, Image],
    *,
    limit: float,
    width: float = 7.0,
) -> Figure:
    """Draw estimates, and what changes in them when the image is cut.

    Parameters
    ----------
    estimates : dict of str to ndarray of shape (height, width)
        By network [electrons per pixel].
    differences : dict of str to ndarray of shape (height, width)
        By the same networks: cut then denoised, less denoised then cut.
    limit : float
        End of the scale of the differences [electrons per pixel].
    width : float, default 7.0
        Width of the figure [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Estimates above, differences below, as a share of the vacuum's intensity.

    Examples
    --------
    >>> flat = np.ones((8, 9))
    >>> len(show_cuts({"a": flat}, {"a": 0 * flat}, limit=0.1).axes[0].images)
    1
    """
    names = list("abcdef"[: len(estimates)])
    shape = next(iter(estimates.values())).shape
    tall = width / len(names) * shape[0] / shape[1]
    mosaic = [names, [name.upper() for name in names]]
    fig, panels = arrange_panels(mosaic, width=width, height=2 * tall + 2 * TITLE_ROOM)
    for name, network in zip(names, estimates, strict=True):
        show_image(panels[name], estimates[network], title=f"({name}) {network}")
        show_map(
            panels[name.upper()],
            100 * differences[network] / VACUUM,
            limit=100 * limit / VACUUM,
            label="% of the vacuum",
            colour_bar=name == names[-1],
        )
    return fig
