"""Check that napari is offered what a recording says, and nothing more is claimed."""

import importlib
import tomllib
from pathlib import Path
from types import SimpleNamespace

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import yaml

import sbd
from sbd.recordings.lengths import PixelSize
from sbd.recordings.napari import (
    SUFFIXES,
    denoise_layer,
    get_reader,
    open_sample,
    to_layer,
)
from sbd.recordings.recording import Recording
from sbd.recordings.writing import write_micrograph

MANIFEST = Path(sbd.__file__).with_name("napari.yaml")
IMAGE = np.random.default_rng(0).poisson(3.0, (40, 50)).astype(np.uint16)
STACK = np.random.default_rng(1).poisson(1.0, (3, 40, 50)).astype(np.uint16)


def read(file):
    return get_reader(str(file))(str(file))


def test_the_manifest_names_functions_and_files_that_there_are():
    told = yaml.safe_load(MANIFEST.read_text())
    commands = {
        one["id"]: one["python_name"] for one in told["contributions"]["commands"]
    }
    for place in commands.values():
        module, name = place.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    contributions = [
        one
        for kind in ("readers", "sample_data", "widgets")
        for one in told["contributions"][kind]
    ]
    assert {one["command"] for one in contributions} == commands.keys()
    patterns = told["contributions"]["readers"][0]["filename_patterns"]
    assert patterns == [f"*{suffix}" for suffix in SUFFIXES]
    project = tomllib.loads((MANIFEST.parents[1] / "pyproject.toml").read_text())
    points = project["project"]["entry-points"]["napari.manifest"]
    assert points == {told["name"]: f"sbd:{MANIFEST.name}"}


@pytest.mark.parametrize(
    "name", ["image.tif", "image.ome.tif", "image.mrc", "image.npz"]
)
def test_a_layer_has_the_file_s_pixels_in_nm(name, tmp_path):
    write_micrograph(IMAGE, tmp_path / name, pixel=(0.62, 0.64))
    ((values, about, kind),) = read(tmp_path / name)
    np.testing.assert_array_equal(values, IMAGE)
    assert kind == "image"
    assert about["name"].startswith(name.split(".")[0])
    assert about["scale"] == pytest.approx((0.062, 0.064), rel=1e-5)
    assert about["units"] == ("nm", "nm")
    assert "Counted electrons." in about["metadata"]["sbd"]["counts"]
    assert "7.5" in about["metadata"]["sbd"]["counts"]  # 3 / (.62 * .64)


def test_frames_are_in_seconds_and_what_is_unknown_stays_so(tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.tif", STACK, imagej=True,
        metadata={"axes": "TYX", "finterval": 0.4},
    )  # fmt: skip
    ((_, about, _),) = read(tmp_path / "stack.tif")
    assert about["scale"] == (0.4, 1, 1)
    assert about["units"] == ("s", "pixel", "pixel")
    np.save(tmp_path / "image.npy", IMAGE)
    ((_, about, _),) = read(tmp_path / "image.npy")
    assert about.keys() == {"name", "metadata"}


def test_every_image_of_a_file_is_a_layer(tmp_path):
    np.savez(tmp_path / "two.npz", one=IMAGE, other=STACK)
    layers = read(tmp_path / "two.npz")
    assert [about["name"] for _, about, _ in layers] == ["two: one", "two: other"]


def test_other_people_s_files_are_left_to_them(tmp_path):
    with h5py.File(tmp_path / "image.h5", "w") as store:
        store["image"] = IMAGE
    for path in (tmp_path / "image.h5", "picture.png", "folder", "image.zarr"):
        assert get_reader(str(path)) is None
    assert get_reader(["one.tif", "two.tif"]) is None
    assert get_reader("IMAGE.DM3") is not None


def test_what_is_no_recording_is_refused_with_the_reason(tmp_path):
    tifffile.imwrite(
        tmp_path / "colour.tif", np.zeros((20, 30, 3), np.uint8), photometric="rgb"
    )
    with pytest.raises(ValueError, match="colour picture of 3 channels"):
        read(tmp_path / "colour.tif")
    np.savez(tmp_path / "none.npz", number=np.array(3))
    with pytest.raises(ValueError, match="file must hold an image or a stack"):
        read(tmp_path / "none.npz")


