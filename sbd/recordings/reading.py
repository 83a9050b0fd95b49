"""Read a recording from whatever file a microscopist brings.

TIFF (plain, ImageJ, OME, stacks), npy, npz, mrc and hdf5 are read by the libraries that
every installation has, and the files of microscopes' makers by rosettasciio
(`sbd.recordings.microscopes`). Units are converted, never guessed: a pixel size is
taken where a file gives it with a unit of length.
"""

import html
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from sbd.recordings.isolation import ReadingProcess
from sbd.recordings.lengths import PixelSize, RefusedFileError, measure
from sbd.recordings.microscopes import FORMATS, quiet, read_signals
from sbd.recordings.recording import MRC_NOTES, PROVENANCE, Recording, parse_notes

_FEWEST = 16  # pixels along a side of an image
_DENSEST = 2**14  # bytes of values that a byte of a packed file may stand for
_MRC_HEAD = 1024, 92  # bytes of its header, and where the length of a second one is
_LARGE = 2**28  # larger images stay on the disc [bytes]
_OTHERS = "png", "jpg", "jpeg", "bmp", "gif"


def read_micrograph(
    file: str | Path, *, dataset: str | None = None, limit: float | None = None
) -> Recording:
    """Read an image or a stack of frames, with all that its file says about it.

    Parameters
    ----------
    file : str or pathlib.Path
        A .tif or .tiff, .npy, .npz, .mrc (.mrcs, .st, .rec), .h5 or .hdf5 file; with
        rosettasciio (``pip install 'sbd[em]'``) also .dm3, .dm4, .emd, .ser, .emi,
        .hspy, .zspy and .blo.
    dataset : str, optional
        Which image, by its name or number, of a file that holds several.
    limit : float, optional
        Read it in a process of its own, which takes a moment to start, and give up
        after so long: a damaged file may keep the libraries for HDF5 and for the files
        of microscopes' makers for ever, or crash them. None reads it here [s].

    Returns
    -------
    Recording
        Values as they stand in the file, pixel sizes in angstrom. Those of a .npy or
        .mrc file, and of a .tif or .hdf5 file where they take over 256 MiB, stay on the
        disc until they are used; others are in the memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is of a kind that is not known, damaged, holds no image or several, a
        colour picture or a diffraction pattern; or it is not read within `limit`, or
        crashes its reader there.
    ImportError
        If it takes rosettasciio to read it, and that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/counts.npy", np.ones((32, 48), np.uint16))
    ...     read_micrograph(f"{folder}/counts.npy").values.shape
    (32, 48)
    >>> read_micrograph("counts.doc")
    Traceback (most recent call last):
    FileNotFoundError: file must be one that exists; got counts.doc
    """
    file = Path(file)
    if limit is None or not file.exists():
        return _choose(read_all(file), file, dataset)
    with ReadingProcess() as process:
        return process.read(file, dataset=dataset, limit=limit)


def read_all(file: Path) -> list[Recording]:
    """Read every image and every stack that a file holds; raises as `read_micrograph`.

    A list of none where there is no image.
    """
    if not file.exists():
        msg = f"file must be one that exists; got {file}"
        raise FileNotFoundError(msg)
    suffix = file.suffix.lower().lstrip(".")
    if suffix in FORMATS:
        found = read_signals(file, FORMATS[suffix])
    elif suffix in READERS:
        try:
            found = READERS[suffix](file)
        except (RefusedFileError, ImportError):
            raise
        except Exception as error:  # of a damaged file, whatever its library says
            msg = (
                f"file must be a whole .{suffix} file; got {file} "
                f"({type(error).__name__}: {error})"
            )
            raise ValueError(msg) from error
    elif suffix in _OTHERS:
        msg = (
            f"file must be a recording; got {file}, a picture, whose grey values are "
            "no counts (save the image as .tif from the microscope's program)"
        )
        raise ValueError(msg)
    else:
        known = ", ".join(sorted(f".{name}" for name in {*READERS, *FORMATS}))
        msg = f"file must be one of {known}; got {file}"
        raise ValueError(msg)
    return found


def list_readable(path: Path) -> list[Path]:
    """List the files of a folder that `read_micrograph` would try; else the file."""
    if path.suffix or not path.is_dir():  # a folder with a suffix is a file of its kind
        return [path]
    known = {*READERS, *FORMATS}
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower().lstrip(".") in known and not file.name.startswith(".")
    )


