"""Check Jacobian rows where the network is linear, affine or piecewise linear."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

import sbd
from sbd.evidence.jacobian import (
    effective_field_of_view,
    jacobian_action,
    jacobian_column,
    jacobian_row,
    jacobian_rows,
)


@pytest.fixture
def counts():
    return np.random.default_rng(0).poisson(0.45, (16, 18)).astype(np.float32)


def relu_network(*, bias, dtype=torch.float64):
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3, padding=1, bias=bias), nn.Conv2d(4, 1, 5, padding=2)
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1]).to(dtype)
    if not bias:
        nn.init.zeros_(network[2].bias)
    return network


def value_at(model, image, pixel):
    with torch.no_grad():
        y = torch.tensor(image, dtype=next(model.parameters()).dtype)[None, None]
        return model(y)[(0, 0, *pixel)].item()


def test_the_identity_looks_at_the_pixel_itself(counts):
    row, bias = jacobian_row(nn.Identity(), counts, (3, 5))
    expected = np.zeros_like(counts)
    expected[3, 5] = 1
    np.testing.assert_array_equal(row, expected)
    assert bias == 0.0


def test_a_convolution_looks_through_its_kernel(counts):
    kernel = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    convolution = nn.Conv2d(1, 1, (3, 5), padding=(1, 2), bias=False)
    convolution.weight.data[:] = torch.from_numpy(kernel)
    row, bias = jacobian_row(convolution, counts, (7, 8))
    expected = np.zeros_like(counts)
    expected[6:9, 6:11] = kernel
    np.testing.assert_array_equal(row, expected)
    # the value is a float32 sum of 15 products of order 1: 15 * 6e-8 at most
    assert bias == pytest.approx(0, abs=1e-6)
    value = ndimage.correlate(counts, kernel, mode="constant")[7, 8]
    assert np.vdot(row, counts) == pytest.approx(value, abs=1e-5)


def test_the_constant_of_an_affine_network_is_the_net_bias(counts):
    affine = nn.Conv2d(1, 1, 3, padding=1).double()
    affine.bias.data[:] = 0.458
    _, bias = jacobian_row(affine, counts, (4, 4))
    assert bias == pytest.approx(0.458, abs=1e-14)  # double precision, ten terms


def test_rows_agree_with_finite_differences(counts):
    network, pixel, step = relu_network(bias=True), (8, 9), 1e-4
    # off the integers, so that no ReLU switches within the step: exact but for rounding
    image = counts + np.random.default_rng(2).uniform(0.1, 0.2, counts.shape)
    row, _ = jacobian_row(network, image, pixel)
    differences = np.zeros_like(row)
    for place in np.ndindex(image.shape):
        nudge = np.zeros_like(image)
        nudge[place] = step
        above, below = (value_at(network, image + s * nudge, pixel) for s in (1, -1))
        differences[place] = (above - below) / (2 * step)
    # rounding of a value of order 1 in double precision, over the step: 1e-16 / 1e-4
    np.testing.assert_allclose(row, differences, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_row_and_bias_give_the_network_value(counts, dtype):
    network = relu_network(bias=True, dtype=dtype)
    row, bias = jacobian_row(network, counts, (5, 11))
    assert row.dtype == {torch.float32: "float32", torch.float64: "float64"}[dtype]
    total = np.vdot(row.astype(float), counts.astype(float)) + bias
    assert total == pytest.approx(value_at(network, counts, (5, 11)), abs=1e-14)


def test_a_bias_free_network_has_no_net_bias(counts):
    _, bias = jacobian_row(relu_network(bias=False), counts, (5, 11))
    assert bias == pytest.approx(0, abs=1e-14)  # double precision, values of order 1


class Constant(nn.Module):
    def forward(self, y):
        return torch.full_like(y, 0.45)


class Cropped(nn.Module):
    def forward(self, y):
        return y[..., 1:]


def test_a_network_that_ignores_its_input_is_all_bias(counts):
    row, bias = jacobian_row(Constant(), counts, (0, 0))
    assert not row.any()
    assert bias == pytest.approx(0.45, abs=1e-7)  # 0.45 in single precision


def test_the_network_is_left_as_it_came(counts):
    network = nn.Sequential(relu_network(bias=True), nn.Dropout(0.5), nn.BatchNorm2d(1))
    network = network.double().train()
    network[2].eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = (jacobian_row(network, counts, (4, 4))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)  # no dropout: evaluation mode
    assert [network.training, network[1].training] == [True, True]
    assert not network[2].training
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_it_works_where_gradients_are_switched_off(counts):
    with torch.no_grad():
        row, _ = jacobian_row(nn.Identity(), counts, (3, 5))
    assert row.sum() == 1


def test_the_image_is_left_alone(counts):
    before = counts.copy()
    jacobian_row(relu_network(bias=True), counts, (1, 1))
    np.testing.assert_array_equal(counts, before)


def test_many_rows_are_the_single_ones(counts):
    model, pixels = relu_network(bias=True), [(3, 5), (0, 0), (15, 17)]
    rows, biases = jacobian_rows(model, counts, pixels)
    for row, bias, pixel in zip(rows, biases, pixels, strict=True):
        one, its = jacobian_row(model, counts, pixel)
        np.testing.assert_array_equal(row, one)
        assert bias == its
    assert jacobian_rows(model, counts, [])[0].shape == (0, 16, 18)


def test_no_digit_depends_on_the_number_of_threads():
    torch.manual_seed(2)
    model = sbd.CrystalUNet(scales=2, channels=4).eval()
    for tensor in model.state_dict().values():  # as if it had been trained
        if tensor.ndim == 4:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
    image = np.random.default_rng(6).poisson(2.0, (150, 140))
    pixels = [(10 * i, 9 * i) for i in range(12)]
    before = torch.get_num_threads()
    one, three = (jacobian_rows(model, image, pixels, workers=n) for n in (1, 3))
    np.testing.assert_array_equal(one[0], three[0])
    np.testing.assert_array_equal(one[1], three[1])
    assert len({row.tobytes() for row in one[0]}) == 12
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="workers must be a whole number"):
        jacobian_rows(model, image, pixels, workers=0)


def test_what_cannot_be_linearised_is_refused(counts):
    network = relu_network(bias=True)
    with pytest.raises(IndexError, match=r"shape \(16, 18\); got \(16, 0\)"):
        jacobian_row(network, counts, (16, 0))
    with pytest.raises(IndexError, match="pixel must lie inside"):
        jacobian_row(network, counts, (0, -1))
    with pytest.raises(TypeError, match="pair of whole numbers"):
        jacobian_row(network, counts, (1.5, 2))
    with pytest.raises(ValueError, match="noisy must be finite"):
        jacobian_row(network, counts * np.nan, (0, 0))
    with pytest.raises(ValueError, match=r"same shape; got \(1, 1, 16, 17\)"):
        jacobian_row(Cropped(), counts, (0, 0))


def test_the_field_of_view_of_a_gaussian_is_known():
    rows, cols = np.indices((201, 201))
    row = np.exp(-((rows - 100) ** 2 + (cols - 100) ** 2) / (2 * 20.0**2))
    for fraction in (0.5, 0.95):
        # the squared weight is a Gaussian of sd 20 / sqrt(2): Rayleigh's radius; rings
        # of the grid are filled one by one, a pixel apart at most
        expected = 20 * np.sqrt(-np.log(1 - fraction))
        radius = effective_field_of_view(row, (100, 100), fraction=fraction)
        assert radius == pytest.approx(expected, abs=0.5)


def test_all_of_the_weight_lies_within_the_farthest_pixel():
    row = np.zeros((20, 30))
    row[2, 3] = row[5, 7] = -0.5
    assert effective_field_of_view(row, (2, 3), fraction=1) == 5.0
    assert effective_field_of_view(row, (2, 3), fraction=0.5) == 0.0


def test_a_field_of_view_needs_weight_and_a_fraction():
    with pytest.raises(ValueError, match="row must have a weight other than 0"):
        effective_field_of_view(np.zeros((4, 4)), (0, 0))
    with pytest.raises(
        ValueError, match="fraction must be above 0 and at most 1; got 2"
    ):
        effective_field_of_view(np.ones((4, 4)), (0, 0), fraction=2)
    with pytest.raises(IndexError, match="pixel must lie inside"):
        effective_field_of_view(np.ones((4, 4)), (4, 0))


@pytest.mark.parametrize("kind", ["UNet", "DnCNN"])
def test_rows_of_the_networks_agree_with_finite_differences(kind):
    """Whole networks, folded on the way: to 1e-5 of the largest weight."""
    options = {"UNet": {"scales": 2, "channels": 4}, "DnCNN": {"depth": 4}}[kind]
    torch.manual_seed(3)
    model = getattr(sbd, kind)(**options).eval().double()
    for name, tensor in model.state_dict().items():  # as if it had been trained
        if tensor.ndim == 4:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
        elif name.endswith("mean"):
            tensor.uniform_(-0.1, 0.1)
        elif name.endswith("var"):
            tensor.uniform_(0.5, 1.5)
    rng, pixel, step = np.random.default_rng(4), (9, 8), 1e-7
    image = rng.poisson(1.0, (16, 20)) + rng.uniform(0.1, 0.2, (16, 20))
    row, _ = jacobian_row(model, image, pixel)
    assert np.abs(row).max() > 0.05
    for place in rng.integers(0, (16, 20), (40, 2)):
        nudge = np.zeros_like(image)
        nudge[tuple(place)] = step
        above, below = (value_at(model, image + s * nudge, pixel) for s in (1, -1))
        # 1e-16 of a value of order 1, over the step, is 1e-9 of a weight of order 0.1
        difference = (above - below) / (2 * step)
        assert abs(row[tuple(place)] - difference) < 1e-5 * np.abs(row).max()


def test_columns_and_rows_are_of_one_matrix(counts):
    model, places = relu_network(bias=True), [(8, 9), (0, 0), (15, 17), (8, 11)]
    rows, _ = jacobian_rows(model, counts, places)
    for place in places:
        column = jacobian_column(model, counts, place)
        assert column.shape == counts.shape
        for row, there in zip(rows, places, strict=True):
            # sums of some hundred terms of order 1 in double precision
            assert column[there] == pytest.approx(row[place], abs=1e-14)


def test_the_action_is_the_derivative_along_a_direction(counts):
    model, rng = relu_network(bias=True), np.random.default_rng(5)
    image = counts + rng.uniform(0.1, 0.2, counts.shape)  # off the kinks of the ReLUs
    direction = rng.normal(size=counts.shape)
    moved = jacobian_action(model, image, direction)
    step, values = 1e-7, []
    for sign in (1, -1):
        y = torch.from_numpy(image + sign * step * direction)[None, None]
        values.append(model(y)[0, 0].detach().numpy())
    # rounding of values of order 1 in double precision, over the step: 1e-16 / 1e-7
    np.testing.assert_allclose(
        moved, (values[0] - values[1]) / (2 * step), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("kind", ["UNet", "LatticeUNet", "CrystalUNet"])
def test_the_action_and_the_rows_agree_in_the_real_networks(kind):
    """One goes down the network, the others up: <row, v> is the action at the pixel."""
    model = sbd.create_model(kind, seed=1, scales=2, channels=4).eval().double()
    for network in (model, getattr(model, "pilot", model)):
        last = getattr(network, "unet", network).outc["conv"]
        torch.nn.init.normal_(last.weight, std=0.1)
    rng = np.random.default_rng(6)
    wave = 1 + 0.4 * np.cos(np.arange(96) * 2 * np.pi / 24)
    noisy = rng.poisson(np.outer(wave, wave)).astype(float)
    direction, pixel = rng.normal(size=noisy.shape), (40, 50)
    row, bias = jacobian_row(model, noisy, pixel)
    moved = jacobian_action(model, noisy, direction)
    # some ten thousand terms in double precision
    scale = np.abs(row).sum()
    assert moved[pixel] == pytest.approx(np.vdot(row, direction), abs=1e-12 * scale)
    if kind != "UNet":  # all is relative to the local mean: f(y) = J y
        np.testing.assert_allclose(
            jacobian_action(model, noisy, noisy),
            model(torch.from_numpy(noisy)[None, None])[0, 0].detach().numpy(),
            rtol=0,
            atol=1e-10,
        )
        assert bias == pytest.approx(0, abs=1e-10)


def test_a_bias_free_network_is_its_action_on_the_counts(counts):
    model = relu_network(bias=False)
    value = model(torch.from_numpy(counts).double()[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(
        jacobian_action(model, counts, counts), value, rtol=0, atol=1e-14
    )


def test_no_counts_at_all_and_odd_counts_have_a_row(counts):
    model = relu_network(bias=True)
    for image in (np.zeros_like(counts), counts * 0.37, np.ones((1, 1))):
        row, bias = jacobian_row(model, image, (0, 0))
        total = np.vdot(row, image.astype(float)) + bias
        assert total == pytest.approx(value_at(model, image, (0, 0)), abs=1e-14)


def test_a_direction_must_fit_the_image(counts):
    model = relu_network(bias=True)
    with pytest.raises(ValueError, match=r"shape of noisy, \(16, 18\); got \(16, 17\)"):
        jacobian_action(model, counts, counts[:, 1:])
    with pytest.raises(ValueError, match="direction must be finite"):
        jacobian_action(model, counts, counts * np.nan)
    with pytest.raises(IndexError, match="pixel must lie inside"):
        jacobian_column(model, counts, (16, 0))


def test_it_works_in_inference_mode_and_for_a_network_that_changes_its_input(counts):
    with torch.inference_mode():
        row, _ = jacobian_row(nn.Identity(), counts, (3, 5))
    assert row.sum() == 1
    rows, _ = jacobian_rows(nn.ReLU(inplace=True), counts + 1, [(3, 5), (0, 0)])
    assert rows.sum() == 2
    with pytest.raises(TypeError, match="model must be a torch"):
        jacobian_row(lambda y: y, counts, (3, 5))
