"""Check the networks' door and the spatial denoisers."""

import numpy as np
import pytest
import torch

import sbd
import sbd.denoisers.network
from sbd.denoisers.network import (
    choose_bins,
    denoise,
    denoise_constant,
    denoise_gaussian,
    denoise_network,
)
from sbd.networks.lattice import LatticeUNet
from sbd.networks.models import create_model
from sbd.simulation.noise import VACUUM

CLASSICAL = (denoise_constant, denoise_gaussian)


def vacuum(shape, seed=0):
    return np.random.default_rng(seed).poisson(VACUUM, shape).astype(np.float32)


@pytest.mark.parametrize("denoiser", CLASSICAL)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (33, 70), (101, 64)])
def test_shape_and_type_are_kept_at_any_size(denoiser, shape):
    estimate = denoiser(vacuum(shape))
    assert estimate.shape == shape
    assert estimate.dtype == np.float32
    assert np.isfinite(estimate).all()


@pytest.mark.parametrize("denoiser", CLASSICAL)
def test_a_constant_image_stays_constant(denoiser):
    # rounding of float32
    np.testing.assert_allclose(denoiser(np.full((40, 50), 2.0)), 2.0, rtol=1e-6)


@pytest.mark.parametrize("denoiser", CLASSICAL)
def test_negative_counts_are_refused(denoiser):
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoiser(np.full((9, 9), -1.0))


def test_the_constant_is_the_mean():
    counts = vacuum((30, 31))
    np.testing.assert_allclose(denoise_constant(counts), counts.mean(), rtol=1e-6)


def test_a_blurred_electron_is_a_gaussian():
    counts = np.zeros((61, 61))
    counts[30, 30] = 1
    blurred = denoise_gaussian(counts, sigma=5.0)
    # cut off at four standard deviations: 6e-5 of the sum is missing on each axis
    assert blurred[30, 30] == pytest.approx(1 / (2 * np.pi * 25), rel=1e-3)
    assert blurred[30, 35] / blurred[30, 30] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_a_network_gets_the_counts_and_its_answer_comes_back():
    model = torch.nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(0.5)
    counts = vacuum((16, 23))
    for denoiser in (denoise, denoise_network):
        estimate = denoiser(counts, model, device="cpu")
        assert estimate.dtype == np.float32
        np.testing.assert_allclose(estimate, 2 * counts + 0.5)


def test_a_network_is_used_in_evaluation_mode_and_left_as_it_came():
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.9)).train()
    before = model[0].running_mean.clone()
    first, second = (denoise(vacuum((20, 20)), model, device="cpu") for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert model.training
    assert torch.equal(model[0].running_mean, before)


def test_gradients_still_flow_through_a_network_that_has_denoised():
    model = LatticeUNet(scales=2, channels=2)
    counts = vacuum((24, 24))
    denoise(counts, model, device="cpu")
    y = torch.as_tensor(counts)[None, None].requires_grad_()
    model.eval()(y)[0, 0, 3, 4].backward()
    assert torch.isfinite(y.grad).all()


def test_a_network_is_folded_for_use_and_stays_as_it_was():
    model = create_model("UNet", seed=0, scales=2, channels=4)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2.0, generator=generator)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    counts = vacuum((40, 50))
    estimate = denoise(counts, model, device="cpu")
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert model.training
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(counts)[None, None])[0, 0].numpy()
    # rounding of float32 through ten layers
    np.testing.assert_allclose(estimate, expected, atol=1e-5 * abs(expected).max())


def test_an_image_is_denoised_in_tiles_and_over_its_symmetries():
    model = create_model("UNet", seed=0, scales=2, channels=4, align_corners=False)
    counts = vacuum((61, 130))
    whole, tiled, mean = (
        denoise(counts, model, device="cpu", **options)
        for options in ({}, {"tile": 20}, {"ensemble": True})
    )
    largest = abs(whole).max()  # rounding of float32 through ten layers
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * largest)
    turned = denoise(np.rot90(counts), model, device="cpu", ensemble=True, tile=20)
    np.testing.assert_allclose(np.rot90(turned, -1), mean, atol=1e-5 * largest)
    assert abs(mean - whole).max() > 1e-3 * largest


