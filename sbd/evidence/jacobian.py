"""What a network looks at: rows and columns of the denoiser's Jacobian.

A row holds the weight of every noisy pixel in one denoised pixel, and a column the
change of every denoised pixel with one noisy one. In the networks that are shown the
lattice, which coefficients are kept and which places are averaged is held fixed.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from sbd.networks.inference import fold, whole_precision
from sbd.networks.models import choose_device, evaluating
from sbd.typing import Image, Pixel
from sbd.validation import check_image, check_pixel, check_shape, check_whole


def jacobian_row(
    model: torch.nn.Module, noisy: Image, pixel: Pixel, *, device: str | None = None
) -> tuple[Image, float]:
    r"""Linearise a network around a noisy image, at one denoised pixel.

    With the row :math:`\nabla f_i(y)` and the net bias :math:`b_i`, the network's
    value there is exactly :math:`f_i(y) = \langle \nabla f_i(y), y \rangle + b_i`.
    A bias-free network has :math:`b_i = 0`.

    In the networks that are shown the lattice (`sbd.LatticeUNet`, `sbd.CrystalUNet`)
    coefficients are kept or not, and places averaged or not. This is the linear map
    that such a network is with those choices held: applied to the counts it gives the
    denoised image exactly. It is not the change of the result when a count changes,
    since one electron more can change the choices. Source: Mohan, Kadkhodaie,
    Simoncelli, Fernandez-Granda, "Robust and interpretable blind image denoising via
    bias-free convolutional neural networks", ICLR (2020).

    Parameters
    ----------
    model : torch.nn.Module
        Network that maps (1, 1, height, width) to the same shape; used in
        evaluation mode and left in the mode it came in.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        Where to compute, as for `denoise_network`; None: where the network is.

    Returns
    -------
    row : ndarray of shape (height, width)
        Weight of each noisy pixel in the estimate, in the network's precision.
    bias : float
        Net bias, in electrons per pixel.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If the image is no image, or the network changes its shape.
    IndexError
        If `pixel` lies outside the image.

    Examples
    --------
    >>> identity = torch.nn.Identity()
    >>> row, bias = jacobian_row(identity, np.ones((3, 3), np.float32), (1, 2))
    >>> int(row.argmax()), bias
    (5, 0.0)
    """
    rows, biases = jacobian_rows(model, noisy, [pixel], device=device)
    return rows[0], float(biases[0])


def jacobian_rows(
    model: torch.nn.Module,
    noisy: Image,
    pixels: Sequence[Pixel],
    *,
    workers: int = 1,
    device: str | None = None,
) -> tuple[NDArray, NDArray[np.float64]]:
    """Linearise a network around a noisy image, at many denoised pixels.

    The image is denoised once; each pixel then costs one way back through the network.

    Parameters
    ----------
    model : torch.nn.Module
        As for `jacobian_row`.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    pixels : sequence of tuple of int
        (row, column) of each denoised pixel.
    workers : int, default 1
        Threads that go back, each for other pixels. That takes less time than one that
        uses as many of the processor's cores for a single pixel; on a GPU it does not.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        As for `jacobian_row`.

    Returns
    -------
    rows : ndarray of shape (n, height, width)
        As from `jacobian_row`, in the order of `pixels`.
    biases : ndarray of shape (n,)
        Net biases, in electrons per pixel.

    Raises
    ------
    TypeError, IndexError
        As for `jacobian_row`.
    ValueError
        As for `jacobian_row`, or if `workers` is not a whole number of at least 1.

    Examples
    --------
    >>> identity = torch.nn.Identity()
    >>> rows, _ = jacobian_rows(identity, np.ones((3, 3), np.float32), [(1, 2), (0, 0)])
    >>> rows.reshape(2, 9).argmax(axis=1).tolist()
    [5, 0]
    """
    noisy = check_image(noisy, "noisy")
    pixels = [check_pixel(pixel, noisy.shape) for pixel in pixels]
    check_whole("workers", workers)
    counts = noisy.astype(np.float64)
    biases = np.empty(len(pixels))
    with linearising(model, noisy, device) as (y, values), _threads(workers) as work:
        rows = torch.empty((len(pixels), *noisy.shape), dtype=y.dtype)

        def go_back(i: int) -> None:
            value = values[pixels[i]]
            (gradient,) = torch.autograd.grad(value, y, retain_graph=True)
            rows[i] = gradient[0, 0]
            explained = np.vdot(rows[i].numpy().astype(np.float64), counts)
            biases[i] = value.item() - explained

        list(work(go_back, range(len(pixels))))
    return rows.numpy(), biases


@contextmanager
def _threads(workers: int) -> Iterator[Callable]:
    """Give a ``map`` that works in so many threads, each on one core."""
    if workers == 1:
        yield map
        return
    before = torch.get_num_threads()
    single = {"initializer": torch.set_num_threads, "initargs": (1,)}
    with ThreadPoolExecutor(workers, **single) as pool:
        try:
            yield pool.map
        finally:
            torch.set_num_threads(before)


def jacobian_action(
    model: torch.nn.Module,
    noisy: Image,
    direction: Image,
    *,
    device: str | None = None,
) -> Image:
    """Tell how the denoised image changes when the noisy one moves in a direction.

    Of networks that are shown the lattice the choices are held: see `jacobian_row`.

    A product with the transpose is what automatic differentiation gives; it is linear
    in what it multiplies, and its own transpose is the product wanted here.

    Parameters
    ----------
    model : torch.nn.Module
        As for `jacobian_row`.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    direction : ndarray of shape (height, width)
        What is multiplied by the Jacobian at `noisy`.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        As for `jacobian_row`.

    Returns
    -------
    ndarray of shape (height, width)
        The product, in the network's precision. For a bias-free network the action on
        `noisy` itself is the denoised image.

    Raises
    ------
    TypeError
        As for `jacobian_row`.
    ValueError
        As for `jacobian_row`, or if the shapes differ.

    Examples
    --------
    >>> ones = np.ones((1, 3))
    >>> jacobian_action(torch.nn.Identity(), ones, 2 * ones).tolist()
    [[2.0, 2.0, 2.0]]
    """
    noisy = check_image(noisy, "noisy")
    direction = check_image(direction, "direction")
    check_shape(direction, "direction", noisy, "noisy")
    with linearising(model, noisy, device) as (y, values):
        free = torch.zeros_like(values, requires_grad=True)
        (back,) = torch.autograd.grad(values, y, free, create_graph=True)
        along = torch.tensor(direction, dtype=y.dtype, device=y.device)
        (moved,) = torch.autograd.grad(back[0, 0], free, along)
    return moved.cpu().numpy()


def jacobian_column(
    model: torch.nn.Module, noisy: Image, pixel: Pixel, *, device: str | None = None
) -> Image:
    """Tell how much each denoised pixel changes with one noisy pixel.

    Of networks that are shown the lattice the choices are held: see `jacobian_row`.

    Parameters
    ----------
    model : torch.nn.Module
        As for `jacobian_row`.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    pixel : tuple of int
        (row, column) of the noisy pixel.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        As for `jacobian_row`.

    Returns
    -------
    ndarray of shape (height, width)
        Derivative of each denoised pixel, in the network's precision.

    Raises
    ------
    TypeError, ValueError, IndexError
        As for `jacobian_row`.

    Examples
    --------
    >>> blur = torch.nn.AvgPool2d((1, 3), 1, (0, 1))
    >>> jacobian_column(blur, np.ones((1, 5)), (0, 0)).round(2).tolist()
    [[0.33, 0.33, 0.0, 0.0, 0.0]]
    """
    noisy = check_image(noisy, "noisy")
    direction = np.zeros_like(noisy)
    direction[check_pixel(pixel, noisy.shape)] = 1
    return jacobian_action(model, noisy, direction, device=device)


@contextmanager
def linearising(
    model: torch.nn.Module, noisy: Image, device: str | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Denoise an image with everything kept that derivatives need.

    The counts (1, 1, height, width), and the estimate (height, width) made of them.
    """
    if not isinstance(model, torch.nn.Module):
        msg = f"model must be a torch.nn.Module; got {model!r}"
        raise TypeError(msg)
    parameter = next(model.parameters(), torch.from_numpy(np.zeros(0, noisy.dtype)))
    place = parameter.device if device is None else choose_device(device)
    with (
        torch.inference_mode(mode=False),
        evaluating(model),
        torch.enable_grad(),
        whole_precision(),
    ):
        y = torch.tensor(noisy, dtype=parameter.dtype, device=place)
        y = y[None, None].requires_grad_()
        denoised = fold(model, place)(y.clone())  # which it may change
        if denoised.shape != y.shape:
            msg = (
                f"model must map {tuple(y.shape)} to the same shape; "
                f"got {tuple(denoised.shape)}"
            )
            raise ValueError(msg)
        if not denoised.requires_grad:  # a network that ignores its input
            denoised = denoised + 0 * y
        yield y, denoised[0, 0]