def _choose(found: list[Recording], file: Path, dataset: str | None) -> Recording:
    """Take the one recording there is, or the one that is asked for."""
    if not found:
        msg = f"file must hold an image or a stack of images; got none in {file}"
        raise RefusedFileError(msg)
    titles = [one.title or str(number) for number, one in enumerate(found)]
    if dataset is not None:
        numbers = [str(number) for number in range(len(found))]
        for names in (titles, numbers):
            if names.count(str(dataset)) == 1:
                return found[names.index(str(dataset))]
    if dataset is None and len(found) == 1:
        return found[0]
    shapes = (one.values.shape for one in found)
    listed = (
        f"{number}: {title} {'x'.join(map(str, shape))}"
        for number, (title, shape) in enumerate(zip(titles, shapes, strict=True))
    )
    msg = (
        f"dataset must name one of the images of {file.name}, or give its number; got "
        f"{dataset!r} ({'; '.join(listed)})"
    )
    raise RefusedFileError(msg)


def _as_recording(
    values: np.ndarray, size: PixelSize, file: Path, **about: object
) -> Recording:
    """Check that values are an image or a stack of images of numbers."""
    kind = getattr(values, "dtype", np.dtype(object))
    if kind.kind not in "buif":
        what = "complex numbers" if kind.kind == "c" else f"dtype {kind}"
        msg = f"file must hold real numbers; got {what} in {file}"
        raise RefusedFileError(msg)
    while values.ndim > 3 and 1 in values.shape[:-2]:
        values = values.squeeze(values.shape.index(1))
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim not in (2, 3) or 0 in values.shape:
        msg = (
            "file must hold an image (height, width) or a stack (frames, height, "
            f"width); got shape {values.shape} in {file}"
        )
        raise RefusedFileError(msg)
    if _is_last(values.shape):
        _refuse_last([values.shape], file)
    return Recording(values, size, file=file, **about)


def _refuse_empty_promises(size: int, file: Path) -> None:
    """Refuse values that a file cannot hold, before there is memory taken for them."""
    if size > _DENSEST * file.stat().st_size:
        msg = (
            f"file must be whole; got {file} of {file.stat().st_size} bytes, which "
            f"declares {size:.3g} bytes of values"
        )
        raise RefusedFileError(msg)


def _refuse_last(shapes: list[tuple[int, ...]], file: Path) -> None:
    """Say that frames lie along the last axis."""
    msg = (
        "file must hold its frames along the first axis (frames, height, width); "
        f"got shape {shapes[0]} in {file} (numpy.moveaxis(values, -1, 0))"
    )
    raise RefusedFileError(msg)


def _is_last(shape: Sequence[int]) -> bool:
    """Whether frames, or colours, seem to lie along the last axis."""
    return len(shape) == 3 and shape[2] < _FEWEST <= min(shape[:2])


def _read_npy(file: Path) -> list[Recording]:
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        msg = f"file must be a .npy file with an array of numbers; got {file} ({error})"
        raise RefusedFileError(msg) from None
    nobody = PixelSize(None, "a .npy file says nothing about pixels")
    return [_as_recording(values, nobody, file)]


def _read_npz(file: Path) -> list[Recording]:
    nobody = PixelSize(None, "a .npz file says nothing about pixels")
    # opened here, so that it is closed whatever is wrong with it
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
        arrays = {}
        for name in archive.files:
            with suppress(ValueError):  # of an array of objects, which is no image
                arrays[name] = archive[name]
    pixel = arrays.get("pixel_angstrom")
    if pixel is not None and pixel.shape == (2,) and pixel.dtype.kind == "f":
        nobody = measure(tuple(pixel), ("angstrom",) * 2, "pixel_angstrom")
    notes = parse_notes(arrays.get(PROVENANCE))
    images = {
        name: array
        for name, array in arrays.items()
        if array.ndim in (2, 3)
        and array.dtype.kind in "buif"
        and array.size
        and not _is_last(array.shape)
    }
    return [
        _as_recording(array, nobody, file, title=name, metadata=notes)
        for name, array in images.items()
    ]


