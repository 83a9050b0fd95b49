"""Check that networks at work compute what they were trained to compute."""

import copy
import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import sbd
from sbd.networks.convolutions import FixedConvolution
from sbd.networks.inference import (
    average_symmetries,
    denoise_in_tiles,
    find_tiling,
    fold,
    whole_precision,
)
from sbd.networks.lattice import CrystalUNet
from sbd.networks.models import create_model
from sbd.networks.published import DnCNN, DurrUNet, UNet

SMALL = {"scales": 2, "channels": 4}
NETWORKS = {
    "UNet": lambda: UNet(scales=2, channels=8),
    "bias-free UNet": lambda: UNet(scales=2, channels=8, bias=False),
    "wide UNet": lambda: UNet(scales=2, channels=128, bias=False),
    "DnCNN": lambda: DnCNN(depth=5, channels=8),
    "bias-free DnCNN": lambda: DnCNN(depth=5, channels=8, bias=False),
    "LatticeUNet": lambda: sbd.LatticeUNet(scales=2, channels=4),
    "CrystalUNet": lambda: CrystalUNet(scales=2, channels=4),
}
TILED = {
    "UNet": lambda: UNet(scales=2, channels=4, align_corners=False),
    "deep UNet": lambda: UNet(scales=4, channels=4, align_corners=False),
    "binned UNet": lambda: UNet(scales=2, channels=4, align_corners=False, binning=4),
    "DnCNN": lambda: DnCNN(depth=5, channels=4),
    "DurrUNet": DurrUNet,
    "LatticeUNet": NETWORKS["LatticeUNet"],
    "CrystalUNet": NETWORKS["CrystalUNet"],
}


