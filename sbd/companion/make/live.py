"""Make what the page that denoises in the browser loads: ``make live``.

    python -m sbd.companion.make.live [book/_live]

The default network on 64 x 64 bins as an ONNX file, and with the transpose of its
Jacobian as another; both read their weights from the package's own file. Three of the
bundled images of the test split, 256 x 256 pixels each. Counts with what Python makes
of them, image and filter, so that the page can compare. The graphs take minutes.
"""

import argparse
import copy
import gzip
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from torch import nn

import sbd
from sbd.companion.make.packing import ASSETS, WEIGHTS
from sbd.denoisers.network import _FINEST, _SLACK
from sbd.files import sha256, write_bytes, write_json
from sbd.networks.onnx import export_bins
from sbd.simulation.noise import VACUUM
from sbd.typing import Pixel

BINS = 64  # along each side of what the page denoises
SCENES = (0, 2, 4)  # of `sbd.held_out_scenes`
LEVELS = 2**16  # in which a clean image is kept, of an electron per pixel
SEED = 15  # of the counts that are compared
SEEDS, PIXELS = range(11, 21), 4  # of filters in two precisions
TOLERANCE = 1e-5  # of the comparison
FILE = WEIGHTS / "default.safetensors"
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


def compare_precisions(clean: np.ndarray, model: nn.Module) -> tuple[Pixel, dict]:
    """Find filters in float32 and in float64, and say how far they are apart.

    The largest difference of a filter, over its largest weight. Where a ReLU is on the
    brink rounding decides, and changes all filters that look there. Returned is a pixel
    of the counts that the page compares with, whose filter is the same in both.
    """
    double, apart = copy.deepcopy(model).double(), {}
    for seed in SEEDS:
        counts, rng = draw_counts(clean, seed), np.random.default_rng(seed)
        for pixel in rng.integers(32, len(clean) - 32, (PIXELS, 2)).tolist():
            row, _ = sbd.jacobian_row(model, counts, pixel, device="cpu")
            truth, _ = sbd.jacobian_row(double, counts, pixel, device="cpu")
            difference = np.abs(row - truth).max() / np.abs(truth).max()
            apart[seed, tuple(pixel)] = float(difference)
    (_, pixel), least = min(
        ((key, value) for key, value in apart.items() if key[0] == SEED),
        key=lambda pair: pair[1],
    )
    values = list(apart.values())
    if least > TOLERANCE / 10:
        msg = f"seed must be one without a ReLU on the brink; got {SEED}: {least:.1e}"
        raise ValueError(msg)
    return pixel, {
        "draws": len(SEEDS), "pixels": PIXELS, "chosen": least,
        "median": float(np.median(values)), "largest": max(values),
    }  # fmt: skip


def main() -> None:
    """Make the files that are missing or out of date, and what they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "book" / "_live")
    parser.add_argument("--keep-graphs", action="store_true")
    options = parser.parse_args()
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
    counts = draw_counts(clean, SEED)
    denoised = sbd.denoise(counts, model, device="cpu")
    pixel, found = compare_precisions(clean, model)
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
            "largest": float(np.abs(small).max()), "float32_against_float64": found,
        },
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
