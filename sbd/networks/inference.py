"""Networks at work: folded, in tiles, and averaged over turns and mirrors.

Folding and tiles change the result by little more than rounding; the average over turns
and mirrors is an estimate of its own.
"""

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import nn

from sbd.networks.convolutions import FastConvolution, FixedConvolution
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.published import DnCNN, DurrUNet, UNet
from sbd.networks.translations import TILE
from sbd.typing import Denoiser, Image

_WIDE = 128  # channels from which computing rows together pays


def fold(model: nn.Module) -> nn.Module:
    """Make a copy of a network that does the same in evaluation mode, faster.

    Normalisations by running statistics are multiplied into the convolutions before
    them, weights are laid out as the processor reads them, and wide convolutions are
    computed with half the multiplications (`sbd.networks.convolutions`).

    Parameters
    ----------
    model : torch.nn.Module
        Any network; left as it is.

    Returns
    -------
    torch.nn.Module
        In evaluation mode and without gradients of its weights. Where there is nothing
        to fold it is `model` itself, so folding twice is folding once.

    Notes
    -----
    Found are convolutions right before a normalisation in an ``nn.Sequential``, and
    the two lists of a `DnCNN`. The copy does not follow later changes of the original.
    Outputs differ by rounding: relative to the largest value by 4e-7 with trained
    weights, and by 3e-6 with wide convolutions.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> fold(model)[1]
    Identity()
    """
    if not any(_normalised(model)):
        return model
    model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    for convs, norms, i, j in list(_normalised(model)):
        convs[i] = _fold_pair(convs[i], norms[j])
        norms[j] = nn.Identity()
    return model.to(memory_format=torch.channels_last)


def _normalised(model: nn.Module) -> Iterator[tuple[nn.Module, nn.Module, int, int]]:
    """Find each convolution with a normalisation behind it: in what, and where."""
    for part in model.modules():
        places = []
        if type(part) is nn.Sequential:
            places = [(part, part, i, i + 1) for i in range(len(part) - 1)]
        elif isinstance(part, DnCNN):
            lists = part.hidden_layer_list, part.bn_layer_list
            places = [(*lists, i, i) for i in range(len(lists[0]))]
        for convs, norms, i, j in places:
            if (
                type(convs[i]) is nn.Conv2d
                and isinstance(norms[j], nn.BatchNorm2d)
                and norms[j].running_var is not None
            ):
                yield convs, norms, i, j


