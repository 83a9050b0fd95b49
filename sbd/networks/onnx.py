"""Networks as ONNX files, for runtimes in a browser, in C++ or on a telephone."""

import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from sbd.files import write_bytes
from sbd.networks.convolutions import FastConvolution
from sbd.networks.inference import fold
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.portable import make_portable
from sbd.networks.published import DnCNN, DurrUNet, UNet

_NETWORKS = (UNet, DnCNN, DurrUNet, LatticeUNet, CrystalUNet)
OPSET = 18
"""Of the operators in a file."""


def export_onnx(
    model: nn.Module, path: str | Path, *, shape: tuple[int, int] | None
) -> None:
    """Write a network as an ONNX file, which runtimes without torch can read.

    The file's input ``noisy`` and output ``denoised`` are float32 of shape (1, 1,
    height, width), in electrons per pixel. Normalisations are folded into convolutions.
    Only standard operators of opset 18 are used, and no Fourier transforms. Runtimes
    round differently: results agree to about 1e-6 of the largest value. A `LatticeUNet`
    keeps or drops coefficients and a `CrystalUNet` picks translations, so that where
    one is on the brink rounding may decide, here as between float32 and float64.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library; left as it is.
    path : str or pathlib.Path
        An ``.onnx`` file; written to a temporary name and renamed.
    shape : tuple of int, or None
        (height, width) of the images that it will take [pixels]. None is for images of
        any shape, for networks that do not bin the counts.

    Raises
    ------
    ImportError
        If ONNX is not installed.
    TypeError
        If `model` is not a network of this library.
    ValueError
        If `shape` is not two positive whole numbers, or None for a network that bins.

    Examples
    --------
    >>> from sbd.networks.published import DnCNN
    >>> export_onnx(DnCNN(depth=3, channels=2), "small.onnx", shape=(0, 64))
    Traceback (most recent call last):
        ...
    ValueError: shape must be two positive whole numbers, or None; got (0, 64)
    """
    name = type(model).__name__
    if not isinstance(model, _NETWORKS):
        names = ", ".join(kind.__name__ for kind in _NETWORKS)
        msg = f"model must be one of {names}; got {name}"
        raise TypeError(msg)
    if shape is None and needs_shape(model):
        msg = f"shape must be (height, width) for a {name} that bins counts; got None"
        raise ValueError(msg)
    sides = (50, 60) if shape is None else shape
    whole = [isinstance(n, int) and n > 0 for n in sides]
    if whole != [True, True]:
        msg = f"shape must be two positive whole numbers, or None; got {shape!r}"
        raise ValueError(msg)
    write_bytes(path, _translate(_plain(model), sides, free=shape is None))


def needs_shape(model: nn.Module) -> bool:
    """Whether a file can be for images of one shape only: networks that bin counts."""
    return isinstance(model, LatticeUNet | CrystalUNet) or (
        isinstance(model, UNet) and model.binning > 1
    )


def _plain(model: nn.Module) -> nn.Module:
    """Make a folded copy with portable operations and ordinary convolutions only."""
    plain = make_portable(fold(model)).cpu().float().eval()
    for part in list(plain.modules()):
        for name, child in part.named_children():
            if isinstance(child, FastConvolution):
                setattr(part, name, child.conv)
    return plain.to(memory_format=torch.contiguous_format)


def _translate(model: nn.Module, shape: tuple[int, int], *, free: bool) -> bytes:
    """Trace a network and translate its operations."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        msg = "ONNX files need the extra: pip install 'sbd[onnx]'"
        raise ImportError(msg) from error
    noisy = torch.rand(1, model.config.get("inputs", 1), *shape)
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of packages that are not needed
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            model(noisy)  # constants are computed now, and not while it is traced
            program = torch.onnx.export(
                model,
                (noisy,),
                input_names=["noisy"],
                output_names=["denoised"],
                opset_version=OPSET,
                dynamic_shapes=(sides,) if free else None,
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]  # where in the code it came from
    return graph.SerializeToString()
