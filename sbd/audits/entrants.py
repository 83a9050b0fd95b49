"""Denoisers as those who bring them name them: a module, weights, or one of these.

Whatever it is, it becomes a function from image to image that is never trusted: it gets
a copy of the counts, and what it returns is looked at before it is scored.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sbd.data.registry import ITEMS, fetch
from sbd.denoisers.baselines import BASELINES, name_parameters
from sbd.denoisers.network import denoise_network
from sbd.files import sha256
from sbd.networks.models import load_model
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_image

_WEIGHTS = ".safetensors", ".pt"
_SHORT = 200  # letters of a foreign error that are repeated
_NO_DENOISER = ("weights/eraser",)


@dataclass(frozen=True)
class Entrant:
    """A denoiser that is to be scored, and what it was made from.

    Parameters
    ----------
    name : str
        As tables show it.
    denoise : callable
        Image to image [electrons per pixel].
    kind : {"module", "weights", "built-in", "function"}
        What it was given as.
    digest : str, optional
        SHA-256 of the file that it was made from, and of others that were named; None
        of a function that was handed over as it is.
    device : str, default "cpu"
        Where it computes, if that is known.

    Examples
    --------
    >>> Entrant("mean", np.array, "function").digest is None
    True
    """

    name: str
    denoise: Denoiser
    kind: str = "function"
    digest: str | None = None
    device: str = "cpu"

    def on(self, frame: str) -> Denoiser:
        """Give a function that names this image when something is wrong."""
        return partial(_apply, self.denoise, self.name, frame)


def _apply(denoise: Denoiser, name: str, frame: str, noisy: Image) -> Image:
    """Denoise a copy, and see that a finite image of the same shape comes back."""
    try:
        result = denoise(noisy.copy())
    except Exception as error:  # whatever it is, it is the caller's
        said = f"{type(error).__name__}: {error}"[:_SHORT]
        msg = f"{name!r} must denoise every image; got {said} (image {frame})"
        raise RuntimeError(msg) from error
    if result is None:
        msg = f"{name!r} must return an image; got None (image {frame})"
        raise TypeError(msg)
    if np.ma.is_masked(result):  # what is below a mask is no estimate
        msg = f"{name!r} must return an image without a mask (image {frame})"
        raise ValueError(msg)
    try:
        return check_image(apply_denoiser(lambda _: result, noisy, name), repr(name))
    except (TypeError, ValueError, RuntimeError) as error:
        msg = f"{error} (image {frame})"
        raise type(error)(msg) from error


def load_entrant(
    given: str | Denoiser | Entrant,
    *,
    name: str | None = None,
    device: str = "cpu",
    files: Sequence[str | Path] = (),
) -> Entrant:
    """Get a denoiser by what it is called.

    Parameters
    ----------
    given : str, callable or Entrant
        ``"my_module:denoise"`` or ``"folder/my_file.py:denoise"``, a file of weights
        (``.safetensors``, or ``.pt`` of the authors), the name of weights such as
        ``"default"`` or ``"paper"``, or of a classical denoiser such as
        ``"windowed-fourier"``. A function is taken as it is.
    name : str, optional
        What tables call it; what was given if not said.
    device : str, default "cpu"
        Where networks of this library compute; of others it is only written down.
    files : sequence of str or pathlib.Path
        Other files that it is made of, such as its weights, for the digest.

    Returns
    -------
    Entrant
        The denoiser with its digest.

    Raises
    ------
    ValueError
        If there is no such denoiser, or no such function in the module.
    ImportError
        If the module cannot be imported.
    FileNotFoundError
        If a file is not there.
    TypeError
        If it is no function.

    Examples
    --------
    >>> load_entrant("windowed-fourier").kind
    'built-in'
    >>> load_entrant("median")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: denoiser must be MODULE:FUNCTION, a file of weights, or one of ...
    """
    if isinstance(given, Entrant):
        return given
    if callable(given):
        called = name or getattr(given, "__name__", type(given).__name__)
        return Entrant(called, given, "function", None, device)
    if not isinstance(given, str):
        msg = f"denoiser must be a function or its name; got {type(given).__name__}"
        raise TypeError(msg)
    if Path(given).suffix in _WEIGHTS:
        kind, denoise, own = "weights", *_load_weights(given, device)
    elif ":" in given:
        kind, denoise, own = "module", *_load_function(given)
    else:
        kind, denoise, own = _load_built_in(given, device)
    for file in map(Path, files):
        if not file.is_file():
            msg = f"files must be there; got {file}"
            raise FileNotFoundError(msg)
    digest = sha256(*own, *map(Path, files))
    return Entrant(name or given, denoise, kind, digest, device)


def _load_weights(given: str, device: str) -> tuple[Denoiser, list[Any]]:
    model = load_model(given)
    path = fetch(given) if given in ITEMS else Path(given)
    return partial(denoise_network, model=model, device=device), [path]


def _load_function(given: str) -> tuple[Denoiser, list[Any]]:
    """Import ``module:function``; a module may be a file too."""
    where, _, called = given.rpartition(":")
    module = _import_file(where) if where.endswith(".py") else _import(where)
    known = [
        key
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    ]
    function: Callable | None = module
    for part in called.split("."):
        function = getattr(function, part, None)
    if function is None:
        there = ", ".join(known) or "no function"
        msg = f"denoiser must name a function of {where}, {there}; got {called!r}"
        raise ValueError(msg)
    if not callable(function):
        kind = type(function).__name__
        msg = f"denoiser must be a function; got {given}, which is of type {kind}"
        raise TypeError(msg)
    source = getattr(module, "__file__", None)
    return function, [Path(source) if source else where.encode()]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a module may do anything when it is imported
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        way = " (is it in this folder, or installed?)" if missing else ""
        said = f"{type(error).__name__}: {error}"[:_SHORT]
        msg = f"denoiser must be in a module that can be imported; got {said}{way}"
        raise ImportError(msg) from error


def _import_file(name: str) -> ModuleType:
    path = Path(name)
    if not path.is_file():
        msg = f"denoiser must be in a file that exists; got {name}"
        raise FileNotFoundError(msg)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # as dataclasses of the module ask for it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:_SHORT]
        msg = f"denoiser must be in a module that can be imported; got {said} ({name})"
        raise ImportError(msg) from error
    finally:
        if known is not None:
            sys.modules[path.stem] = known
    return module


def _load_built_in(given: str, device: str) -> tuple[str, Denoiser, list[Any]]:
    """Find weights of the catalogue, or a classical denoiser with its defaults."""
    weights = [item for item in ITEMS if _is_denoiser(item)]
    filters = {name.lower().replace(" ", "-"): name for name in BASELINES}
    short = given.lower().replace(" ", "-")
    for item in (given, f"weights/{given}"):
        if item in weights:
            return "weights", *_load_weights(item, device)
    if short in filters:
        name = filters[short]
        denoise = BASELINES[name].denoise
        function = getattr(denoise, "func", denoise)
        try:
            source = [Path(inspect.getsourcefile(function))]
        except TypeError:  # the counts themselves
            source = []
        own = [name.encode(), name_parameters(denoise).encode(), *source]
        return "built-in", denoise, own
    known = ", ".join([*(item.removeprefix("weights/") for item in weights), *filters])
    msg = (
        f"denoiser must be MODULE:FUNCTION, a file of weights, or one of {known}; "
        f"got {given!r}"
    )
    raise ValueError(msg)


def _is_denoiser(item: str) -> bool:
    return item.startswith("weights/") and item not in _NO_DENOISER


def compare_calls(entrant: Entrant, noisy: Image) -> float:
    """Call a denoiser twice on the same counts: the largest difference [e/pixel]."""
    denoise = entrant.on("of the first of all")
    first = np.array(denoise(noisy))  # it may hand out the same array again
    return float(np.abs(first - denoise(noisy)).max())


def guess_units(estimate: Image, noisy: Image, name: str) -> str:
    """Say that an estimate is in other units than the counts, if it looks so."""
    mean, expected = float(np.mean(estimate)), float(np.mean(noisy))
    if expected <= 0 or 0.5 < mean / expected < 2:
        return ""
    ratio = mean / expected
    way = f"divide it by {ratio:.3g}" if ratio > 0 else "nothing, or its negative"
    return (
        f"{name!r} returns a mean of {mean:.3g} where that of the counts is "
        f"{expected:.3g}: estimates must be in electrons per pixel ({way}?)"
    )
