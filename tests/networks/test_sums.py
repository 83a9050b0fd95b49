"""Check sums of rows of a table, and that they go back to the rows they are of."""

import pytest
import torch

from sbd.networks.sums import add_weighted

ROWS, VALUES, SUMS, NUMBER = 11, 3, 2, 5


@pytest.fixture
def parts():
    """Weights and rows of two parts, of which one has more to add up."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(1, 2, 3, NUMBER), (2, 2, 3, NUMBER - 2)]
    return [
        (
            torch.rand(*size[:-1], SUMS, size[-1], generator=generator).double(),
            torch.randint(ROWS, size, generator=generator, dtype=torch.int32),
        )
        for size in sizes
    ]


@pytest.fixture
def table():
    rows = torch.rand(ROWS, VALUES, generator=torch.Generator().manual_seed(1))
    return rows.double().requires_grad_()


def test_the_sum_is_that_of_its_formula(parts, table):
    sums, numbers = add_weighted(table, parts)
    assert sums.shape == (3, 2, 3, SUMS, VALUES)
    for first, (weights, places) in zip((0, 1), parts, strict=True):
        for place in torch.cartesian_prod(*map(torch.arange, places.shape[:-1])):
            at = tuple(place.tolist())
            expected = sum(
                weights[at][:, k, None] * table[places[at][k]]
                for k in range(places.shape[-1])
            )
            here = (first + at[0], *at[1:])
            # five products of order 1 in double precision
            torch.testing.assert_close(sums[here], expected, rtol=0, atol=1e-14)
            torch.testing.assert_close(numbers[here], weights[at].sum(-1))


def test_the_gradient_is_the_transpose_and_has_one_itself(parts, table):
    def add(table):
        return add_weighted(table, parts)[0]

    assert torch.autograd.gradcheck(add, table)
    assert torch.autograd.gradgradcheck(add, table)


def test_what_is_not_differentiated_is_not_kept(parts, table):
    seen = []

    def drawn():
        for weights, places in parts:
            seen.append(len(seen))
            yield weights, places

    sums, _ = add_weighted(table.detach(), drawn())
    assert not sums.requires_grad
    assert len(seen) == len(parts)
