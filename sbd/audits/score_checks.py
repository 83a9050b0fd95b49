"""Check a score file that somebody else wrote: its sums, its images, its denoiser.

A file may be wrong by accident or on purpose. Whoever changed a frame's score and every
sum with it is found by repeating frames alone, and only if one of these is repeated;
so the report tells how many false frames it would have missed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

import numpy as np
from tqdm import tqdm

from sbd.audits.entrants import Entrant, compare_calls, load_entrant
from sbd.audits.score_means import digest_frames, summarise_frames
from sbd.audits.score_sets import (
    COUNTS,
    SETS,
    Frame,
    choose_frames,
    digest_benchmark,
    digest_scenes,
    digest_seed,
)
from sbd.audits.scoring import FIELDS, SCHEMA, agree
from sbd.benchmark.dataset import Benchmark
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser
from sbd.validation import check_whole

_LABELS = "image", "contrast", "thickness", "specimen"
_SCORES = {
    "white": ("psnr", "ssim"), "test": ("psnr", "ssim"), "strict": ("psnr", "ssim"),
    "draws": ("psnr", "ssim"),
    "columns": ("columns", "seen", "found", "false", "invented", "psnr"),
    "challenge": ("true", "lost", "claims", "invented"),
}  # fmt: skip
_FARTHEST, _MANY = 1e3, 1e9  # no PSNR is as large [dB], and no number of columns
_SHARE = 0.1  # of the frames, that the report supposes false


@dataclass(frozen=True)
class ScoreCheck:
    """What stands against a score file.

    Parameters
    ----------
    problems : tuple of str
        What is wrong; empty if nothing was found.
    remarks : tuple of str
        What could not be checked, and what is to be known.
    repeated : int
        Frames that were scored again.
    largest : float
        Largest difference of their PSNR to what the file says [dB]; NaN of none.

    Examples
    --------
    >>> ScoreCheck((), (), 0, float("nan")).sound
    True
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    repeated: int
    largest: float

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def check_score(
    file: str | Path,
    benchmark: Benchmark | None = None,
    denoiser: Denoiser | Entrant | str | None = None,
    *,
    rng: np.random.Generator | None = None,
    number: int = 5,
    seed: int | None = None,
    scenes: str | Path = "data/challenge/images",
    progress: bool = False,
) -> ScoreCheck:
    """Check a score file: its sums, its images, and some frames once more.

    Parameters
    ----------
    file : str or pathlib.Path
        What ``sbd score`` wrote.
    benchmark : Benchmark, optional
        To compare digests with, and to see that no frame was left out or put in.
        Without one, only sums are checked.
    denoiser : callable, Entrant or str, optional
        As for `score_denoiser`; scores `number` frames of each set again.
    rng : numpy.random.Generator, optional
        Chooses these frames; needed with `denoiser`.
    number : int, default 5
        Of frames of each set; all if there are no more.
    seed : int, optional
        The seed of the set "draws", once it was revealed.
    scenes : str or pathlib.Path, default "data/challenge/images"
        Folder of the challenge's images.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    ScoreCheck
        What is wrong, if anything.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no score file of this version, `rng` is missing or `number` is below 1.

    Examples
    --------
    >>> check_score("nowhere.json")
    Traceback (most recent call last):
    FileNotFoundError: file must be what sbd score wrote; got nowhere.json
    """
    check_whole("number", number)
    content = read_score(file)
    problems, remarks = _check_sums(content), list(content["remarks"])
    seed, said = _open_seed(content, seed)
    problems += said
    if not content["repeatable"]:
        remarks.append("two calls of this denoiser differ, so says the file")
    if benchmark is None:
        remarks.append("no benchmark was given: images and frames are not checked")
        return ScoreCheck(tuple(problems), tuple(remarks), 0, math.nan)
    about = digest_benchmark(benchmark)
    if about["recipe"] != content["benchmark"]["recipe"]:
        problems.append("benchmark: that of the file has other structures or optics")
        return ScoreCheck(tuple(problems), tuple(remarks), 0, math.nan)
    if content["dose"] != VACUUM:
        problems.append(f"dose: it must be {VACUUM}; got {content['dose']}")
    if content["benchmark"].get("images") != about["images"]:
        problems.append(f"benchmark: it has {about['images']} images, not those told")
    same = about["content"] == content["benchmark"]["content"]
    chosen, more, notes = _choose_again(content, benchmark, seed, scenes)
    problems, remarks = problems + more, remarks + notes
    again = _Again(0, 0.0, [])
    if denoiser is not None:
        if rng is None:
            msg = "rng must come with a denoiser; got None"
            raise ValueError(msg)
        entrant = load_entrant(denoiser)
        again = _repeat(content, entrant, chosen, rng, number, progress=progress)
        remarks += _weigh(content, again.frames)
        if None in (entrant.digest, content["denoiser"]["sha256"]):
            remarks.append("denoiser: whether it is that of the file is not known")
    problems += again.problems
    if not same:
        words = "benchmark: its images are not, bit by bit, those of the file"
        told = again.frames and not again.problems
        way = " (simulated on another processor? the frames agree)" if told else ""
        (remarks if told else problems).append(words + way)
    largest = again.largest if again.frames else math.nan
    return ScoreCheck(tuple(problems), tuple(remarks), again.frames, largest)


