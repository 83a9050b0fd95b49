r"""Operations of the networks in a form that every runtime has.

What is short in torch is slow or missing elsewhere: Fourier transforms, views of
overlapping windows, adding windows up, loops whose length depends on the image. Here
windowed transforms are convolutions with cosines and sines and back again transposed
convolutions, correlations are products with fixed matrices, and shifted tiles are
gathered. One image at a time; results differ by rounding from those of
`sbd.networks.spectra` and `sbd.networks.translations`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from sbd.networks.operations import Operations
from sbd.networks.spectra import _cosine_matrix
from sbd.networks.translations import (
    _FRACTION,
    _PATCH,
    _RAMP,
    _REACH,
    _SIDE,
    _TAPS,
    _WINDOW,
    TILE,
    _interpolator,
    _peaks,
    _smooth,
    keep_still,
)

_BORDER = _REACH // 2 + _SIDE + _PATCH  # around an image [pairs of places]
_PERIOD = _WINDOW + _REACH  # of the transforms that correlate a window
_TOGETHER = 43  # translations computed at a time, or
_SHIFTED = 400  # as many as make this number of shifted tiles, if that is more


def windowed_fourier(
    binned: torch.Tensor,
    *,
    window: int,
    hop: int,
    thresholds: Sequence[float],
    counts: int,
) -> list[torch.Tensor]:
    """Do what `sbd.networks.spectra.windowed_fourier` does, to one image."""
    height, width = binned.shape[-2:]
    pad = window // 2
    extra = [-(n + 2 * pad - window) % hop for n in (height, width)]
    padded = mirror(binned, (pad, pad + extra[0]), (pad, pad + extra[1]))
    across, down, up, back, hann, flat = _kernels(window, padded.dtype)
    mean = F.conv2d(padded, hann.mT, stride=(1, hop))
    mean = F.conv2d(mean, hann, stride=(hop, 1)) / hann.sum() ** 2
    half = window // 2 + 1
    rows = F.conv2d(padded, across, stride=(1, hop)).unflatten(1, (half, 2))[0]
    spectrum = F.conv2d(rows, down, stride=(hop, 1)).unflatten(1, (2, window))
    spectrum = spectrum - mean * flat
    power = spectrum.square().sum(1, keepdim=True)
    floor = mean.clamp_min(0) / counts * hann.square().sum() ** 2
    twice = torch.full((half, 1, 1, 1, 1), 2.0).to(padded)
    twice[0] = twice[-1] = 1.0
    inner = (..., slice(pad, pad + height), slice(pad, pad + width))
    estimates = []
    for threshold in thresholds:
        keep = (power > threshold * floor).to(padded)
        weight = 1 / (1 + (keep * twice).sum((0, 1, 2)))
        level = torch.stack([mean[0, 0] * weight, weight])[:, None]
        level = F.conv_transpose2d(level, hann, stride=(hop, 1))
        total, norm = F.conv_transpose2d(level, hann.mT, stride=(1, hop)).split(1)
        kept = (spectrum * (keep * weight)).flatten(1, 2)
        kept = F.conv_transpose2d(kept, up, stride=(hop, 1)).flatten(0, 1)[None]
        total = total + F.conv_transpose2d(kept, back, stride=(1, hop))
        estimates.append((total / norm)[inner])
    return estimates


@lru_cache(maxsize=16)
def _kernels(window: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Make the kernels of windowed transforms, and the transform of the window."""
    half = window // 2 + 1
    hann = 0.5 - 0.5 * torch.cos(2 * torch.pi * (torch.arange(window) + 0.5) / window)
    hann = hann.double()
    cosine, sine = _waves(range(window), range(window), window)
    real = torch.stack([cosine, -sine], 1)[:half]
    whole = torch.stack(
        [torch.stack([cosine, sine], 1), torch.stack([-sine, cosine], 1)]
    )
    twice = torch.full((half, 1, 1), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1.0
    flat = torch.einsum("qypn,n,xp->xqy", whole, hann, real @ hann)
    kernels = [
        (real * hann).reshape(-1, 1, 1, window),  # across: half the frequencies
        (whole * hann).reshape(-1, 2, window, 1),  # down: from both parts to both
        whole.reshape(-1, 2, window, 1),  # and both backwards, without the window
        (real * twice / window**2).reshape(-1, 1, 1, window),
        hann[None, None, :, None],
        flat[..., None, None],  # what the first two would make of the window itself
    ]
    return [kernel.to(dtype) for kernel in kernels]


def _waves(
    frequencies: Sequence[int], places: Sequence[int], period: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of shape (frequencies, places), in double precision."""
    turns = torch.outer(torch.tensor(frequencies), torch.tensor(places)) % period
    angle = 2 * torch.pi * turns.double() / period
    return torch.cos(angle), torch.sin(angle)


def mirror(
    image: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int]
) -> torch.Tensor:
    """Do what `sbd.networks.spectra.mirror` does, also to an image of unknown size."""
    for axis, (before, after) in ((-2, rows), (-1, columns)):
        n = image.shape[axis]
        index = torch.arange(-before, n + after) % torch.scalar_tensor(
            2 * n, dtype=torch.int64
        )
        index = torch.where(index < n, index, 2 * n - 1 - index)
        image = image.index_select(axis, index)
    return image


def upsample(binned: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Do what `sbd.networks.spectra.upsample` does."""
    rows, columns = (
        _finer(coarse, fine, binned.dtype)
        for coarse, fine in zip(binned.shape[-2:], shape, strict=True)
    )
    return rows @ binned @ columns.T


@lru_cache(maxsize=32)
def _finer(coarse: int, fine: int, dtype: torch.dtype) -> torch.Tensor:
    return _cosine_matrix(coarse, fine).to(dtype)


def find_translations(
    image: torch.Tensor, *, number: int = 129
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do what `sbd.networks.translations.find_translations` does, to one image."""
    height, width = image.shape[-2:]
    detail = image - _smooth(_smooth(image))
    side = (_WINDOW - TILE) // 2
    detail = F.pad(detail, (side, side - width % -TILE, side, side - height % -TILE))
    down, across = (_starts(n, TILE, _WINDOW) for n in (height, width))
    detail = detail[0, 0].index_select(0, down.flatten()).unflatten(0, down.shape)
    detail = detail.index_select(2, across.flatten()).unflatten(2, across.shape)
    likeness = _likeness(detail.transpose(1, 2), height, width)
    shifts, likeness = _peaks(likeness.flatten(0, 1), number)
    return shifts[None], likeness[None]


@lru_cache(maxsize=64)
def _starts(size: int, step: int, window: int) -> torch.Tensor:
    """Return the places of each window, of shape (windows, window)."""
    return torch.arange(0, size, step)[:, None] + torch.arange(window)


def _likeness(detail: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Correlate windows of shape (down, across, side, side) with themselves."""
    across, down, back, last = _correlators(detail.dtype)
    half = across.shape[-1] // 2
    parts = detail @ across
    parts = down @ torch.cat([parts[..., :half], parts[..., half:]], -2)
    power = parts[..., :_PERIOD, :].square() + parts[..., _PERIOD:, :].square()
    parts = back @ power
    parts = torch.cat([parts[..., : _REACH + 1, :], parts[..., _REACH + 1 :, :]], -1)
    product = parts @ last  # lags of 0 and more down the window
    product = torch.cat([product[..., 1:, :].flip((-1, -2)), product], -2)
    energy = detail.square()
    rows, columns = (_inside(n, detail.dtype) for n in (height, width))
    ahead = rows[:, None] @ energy @ columns.mT
    shared = (ahead * ahead.flip((-1, -2))).clamp_min(0).sqrt()
    whole = energy.sum((-1, -2), keepdim=True)
    return keep_still(product / (shared + 0.05 * whole + 1e-20))


@lru_cache(maxsize=4)
def _correlators(dtype: torch.dtype) -> list[torch.Tensor]:
    """Make the products that give a window's spectrum, and its correlation.

    The correlation of a real window is even, so that half the lags are enough.
    """
    half = range(_PERIOD // 2 + 1)
    cosine, sine = _waves(range(_WINDOW), half, _PERIOD)
    across = torch.cat([cosine, -sine], 1)
    cosine, sine = _waves(range(_PERIOD), range(_WINDOW), _PERIOD)
    down = torch.cat([torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)])
    back = torch.cat(_waves(range(_REACH + 1), range(_PERIOD), _PERIOD))
    cosine, sine = _waves(half, range(-_REACH, _REACH + 1), _PERIOD)
    twice = torch.full((len(half), 1), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1.0
    last = torch.cat([twice * cosine, -twice * sine]) / _PERIOD**2
    return [matrix.to(dtype) for matrix in (across, down, back, last)]


@lru_cache(maxsize=32)
def _inside(size: int, dtype: torch.dtype) -> torch.Tensor:
    """Say which places of each window have one at each lag that is in the image.

    Shape (windows, lags, places).
    """
    side = (_WINDOW - TILE) // 2
    place = torch.arange(_WINDOW)
    other = torch.arange(-_REACH, _REACH + 1)[:, None] + place
    start = torch.arange(0, size, TILE)[:, None, None] - side
    window = (other >= 0) & (other < _WINDOW)
    image = (start + other >= 0) & (start + other < size)
    return (window & image).to(dtype)


def sum_translations(
    guide: torch.Tensor,
    images: torch.Tensor,
    found: tuple[torch.Tensor, torch.Tensor],
    variance: torch.Tensor,
    tolerances: Sequence[float],
) -> torch.Tensor:
    """Do what `sbd.networks.translations.sum_translations` does, to one image."""
    guide, images, variance = guide[0], images[0], variance[0]
    found = found[0][0], found[1][0]
    height, width = images.shape[-2:]
    tiles = _Tiles.of(height, width)
    quarters = torch.round(found[0] * _FRACTION)
    live = (found[1] > 0).to(images)
    guide = _polyphase(guide)
    sources = _polyphase(images, inside=True)
    still = torch.zeros(len(tiles.corner), 1, 2)
    here = tiles.cut(guide, still, margin=_PATCH)
    known = tiles.inside(still, margin=_PATCH).to(images)
    scale = tiles.cut(_spread(variance), still)
    share = _box(known).clamp_min(1) * scale.clamp_min(1e-12)
    parity = _FRACTION * torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    together = max(_TOGETHER, _SHIFTED // len(tiles.corner))
    sums = 0.0
    for shifts, lit in zip(
        quarters.split(together, 1), live.split(together, 1), strict=True
    ):
        unlike = tiles.cut(guide, shifts, margin=_PATCH) - here
        unlike = _box(unlike.square() * known) / share
        usable = tiles.inside(shifts) & tiles.inside(shifts + _FRACTION)
        usable = usable * lit[..., None, None]
        weights = [torch.exp(unlike / -t)[0] * usable for t in tolerances]
        values = tiles.cut(sources, shifts[..., None, :, :] + parity[:, None])
        added = [(weight[:, None] * values).sum(3) for weight in weights]
        number = torch.stack([weight.sum(1) for weight in weights])
        number = number[:, None, :, None].expand(-1, -1, -1, 4, -1, -1)
        sums = sums + torch.cat([torch.stack(added), number], 1)
    # (tolerances, channels, tiles, row and column parity, side, side)
    whole = sums.unflatten(3, (2, 2)).permute(0, 1, 2, 5, 3, 6, 4)
    blended = _blend(whole.reshape(-1, *tiles.grid, 2 * _SIDE, 2 * _SIDE))
    return blended[None, :, :height, :width].unflatten(1, (len(tolerances), -1))


def _polyphase(images: torch.Tensor, *, inside: bool = False) -> torch.Tensor:
    """Interpolate to quarters of a place: (channels, 8, 8, height, width), in pairs.

    Mirrored near the edge, or nothing but what is inside; with a border of zeros.
    """
    height, width = images.shape[-2:]
    extra = (height % 2, width % 2)
    beyond = _TAPS + 2 * _PATCH
    x = mirror(images, *((beyond, beyond + more) for more in extra))
    kernel = _interpolator().to(images)[:, None, None]
    x = F.conv2d(x[:, None], kernel.mT).flatten(0, 1)
    x = F.conv2d(x[:, None], kernel)
    if inside:
        low = 2 * _PATCH
        known = torch.ones(height + extra[0], width + extra[1]).to(images)
        x = x * F.pad(known, [low] * 4)
    # even and odd places apart: phases 0..3 are of the even ones, 4..7 of the odd ones
    x = x.unflatten(0, (-1, _FRACTION)).unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
    x = x.permute(0, 4, 1, 6, 2, 3, 5).flatten(1, 2).flatten(2, 3)
    return F.pad(x, _around(height, width, _PATCH))


def _around(height: int, width: int, known: int) -> tuple[int, int, int, int]:
    """Pairs of places left, right, above and below, but for those that are known."""
    rest = _BORDER - known
    more = [-n % TILE // 2 for n in (height, width)]
    return rest, rest + more[1], rest, rest + more[0]


def _spread(image: torch.Tensor) -> torch.Tensor:
    """Take the even places, at the first phase, and with a border."""
    pairs = F.pad(image[:, ::2, ::2], _around(*image.shape[-2:], 0), "replicate")
    return pairs[:, None, None]


def _box(image: torch.Tensor) -> torch.Tensor:
    """Sum over (2 * _PATCH + 1)^2, where all of it is there."""
    for axis in (-1, -2):
        n = image.shape[axis] - 2 * _PATCH
        image = sum(image.narrow(axis, i, n) for i in range(2 * _PATCH + 1))
    return image


@dataclass
class _Tiles:
    """Where the tiles of an image lie, in pairs of places."""

    size: tuple[int, int]
    grid: tuple[int, int]
    corner: torch.Tensor

    @classmethod
    def of(cls, height: int, width: int) -> "_Tiles":
        """Lay tiles over an image."""
        size = -(-height // 2), -(-width // 2)
        grid = -(-height // TILE), -(-width // TILE)
        lines = [torch.arange(n, dtype=torch.int32) * (TILE // 2) for n in grid]
        corner = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
        return cls(size, grid, corner.flatten(0, 1) + _BORDER - _RAMP // 4)

    def corners(self, shifts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Corners and phases of tiles of shape (tiles, ..., 2), shifted by quarters."""
        pairs = torch.floor(shifts / (2 * _FRACTION))
        phase = shifts - 2 * _FRACTION * pairs
        still = self.corner.unflatten(0, (-1, *[1] * (shifts.ndim - 2)))
        return still + pairs.to(torch.int32), phase.to(torch.int32)

    def cut(
        self, image: torch.Tensor, shifts: torch.Tensor, margin: int = 0
    ) -> torch.Tensor:
        """Copy shifted tiles out of what `_polyphase` returns.

        Shape (channels, tiles, shifts, side, side).
        """
        (top, left), (row, column) = (part.unbind(-1) for part in self.corners(shifts))
        phases, rows, columns = image.shape[-3:]
        line = torch.arange(-margin, _SIDE + margin, dtype=torch.int32)
        first = ((row * phases + column) * rows + top) * columns + left
        places = first[..., None, None] + (line[:, None] * columns + line)
        values = image.flatten(1).index_select(1, places.flatten())
        return values.unflatten(1, places.shape)

    def inside(self, shifts: torch.Tensor, margin: int = 0) -> torch.Tensor:
        """Say which places of shifted tiles lie in the image."""
        line = torch.arange(-margin, _SIDE + margin, dtype=torch.int32) - _BORDER
        rows, columns = (
            (first[..., None] + line >= 0) & (first[..., None] + line < n)
            for first, n in zip(
                self.corners(shifts)[0].unbind(-1), self.size, strict=True
            )
        )
        return rows[..., :, None] & columns[..., None, :]


def _blend(tiles: torch.Tensor) -> torch.Tensor:
    """Lay tiles over one another with ramps.

    From (channels, down, across, side, side) to (channels, height, width).
    """
    ramp = (torch.arange(_RAMP) + 0.5) / _RAMP
    rows, columns = (torch.ones(n, tiles.shape[-1]) for n in tiles.shape[1:3])
    for line in (rows, columns):  # the outermost ramps have no other half
        line[1:, :_RAMP] = ramp
        line[:-1, -_RAMP:] = ramp.flip(0)
    weighted = tiles * (rows[:, None, :, None] * columns[:, None, :]).to(tiles)
    return _lay(_lay(weighted.transpose(2, 3)).permute(0, 3, 1, 2)).mT


def _lay(tiles: torch.Tensor) -> torch.Tensor:
    """Add lines of shape (..., tiles, side) up to one of shape (..., width)."""
    first, second = tiles[..., :TILE], tiles[..., TILE:]
    second = F.pad(second, (0, TILE - _RAMP))
    both = F.pad(first.flatten(-2), (0, TILE)) + F.pad(second.flatten(-2), (TILE, 0))
    return both[..., _RAMP // 2 : _RAMP // 2 - TILE]


PORTABLE = Operations(
    mirror=mirror,
    upsample=upsample,
    windowed_fourier=windowed_fourier,
    find_translations=find_translations,
    sum_translations=sum_translations,
)


def make_portable(model: nn.Module) -> nn.Module:
    """Make a copy of a network that computes with this module's operations."""
    portable = copy.deepcopy(model)
    for part in portable.modules():
        if hasattr(part, "operations"):
            part.operations = PORTABLE
    return portable
