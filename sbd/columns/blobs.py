"""Blobs of an image, their centres, widths and heights: the Laplacian of Gaussian."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from sbd.typing import Image

_SCALES_PER_OCTAVE = 8  # a Gaussian's response at the nearest of them is 0.2 % low
_FAR = 9.0  # widths, beyond which a Gaussian is less than rounding
_MANY = 300  # places, from which whole responses are quicker
_TAPS = 8  # pixels along each axis that a value between them is read from
_RIDGE = 10.0  # a blob's two principal curvatures differ by less than this factor


class LaplacianLadder:
    r"""An image's Laplacians of Gaussians, scale-normalised, at a series of widths.

    :math:`-\sigma^2 \nabla^2 G_\sigma * x` (Lindeberg, Int. J. Comput. Vis. 30, 1998).
    """

    # A Gaussian blob of standard deviation s and height A scores A/2 at the width s.
    # The filter is a product in the cosine transform: the image goes on as its mirror
    # image, and only what is less than rounding is left out. The whole response is
    # computed only where it is asked for; at a few places the series is summed instead.

    def __init__(
        self, image: Image, *, least: float | None = None, most: float | None = None
    ) -> None:
        centred = image - image.mean()
        self._shape = image.shape
        self._transform(centred, reach=0.0)
        if least is None or most is None:  # around where the response varies most
            best = self._liveliest_width()
            least = best / 1.5 if least is None else least
            most = max(best * 1.5, least) if most is None else most
            least = min(least, most)
        count = 2 * int(np.ceil(_SCALES_PER_OCTAVE * np.log2(most / least) / 2)) + 1
        self.sigmas = np.geomspace(least, most, count)  # widths [pixels]
        if self._curved.shape != image.shape:
            self._transform(centred, reach=_FAR * self.sigmas[-1])
        self._curved *= self._squared

    def image(self, number: int) -> NDArray[np.float64]:
        """Compute the response of the whole image at the width of this number."""
        (down, across), part = self._smooth(number)
        part = down[:, None] * part * across
        height, width = self._shape
        long, wide = self._curved.shape
        lines = fft.idct(part, n=wide, axis=1, norm="forward")[:, :width]
        response = fft.idct(lines, n=long, axis=0, norm="forward")
        return response[:height]

    def at(self, places: NDArray) -> NDArray[np.float64]:
        """Compute the responses (m, n) at n places (row, column), at every width."""
        if len(places) > _MANY:
            numbers = range(len(self.sigmas))
            return np.stack([_read(self.image(number), places) for number in numbers])
        waves = []
        _, widest = self._smooth(0)
        for place, n, kept in zip(
            places.T, self._curved.shape, widest.shape, strict=True
        ):
            terms = np.arange(kept)
            wave = np.cos(np.pi / n * (place[:, None] + 0.5) * terms)
            waves.append(wave * np.where(terms > 0, 2.0, 1.0))
        responses = np.empty((len(self.sigmas), len(places)))
        for number, response in enumerate(responses):
            lines, part = self._smooth(number)
            left, right = (
                wave[:, : len(line)] * line
                for wave, line in zip(waves, lines, strict=True)
            )
            np.einsum("ij,ij->i", left @ part, right, out=response)
        return responses

    def _smooth(self, number: int) -> tuple[list[NDArray], NDArray]:
        """Gaussian down and across, and the coefficients that it does not quench."""
        sigma = self.sigmas[number]
        lines = [
            np.exp(-((sigma * line[sigma * line <= _FAR]) ** 2) / 2)
            for line in self._frequencies
        ]
        lines[0] *= sigma**2 / (4 * self._curved.size)
        return lines, self._curved[: len(lines[0]), : len(lines[1])]

    def _transform(self, centred: Image, *, reach: float) -> None:
        """Transform the image, made longer where its sides are slow to transform."""
        wider = [_quick_length(n, reach) for n in self._shape]
        more = [(0, n - m) for n, m in zip(wider, self._shape, strict=True)]
        if any(after for _, after in more):
            centred = np.pad(centred, more, mode="symmetric")
        self._curved = fft.dctn(centred)
        self._frequencies = [np.pi * np.arange(n) / n for n in wider]  # angular
        down, across = self._frequencies
        self._squared = down[:, None] ** 2 + across**2

    def _liveliest_width(self) -> float:
        """Find the width at which the Laplacian varies most, white noise set aside."""
        bins = 2000
        squared, power = self._squared, self._curved**2
        power[0] /= 2  # as in the orthogonal transform
        power[:, 0] /= 2
        top = max(squared[-1, -1], np.finfo(float).tiny)
        ring = (bins * np.sqrt(squared / top)).astype(np.intp).ravel()
        # white noise: squares of its coefficients have 0.455 of their mean as median
        noise = np.median(power[squared >= squared[-1, -1] / 4]) / 0.455
        rings = np.bincount(ring, weights=power.ravel()) - noise * np.bincount(ring)
        rings = np.maximum(rings, 0)
        frequency = (np.arange(len(rings)) + 0.5) / bins
        sigmas = np.geomspace(1.0, max(min(self._shape) / 8, 2.0), 100)
        a = (sigmas[:, None] * frequency) ** 2 * top
        varies = (a * np.exp(-a / 2)) ** 2 @ rings
        # a ground that varies more than the columns is largest at the widest, but has
        # no top there
        tops = (varies[1:-1] >= varies[:-2]) & (varies[1:-1] > varies[2:])
        inside = np.where(tops, varies[1:-1], 0.0)
        best = 1 + inside.argmax() if inside.any() else varies.argmax()
        return float(sigmas[best])


def _read(response: NDArray, places: NDArray) -> NDArray[np.float64]:
    """Read a smooth image between its pixels, by the polynomial through those around.

    With a width of three pixels or more it errs by less than 1e-5 of the image's range.
    """
    first = np.floor(places).astype(np.intp) - (_TAPS // 2 - 1)
    steps = np.arange(_TAPS)
    index, weights = [], []
    for axis, n in enumerate(response.shape):
        taps = (first[:, axis, None] + steps) % (2 * n)
        index.append(np.where(taps < n, taps, 2 * n - 1 - taps))  # mirrored
        apart = (places[:, axis] - first[:, axis])[:, None, None] - steps
        apart = np.where(np.eye(_TAPS, dtype=bool), 1.0, apart)
        between = steps[:, None] - steps + np.eye(_TAPS)
        weights.append((apart / between).prod(axis=2))
    around = response[index[0][:, :, None], index[1][:, None, :]]
    return np.einsum("ni,nij,nj->n", weights[0], around, weights[1])


def _quick_length(n: int, reach: float) -> int:
    """Lengthen a side whose transform is slow by mirrored pixels that no one sees."""
    if fft.next_fast_len(n, real=True) == n or reach > n:
        return n  # farther than a side, mirror images would be most of the work
    return fft.next_fast_len(n + int(np.ceil(reach)), real=True)


def find_peaks(
    response: NDArray[np.float64], *, separation: float, lowest: float
) -> NDArray[np.intp]:
    """Find the tops (row, column) of a filtered image that are blobs, not ridges.

    None on the outermost pixels: such a blob may be centred beyond them.
    """
    tops = np.zeros(response.shape, dtype=bool)
    tops[1:-1, 1:-1] = response[1:-1, 1:-1] > lowest
    for near in _neighbours(response):
        tops[1:-1, 1:-1] &= response[1:-1, 1:-1] >= near
    reach = max(round(separation), 1)
    found = np.argwhere(tops)
    box = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    around = np.clip(found[:, None] + box, 0, np.array(response.shape) - 1)
    highest = response[around[..., 0], around[..., 1]].max(axis=1, initial=-np.inf)
    tops[tuple(found.T)] = response[tuple(found.T)] == highest
    labels, _ = ndimage.label(tops, structure=np.ones((3, 3)))  # equal neighbours
    peaks = np.argwhere(tops)
    peaks = peaks[np.unique(labels[tops], return_index=True)[1]]
    _, hessian = _derivatives(response, peaks)
    trace = np.trace(hessian, axis1=1, axis2=2)
    determinant = np.linalg.det(hessian)
    return peaks[determinant * (_RIDGE + 1) ** 2 > _RIDGE * trace**2]


def refine_peaks(
    response: NDArray[np.float64], peaks: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Move peaks to the top of the paraboloid through the pixels around them."""
    gradient, hessian = _derivatives(response, peaks)
    step = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return peaks + np.clip(step, -0.75, 0.75)