def test_what_cannot_be_tiled_is_refused():
    counts = vacuum((40, 40))
    published = create_model("UNet", seed=0, scales=2, channels=4)
    with pytest.raises(ValueError, match=r"tile must be a whole .* 1; got 0"):
        denoise(counts, published, device="cpu", tile=0)
    with pytest.raises(ValueError, match="tile must be None for this network"):
        denoise(counts, published, device="cpu", tile=16)


def test_a_name_is_loaded_and_none_is_the_default(monkeypatch):
    asked = []
    monkeypatch.setattr(
        sbd.denoisers.network,
        "load_model",
        lambda name: asked.append(name) or torch.nn.ReLU(),
    )
    denoise(vacuum((16, 16)), device="cpu")
    denoise(vacuum((16, 16)), "weights/default", device="cpu")
    assert asked == [None, "weights/default"]


def test_a_missing_gpu_is_replaced_by_the_cpu_with_a_warning(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    counts = vacuum((16, 16))
    with pytest.warns(UserWarning, match="'cuda' is not available here"):
        estimate = denoise(counts, torch.nn.Identity(), device="cuda")
    np.testing.assert_array_equal(estimate, counts)


def test_what_a_network_cannot_do_is_refused():
    counts = vacuum((16, 16))
    with pytest.raises(ValueError, match="noisy must be at least 16 x 16 pixels"):
        denoise(vacuum((15, 40)), torch.nn.Identity())
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        denoise(counts - 1, torch.nn.Identity())
    with pytest.raises(ValueError, match="device must be"):
        denoise(counts, torch.nn.Identity(), device="abacus")
    with pytest.raises(TypeError, match="model must be a network, a name or a path"):
        denoise(counts, 3, device="cpu")
    with pytest.raises(ValueError, match="model must return shape"):
        denoise(counts, torch.nn.AvgPool2d(2), device="cpu")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        denoise(counts, "nowhere", device="cpu")


def test_a_blur_has_a_width():
    with pytest.raises(ValueError, match="sigma must be positive; got 0"):
        denoise_gaussian(vacuum((20, 20)), sigma=0)


def test_an_image_with_an_offset_is_told():
    counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    with (
        pytest.warns(UserWarning, match="does not look like 0.1 to 10 counted"),
        pytest.warns(UserWarning, match="noisy varies 2.93 times as much"),
    ):
        sbd.denoise((40 + 20 * counts).astype(np.uint8), device="cpu")


def test_small_pixels_are_added_to_those_the_weights_know():
    model = torch.nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    model.trained_pixel = (0.055, 0.08)
    noisy = sbd.poisson_noise(np.full((60, 70), 2.0), rng=np.random.default_rng(0))
    whole, half, third = (
        sbd.denoise(noisy, model, pixel=pixel, device="cpu")
        for pixel in (0.06, 0.03, 0.02)
    )
    np.testing.assert_array_equal(whole, sbd.denoise(noisy, model, device="cpu"))
    assert half.shape == third.shape == noisy.shape
    # the mean of 9 squares of k x k counts has a deviation of sqrt(2 / (9 k^2)); means
    # between the squares have less, and some 30 independent ones tell it to 13 %
    for image, width in ((whole, 1), (half, 2), (third, 3)):
        expected = (2 / 9) ** 0.5 / width
        assert 0.6 * expected < image[9:-9, 9:-9].std() < 1.3 * expected
        assert image.mean() == pytest.approx(2.0, abs=0.1)


LEARNT = (0.055, 0.08)  # angstrom per pixel, of which four make a bin


class Bins(torch.nn.Module):
    """A network on bins that keeps what it was given, and gives it back."""

    def __init__(self, binning=4, trained=LEARNT):
        super().__init__()
        self.binning, self.trained_pixel = binning, trained

    def denoise_binned(self, binned):
        self.seen = binned
        return binned


@pytest.mark.parametrize(
    ("pixel", "bins"),
    [
        (0.02, (13, 13)), (0.031, (9, 9)), (0.0488, (5, 5)), (0.0622, (4, 4)),
        (0.1, (3, 3)), (0.124, (2, 2)), (0.25, (1, 1)), (0.31, (1, 1)),
        ((0.062, 0.064), (4, 4)), ((0.062, 0.13), (4, 2)), ((0.09, 0.25), (3, 1)),
        (None, (4, 4)),
    ],
)  # fmt: skip
def test_as_many_pixels_are_added_as_make_a_bin_that_was_learnt_from(pixel, bins):
    assert choose_bins(pixel, Bins()) == bins
    if pixel is not None:
        sides = np.multiply(bins, pixel)
        assert 0.22 <= sides.min() <= sides.max() <= 0.32


def test_every_size_that_can_be_binned_without_loss_is():
    """From the smallest pixel to the largest, but for what lies between 1 and 2."""
    for pixel in np.geomspace(0.02, 0.32, 200):
        least, most = np.ceil(0.22 / pixel - 1e-9), np.floor(0.32 / pixel + 1e-9)
        if least <= most:
            assert least <= choose_bins(pixel, Bins())[0] <= most


@pytest.mark.parametrize(
    ("pixel", "bins"), [(0.2, (1, 1)), (0.17, (2, 2)), ((0.06, 0.2), (4, 1))]
)
def test_pixels_between_two_bins_are_taken_with_a_warning(pixel, bins):
    with pytest.warns(UserWarning, match=r"learnt from 0.22 to 0.32"):
        assert choose_bins(pixel, Bins()) == bins


@pytest.mark.parametrize("pixel", [0.0062, 0.019, (0.06, 0.006)])
def test_nanometres_are_taken_for_what_they_are(pixel):
    with pytest.raises(ValueError, match=r"pixel must be at least 0.02.*nanometres"):
        sbd.denoise(np.eye(40), pixel=pixel, device="cpu")


@pytest.mark.parametrize("pixel", [0.4, 0.62, (0.06, 0.5)])
def test_pixels_that_are_too_coarse_are_refused(pixel):
    with pytest.raises(ValueError, match=r"pixel must be at most 0.32 angstrom"):
        sbd.denoise(np.eye(40), pixel=pixel, device="cpu")


def test_a_network_on_every_pixel_takes_no_coarser_ones():
    model = Bins(binning=1)
    assert choose_bins(0.0311, model) == (2, 2)
    with pytest.raises(ValueError, match=r"pixel must be at most 0.08 angstrom"):
        choose_bins(0.25, model)


@pytest.mark.parametrize("pixel", [0.0, -1.0, np.nan, np.inf, (0.06, -1), (1, 1, 1)])
def test_a_pixel_has_a_size(pixel):
    with pytest.raises(ValueError, match="pixel must be a size above 0"):
        sbd.denoise(np.eye(40), pixel=pixel, device="cpu")


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize(("pixel", "bins"), [((0.062, 0.13), (4, 2)), (0.031, (9, 9))])
def test_a_network_sees_what_was_counted_in_a_bin(pixel, bins, tile):
    noisy = vacuum((72, 90))
    model = Bins()
    if tile:
        model = LatticeUNet(scales=2, channels=4).eval()
        model.trained_pixel = LEARNT
    estimate = denoise(noisy, model, pixel=pixel, device="cpu", tile=tile)
    assert estimate.shape == noisy.shape
    if tile:
        whole = denoise(noisy, model, pixel=pixel, device="cpu")
        # rounding; the pieces begin on the grid of the windows
        np.testing.assert_allclose(estimate, whole, atol=1e-5)
        return
    down, across = bins
    summed = noisy.reshape(72 // down, down, 90 // across, across).sum((1, 3))
    np.testing.assert_allclose(model.seen[0, 0] * 16, summed, rtol=1e-6)
    # what comes back is per pixel again
    assert estimate.mean() == pytest.approx(noisy.mean(), rel=1e-5)


def test_turned_images_are_binned_along_the_sides_they_had():
    noisy = vacuum((64, 64))
    mean = denoise(noisy, Bins(), pixel=(0.062, 0.13), device="cpu", ensemble=True)
    once = denoise(noisy, Bins(), pixel=(0.062, 0.13), device="cpu")
    np.testing.assert_allclose(mean, once, atol=1e-5)  # interpolated along both axes


def test_too_few_bins_are_refused():
    with pytest.raises(
        ValueError, match="noisy must be at least 4 x 4 bins of 13 x 13"
    ):
        denoise(vacuum((40, 60)), Bins(), pixel=0.02, device="cpu")


@pytest.mark.parametrize("door", [denoise, denoise_network])
def test_a_stack_is_summed_or_taken_frame_by_frame_as_asked(door):
    blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
    stack = np.stack([vacuum((20, 24), seed) for seed in range(3)])
    each = door(stack, blur, frames="each", device="cpu")
    for frame, estimate in zip(stack, each, strict=True):
        np.testing.assert_array_equal(estimate, door(frame, blur, device="cpu"))
    summed = door(stack, blur, frames="sum", device="cpu")
    np.testing.assert_array_equal(summed, door(stack.sum(0), blur, device="cpu"))
    with pytest.raises(ValueError, match="frames must be 'sum' or 'each' where noisy"):
        door(stack, blur, device="cpu")
    with pytest.raises(ValueError, match="frames must be one of sum, each; got 'mean'"):
        door(stack, blur, frames="mean", device="cpu")


@pytest.mark.parametrize("door", [denoise, denoise_network])
def test_each_frame_of_a_stack_is_checked(door):
    blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
    stack = np.stack([vacuum((20, 24), seed) + 1 for seed in range(3)])
    stack[1, 3, 4] = -1  # which the sum would hide
    for frames in ("sum", "each"):
        with pytest.raises(ValueError, match="noisy must hold electron counts"):
            door(stack, blur, frames=frames, device="cpu")
        with pytest.raises(ValueError, match=r"got shape \(0, 20, 24\)"):
            door(stack[:0], blur, frames=frames, device="cpu")
        with pytest.raises(TypeError, match="noisy must hold real numbers"):
            door(stack + 0j, blur, frames=frames, device="cpu")
    with pytest.raises(ValueError, match="frames must be one of sum, each; got 'all'"):
        door(stack[0], blur, frames="all", device="cpu")


def test_a_stack_of_tensors_is_one_of_arrays_and_weights_are_read_once(monkeypatch):
    read = []

    def load(name):
        read.append(name)
        return torch.nn.AvgPool2d(3, stride=1, padding=1)

    monkeypatch.setattr(sbd.denoisers.network, "load_model", load)
    stack = np.stack([vacuum((20, 24), seed) for seed in range(3)])
    of_tensors = denoise(torch.from_numpy(stack), frames="each", device="cpu")
    assert read == [None]
    np.testing.assert_array_equal(of_tensors, denoise(stack, frames="each"))
    alone = denoise(stack[:1], frames="each", device="cpu")
    np.testing.assert_array_equal(alone, of_tensors[:1])


def test_bins_are_those_of_the_weights_by_name_too():
    assert choose_bins(0.1, "weights/default") == choose_bins(0.1) == (3, 3)
    with pytest.raises(ValueError, match="pixel must be a size above 0"):
        choose_bins("0.1 nm", Bins())


def test_weights_are_of_single_or_double_precision():
    model = create_model("UNet", seed=0, scales=2, channels=4)
    noisy = vacuum((40, 44))
    single = denoise_network(noisy, model, device="cpu")
    double = denoise_network(noisy, model.double(), device="cpu")
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match=r"model must have weights .*torch.float16"):
        denoise_network(noisy, model.half(), device="cpu")


def test_signed_values_are_taken_with_their_read_noise_and_better_than_clipped():
    clean = sbd.example_truth("simulated")[0][:256, 200:456]
    rng = np.random.default_rng(0)
    signed = rng.poisson(clean) + rng.normal(0, 0.3, clean.shape)
    taken = denoise(signed, read_noise=0.3, device="cpu")
    clipped = denoise(signed.clip(0), device="cpu")
    assert sbd.psnr(clean, taken) > sbd.psnr(clean, clipped) + 10
    with pytest.raises(ValueError, match=r"no value below 0; got -.*do not clip them"):
        denoise(signed, device="cpu")
    stack = np.stack([signed, signed])
    np.testing.assert_array_equal(
        denoise(stack, read_noise=0.3, frames="each", device="cpu")[1], taken
    )
    with pytest.raises(ValueError, match="read_noise must be positive; got -1"):
        denoise(signed, read_noise=-1, device="cpu")
