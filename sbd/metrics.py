"""How close an image is to the truth: PSNR and SSIM, ours and the authors'."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from skimage.transform import resize

from sbd.simulation.frame import SHRINK
from sbd.typing import Image
from sbd.validation import check_image, check_positive, check_shape

_SSIM_WINDOW = 7
_AUTHORS_RANGE = 255


def psnr(
    clean: Image, image: Image, *, data_range: float = 1.0, clip: bool = False
) -> float:
    r"""Peak signal-to-noise ratio of an image against the truth.

    .. math:: \mathrm{PSNR} = 10 \log_{10} \frac{R^2}{\mathrm{mean}\,(x - \hat x)^2}

    A constant scores 26 dB on the paper's images, whose contrast is a fraction of the
    vacuum's 0.45 e/pixel: print that row beside every other.

    Parameters
    ----------
    clean, image : ndarray of shape (height, width)
        The truth, and what is judged, in electrons per pixel.
    data_range : float, default 1.0
        The peak :math:`R`, in electrons per pixel.
    clip : bool, default False
        Whether both images are first clipped to [0, `data_range`].

    Returns
    -------
    float
        Decibels; infinite for equal images.

    Raises
    ------
    TypeError
        If an image does not hold real numbers.
    ValueError
        If an image is empty, not two-dimensional or not finite, if the shapes differ,
        or if `data_range` is not positive.

    Examples
    --------
    >>> clean = np.full((8, 8), 0.45)
    >>> round(psnr(clean, clean + 0.1), 6)
    20.0
    """
    clean, image = _pair(clean, image, data_range, clip)
    error = np.mean((clean - image) ** 2)
    if error == 0:
        return float("inf")
    return float(10 * np.log10(data_range**2 / error))


def ssim(
    clean: Image, image: Image, *, data_range: float = 1.0, clip: bool = False
) -> float:
    """Mean structural similarity of an image with the truth.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", IEEE Trans. Image Processing 13 (2004) 600.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        The truth, in electrons per pixel; at least 7 x 7 pixels, the size of the
        window.
    image : ndarray of shape (height, width)
        What is judged, in electrons per pixel.
    data_range : float, default 1.0
        Range of the values, in electrons per pixel.
    clip : bool, default False
        Whether both images are first clipped to [0, `data_range`].

    Returns
    -------
    float
        Between -1 and 1; 1 for equal images.

    Raises
    ------
    TypeError
        As for `psnr`.
    ValueError
        As for `psnr`, or if an image is smaller than 7 x 7 pixels.

    Examples
    --------
    >>> clean = np.tile([0.4, 0.5], (8, 4))
    >>> ssim(clean, clean)
    1.0
    """
    clean, image = _pair(clean, image, data_range, clip)
    _check_window(clean)
    return float(structural_similarity(clean, image, data_range=data_range))


def authors_resize(image: Image) -> Image:
    """Resize an image as the authors' loader does, axes swapped.

    The loader scales by 0.785 but hands (width, height) to a function that wants
    (height, width), so that their 876 x 927 images become 727 x 687: a 12 % anisotropy
    that every published number contains. For comparison with those numbers only.
    Source: Mohan et al., IEEE Trans. Comput. Imaging 8 (2022); their public code.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        A clean image, in electrons per pixel.

    Returns
    -------
    ndarray of shape (int(0.785 * width), int(0.785 * height))
        The same image on that grid, in electrons per (original) pixel.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If it is not two-dimensional, not finite, or so small that nothing is left.

    Examples
    --------
    >>> authors_resize(np.zeros((876, 927))).shape
    (727, 687)
    """
    image = check_image(image)
    height, width = (int(SHRINK * side) for side in image.shape)
    if min(height, width) < 1:
        msg = f"image must be at least 2 x 2 pixels; got shape {image.shape}"
        raise ValueError(msg)
    return resize(image, (width, height))


def authors_psnr(clean: Image, image: Image) -> float:
    """PSNR as the authors compute it: clipped to [0, 1] e/pixel, times 255.

    Parameters
    ----------
    clean, image : ndarray of shape (height, width)
        The truth, and what is judged, in electrons per pixel.

    Returns
    -------
    float
        Decibels, with 255 as the peak.

    Raises
    ------
    TypeError, ValueError
        As for `psnr`.

    Examples
    --------
    >>> round(authors_psnr(np.zeros((8, 8)), np.full((8, 8), 2.0)), 6)
    0.0
    """
    return psnr(*_as_authors(clean, image), data_range=_AUTHORS_RANGE)


def authors_ssim(clean: Image, image: Image) -> float:
    """SSIM as the authors compute it: clipped to [0, 1] e/pixel, times 255.

    Parameters
    ----------
    clean, image : ndarray of shape (height, width)
        As for `ssim`, in electrons per pixel.

    Returns
    -------
    float
        Between -1 and 1; 1 for equal images.

    Raises
    ------
    TypeError, ValueError
        As for `ssim`.

    Examples
    --------
    >>> authors_ssim(np.ones((8, 8)), np.full((8, 8), 2.0))
    1.0
    """
    return ssim(*_as_authors(clean, image), data_range=_AUTHORS_RANGE)


def score_regions(
    clean: Image, image: Image, regions: Mapping[str, NDArray[np.bool_]]
) -> dict[str, tuple[float, float]]:
    """Score parts of an image as the authors score the whole: (PSNR, SSIM) by name.

    SSIM averages windows that lie within the image; NaN where a region is empty.
    """
    clean, image = _as_authors(clean, image)
    _check_window(clean)
    squares = (clean - image) ** 2
    _, similarity = structural_similarity(
        clean, image, data_range=_AUTHORS_RANGE, full=True
    )
    margin = _SSIM_WINDOW // 2
    inner = np.zeros(clean.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    scores = {}
    for name, mask in regions.items():
        if mask.shape != clean.shape:
            msg = f"regions must have the shape {clean.shape}; got {mask.shape}"
            raise ValueError(msg)
        error = squares[mask].mean() if mask.any() else np.nan
        decibels = 10 * np.log10(_AUTHORS_RANGE**2 / error) if error != 0 else np.inf
        inside = mask & inner
        share = similarity[inside].mean() if inside.any() else np.nan
        scores[name] = float(decibels), float(share)
    return scores


def _check_window(clean: Image) -> None:
    if min(clean.shape) < _SSIM_WINDOW:
        msg = f"clean must be at least 7 x 7 pixels for SSIM; got shape {clean.shape}"
        raise ValueError(msg)


def _as_authors(clean: Image, image: Image) -> tuple[Image, Image]:
    return tuple(
        _AUTHORS_RANGE * np.clip(x, 0, 1) for x in _pair(clean, image, 1.0, clip=False)
    )


def _pair(
    clean: Image, image: Image, data_range: float, clip: bool
) -> tuple[Image, Image]:
    """Check two images against each other; float64, so that sums are exact enough."""
    clean = check_image(clean, "clean").astype(np.float64)
    image = check_image(image, "image").astype(np.float64)
    check_shape(image, "image", clean, "clean")
    check_positive(data_range=data_range)
    if clip:
        return np.clip(clean, 0, data_range), np.clip(image, 0, data_range)
    return clean, image
