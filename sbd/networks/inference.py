"""Networks at work: folded, in tiles, and averaged over turns and mirrors.

Folding and tiles change the result by little more than rounding; the average over turns
and mirrors is an estimate of its own.
"""

import copy
import ctypes
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from sbd.networks.convolutions import FastConvolution, FixedConvolution
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.operations import Operations
from sbd.networks.published import DnCNN, DurrUNet, UNet, denoise_by_bins
from sbd.networks.translations import TILE
from sbd.typing import Image

_WIDE = 128  # channels from which computing rows together pays

_FOLDED: WeakKeyDictionary = WeakKeyDictionary()
"""What `fold` made of each network: what it was, and the copy on each device."""

_KNOWN = {
    UNet, DnCNN, DurrUNet, LatticeUNet, CrystalUNet, nn.Sequential, nn.ModuleDict,
    nn.ModuleList, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU,
}  # fmt: skip
"""Parts whose result depends on nothing that `_describe` does not tell."""

_PRECISE, _BEFORE = Lock(), []


def fold(model: nn.Module, device: torch.device | None = None) -> nn.Module:
    """Make a copy of a network that does the same in evaluation mode, faster.

    On `device`, or where the network is. Results differ by rounding alone. The copy of
    a network of this library is kept, and given again as long as all its weights and
    settings are what they were. `model` itself where there is nothing to do; one with
    hooks or reparametrised weights is copied as it is.
    """
    there = next((t.device for t in model.parameters()), device)
    device = there if device is None else _number(device)
    foldable = not any(map(_is_altered, model.modules()))
    if there == device and not (foldable and any(_normalised(model))):
        return model
    with torch.inference_mode(mode=False):
        if not foldable:
            return copy.deepcopy(model).eval().to(device)
        if not all(type(part) in _KNOWN for part in model.modules()):
            return _fold(model, device)
        state = _describe(model)
        kept = _FOLDED.get(model)
        if kept is None or kept[0] != state:
            _FOLDED[model] = kept = (state, {})
        if device not in kept[1]:
            kept[1][device] = _fold(model, device)
        return kept[1][device]


def _number(device: torch.device) -> torch.device:
    """Tell which of the GPUs, as tensors do."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _is_altered(part: nn.Module) -> bool:
    """Whether a part computes something else than its kind does."""
    return bool(
        part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
        or is_parametrized(part)
        or "forward" in vars(part)
    )


def _describe(model: nn.Module) -> tuple:
    """Tell all that the result of a network of this library depends on.

    Weights by a checksum: what is written through ``data`` or a view leaves no trace.
    """
    parts = []
    for part in model.modules():
        plain = ((key, value) for key, value in vars(part).items() if _is_plain(value))
        parts.append((id(part), *plain))
    tensors = (*model.parameters(), *model.buffers())
    looks = [(t.dtype, t.shape, t.stride(), t.storage_offset()) for t in tensors]
    return parts, looks, [_sum_bytes(t) for t in tensors]


def _sum_bytes(tensor: torch.Tensor) -> int:
    """Sum what a tensor holds up, without an operation of torch on a CPU's."""
    store = tensor.cpu().untyped_storage()
    if not store.nbytes() or not store.data_ptr():
        return 0
    kept = (ctypes.c_char * store.nbytes()).from_address(store.data_ptr())
    return zlib.crc32(kept)


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str | Operations) or (
        isinstance(value, tuple) and all(map(_is_plain, value))
    )


def _fold(model: nn.Module, device: torch.device | None) -> nn.Module:
    model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    on_cpu = device is None or device.type == "cpu"
    for convs, norms, i, j in list(_normalised(model)):
        convs[i] = _fold_pair(convs[i], norms[j], on_cpu=on_cpu)
        norms[j] = nn.Identity()
    return model.to(device, memory_format=torch.channels_last)


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


def _fold_pair(conv: nn.Conv2d, norm: nn.BatchNorm2d, *, on_cpu: bool) -> nn.Module:
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
    if not on_cpu or not FastConvolution.takes(conv):
        return folded
    if min(conv.in_channels, conv.out_channels) >= _WIDE:
        return FastConvolution(folded)
    return FixedConvolution(folded) if conv.padding_mode == "replicate" else folded


