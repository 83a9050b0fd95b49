"""Check that a large frame fits: what each classical denoiser holds at a time."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

from sbd.denoisers.binning import band_limit
from sbd.denoisers.fourier import denoise_absf, denoise_spot_filter, denoise_wiener
from sbd.denoisers.lowpass import denoise_butterworth, denoise_lowpass
from sbd.denoisers.network import denoise_gaussian
from sbd.denoisers.stabilised import denoise_vst
from sbd.denoisers.windows import denoise_windowed_fourier

SIDE = 768
# 3 GB for 4096 x 4096 pixels, less 0.3 GB for Python and its packages, are 40 images
# in single precision
MOST = 40 * SIDE**2 * 4
DENOISERS = {
    "band limit": band_limit,
    "Gaussian": denoise_gaussian,
    "low-pass": denoise_lowpass,
    "Butterworth": denoise_butterworth,
    "spot filter": denoise_spot_filter,
    "Wiener": denoise_wiener,
    "radial Wiener": partial(denoise_wiener, floor="radial"),
    "ABSF": denoise_absf,
    "windowed Fourier": partial(denoise_windowed_fourier, return_gain=True),
    "windowed Fourier, unbinned": partial(
        denoise_windowed_fourier, binning=1, window=64
    ),
    "VST + NLM": denoise_vst,
    "VST + TV, twice": partial(denoise_vst, inner="tv", binning=2, iterations=2),
}


@pytest.mark.parametrize("name", DENOISERS)
def test_memory_is_that_of_a_few_images(name):
    rows, columns = np.indices((SIDE, SIDE), sparse=True)
    lattice = 0.45 + 0.1 * np.cos(rows / 3) + 0.1 * np.cos(columns / 3.3)
    counts = np.random.default_rng(0).poisson(lattice).astype(np.float32)
    DENOISERS[name](counts[:64, :64])  # tables and imports are no part of it
    tracemalloc.start()
    try:
        DENOISERS[name](counts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST
