"""The networks: the paper's UNet, and one that is shown the lattice.

A model maps (batch, 1, height, width) to the same shape, both in electrons per pixel,
and takes images of any size: it pads by mirroring and crops back.
"""

import argparse
import copy
import json
import logging
import math
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from sbd.registry import ITEMS, fetch
from sbd.spectra import mirror, upsample, windowed_fourier
from sbd.translations import average_translations, find_translations

log = logging.getLogger(__name__)

_WINDOWS = ((32, 8, (8.0,)), (64, 16, (6.0, 12.0)), (96, 16, (7.0, 12.0, math.inf)))

_TOLERANCES = (0.012, 0.025)  # of the first average over translations
_STRICTER = (0.003, 0.006, 0.012, 0.025)  # of the second, whose guide is better


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

    Raises
    ------
    ValueError
        If `scales` or `channels` is impossible.

    Notes
    -----
    The published decoder pads feature maps with zeros where the image is no multiple of
    ``2**scales``, which spoils the far border. Here the image is mirrored up to a
    multiple instead; for multiples both are the same.

    Examples
    --------
    >>> sum(p.numel() for p in UNet(scales=4, channels=128).parameters())
    5613441
    """

    def __init__(
        self,
        *,
        scales: int = 4,
        channels: int = 128,
        bias: bool = True,
        inputs: int = 1,
        outputs: int = 1,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        if scales not in (2, 4, 6):
            msg = f"scales must be 2, 4 or 6; got {scales}"
            raise ValueError(msg)
        if channels < 2 or channels % 2:
            msg = f"channels must be an even number of at least 2; got {channels}"
            raise ValueError(msg)
        self.config = {
            "scales": scales,
            "channels": channels,
            "bias": bias,
            "inputs": inputs,
            "outputs": outputs,
            "align_corners": align_corners,
        }
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

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, inputs, height, width)."""
        height, width = noisy.shape[-2:]
        step = 2**self.scales
        x = mirror(noisy, (0, -height % step), (0, -width % step))
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
            up = getattr(self, f"up{6 - level}")["conv"]["double_conv"]
            x = up(torch.cat([skips[level], x], dim=1))
        return self.outc["conv"](x)[..., :height, :width]


class LatticeUNet(nn.Module):
    """A small UNet on binned counts that is shown the lattice.

    The image is band-limited far below the pixel, so counts are added over
    `binning` x `binning` pixels and nothing is lost. Beside them the network sees
    windowed Fourier estimates of the crystal, from windows of three sizes and with
    loose and strict thresholds, and predicts a correction to the widest one.

    Parameters
    ----------
    scales : {2, 4, 6}, default 4
        Of the UNet on the binned counts.
    channels : int, default 32
        Of the UNet.
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
        self.unet = UNet(
            scales=scales,
            channels=channels,
            bias=bias,
            inputs=views + 2,
            align_corners=False,
        )
        nn.init.zeros_(self.unet.outc["conv"].weight)
        if bias:
            nn.init.zeros_(self.unet.outc["conv"].bias)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise counts of shape (batch, 1, height, width) [electrons per pixel]."""
        return _denoise_by_bins(self, noisy)

    def denoise_binned(self, binned: torch.Tensor) -> torch.Tensor:
        """Denoise means of binned counts; training works at this resolution.

        Parameters
        ----------
        binned : Tensor of shape (batch, 1, height, width)
            Mean counts [electrons per pixel].

        Returns
        -------
        Tensor of shape (batch, 1, height, width)
            Expected intensity at the centres of the bins [electrons per pixel].
        """
        views = []
        for window, hop, thresholds in _WINDOWS:
            views += windowed_fourier(
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
        noise = -0.5 * torch.log10(self.binning**2 * level)
        seen = torch.cat([2 * (binned / level - 1), *relative, noise], dim=1)
        return base + 0.1 * level * self.unet(seen)


class CrystalUNet(nn.Module):
    """Two networks, and between them the crystal's own translations.

    A `LatticeUNet` makes a first estimate. It is averaged over the translations under
    which the crystal looks the same (`sbd.translations`), and once more with weights
    from the first average; the counts are averaged likewise. A second UNet sees all of
    it and corrects the second average.

    Parameters
    ----------
    scales : {2, 4, 6}, default 4
        Of both UNets.
    channels : int, default 32
        Of both UNets.
    bias : bool, default True
        Whether the UNets add constants.
    binning : int, default 4
        Pixels along each axis that are added.

    Examples
    --------
    >>> model = CrystalUNet(scales=2, channels=4).eval()
    >>> model(torch.ones(1, 1, 40, 50)).shape
    torch.Size([1, 1, 40, 50])
    """

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
        self.pilot = LatticeUNet(**self.config)
        self.unet = UNet(
            scales=scales,
            channels=channels,
            bias=bias,
            inputs=3 + 2 * len(_TOLERANCES) + 3 * len(_STRICTER),
            align_corners=False,
        )
        nn.init.zeros_(self.unet.outc["conv"].weight)
        if bias:
            nn.init.zeros_(self.unet.outc["conv"].bias)

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        """Denoise counts of shape (batch, 1, height, width) [electrons per pixel]."""
        return _denoise_by_bins(self, noisy)

    def denoise_binned(self, binned: torch.Tensor) -> torch.Tensor:
        """Denoise means of binned counts; see `LatticeUNet.denoise_binned`."""
        return self.finish(self.prepare(binned))

    def prepare(self, binned: torch.Tensor) -> torch.Tensor:
        """Compute all that the second network sees; training leaves this part as it is.

        Parameters
        ----------
        binned : Tensor of shape (batch, 1, height, width)
            Mean counts [electrons per pixel].

        Returns
        -------
        Tensor of shape (batch, channels, height, width)
            The last two channels are the second average and the local mean.
        """
        pilot = self.pilot.denoise_binned(binned)
        with torch.autocast(binned.device.type, enabled=False):
            pilot = pilot.float()
            (level,) = windowed_fourier(
                binned, window=96, hop=16, thresholds=(math.inf,), counts=1
            )
            level = level.clamp_min(1e-6)
            variance = level / self.binning**2
            found = find_translations(pilot)
            first, times = average_translations(
                pilot, pilot, found, variance=variance, tolerances=_TOLERANCES
            )
            again, more = average_translations(
                first[:, -1],
                torch.cat([pilot, binned - pilot], 1),
                found,
                variance=variance,
                tolerances=_STRICTER,
            )
            estimates = torch.cat([pilot, first[:, :, 0], again[:, :, 0]], 1)
            numbers = torch.cat([times[:, :, 0], more[:, :, 0]], 1)
            seen = [
                2 * (binned / level - 1),
                10 * (estimates / level - 1),
                10 * again[:, :, 1] / level,
                torch.log10(numbers),
                -0.5 * torch.log10(self.binning**2 * level),
                again[:, 1, :1],
                level,
            ]
            return torch.cat(seen, dim=1)

    def finish(self, prepared: torch.Tensor) -> torch.Tensor:
        """Correct the second average; what `prepare` returned goes in."""
        seen, base, level = prepared.tensor_split([-2, -1], 1)
        return base + 0.1 * level * self.unet(seen)


def _denoise_by_bins(model: nn.Module, noisy: torch.Tensor) -> torch.Tensor:
    """Bin, denoise, and interpolate to the pixels again."""
    height, width = noisy.shape[-2:]
    b = model.binning
    whole = mirror(noisy, (0, -height % b), (0, -width % b))
    binned = model.denoise_binned(F.avg_pool2d(whole, b))
    return upsample(binned, whole.shape[-2:])[..., :height, :width]


_CLASSES = {"UNet": UNet, "LatticeUNet": LatticeUNet, "CrystalUNet": CrystalUNet}


def create_model(
    kind: str = "LatticeUNet",
    *,
    seed: int,
    pilot: nn.Module | str | Path | None = None,
    **config: int,
) -> nn.Module:
    """Make an untrained network whose weights depend on the seed alone.

    Parameters
    ----------
    kind : {"LatticeUNet", "CrystalUNet", "UNet"}
        Which network.
    seed : int
        Of the weights.
    pilot : LatticeUNet, str or pathlib.Path, optional
        The trained network, or its file, that a CrystalUNet begins with; the second
        network is then made like it.
    **config : int or bool
        Its parameters, such as ``channels``.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If there is no such network, or it cannot have this pilot.

    Examples
    --------
    >>> create_model("UNet", seed=0, scales=2, channels=4).scales
    2
    """
    if kind not in _CLASSES:
        msg = f"kind must be one of {', '.join(_CLASSES)}; got {kind!r}"
        raise ValueError(msg)
    if pilot is not None:
        pilot = pilot if isinstance(pilot, nn.Module) else load_model(pilot)
        if kind != "CrystalUNet" or not isinstance(pilot, LatticeUNet):
            msg = (
                "pilot must be a LatticeUNet, and is for a CrystalUNet only; got "
                f"{type(pilot).__name__} for {kind}"
            )
            raise ValueError(msg)
        config = pilot.config | config
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _CLASSES[kind](**config)
    if pilot is not None:
        model.pilot = copy.deepcopy(pilot)
    return model


def choose_device(device: str = "auto") -> torch.device:
    """Pick the processor to compute on.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        What is asked for. "auto" takes the fastest there is; a GPU that is asked for
        and missing is replaced by the CPU, with a warning.

    Returns
    -------
    torch.device
        What there is.

    Raises
    ------
    ValueError
        If there is no such kind of device.

    Examples
    --------
    >>> choose_device("cpu").type
    'cpu'
    """
    there = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if device == "auto":
        return torch.device(next(name for name, found in there.items() if found()))
    if device not in there:
        msg = f"device must be 'auto', 'cpu', 'cuda' or 'mps'; got {device!r}"
        raise ValueError(msg)
    if not there[device]():
        warnings.warn(
            f"device {device!r} is not available here; computing on the CPU instead",
            stacklevel=2,
        )
        device = "cpu"
    return torch.device(device)


def save_model(
    model: nn.Module, path: str | Path, *, notes: dict[str, str] | None = None
) -> None:
    """Write a network's weights and what they are, without any code.

    Parameters
    ----------
    model : UNet, LatticeUNet or CrystalUNet
        The network.
    path : str or pathlib.Path
        A ``.safetensors`` file; written to a temporary name and renamed.
    notes : dict of str to str, optional
        Anything to keep beside the weights.

    Raises
    ------
    TypeError
        If `model` is not a network of this library.
    """
    name = type(model).__name__
    if name not in _CLASSES:
        msg = f"model must be one of {', '.join(_CLASSES)}; got {name}"
        raise TypeError(msg)
    path = Path(path)
    tensors = {
        key: t.detach().cpu().contiguous() for key, t in model.state_dict().items()
    }
    header = {"class": name, "config": json.dumps(model.config), **(notes or {})}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata=header)
    part.chmod(0o644)
    part.replace(path)


