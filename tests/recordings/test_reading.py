"""Check that files of all kinds are read for what they say."""

import builtins
from importlib import import_module

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile

from sbd.recordings import read_micrograph
from sbd.recordings.lengths import DiffractionError, measure, to_angstrom

IMAGE = np.random.default_rng(0).poisson(3.0, (40, 50)).astype(np.uint16)
STACK = np.random.default_rng(1).poisson(1.0, (3, 40, 50)).astype(np.uint16)


@pytest.mark.parametrize(
    ("unit", "angstrom"),
    [
        ("nm", 10), ("NM", 10), ("Å", 1), ("A", 1), ("Angstrom", 1), ("pm", 0.01),
        ("µm", 1e4), ("μm", 1e4), ("\\u00B5m", 1e4), ("micron", 1e4), ("um", 1e4),
        ("m", 1e10), (" nm\0", 10), ("", None), (None, None), ("<undefined>", None),
        ("pixel", None),
    ],
)  # fmt: skip
def test_units_are_converted_and_none_is_guessed(unit, angstrom):
    assert to_angstrom(unit) == angstrom


@pytest.mark.parametrize("unit", ["1/nm", "1 / nm", "nm^-1", "nm⁻¹", "nm-1", "mrad"])
def test_reciprocal_lengths_are_of_diffraction_patterns(unit):
    with pytest.raises(DiffractionError, match="holds a diffraction pattern"):
        to_angstrom(unit)


@pytest.mark.parametrize(
    ("scales", "units", "why"),
    [
        ((0.1, 0.1), ("", ""), "gives no unit"),
        ((0.1, 0.1), ("nm", None), "gives no unit"),
        ((0.1, 0.1), ("s", "s"), "must have axes in a unit of length; got 's'"),
        ((0.0, 0.1), ("nm", "nm"), "which cannot be"),
        ((np.nan, 0.1), ("nm", "nm"), "which cannot be"),
        ((1e9, 1e9), ("m", "m"), "which cannot be"),
        (("wide", 1), ("nm", "nm"), "gives no number"),
    ],
)
def test_a_size_that_cannot_be_is_left_out_with_the_reason(scales, units, why):
    size = measure(scales, units, "the file")
    assert size.sides is None
    assert why in size.source
    assert str(size).startswith("unknown (the file")


def save_imagej(path, unit="nm"):
    tifffile.imwrite(
        path, STACK, imagej=True, resolution=(1 / 0.0062, 1 / 0.0064),
        metadata={"unit": unit, "axes": "TYX", "finterval": 0.4},
    )  # fmt: skip


def test_imagej_s_calibration_is_read(tmp_path):
    save_imagej(tmp_path / "stack.tif")
    found = read_micrograph(tmp_path / "stack.tif")
    # down is the y resolution; ImageJ keeps them as fractions of whole numbers
    assert found.pixel.sides == pytest.approx((0.064, 0.062), rel=1e-4)
    assert found.pixel.source == "ImageJ's calibration"
    assert (found.frames, found.shape, found.exposure) == (3, (40, 50), 0.4)
    np.testing.assert_array_equal(found.values, STACK)
    np.testing.assert_array_equal(found.sum(), STACK.sum(0))
    assert str(found).startswith("40 x 50 pixels, 3 frames, uint16, pixel 0.064 x 0.06")


def test_ome_s_calibration_is_read(tmp_path):
    about = {"axes": "YX", "PhysicalSizeX": 6.2, "PhysicalSizeXUnit": "pm",
             "PhysicalSizeY": 6.4e-6}  # fmt: skip
    tifffile.imwrite(tmp_path / "image.ome.tif", IMAGE, ome=True, metadata=about)
    found = read_micrograph(tmp_path / "image.ome.tif")
    assert found.pixel.sides == pytest.approx((0.064, 0.062))  # micrometres, unsaid
    assert found.pixel.source == "OME's description"


def test_a_print_s_resolution_is_no_pixel_size(tmp_path):
    tifffile.imwrite(
        tmp_path / "plain.tif", IMAGE, resolution=(72, 72), resolutionunit="INCH"
    )
    found = read_micrograph(tmp_path / "plain.tif")
    assert found.pixel.sides is None
    assert "print" in found.pixel.source
    fine = {"resolution": (1.6e9, 1.6e9), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "fine.tif", IMAGE, **fine)
    found = read_micrograph(tmp_path / "fine.tif")
    assert found.pixel.sides == pytest.approx((0.0625, 0.0625), rel=1e-3)


def test_a_colour_picture_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "colour.tif", np.zeros((20, 30, 3), np.uint8), photometric="rgb"
    )
    with pytest.raises(ValueError, match="colour picture of 3 channels"):
        read_micrograph(tmp_path / "colour.tif")
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(ValueError, match="a picture, whose grey values are no counts"):
        read_micrograph(tmp_path / "picture.png")


