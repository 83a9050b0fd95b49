r"""A crystal repeats: find its translations, and average over them.

Places a lattice vector apart whose surroundings look alike hold the same expected
intensity. Averaging them lowers the noise as their number grows; near edges and
defects, where the surroundings differ, the weights fall instead. This is non-local
means [1]_ with two changes: likeness is judged on a first estimate, not on the counts,
and the only translations tried are those that the local autocorrelation shows: a
hundred instead of thousands, each to a quarter of a place.

The image is worked on in tiles that lie on a fixed grid, so what comes out at a place
depends on its surroundings and not on the image's size.

References
----------
.. [1] A. Buades, B. Coll, J.-M. Morel, "A review of image denoising algorithms, with a
   new one", Multiscale Modeling and Simulation 4 (2005) 490-530.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.fft import next_fast_len

from sbd.networks.spectra import mirror
from sbd.networks.squares import Part, add_squares, view_squares

TILE = 64  # distance between tiles [places]
_RAMP = 16  # overlap of neighbouring tiles, half on each side
_WINDOW = 128  # side of the window that translations are looked for in
_REACH = 96  # longest translation along each axis
_SMOOTH = 25  # what varies more slowly is not the lattice
_PEAK = 7  # translations are at least half of this apart
_LEAST = 0.3  # smallest correlation of a translation
_FRACTION = 4  # translations are rounded to one over this of a place
_BAND = 0.27  # what is interpolated has no higher frequencies [cycles per place]
_TAPS = 8
_PATCH = 2  # likeness is judged over 2 * 2 * _PATCH + 1 places
_AT_ONCE = 32  # windows that are correlated at a time, for the memory's sake
_TOGETHER = 8  # translations computed at a time
_SIDE = (TILE + _RAMP) // 2  # of a tile with its ramps [pairs of places]
_BORDER = _REACH // 2 + _SIDE + _PATCH  # around an image [pairs of places]


def find_translations(
    image: torch.Tensor, *, number: int = 129
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the `number` translations under which a tile's surroundings look most alike.

    (batch, tiles, number, 2) [places], and likeness; odd, as each has its opposite.
    """
    with torch.no_grad():
        detail = _windows(image - _smooth(_smooth(image)))
        inside = _windows(torch.ones_like(image))
        tiles = zip(detail.split(_AT_ONCE), inside.split(_AT_ONCE), strict=True)
        found = [_peaks(_likeness(*some), number) for some in tiles]
    return tuple(
        torch.cat(part).unflatten(0, (len(image), -1))
        for part in zip(*found, strict=True)
    )


def _windows(image: torch.Tensor) -> torch.Tensor:
    """Cut the window around every tile of all images; outside them places are zero."""
    height, width = image.shape[-2:]
    side = (_WINDOW - TILE) // 2
    padded = F.pad(image, (side, side - width % -TILE, side, side - height % -TILE))
    windows = padded[:, 0].unfold(1, _WINDOW, TILE).unfold(2, _WINDOW, TILE)
    return windows.flatten(0, 2)