def _fold_pair(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Module:
    """Multiply a normalisation into a copy of the convolution before it."""
    folded, norm = copy.deepcopy(conv), copy.deepcopy(norm).cpu().double()
    zero = torch.zeros(1, conv.out_channels, 1, 1, dtype=torch.float64)
    shift = norm(zero).flatten()  # a straight line in each channel: two points tell it
    scale = norm(zero + 1).flatten() - shift
    weight = scale[:, None, None, None] * conv.weight.cpu()
    folded.weight = nn.Parameter(weight.to(conv.weight), requires_grad=False)
    if conv.bias is not None:
        shift = shift + scale * conv.bias.cpu()
    if conv.bias is not None or shift.any():
        folded.bias = nn.Parameter(shift.to(conv.weight), requires_grad=False)
    if not FastConvolution.takes(conv):
        return folded
    if min(conv.in_channels, conv.out_channels) >= _WIDE:
        return FastConvolution(folded)
    return FixedConvolution(folded) if conv.padding_mode == "replicate" else folded


def grid_of(model: nn.Module) -> int:
    """Tell where the tiles of an image may begin: at multiples of this.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library.

    Returns
    -------
    int
        Step of the grid that the network's own windows, tiles and halvings lie on
        [pixels].

    Raises
    ------
    ValueError
        If no tiles of the network would agree with the whole image, or it is no
        network of this library.

    Examples
    --------
    >>> [grid_of(LatticeUNet(scales=s, channels=2)) for s in (2, 6)]
    [64, 256]
    """
    return _tiling(model)[0]


def halo_of(model: nn.Module) -> int:
    """Tell how far around a tile a network has to see.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library.

    Returns
    -------
    int
        Margin that is computed on each side of a tile and thrown away [pixels].

    Raises
    ------
    ValueError
        As for `grid_of`.

    Notes
    -----
    It is as far as the network can see, so that tiles differ from the whole image by
    rounding only, with one exception: through its five stages a `CrystalUNet` could see
    nearly 600 bins far, and gets 256 (with six scales 640).
    With trained weights, the largest difference beyond a margin was, relative to the
    brightest place:

    ============= ======= ======= ======= ======= ======= =======
    margin [bins]      64     128     160     192     224     256
    ============= ======= ======= ======= ======= ======= =======
    `LatticeUNet`  8.4e-3  4.2e-5  1.7e-7  0.9e-7  0.9e-7  0.9e-7
    `CrystalUNet`  1.9e-2  4.3e-3  8.2e-4  1.7e-4  5.2e-5  6.5e-6
    ============= ======= ======= ======= ======= ======= =======

    Examples
    --------
    >>> halo_of(DnCNN(depth=17, channels=2))
    17
    """
    return _tiling(model)[1]


def _tiling(model: nn.Module) -> tuple[int, int]:
    """Return grid and halo."""
    if isinstance(model, DnCNN):
        return 1, model.config["depth"]
    if isinstance(model, DurrUNet):
        return 2, 24
    if isinstance(model, UNet) and not model.align_corners:
        grid = model.binning * 2**model.scales
        return grid, 8 * grid  # seen: 6 bins less
    if isinstance(model, LatticeUNet | CrystalUNet):
        grid, halo = _tiling(model.unet)
        if isinstance(model, LatticeUNet):
            grid, halo = math.lcm(grid, 16), 96 + halo  # hop and widest window
        else:
            grid, halo = math.lcm(grid, TILE), max(4 * TILE, 2 * TILE + halo)
        return model.binning * grid, model.binning * halo
    msg = (
        "tile must be None for this network, whose result depends on the size of the "
        f"image it is given; got a {type(model).__name__} (of a UNet, align_corners = "
        "False makes tiles exact, and changes the result a little)"
    )
    raise ValueError(msg)


def denoise_in_tiles(
    model: nn.Module, noisy: torch.Tensor, *, tile: int
) -> torch.Tensor:
    """Denoise an image piece by piece, each with a margin that is thrown away.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library.
    noisy : Tensor of shape (batch, 1, height, width)
        Recorded counts [electrons per pixel].
    tile : int
        Side of the pieces without their margins, rounded up to a multiple of
        `grid_of`. What is in the memory at a time is ``tile + 2 * halo_of(model)``
        wide [pixels].

    Returns
    -------
    Tensor of shape (batch, 1, height, width)
        What the network makes of the whole image [electrons per pixel]; how nearly is
        said in `halo_of`.

    Raises
    ------
    ValueError
        As for `grid_of`: a UNet with ``align_corners=True``, as published, is refused.
        It interpolates by the size of what it is given, so tiles would show seams, and
        ramps would hide them without making them right.

    Examples
    --------
    >>> model = UNet(scales=2, channels=4, align_corners=False).eval()
    >>> noisy = torch.rand(1, 1, 80, 90, generator=torch.Generator().manual_seed(0))
    >>> with torch.no_grad():
    ...     whole, tiled = model(noisy), denoise_in_tiles(model, noisy, tile=20)
    >>> bool(torch.allclose(whole, tiled, atol=1e-5))
    True
    """
    grid, halo = _tiling(model)
    if not hasattr(model, "denoise_binned"):
        return _in_tiles(model, noisy, tile=tile, grid=grid, halo=halo)
    # binning and interpolation are done by the network, to the whole image
    tiled = copy.copy(model)
    sizes = {"tile": tile, "grid": grid, "halo": halo}
    sizes = {name: -(-size // model.binning) for name, size in sizes.items()}
    tiled.denoise_binned = partial(_in_tiles, model.denoise_binned, **sizes)
    return tiled(noisy)


def _in_tiles(
    estimate: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    *,
    tile: int,
    grid: int,
    halo: int,
) -> torch.Tensor:
    step = -(-tile // grid) * grid
    whole = torch.empty_like(image)
    for top, left in product(*(range(0, size, step) for size in image.shape[-2:])):
        above, before = (max(0, (at - halo) // grid * grid) for at in (top, left))
        seen = image[..., above : top + step + halo, before : left + step + halo]
        inner = estimate(seen)[..., top - above :, left - before :]
        whole[..., top : top + step, left : left + step] = inner[..., :step, :step]
    return whole


def average_symmetries(denoise: Denoiser, noisy: Image) -> Image:
    """Average what a denoiser makes of the eight turns and mirrors of an image.

    Parameters
    ----------
    denoise : callable
        Any function from image to image.
    noisy : ndarray of shape (height, width)
        Recorded counts [electrons per pixel].

    Returns
    -------
    ndarray of shape (height, width)
        The mean of the eight estimates, each turned back [electrons per pixel].

    Notes
    -----
    Turning and mirroring the image does the same to the result.

    Examples
    --------
    >>> average_symmetries(lambda image: image + np.arange(3), np.zeros((3, 3)))[0]
    array([1., 1., 1.])
    """
    total = 0
    for turns in range(4):
        for mirrored in (False, True):
            image = noisy.T if mirrored else noisy
            estimate = denoise(np.ascontiguousarray(np.rot90(image, turns)))
            estimate = np.rot90(estimate, -turns)
            total = total + (estimate.T if mirrored else estimate)
    return total / 8
