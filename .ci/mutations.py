"""Guard the guard: break the library on purpose and see every figure turn red.

    make mutations
    .venv/bin/python .ci/mutations.py "swapped panels" --to _build/mutations.json

Each mutation of `mutations.toml` is one edit in a copy of the project, in which nbval
then compares a notebook with what it shows without downloads, or, for what no figure
shows, the tests that it names are run. Nothing is fetched, from a server or from a
folder of this machine, so the results are the same everywhere. Before that, every
notebook of the table, and every file of tests, runs untouched and must stay green.

What comes out:

red
    the guard of the figures noticed, or a test (and not just an error on the way)
green
    nothing was noticed: the edit survived
no figure
    something else failed, such as printed text or the code itself, but no figure
skipped, not applied, not imported
    nothing was compared; `old` is not in the file once; the copy was not what ran

Exit status 1 unless all mutations are red, but for those that the table gives a reason
to survive, and all untouched notebooks are green.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from sbd.files import write_json

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_suffix(".toml")
TOP_LEFT_OUT = (".venv", ".git", "data")  # `sbd/data` is a room, and is copied
LEFT_OUT = ("_build", "__pycache__", ".pytest_cache")  # at any depth
COPIED = ("sbd", "notebooks", "figures", "book/measured", "pyproject.toml")
TESTED = ("tests", "book/claims.yml", "book/_ext", "README.md", ".ci")
NOTICED = "Figures differ"  # what `sbd.figureguard` heads its findings with
LIMIT = 1800  # seconds that one notebook may take


@dataclass(frozen=True)
class Mutation:
    """One edit, and the notebook that must notice it; `survives` says why it cannot.

    For what no figure shows, `tests` stands in the place of `notebook`: a file of
    tests, with words that choose among them, as after pytest's ``-k``.
    """

    name: str
    notebook: str = ""
    file: str = ""
    old: str = ""
    new: str = ""
    survives: str = ""
    tests: str = ""

    @property
    def wanted(self) -> str:
        """What should come out."""
        return "red" if self.file and not self.survives else "green"

    def apply(self, root: Path) -> bool:
        """Edit the copy; False if the old text is not there exactly once."""
        if not self.file:
            return True
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            return False
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return True


def read_table(path: Path = TABLE) -> list[Mutation]:
    """Read the edits."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    return [Mutation(**row) for row in rows]


def with_controls(mutations: Iterable[Mutation]) -> list[Mutation]:
    """Put the untouched notebooks before the edits that are made for them."""
    mutations = list(mutations)
    names = sorted({m.notebook for m in mutations if m.notebook})
    tests = sorted({m.tests for m in mutations if m.tests})
    untouched = [Mutation(f"nothing in {name}", name) for name in names]
    untouched += [Mutation(f"nothing for {each}", tests=each) for each in tests]
    return untouched + mutations


def environment(copy: Path, data: Path) -> dict[str, str]:
    """Make the copy what is imported, and leave out what this machine offers."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SBD_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)  # see `is_imported`
    paths = {"PYTHONPATH": str(copy), "SBD_DATA_DIR": str(data)}
    return ours | paths | {"SBD_ONLY_BUNDLED": "1", "OMP_NUM_THREADS": "1"}


def is_imported(mutation: Mutation, copy: Path) -> bool:
    """Tell whether the copy's module was what ran: then it was compiled there."""
    module = mutation.file if mutation.file.endswith(".py") else "sbd/__init__.py"
    compiled = (copy / module).parent / "__pycache__"
    return any(compiled.glob(f"{Path(module).stem}.*.pyc"))


def copy_project(root: Path, copy: Path, *, whole: bool) -> None:
    """Copy what a notebook needs, or the whole project, which tests may look at."""
    every = {path.name for path in root.iterdir()} - {*TOP_LEFT_OUT, *LEFT_OUT}
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    for name in sorted(every) if whole else COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name, ignore=ignored)
        elif (root / name).is_file():
            shutil.copy(root / name, copy)


