"""A recording: what a detector gave, and what its file says about it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbd.recordings.lengths import PixelSize
from sbd.typing import Image

PROVENANCE = "sbd"
"""Under which name files of this library say how their image was made."""

MRC_NOTES = b"SBDJ"
"""Kind of an extended header of an MRC file that holds them as JSON."""


@dataclass(frozen=True)
class Recording:
    """One image or a stack of frames, as its file has them.

    Parameters
    ----------
    values : ndarray of shape (height, width) or (frames, height, width)
        What the detector gave, in `unit`; perhaps still on the disc.
    pixel : PixelSize
        Sides of a pixel, and where they are from [angstrom].
    unit : str
        Of the values, as the file names it; "" where it does not.
    exposure : float, optional
        Of one frame [s].
    file : pathlib.Path, optional
        Where it is from.
    title : str
        Which image of the file.
    corner : (int, int)
        Row and column of its first pixel in what the file has, if it was cut out.
    metadata : Mapping
        What else the file says, as its reader gives it; under ``"sbd"`` how the image
        was made, if this library wrote it.

    Examples
    --------
    >>> from sbd.recordings.lengths import PixelSize
    >>> size = PixelSize((0.2, 0.2), "I said so")
    >>> recording = Recording(np.ones((3, 20, 30)), size)
    >>> recording.frames, recording.shape, float(recording.sum()[0, 0])
    (3, (20, 30), 3.0)
    """

    values: NDArray
    pixel: PixelSize
    unit: str = ""
    exposure: float | None = None
    file: Path | None = None
    title: str = ""
    corner: tuple[int, int] = (0, 0)
    metadata: Mapping = field(default_factory=dict, repr=False)

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.stack)

    @property
    def stack(self) -> NDArray:
        """The frames, one of a single image: (frames, height, width)."""
        return self.values if self.values.ndim == 3 else self.values[None]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width [pixels]."""
        return self.values.shape[-2:]

    def sum(self) -> Image:
        """Add up the frames, in double precision."""
        return sum_stack(self.stack)

    def __str__(self) -> str:
        """Describe it in one line."""
        height, width = self.shape
        parts = [f"{height} x {width} pixels"]
        if any(self.corner):
            parts[0] += f" from {self.corner} on"
        if self.values.ndim == 3:
            parts.append(f"{self.frames} frames")
        parts += [str(self.values.dtype), f"pixel {self.pixel}"]
        if self.unit:
            parts.append(f"values in {self.unit}")
        if self.exposure:
            parts.append(f"{self.exposure:g} s")
        return ", ".join(parts)


def sum_stack(frames: Iterable[NDArray]) -> Image:
    """Add up frames, in double precision, one at a time."""
    frames = iter(frames)
    total = np.array(next(frames), np.float64)
    for frame in frames:
        total += frame
    return total


def as_recording(given: Recording | ArrayLike) -> Recording:
    """Take an array for a recording of which nothing else is known."""
    if isinstance(given, Recording):
        return given
    if np.ma.isMaskedArray(given):
        given = np.ma.asarray(given, np.float64).filled(np.nan)
    values = np.asarray(given)
    if values.ndim not in (2, 3) or values.dtype.kind not in "buif" or not values.size:
        msg = (
            "recording must be an image (height, width) or a stack (frames, height, "
            f"width) of real numbers; got shape {values.shape} of {values.dtype}"
        )
        raise ValueError(msg)
    return Recording(values, PixelSize(None, "an array says nothing about pixels"))


def name_recording(recording: Recording) -> str:
    """Name a recording by its file, and by its title where that says more."""
    name = recording.file.stem if recording.file else ""
    title = "" if recording.title.isdecimal() else recording.title
    return f"{name}: {title}" if name and title not in ("", name) else name or title


def parse_notes(text: object) -> dict:
    """Read what a file of this library says of how its image was made."""
    try:
        notes = json.loads(str(text))
    except ValueError:
        return {}
    return {PROVENANCE: notes} if isinstance(notes, dict) else {}
