"""Check the scores, and that the authors' are theirs."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sbd.metrics import (
    authors_psnr,
    authors_resize,
    authors_ssim,
    psnr,
    score_regions,
    ssim,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(2)
    clean = 0.45 + 0.3 * rng.standard_normal((20, 30))  # part of it beyond [0, 1]
    return clean, clean + 0.1 * rng.standard_normal(clean.shape)


def test_psnr_of_a_shifted_image_follows_from_the_shift():
    clean = np.zeros((4, 5))
    assert psnr(clean, clean + 0.01) == pytest.approx(40)
    assert psnr(clean, clean + 0.01, data_range=10) == pytest.approx(60)


def test_an_image_equals_itself(pair):
    assert psnr(pair[0], pair[0]) == np.inf
    assert ssim(pair[0], pair[0]) == pytest.approx(1)


def test_scores_agree_with_scikit_image(pair):
    # the same formulas in float64: only the order of the sums differs
    for data_range in (1, 2.5):
        reference = peak_signal_noise_ratio(*pair, data_range=data_range)
        assert psnr(*pair, data_range=data_range) == pytest.approx(reference, rel=1e-12)
        reference = structural_similarity(*pair, data_range=data_range)
        assert ssim(*pair, data_range=data_range) == pytest.approx(reference, rel=1e-12)


def test_clipping_is_the_only_difference_of_the_clipped_scores(pair):
    clipped = [np.clip(image, 0, 2) for image in pair]
    assert psnr(*pair, data_range=2, clip=True) == psnr(*clipped, data_range=2)
    assert ssim(*pair, data_range=2, clip=True) == ssim(*clipped, data_range=2)


def test_the_authors_metric_is_clipped_and_scaled_to_255(pair):
    clean, image = (255 * np.clip(x, 0, 1) for x in pair)
    expected = peak_signal_noise_ratio(clean, image, data_range=255)
    assert authors_psnr(*pair) == pytest.approx(expected, rel=1e-12)
    expected = structural_similarity(clean, image, data_range=255)
    assert authors_ssim(*pair) == pytest.approx(expected, rel=1e-12)


def test_the_authors_resize_swaps_the_axes():
    assert authors_resize(np.zeros((876, 927))).shape == (727, 687)
    assert authors_resize(np.zeros((100, 200), np.float32)).dtype == np.float32


def test_the_authors_resize_keeps_a_ramp_a_ramp():
    ramp = np.tile(np.linspace(0, 1, 200), (100, 1))
    resized = authors_resize(ramp)
    middle = resized[10:-10, 10:-10]  # away from what the border does to smoothing
    np.testing.assert_allclose(middle, np.tile(middle[:1], (len(middle), 1)), atol=1e-6)
    # 157 rows, 78 columns: 200 samples are laid on 78 places
    np.testing.assert_allclose(np.diff(middle[0]), 200 / 199 / 78, rtol=1e-6)


def test_an_error_in_one_region_is_no_error_of_the_other():
    clean, left = np.full((9, 9), 0.5), np.tri(9) > 0
    scores = score_regions(clean, clean + 0.1 * ~left, {"left": left, "right": ~left})
    assert scores["left"][0] == np.inf
    assert scores["right"][0] == pytest.approx(20)  # 0.1 of the range


def test_images_of_two_shapes_are_refused():
    for score in (psnr, ssim, authors_psnr, authors_ssim):
        with pytest.raises(ValueError, match=r"image must have the shape of clean"):
            score(np.zeros((8, 8)), np.zeros((8, 9)))


def test_unusable_images_are_refused():
    good = np.zeros((8, 8))
    with pytest.raises(ValueError, match="clean must be finite"):
        psnr(np.full((8, 8), np.nan), good)
    with pytest.raises(TypeError, match="image must hold real numbers"):
        psnr(good, np.full((8, 8), 1j))
    with pytest.raises(ValueError, match="clean must be at least 7 x 7 pixels"):
        ssim(np.zeros((6, 20)), np.zeros((6, 20)))
    with pytest.raises(ValueError, match="data_range must be positive; got 0"):
        psnr(good, good, data_range=0)
    with pytest.raises(ValueError, match="image must be at least 2 x 2 pixels"):
        authors_resize(np.zeros((1, 50)))
