r"""The lattice as a network sees it: windowed Fourier thresholding, in torch.

A crystal is a few strong coefficients in every local spectrum, and counting noise is a
flat floor whose height is known from the local mean alone. Keeping the coefficients
that stand clear of the floor is the windowed Fourier filter of fringe analysis [1]_.
`sbd.filters` has the same filter for a reader; here it is differentiable and batched.

References
----------
.. [1] Q. Kemao, "Windowed Fourier transform for fringe pattern analysis", Applied
   Optics 43 (2004) 2695-2702.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812


def windowed_fourier(
    binned: torch.Tensor,
    *,
    window: int,
    hop: int,
    thresholds: Sequence[float],
    counts: int,
) -> list[torch.Tensor]:
    """Keep the coefficients of each local spectrum that stand above the Poisson floor.

    Parameters
    ----------
    binned : Tensor of shape (batch, 1, height, width)
        Mean of `counts` recorded pixels in each place [electrons per pixel].
    window : int
        Side of the Hann windows [places].
    hop : int
        Distance between windows, a divisor of `window` [places].
    thresholds : sequence of float
        A coefficient is kept where its power exceeds this many times the power that
        counting noise has on average; noise passes with probability exp(-threshold).
    counts : int
        Recorded pixels in a place.

    Returns
    -------
    list of Tensor of shape (batch, 1, height, width)
        One estimate for each threshold [electrons per pixel].

    Notes
    -----
    Windows are weighted by one over the number of coefficients they keep, so that the
    simplest explanation of a place counts most. Gradients flow through the kept
    coefficients; which ones are kept is held fixed.

    Examples
    --------
    >>> flat = torch.full((1, 1, 32, 32), 0.45)
    >>> (same,) = windowed_fourier(flat, window=16, hop=8, thresholds=[5.0], counts=16)
    >>> bool(torch.allclose(same, flat, atol=1e-6))
    True
    """
    height, width = binned.shape[-2:]
    pad = window // 2  # windows are centred on the border's places too
    extra = [-(n + 2 * pad - window) % hop for n in (height, width)]
    padded = mirror(binned, (pad, pad + extra[0]), (pad, pad + extra[1]))
    estimates = _WindowedFourier.apply(padded, window, hop, tuple(thresholds), counts)
    return [whole[..., pad : pad + height, pad : pad + width] for whole in estimates]


class _WindowedFourier(torch.autograd.Function):
    """The filter of `windowed_fourier`, on an image with its border.

    With what is kept held fixed it is linear, and so is its transpose. A filter that
    keeps some coefficients of a real image is its own transpose, so that one more
    transform each way does for all thresholds; and a Hann window is a product of one
    down and one across, so that the local means take two small matrix products.
    """

    @staticmethod
    def forward(ctx, padded, window, hop, thresholds, counts):  # noqa: ANN001, ANN205
        """Return an estimate for each threshold."""
        hann = _hann(window, padded.dtype).to(padded)
        patches = padded[:, 0].unfold(1, window, hop).unfold(2, window, hop)
        mean = (patches * hann).sum((-1, -2), keepdim=True) / hann.sum()
        if min(thresholds) < math.inf:
            spectrum = torch.fft.rfft2((patches - mean) * hann)
            power = spectrum.abs().square()
        floor = mean.clamp_min(0) / counts * hann.square().sum()
        twice = torch.full((window // 2 + 1,), 2.0).to(padded)
        twice[0] = twice[-1] = 1.0
        estimates, ctx.kept = [], []
        ctx.window, ctx.hop = window, hop
        for threshold in thresholds:
            keep, local, weight = None, mean * hann, torch.ones_like(mean)
            if threshold < math.inf:
                keep = power > threshold * floor
                weight = 1 / (1 + (keep * twice).sum((-1, -2), keepdim=True))
                local = torch.fft.irfft2(spectrum * keep, s=(window, window)) + local
            total = _overlap_add(local * weight, padded.shape[-2:], hop)
            norm = _overlap_add(hann * weight, padded.shape[-2:], hop)
            estimates.append(total / norm)
            if ctx.needs_input_grad[0]:
                ctx.kept.append((keep, weight, norm))
        return tuple(estimates)

    @staticmethod
    def backward(ctx, *gradients):  # noqa: ANN002, ANN001, ANN205
        """Apply the transpose; it has a derivative of its own."""
        window, hop, shape = ctx.window, ctx.hop, gradients[0].shape
        hann = _hann(window, gradients[0].dtype).to(gradients[0])
        down, across = (
            _hann_rows(n, window, hop, gradients[0].dtype).to(gradients[0])
            for n in shape[-2:]
        )
        spectrum, flat = None, 0.0
        for gradient, (keep, weight, norm) in zip(gradients, ctx.kept, strict=True):
            share = (gradient / norm)[:, 0]
            flat = flat + (down @ share @ across.mT) * weight[..., 0, 0]
            if keep is not None:
                patches = share.unfold(1, window, hop).unfold(2, window, hop)
                kept = torch.fft.rfft2(patches * weight) * keep
                spectrum = kept if spectrum is None else spectrum + kept
        total = 0.0
        if spectrum is not None:
            local = torch.fft.irfft2(spectrum, s=(window, window)) * hann
            flat = flat - local.sum((-1, -2))
            total = _overlap_add(local, shape[-2:], hop)
        means = down.mT @ (flat / hann.sum()) @ across
        return total + means[:, None], None, None, None, None


def upsample(binned: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Interpolate a mirror-extended image by its cosine series.

    Parameters
    ----------
    binned : Tensor of shape (batch, 1, height, width)
        Values at the centres of places.
    shape : tuple of int
        (height, width) of the finer grid over the same field.

    Returns
    -------
    Tensor of shape (batch, 1, *shape)
        Exact for an image that the coarse grid can hold.

    Examples
    --------
    >>> upsample(torch.ones(1, 1, 3, 4), (6, 8)).shape
    torch.Size([1, 1, 6, 8])
    """
    rows = _cosine_matrix(binned.shape[-2], shape[0]).to(binned)
    columns = _cosine_matrix(binned.shape[-1], shape[1]).to(binned)
    return rows @ binned @ columns.T


