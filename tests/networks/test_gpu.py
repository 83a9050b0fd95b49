"""Check that networks on a graphics processor do what they do without one."""

import json

import numpy as np
import pytest
import torch

import sbd
from sbd.benchmark.recipes import Recipe
from sbd.networks.drawing import Drawing
from sbd.networks.models import create_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]


@pytest.fixture(scope="module")
def counts():
    clean, _ = sbd.example_truth("simulated")
    return sbd.poisson_noise(clean[:300, :330], rng=np.random.default_rng(0))


@pytest.fixture(params=["default", "paper", "view-lattice", "wide"])
def model(request):
    if request.param == "wide":  # convolutions that have a way of their own on a CPU
        return create_model("UNet", seed=0, scales=2, channels=128).eval()
    return sbd.load_model(f"weights/{request.param}")


def test_the_same_image_comes_back(model, counts):
    here, there = (sbd.denoise(counts, model, device=d) for d in ("cpu", "cuda"))
    # float32 through some forty layers; the model itself stays where it was
    assert np.abs(there - here).max() < 1e-3 * np.abs(here).max()
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_a_pixel_has_the_same_row(model, counts):
    rows = [
        sbd.jacobian_row(model, counts, (150, 160), device=device)[0]
        for device in ("cpu", "cuda")
    ]
    # thresholds and translations that rounding tips change single weights
    assert np.abs(rows[1] - rows[0]).max() < 5e-3 * np.abs(rows[0]).max()


def test_tiles_fit_together(counts):
    model = sbd.load_model()
    whole, tiled = (
        sbd.denoise(counts, model, device="cuda", tile=tile) for tile in (None, 256)
    )
    assert np.abs(tiled - whole).max() < 1e-3 * np.abs(whole).max()


@pytest.mark.parametrize("kind", ["LatticeUNet", "CrystalUNet"])
def test_a_run_can_be_repeated_there_and_learns(kind, tmp_path):
    benchmark = sbd.simulate_benchmark(
        tmp_path / "benchmark", recipes=(Recipe("PtNp4", "D0", 10.0),),
        tilts=((3.0, 0.0),), defoci=(6.0,), grid=64, progress=False,
    )  # fmt: skip
    losses = []
    for i in range(2):
        model = create_model(kind, seed=0, scales=2, channels=4)
        sbd.train(
            model, benchmark, tmp_path / str(i), steps=30, batch=4, save_every=10,
            drawing=Drawing(crop=32), device="cuda", progress=False,
        )  # fmt: skip
        text = (tmp_path / str(i) / "curve.json").read_text()
        losses.append(json.loads(text)["curve"])
    # sums are added in another order each time
    first, again = ([point["loss"] for point in curve] for curve in losses)
    np.testing.assert_allclose(first, again, rtol=0.05)
    assert first[-1] < first[0]
