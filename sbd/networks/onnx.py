"""Networks as ONNX files, for runtimes in a browser, in C++ or on a telephone."""

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import nn

from sbd.files import write_bytes
from sbd.networks.adjoints import trace_adjoint
from sbd.networks.convolutions import FastConvolution
from sbd.networks.eraser import SIDE, load_eraser
from sbd.networks.inference import fold
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.portable import make_portable
from sbd.networks.published import DnCNN, DurrUNet, UNet

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

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
    noisy = torch.rand(1, model.config.get("inputs", 1), *shape)
    with torch.no_grad():
        model(noisy)  # constants are computed now, and not while it is traced
    names = {"noisy": noisy}
    return _export(model, names, ["denoised"], free=free).SerializeToString()


def _export(
    module: nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    *,
    free: bool = False,
) -> "ModelProto":
    """Export a module for inputs of these names and shapes."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        msg = "ONNX files need the extra: pip install 'sbd[onnx]'"
        raise ImportError(msg) from error
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of packages that are not needed
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=outputs,
                opset_version=OPSET,
                dynamic_shapes=(sides,) * len(inputs) if free else None,
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    proto = program.model_proto
    for node in proto.graph.node:
        del node.metadata_props[:]  # where in the code it came from
    return proto


def export_bins(
    model: nn.Module,
    path: str | Path,
    *,
    bins: tuple[int, int],
    weights: Path,
    row: bool = False,
) -> None:
    """Write a network on binned counts, without its weights, for the page of the book.

    The input ``binned`` and the output ``denoised`` are (1, 1, *bins). With `row` there
    are a cotangent and the row, its product with the Jacobian (`trace_adjoint`). The
    convolutions' weights are read from `weights`, the file that the network was loaded
    from, where it lies beside the graph: as 16 bits, times what is folded into them.
    """
    plain, binned = _plain(model), torch.rand(1, 1, *bins)
    found = _find_weights(plain, weights)
    inputs, outputs = {"binned": binned}, ["denoised"]
    if row:
        module = trace_adjoint(plain, bins)
        inputs["cotangent"] = binned.clone()
        outputs.append("row")
    else:
        module = _OnBins(plain).eval()
        with torch.no_grad():
            module(binned)
    _write_without(path, module, inputs, outputs, found=found, file=weights.name)


def export_eraser(path: str | Path, *, weights: Path, patches: int) -> None:
    """Write the network that takes a column out of a patch, without its weights.

    The input ``patches`` and the output ``erased`` are (patches, 1, 32, 32), the output
    ``doubt`` is (patches, 2). The convolutions' weights are read from `weights`, the
    file of an `Eraser`, where it lies beside the graph.
    """
    net = load_eraser(weights)
    inputs = {"patches": torch.rand(patches, 1, SIDE, SIDE)}
    found = _find_weights(net, weights)
    outputs = ["erased", "doubt"]
    _write_without(path, net, inputs, outputs, found=found, file=weights.name)


def _write_without(
    path: str | Path,
    module: nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    *,
    found: dict[bytes, tuple],
    file: str,
) -> None:
    """Write a graph that reads from `file` the weights that were found there."""
    proto = _export(module, inputs, outputs)
    _share_weights(proto.graph, found, file)
    _join_equal(proto.graph)
    write_bytes(path, proto.SerializeToString())


class _OnBins(nn.Module):
    """A network that is given bins."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, binned: torch.Tensor) -> torch.Tensor:
        return self.network.denoise_binned(binned)


def _find_weights(plain: nn.Module, path: Path) -> dict[bytes, tuple]:
    """Tell of a network's weights where in a file they are, and what is folded in.

    By their bytes: the kept tensor's place, shape and scale.
    """
    start = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8:start])
    kept, found = load_file(path), {}
    for name, value in plain.state_dict().items():
        key = name if name in kept else name.replace(".conv.weight", ".weight")
        if value.dim() != 4 or header.get(key, {}).get("dtype") != "F16":
            continue
        given, made = kept[key].double(), value.double()
        sums = (1, 2, 3)
        scale = ((given * made).sum(sums) / given.square().sum(sums)).float()
        again = scale[:, None, None, None] * kept[key].float()
        if (again - value).abs().max() > 3e-7 * value.abs().max():  # of float32
            msg = f"weights must be those of the network; got others for {key}"
            raise ValueError(msg)
        first, last = header[key]["data_offsets"]
        place = start + first, last - first
        raw = value.contiguous().numpy().tobytes()
        found[raw] = (key, place, tuple(value.shape), scale.numpy())
    return found


def _share_weights(graph: "GraphProto", found: dict[bytes, tuple], file: str) -> None:
    """Let a graph read its weights from a file."""
    from onnx import TensorProto, helper, numpy_helper

    first = []
    for tensor in list(graph.initializer):
        raw = numpy_helper.to_array(tensor).tobytes()
        if raw not in found:
            continue
        key, (offset, length), shape, scale = found[raw]
        name = tensor.name
        kept = TensorProto(name=f"{key} of {name}", data_type=TensorProto.FLOAT16)
        kept.dims.extend(shape)
        kept.data_location = TensorProto.EXTERNAL
        entries = {"location": file, "offset": offset, "length": length}
        for entry, value in entries.items():
            kept.external_data.add(key=entry, value=str(value))
        times = numpy_helper.from_array(scale[:, None, None, None], f"scale of {name}")
        graph.initializer.remove(tensor)
        graph.initializer.extend([kept, times])
        whole = f"whole {name}"
        first += [
            helper.make_node("Cast", [kept.name], [whole], to=TensorProto.FLOAT),
            helper.make_node("Mul", [whole, times.name], [name]),
        ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(first + rest)


def _join_equal(graph: "GraphProto") -> None:
    """Keep one of several constants that are the same."""
    names, seen = {}, {}
    for tensor in list(graph.initializer):
        if tensor.external_data:
            continue
        what = tensor.data_type, tuple(tensor.dims), tensor.raw_data
        if what[2] and what in seen:
            names[tensor.name] = seen[what]
            graph.initializer.remove(tensor)
        seen.setdefault(what, tensor.name)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