def try_out(mutation: Mutation, data: Path, *, root: Path = ROOT) -> tuple[str, str]:
    """Compare a notebook in a broken copy: what came out, and the line that says so."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_project(root, copy, whole=bool(mutation.tests))
        if not mutation.apply(copy):
            return "not applied", f"not once in {mutation.file}: {mutation.old!r}"
        file, _, words = mutation.tests.partition(" ")
        what = [
            "--nbval",
            "--nbval-current-env",
            f"notebooks/{mutation.notebook}.ipynb",
        ]
        what = [file, "-k", words] if words else [file] if file else what
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *what,
        ]
        try:
            done = subprocess.run(
                command, cwd=copy, env=environment(copy, data), timeout=LIMIT,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "no figure", f"took more than {LIMIT} s"
        if not mutation.tests and not is_imported(mutation, copy):
            return "not imported", done.stderr[-200:]
    noticed = "FAILED " if mutation.tests else NOTICED
    return judge(done.returncode, done.stdout + done.stderr, noticed)


def judge(code: int, output: str, noticed: str = NOTICED) -> tuple[str, str]:
    """Read pytest's exit status and words."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if code == 0:
        return ("skipped" if "skipped" in last else "green"), last
    if code == 1 and noticed in plain:
        found = plain[plain.index(noticed) + len(noticed) :].split("\n")
        return "red", next((line.strip() for line in found if line.strip()), "")
    errors = [line for line in lines if re.match(r"E  |\w*(Error|Exception):", line)]
    return "no figure", (errors or [last])[0]


def digest(root: Path = ROOT) -> str:
    """Hash all that a result depends on, but for the edit itself."""
    total = hashlib.sha256()
    for name in (*COPIED, *TESTED):
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(file.relative_to(root).as_posix().encode() + b"\0")
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def row_key(mutation: Mutation, code: str) -> str:
    """Name a row by its edit and the code that it was made in."""
    edit = json.dumps(asdict(mutation), sort_keys=True)
    return f"{hashlib.sha256(edit.encode()).hexdigest()[:16]} {code}"


def read_rows(path: Path | None) -> dict[str, dict]:
    """Read what was measured before."""
    if path is None or not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {row["made_from"]: row for row in rows}


def write_rows(path: Path, rows: Iterable[dict]) -> None:
    """Write the table whole."""
    write_json(path, list(rows), ensure_ascii=False)


def measure(mutations: list[Mutation], jobs: int, to: Path | None) -> list[dict]:
    """Try out what was not measured yet with this code."""
    code = digest()
    known = {k: row for k, row in read_rows(to).items() if k.endswith(code)}
    keys = {mutation: row_key(mutation, code) for mutation in mutations}
    for mutation, key in keys.items():
        if key in known:
            say(mutation, known[key], "as before")

    def work(mutation: Mutation) -> dict:
        result, line = try_out(mutation, Path(data))
        about = {"name": mutation.name, "notebook": mutation.notebook or mutation.tests}
        about |= {"file": mutation.file, "result": result, "line": line}
        about |= {"survives": mutation.survives} if mutation.survives else {}
        return about | {"made_from": keys[mutation]}

    with tempfile.TemporaryDirectory() as data, ThreadPoolExecutor(jobs) as pool:
        left = {pool.submit(work, m): m for m in mutations if keys[m] not in known}
        for future in as_completed(left):
            row = future.result()
            known[row["made_from"]] = row
            say(left[future], row, "now")
            if to is not None:
                write_rows(to, known.values())
    return [known[key] for key in keys.values()]


def say(mutation: Mutation, row: dict, when: str) -> None:
    """Print one result at once."""
    verdict = "" if row["result"] == mutation.wanted else f"  WANTED {mutation.wanted}"
    where = mutation.notebook[:2] or Path(mutation.tests.split()[0]).stem
    print(f"{where} {mutation.name}: {row['result']} ({when}){verdict}")
    print(f"   {mutation.survives or row['line'][:150]}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Try the mutations; 1 if one comes out as it must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names; by default all")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time")
    parser.add_argument("--to", type=Path, help="JSON file of results, for resuming")
    options = parser.parse_args(arguments)
    chosen = [
        mutation
        for mutation in read_table()
        if not options.names or any(name in mutation.name for name in options.names)
    ]
    if not chosen:
        parser.error(f"names must be parts of names in the table; got {options.names}")
    every = with_controls(chosen)
    rows = measure(every, options.jobs, options.to)
    pairs = list(zip(every, rows, strict=True))
    wrong = [m.name for m, row in pairs if row["result"] != m.wanted]
    print(f"{len(every) - len(wrong)} of {len(every)} as wanted")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
