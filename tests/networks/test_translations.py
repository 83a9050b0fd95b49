"""Check the translations of made-up crystals, and what averaging over them does."""

import numpy as np
import pytest
import torch

from sbd.networks.translations import TILE, average_translations, find_translations

A, B = np.array([0.171, 13.437]), np.array([9.113, 5.291])  # lattice vectors [places]


def crystal(height, width, *, offset=(0.0, 0.0), missing=None):
    """Dark Gaussian columns on a lattice, one of them left out on request."""
    y, x = np.mgrid[:height, :width].astype(float)
    image = np.full((height, width), 0.45)
    m, n = np.mgrid[-60:61, -60:61]
    for i, j in zip(m.ravel(), n.ravel(), strict=True):
        row, column = i * A + j * B + offset
        near = -9 < row < height + 9 and -9 < column < width + 9
        if near and (i, j) != missing:
            image -= 0.15 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 2.2**2))
    return torch.from_numpy(image.astype(np.float32))[None, None]


def average(guide, images, *, tolerance):
    found = find_translations(guide)
    variance = torch.full_like(guide, 0.45 / 16)
    averages, count = average_translations(
        guide, images, found, variance=variance, tolerances=[tolerance]
    )
    return averages[:, 0], count[:, 0]


def test_the_translations_of_a_lattice_are_its_vectors():
    shifts, likeness = find_translations(crystal(192, 192))
    middle = shifts[0, 4][likeness[0, 4] > 0].double().numpy()
    places = np.linalg.solve(np.stack([A, B]).T, middle.T)
    off = (places - np.round(places)).T @ np.stack([A, B])
    # parabolas through samples a place apart: within the quarter they are rounded to
    assert np.abs(off).max() < 0.25
    found = {tuple(pair) for pair in np.round(places).astype(int).T}
    # every vector that leaves three quarters of the window inside is among them
    near = {
        (i, j)
        for i in range(-9, 10)
        for j in range(-9, 10)
        if np.abs(i * A + j * B).max() < 17
    }
    assert len(near) > 6
    assert near <= found


def test_the_likest_translation_is_none_at_all():
    shifts, likeness = find_translations(crystal(150, 170))
    assert shifts[:, :, 0].abs().max() < 1e-3
    assert bool((likeness[:, :, 0] >= likeness[:, :, 1]).all())


def test_noise_has_no_translation_but_none_at_all():
    noise = torch.rand(1, 1, 192, 192, generator=torch.Generator().manual_seed(0))
    _, likeness = find_translations(noise)
    assert ((likeness > 0).sum(-1) == 1).all()


def test_noise_falls_with_the_number_of_places():
    clean = crystal(160, 160)
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.normal(size=clean.shape).astype(np.float32))
    one, alone = average(clean, noise, tolerance=1e-12)
    many, number = average(clean, noise, tolerance=1.0)
    assert alone.max() == pytest.approx(1, abs=1e-6)
    assert number.min() > 8
    # the noise of different places is independent; a few hundred values, so to 10 %
    gain = float((many * number.sqrt()).std() / one.std())
    assert gain == pytest.approx(1, abs=0.1)


def test_a_lattice_stays_what_it_is():
    clean = crystal(160, 170)
    same, number = average(clean, clean, tolerance=1.0)
    assert number.min() > 8
    # shifts are rounded to quarters: an eighth of a place at the steepest slope, 0.05
    assert float((same - clean).abs().max()) < 0.05 / 8


def test_a_missing_column_is_not_filled_in():
    whole = crystal(160, 160, offset=(3.0, 4.0))
    hole = crystal(160, 160, offset=(3.0, 4.0), missing=(2, 8))
    row, column = np.round(2 * A + 8 * B + (3.0, 4.0)).astype(int)
    there = (0, 0, row, column)
    assert float(hole[there] - whole[there]) > 0.1
    kept, number = average(hole, hole, tolerance=0.012)
    assert float(kept[there]) == pytest.approx(float(hole[there]), abs=0.005)
    assert float(number[there]) < 1.5 < 20 < float(number.median())
    # a careless tolerance fills most of it in
    filled, _ = average(hole, hole, tolerance=100.0)
    assert float(filled[there]) < float(whole[there]) + 0.01


def test_what_surrounds_a_place_decides_and_not_the_size_of_the_image():
    large = crystal(6 * TILE, 7 * TILE)
    rng = np.random.default_rng(1)
    large = large + torch.from_numpy(rng.normal(0, 0.02, large.shape)).float()
    part = large[..., TILE:, 2 * TILE :]
    (whole, _), (cut, _) = (average(x, x, tolerance=0.05) for x in (large, part))
    far = 3 * TILE  # beyond windows and translations
    inner = cut[..., far:, far:]
    assert inner.numel() > 1000
    same = whole[..., TILE + far :, 2 * TILE + far :]
    torch.testing.assert_close(inner, same, rtol=0, atol=1e-6)


