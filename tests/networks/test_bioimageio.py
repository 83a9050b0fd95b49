"""Check that packages of bioimage.io say what they hold, and hold what they say."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image as Picture
from test_inference import random_weights

from sbd.networks import bioimageio
from sbd.networks.bioimageio import write_bioimageio
from sbd.networks.lattice import LatticeUNet
from sbd.networks.published import DnCNN, UNet

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    "README.md", "cover.png", "rdf.yaml", "test_input.npy", "test_output.npy",
    "weights.onnx",
]  # fmt: skip


@pytest.fixture(scope="module")
def small():
    model = random_weights(DnCNN(depth=4, channels=4))
    model.trained_pixel = (0.05, 0.08)
    return model


@pytest.fixture(scope="module")
def package(small, tmp_path_factory):
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("packages") / "any"
    write_bioimageio(small, folder)
    return folder


def card(folder):
    return yaml.safe_load((folder / "rdf.yaml").read_text())


def check(folder, model):
    """Compare the files with the card, and the test with both runtimes."""
    onnxruntime = pytest.importorskip("onnxruntime")
    told = card(folder)
    (given,), (made,) = told["inputs"], told["outputs"]
    weights = told["weights"]["onnx"]
    for one in (given["test_tensor"], made["test_tensor"], weights):
        content = (folder / one["source"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"]
    noisy, denoised = (
        np.load(folder / one["test_tensor"]["source"]) for one in (given, made)
    )
    assert noisy.dtype == denoised.dtype == np.float32
    assert noisy.shape == denoised.shape
    assert (noisy == np.rint(noisy)).all()
    assert noisy.min() >= 0
    with torch.no_grad():
        np.testing.assert_array_equal(model(torch.from_numpy(noisy)), denoised)
    session = onnxruntime.InferenceSession(folder / weights["source"])
    assert [one.name for one in session.get_inputs()] == [given["id"]]
    (ours,) = session.run([made["id"]], {given["id"]: noisy})
    # float32 has 6e-8; ten layers and sums in another order make it some 1e-6
    assert np.abs(ours - denoised).max() < 1e-5 * np.abs(denoised).max()
    return given, made, noisy.shape


def test_a_network_for_any_shape_says_so(package, small):
    assert sorted(path.name for path in package.iterdir()) == FILES
    given, made, shape = check(package, small)
    assert shape == (1, 1, 256, 256)
    kinds = [axis["type"] for axis in given["axes"]]
    assert kinds == [axis["type"] for axis in made["axes"]]
    assert kinds == ["batch", "channel", "space", "space"]
    for axis, other in zip(given["axes"][2:], made["axes"][2:], strict=True):
        assert axis["size"] == {"min": 16, "step": 1}
        assert other["size"] == {"tensor_id": "noisy", "axis_id": axis["id"]}
        # the geometric mean of .05 and .08 angstrom
        assert (axis["unit"], axis["scale"]) == ("nanometer", 0.00632)
    assert "Trained on pixels of 0.005 to 0.008 nm;" in given["description"]


def test_a_network_for_one_shape_says_which(tmp_path):
    pytest.importorskip("onnxscript")
    model = random_weights(LatticeUNet(scales=2, channels=4))
    write_bioimageio(model, tmp_path / "one", shape=(130, 141))
    given, made, shape = check(tmp_path / "one", model)
    assert shape == (1, 1, 130, 141)
    for tensor in (given, made):
        assert [axis["size"] for axis in tensor["axes"][2:]] == [130, 141]
        assert not any("unit" in axis for axis in tensor["axes"])  # nobody knows
    text = (tmp_path / "one/README.md").read_text()
    assert "Images of 130 x 141 pixels exactly" in text
    assert "Tiles have seams" in text
    assert "$" not in text + (tmp_path / "one/rdf.yaml").read_text()


def test_a_network_that_bins_is_given_a_shape(monkeypatch, tmp_path):
    seen = []

    def export(model, path, *, shape):
        path.parent.mkdir()
        path.write_bytes(type(model).__name__.encode())
        seen.append(shape)

    monkeypatch.setattr(bioimageio, "export_onnx", export)
    monkeypatch.setattr(bioimageio, "_SHAPE", (96, 64))
    write_bioimageio(random_weights(LatticeUNet(scales=2, channels=4)), tmp_path / "a")
    write_bioimageio(random_weights(DnCNN(depth=3, channels=2)), tmp_path / "b")
    assert seen == [(96, 64), None]


def test_authors_licence_and_paper_are_those_of_the_project(package):
    told = card(package)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert told["authors"] == cited["authors"]
    assert told["license"] == cited["license"]
    paper, (ours,) = cited["preferred-citation"], told["cite"]
    assert ours["doi"] == paper["doi"]
    assert paper["title"] in ours["text"]
    assert all(author["family-names"] in ours["text"] for author in paper["authors"])


def test_the_cover_and_the_texts_are_as_the_format_wants_them(package):
    told = card(package)
    assert (told["type"], told["format_version"]) == ("model", "0.5.3")
    assert 5 <= len(told["name"]) <= 128
    assert len(told["description"]) <= 1024
    assert all(len(t["description"]) <= 128 for t in told["inputs"] + told["outputs"])
    with Picture.open(package / told["covers"][0]) as cover:
        assert cover.size == (512, 256)
    assert (package / "cover.png").stat().st_size < 500_000
    assert "## Validation" in (package / told["documentation"]).read_text()


def test_a_zip_holds_the_same_and_is_the_same_each_time(package, small, tmp_path):
    for name in ("one.zip", "two.zip"):
        write_bioimageio(small, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == FILES
        for name in FILES:
            assert archive.read(name) == (package / name).read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_written_leaves_nothing_behind(small, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="path must be a new folder, or a"):
        write_bioimageio(small, tmp_path / "there")
    with pytest.raises(ValueError, match="shape must be two positive"):
        write_bioimageio(small, tmp_path / "new", shape=(0, 8))
    with pytest.raises(TypeError, match="model must be one of"):
        write_bioimageio(torch.nn.Identity(), tmp_path / "new.zip")
    with pytest.raises(ValueError, match="model must make one image of one"):
        write_bioimageio(UNet(scales=2, channels=4, inputs=3), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.filterwarnings("ignore")  # it and what it imports have warnings of theirs
def test_bioimageio_itself_runs_the_model(package):
    core = pytest.importorskip("bioimageio.core")
    summary = core.test_model(package / "rdf.yaml")
    assert summary.status == "passed", summary.format()