def read_score(file: str | Path) -> dict:
    """Read a score file, or say why it is none."""
    path = Path(file)
    if not path.is_file():
        msg = f"file must be what sbd score wrote; got {file}"
        raise FileNotFoundError(msg)
    try:
        content = json.loads(path.read_text("utf8"))
    except (ValueError, RecursionError) as error:
        msg = f"file must hold JSON; got {file} ({error})"
        raise ValueError(msg) from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != SCHEMA:
        msg = f"file must be of the schema {SCHEMA!r}; got {found!r} ({file})"
        raise ValueError(msg)
    lacking = [name for name in FIELDS if name not in content]
    if lacking or not isinstance(content["sets"], dict) or not content["sets"]:
        msg = f"file must hold {', '.join(FIELDS)}; got no {lacking or 'sets'} ({file})"
        raise ValueError(msg)
    wrong = _find_misfit(content)
    if wrong:
        msg = f"file must hold what sbd score writes; got another {wrong} ({file})"
        raise ValueError(msg)
    return content


def _find_misfit(content: dict) -> str:
    """Name the first part that is of another kind than those of a score file."""
    kinds = {
        "name": str,
        "repeatable": bool,
        "denoiser": {"sha256": (str, NoneType)},
        "benchmark": {"recipe": str, "content": str},
        "seeds": {},
        "remarks": list,
    }
    drawn = content["seeds"].get("draws") if _is_dict(content["seeds"]) else None
    if drawn is not None:
        kinds["seeds"] = {"draws": {"sha256": str, "seed": (int, NoneType)}}
        if _is_dict(drawn) and isinstance(drawn.get("seed"), int):
            kinds["seeds"]["draws"]["seed"] = int if drawn["seed"] >= 0 else str
    one_set = {"part": str, "sha256": str, "means": dict, "frames": list}
    kinds["sets"] = {
        name: one_set | ({"scenes": str} if name == "challenge" else {})
        for name in content["sets"]
    }
    wrong = _compare_kinds(content, kinds)
    for name, one in () if wrong else content["sets"].items():
        if not all(
            _is_dict(f) and isinstance(f.get("image"), str) for f in one["frames"]
        ):
            wrong = f"sets: {name}: frames"
    return wrong


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _compare_kinds(content: object, kinds: dict) -> str:
    """Name the first part of nested dicts that lacks, or is of another kind."""
    for name, kind in kinds.items():
        value = content.get(name, ...)
        fits = isinstance(value, dict if _is_dict(kind) else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            return name
        inner = _compare_kinds(value, kind) if _is_dict(kind) else ""
        if inner:
            return f"{name}: {inner}"
    return ""


def _check_sums(content: dict) -> list[str]:
    """Recompute every mean and digest from the frames."""
    problems = []
    for name, one in content["sets"].items():
        try:
            frames = one["frames"]
            wrong = _check_frames(name, frames)
            if wrong:
                problems.append(f"{name}: {wrong}")
                continue
            if digest_frames(frames) != one["sha256"]:
                problems.append(f"{name}: its frames are not those of its sha256")
            problems += _compare(name, one["means"], summarise_frames(frames))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"{name}: it cannot be read ({error!r})")
    return problems


def _check_frames(name: str, frames: list[dict]) -> str:
    """Say what is wrong with the frames of a set, if anything."""
    if name not in SETS:
        return f"there is no such set, only {', '.join(SETS)}"
    if not frames:
        return "it has no frames"
    images = [frame["image"] for frame in frames]
    if len(set(images)) < len(images):
        return "a frame is there twice"
    for frame in frames:
        for score in _SCORES[name]:
            value = frame[score]
            low, high = _bounds(score, frame)
            if isinstance(value, bool) or not low <= value <= high:
                return f"{score} of {frame['image']} is {str(value)[:20]}"
    return ""


def _bounds(score: str, frame: Mapping) -> tuple[float, float]:
    """Say between which numbers a score can lie."""
    if score == "psnr":
        return -_FARTHEST, _FARTHEST
    if score == "ssim":
        return -1, 1
    parts = {"found": "columns", "seen": "columns", "lost": "true"}
    whole = parts.get(score) or ("claims" if score == "invented" else "")
    return 0, frame.get(whole, _MANY)


