"""Check that a network in pieces gives what it gives in one."""

import numpy as np
import pytest
import torch

import sbd
from sbd.denoisers import network
from sbd.networks import pieces
from sbd.networks.models import create_model


def test_large_images_are_denoised_in_pieces_with_the_same_result(monkeypatch):
    clean = np.tile(sbd.example_truth("simulated")[0][:256, :256], (5, 1))
    noisy = np.random.default_rng(0).poisson(clean)
    model, seen = sbd.load_model(), []
    whole = sbd.denoise(noisy, model, device="cpu")
    monkeypatch.setattr(pieces, "_TILE", 64)
    monkeypatch.setattr(pieces, "_ROWS", 1)
    monkeypatch.setattr(network, "_LARGE", noisy.size - 1)
    sums = pieces.sum_in_bands
    monkeypatch.setattr(pieces, "sum_in_bands", lambda *a: seen.append(1) or sums(*a))
    split = sbd.denoise(noisy, model, device="cpu")
    assert len(seen) == 2  # both averages over translations
    # of convolutions whose order of summation differs: some 100 roundings of float32
    np.testing.assert_allclose(split, whole, atol=100 * 2**-24 * whole.max())
    assert "denoise_binned" not in vars(model.unet)


def test_networks_of_other_kinds_are_left_as_they_are():
    model = create_model("DnCNN", seed=0)
    assert pieces.take_in_pieces(model) is model
    lattice = create_model("LatticeUNet", seed=0, scales=2, channels=4)
    torch.manual_seed(0)
    noisy = torch.rand(1, 1, 40, 44)
    with torch.no_grad():
        split = pieces.take_in_pieces(lattice.eval())(noisy)
        assert float((split - lattice(noisy)).abs().max()) == pytest.approx(0, abs=1e-6)
