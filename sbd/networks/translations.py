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
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.fft import next_fast_len

from sbd.networks.spectra import mirror
from sbd.networks.sums import Part, add_weighted
from sbd.networks.tables import keep_tables

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
_BLOCK = 32  # places that are interpolated together
_PATCH = 2  # likeness is judged over 2 * 2 * _PATCH + 1 places
_AT_ONCE = 32  # windows that are correlated at a time, for the memory's sake
_TOGETHER = 64  # tiles averaged at a time, except on a CPU
_FAINT = -80.0  # logarithm of the smallest weight
_SIDE = (TILE + _RAMP) // 2  # of a tile with its ramps [pairs of places]


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
    highest = likeness
    for _ in range(2):  # rows, then columns: together it takes 50 times as long
        highest = F.max_pool1d(highest, _PEAK, 1, _PEAK // 2).mT
    found = (likeness == highest) & (likeness > _LEAST)
    found = F.pad(found[:, 1:-1, 1:-1], (1, 1, 1, 1))
    value, index = torch.topk((likeness * found).flatten(1), number)
    steps = torch.tensor([0, -n, n, -1, 1], device=index.device)[:, None]
    around = (index[:, None] + steps).clamp(0, n * n - 1)
    around = torch.gather(likeness.flatten(1), 1, around.flatten(1)).view(around.shape)
    here, before, behind = around[:, :1], around[:, 1::2], around[:, 2::2]
    parts = 0.5 * (before - behind) / (before - 2 * here + behind).clamp_max(-1e-9)
    whole = torch.stack([index // n, index % n], 1) - _REACH
    return (whole + parts.clamp(-0.5, 0.5)).mT, value


def sum_translations(
    guide: torch.Tensor,
    images: torch.Tensor,
    translations: tuple[torch.Tensor, torch.Tensor],
    variance: torch.Tensor,
    tolerances: Sequence[float],
) -> torch.Tensor:
    """Sum the weighted values of images, and as last channel the weights.

    A weight is 1/e where patches of the guide differ by `tolerances` x `variance`.
    (batch, tolerances, channels + 1, height, width)
    """
    batch, channels, height, width = images.shape
    tiles = _Tiles.of(batch, height, width, guide.dtype, str(images.device))
    shifts, likeness = (part.flatten(0, 1) for part in translations)
    looks = tiles.look(torch.round(shifts * _FRACTION).int(), likeness > 0)
    judge = _Judge.of(guide.detach()[:, 0], variance.detach()[:, 0], tiles)
    rates = -1 / guide.new_tensor(tolerances)[:, None]
    sums, number = add_weighted(_list_places(images), judge.weigh(looks, rates))
    number = number[..., None, None, None].expand(*number.shape, 1, 2, 2)
    whole = torch.cat([sums.unflatten(-1, (channels, 2, 2)), number], -3)
    # tiles, row, column, tolerances, channels, row and column parity
    whole = whole.permute(0, 3, 4, 1, 5, 2, 6).flatten(5).flatten(3, 4).flatten(1, 2)
    whole = _blend(whole.unflatten(0, (batch, -1)), tiles.grid)
    return whole[..., :height, :width].unflatten(1, (len(tolerances), -1))


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
    sums = add(guide, images, translations, variance, tolerances)
    number = sums[:, :, -1:].clamp_min(1e-9)
    return sums[:, :, :-1] / number, number


class _Looks(NamedTuple):
    """Where the patches of shifted tiles are in what `_list_phases` lists.

    The sum of `rows` (tiles, rows, 1, translations) and `columns` (tiles, 1, columns,
    translations), of the margin what is farther outside; which of both are to be used,
    without the patches' margins; and how many translations each tile has.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    down: torch.Tensor
    across: torch.Tensor
    number: list[int]


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Where the tiles of images are, in pairs of places, one image after another.

    The number of a tile's image, its lines along both axes (2, tiles, lines, 1), the
    axes' sizes and those with the margin; its places without their phases (tiles, rows,
    columns, 1), which of them are in the image, and how many are in a patch around.
    """

    grid: tuple[int, int]
    image: torch.Tensor
    lines: torch.Tensor
    size: torch.Tensor
    wide: tuple[int, int]
    places: torch.Tensor
    known: torch.Tensor
    share: torch.Tensor
    box: torch.Tensor

    @classmethod
    @keep_tables(16)
    def of(
        cls, batch: int, height: int, width: int, kind: torch.dtype, device: str
    ) -> "_Tiles":
        """Lay tiles over images."""
        grid = -(-height // TILE), -(-width // TILE)
        lines = (torch.arange(n, device=device).int() for n in (batch, *grid))
        image, *first = (x.flatten() for x in torch.meshgrid(*lines, indexing="ij"))
        line = torch.arange(-_PATCH, _SIDE + _PATCH, device=device).int()
        lines = torch.stack(first)[..., None] * (TILE // 2) - _RAMP // 4 + line
        sides = -(-height // 2), -(-width // 2)
        size = torch.tensor(sides, device=device).int()[:, None, None]
        wide = tuple(n + 2 * _PATCH for n in sides)
        rows, columns = _clamp(lines, size)
        places = (
            rows[:, :, None] * wide[1]
            + columns[:, None]
            + image[:, None, None] * (wide[0] * wide[1])
        )
        down, across = (lines >= 0) & (lines < size)
        known = (down[:, :, None] & across[:, None]).to(kind)[..., None]
        box = torch.arange(_SIDE + 2 * _PATCH) - torch.arange(_SIDE)[:, None]
        box = ((box >= 0) & (box <= 2 * _PATCH)).to(device, kind)
        share = _sum_patches(known, box).clamp_min(1)
        return cls(
            grid, image, lines[..., None], size[..., None], wide, places[..., None],
            known, share, box,
        )  # fmt: skip

    @property
    def together(self) -> int:
        """How many are averaged at a time: what a processor's cache holds, or more."""
        return 5 if self.image.device.type == "cpu" else _TOGETHER

    def look(self, quarters: torch.Tensor, live: torch.Tensor) -> _Looks:
        """Look at the patches of tiles that are shifted so far (tiles, number, 2)."""
        step = 2 * _FRACTION
        quarters = quarters.movedim(-1, 0)[:, :, None]  # axes, tiles, lines, number
        phases = quarters % step
        at = self.lines + (quarters - phases) // step
        inner = at[:, :, _PATCH:-_PATCH]
        both = (phases >= _FRACTION).int()  # of two places, the odd one is in the next
        down, across = (inner >= 0) & (inner < self.size - both)
        rows, columns = _clamp(at, self.size)
        down_phase, across_phase = phases
        place = (self.image[:, None, None] * step + down_phase) * step + across_phase
        rows = (place * self.wide[0] + rows) * self.wide[1]
        return _Looks(
            rows[:, :, None], columns[:, None],
            (down & live[:, None])[:, :, None], across[:, None],
            live.sum(1).clamp_min(1).tolist(),
        )  # fmt: skip


def _clamp(lines: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Count lines from the margin, for which those farther outside are taken."""
    return (lines + _PATCH).clamp_min(0).minimum(size + (2 * _PATCH - 1))


@dataclass
class _Judge:
    """Says how much a place and a shifted one look alike."""

    tiles: _Tiles
    guide: torch.Tensor
    here: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, guide: torch.Tensor, variance: torch.Tensor, tiles: _Tiles) -> "_Judge":
        """Look at the tiles themselves; both images (batch, height, width)."""
        guide, places = _list_phases(guide), tiles.places
        area, phases = tiles.wide[0] * tiles.wide[1], (2 * _FRACTION) ** 2
        image = tiles.image[:, None, None, None] * (area * (phases - 1))
        level = F.pad(variance[:, None, ::2, ::2], [_PATCH] * 4, "replicate").flatten()
        level = level[places[:, _PATCH:-_PATCH, _PATCH:-_PATCH]].clamp_min(1e-12)
        return cls(tiles, guide, guide[places + image], tiles.share * level)

    @torch.no_grad()
    def weigh(self, looks: _Looks, rates: torch.Tensor) -> Iterator[Part]:
        """Weigh the translations of some tiles at a time, at every other place."""
        each = (*looks[:-1], self.here, self.tiles.known, self.share)
        n = self.tiles.together
        for i, some in enumerate(zip(*(x.split(n) for x in each), strict=True)):
            most = max(looks.number[i * n : (i + 1) * n])
            rows, columns, down, across = (x[..., :most] for x in some[:4])
            here, known, share = some[4:]
            places = rows + columns
            unlike = self.guide.index_select(0, places.flatten()).view(places.shape)
            unlike = unlike.sub_(here).square_().mul_(known)
            unlike = _sum_patches(unlike, self.tiles.box).div_(share)
            # below that exp is slow, and the sums, which hold a 1, do not feel it
            weights = (unlike[..., None, :] * rates).clamp_min_(_FAINT).exp_()
            usable = down & across
            inner = places[:, _PATCH:-_PATCH, _PATCH:-_PATCH]
            yield weights.mul_(usable[..., None, :]), inner


def _sum_patches(image: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
    """Sum over (2 * _PATCH + 1)^2 along axes 1 and 2, where all of it is there."""
    rows = (box @ image.flatten(2)).unflatten(2, image.shape[2:])
    return box @ rows


def _quarters(images: torch.Tensor) -> torch.Tensor:
    """Interpolate (n, height, width) to quarters of a place, along both axes.

    The first is `_PATCH` pairs of places before the image. Mirrored near the edge, as
    far as pairs of places around it may need.
    """
    before = _TAPS + 2 * _PATCH
    extra = (-(n + 4 * _PATCH + 2) % _BLOCK + 2 for n in images.shape[-2:])
    x = mirror(images, *((before, before + more) for more in extra))
    kernel = _block_interpolator(images.dtype, images.device)
    size, step = kernel.shape[0], _BLOCK
    x = (kernel.mT @ x.unfold(-2, size, step).mT).flatten(1, 2)
    # as one product: of what is not contiguous there would be one for each line
    return (x.unfold(-1, size, step).contiguous() @ kernel).flatten(2)


def _list_phases(images: torch.Tensor) -> torch.Tensor:
    """List what is at each phase of each pair, in the order of `_Tiles.look`."""
    _, height, width = images.shape
    rows, columns = (-(-n // 2) + 2 * _PATCH for n in (height, width))
    step = 2 * _FRACTION
    fine = _quarters(images)[:, : step * rows, : step * columns]
    fine = fine.unflatten(2, (-1, step)).unflatten(1, (-1, step))
    return fine.permute(0, 2, 4, 1, 3).flatten()


def _list_places(images: torch.Tensor) -> torch.Tensor:
    """List likewise the four places that make a pair, at each phase.

    From (batch, channels, height, width); in a row (channel, row and column parity).
    """
    batch, channels, *size = images.shape
    fine = _quarters(images.flatten(0, 1))
    step, odd = 2 * _FRACTION, _FRACTION
    for axis, n in zip((1, 2), size, strict=True):
        pairs = -(-n // 2) + 2 * _PATCH
        fine = fine.narrow(axis, 0, step * pairs + odd).unfold(axis, step + odd, step)
        fine = fine.unfold(-1, step, odd)  # parities, phases
    # channels, pairs down and across, parity and phase down, the same across; first
    # long lines, then their transpose, since copying a few values at a time is slow
    fine = fine.unflatten(0, (batch, channels)).permute(1, 4, 6, 0, 5, 7, 2, 3)
    return fine.reshape(4 * channels, -1).mT.contiguous()


def _interpolator() -> torch.Tensor:
    """Windowed sinc of the band, at each quarter of a place; shape (4, taps)."""
    places = torch.arange(-_TAPS, _TAPS + 1, dtype=torch.float64)
    quarters = torch.arange(_FRACTION, dtype=torch.float64)[:, None] / _FRACTION
    u = places - quarters
    taper = torch.cos(math.pi * u / (2 * (_TAPS + 1))).square()
    kernel = torch.sinc(2 * _BAND * u) * taper
    return kernel / kernel.sum(1, keepdim=True)


@keep_tables(8)
def _block_interpolator(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Make a matrix that interpolates a block of places: (places, quarters)."""
    kernel = _interpolator().mT
    block = torch.zeros(_BLOCK + 2 * _TAPS, _BLOCK, _FRACTION, dtype=torch.float64)
    for place in range(_BLOCK):
        block[place : place + len(kernel), place] = kernel
    return block.flatten(1).to(device, dtype)


def _blend(tiles: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Lay tiles over one another with ramps; (batch, tiles, channels, side, side)."""
    side = tiles.shape[-1]
    ramp = ((torch.arange(_RAMP) + 0.5) / _RAMP).to(tiles)
    line = torch.cat([ramp, torch.ones(side - 2 * _RAMP).to(tiles), ramp.flip(0)])
    flat = (tiles * (line[:, None] * line)).flatten(2).mT
    size = tuple(n * TILE + _RAMP for n in grid)
    whole = F.fold(flat, size, side, stride=TILE)
    for axis in (-1, -2):  # the outermost ramps have no other half
        for start, outer in ((0, ramp), (size[axis] - _RAMP, ramp.flip(0))):
            part = whole.narrow(axis, start, _RAMP)
            part /= outer if axis == -1 else outer[:, None]
    half = _RAMP // 2
    return whole[..., half:-half, half:-half]
