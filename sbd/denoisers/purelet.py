r"""PURE-LET: shrinkage that minimises an unbiased estimate of its own error.

The estimate is :math:`f = f_0 + \sum_k a_k f_k`, a linear expansion of thresholds
(LET). For counts :math:`y = z + b` with :math:`z \sim \mathrm{Poisson}(x)` and
:math:`b \sim N(0, s^2)`, and with :math:`f^-_n = f_n(y - e_n)` the estimate at a pixel
when that very pixel had one electron less,

.. math::
   \mathrm{PURE} = \tfrac1N \left(\|f\|^2 - 2 y^T f^- + 2 s^2 \, \mathrm{div} f^-
   + \|y\|^2 - \mathbf 1^T y\right) - s^2

has the expectation of the mean squared error :math:`\|f - x\|^2 / N`. It is quadratic
in :math:`a`, so its minimum is a small linear system.

The thresholds act on undecimated, unnormalised Haar coefficients
(`sbd.denoisers.haar`), where :math:`y^T f^-` is had without Taylor expansion and
without simulation, however few the electrons are; for images of many electrons those of
block cosine transforms (`sbd.denoisers.cosines`) can be added. What is above a
threshold takes part only if there is more of it than noise would leave.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from sbd.denoisers.cosines import cosine_functions
from sbd.denoisers.detectors import estimate_gain
from sbd.denoisers.haar import haar_functions
from sbd.typing import Image
from sbd.validation import check_counts, check_image, check_whole, check_word

DICTIONARIES = {"haar": 0, "interscale": 0, "dct8": 8, "dct16": 16}
_MOST_LEVELS = {"haar": 7, "interscale": 7, "dct8": 5, "dct16": 5}  # boxes of 128 or 32
_FEWEST = 3.0  # electrons per pixel below which a first-order expansion misleads
_MEMORY = 1 << 27  # values of all functions held at once: half a GiB
_PIECES = 16  # multiplied at once
_SECTIONS = 16  # of a sum, in an order that no number of threads changes
_SIGMAS = 2.0  # by which what is above a threshold must exceed what noise leaves there
_RIDGE = 1e-6  # of a function's own power, what single precision leaves uncertain


@dataclass(frozen=True)
class LetDictionary:
    r"""What a PURE-LET estimate is combined from, and what its risk needs.

    Parameters
    ----------
    images : ndarray of shape (count + 1, height, width)
        The processed images :math:`f_k`, and last the fixed part :math:`f_0`, the
        blurred image; float32 [electrons per pixel].
    overlaps : ndarray of shape (count + 1,)
        :math:`y^T f_k^- - s^2 \mathrm{div} f_k^-` for each.
    constant : float
        :math:`\|y\|^2 - 1^T y - N s^2`, which no estimate changes.
    surplus : ndarray of shape (count, 2)
        For each image but the last, how much more it holds than noise would leave in
        it, and the variance of that among noise; (1, 0) where that is not asked.
    """

    images: NDArray[np.float32]
    overlaps: NDArray[np.float64]
    constant: float
    surplus: NDArray[np.float64]

    @property
    def functions(self) -> NDArray[np.float32]:
        """What has a factor, of shape (count, height, width)."""
        return self.images[:-1]

    @property
    def lowpass(self) -> Image:
        """What has none, of shape (height, width)."""
        return self.images[-1]

    @property
    def correlations(self) -> NDArray[np.float64]:
        """Of the functions, of shape (count,)."""
        return self.overlaps[:-1]

    def combine(self, coefficients: ArrayLike) -> Image:
        """Add the functions up, by factors of shape (count,) [electrons per pixel]."""
        factors = np.append(coefficients, 1.0).astype(np.float32)
        flat = self.images.reshape(len(factors), -1)
        return (factors @ flat).reshape(self.lowpass.shape)

    def equations(self, rows: slice = slice(None), workers: int = 1) -> "Equations":
        """Sum up the quadratic form that the risk is in the factors, over some rows."""
        return Equations(
            _products(self.images, rows, workers),
            self.overlaps,
            self.constant,
            self.lowpass[rows].size,
            self.surplus,
        )

    def risk(self, coefficients: ArrayLike) -> float:
        """Estimate the mean squared error of a combination: PURE.

        Unbiased for factors that were chosen before the counts were seen.
        """
        estimate = self.combine(coefficients).astype(np.float64)
        overlap = np.append(coefficients, 1.0) @ self.overlaps
        squares = np.vdot(estimate, estimate)
        return float((squares - 2 * overlap + self.constant) / estimate.size)

    def solve(self) -> NDArray[np.float64]:
        """Minimise the risk: the factors, of shape (count,), none negative.

        What holds no more than noise would leave in it gets none.
        """
        return self.equations().solve()


@dataclass(frozen=True)
class Equations:
    """The risk as a function of the factors, for the whole image or a part of it."""

    products: NDArray[np.float64]  # scalar products of all functions, low-pass last
    correlations: NDArray[np.float64]  # `LetDictionary.overlaps`
    constant: float  # what no estimate changes
    pixels: int  # that were summed over
    surplus: NDArray[np.float64]  # `LetDictionary.surplus`

    def __add__(self, other: "Equations") -> "Equations":
        """Put two parts of an image together."""
        return Equations(
            self.products + other.products,
            self.correlations + other.correlations,
            self.constant + other.constant,
            self.pixels + other.pixels,
            self.surplus + other.surplus,
        )

    def risk(self, coefficients: ArrayLike) -> float:
        """Estimate the mean squared error of a combination, as `LetDictionary.risk`."""
        factors = np.append(coefficients, 1.0)
        quadratic = factors @ self.products @ factors
        total = quadratic - 2 * factors @ self.correlations + self.constant
        return float(total / self.pixels)

    def solve(self) -> NDArray[np.float64]:
        """Minimise the risk over factors that are not negative.

        To subtract a function is to fit noise: it costs more than it gains. So does to
        keep what noise alone leaves above a threshold: rare coefficients, whose factor
        is a matter of chance and makes spikes of single pixels.
        """
        target = self.correlations[:-1] - self.products[:-1, -1]
        size = np.sqrt(np.diag(self.products)[:-1].clip(0))
        beyond = self.surplus[:, 0] > _SIGMAS * np.sqrt(self.surplus[:, 1])
        kept = np.flatnonzero(beyond & (size > 1e-6 * size.max(initial=0)))
        coefficients = np.zeros(target.size)
        if kept.size:
            size = size[kept]
            system = self.products[np.ix_(kept, kept)] / np.outer(size, size)
            root = np.linalg.cholesky(system + _RIDGE * np.eye(kept.size))
            goal = np.linalg.solve(root, target[kept] / size)
            coefficients[kept] = nnls(root.T, goal)[0] / size
        return coefficients


def denoise_purelet(
    noisy: Image,
    *,
    levels: int | None = None,
    dictionary: str = "haar",
    gain: float | str | None = None,
    offset: float = 0.0,
    read_noise: float | None = None,
    workers: int = 1,
    return_risk: bool = False,
) -> Image | tuple[Image, float | NDArray[np.float64]]:
    r"""Shrink wavelet coefficients so that the estimated error is least.

    The image is taken as periodic, and of any size: a large one is worked on in parts,
    with one solution for all. Nothing is clipped, so that the risk is that of what is
    returned.

    Parameters
    ----------
    noisy : ndarray of shape (height, width) or (frames, height, width)
        Recorded counts in electrons per pixel, or the detector's units with `gain` and
        `offset`; at least 2 x 2 pixels. The frames of a stack are denoised one by one.
    levels : int, optional
        Levels of the Haar transform; the widest boxes have a side of ``2**levels``
        pixels, which the image must hold. By default as many as it holds, up to 7, or 5
        beside cosines.
    dictionary : {"haar", "interscale", "dct8", "dct16"}
        What the estimate is combined from: the undecimated Haar transform; the same
        with every coefficient sorted by whether the boxes beside it show an edge (the
        idea of [1]_, here for every shift at once and exact); or that and the cosine
        transforms of overlapping blocks of 8 or 16 pixels, which know more of textures
        and need three electrons per pixel and more time.
    gain : float or "auto", optional
        Detector units per electron. None stands for 1 and asks for whole counts; "auto"
        estimates the gain, and the read noise where that is not given, from the image
        (`estimate_gain`).
    offset : float, default 0.0
        Detector units where no electron arrives.
    read_noise : float, optional
        Standard deviation of the Gaussian noise added by the detector, in its units;
        none by default.
    workers : int, default 1
        Threads; no digit depends on it.
    return_risk : bool, default False
        Whether to return PURE too.

    Returns
    -------
    estimate : ndarray of the shape of `noisy`
        Expected counts as float32, in electrons per pixel.
    risk : float or ndarray of shape (frames,)
        Only with `return_risk`: PURE, the estimated mean squared error. At the fitted
        coefficients it is optimistic, and it has a standard error of about
        :math:`\sqrt{2 / N}` times the noise's variance whatever the estimate, so on one
        image compare risks rather than read one; it can be negative. Computed in single
        precision: above some ten thousand electrons per pixel it means nothing.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is smaller than 2 x 2 pixels, neither an image nor a stack, not
        finite, has a negative count although `offset` and `read_noise` are 0, or a
        fraction of one although `gain` and `read_noise` are not given; if the image
        cannot hold `levels`; if there is no such `dictionary`, or too few electrons for
        it; or if another number is out of range.

    References
    ----------
    .. [1] Luisier, Vonesch, Blu, Unser, "Fast interscale wavelet denoising of
       Poisson-corrupted images", Signal Processing 90 (2010) 415.
    .. [2] Luisier, Blu, Unser, "Image denoising in mixed Poisson-Gaussian noise", IEEE
       Trans. Image Processing 20 (2011) 696.

    Examples
    --------
    >>> clean = np.where(np.arange(64) < 32, 0.3, 0.6) * np.ones((64, 1))
    >>> counts = np.random.default_rng(0).poisson(clean)
    >>> estimate = denoise_purelet(counts)
    >>> float(np.sqrt(np.mean((estimate - clean) ** 2))) < 0.1
    True
    """
    options = {"levels": levels, "dictionary": dictionary, "gain": gain}
    options |= {"offset": offset, "read_noise": read_noise, "workers": workers}
    if isinstance(noisy, np.ndarray) and noisy.ndim == 3 and len(noisy):
        _check_options(dictionary, gain, offset, read_noise, workers)
        if gain == "auto":  # one detector for all frames
            options["gain"], estimated = estimate_gain(noisy, offset=offset)
            options["read_noise"] = estimated if read_noise is None else read_noise
        frames = [denoise_purelet(f, **options, return_risk=True) for f in noisy]
        estimates, risks = (np.array(part) for part in zip(*frames, strict=True))
        return (estimates, risks) if return_risk else estimates
    _check_options(dictionary, gain, offset, read_noise, workers)
    counts, read = _to_electrons(noisy, gain, offset, read_noise)
    levels = _check_levels(levels, counts.shape, _MOST_LEVELS[dictionary])
    _check_dose(counts, dictionary)
    parts = list(_parts(counts.shape, levels, dictionary))
    choice = {"levels": levels, "dictionary": dictionary, "read_noise": read}
    made = None
    total = None
    for rows, inner in parts:
        made = let_dictionary(counts[rows], **choice, rows=inner, workers=workers)
        part = made.equations(inner, workers)
        total = part if total is None else total + part
    coefficients = total.solve()
    estimate = np.empty_like(counts)
    start = 0
    for rows, inner in parts:
        if len(parts) > 1:  # the functions of one part only are in memory
            made = let_dictionary(counts[rows], **choice, rows=inner, workers=workers)
        piece = made.combine(coefficients)[inner]
        estimate[start : start + len(piece)] = piece
        start += len(piece)
    return (estimate, total.risk(coefficients)) if return_risk else estimate


def let_dictionary(
    counts: Image,
    *,
    levels: int,
    dictionary: str = "haar",
    read_noise: float = 0.0,
    threshold: float | None = None,
    rows: slice = slice(None),
    workers: int = 1,
) -> LetDictionary:
    """Process an image with every threshold of a dictionary.

    Parameters
    ----------
    counts : ndarray of shape (height, width)
        Counts with unit gain and no offset, in electrons per pixel; periodic.
    levels : int
        Levels of the Haar transform; ``2**levels`` must fit into the image.
    dictionary : {"haar", "interscale", "dct8", "dct16"}
        As for `denoise_purelet`.
    read_noise : float, default 0.0
        Standard deviation of the Gaussian part [electrons].
    threshold : float, optional
        Where coefficients are split, in standard deviations of their noise; by default
        2.83 for the Haar transform and 3 for cosines.
    rows : slice, optional
        Rows in charge, where the image is a part of a larger one.
    workers : int, default 1
        Threads; no digit depends on it.

    Returns
    -------
    LetDictionary
        Two functions for each level and orientation, four if "interscale", and one for
        each cosine.

    Examples
    --------
    >>> let_dictionary(np.ones((4, 6)), levels=2).functions.shape
    (12, 4, 6)
    """
    counts = np.ascontiguousarray(counts, np.float32)
    common = {"read_noise": read_noise, "rows": rows, "workers": workers}
    if threshold is not None:
        common["threshold"] = threshold
    found = haar_functions(
        counts, levels=levels, interscale=dictionary != "haar", **common
    )
    images, overlaps, surplus = found.functions, found.correlations, found.surplus
    block = DICTIONARIES[dictionary]
    if block:
        cosines = cosine_functions(counts, block=block, **common)
        images = np.concatenate([images[:-1], cosines.functions, images[-1:]])
        overlaps = np.insert(overlaps, -1, cosines.correlations)
        surplus = np.concatenate([surplus, cosines.surplus])
    exact = counts[rows].astype(np.float64)
    constant = np.vdot(exact, exact) - exact.sum() - exact.size * read_noise**2
    return LetDictionary(images, overlaps, float(constant), surplus)


def _check_options(
    dictionary: str,
    gain: float | str | None,
    offset: float,
    read_noise: float | None,
    workers: int,
) -> None:
    check_word("dictionary", dictionary, DICTIONARIES)
    number = isinstance(gain, int | float | np.number)
    if not (gain is None or gain == "auto" or (number and 0 < gain < np.inf)):
        msg = f"gain must be positive, 'auto' or None; got {gain!r}"
        raise ValueError(msg)
    if not (read_noise is None or 0 <= read_noise < np.inf):
        msg = f"read_noise must not be negative; got {read_noise!r}"
        raise ValueError(msg)
    if not np.isfinite(offset):
        msg = f"offset must be finite; got {offset!r}"
        raise ValueError(msg)
    check_whole("workers", workers)


def _to_electrons(
    noisy: Image, gain: float | str | None, offset: float, read_noise: float | None
) -> tuple[Image, float]:
    """Check an image; counts of unit gain, and the read noise in electrons."""
    clean = offset == 0 and not read_noise and gain != "auto"
    if gain is None and clean:
        noisy = check_counts(noisy)
    else:
        noisy = check_image(noisy, "noisy", counts=clean)
    if min(noisy.shape) < 2:
        msg = f"noisy must be at least 2 x 2 pixels; got shape {noisy.shape}"
        raise ValueError(msg)
    if gain is None and read_noise is None:
        units = noisy - offset if offset else noisy
        if (odd := noisy[units != np.rint(units)]).size:
            msg = (
                f"noisy must hold whole electron counts; got {odd[0]:g} (pass "
                "gain='auto' for a detector's units, or gain=1.0 if these are "
                "electrons nevertheless)"
            )
            raise ValueError(msg)
    if gain == "auto":
        gain, estimated = estimate_gain(noisy, offset=offset)
        read_noise = estimated if read_noise is None else read_noise
    gain, read_noise = gain or 1.0, read_noise or 0.0
    counts = ((noisy - offset) / gain).astype(np.float32)
    if not read_noise and counts.min() < 0:
        msg = (
            f"noisy must not fall below offset ({offset:g}) where there is no read "
            f"noise; got {noisy.min():g} (give read_noise, or the right offset)"
        )
        raise ValueError(msg)
    return counts, read_noise / gain


def _check_levels(levels: int | None, shape: tuple[int, int], default: int) -> int:
    """Fill in as many as fit: what fewer levels can express, more can as well."""
    most = min(shape).bit_length() - 1
    if levels is None:
        return min(most, default)
    check_whole("levels", levels, 1, most)
    return int(levels)


def _check_dose(counts: Image, dictionary: str) -> None:
    """Refuse the cosines where their expansion to first order is biased."""
    block = DICTIONARIES[dictionary]
    if not block:
        return
    if min(counts.shape) < block:
        msg = (
            f"noisy must be at least {block} x {block} pixels for {dictionary!r}; got "
            f"shape {counts.shape} (use dictionary='haar')"
        )
        raise ValueError(msg)
    mean = counts.mean(dtype=np.float64)
    if mean < _FEWEST:
        msg = (
            f"noisy must have at least {_FEWEST:g} electrons per pixel on average for "
            f"dictionary={dictionary!r}, whose risk is biased below; got {mean:.3g} "
            "(use dictionary='haar' or 'interscale', exact at any dose, or bin first)"
        )
        raise ValueError(msg)


def _parts(
    shape: tuple[int, int], levels: int, dictionary: str
) -> Iterator[tuple[NDArray[np.intp] | slice, slice]]:
    """Cut a large image into bands of rows: those to read, and those in charge."""
    height, width = shape
    masks = 1 if dictionary == "haar" else 2
    count = 6 * masks * levels + DICTIONARIES[dictionary] ** 2
    margin = 2**levels * masks + DICTIONARIES[dictionary]
    most = _MEMORY // (count * width)
    if height <= most:
        yield slice(None), slice(0, height)
        return
    step = max(most - 2 * margin, margin)
    for start in range(0, height, step):
        stop = min(start + step, height)
        rows = np.arange(start - margin, stop + margin) % height
        yield rows, slice(margin, margin + stop - start)


def _products(
    images: NDArray[np.float32], rows: slice, workers: int
) -> NDArray[np.float64]:
    """All scalar products, in pieces that the small products of a BLAS are quick at."""
    start, stop, _ = rows.indices(images.shape[1])
    width, count = images.shape[2], len(images)
    flat = images.reshape(count, -1)
    half = count // 2
    piece = max(64, 10**6 // count**2)
    step = _PIECES * piece
    starts = range(start * width, stop * width - step + 1, step)

    def section(index: int) -> NDArray[np.float64]:
        total = np.zeros((count, count))
        for first in starts[index::_SECTIONS]:
            some = flat[:, first : first + step]
            some = some.reshape(count, _PIECES, piece).swapaxes(0, 1)
            # numpy calls a slower routine for a product of a matrix with itself
            total[half:] += (some[:, half:] @ some.swapaxes(1, 2)).sum(axis=0)
            upper = some[:, 1:half] @ some[:, :half].swapaxes(1, 2)
            total[1:half, :half] += upper.sum(axis=0)
            total[0, 0] += np.vdot(some[:, 0], some[:, 0])
        return total

    with ThreadPoolExecutor(workers) as pool:
        products = sum((map if workers == 1 else pool.map)(section, range(_SECTIONS)))
    rest = flat[:, start * width + len(starts) * step : stop * width]
    products[half:] += rest[half:] @ rest.T
    products[:half, :half] += rest[:half] @ rest[:half].T
    products[:half, half:] = products[half:, :half].T
    products[0, 1:half] = products[1:half, 0]
    return products
