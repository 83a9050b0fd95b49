"""Check guided backpropagation against its definition, layer by layer."""

import numpy as np
import pytest
import torch
from torch import nn

import sbd
from sbd.evidence.saliency import guided_backpropagation


def by_hand(weights, y, *, guided):
    """Go back through two hidden layers that see one pixel only."""
    first, second, last = weights  # (4, 1), (3, 4), (1, 3)
    inner = first @ y[None]
    outer = second @ np.maximum(inner, 0)
    back = last.T * (outer > 0)
    back = np.maximum(back, 0) if guided else back
    back = (second.T @ back) * (inner > 0)
    back = np.maximum(back, 0) if guided else back
    return (first.T @ back)[0]


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in ((4, 1), (3, 4), (1, 3))]


def network(weights):
    layers = [nn.Conv2d(w.shape[1], w.shape[0], 1, bias=False) for w in weights]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.data = torch.from_numpy(weight)[..., None, None]
    one, two, three = layers
    return nn.Sequential(one, nn.ReLU(inplace=True), two, nn.ReLU(), three)


def test_it_is_what_its_definition_says(weights):
    y = np.array([0.7])
    model = network(weights)
    guided = guided_backpropagation(model, y[None], (0, 0))
    expected = by_hand(weights, y, guided=True)
    np.testing.assert_allclose(guided[0], expected, rtol=1e-14)
    # and the row of the Jacobian is another thing
    row, _ = sbd.jacobian_row(model, y[None], (0, 0))
    np.testing.assert_allclose(row[0], by_hand(weights, y, guided=False), rtol=1e-14)
    assert abs(row[0, 0] - guided[0, 0]) > 0.01


def test_without_negative_weights_it_is_the_row(weights):
    model = network([np.abs(w) for w in weights])
    y = np.random.default_rng(1).poisson(1.0, (5, 6)).astype(float)
    row, _ = sbd.jacobian_row(model, y, (2, 3))
    np.testing.assert_array_equal(guided_backpropagation(model, y, (2, 3)), row)


@pytest.mark.parametrize("kind", ["UNet", "DnCNN", "DurrUNet"])
def test_every_relu_of_the_networks_is_met(kind):
    """Modules, functions and those in place: no gradient of one that is negative."""
    options = {"UNet": {"scales": 2, "channels": 4}, "DnCNN": {"depth": 4}}
    torch.manual_seed(0)
    model = getattr(sbd, kind)(**options.get(kind, {}), bias=False).eval()
    y = np.random.default_rng(2).poisson(1.0, (24, 24)).astype(np.float32)
    guided = guided_backpropagation(model, y, (11, 12))
    row, _ = sbd.jacobian_row(model, y, (11, 12))
    # only what the first layer does to them comes after the last ReLU on the way back
    with torch.no_grad():
        first = next(p for p in model.parameters() if p.ndim == 4)
        first.abs_()
    assert guided_backpropagation(model, y, (11, 12)).min() >= 0
    assert sbd.jacobian_row(model, y, (11, 12))[0].min() < 0
    assert not np.array_equal(guided, row)


def test_the_network_is_left_as_it_came(weights):
    model, y = network(weights).train(), np.full((3, 3), 0.7)
    before, _ = sbd.jacobian_row(model, y, (1, 1))
    guided_backpropagation(model, y, (1, 1))
    np.testing.assert_array_equal(sbd.jacobian_row(model, y, (1, 1))[0], before)
    assert model.training


def test_a_network_without_relus_is_refused():
    y = np.ones((4, 4))
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.GELU())
    with pytest.raises(ValueError, match="model must have ReLUs; got a Sequential"):
        guided_backpropagation(model, y, (0, 0))
    with pytest.raises(IndexError, match="pixel must lie inside"):
        guided_backpropagation(nn.ReLU(), y, (4, 0))
    with pytest.raises(ValueError, match="noisy must be finite"):
        guided_backpropagation(nn.ReLU(), y * np.nan, (0, 0))