def test_an_mrc_file_is_read_in_angstrom(tmp_path):
    with mrcfile.new(tmp_path / "stack.mrc") as mrc:
        mrc.set_data(STACK.astype(np.float32))
        mrc.voxel_size = (0.062, 0.064, 1.0)
    found = read_micrograph(tmp_path / "stack.mrc")
    assert found.pixel.sides == pytest.approx((0.064, 0.062), rel=1e-5)
    np.testing.assert_array_equal(found.values, STACK)
    with mrcfile.new(tmp_path / "bare.mrc") as mrc:
        mrc.set_data(IMAGE.astype(np.int16))
    bare = read_micrograph(tmp_path / "bare.mrc")
    assert bare.pixel.sides is None
    assert bare.shape == (40, 50)


def test_arrays_are_read_and_an_archive_s_names_listed(tmp_path):
    np.save(tmp_path / "one.npy", IMAGE)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "one.npy").values, IMAGE)
    np.savez(tmp_path / "one.npz", counts=IMAGE, note="hello", dose=0.45)
    found = read_micrograph(tmp_path / "one.npz")
    assert found.title == "counts"
    np.savez(tmp_path / "two.npz", counts=IMAGE, clean=IMAGE)
    with pytest.raises(ValueError, match=r"got None \(0: counts 40x50; 1: clean 40x50"):
        read_micrograph(tmp_path / "two.npz")
    for name in ("clean", "1"):
        found = read_micrograph(tmp_path / "two.npz", dataset=name)
        assert found.title == "clean"
    with pytest.raises(ValueError, match="dataset must name one of the images"):
        read_micrograph(tmp_path / "two.npz", dataset="noisy")


def test_datasets_of_hdf5_are_found_wherever_they_are(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["deep/within/counts"] = STACK[None]
        file["names"] = ["a", "b"]
        file["line"] = np.arange(30)
    found = read_micrograph(tmp_path / "data.h5")
    assert found.title == "deep/within/counts"
    np.testing.assert_array_equal(found.values, STACK)


def test_frames_come_first(tmp_path):
    np.save(tmp_path / "last.npy", np.moveaxis(STACK, 0, -1))
    with pytest.raises(
        ValueError, match=r"frames along the first axis .*\(40, 50, 3\)"
    ):
        read_micrograph(tmp_path / "last.npy")


def test_hyperspy_s_files_are_read_by_rosettasciio(tmp_path):
    write = import_module("rsciio.hspy").file_writer
    axes = [
        {"name": name, "units": "nm", "scale": scale, "offset": 0.0, "size": size,
         "navigate": False, "index_in_array": i, "_type": "UniformDataAxis"}
        for i, (name, scale, size) in enumerate((("y", 0.0064, 40), ("x", 0.0062, 50)))
    ]  # fmt: skip
    about = {"General": {"title": "a particle"}, "Signal": {"signal_type": ""},
             "Acquisition_instrument": {"TEM": {"exposure": 0.5}}}  # fmt: skip
    signal = {"data": IMAGE, "axes": axes, "metadata": about, "original_metadata": {},
              "learning_results": {}, "package_info": {}, "models": {},
              "attributes": {"_lazy": False}, "tmp_parameters": {}}  # fmt: skip
    for suffix in ("hspy", "hdf5"):
        write(str(tmp_path / "signal.hspy"), signal)
        file = (tmp_path / "signal.hspy").rename(tmp_path / f"signal.{suffix}")
        found = read_micrograph(file)
        assert found.pixel.sides == pytest.approx((0.064, 0.062))
        assert (found.title, found.exposure) == ("a particle", 0.5)
        np.testing.assert_array_equal(found.values, IMAGE)
        file.unlink()


def test_without_rosettasciio_the_way_out_is_said(tmp_path, monkeypatch):
    (tmp_path / "image.dm4").write_bytes(b"")
    real = builtins.__import__
    monkeypatch.setattr(
        "sbd.recordings.microscopes.import_module",
        lambda name: real("no_such_module") if name == "rsciio" else real(name),
    )
    with pytest.raises(ImportError, match=r"pip install 'sbd\[em\]'"):
        read_micrograph(tmp_path / "image.dm4")


@pytest.mark.parametrize(
    "suffix", ["npy", "npz", "tif", "mrc", "h5", "dm3", "dm4", "emd", "ser", "hspy"]
)
def test_damaged_files_are_refused_as_such(tmp_path, suffix):
    file = tmp_path / f"damaged.{suffix}"
    rng = np.random.default_rng(0)
    for content in (b"", b"\0" * 2000, rng.bytes(2000)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="file must"):
            read_micrograph(file)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="file must be one that exists"):
        read_micrograph(tmp_path / "nothing.tif")
    (tmp_path / "words.txt").write_text("counts")
    with pytest.raises(ValueError, match=r"file must be one of .blo, .dm3.*words.txt"):
        read_micrograph(tmp_path / "words.txt")
    np.save(tmp_path / "complex.npy", IMAGE + 0j)
    with pytest.raises(ValueError, match="file must hold real numbers; got complex"):
        read_micrograph(tmp_path / "complex.npy")
    np.save(tmp_path / "line.npy", np.arange(5))
    with pytest.raises(ValueError, match=r"file must hold an image .*\(5,\)"):
        read_micrograph(tmp_path / "line.npy")


