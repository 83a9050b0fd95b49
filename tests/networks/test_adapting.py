"""Check that gains, and nothing else, are adapted, and to what."""

import numpy as np
import pytest
import torch
from torch import nn

import sbd
from sbd.networks import adapt_gains
from sbd.networks.adapting import average_models
from sbd.networks.models import create_model
from sbd.networks.published import bin_for, denoise_by_bins


@pytest.fixture
def model():
    """A small network whose last layer is not zero, so that gains matter."""
    model = create_model(seed=0, scales=2, channels=4).eval()
    torch.manual_seed(0)
    nn.init.normal_(model.unet.outc.conv.weight, std=0.5)
    return model


def pairs_of(seed, number=2):
    rng = np.random.default_rng(seed)
    clean = 2 + np.sin(np.arange(64) / 3) * np.ones((64, 1))
    return [(rng.poisson(clean), rng.poisson(clean)) for _ in range(number)]


def loss_of(model, pairs):
    found = []
    for noisy, target in pairs:
        with torch.no_grad():
            y, x = (torch.as_tensor(a, dtype=torch.float32)[None, None]
                    for a in (noisy, target))  # fmt: skip
            estimate = denoise_by_bins(model, y)
        found.append((estimate - x).square().mean().item())
    return np.mean(found)


def test_gains_change_the_rest_stays_and_so_does_what_was_given(model):
    before = {k: v.clone() for k, v in model.state_dict().items()}
    pairs = pairs_of(0)
    adapted = adapt_gains(model, pairs, steps=5)
    after = adapted.state_dict()
    for name, value in before.items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)
        module = adapted.get_submodule(name.rsplit(".", 1)[0])
        gain = isinstance(module, nn.BatchNorm2d) and name.endswith(".weight")
        assert gain != torch.equal(after[name], value)
    assert all(p.requires_grad for p in model.parameters())
    assert loss_of(adapted, pairs) < loss_of(model, pairs)


def test_of_a_crystal_network_the_last_part_is_adapted():
    model = create_model(
        "CrystalUNet", seed=0, scales=2, channels=4,
        pilot=create_model(seed=1, scales=2, channels=4),
    ).eval()  # fmt: skip
    nn.init.normal_(model.unet.outc.conv.weight, std=0.5)
    adapted = adapt_gains(model, pairs_of(1, 1), steps=2)
    pilot = adapted.pilot.state_dict()
    for name, value in model.pilot.state_dict().items():
        assert torch.equal(pilot[name], value)
    first = model.unet.state_dict()
    assert any(
        not torch.equal(first[k], v) for k, v in adapted.unet.state_dict().items()
    )


def test_pixels_are_added_as_asked(model):
    noisy = torch.ones(1, 1, 30, 44)
    binned, dose = bin_for(model, noisy, (2, 8))
    assert binned.shape == (1, 1, 15, 6)
    # half of the sixteen pixels, so half the dose, rather than the same mean
    assert dose == 1.0
    binned, dose = bin_for(model, noisy, (2, 4))
    assert dose == 0.5
    assert binned.unique().tolist() == [0.5]
    assert adapt_gains(model, pairs_of(2, 1), bins=(2, 2), steps=1) is not model


def test_the_mean_of_networks_has_the_mean_of_their_parameters(model):
    other = adapt_gains(model, pairs_of(3, 1), steps=3)
    mean = average_models([model, other])
    parts = zip(*(m.parameters() for m in (mean, model, other)), strict=True)
    for value, one, two in parts:
        torch.testing.assert_close(value, (one + two) / 2)


def test_what_cannot_be_adapted_is_refused(model):
    with pytest.raises(ValueError, match="pairs must hold one or more"):
        adapt_gains(model, [])
    with pytest.raises(ValueError, match="model must have normalisations"):
        adapt_gains(nn.Conv2d(1, 1, 3, padding=1), pairs_of(0))
    with pytest.raises(ValueError, match="steps must be a whole number"):
        adapt_gains(model, pairs_of(0), steps=0)
    assert sbd.networks.adapt_gains is adapt_gains
