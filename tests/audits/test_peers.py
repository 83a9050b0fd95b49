"""Run peers that are a few lines of Python, well-behaved and not."""

import os
import sys

import numpy as np
import pytest

import sbd
from sbd.audits.peers import _SCRIPTS, PEERS, peer_denoisers, run_peer

COUNTS = np.random.default_rng(0).poisson(0.45, (6, 5))
START = "import sys, numpy as np; y = np.load(sys.argv[-2]); "
END = "; np.save(sys.argv[-1], y)"


def peer(work, **options):
    return run_peer(COUNTS, [sys.executable, "-c", START + work + END], **options)


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    for variable, *_ in PEERS.values():
        monkeypatch.delenv(variable, raising=False)


def test_counts_go_in_as_float32_and_the_estimate_comes_back():
    checked = "assert (y.dtype, y.shape) == (np.float32, (6, 5)); y = 2.0 * y + 1"
    estimate = peer(checked)
    np.testing.assert_array_equal(estimate, 2 * COUNTS + 1)
    assert estimate.dtype == np.float32


def test_the_arguments_of_the_command_come_before_the_files():
    add = START + "y = y + float(sys.argv[1])" + END
    estimate = run_peer(COUNTS, [sys.executable, "-c", add, "3"])
    np.testing.assert_array_equal(estimate, COUNTS + 3)


def test_the_modules_of_this_environment_are_not_forced_on_the_peer(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work = "from os import environ as e; e['OMP_NUM_THREADS']; "
    peer(work + "assert 'PYTHONPATH' not in e")


def test_a_failure_is_told_in_the_peers_own_words():
    with pytest.raises(RuntimeError, match=r"(?s)got 1 from .*no network of that name"):
        peer("raise SystemExit('no network of that name')")


def test_what_is_no_estimate_is_refused():
    with pytest.raises(ValueError, match=r"must have the shape \(6, 5\); got \(5, 6\)"):
        peer("y = y.T")
    with pytest.raises(ValueError, match="estimate must be finite; got 1 NaN"):
        peer("y[2, 2] = np.nan")
    with pytest.raises(TypeError, match="estimate must hold real numbers"):
        peer("y = y.astype(complex)")
    with pytest.raises(RuntimeError, match="must write its estimate; got no file"):
        run_peer(COUNTS, [sys.executable, "-c", ""])


def test_a_peer_that_takes_too_long_is_stopped():
    with pytest.raises(RuntimeError, match=r"must end within 0\.5 s; got .* running"):
        peer("import time; time.sleep(60)", timeout=0.5)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    peer("y = y")
    with pytest.raises(RuntimeError):
        peer("raise SystemExit(1)")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"program that is there; got \['no-such-pro"):
        run_peer(COUNTS, ["no-such-program"])
    with pytest.raises(ValueError, match="program that is there; got"):
        run_peer(COUNTS, [])
    with pytest.raises(ValueError, match="noisy must hold electron counts"):
        run_peer(-1.0 - COUNTS, [sys.executable])
    with pytest.raises(ValueError, match="timeout must be positive; got 0"):
        peer("y = y", timeout=0)


def test_only_configured_peers_take_part(monkeypatch, tmp_path):
    assert peer_denoisers() == {}
    fake = tmp_path / "python"
    fake.write_text(
        f"#!{sys.executable}\n{START.replace('; ', chr(10))}\n"
        "assert sys.argv[1].endswith('run_topaz.py') and sys.argv[2] == 'unet'\n"
        "np.save(sys.argv[-1], 0 * y + y.mean())\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("SBD_PEER_TOPAZ", str(fake))
    ((name, denoise),) = peer_denoisers().items()
    assert name == "topaz unet"
    np.testing.assert_allclose(denoise(COUNTS), COUNTS.mean(), rtol=1e-6)
    table = sbd.compare_denoisers(
        np.full((40, 48), sbd.VACUUM),
        {"constant": sbd.denoise_constant} | peer_denoisers(), draws=1, seed=0,
    )  # fmt: skip
    scores = table["PSNR"]
    assert scores["topaz unet"] == pytest.approx(scores["constant"])
    monkeypatch.setenv("SBD_PEER_TOPAZ", str(tmp_path / "gone"))
    with pytest.raises(ValueError, match="SBD_PEER_TOPAZ must be the path of a Python"):
        peer_denoisers()


@pytest.mark.parametrize("script", sorted({script for _, script, _ in PEERS.values()}))
def test_a_script_of_a_peer_needs_nothing_of_this_library(script):
    text = (_SCRIPTS / script).read_text()
    assert "import sbd" not in text
    assert "from sbd" not in text
    assert os.access(_SCRIPTS / script, os.R_OK)


def test_each_script_hands_the_counts_to_its_network_and_the_estimate_back(tmp_path):
    """Run the scripts against stand-ins for the two packages."""
    (tmp_path / "topaz").mkdir()
    (tmp_path / "topaz/__init__.py").touch()
    (tmp_path / "topaz/denoise.py").write_text(
        "class Denoise:\n"
        "    def __init__(self, name):\n        assert name == 'unet'\n"
        "    def denoise(self, x):\n        return x + 1\n"
    )
    (tmp_path / "tk_r_em.py").write_text(
        "class Network:\n"
        "    def predict(self, x):\n"
        "        assert x.ndim == 4 and x.shape[0] == x.shape[3] == 1\n"
        "        return x + 1\n"
        "def load_network(name):\n"
        "    assert name in ('sfr_hrtem', 'sfr_hrstem')\n    return Network()\n"
    )
    for _, script, network in PEERS.values():
        run = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); "
        run += f"sys.argv[0] = 'x'; runpy.run_path({str(_SCRIPTS / script)!r}, "
        run += "run_name='__main__')"
        estimate = run_peer(COUNTS, [sys.executable, "-c", run, network])
        np.testing.assert_array_equal(estimate, COUNTS + 1)
