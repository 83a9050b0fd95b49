"""Check the command line."""

import json
import zipfile
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.cli import main
from sbd.evidence.judgement import judge_columns
from sbd.evidence.verdicts import tabulate_verdicts
from sbd.files import sha256


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
    assert main(["denoise", *names[:2], *options, "--force"]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "clean.npy"), whole, rtol=1e-5)


def test_pixels_are_added_as_their_size_asks_and_that_is_said(tmp_path, capsys):
    names = [str(tmp_path / name) for name in ("noisy.npy", "clean.npy")]
    stack = np.random.default_rng(0).poisson(0.45, (2, 64, 70))
    np.save(names[0], stack)
    options = ["--device", "cpu", "--frames", "each", "--pixel", "0.062", "0.13"]
    assert main(["denoise", *names, *options]) == 0
    assert capsys.readouterr().err == "adding 4 x 2 pixels to a bin\n"
    first = sbd.denoise(stack[0], pixel=(0.062, 0.13), device="cpu")
    np.testing.assert_array_equal(np.load(names[1])[0], first)
    again = ["denoise", *names, "--force"]
    assert main([*again, "--frames", "sum", "--pixel", "0.0062"]) == 1
    assert "were these nanometres" in capsys.readouterr().err
    assert main(again) == 1
    assert "frames must be 'sum' or 'each'" in capsys.readouterr().err


def record(folder, dose, frames=1):
    """Write counts of a part of the bundled image; return what `sbd judge` is given."""
    clean, _ = sbd.example_truth("simulated")
    rng = np.random.default_rng(0)
    clean = clean[:256, 200:456] * dose / frames
    counts = np.stack([sbd.poisson_noise(clean, rng=rng) for _ in range(frames)])
    counts = counts if frames > 1 else counts[0]
    np.save(folder / "counts.npy", counts)
    files = [str(folder / "counts.npy"), str(folder / "atoms.csv")]
    options = ["--vacuum", "auto", "--device", "cpu", "--quick"]
    return counts, ["judge", *files, *options]


def read_head(file):
    lines = [line for line in file.read_text().splitlines() if line.startswith("#")]
    return dict(line.removeprefix("# ").split(": ", 1) for line in lines)


def test_the_columns_of_a_recording_are_judged(tmp_path, capsys):
    counts, command = record(tmp_path, dose=2)
    picture = tmp_path / "$ms.png"
    options = ["--seed", "3", "--level", "0.1", "--picture", str(picture)]
    assert main([*command, *options]) == 0
    said = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "atoms.csv", comment="#")
    judged = judge_columns(
        counts, lambda part: sbd.denoise(part, device="cpu"), vacuum="auto", deals=1,
        level=0.1, rng=np.random.default_rng(3),
    )  # fmt: skip
    expected = tabulate_verdicts(judged)
    assert len(table) > 10
    # the file has six digits
    pd.testing.assert_frame_equal(table, expected, rtol=1e-5, check_dtype=False)
    numbers = [
        int((table["verdict"] == kind).sum())
        for kind in ("supported", "ruled out", "undecided")
    ]
    assert (
        f"{len(table)} columns: {numbers[0]} supported, {numbers[1]} ruled out, "
        f"{numbers[2]} undecided at a false discovery rate of 0.1; if all are there, "
        f"{table['power'].sum():.0f} were to be expected supported"
    ) in said
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))


def test_a_table_says_how_it_was_made(tmp_path):
    _, command = record(tmp_path, dose=2, frames=4)
    assert main([*command, "--pixel", "0.07", "--seed", "5"]) == 0
    file = tmp_path / "atoms.csv"
    table, head = pd.read_csv(file, comment="#"), read_head(file)
    assert head["input"] == "counts.npy"
    assert head["input sha256"] == sha256(tmp_path / "counts.npy")
    assert head["denoiser"] == "default.safetensors"
    assert head["denoiser sha256"] == sha256(sbd.fetch("weights/default"))
    told = {
        "seed": "5", "frames": "4", "deals": "1", "pixel [angstrom]": "0.07",
        "sbd": version("sbd"), "level": "0.05", "columns": str(len(table)),
        "options": "--seed 5 --device cpu --vacuum auto --deals 1 --pixel 0.07",
    }  # fmt: skip
    assert {key: head[key] for key in told} == told
    # four standard errors of the mean of some 40,000 pixels of 0.9 counts
    vacuum = float(head["tested against"].split()[2])
    assert vacuum == pytest.approx(0.9, abs=0.019)
    for kind in ("supported", "ruled out", "undecided"):
        assert int(head[kind]) == (table["verdict"] == kind).sum()
        assert f"{kind}: the counts" in head["verdicts"]
    first = file.read_bytes()
    assert b"\r" not in first
    again = [*command, "--pixel", "0.07", "--seed", "5"]
    file.write_bytes(b"mine")
    assert main(again) == 1  # what is there may be somebody's
    assert file.read_bytes() == b"mine"
    assert main([*again, "--force"]) == 0
    assert file.read_bytes() == first


