"""The sets that denoisers are scored on: which frames, under which counts.

The counts of a frame depend on what it shows and on a seed, and on nothing else: every
denoiser sees the same ones, in whatever set and order, so that scores are pairs. A part
of a set is the same part for everybody.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sbd.audits.benchmark_audit import spread_rows
from sbd.audits.challenge import ChallengeScene, challenge_denoisers, challenge_scenes
from sbd.audits.inspection import inspect_estimate
from sbd.audits.scenes import square_scene
from sbd.benchmark.dataset import Benchmark
from sbd.files import sha256
from sbd.metrics import authors_psnr, authors_resize, authors_ssim
from sbd.simulation.frame import BOX_SAMPLES, CROP, PIXEL
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import check_whole, check_word

SETS = {
    "white": "the 280 images of white columns that the paper tests on",
    "test": "the 3,567 images of all contrasts that the paper tests on",
    "strict": "60 images of the strict test split, of structures in no other split",
    "draws": "60 images of that split and their counts, both drawn by a seed of yours",
    "columns": "columns found, false and invented in 60 images of that split",
    "challenge": "columns lost and invented in 48 images with columns and without them",
}
"""What each set holds, in words."""

COUNTS = 1  # seed of all counts but those of the set draws
_STRICT, _STRICT_SEED = 60, 11  # as `make score` chooses them
_DRAWS, _COLUMNS = 60, 60
_SPECIMENS, _FOCI, _CHALLENGE_SEED = 8, 3, 0
_EACH = 2 * _FOCI  # scenes of a specimen
_SPLITS = {"white": "published_split_white", "test": "published_split"}
_DIGITS = {"psnr": 3, "ssim": 5}


@dataclass(frozen=True)
class Frame:
    """One image of a set, and how to score a denoiser on it."""

    image: str  # which, in words that no other has
    kind: str  # how it is scored: quality, columns or challenge
    labels: dict  # contrast, thickness and, of the challenge, specimen
    work: Callable[[Denoiser], dict] = field(repr=False, compare=False)
    counts: Callable[[], Image] = field(repr=False, compare=False)

    def score(self, denoise: Denoiser) -> dict[str, float]:
        """Score a denoiser: numbers that are rounded as a file keeps them."""
        return {
            key: round(value, _DIGITS[key]) if key in _DIGITS else int(value)
            for key, value in self.work(denoise).items()
        }


def choose_frames(
    name: str,
    benchmark: Benchmark,
    *,
    limit: int | None = None,
    seed: int = 0,
    scenes: str | Path = "data/challenge/images",
    judge: Callable | None = None,
) -> tuple[list[Frame], int]:
    """Choose the frames of a set, or of `limit` of them; and tell how many it has.

    `seed` is of the set draws alone, `scenes` and `judge` of the challenge.
    """
    check_word("sets", name, SETS)
    if limit is not None:
        check_whole("limit", limit)
    if name == "challenge":
        return _challenge_frames(Path(scenes), limit, judge)
    table = benchmark.table
    column = _SPLITS.get(name, "split")
    rows = np.flatnonzero((table[column] == "test").to_numpy())
    names = _name_images(table)
    if name == "strict" and len(rows) > _STRICT:
        rng = np.random.default_rng(_STRICT_SEED)
        rows = rng.choice(rows, size=_STRICT, replace=False)
    if name == "columns":
        most = min(_COLUMNS, len(rows))
        rows = spread_rows(table.iloc[rows], min(most, limit or most))
    else:
        start = seed if name == "draws" else COUNTS
        most = min(_DRAWS, len(rows)) if name == "draws" else len(rows)
        order = sorted(rows, key=lambda row: seed_of(start, "order", names[row]))
        rows = sorted(order[: min(most, limit or most)])
    if not len(rows):
        msg = (
            f"sets must have images in the benchmark; got none of {name!r} in "
            f"{benchmark.folder} (sbd simulate FOLDER makes all of them)"
        )
        raise ValueError(msg)
    work = _score_columns if name == "columns" else _score_quality
    kind = "columns" if name == "columns" else "quality"
    frames = []
    for row in rows:
        how = (benchmark, int(row), seed_of(_start(name, seed), kind, names[row]))
        label = table.iloc[row]
        labels = {"contrast": _say(label["contrast"])}
        labels |= {"thickness": float(label["thickness"])}
        counts = partial(_count, *how)
        frames.append(Frame(names[row], kind, labels, partial(work, *how), counts))
    return frames, most


def _start(name: str, seed: int) -> int:
    return seed if name == "draws" else COUNTS


def _name_images(table: pd.DataFrame) -> list[str]:
    """Say what each image of a benchmark shows."""
    rows = table[["structure", "tilt_x", "tilt_y", "defocus"]].itertuples(index=False)
    return [f"{s} tilt {x:g},{y:g} focus {f:g}" for s, x, y, f in rows]


def _say(contrast: object) -> str:
    return contrast if isinstance(contrast, str) else "unknown"


def seed_of(seed: int, *words: str) -> int:
    """Make a seed of 128 bits from a seed and words, such as an image's name."""
    text = "/".join([str(seed), *words])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def digest_seed(seed: int) -> str:
    """Commit to a seed: the SHA-256 of its decimal digits."""
    check_whole("seed", seed, least=0)
    return sha256(str(seed).encode())


