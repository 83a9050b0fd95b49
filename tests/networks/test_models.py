"""Check the networks, their files, and the measured field of view."""

import argparse
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import sbd
from sbd.networks.models import choose_device, create_model, evaluating


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


UNET = {"scales": 2, "base_channels": 4, "bias": True, "in_channels": 1,
        "out_channels": 1, "lr": 1e-3}  # fmt: skip
AUTHORS = {  # our kind, our options, their settings
    "unet2": ("UNet", {"scales": 2, "channels": 4}, UNET),
    "dncnn": (
        "DnCNN",
        {"depth": 3, "channels": 5, "bias": False},
        {"num_layers": 3, "hidden_size": 5, "bias": False, "in_channels": 1},
    ),
    "durrunet": ("DurrUNet", {"residual": True}, {"residual": True}),
}


def authors_checkpoint(path, model, settings=UNET, *, zipped=True, **more):
    args = argparse.Namespace(**settings)
    content = {"args": args, "model": [model.state_dict()], "step": 7, **more}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)


def same(model, again):
    with torch.no_grad():
        return torch.equal(again(noise()), model(noise()))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(ours for *ours, _ in AUTHORS.values()),
        ("UNet", {"scales": 2, "channels": 4, "residual": True}),
        ("LatticeUNet", {"scales": 2, "channels": 4}),
    ],
)
def test_weights_survive_the_way_to_disk_and_back(tmp_path, kind, options):
    model = randomised(create_model(kind, seed=0, **options))
    sbd.save_model(model, tmp_path / "m.safetensors", notes={"seed": "3"})
    again = sbd.load_model(tmp_path / "m.safetensors")
    assert not again.training
    assert same(model, again)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("named", [(), ("model",), ("arch",)])
@pytest.mark.parametrize("name", AUTHORS)
def test_a_checkpoint_laid_out_as_the_authors_is_read(tmp_path, name, named, zipped):
    kind, options, settings = AUTHORS[name]
    model = randomised(create_model(kind, seed=0, **options))
    settings = settings | dict.fromkeys(named, name)
    authors_checkpoint(tmp_path / "best.pt", model, settings, zipped=zipped)
    again = sbd.load_model(tmp_path / "best.pt")
    assert again.config == model.config
    assert same(model, again)


def test_a_residual_checkpoint_is_read_as_one(tmp_path):
    model = randomised(sbd.UNet(scales=2, channels=4, residual=True))
    authors_checkpoint(tmp_path / "x.pt", model, UNET | {"residual": True})
    assert same(model, sbd.load_model(tmp_path / "x.pt"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch": "rcnn"}, "must be one of unet, unet2, dncnn, durrunet; got 'rcnn'"),
        ({"arch": ["unet"]}, "must be a checkpoint of UNet, DnCNN, DurrUNet; got"),
        ({"arch": "dncnn"}, "KeyError: 'num_layers'"),
        ({"scales": 3}, "scales must be 2, 4 or 6; got 3"),
        ({"scales": 4}, "Missing key"),
    ],
)
def test_settings_that_do_not_fit_the_layers_are_refused(tmp_path, changes, message):
    model = sbd.UNet(scales=2, channels=4)
    authors_checkpoint(tmp_path / "x.pt", model, UNET | changes)
    with pytest.raises(ValueError, match=message):
        sbd.load_model(tmp_path / "x.pt")


def test_a_network_that_is_none_of_the_authors_is_refused(tmp_path):
    authors_checkpoint(tmp_path / "x.pt", nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"arch or model must be one of .*; got None"):
        sbd.load_model(tmp_path / "x.pt")


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


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(FileNotFoundError, match=r"weights/default.*got 'weights/none'"):
        sbd.load_model("weights/none")


def test_half_the_bits_are_kept_on_request(tmp_path):
    model = create_model("LatticeUNet", seed=0, scales=2, channels=16).eval()
    sizes = []
    for bits in (32, 16):
        sbd.save_model(model, tmp_path / "w.safetensors", bits=bits)
        sizes.append((tmp_path / "w.safetensors").stat().st_size)
    again = sbd.load_model(tmp_path / "w.safetensors")
    assert sizes[1] < 0.6 * sizes[0]
    for key, tensor in model.state_dict().items():
        kept = again.state_dict()[key]
        assert kept.dtype == tensor.dtype
        # 11 significant bits, rounded; what is below 6e-5 has fewer
        torch.testing.assert_close(kept, tensor, rtol=2**-11, atol=2**-25)


def test_a_quarter_of_the_bits_keeps_multiples_of_a_step(tmp_path):
    model = randomised(create_model("UNet", seed=0, scales=2, channels=16))
    with torch.no_grad():  # a channel that does nothing
        model.inc["double_conv"][0].weight[3] = 0
    sbd.save_model(model, tmp_path / "32.safetensors")
    sbd.save_model(model, tmp_path / "8.safetensors", bits=8)
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in (32, 8)]
    assert sizes[1] < 0.4 * sizes[0]
    again = sbd.load_model(tmp_path / "8.safetensors").state_dict()
    assert again.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert again[key].dtype == tensor.dtype
        if tensor.ndim == 4:
            step = tensor.abs().amax((1, 2, 3), keepdim=True) / 127
            assert ((again[key] - tensor).abs() <= 0.5001 * step).all()
        else:
            torch.testing.assert_close(again[key], tensor, rtol=2**-11, atol=2**-25)


def test_other_numbers_of_bits_are_refused(tmp_path):
    model = create_model("UNet", seed=0, scales=2, channels=2)
    with pytest.raises(ValueError, match="bits must be 32, 16 or 8; got 4"):
        sbd.save_model(model, tmp_path / "w.safetensors", bits=4)


def test_a_foreign_model_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"one of UNet, DnCNN, .*; got Linear"):
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


def test_after_evaluation_each_part_is_in_the_mode_it_came_in():
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    with evaluating(model) as same:
        assert same is model
        assert not any(part.training for part in model.modules())
    assert [part.training for part in model.modules()] == [True, True, False]


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
    with pytest.raises(ValueError, match=r"size must be a whole .* 16; got 0"):
        sbd.field_of_view(blind, size=0)
