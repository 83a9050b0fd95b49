"""The networks of the paper: its UNet, and the two smaller ones beside it.

A network maps (batch, 1, height, width) to the same shape, both in electrons per pixel,
and takes images of any size. Parameters are named as in the authors' checkpoints.
"""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from sbd.networks.operations import TORCH, Operations
from sbd.validation import check_whole


class _ScaleNorm(nn.BatchNorm2d):
    """Batch normalisation that divides by the deviation and adds nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            variance = x.float().var((0, 2, 3))
            with torch.no_grad():
                self.running_var.lerp_(variance, self.momentum)
        else:
            variance = self.running_var
        scale = self.weight / (variance.sqrt() + self.eps)
        return x * scale[:, None, None].to(x.dtype)


def _double_conv(inputs: int, middle: int, outputs: int, *, bias: bool) -> nn.Module:
    """Convolve twice; the parts are numbered as in the authors' checkpoints."""
    norm = nn.BatchNorm2d if bias else _ScaleNorm
    parts = OrderedDict()
    for first, (a, b) in ((1, (inputs, middle)), (5, (middle, outputs))):
        parts[f"{first}"] = nn.Conv2d(
            a, b, 3, padding=1, padding_mode="replicate", bias=bias
        )
        parts[f"{first + 1}"] = norm(b)
        parts[f"{first + 2}"] = nn.ReLU(inplace=True)
    return nn.ModuleDict({"double_conv": nn.Sequential(parts)})


