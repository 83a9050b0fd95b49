"""Blobs of an image, their centres, widths and heights: the Laplacian of Gaussian."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from sbd.typing import Image

_SCALES_PER_OCTAVE = 8  # a Gaussian's response at the nearest of them is 0.2 % low
_FAR = 9.0  # widths, beyond which a Gaussian is less than rounding
_RIDGE = 10.0  # a blob's two principal curvatures differ by less than this factor


def laplacian_ladder(
    image: Image, *, least: float | None = None, most: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Filter an image with scale-normalised Laplacians of Gaussians.

    The response :math:`-\sigma^2 \nabla^2 G_\sigma * x` is positive in bright blobs; a
    Gaussian blob of standard deviation :math:`\sigma` and height :math:`A` scores
    :math:`A/2` at the width :math:`\sigma`. The filter is a product in the cosine
    transform: the image goes on as its mirror image, and nothing is truncated.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        The image.
    least, most : float, optional
        Smallest and largest width [pixels]; by default a factor 1.5 around the width
        at which the response varies most over the image.

    Returns
    -------
    sigmas : ndarray of shape (m,)
        Widths, a geometric series of odd length [pixels].
    responses : ndarray of shape (m, height, width)
        The Laplacian at each width.

    References
    ----------
    .. [1] Lindeberg, "Feature detection with automatic scale selection", Int. J.
       Comput. Vis. 30 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:60, :80]
    >>> blob = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.0**2))
    >>> sigmas, responses = laplacian_ladder(blob)
    >>> sigmas[responses[:, 30, 40].argmax()].round().item(), responses.max().round(1)
    (5.0, np.float64(0.5))
    """
    rows, cols = (np.pi * np.arange(n) / n for n in image.shape)
    squared = rows[:, None] ** 2 + cols**2  # of the angular frequency, per pixel
    spectrum = fft.dctn(image - image.mean(), norm="ortho")
    if least is None or most is None:
        best = _liveliest_width(spectrum, squared)
        least = best / 1.5 if least is None else least
        most = max(best * 1.5, least) if most is None else most
        least = min(least, most)
    count = 2 * int(np.ceil(_SCALES_PER_OCTAVE * np.log2(most / least) / 2)) + 1
    sigmas = np.geomspace(least, most, count)
    responses = np.empty((count, *image.shape))
    wider = [_quick_length(n, _FAR * sigmas[-1]) for n in image.shape]
    if tuple(wider) != image.shape:
        more = [(0, n - m) for n, m in zip(wider, image.shape, strict=True)]
        spectrum = fft.dctn(
            np.pad(image - image.mean(), more, mode="symmetric"), norm="ortho"
        )
        rows, cols = (np.pi * np.arange(n) / n for n in wider)
        squared = rows[:, None] ** 2 + cols**2
    down, across = (slice(n) for n in image.shape)
    curved = spectrum * squared
    for response, sigma in zip(responses, sigmas, strict=True):
        # a Gaussian is a product of one down and one across
        part = curved * (sigma**2 * np.exp(-((sigma * rows) ** 2) / 2))[:, None]
        part *= np.exp(-((sigma * cols) ** 2) / 2)
        whole = fft.idctn(part, norm="ortho", overwrite_x=True)
        response[:] = whole[down, across]
    return sigmas, responses


def _quick_length(n: int, reach: float) -> int:
    """Lengthen a side whose transform is slow by mirrored pixels that no one sees."""
    if fft.next_fast_len(n, real=True) == n:
        return n
    return fft.next_fast_len(n + int(np.ceil(reach)), real=True)


