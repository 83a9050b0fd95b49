"""Count a clean image, and let every denoiser try on the same counts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_whole


class Trial(NamedTuple):
    """What one denoiser makes of the counts."""

    name: str
    estimate: Image  # with the vacuum at 0.45 again [electrons per pixel]
    seconds: float  # of the wall clock


def try_denoisers(
    denoisers: Mapping[str, Denoiser],
    clean: Image,
    *,
    seed: Sequence[int],
    dose: float = VACUUM,
) -> Iterator[Trial]:
    """Count an image (vacuum 0.45) once at a dose, and denoise it with each in turn.

    The counts depend on the numbers of `seed` alone; no denoiser can change them.
    """
    noisy = poisson_noise(clean * (dose / VACUUM), rng=np.random.default_rng(seed))
    for name, denoise in denoisers.items():
        start = time.perf_counter()
        estimate = apply_denoiser(denoise, noisy, name)
        seconds = time.perf_counter() - start
        yield Trial(name, estimate * (VACUUM / dose), seconds)


def check_trials(draws: int = 1, **given: Sequence | Mapping) -> None:
    """Refuse too few draws, and lists (`denoisers`: a dict) that are none or empty."""
    for name, values in given.items():
        kind = Mapping if name == "denoisers" else Sequence | Mapping | np.ndarray
        if not isinstance(values, kind) or isinstance(values, str):
            what = "a dict of functions by name" if kind is Mapping else "a sequence"
            msg = f"{name} must be {what}; got {values!r}"
            raise TypeError(msg)
        if not len(values):
            msg = f"{name} must hold at least one; got none"
            raise ValueError(msg)
    check_whole("draws", draws)