@contextmanager
def whole_precision() -> Iterator[None]:
    """Compute in float32 what is float32: a GPU's quick way keeps 10 bits of 23."""
    if not torch.cuda.is_available():
        yield
        return
    if new := hasattr(torch.backends.cudnn, "conv"):  # from torch 2.9 on
        places = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    else:
        places = torch.backends.cudnn, torch.backends.cuda.matmul
    name, whole = ("fp32_precision", "ieee") if new else ("allow_tf32", False)
    with _PRECISE:  # one setting for all threads: the first one in sets it ...
        _BEFORE.append([getattr(place, name) for place in places])
        for place in places:
            setattr(place, name, whole)
    try:
        yield
    finally:
        with _PRECISE:  # ... and the last one out sets it back
            first = _BEFORE[0]
            _BEFORE.pop()
            if not _BEFORE:
                for place, value in zip(places, first, strict=True):
                    setattr(place, name, value)


def find_tiling(model: nn.Module) -> tuple[int, int]:
    """Tell where tiles may begin, and how far around one a network sees [pixels].

    They begin on the grid of the network's own windows, tiles and halvings.
    """
    if isinstance(model, DnCNN):
        return 1, model.config["depth"]
    if isinstance(model, DurrUNet):
        return 2, 24
    if isinstance(model, UNet) and not model.align_corners:
        grid = model.binning * 2**model.scales
        return grid, 8 * grid  # seen: 6 bins less
    if isinstance(model, LatticeUNet | CrystalUNet):
        grid, halo = find_tiling(model.unet)
        if isinstance(model, LatticeUNet):
            grid, halo = math.lcm(grid, 16), 96 + halo  # hop and widest window
        else:  # 600 bins could matter; those beyond 256 change the result by 1e-5
            grid, halo = math.lcm(grid, TILE), max(4 * TILE, 2 * TILE + halo)
        return model.binning * grid, model.binning * halo
    msg = (
        "tile must be None for this network, whose result depends on the size of the "
        f"image it is given; got a {type(model).__name__} (of a UNet, align_corners = "
        "False makes tiles exact, and changes the result a little)"
    )
    raise ValueError(msg)


def denoise_in_tiles(
    model: nn.Module,
    noisy: torch.Tensor,
    *,
    tile: int,
    bins: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Denoise (batch, 1, height, width) in pieces, with margins that are thrown away.

    `tile` is their side [pixels], rounded up to the grid that `find_tiling` tells;
    `bins` as for `denoise_by_bins`.
    """
    grid, halo = find_tiling(model)
    if not hasattr(model, "denoise_binned"):
        pieces = partial(in_tiles, model, tile=tile, grid=grid, halo=halo)
        return denoise_by_bins(pieces, noisy, bins)
    # binning and interpolation are done by the network, to the whole image
    tiled, own = copy.copy(model), model.binning
    used = max(bins or (own, own))
    sizes = {"tile": -(-tile // used), "grid": grid // own, "halo": -(-halo // own)}
    tiled.denoise_binned = partial(in_tiles, model.denoise_binned, **sizes)
    return denoise_by_bins(tiled, noisy, bins)


def in_tiles(
    estimate: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    *,
    tile: int,
    grid: int,
    halo: int,
) -> torch.Tensor:
    """Apply a network to pieces with margins of `halo`, cut on a grid."""
    step = -(-tile // grid) * grid
    whole = None
    for top, left in product(*(range(0, size, step) for size in image.shape[-2:])):
        above, before = (max(0, (at - halo) // grid * grid) for at in (top, left))
        seen = image[..., above : top + step + halo, before : left + step + halo]
        inner = estimate(seen)[..., top - above :, left - before :]
        if whole is None:
            whole = inner.new_empty((*inner.shape[:-2], *image.shape[-2:]))
        whole[..., top : top + step, left : left + step] = inner[..., :step, :step]
    return whole


def average_symmetries(denoise: Callable[[Image, bool], Image], noisy: Image) -> Image:
    """Average what a denoiser makes of the eight turns and mirrors of an image.

    It is told of each whether rows have become columns.
    """
    total = 0
    for turns in range(4):
        for mirrored in (False, True):
            image = np.rot90(noisy.T if mirrored else noisy, turns)
            across = mirrored != bool(turns % 2)
            estimate = np.rot90(denoise(np.ascontiguousarray(image), across), -turns)
            total = total + (estimate.T if mirrored else estimate)
    return total / 8
