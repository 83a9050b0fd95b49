"""Check ``sbd report`` and ``sbd rank``."""

import json

import numpy as np
import pytest

import sbd
from sbd.cli import main


@pytest.fixture
def file(tmp_path):
    clean = sbd.example_truth("simulated")[0][300:396, 260:356]
    counts = np.random.default_rng(0).poisson(4 * clean)
    np.save(tmp_path / "my counts.npy", counts)
    return tmp_path / "my counts.npy"


def test_a_page_and_its_numbers_are_written_and_not_over_what_is_there(
    file, capsys, monkeypatch
):
    monkeypatch.setattr("sbd.reports.inventions.FRAME", (96, 96))
    page, table = file.with_name("out.html"), file.with_name("out.json")
    command = ["report", str(file), str(page), "--quick", "--pixel", "0.0622"]
    command += ["--device", "cpu", "--seed", "3"]
    assert main(command) == 0
    out = capsys.readouterr().out.splitlines()
    numbers = json.loads(table.read_text())
    assert out == [numbers["summary"], str(page)]
    again = "sbd report 'my counts.npy' out.html --seed 3 --pixel 0.0622 --quick"
    assert numbers["commands"][0] == again
    assert main(command) == 1
    assert "page must not be there yet" in capsys.readouterr().err
    page.unlink()
    assert main(command) == 1  # the numbers are there
    assert "out.json (--force replaces it)" in capsys.readouterr().err


def test_what_cannot_be_written_or_read_is_a_message(file, capsys):
    assert main(["report", str(file), str(file.with_name("out.pdf"))]) == 1
    assert "page must be the name of a .html file" in capsys.readouterr().err
    none = str(file.with_name("none.tif"))
    assert main(["report", none, str(file.with_name("out.html"))]) == 1
    assert "must be one that exists" in capsys.readouterr().err
    assert not file.with_name("out.html").exists()


def test_denoisers_are_ranked_as_by_the_function(file, capsys):
    from sbd.reports import list_rivals

    command = ["rank", str(file), "--pixel", "0.0622", "--device", "cpu"]
    command += ["--splits", "2", "--seed", "1"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    table = sbd.recordings.rank_denoisers(
        np.load(file), list_rivals(pixel=0.0622, device="cpu"), splits=2,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert [row["denoiser"] for row in found["rows"]] == table.index.tolist()
    assert found["rows"][2]["worse by"] == table["worse by"].iloc[2]
    assert found["dose"] == table.attrs["dose"]
    assert main([*command, "--against", "constant"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table) + 1
    assert "worse than constant by so many noise variances" in lines[-1]
    (same,) = [line for line in lines if line.endswith("compared with")]
    assert same.startswith("constant")
    assert any(line.endswith("ahead") for line in lines)


def test_what_cannot_be_ranked_is_a_message(file, capsys):
    bad = file.with_name("bad.npy")
    np.save(bad, np.random.default_rng(0).normal(9e4, 1, (64, 64)))
    assert main(["rank", str(bad)]) == 1
    assert "counted one by one" in capsys.readouterr().err
    assert main(["rank", str(file), "--against", "magic", "--device", "cpu"]) == 1
    assert "against must be one of network, windowed" in capsys.readouterr().err


def test_a_part_is_taken_and_the_command_says_so(file, capsys, monkeypatch):
    monkeypatch.setattr("sbd.reports.inventions.FRAME", (96, 96))
    counts = np.load(file)
    mask = np.ones(counts.shape)
    mask[:, :20] = 0
    np.save(file.with_name("mask.npy"), mask)
    part = ["--box", "8", "4", "80", "90", "--mask", str(file.with_name("mask.npy"))]
    how = ["--pixel", "0.0622", "--device", "cpu"]
    page = file.with_name("out.html")
    assert main(["report", str(file), str(page), "--quick", *part, *how]) == 0
    capsys.readouterr()
    numbers = json.loads(page.with_suffix(".json").read_text())
    assert "--box 8 4 80 90 --mask " in numbers["commands"][0]
    kept = counts[8:88, 20:94]
    assert numbers["counts"]["electrons per pixel"] == pytest.approx(
        kept.mean(), rel=1e-6
    )
    assert main(["rank", str(file), *part, *how, "--splits", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    # half of the electrons of the part, each kept by chance: four deviations
    assert told["dose"] == pytest.approx(
        kept.mean() / 2, rel=4 / np.sqrt(kept.sum()) + 1e-6
    )
