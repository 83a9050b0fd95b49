"""Check the weights that come with the package against what their card says."""

import json
from pathlib import Path

import numpy as np
import pytest

import sbd
from sbd.data.registry import DataUnavailableError

CARD = json.loads(
    (Path(sbd.__file__).parent / "assets" / "weights" / "default.json").read_text()
)


@pytest.fixture(scope="module")
def model():
    return sbd.load_model()


def test_the_card_names_what_made_the_weights(model):
    runs = [entry for key, entry in CARD.items() if key.startswith("run ")]
    assert runs
    # the last run made the whole, those before it perhaps its pilot only
    classes = {type(part).__name__ for part in model.modules()}
    assert runs[-1]["class"] == type(model).__name__
    assert all(run["class"] in classes for run in runs)
    configs, part = [], model
    while part is not None:  # each network, and the one that it begins with
        configs.append(part.config)
        part = getattr(part, "pilot", None)
    assert [run["config"] for run in runs[::-1]] == configs
    assert all(len(run["commit"]) == 40 for run in runs)
    assert CARD["curve"][-1]["step"] == sum(run["steps"] for run in runs)


def test_the_score_on_the_card_is_reached(model):
    micrograph = sbd.example_micrograph("simulated", rng=np.random.default_rng([7, 0]))
    denoised = sbd.denoise(micrograph.noisy, model, device="cpu")
    score = sbd.authors_psnr(micrograph.clean, denoised)
    metrics = CARD["metrics"]
    # one draw against the mean of several: four standard deviations of a draw
    spread = metrics["psnr_standard_error"] * metrics["draws"] ** 0.5
    assert score == pytest.approx(metrics["psnr_bundled_image"], abs=4 * spread)


def test_the_network_beats_the_best_filter_on_an_image_it_never_saw(model):
    micrograph = sbd.example_micrograph("simulated", rng=np.random.default_rng(1))
    ours, filtered = (
        sbd.authors_psnr(micrograph.clean, denoise(micrograph.noisy))
        for denoise in (
            lambda noisy: sbd.denoise(noisy, model, device="cpu"),
            sbd.denoise_windowed_fourier,
        )
    )
    assert ours > filtered + 4


def test_vacuum_stays_flat(model):
    flat = np.full((400, 400), sbd.VACUUM)
    noisy = sbd.poisson_noise(flat, rng=np.random.default_rng(2))
    denoised = sbd.denoise(noisy, model, device="cpu")
    # at most 1 % of the mean: an invented lattice would show as more
    assert denoised.std() < 0.01 * sbd.VACUUM
    assert denoised.mean() == pytest.approx(sbd.VACUUM, abs=0.005)


@pytest.mark.network
def test_the_authors_image_reaches_what_the_paper_reaches_on_its_own(model):
    try:
        clean = sbd.fetch_clean("clean/PtNp2-S3_5")
    except DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    clean = sbd.authors_resize(clean).clip(min=0)
    noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(0))
    denoised = sbd.denoise(noisy, model, device="cpu")
    # the paper's best figure, on its own test set
    assert sbd.authors_psnr(clean, denoised) >= 38.6


def test_the_gradient_accounts_for_the_whole_value(model):
    micrograph = sbd.example_micrograph(
        "simulated", rng=np.random.default_rng(3), crop=256
    )
    counts = micrograph.noisy.astype(np.float32)
    row, bias = sbd.jacobian_row(model, counts, (100, 120))
    # float32, sixty thousand terms
    assert abs(bias) < 1e-4 * abs(float(np.vdot(row, counts)))
