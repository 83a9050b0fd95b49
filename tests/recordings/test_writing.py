"""Check that an image keeps its calibration and its history in every format."""

import numpy as np
import pytest

from sbd.recordings import PixelSize, Recording, read_micrograph, write_micrograph
from sbd.recordings.writing import WRITERS

IMAGE = np.random.default_rng(0).normal(0.45, 0.1, (40, 50)).astype(np.float32)
HISTORY = {"method": "network", "weights": "a1b2", "doses": [0.1, 10.0], "Å": "<&>"}
KEPT = sorted(set(WRITERS) - {".npy"})


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("frames", [None, 3])
@pytest.mark.parametrize("pixel", [(0.064, 0.062), (12.5, 12.5), None])
def test_values_pixel_and_history_come_back(tmp_path, kind, frames, pixel):
    image = IMAGE if frames is None else np.stack([IMAGE + i for i in range(frames)])
    file = tmp_path / f"image{kind}"
    write_micrograph(image, file, pixel=pixel, provenance=HISTORY)
    found = read_micrograph(file)
    np.testing.assert_array_equal(found.values, image)
    if pixel is None:
        assert found.pixel.sides is None
    else:
        # a TIFF keeps a fraction of whole numbers, MRC single precision
        assert found.pixel.sides == pytest.approx(pixel, rel=1e-5)
    assert found.metadata["sbd"] == HISTORY
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("kind", sorted(WRITERS))
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float64])
def test_numbers_of_any_kind_are_kept(tmp_path, kind, dtype):
    image = np.arange(2000).reshape(40, 50) % 200
    write_micrograph(image.astype(dtype), tmp_path / f"image{kind}")
    np.testing.assert_array_equal(
        read_micrograph(tmp_path / f"image{kind}").values, image
    )


def test_a_recording_takes_its_pixel_along(tmp_path):
    recording = Recording(IMAGE, PixelSize((0.1, 0.2), "said"), exposure=0.5)
    write_micrograph(recording, tmp_path / "image.hspy")
    found = read_micrograph(tmp_path / "image.hspy")
    assert found.pixel.sides == pytest.approx((0.1, 0.2))
    assert found.exposure == 0.5


def test_nothing_is_replaced_unasked_and_nothing_lost_on_failure(tmp_path, monkeypatch):
    file = tmp_path / "image.tif"
    write_micrograph(IMAGE, file)
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match=r"force=True replaces it"):
        write_micrograph(IMAGE + 1, file)
    assert file.read_bytes() == before

    def fail(*_):
        raise OSError(28, "no space left")

    monkeypatch.setitem(WRITERS, ".tif", fail)
    with pytest.raises(OSError, match="no space"):
        write_micrograph(IMAGE + 1, file, force=True)
    assert file.read_bytes() == before
    monkeypatch.undo()
    write_micrograph(IMAGE + 1, file, force=True)
    np.testing.assert_array_equal(read_micrograph(file).values, IMAGE + 1)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"file must be a .hspy, .mrc.*image.png"):
        write_micrograph(IMAGE, tmp_path / "image.png")
    with pytest.raises(ValueError, match="recording must be an image"):
        write_micrograph(np.arange(4), tmp_path / "image.tif")
    for pixel in ((0, 1), (np.nan, 1), -1):
        with pytest.raises(ValueError, match="pixel must be two sizes above 0"):
            write_micrograph(IMAGE, tmp_path / "image.tif", pixel=pixel)
    assert not list(tmp_path.iterdir())
