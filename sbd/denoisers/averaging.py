r"""Average a crystal over its own repeats, found in a first estimate.

Atoms of one kind stand a lattice vector apart, many times over. Windowed Fourier
filtering finds the lattice in the counts; correlating the result with itself tells its
translations, and every place is averaged with those that look like it. At surfaces and
defects nothing else looks alike, and the first estimate is left.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from scipy import ndimage

from sbd.denoisers.binning import bin_counts, choose_binning, repeat_bins, unbin
from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.networks.translations import TILE, average_translations, find_translations
from sbd.typing import Image
from sbd.validation import check_counts

_BLURS = 12.0  # standard deviation of the local mean, for the noise's variance [bins]
_CORE = 12 * TILE  # side of the blocks that a large image is averaged in [bins]
_SAMPLES = 5.0  # bins to the shortest period seen; interpolation ends at 0.27 per bin
_LEAST = 16  # bins along the shorter side
_MARGIN = 4 * TILE  # two translations of at most 96 and what is compared around them


def denoise_correlation_averaging(
    noisy: Image,
    *,
    binning: int | str = "auto",
    tolerances: tuple[float, float] = (0.05, 0.0015),
    return_number: bool = False,
) -> Image | tuple[Image, Image]:
    r"""Average places whose surroundings repeat, as in correlation averaging.

    The first estimate is that of `denoise_windowed_fourier`. Its local autocorrelation
    gives the translations. Two places a translation apart are averaged with the weight
    :math:`e^{-d / t}`, where `d` is the mean squared difference of their surroundings
    in units of the counts' variance and `t` the tolerance: once with a loose tolerance,
    judged on the first estimate, to have something better to judge by; then, from the
    first estimate again, with a strict one. Nothing is trained.

    A defect is kept only where the first estimate shows it: at 0.45 electrons per pixel
    a single missing column is filled up for the most part. Ask the counts, with
    `judge_columns` or `likelihood_map`.

    Sources: Saxton, Baumeister, "The correlation averaging of a regularly arranged
    bacterial cell envelope protein", J. Microscopy 127 (1982) 127; Buades, Coll, Morel,
    "A review of image denoising algorithms, with a new one", Multiscale Modeling and
    Simulation 4 (2005) 490.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        As for `denoise_vst`, in electrons per pixel.
    binning : int or "auto", default "auto"
        As for `denoise_windowed_fourier`, but "auto" leaves five bins to the shortest
        period. Translations of up to 96 bins are tried.
    tolerances : tuple of float, default (0.05, 0.0015)
        The two `t`.
    return_number : bool, default False
        Whether to return how many places were averaged.

    Returns
    -------
    estimate : ndarray of shape (height, width)
        As float32, in electrons per pixel. Where there is no crystal, and on images of
        fewer than 16 bins a side, that of `denoise_windowed_fourier`.
    number : ndarray of shape (height, width)
        With `return_number` only: the sum of the weights, as float32; 1 where nothing
        else looks alike.

    Raises
    ------
    TypeError
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`, or if `binning` is not a positive whole number, or if
        `tolerances` are not two positive numbers.

    Examples
    --------
    >>> waves = np.cos(np.arange(200) * np.pi / 16)
    >>> lattice = 0.45 + 0.2 * waves * waves[:, None]
    >>> counts = np.random.default_rng(0).poisson(lattice)
    >>> estimate, number = denoise_correlation_averaging(counts, return_number=True)
    >>> bool(np.mean((estimate - lattice) ** 2) < 0.1 * lattice.var())
    True
    >>> bool(number.mean() > 2)  # places that look alike
    True
    """
    noisy = check_counts(noisy)
    if np.shape(tolerances) != (2,) or not all(t > 0 for t in tolerances):
        msg = f"tolerances must be two positive numbers; got {tolerances!r}"
        raise ValueError(msg)
    width = choose_binning(noisy, binning, samples=_SAMPLES)
    counts = bin_counts(noisy, width)
    pilot = denoise_windowed_fourier(counts, binning=1)
    average, number = pilot.copy(), np.ones_like(pilot)
    if min(pilot.shape) >= _LEAST:
        level = ndimage.gaussian_filter(counts, _BLURS, mode="reflect")
        for outer, inner in _blocks(pilot.shape):
            core = tuple(
                slice(i.start - o.start, i.stop - o.start)
                for i, o in zip(inner, outer, strict=True)
            )
            parts = _average(pilot[outer], level[outer], tolerances)
            average[inner], number[inner] = (part[core] for part in parts)
    estimate = unbin(average, width, noisy.shape)
    if not return_number:
        return estimate
    return estimate, repeat_bins(number, width, noisy.shape)


def _blocks(
    shape: tuple[int, int],
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Cut an image into blocks, each with the surroundings that it depends on.

    All begin on the tiles' grid, so that the blocks fit together without a seam.
    """
    for corner in product(*(range(0, n, _CORE) for n in shape)):
        ends = [min(first + _CORE, n) for first, n in zip(corner, shape, strict=True)]
        inner = tuple(map(slice, corner, ends))
        outer = tuple(
            slice(max(0, part.start - _MARGIN), min(part.stop + _MARGIN, n))
            for part, n in zip(inner, shape, strict=True)
        )
        yield outer, inner


@torch.no_grad()
def _average(
    pilot: Image, level: Image, tolerances: tuple[float, float]
) -> tuple[Image, Image]:
    """Average a first estimate over its translations; the mean and the weights' sum."""
    image, variance = (
        torch.from_numpy(np.ascontiguousarray(x))[None, None] for x in (pilot, level)
    )
    found = find_translations(image)
    if not (found[1] > 0).any():
        return pilot, np.ones_like(pilot)
    guide = image
    for tolerance in tolerances:
        average, number = average_translations(
            guide, image, found, variance=variance, tolerances=[tolerance]
        )
        # without a translation there is not even the place itself
        alone = (1 - number[:, 0]).clamp_min(0)
        guide = average[:, 0] * (1 - alone) + image * alone
    return guide[0, 0].numpy(), number[0, 0, 0].clamp_min(1).numpy()