def _read_mrc(file: Path) -> list[Recording]:
    import mrcfile

    with file.open("rb") as opened:
        head = opened.read(_MRC_HEAD[0])[_MRC_HEAD[1] :][:4]
    # memory is taken for the second header, however long it is said to be
    second = min(int.from_bytes(head, order) for order in ("little", "big"))
    if second > file.stat().st_size:
        msg = (
            f"file must be a whole .mrc file; got {file}, with a second header of "
            f"{second:.3g} bytes"
        )
        raise RefusedFileError(msg)
    with (
        warnings.catch_warnings(action="ignore"),
        # permissive: many programs leave the map's identifier or its length wrong
        mrcfile.mmap(file, mode="r", permissive=True) as mrc,
    ):
        values, voxel = mrc.data, mrc.voxel_size
        header = {n: mrc.header[n].tolist() for n in mrc.header.dtype.names}
        if header.get("exttyp") == MRC_NOTES:
            header |= parse_notes(bytes(mrc.extended_header).decode("utf8", "replace"))
    if values is None:
        msg = f"file must be a whole .mrc file; got {file}, whose data cannot be read"
        raise RefusedFileError(msg)
    sides = float(voxel.y), float(voxel.x)
    size = PixelSize(None, "the cell in the header is empty")
    if all(side > 0 for side in sides):
        size = measure(sides, ("angstrom", "angstrom"), "cell in the header")
    return [_as_recording(values, size, file, metadata=header)]


def _read_hdf5(file: Path) -> list[Recording]:
    import h5py

    with h5py.File(file, "r") as store:
        # hyperspy's own layout has had this suffix
        if str(store.attrs.get("file_format")) == "HyperSpy":
            hyperspy = True
        else:
            hyperspy, found, last = False, [], []

            def visit(name: str, item: object) -> None:
                shape = getattr(item, "shape", None)  # None of an empty one, too
                if shape and 0 not in shape and item.dtype.kind in "buif":
                    flat = [n for n in shape if n != 1]
                    if _is_last(flat):
                        last.append(shape)
                    elif len(flat) in (2, 3):
                        _refuse_empty_promises(item.nbytes, file)
                        values = _read_array(item).reshape(flat)
                        found.append(_as_recording(values, nobody, file, title=name))

            nobody = PixelSize(None, "a .h5 file has no rule for the size of a pixel")
            store.visititems(visit)
            if last and not found:
                _refuse_last(last, file)
    return read_signals(file, "HSPY") if hyperspy else found


def _read_array(item: object) -> np.ndarray:
    """Read an array of an HDF5 file, a large one into a file on the disc."""
    if item.nbytes <= _LARGE:
        return item[()]
    with tempfile.TemporaryFile() as opened:
        values = np.memmap(opened, item.dtype, "w+", shape=item.shape)
    for place in range(len(item)):
        values[place] = item[place]
    return values


def _read_tiff(file: Path) -> list[Recording]:
    import tifffile

    with (
        quiet("tifffile"),
        file.open("rb") as opened,
        tifffile.TiffFile(opened) as tiff,
    ):
        found = []
        for number, series in enumerate(tiff.series):
            axes, shape = series.axes, series.shape
            if "S" in axes and shape[axes.index("S")] > 1:
                msg = (
                    f"file must hold counts; got {file}, a colour picture of "
                    f"{shape[axes.index('S')]} channels"
                )
                raise RefusedFileError(msg)
            if "C" in axes and shape[axes.index("C")] > 1:
                msg = (
                    f"file must hold one channel; got {shape[axes.index('C')]} in "
                    f"{file} (several detectors are no frames: save one)"
                )
                raise RefusedFileError(msg)
            if getattr(series.keyframe.photometric, "name", "") == "PALETTE":
                msg = (
                    f"file must hold counts; got {file}, a picture with a colour table"
                )
                raise RefusedFileError(msg)
            _refuse_empty_promises(series.size * series.dtype.itemsize, file)
            size = _tiff_size(tiff)
            about = {"title": series.name or str(number), "metadata": _tiff_notes(tiff)}
            about["exposure"] = _tiff_exposure(about["metadata"])
            # mapped where that can be, else unpacked into a temporary file
            out = "memmap" if series.nbytes > _LARGE else None
            found.append(_as_recording(series.asarray(out=out), size, file, **about))
    # a reduced copy or a label is no second recording
    largest = max(np.prod(one.shape) for one in found) if found else 0
    return [one for one in found if np.prod(one.shape) == largest]