def load_model(name_or_path: str | Path | None = None) -> nn.Module:
    """Load a network, ready to denoise.

    Parameters
    ----------
    name_or_path : str or pathlib.Path, optional
        A name of the registry such as ``"weights/default"``, a ``.safetensors`` file of
        `save_model`, or a checkpoint of the authors (``.pt``). None takes the default
        weights.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU.

    Raises
    ------
    FileNotFoundError
        If it is neither a known name nor a file.
    ValueError
        If the file is no checkpoint, or holds anything but tensors and settings. No
        code in it is run.
    """
    name = "weights/default" if name_or_path is None else name_or_path
    path = fetch(name) if isinstance(name, str) and name in ITEMS else Path(name)
    if not path.is_file():
        names = ", ".join(item for item in ITEMS if "weights/" in item)
        msg = f"name_or_path must be a file or one of {names}; got {name_or_path!r}"
        raise FileNotFoundError(msg)
    load = _load_ours if path.suffix == ".safetensors" else _load_authors
    return load(path).eval().requires_grad_(requires_grad=False)


def _load_ours(path: Path) -> nn.Module:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        model = _CLASSES[header["class"]](**json.loads(header["config"]))
        model.load_state_dict(state)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        msg = (
            "name_or_path must be a checkpoint of sbd or of the authors; got "
            f"{path} ({error})"
        )
        raise ValueError(msg) from error
    return model


