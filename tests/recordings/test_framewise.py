"""Check that what is done survives a kill, and that nothing else is taken for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import sbd
from sbd.cli import main
from sbd.recordings import check_counts, denoise_movie, read_micrograph
from sbd.recordings.framewise import list_left


@pytest.fixture
def movie():
    return np.random.default_rng(0).poisson(0.45, (9, 32, 40)).astype(np.uint8)


class Killed(BaseException):
    """What no code catches, as little as a kill."""


class Half:
    """A denoiser that counts its calls, and is killed at one of them."""

    def __init__(self, at=None):
        self.calls, self.at = 0, at

    def __call__(self, frame):
        self.calls += 1
        if self.calls == self.at:
            raise Killed
        return frame / 2


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_frames_are_denoised_as_electrons(tmp_path, movie):
    file = tmp_path / "out.tif"
    denoise_movie(movie / 4, file, Half(), settings={}, pixel=(0.2, 0.3))
    image = read_micrograph(file)
    np.testing.assert_array_equal(image.values, movie / 2)
    assert image.pixel.sides == pytest.approx((0.2, 0.3))
    assert names(tmp_path) == ["out.tif"]
    denoise_movie(movie / 4, tmp_path / "raw.npy", Half(), settings={}, unchecked=True)
    np.testing.assert_array_equal(np.load(tmp_path / "raw.npy"), movie / 8)


@pytest.mark.parametrize("suffix", ["tif", "ome.tif", "npy", "npz", "mrc"])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(tmp_path, movie, suffix):
    straight, killed = tmp_path / f"a/out.{suffix}", tmp_path / f"b/out.{suffix}"
    for file in (straight, killed):
        file.parent.mkdir()
    denoise_movie(movie, straight, Half(), settings={"by": 2})
    for at in (1, 4, 3):
        with pytest.raises(Killed):
            denoise_movie(movie, killed, Half(at), settings={"by": 2})
        assert not killed.exists()
    rest = Half()
    denoise_movie(movie, killed, rest, settings={"by": 2})
    assert rest.calls == 9 - 0 - 3 - 2
    assert killed.read_bytes() == straight.read_bytes()
    assert names(killed.parent) == [killed.name]


def left_over(file, movie, at=6, **how):
    """Leave what a run leaves that is killed at its frame `at`."""
    with pytest.raises(Killed):
        denoise_movie(movie, file, Half(at), **{"settings": {}, **how})
    (folder,) = list_left(file)
    return folder


@pytest.mark.parametrize(
    ("name", "harm", "again"),
    [
        ("journal", lambda old: old[:-3], 5),  # a line cut short
        ("journal", lambda old: old[:-9], 5),  # killed before it was written
        ("journal", lambda old: b"x" + old[1:], 9),  # of something else
        ("journal", lambda old: old[:0], 9),
        ("frames", lambda old: old[:-3], 5),  # a frame cut short
        ("frames", lambda old: old[:100] + b"????" + old[104:], 9),
        ("frames", lambda old: old + b"half of the next frame", 4),
        ("journal", lambda old: old + b"00000000\n", 4),
    ],
)
def test_what_is_damaged_is_done_again(tmp_path, movie, name, harm, again):
    file = tmp_path / "out.npy"
    folder = left_over(file, movie)
    path = folder / name
    path.write_bytes(harm(path.read_bytes()))
    rest = Half()
    denoise_movie(movie, file, rest, settings={})
    assert rest.calls == again
    np.testing.assert_array_equal(np.load(file), movie / 2)


def test_what_another_run_left_is_not_used(tmp_path, movie):
    file = tmp_path / "out.npy"
    folder = left_over(file, movie)
    other = movie.copy()
    other[8, 31, 39] += 1
    report = check_counts(movie * 3)
    for given, how in (
        (other, {"settings": {}}),
        (movie, {"settings": {"by": 2}}),
        (movie.astype(np.uint16), {"settings": {}}),
        (movie.reshape(9, 40, 32), {"settings": {}}),
        (movie, {"settings": {}, "unchecked": True}),
        (movie, {"settings": {}, "report": report}),
    ):
        rest = Half()
        denoise_movie(given, file, rest, force=True, **how)
        assert rest.calls == 9
        assert list_left(file) == [folder]
    rest = Half()
    denoise_movie(movie, file, rest, settings={}, force=True)
    assert rest.calls == 4
    assert names(tmp_path) == ["out.npy"]


def test_a_file_that_is_there_stays_unless_it_may_go(tmp_path, movie):
    file = tmp_path / "out.npy"
    file.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="force=True replaces it"):
        denoise_movie(movie, file, Half(), settings={})

    def slow(frame):
        file.write_bytes(b"somebody came first")
        return frame

    file.unlink()
    with pytest.raises(FileExistsError, match="file must not be there yet"):
        denoise_movie(movie, file, slow, settings={})
    assert file.read_bytes() == b"somebody came first"


def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path, movie):
    file = tmp_path / "out.npy"
    with pytest.raises(ValueError, match="recording must be a stack"):
        denoise_movie(movie[0], file, Half(), settings={})
    with pytest.raises(ValueError, match="must return shape"):
        denoise_movie(movie, file, lambda y: y[1:], settings={})
    with pytest.raises(ValueError, match="recording must hold electrons"):
        denoise_movie(np.ones((3, 32, 32)), file, Half(), settings={})
    with pytest.raises(ValueError, match="file must be a"):
        denoise_movie(movie, tmp_path / "out.png", Half(), settings={})
    assert names(tmp_path) == []


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    sbd.save_model(sbd.DnCNN(depth=4, channels=8), file)
    return file


def command(noisy, file, weights):
    """The command, with eight networks' work for each frame."""
    return [
        "denoise", str(noisy), str(file), "--model", str(weights), "--frames", "each",
        "--device", "cpu", "--ensemble",
    ]  # fmt: skip


