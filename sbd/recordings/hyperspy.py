"""A door for HyperSpy: recordings as the dictionaries that its signals are made of.

HyperSpy finds readers by suffix in rosettasciio alone, where other packages cannot list
theirs, but its ``load`` takes any module with a ``file_reader``. This is one:
``hs.load("particle.mrc", file_format=sbd.recordings.hyperspy)``, or ``reader=`` before
HyperSpy 2.4. HyperSpy, whose licence is the GPL, is not imported.
"""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from sbd.recordings.diagnosis import check_counts
from sbd.recordings.lengths import measure
from sbd.recordings.microscopes import describe_axes
from sbd.recordings.reading import read_all, read_micrograph
from sbd.recordings.recording import (
    PROVENANCE,
    Recording,
    as_recording,
    name_recording,
)


def file_reader(
    filename: str | Path, lazy: bool = False, *, dataset: str | None = None
) -> list[dict]:
    """Read every image of a file for ``hyperspy.api.load``, or one by name or number.

    If it is `lazy`, what can stay on the disc does, and nobody asks whether the values
    are electrons. Raises as `read_micrograph`.
    """
    if dataset is None:
        found = read_all(Path(filename))
    else:
        found = [read_micrograph(filename, dataset=dataset)]
    if not found:
        read_micrograph(filename)  # which says so
    signals = [to_signal(recording, check=not lazy) for recording in found]
    for signal in signals:
        if not lazy and isinstance(signal["data"], np.memmap):
            signal["data"] = np.array(signal["data"])
    return signals


def to_signal(recording: Recording, *, check: bool = True) -> dict:
    """Describe a recording as ``hyperspy.api.signals.Signal2D(**...)`` takes it.

    Axes in nm, frames in s; the notes are what `check_counts` says, if it is asked.
    """
    told = recording.metadata
    metadata = copy.deepcopy(dict(told.get("metadata") or {}))
    general = metadata.setdefault("General", {})
    general["title"] = name_recording(recording)
    general["notes"] = str(recording)
    if check:
        general["notes"] += f"\n{check_counts(recording)}"
    if recording.file is not None:
        general["original_filename"] = recording.file.name
    metadata.setdefault("Signal", {}).setdefault("signal_type", "")
    if recording.unit:
        metadata["Signal"]["quantity"] = recording.unit
    if PROVENANCE in told:  # as text, so that it is read again from a .hspy file
        metadata[PROVENANCE] = json.dumps(told[PROVENANCE])
    axes = describe_axes(
        recording.values.shape, recording.pixel.sides, recording.exposure
    )
    return {
        "data": recording.values,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": dict(told.get("original", told)),
    }


def from_signal(signal: Any) -> Recording:  # noqa: ANN401
    """Take a HyperSpy signal for a recording, with the sides of its pixels.

    ValueError if it is no image or stack of images, or a diffraction pattern.
    """
    axes = signal.axes_manager.signal_axes[::-1]  # down, across
    if len(axes) != 2:
        msg = f"signal must be a Signal2D; got {len(axes)} signal axes"
        raise ValueError(msg)
    recording = as_recording(signal.data)
    size = measure(
        tuple(axis.scale for axis in axes),
        tuple(_name(axis.units) for axis in axes),
        "axes of the signal",
    )
    title = str(signal.metadata.get_item("General.title", ""))
    return Recording(recording.values, size, title=title)


def _name(unit: object) -> str | None:
    """Name a unit, of which HyperSpy says <undefined> where there is none."""
    return unit if isinstance(unit, str) else None
