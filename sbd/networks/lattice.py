"""Networks that are shown the lattice: windowed Fourier views, and translations.

Both work on binned counts; what goes in and comes out is (batch, 1, height, width) in
electrons per pixel, of any size.
"""

import math

import torch
from torch import nn

from sbd.networks.operations import TORCH, Operations
from sbd.networks.published import UNet, denoise_by_bins
from sbd.networks.translations import average_translations

_WINDOWS = ((32, 8, (8.0,)), (64, 16, (6.0, 12.0)), (96, 16, (7.0, 12.0, math.inf)))

_TOLERANCES = (0.004, 0.008, 0.016, 0.032)  # of averages over translations
_NUMBER = 97  # of translations


class LatticeUNet(nn.Module):
    """A small UNet on binned counts that is shown the lattice.

    The image is band-limited far below the pixel, so counts are added over
    `binning` x `binning` pixels and nothing is lost. Beside them the network sees
    windowed Fourier estimates of the crystal, from windows of three sizes and with
    loose and strict thresholds, and predicts a correction to the widest one.

    Parameters
    ----------
    scales : {2, 4, 6}, default 4
        Of the UNet on the binned counts, as for `UNet`.
    channels : int, default 32
        Of the UNet, at its full resolution.
    bias : bool, default True
        Whether the UNet adds constants.
    binning : int, default 4
        Pixels along each axis that are added.

    Examples
    --------
    >>> model = LatticeUNet(scales=2, channels=4).eval()
    >>> model(torch.ones(1, 1, 40, 50)).shape
    torch.Size([1, 1, 40, 50])
    """

    operations: Operations = TORCH

    def __init__(
        self,
        *,
        scales: int = 4,
        channels: int = 32,
        bias: bool = True,
        binning: int = 4,
    ) -> None:
        super().__init__()
        self.config = {
            "scales": scales,
            "channels": channels,
            "bias": bias,
            "binning": binning,
        }
        self.binning = binning
        views = sum(len(thresholds) for _, _, thresholds in _WINDOWS) - 1
        self.unet = _correction(views + 2, scales, channels, bias=bias)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise counts of shape (batch, 1, height, width) [electrons per pixel]."""
        return denoise_by_bins(self, noisy)

    def denoise_binned(self, binned: torch.Tensor) -> torch.Tensor:
        """Denoise mean counts of bins (batch, 1, height, width) [electrons per pixel].

        Training works at this resolution.
        """
        views = []
        for window, hop, thresholds in _WINDOWS:
            views += self.operations.windowed_fourier(
                binned,
                window=window,
                hop=hop,
                thresholds=thresholds,
                counts=self.binning**2,
            )
        *views, level = views  # the local mean keeps no coefficient at all
        level = level.clamp_min(1e-6)
        base = views[-2]  # the widest window with its loose threshold
        relative = [10 * (view / level - 1) for view in views]
        noise = -0.5 * torch.log10(self.binning**2 * level.detach())
        seen = torch.cat([2 * (binned / level - 1), *relative, noise], dim=1)
        return base + 0.1 * level * self.unet(seen)


class CrystalUNet(nn.Module):
    """A first estimate, the crystal's own translations, and a correction.

    The pilot, a network of its own, makes a first estimate. It is averaged over the
    translations under which the crystal looks the same (`sbd.networks.translations`),
    and what it left of the counts likewise, with four degrees of strictness. A UNet
    sees all of it and corrects one of the averages. The pilot may be such a network
    itself: its better estimate tells better what looks the same.

    Parameters
    ----------
    scales : {2, 4, 6}, default 4
        Of the UNet, as for `LatticeUNet`.
    channels : int, default 32
        Of the UNet, at its full resolution.
    bias : bool, default True
        Whether the UNet adds constants.
    binning : int, default 4
        Pixels along each axis that are added.
    pilot : dict, optional
        Parameters of the pilot: of a `CrystalUNet` where they name a pilot again, else
        of a `LatticeUNet`. None takes the same as here.

    Examples
    --------
    >>> model = CrystalUNet(scales=2, channels=4, pilot={"scales": 2}).eval()
    >>> model(torch.ones(1, 1, 40, 50)).shape
    torch.Size([1, 1, 40, 50])
    """

    operations: Operations = TORCH

    def __init__(
        self,
        *,
        scales: int = 4,
        channels: int = 32,
        bias: bool = True,
        binning: int = 4,
        pilot: dict | None = None,
    ) -> None:
        super().__init__()
        common = {
            "scales": scales,
            "channels": channels,
            "bias": bias,
            "binning": binning,
        }
        self.pilot = _make_pilot(common if pilot is None else pilot)
        self.config = {**common, "pilot": self.pilot.config}
        self.binning = binning
        if self.pilot.binning != binning:
            msg = f"binning must be the pilot's, {self.pilot.binning}; got {binning}"
            raise ValueError(msg)
        self.unet = _correction(3 + 3 * len(_TOLERANCES), scales, channels, bias=bias)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise counts of shape (batch, 1, height, width) [electrons per pixel]."""
        return denoise_by_bins(self, noisy)

    def denoise_binned(self, binned: torch.Tensor) -> torch.Tensor:
        """Denoise means of binned counts; see `LatticeUNet.denoise_binned`."""
        return self.finish(self.prepare(binned))

    def prepare(self, binned: torch.Tensor) -> torch.Tensor:
        """Compute all that the UNet sees; training leaves this part as it is.

        (batch, channels, height, width), one of the averages and the local mean last.
        """
        pilot = self.pilot.denoise_binned(binned)
        with torch.autocast(binned.device.type, enabled=False):
            pilot = pilot.to(binned.dtype)
            (level,) = self.operations.windowed_fourier(
                binned, window=96, hop=16, thresholds=(math.inf,), counts=1
            )
            level = level.clamp_min(1e-6)
            averages, numbers = average_translations(
                pilot,
                torch.cat([pilot, binned - pilot], 1),
                self.operations.find_translations(pilot, number=_NUMBER),
                variance=level / self.binning**2,
                tolerances=_TOLERANCES,
                add=self.operations.sum_translations,
            )
            estimates = torch.cat([pilot, averages[:, :, 0]], 1)
            seen = [
                2 * (binned / level - 1),
                10 * (estimates / level - 1),
                10 * averages[:, :, 1] / level,
                torch.log10(numbers[:, :, 0]),
                -0.5 * torch.log10(self.binning**2 * level.detach()),
                averages[:, 1, :1],
                level,
            ]
            return torch.cat(seen, dim=1)

    def finish(self, prepared: torch.Tensor) -> torch.Tensor:
        """Correct an average; what `prepare` returned goes in."""
        seen, base, level = prepared.tensor_split([-2, -1], 1)
        return base + 0.1 * level * self.unet(seen)


def _make_pilot(config: dict) -> "LatticeUNet | CrystalUNet":
    """Make the untrained network that a `CrystalUNet` with this pilot begins with."""
    return (CrystalUNet if "pilot" in config else LatticeUNet)(**config)


def _correction(inputs: int, scales: int, channels: int, *, bias: bool) -> UNet:
    """Make a UNet whose last layer is zero, so that it begins by correcting nothing."""
    unet = UNet(
        scales=scales, channels=channels, bias=bias, inputs=inputs, align_corners=False
    )
    for parameter in unet.outc.parameters():
        nn.init.zeros_(parameter)
    return unet
