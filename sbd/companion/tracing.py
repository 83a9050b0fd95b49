"""What a notebook's kernel uses of this package: its modules, assets and downloads."""

import os
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
FETCHED = "sbd.fetch"
"""The audit event of `sbd.fetch`, with the item's name and its path."""

_assets: set[str] = set()
_items: set[str] = set()
_hooks: list[object] = []


def start() -> None:
    """Note from now on which assets are opened and which items are fetched."""
    sys.addaudithook(_note)
    _hooks.append(_note)


def started() -> bool:
    """Tell whether files are watched, so that no asset in `used` means none."""
    return bool(_hooks)


def used() -> dict[str, list[str]]:
    """List what was used so far: modules and assets by path, fetched items by name."""
    files = (getattr(m, "__file__", None) for m in list(sys.modules.values()))
    modules = {_inside(file) for file in files if file} - {None, _inside(__file__)}
    return {
        "modules": sorted(filter(None, modules)),
        "assets": sorted(_assets),
        "items": sorted(_items),
    }


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    """Listen to audit events: Python's own of opened files, and that of `fetch`."""
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _keep(os.fsdecode(arguments[0]))
    elif event == FETCHED:
        name, path = arguments
        _items.add(name)
        _keep(path)


def _keep(path: str | os.PathLike[str]) -> None:
    """Keep the path of an asset, of each file if it is a folder."""
    inside = _inside(path)
    if inside and inside.startswith("assets/"):
        whole = PACKAGE / inside
        files = [p for p in whole.rglob("*") if p.is_file()] if whole.is_dir() else []
        _assets.update(filter(None, map(_inside, files)) if files else [inside])


def _inside(path: str | os.PathLike[str]) -> str | None:
    """Return a path relative to the package, None for a file outside it."""
    path = Path(os.path.realpath(path))
    here = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE).as_posix() if here else None