def random_weights(model):
    """Weights and statistics that are neither zero nor one, gains near one."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if "running_var" in name:
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.ndim == 4:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif tensor.dtype.is_floating_point:
            tensor.copy_(0.2 * torch.rand(tensor.shape, generator=generator))
            tensor += "weight" in name
    return model.eval()


def lattice(height, width):
    """Counts of a crystal with a period of 100 pixels."""
    y, x = np.mgrid[:height, :width] * (2 * np.pi / 100)
    clean = 0.45 * (1 + 0.5 * np.cos(y + 0.3 * x) + 0.4 * np.cos(x - 0.2 * y))
    counts = np.random.default_rng(0).poisson(clean)
    return torch.from_numpy(counts.astype(np.float32))[None, None]


def unlike(ours, truth):
    """Largest difference, relative to the largest value."""
    return float((ours - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_changes_a_network_by_rounding_only(name):
    model, y = random_weights(NETWORKS[name]()), lattice(100, 132)
    with torch.no_grad():
        truth, ours = model(y), fold(model)(y)
    assert truth.std() > 0.01 * truth.abs().max()
    # float32 has 6e-8; ten layers, and the rows' sums of wide ones, make it some 1e-6
    assert unlike(ours, truth) < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_no_normalisation_is_left_and_the_original_is_as_it_was(name):
    model = random_weights(NETWORKS[name]()).train()
    before = copy.deepcopy(model.state_dict())
    folded = fold(model)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    assert not any(weight.requires_grad for weight in folded.parameters())
    assert not folded.training
    assert all(part.training for part in model.modules())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_folding_twice_is_folding_once():
    folded = fold(NETWORKS["LatticeUNet"]())
    assert fold(folded) is folded


@pytest.mark.parametrize(
    "model",
    [
        nn.Conv2d(1, 1, 3),
        nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 3)),
        nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.BatchNorm2d(1)),
        nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1, track_running_stats=False)),
    ],
)
def test_what_cannot_be_folded_comes_back_as_it_is(model):
    assert fold(model) is model


def test_a_convolution_that_is_also_used_alone_stays_what_it_is():
    shared = nn.Conv2d(1, 1, 3)
    norm = random_weights(nn.BatchNorm2d(1))
    model = nn.Sequential(nn.Sequential(shared, norm), shared).eval()
    y = lattice(9, 9)
    with torch.no_grad():
        torch.testing.assert_close(fold(model)(y), model(y))


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
@pytest.mark.parametrize(
    "shape",  # the last is computed in two strips
    [(2, 128, 64, 64), (1, 128, 67, 71), (1, 128, 9, 700), (1, 128, 45, 401)],
)
def test_wide_convolutions_are_convolutions(padding, shape):
    conv = nn.Conv2d(128, 130, 3, padding=1, padding_mode=padding)
    model = random_weights(nn.Sequential(conv, nn.BatchNorm2d(130)))
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = fold(model)(x)
        truth = model.double()(x.double())
    assert ours.shape == truth.shape
    assert unlike(ours, truth) < 1e-5  # rounding, and factors of up to 8 on it


@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (1, 3, 1, 4)])
def test_a_fixed_convolution_has_the_derivatives_of_the_convolution(shape):
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode="replicate").double()
    conv.requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    found = []
    for module in (FixedConvolution(conv), conv):
        y = module(x)
        (first,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        found.append((y, first, second))
    # sums of some hundred terms of order 1 in double precision
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_gradients_flow_through_a_folded_network():
    model = random_weights(UNet(scales=2, channels=128, bias=False))
    y = lattice(72, 72).requires_grad_()
    rows = []
    for network in (model, fold(model)):
        (row,) = torch.autograd.grad(network(y)[0, 0, 30, 31], y)
        rows.append(row)
    assert unlike(*rows) < 1e-5


@pytest.mark.parametrize("name", TILED)
def test_tiles_agree_with_the_whole_image(name):
    model = fold(random_weights(TILED[name]()))
    grid, halo = find_tiling(model)
    y = lattice(90, 2 * halo + 2 * grid + 50)
    with torch.no_grad():
        whole, tiled = model(y), denoise_in_tiles(model, y, tile=grid + 13)
    # rounding; the second network of two may still see a trace of a tile's end
    assert unlike(tiled, whole) < 1e-4


@pytest.mark.parametrize("name", TILED)
def test_only_on_its_grid_a_network_moves_with_the_image(name):
    model = fold(random_weights(TILED[name]()))
    bins = getattr(model, "binning", 1)  # the interpolation to pixels sees everything
    estimate = model.denoise_binned if bins > 1 else model
    grid, halo = (size // bins for size in find_tiling(model))
    y = lattice(60, halo + 2 * grid + 40)

    def moved(step):
        with torch.no_grad():
            whole, cut = estimate(y), estimate(y[..., step:])
        return unlike(cut[..., halo:], whole[..., halo + step :])

    assert moved(grid) < 1e-4  # as above
    assert grid == 1 or moved(1) > 1e-3


def test_a_smaller_margin_is_too_small():
    for name in ("DnCNN", "DurrUNet", "UNet", "deep UNet"):
        model = fold(random_weights(TILED[name]()))
        _, halo = find_tiling(model)
        reach = sbd.field_of_view(model, size=256) // 2
        # rectifiers that are off hide some of it, and a pooled block up to its size
        assert 0.6 * halo <= reach <= halo


def test_a_network_whose_tiles_would_not_fit_together_is_refused():
    for model in (UNet(scales=2, channels=4), nn.Identity()):
        with pytest.raises(
            ValueError, match=r"tile must be None .* got a .*Identity|UNet"
        ):
            denoise_in_tiles(model, lattice(64, 64), tile=16)


def test_the_average_turns_and_mirrors_with_the_image():
    image = lattice(30, 41)[0, 0].numpy().astype(float)
    slope = np.add.outer(np.arange(30), 2 * np.arange(41))

    def skewed(image, across=False):  # noqa: ARG001
        return image * np.roll(image, 1, 0) + np.roll(image, (2, 3), (0, 1))

    mean = average_symmetries(skewed, image)
    assert not np.allclose(skewed(image[::-1])[::-1], skewed(image))
    for turned in (lambda a: a[::-1], lambda a: a.T, np.rot90):
        # sums of eight numbers in another order
        np.testing.assert_allclose(
            average_symmetries(skewed, turned(image)), turned(mean), rtol=1e-13
        )
    np.testing.assert_array_equal(average_symmetries(lambda a, _: a, slope), slope)


def test_the_average_takes_each_of_the_eight_once():
    image = np.arange(6.0).reshape(2, 3)
    seen = []

    def look(a, across):
        seen.append(a.tobytes() + bytes(a.shape))
        assert across == (a.shape != image.shape)
        return a

    average_symmetries(look, image)
    assert len(set(seen)) == len(seen) == 8


CHANGES = {
    "in place": lambda p: p.mul_(1.1),
    "behind its back": lambda p: p.data.mul_(1.1),
    "by numpy": lambda p: np.multiply(p.data.numpy(), 1.1, out=p.data.numpy()),
    "channels exchanged": lambda p: p.data.copy_(p.data.flip(*range(p.ndim))),
    "signs": lambda p: p.data.neg_(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["UNet", "CrystalUNet"])
def test_a_network_is_folded_once_and_anew_when_its_weights_change(kind, change):
    model = random_weights(create_model(kind, seed=0, **SMALL))
    model.requires_grad_(requires_grad=False)
    x = torch.rand(1, 1, 48, 52, generator=torch.Generator().manual_seed(0))
    first = fold(model)
    assert fold(model) is first
    # the last of all layers too, which is not the pilot's
    for weight in (next(model.parameters()), list(model.parameters())[-2]):
        CHANGES[change](weight)
        again = fold(model)
        assert again is not first
        if kind == "UNet":
            # rounding of some hundred sums of order 1
            torch.testing.assert_close(again(x), model(x), rtol=1e-4, atol=1e-5)
        first = again


def test_a_network_is_folded_anew_when_its_parts_or_settings_change():
    model = create_model("UNet", seed=0, **SMALL).eval()
    x = torch.rand(1, 1, 24, 28, generator=torch.Generator().manual_seed(0))
    first = fold(model)
    before = first(x)
    changes = (
        lambda: model.load_state_dict(
            create_model("UNet", seed=1, **SMALL).state_dict()
        ),
        lambda: setattr(model, "align_corners", False),
        lambda: setattr(model, "outc", copy.deepcopy(model.outc)),
        lambda: model.inc["double_conv"][1].running_mean.add_(0.1),
    )
    for change in changes:
        change()
        again = fold(model)
        assert again is not first
        torch.testing.assert_close(again(x), model(x), rtol=1e-4, atol=1e-5)
        first = again
    assert not torch.equal(before, first(x))


class Own(nn.Module):
    """A network of somebody else, with settings where nobody would look."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))
        self.gains = {"gain": [torch.tensor(1.0)]}

    def forward(self, x):
        return self.layers(x) * self.gains["gain"][0]