def test_dots_are_judged_against_the_image_without_them(tmp_path, capsys):
    pixels = np.stack(np.indices((160, 160)), -1)[:, :, None]
    dots = 56 + 24 * np.argwhere(np.ones((3, 3)))  # (row, column) [pixels]
    added, width = 0.9 * 0.45, 3.5  # of a dot [electrons per pixel], [pixels]
    squares = ((pixels - dots) ** 2).sum(-1)
    clean = 0.45 + added * np.exp(-squares / (2 * width**2)).sum(-1)
    counts = np.random.default_rng(0).poisson(10 * clean).astype(np.float32)
    np.save(tmp_path / "counts.npy", counts)
    table, picture = tmp_path / "atoms.csv", tmp_path / "p.png"
    options = ["--picture", str(picture), "--quick", "--device", "cpu"]
    assert main(["judge", str(tmp_path / "counts.npy"), str(table), *options]) == 0
    said = capsys.readouterr()
    assert "0 ruled out" in said.out
    assert "taken for 0.0622 angstrom, the paper's; --pixel tells it" in said.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    head = read_head(table)
    assert head["tested against"] == "the image without the column"
    assert head["eraser"] == "eraser.safetensors"
    assert head["eraser sha256"] == sha256(sbd.fetch("weights/eraser"))
    assert head["units"].startswith("the recording in electrons per pixel, places")
    rows = pd.read_csv(table, comment="#")
    assert rows.columns.tolist() == [
        "row [pixels]", "column [pixels]", "radius [pixels]", "verdict",
        "excess [electrons]", "excess low [electrons]", "excess high [electrons]",
        "p if absent", "p if present", "share of deals", "power",
        "dose to decide [electrons per pixel]", "dose to decide [times recorded]",
    ]  # fmt: skip
    assert set(rows["verdict"]) <= {"supported", "ruled out", "undecided"}
    for name in ("p if absent", "p if present", "share of deals", "power"):
        assert rows[name].between(0, 1).all()
    excess, low, high = (rows[f"excess{w} [electrons]"] for w in ("", " low", " high"))
    assert ((low < excess) & (excess < high)).all()
    doses = [rows[f"dose to decide [{u}]"] for u in
             ("electrons per pixel", "times recorded")]  # fmt: skip
    finite = np.isfinite(doses[1])
    # the image has the mean of the counts but for what a network rounds off
    ratios = (doses[0] / doses[1])[finite]
    np.testing.assert_allclose(ratios, counts.mean(), rtol=0.03)
    supported = rows[rows["verdict"] == "supported"]
    places = supported[["row [pixels]", "column [pixels]"]].to_numpy()
    far = np.hypot(*(places[:, None] - dots).T)  # by dot, then by column
    # each dot is there, within half of its width, and nothing else is supported
    assert len(supported) == len(dots)
    assert (far.min(1) < width / 2).all()
    # the part of a dot in a disc of 0.75 angstrom; four errors of the mean of nine
    inside = 1 - np.exp(-((0.75 / 0.0622 / width) ** 2) / 2)
    electrons = 10 * added * 2 * np.pi * width**2 * inside
    error = (high - low)[supported.index].mean() / (2 * 1.96) / len(dots) ** 0.5
    assert abs(supported["excess [electrons]"].mean() - electrons) < 4 * error


