"""Files of microscopes' makers, read by rosettasciio.

Its licence is GPL-3, so it is an extra (``pip install 'sbd[em]'``) that this module
alone imports.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from sbd.recordings.lengths import PixelSize, RefusedFileError, measure
from sbd.recordings.recording import PROVENANCE, Recording, parse_notes

FORMATS = {
    "dm3": "DigitalMicrograph", "dm4": "DigitalMicrograph", "emd": "EMD", "ser": "TIA",
    "emi": "TIA", "hspy": "HSPY", "zspy": "ZSPY", "blo": "Blockfile",
}  # fmt: skip
"""Which of rosettasciio's readers reads a suffix."""


def read_signals(file: Path, kind: str) -> list[Recording]:
    """Read every image and stack of images in a file, by the reader's name.

    ImportError with the way out where rosettasciio is missing; what it raises of a
    damaged file is a ValueError.
    """
    try:
        plugins = import_module("rsciio").IO_PLUGINS
    except ImportError:
        msg = (
            f"{file.name} is read by rosettasciio, which is not installed: "
            "pip install 'sbd[em]'"
        )
        raise ImportError(msg) from None
    reader = next(plugin["api"] for plugin in plugins if plugin["name"] == kind)
    try:
        with quiet("rsciio"):
            signals = import_module(reader).file_reader(str(file))
    except Exception as error:  # whatever goes wrong in a reader, the file is damaged
        msg = (
            f"file must be a whole {kind} file; got {file}, of which rosettasciio "
            f"says: {type(error).__name__}: {error}"
        )
        raise RefusedFileError(msg) from error
    return [_to_recording(signal, file) for signal in signals if _is_image(signal)]


def write_signal(
    file: Path,
    values: np.ndarray,
    sides: tuple[float, float] | None,
    notes: Mapping,
    exposure: float | None,
) -> None:
    """Write a .hspy file for hyperspy; sides of a pixel in angstrom, exposure in s."""
    try:
        write = import_module("rsciio.hspy").file_writer
    except ImportError:
        msg = "a .hspy file is written by rosettasciio: pip install 'sbd[em]'"
        raise ImportError(msg) from None
    metadata = {"General": {"title": ""}, "Signal": {"signal_type": ""}, **notes}
    if exposure:
        metadata["Acquisition_instrument"] = {"TEM": {"exposure": exposure}}
    write(
        str(file),
        {
            "data": values,
            "axes": describe_axes(values.shape, sides, exposure),
            "metadata": metadata, "original_metadata": {}, "learning_results": {},
            "package_info": {}, "models": {}, "attributes": {"_lazy": False},
            "tmp_parameters": {},
        },
        show_progressbar=False,
    )  # fmt: skip


def describe_axes(
    shape: tuple[int, ...], sides: tuple[float, float] | None, exposure: float | None
) -> list[dict]:
    """Describe the axes of an image or a stack for hyperspy.

    Sides of a pixel in angstrom become nm, frames are in s; what is not known has no
    unit.
    """
    down, across = (side / 10 for side in sides) if sides else (1.0, 1.0)
    unit = "nm" if sides else ""
    time = (exposure, "s") if exposure else (1.0, "")
    axes = [("frame", *time), ("y", down, unit), ("x", across, unit)][-len(shape) :]
    return [
        {
            "_type": "UniformDataAxis", "name": name, "scale": scale, "units": unit,
            "offset": 0.0, "size": size, "index_in_array": i,
            "navigate": i < len(shape) - 2,
        }
        for i, ((name, scale, unit), size) in enumerate(zip(axes, shape, strict=True))
    ]  # fmt: skip


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a reader from saying what is amiss with a file: it is said in our words."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


def _axes(signal: Mapping) -> list[Mapping]:
    """Axes in the order of the data; some readers leave places out."""
    axes = list(signal.get("axes") or [])
    return sorted(axes, key=lambda a: a.get("index_in_array", axes.index(a)))


def _is_image(signal: Mapping) -> bool:
    """Whether a signal is an image or a stack of images, of numbers."""
    data, axes = signal["data"], _axes(signal)
    if getattr(data, "ndim", 0) not in (2, 3) or data.dtype.kind not in "buif":
        return False
    if data.ndim == 3 and axes and _is_spectral(axes[0]):
        return False
    flat = [axis for axis in axes if not axis.get("navigate")]
    # two axes of an image, or a map whose every place has one number
    return len(flat) in (0, 2) or (data.ndim == 2 and len(flat) != 1)


def _is_spectral(axis: Mapping) -> bool:
    """Whether images along an axis are of one energy each, and no frames."""
    words = str(axis.get("name")).lower(), str(axis.get("units")).lower()
    return words[1] in ("ev", "kev") or words[0].startswith(("energy", "wavelength"))


def _to_recording(signal: Mapping, file: Path) -> Recording:
    data, metadata = np.asarray(signal["data"]), signal.get("metadata") or {}
    axes = _axes(signal)[-2:]
    size = PixelSize(None, "the file describes no axes")
    if len(axes) == 2:
        size = measure(
            tuple(axis.get("scale", 1.0) for axis in axes),
            tuple(axis.get("units") for axis in axes),
            f"axes of the {file.suffix.lstrip('.').lower()} file",
        )
    exposure = _find(metadata, ("exposure", "exposure_time", "integration_time"))
    unit = (_find(metadata, ("quantity",)) or "").__str__()
    told = {"metadata": metadata, "original": signal.get("original_metadata") or {}}
    told |= parse_notes(metadata.get(PROVENANCE))
    return Recording(
        data, size, unit="" if unit.lower() == "intensity" else unit,
        exposure=float(exposure) if isinstance(exposure, int | float) else None,
        file=file, title=str(_find(metadata, ("title",)) or ""),
        metadata=told,
    )  # fmt: skip


def _find(tree: object, names: tuple[str, ...]) -> object:
    """Find the first value of one of some names, anywhere in nested settings."""
    if not isinstance(tree, Mapping):
        return None
    for name in names:
        if name in tree and not isinstance(tree[name], Mapping):
            return tree[name]
    found = (_find(value, names) for value in tree.values())
    return next((value for value in found if value is not None), None)
