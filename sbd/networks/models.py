"""Networks made, written, read and measured; `sbd.networks.published` defines them."""

import argparse
import copy
import json
import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from sbd.data.registry import ITEMS, fetch
from sbd.files import replacing
from sbd.networks.lattice import CrystalUNet, LatticeUNet
from sbd.networks.published import DnCNN, DurrUNet, UNet
from sbd.validation import check_whole, check_word

_CLASSES = {
    kind.__name__: kind for kind in (UNet, DnCNN, DurrUNet, LatticeUNet, CrystalUNet)
}

_STEP = ".step"  # of what is kept as whole numbers: what one is worth

# what the authors' checkpoints call a network, and a layer that only it has
_NAMES = {"unet": UNet, "unet2": UNet, "dncnn": DnCNN, "durrunet": DurrUNet}
_LAYERS = {
    "outc.conv.weight": UNet,
    "last_layer.weight": DnCNN,
    "conv9.weight": DurrUNet,
}
_SETTINGS = {  # ours and theirs
    UNet: {
        "scales": "scales",
        "channels": "base_channels",
        "bias": "bias",
        "inputs": "in_channels",
        "outputs": "out_channels",
        "residual": "residual",
    },
    DnCNN: {
        "depth": "num_layers",
        "channels": "hidden_size",
        "bias": "bias",
        "inputs": "in_channels",
    },
    DurrUNet: {"residual": "residual"},
}


