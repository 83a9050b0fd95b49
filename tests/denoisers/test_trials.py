"""Count once, denoise with each: what every table of denoisers is made from."""

import time

import numpy as np
import pytest

import sbd
from sbd.denoisers.trials import check_trials, try_denoisers

FLAT = np.full((24, 20), sbd.VACUUM)


def test_the_counts_are_those_of_the_seed_and_the_same_for_all():
    both = {"raw": np.array, "again": np.array}
    one, other = try_denoisers(both, FLAT, seed=[3, 1])
    assert (one.name, other.name) == ("raw", "again")
    by_hand = sbd.poisson_noise(FLAT, rng=np.random.default_rng([3, 1]))
    np.testing.assert_array_equal(one.estimate, by_hand)
    np.testing.assert_array_equal(other.estimate, by_hand)


def test_the_estimate_is_on_the_scale_of_the_clean_image_at_every_dose():
    (one,) = try_denoisers({"raw": np.array}, FLAT, seed=[0], dose=4 * sbd.VACUUM)
    drawn = sbd.poisson_noise(4 * FLAT, rng=np.random.default_rng([0]))
    np.testing.assert_array_equal(one.estimate, drawn / 4)


def test_a_denoiser_that_works_in_place_spoils_the_counts_for_no_other():
    spoil = {"zero": lambda y: np.multiply(y, 0, out=y), "raw": np.array}
    zero, raw = try_denoisers(spoil, FLAT, seed=[0])
    assert zero.estimate.sum() == 0 < raw.estimate.sum()


def test_the_seconds_are_those_of_one_call():
    def slow(noisy):
        time.sleep(0.02)
        return noisy

    one, _ = try_denoisers({"slow": slow, "raw": np.array}, FLAT, seed=[0])
    assert one.seconds >= 0.02


def test_what_is_missing_is_refused():
    with pytest.raises(ValueError, match="denoisers must hold at least one; got none"):
        check_trials(denoisers={})
    with pytest.raises(TypeError, match="denoisers must be a dict of functions"):
        check_trials(denoisers=[np.array])
    with pytest.raises(TypeError, match=r"doses must be a sequence; got 0\.45"):
        check_trials(doses=0.45)
    with pytest.raises(ValueError, match=r"draws must be a whole .* 1; got 0"):
        check_trials(0)