def _likeness(detail: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Correlate windows with themselves, at every translation within reach."""
    n = next_fast_len(_WINDOW + _REACH + 1, real=True)
    size = (n, n)
    spectrum = torch.fft.rfft2(detail, s=size)
    energy = torch.fft.rfft2(detail.square(), s=size)
    mask = torch.fft.rfft2(inside, s=size)
    product = _lags(torch.fft.irfft2(spectrum.abs().square(), s=size))
    ahead = _lags(torch.fft.irfft2(energy.conj() * mask, s=size))
    shared = (ahead * ahead.flip((-1, -2))).clamp_min(0).sqrt()
    # 5 % of the whole energy: small overlaps say little
    whole = detail.square().sum((-1, -2), keepdim=True)
    return keep_still(product / (shared + 0.05 * whole + 1e-20))


def keep_still(likeness: torch.Tensor) -> torch.Tensor:
    """See that a place is like itself, by 0.5 at least, even where an image is flat."""
    still = likeness.new_full((1, 1), 0.5)
    beside = likeness.shape[-1] // 2
    # no correlation is as small as what is beside it
    return torch.maximum(likeness, F.pad(still, [beside] * 4, value=-2.0))


def _lags(correlation: torch.Tensor) -> torch.Tensor:
    """Bring lag zero to the middle and keep what is within reach."""
    rolled = torch.roll(correlation, (_REACH, _REACH), (-1, -2))
    return rolled[..., : 2 * _REACH + 1, : 2 * _REACH + 1]


def _smooth(image: torch.Tensor) -> torch.Tensor:
    half = _SMOOTH // 2
    rows = F.avg_pool2d(image, (_SMOOTH, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, _SMOOTH), 1, (0, half), count_include_pad=False)


def _peaks(likeness: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the highest local maxima, to a fraction of a place by parabolas."""
    n = likeness.shape[-1]
    highest = F.max_pool2d(likeness[:, None], _PEAK, 1, _PEAK // 2)[:, 0]
    found = (likeness == highest) & (likeness > _LEAST)
    inner = F.pad(torch.ones_like(found[:, 1:-1, 1:-1]), (1, 1, 1, 1))
    value, index = torch.topk((likeness * (found & inner)).flatten(1), number)
    flat = likeness.flatten(1)
    here, above, below, left, right = (
        torch.gather(flat, 1, (index + step).clamp(0, n * n - 1))
        for step in (0, -n, n, -1, 1)
    )
    rows = 0.5 * (above - below) / (above - 2 * here + below).clamp_max(-1e-9)
    columns = 0.5 * (left - right) / (left - 2 * here + right).clamp_max(-1e-9)
    rows = index // n - _REACH + rows.clamp(-0.5, 0.5)
    columns = index % n - _REACH + columns.clamp(-0.5, 0.5)
    return torch.stack([rows, columns], -1), value


def sum_translations(
    guide: torch.Tensor,
    images: torch.Tensor,
    translations: tuple[torch.Tensor, torch.Tensor],
    variance: torch.Tensor,
    tolerances: Sequence[float],
) -> torch.Tensor:
    """Sum the weighted values of one image's places, and as last channel the weights.

    A weight is 1/e where patches of the guide differ by `tolerances` x `variance`.
    """
    shifts, likeness = translations
    channels, height, width = images.shape
    tiles = _Tiles.of(height, width, images.device)
    tried = int((likeness > 0).sum(1).max())
    quarters = torch.round(shifts[:, :tried] * _FRACTION).long()
    live = (likeness[:, :tried] > 0).to(images)
    judge = _Judge(guide.detach(), variance.detach(), tiles)
    number = [0.0 for _ in tolerances]

    def parts() -> Iterator[Part]:
        """Weigh some translations at a time; where each parity's places begin."""
        for first in range(0, tried, _TOGETHER):
            part = slice(first, first + _TOGETHER)
            rows, columns = quarters[:, part].unbind(-1)
            weights = judge.weigh(rows, columns, live[:, part], tolerances)
            for i, weight in enumerate(weights):
                number[i] = number[i] + weight.sum(1)
            odd = product((rows, rows + _FRACTION), (columns, columns + _FRACTION))
            yield weights, [tiles.index(*place) for place in odd]

    phases = _polyphase(images, outside=0, pad=False)
    border = _border(height, width)
    sums = add_squares(phases, parts(), side=_SIDE, border=border)
    # (row parity, column parity, channels, tolerances, tiles, side, side)
    whole = sums.unflatten(0, (2, 2, channels, -1))
    whole = whole.permute(4, 3, 2, 5, 0, 6, 1)
    count = torch.stack(number, 1)[:, :, None, :, None, :, None]
    whole = torch.cat([whole, count.expand(-1, -1, -1, -1, 2, -1, 2)], 2)
    blended = _blend(whole.reshape(len(whole), -1, 2 * _SIDE, 2 * _SIDE), tiles.grid)
    return blended[:, :height, :width].unflatten(0, (len(tolerances), -1))


def average_translations(
    guide: torch.Tensor,
    images: torch.Tensor,
    translations: tuple[torch.Tensor, torch.Tensor],
    *,
    variance: torch.Tensor,
    tolerances: Sequence[float],
    add: Callable[..., torch.Tensor] = sum_translations,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average images where the guide looks the same: weighted means, sums of weights.

    (batch, tolerances, channels or 1, height, width); gradients go through `images`.
    """
    sums = torch.stack(
        # one by one, so that the tiles of an image stay in the processor's cache
        [
            add(guide[i], images[i], (shifts, likeness), variance[i], tolerances)
            for i, (shifts, likeness) in enumerate(zip(*translations, strict=True))
        ]
    )
    number = sums[:, :, -1:].clamp_min(1e-9)
    return sums[:, :, :-1] / number, number


@dataclass
class _Tiles:
    """Where the tiles of an image begin, in pairs of places of `_polyphase`."""

    grid: tuple[int, int]
    top: torch.Tensor
    left: torch.Tensor

    @classmethod
    def of(cls, height: int, width: int, device: torch.device) -> "_Tiles":
        """Lay tiles over an image."""
        grid = -(-height // TILE), -(-width // TILE)
        first = _BORDER - _RAMP // 4
        top, left = (torch.arange(n, device=device) * (TILE // 2) + first for n in grid)
        return cls(grid, top.repeat_interleave(grid[1]), left.repeat(grid[0]))

    def index(
        self, rows: torch.Tensor, columns: torch.Tensor, margin: int = 0
    ) -> tuple[torch.Tensor, ...]:
        """Phases and corners of the tiles, shifted by so many quarters of a place."""
        phase = rows % (2 * _FRACTION), columns % (2 * _FRACTION)
        top = self.top[:, None] + (rows - phase[0]) // (2 * _FRACTION)
        left = self.left[:, None] + (columns - phase[1]) // (2 * _FRACTION)
        return *phase, top - margin, left - margin


class _Judge:
    """Says how much a place and a shifted one look alike."""

    def __init__(
        self, guide: torch.Tensor, variance: torch.Tensor, tiles: _Tiles
    ) -> None:
        self.tiles = tiles
        patch = _SIDE + 2 * _PATCH
        none = torch.zeros(len(tiles.top), 1, dtype=torch.long, device=guide.device)
        still, wider = tiles.index(none, none), tiles.index(none, none, _PATCH)
        self.guide = view_squares(_polyphase(guide)[0], patch)
        self.here = self.guide[wider]
        inside = _polyphase(torch.ones_like(guide), outside=0)[0, 0, 0]
        self.inside = view_squares(inside, _SIDE)
        self.known = view_squares(inside, patch)[wider[2:]]
        scale = view_squares(_polyphase(variance)[0], _SIDE)[still]
        self.share = _box(self.known).clamp_min(1) * scale.clamp_min(1e-12)

    @torch.no_grad()
    def weigh(
        self,
        rows: torch.Tensor,
        columns: torch.Tensor,
        live: torch.Tensor,
        tolerances: Sequence[float],
    ) -> list[torch.Tensor]:
        """Weights of shifted tiles, at every other place, for each tolerance."""
        unlike = self.guide[self.tiles.index(rows, columns, _PATCH)] - self.here
        unlike = _box(unlike.square_().mul_(self.known)).div_(self.share)
        last = self.tiles.index(rows + _FRACTION, columns + _FRACTION)[2:]
        usable = self.inside[self.tiles.index(rows, columns)[2:]] * self.inside[last]
        usable *= live[:, :, None, None]
        return [torch.exp(unlike / -t).mul_(usable) for t in tolerances]


def _box(image: torch.Tensor) -> torch.Tensor:
    """Sum over (2 * _PATCH + 1)^2, where all of it is there."""
    for axis in (-1, -2):
        n = image.shape[axis] - 2 * _PATCH
        parts = [image.narrow(axis, i, n) for i in range(2 * _PATCH + 1)]
        image = parts[0] + parts[1]
        for part in parts[2:]:
            image += part
    return image


def _polyphase(
    image: torch.Tensor, *, outside: float | None = None, pad: bool = True
) -> torch.Tensor:
    """Interpolate to quarters of a place: (channels, 8, 8, height, width), in pairs.

    Mirrored near the edge, or `outside`; without `pad`, without the border of zeros.
    """
    height, width = image.shape[-2:]
    extra = (height % 2, width % 2)
    beyond = _TAPS + 2 * _PATCH
    x = mirror(image, (beyond, beyond + extra[0]), (beyond, beyond + extra[1]))
    quarters = _Quarters.apply if x.requires_grad else _quarters
    x = quarters(quarters(x, -2).flatten(0, 1), -1)
    if outside is not None:
        known = torch.zeros(x.shape[-2:]).to(image)
        low = 2 * _PATCH
        known[low : low + height + extra[0], low : low + width + extra[1]] = 1
        x = x * known
    # even and odd places apart: phases 0..3 are of the even ones, 4..7 of the odd ones
    x = x.unflatten(0, (-1, _FRACTION)).unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
    x = x.permute(0, 4, 1, 6, 2, 3, 5).flatten(1, 2).flatten(2, 3)
    return F.pad(x, _border(height, width)) if pad else x


def _border(height: int, width: int) -> tuple[int, int, int, int]:
    """Pairs of places left, right, above and below that are zero."""
    rest = _BORDER - _PATCH
    more = [-n % TILE // 2 for n in (height, width)]
    return rest, rest + more[1], rest, rest + more[0]


def _quarters(images: torch.Tensor, axis: int) -> torch.Tensor:
    """Interpolate along an axis; from (n, height, width) to (n, 4, height, width)."""
    kernel = _interpolator().to(images)[:, None, None].movedim(-1, axis)
    return F.conv2d(images[:, None], kernel)


class _Quarters(torch.autograd.Function):
    """What `_quarters` does; its gradient is a sum of shifted images."""

    @staticmethod
    def forward(ctx, images, axis):  # noqa: ANN001, ANN205
        """Interpolate along an axis."""
        ctx.shape, ctx.axis = images.shape, axis
        return _quarters(images, axis)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add the transposed interpolator's terms; they can be differentiated again."""
        total, n = gradient.new_zeros(ctx.shape), gradient.shape[ctx.axis]
        for part, row in zip(gradient.unbind(1), _interpolator().tolist(), strict=True):
            for start, weight in enumerate(row):
                if weight:
                    total.narrow(ctx.axis, start, n).add_(part, alpha=weight)
        return total, None


@lru_cache(maxsize=1)
def _interpolator() -> torch.Tensor:
    """Windowed sinc of the band, at each quarter of a place; shape (4, taps)."""
    places = torch.arange(-_TAPS, _TAPS + 1, dtype=torch.float64)
    quarters = torch.arange(_FRACTION, dtype=torch.float64)[:, None] / _FRACTION
    u = places - quarters
    taper = torch.cos(math.pi * u / (2 * (_TAPS + 1))).square()
    kernel = torch.sinc(2 * _BAND * u) * taper
    return kernel / kernel.sum(1, keepdim=True)


def _blend(tiles: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Lay tiles over one another with ramps; from (tiles, channels, side, side)."""
    side = tiles.shape[-1]
    ramp = ((torch.arange(_RAMP) + 0.5) / _RAMP).to(tiles)
    line = torch.cat([ramp, torch.ones(side - 2 * _RAMP).to(tiles), ramp.flip(0)])
    flat = (tiles * (line[:, None] * line)).flatten(1).T
    size = tuple(n * TILE + _RAMP for n in grid)
    whole = F.fold(flat, size, side, stride=TILE)
    for axis in (-1, -2):  # the outermost ramps have no other half
        for start, outer in ((0, ramp), (size[axis] - _RAMP, ramp.flip(0))):
            part = whole.narrow(axis, start, _RAMP)
            part /= outer if axis == -1 else outer[:, None]
    half = _RAMP // 2
    return whole[..., half:-half, half:-half]
