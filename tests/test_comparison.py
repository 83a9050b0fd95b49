"""Check the table of denoisers."""

import numpy as np
import pytest

import sbd

CLEAN = np.full((40, 48), sbd.VACUUM)


def test_every_row_is_the_mean_over_the_same_draws():
    table = sbd.compare_denoisers(
        CLEAN, {"raw": np.array, "constant": sbd.denoise_constant}, draws=3, seed=5
    )
    drawn = [
        sbd.poisson_noise(CLEAN, rng=np.random.default_rng([5, i])) for i in range(3)
    ]
    by_hand = np.mean([sbd.authors_psnr(CLEAN, noisy) for noisy in drawn])
    assert list(table.index) == ["raw", "constant"]
    assert table.loc["raw", "PSNR"] == pytest.approx(by_hand)
    assert table.loc["constant", "PSNR"] > table.loc["raw", "PSNR"] + 10


def test_the_classical_ones_all_beat_the_counts():
    table = sbd.compare_denoisers(CLEAN, sbd.classical_denoisers(), draws=1, seed=0)
    others = table.drop("raw counts")
    assert len(others) == 8
    assert (others["PSNR"] > table.loc["raw counts", "PSNR"] + 10).all()


def test_the_clean_image_is_left_alone():
    clean = CLEAN.copy()
    sbd.compare_denoisers(clean, {"raw": np.array}, draws=1, seed=0)
    np.testing.assert_array_equal(clean, CLEAN)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="denoisers must hold at least one; got none"):
        sbd.compare_denoisers(CLEAN, {}, draws=1, seed=0)
    with pytest.raises(ValueError, match="draws must be at least 1; got 0"):
        sbd.compare_denoisers(CLEAN, {"raw": np.array}, draws=0, seed=0)
    with pytest.raises(ValueError, match="clean must hold electron counts"):
        sbd.compare_denoisers(-CLEAN, {"raw": np.array}, draws=1, seed=0)
