"""Check that HyperSpy is given what a recording says, and gives it back."""

from types import SimpleNamespace

import numpy as np
import pytest

import sbd
from sbd.recordings import hyperspy as door
from sbd.recordings import read_micrograph, write_micrograph
from sbd.recordings.lengths import PixelSize
from sbd.recordings.recording import Recording

IMAGE = np.random.default_rng(0).poisson(3.0, (40, 50)).astype(np.uint16)
STACK = np.random.default_rng(1).poisson(1.0, (3, 40, 50)).astype(np.uint16)
SIZE = PixelSize((0.62, 0.64), "the test")


def signal_of(told):
    """Make what is used of a HyperSpy signal out of its dictionary."""
    axes = [SimpleNamespace(**axis) for axis in told["axes"]]
    flat = [axis for axis in axes if not axis.navigate][::-1]  # across, down
    titles = {"General.title": told["metadata"]["General"]["title"]}
    return SimpleNamespace(
        data=told["data"],
        axes_manager=SimpleNamespace(signal_axes=flat),
        metadata=SimpleNamespace(get_item=titles.get),
    )


@pytest.mark.parametrize("name", ["image.tif", "image.mrc", "image.npz", "image.hspy"])
def test_a_file_gives_axes_in_nm_and_says_whether_it_holds_electrons(name, tmp_path):
    if name.endswith("hspy"):
        pytest.importorskip("rsciio")
    write_micrograph(IMAGE, tmp_path / name, pixel=(0.62, 0.64), provenance={"a": 1})
    (told,) = door.file_reader(str(tmp_path / name))
    np.testing.assert_array_equal(told["data"], IMAGE)
    down, across = told["axes"]
    assert [(a["name"], a["units"], a["navigate"]) for a in (down, across)] == [
        ("y", "nm", False), ("x", "nm", False),
    ]  # fmt: skip
    assert (down["size"], across["size"]) == (40, 50)
    assert down["scale"] == pytest.approx(0.062, rel=1e-6)
    assert across["scale"] == pytest.approx(0.064, rel=1e-6)
    about = told["metadata"]["General"]
    assert about["title"].startswith("image")
    assert about["original_filename"] == name
    assert "Counted electrons." in about["notes"]
    assert told["metadata"]["sbd"] == '{"a": 1}'


def test_frames_are_to_be_stepped_through_in_seconds():
    told = door.to_signal(Recording(STACK, SIZE, exposure=0.4))
    assert [axis["navigate"] for axis in told["axes"]] == [True, False, False]
    assert (told["axes"][0]["scale"], told["axes"][0]["units"]) == (0.4, "s")
    unknown = door.to_signal(Recording(STACK, PixelSize(None, "nobody")))
    assert [(axis["scale"], axis["units"]) for axis in unknown["axes"]] == [(1, "")] * 3


def test_nothing_stays_on_the_disc_unless_it_is_lazy(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    (told,) = door.file_reader(tmp_path / "image.npy")
    told["data"][0, 0] = 7  # not read-only
    assert np.load(tmp_path / "image.npy")[0, 0] == IMAGE[0, 0]
    (told,) = door.file_reader(tmp_path / "image.npy", lazy=True)
    assert isinstance(told["data"], np.memmap)
    assert "electrons" not in told["metadata"]["General"]["notes"]


def test_each_image_of_a_file_is_a_signal_unless_one_is_named(tmp_path):
    np.savez(tmp_path / "two.npz", one=IMAGE, other=STACK)
    titles = [
        t["metadata"]["General"]["title"]
        for t in door.file_reader(tmp_path / "two.npz")
    ]
    assert titles == ["two: one", "two: other"]
    (told,) = door.file_reader(tmp_path / "two.npz", dataset="other")
    assert told["data"].shape == STACK.shape
    np.savez(tmp_path / "none.npz", number=np.array(3))
    with pytest.raises(ValueError, match="file must hold an image or a stack"):
        door.file_reader(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError, match="file must be one that exists"):
        door.file_reader(tmp_path / "no.npz")


@pytest.mark.parametrize("values", [IMAGE, STACK])
def test_a_signal_is_a_recording_again(values):
    back = door.from_signal(
        signal_of(door.to_signal(Recording(values, SIZE, title="a")))
    )
    assert back.values is values
    assert back.title == "a"
    assert back.pixel.sides == pytest.approx(SIZE.sides)


def test_signals_that_are_no_images_are_refused():
    told = door.to_signal(Recording(IMAGE, SIZE))
    for axis in told["axes"]:
        axis["units"] = "1/nm"
    with pytest.raises(ValueError, match="holds a diffraction pattern"):
        door.from_signal(signal_of(told))
    told["axes"][0]["navigate"] = True
    with pytest.raises(ValueError, match="must be a Signal2D; got 1 signal axes"):
        door.from_signal(signal_of(told))


def test_hyperspy_itself_loads_shows_and_saves(tmp_path):
    hs = pytest.importorskip("hyperspy.api")
    write_micrograph(
        STACK, tmp_path / "stack.mrc", pixel=(0.62, 0.64), provenance={"a": 1}
    )
    for lazy in (False, True):
        signal = hs.load(
            str(tmp_path / "stack.mrc"), file_format=sbd.recordings.hyperspy, lazy=lazy
        )
        assert signal._lazy == lazy
        assert isinstance(signal, hs.signals.Signal2D)
        assert signal.axes_manager.navigation_shape == (3,)
        assert signal.axes_manager.signal_shape == (50, 40)
        assert signal.axes_manager["x"].scale == pytest.approx(0.064, rel=1e-6)
        assert signal.axes_manager["x"].units == "nm"
        np.testing.assert_array_equal(np.asarray(signal.data), STACK)
        again = door.from_signal(signal)
        assert again.pixel.sides == pytest.approx((0.62, 0.64), rel=1e-6)
    signal.compute()
    signal.save(tmp_path / "stack.hspy")
    kept = read_micrograph(tmp_path / "stack.hspy")
    np.testing.assert_array_equal(kept.values, STACK)
    assert kept.pixel.sides == pytest.approx((0.62, 0.64), rel=1e-6)
    assert kept.metadata["sbd"] == {"a": 1}
    bare = hs.signals.Signal2D(np.ones((20, 30)))
    assert door.from_signal(bare).pixel.sides is None
