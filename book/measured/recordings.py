"""Read every recording inside six packages of other people: ``make files``.

    python book/measured/recordings.py FOLDER FILE

The packages of recordings.toml are fetched by pip from the index that it uses, looked
at for their SHA-256, and unpacked into FOLDER, unless they are there; none of it is
installed (pip runs the setup.py of tk-r-em to learn its name). A row of `rows` is one
file with a suffix that `read_micrograph` knows: shape, size of a pixel and its source,
unit, and the verdict of `check_counts`, or `refused`, with the reason. `table` counts
them. What is neither read nor refused in words is `unexpected`, and should be nothing.
"""

import argparse
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine
from sbd.files import sha256
from sbd.recordings import check_counts, read_micrograph
from sbd.recordings.reading import list_readable

LISTED = Path(__file__).with_suffix(".toml")
KINDS = {  # the first words that a reason has, and what the table says
    "dataset must name": "several images",
    "file must hold an image": "no image",
    "file must hold its frames": "frames or channels last",
    "file must hold real": "complex numbers",
    "file must hold counts": "a colour picture",
    "file must hold one channel": "several channels",
    "file must hold one number": "a diffraction pattern",
    "file must be a whole": "not whole, or no file of its kind",
    "holds a diffraction": "a diffraction pattern",
}


def fetch_package(name: str, about: dict, folder: Path) -> Path:
    """Download one package, see that it is the one that is meant, and unpack it."""
    target = folder / name
    if target.is_dir():
        return target
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    if about.get("source"):
        command += ["--no-binary", ":all:", "--no-build-isolation"]
    else:
        command += ["--only-binary", ":all:"]
    for option, key in (("--python-version", "python"), ("--platform", "platform")):
        command += [option, about[key]] if key in about else []
    wanted = folder / "downloads" / name
    command += ["--dest", str(wanted), f"{name}=={about['version']}"]
    subprocess.run(command, check=True)
    (archive,) = wanted.iterdir()
    if sha256(archive) != about["sha256"]:
        msg = f"{archive.name} must have the SHA-256 of {LISTED.name}"
        raise ValueError(msg)
    part = folder / f".{name}.part"
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(part)
    else:
        with tarfile.open(archive) as opened:
            opened.extractall(part, filter="data")
    return part.rename(target)


def look(file: Path, folder: Path) -> dict:
    """Say what one file holds, or why it is refused."""
    package, *inside = file.relative_to(folder).parts
    row = {"package": package, "file": "/".join(inside)}
    try:
        recording = read_micrograph(file)
        report = check_counts(recording)
    except (ValueError, ImportError) as error:
        words = str(error).replace(f"{folder}/", "")
        return row | {"refused": " ".join(words.split())[:300]}
    except Exception as error:  # what this script is there to find
        return row | {"unexpected": f"{type(error).__name__}: {error}"[:300]}
    return row | {
        "shape": list(recording.shape),
        "frames": recording.frames,
        "pixel": recording.pixel.sides and list(recording.pixel.sides),
        "pixel from": recording.pixel.source,
        "unit": recording.unit,
        "verdict": report.verdict,
        "reasons": [f.what for f in report.findings if f.harm == "refusal"],
    }


def sort_reason(words: str) -> str:
    """Put a reason under one heading."""
    return next((kind for start, kind in KINDS.items() if start in words), words)


def tabulate(rows: list[dict]) -> dict:
    """Count by package and suffix what was opened and refused, and why."""
    table = {}
    for row in rows:
        suffix = Path(row["file"]).suffix.lower()
        entry = table.setdefault(f"{row['package']} {suffix}", Counter())
        if "refused" in row:
            entry[f"refused: {sort_reason(row['refused'])}"] += 1
        elif "unexpected" in row:
            entry["unexpected"] += 1
        else:
            entry["opened"] += 1
            entry["opened, with a size of a pixel"] += row["pixel"] is not None
            counted = row["verdict"].startswith("Counted")
            entry["opened, and its values are counts"] += counted
    return {name: dict(sorted(entry.items())) for name, entry in sorted(table.items())}


def main() -> None:
    """Fetch the packages, read all files, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    packages = tomllib.loads(LISTED.read_text("utf8"))
    given.folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, about in packages.items():
        inside = fetch_package(name, about, given.folder)
        folders = [inside, *sorted(p for p in inside.rglob("*") if p.is_dir())]
        for one in folders:
            files += [] if one.suffix else list_readable(one)
    rows = [look(file, given.folder) for file in tqdm(files, mininterval=10)]
    write_measured(
        given.file,
        {
            **describe_machine("sbd", "rosettasciio", "tifffile", "h5py", "numpy"),
            "packages": {name: about["version"] for name, about in packages.items()},
            "files": len(rows),
            "opened": sum("verdict" in row for row in rows),
            "refused": sum("refused" in row for row in rows),
            "unexpected": sum("unexpected" in row for row in rows),
            "table": tabulate(rows),
            "rows": rows,
        },
        __file__,
    )


if __name__ == "__main__":
    main()
