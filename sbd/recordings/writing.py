"""Write an image with what is known about it, where other programs look for it.

The size of a pixel goes where ImageJ, OME, MRC and hyperspy keep it, and how the image
was made beside it as JSON, so that `sbd.read_micrograph` gives both again.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbd.files import replacing
from sbd.recordings.microscopes import write_signal
from sbd.recordings.recording import (
    MRC_NOTES,
    PROVENANCE,
    Recording,
    as_recording,
)
from sbd.typing import Image


def write_micrograph(
    image: Image | Recording,
    file: str | Path,
    *,
    pixel: tuple[float, float] | None = None,
    provenance: Mapping | None = None,
    force: bool = False,
) -> None:
    """Write an image or a stack, with the size of its pixels and how it was made.

    Parameters
    ----------
    image : ndarray of shape ([frames,] height, width) or Recording
        What is written, as float32 unless its type is one that the format has.
    file : str or pathlib.Path
        A .tif (for ImageJ), .ome.tif, .npy, .npz, .mrc or, with rosettasciio, .hspy
        file. It is written under a temporary name and renamed. In a .npy file there is
        room for the values alone.
    pixel : (float, float), optional
        Sides of a pixel, down and across, instead of the recording's [angstrom].
    provenance : Mapping, optional
        How the image was made: anything that JSON takes.
    force : bool, default False
        Whether a file that is there may be replaced.

    Raises
    ------
    FileExistsError
        If there is such a file already, and `force` does not say that it may go.
    ValueError
        If the suffix is none of these, the array is no image, or `pixel` is no size.
    ImportError
        If it takes rosettasciio to write it, and that is not installed.

    Examples
    --------
    >>> write_micrograph(np.ones((4, 5)), "image.doc")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: file must be a .hspy, .mrc, .npy, .npz, ...; got image.doc
    """
    file = Path(file)
    writer = find_writer(file)
    recording = as_recording(image)
    sides = recording.pixel.sides if pixel is None else pixel
    if sides is not None:
        sides = tuple(float(side) for side in np.broadcast_to(sides, 2))
        if not all(0 < side < np.inf for side in sides):
            msg = f"pixel must be two sizes above 0 [angstrom]; got {pixel}"
            raise ValueError(msg)
    if file.exists() and not force:
        msg = f"file must not be there yet; got {file} (force=True replaces it)"
        raise FileExistsError(msg)
    values = np.asarray(recording.values)
    if values.dtype.kind == "f" or values.dtype.itemsize > 4:
        values = values.astype(np.float32, copy=False)
    notes = json.dumps(dict(provenance or {}))
    with replacing(file) as part:
        writer(part, values, _Told(sides, notes, recording.exposure))


def find_writer(file: Path) -> Callable:
    """Return what writes a file of such a name, or say that there is none."""
    kinds = sorted(WRITERS, key=len)[::-1]
    kind = next((k for k in kinds if file.name.endswith(k)), None)
    if kind is None:
        known = ", ".join(sorted(WRITERS))
        msg = f"file must be a {known}; got {file}"
        raise ValueError(msg)
    return WRITERS[kind]


class _Told(NamedTuple):
    """What a file is to say."""

    sides: tuple[float, float] | None  # [angstrom]
    notes: str  # how the image was made, as JSON
    exposure: float | None  # [s]


def _write_npy(part: Path, values: np.ndarray, _: _Told) -> None:
    with part.open("wb") as file:
        np.save(file, values)


def _write_npz(part: Path, values: np.ndarray, told: _Told) -> None:
    more = {} if told.sides is None else {"pixel_angstrom": np.array(told.sides)}
    with part.open("wb") as file:
        np.savez_compressed(file, image=values, **more, **{PROVENANCE: told.notes})


def _write_tiff(part: Path, values: np.ndarray, told: _Told) -> None:
    if values.dtype not in (np.uint8, np.uint16):  # ImageJ knows no others
        values = values.astype(np.float32, copy=False)
    metadata = {"axes": "YX" if values.ndim == 2 else "TYX", "Info": told.notes}
    how = {}
    if told.sides is not None:
        metadata["unit"] = "nm"
        how["resolution"] = tuple(10 / side for side in told.sides[::-1])
    if told.exposure:
        metadata["finterval"] = told.exposure
    _write_pages(part, values, imagej=True, metadata=metadata, **how)


def _write_pages(part: Path, values: np.ndarray, **how: object) -> None:
    """Write an image or, one after the other, the frames of a stack."""
    import tifffile

    # a stack that is handed over whole would be copied whole
    pages = iter(values) if values.ndim == 3 and len(values) > 1 else values
    with part.open("wb") as file:
        tifffile.imwrite(file, pages, shape=values.shape, dtype=values.dtype, **how)


def _write_ome(part: Path, values: np.ndarray, told: _Told) -> None:
    metadata = {"axes": "YX" if values.ndim == 2 else "TYX", "Description": told.notes}
    # told by what is said, not by the clock: the same image makes the same file
    metadata["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, told.notes))
    if told.sides is not None:
        for axis, side in zip("YX", told.sides, strict=True):
            metadata[f"PhysicalSize{axis}"] = side / 10
            metadata[f"PhysicalSize{axis}Unit"] = "nm"
    _write_pages(part, values, ome=True, metadata=metadata)


def _write_mrc(part: Path, values: np.ndarray, told: _Told) -> None:
    import mrcfile

    if values.dtype.kind in "bui" and values.dtype not in (np.int8, np.uint16):
        values = values.astype(np.float32)
    with mrcfile.new(part, overwrite=True) as mrc:
        mrc.set_data(values)
        if values.ndim == 3:
            mrc.set_image_stack()
        if told.sides is not None:
            mrc.voxel_size = (*told.sides[::-1], 1.0)
        mrc.set_extended_header(np.frombuffer(told.notes.encode(), np.uint8))
        mrc.header.exttyp = MRC_NOTES
        mrc.header.label[0] = b"sbd"  # for the time: the same image makes the same file


def _write_hspy(part: Path, values: np.ndarray, told: _Told) -> None:
    # the writer chooses by the suffix
    whole = part.with_name(f"{part.name}.hspy")
    try:
        write_signal(whole, values, told.sides, {PROVENANCE: told.notes}, told.exposure)
        whole.replace(part)
    finally:
        whole.unlink(missing_ok=True)


WRITERS: dict[str, Callable] = {
    ".npy": _write_npy, ".npz": _write_npz, ".tif": _write_tiff, ".tiff": _write_tiff,
    ".ome.tif": _write_ome, ".mrc": _write_mrc, ".hspy": _write_hspy,
}  # fmt: skip
"""Which function writes a suffix."""
