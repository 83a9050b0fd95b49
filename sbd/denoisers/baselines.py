"""The classical denoisers that every table shows, by default and tuned.

To add one, give it a line in `BASELINES`; then ``make tune``. Keywords that a line does
not name stay at their defaults.
"""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from sbd.denoisers.averaging import denoise_correlation_averaging
from sbd.denoisers.fourier import denoise_absf, denoise_spot_filter, denoise_wiener
from sbd.denoisers.lowpass import denoise_butterworth
from sbd.denoisers.network import denoise_constant, denoise_gaussian
from sbd.denoisers.purelet import denoise_purelet
from sbd.denoisers.stabilised import denoise_vst
from sbd.denoisers.tuning import Grid
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.typing import Denoiser


@dataclass(frozen=True)
class Baseline:
    """A denoiser that needs no training, and what is tried when it is tuned."""

    denoise: Denoiser
    grid: Grid = field(default_factory=dict)  # empty: nothing to tune

    @property
    def parameters(self) -> dict[str, Any]:
        """Defaults of the keywords of the grid."""
        known = inspect.signature(self.denoise).parameters if self.grid else {}
        return {name: known[name].default for name in self.grid}


_TOLERANCES = ((0.05, 0.0015), (0.05, 0.003), (0.05, 0.006), (0.1, 0.0015),
               (0.1, 0.003), (0.025, 0.0015), (0.025, 0.003))  # fmt: skip
_WIENER = {"smoothing": (0.7, 1.0, 1.5, 2.0, 3.0), "excess": (1.4, 1.7, 2.0, 2.5, 3.0)}

BASELINES: Mapping[str, Baseline] = {
    "raw counts": Baseline(np.array),
    "constant": Baseline(denoise_constant),
    "Gaussian": Baseline(denoise_gaussian, {"sigma": (5.0, 6.0, 7.5, 9.0, 11.0)}),
    "Kilaas Wiener": Baseline(denoise_wiener, _WIENER),
    "ABSF": Baseline(denoise_absf, _WIENER),
    "Butterworth": Baseline(
        denoise_butterworth,
        {"cutoff": (0.015, 0.02, 0.025, 0.03, 0.04), "order": (2.0, 3.0, 5.0, 8.0)},
    ),
    "spot filter": Baseline(
        denoise_spot_filter,
        {
            "significance": (3.0, 3.5, 4.0, 5.0),
            "spot_radius": (0.002, 0.003, 0.0045),
            "centre_radius": (0.0015, 0.002, 0.0025, 0.004, 0.006),
        },
    ),
    "VST + TV": Baseline(
        partial(denoise_vst, inner="tv"), {"binning": ("auto", 6, 8, 10, 12, 14, 16)}
    ),
    "VST + NLM": Baseline(denoise_vst, {"binning": ("auto", 6, 8, 10, 12, 14)}),
    "PURE-LET": Baseline(
        denoise_purelet,
        {"dictionary": ("haar", "interscale"), "levels": (None, 4, 5, 6)},
    ),
    "windowed Fourier": Baseline(
        denoise_windowed_fourier,
        {
            "window": (96, (64, 96), (64, 128), (96, 128), (64, 96, 128)),
            "threshold": (5.0, 6.0, 7.0, 8.0),
            "excess": (None, 0.25, 0.5, 1.0),
        },
    ),
    "correlation averaging": Baseline(
        denoise_correlation_averaging, {"tolerances": _TOLERANCES}
    ),
}
"""The denoisers, in the order of tables, the counts themselves first."""


def classical_denoisers() -> dict[str, Denoiser]:
    """List the denoisers that need no training and no package of restricted licence.

    Returns
    -------
    dict of str to callable
        Image to image, by the name that a table shows; the counts themselves first. All
        have their defaults.

    Examples
    --------
    >>> list(classical_denoisers())[:2]
    ['raw counts', 'constant']
    """
    return {name: baseline.denoise for name, baseline in BASELINES.items()}


def tuned_denoisers() -> dict[str, Denoiser]:
    """List the classical denoisers with the parameters that ``make tune`` found.

    They were tuned on images of the benchmark's validation split, at the paper's dose;
    no table judges them on those.

    Returns
    -------
    dict of str to callable
        Image to image, by the same names as `classical_denoisers`. Of those that have
        parameters to tune, a `functools.partial`, whose ``keywords`` tell them.

    Raises
    ------
    ValueError
        If one was added that nobody has tuned yet.

    Examples
    --------
    >>> sorted(tuned_denoisers()["Gaussian"].keywords)
    ['sigma']
    """
    found = {}
    for name, baseline in BASELINES.items():
        found[name] = baseline.denoise
        if baseline.grid:
            found[name] = partial(baseline.denoise, **_tuned(name)["parameters"])
    return found


def tuning_table() -> pd.DataFrame:
    """Tell what tuning changed, and by how much it helped.

    Returns
    -------
    pandas.DataFrame
        A row for each denoiser with parameters: the ``default`` ones and the ``tuned``
        ones in words, the mean ``score`` of the tuned ones [dB], its mean
        ``difference`` to the defaults on the same counts with its ``standard_error``
        [dB], and the keywords whose best value is on the ``edge`` of what was tried.

    Raises
    ------
    ValueError
        If one was added that nobody has tuned yet.

    Examples
    --------
    >>> tuning_table().loc["Gaussian", "default"]
    'sigma=7.5'
    """
    rows = {}
    for name, baseline in BASELINES.items():
        if baseline.grid:
            tuned = _tuned(name)
            rows[name] = {
                "default": name_parameters(baseline.parameters),
                "tuned": name_parameters(tuned["parameters"]),
                "score": tuned["score"],
                "difference": tuned["difference"],
                "standard_error": tuned["standard_error"],
                "edge": ", ".join(tuned["edges"]),
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("denoiser")


def name_parameters(parameters: Mapping[str, Any] | Denoiser) -> str:
    """Write a denoiser's parameters as they would be typed, such as "sigma=7.5".

    Of keyword arguments, of a classical denoiser or of a `functools.partial`.
    """
    if callable(parameters):
        known = (b.parameters for b in BASELINES.values() if b.denoise is parameters)
        parameters = next(known, getattr(parameters, "keywords", {}))
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


@cache
def _record() -> dict:
    return json.loads((files("sbd") / "assets" / "tuned.json").read_text())


def _tuned(name: str) -> dict:
    """Look up what was found for a denoiser."""
    try:
        found = _record()["denoisers"][name]
    except KeyError:
        msg = f"BASELINES must be tuned (make tune); got {name!r}, which is not"
        raise ValueError(msg) from None
    whole = {
        k: tuple(v) if isinstance(v, list) else v
        for k, v in found["parameters"].items()
    }
    return found | {"parameters": whole}
