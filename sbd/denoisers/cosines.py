r"""Thresholds of overlapping block cosine transforms, for counts that are not too few.

Textures that the Haar transform breaks up are a few coefficients of a block cosine
transform. Its kernels are not +1 and -1, so the estimate with one electron less,
:math:`f^-`, is expanded: to first order in the electron, and not at all in the small
term of the read noise. That needs a few electrons per pixel [1]_.

Each kernel :math:`\varphi` but the constant one keeps its coefficients :math:`w` above
the threshold, :math:`w (1 - e^{-(w / k t)^8})`, with
:math:`t^2 = |\varphi^2 \ast y| + 1/64 + \sigma^2`.

References
----------
.. [1] Luisier, Blu, Unser, "Image denoising in mixed Poisson-Gaussian noise", IEEE
   Trans. Image Processing 20 (2011) 696.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sbd.denoisers.haar import KEPT, Expansion
from sbd.typing import Image

_DARK = 1 / 64  # an electron in a block of 8 x 8: variances are never below it


def cosine_functions(
    counts: Image,
    *,
    block: int,
    read_noise: float = 0.0,
    threshold: float = 3.0,
    rows: slice = slice(None),
    workers: int = 1,
) -> Expansion:
    """Threshold periodic counts in a transform of overlapping block cosines.

    `rows` are those in charge, where the image is a part of a larger one.
    """
    counts = np.asarray(counts, np.float32)
    kernels = fft.dct(np.eye(block), axis=0, norm="ortho")
    # the kernels, their squares and their cubes, along the rows of the image
    powers = np.stack([kernels**power for power in (1, 2, 3)])
    functions = np.empty((block**2 - 1, *counts.shape), np.float32)

    def process(column: int) -> list[float]:
        """Work on the kernels that vary alike along the columns."""
        across = [_correlate(counts, k, 1) for k in powers[:, column]]
        found = []
        for row in range(block):
            index = row * block + column - 1
            if index < 0:  # the constant kernel
                found.append(0.0)
                continue
            coefficients = _Coefficients(
                *(
                    _correlate(image, k, 0)
                    for image, k in zip(across, powers[:, row], strict=True)
                ),
                skewness=float(powers[2, row].sum() * powers[2, column].sum()),
            )
            kept, overlap = coefficients.shrink(rows, read_noise, threshold)
            for axis, kernel in enumerate((kernels[row], kernels[column])):
                kept = _spread(kept, kernel, axis)
            functions[index] = kept / block**2
            found.append(overlap / block**2)
        return found

    with ThreadPoolExecutor(workers) as pool:
        work: Callable = map if workers == 1 else pool.map
        columns = list(work(process, range(block)))
    correlations = np.array(columns).T.ravel()[1:]
    return Expansion(functions, correlations, np.tile(KEPT, (len(correlations), 1)))


def _correlate(image: Image, kernel: NDArray, axis: int) -> Image:
    """Correlate periodically with a kernel that begins at each pixel."""
    side = image.shape[axis]
    total, work = np.zeros_like(image), np.empty_like(image)
    ahead, into = work.swapaxes(0, axis), total.swapaxes(0, axis)
    for lag, weight in enumerate(kernel):
        np.multiply(image, np.float32(weight), out=work)
        into[: side - lag] += ahead[lag:]
        into[side - lag :] += ahead[:lag]
    return total


def _spread(image: Image, kernel: NDArray, axis: int) -> Image:
    """Spread over the blocks that coefficients were taken from."""
    forward = np.flip(image, axis)
    return np.flip(_correlate(forward, kernel, axis), axis)


@dataclass(frozen=True)
class _Coefficients:
    """Counts correlated with a kernel, its square and its cube."""

    once: Image
    squared: Image
    cubed: Image
    skewness: float  # sum of the cube

    def shrink(
        self, rows: slice, read_noise: float, threshold: float
    ) -> tuple[Image, float]:
        """Threshold; and the correlation, by the derivatives in `once`, `squared`."""
        w = self.once
        variance = np.abs(self.squared) + np.float32(_DARK + read_noise**2)
        power = np.minimum(np.square(w) / (threshold**2 * variance), 4) ** 4
        small = np.exp(-power)
        kept = w - w * small
        here = (rows, slice(None))
        slope = (1 - small * (1 - 8 * power))[here]
        along = (-4 * w * small * power / variance * np.sign(self.squared))[here]
        terms = w[here] * kept[here] - slope * self.squared[here]
        terms -= along * self.cubed[here]
        terms -= read_noise**2 * (slope + self.skewness * along)
        return kept, float(terms.sum(dtype=np.float64))
