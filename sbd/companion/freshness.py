"""Whether the numbers of ``book/measured`` are those of the code as it is.

    python -m sbd.companion.freshness check            list what is old; exit code 1
    python -m sbd.companion.freshness waive NAME WHY   go on showing an older number

A script writes its numbers with :func:`write_measured`, which notes beside them, in
``made_from``, the commit, the digest of the numbers, and a hash of every definition
that they depend on. A file that was edited, and one whose code has changed, is told by
:func:`check_measured`. A number may be kept although code has changed, with a reason,
until the next change; the book shows the reason beside it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sbd.companion.definitions import Package, hash_definitions
from sbd.files import sha256, write_json

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "book" / "measured"


def write_measured(file: Path, numbers: Mapping[str, Any], script: str | Path) -> None:
    """Write what a script measured, and what it was made from.

    Parameters
    ----------
    file : pathlib.Path
        Where the numbers go, ``NAME.json``; the note goes to ``made_from/NAME.json``.
    numbers : mapping
        Anything that is JSON.
    script : str or pathlib.Path
        The script that calls, its ``__file__``.
    """
    file = Path(file)
    write_json(file, numbers)
    _note(file).parent.mkdir(exist_ok=True)
    about = {
        "commit": _commit(),
        "digest": sha256(file.read_bytes()),
        "definitions": hash_definitions(Path(script), Package(ROOT)),
    }
    write_json(_note(file), about)


def check_measured(folder: Path = MEASURED, root: Path = ROOT) -> dict[str, str]:
    """Say of each measured file why it is not what the code of today would measure.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``NAME.py``, ``NAME.json`` and ``made_from/NAME.json``.
    root : pathlib.Path
        Holds the package ``sbd``.

    Returns
    -------
    dict of str to str
        A sentence by name; files that are fresh, or waived, are not in it.
    """
    found = {}
    package = Package(root)
    for file in sorted(Path(folder).glob("*.json")):
        if not _note(file).is_file():
            found[file.stem] = "nothing says what it was made from"
            continue
        about = json.loads(_note(file).read_text(encoding="utf-8"))
        changed = list_changes(file, package)
        waived = about.get("waived", {}).get("definitions", {})
        if about["digest"] != sha256(file.read_bytes()):
            found[file.stem] = "its numbers are not those that its script wrote"
        elif {k: v for k, v in changed.items() if waived.get(k) != v}:
            found[file.stem] = f"changed since: {', '.join(map(_name, changed))}"
    return found


def describe_measured(folder: Path = MEASURED) -> dict[str, dict[str, str]]:
    """Say of each measured file at which commit, and why it was kept if code changed.

    A dict of ``commit`` and ``kept`` by name; the latter is empty for a fresh file.
    """
    told = {}
    for file in sorted(Path(folder).glob("*.json")):
        note = _note(file)
        about = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        kept = about.get("waived", {}).get("reason", "")
        kept = kept if about else "nothing says what it was made from"
        told[file.stem] = {"commit": about.get("commit", ""), "kept": kept}
    return told


def list_changes(file: Path, package: Package) -> dict[str, str]:
    """List the definitions behind a measured file that differ, with today's hash.

    What is gone has the hash ``""``.
    """
    then = json.loads(_note(file).read_text(encoding="utf-8"))["definitions"]
    now = hash_definitions(file.with_suffix(".py"), package)
    keys = sorted({*then, *now})
    return {k: now.get(k, "") for k in keys if then.get(k) != now.get(k)}


def waive(file: Path, reason: str, root: Path = ROOT) -> None:
    """Keep the numbers of a file although its code has changed, and say why.

    Raises ValueError if nothing has changed, or no reason is given.
    """
    changed = list_changes(file, Package(root))
    if not changed or not reason.strip():
        what = "a reason" if changed else "changes to give a reason for"
        msg = f"a waiver must have {what}; got none for {file.stem}"
        raise ValueError(msg)
    about = json.loads(_note(file).read_text(encoding="utf-8"))
    about["waived"] = {"reason": reason.strip(), "definitions": changed}
    write_json(_note(file), about)


def _note(file: Path) -> Path:
    return file.parent / "made_from" / file.name


def _name(key: str) -> str:
    """Name a definition as a reader finds it."""
    return key.removeprefix("sbd.") or "the script"


def _commit() -> str:
    """Return the commit of the code, with a plus if it was edited; "" without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        run = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
        edited = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "sbd"])
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip() + ("+" if edited.returncode else "")


def main(arguments: list[str] | None = None) -> int:
    """Check, or waive."""
    parser = argparse.ArgumentParser(
        prog="python -m sbd.companion.freshness", description=__doc__.partition("\n")[0]
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("check", help="say which measured files are old")
    waiving = tasks.add_parser("waive", help="keep one of them, with a reason")
    waiving.add_argument("name", help="as in NAME.json")
    waiving.add_argument("reason", help="why the numbers cannot have changed")
    given = parser.parse_args(arguments)
    if given.task == "waive":
        waive(MEASURED / f"{given.name}.json", given.reason)
        return 0
    found = check_measured()
    for name, why in found.items():
        sys.stderr.write(f"book/measured/{name}.json: {why}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