def test_what_a_mask_leaves_out_changes_nothing_else(tmp_path, capsys):
    """A frame without dose is filled before, and not shown after."""
    counts = np.random.default_rng(0).poisson(0.45, (96, 112))
    counts[:20] = 7  # a caption
    np.save(tmp_path / "noisy.npy", counts)
    mask = np.ones(counts.shape)
    mask[:20] = 0
    np.save(tmp_path / "mask.npy", mask)
    names = [str(tmp_path / name) for name in ("noisy.npy", "clean.npy")]
    masked = ["--mask", str(tmp_path / "mask.npy"), "--device", "cpu"]
    assert main(["denoise", *names, *masked]) == 0
    assert "2240 pixels hold no number" in capsys.readouterr().err
    image = np.load(names[1])
    assert np.isnan(image[:20]).all()
    # what a flat image shows: far nearer to it than its counts, whose deviation is .67
    assert np.abs(image[20:] - 0.45).max() < 0.1
    assert main(["check", names[0], *masked[:2], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["electrons per pixel"] == pytest.approx(counts[20:].mean(), rel=1e-12)
    assert main(["check", names[0], "--mask", names[0], "--box", "0", "0", "9", "9"])
    assert "mask must" not in capsys.readouterr().err
    assert main(["denoise", names[0], "x.npy", "--box", "90", "0", "20", "20"]) == 1
    assert "box must lie within 96 x 112 pixels" in capsys.readouterr().err


def test_a_stack_with_a_frame_is_asked_what_to_do_with_it(tmp_path, capsys):
    stack = np.random.default_rng(0).poisson(0.45, (3, 96, 112))
    stack[:, :24] = 0
    np.save(tmp_path / "stack.npy", stack)
    names = [str(tmp_path / name) for name in ("stack.npy", "clean.npy")]
    assert main(["denoise", *names, "--device", "cpu"]) == 1
    assert "frames must be 'sum' or 'each'" in capsys.readouterr().err


def test_the_columns_of_a_box_stand_where_the_recording_has_them(tmp_path):
    counts, (_, noisy, table, *_) = record(tmp_path, 9)
    np.save(tmp_path / "part.npy", counts[30:200, 16:200])
    options = ["--quick", "--device", "cpu"]
    box = ["--box", "30", "16", "170", "184"]
    assert main(["judge", noisy, table, *box, *options]) == 0
    part = str(tmp_path / "part.csv")
    assert main(["judge", str(tmp_path / "part.npy"), part, *options]) == 0
    inside, alone = (pd.read_csv(file, comment="#") for file in (table, part))
    assert len(alone) > 2
    options = read_head(tmp_path / "atoms.csv")["options"]
    assert options.endswith("--box [30, 16, 170, 184]")
    alone["row [pixels]"] += 30
    alone["column [pixels]"] += 16
    pd.testing.assert_frame_equal(inside, alone, rtol=1e-5)


def test_a_dim_recording_is_told_the_dose_that_it_lacks(tmp_path, capsys):
    _, command = record(tmp_path, dose=0.3)
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "atoms.csv", comment="#")
    open_ones = table[table["verdict"] == "undecided"]
    assert len(open_ones) > len(table) / 2
    times = open_ones["dose to decide [times recorded]"].median()
    dose = open_ones["dose to decide [electrons per pixel]"].median()
    assert times > 1
    assert (
        f"half of the undecided would be decided at {times:.2g} times this dose, "
        f"{dose:.2g} electrons per pixel"
    ) in capsys.readouterr().out


def test_what_cannot_be_judged_is_a_message(tmp_path, capsys):
    counts, command = record(tmp_path, dose=2)
    _, noisy, table, *options = command
    for arguments, message in (
        ([noisy, f"{tmp_path}/atoms.png"], "table must be the name of a .csv file"),
        ([noisy, table, "--picture", table], "picture must be the name of a .png file"),
        ([noisy, table, "--parts", "1"], "parts must be a whole number of at least 2"),
        ([noisy, table, "--pixel", "0.4"], "pixel must be 0.01 to 0.35 angstrom"),
        ([noisy, table, "--pixel", "0.0062"], "pixel must be"),
        ([noisy, table, "--vacuum", "0.5"], "vacuum must be what the image counts"),
    ):
        assert main(["judge", *arguments[:2], *options, *arguments[2:]]) == 1
        assert message in capsys.readouterr().err
    absent = ["--eraser", str(tmp_path / "none.safetensors")]
    assert main(["judge", noisy, table, *absent]) == 1
    assert "eraser must be a file that exists" in capsys.readouterr().err
    np.save(noisy, counts + np.random.default_rng(0).random(counts.shape))
    assert main(command) == 1
    assert (
        "recording must hold electrons; values stand on no" in capsys.readouterr().err
    )
    assert main([*command, "--unchecked"]) == 1
    assert "noisy must hold whole counts; got" in capsys.readouterr().err
    assert not (tmp_path / "atoms.csv").exists()
    with pytest.raises(SystemExit):
        main(["judge", noisy, table, "--vacuum", "none"])
    assert "must be a number or auto; got 'none'" in capsys.readouterr().err


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
    net = ["--model", str(tmp_path / "net.safetensors"), "--shape", "32", "40"]
    assert main(["export", "--bioimageio", str(tmp_path / "net.zip"), *net]) == 0
    with zipfile.ZipFile(tmp_path / "net.zip") as archive:
        assert {"rdf.yaml", "weights.onnx"} < set(archive.namelist())
        assert b"size: 40" in archive.read("rdf.yaml")
    assert main(["export", "--bioimageio", str(tmp_path), *net]) == 1
    assert "path must be a new folder, or a .zip file" in capsys.readouterr().err


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
        ([str(image), f"{here}/out.npy"], "file must hold an image or a stack"),
        ([str(image), f"{here}/out.png"], "denoised must be the name of a .hspy, .mrc"),
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


def test_recordings_of_any_kind_are_checked(tmp_path, capsys):
    tifffile = pytest.importorskip("tifffile")
    clean, _ = sbd.example_truth("simulated")
    counts = np.random.default_rng(0).poisson(clean[:200, :220]).astype(np.float32)
    good, scaled, bad = (str(tmp_path / f"{n}.tif") for n in ("good", "scaled", "bad"))
    how = {"imagej": True, "resolution": (1 / 0.0062, 1 / 0.0062),
           "metadata": {"unit": "nm"}}  # fmt: skip
    tifffile.imwrite(good, counts, **how)
    tifffile.imwrite(scaled, counts / 6, **how)
    tifffile.imwrite(bad, clean[:200, :220].astype(np.float32))
    assert main(["check", good, scaled]) == 0
    out = capsys.readouterr().out
    assert "200 x 220 pixels, float32, pixel 0.062 angstrom (ImageJ's" in out
    assert "Counted electrons, in units of 0.166667." in out
    (tmp_path / "few").mkdir()
    for name in ("a.tif", "b.tif", ".hidden.tif", "words.txt"):
        tifffile.imwrite(tmp_path / "few" / name, counts, **how)
    assert main(["check", str(tmp_path / "few")]) == 0
    out = capsys.readouterr().out
    assert (out.count("Counted electrons."), "words" in out) == (2, False)
    assert main(["check", "--json", good, bad, str(tmp_path / "none.tif")]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["electrons"] for one in found] == [True, False, False]
    assert found[0]["electrons per pixel"] == pytest.approx(counts.mean())
    assert "must be one that exists" in found[2]["error"]
    assert found[1]["dispersion"] is None  # JSON has no word for NaN
    # the same image comes out of both, at the pixel that the file tells
    for name in (good, scaled):
        command = ["denoise", name, f"{tmp_path}/out.npy", "--device", "cpu"]
        assert main([*command, "--force"]) == 0
        told = capsys.readouterr().err
        assert "pixels of 0.062 angstrom (ImageJ's calibration)" in told
        assert "adding 4 x 4 pixels to a bin" in told
        expected = sbd.denoise(counts, pixel=0.062, device="cpu")
        np.testing.assert_array_equal(np.load(f"{tmp_path}/out.npy"), expected)
    assert main(command) == 1
    assert "denoised must not be there yet" in capsys.readouterr().err
    np.save(tmp_path / "untold.npy", counts)
    command = ["denoise", f"{tmp_path}/untold.npy", f"{tmp_path}/at.npy"]
    assert main([*command, "--device", "cpu"]) == 0
    told = capsys.readouterr().err
    assert "does not say the size of its pixels: taken for those that the" in told
    assert main(["denoise", good, f"{tmp_path}/out.tif", "--device", "cpu"]) == 0
    found = sbd.read_micrograph(tmp_path / "out.tif")
    np.testing.assert_array_equal(found.values, expected)
    assert found.pixel.sides == pytest.approx((0.062, 0.062))
    assert found.metadata["sbd"]["sha256"] == sha256(tmp_path / "good.tif")
    capsys.readouterr()
    assert main(["denoise", bad, f"{tmp_path}/none.npy"]) == 1
    assert "recording must hold electrons" in capsys.readouterr().err
    np.save(f"{tmp_path}/over.npy", counts)
    assert main(["denoise", f"{tmp_path}/over.npy", f"{tmp_path}/over.npy"]) == 1
    assert "denoised must not be the file that is read" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_warnings_come_without_a_line_of_code(tmp_path, capsys):
    np.save(tmp_path / "noisy.npy", np.random.default_rng(0).poisson(0.45, (64, 70)))
    names = [str(tmp_path / name) for name in ("noisy.npy", "clean.npy")]
    assert main(["denoise", *names, "--device", "cpu", "--pixel", "0.2"]) == 0
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "warning" in x]
    assert line.startswith("warning: pixel of 0.2 angstrom makes bins of")


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"sbd {version('sbd')}\n"