@lru_cache(maxsize=32)
def _cosine_matrix(coarse: int, fine: int) -> torch.Tensor:
    k = torch.arange(coarse, dtype=torch.float64)
    here = torch.cos(torch.pi * k * (torch.arange(coarse)[:, None] + 0.5) / coarse)
    there = torch.cos(torch.pi * k * (torch.arange(fine)[:, None] + 0.5) / fine)
    weight = torch.full((coarse,), 2.0 / coarse, dtype=torch.float64)
    weight[0] = 1.0 / coarse
    return (there * weight) @ here.T


@lru_cache(maxsize=16)
def _hann(window: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    one = _hann_line(window, dtype)
    return one[:, None] * one


def _hann_line(window: int, dtype: torch.dtype) -> torch.Tensor:
    # half a sample off zero, so that every place has some weight
    places = torch.arange(window, dtype=dtype) + 0.5
    return 0.5 - 0.5 * torch.cos(2 * torch.pi * places / window)


@lru_cache(maxsize=32)
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
        n = image.shape[axis]
        index = torch.arange(-before, n + after, device=image.device) % (2 * n)
        index = torch.where(index < n, index, 2 * n - 1 - index)
        image = image.index_select(axis, index)
    return image


def _overlap_add(
    patches: torch.Tensor, shape: tuple[int, int], hop: int
) -> torch.Tensor:
    batch, down, across, window, _ = patches.shape
    columns = patches.reshape(batch, down * across, window * window).transpose(1, 2)
    return F.fold(columns, shape, window, stride=hop)