def test_averaging_is_linear_and_so_is_its_gradient():
    guide = crystal(70, 80)
    generator = torch.Generator().manual_seed(2)
    first, second = torch.rand(2, 1, 1, 70, 80, generator=generator)
    first.requires_grad_()
    both, _ = average(guide, first + second, tolerance=0.1)
    (one, _), (two, _) = (average(guide, x, tolerance=0.1) for x in (first, second))
    torch.testing.assert_close(both, one + two, rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(one[0, 0, 30, 40], first)
    assert float((gradient * first).detach().sum()) == pytest.approx(
        float(one[0, 0, 30, 40].detach()), abs=1e-5
    )


def test_the_average_is_that_of_its_formula():
    """Compare with the plain sum over whole places, in a lattice that has them."""
    y, x = np.mgrid[:128, :128].astype(float)
    wave = np.cos(2 * np.pi * x / 16) * np.cos(2 * np.pi * y / 16)
    rng = np.random.default_rng(3)
    rough = np.kron(rng.normal(size=(16, 16)), np.ones((8, 8)))
    guide = (
        0.45
        + 0.1 * wave
        + 0.01
        * torch.nn.functional.avg_pool2d(
            torch.from_numpy(rough)[None], 9, 1, 4
        ).numpy()[0]
    )
    values = np.sin(x / 7) + np.cos(y / 5)
    tensors = [
        torch.from_numpy(a.astype(np.float32))[None, None] for a in (guide, values)
    ]
    shifts, likeness = find_translations(tensors[0], number=200)
    shifts = torch.round(shifts)  # whole places, so that nothing is interpolated
    tolerance, variance = 0.01, 0.02
    result, number = average_translations(
        *tensors,
        (shifts, likeness),
        variance=torch.full_like(tensors[0], variance),
        tolerances=[tolerance],
    )
    place = np.array([30, 34])  # inside the ramp-free part of the first tile, even
    mirrored = np.pad(guide, 4, mode="symmetric")
    total = weights = 0.0
    offsets = np.mgrid[-4:5:2, -4:5:2].reshape(2, -1).T  # every other place
    for shift in shifts[0, 0][likeness[0, 0] > 0].numpy().astype(int):
        there = place + shift
        if (there < 0).any() or (there > 126).any():
            continue
        pair = (tuple((offsets + centre + 4).T) for centre in (there, place))
        unlike = np.mean(np.subtract(*(mirrored[where] for where in pair)) ** 2)
        weight = np.exp(-unlike / (tolerance * variance))
        total, weights = total + weight * values[tuple(there)], weights + weight
    row, column = place
    # the band that is interpolated holds these waves to a percent
    assert float(number[0, 0, 0, row, column]) == pytest.approx(weights, rel=0.03)
    assert float(result[0, 0, 0, row, column]) == pytest.approx(
        total / weights, abs=0.02
    )


@pytest.mark.parametrize("shape", [(5, 200), (33, 70), (64, 64), (65, 127)])
def test_images_of_any_shape_and_number_keep_their_shape(shape):
    images = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(4))
    both, number = average(images, images.repeat(1, 3, 1, 1), tolerance=0.5)
    assert both.shape == (2, 3, *shape)
    assert bool(both.isfinite().all())
    assert float(number.min()) > 0.99
    alone, _ = average(images[1:], images[1:], tolerance=0.5)
    torch.testing.assert_close(both[1:, 2:], alone, rtol=0, atol=1e-6)


def test_translations_are_kept_in_opposite_pairs():
    clean = crystal(192, 192)
    shifts, likeness = find_translations(clean, number=31)
    for tile, count in zip(shifts[0], (likeness[0] > 0).sum(-1), strict=True):
        found = {tuple(pair) for pair in torch.round(4 * tile[:count]).int().tolist()}
        # their likeness is equal but for rounding, and must not decide which is kept
        assert {(-row, -column) for row, column in found} == found


def test_threads_change_rounding_only():
    noisy = crystal(150, 170) + 0.02 * torch.randn(
        1, 1, 150, 170, generator=torch.Generator().manual_seed(6)
    )
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            results.append(average(noisy, noisy, tolerance=0.05)[0])
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(*results, rtol=0, atol=1e-5)


def test_images_together_have_the_averages_they_have_alone():
    """Also where one has many translations and the other has none."""
    noise = torch.rand(1, 1, 100, 130, generator=torch.Generator().manual_seed(0))
    guide = torch.cat([crystal(100, 130), noise]).double()
    options = {"tolerances": [0.01, 0.1]}
    both = average_translations(
        guide, guide, find_translations(guide), variance=guide / 16, **options
    )
    for i in range(2):
        one = guide[i : i + 1]
        alone = average_translations(
            one, one, find_translations(one), variance=one / 16, **options
        )
        for ours, truth in zip(both, alone, strict=True):
            # a hundred terms in float64, in another order
            torch.testing.assert_close(ours[i : i + 1], truth, rtol=1e-12, atol=0)
