"""From a noisy image to an estimate of the clean one: networks and their rivals.

A denoiser is any function image -> image. The Fourier filters are in
`sbd.denoisers.fourier` and `sbd.denoisers.windows`, averaging over a crystal's repeats
in `sbd.denoisers.averaging`, methods for Gaussian noise in `sbd.denoisers.stabilised`,
PURE-LET in `sbd.denoisers.purelet`.
"""

import logging
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from sbd.networks.inference import (
    average_symmetries,
    denoise_in_tiles,
    fold,
    whole_precision,
)
from sbd.networks.models import choose_device, evaluating, load_model
from sbd.networks.pieces import take_in_pieces
from sbd.networks.published import denoise_by_bins
from sbd.typing import Image
from sbd.validation import (
    check_counts,
    check_image,
    check_positive,
    check_whole,
    check_word,
)

log = logging.getLogger(__name__)

_LARGE = 2**23  # pixels from which a processor takes an image in pieces
_SMALLEST = 16  # pixels; what the networks are made for
_FINEST = 0.02  # no microscope's pixel is smaller [angstrom]
_SLACK = 1.2  # between 0.16 and 0.22 angstrom whole pixels miss the range by up to this
_UNEVEN = 1.12  # ratio of sides that networks learn from


def denoise(
    noisy: Image,
    model: torch.nn.Module | str | Path | None = None,
    *,
    pixel: float | tuple[float, float] | None = None,
    frames: str | None = None,
    read_noise: float = 0.0,
    device: str = "auto",
    ensemble: bool = False,
    tile: int | None = None,
) -> Image:
    """Denoise a micrograph with the network that comes with this library.

    The one call a newcomer needs; `denoise_network` with a look at the input first. The
    default weights were trained on bins of 0.22 to 0.32 angstrom that hold 1.6 to 160
    electrons in vacuum. Say what your pixels measure, from 0.02 to 0.32 angstrom, and
    as many are added as make such a bin (`choose_bins`); unsaid, they are taken for
    the paper's, of which 4 x 4 are added.

    Parameters
    ----------
    noisy : ndarray of shape (height, width) or (frames, height, width)
        Recorded counts, in electrons per pixel; at least 16 x 16 pixels.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network, or what `load_model` takes. None takes the default weights.
    pixel : float or (float, float), optional
        Size of a pixel, if it is known; as for `denoise_network` [angstrom].
    frames : {"sum", "each"}, optional
        What to do with a stack, as for `denoise_network`.
    read_noise : float, default 0.0
        Of the detector, as for `denoise_network` [electrons].
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
    ndarray of shape (height, width), or as `noisy` where each frame is denoised
        Estimate as float32, in electrons per pixel (and frame).

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As for `denoise_network`.

    Warns
    -----
    UserWarning
        If `model` is None and the image does not look like counts at such a dose, or
        as `choose_bins` warns.

    See Also
    --------
    likelihood_map : Which atoms of the result the counts support.

    Examples
    --------
    >>> denoise(np.ones((20, 30)), torch.nn.Identity(), device="cpu").shape
    (20, 30)
    """
    how = {"device": device, "ensemble": ensemble, "tile": tile}
    images, each = _list_images(noisy, frames, read_noise)
    network = take_model(model)
    bins = choose_bins(pixel, network)
    if model is None:
        share = np.prod(bins) / getattr(network, "binning", 1) ** 2
        for image in images:
            _warn_of_dose(image, share)
    return _denoise_images(images, network, bins, each=each, **how)


def _warn_of_dose(noisy: Image, share: float) -> None:
    """Say so where an image cannot be counts of the dose the weights were made for.

    `share` is how much larger a bin is than what they learnt from.
    """
    mean = float(noisy.mean()) * share
    # of Poisson counts some are far below their mean
    if mean > 12 or noisy.min() * share > mean / 2 > 0:
        warnings.warn(
            f"noisy has a mean of {noisy.mean():.3g} and no value below "
            f"{noisy.min():.3g}, which does not look like 0.1 to 10 counted electrons "
            "per pixel; take off the detector's offset and divide by its gain",
            stacklevel=3,
        )


def _list_images(
    noisy: Image, frames: str | None, read_noise: float
) -> tuple[list[Image], bool]:
    """List what to denoise, checked: an image, or of a stack its frames or their sum.

    Also whether each of a stack is asked for.
    """
    if frames is not None:
        check_word("frames", frames, ("sum", "each"))
    signed = read_noise != 0
    if signed:
        check_positive(read_noise=read_noise)
    check = partial(check_image, name="noisy") if signed else check_counts
    if np.ndim(noisy) != 3 or not len(noisy):
        return [check(noisy)], False
    if frames is None:
        msg = (
            "frames must be 'sum' or 'each' where noisy is a stack; got None for shape "
            f"{np.shape(noisy)}"
        )
        raise ValueError(msg)
    if frames == "each":
        return list(map(check, noisy)), True
    total = 0.0
    for frame in noisy:  # each is checked: a sum can hide what is amiss with one
        total = total + check_image(frame, "noisy", counts=not signed)
    return [check(total)], False