def kill_at(arguments, folder, name, lines):
    """Run a command until the journal has so many lines more, and kill it."""
    code = f"import sys; from sbd.cli import main; sys.exit(main({arguments!r}))"
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    first = None
    while child.poll() is None:
        journals = list(folder.glob(f".{name}.*/journal"))
        size = journals[0].stat().st_size if journals else 0
        first = size if first is None else first
        if size >= max(first, 65) + 9 * lines:
            os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.001)
    child.stderr.close()
    return child.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="nothing kills like that")
def test_the_command_survives_kills_at_random(tmp_path, weights):
    noisy = tmp_path / "noisy.tif"
    movie = np.random.default_rng(1).poisson(0.45, (60, 96, 96)).astype(np.uint8)
    sbd.recordings.write_micrograph(movie, noisy)
    for name in ("straight", "killed"):
        (tmp_path / name).mkdir()
    straight, killed = (tmp_path / f"{n}/out.tif" for n in ("straight", "killed"))
    assert main(command(noisy, straight, weights)) == 0
    rng = np.random.default_rng(2)
    codes = []
    for _ in range(3):
        lines = int(rng.integers(1, 12))
        codes.append(
            kill_at(command(noisy, killed, weights), killed.parent, "out.tif", lines)
        )
        assert not killed.exists()
    assert codes == [-signal.SIGKILL] * 3
    assert main(command(noisy, killed, weights)) == 0
    assert killed.read_bytes() == straight.read_bytes()
    assert names(killed.parent) == ["out.tif"]


def test_the_command_gives_what_the_function_gives(tmp_path, weights, capsys):
    movie = np.random.default_rng(3).poisson(0.45, (4, 64, 64)).astype(np.uint8)
    noisy, file = tmp_path / "noisy.npy", tmp_path / "out.npy"
    np.save(noisy, movie)
    left_over(file, movie, at=2)
    assert main([*command(noisy, file, weights), "--progress"]) == 0
    how = {"frames": "each", "device": "cpu", "ensemble": True}
    np.testing.assert_array_equal(np.load(file), sbd.denoise(movie, weights, **how))
    told = capsys.readouterr().err
    assert "4/4" in told
    assert "was left by another run" in told
    assert main([*command(noisy, file, weights), "--no-progress"]) == 1
    assert "--force replaces it" in capsys.readouterr().err
    assert Path(file).exists()
