"""The digest of a figure: where it is kept, and when two of them agree.

A digest is what `sbd.figureguard.digest_figure` returns, with a hash of the picture
and, where there are any, the numbers that go with the figure. The tolerances let a new
run on another machine or with another Matplotlib pass, and a curve or a colour scale
that is off by 2 % fail.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Digest: TypeAlias = dict[str, Any]
"""Plain numbers, strings, lists and dicts, as JSON holds them."""

DIGEST_KEY = "sbd_digest"
"""Where the digest is in the metadata of a notebook's output."""

VERSION = 2
"""Of the digests that are made now; those of version 1 name none."""

RTOL = 5e-3
"""Relative change that counts as none."""

PROJECTION_TOL = 2e-2
"""The same for a projection, as a share of the root mean square of the values."""

COLOUR_TOL = 1e-2
"""The same for the ends of a colour scale, as a share of their distance."""

LAYOUT_TOL = 2e-2
"""Shift of a panel that fonts may cause [share of the figure's width or height]."""

_FLOOR = 1e-9  # numbers below this are zero
_MOST = 12  # differences to report for one figure
_LIMITS = {"xlim", "ylim", "zlim", "extent"}
# what digests of version 1 do not tell of
_SINCE_2 = {
    *("version", "order", "background", "grid", "projection", "keys", "opacity"),
    *("steps", "filled", "marker_size", "hatch", "font_size", "turned", "depth"),
    *("breadths", "heights", "tables"),
}
# what Matplotlib 3.10 gave another name
_RENAMED = {
    "interpolation": {"antialiased": "auto"},
    "kind": {"FillBetweenPolyCollection": "PolyCollection"},
}
_KINDS = ("images", "lines", "collections", "patches", "texts")
_PLACES = {"at", "tip"}  # of words, in pixels or in shares of a panel
_DECIMAL = re.compile(r"([-+]?\d+\.\d+(?:[eE][-+]?\d+)?)")


def picture_hash(png: bytes) -> str:
    """Hash a PNG, so that a record shows no other picture than its digest tells."""
    return hashlib.sha256(png).hexdigest()[:16]


def compare_digests(reference: Digest, fresh: Digest) -> list[str]:
    """Say in words what differs between a record's digest and a new run's.

    Parameters
    ----------
    reference, fresh : dict
        Digests. Of a reference made by an earlier version, what it tells is compared.

    Returns
    -------
    list of str
        A sentence each, with the panel and the artist; at most 12, then how many more.

    Examples
    --------
    >>> compare_digests({"panels": [{"xlim": [0, 1]}]}, {"panels": [{"xlim": [0, 2]}]})
    ['panel 1, xlim: 1 became 2 (allowed 0.005), 1 of 2']
    """
    if reference.get("version", 1) < VERSION:
        fresh = _without(fresh, _SINCE_2)
    found = list(_differences(reference, fresh, "", "", {}))
    rest = len(found) - _MOST
    return [*found[:_MOST], f"and {rest} more differences"] if rest > 0 else found


def _without(digest: Any, keys: set[str]) -> Any:  # noqa: ANN401
    """Leave keys out of a digest, wherever they are."""
    if isinstance(digest, dict):
        kept = {k: v for k, v in digest.items() if k not in keys}
        return {k: v if k == "numbers" else _without(v, keys) for k, v in kept.items()}
    return [_without(d, keys) for d in digest] if isinstance(digest, list) else digest


