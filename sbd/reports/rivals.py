"""The denoisers that a recording is tried with, unless others are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbd.denoisers.baselines import tuned_denoisers
from sbd.denoisers.network import denoise
from sbd.networks.models import load_model
from sbd.recordings.areas import fill_gaps
from sbd.typing import Denoiser, Image

NETWORK = "network"
"""What the network is called in tables."""

FLAT = "constant"
"""What everything must beat."""

FILTERS = (
    "windowed Fourier", "correlation averaging", "Kilaas Wiener", "VST + NLM",
    "Gaussian", FLAT,
)  # fmt: skip
"""Of `sbd.denoisers.BASELINES`: one of each kind."""


def list_rivals(
    model: str | Path | None = None,
    *,
    pixel: float | tuple[float, float] | None = None,
    device: str = "auto",
    filters: Mapping[str, Denoiser] | None = None,
) -> dict[str, Denoiser]:
    """List the network and one classical filter of each kind.

    Parameters
    ----------
    model : str or pathlib.Path, optional
        Name or file of the network's weights; None takes the default ones.
    pixel : float or (float, float), optional
        Size of a pixel, or of its sides, for the network [angstrom].
    device : {"auto", "cpu", "cuda", "mps"}
        Where the network computes.
    filters : mapping of str to callable, optional
        Others than the classical ones, which have the parameters that ``make tune``
        found on simulated images.

    Returns
    -------
    dict of str to callable
        Image to image, by name, the network first.

    Raises
    ------
    ValueError
        If one of `filters` is called like the network.

    Examples
    --------
    >>> list(list_rivals())[:2]
    ['network', 'windowed Fourier']
    """
    if filters is None:
        tuned = tuned_denoisers()
        filters = {name: tuned[name] for name in FILTERS}
    if NETWORK in filters:
        msg = f"denoisers must not be named {NETWORK!r}, which is there already"
        raise ValueError(msg)
    how = {"pixel": pixel, "device": device}
    return {NETWORK: partial(denoise, model=load_model(model), **how), **filters}


def name_denoiser(name: str) -> str:
    """Call a denoiser in a sentence, where file and caller may name it anything."""
    return f"the {NETWORK}" if name == NETWORK else str(name)


@dataclass(frozen=True)
class Filled:
    """A denoiser that sees noise, and no edge, where nothing was recorded."""

    denoise: Denoiser
    recorded: NDArray[np.bool_]
    seed: int

    def __call__(self, noisy: Image) -> Image:
        """Denoise an image that is filled up with counts like those around."""
        rng = np.random.default_rng(self.seed)
        return self.denoise(fill_gaps(noisy, self.recorded, rng=rng))


@dataclass(frozen=True)
class Told:
    """A denoiser that says when it is done."""

    denoise: Denoiser
    tell: Callable[[], object]

    def __call__(self, noisy: Image) -> Image:
        """Denoise, then tell."""
        image = self.denoise(noisy)
        self.tell()
        return image
