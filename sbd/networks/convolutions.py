r"""3 x 3 convolutions: with half the multiplications, and with a quick gradient.

Four rows of a convolution with three weights take twelve products, or six of certain
sums: those of polynomials at the points 0, 1, -1, 2, -2 and infinity, which is
Winograd's way [1]_. Along the other axis the products are plain convolutions.
To treat both axes so would leave a quarter of the multiplications, and take as much
time: there are more sums, and the smaller products run slower.

References
----------
.. [1] A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR
   (2016) 4013-4021.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

_SMALL = 32 * 32  # pixels below which the plain way is faster
_STRIP = 2**21  # numbers at a time: with what is between, about what a cache holds
_FROM_WEIGHTS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


class FastConvolution(nn.Module):
    """What a 3 x 3 convolution does, faster where it has many channels.

    Float32 on a CPU without gradients; all else, and small images, `conv` does itself.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        rows = torch.tensor(_FROM_WEIGHTS, dtype=torch.float64)
        kernels = torch.einsum(
            "si,kcij->skcj", rows, conv.weight.detach().cpu().double()
        )
        kernels = kernels.flatten(0, 1)[:, :, None].to(conv.weight)
        self.register_buffer("kernels", kernels, persistent=False)

    @staticmethod
    def takes(conv: nn.Conv2d) -> bool:
        """Tell whether it can compute this convolution."""
        return (
            conv.kernel_size == (3, 3)
            and conv.stride == conv.dilation == conv.padding == (1, 1)
            and conv.groups == 1
            and conv.padding_mode in ("zeros", "replicate")
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve images of shape (batch, channels, height, width)."""
        height, width = x.shape[-2:]
        if (
            x.device.type != "cpu"
            or x.dtype != torch.float32
            or height * width < _SMALL
            or torch.is_autocast_enabled("cpu")
            or torch.is_grad_enabled()
        ):
            return self.conv(x)
        mode = self.conv.padding_mode.replace("zeros", "constant")
        kernels = self.kernels.chunk(6)
        biases = (None, self.conv.bias, *[None] * 4)  # the second is in all four rows
        size = (len(x), self.conv.out_channels, height + -height % 4, width)
        whole = torch.empty(size, memory_format=torch.channels_last)
        step = 4 * max(1, _STRIP // (4 * width * x[:, :, 0, 0].numel()))
        for top in range(0, height, step):
            bottom = min(top + step, size[2])
            sides = (1, 1, int(top == 0), max(0, bottom + 1 - height))
            strip = F.pad(x[:, :, max(0, top - 1) : bottom + 1], sides, mode)
            parts = _six_rows(
                [strip[:, :, i : i + bottom - top - 3 : 4] for i in range(6)]
            )
            products = [
                F.conv2d(part, kernel, bias)
                for part, kernel, bias in zip(parts, kernels, biases, strict=True)
            ]
            _four_rows(products, [whole[:, :, top + i : bottom : 4] for i in range(4)])
        return whole[:, :, :height]


class FixedConvolution(nn.Module):
    """A 3 x 3 convolution with copies of the border around, whose gradient is quick.

    What falls on the copies is added to the border in place; weights get no gradients.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve images of shape (batch, channels, height, width)."""
        if not (x.requires_grad and torch.is_grad_enabled()):
            return self.conv(x)
        return _Convolve.apply(x, self.conv.weight.detach(), self.conv.bias)


class _Convolve(torch.autograd.Function):
    """Convolve an image with copies of its border around it."""

    @staticmethod
    def forward(ctx, x, weight, bias):  # noqa: ANN001, ANN205
        """Return an image of the same size."""
        ctx.weight = weight
        return F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), weight, bias)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        """Apply the transpose, which can be differentiated again."""
        whole = F.conv_transpose2d(gradient, ctx.weight)
        inner = torch.empty_like(whole[..., 1:-1, 1:-1])
        add_border = torch.ops.aten.replication_pad2d_backward
        return add_border(whole, inner, [1, 1, 1, 1]), None, None


def _six_rows(d: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Combine six rows of the input for the products."""
    even, odd = d[4] - d[2], d[3] - d[1]
    first = (d[0] - d[2]).mul_(4).add_(even)
    last = (d[5] - d[3]).sub_(odd, alpha=4)
    far_even, far_odd = d[4].sub(d[2], alpha=4), d[3].sub(d[1], alpha=4)
    return (
        first,
        *_sum_and_difference(far_even, far_odd),
        *_sum_and_difference(even, odd.mul_(2)),
        last,
    )


def _four_rows(m: list[torch.Tensor], rows: list[torch.Tensor]) -> None:
    """Combine the six products to four rows of the result; they are overwritten."""
    near, near_odd = _sum_and_difference(m[1], m[2])
    far, far_odd = _sum_and_difference(m[3], m[4])
    torch.add(m[0].add_(near), far, out=rows[0])
    torch.add(near_odd, far_odd, alpha=2, out=rows[1])
    torch.add(near, far, alpha=4, out=rows[2])
    torch.add(m[5].add_(near_odd), far_odd, alpha=8, out=rows[3])


def _sum_and_difference(
    a: torch.Tensor, b: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put both in the place of what they are made of."""
    a.add_(b)
    return a, torch.sub(a, b, alpha=2, out=b)