class UNet(nn.Module):
    """The paper's network.

    The published decoder pads feature maps with zeros where the image is no multiple of
    ``2**scales``, which spoils the far border. Here the image is mirrored up to a
    multiple instead; for multiples both are the same.

    Parameters
    ----------
    scales : {2, 4, 6}, default 4
        Times that the image is halved.
    channels : int, default 128
        Channels at full resolution.
    bias : bool, default True
        Whether convolutions and normalisations add constants. The paper speaks of
        bias-free networks; the checkpoint behind its figures has biases.
    inputs, outputs : int, default 1
        Channels in and out.
    align_corners : bool, default True
        How the decoder interpolates; True is the published way, False makes the result
        independent of the image's size.
    residual : bool, default False
        Whether the convolutions estimate what to take off the input.
    binning : int, default 1
        Pixels along each axis that are added first; the published networks work on
        every pixel.

    Raises
    ------
    ValueError
        If `scales`, `channels` or `binning` is impossible.

    Examples
    --------
    >>> sum(p.numel() for p in UNet(scales=4, channels=128).parameters())
    5613441
    """

    operations: Operations = TORCH

    def __init__(
        self,
        *,
        scales: int = 4,
        channels: int = 128,
        bias: bool = True,
        inputs: int = 1,
        outputs: int = 1,
        align_corners: bool = True,
        residual: bool = False,
        binning: int = 1,
    ) -> None:
        super().__init__()
        if scales not in (2, 4, 6):
            msg = f"scales must be 2, 4 or 6; got {scales}"
            raise ValueError(msg)
        if channels < 2 or channels % 2:
            msg = f"channels must be an even number of at least 2; got {channels}"
            raise ValueError(msg)
        if binning < 1 or (binning > 1 and (inputs, outputs) != (1, 1)):
            msg = f"binning must be 1, or more with one channel; got {binning}"
            raise ValueError(msg)
        self.config = {
            "scales": scales,
            "channels": channels,
            "bias": bias,
            "inputs": inputs,
            "outputs": outputs,
            "align_corners": align_corners,
        }
        # files written before these options lack the entries
        self.config |= {"residual": True} if residual else {}
        self.config |= {"binning": binning} if binning > 1 else {}
        self.binning = binning
        self.scales = scales
        c = channels
        widths = {2: [c, c, c], 4: [c, c, c, 2 * c, 2 * c]}.get(
            scales, [c, c, c, 2 * c, 4 * c, 8 * c, 8 * c]
        )
        self.inc = _double_conv(inputs, c, c, bias=bias)
        for level in range(1, scales + 1):
            conv = _double_conv(
                widths[level - 1], widths[level], widths[level], bias=bias
            )
            setattr(
                self,
                f"down{level}",
                nn.ModuleDict({"maxpool_conv": nn.ModuleDict({"1": conv})}),
            )
        current = widths[-1]
        for level in range(scales - 1, -1, -1):
            joined = current + widths[level]
            current = widths[level] // 2 if level >= 3 else c
            conv = _double_conv(joined, joined // 2, current, bias=bias)
            setattr(self, f"up{6 - level}", nn.ModuleDict({"conv": conv}))
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(c, outputs, 1, bias=bias)})
        self.align_corners = align_corners
        self.residual = residual

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, inputs, height, width)."""
        return denoise_by_bins(self, noisy)

    def denoise_binned(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise means of binned counts, or the counts themselves without binning."""
        height, width = noisy.shape[-2:]
        step = 2**self.scales
        whole = self.operations.mirror(noisy, (0, -height % step), (0, -width % step))
        estimate = self.convolve(whole)[..., :height, :width]
        return noisy - estimate if self.residual else estimate

    def convolve(
        self,
        x: torch.Tensor,
        fit: Callable[[torch.Tensor, torch.Size], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Do what is learnt, to sides that are multiples of ``2**scales``.

        Others need `fit`, which brings what was interpolated to the shape it should
        have had.
        """
        x = self.inc["double_conv"](x)
        skips = []
        for level in range(1, self.scales + 1):
            skips.append(x)
            down = getattr(self, f"down{level}")["maxpool_conv"]["1"]["double_conv"]
            x = down(F.max_pool2d(x, 2))
        for level in range(self.scales - 1, -1, -1):
            x = F.interpolate(
                x, scale_factor=2, mode="bilinear", align_corners=self.align_corners
            )
            if fit is not None:
                x = fit(x, skips[level].shape)
            if x.requires_grad:  # which is cut from that of both, and slow if so used
                x.register_hook(torch.clone)
            up = getattr(self, f"up{6 - level}")["conv"]["double_conv"]
            x = up(torch.cat([skips[level], x], dim=1))
        return self.outc["conv"](x)


def denoise_by_bins(
    model: nn.Module, noisy: torch.Tensor, bins: tuple[int, int] | None = None
) -> torch.Tensor:
    """Bin counts of shape (batch, channels, height, width), denoise, interpolate.

    `bins` are the pixels that are added along each axis; None: as many as the network
    learnt from. Of others it sees a dose such that a bin holds what was counted in it.
    """
    estimate = getattr(model, "denoise_binned", model)
    binned, dose = bin_for(model, noisy, bins)
    if binned is noisy:
        return estimate(noisy)
    down, across = bins or 2 * (model.binning,)
    operations = getattr(model, "operations", TORCH)
    height, width = noisy.shape[-2:]
    size = height + -height % down, width + -width % across
    fine = operations.upsample(estimate(binned), size)
    return (fine if dose == 1 else fine / dose)[..., :height, :width]


def bin_for(
    model: nn.Module, noisy: torch.Tensor, bins: tuple[int, int] | None = None
) -> tuple[torch.Tensor, float]:
    """Bin counts as a network is shown them: the bins' means times a dose; that dose.

    The dose is by how much larger the bins are than those it learnt from.
    """
    own = getattr(model, "binning", 1)
    down, across = bins or (own, own)
    if down == across == own == 1:
        return noisy, 1.0
    operations = getattr(model, "operations", TORCH)
    height, width = noisy.shape[-2:]
    whole = operations.mirror(noisy, (0, -height % down), (0, -width % across))
    binned, dose = F.avg_pool2d(whole, (down, across)), down * across / own**2
    return (binned if dose == 1 else binned * dose), dose


class DnCNN(nn.Module):
    """A chain of convolutions at full resolution, the paper's first reference.

    It is the network of [1]_ with one change of the paper's authors: what comes out is
    the image and not the noise.

    Parameters
    ----------
    depth : int, default 20
        Convolutions in all; each side of the field of view is ``2 * depth + 1`` pixels.
    channels : int, default 64
        Channels between them.
    bias : bool, default True
        Whether convolutions and normalisations add constants.
    inputs : int, default 1
        Channels in, and out.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    .. [1] K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, "Beyond a Gaussian denoiser:
       residual learning of deep CNN for image denoising", IEEE Transactions on Image
       Processing 26 (2017) 3142-3155.

    Examples
    --------
    >>> sum(p.numel() for p in DnCNN(bias=False).parameters())
    667008
    """

    def __init__(
        self, *, depth: int = 20, channels: int = 64, bias: bool = True, inputs: int = 1
    ) -> None:
        super().__init__()
        self.config = {
            "depth": depth,
            "channels": channels,
            "bias": bias,
            "inputs": inputs,
        }
        for name, least in (("depth", 2), ("channels", 1), ("inputs", 1)):
            check_whole(name, self.config[name], least)
        norm = nn.BatchNorm2d if bias else _ScaleNorm
        widths = [inputs, *[channels] * (depth - 1), inputs]
        first, *hidden, last = (
            nn.Conv2d(a, b, 3, padding=1, bias=bias) for a, b in pairwise(widths)
        )
        self.first_layer = first
        self.hidden_layer_list = nn.ModuleList(hidden)
        self.bn_layer_list = nn.ModuleList(norm(channels) for _ in hidden)
        self.last_layer = last

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, inputs, height, width)."""
        x = F.relu(self.first_layer(noisy))
        for conv, norm in zip(self.hidden_layer_list, self.bn_layer_list, strict=True):
            x = F.relu(norm(conv(x)))
        return self.last_layer(x)


class DurrUNet(nn.Module):
    """A UNet that halves the image once, the paper's second reference.

    The paper's authors took it from [1]_. Dilated convolutions widen the field of view
    to 45 pixels.

    An image with an odd side gets one more row or column of zeros, as published.

    Parameters
    ----------
    bias : bool, default True
        Whether all convolutions but the last add constants.
    residual : bool, default False
        Whether the convolutions estimate what to take off the input.

    References
    ----------
    .. [1] X. Zhang, Y. Lu, J. Liu, B. Dong, "Dynamically unfolding recurrent restorer:
       a moving endpoint control method for image restoration", International Conference
       on Learning Representations (2019), arXiv:1805.07709.

    Examples
    --------
    >>> DurrUNet()(torch.ones(1, 1, 21, 30)).shape
    torch.Size([1, 1, 21, 30])
    """

    def __init__(self, *, bias: bool = True, residual: bool = False) -> None:
        super().__init__()
        self.config = {"bias": bias, "residual": residual}
        self.residual = residual
        self.conv1 = nn.Conv2d(1, 32, 5, padding=2, bias=bias)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=bias)
        self.conv3 = nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=bias)
        for number, dilation in ((4, 1), (5, 2), (6, 4)):
            conv = nn.Conv2d(64, 64, 3, padding=dilation, dilation=dilation, bias=bias)
            setattr(self, f"conv{number}", conv)
        self.conv7 = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1, bias=bias)
        self.conv8 = nn.Conv2d(96, 32, 3, padding=1, bias=bias)
        self.conv9 = nn.Conv2d(32, 1, 5, padding=2, bias=False)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, 1, height, width)."""
        height, width = noisy.shape[-2:]
        x = F.pad(noisy, (0, width % 2, 0, height % 2))
        fine = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = fine
        for number in range(3, 8):
            x = F.relu(getattr(self, f"conv{number}")(x))
        x = F.relu(self.conv8(torch.cat([x, fine], dim=1)))
        estimate = self.conv9(x)[..., :height, :width]
        return noisy - estimate if self.residual else estimate