def effective_field_of_view(
    row: Image, pixel: Pixel, *, fraction: float = 0.95
) -> float:
    """Measure how far from a pixel the network looks for its estimate.

    Parameters
    ----------
    row : ndarray of shape (height, width)
        Row of the Jacobian, from `jacobian_row`.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    fraction : float, default 0.95
        Share of the row's squared weight to be held.

    Returns
    -------
    float
        Radius of the smallest disc around the pixel that holds it [pixels].

    Raises
    ------
    ValueError
        If the row is zero everywhere or `fraction` is not in (0, 1].
    IndexError
        If `pixel` lies outside the image.

    Examples
    --------
    >>> row = np.zeros((9, 9))
    >>> row[4, 4], row[4, 7] = 3.0, 1.0
    >>> [effective_field_of_view(row, (4, 4), fraction=f) for f in (0.9, 0.95)]
    [0.0, 3.0]
    """
    weights = check_image(row, "row").astype(np.float64) ** 2
    centre = check_pixel(pixel, weights.shape)
    if not 0 < fraction <= 1:
        msg = f"fraction must be above 0 and at most 1; got {fraction}"
        raise ValueError(msg)
    if not weights.any():
        msg = "row must have a weight other than 0; got zeros only"
        raise ValueError(msg)
    rows, cols = np.indices(weights.shape)
    squared = (rows - centre[0]) ** 2 + (cols - centre[1]) ** 2
    radii, ring = np.unique(squared, return_inverse=True)
    held = np.cumsum(np.bincount(ring.ravel(), weights=weights.ravel()))
    # a sum of squares is exact to about 1e-12 of itself
    first = np.searchsorted(held, fraction * held[-1] * (1 - 1e-12))
    return float(np.sqrt(radii[first]))
