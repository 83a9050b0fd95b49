"""From a noisy image to an estimate of the clean one: networks and their rivals.

A denoiser is any function image -> image. The Fourier filters are in `sbd.filters` and
`sbd.windows`, PURE-LET is in `sbd.purelet`.
"""

import copy
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from sbd.anscombe import stabilise, unstabilise
from sbd.binning import bin_counts, check_binning, unbin
from sbd.inference import average_symmetries, denoise_in_tiles, fold
from sbd.models import choose_device, evaluating, load_model
from sbd.typing import Denoiser, Image
from sbd.validation import check_image

_SMALLEST = 16  # pixels; what the networks are made for


def denoise(
    noisy: Image,
    model: torch.nn.Module | str | Path | None = None,
    *,
    pixel: float | None = None,
    device: str = "auto",
    ensemble: bool = False,
    tile: int | None = None,
) -> Image:
    """Denoise a micrograph with the network that comes with this library.

    The one call a newcomer needs; `denoise_network` with a look at the input first. The
    default weights were trained at 0.055 to 0.08 angstrom per pixel and 0.1 to 10
    electrons per pixel in vacuum. Say what your pixels measure: on coarser ones the
    network would blur the lattice away, so they are refused; there, use
    `denoise_windowed_fourier` with a smaller binning.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; at least 16 x 16 pixels.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network, or what `load_model` takes. None takes the default weights.
    pixel : float, optional
        Size of a pixel, if it is known. Where it is too small for the weights, counts
        are added first and the result is interpolated; None takes the image as it is
        [angstrom].
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute. A GPU that is asked for and missing is replaced by the CPU,
        with a warning.
    ensemble : bool, default False
        Whether to average over the eight turns and mirrors of the image, at eight times
        the cost.
    tile : int, optional
        Side of the pieces in which an image too large for the memory is denoised; None
        takes it whole. See `sbd.inference.denoise_in_tiles` [pixels].

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers, or `model` is none of these.
    ValueError
        If `noisy` is too small, not two-dimensional, not finite or has a negative
        count; if `pixel` is one that the weights cannot be used with; if there is no
        such device or the file is no checkpoint; or if `tile` is below 1 or the network
        cannot be used in tiles.
    FileNotFoundError
        If `model` is neither a known name nor a file.

    Warns
    -----
    UserWarning
        If `model` is None and the image does not look like counts at such a dose.

    See Also
    --------
    likelihood_map : Which atoms of the result the counts support.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> denoise(np.ones((20, 30)), torch.nn.Identity(), device="cpu").shape
    (20, 30)
    """
    if model is None:
        _warn_of_dose(check_image(noisy, "noisy", counts=True))
    return denoise_network(
        noisy, model, pixel=pixel, device=device, ensemble=ensemble, tile=tile
    )


def _warn_of_dose(noisy: Image) -> None:
    """Say so where an image cannot be counts of the dose the weights were made for."""
    mean = float(noisy.mean())
    if mean > 12 or noisy.min() > mean / 2 > 0:  # of Poisson counts some are far below
        warnings.warn(
            f"noisy has a mean of {mean:.3g} and no value below {noisy.min():.3g}, "
            "which does not look like 0.1 to 10 counted electrons per pixel; take off "
            "the detector's offset and divide by its gain",
            stacklevel=3,
        )


