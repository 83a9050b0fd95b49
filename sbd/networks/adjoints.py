"""A network and the transpose of its Jacobian as one graph of plain operations.

Automatic differentiation writes the way back through a network while it is traced; what
it writes for each operation is then put into operations that every runtime has. As in
`sbd.evidence.jacobian`, which coefficients are kept and which places are averaged is
held fixed.
"""

import copy
import operator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import fx, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from sbd.networks import portable
from sbd.networks.operations import Operations

_ATEN = torch.ops.aten
_FEW = 2**10  # rows that are added by a product
_MOST = 2**15  # numbers in a constant that is computed beforehand


def trace_adjoint(model: nn.Module, shape: tuple[int, int]) -> fx.GraphModule:
    """Trace a network on bins together with its transposed Jacobian.

    `model` has no normalisations left, as `sbd.networks.onnx` makes it. The graph takes
    binned counts and a cotangent (1, 1, height, width) and returns the estimate and the
    cotangent times the Jacobian.
    """
    model = copy.deepcopy(model)
    for part in model.modules():
        if hasattr(part, "operations"):
            part.operations = _HELD
        if isinstance(part, nn.ReLU):
            part.inplace = False
    estimate = getattr(model, "denoise_binned", model)

    def both(binned: torch.Tensor, cotangent: torch.Tensor) -> tuple[torch.Tensor, ...]:
        counts = binned.detach().requires_grad_()
        denoised = estimate(counts)
        (row,) = torch.autograd.grad(denoised, counts, cotangent)
        return denoised.detach(), row

    inputs = torch.rand(1, 1, *shape), torch.rand(1, 1, *shape)
    estimate(inputs[0])  # constants are computed now, and not while it is traced
    graph = make_fx(both)(*inputs)
    plain = make_fx(torch.func.functionalize(graph), decomposition_table=_table())
    return _fold_constants(plain(*inputs))


