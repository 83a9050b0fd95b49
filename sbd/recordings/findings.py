"""What is to be known about a recording."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Harm: TypeAlias = Literal["note", "warning", "refusal"]


@dataclass(frozen=True)
class Finding:
    """One thing that is to be known about a recording.

    Parameters
    ----------
    what : str
        Its name, such as ``"offset"`` or ``"hot pixels"``.
    harm : {"note", "warning", "refusal"}
        Whether it is good to know, changes what comes out, or forbids it.
    words : str
        What was seen, and the way out.
    """

    what: str
    harm: Harm
    words: str
