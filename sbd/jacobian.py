"""What a network looks at: rows of the Jacobian of the denoising function."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sbd.models import evaluating
from sbd.typing import Image, Pixel
from sbd.validation import check_image, check_pixel


def jacobian_row(
    model: torch.nn.Module, noisy: Image, pixel: Pixel
) -> tuple[Image, float]:
    r"""Linearise a network around a noisy image, at one denoised pixel.

    With the row :math:`\nabla f_i(y)` and the net bias :math:`b_i`, the network's
    value there is exactly :math:`f_i(y) = \langle \nabla f_i(y), y \rangle + b_i`.
    A bias-free network has :math:`b_i = 0`.

    Parameters
    ----------
    model : torch.nn.Module
        Network that maps (1, 1, height, width) to the same shape; used in
        evaluation mode and left in the mode it came in.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    pixel : tuple of int
        (row, column) of the denoised pixel.

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

    References
    ----------
    .. [1] Mohan, Kadkhodaie, Simoncelli, Fernandez-Granda, "Robust and interpretable
       blind image denoising via bias-free convolutional neural networks", ICLR (2020).

    Examples
    --------
    >>> import numpy as np
    >>> identity = torch.nn.Identity()
    >>> row, bias = jacobian_row(identity, np.ones((3, 3), np.float32), (1, 2))
    >>> int(row.argmax()), bias
    (5, 0.0)
    """
    rows, biases = jacobian_rows(model, noisy, [pixel])
    return rows[0], float(biases[0])


def jacobian_rows(
    model: torch.nn.Module, noisy: Image, pixels: Sequence[Pixel]
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

    Returns
    -------
    rows : ndarray of shape (n, height, width)
        As from `jacobian_row`, in the order of `pixels`.
    biases : ndarray of shape (n,)
        Net biases, in electrons per pixel.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If the image is no image, or the network changes its shape.
    IndexError
        If a pixel lies outside the image.

    Examples
    --------
    >>> import numpy as np
    >>> identity = torch.nn.Identity()
    >>> rows, _ = jacobian_rows(identity, np.ones((3, 3), np.float32), [(1, 2), (0, 0)])
    >>> rows.reshape(2, 9).argmax(axis=1).tolist()
    [5, 0]
    """
    noisy = check_image(noisy, "noisy")
    pixels = [check_pixel(pixel, noisy.shape) for pixel in pixels]
    parameter = next(model.parameters(), torch.from_numpy(np.zeros(0, noisy.dtype)))
    y = torch.tensor(noisy, dtype=parameter.dtype, device=parameter.device)[None, None]
    y.requires_grad_()
    rows = torch.empty((len(pixels), *noisy.shape), dtype=y.dtype)
    counts = noisy.astype(np.float64)
    biases = np.empty(len(pixels))
    with evaluating(model), torch.enable_grad():
        denoised = model(y)
        if denoised.shape != y.shape:
            msg = (
                f"model must map {tuple(y.shape)} to the same shape; "
                f"got {tuple(denoised.shape)}"
            )
            raise ValueError(msg)
        # the second term keeps a network that ignores its input differentiable
        values = denoised[0, 0] + 0 * y[0, 0]
        for i, pixel in enumerate(pixels):
            kept = i + 1 < len(pixels)
            (gradient,) = torch.autograd.grad(values[pixel], y, retain_graph=kept)
            rows[i] = gradient[0, 0]
            explained = np.vdot(rows[i].numpy().astype(np.float64), counts)
            biases[i] = values[pixel].item() - explained
    return rows.numpy(), biases


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
    >>> import numpy as np
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
