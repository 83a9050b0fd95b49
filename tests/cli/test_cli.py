"""Check the command line."""

import json

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.cli import main


def test_a_refused_input_is_a_message_and_exit_1(capsys):
    assert main(["fetch", "no-such-item"]) == 1
    assert "sbd fetch: name must be" in capsys.readouterr().err


def test_a_file_of_counts_is_denoised(tmp_path):
    from sbd.networks.models import LatticeUNet, save_model

    save_model(LatticeUNet(scales=2, channels=4), tmp_path / "w.safetensors")
    noisy = np.random.default_rng(0).poisson(0.45, (64, 70)).astype(np.float32)
    np.save(tmp_path / "noisy.npy", noisy)
    names = [
        str(tmp_path / name) for name in ("noisy.npy", "clean.npy", "w.safetensors")
    ]
    assert main(["denoise", *names[:2], "--model", names[2], "--device", "cpu"]) == 0
    whole = np.load(tmp_path / "clean.npy")
    assert whole.shape == (64, 70)
    # pieces of which each sees all of this small image
    options = ["--model", names[2], "--device", "cpu", "--tile", "64"]
    assert main(["denoise", *names[:2], *options]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "clean.npy"), whole, rtol=1e-5)


def test_the_columns_of_a_recording_are_judged(tmp_path, capsys):
    clean, _ = sbd.example_truth("simulated")
    clean = clean[:256, 200:456]
    counts = sbd.poisson_noise(2 * clean, rng=np.random.default_rng(0))
    np.save(tmp_path / "noisy.npy", counts)
    names = [str(tmp_path / name) for name in ("noisy.npy", "atoms.csv", "atoms.png")]
    options = ["--vacuum", "0.9", "--device", "cpu", "--seed", "3", "--level", "0.1"]
    assert main(["judge", *names[:2], *options, "--picture", names[2]]) == 0
    said = capsys.readouterr().out
    table = pd.read_csv(names[1])
    judged = sbd.judge_columns(
        counts, lambda part: sbd.denoise(part, device="cpu"), vacuum=0.9, level=0.1,
        rng=np.random.default_rng(3),
    )  # fmt: skip
    assert 10 < len(table) == len(judged.columns)
    np.testing.assert_allclose(table["p"], judged.p_values, atol=1e-6)
    np.testing.assert_array_equal(table["supported"], judged.supported)
    assert f"{len(table)} columns, {table['supported'].sum()} of them supported" in said
    assert (tmp_path / "atoms.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))
    np.save(tmp_path / "noisy.npy", counts + 0.5)
    for arguments, message in (
        ([names[0], names[2]], "table must be the name of a .csv file"),
        (
            [*names[:2], "--picture", names[1]],
            "picture must be the name of a .png file",
        ),
        (names[:2], "noisy must hold whole counts; got"),
    ):
        assert main(["judge", *arguments, *options]) == 1
        assert message in capsys.readouterr().err


def test_a_wrong_model_kind_is_refused(tmp_path, capsys):
    folder = str(tmp_path)
    assert main(["train", folder, folder, "--steps", "1", "--model", "X"]) == 1
    assert (
        "kind must be one of UNet, DnCNN, DurrUNet, LatticeUNet, CrystalUNet; got 'X'"
        in capsys.readouterr().err
    )


def test_a_network_learns_from_the_images_with_a_label(tmp_path, capsys):
    folder = str(tmp_path / "images")
    few = ["--particles", "PtNp4", "--thicknesses", "30", "--grid", "64"]
    assert main(["simulate", folder, *few, "--defoci", "1", "--workers", "1"]) == 0
    run = ["train", folder, str(tmp_path / "run"), "--steps", "1", "--scales", "2"]
    run += ["--channels", "2", "--batch", "1", "--device", "cpu", "--crop", "32"]
    assert main([*run, "--only", "defect=D7"]) == 1
    assert "labels must be those of some images" in capsys.readouterr().err
    assert main([*run, "--only", "defect"]) == 1
    assert "only must be LABEL=VALUE[,VALUE]; got 'defect'" in capsys.readouterr().err
    one = ["--only", "defect=D0,D1", "--only", "tilt_x=0", "--paper-dose", "1"]
    assert main([*run, *one, "--model", "UNet", "--binning", "4"]) == 0
    settings = json.loads((tmp_path / "run" / "curve.json").read_text())["settings"]
    assert settings["config"]["binning"] == 4
    assert settings["drawing"]["paper_dose"] == 1


def test_a_network_is_written_for_other_runtimes(tmp_path, capsys):
    pytest.importorskip("onnxscript")
    sbd.save_model(sbd.DnCNN(depth=3, channels=2), tmp_path / "net.safetensors")
    file = str(tmp_path / "net.onnx")
    assert main(["export", file, "--model", str(tmp_path / "net.safetensors")]) == 0
    assert (tmp_path / "net.onnx").stat().st_size > 100
    assert main(["export", file]) == 1  # the default weights bin counts
    assert "shape must be (height, width)" in capsys.readouterr().err


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


def test_a_part_of_the_benchmark_is_simulated_and_verified(tmp_path, capsys):
    folder = str(tmp_path / "few")
    few = ["--particles", "PtNp4", "--defects", "D0", "--thicknesses", "30"]
    assert main(["simulate", folder, *few, "--grid", "64", "--workers", "1"]) == 0
    assert f"189 images in {folder}" in capsys.readouterr().out
    assert main(["verify", folder]) == 0
    assert "1 structures are whole" in capsys.readouterr().out


def test_structures_and_optics_come_from_files(tmp_path, capsys):
    atoms = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    atoms.write(tmp_path / "mine.xyz", format="extxyz")
    optics = tmp_path / "optics.json"
    optics.write_text('{"energy": 200000, "grid": 64}')
    arguments = ["simulate", str(tmp_path / "own"), "--workers", "1", "--structures",
                 str(tmp_path / "mine.xyz"), "--microscope", str(optics)]  # fmt: skip
    assert main(arguments) == 0
    benchmark = sbd.Benchmark(tmp_path / "own")
    assert benchmark.settings["microscope"]["energy"] == 200_000
    assert set(benchmark.table["particle"]) == {"mine"}
    optics.write_text('{"colour": "red"}')
    assert main([*arguments[:1], str(tmp_path / "new"), *arguments[2:]]) == 1
    assert "microscope must be a JSON object of energy, cs" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
