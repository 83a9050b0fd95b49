"""Check the ladder of Laplacians against scipy, and its two ways with each other."""

import numpy as np
import pytest
from scipy import ndimage

from sbd.columns.blobs import LaplacianLadder, find_peaks

SHAPES = [(64, 80), (61, 83)]  # quick to transform, and not: made longer then


@pytest.fixture(params=SHAPES, ids=["quick", "slow"])
def image(request):
    return np.random.default_rng(5).standard_normal(request.param)


def test_the_ladder_is_the_laplacian_of_gaussian_with_mirrored_borders(image):
    ladder = LaplacianLadder(image, least=2.0, most=4.0)
    for number in (0, len(ladder.sigmas) - 1):
        sigma = ladder.sigmas[number]
        # sampled kernels are Gaussians up to what they alias, exp(-(pi sigma)^2 / 2)
        true = -(sigma**2) * ndimage.gaussian_laplace(
            image, sigma, mode="reflect", truncate=9.0
        )
        np.testing.assert_allclose(ladder.image(number), true, atol=1e-6)


def test_at_single_places_it_is_what_the_whole_image_has(image):
    ladder = LaplacianLadder(image, least=1.5, most=6.0)
    places = np.array([(0, 0), (17, 40), (image.shape[0] - 1, image.shape[1] - 1)])
    there = [
        ladder.image(number)[tuple(places.T)] for number in range(len(ladder.sigmas))
    ]
    np.testing.assert_allclose(ladder.at(places), there, atol=1e-13)


def test_between_pixels_a_blob_has_its_own_top():
    y, x = np.mgrid[:60, :80]
    blob = np.exp(-((y - 30.5) ** 2 + (x - 40.25) ** 2) / (2 * 5.0**2))
    ladder = LaplacianLadder(blob, least=5.0, most=5.0)
    np.testing.assert_allclose(ladder.at(np.array([(30.5, 40.25)])), 0.5, rtol=1e-6)


def test_the_width_is_chosen_without_regard_to_white_noise():
    y, x = np.mgrid[:160, :200]
    dots = sum(
        np.exp(-((y - r) ** 2 + (x - c) ** 2) / (2 * 6.0**2))
        for r in (40, 80, 120)
        for c in (50, 100, 150)
    )
    noise = 0.1 * np.random.default_rng(3).standard_normal(dots.shape)
    clean, noisy = (LaplacianLadder(each).sigmas for each in (dots, dots + noise))
    assert noisy[5] == pytest.approx(clean[5], rel=0.15)


def test_of_two_tops_within_reach_the_higher_is_a_peak():
    response = np.zeros((20, 30))
    response[8, 8], response[8, 12], response[12, 25] = 1.0, 0.9, 0.8
    found = [find_peaks(response, separation=s, lowest=0.5).tolist() for s in (2, 5)]
    assert found == [[[8, 8], [8, 12], [12, 25]], [[8, 8], [12, 25]]]


def test_many_places_are_read_as_few_are(image):
    ladder = LaplacianLadder(image, least=3.0, most=6.0)
    rng = np.random.default_rng(2)
    places = rng.uniform(-0.4, np.array(image.shape) - 0.6, (400, 2))
    few = np.concatenate([ladder.at(some) for some in np.split(places, 4)], axis=1)
    scale = np.abs(few).max()
    np.testing.assert_allclose(ladder.at(places), few, rtol=0, atol=1e-4 * scale)