def _find(image: torch.Tensor, *, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return portable.find_translations(image, number=number)


def _sum(
    guide: torch.Tensor,
    images: torch.Tensor,
    found: tuple[torch.Tensor, torch.Tensor],
    variance: torch.Tensor,
    tolerances: tuple[float, ...],
) -> torch.Tensor:
    guide, variance = guide.detach(), variance.detach()
    return portable.sum_translations(guide, images, found, variance, tolerances)


_HELD = Operations(
    mirror=portable.mirror,
    upsample=portable.upsample,
    windowed_fourier=portable.windowed_fourier,
    find_translations=_find,
    sum_translations=_sum,
)
"""The portable operations, with no gradient where the library has none."""


# --- the way back through single operations

_T = torch.Tensor


def _back_convolution(
    gradient: _T,
    image: _T,
    weight: _T,
    _sizes: list[int] | None,
    *how: object,
) -> tuple[_T, None, None]:
    """Transpose a convolution; the weights stay as they are."""
    stride, padding, dilation, transposed, _, groups, _ = how
    if transposed:
        back = F.conv2d(gradient, weight, None, stride, padding, dilation, groups)
        return back, None, None
    axes = zip(stride, padding, dilation, strict=True)
    left = [
        image.shape[i] - (gradient.shape[i] - 1) * s + 2 * p - d * (weight.shape[i] - 1)
        for i, (s, p, d) in enumerate(axes, 2)
    ]
    extra = [n - 1 for n in left]
    back = F.conv_transpose2d(
        gradient, weight, None, stride, padding, extra, groups, dilation
    )
    return back, None, None


def _back_pooling(gradient: _T, image: _T, *how: object) -> _T:
    """Give a maximum's gradient to where it was; equal ones must be zeros of a ReLU."""
    sides, pooled = image.shape[2:], gradient.shape[2:]
    if any(n != 2 * m for n, m in zip(sides, pooled, strict=True)):
        msg = f"bins must be halved evenly; got {tuple(sides)} (take multiples of 16)"
        raise ValueError(msg)
    highest = F.max_pool2d(image, *how[:5])
    return (image == _double(highest)) * _double(gradient)


def _double(image: _T) -> _T:
    """Repeat each place twice, along both axes."""
    batch, channels, height, width = image.shape
    image = image[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
    return image.reshape(batch, channels, 2 * height, 2 * width)


def _back_upsampling(
    gradient: _T, fine: list[int], coarse: list[int], align: bool, *_scales: object
) -> _T:
    """Multiply by the transposed matrices of the interpolation."""
    how = {"mode": "bilinear", "align_corners": align}
    rows, columns = (
        F.interpolate(torch.eye(n)[None, None], (n, m), **how)[0, 0].T
        for n, m in zip(coarse[2:], fine, strict=True)
    )
    return rows.T @ gradient @ columns


def _back_replication(gradient: _T, image: _T, padding: list[int]) -> _T:
    """Add what was padded to the border."""
    left, right, top, bottom = padding
    for axis, before, after in ((2, top, bottom), (3, left, right)):
        n = image.shape[axis]
        if n == 1:
            gradient = gradient.sum(axis, keepdim=True)
            continue
        first, middle, last = gradient.split([before + 1, n - 2, after + 1], axis)
        ends = (part.sum(axis, keepdim=True) for part in (first, last))
        gradient = torch.cat([next(ends), middle, next(ends)], axis)
    return gradient


def _back_slice(
    gradient: _T, sides: list[int], axis: int, start: int, _end: int, step: int
) -> _T:
    """Put zeros around."""
    if step != 1:
        msg = f"slices must have a step of 1; got {step}"
        raise ValueError(msg)
    return _embed(gradient, sides, axis, start)


def _back_select(gradient: _T, sides: list[int], axis: int, index: int) -> _T:
    """Put zeros around."""
    return _embed(gradient.unsqueeze(axis % len(sides)), sides, axis, index)


def _embed(part: _T, sides: list[int], axis: int, start: int) -> _T:
    axis %= len(sides)
    start %= sides[axis]
    rest = sides[axis] - start - part.shape[axis]
    return F.pad(part, [0, 0] * (len(sides) - 1 - axis) + [start, rest])


def _add_index(image: _T, axis: int, index: _T, source: _T) -> _T:
    """Add rows to an image of zeros: few by a product, many as ONNX can."""
    axis %= source.dim()
    if len(index) < _FEW:
        places = torch.arange(image.shape[axis])[:, None]
        spread = (places == index).to(source)
        last = axis == source.dim() - 1
        return source @ spread.T if last else spread @ source
    sides = [1] * source.dim()
    sides[axis] = -1
    return image.scatter_add(axis, index.view(sides).expand(source.shape), source)


def _table() -> dict:
    """List how operations are put into plainer ones."""
    names = {
        "threshold_backward", "unbind", "rsub", "new_zeros", "new_full", "lift_fresh",
        "sinc", "ones_like", "zeros_like",
    }  # fmt: skip
    core = core_aten_decompositions().items()
    table = {
        op: how for op, how in core if op.name().split("::")[1].split(".")[0] in names
    }
    return table | {
        _ATEN.convolution_backward.default: _back_convolution,
        _ATEN.max_pool2d_with_indices_backward.default: _back_pooling,
        _ATEN.upsample_bilinear2d_backward.default: _back_upsampling,
        _ATEN.replication_pad2d_backward.default: _back_replication,
        _ATEN.index_add.default: _add_index,
        _ATEN.slice_backward.default: _back_slice,
        _ATEN.select_backward.default: _back_select,
    }


# --- constants


def _fold_constants(module: fx.GraphModule) -> fx.GraphModule:
    """Compute what depends on nothing but constants, where it is small."""
    graph, known = module.graph, {}
    for node in list(graph.nodes):
        if node.op == "get_attr":
            known[node] = operator.attrgetter(node.target)(module)
        if node.op != "call_function" or not set(node.all_input_nodes) <= known.keys():
            continue
        args, options = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
        with torch.no_grad():
            value = node.target(*args, **options)
        if not isinstance(value, torch.Tensor):  # a list of them
            known[node] = value
        elif value.numel() <= _MOST:
            name = f"_constant_{len(known)}"
            module.register_buffer(name, value.contiguous())
            with graph.inserting_before(node):
                constant = graph.get_attr(name)
            known[node] = known[constant] = value
            node.replace_all_uses_with(constant)
    graph.eliminate_dead_code()
    module.recompile()
    return module
