"""Every file from outside, as ``catalogue.toml`` lists it: address, digest, licence."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

_FILE = Path(__file__).with_name("catalogue.toml")
_TABLE = tomllib.loads(_FILE.read_text(encoding="utf-8"))

How: TypeAlias = Literal["bundled", "download", "wheel", "by hand"]
"""How a reader comes by a file."""

SERVER: str = _TABLE["server"]
"""Where the files to download lie; a mirror repeats the paths below it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file, or one folder, that the library or the book may use.

    Parameters
    ----------
    name : str
        What :func:`sbd.fetch` calls it.
    file : str
        Its path below the cache folder, or below the package's ``assets`` when it is
        bundled; that of a folder ends with ``/``.
    how : {"bundled", "download", "wheel", "by hand"}
        How a reader comes by it; with ``"wheel"`` it lies in a package for Python,
        which pip downloads.
    title : str
        What it is and in which format, in words.
    source : str
        Who publishes it: an address, or this project.
    licence : str
        What its owner allows.
    instructions : str
        How to get it by hand.
    without : str
        What works where it cannot be had.
    address : str or None, default None
        Path below the server; None if it is not downloaded.
    digest : str or None, default None
        ``"sha256:..."``, or ``"git-blob:..."``: the name git gives to the content, the
        SHA-1 of ``blob``, its length and its bytes. None where neither is known.
    size : int or None, default None
        Length, where it is known [bytes].
    package, version, member, wheel_digest : str or None, default None
        Of a file in a wheel: the package and its version, the file's path in the wheel,
        and the digest of the wheel.

    Examples
    --------
    >>> ITEMS["clean/PtNp2-S3_5"].size
    3248342
    """

    name: str
    file: str
    how: How
    title: str
    source: str
    licence: str
    instructions: str
    without: str
    address: str | None = None
    digest: str | None = None
    size: int | None = None
    package: str | None = None
    version: str | None = None
    member: str | None = None
    wheel_digest: str | None = None


def _read_item(name: str, row: dict[str, Any]) -> Item:
    """Complete a row by what its group says for all, and fill in the places."""
    fields = {"name": name, **row}
    while group := fields.pop("group", None):  # a group may be one of another
        fields = _TABLE["groups"][group] | fields
    places = {"server": SERVER, **fields}
    places["address"] = fields.get("address", "").format_map(places)
    return Item(
        **{
            key: value.format_map(places) if isinstance(value, str) else value
            for key, value in fields.items()
        }
    )


ITEMS: Mapping[str, Item] = MappingProxyType(
    {name: _read_item(name, row) for name, row in _TABLE["items"].items()}
)
"""Every item by name; read-only."""