def take_model(model: torch.nn.Module | str | Path | None) -> torch.nn.Module:
    """Load a network, unless it is one."""
    if model is None or isinstance(model, str | Path):
        return load_model(model)
    if not isinstance(model, torch.nn.Module):
        msg = f"model must be a network, a name or a path; got {model!r}"
        raise TypeError(msg)
    return model


def denoise_network(
    noisy: Image,
    model: torch.nn.Module | str | Path | None = None,
    *,
    pixel: float | tuple[float, float] | None = None,
    frames: str | None = None,
    read_noise: float = 0.0,
    device: str = "auto",
    ensemble: bool = False,
    tile: int | None = None,
) -> Image:
    """Denoise with a network that was trained on simulated images.

    Source: Mohan et al., "Deep Denoising for Scientific Discovery: A Case Study in
    Electron Microscopy", IEEE Trans. Comput. Imaging 8 (2022).

    Parameters
    ----------
    noisy : ndarray of shape (height, width) or (frames, height, width)
        Recorded counts, in electrons per pixel; at least 16 x 16 pixels.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network that maps (1, 1, height, width) to the same shape, used in evaluation
        mode and left as it came; or what `load_model` takes. None takes the default
        weights. In a loop, load the model once and hand it over.
    pixel : float or (float, float), optional
        Size of a pixel, or of its sides (down, across), if it is known: `choose_bins`
        tells how many are added for the network, whose result is interpolated. None
        adds as many as in training [angstrom].
    frames : {"sum", "each"}, optional
        What to do with a stack: denoise the sum of its frames, or each frame alone. A
        stack is refused unless this is said.
    read_noise : float, default 0.0
        Standard deviation of what the detector added to each value. Above 0, values
        below zero are taken: the network adds pixels up before it does anything with
        them, where clipping would make every dark place brighter. It was trained
        without: what that costs, ``book/measured/slips.json`` has [electrons].
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute, in float32 everywhere. A GPU that is asked for and missing is
        replaced by the CPU, with a warning.
    ensemble : bool, default False
        Whether to average over the eight turns and mirrors of the image, at eight times
        the cost.
    tile : int, optional
        Side of the pieces in which an image too large for the memory is denoised, each
        with as much around it as the network sees. None takes it whole; of more than
        8 million pixels on a CPU, the default weights and others of their kind (a
        LatticeUNet or CrystalUNet) do each of their steps in pieces, with the same
        result but for rounding: 4096 x 4096 pixels need less than 2 GB. A UNet with
        ``align_corners=True``, as published, is refused: it interpolates by the size of
        what it is given, so tiles would show seams [pixels].

    Returns
    -------
    ndarray of shape (height, width), or as `noisy` where each frame is denoised
        Estimate as float32, in electrons per pixel (and frame).

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
    how = {"device": device, "ensemble": ensemble, "tile": tile}
    images, each = _list_images(noisy, frames, read_noise)
    model = take_model(model)
    bins = choose_bins(pixel, model)
    return _denoise_images(images, model, bins, each=each, **how)


def _denoise_images(
    images: Sequence[Image],
    model: torch.nn.Module,
    bins: tuple[int, int],
    *,
    each: bool,
    device: str,
    ensemble: bool,
    tile: int | None,
) -> Image:
    """Denoise images of one shape: a stack of them, or the only one."""
    shape = images[0].shape
    if min(shape) < _SMALLEST:
        msg = f"noisy must be at least 16 x 16 pixels; got shape {shape}"
        raise ValueError(msg)
    if tile is not None:
        check_whole("tile", tile)
    if min(n // b for n, b in zip(shape, bins, strict=True)) < 4:
        msg = (
            f"noisy must be at least 4 x 4 bins of {bins[0]} x {bins[1]} pixels; got "
            f"shape {shape}"
        )
        raise ValueError(msg)
    kinds = {t.dtype for t in model.parameters()} or {torch.float32}
    if not kinds <= {torch.float32, torch.float64} or len(kinds) > 1:
        msg = (
            "model must have weights of float32 or of float64 (model.float() makes "
            f"them so); got {', '.join(sorted(map(str, kinds)))}"
        )
        raise ValueError(msg)
    (kind,), place = kinds, choose_device(device)
    network = fold(model, place)
    if tile is None and place.type == "cpu" and np.prod(shape) > _LARGE:
        network = take_in_pieces(network)

    def estimate(image: Image, across: bool = False) -> Image:
        counts = torch.as_tensor(image, device=place, dtype=kind)[None, None]
        shape = bins[::-1] if across else bins
        if tile is None:
            denoised = denoise_by_bins(network, counts, shape)
        else:
            denoised = denoise_in_tiles(network, counts, tile=tile, bins=shape)
        if denoised.shape != counts.shape:
            msg = f"model must return shape {counts.shape}; got {denoised.shape}"
            raise ValueError(msg)
        return denoised[0, 0].float().cpu().numpy()

    estimates = []
    # not inference_mode: what a caller's model keeps must serve gradients later
    with evaluating(network), torch.no_grad(), whole_precision():
        for image in images:
            counts = image.astype(np.float32)
            estimates.append(
                average_symmetries(estimate, counts) if ensemble else estimate(counts)
            )
    return np.stack(estimates) if each else estimates[0]


def choose_bins(
    pixel: float | tuple[float, float] | None,
    model: torch.nn.Module | str | Path | None = None,
) -> tuple[int, int]:
    """Tell how many pixels `denoise` adds along each axis for a network.

    A network learnt from bins of a range of sizes. Of whole numbers of pixels those are
    taken that bring both sides of a bin into it, or next to it.

    Parameters
    ----------
    pixel : float, (float, float) or None
        Size of a pixel, or of its sides (down, across), from 0.02 angstrom on. None
        takes as many as the network learnt from [angstrom].
    model : torch.nn.Module, str or pathlib.Path, optional
        The network, or what `load_model` takes; None takes the default weights.

    Returns
    -------
    (int, int)
        Pixels down and across that make a bin.

    Raises
    ------
    ValueError
        If `pixel` is no size of this kind, or too coarse: by more than a fifth, or a
        slip of nanometres.

    Warns
    -----
    UserWarning
        If a side of the bins is not within the range, or one is over a fifth longer
        than the other.

    Examples
    --------
    >>> choose_bins(0.1), choose_bins((0.062, 0.13)), choose_bins(0.25)
    ((3, 3), (4, 2), (1, 1))
    """
    bins, doubt = _pick_bins(pixel, take_model(model))
    if doubt:
        warnings.warn(doubt, stacklevel=3)
    if pixel is not None:
        log.info("adding %d x %d pixels to a bin", *bins)
    return bins


def _pick_bins(
    pixel: float | tuple[float, float] | None, model: torch.nn.Module
) -> tuple[tuple[int, int], str]:
    """Pick pixels down and across that make a bin, and say what is amiss with it."""
    own = getattr(model, "binning", 1)
    if pixel is None:
        return (own, own), ""
    try:
        sides = np.ravel(np.asarray(pixel, float))
    except (TypeError, ValueError):
        sides = np.empty(0)
    if sides.size not in (1, 2) or not ((sides > 0) & (sides < np.inf)).all():
        msg = f"pixel must be a size above 0, or two [angstrom]; got {pixel!r}"
        raise ValueError(msg)
    told = " x ".join(f"{side:.4g}" for side in sides)
    sides = np.broadcast_to(sides, 2)
    if min(sides) < _FINEST:
        msg = (
            f"pixel must be at least {_FINEST} angstrom; got {told} (were these "
            "nanometres? then multiply by ten)"
        )
        raise ValueError(msg)
    if (trained := getattr(model, "trained_pixel", None)) is None:  # nobody knows
        return (own, own), ""
    low, high = own * np.array(trained)
    most = int(_SLACK * high / min(sides)) + 1
    widths = np.array([(i, j) for i in range(1, most + 1) for j in range(1, most + 1)])
    bins = widths * sides
    beyond = np.maximum(low / bins, bins / high).clip(1).max(1)  # of the range, times
    uneven = bins.max(1) / bins.min(1)
    centre = np.abs(np.log(bins / (low * high) ** 0.5)).max(1)
    best = np.lexsort((centre, uneven.clip(_UNEVEN), beyond.round(9)))[0]
    chosen = f"bins of {' x '.join(f'{side:.3g}' for side in bins[best])} angstrom"
    if beyond[best] > _SLACK:
        msg = (
            f"pixel must be at most {high:g} angstrom for these weights, and a whole "
            f"number of them {low:g} to {high:g}; got {told}, whose best are {chosen} "
            "(use denoise_windowed_fourier, which needs no pixel size)"
        )
        raise ValueError(msg)
    doubt = ""
    if beyond[best] > 1 + 1e-9 or uneven[best] > _SLACK:
        doubt = (
            f"pixel of {told} angstrom makes {chosen}, where these weights learnt "
            f"from {low:g} to {high:g}, nearly square; at the worst, pixels of 0.2 "
            "angstrom, that has cost 1.8 dB"
        )
    return tuple(widths[best].tolist()), doubt


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