def _compare(name: str, told: Mapping, found: Mapping) -> list[str]:
    """Say which means are not those of the frames."""
    problems = []
    for group in sorted(told.keys() | found.keys()):
        mine, theirs = found.get(group, {}), told.get(group, {})
        for score in sorted(mine.keys() | theirs.keys()):
            if mine.get(score) != theirs.get(score):
                problems.append(
                    f"{name}: {score} of {group} is {theirs.get(score)} in the file, "
                    f"and {mine.get(score)} by its frames"
                )
    return problems


def _open_seed(content: dict, seed: int | None) -> tuple[int | None, list[str]]:
    """Find the seed of the draws, and see that it is the one that was committed to."""
    drawn = content["seeds"].get("draws")
    problems = []
    if content["seeds"].get("counts") != COUNTS:
        problems.append(f"seeds: that of the counts must be {COUNTS}")
    if drawn is None:
        if "draws" in content["sets"]:
            problems.append("draws: the file commits to no seed")
        return None, problems
    seed = drawn.get("seed") if seed is None else seed
    if seed is not None and digest_seed(seed) != drawn["sha256"]:
        problems.append("draws: the seed is not the one that the file commits to")
        return None, problems
    return seed, problems


def _choose_again(
    content: dict, benchmark: Benchmark, seed: int | None, scenes: str | Path
) -> tuple[dict[str, list[Frame]], list[str], list[str]]:
    """Choose the frames of each set as the file must have; what differs, in words."""
    chosen, problems, remarks = {}, [], []
    for name, one in content["sets"].items():
        if name not in SETS or not one.get("frames"):
            continue  # that has been said
        if name == "draws" and seed is None:
            remarks.append("draws: the seed is hidden, so they are not repeated")
            continue
        number = len(one["frames"])
        how = {"limit": number, "seed": seed or 0, "scenes": scenes}
        frames, most = choose_frames(name, benchmark, **how)
        if one["part"] != f"{number} of {most}":
            problems.append(
                f"{name}: it has {number} of {most} frames, not {one['part']}"
            )
        labels = [{"image": frame.image, **frame.labels} for frame in frames]
        told = [
            {key: frame[key] for key in _LABELS if key in frame}
            for frame in one["frames"]
        ]
        if labels != told:
            problems.append(f"{name}: its frames are not those of the set")
            continue
        if name == "challenge" and digest_scenes(scenes, number) != one["scenes"]:
            problems.append("challenge: its images are not those of the file")
            continue
        if name == "challenge" and one.get("judged"):
            remarks.append("challenge: verdicts are not repeated")
        chosen[name] = frames
    return chosen, problems, remarks


@dataclass(frozen=True)
class _Again:
    """What repeated frames gave."""

    frames: int
    largest: float  # difference of their PSNR [dB]
    problems: list[str]


def _repeat(
    content: dict,
    entrant: Entrant,
    chosen: Mapping[str, list[Frame]],
    rng: np.random.Generator,
    number: int,
    *,
    progress: bool,
) -> _Again:
    """Score some frames of each set again, if it is the same denoiser."""
    digest = content["denoiser"]["sha256"]
    if digest and entrant.digest and digest != entrant.digest:
        return _Again(0, 0.0, ["denoiser: it is not the one of the file (its digest)"])
    picked = [
        (name, frames, int(place))
        for name, frames in chosen.items()
        for place in np.sort(
            rng.choice(len(frames), min(number, len(frames)), replace=False)
        )
    ]
    if not picked:
        return _Again(0, 0.0, ["frames: none of any set could be repeated"])
    first = picked[0][1][picked[0][2]]
    if not content["repeatable"] and compare_calls(entrant, first.counts()) > 0:
        words = "denoiser: two calls differ, so that no frame can be repeated"
        return _Again(0, 0.0, [words])
    problems, largest = [], 0.0
    for name, frames, place in tqdm(picked, unit="image", disable=not progress):
        frame = frames[place]
        now = frame.score(entrant.on(frame.image))
        told = content["sets"][name]["frames"][place]
        before = {key: told[key] for key in now if key in told}
        largest = max(largest, abs(now.get("psnr", 0) - before.get("psnr", 0)))
        if not agree(before, now):
            problems.append(f"{name}: {frame.image} gives {now}, not {before}")
    return _Again(len(picked), largest, problems)


def _weigh(content: dict, repeated: int) -> list[str]:
    """Say how likely a file of which a tenth is false would have passed."""
    total = sum(len(one.get("frames", ())) for one in content["sets"].values())
    if not repeated or repeated >= total:
        return []
    false = max(1, round(_SHARE * total))
    clean = total - false
    missed = math.comb(clean, repeated) / math.comb(total, repeated)
    return [
        f"{repeated} of {total} frames were repeated: had {false} of them been "
        f"false, none would have been met with probability {missed:.2g}"
    ]
