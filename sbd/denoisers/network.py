"""From a noisy image to an estimate of the clean one: networks and their rivals.

A denoiser is any function image -> image. The Fourier filters are in
`sbd.denoisers.fourier` and `sbd.denoisers.windows`, averaging over a crystal's repeats
in `sbd.denoisers.averaging`, methods for Gaussian noise in `sbd.denoisers.stabilised`,
PURE-LET in `sbd.denoisers.purelet`.
"""

import copy
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from sbd.denoisers.binning import bin_counts, unbin
from sbd.networks.inference import average_symmetries, denoise_in_tiles, fold
from sbd.networks.models import choose_device, evaluating, load_model
from sbd.typing import Image
from sbd.validation import check_counts, check_image, check_positive, check_whole

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
        Size of a pixel, if it is known; as for `denoise_network` [angstrom].
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute, as for `denoise_network`.
    ensemble : bool, default False
        Whether to average over the eight turns and mirrors of the image, at eight times
        the cost.
    tile : int, optional
        Side of the pieces in which an image too large for the memory is denoised, as
        for `denoise_network` [pixels].

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As for `denoise_network`.

    Warns
    -----
    UserWarning
        If `model` is None and the image does not look like counts at such a dose.

    See Also
    --------
    likelihood_map : Which atoms of the result the counts support.

    Examples
    --------
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

    Source: Mohan et al., "Deep Denoising for Scientific Discovery: A Case Study in
    Electron Microscopy", IEEE Trans. Comput. Imaging 8 (2022).

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel; at least 16 x 16 pixels.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network that maps (1, 1, height, width) to the same shape, used in evaluation
        mode and left as it came; or what `load_model` takes. None takes the default
        weights. In a loop, load the model once, `sbd.networks.inference.fold` it, and
        hand it over.
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
        Side of the pieces in which an image too large for the memory is denoised, each
        with as much around it as the network sees; None takes it whole. A UNet with
        ``align_corners=True``, as published, is refused: it interpolates by the size of
        what it is given, so tiles would show seams [pixels].

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

    Examples
    --------
    >>> blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
    >>> denoise_network(np.full((16, 17), 9.0), blur, device="cpu")[1, 1].item()
    9.0
    """
    noisy = check_counts(noisy)
    if min(noisy.shape) < _SMALLEST:
        msg = f"noisy must be at least 16 x 16 pixels; got shape {noisy.shape}"
        raise ValueError(msg)
    if tile is not None:
        check_whole("tile", tile)
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
    noisy = check_counts(noisy)
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
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`, or if `sigma` is not positive.

    Examples
    --------
    >>> denoise_gaussian(np.full((3, 4), 2.0)).shape
    (3, 4)
    """
    noisy = check_counts(noisy)
    check_positive(sigma=sigma)
    return ndimage.gaussian_filter(noisy.astype(np.float32), sigma, mode="reflect")
