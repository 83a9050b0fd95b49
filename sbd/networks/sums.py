"""Weighted sums of rows of a table, and how they change with it.

`sbd.networks.translations` averages an image over translations: what a place gets is a
sum over rows of a table of the image, with weights that are held fixed.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import torch

Part: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Weights (..., sums, number), and which rows they are for (..., number)."""


def add_weighted(
    table: torch.Tensor, parts: Iterable[Part]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add up rows of a table (rows, values): (..., sums, values), and the weights.

    The parts' results come one after another along the first axis.
    """
    numbers = []

    def counted() -> Iterator[Part]:
        for weights, places in parts:
            numbers.append(weights.sum(-1))
            yield weights, places

    sums = _Sum.apply(table, counted())
    return sums, torch.cat(numbers)


class _Sum(torch.autograd.Function):
    """Add up weighted rows; the gradient adds them back."""

    @staticmethod
    def forward(ctx, table, parts):  # noqa: ANN001, ANN205
        """Return sums of shape (..., sums, values)."""
        ctx.rows = len(table)
        ctx.parts = parts = list(parts) if ctx.needs_input_grad[0] else parts
        return torch.cat([weights @ _take(table, places) for weights, places in parts])

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add the sums' gradients to the rows that they are of."""
        return _Spread.apply(gradient, ctx.parts, ctx.rows), None


class _Spread(torch.autograd.Function):
    """The transpose of `_Sum`, whose gradient is the sum again."""

    @staticmethod
    def forward(ctx, sums, parts, rows):  # noqa: ANN001, ANN205
        """Return a table that the sums could be of."""
        ctx.parts = parts
        table = sums.new_zeros(rows, sums.shape[-1])
        shares = sums.split([len(places) for _, places in parts])
        for share, (weights, places) in zip(shares, parts, strict=True):
            places = places.flatten().long()  # with 32 bits it takes four times as long
            table.index_add_(0, places, (weights.mT @ share).flatten(0, -2))
        return table

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Add up weighted rows of the gradient."""
        sums = [weights @ _take(gradient, places) for weights, places in ctx.parts]
        return torch.cat(sums), None, None


def _take(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return table.index_select(0, places.flatten()).unflatten(0, places.shape)
