"""Check the networks that are shown the lattice, on made-up crystals."""

import numpy as np
import pytest
import torch

import sbd
from sbd.networks.models import change_pilot, create_model
from sbd.networks.translations import TILE


def crystal(height, width, *, period=46.0):
    """Smooth columns on a square lattice [electrons per pixel]."""
    y, x = np.mgrid[:height, :width] * (2 * np.pi / period)
    return 0.45 + 0.12 * np.cos(x) * np.cos(y)


def counts(clean, seed=0):
    return sbd.poisson_noise(clean, rng=np.random.default_rng(seed))


def tensor(image):
    return torch.from_numpy(np.asarray(image, np.float32))[None, None]


@pytest.fixture(scope="module")
def model():
    return create_model("CrystalUNet", seed=0, scales=2, channels=4).eval()


def test_an_untrained_lattice_network_is_its_windowed_fourier_view():
    clean = 0.45 * (1 + 0.3 * np.cos(2 * np.pi * np.arange(256) / 32))
    clean = np.broadcast_to(clean, (256, 256))
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(0))
    with torch.no_grad():
        model = sbd.LatticeUNet(channels=4).eval()
        out = model(torch.tensor(noisy)[None, None])[0, 0].numpy()
    # far below the raw error of 0.45, whatever the threshold lets through
    assert np.mean((out - clean) ** 2) < 0.002


def test_untrained_the_average_is_better_than_the_first_estimate(model):
    clean = crystal(512, 512)
    noisy = counts(clean)
    first, second = (
        sbd.denoise(noisy, network, device="cpu") for network in (model.pilot, model)
    )
    again = create_model("CrystalUNet", seed=1, pilot=model, scales=2, channels=4)
    third = sbd.denoise(noisy, again.eval(), device="cpu")
    errors = [np.mean((estimate - clean) ** 2) for estimate in (first, second, third)]
    # a hundred unit cells, each of which sees what the others counted; and the better
    # the estimate, the better it tells which ones look the same
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 1.5


def test_the_second_network_begins_by_changing_nothing(model):
    with torch.no_grad():
        prepared = model.prepare(tensor(counts(crystal(160, 160))))
        torch.testing.assert_close(
            model.finish(prepared), prepared[:, -2:-1], rtol=0, atol=0
        )


def test_a_part_of_the_image_gives_a_part_of_the_result(model):
    """Away from the border the surroundings decide, not the size or the place."""
    torch.manual_seed(0)
    for network in (model, model.pilot):  # weights that do something
        torch.nn.init.normal_(network.unet.outc["conv"].weight, std=0.1)
    bins = model.binning
    whole = tensor(counts(crystal(6 * TILE, 7 * TILE), seed=1))  # already bins
    whole = whole + 0.1 * torch.rand(whole.shape)
    part = whole[..., TILE:, 2 * TILE :]
    with torch.no_grad():
        long, short = (model.denoise_binned(image) for image in (whole, part))
    far = 4 * TILE  # windows, translations and both networks reach less far
    inner = short[..., far:, far:]
    assert inner.numel() > 1000
    assert bins * far < 2048
    # rounding of values of the image's size, some thousand times
    scale = float(long.abs().max())
    torch.testing.assert_close(
        inner, long[..., TILE + far :, 2 * TILE + far :], rtol=0, atol=1e-5 * scale
    )


@pytest.mark.parametrize("kind", ["LatticeUNet", "CrystalUNet"])
def test_a_pilot_is_taken_over_and_kept(tmp_path, kind):
    pilot = create_model(kind, seed=3, scales=2, channels=6)
    sbd.save_model(pilot, tmp_path / "pilot.safetensors")
    how = {"pilot": tmp_path / "pilot.safetensors", "scales": 2, "channels": 4}
    model = create_model("CrystalUNet", seed=4, **how)
    assert model.config["pilot"] == pilot.config
    assert model.config["channels"] == 4
    for ours, theirs in zip(
        model.pilot.state_dict().values(), pilot.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)
    sbd.save_model(model, tmp_path / "model.safetensors")
    noisy = tensor(counts(crystal(80, 90)))
    again = sbd.load_model(tmp_path / "model.safetensors")
    torch.testing.assert_close(again(noisy), model.eval()(noisy), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("kind", "pilot", "message"),
    [
        ("LatticeUNet", "LatticeUNet", "got LatticeUNet for LatticeUNet"),
        ("CrystalUNet", "UNet", "pilot must be a LatticeUNet or CrystalUNet.*got UNet"),
    ],
)
def test_a_pilot_of_another_kind_is_refused(kind, pilot, message):
    pilot = create_model(pilot, seed=0, scales=2, channels=4)
    with pytest.raises(ValueError, match=message):
        create_model(kind, seed=0, pilot=pilot)


@pytest.mark.parametrize("kind", ["LatticeUNet", "CrystalUNet"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_value_is_the_jacobian_times_the_counts(kind, bias):
    """All is relative to the local mean: constants inside the networks scale with it.

    With the places that are kept and averaged held fixed, the result scales with the
    counts, so Euler's theorem gives f(y) = J y with no net bias.
    """
    model = create_model(kind, seed=5, scales=2, channels=4, bias=bias).eval().double()
    for network in (model, getattr(model, "pilot", model)):
        torch.nn.init.normal_(network.unet.outc["conv"].weight, std=0.1)
        if bias:
            torch.nn.init.normal_(network.unet.outc["conv"].bias, std=0.1)
    noisy = counts(crystal(96, 104), seed=2)
    row, bias = sbd.jacobian_row(model, noisy.astype(np.float64), (40, 50))
    # float64, a few thousand terms
    assert bias == pytest.approx(0, abs=1e-10 * np.vdot(row, noisy))


@pytest.mark.parametrize("level", [0.0, 0.45])
def test_an_image_without_anything_in_it_has_an_answer(level):
    flat = torch.full((1, 1, 150, 140), level)
    with torch.no_grad():
        estimate = sbd.load_model().eval()(flat)
    assert torch.isfinite(estimate).all()
    assert (estimate - level).abs().max() < 0.01


def test_another_pilot_is_begun_with_and_the_rest_is_kept(model):
    pilot = create_model("CrystalUNet", seed=7, scales=2, channels=6)
    changed = change_pilot(model, pilot)
    assert changed.config == model.config | {"pilot": pilot.config}
    for ours, truth in ((changed.unet, model.unet), (changed.pilot, pilot)):
        for key, tensor in truth.state_dict().items():
            assert torch.equal(ours.state_dict()[key], tensor)
    assert model.config["pilot"] != pilot.config
    with pytest.raises(ValueError, match="pilot must be a LatticeUNet or CrystalUNet"):
        change_pilot(pilot.pilot, pilot)