def best_widths(
    sigmas: NDArray[np.float64], responses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the width of each blob, where its response (m, n) is largest, and that.

    By a parabola over the logarithm of the width [pixels].
    """
    if len(sigmas) == 1:
        return np.full(responses.shape[1], sigmas[0]), responses[0]
    best = responses.argmax(axis=0)
    middle = np.clip(best, 1, len(sigmas) - 2)
    below, here, above = (
        np.take_along_axis(responses, (middle + step)[None], axis=0)[0]
        for step in (-1, 0, 1)
    )
    curvature = below - 2 * here + above
    top = (curvature < 0) & (best == middle)  # else the largest is at an end
    step = np.where(top, (below - above) / (2 * np.where(top, curvature, -1.0)), 0.0)
    heights = responses.max(axis=0) + step * (above - below) / 4
    return sigmas[best] * (sigmas[1] / sigmas[0]) ** step, heights


def _neighbours(image: NDArray) -> Iterator[NDArray]:
    """Shift an image so that each inner pixel has one of its eight neighbours."""
    height, width = image.shape
    for down, across in product(range(3), repeat=2):
        if (down, across) != (1, 1):
            yield image[down : height - 2 + down, across : width - 2 + across]


def _derivatives(response: NDArray, peaks: NDArray) -> tuple[NDArray, NDArray]:
    """Gradient (n, 2) and Hessian (n, 2, 2) from the nine pixels around each peak."""
    r, c = peaks.T
    near = {(i, j): response[r + i, c + j] for i in (-1, 0, 1) for j in (-1, 0, 1)}
    rr = near[1, 0] + near[-1, 0] - 2 * near[0, 0]
    cc = near[0, 1] + near[0, -1] - 2 * near[0, 0]
    rc = (near[1, 1] + near[-1, -1] - near[1, -1] - near[-1, 1]) / 4
    gradient = np.stack([near[1, 0] - near[-1, 0], near[0, 1] - near[0, -1]], axis=1)
    hessian = np.stack([rr, rc, rc, cc], axis=1).reshape(-1, 2, 2)
    return gradient / 2, hessian