def create_model(
    kind: str = "LatticeUNet",
    *,
    seed: int,
    pilot: nn.Module | str | Path | None = None,
    **config: object,
) -> nn.Module:
    """Make an untrained network whose weights depend on the seed alone.

    Parameters
    ----------
    kind : {"LatticeUNet", "CrystalUNet", "UNet", "DnCNN", "DurrUNet"}
        Which network.
    seed : int
        Of the weights.
    pilot : LatticeUNet, CrystalUNet, str or pathlib.Path, optional
        The trained network, or its file, that a CrystalUNet begins with.
    **config : int, bool or dict
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
    check_word("kind", kind, _CLASSES)
    if pilot is not None:
        pilot = _load_pilot(pilot, kind)
        config = {"binning": pilot.binning, **config, "pilot": pilot.config}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _CLASSES[kind](**config)
    if pilot is not None:
        model.pilot = copy.deepcopy(pilot)
    return model


def change_pilot(model: CrystalUNet, pilot: nn.Module | str | Path) -> CrystalUNet:
    """Give the last UNet of a network another pilot, to go on from there.

    Parameters
    ----------
    model : CrystalUNet
        The network, which stays what it is.
    pilot : LatticeUNet, CrystalUNet, str or pathlib.Path
        The other pilot, or its file.

    Returns
    -------
    CrystalUNet
        A network of its own, in evaluation mode.

    Raises
    ------
    ValueError
        If either is of another kind, or the pilot adds other bins.

    Examples
    --------
    >>> model = create_model("CrystalUNet", seed=0, scales=2, channels=4)
    >>> change_pilot(model, model).pilot.pilot.config == model.pilot.config
    True
    """
    pilot = _load_pilot(pilot, type(model).__name__)
    config = {key: value for key, value in model.config.items() if key != "pilot"}
    changed = create_model("CrystalUNet", seed=0, pilot=pilot, **config)
    changed.unet.load_state_dict(model.unet.state_dict())
    return changed.eval().requires_grad_(requires_grad=False)


def _load_pilot(pilot: nn.Module | str | Path, kind: str) -> nn.Module:
    pilot = pilot if isinstance(pilot, nn.Module) else load_model(pilot)
    if kind != "CrystalUNet" or not isinstance(pilot, LatticeUNet | CrystalUNet):
        msg = (
            "pilot must be a LatticeUNet or CrystalUNet, and is for a CrystalUNet "
            f"only; got {type(pilot).__name__} for {kind}"
        )
        raise ValueError(msg)
    return pilot


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of that name; "auto" takes the fastest there is.

    A GPU that is missing is replaced by the CPU, with a warning.
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
    model: nn.Module,
    path: str | Path,
    *,
    notes: dict[str, str] | None = None,
    bits: int = 32,
) -> None:
    """Write a network's weights and what they are, without any code.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library.
    path : str or pathlib.Path
        A ``.safetensors`` file; written to a temporary name and renamed.
    notes : dict of str to str, optional
        Anything to keep beside the weights.
    bits : {32, 16, 8}, default 32
        Of each number, to save space; what is loaded has 32 again. Of 16, 11 are
        significant. With 8, weights of convolutions are whole multiples of a 127th of
        the largest of their output channel, and everything else has 16.

    Raises
    ------
    TypeError
        If `model` is not a network of this library.
    ValueError
        If `bits` is another number.
    """
    name = type(model).__name__
    if name not in _CLASSES:
        msg = f"model must be one of {', '.join(_CLASSES)}; got {name}"
        raise TypeError(msg)
    if bits not in (32, 16, 8):
        msg = f"bits must be 32, 16 or 8; got {bits!r}"
        raise ValueError(msg)
    tensors = {}
    for key, value in model.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        if bits == 8 and tensor.ndim == 4:
            step = tensor.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-30) / 127
            tensors[key] = (tensor / step).round().to(torch.int8)
            tensors[f"{key}{_STEP}"] = step
        elif bits < 32 and tensor.is_floating_point():
            tensors[key] = tensor.half()
        else:
            tensors[key] = tensor
    header = {"class": name, "config": json.dumps(model.config), **(notes or {})}
    with replacing(path) as part:
        save_file(tensors, part, metadata=header)
        part.chmod(0o644)


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
        In evaluation mode, on the CPU. One that was trained here has ``trained_pixel``,
        the range of pixel sizes it learnt from [angstrom].

    Raises
    ------
    FileNotFoundError
        If it is neither a known name nor a file.
    ValueError
        If the file is no checkpoint, holds anything but tensors and settings, or
        another network than `UNet`, `DnCNN` or `DurrUNet`. No code in it is run.
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
        for key in [key for key in state if key.endswith(_STEP)]:
            whole = key.removesuffix(_STEP)
            state[whole] = state[whole] * state.pop(key)
        model = _CLASSES[header["class"]](**json.loads(header["config"]))
        model.load_state_dict(state)
        settings = json.loads(header.get("training", "{}"))
        if "drawing" in settings:
            model.trained_pixel = tuple(settings["drawing"]["pixel"])
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
        settings = {"residual": False} | vars(args)  # early runs had no such option
        layers = set(state)
    except (OSError, EOFError, pickle.UnpicklingError, KeyError, IndexError, TypeError,
            AttributeError, RuntimeError, ValueError) as error:  # fmt: skip
        msg = (
            "name_or_path must be a checkpoint with tensors and settings only (no code "
            f"of it was run); got {path}"
        )
        raise ValueError(msg) from error
    try:
        kind = _recognise(settings, layers)
        model = kind(**{our: settings[their] for our, their in _SETTINGS[kind].items()})
        model.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        names = ", ".join(kind.__name__ for kind in _SETTINGS)
        msg = (
            f"name_or_path must be a checkpoint of {names}; got {path} "
            f"({type(error).__name__}: {error})"
        )
        raise ValueError(msg) from error
    return model


def _recognise(settings: Mapping[str, object], layers: Iterable[str]) -> type:
    """Tell which network a checkpoint of the authors holds."""
    name = settings.get("arch", settings.get("model"))
    found = {_LAYERS[layer] for layer in _LAYERS.keys() & layers}
    if name is None and len(found) == 1:
        return found.pop()
    if name not in _NAMES:
        known = ", ".join(_NAMES)
        msg = f"its arch or model must be one of {known}; got {name!r}"
        raise ValueError(msg)
    return _NAMES[name]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put a network into evaluation mode, and each of its parts back as it came."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield model.eval()
    finally:
        for part, training in modes:
            part.training = training


def field_of_view(model: nn.Module, *, size: int = 512, seed: int = 0) -> int:
    """Measure how far from a pixel a network looks.

    This is what could matter, not what does. A LatticeUNet sees all of an image, if
    only because it interpolates by a Fourier series;
    `sbd.evidence.effective_field_of_view` measures how far the weights of one pixel
    really reach.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library.
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

    Examples
    --------
    >>> field_of_view(nn.Conv2d(1, 1, 5, padding=2), size=32)
    5
    """
    check_whole("size", size, 16)
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
