"""Bring the executed notebooks and their figures into the book.

Sphinx reads only below ``book/``, so the folders ``notebooks/`` and ``figures/`` are
mirrored into git-ignored copies before it looks. The environment variable
``SBD_BOOK_RECORDS`` names another folder that holds both, for example a fresh run.
"""

import json
import os
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MIRRORED = {"notebooks": {".ipynb"}, "figures": {".png", ".svg", ".json"}}


def records_folder(root: Path) -> Path:
    """Find the folder that holds ``notebooks`` and ``figures``.

    Parameters
    ----------
    root : pathlib.Path
        Root of the project; a relative ``SBD_BOOK_RECORDS`` starts there.

    Returns
    -------
    pathlib.Path
        The folder named by ``SBD_BOOK_RECORDS``, else `root`.

    Raises
    ------
    ExtensionError
        If ``SBD_BOOK_RECORDS`` names no folder.
    """
    folder = root / os.environ.get("SBD_BOOK_RECORDS", "")
    if not folder.is_dir():
        msg = f"SBD_BOOK_RECORDS must name a folder of records; got {folder}"
        raise ExtensionError(msg)
    return folder


def mirror(source: Path, target: Path, suffixes: set[str]) -> None:
    """Make `target` hold the files of `source`, touching only what differs.

    Parameters
    ----------
    source, target : pathlib.Path
        Folders; a missing `source` counts as empty.
    suffixes : set of str
        Endings of the files that are copied, as in ``".png"``.
    """
    target.mkdir(parents=True, exist_ok=True)
    wanted = {p.name: p for p in source.glob("*") if p.suffix in suffixes}
    for old in target.iterdir():
        if old.is_file() and old.name not in wanted:
            old.unlink()
    for name, path in wanted.items():
        copy, content = target / name, path.read_bytes()
        if not copy.exists() or copy.read_bytes() != content:
            copy.write_bytes(content)


def faults(path: Path) -> list[str]:
    """Say why an executed notebook must not be shown.

    Parameters
    ----------
    path : pathlib.Path
        Notebook file (.ipynb).

    Returns
    -------
    list of str
        One sentence a fault: a code cell that failed or that was never run.
    """
    found = []
    for number, cell in enumerate(json.loads(path.read_text("utf8"))["cells"], 1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        place = f"{path.name}, cell {number}"
        if cell["execution_count"] is None:
            found.append(f"{place} was never run")
        found += [
            f"{place} failed: {output['ename']}: {output['evalue']}"
            for output in cell["outputs"]
            if output["output_type"] == "error"
        ]
    return found


def toc_files(entry: Any) -> list[str]:  # noqa: ANN401, it is parsed YAML
    """List the documents of a table of contents.

    Parameters
    ----------
    entry : dict, list or scalar
        Content of ``_toc.yml`` or a part of it.

    Returns
    -------
    list of str
        Every ``root`` and ``file`` entry, in reading order.
    """
    if isinstance(entry, list):
        return [name for item in entry for name in toc_files(item)]
    if not isinstance(entry, dict):
        return []
    own = [entry[key] for key in ("root", "file") if key in entry]
    return own + [name for value in entry.values() for name in toc_files(value)]


def bring_records(book: Path) -> None:
    """Mirror the records into the book, and refuse incomplete ones.

    Parameters
    ----------
    book : pathlib.Path
        Source folder of the book.

    Raises
    ------
    ExtensionError
        If a notebook of the table of contents is missing, failed or was never run.
    """
    source = records_folder(book.parent)
    for name, suffixes in MIRRORED.items():
        mirror(source / name, book / name, suffixes)
    entries = toc_files(yaml.safe_load((book / "_toc.yml").read_text("utf8")))
    records = [book / f"{e}.ipynb" for e in entries if e.startswith("notebooks/")]
    wrong = [
        fault
        for path in records
        for fault in (faults(path) if path.exists() else [f"{path.name} is missing"])
    ]
    if wrong:
        msg = (
            f"the book needs every executed notebook of {source / 'notebooks'}: "
            f"{'; '.join(wrong)}. Run `make notebooks` and look at its report."
        )
        raise ExtensionError(msg)


def setup(app: Sphinx) -> dict[str, bool]:
    """Mirror the records while Sphinx starts, before it lists its sources."""
    bring_records(Path(app.srcdir))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
