"""Rehearse the trial on a graphics processor, in toy sizes and without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sbd.companion.make import studies

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "book" / "measured" / "gpu.py"


def rehearse(folder, *more, code=0):
    command = [
        sys.executable,
        str(SCRIPT),
        str(folder / "trial"),
        str(folder / "gpu.json"),
    ]
    command += ["--minutes", "0.01", "--smoke", *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    done = rehearse(folder, "--device", "cpu")
    return folder, json.loads((folder / "gpu.json").read_text()), done.stdout


def test_every_part_is_done_and_says_something(record):
    _, parts, said = record
    assert list(parts) == [line.split(":")[0] for line in said.splitlines()]
    assert len(parts) == 11
    assert parts["machine"]["device"] == "CPU"
    assert parts["tests"]["code"] == parts["notebooks"]["code"] == 0
    assert parts["benchmark"]["images"] == {"train": 2, "test": 2}
    assert parts["compiling"]["seconds"] > 0
    for row in parts["times"].values():
        assert min(value for key, value in row.items() if "seconds" in key) > 0
        assert row["difference to the CPU"] == row["difference of the row"] == 0
    assert all(row["crops a second"] > 0 for row in parts["throughput"].values())


def test_the_weights_of_the_training_are_kept_and_scored(record):
    folder, parts, _ = record
    curve = json.loads((folder / "trial/paper-4x128/curve.json").read_text())["curve"]
    assert curve[-1]["step"] == parts["training"]["steps"]
    assert (folder / "trial/paper-4x128/half.safetensors").exists()
    scores = parts["score"]["strict test"]
    assert scores["images"] == 2
    # 96 pixels are a multiple of all, and less than a patch: nothing can differ
    assert scores["mirrored less published"]["mean"] == 0
    assert scores["patches"] == scores["whole"] == scores["patches of whole"]


def test_its_images_are_learnt_from_by_nobody_that_is_scored():
    labels = studies.GPU["paper-4x128"].labels
    assert labels["published_split_white"] == ["train"]  # of the strict "train", too


def test_what_is_done_is_not_done_again(record):
    folder, parts, _ = record
    assert rehearse(folder, "--device", "cpu").stdout == ""
    del parts["times"]
    (folder / "gpu.json").write_text(json.dumps(parts))
    assert rehearse(folder, "--device", "cpu").stdout.startswith("times: ")


def test_a_machine_without_one_is_told(tmp_path):
    done = rehearse(tmp_path, "--device", "cuda", code=2)
    assert "this machine has none" in done.stderr
