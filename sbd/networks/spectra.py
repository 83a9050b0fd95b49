r"""The lattice as a network sees it: windowed Fourier thresholding, in torch.

A crystal is a few strong coefficients in every local spectrum, and counting noise is a
flat floor whose height is known from the local mean alone. Keeping the coefficients
that stand clear of the floor is the windowed Fourier filter of fringe analysis [1]_.
`sbd.denoisers.windows` has the same filter for a reader; here it is differentiable and
batched.

References
----------
.. [1] Q. Kemao, "Windowed Fourier transform for fringe pattern analysis", Applied
   Optics 43 (2004) 2695-2702.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812

from sbd.networks.tables import keep_tables

_AT_ONCE = 2**21  # numbers in the windows that are transformed at a time


def windowed_fourier(
    binned: torch.Tensor,
    *,
    window: int,
    hop: int,
    thresholds: Sequence[float],
    counts: int,
) -> list[torch.Tensor]:
    """Keep local spectra where they exceed so many times the Poisson floor's power.

    `binned` holds means of `counts` pixels; one estimate for each threshold.
    """
    height, width = binned.shape[-2:]
    pad = window // 2  # windows are centred on the border's places too
    extra = [-(n + 2 * pad - window) % hop for n in (height, width)]
    padded = mirror(binned, (pad, pad + extra[0]), (pad, pad + extra[1]))
    estimates = _WindowedFourier.apply(padded, window, hop, tuple(thresholds), counts)
    return [whole[..., pad : pad + height, pad : pad + width] for whole in estimates]


class _WindowedFourier(torch.autograd.Function):
    """The filter of `windowed_fourier`, on an image with its border.

    With what is kept held fixed it is linear, and what keeps is its own transpose.
    """

    @staticmethod
    def forward(ctx, padded, window, hop, thresholds, counts):  # noqa: ANN001, ANN205
        """Return an estimate for each threshold."""
        shape, device = tuple(padded.shape[-2:]), str(padded.device)
        ctx.grid = grid = _Grid.over(shape, window, hop, padded.dtype, device)
        mean = grid.gather(padded[:, 0]) / grid.area
        floor = mean.clamp_min(0) * (grid.power / counts)
        ctx.finite = [i for i, each in enumerate(thresholds) if each < math.inf]
        number = len(thresholds)
        ctx.drops, kept = [], padded.new_zeros(number, *mean.shape)
        totals = padded.new_zeros(number, *padded.shape)
        for rows in grid.strips() if ctx.finite else ():  # each stays in the cache
            patches = grid.cut(padded[:, 0], rows) - mean[:, rows, :, None, None]
            spectrum = torch.fft.rfft2(patches.mul_(grid.hann))
            power = spectrum.real.square() + spectrum.imag.square()
            lowest = floor[:, rows, :, None, None]
            drops = [power <= thresholds[i] * lowest for i in ctx.finite]
            for i, drop in zip(ctx.finite, drops, strict=True):
                kept[i, :, rows] = (~drop * grid.twice).sum((-1, -2))
                local = torch.fft.irfft2(spectrum.masked_fill(drop, 0))
                local /= 1 + kept[i, :, rows, :, None, None]
                grid.lay(local, totals[i], rows)
            if ctx.needs_input_grad[0]:
                ctx.drops.append(drops)
        ctx.weights = 1 / (1 + kept)  # the simplest explanation counts most
        both = grid.spread(torch.cat([ctx.weights, mean * ctx.weights]))
        ctx.norms, levels = both.chunk(2)
        estimates = (totals[:, :, 0] + levels) / ctx.norms
        return estimates[:, :, None].unbind()

    @staticmethod
    def backward(ctx, *gradients):  # noqa: ANN002, ANN001, ANN205
        """Apply the transpose; it has a derivative of its own."""
        grid = ctx.grid
        shares = torch.stack(gradients)[:, :, 0] / ctx.norms
        flat = (grid.gather(shares) * ctx.weights).sum(0)
        total, sums = torch.zeros_like(gradients[0]), []
        for rows, drops in zip(
            grid.strips() if ctx.finite else (), ctx.drops, strict=True
        ):
            spectrum = None
            for i, drop in zip(ctx.finite, drops, strict=True):
                weight = ctx.weights[i][:, rows, :, None, None]
                kept = torch.fft.rfft2(grid.cut(shares[i], rows) * weight)
                kept = kept.masked_fill_(drop, 0)
                spectrum = kept if spectrum is None else spectrum.add_(kept)
            local = torch.fft.irfft2(spectrum).mul_(grid.hann)
            sums.append(local.sum((-1, -2)))
            grid.lay(local, total, rows)
        if sums:
            flat = flat - torch.cat(sums, 1)
        means = grid.spread(flat / grid.area)
        return total + means[:, None], None, None, None, None


@dataclass(frozen=True, eq=False)
class _Grid:
    """Windows on an image, in rows."""

    window: int
    hop: int
    shape: tuple[int, int]
    down: torch.Tensor
    across: torch.Tensor
    hann: torch.Tensor
    area: float  # sum of a window, and of its squares
    power: float
    twice: torch.Tensor  # how often a frequency of half a spectrum is in the whole one

    @classmethod
    @keep_tables(32)
    def over(
        cls,
        shape: tuple[int, int],
        window: int,
        hop: int,
        dtype: torch.dtype,
        device: str,
    ) -> "_Grid":
        """Lay windows over images of a shape."""
        lines = (_hann_rows(n, window, hop, dtype).to(device) for n in shape)
        hann = _hann(window, dtype)
        twice = torch.full((window // 2 + 1,), 2.0, dtype=dtype, device=device)
        twice[0] = twice[-1] = 1.0
        sums = float(hann.sum()), float(hann.square().sum())
        return cls(window, hop, shape, *lines, hann.to(device), *sums, twice)

    def gather(self, image: torch.Tensor) -> torch.Tensor:
        """Sum each window; from (batch, height, width) to (batch, rows, columns)."""
        return F.linear(F.linear(image, self.across).mT, self.down).mT

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Add windows of such heights, the transpose of `gather`."""
        return F.linear(F.linear(values, self.across.mT).mT, self.down.mT).mT

    def strips(self) -> list[slice]:
        """Rows of windows that are transformed at a time."""
        rows, columns = len(self.down), len(self.across)
        step = max(1, _AT_ONCE // (columns * self.window**2))
        return [slice(i, min(i + step, rows)) for i in range(0, rows, step)]

    def _part(self, rows: slice) -> slice:
        return slice(rows.start * self.hop, (rows.stop - 1) * self.hop + self.window)

    def cut(self, image: torch.Tensor, rows: slice) -> torch.Tensor:
        """View the squares of some rows: (batch, rows, columns, window, window)."""
        part = image[:, self._part(rows)]
        return part.unfold(1, self.window, self.hop).unfold(2, self.window, self.hop)

    def lay(self, local: torch.Tensor, total: torch.Tensor, rows: slice) -> None:
        """Add the squares of some rows to images of shape (batch, 1, height, width)."""
        part = total[:, :, self._part(rows)]
        flat = local.flatten(3).flatten(1, 2).mT
        part += F.fold(flat, part.shape[-2:], self.window, stride=self.hop)


def upsample(binned: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Interpolate a mirror-extended image by its cosine series to (height, width).

    Exact for an image that the coarse grid can hold.
    """
    rows = _cosine_matrix(binned.shape[-2], shape[0]).to(binned)
    columns = _cosine_matrix(binned.shape[-1], shape[1]).to(binned)
    return rows @ binned @ columns.T


@keep_tables(32)
def _cosine_matrix(coarse: int, fine: int) -> torch.Tensor:
    k = torch.arange(coarse, dtype=torch.float64)
    here = torch.cos(torch.pi * k * (torch.arange(coarse)[:, None] + 0.5) / coarse)
    there = torch.cos(torch.pi * k * (torch.arange(fine)[:, None] + 0.5) / fine)
    weight = torch.full((coarse,), 2.0 / coarse, dtype=torch.float64)
    weight[0] = 1.0 / coarse
    return (there * weight) @ here.T


@keep_tables(16)
def _hann(window: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    one = _hann_line(window, dtype)
    return one[:, None] * one


def _hann_line(window: int, dtype: torch.dtype) -> torch.Tensor:
    # half a sample off zero, so that every place has some weight
    places = torch.arange(window, dtype=dtype) + 0.5
    return 0.5 - 0.5 * torch.cos(2 * torch.pi * places / window)


@keep_tables(32)
def _hann_rows(size: int, window: int, hop: int, dtype: torch.dtype) -> torch.Tensor:
    """Return a Hann window in each row, the next one a hop farther."""
    rows = torch.zeros((size - window) // hop + 1, size, dtype=dtype)
    for number, row in enumerate(rows):
        row[number * hop : number * hop + window] = _hann_line(window, dtype)
    return rows


def mirror(
    image: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int]
) -> torch.Tensor:
    """Extend by mirroring, by more than the image's own size where need be."""
    for axis, (before, after) in ((-2, rows), (-1, columns)):
        index = _mirrored(image.shape[axis], before, after, str(image.device))
        image = image.index_select(axis, index)
    return image


@keep_tables(64)
def _mirrored(n: int, before: int, after: int, device: str) -> torch.Tensor:
    index = torch.arange(-before, n + after, device=device) % (2 * n)
    return torch.where(index < n, index, 2 * n - 1 - index)
