"""Guided backpropagation: what speaks for a denoised pixel, by ReLUs of one sign."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from sbd.evidence.jacobian import linearising
from sbd.typing import Image, Pixel
from sbd.validation import check_image, check_pixel

_RELUS = {
    F.relu,
    F.relu_,
    torch.relu,
    torch.relu_,
    torch.Tensor.relu,
    torch.Tensor.relu_,
}


def guided_backpropagation(
    model: torch.nn.Module, noisy: Image, pixel: Pixel, *, device: str | None = None
) -> Image:
    r"""Go back from a denoised pixel through positive contributions only.

    A gradient passes a ReLU where its input was positive. Guided backpropagation lets
    it pass only where the gradient is positive as well, at every ReLU. What is left is
    easier on the eye than a row of the Jacobian, and means less: it is no derivative,
    and :math:`\langle g, y \rangle` is not the denoised value. Of a network without
    negative weights it is the row itself. Source: Springenberg, Dosovitskiy, Brox,
    Riedmiller, "Striving for simplicity: the all convolutional net", ICLR workshop
    (2015), arXiv:1412.6806.

    Parameters
    ----------
    model : torch.nn.Module
        Network with ReLUs that maps (1, 1, height, width) to the same shape. What it
        has beside them passes the gradient as it is.
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    pixel : tuple of int
        (row, column) of the denoised pixel.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        Where to compute, as for `jacobian_row`.

    Returns
    -------
    ndarray of shape (height, width)
        The guided gradient, in the network's precision.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If the network has no ReLU or changes the image's shape, or the image is none.
    IndexError
        If `pixel` lies outside the image.

    Examples
    --------
    >>> import numpy as np
    >>> guided_backpropagation(torch.nn.ReLU(), np.ones((1, 2)), (0, 1)).tolist()
    [[0.0, 1.0]]
    """
    noisy = check_image(noisy, "noisy")
    pixel = check_pixel(pixel, noisy.shape)
    with _Guiding() as guiding, linearising(model, noisy, device) as (y, values):
        if not guiding.met:
            msg = f"model must have ReLUs; got a {type(model).__name__} without any"
            raise ValueError(msg)
        (gradient,) = torch.autograd.grad(values[pixel], y)
    return gradient[0, 0].cpu().numpy()


class _Guiding(TorchFunctionMode):
    """Puts a guided ReLU in the place of each one."""

    def __init__(self) -> None:
        super().__init__()
        self.met = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        if func in _RELUS:
            self.met += 1
            return _GuidedReLU.apply(args[0] if args else kwargs["input"])
        return func(*args, **(kwargs or {}))


class _GuidedReLU(torch.autograd.Function):
    """A ReLU through which only positive gradients go back."""

    @staticmethod
    def forward(ctx, x):  # noqa: ANN001, ANN205
        """Return the positive part."""
        ctx.save_for_backward(x > 0)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Pass what is positive, where the input was."""
        (active,) = ctx.saved_tensors
        return gradient.clamp_min(0) * active
