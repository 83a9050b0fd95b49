"""The figures among the outputs of a cell, the record's and a new run's."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from sbd.figureguard.digests import DIGEST_KEY, Digest, compare_digests, picture_hash

ADVICE = "`%load_ext sbd.figureguard` comes before it"
"""What gives a figure its digest."""

_PNG = "image/png"
_UNCOMPARED = {"picture": None, "mime": None}


def figure_problems(
    reference: list,
    fresh: list,
    *,
    pictures: bool = True,
    advice: str = ADVICE,
) -> list[str]:
    """Compare the figures that a notebook's record shows with those of a new run.

    Parameters
    ----------
    reference, fresh : list of dict
        Outputs of one cell, as the notebook's file holds them.
    pictures : bool, default True
        Whether the reference holds pictures; without, its digests alone count.
    advice : str, optional
        What gives a figure its digest, for the message when there is none.

    Returns
    -------
    list of str
        What is wrong, a sentence each: a figure too many or too few, a figure without
        digest, a picture that is not the digest's, and every difference in what is
        drawn, with the panel that it is in. Empty if all is well.

    Examples
    --------
    >>> picture = {"data": {"image/png": ""}, "metadata": {}}
    >>> figure_problems([picture], [])
    ['the record shows 1 figures, the code now draws 0']
    """
    old, new = _figures(reference), _figures(fresh)
    if len(old) != len(new):
        return [f"the record shows {len(old)} figures, the code now draws {len(new)}"]
    problems = []
    for i, (a, b) in enumerate(zip(old, new, strict=True), start=1):
        for side, figure in (("record", a), ("new run", b)):
            flaw = _flaw(figure, advice) if pictures or side != "record" else ""
            problems += [f"figure {i} of the {side} {flaw}"] if flaw else []
        digests = [read_digest(f["metadata"]) for f in (a, b)]
        if all(digests):
            found = compare_digests(*({**d, **_UNCOMPARED} for d in digests))
            problems += [f"figure {i}: {difference}" for difference in found]
    return problems


def read_digest(metadata: Mapping[str, Any]) -> Digest | None:
    """Read the digest of an output, a dict or, as it is short on file, its JSON."""
    digest = metadata.get(DIGEST_KEY)
    return json.loads(digest) if isinstance(digest, str) else digest


def _figures(outputs: list) -> list[dict]:
    """Pick the outputs that show a picture or claim to."""
    return [
        {"metadata": out.get("metadata", {}), "data": out.get("data", {})}
        for out in outputs
        if DIGEST_KEY in out.get("metadata", {})
        or any(mime.startswith("image/") for mime in out.get("data", {}))
    ]


def _flaw(figure: dict, advice: str) -> str:
    """Say why a figure cannot be trusted; an empty string if it can."""
    digest = read_digest(figure["metadata"])
    pictures = {k: v for k, v in figure["data"].items() if k.startswith("image/")}
    if not digest:
        return f"has no digest: see that {advice}, and keep the metadata of outputs"
    if not pictures:
        return "has a digest and no picture"
    kind = digest.get("mime", _PNG)
    if kind is None and _PNG not in pictures:  # SVG or PDF: no two have the same bytes
        return ""
    if digest.get("picture") != picture_hash(base64.b64decode(pictures.get(kind, ""))):
        return "is not the picture that its digest was made with"
    return ""
