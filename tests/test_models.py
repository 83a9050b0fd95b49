"""Check the networks, their files, and the measured field of view."""

import argparse
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import sbd
from sbd.models import choose_device, create_model


def noise(height=64, width=48, seed=0):
    counts = np.random.default_rng(seed).poisson(0.45, (1, 1, height, width))
    return torch.tensor(counts, dtype=torch.float32)


def randomised(model, seed=0):
    """Weights and statistics that are neither zero nor one."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if tensor.dtype.is_floating_point:
            value = 0.5 + torch.rand(tensor.shape, generator=generator)
            tensor.copy_(value if "var" in name else 0.3 * (value - 1))
    return model.eval()


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


def published_forward(model, y):
    """The published definition, written out once more for four scales, no constants."""

    def double(name, x):
        layers = model.get_submodule(name)
        for conv, norm in (("1", "2"), ("5", "6")):
            x = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
            x = nn.functional.conv2d(x, layers.get_submodule(conv).weight)
            norm = layers.get_submodule(norm)
            scale = norm.weight / (norm.running_var**0.5 + norm.eps)
            x = (x * scale.view(1, -1, 1, 1)).clamp(min=0)
        return x

    def up(x, skip, name):
        x = nn.functional.interpolate(
            x, scale_factor=2, mode="bilinear", align_corners=True
        )
        return double(name, torch.cat([skip, x], 1))

    x1 = double("inc.double_conv", y)
    x2, x3, x4, x5 = (None,) * 4
    pool = nn.functional.max_pool2d
    x2 = double("down1.maxpool_conv.1.double_conv", pool(x1, 2))
    x3 = double("down2.maxpool_conv.1.double_conv", pool(x2, 2))
    x4 = double("down3.maxpool_conv.1.double_conv", pool(x3, 2))
    x5 = double("down4.maxpool_conv.1.double_conv", pool(x4, 2))
    x = up(x5, x4, "up3.conv.double_conv")
    x = up(x, x3, "up4.conv.double_conv")
    x = up(x, x2, "up5.conv.double_conv")
    x = up(x, x1, "up6.conv.double_conv")
    return nn.functional.conv2d(x, model.outc["conv"].weight)


def test_the_network_is_the_published_one():
    model = randomised(sbd.UNet(channels=8, bias=False))
    y = noise()
    with torch.no_grad():
        ours, published = model(y), published_forward(model, y)
    assert published.abs().max() > 0
    torch.testing.assert_close(ours, published, rtol=1e-5, atol=1e-6)


def test_without_constants_the_network_scales_with_its_input():
    model = randomised(sbd.UNet(channels=4, scales=2, bias=False))
    with torch.no_grad():
        torch.testing.assert_close(model(3 * noise()), 3 * model(noise()))


@pytest.mark.parametrize("shape", [(16, 16), (37, 50), (61, 21)])
@pytest.mark.parametrize("kind", [sbd.UNet, sbd.LatticeUNet])
def test_images_of_any_shape_keep_their_shape(kind, shape):
    model = kind(channels=4, scales=4).eval()
    assert model(noise(*shape)).shape == (1, 1, *shape)


def test_an_untrained_lattice_network_is_its_windowed_fourier_view():
    clean = 0.45 * (1 + 0.3 * np.cos(2 * np.pi * np.arange(256) / 32))
    clean = np.broadcast_to(clean, (256, 256))
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(0))
    with torch.no_grad():
        model = sbd.LatticeUNet(channels=4).eval()
        out = model(torch.tensor(noisy)[None, None])[0, 0].numpy()
    # far below the raw error of 0.45, whatever the threshold lets through
    assert np.mean((out - clean) ** 2) < 0.002


def test_weights_survive_the_way_to_disk_and_back(tmp_path):
    model = randomised(sbd.LatticeUNet(channels=4, scales=2))
    sbd.save_model(model, tmp_path / "m.safetensors", notes={"seed": "3"})
    again = sbd.load_model(tmp_path / "m.safetensors")
    assert not again.training
    with torch.no_grad():
        torch.testing.assert_close(again(noise()), model(noise()), rtol=0, atol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def authors_checkpoint(path, model, **changes):
    args = argparse.Namespace(
        scales=2, base_channels=4, bias=True, in_channels=1, out_channels=1, lr=1e-3
    )
    torch.save(
        {"args": args, "model": [model.state_dict()], "step": 7, **changes}, path
    )


def test_a_checkpoint_laid_out_as_the_authors_is_read(tmp_path):
    model = randomised(sbd.UNet(scales=2, channels=4, bias=True))
    authors_checkpoint(tmp_path / "best.pt", model)
    again = sbd.load_model(tmp_path / "best.pt")
    with torch.no_grad():
        torch.testing.assert_close(again(noise()), model(noise()), rtol=0, atol=0)


class Trap:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('sprung').touch()",))


def test_code_in_a_checkpoint_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = sbd.UNet(scales=2, channels=4)
    authors_checkpoint(tmp_path / "trap.pt", model, score=Trap())
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap()))
    for name in ("trap.pt", "plain.pt"):
        with pytest.raises(ValueError, match="must be a checkpoint"):
            sbd.load_model(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint at all", b"PK\x03\x04 broken"]
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a checkpoint .* got"):
        sbd.load_model(tmp_path / "x.pt")


def test_a_checkpoint_that_lacks_layers_is_refused(tmp_path):
    authors_checkpoint(tmp_path / "x.pt", sbd.UNet(scales=4, channels=4))
    with pytest.raises(ValueError, match="must be a checkpoint"):
        sbd.load_model(tmp_path / "x.pt")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(FileNotFoundError, match=r"weights/default.*got 'weights/none'"):
        sbd.load_model("weights/none")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scales": 3}, "scales must be 2, 4 or 6; got 3"),
     ({"channels": 5}, "channels must be an even number of at least 2; got 5")],
)  # fmt: skip
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sbd.UNet(**options)


def test_a_foreign_model_is_not_saved(tmp_path):
    with pytest.raises(
        TypeError,
        match="model must be one of UNet, LatticeUNet, CrystalUNet; got Linear",
    ):
        sbd.save_model(nn.Linear(1, 1), tmp_path / "x.safetensors")


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="'auto', 'cpu', 'cuda' or 'mps'; got 'tpu'"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_falls_back_with_a_message():
    with pytest.warns(
        UserWarning, match="'cuda' is not available here; computing on the CPU"
    ):
        assert choose_device("cuda").type == "cpu"


def test_the_field_of_view_is_the_receptive_field():
    # Two scales reach 26 pixels at most. A block of 4 passes one pixel of it on and the
    # centre may lie anywhere in its own block, so each can hide up to 3 of them.
    # With positive weights no unit is off.
    model = sbd.UNet(scales=2, channels=4, align_corners=False)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    assert 2 * (26 - 6) + 1 <= sbd.field_of_view(model, size=128) <= 2 * 26 + 1
    blur = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2))
    assert sbd.field_of_view(blur, size=64) == 7


def test_a_checkpoint_in_the_old_format_is_read_too(tmp_path):
    model = randomised(sbd.UNet(scales=2, channels=4, bias=True))
    args = argparse.Namespace(
        scales=2, base_channels=4, bias=True, in_channels=1, out_channels=1
    )
    content = {"args": args, "model": [model.state_dict()]}
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    again = sbd.load_model(tmp_path / "old.pt")
    with torch.no_grad():
        torch.testing.assert_close(again(noise()), model(noise()), rtol=0, atol=0)


def test_the_seed_makes_the_weights_and_leaves_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = (create_model("UNet", seed=1, scales=2, channels=4) for _ in "ab")
    assert torch.rand(1) == expected
    weights = (model.outc["conv"].weight for model in (first, second))
    assert torch.equal(*weights)


def test_a_model_that_sees_nothing_has_no_field_of_view():
    blind = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.zeros_(blind.weight)
    with pytest.raises(ValueError, match="must depend on its input"):
        sbd.field_of_view(blind, size=16)
    with pytest.raises(ValueError, match="size must be at least 16; got 0"):
        sbd.field_of_view(blind, size=0)
