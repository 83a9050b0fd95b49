"""What a notebook's record was made from, and whether that has changed since."""

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

PACKAGE = Path(__file__).parents[1]

# Modules that run, compare and command notebooks; nothing in them reaches a figure.
_BYSTANDERS = {"guard.py", "fingerprints.py", "records.py"}
# `make repository` rewrites this line of the set-up cell; no result depends on it.
_ADDRESS = re.compile(r"^repository = .*$", re.MULTILINE)


def read_text(path: Path) -> "NotebookNode":
    """Read a notebook's text.

    Parameters
    ----------
    path : pathlib.Path
        ``NN_name.py``, in the percent format.

    Returns
    -------
    nbformat.NotebookNode
        Its cells.

    Raises
    ------
    ValueError
        If there is no such text.
    ImportError
        If the extra ``book`` is not installed.

    Examples
    --------
    >>> read_text(Path("none.py"))
    Traceback (most recent call last):
        ...
    ValueError: path must be a notebook's text; got none.py
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
    """Read the names and values in the cell tagged ``parameters``.

    Parameters
    ----------
    text : nbformat.NotebookNode
        The notebook.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ValueError
        If there is no such cell, or a value is not a plain one.

    Examples
    --------
    >>> from types import SimpleNamespace as Node
    >>> cell = Node(metadata={"tags": ["parameters"]}, source="scale = 'smoke'")
    >>> read_parameters(Node(cells=[cell]))
    {'scale': 'smoke'}
    """
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
    text: "NotebookNode", parameters: Mapping[str, Any], source: str | None
) -> dict[str, Any]:
    """Hash all that a record depends on.

    Parameters
    ----------
    text : nbformat.NotebookNode
        The notebook.
    parameters : dict
        Values of its parameters.
    source : str or None
        Which images it was made from.

    Returns
    -------
    dict
        ``digest``, and the parts it is made of: ``cells``, ``parameters`` and
        ``source``, then ``library`` and ``data``, file by file.

    Examples
    --------
    >>> from types import SimpleNamespace as Node
    >>> sorted(fingerprint(Node(cells=[]), {}, None))
    ['cells', 'data', 'digest', 'library', 'parameters', 'source']
    """
    modules = [path for path in PACKAGE.rglob("*.py") if path.name not in _BYSTANDERS]
    modules = [path for path in modules if PACKAGE / "assets" not in path.parents]
    assets = [path for path in (PACKAGE / "assets").rglob("*") if path.is_file()]
    parts = {
        "cells": _hash(json.dumps(read_code(text)).encode()),
        "parameters": dict(parameters),
        "source": source,
        "library": {
            path.relative_to(PACKAGE).as_posix(): _hash_text(path)
            for path in sorted(modules)
        },
        "data": {
            path.relative_to(PACKAGE).as_posix(): _hash(path.read_bytes())
            for path in sorted(assets)
        },
    }
    return {"digest": _hash(json.dumps(parts, sort_keys=True).encode()), **parts}


def is_code(cell: "NotebookNode") -> bool:
    """Tell code from prose.

    Parameters
    ----------
    cell : nbformat.NotebookNode
        A cell.

    Returns
    -------
    bool
        Whether it is run.

    Examples
    --------
    >>> from types import SimpleNamespace as Node
    >>> is_code(Node(cell_type="markdown"))
    False
    """
    return cell.cell_type == "code"


def read_code(notebook: "NotebookNode") -> list[str]:
    """Read the code of a notebook, without the repository's address.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        A text or a record.

    Returns
    -------
    list of str
        Source of each code cell.

    Examples
    --------
    >>> from types import SimpleNamespace as Node
    >>> cells = [Node(cell_type="code", source="1"), Node(cell_type="markdown")]
    >>> read_code(Node(cells=cells))
    ['1']
    """
    return [_ADDRESS.sub("", cell.source) for cell in notebook.cells if is_code(cell)]


def check_records(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Find the records that a new run might change.

    Parameters
    ----------
    folder : pathlib.Path
        Where texts and records lie.
    names : sequence of str, optional
        Which notebooks; by default all.

    Returns
    -------
    list of str
        One sentence for each record that is missing or stale, saying which part of
        what it was made from differs.

    Raises
    ------
    ValueError
        If there is no such notebook.

    Examples
    --------
    >>> check_records(Path("no-such-folder"))
    Traceback (most recent call last):
        ...
    ValueError: folder must hold notebooks; got no-such-folder
    """
    import nbformat

    found = []
    for path in find_notebooks(folder, names):
        target = path.with_suffix(".ipynb")
        if not target.exists():
            found.append(f"{path.stem} has no record: it was never run")
            continue
        stored = nbformat.read(target, as_version=4).metadata.get("sbd", {})
        text = read_text(path)
        now = fingerprint(text, read_parameters(text), stored.get("source"))
        differing = _differing(stored.get("made_from", {}), now)
        if differing:
            found.append(f"{path.stem} is stale: {', '.join(differing)}")
    return found


def find_notebooks(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Find notebooks by name, or by the start of a name.

    Parameters
    ----------
    folder : pathlib.Path
        Where their texts lie.
    names : sequence of str, optional
        For example ``"02"`` or ``"02_result"``; by default all.

    Returns
    -------
    list of pathlib.Path
        The texts, in the order of their numbers.

    Raises
    ------
    ValueError
        If the folder holds none, or a name fits none.

    Examples
    --------
    >>> find_notebooks(Path("no-such-folder"))
    Traceback (most recent call last):
        ...
    ValueError: folder must hold notebooks; got no-such-folder
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


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _hash_text(path: Path) -> str:
    """Hash a text, whatever ends its lines on this machine."""
    return _hash(path.read_bytes().replace(b"\r\n", b"\n"))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name the parts of two fingerprints that differ."""
    if old.get("digest") == new["digest"]:
        return []
    found = [
        f"{key} changed" for key in ("cells", "source") if old.get(key) != new[key]
    ]
    for part, place in (
        ("parameters", "parameter "),
        ("library", "sbd/"),
        ("data", "sbd/"),
    ):
        before, after = old.get(part, {}), new[part]
        names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
        found += [f"{place}{name} changed" for name in names]
    return found or ["its fingerprint was edited"]
