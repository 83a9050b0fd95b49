"""The page that denoises in the browser, as its tests open it, and what it loads."""

import contextlib
import gzip
import json
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
LIVE = ROOT / "book" / "_live"
ABOUT = json.loads((LIVE / "about.json").read_text("utf8"))
SIDE = ABOUT["bins"] * ABOUT["binning"]
PAGE = ROOT / "_build" / "html" / "live.html"
MEASURED = runpy.run_path(str(ROOT / "book" / "measured" / "live.py"))

node = pytest.mark.skipif(not shutil.which("node"), reason="no node to run scripts")
at_work = [
    pytest.mark.site,
    pytest.mark.slow,
    pytest.mark.skipif(not PAGE.exists(), reason="no _build/html: run `make book`"),
    pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to look with"),
]

RUN = """
const fs = require("fs"), script = require(process.argv[1]);
const told = JSON.parse(fs.readFileSync(0, "utf8"));
const work = new Function("script", "told", process.argv[2]);
const plain = (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
console.log(JSON.stringify(work(script, told), plain));
"""


def unpacked(name: str) -> bytes:
    return gzip.decompress((LIVE / name).read_bytes())


def clean_images() -> np.ndarray:
    stored = np.frombuffer(unpacked("scenes.bin.gz"), "<u2")
    return stored.reshape(-1, SIDE, SIDE) / ABOUT["levels"]


def ask_script(name: str, work: str, **told: object) -> object:
    """Let node run one of the page's scripts on values."""
    command = ["node", "-e", RUN, str(LIVE / name), work]
    given = json.dumps(told, default=lambda a: np.asarray(a).tolist())
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextlib.contextmanager
def opened_page():
    """Open the page from the disk, without a network, and press the button."""
    with MEASURED["browser"]() as tab:
        tab.open(PAGE)
        tab.run("new Promise(done => setTimeout(done, 500))")
        tab.before = tab.requests()
        tab.run("document.getElementById('live-load').click()")
        tab.wait("document.getElementById('live').dataset.ready", seconds=300)
        yield tab


def press(tab, name: str) -> None:
    tab.run(f"document.getElementById('live-{name}').click()")


def fill(tab, **fields: object) -> None:
    for name, value in fields.items():
        tab.run(f"document.getElementById('live-{name}').value = '{value}'")


def text(tab, name: str) -> str:
    return tab.run(f"document.getElementById('live-{name}').textContent")


def settle(tab, word: str, seconds: float = 120) -> str:
    """Wait until the page says that word; what it says then."""
    words = "document.getElementById('live-status').textContent"
    tab.wait(f"{words}.includes({json.dumps(word)})", seconds=seconds)
    return text(tab, "status")
