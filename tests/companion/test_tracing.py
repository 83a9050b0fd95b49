"""Check that a kernel notes what it uses of the package, however it asks for it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sbd

PACKAGE = Path(sbd.__file__).parent
ASKING = [
    "open(P + '/assets/tuned.json')",
    "open((P + '/assets/tuned.json').encode())",
    "open(P + '/data/../assets/tuned.json')",
    "os.chdir(P); open('assets/tuned.json')",
    "Path(P, 'assets', 'tuned.json').read_text()",
    "os.symlink(P, F + '/link'); open(F + '/link/assets/tuned.json')",
]


def used(code, folder):
    """Run code in a watched process and read what it says that it used."""
    lines = [
        "import os, sys",
        "from pathlib import Path",
        "from sbd.companion import tracing",
        "tracing.start()",
        f"P, F = {str(PACKAGE)!r}, {str(folder)!r}",
        code,
        "print(tracing.used())",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        check=True,
        capture_output=True,
        text=True,
    )
    return ast.literal_eval(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("code", ASKING)
def test_an_asset_is_noted_however_it_is_opened(code, tmp_path):
    assert used(code, tmp_path)["assets"] == ["assets/tuned.json"]


def test_a_fetched_item_is_noted_with_its_file(tmp_path):
    found = used("import sbd; sbd.fetch('weights/default')", tmp_path)
    assert found["items"] == ["weights/default"]
    assert "assets/weights/default.safetensors" in found["assets"]


def test_modules_are_those_that_were_loaded(tmp_path):
    found = used("import sbd; sbd.psnr", tmp_path)
    assert {"metrics.py", "validation.py"} <= {*found["modules"]}
    assert not [name for name in found["modules"] if name.startswith("networks/m")]
    assert "companion/tracing.py" not in found["modules"]


def test_what_lies_elsewhere_is_no_asset(tmp_path):
    assert used("open(F + '/assets.txt', 'w')", tmp_path)["assets"] == []