def _differences(
    old: Any,  # noqa: ANN401
    new: Any,  # noqa: ANN401
    where: str,
    key: str,
    siblings: dict,
) -> Iterator[str]:
    """Walk both digests together; `key` and `siblings` set the tolerance."""
    if isinstance(old, dict) and isinstance(new, dict):
        known = [name for name in old if name != "order" or _as_many(old, new)]
        for name in [*known, *(name for name in new if name not in old)]:
            place = f"{where}, {name}" if where else name
            rule = "numbers" if key == "numbers" else name
            if name in old and name in new:
                yield from _differences(old[name], new[name], place, rule, old)
            else:
                yield f"{place}: {'missing now' if name in old else 'new'}"
    elif _numeric(old) and _numeric(new):
        allowed = _allowed(key, old, new, siblings)
        pairs = [(a, b) for a, b in zip(old, new, strict=False) if abs(a - b) > allowed]
        if len(old) != len(new):
            yield f"{where}: {len(old)} values became {len(new)}"
        elif pairs:
            worst = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
            yield f"{where}: {_became(*worst, allowed)}, {len(pairs)} of {len(old)}"
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where}: {len(old)} became {len(new)}"
        base = where.rpartition(", ")[0]
        for i, (a, b) in enumerate(zip(old, new, strict=False), start=1):
            place = f"{base}, {_name(key, i, a)}" if base else _name(key, i, a)
            yield from _differences(a, b, place, key, siblings)
    elif _number(old) and _number(new):
        allowed = _allowed(key, [old], [new], siblings)
        if abs(old - new) > allowed:
            yield f"{where}: {_became(old, new, allowed)}"
    elif _today(key, old) != _today(key, new):
        yield f"{where}: {old!r} became {new!r}"


def _today(key: str, value: Any) -> Any:  # noqa: ANN401
    """Give a name of an older Matplotlib as one name for all."""
    names = _RENAMED.get(key)
    return names.get(value, value) if names else value


def _as_many(old: Digest, new: Digest) -> bool:
    """Tell whether two panels draw as much: only then can its order be compared."""
    return all(len(old.get(kind, [])) == len(new.get(kind, [])) for kind in _KINDS)


def _number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, list) and bool(value) and all(map(_number, value))


def _became(old: float, new: float, allowed: float) -> str:
    return f"{old:.6g} became {new:.6g} (allowed {allowed:.2g})"


def _name(key: str, index: int, entry: Any) -> str:  # noqa: ANN401
    """Name an entry of a list: "panels", 2 becomes "panel 2 'Denoised'"."""
    word = "patch" if key == "patches" else key.removesuffix("s")
    title = (
        next(filter(None, entry.get("titles", [])), "")
        if isinstance(entry, dict)
        else ""
    )
    return f"{word} {index} {title!r}" if title else f"{word} {index}"


def _allowed(key: str, old: list, new: list, siblings: dict) -> float:
    """Return the absolute change allowed to the numbers under a key."""
    if key == "projections":
        return PROJECTION_TOL * siblings.get("rms", 0.0) + _FLOOR
    if key in {"mean", "blocks"}:
        return RTOL * siblings.get("rms", 0.0) + _FLOOR
    if key == "clim":  # the extremes of an image are noisier than its mean
        return COLOUR_TOL * (max(old) - min(old)) + _FLOOR
    if key in _LIMITS:
        return RTOL * (max(old) - min(old)) + _FLOOR
    if key == "bounds":
        return RTOL * max(old[2:]) + _FLOOR
    if key == "position":
        return LAYOUT_TOL
    if key in _PLACES:
        return RTOL * max(1.0, *map(abs, old))
    if all(isinstance(value, int) for value in old + new):
        return 0.0
    allowed = RTOL * max(map(abs, old)) + _FLOOR
    if key == "numbers":  # they are rounded, and the last digit may flip
        pairs = zip(old, new, strict=False)
        units = [min(_unit(repr(a)), _unit(repr(b))) for a, b in pairs]
        allowed = max(allowed, *(1.001 * unit for unit in units))
    return allowed


def same_but_for_rounding(reference: str, fresh: str) -> bool:
    """Tell whether two texts differ in nothing but the last digit of decimals.

    Noise of 3e-6 prints 0.4514 for 0.4515; words and whole numbers must agree.
    """
    old, new = _DECIMAL.split(reference), _DECIMAL.split(fresh)
    if old[::2] != new[::2]:
        return False
    return all(
        abs(float(a) - float(b)) <= 1.001 * min(_unit(a), _unit(b))
        for a, b in zip(old[1::2], new[1::2], strict=True)
    )


def _unit(decimal: str) -> float:
    """One unit in the last place of a printed decimal."""
    mantissa, _, exponent = decimal.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