def find_peaks(
    response: NDArray[np.float64], *, separation: float, lowest: float
) -> NDArray[np.intp]:
    """Find the tops of a filtered image that are blobs, not ridges.

    Parameters
    ----------
    response : ndarray of shape (height, width)
        Filtered image.
    separation : float
        A peak is the highest pixel of the square that reaches this far [pixels].
    lowest : float
        Peaks must rise above this value.

    Returns
    -------
    ndarray of int of shape (n, 2)
        (row, column) of each peak; none is on the outermost pixels, because the centre
        of such a blob may lie beyond them.

    Examples
    --------
    >>> import numpy as np
    >>> response = np.zeros((9, 9))
    >>> response[4, 5] = 1.0
    >>> find_peaks(response, separation=2, lowest=0.5).tolist()
    [[4, 5]]
    """
    size = 2 * max(round(separation), 1) + 1
    top = ndimage.maximum_filter(response, size=size, mode="nearest")
    inside = np.zeros(response.shape, dtype=bool)
    inside[1:-1, 1:-1] = True
    tops = inside & (response == top) & (response > lowest)
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
    """Move peaks to the top of the paraboloid through the pixels around them.

    Parameters
    ----------
    response : ndarray of shape (height, width)
        Filtered image.
    peaks : ndarray of int of shape (n, 2)
        From `find_peaks`.

    Returns
    -------
    ndarray of shape (n, 2)
        (row, column) to a fraction of a pixel [pixels].

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:9, :9]
    >>> response = 1 - 0.02 * (y - 4.25) ** 2 - 0.03 * (x - 5.0) ** 2
    >>> refine_peaks(response, np.array([[4, 5]])).round(6).tolist()
    [[4.25, 5.0]]
    """
    gradient, hessian = _derivatives(response, peaks)
    step = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return peaks + np.clip(step, -0.75, 0.75)


def best_widths(
    sigmas: NDArray[np.float64],
    responses: NDArray[np.float64],
    peaks: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the width of each blob: where its response is largest.

    Parameters
    ----------
    sigmas, responses : ndarray
        From `laplacian_ladder`.
    peaks : ndarray of int of shape (n, 2)
        From `find_peaks`.

    Returns
    -------
    widths : ndarray of shape (n,)
        Top of a parabola over the logarithm of the width [pixels].
    heights : ndarray of shape (n,)
        Largest response.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:60, :80]
    >>> blob = np.exp(-((y - 30) ** 2 + (x - 40) ** 2) / (2 * 5.3**2))
    >>> widths, heights = best_widths(*laplacian_ladder(blob), np.array([[30, 40]]))
    >>> widths.round(2).tolist(), heights.round(2).tolist()
    ([5.3], [0.5])
    """
    at = responses[:, peaks[:, 0], peaks[:, 1]]
    if len(sigmas) == 1:
        return np.full(len(peaks), sigmas[0]), at[0]
    best = at.argmax(axis=0)
    middle = np.clip(best, 1, len(sigmas) - 2)
    below, here, above = (
        np.take_along_axis(at, (middle + step)[None], axis=0)[0] for step in (-1, 0, 1)
    )
    curvature = below - 2 * here + above
    top = (curvature < 0) & (best == middle)  # else the largest is at an end
    step = np.where(top, (below - above) / (2 * np.where(top, curvature, -1.0)), 0.0)
    return sigmas[best] * (sigmas[1] / sigmas[0]) ** step, at.max(axis=0)


def _liveliest_width(spectrum: NDArray, squared: NDArray) -> float:
    """Find the width at which the Laplacian varies most, white noise set aside."""
    bins = 2000
    top = max(squared.max(), np.finfo(float).tiny)
    ring = (np.sqrt(squared / top) * bins).astype(int)
    power = np.bincount(ring.ravel(), weights=(spectrum**2).ravel())
    # white noise: squares of its coefficients have 0.455 of their mean as median
    noise = np.median(spectrum[squared >= squared.max() / 4] ** 2) / 0.455
    power = np.maximum(power - noise * np.bincount(ring.ravel()), 0)
    frequency = (np.arange(len(power)) + 0.5) / bins
    sigmas = np.geomspace(1.0, max(min(spectrum.shape) / 8, 2.0), 100)
    a = (sigmas[:, None] * frequency) ** 2 * top
    return float(sigmas[((a * np.exp(-a / 2)) ** 2 @ power).argmax()])


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
