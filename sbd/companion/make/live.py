"""Make what the page that denoises in the browser loads: ``make live``.

    python -m sbd.companion.make.live [book/_live]

The default network on 64 x 64 bins as an ONNX file, and with the transpose of its
Jacobian as another; both read their weights from the package's own file, and so does a
third, the network that takes a column out of a patch. Three of the bundled images of
the test split, 256 x 256 pixels each. Counts with what Python makes of them, image and
filter, so that the page can compare. The graphs take minutes; `--only-eraser` makes the
third and leaves all else.
"""

import argparse
import gzip
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from torch import nn

import sbd
from sbd.companion.make.packing import ASSETS, WEIGHTS
from sbd.denoisers.network import _FINEST, _SLACK
from sbd.files import sha256, write_bytes, write_json
from sbd.networks.onnx import export_bins, export_eraser
from sbd.networks.spectra import upsample
from sbd.simulation.noise import VACUUM
from sbd.typing import Pixel

BINS = 64  # along each side of what the page denoises
SCENES = (0, 2, 4)  # of `sbd.held_out_scenes`
LEVELS = 2**16  # in which a clean image is kept, of an electron per pixel
SEEDS, PIXELS = range(11, 23), 3  # of the filters that are compared

# Of the counts that the page compares with. No ReLU is on the brink in these, which was
# found by trying: runtimes round differently, but WebAssembly does alike everywhere.
SEED = 17
TOLERANCE = 1e-5  # of the comparison
FILE = WEIGHTS / "default.safetensors"
ERASER, PATCHES = WEIGHTS / "eraser.safetensors", 16  # that it takes at a time
ROOT = ASSETS.parents[1]


def clean_images(model: nn.Module) -> tuple[np.ndarray, list[dict]]:
    """Cut the images, in whole levels, and describe them."""
    side = BINS * model.binning
    scenes = sbd.held_out_scenes(frame=(side, side))
    stored, labels = [], []
    for i in SCENES:
        scene = scenes[i]
        stored.append(np.rint(scene.clean * LEVELS).astype("<u2"))
        pixel = float(np.sqrt(np.prod(scene.specimen.pixel)))
        labels.append({"name": scene.title, "pixel": round(pixel, 5)})
    return np.stack(stored), labels


def draw_counts(clean: np.ndarray, seed: int) -> np.ndarray:
    """Count a clean image."""
    return np.random.default_rng(seed).poisson(clean).astype(np.float32)


def compare_filters(
    clean: np.ndarray, model: nn.Module, graph: bytes
) -> tuple[Pixel, dict]:
    """Find filters with the graph and with torch, and say how far they are apart.

    The largest difference of a filter, over its largest weight. Where a ReLU is on the
    brink rounding decides, and changes all filters that look there. Returned is the
    pixel of the counts that the page compares with where both agree best.
    """
    from onnxruntime import InferenceSession

    with tempfile.TemporaryDirectory() as place:
        shutil.copyfile(FILE, Path(place) / FILE.name)
        write_bytes(Path(place) / "row.onnx", graph)
        session = InferenceSession(Path(place) / "row.onnx")
    n, apart = model.binning, {}
    finer = upsample(torch.eye(BINS, dtype=torch.float64), (n * BINS, BINS)).numpy()
    for seed in SEEDS:
        counts, rng = draw_counts(clean, seed), np.random.default_rng(seed)
        binned = counts.reshape(BINS, n, BINS, n).mean((1, 3))
        for row, column in rng.integers(32, len(clean) - 32, (PIXELS, 2)).tolist():
            cotangent = np.outer(finer[row], finer[column])
            given = {"binned": binned, "cotangent": cotangent}
            given = {k: v.astype(np.float32)[None, None] for k, v in given.items()}
            (ours,) = session.run(["row"], given)
            truth, _ = sbd.jacobian_row(model, counts, (row, column), device="cpu")
            difference = np.abs(ours[0, 0] / n**2 - truth[::n, ::n]).max()
            apart[seed, row, column] = float(difference / np.abs(truth).max())
    values = list(apart.values())
    _, *pixel = min((key for key in apart if key[0] == SEED), key=apart.get)
    told = {
        "draws": len(SEEDS), "pixels": PIXELS, "least": min(values),
        "median": float(np.median(values)), "largest": max(values),
    }  # fmt: skip
    return tuple(pixel), told


