"""Check that gain and read noise are read from the noise, not from the scene."""

import numpy as np
import pytest
from skimage import data

from sbd.denoisers.detectors import estimate_gain


def record(clean, gain, offset, read_noise, seed=0):
    rng = np.random.default_rng(seed)
    recorded = gain * rng.poisson(clean) + offset
    return recorded + rng.normal(0, read_noise, clean.shape)


@pytest.mark.parametrize(
    ("gain", "offset", "read_noise"), [(1, 0, 0), (30, 100, 15), (0.02, -3, 0.05)]
)
def test_a_ramp_gives_gain_and_read_noise(gain, offset, read_noise):
    clean = np.linspace(0.5, 20, 512) * np.ones((512, 1))
    found, noise = estimate_gain(record(clean, gain, offset, read_noise), offset=offset)
    # 1,024 blocks of 64 differences each: the slope is known to about 1 %
    assert found == pytest.approx(gain, rel=0.05)
    # the line's end is known to some hundredths of an electron's variance
    assert noise**2 == pytest.approx(read_noise**2, abs=0.3 * gain**2)


@pytest.mark.parametrize("name", ["camera", "moon"])
def test_the_edges_of_a_photograph_are_left_out(name):
    photograph = getattr(data, name)() / 255
    found, _ = estimate_gain(record(20 * photograph, 5, 0, 0))
    assert found == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("read_noise", [0.0, 0.5, 1.0])
def test_read_noise_does_not_flatten_the_line(read_noise):
    # as little contrast as a micrograph has: with the noisy brightness in place of the
    # true one, half an electron of read noise took a fifth off the gain
    clean = np.linspace(0.3, 0.6, 688) * np.ones((688, 1))
    found = [
        estimate_gain(record(clean, 30, 100, 30 * read_noise, seed), offset=100)[0]
        for seed in range(6)
    ]
    scatter = np.std(found, ddof=1) / 6**0.5
    assert np.mean(found) == pytest.approx(30, abs=4 * scatter)
    assert scatter < 2


def test_frames_of_a_stack_are_taken_together():
    clean = np.linspace(0.5, 5, 96) * np.ones((96, 1))
    stack = np.array([record(clean, 7, 0, 0, seed) for seed in range(12)])
    whole = abs(estimate_gain(stack)[0] - 7)
    assert whole < 0.7
    singles = [abs(estimate_gain(frame)[0] - 7) for frame in stack]
    assert whole < np.mean(singles)


@pytest.mark.parametrize("shape", [(32, 32), (256, 256)])
def test_an_even_image_tells_no_gain(shape):
    refused = 0
    for seed in range(10):
        try:
            estimate_gain(record(np.full(shape, 2.0), 30, 100, 15, seed), offset=100)
        except ValueError:
            refused += 1
    assert refused >= 9


def test_an_image_without_contrast_or_noise_is_refused():
    with pytest.raises(ValueError, match="more noise where it is brighter"):
        estimate_gain(np.full((64, 64), 3.0))
    falling = np.linspace(0, 5, 256) * np.ones((256, 1))
    falling += np.linspace(3, 1, 256) * np.random.default_rng(0).normal(size=(256, 256))
    with pytest.raises(ValueError, match="more noise where it is brighter"):
        estimate_gain(falling)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="image must be at least 32 x 32"):
        estimate_gain(np.ones((31, 100)))
    with pytest.raises(ValueError, match="offset must be finite; got nan"):
        estimate_gain(np.ones((64, 64)), offset=np.nan)
    with pytest.raises(ValueError, match="image must be finite"):
        estimate_gain(np.full((64, 64), np.inf))
