"""Means of a score file, from its frames alone, the same to the last digit anywhere.

Sums are exact (`math.fsum`), so that no processor and no library rounds them otherwise:
who recomputes a mean from the frames finds it, or somebody changed something.
"""

import math
from collections.abc import Mapping, Sequence

from sbd.audits.score_sets import json_line
from sbd.files import sha256

FEW = 3  # frames, below which a group has no row
_PER = 1000  # columns, or claims, that rates of the challenge are of


def summarise_frames(frames: Sequence[Mapping]) -> dict[str, dict]:
    """Sum up frames of one set: all, and by contrast and thickness.

    A frame holds ``image``, ``contrast``, ``thickness`` and its scores; the challenge's
    also ``specimen``.
    """
    groups = {"all": list(frames)}
    for label in ("contrast", "thickness"):
        for value in sorted({frame[label] for frame in frames}):
            some = [frame for frame in frames if frame[label] == value]
            if len(some) >= FEW:
                shown = f"{value:g}" if label == "thickness" else value
                groups[f"{label} {shown}"] = some
    return {name: _summarise(some) for name, some in groups.items()}


def _summarise(frames: Sequence[Mapping]) -> dict[str, float | int | None]:
    if "true" in frames[0]:
        return _summarise_challenge(frames)
    if "columns" in frames[0]:
        return _summarise_columns(frames)
    psnr = [frame["psnr"] for frame in frames]
    ssim = [frame["ssim"] for frame in frames]
    return {
        "images": len(frames),
        "psnr": mean(psnr, 3), "psnr_error": mean_error(psnr, 3), "lowest": min(psnr),
        "ssim": mean(ssim, 5), "ssim_error": mean_error(ssim, 5),
    }  # fmt: skip


def _summarise_columns(frames: Sequence[Mapping]) -> dict[str, float | int | None]:
    means = {
        "images": len(frames),
        "columns": sum(frame["columns"] for frame in frames),
        "found_share": share(frames, "found", "columns", 5),
        "found_share_error": share_error(frames, "found", "columns", 5),
        "limit": share(frames, "seen", "columns", 5),
    }
    for name in ("false", "invented", "psnr"):
        values = [frame[name] for frame in frames]
        means |= {name: mean(values, 3), f"{name}_error": mean_error(values, 3)}
    return means


def _summarise_challenge(frames: Sequence[Mapping]) -> dict[str, float | int | None]:
    """Give rates of 1,000; the independent parts are the specimens."""
    whole: dict[int, dict[str, int]] = {}
    for frame in frames:
        one = whole.setdefault(frame["specimen"], {})
        for name, value in frame.items():
            if isinstance(value, int) and name != "specimen":
                one[name] = one.get(name, 0) + value
    parts = list(whole.values())
    means = {"images": len(frames), "specimens": len(parts)}
    for after in ("", " after"):
        if f"claims{after}" in frames[0]:
            for part, of in (("lost", "true"), ("invented", f"claims{after}")):
                name = f"{part}{after}"
                means[name] = share(parts, name, of, 1, _PER)
                means[f"{name}_error"] = share_error(parts, name, of, 1, _PER)
    return means


def mean(values: Sequence[float], digits: int) -> float:
    """Return the mean, rounded."""
    return round(math.fsum(values) / len(values), digits)


def mean_error(values: Sequence[float], digits: int) -> float | None:
    """Return the standard error of the mean of independent values; None of one."""
    number = len(values)
    if number < 2:
        return None
    middle = math.fsum(values) / number
    squares = math.fsum((value - middle) ** 2 for value in values)
    return round(math.sqrt(squares / (number - 1) / number), digits)


def share(
    frames: Sequence[Mapping], part: str, of: str, digits: int, per: int = 1
) -> float | None:
    """Return the ratio of two sums; None of nothing."""
    total = sum(frame[of] for frame in frames)
    if not total:
        return None
    return round(per * sum(frame[part] for frame in frames) / total, digits)


def share_error(
    frames: Sequence[Mapping], part: str, of: str, digits: int, per: int = 1
) -> float | None:
    """Return that ratio's standard error, its parts independent: to first order."""
    number, total = len(frames), sum(frame[of] for frame in frames)
    if number < 2 or not total:
        return None
    ratio = sum(frame[part] for frame in frames) / total
    squares = math.fsum((frame[part] - ratio * frame[of]) ** 2 for frame in frames)
    return round(per * math.sqrt(squares * number / (number - 1)) / total, digits)


def paired_difference(
    frames: Sequence[Mapping], others: Sequence[Mapping], score: str = "psnr"
) -> tuple[float, float | None]:
    """Return the mean difference on the same frames, with its standard error.

    ValueError if they were not scored on the same.
    """
    pairs = {frame["image"]: frame[score] for frame in others}
    if pairs.keys() != {frame["image"] for frame in frames}:
        msg = f"others must be scored on the same {len(frames)} frames; got other ones"
        raise ValueError(msg)
    differences = [frame[score] - pairs[frame["image"]] for frame in frames]
    return mean(differences, 3), mean_error(differences, 3)


def digest_frames(frames: Sequence[Mapping]) -> str:
    """Return the SHA-256 of the frames of a set, in their order."""
    return sha256(json_line(list(frames)).encode())