def test_the_sample_is_the_bundled_image_with_its_truth():
    (clean, truth, _), (noisy, counted, _) = open_sample()
    assert (truth["name"], counted["name"]) == ("truth", "counted electrons")
    assert truth["scale"] == counted["scale"] == pytest.approx((0.00622,) * 2, abs=1e-5)
    assert "Counted electrons." in counted["metadata"]["sbd"]["counts"]
    # Poisson: the mean of the noise of N pixels, within 4 standard deviations
    assert abs((noisy - clean).mean()) < 4 * np.sqrt(clean.mean() / clean.size)


class Unit(str):
    """As napari has it: pint's, which a format's D spells out."""

    def __format__(self, how):
        return {"D": str(self), "": "a unit"}[how]


def layer_of(values, units=("nanometer",) * 2, scale=(0.0062, 0.0064), **about):
    about = {"rgb": False, "multiscale": False, "name": "mine", **about}
    lead = values.ndim - 2
    return SimpleNamespace(
        data=values, scale=np.array([1.0] * lead + [*scale]),
        units=tuple(map(Unit, ("pixel",) * lead + units)), **about,
    )  # fmt: skip


def test_a_layer_is_denoised_as_by_the_library():
    counts = np.random.default_rng(0).poisson(0.45, (2, 64, 80))
    # what it does to the sum of the frames, also if values are no whole electrons
    image, about, kind = denoise_layer(layer_of(counts / 4))
    same = sbd.denoise(counts.sum(0), pixel=(0.062, 0.064))
    np.testing.assert_allclose(image, same, rtol=1e-6)
    assert (about["name"], kind) == ("mine, denoised", "image")
    assert tuple(about["scale"]) == (0.0062, 0.0064)
    assert about["units"] == ("nanometer", "nanometer")
    signed = counts[0] + np.random.default_rng(1).normal(0, 0.05, (64, 80))
    assert np.isfinite(denoise_layer(layer_of(signed))[0]).all()


def test_a_layer_without_electrons_is_refused():
    for wrong, message in (
        (layer_of(np.full((40, 50), 7)), "recording must hold electrons"),
        (layer_of(IMAGE, rgb=True), "layer must be an image of counts"),
        (layer_of(IMAGE, multiscale=True), "layer must be an image of counts"),
        (layer_of(IMAGE, units=("1 / nanometer",) * 2), "a diffraction pattern"),
    ):
        with pytest.raises(ValueError, match=message):
            denoise_layer(wrong)


@pytest.mark.filterwarnings("ignore")  # it and what it imports have warnings of theirs
def test_napari_itself_takes_the_layers(tmp_path):
    pytest.importorskip("napari")
    npe2 = pytest.importorskip("npe2")
    from napari.layers import Layer

    with mrcfile.new(tmp_path / "stack.mrc") as mrc:
        mrc.set_data(STACK.astype(np.float32))
        mrc.voxel_size = (0.62, 0.64, 1.0)
    manager = npe2.PluginManager()
    manager.register(npe2.PluginManifest.from_file(MANIFEST))
    (reader,) = manager.iter_compatible_readers([str(tmp_path / "stack.mrc")])
    assert reader.command == "sbd.get_reader"
    assert not list(manager.iter_compatible_readers(["a.h5"]))
    (data,) = read(tmp_path / "stack.mrc")
    layer = Layer.create(*data)
    assert [str(unit) for unit in layer.units] == ["pixel", "nanometer", "nanometer"]
    np.testing.assert_allclose(layer.scale, (1, 0.064, 0.062), rtol=1e-6)
    size = PixelSize((0.062, 0.064), "the test")
    small = Layer.create(*to_layer(Recording(IMAGE, size)))
    denoised = Layer.create(*denoise_layer(small))
    assert denoised.data.shape == IMAGE.shape
    np.testing.assert_allclose(denoised.scale, small.scale)
