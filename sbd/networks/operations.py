"""Operations that a network computes with, so that others can stand in for them."""

from collections.abc import Callable
from dataclasses import dataclass

from sbd.networks import spectra, translations


@dataclass(frozen=True)
class Operations:
    """What a network calls; by default as torch has it, on every device."""

    mirror: Callable = spectra.mirror
    upsample: Callable = spectra.upsample
    windowed_fourier: Callable = spectra.windowed_fourier
    find_translations: Callable = translations.find_translations
    sum_translations: Callable = translations.sum_translations


TORCH = Operations()