def test_settings_of_a_network_of_ones_own_are_never_stale():
    model = Own().eval()
    x = torch.rand(1, 1, 20, 20)
    before = fold(model)(x)
    model.gains["gain"][0] = torch.tensor(2.0)
    torch.testing.assert_close(fold(model)(x), 2 * before)


def hooked(model):
    model.outc.register_forward_hook(lambda _part, _given, result: 2 * result)


def hooked_before(model):
    def double(_part, given):
        return (2 * given[0],)

    model.inc["double_conv"][0].register_forward_pre_hook(double)


def weight_normed(model):
    nn.utils.parametrizations.weight_norm(model.inc["double_conv"][0])


@pytest.mark.parametrize("alter", [hooked, hooked_before, weight_normed])
def test_what_alters_a_network_is_kept(alter):
    model = random_weights(create_model("UNet", seed=0, **SMALL))
    x = torch.rand(1, 1, 24, 28, generator=torch.Generator().manual_seed(0))
    fold(model)
    alter(model)
    torch.testing.assert_close(fold(model)(x), model(x))


@pytest.mark.parametrize("kind", ["LatticeUNet", "CrystalUNet"])
def test_gradients_flow_after_a_call_in_inference_mode(kind):
    model = create_model(kind, seed=0, **SMALL).eval()
    size = (76, 84) if kind == "LatticeUNet" else (92, 100)  # asked for nowhere else
    noisy = lattice(*size)[0, 0].numpy().round()
    with torch.inference_mode():
        first = sbd.denoise(noisy, model, device="cpu")
    rows, _ = sbd.jacobian_rows(model, noisy, [(40, 40)], device="cpu")
    assert np.any(rows[0])
    y = torch.from_numpy(noisy).float()[None, None].requires_grad_()
    model(y).sum().backward()
    assert y.grad.any()
    np.testing.assert_array_equal(sbd.denoise(noisy, model, device="cpu"), first)


def test_precision_is_set_back_by_the_last_of_many_threads(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    places = [torch.backends.cuda.matmul, getattr(torch.backends.cudnn, "conv", None)]
    name = "fp32_precision" if places[1] else "allow_tf32"
    places[1] = places[1] or torch.backends.cudnn
    before = [getattr(place, name) for place in places]
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    inside, leave = threading.Barrier(3), threading.Event()

    def compute():
        with whole_precision():
            inside.wait(10)
            leave.wait(10)

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    with whole_precision():
        assert torch.backends.cudnn.benchmark
    assert {getattr(place, name) for place in places} in ({"ieee"}, {False})
    leave.set()
    for thread in threads:
        thread.join()
    assert [getattr(place, name) for place in places] == before


def test_what_was_folded_is_forgotten_with_its_network():
    model = create_model("UNet", seed=0, scales=2, channels=4).eval()
    kept = weakref.ref(fold(model))
    assert kept() is not None
    del model
    gc.collect()
    assert kept() is None
