"""Check that ONNX files compute what the networks compute."""

import sys

import numpy as np
import pytest
import torch
from test_inference import random_weights
from torch import nn

from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.onnx import export_onnx
from sbd.networks.published import DnCNN, DurrUNet, UNet

NETWORKS = {
    "UNet": lambda: UNet(scales=2, channels=4),
    "wide bias-free UNet": lambda: UNet(scales=2, channels=128, bias=False),
    "DnCNN": lambda: DnCNN(depth=4, channels=4),
    "DurrUNet": lambda: DurrUNet(residual=True),
}


def check(model, path, shape):
    """Compare another runtime's result with torch's, on a crystal's counts."""
    onnxruntime = pytest.importorskip("onnxruntime")
    y, x = np.mgrid[: shape[0], : shape[1]] * (2 * np.pi / 46)
    clean = 0.45 * (1 + 0.3 * np.cos(x) * np.cos(y + 0.2 * x))
    counts = np.random.default_rng(0).poisson(clean).astype(np.float32)[None, None]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    (ours,) = session.run(["denoised"], {"noisy": counts})
    with torch.no_grad():
        truth = model(torch.from_numpy(counts)).numpy()
    assert truth.std() > 0.01 * np.abs(truth).max()
    # float32 has 6e-8; ten layers and sums in another order make it some 1e-6
    assert np.abs(ours - truth).max() < 1e-5 * np.abs(truth).max()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "DnCNN" else pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_a_file_for_any_shape_computes_the_same(name, tmp_path):
    pytest.importorskip("onnxscript")
    model = random_weights(NETWORKS[name]())
    export_onnx(model, tmp_path / "net.onnx", shape=None)
    for shape in ((64, 80), (51, 73), (5, 9)):
        check(model, tmp_path / "net.onnx", shape)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LatticeUNet, CrystalUNet])
def test_a_file_for_one_shape_computes_the_same_from_standard_operators(kind, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    model = random_weights(kind(scales=2, channels=4))
    export_onnx(model, tmp_path / "net.onnx", shape=(130, 141))
    check(model, tmp_path / "net.onnx", (130, 141))
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert {node.domain for node in graph.node} == {""}
    # missing or slow in browsers
    assert not {node.op_type for node in graph.node} & {"DFT", "Loop", "If", "Col2Im"}


@pytest.mark.parametrize(
    ("model", "shape", "error", "message"),
    [
        (nn.Identity(), (8, 8), TypeError, "model must be one of UNet.*got Identity"),
        (DurrUNet(), (8, 0), ValueError, r"shape must be two positive.*got \(8, 0\)"),
        (DurrUNet(), (8, 8.5), ValueError, r"shape must be two positive.*got \(8, 8.5"),
        (DurrUNet(), (8, 8, 8), ValueError, "shape must be two positive"),
        (LatticeUNet(), None, ValueError, "shape must be.*a LatticeUNet.*got None"),
    ],
)
def test_wrong_arguments_are_named(model, shape, error, message, tmp_path):
    with pytest.raises(error, match=message):
        export_onnx(model, tmp_path / "net.onnx", shape=shape)
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_way_to_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'sbd\[onnx\]'"):
        export_onnx(DurrUNet(), tmp_path / "net.onnx", shape=(8, 8))
    assert not list(tmp_path.iterdir())