def pack_eraser(folder: Path) -> dict[str, object]:
    """Make the eraser's graph, and say what it is."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "erase.onnx"
        export_eraser(path, weights=ERASER, patches=PATCHES)
        pack(folder / "erase.onnx.gz", path.read_bytes())
    return {"file": ERASER.name, "digest": sha256(ERASER), "patches": PATCHES}


def main() -> None:
    """Make the files that are missing or out of date, and what they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "book" / "_live")
    parser.add_argument("--keep-graphs", action="store_true")
    parser.add_argument("--only-eraser", action="store_true")
    options = parser.parse_args()
    if options.only_eraser:
        path = options.folder / "about.json"
        about = json.loads(path.read_text("utf8"))
        write_json(path, about | {"eraser": pack_eraser(options.folder)})
        return
    folder, model = options.folder, sbd.load_model()
    if not options.keep_graphs:
        for name, row in (("estimate", False), ("row", True)):
            with tempfile.TemporaryDirectory() as place:
                path = Path(place) / f"{name}.onnx"
                export_bins(model, path, bins=(BINS, BINS), weights=FILE, row=row)
                pack(folder / f"{name}.onnx.gz", path.read_bytes())
    images, labels = clean_images(model)
    pack(folder / "scenes.bin.gz", images.tobytes())
    clean = images[0] / LEVELS
    graph = gzip.decompress((folder / "row.onnx.gz").read_bytes())
    pixel, found = compare_filters(clean, model, graph)
    counts = draw_counts(clean, SEED)
    denoised = sbd.denoise(counts, model, device="cpu")
    row, _ = sbd.jacobian_row(model, counts, pixel, device="cpu")
    n = model.binning
    small = row[::n, ::n]
    if (np.repeat(np.repeat(small, n, 0), n, 1) != row).any():
        msg = "row must be the same in all pixels of a bin"
        raise ValueError(msg)
    parts = [
        counts.astype(np.uint8).tobytes(),
        denoised.astype("<f4").tobytes(),
        small.astype("<f4").tobytes(),
    ]
    pack(folder / "reference.bin.gz", b"".join(parts))
    write_json(folder / "about.json", {
        "weights": {"file": FILE.name, "digest": sha256(FILE)},
        "bins": BINS, "binning": n, "trained_pixel": model.trained_pixel,
        "finest": _FINEST, "slack": _SLACK, "vacuum": VACUUM, "levels": LEVELS,
        "tolerance": TOLERANCE, "scenes": labels,
        "reference": {
            "sides": len(counts), "seed": SEED, "pixel": pixel,
            "largest": float(np.abs(small).max()), "filters": found,
        },
        "eraser": pack_eraser(folder),
    })  # fmt: skip
    draw_still(folder.parent / "live.png", [counts, denoised, clean])


def pack(path: Path, data: bytes) -> None:
    """Write compressed bytes, the same each time."""
    write_bytes(path, gzip.compress(data, 9, mtime=0))


def draw_still(path: Path, images: list[np.ndarray]) -> None:
    """Draw counts, estimate and truth beside each other on one grey scale."""
    high = float(images[1].max())
    grey = [
        np.rint(255 * (image / high).clip(0, 1)).astype(np.uint8) for image in images
    ]
    gap = np.full((len(grey[0]), 8), 255, np.uint8)
    row = np.hstack([grey[0], gap, grey[1], gap, grey[2]])
    with tempfile.TemporaryDirectory() as place:
        part = Path(place) / "still.png"
        Picture.fromarray(row).save(part, optimize=True)
        write_bytes(path, part.read_bytes())


if __name__ == "__main__":
    main()