@pytest.mark.parametrize("kind", ["npy", "npz", "tif", "mrc", "h5"])
def test_mutated_files_give_a_recording_or_a_clear_error(tmp_path, kind):
    """A bounded piece of what was done at length: some bytes changed, some cut off."""
    file = tmp_path / f"image.{kind}"
    if kind == "npy":
        np.save(file, IMAGE)
    elif kind == "npz":
        np.savez_compressed(file, counts=IMAGE)
    elif kind == "tif":
        save_imagej(file)
    elif kind == "mrc":
        with mrcfile.new(file) as mrc:
            mrc.set_data(IMAGE.astype(np.float32))
    else:
        with h5py.File(file, "w") as store:
            store["counts"] = IMAGE
    whole, rng = file.read_bytes(), np.random.default_rng(2)
    for _ in range(60):
        content = bytearray(whole)
        header = min(len(content), 1024)
        for place in rng.integers(header, size=rng.integers(1, 6)):
            content[place] = rng.integers(256)
        if rng.random() < 0.3:
            del content[rng.integers(len(content)) :]
        file.write_bytes(content)
        try:
            found = read_micrograph(file)
        except ValueError:
            continue
        else:
            assert found.values.size <= 10 * IMAGE.size


def test_what_is_no_image_beside_one_does_no_harm(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["Experiments/counts"] = IMAGE
        file["thumbnail"] = np.zeros((40, 40, 3), np.uint8)
        file["empty"] = h5py.Empty("f")
        file["none"] = np.zeros((0, 4))
    assert read_micrograph(tmp_path / "data.h5").title == "Experiments/counts"
    about = np.array({"a": 1}, dtype=object)
    thumbnail = np.zeros((40, 40, 3))
    np.savez(tmp_path / "data.npz", counts=IMAGE, about=about, thumbnail=thumbnail)
    assert read_micrograph(tmp_path / "data.npz").title == "counts"


def test_channels_are_no_frames(tmp_path):
    tifffile.imwrite(
        tmp_path / "two.ome.tif", STACK[:2], ome=True, metadata={"axes": "CYX"}
    )
    with pytest.raises(ValueError, match="file must hold one channel; got 2"):
        read_micrograph(tmp_path / "two.ome.tif")


def test_frames_last_are_told_of_hdf5_too(tmp_path):
    with h5py.File(tmp_path / "last.h5", "w") as file:
        file["x"] = np.moveaxis(STACK, 0, -1)
    with pytest.raises(ValueError, match=r"first axis .*got shape \(40, 50, 3\)"):
        read_micrograph(tmp_path / "last.h5")


def save_promising(file):
    """Write a small file that declares 2.5 TB of values."""
    if file.suffix == ".h5":
        with h5py.File(file, "w") as store:
            store.create_dataset("x", (10**6, 10**6), "f4", chunks=(1000, 1000))
        return
    tifffile.imwrite(file, IMAGE, photometric="minisblack")
    with tifffile.TiffFile(file, mode="r+") as tiff:
        for name in ("ImageLength", "ImageWidth", "RowsPerStrip"):
            tiff.pages[0].tags[name].overwrite(2**20)


@pytest.mark.parametrize("kind", ["h5", "tif"])
def test_no_memory_is_taken_for_values_that_a_file_cannot_hold(tmp_path, kind):
    file = tmp_path / f"image.{kind}"
    save_promising(file)
    with pytest.raises(ValueError, match=r"file must be whole; got .* declares"):
        read_micrograph(file)


def test_packed_values_that_are_many_times_the_file_are_read(tmp_path):
    dark = np.zeros((1000, 1000), np.uint16)
    dark[500, 500] = 1
    with h5py.File(tmp_path / "dark.h5", "w") as file:
        file.create_dataset("x", data=dark, compression="gzip", compression_opts=9)
    tifffile.imwrite(tmp_path / "dark.tif", dark, compression="zlib")
    for name in ("dark.h5", "dark.tif"):
        assert (tmp_path / name).stat().st_size * 100 < dark.nbytes
        np.testing.assert_array_equal(read_micrograph(tmp_path / name).values, dark)


@pytest.mark.parametrize("order", ["little", "big"])
def test_no_memory_is_taken_for_a_second_header_beyond_an_mrc_file(tmp_path, order):
    file = tmp_path / "image.mrc"
    with mrcfile.new(file) as mrc:
        mrc.set_data(IMAGE.astype(np.int16))
    content = bytearray(file.read_bytes())
    # a number that is large in either order of its bytes
    content[92:96] = (0x7F00007F).to_bytes(4, order)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="with a second header of"):
        read_micrograph(file)
