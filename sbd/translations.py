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
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812
from scipy.fft import next_fast_len

from sbd.spectra import mirror

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


def find_translations(
    image: torch.Tensor, *, number: int = 128
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the translations under which each tile's surroundings look the same.

    Parameters
    ----------
    image : Tensor of shape (batch, 1, height, width)
        A first estimate, with little noise.
    number : int, default 128
        Translations kept for each tile, the likest first.

    Returns
    -------
    shifts : Tensor of shape (batch, tiles, number, 2)
        Rows and columns from a place to one that looks the same [places].
    likeness : Tensor of shape (batch, tiles, number)
        Normalised correlation; 0 where there are no more translations.

    Notes
    -----
    Three Fourier transforms give the correlation of all translations at once, each
    normalised by the energy of the part of the window that it leaves inside.

    Examples
    --------
    >>> wave = torch.cos(2 * torch.pi * torch.arange(128) / 12.8).expand(1, 1, 128, 128)
    >>> shifts, likeness = find_translations(wave * wave.mT)
    >>> round(float(likeness[0, 0, 0]), 3), shifts[0, 0, 0].abs().max() < 1e-3
    (0.952, tensor(True))
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
    return product / (shared + 0.05 * whole + 1e-20)


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


def average_translations(
    guide: torch.Tensor,
    images: torch.Tensor,
    translations: tuple[torch.Tensor, torch.Tensor],
    *,
    variance: torch.Tensor,
    tolerances: Sequence[float],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average images over translations, where the guide looks the same.

    Parameters
    ----------
    guide : Tensor of shape (batch, 1, height, width)
        The estimate that likeness is judged on.
    images : Tensor of shape (batch, channels, height, width)
        What is averaged; gradients flow through it, the weights are held fixed.
    translations : tuple of Tensor
        Of `find_translations`.
    variance : Tensor of shape (batch, 1, height, width)
        Of the counts in a place [(electrons per pixel)^2].
    tolerances : sequence of float
        Mean squared difference of two patches of the guide at which the weight is 1/e,
        in units of `variance`.

    Returns
    -------
    averages : Tensor of shape (batch, tolerances, channels, height, width)
        Weighted means.
    number : Tensor of shape (batch, tolerances, 1, height, width)
        Sum of the weights; the place itself has weight 1.

    Examples
    --------
    >>> image = torch.rand(1, 1, 70, 70, generator=torch.Generator().manual_seed(0))
    >>> found = find_translations(image)
    >>> same, number = average_translations(
    ...     image, image, found, variance=torch.ones(1, 1, 70, 70), tolerances=[1e-9]
    ... )
    >>> same.shape, round(float(number.max()), 3)
    (torch.Size([1, 1, 1, 70, 70]), 1.0)
    """
    batch, channels, height, width = images.shape
    if batch > 1:  # one by one, the tiles of an image stay in the processor's cache
        parts = [
            average_translations(
                guide[i : i + 1],
                images[i : i + 1],
                tuple(part[i : i + 1] for part in translations),
                variance=variance[i : i + 1],
                tolerances=tolerances,
            )
            for i in range(batch)
        ]
        averages, number = (torch.cat(part) for part in zip(*parts, strict=True))
        return averages, number
    shifts, likeness = (part.flatten(0, 1) for part in translations)
    across, down = -(-width // TILE), -(-height // TILE)
    side, margin = (TILE + _RAMP) // 2, _PATCH
    with torch.no_grad():
        tried = int((likeness > 0).sum(1).max())
        quarter = torch.round(shifts[:, :tried] * _FRACTION).long()
        live = (likeness[:, :tried] > 0).to(images)
        border = (_REACH + TILE + _RAMP) // 2 + margin
        judged = _polyphase(guide.detach(), border)[:, 0]
        shape = (batch, 1, height, width)
        inside = _polyphase(torch.ones(shape).to(images), border, outside=0)[:, 0, 0, 0]
        exact = _polyphase(variance.detach(), border)[:, 0, 0, 0]
    sources = _polyphase(images, border, outside=0)
    image = torch.arange(batch).repeat_interleave(down * across)
    corner = border - _RAMP // 4
    step = TILE // 2
    top = (torch.arange(down) * step + corner).repeat_interleave(across).repeat(batch)
    left = (torch.arange(across) * step + corner).repeat(down * batch)
    patch = side + 2 * margin
    judged = judged.unfold(-2, patch, 1).unfold(-2, patch, 1)
    whole = inside.unfold(-2, patch, 1).unfold(-2, patch, 1)
    there = inside.unfold(-2, side, 1).unfold(-2, side, 1)
    tile = (image, top, left)
    edge = (image, top - margin, left - margin)
    here = judged[image, 0, 0, top - margin, left - margin][:, None]
    known = whole[edge][:, None]
    scale = exact.unfold(-2, side, 1).unfold(-2, side, 1)[tile][:, None]
    share = _box(known).clamp_min(1) * scale.clamp_min(1e-12)
    total = [[[0.0] * 4 for _ in range(channels)] for _ in tolerances]
    number = [0.0 for _ in tolerances]
    for first in range(0, tried, _TOGETHER):
        part = slice(first, first + _TOGETHER)
        rows, columns = quarter[:, part].unbind(-1)
        of = image[:, None].expand_as(rows)
        with torch.no_grad():
            y, py = _split(rows, top)
            x, px = _split(columns, left)
            unlike = judged[of, py, px, y - margin, x - margin] - here
            unlike = _box(unlike.square_().mul_(known)).div_(share)
            last, _ = _split(rows + _FRACTION, top)
            right, _ = _split(columns + _FRACTION, left)
            usable = there[of, y, x] * there[of, last, right]
            usable *= live[:, part, None, None]
            weights = [torch.exp(unlike / -t).mul_(usable) for t in tolerances]
        for i, weight in enumerate(weights):
            number[i] = number[i] + weight.sum(1)
        for parity in range(4):
            y, py = _split(rows + _FRACTION * (parity // 2), top)
            x, px = _split(columns + _FRACTION * (parity % 2), left)
            for channel in range(channels):
                values = _Cut.apply(sources[:, channel], side, of, py, px, y, x)
                for i, weight in enumerate(weights):
                    total[i][channel][parity] = total[i][channel][parity] + (
                        weight * values
                    ).sum(1)
    count = torch.stack(number, 1)[:, :, None, :, None, :, None]
    count = count.expand(-1, -1, -1, -1, 2, -1, 2)
    sums = torch.stack(
        [torch.stack([torch.stack(c, -1) for c in t], 1) for t in total], 1
    )
    sums = sums.unflatten(-1, (2, 2)).permute(0, 1, 2, 3, 5, 4, 6)
    joined = torch.cat([sums, count], 2).reshape(
        batch, down * across, -1, TILE + _RAMP, TILE + _RAMP
    )
    blended = _blend(joined, (down, across))[..., :height, :width]
    blended = blended.unflatten(1, (len(tolerances), channels + 1))
    count = blended[:, :, -1:].clamp_min(1e-9)
    return blended[:, :, :-1] / count, count


class _Cut(torch.autograd.Function):
    """Copy squares out of an image at many places; the gradient adds them back."""

    @staticmethod
    def forward(ctx, source, side, *index):  # noqa: ANN001, ANN002, ANN205
        """Return squares of shape (*index, side, side)."""
        ctx.shape, ctx.side = source.shape, side
        ctx.save_for_backward(*index)
        return source.unfold(-2, side, 1).unfold(-2, side, 1)[index]

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add the squares' gradients where they came from."""
        width = ctx.shape[-1]
        first = torch.zeros((), dtype=torch.long)
        for part, size in zip(ctx.saved_tensors, ctx.shape, strict=True):
            first = first * size + part
        line = torch.arange(ctx.side)
        places = first[..., None, None] + line[:, None] * width + line
        total = gradient.new_zeros(ctx.shape)
        total.view(-1).index_add_(0, places.reshape(-1), gradient.reshape(-1))
        return total, None, *[None] * len(ctx.saved_tensors)


def _split(shift: torch.Tensor, start: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Whole pairs of places and the phase that is left, of shifts in quarters."""
    phase = shift % (2 * _FRACTION)
    return start[:, None] + (shift - phase) // (2 * _FRACTION), phase


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
    image: torch.Tensor, border: int, *, outside: float | None = None
) -> torch.Tensor:
    """Interpolate to quarters of a place, sorted by the eight phases of each axis.

    Returns shape (batch, channels, 8, 8, height, width) with pairs of places.
    """
    batch, channels, height, width = image.shape
    kernel = _interpolator().to(image)
    extra = (height % 2, width % 2)
    beyond = _TAPS + 2 * _PATCH
    padded = mirror(image, (beyond, beyond + extra[0]), (beyond, beyond + extra[1]))
    x = padded.reshape(batch * channels, 1, *padded.shape[-2:])
    x = F.conv2d(x, kernel[:, None, :, None])
    x = F.conv2d(x.flatten(0, 1)[:, None], kernel[:, None, None, :])
    if outside is not None:
        low = 2 * _PATCH
        known = torch.zeros(x.shape[-2:]).to(image)
        known[low : low + height + extra[0], low : low + width + extra[1]] = 1
        x = x * known
    x = x.reshape(batch, channels, _FRACTION, _FRACTION, *x.shape[-2:])
    # split even and odd places: phase 0..3 of the even ones, then of the odd ones
    x = x.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
    x = x.permute(0, 1, 5, 2, 7, 3, 4, 6)
    x = x.reshape(batch, channels, 8, 8, *x.shape[-2:])
    rest = border - _PATCH
    more = [-n % TILE // 2 for n in (height, width)]
    return F.pad(x, (rest, rest + more[1], rest, rest + more[0]))


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
    """Lay tiles over one another with ramps; (batch, tiles, channels, side, side)."""
    side = tiles.shape[-1]
    ramp = (torch.arange(_RAMP) + 0.5) / _RAMP
    line = torch.cat([ramp, torch.ones(side - 2 * _RAMP), ramp.flip(0)]).to(tiles)
    weighted = tiles * (line[:, None] * line)
    batch, number = tiles.shape[:2]
    flat = weighted.permute(0, 2, 3, 4, 1).reshape(batch, -1, number)
    size = tuple(n * TILE + _RAMP for n in grid)
    whole = F.fold(flat, size, side, stride=TILE)
    for axis in (-1, -2):  # the outermost ramps have no other half
        for start in (0, size[axis] - _RAMP):
            outer = ramp if start == 0 else ramp.flip(0)
            part = whole.narrow(axis, start, _RAMP)
            part /= outer if axis == -1 else outer[:, None]
    half = _RAMP // 2
    return whole[..., half:-half, half:-half]
