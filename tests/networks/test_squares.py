"""Check that squares go back to where they were cut from."""

import pytest
import torch

from sbd.networks.squares import add_squares

SIDE, TILES, NUMBER = 3, 2, 5


def make_parts(generator, height, width, weights=2):
    """Draw weights, and the four parities of places anywhere in the phases."""

    def draw(top):
        return torch.randint(0, top, (TILES, NUMBER), generator=generator)

    rows, cols, tops, lefts = draw(8), draw(8), draw(height - SIDE), draw(width - SIDE)

    def beyond(phase, corner):  # a place on: half of the phases, and a pair at the end
        return (phase + 4) % 8, corner + (phase + 4) // 8

    some = [
        torch.rand(TILES, NUMBER, SIDE, SIDE, generator=generator).double()
        for _ in range(weights)
    ]
    some[0][0, 1] = some[1][0, 1] = 0.0  # one that has no weight at all
    some[0][1, 2] = 0.0  # and one that has only the other weight
    (r, t), (c, s) = beyond(rows, tops), beyond(cols, lefts)
    places = [(rows, cols, tops, lefts), (rows, c, tops, s), (r, cols, t, lefts)]
    return [(some, [*places, (r, c, t, s)])]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_the_sum_is_that_of_its_formula(generator):
    sources = torch.rand(2, 8, 8, 9, 11, generator=generator).double()
    ((weights, places),) = parts = make_parts(generator, 9, 11)
    sums = add_squares(sources, parts, side=SIDE).unflatten(0, (4, 2, 2))
    for parity, (row, col, top, left) in enumerate(places):
        for tile in range(TILES):
            expected = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.float64)
            for k in range(NUMBER):
                r, c, t, s = (x[tile, k] for x in (row, col, top, left))
                square = sources[:, r, c, t : t + SIDE, s : s + SIDE]
                for w, weight in enumerate(weights):
                    expected[:, w] += weight[tile, k] * square
            # five products of order 1 in double precision
            torch.testing.assert_close(
                sums[parity, :, :, tile], expected, rtol=0, atol=1e-14
            )


def test_the_gradient_is_the_transpose(generator):
    border = (1, 2, 3, 4)
    sources = torch.rand(2, 8, 8, 4, 8, generator=generator).double()
    sources.requires_grad_()
    parts = make_parts(generator, 4 + 7, 8 + 3)
    sums = add_squares(sources, parts, side=SIDE, border=border)
    other = torch.rand(sums.shape, generator=generator).double()
    for _ in range(2):  # it may be asked for again, and must not remember
        (back,) = torch.autograd.grad(sums, sources, other, retain_graph=True)
        # some 1,400 products of order 1 in double precision
        assert float((sums * other).detach().sum()) == pytest.approx(
            float((back * sources).detach().sum()), rel=1e-12
        )
    # by differences as well, exact for what is linear
    assert torch.autograd.gradcheck(
        lambda x: add_squares(x, parts, side=SIDE, border=border),
        sources,
        fast_mode=True,
    )


def test_the_gradient_has_a_gradient(generator):
    sources = torch.rand(1, 8, 8, 6, 7, generator=generator).double().requires_grad_()
    parts = make_parts(generator, 6, 7)
    sums = add_squares(sources, parts, side=SIDE)
    free = torch.zeros_like(sums, requires_grad=True)
    (back,) = torch.autograd.grad(sums, sources, free, create_graph=True)
    (again,) = torch.autograd.grad(back, free, sources.detach())
    torch.testing.assert_close(again, sums.detach(), rtol=0, atol=1e-14)
