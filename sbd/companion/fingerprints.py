"""What a notebook's record was made from, and whether that has changed since.

A record depends on the code of its text, on its parameters, on the modules that its
kernel loaded and on the files that it read. Comments, docstrings and the layout of a
module count for nothing.
"""

import ast
import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbd.companion.parameters import INJECTED
from sbd.files import sha256

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sbd.data.catalogue import Item

PACKAGE = Path(__file__).parents[1]
BUNDLED = "bundled"
"""Folder, beside the notebooks, of what they show without any download."""

# `make repository` rewrites this line of the set-up cell; no result depends on it.
_ADDRESS = re.compile(r"^repository = .*$", re.MULTILINE)


def read_text(path: Path) -> "NotebookNode":
    """Read a notebook's text, ``NN_name.py`` in the percent format.

    Raises ValueError if there is none, ImportError without the extra ``book``.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        msg = f"path must be a notebook's text; got {path}"
        raise ValueError(msg)
    try:
        import jupytext
    except ImportError as error:
        msg = "running notebooks needs the extra: pip install 'sbd[book]'"
        raise ImportError(msg) from error
    return jupytext.read(path, fmt="py:percent")


def read_parameters(text: "NotebookNode") -> dict[str, Any]:
    """Read the names and plain values in the one cell tagged ``parameters``."""
    tagged = [c for c in text.cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        msg = f"a notebook must have one cell tagged parameters; got {len(tagged)}"
        raise ValueError(msg)
    values = {}
    for node in ast.parse(tagged[0].source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = ast.literal_eval(node.value)
    return values


def fingerprint(
    text: "NotebookNode",
    parameters: Mapping[str, Any],
    source: str | None,
    used: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Hash all that a record depends on; `used` is what `sbd.companion.tracing` saw.

    Returns ``digest`` and its parts: ``cells``, ``parameters``, ``source``, then
    ``library``, ``data`` and ``items``, hash by name ("" for what is gone).
    """
    from sbd.data.catalogue import ITEMS

    parts = {
        "cells": hash_cells(read_code(text)),
        "parameters": dict(parameters),
        "source": source,
        "library": {name: _hash_module(PACKAGE / name) for name in used["modules"]},
        "data": {name: _hash_file(PACKAGE / name) for name in used["assets"]},
        "items": {name: _hash_item(ITEMS.get(name)) for name in used["items"]},
    }
    return {"digest": _hash(json.dumps(parts, sort_keys=True).encode()), **parts}


def is_code(cell: "NotebookNode") -> bool:
    """Tell code from prose."""
    return cell.cell_type == "code"


def read_code(notebook: "NotebookNode") -> list[str]:
    """Read the code cells of a notebook, without the repository's address."""
    return [_ADDRESS.sub("", cell.source) for cell in notebook.cells if is_code(cell)]


def hash_cells(cells: Sequence[str]) -> str:
    """Hash the code of cells, but for the repository's address and injected values."""
    kept = [_ADDRESS.sub("", cell) for cell in cells if not cell.startswith(INJECTED)]
    return _hash(json.dumps(kept).encode())


def hash_modules(names: Sequence[str]) -> str:
    """Hash the code of modules of this package, together."""
    parts = {name: _hash_module(PACKAGE / name) for name in sorted(names)}
    return _hash(json.dumps(parts).encode())


def check_records(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Find the records that a new run might change, those without downloads as well.

    One sentence for each that is missing or stale, with the part that differs; raises
    ValueError if `folder` holds no notebook of such a name.
    """
    found = []
    for path in find_notebooks(folder, names):
        text = read_text(path)
        for target, words in (
            (path.with_suffix(".ipynb"), "record"),
            (bundled_record(path), "record without downloads"),
        ):
            if not target.exists():
                found.append(f"{path.stem} has no {words}: it was never run")
                continue
            differing = _differing(_about(target), text)
            if differing:
                which = "" if words == "record" else " without downloads"
                found.append(f"{path.stem}{which} is stale: {', '.join(differing)}")
    return found


def bundled_record(path: Path) -> Path:
    """Name the file of what a notebook shows without downloads."""
    return path.parent / BUNDLED / f"{path.stem}.json"


def find_notebooks(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Find the texts of notebooks, all or those whose names begin so ("02"), in order.

    Raises ValueError if the folder holds none, or a name fits none.
    """
    every = sorted(Path(folder).glob("[0-9][0-9]_*.py"))
    if not every:
        msg = f"folder must hold notebooks; got {folder}"
        raise ValueError(msg)
    stems = [Path(name).stem for name in names]
    for stem in stems:
        if not any(path.stem.startswith(stem) for path in every):
            known = ", ".join(path.stem for path in every)
            msg = f"names must be among {known}; got {stem}"
            raise ValueError(msg)
    return [p for p in every if not stems or p.stem.startswith(tuple(stems))]


def _about(target: Path) -> dict[str, Any]:
    """Read what a record says of its making."""
    content = json.loads(target.read_text(encoding="utf-8"))
    return content.get("metadata", {}).get("sbd", {})


def _differing(about: Mapping[str, Any], text: "NotebookNode") -> list[str]:
    """Name the parts of a record's fingerprint that differ from those of today."""
    old = about.get("made_from", {})
    used = {
        "modules": [*old.get("library", {})],
        "assets": [*old.get("data", {})],
        "items": [*old.get("items", {})],
    }
    new = fingerprint(text, read_parameters(text), about.get("source"), used)
    if old.get("digest") == new["digest"]:
        return []
    found = [
        f"{key} changed" for key in ("cells", "source") if old.get(key) != new[key]
    ]
    for part, place in (
        ("parameters", "parameter "),
        ("library", "sbd/"),
        ("data", "sbd/"),
        ("items", "the file "),
    ):
        before, after = old.get(part, {}), new[part]
        names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
        found += [f"{place}{name} changed" for name in names]
    return found or ["its fingerprint was edited"]


def _hash(content: bytes) -> str:
    return sha256(content)[:16]


def _hash_file(path: Path) -> str:
    return _hash(path.read_bytes()) if path.is_file() else ""


def _hash_item(item: "Item | None") -> str:
    """Hash what decides which file an item is; where it is had from is no matter."""
    return _hash(f"{item.how} {item.file} {item.digest}".encode()) if item else ""


def _hash_module(path: Path) -> str:
    """Hash the code of a module, whatever it says about itself."""
    if not path.is_file():
        return ""
    return _hash_source(path.read_bytes())


@functools.lru_cache(maxsize=512)  # every figure of a notebook asks for the same
def _hash_source(source: bytes) -> str:
    try:
        return _hash(bare_code(source).encode())
    except (SyntaxError, ValueError):  # somebody is at work on it
        return _hash(source)


def bare_code(source: bytes | str) -> str:
    """Write Python code as nested lists, without comments, docstrings and layout.

    What `ast.dump` does, in a form that does not depend on the version of Python.
    """
    return repr(_bare(ast.parse(source)))


def _bare(part: object) -> object:
    """Write one node; what is empty, or a text that nothing uses, is left out."""
    if isinstance(part, list):
        return [_bare(each) for each in part if not _is_words(each)]
    if not isinstance(part, ast.AST):
        return part
    fields = ((name, _bare(value)) for name, value in ast.iter_fields(part))
    return [type(part).__name__, *(f for f in fields if f[1] not in (None, []))]


def _is_words(part: object) -> bool:
    """Tell a docstring, or another constant that stands alone."""
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
