"""Check the way back through a network against automatic differentiation."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from test_inference import random_weights
from torch import nn

from sbd.networks import adjoints
from sbd.networks.lattice import CrystalUNet
from sbd.networks.onnx import _plain

OPERATIONS = {
    "convolution": lambda x: F.conv2d(x, torch.ones(3, 2, 5, 3).cumsum(2)[:, :1]),
    "strided convolution": lambda x: F.conv2d(
        x, torch.ones(2, 1, 5, 4).cumsum(3), stride=(3, 2), padding=(2, 0)
    ),
    "transposed convolution": lambda x: F.conv_transpose2d(
        x, torch.ones(1, 3, 4, 5).cumsum(2), stride=(2, 3), padding=1
    ),
    "pooling": lambda x: F.max_pool2d(x, 2),
    "interpolation": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "replication": lambda x: F.pad(x, (2, 1, 0, 3), "replicate"),
    "a slice": lambda x: x[:, :, 3:-2, -5:],
    "one row": lambda x: x[:, :, -3],
    "few places again": lambda x: x.index_select(2, torch.tensor([5, 5, 0, 15])),
    "many places again": lambda x: x.flatten(2).index_select(
        2, torch.arange(2000) % 250
    ),
    "a rectifier": lambda x: F.relu(x - 0.5),
}


class Squared(nn.Module):
    """Squares, so that each place's gradient depends on where it is."""

    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, binned):
        seen = self.operation(binned)
        return binned * (seen * torch.arange(seen.numel()).view(seen.shape).sin()).sum()


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_goes_back_through_an_operation_is_its_gradient(name):
    model = Squared(OPERATIONS[name])
    counts, cotangent = torch.rand(2, 1, 1, 16, 16, generator=torch.manual_seed(3))
    graph = adjoints.trace_adjoint(model, (16, 16))
    denoised, row = graph(counts, cotangent)
    counts.requires_grad_()
    truth = model(counts)
    (gradient,) = torch.autograd.grad(truth, counts, cotangent)
    assert gradient.std() > 0
    # sums of up to two thousand float32, each to 6e-8
    for ours, theirs in ((denoised, truth), (row, gradient)):
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=1e-5 * theirs.abs().max().item()
        )


def test_the_row_of_a_network_that_is_shown_the_lattice_is_the_library_s():
    model = random_weights(CrystalUNet(scales=2, channels=4))
    y, x = torch.meshgrid(
        *2 * [torch.arange(64) * (2 * torch.pi / 11.5)], indexing="ij"
    )
    clean = 0.45 * (1 + 0.3 * torch.cos(x) * torch.cos(y + 0.2 * x))
    counts = torch.poisson(16 * clean, generator=torch.manual_seed(0))[None, None] / 16
    cotangent = torch.zeros_like(counts)
    cotangent[..., 30, 21] = 1
    graph = adjoints.trace_adjoint(_plain(model), (64, 64))
    denoised, row = graph(counts, cotangent)
    counts.requires_grad_()
    truth = model.denoise_binned(counts)
    (gradient,) = torch.autograd.grad(truth, counts, cotangent)
    assert (denoised - truth).abs().max() < 1e-5 * truth.abs().max()
    # weights of the average of a hundred places, each rounded to 6e-8, and ten layers
    assert (row - gradient).abs().max() < 1e-4 * gradient.abs().max()


def test_sides_that_cannot_be_halved_evenly_are_refused():
    with pytest.raises(ValueError, match=r"got \(15, 16\) .take multiples of 16"):
        adjoints.trace_adjoint(Squared(OPERATIONS["pooling"]), (15, 16))


def test_slices_with_steps_are_refused():
    with pytest.raises(ValueError, match="slices must have a step of 1; got 2"):
        adjoints.trace_adjoint(Squared(lambda x: x[:, :, ::2]), (16, 16))
