"""Check the windowed Fourier view and the interpolation."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import fft

from sbd.networks import spectra
from sbd.networks.spectra import upsample, windowed_fourier


def lattice(n=96, period=8.0):
    row, column = np.mgrid[:n, :n]
    wave = np.cos(2 * np.pi * row / period) + np.cos(
        2 * np.pi * (column + row) / period
    )
    return torch.tensor(0.45 * (1 + 0.2 * wave))[None, None]


def view(image, **options):
    options = {"window": 32, "hop": 8, "thresholds": [8.0], "counts": 16, **options}
    return windowed_fourier(image, **options)[0]


def test_a_lattice_without_noise_passes():
    clean = lattice()
    error = (view(clean, counts=10_000) - clean).abs()
    # far above the floor everything of a wave but its window's far side lobes is kept
    assert error[..., 16:-16, 16:-16].max() < 2e-3


def test_a_lattice_comes_out_of_the_noise():
    clean = lattice()
    noisy = torch.tensor(np.random.default_rng(0).poisson(16 * clean.numpy()) / 16)
    before, after = ((x - clean).square().mean() for x in (noisy, view(noisy)))
    assert after < before / 15


def test_a_strict_threshold_leaves_vacuum_flat_and_a_loose_one_does_not():
    vacuum = torch.tensor(np.random.default_rng(0).poisson(7.2, (1, 1, 128, 128)) / 16)
    # noise passes with probability exp(-k): of a window's 513 coefficients exp(-14)
    # leaves 4e-4, exp(-2) some 70
    strict, loose = (view(vacuum, thresholds=[k]) for k in (14.0, 2.0))
    # what remains is the windows' means: sqrt(0.45 / 16 / 341 effective pixels) = 0.009
    assert strict.std() < 0.009 < 3 * 0.009 < loose.std()


def test_thresholds_share_their_windows():
    image = lattice()
    both = windowed_fourier(image, window=32, hop=8, thresholds=[3.0, 9.0], counts=16)
    for k, estimate in zip((3.0, 9.0), both, strict=True):
        torch.testing.assert_close(estimate, view(image, thresholds=[k]))


def test_the_gradient_is_the_derivative_with_the_kept_set_fixed():
    image = lattice(40).clone().requires_grad_()
    value = view(image)[0, 0, 20, 21]
    (gradient,) = torch.autograd.grad(value, image)
    # with the kept set and the weights fixed the filter is linear: f(y) = <grad f, y>
    torch.testing.assert_close((gradient * image).sum(), value)


@pytest.mark.parametrize("shape", [(16, 16), (33, 70), (5, 200)])
def test_images_of_any_shape_keep_their_shape(shape):
    assert view(torch.ones(2, 1, *shape)).shape == (2, 1, *shape)


def test_interpolation_is_the_cosine_series():
    image = np.random.default_rng(0).random((6, 7))
    padded = np.zeros((24, 28))
    padded[:6, :7] = fft.dctn(image, norm="ortho")
    expected = fft.idctn(padded, norm="ortho") * 4
    ours = upsample(torch.tensor(image)[None, None], (24, 28))[0, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_the_gradient_is_that_of_the_kept_coefficients(monkeypatch):
    """The hand-written transpose against automatic differentiation of the filter."""
    generator = torch.Generator().manual_seed(8)
    y, x = torch.meshgrid(torch.arange(70.0), torch.arange(75.0), indexing="ij")
    wave = 0.45 * (1 + 0.3 * torch.cos(x) * torch.cos(y / 1.7)).double()
    image = torch.poisson(16 * wave, generator=generator)[None, None] / 16
    options = {"window": 32, "hop": 8, "thresholds": (4.0, 9.0, math.inf), "counts": 16}
    others = torch.rand(3, *image.shape, generator=generator).double()

    def transposed():
        leaf = image.clone().requires_grad_()
        views = torch.stack(windowed_fourier(leaf, **options))
        return views, torch.autograd.grad((views * others).sum(), leaf)[0]

    views, ours = transposed()
    unaware = SimpleNamespace(needs_input_grad=(False,))
    plain = spectra._WindowedFourier.forward
    monkeypatch.setattr(
        spectra._WindowedFourier, "apply", lambda *each: plain(unaware, *each)
    )
    same, automatic = transposed()
    assert torch.equal(views, same)
    # some thousand terms of order 1 in double precision
    torch.testing.assert_close(ours, automatic, rtol=0, atol=1e-12)


def test_how_many_windows_are_transformed_at_a_time_changes_no_more_than_rounding(
    monkeypatch,
):
    image = torch.poisson(lattice(100)[..., :83] * 16).expand(2, 1, -1, -1) / 16
    options = {"window": 32, "hop": 8, "thresholds": (math.inf, 4.0), "counts": 16}
    found = []
    for at_once in (1, 2**17, 2**30):
        monkeypatch.setattr(spectra, "_AT_ONCE", at_once)
        leaf = image.clone().requires_grad_()
        views = torch.stack(windowed_fourier(leaf, **options))
        found.append((views, torch.autograd.grad(views.square().sum(), leaf)[0]))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=1e-13)
