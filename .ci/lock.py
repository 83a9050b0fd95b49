"""Write what `make lock` found: versions (constraints.txt), hashes (hashes.txt).

    python .ci/lock.py                      versions of what is installed here
    python .ci/lock.py LISTED INSTALLED     the hashes of every file of those
    python .ci/lock.py --check HASHES INSTALLED

`make lock` runs it inside a fresh environment that holds every extra. LISTED is what a
resolver wrote with the hashes of the index, INSTALLED is pip's report of what it took:
a file that came from elsewhere, such as a wheel of torch without CUDA, counts as well.
`make env` asks for --check: 1 if pip took a file that is not among HASHES, which it
says, and goes on: torch has builds that no index lists. The standard library is enough.
"""

import json
import re
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

HEADER = """\
# The exact version of every package, for `pip install -c constraints.txt`: one file for
# laptop, continuous integration and Binder. Made by `make lock`, which keeps these pins
# and adds what is new; `make lock UPGRADE=1` lets every version move.
# The CUDA packages that torch brings along where there is a GPU are left to torch.
"""
HASHES = """\
# The packages of constraints.txt with the hashes of their files, of all platforms, for
# `pip install --no-deps --require-hashes -r hashes.txt`: what is installed is what was
# tested, or nothing. Made by `make lock`. Not in it, and so taken unseen: pip itself,
# what only other systems need, and the CUDA packages that torch brings along.
# torch, at the end, is for `make env` alone: pip would prefer the index's file, with
# CUDA, to one without that it was given. It is compared once it is installed, and a
# build that is not listed is said and used. `make env HASHES=` goes by versions alone.
"""
OURS = {"sbd", "pip"}
APART = {"torch"}  # several builds of one version: pip is to choose, then compared
CUDA = re.compile(r"(nvidia|cuda|triton)(-|$)")


def canonical(name: str) -> str:
    """Write a package's name as pip compares it: small letters and hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> list[str]:
    """List `name==version` of what is installed, without the local part as in +cpu."""
    found = {
        canonical(each.name): each.version.partition("+")[0] for each in distributions()
    }
    return [
        f"{name}=={found[name]}"
        for name in sorted(found)
        if name not in OURS and not CUDA.match(name)
    ]


def read_hashes(text: str) -> dict[str, set[str]]:
    """Read the SHA-256 of files by `name==version`, those set apart too."""
    apart = re.sub(r"(?m)^#(?= *(--hash|\S+==))", "", text)
    joined = apart.replace("\\\n", " ")
    lines = [line.split() for line in joined.splitlines() if line[:1] not in ("#", "")]
    return {
        words[0]: set(re.findall(r"sha256:(\w+)", " ".join(words))) for words in lines
    }


def installed_hashes(report: dict) -> dict[str, str]:
    """Read from pip's report the SHA-256 of each file that it took, by name."""
    found = {}
    for each in report["install"]:
        archive = each["download_info"].get("archive_info", {})
        digest = archive.get("hashes", {}).get("sha256")
        if not digest:  # as pip wrote it before 23.1
            digest = archive.get("hash", "").partition("sha256=")[2]
        if digest:
            found[canonical(each["metadata"]["name"])] = digest
    return found


def with_hashes(listed: str, report: dict) -> list[str]:
    """Write every pin with its hashes, one a line as pip reads them."""
    took = installed_hashes(report)
    lines, apart = [], []
    for pin, known in sorted(read_hashes(listed).items()):
        name = pin.partition("==")[0]
        every = sorted(known | ({took[name]} if name in took else set()))
        if not every:
            msg = f"{pin} must have a hash; got none from the index or from pip"
            raise ValueError(msg)
        words = [pin, *(f"    --hash=sha256:{digest}" for digest in every)]
        if name in APART:
            apart.append(" \\\n".join(f"#{word}" for word in words))
        else:
            lines.append(" \\\n".join(words))
    return lines + apart


def strange_files(hashes: str, report: dict) -> list[str]:
    """Name the packages of which pip took a file that is not among the hashes."""
    known = {pin.partition("==")[0]: of for pin, of in read_hashes(hashes).items()}
    took = installed_hashes(report)
    names = {canonical(each["metadata"]["name"]) for each in report["install"]}
    unseen = sorted(names - {*took} - OURS)  # of a folder, or a repository
    return [
        f"{name} is not one of the files that were tested (hashes.txt): sha256 {digest}"
        for name, digest in took.items()
        if digest not in known.get(name, ())
    ] + [f"{name} is from no file, so that nothing tells what it is" for name in unseen]


def main(arguments: Sequence[str]) -> int:
    """Write the text of either file, or compare."""
    check = arguments[:1] == ["--check"]
    if not arguments:
        sys.stdout.write(HEADER + "\n".join(pins()) + "\n")
        return 0
    listed, report = (Path(each).read_text("utf8") for each in arguments[-2:])
    if check:
        strange = strange_files(listed, json.loads(report))
        sys.stderr.write("".join(f"{line}\n" for line in strange))
        return int(bool(strange))
    sys.stdout.write(HASHES + "\n".join(with_hashes(listed, json.loads(report))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
