"""A door for napari: recordings as the tuples that its layers are made of.

``sbd/napari.yaml`` tells napari which of these functions reads which file. HDF5 is not
among them: .h5 is the suffix of everybody's data, and napari asks its user which of the
plugins that claim a file is to read it. napari itself is not imported.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sbd import data, denoisers
from sbd.recordings.areas import fill_gaps
from sbd.recordings.diagnosis import check_counts, to_counts
from sbd.recordings.lengths import PixelSize, measure
from sbd.recordings.reading import read_all, read_micrograph
from sbd.recordings.recording import Recording, as_recording, name_recording

Layer: TypeAlias = tuple[NDArray, dict, str]
"""Data of a napari layer, what it is called and how it is scaled, and its kind."""

SUFFIXES = (
    ".dm3", ".dm4", ".emd", ".hspy", ".mrc", ".npy", ".npz", ".ser", ".tif", ".tiff",
)  # fmt: skip
"""Of the files that are offered to napari."""


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[Layer]] | None:
    """Give napari the reader of one file; None for several, or of another kind."""
    if not isinstance(path, str | Path) or Path(path).suffix.lower() not in SUFFIXES:
        return None
    return read_layers


def read_layers(path: str) -> list[Layer]:
    """Read every image of a file as a layer, in nm; raises as `read_micrograph`."""
    found = read_all(Path(path)) or [read_micrograph(path)]  # which says it is empty
    return [to_layer(recording) for recording in found]


def to_layer(recording: Recording) -> Layer:
    """Make the data of a layer, with what `check_counts` says in its metadata.

    Axes in nm, frames in s; in pixels where the file gives no size.
    """
    says = {"recording": str(recording), "counts": str(check_counts(recording))}
    about = {"name": name_recording(recording), "metadata": {"sbd": says}}
    sides, time = recording.pixel.sides, recording.exposure
    if sides or time:
        scale = [time or 1.0, *((side / 10 for side in sides) if sides else (1.0, 1.0))]
        units = ["s" if time else "pixel", *["nm" if sides else "pixel"] * 2]
        ndim = recording.values.ndim
        about |= {"scale": tuple(scale[-ndim:]), "units": tuple(units[-ndim:])}
    return recording.values, about, "image"


def open_sample() -> list[Layer]:
    """Give the bundled simulated micrograph, counted, with its truth beneath."""
    found = data.example_micrograph("simulated", rng=np.random.default_rng(0))
    size = PixelSize((found.pixel_size,) * 2, "the simulation")
    noisy = to_layer(Recording(found.noisy, size, title="counted electrons"))
    clean = found.clean.astype(np.float32), {**noisy[1], "name": "truth"}, "image"
    clean[1]["metadata"] = {"sbd": {"recording": found.title}}
    return [clean, noisy]


def denoise_layer(layer: "napari.layers.Image") -> "napari.types.LayerDataTuple":  # noqa: F821
    """Denoise the sum of a layer's frames with the default weights.

    ValueError if the layer holds no electrons.
    """
    if layer.rgb or layer.multiscale:
        msg = f"layer must be an image of counts; got the colours or scales of {layer}"
        raise ValueError(msg)
    units = [f"{unit:D}" for unit in layer.units[-2:]]
    size = measure(tuple(layer.scale[-2:]), tuple(units), "the layer")
    recording = as_recording(np.asarray(layer.data))
    report = check_counts(recording)
    counts = to_counts(recording, report).sum()
    signed = not report.counted and float(counts.min()) < 0
    image = denoisers.denoise(
        fill_gaps(counts, report.recorded, rng=np.random.default_rng(0)),
        pixel=size.sides,
        read_noise=report.read_noise if signed else 0.0,
    )
    about = {"scale": layer.scale[-2:], "units": layer.units[-2:]}
    return image, {"name": f"{layer.name}, denoised", **about}, "image"
