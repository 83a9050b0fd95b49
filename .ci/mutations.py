"""Guard the guard: break the library on purpose and see every figure turn red.

    make mutations

Each mutation is one edit in a copy of the project, after which nbval compares a
notebook with its committed record. Exit status 1 if a mutation passes, or if the
untouched copy does not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUTATIONS = {  # what is broken: the notebook, the file, and the edit
    "nothing": ("03_jacobian", "sbd/evidence/jacobian.py", "", ""),
    "flipped sign in the Jacobian": (
        "03_jacobian",
        "sbd/evidence/jacobian.py",
        "    return row, ",
        "    return -row, ",
    ),
    "swapped panels": (
        "02_comparison",
        "sbd/companion/pages/layouts.py",
        "    for name, image in checked.items():\n        whole =",
        "    swapped = dict(zip(checked, reversed(checked.values()), strict=True))\n"
        "    for name, image in swapped.items():\n        whole =",
    ),
    "colour scale off by 5 %": (
        "04_likelihood",
        "sbd/plotting/images.py",
        "            vmin=-limit,\n            vmax=limit,",
        "            vmin=-1.05 * limit,\n            vmax=1.05 * limit,",
    ),
    "a removed atom": (
        "04_likelihood",
        "sbd/columns/finding.py",
        "    return Columns(\n        positions=",
        "    keep[keep.argmax()] = False\n    return Columns(\n        positions=",
    ),
    "an atom removed from the model": (
        "01_dataset",
        "sbd/simulation/structures.py",
        "    return np.array(atoms)\n",
        "    return np.array(atoms[1:])\n",
    ),
    "another seed": (
        "04_likelihood",
        "notebooks/04_likelihood.ipynb",
        "seed = 1",
        "seed = 2",
    ),
}


def run(what: str) -> str:
    """Compare the notebook in a broken copy: "red", "green", or why neither."""
    stem, file, old, new = MUTATIONS[what]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("sbd", "notebooks", "figures", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            else:
                shutil.copy(source, copy / name)
        text = (copy / file).read_text(encoding="utf-8")
        if old not in text:
            return "not applied"
        (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p",
                   "no:cacheprovider", "--nbval-current-env",
                   f"notebooks/{stem}.ipynb"]  # fmt: skip
        done = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    sys.stdout.write(f"   {lines[-1] if lines else done.stderr[-200:]}\n")
    if "skipped" in (lines or [""])[-1]:
        return "skipped"
    return {0: "green", 1: "red"}.get(done.returncode, f"exit {done.returncode}")


def main() -> int:
    """Try every mutation."""
    failures = 0
    for what in MUTATIONS:
        wanted = "green" if what == "nothing" else "red"
        got = run(what)
        failures += got != wanted
        sys.stdout.write(f"{what}: {got} (wanted {wanted})\n")
        sys.stdout.flush()
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
