"""Write the repository's address everywhere, or check that all places agree.

The address is held by `[project.urls] Repository` in pyproject.toml; every other place
is rewritten from it:

    python .ci/repository.py https://github.com/owner/name    (make repository URL=...)
    python .ci/repository.py --unset                          back to no address
    python .ci/repository.py --check                          exit 1 if a place differs

The standard library is enough.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GITHUB = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)")
COLAB = "https://colab.research.google.com"
BINDER = "https://mybinder.org"


def normalise(url: str) -> str:
    """Return the address as https://github.com/owner/name, or say what is wrong."""
    plain = url.strip().removesuffix("/").removesuffix(".git")
    found = GITHUB.fullmatch(plain)
    if found is None or set(found[2]) == {"."}:
        msg = f"URL must look like https://github.com/owner/name; got {url!r}"
        raise ValueError(msg)
    return plain


def held(root: Path) -> str:
    """Return the address that pyproject.toml holds, "" while there is none."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"].get("urls", {}).get("Repository", "")


# --- what each kind of place looks like with an address, "" for none


def in_pyproject(url: str) -> str:
    """Give the line of [project.urls]."""
    note = "`make repository URL=...` writes the address here, then everywhere else."
    return f'Repository = "{url}"' if url else f"# Repository: {note}"


def in_config(url: str) -> str:
    """Give the lines of _config.yml."""
    return f'repository:\n  url: "{url}"'


def in_citation(url: str) -> str:
    """Give the line of CITATION.cff: an empty address would not be valid there."""
    note = "`make repository URL=...` writes the address here"
    return f'repository-code: "{url}"' if url else f"# repository-code: {note}"


def in_setup_cell(url: str) -> str:
    """Give the line of the notebooks' set-up cell."""
    return f'repository = "{url}"  # `make repository'


def in_record(url: str) -> str:
    """Give the same line as it stands inside the JSON of an executed notebook."""
    return json.dumps(in_setup_cell(url))[1:-1]


def in_readme(url: str) -> str:
    """Give the block of README.md that only makes sense with an address."""
    start, end = "<!-- repository -->", "<!-- /repository -->"
    if not url:
        return f"{start}\n{end}"
    owner, name = GITHUB.fullmatch(url).groups()
    site = name if name == f"{owner}.github.io" else f"{owner}.github.io/{name}"
    lines = [
        f"[Read the book](https://{site}/) ·",
        f"[open the notebooks in Colab]({COLAB}/github/{owner}/{name}) ·",
        f"[run them on Binder]({BINDER}/v2/gh/{owner}/{name}/HEAD?labpath=notebooks)",
        "",
        "```bash",
        f"git clone {url} && cd {name}",
        "```",
    ]
    return "\n".join([start, "", *lines, "", end])


PLACES: dict[str, tuple[str, Callable[[str], str]]] = {
    "pyproject.toml": (r"(?m)^(# Repository:|Repository = ).*$", in_pyproject),
    "_config.yml": (r"(?m)^repository:\n  url: .*$", in_config),
    "CITATION.cff": (r"(?m)^(# )?repository-code: .*$", in_citation),
    "README.md": (r"(?s)<!-- repository -->.*<!-- /repository -->", in_readme),
    ".ci/setup_cell.py": (r'repository = "[^"]*"  # `make repository', in_setup_cell),
    "notebooks/[0-9]*.py": (r'repository = "[^"]*"  # `make repository', in_setup_cell),
    "notebooks/[0-9]*.ipynb": (
        r'repository = \\"[^"\\]*\\"  # `make repository',
        in_record,
    ),
}


def rewritten(root: Path, url: str) -> Iterator[tuple[Path, str, str]]:
    """Yield each place with its text now and as it is to be."""
    for pattern, (place, text_for) in PLACES.items():
        paths = sorted(root.glob(pattern))
        if not paths and "*" not in pattern:
            msg = f"{pattern} must exist: it holds the repository's address"
            raise ValueError(msg)
        for path in paths:
            now = path.read_text(encoding="utf-8")
            wanted = text_for(url)
            then, count = re.subn(place, lambda _, text=wanted: text, now)
            if count != 1:
                msg = f"{path.name} must hold one place for the address; got {count}"
                raise ValueError(msg)
            yield path, now, then


def main(arguments: list[str] | None = None) -> int:
    """Do as the command line says; 0 means that all places agree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("url", nargs="?", help="https://github.com/owner/name")
    what.add_argument("--unset", action="store_true", help="back to no address")
    what.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        url = normalise(options.url) if options.url is not None else ""
        if options.check:
            url = held(options.root)
        places = list(rewritten(options.root, url))  # all, before the first is written
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    changed = [path for path, now, then in places if now != then]
    if options.check:
        for path in changed:
            sys.stderr.write(f"{path.relative_to(options.root)}: another address\n")
        sys.stdout.write(f"address: {url or 'not set'}\n")
        return int(bool(changed))
    for path, now, then in places:
        if now != then:
            path.write_text(then, encoding="utf-8")
    sys.stdout.write(f"address: {url or 'not set'}; {len(changed)} files changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