def denoise_network(
    noisy: Image,
    model: torch.nn.Module | str | Path | None = None,
    *,
    pixel: float | None = None,
    device: str = "auto",
    ensemble: bool = False,
    tile: int | None = None,
) -> Image:
    """Denoise with a network that was trained on simulated images.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; at least 16 x 16 pixels.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network that maps (1, 1, height, width) to the same shape, used in evaluation
        mode and left as it came; or what `load_model` takes. None takes the default
        weights. In a loop, load the model once, `sbd.inference.fold` it, and hand it
        over.
    pixel : float, optional
        Size of a pixel, if it is known. Where it is too small for the weights, counts
        are added first and the result is interpolated; None takes the image as it is
        [angstrom].
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute. A GPU that is asked for and missing is replaced by the CPU,
        with a warning.
    ensemble : bool, default False
        Whether to average over the eight turns and mirrors of the image, at eight times
        the cost.
    tile : int, optional
        Side of the pieces in which an image too large for the memory is denoised; None
        takes it whole. See `sbd.inference.denoise_in_tiles` [pixels].

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers, or `model` is none of these.
    ValueError
        If `noisy` is too small, not two-dimensional, not finite or has a negative
        count; if `pixel` is one that the weights cannot be used with; if there is no
        such device or the file is no checkpoint; or if `tile` is below 1 or the network
        cannot be used in tiles.
    FileNotFoundError
        If `model` is neither a known name nor a file.

    References
    ----------
    .. [1] Mohan et al., "Deep Denoising for Scientific Discovery: A Case Study in
       Electron Microscopy", IEEE Trans. Comput. Imaging 8 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
    >>> denoise_network(np.full((16, 17), 9.0), blur, device="cpu")[1, 1].item()
    9.0
    """
    noisy = check_image(noisy, "noisy", counts=True)
    if min(noisy.shape) < _SMALLEST:
        msg = f"noisy must be at least 16 x 16 pixels; got shape {noisy.shape}"
        raise ValueError(msg)
    if tile is not None and tile < 1:
        msg = f"tile must be at least 1, or None for the whole image; got {tile}"
        raise ValueError(msg)
    place = choose_device(device)
    if model is None or isinstance(model, str | Path):
        model = load_model(model)
    elif not isinstance(model, torch.nn.Module):
        msg = f"model must be a network, a name or a path; got {model!r}"
        raise TypeError(msg)
    width = _width_of_bins(pixel, getattr(model, "trained_pixel", None))
    if width > 1:
        binned = bin_counts(noisy, width)
        coarse = denoise_network(
            binned,
            model,
            device=device,
            ensemble=ensemble,
            tile=tile and -(-tile // width),
        )
        return unbin(coarse, width, noisy.shape).astype(np.float32)
    network = fold(model)
    if any(t.device.type != place.type for t in network.state_dict().values()):
        network = copy.deepcopy(network).to(place)  # the caller's stays where it is

    def estimate(image: Image) -> Image:
        counts = torch.as_tensor(image, device=place)[None, None]
        if tile is None:
            denoised = network(counts)
        else:
            denoised = denoise_in_tiles(network, counts, tile=tile)
        if denoised.shape != counts.shape:
            msg = f"model must return shape {counts.shape}; got {denoised.shape}"
            raise ValueError(msg)
        return denoised[0, 0].float().cpu().numpy()

    counts = noisy.astype(np.float32)
    # not inference_mode: tables that a model caches must serve gradients later
    with evaluating(network), torch.no_grad():
        return average_symmetries(estimate, counts) if ensemble else estimate(counts)


def _width_of_bins(pixel: float | None, trained: tuple[float, float] | None) -> int:
    """Tell how many pixels make one of a size that the weights were trained with."""
    if pixel is None:
        return 1
    if not 0 < pixel < np.inf:
        msg = f"pixel must be a size above 0 [angstrom]; got {pixel}"
        raise ValueError(msg)
    if trained is None:  # nobody knows
        return 1
    low, high = trained
    width = max(1, round((low + high) / 2 / pixel))
    if low * (1 - 1e-9) <= width * pixel <= high * (1 + 1e-9):
        return width
    msg = (
        f"pixel must be {low:g} to {high:g} angstrom for these weights, or such a size "
        f"over a whole number; got {pixel:g} (use denoise_windowed_fourier, which "
        "needs no pixel size)"
    )
    raise ValueError(msg)


def denoise_constant(noisy: Image) -> Image:
    """Replace an image by its mean: the row that every table must beat.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.

    Returns
    -------
    ndarray of shape (height, width)
        The mean everywhere, as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count.

    Examples
    --------
    >>> denoise_constant([[0, 1], [2, 1]]).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    noisy = check_image(noisy, "noisy", counts=True)
    return np.full(noisy.shape, noisy.mean(dtype=np.float64), np.float32)


def denoise_gaussian(noisy: Image, *, sigma: float = 7.5) -> Image:
    """Blur an image, mirrored at its border.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    sigma : float, default 7.5
        Standard deviation of the Gaussian [pixels].

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count, or
        if `sigma` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> denoise_gaussian(np.full((3, 4), 2.0)).shape
    (3, 4)
    """
    noisy = check_image(noisy, "noisy", counts=True)
    if not (np.isfinite(sigma) and sigma > 0):
        msg = f"sigma must be positive; got {sigma!r}"
        raise ValueError(msg)
    return ndimage.gaussian_filter(noisy.astype(np.float32), sigma, mode="reflect")


def denoise_vst(
    noisy: Image,
    *,
    inner: str | Denoiser = "nlm",
    binning: int = 10,
    read_noise: float = 0.0,
) -> Image:
    """Make the noise Gaussian, remove it with a denoiser made for that, and go back.

    Counts are binned first: the transform fails below about one electron a pixel, and
    the image is oversampled anyway. Then the generalised Anscombe transform brings the
    noise to standard deviation 1, and the exact unbiased inverse undoes it.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    inner : {"nlm", "tv"} or callable, default "nlm"
        Denoiser for Gaussian noise of standard deviation 1: non-local means, total
        variation, or any function from image to image.
    binning : int, default 10
        Width of the bins [pixels].
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel.

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count; if
        there is no such `inner`, or it returns another shape; or if `binning` or
        `read_noise` is out of range.

    References
    ----------
    .. [1] Anscombe, "The transformation of Poisson, binomial and negative-binomial
       data", Biometrika 35 (1948) 246.
    .. [2] Makitalo, Foi, "Optimal inversion of the Anscombe transformation in low-count
       Poisson image denoising", IEEE Trans. Image Processing 20 (2011) 99.
    .. [3] Makitalo, Foi, "Optimal inversion of the generalized Anscombe transformation
       for Poisson-Gaussian noise", IEEE Trans. Image Processing 22 (2013) 91.
    .. [4] Buades, Coll, Morel, "A non-local algorithm for image denoising", CVPR 2005.
    .. [5] Chambolle, "An algorithm for total variation minimization and applications",
       J. Math. Imaging and Vision 20 (2004) 89.

    Examples
    --------
    >>> import numpy as np
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (90, 75))
    >>> float(denoise_vst(vacuum, inner="tv").std()) < 0.04
    True
    """
    noisy = _check_counts(noisy, read_noise)
    if callable(inner):
        remove = inner
    elif inner in ("nlm", "tv"):
        remove = {"nlm": _remove_by_patches, "tv": _remove_by_variation}[inner]
    else:
        msg = f"inner must be 'nlm', 'tv' or a function; got {inner!r}"
        raise ValueError(msg)
    counts = bin_counts(noisy, binning)
    read = read_noise * binning
    estimate = np.asarray(remove(stabilise(counts, read_noise=read)))
    if estimate.shape != counts.shape:
        msg = f"inner must return shape {counts.shape}; got {estimate.shape}"
        raise ValueError(msg)
    return unbin(unstabilise(estimate, read_noise=read), binning, noisy.shape)


def denoise_bm3d(
    noisy: Image, *, binning: int = 10, profile: str = "vn", read_noise: float = 0.0
) -> Image:
    """Denoise binned, variance-stabilised counts with BM3D, where it is installed.

    The package ``bm3d`` is free for non-commercial use only, so it is no part of this
    library's environment; ``python -m pip install bm3d`` adds it.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    binning : int, default 10
        Width of the bins [pixels].
    profile : str, default "vn"
        Settings of that package; "vn" is its profile for very noisy images.
    read_noise : float, default 0.0
        Standard deviation of the detector's Gaussian noise, in electrons per pixel.

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    ImportError
        If the package bm3d is not installed.
    TypeError, ValueError
        As for `denoise_vst`; and if the binned image is smaller than 8 x 8.

    References
    ----------
    .. [1] Dabov, Foi, Katkovnik, Egiazarian, "Image denoising by sparse 3-D transform-
       domain collaborative filtering", IEEE Trans. Image Processing 16 (2007) 2080.

    Examples
    --------
    >>> denoise_bm3d([[-1.0]])
    Traceback (most recent call last):
    ValueError: noisy must hold electron counts...
    """
    noisy = _check_counts(noisy, read_noise)
    check_binning(binning)
    if min(noisy.shape) < 8 * binning:
        msg = (
            f"noisy must be at least {8 * binning} pixels high and wide for a binning "
            f"of {binning}; got shape {noisy.shape}"
        )
        raise ValueError(msg)
    try:
        import bm3d
    except ImportError as error:
        msg = (
            "denoise_bm3d needs the package bm3d, which is free for non-commercial use "
            "only and therefore not installed with sbd; if its licence suits you, run "
            "python -m pip install bm3d"
        )
        raise ImportError(msg) from error

    def inner(stabilised: Image) -> Image:
        return bm3d.bm3d(stabilised.astype(np.float64), 1.0, profile)

    return denoise_vst(noisy, inner=inner, binning=binning, read_noise=read_noise)


def _check_counts(noisy: Image, read_noise: float) -> Image:
    """Check the image; read noise may take a count below zero."""
    if not (np.isfinite(read_noise) and read_noise >= 0):
        msg = f"read_noise must not be negative; got {read_noise!r}"
        raise ValueError(msg)
    return check_image(noisy, "noisy", counts=read_noise == 0)


def _remove_by_patches(stabilised: Image) -> Image:
    wider = np.pad(stabilised, (0, 1), mode="symmetric")  # a single row fails there
    return denoise_nl_means(
        wider, patch_size=17, patch_distance=30, h=0.3, sigma=1.0, fast_mode=True
    )[:-1, :-1]


def _remove_by_variation(stabilised: Image) -> Image:
    return denoise_tv_chambolle(stabilised, weight=0.5, eps=1e-5, max_num_iter=500)
