"""Weighted sums of squares cut from an image, with their transpose.

`sbd.networks.translations` averages an image over translations tile by tile: a square
at the tile's place, and weighted squares at the translated ones. Its derivative adds
weighted squares to where they were cut.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812

Part: TypeAlias = tuple[Sequence[torch.Tensor], Sequence[tuple[torch.Tensor, ...]]]
"""Weights (tiles, number, side, side), several of them; and for the four parities of a
place, which the weights are common to, the phases and corners (tiles, number) of the
squares. The parities are those of `itertools.product`: the columns' changes first."""


def view_squares(image: torch.Tensor, side: int) -> torch.Tensor:
    """View every square of an image, by its corner: (..., row, column, side, side)."""
    return image.unfold(-2, side, 1).unfold(-2, side, 1)


def add_squares(
    sources: torch.Tensor,
    parts: Iterable[Part],
    *,
    side: int,
    border: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> torch.Tensor:
    """Add weighted squares of sources (channels, 8, 8, height, width), by axis phases.

    (4 parities x channels x weights, tiles, side, side); corners count from `border`.
    """
    return _WeightedSum.apply(sources, parts, side, border)


class _WeightedSum(torch.autograd.Function):
    """Add up weighted squares of images; the gradient adds them back."""

    @staticmethod
    def forward(ctx, sources, parts, side, border):  # noqa: ANN001, ANN205
        """Return sums of shape (parity x channel x weight, tiles, side, side)."""
        sources = F.pad(sources, border)
        ctx.kept = _Kept(sources.shape, side, border)
        keep = ctx.needs_input_grad[0]
        return _add(sources, ctx.kept.keep(parts) if keep else parts, side)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add the squares' gradients where they came from."""
        return _WeightedSpread.apply(gradient, ctx.kept), None, None, None


class _WeightedSpread(torch.autograd.Function):
    """The transpose of `_WeightedSum`, whose gradient is the sum again."""

    @staticmethod
    def forward(ctx, squares, kept):  # noqa: ANN001, ANN205
        """Return images of the shape that the squares were cut from."""
        ctx.kept = kept
        return kept.spread(squares)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add up weighted squares of the gradient."""
        gradient = F.pad(gradient, ctx.kept.border)
        return _add(gradient, ctx.kept.parts, ctx.kept.side), None


def _add(sources: torch.Tensor, parts: Iterable[Part], side: int) -> torch.Tensor:
    """Add up the weighted squares of all parts."""
    squares = [view_squares(source, side) for source in sources]
    sums = None
    for weights, places in parts:
        added = []
        for index in places:
            for square in squares:
                values = square[index]
                added += [(weight * values).sum(1) for weight in weights]
        pairs = zip(sums or [0.0] * len(added), added, strict=True)
        sums = [a + b for a, b in pairs]
    return torch.stack(sums)


class _Kept:
    """What the transpose needs of a sum, which it may be asked for many times."""

    def __init__(
        self, shape: Sequence[int], side: int, border: tuple[int, int, int, int]
    ) -> None:
        self.shape, self.side, self.border = shape, side, border
        self.parts, self.benches = [], threading.local()

    def keep(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Pass parts on, and keep them."""
        for part in parts:
            self.parts.append(part)
            yield part

    def spread(self, squares: torch.Tensor) -> torch.Tensor:
        """Weigh squares and add them to where they were cut."""
        if not hasattr(self.benches, "mine"):  # kept for each thread: making it is slow
            self.benches.mine = _Bench(self, squares)
        total = self.benches.mine.spread(squares)
        before, after, above, below = self.border
        _, _, _, height, width = self.shape
        return total[..., above : height - below, before : width - after].clone()

    @cached_property
    def steps(self) -> list[tuple[int, tuple[int, int, int], list[torch.Tensor]]]:
        """Tile, place in the memory and weights of every square that has a weight.

        The place: the first parity's, and the distances to the others, down and across.
        """
        _, _, phases, height, width = self.shape
        found = []
        for weights, places in self.parts:
            corners = [
                (((row * phases + col) * height + top) * width + left).tolist()
                for row, col, top, left in places
            ]
            live = sum(weight.flatten(2).any(-1) for weight in weights) > 0
            for tile, each in live.nonzero().tolist():
                first, right, below, _ = (corner[tile][each] for corner in corners)
                place = (first, below - first, right - first)
                found.append((tile, place, [weight[tile, each] for weight in weights]))
        plane = height * width
        # by phases, then by tile: what is written after one another is in the cache
        return sorted(found, key=lambda one: (one[1][0] // plane, one[0], one[1][0]))


class _Bench:
    """Memory to spread squares in, and every step as one strided view of it."""

    def __init__(self, kept: _Kept, squares: torch.Tensor) -> None:
        channels, width = kept.shape[0], kept.shape[-1]
        self.total = squares.new_empty(kept.shape)
        flat = self.total.view(-1)
        # a step down in the memory is a step up with the parities exchanged
        tiles = _by_tile(squares, channels)
        self.turned = {
            (up, left): torch.empty_like(tiles, memory_format=torch.contiguous_format)
            for up, left in product((False, True), repeat=2)
        }
        plane = flat.numel() // channels
        view = (channels, 2, 2, kept.side, kept.side)
        self.buffer = squares.new_empty(view)
        self.steps = []
        for tile, (first, down, across), weights in kept.steps:
            distances = (plane, abs(down), abs(across), width, 1)
            start = first + min(down, 0) + min(across, 0)
            mine = self.turned[down < 0, across < 0][tile]
            factors = list(zip(mine.unbind(), weights, strict=True))
            place = flat.as_strided(view, distances, start)
            self.steps.append((place, *factors[0], factors[1:]))

    def spread(self, squares: torch.Tensor) -> torch.Tensor:
        """Return images like those that were cut; the next call overwrites them."""
        buffer = self.buffer
        tiles = _by_tile(squares, len(buffer))
        for (up, left), memory in self.turned.items():
            memory.copy_(tiles.flip([3] * up + [4] * left))
        self.total.zero_()
        for place, square, weight, more in self.steps:
            torch.mul(square, weight, out=buffer)
            for others in more:
                buffer.addcmul_(*others)
            place.add_(buffer)
        return self.total


def _by_tile(squares: torch.Tensor, channels: int) -> torch.Tensor:
    """Sort by tile, weight, channel, row parity and column parity."""
    return squares.unflatten(0, (2, 2, channels, -1)).permute(4, 3, 2, 0, 1, 5, 6)
