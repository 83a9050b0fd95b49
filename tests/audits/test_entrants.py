"""Load denoisers as strangers name them, and refuse in words what is none."""

import numpy as np
import pytest

from sbd.audits.entrants import Entrant, guess_units, load_entrant
from sbd.files import sha256
from sbd.networks.models import LatticeUNet, save_model

CODE = "def denoise(image):\n    return image * 0.5\nnumber = 3\n"


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "strange_filter.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize("way", ["module", "file"])
def test_a_function_of_a_module_or_a_file_is_loaded(module, way):
    where = "strange_filter" if way == "module" else str(module)
    found = load_entrant(f"{where}:denoise")
    assert found.kind == "module"
    assert found.digest == sha256(module)
    assert found.denoise(np.ones((2, 2))).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_other_files_are_part_of_the_digest(module, tmp_path):
    weights = tmp_path / "w.bin"
    weights.write_bytes(b"1")
    digests = {load_entrant(f"{module}:denoise", files=[weights]).digest}
    weights.write_bytes(b"2")
    digests |= {load_entrant(f"{module}:denoise", files=[weights]).digest}
    digests |= {load_entrant(f"{module}:denoise").digest}
    assert len(digests) == 3
    with pytest.raises(FileNotFoundError, match="files must be there; got"):
        load_entrant(f"{module}:denoise", files=[tmp_path / "gone"])


def test_weights_are_loaded_by_file_and_by_name(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_model(LatticeUNet(scales=2, channels=4), path)
    found = load_entrant(str(path), name="mine")
    assert (found.name, found.kind, found.digest) == ("mine", "weights", sha256(path))
    assert found.denoise(np.ones((64, 64), np.float32)).shape == (64, 64)
    assert load_entrant("paper").digest == load_entrant("weights/paper").digest


@pytest.mark.parametrize("name", ["raw-counts", "VST + NLM", "windowed-fourier"])
def test_a_classical_denoiser_is_loaded_by_its_name(name):
    found = load_entrant(name)
    assert found.kind == "built-in"
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("no_such_module:denoise", ImportError, r"No module named .*in this folder"),
        ("strange_filter:filter", ValueError, "strange_filter, denoise; got 'filter'"),
        ("strange_filter:number", TypeError, "which is of type int"),
        ("gone.py:denoise", FileNotFoundError, "in a file that exists; got gone.py"),
        ("gone.safetensors", FileNotFoundError, "must be a file or one of"),
        ("median", ValueError, "one of default, robust.*windowed-fourier.*'median'"),
        ("weights/eraser", ValueError, "denoiser must be MODULE:FUNCTION"),
        (3, TypeError, "a function or its name; got int"),
    ],
)
@pytest.mark.usefixtures("module")
def test_what_is_no_denoiser_is_refused_in_words(given, error, message):
    with pytest.raises(error, match=message):
        load_entrant(given)


def test_an_error_inside_a_module_is_not_taken_for_a_missing_one(module):
    module.write_text("import no_such_package\n")
    with pytest.raises(ImportError, match="No module named 'no_such_package'") as info:
        load_entrant(f"{module}:denoise")
    assert "in this folder" not in str(info.value)


def test_a_function_is_taken_as_it_is():
    found = load_entrant(np.array)
    assert (found.kind, found.digest) == ("function", None)
    assert load_entrant(found) is found


def test_units_are_guessed_only_where_the_mean_is_far_off():
    noisy = np.full((4, 4), 0.4)
    assert guess_units(0.6 * noisy, noisy, "mine") == ""
    assert "divide it by 255" in guess_units(255 * noisy, noisy, "mine")
    assert "nothing, or its negative" in guess_units(0 * noisy, noisy, "mine")
    assert guess_units(noisy, 0 * noisy, "mine") == ""


def test_a_tensor_that_wants_a_gradient_is_refused_with_the_image():
    import torch

    one = Entrant("mine", lambda n: torch.ones(n.shape, requires_grad=True))
    with pytest.raises(RuntimeError, match=r"requires grad.*\(image here\)"):
        one.on("here")(np.ones((8, 8)))


def test_a_masked_estimate_is_refused():
    entrant = Entrant("mine", lambda noisy: np.ma.masked_equal(noisy, 0))
    assert entrant.on("a")(np.ones((4, 4))).sum() == 16
    with pytest.raises(ValueError, match=r"'mine' must return .* without a mask"):
        entrant.on("a")(np.eye(4))
