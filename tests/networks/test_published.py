"""Check the networks against plain restatements of what was published."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import sbd


def noise(height=64, width=48):
    counts = np.random.default_rng(0).poisson(0.45, (1, 1, height, width))
    return torch.tensor(counts, dtype=torch.float64)


def small(kind, **config):
    if kind in (sbd.UNet, sbd.LatticeUNet):
        config["channels"] = 4
    return kind(**config).double().eval()


def random_model(kind, **config):
    """Weights and statistics that are neither zero nor one."""
    model = small(kind, **config)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.dtype.is_floating_point:
            value = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(value + 0.5 if "var" in name else 0.3 * (value - 0.5))
    return model


def convolve(state, name, x, *, dilation=1, mode="constant"):
    """Convolve to the same size; a dilated kernel is one with zeros in it."""
    weight = spread(state[f"{name}.weight"], dilation)
    x = functional.pad(x, [weight.shape[-1] // 2] * 4, mode=mode)
    return functional.conv2d(x, weight, state.get(f"{name}.bias"))


def spread(values, step):
    """Put zeros between the values."""
    height, width = values.shape[-2:]
    size = (step * (height - 1) + 1, step * (width - 1) + 1)
    out = values.new_zeros(*values.shape[:2], *size)
    out[..., ::step, ::step] = values
    return out


def normalise(state, name, x, *, bias):
    weight, shift, mean, variance = (
        state[f"{name}.{key}"].view(-1, 1, 1)
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    if bias:
        return weight * (x - mean) / (variance + 1e-5).sqrt() + shift
    return weight * x / (variance.sqrt() + 1e-5)


def published_unet(state, y, *, bias):
    def double(name, x):
        for conv, norm in (("1", "2"), ("5", "6")):
            x = convolve(state, f"{name}.double_conv.{conv}", x, mode="replicate")
            x = normalise(state, f"{name}.double_conv.{norm}", x, bias=bias).relu()
        return x

    levels = [double("inc", y)]
    for i in range(1, 5):
        pooled = functional.max_pool2d(levels[-1], 2)
        levels.append(double(f"down{i}.maxpool_conv.1", pooled))
    x = levels.pop()
    for i in range(3, 7):
        x = functional.interpolate(
            x, scale_factor=2, mode="bilinear", align_corners=True
        )
        x = double(f"up{i}.conv", torch.cat([levels.pop(), x], 1))
    return convolve(state, "outc.conv", x)


def published_dncnn(state, y, *, bias):
    x = convolve(state, "first_layer", y).relu()
    for i in range(18):
        x = convolve(state, f"hidden_layer_list.{i}", x)
        x = normalise(state, f"bn_layer_list.{i}", x, bias=bias).relu()
    return convolve(state, "last_layer", x)


def published_durr(state, y, **_):
    fine = convolve(state, "conv2", convolve(state, "conv1", y).relu()).relu()
    x = convolve(state, "conv3", fine)[..., ::2, ::2].relu()
    for name, dilation in (("conv4", 1), ("conv5", 2), ("conv6", 4)):
        x = convolve(state, name, x, dilation=dilation).relu()
    # a transposed convolution is one with the kernel turned, between zeros
    kernel = state["conv7.weight"].flip((-1, -2)).transpose(0, 1)
    x = functional.pad(spread(x, 2), [2, 2, 2, 2])
    x = functional.conv2d(x, kernel, state.get("conv7.bias")).relu()
    x = convolve(state, "conv8", torch.cat([x, fine], 1)).relu()
    return convolve(state, "conv9", x)


PUBLISHED = {
    sbd.UNet: published_unet,
    sbd.DnCNN: published_dncnn,
    sbd.DurrUNet: published_durr,
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_network_is_the_published_one(kind, bias):
    model, published = random_model(kind, bias=bias), PUBLISHED[kind]
    y = noise(32, 48)
    with torch.no_grad():
        ours, theirs = model(y), published(model.state_dict(), y, bias=bias)
    assert theirs.std() > 0
    # sums in another order: 20 layers of 577 terms, each rounded to 1e-16; an epsilon
    # under the root instead of outside would show as 1e-5
    torch.testing.assert_close(
        ours, theirs, rtol=1e-10, atol=1e-10 * theirs.abs().max()
    )


@pytest.mark.parametrize(
    ("scales", "bias", "parameters"),
    # as the authors' networks have them
    [
        (4, False, 5_610_496),
        (4, True, 5_613_441),
        (6, False, 70_504_960),
        (6, True, 70_514_817),
    ],
)
def test_the_papers_networks_have_the_papers_parameters(scales, bias, parameters):
    with torch.device("meta"):
        model = sbd.UNet(scales=scales, channels=128, bias=bias)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("bias", [True, False])
def test_the_parameters_are_those_of_the_layers(bias):
    def count(layers):
        return sum(a * b * size**2 + bias * b for a, b, size in layers)

    def have(model):
        return sum(p.numel() for p in model.parameters())

    chain = [(1, 64, 3), *[(64, 64, 3)] * 18, (64, 1, 3)]
    factors_and_shifts = 18 * 2 * 64
    assert have(sbd.DnCNN(bias=bias)) == count(chain) + factors_and_shifts
    durr = [(1, 32, 5), (32, 32, 3), (32, 64, 3), *[(64, 64, 3)] * 3, (64, 64, 4),
            (96, 32, 3)]  # fmt: skip
    last = 32 * 5**2  # has no constant
    assert have(sbd.DurrUNet(bias=bias)) == count(durr) + last


def test_the_layers_are_named_as_in_the_authors_files():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    for bias in (True, False):
        names = [
            *("first_layer.weight", "hidden_layer_list.0.weight", "last_layer.weight"),
            *(f"bn_layer_list.0.{name}" for name in norm),
        ]
        if bias:
            convs = ("first_layer", "hidden_layer_list.0", "last_layer")
            names += [f"{name}.bias" for name in convs]
        model = sbd.DnCNN(depth=3, channels=2, bias=bias)
        assert sorted(model.state_dict()) == sorted(names)
    names = [f"conv{i}.{part}" for i in range(1, 10) for part in ("weight", "bias")]
    assert list(sbd.DurrUNet().state_dict()) == names[:-1]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_without_constants_the_network_scales_with_its_input(kind):
    model = random_model(kind, bias=False)
    y = noise(32, 32)
    with torch.no_grad():
        # a factor of 4 leaves every binary fraction as it is
        assert torch.equal(model(4 * y), 4 * model(y))


@pytest.mark.parametrize("kind", [sbd.UNet, sbd.DurrUNet])
def test_a_residual_is_taken_off_the_input(kind):
    y = noise(33, 48)
    with torch.no_grad():
        direct, residual = (random_model(kind, residual=r)(y) for r in (False, True))
    assert torch.equal(residual, y - direct)


@pytest.mark.parametrize("shape", [(16, 16), (37, 50), (61, 21)])
@pytest.mark.parametrize("kind", [*PUBLISHED, sbd.LatticeUNet])
def test_images_of_any_shape_keep_their_shape(kind, shape):
    with torch.no_grad():
        assert small(kind)(noise(*shape)).shape == (1, 1, *shape)


def test_a_binned_network_sees_the_means_of_its_bins():
    model = random_model(sbd.UNet, binning=4)
    y = noise(64, 80)
    with torch.no_grad():
        means = model.denoise_binned(torch.nn.functional.avg_pool2d(y, 4))
        whole = model(y)
    # the interpolation keeps the mean, and rounding is 1e-7 of values about one
    torch.testing.assert_close(whole.mean(), means.mean(), rtol=1e-5, atol=1e-6)
    assert whole.shape == y.shape


@pytest.mark.parametrize("shape", [(33, 48), (32, 47), (33, 47)])
def test_odd_sides_are_filled_with_zeros_as_published(shape):
    model = random_model(sbd.DurrUNet)
    inside = (..., slice(shape[0]), slice(shape[1]))
    whole = torch.zeros(1, 1, *(n + n % 2 for n in shape), dtype=torch.float64)
    whole[inside] = noise(*shape)
    with torch.no_grad():
        assert torch.equal(model(noise(*shape)), model(whole)[inside])


@pytest.mark.parametrize(
    ("model", "side"),
    [
        # each of the 20 convolutions reaches one pixel farther
        (sbd.DnCNN(channels=1, bias=False), 2 * 20 + 1),
        # 5 x 5 twice, 3 x 3 twice and the step down: 7; the dilated ones 1 + 2 + 4 and
        # the step up 0.5, in places of two pixels: 15
        (sbd.DurrUNet(bias=False), 2 * (7 + 15) + 1),
    ],
    ids=["DnCNN", "DurrUNet"],
)
def test_the_field_of_view_is_that_of_the_layers(model, side):
    model = model.double().eval()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # no unit is off
    y = noise(64, 64).requires_grad_()
    (gradient,) = torch.autograd.grad(model(y)[0, 0, 32, 32], y)
    for seen in torch.nonzero(gradient[0, 0]).T:
        assert seen.max() - seen.min() + 1 == side


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (sbd.UNet, {"scales": 3}, "scales must be 2, 4 or 6; got 3"),
        (sbd.UNet, {"channels": 5}, "channels must be an even .* at least 2; got 5"),
        (sbd.UNet, {"binning": 0}, "binning must be 1, or more .*; got 0"),
        (sbd.UNet, {"binning": 2, "inputs": 3}, "one channel; got 2"),
        (sbd.DnCNN, {"depth": 1}, "depth must be a whole .* at least 2; got 1"),
        (sbd.DnCNN, {"channels": 0}, "channels must be a whole .* at least 1; got 0"),
        (sbd.DnCNN, {"inputs": 0}, "inputs must be a whole .* at least 1; got 0"),
    ],
)  # fmt: skip
def test_impossible_networks_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)
