"""Check the command line."""

import numpy as np
import pytest

from sbd.cli import main


def test_a_refused_input_is_a_message_and_exit_1(capsys):
    assert main(["fetch", "no-such-item"]) == 1
    assert "sbd fetch: name must be" in capsys.readouterr().err


def test_a_file_of_counts_is_denoised(tmp_path):
    from sbd.models import LatticeUNet, save_model

    save_model(LatticeUNet(scales=2, channels=4), tmp_path / "w.safetensors")
    noisy = np.random.default_rng(0).poisson(0.45, (64, 70)).astype(np.float32)
    np.save(tmp_path / "noisy.npy", noisy)
    names = [
        str(tmp_path / name) for name in ("noisy.npy", "clean.npy", "w.safetensors")
    ]
    assert main(["denoise", *names[:2], "--model", names[2], "--device", "cpu"]) == 0
    assert np.load(tmp_path / "clean.npy").shape == (64, 70)


def test_a_wrong_model_kind_is_refused(tmp_path, capsys):
    folder = str(tmp_path)
    assert main(["train", folder, folder, "--steps", "1", "--model", "X"]) == 1
    assert "kind must be one of UNet, LatticeUNet; got 'X'" in capsys.readouterr().err


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(command in out for command in ("fetch", "simulate", "train", "denoise"))


def test_files_that_are_no_arrays_are_refused(tmp_path, capsys):
    image = tmp_path / "image.tif"
    image.write_bytes(b"II*\0no array")
    here = str(tmp_path)
    for arguments, message in (
        ([str(image), f"{here}/out.npy"], "noisy must be a .npy file"),
        ([str(image), f"{here}/out.tif"], "denoised must be the name of a .npy file"),
        ([str(image), f"{here}/none/out.npy"], "in a folder that exists"),
    ):
        assert main(["denoise", *arguments]) == 1
        assert message in capsys.readouterr().err
