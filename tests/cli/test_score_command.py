"""Check ``sbd score`` as a stranger uses it: with a module of three lines."""

import json

import pytest

import sbd
from sbd.benchmark.recipes import Recipe
from sbd.cli import main

FILTER = """
from scipy import ndimage
def denoise(image):
    return ndimage.gaussian_filter(image, 6)
"""
FEW = {
    "recipes": (Recipe("PtNp1", "D0", 30.0),),
    "tilts": ((2.0, 0.0),),
    "defoci": (6.0, 10.0, 20.0),
    "grid": 64,
    "progress": False,
}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    sbd.simulate_benchmark(folder, **FEW)
    return ["--benchmark", str(folder)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "three_lines.py").write_text(FILTER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
def test_a_module_is_scored_checked_and_found_out(benchmark, capsys):
    few = ["--sets", "strict", "--limit", "2", "--trained-on", "nothing"]
    assert main(["score", "three_lines:denoise", *benchmark, *few]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("strict (2 of 3): PSNR 2")
    assert said[1] == "three_lines-denoise.score.json"
    with open(said[1]) as file:  # noqa: PTH123
        content = json.load(file)
    assert content["trained on"] == "nothing"
    assert content["repeatable"]

    assert main(["score", "three_lines:denoise", *benchmark, *few]) == 1
    assert "must not be there yet" in capsys.readouterr().err

    check = ["score", "--check", said[1], *benchmark]
    assert main([*check, "three_lines:denoise", "--choose", "1"]) == 0
    told = capsys.readouterr().out
    assert "2 frames repeated (--choose 1): PSNR within 0.0000 dB" in told
    assert told.endswith("nothing stands against it\n")

    content["sets"]["strict"]["means"]["all"]["psnr"] += 1
    with open(said[1], "w") as file:  # noqa: PTH123
        json.dump(content, file)
    assert main(check) == 1
    told = capsys.readouterr().out
    assert told.startswith("wrong: strict: psnr of all is ")
    assert told.endswith("not to be believed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["three_lines:denoise"], "got data/benchmark: sbd simulate data/benchmark"),
        (["no_such:denoise"], "module that can be imported"),
        (["three_lines:blur"], "three_lines, denoise; got 'blur'"),
        (["three_lines:denoise", "--to", "a.txt"], "to must be the name of a .json"),
        (["three_lines:denoise", "--frames", "3"], "--frames belongs to --check"),
        (["--check", "gone.json"], "must be what sbd score wrote; got gone.json"),
        (["--check", "gone.json", "--limit", "3"], "--limit belongs to scoring"),
        ([], "or a file to --check; got neither"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_scored_is_refused_in_words(arguments, message, capsys):
    assert main(["score", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_secret_that_can_be_guessed_is_refused(here, benchmark, capsys):
    arguments = ["score", "three_lines:denoise", *benchmark, "--secret", "seed.txt"]
    for text, message in (
        ("2026", "at least 20 digits"),
        ("mine", "holds one whole number"),
    ):
        (here / "seed.txt").write_text(text)
        assert main(arguments) == 1
        assert message in capsys.readouterr().err
    secret = str(2**80)
    (here / "seed.txt").write_text(secret)
    few = ["--sets", "draws", "--limit", "1"]
    assert main([*arguments, *few]) == 0
    assert secret not in (here / "three_lines-denoise.score.json").read_text()
    assert secret not in (here / "three_lines-denoise.score.jsonl").read_text()
