"""Networks that take a large image piece by piece, each stage for itself.

Of what a network holds while it works most is between the convolutions of its UNets,
and in the averages over translations. Done in pieces with margins, these need a part of
the memory, and the result is the same but for rounding; margins of single stages cost
little, where those of the whole network (`sbd.networks.inference.denoise_in_tiles`) are
wider than a tile.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from sbd.networks.inference import find_tiling, in_tiles
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.translations import TILE, sum_translations

_TILE = 512  # side of a UNet's pieces [bins]
_ROWS = 4  # of tiles that are averaged together
_MARGIN = 2  # tiles above and below whose places are seen: 96 + 20 places


def take_in_pieces(model: nn.Module) -> nn.Module:
    """Make a network that does the same with less memory; itself if none is known."""
    if not isinstance(model, LatticeUNet | CrystalUNet):
        return model
    model = copy.copy(model)
    model._modules = dict(model._modules)  # the copy's own, of the same parts
    unet = copy.copy(model.unet)
    grid, halo = find_tiling(unet)
    how = {"tile": _TILE, "grid": grid, "halo": halo}
    unet.denoise_binned = partial(in_tiles, model.unet.denoise_binned, **how)
    model.unet = unet
    if isinstance(model, CrystalUNet):
        model.pilot = take_in_pieces(model.pilot)
        if model.operations.sum_translations is sum_translations:
            in_bands = {"sum_translations": sum_in_bands}
            model.operations = replace(model.operations, **in_bands)
    return model


def sum_in_bands(
    guide: torch.Tensor,
    images: torch.Tensor,
    translations: tuple[torch.Tensor, torch.Tensor],
    variance: torch.Tensor,
    tolerances: Sequence[float],
) -> torch.Tensor:
    """Do what `sum_translations` does, some rows of tiles at a time."""
    height, width = guide.shape[-2:]
    rows, across = -(-height // TILE), -(-width // TILE)
    sums = []
    for top in range(0, rows, _ROWS):
        first, last = max(0, top - _MARGIN), min(rows, top + _ROWS + _MARGIN)
        band = slice(first * TILE, last * TILE)
        found = tuple(t[:, first * across : last * across] for t in translations)
        seen = (x[..., band, :].contiguous() for x in (guide, images))
        part = sum_translations(*seen, found, variance[..., band, :], tolerances)
        inner = (top - first) * TILE
        sums.append(part[..., inner : inner + _ROWS * TILE, :].clone())
    return torch.cat(sums, -2)
