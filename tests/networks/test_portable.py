"""Check portable operations against those of torch that they stand in for."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

import sbd
from sbd.networks import portable, spectra, translations
from sbd.networks.models import create_model
from sbd.networks.operations import TORCH
from sbd.networks.portable import make_portable

KINDS = {
    "UNet": {"scales": 2, "channels": 4, "binning": 2},
    "LatticeUNet": {"scales": 2, "channels": 4},
    "CrystalUNet": {"scales": 2, "channels": 4},
}


def crystal(height, width):
    """Counts of a crystal with tilted axes, binned by 4 [electrons per pixel]."""
    y, x = np.mgrid[:height, :width] * (2 * np.pi / 11.3)
    clean = 0.45 * (1 + 0.3 * np.cos(y + 0.3 * x) + 0.25 * np.cos(x - 0.2 * y))
    counts = np.random.default_rng(0).poisson(16 * clean) / 16
    return torch.from_numpy(counts)[None, None]


def unlike(ours, truth):
    """Largest difference, relative to the largest value."""
    return float((ours - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("window", [32, 64, 96])
@pytest.mark.parametrize("shape", [(70, 83), (24, 150)])
def test_convolutions_with_waves_are_windowed_transforms(window, shape):
    options = {"window": window, "hop": window // 4, "counts": 16}
    options["thresholds"] = (6.0, 12.0, math.inf)
    binned = crystal(*shape)
    truth = spectra.windowed_fourier(binned, **options)
    ours = portable.windowed_fourier(binned, **options)
    for estimate, known in zip(ours, truth, strict=True):
        # the windows themselves are known to float32, in both
        assert unlike(estimate, known) < 1e-7


def test_an_image_without_counts_stays_empty():
    options = {"window": 32, "hop": 8, "counts": 16, "thresholds": (8.0,)}
    (nothing,) = portable.windowed_fourier(torch.zeros(1, 1, 50, 60), **options)
    assert not nothing.any()


@pytest.mark.parametrize("shape", [(64, 64), (150, 90), (65, 193)])
def test_products_with_waves_find_the_same_translations(shape):
    guide = spectra.windowed_fourier(
        crystal(*shape), window=32, hop=8, thresholds=[8.0], counts=16
    )[0]
    truth, ours = (
        module.find_translations(guide) for module in (translations, portable)
    )
    # float64: a transform of 225 numbers and matrices of 224
    torch.testing.assert_close(ours[1], truth[1], rtol=0, atol=1e-12)
    # opposite translations are as like, so rounding sets their order
    for shifts, known, likeness in zip(
        ours[0][0], truth[0][0], truth[1][0], strict=True
    ):
        quarters = [
            {tuple(pair) for pair in torch.round(4 * some[likeness > 0]).tolist()}
            for some in (shifts, known)
        ]
        assert quarters[0] == quarters[1]
        assert len(quarters[0]) > 1


@pytest.mark.parametrize("shape", [(64, 64), (150, 91)])
def test_gathered_tiles_have_the_same_averages(shape):
    binned = crystal(*shape)
    guide = spectra.windowed_fourier(
        binned, window=32, hop=8, thresholds=[8.0], counts=16
    )[0]
    images, found = torch.cat([guide, binned], 1), translations.find_translations(guide)
    options = {"variance": guide / 16, "tolerances": (0.01, 0.1)}
    truth = translations.average_translations(guide, images, found, **options)
    ours = translations.average_translations(
        guide, images, found, **options, add=portable.sum_translations
    )
    assert truth[1].max() > 2
    for part, known in zip(ours, truth, strict=True):
        assert unlike(part, known) < 1e-12  # a hundred terms in float64


def test_every_translation_there_could_be_lies_on_the_canvas():
    """What is gathered beyond the image has no weight, but must be there."""
    reach = torch.tensor([[-96.5, -96.5], [96.5, 96.5], [0.0, 0.0], [-96.5, 96.5]])
    guide = crystal(65, 70)
    found = reach.double().expand(1, 4, 4, 2), torch.ones(1, 4, 4).double()
    options = {"variance": guide, "tolerances": (math.inf,)}
    image, number = translations.average_translations(
        guide, guide, found, **options, add=portable.sum_translations
    )
    assert torch.isfinite(image).all()
    assert number.max() < 1 + 1e-6  # only the place itself is in the image


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_computes_the_same(kind):
    model = create_model(kind, seed=0, **KINDS[kind]).eval().double()
    for part in model.modules():
        if isinstance(part, sbd.UNet):  # a correction that is not zero
            torch.nn.init.normal_(part.outc["conv"].weight, std=0.1)
    noisy = crystal(190, 150)
    with torch.no_grad():
        truth, ours = model(noisy), make_portable(model)(noisy)
    # windows as above; float64 keeps both on the same side of every threshold
    assert unlike(ours, truth) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_copy_computes_portably_and_its_weights_are_the_same(kind):
    model = create_model(kind, seed=0, **KINDS[kind])
    before = copy.deepcopy(model.state_dict())
    ours = make_portable(model)
    for network, operations in ((model, TORCH), (ours, portable.PORTABLE)):
        parts = [part for part in network.modules() if hasattr(part, "operations")]
        assert parts
        assert all(part.operations is operations for part in parts)
        assert list(network.state_dict()) == list(before)
        assert all(
            torch.equal(network.state_dict()[key], before[key]) for key in before
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_keeps_its_operations_when_it_is_copied_or_pickled(kind):
    ours = make_portable(create_model(kind, seed=0, **KINDS[kind]))
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert again.operations == portable.PORTABLE
        assert again.operations != TORCH