def _tiff_notes(tiff: object) -> dict:
    """Collect what a TIFF says in words: ImageJ, OME, and makers' tags."""
    notes = {"imagej": tiff.imagej_metadata, "ome": tiff.ome_metadata}
    page = tiff.pages[0]
    for tag in page.tags.values():
        if isinstance(tag.value, str | int | float | dict):
            notes[tag.name] = tag.value
    notes = {name: value for name, value in notes.items() if value}
    ours = (notes.get("imagej") or {}).get("Info")
    if ours is None and tiff.ome_metadata:
        found = re.search(r"<Description>(.*?)</Description>", tiff.ome_metadata, re.S)
        ours = html.unescape(found[1]) if found else None
    return notes | parse_notes(ours)


def _tiff_exposure(notes: dict) -> float | None:
    interval = (notes.get("imagej") or {}).get("finterval")
    return float(interval) if isinstance(interval, int | float) and interval else None


def _tiff_size(tiff: object) -> PixelSize:
    """Find the pixel's size in ImageJ's, OME's or the maker's words."""
    page = tiff.pages[0]
    if tiff.ome_metadata:
        return _ome_size(tiff.ome_metadata)
    if tiff.imagej_metadata is not None:
        unit = tiff.imagej_metadata.get("unit")
        return measure(_resolution(page), (unit, unit), "ImageJ's calibration")
    gatan = _makers_size(page)
    if gatan is not None:
        return gatan
    unit = page.tags.get("ResolutionUnit")
    told = _resolution(page)
    if unit is not None and getattr(unit.value, "name", "") == "CENTIMETER":
        size = measure(told, ("cm", "cm"), "resolution per centimetre")
        if size.sides and max(size.sides) < 1e4:  # finer than any print
            return size
    return PixelSize(None, "the file gives a print's resolution at most")


def _resolution(page: object) -> tuple[float, float]:
    """Sides of a pixel, down and across, in the unit of its resolution."""
    sides = []
    for name in ("YResolution", "XResolution"):
        tag = page.tags.get(name)
        number, unit = tag.value if tag is not None else (0, 1)
        sides.append(unit / number if number else np.nan)
    return tuple(sides)


def _ome_size(text: str) -> PixelSize:
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return PixelSize(None, "OME's description is damaged")
    pixels = next((e for e in tree.iter() if e.tag.endswith("}Pixels")), None)
    told = {} if pixels is None else pixels.attrib
    scales = tuple(told.get(f"PhysicalSize{axis}") for axis in "YX")
    if None in scales:
        return PixelSize(None, "OME's description gives no size")
    units = tuple(told.get(f"PhysicalSize{axis}Unit", "um") for axis in "YX")
    return measure(scales, units, "OME's description")


def _makers_size(page: object) -> PixelSize | None:
    """Find what DigitalMicrograph (65007 and on) or FEI (34682) wrote into a TIFF."""
    tags = page.tags
    if all(code in tags for code in (65009, 65010)) and 65003 in tags:
        scales = tuple(tags[code].value for code in (65010, 65009))
        units = tuple(tags[code].value for code in (65004, 65003) if code in tags)
        if len(units) == 2:
            return measure(scales, units, "DigitalMicrograph's tags")
    if 34682 in tags:
        found = re.findall(
            r"Pixel(Height|Width)\W+([\d.eE+-]+)", str(tags[34682].value)
        )
        told = dict(found)
        if {"Height", "Width"} <= told.keys():
            sides = told["Height"], told["Width"]
            return measure(sides, ("m", "m"), "the maker's tags")
    return None


READERS: dict[str, Callable[[Path], list[Recording]]] = {
    "npy": _read_npy, "npz": _read_npz, "tif": _read_tiff, "tiff": _read_tiff,
    "mrc": _read_mrc, "mrcs": _read_mrc, "st": _read_mrc, "rec": _read_mrc,
    "h5": _read_hdf5, "hdf5": _read_hdf5,
}  # fmt: skip
"""Which function reads a suffix, without rosettasciio."""