def digest_benchmark(benchmark: Benchmark) -> dict[str, str | int]:
    """Compare all images with their checksums, and say which benchmark it is.

    ``recipe`` is of the structures and the microscope, ``content`` of the bytes.
    """
    benchmark.verify()
    settings = {k: v for k, v in benchmark.settings.items() if k != "engine"}
    text = json_line(settings)
    sums = (benchmark.folder / "SHA256SUMS").read_text().splitlines()
    lines = sorted(line for line in sums if "images.zarr" in line)
    return {
        "recipe": sha256(text.encode()),
        "content": sha256("\n".join(lines).encode()),
        "images": len(benchmark),
    }


def json_line(value: object) -> str:
    """Write a value as the one line of JSON that digests are of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


# --- how a frame is scored


def _clean(benchmark: Benchmark, row: int) -> Image:
    """Show an image as the authors cut and resize theirs [e/pixel]."""
    return authors_resize(benchmark.image(row, samples=BOX_SAMPLES)[CROP]).clip(min=0)


def _count(benchmark: Benchmark, row: int, seed: int) -> Image:
    return poisson_noise(_clean(benchmark, row), rng=np.random.default_rng(seed))


def _score_quality(
    benchmark: Benchmark, row: int, seed: int, denoise: Denoiser
) -> dict:
    clean = _clean(benchmark, row)
    noisy = poisson_noise(clean, rng=np.random.default_rng(seed))
    estimate = denoise(noisy)
    psnr = authors_psnr(clean, estimate)
    return {"psnr": _finite(psnr), "ssim": authors_ssim(clean, estimate)}


def _finite(psnr: float) -> float:
    if math.isinf(psnr):
        msg = "denoiser must estimate the clean image; got that image itself"
        raise ValueError(msg)
    return psnr


def _score_columns(
    benchmark: Benchmark, row: int, seed: int, denoise: Denoiser
) -> dict:
    scene = square_scene(benchmark, row, PIXEL)
    noisy = poisson_noise(scene.clean, rng=np.random.default_rng(seed))
    found = inspect_estimate(scene, denoise(noisy)).counts
    names = ("columns", "seen", "found", "false", "invented")
    return {name: found[name] for name in names} | {"psnr": _finite(found["psnr"])}


def _challenge_frames(
    folder: Path, limit: int | None, judge: Callable | None
) -> tuple[list[Frame], int]:
    most = _SPECIMENS * _EACH
    number = math.ceil(min(most, limit or most) / _EACH)
    frames = []
    for specimen in range(number):
        for place, scene in enumerate(_read_scenes(folder, specimen)):
            labels = {
                "contrast": scene.labels["contrast"],
                "thickness": float(scene.labels["thickness"]),
                "specimen": int(scene.labels["specimen"]),
            }
            work = partial(_score_challenge, folder, specimen, place, judge)
            counts = partial(_count_scene, folder, specimen, place)
            frames.append(Frame(scene.title, "challenge", labels, work, counts))
    return frames[: limit or most], most


def _read_scenes(folder: Path, specimen: int) -> list[ChallengeScene]:
    how = {"foci": _FOCI, "seed": _CHALLENGE_SEED}
    return list(challenge_scenes(folder, specimens=[specimen], **how))


def digest_scenes(folder: str | Path, number: int) -> str:
    """Say which clean images the first frames of the challenge are."""
    scenes: Sequence[ChallengeScene] = [
        scene
        for specimen in range(math.ceil(number / _EACH))
        for scene in _read_scenes(Path(folder), specimen)
    ]
    return sha256(*(np.ascontiguousarray(scene.clean).tobytes() for scene in scenes))


def _count_scene(folder: Path, specimen: int, place: int) -> Image:
    clean = _read_scenes(folder, specimen)[place].clean
    return poisson_noise(clean, rng=np.random.default_rng(COUNTS))


def _score_challenge(
    folder: Path, specimen: int, place: int, judge: Callable | None, denoise: Denoiser
) -> dict:
    scene = _read_scenes(folder, specimen)[place]
    how = {"doses": [VACUUM], "seed": COUNTS, "judge": judge}
    table = challenge_denoisers({"one": denoise}, [scene], **how)
    seen, invented = table["seen"], table["invented"]
    claimed = table["verdict"] != "not claimed"
    counts = {
        "true": seen.sum(), "lost": (seen & ~claimed).sum(),
        "claims": claimed.sum(), "invented": (invented & claimed).sum(),
    }  # fmt: skip
    if judge is not None:
        shown = table["verdict"] == "supported"
        counts |= {
            "lost after": (seen & ~shown).sum(), "claims after": shown.sum(),
            "invented after": (invented & shown).sum(),
        }  # fmt: skip
    return counts
