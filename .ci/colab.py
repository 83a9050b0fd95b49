"""Rehearse the notebooks' set-up cell where Google Colab's versions are installed.

    python .ci/colab.py FOLDER [--scale smoke] [--notebooks 00 02 15] [--python PYTHON]

FOLDER/colab gets the versions of .ci/colab.txt, once; it takes minutes and 6 GB. Each
rehearsal puts an empty environment on top, copies nothing but the notebooks into an
empty folder, gives their set-up cell a clone of this repository as its address, and
runs them from the first cell to the last. It fails if a notebook fails, or if the cell
installed another version of what Colab has.

    --may NAME...  packages that may be given another version; it is said all the same

The standard library is enough here.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = Path(__file__).with_name("colab.txt")
ADDRESS = re.compile(r'(?m)^repository = "[^"]*"')
SCALE = re.compile(r'(?m)^scale = "default"')
NEVER = {"numpy", "torch"}  # the cell promises to leave these alone
LIST = """
import json
from importlib.metadata import distributions
found = {}
for one in distributions():  # of two, the one that is found first is imported
    if one.name:
        found.setdefault(one.name.lower().replace("_", "-"), one.version)
print(json.dumps(found))
"""
# what the pages ask of Colab itself: a reader who chooses no file
FILES = "def upload():\n    return {}\n"
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
path = sys.argv[1]
notebook = nbformat.read(path, as_version=4)
notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": "."}}).execute()
nbformat.write(notebook, path)
"""


def python_in(environment: Path) -> str:
    """Return the interpreter of an environment."""
    return str(environment / "bin" / "python")


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command, and stop with what it said if it fails."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-6000:]}"
        )
    return done.stdout


def installed(environment: Path) -> dict[str, str]:
    """List the packages that a Python finds, with their versions."""
    return json.loads(run(python_in(environment), "-c", LIST))


def make_base(folder: Path, python: str) -> None:
    """Make the environment with Colab's versions, unless it is there."""
    if (folder / "made").exists():
        return
    run(python, "-m", "venv", "--clear", str(folder))
    run(
        *(python_in(folder), "-m", "pip", "install", "--quiet"),
        *("--only-binary", ":all:", "-r", str(PINS)),
    )
    (folder / "made").touch()


def lay_over(base: Path, folder: Path) -> None:
    """Make an empty environment that finds the packages of another, and Colab's name.

    What is installed into it lies in it alone, and the other one stays as it is.
    """
    run(python_in(base), "-m", "venv", "--clear", str(folder))
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    below, above = (
        run(python_in(environment), "-c", ask).strip() for environment in (base, folder)
    )
    colab = Path(above) / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()
    (colab / "files.py").write_text(FILES)
    lines = [below, "import google.colab"]  # it is loaded in every kernel there
    (Path(above) / "colab.pth").write_text("\n".join(lines) + "\n")
    # kernels are started by this name
    run(python_in(folder), "-m", "ipykernel", "install", "--prefix", str(folder))


def in_colab(text: str, address: str, scale: str) -> str:
    """Give a notebook's file the address that it installs from, and a scale.

    Parameters
    ----------
    text : str
        Content of the ``.ipynb`` file.
    address : str
        What follows ``git+`` for pip.
    scale : str
        What the notebook's parameter ``scale`` is set to.

    Returns
    -------
    str
        The file with both, and without outputs.
    """
    notebook = json.loads(text)
    found = 0
    for cell in (c for c in notebook["cells"] if c["cell_type"] == "code"):
        source = "".join(cell["source"])
        source, first = ADDRESS.subn(f'repository = "{address}"', source)
        source, second = SCALE.subn(f'scale = "{scale}"', source)
        found += first + second
        cell.update(source=source, outputs=[], execution_count=None)
    if found != 2:
        msg = f"a notebook must have one set-up cell and one scale; got {found} of 2"
        raise ValueError(msg)
    return json.dumps(notebook)


def changes(before: dict[str, str], after: dict[str, str]) -> tuple[list, list]:
    """Tell what was installed: packages that were missing, and other versions."""
    new = [f"{name} {after[name]}" for name in sorted(after.keys() - before.keys())]
    both = sorted(before.keys() & after.keys())
    other = [
        f"{name} {before[name]} became {after[name]}"
        for name in both
        if before[name] != after[name]
    ]
    return new, other


def rehearse(folder: Path, names: list[str], scale: str, may: set[str]) -> int:
    """Run notebooks in an environment like Colab's; return how many things failed."""
    base, top, work = folder / "colab", folder / "run", folder / "content"
    lay_over(base, top)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    clone = folder / "clone.git"
    shutil.rmtree(clone, ignore_errors=True)
    run("git", "clone", "--quiet", "--bare", str(ROOT), str(clone))
    before, failed = installed(top), 0
    for name in names:
        (path,) = (ROOT / "notebooks").glob(f"{name}_*.ipynb")
        copy = work / path.name
        copy.write_text(in_colab(path.read_text("utf8"), f"file://{clone}", scale))
        start = time.monotonic()
        command = [python_in(top), "-c", RUN, copy.name]
        done = subprocess.run(
            command, cwd=work, check=False, capture_output=True, text=True
        )
        failed += bool(done.returncode)
        word = "FAILED" if done.returncode else "ran"
        print(f"{path.name} {word} in {time.monotonic() - start:.0f} s", flush=True)
        if done.returncode:
            print(done.stderr[-4000:])
    new, other = changes(before, installed(top))
    print("installed:", ", ".join(new) or "nothing")
    print("changed:", ", ".join(other) or "nothing")
    wrong = [line for line in other if line.partition(" ")[0] not in may - NEVER]
    if wrong:
        print("the set-up cell must leave what Colab has:", "; ".join(wrong))
    return failed + len(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--notebooks", nargs="+", default=["00", "02", "15"])
    parser.add_argument("--python", default="python3.13")
    parser.add_argument("--may", nargs="*", default=[])
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    make_base(folder / "colab", options.python)
    return rehearse(folder, options.notebooks, options.scale, set(options.may))


if __name__ == "__main__":
    sys.exit(min(main(), 1))
