__all__ = [
    "BASELINES",
    "LetDictionary",
    "Tuning",
    "band_limit",
    "choose_bins",
    "classical_denoisers",
    "denoise",
    "denoise_absf",
    "denoise_bm3d",
    "denoise_butterworth",
    "denoise_constant",
    "denoise_correlation_averaging",
    "denoise_gaussian",
    "denoise_lowpass",
    "denoise_network",
    "denoise_purelet",
    "denoise_spot_filter",
    "denoise_vst",
    "denoise_wiener",
    "denoise_windowed_fourier",
    "estimate_gain",
    "filter_gains",
    "let_dictionary",
    "tune",
    "tuned_denoisers",
    "tuning_table",
]

from .averaging import denoise_correlation_averaging
from .baselines import BASELINES, classical_denoisers, tuned_denoisers, tuning_table
from .binning import band_limit
from .detectors import estimate_gain
from .fourier import denoise_absf, denoise_spot_filter, denoise_wiener, filter_gains
from .lowpass import denoise_butterworth, denoise_lowpass
from .network import (
    choose_bins,
    denoise,
    denoise_constant,
    denoise_gaussian,
    denoise_network,
)
from .purelet import LetDictionary, denoise_purelet, let_dictionary
from .stabilised import denoise_bm3d, denoise_vst
from .tuning import Tuning, tune
from .windows import denoise_windowed_fourier
