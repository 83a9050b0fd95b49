"""Networks as packages of bioimage.io, for programs that run such models.

A package is an ONNX file, an image to test it with, a text and ``rdf.yaml``, which
describes them in format 0.5; the texts are in ``sbd/assets/bioimageio``.
"""

import math
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import nn

from sbd.data.examples import example_truth
from sbd.files import replacing, sha256, write_text
from sbd.metrics import psnr
from sbd.networks.inference import find_tiling
from sbd.networks.models import evaluating
from sbd.networks.onnx import OPSET, export_onnx, needs_shape
from sbd.simulation.noise import poisson_noise

_SHAPE = 512, 512  # of a network that takes one shape alone, unless it is asked for
_TEST = 256, 256  # of the test image of one that takes any
_TEXTS = Path(__file__).parents[1] / "assets" / "bioimageio"


def write_bioimageio(
    model: nn.Module, path: str | Path, *, shape: tuple[int, int] | None = None
) -> None:
    """Write a network as a model package of bioimage.io, in format 0.5.

    It holds ``rdf.yaml``, ``weights.onnx`` (as `export_onnx` writes it), a simulated
    image and what the network makes of it, a cover and a README. Input and output are
    counted electrons per pixel, of axes batch, channel, y, x; nothing is normalised.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library; left as it is.
    path : str or pathlib.Path
        A ``.zip`` file, written to a temporary name and renamed, or a folder that is
        not there yet.
    shape : tuple of int, optional
        (height, width) of the images that it will take. None is for images of any
        shape, or of 512 x 512 where the network bins counts, since such a file has one
        shape [pixels].

    Raises
    ------
    FileExistsError
        If `path` is a folder that is there.
    ValueError
        If the network takes or gives several images, or as for `export_onnx`.
    ImportError, TypeError
        As for `export_onnx`.

    Examples
    --------
    >>> from sbd.networks.published import DnCNN
    >>> write_bioimageio(DnCNN(depth=3, channels=2), "small.zip", shape=(0, 64))
    Traceback (most recent call last):
        ...
    ValueError: shape must be two positive whole numbers, or None; got (0, 64)
    """
    path = Path(path)
    zipped = path.suffix == ".zip"
    if not zipped and path.exists():
        msg = f"path must be a new folder, or a .zip file; got {path}"
        raise FileExistsError(msg)
    config = getattr(model, "config", {})
    if (config.get("inputs", 1), config.get("outputs", 1)) != (1, 1):
        msg = f"model must make one image of one; got a {type(model).__name__} {config}"
        raise ValueError(msg)
    if shape is None and needs_shape(model):
        shape = _SHAPE
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}.", ignore_cleanup_errors=True
    ) as part:
        folder = Path(part) / "package"
        export_onnx(model, folder / "weights.onnx", shape=shape)
        _describe(model, folder, shape)
        if not zipped:
            folder.rename(path)
            return
        with replacing(path) as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for one in sorted(folder.iterdir()):
                about = ZipInfo(one.name)  # of no date: the same network, the same file
                about.compress_type = ZIP_DEFLATED
                archive.writestr(about, one.read_bytes())


def _describe(model: nn.Module, folder: Path, shape: tuple[int, int] | None) -> None:
    """Write what stands beside the weights."""
    clean = _cut(example_truth("simulated")[0], shape or _TEST)
    noisy = poisson_noise(clean, rng=np.random.default_rng(0)).astype(np.float32)
    device = next((p.device for p in model.parameters()), "cpu")
    with torch.no_grad(), evaluating(model):
        found = model(torch.from_numpy(noisy[None, None]).to(device)).cpu().numpy()
    np.save(folder / "test_input.npy", noisy[None, None])
    np.save(folder / "test_output.npy", found)
    _draw(noisy, found[0, 0]).save(folder / "cover.png")
    kind = type(model).__name__
    size = [str(n) for n in shape or ("{min: 16, step: 1}",) * 2]
    same = [f"{{tensor_id: noisy, axis_id: {axis}}}" for axis in "yx"]
    words = {
        "name": f"Simulation-based denoising of electron micrographs ({kind})",
        "kind": kind,
        "parameters": sum(p.numel() for p in model.parameters()),
        "version": version("sbd"),
        "opset": OPSET,
        "before": f"{psnr(clean, noisy):.1f}",
        "after": f"{psnr(clean, found[0, 0]):.1f}",
        "weights": sha256(folder / "weights.onnx"),
        "input": sha256(folder / "test_input.npy"),
        "output": sha256(folder / "test_output.npy"),
        **dict(zip(("height", "width"), size, strict=True)),
        **dict(zip(("down", "across"), size if shape else same, strict=True)),
        **_say(model, shape),
    }
    for text in _TEXTS.iterdir():
        write_text(folder / text.name, Template(text.read_text()).substitute(words))


def _say(model: nn.Module, shape: tuple[int, int] | None) -> dict[str, str]:
    """Say which images a network takes."""
    pixel, unit = "The size of a pixel is not known.", ""
    if known := getattr(model, "trained_pixel", None):
        fine, coarse = (f"{side / 10:.3g}" for side in known)
        pixel = f"Trained on pixels of {fine} to {coarse} nm; add finer ones up."
        unit = f", unit: nanometer, scale: {math.sqrt(math.prod(known)) / 10:.3g}"
    size = "Images of any shape from 16 x 16 pixels on."
    if shape:
        size = "Images of {} x {} pixels exactly (sbd export --shape).".format(*shape)
    tiles = "Not in tiles: a pixel depends on the shape of the whole image."
    with suppress(ValueError):
        reach = find_tiling(model)[1]
        tiles = (
            f"Tiles have seams: a pixel depends on others up to {reach} pixels away."
        )
    return {"pixel": pixel, "unit": unit, "shape": size, "tiles": tiles}


def _cut(image: NDArray, shape: tuple[int, int]) -> NDArray:
    """Take the middle of an image, repeated where that is too small."""
    for axis, size in enumerate(shape):
        start = (image.shape[axis] - size) // 2
        image = image.take(range(start, start + size), axis, mode="wrap")
    return image


def _draw(noisy: NDArray, denoised: NDArray) -> Picture.Image:
    """Put counts and estimate side by side, 512 x 256 pixels."""
    low, high = np.percentile(denoised, (0.5, 99.5))
    cover = Picture.new("L", (512, 256))
    for at, image in ((0, noisy), (256, denoised)):
        grey = np.clip((image - low) / (high - low or 1.0), 0, 1)
        half = Picture.fromarray((255 * grey).astype(np.uint8))
        cover.paste(half.resize((256, 256), Picture.Resampling.BOX), (at, 0))
    return cover