def _load_authors(path: Path) -> nn.Module:
    """Read a pickle of the authors with nothing allowed but tensors and a Namespace."""
    try:
        with (
            torch.serialization.safe_globals([argparse.Namespace]),
            warnings.catch_warnings(action="ignore"),  # of unusual pickles
        ):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        args, state = checkpoint["args"], checkpoint["model"][0]
        model = UNet(
            scales=args.scales,
            channels=args.base_channels,
            bias=args.bias,
            inputs=args.in_channels,
            outputs=args.out_channels,
        )
        model.load_state_dict(state)
    except (OSError, EOFError, pickle.UnpicklingError, KeyError, IndexError, TypeError,
            AttributeError, RuntimeError, ValueError) as error:  # fmt: skip
        msg = (
            "name_or_path must be a checkpoint with tensors and settings only (no code "
            f"of it was run); got {path}"
        )
        raise ValueError(msg) from error
    return model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put a network into evaluation mode, and each of its parts back as it came.

    Parameters
    ----------
    model : torch.nn.Module
        Any network.

    Yields
    ------
    torch.nn.Module
        The same, in evaluation mode.

    Examples
    --------
    >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(model):
    ...     model.training
    False
    >>> [part.training for part in model]
    [True, False]
    """
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield model.eval()
    finally:
        for part, training in modes:
            part.training = training


def field_of_view(model: nn.Module, *, size: int = 512, seed: int = 0) -> int:
    """Measure how far from a pixel a network looks.

    Parameters
    ----------
    model : torch.nn.Module
        Any network of this library.
    size : int, default 512
        Side of the test image; the answer cannot exceed it [pixels].
    seed : int, default 0
        Of the counts it is measured on.

    Returns
    -------
    int
        Side of the smallest centred square outside which the central pixel's gradient
        vanishes [pixels].

    Raises
    ------
    ValueError
        If `size` is below 16, or the pixel depends on nothing.

    Notes
    -----
    This is what could matter, not what does. A LatticeUNet sees all of an image, since
    it divides by the image's mean; `effective_field_of_view` measures how far the
    weights of one pixel really reach.

    Examples
    --------
    >>> field_of_view(nn.Conv2d(1, 1, 5, padding=2), size=32)
    5
    """
    if size < 16:
        msg = f"size must be at least 16; got {size}"
        raise ValueError(msg)
    where = next((p.device for p in model.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    noisy = torch.poisson(torch.full((1, 1, size, size), 0.45), generator=generator)
    noisy = noisy.to(where).requires_grad_()
    middle = size // 2
    with evaluating(model):
        value = model(noisy)[0, 0, middle, middle]
    (gradient,) = torch.autograd.grad(value, noisy)
    if not gradient.any():
        msg = "model must depend on its input; got a gradient of 0 everywhere"
        raise ValueError(msg)
    seen = torch.nonzero(gradient[0, 0].abs() > 1e-7 * gradient.abs().max())
    reach = int((seen - middle).abs().max())
    return min(2 * reach + 1, size)
