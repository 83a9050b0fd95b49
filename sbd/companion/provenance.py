"""Say how a figure was made: code, parameters, data, machine; never when.

Two runs at the same commit on the same machine say the same. `sbd.read_provenance`
reads it again.
"""

import functools
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from sbd.companion import tracing
from sbd.companion.fingerprints import PACKAGE, hash_cells, hash_modules
from sbd.companion.parameters import given_parameters, ran_cells
from sbd.files import sha256
from sbd.provenance import UNKNOWN

# What a figure depends on; the records and figures that a run rewrites are not code.
_CODE = ("sbd", ":(glob)notebooks/*.py")


def describe_figure(name: str) -> dict[str, Any]:
    """Say how the figure of that name, which is being filed, was made.

    In a notebook the cells, parameters and files so far count; `tracing` must have been
    started for the files to be known.
    """
    cells = ran_cells()
    parameters = given_parameters(cells)
    used = tracing.used()
    data, weights = _digests(used) if tracing.started() else (UNKNOWN, UNKNOWN)
    library = hash_modules(used["modules"])
    return {
        "figure": name,
        "notebook": f"notebooks/{name.partition('-')[0]}.py",
        "software": f"sbd {version('sbd')}",
        "commit": read_commit(PACKAGE.parent),
        "code": {"cells": hash_cells(cells), "library": library},
        "scale": parameters.pop("scale", UNKNOWN),
        "seeds": {key: parameters[key] for key in parameters if "seed" in key},
        "parameters": {key: parameters[key] for key in parameters if "seed" not in key},
        "data": data,
        "weights": weights,
        "device": _device(parameters.get("device", "auto")),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": version("torch"),
            "matplotlib": mpl.__version__,
        },
    }


def version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


@functools.cache
def read_commit(root: Path) -> str:
    """Name the commit of the code in `root`, with a + if the code was changed since.

    That of an installed copy is known if pip fetched it from a repository.
    """
    # in another project's repository, an installed copy is no part of its history
    if not ask_git(root, "ls-files", "sbd/__init__.py"):
        return _installed_commit(root)
    head = ask_git(root, "rev-parse", "HEAD")
    changed = ask_git(root, "status", "--porcelain", "--", *_CODE)
    return f"{head}{'+' if changed else ''}" if head else UNKNOWN


def ask_git(root: Path, *words: str) -> str:
    """Ask git about a folder; an empty string where it has no answer."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=clean
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _installed_commit(root: Path) -> str:
    """Read which commit pip installed, if `root` is where it did."""
    try:
        about = importlib.metadata.distribution("sbd")
        address = json.loads(about.read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return UNKNOWN
    here = Path(str(about.locate_file(""))).resolve() == root.resolve()
    return address.get("vcs_info", {}).get("commit_id", UNKNOWN) if here else UNKNOWN


def _digests(used: dict[str, list[str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the digests of files by name: of data, and of weights."""
    from sbd.data.catalogue import ITEMS

    found = {name: _digest(PACKAGE / name) for name in used["assets"]}
    for name in used["items"]:
        item = ITEMS.get(name)
        if item is None or f"assets/{item.file}" not in found:  # said once
            found[name] = (item and item.digest) or UNKNOWN
    weights = [name for name in found if "weights" in name.split("/")]
    data = [name for name in found if name not in weights]
    return {n: found[n] for n in data}, {n: found[n] for n in weights}


@functools.cache
def _digest(path: Path) -> str:
    return f"sha256:{sha256(path)}" if path.is_file() else UNKNOWN


def _device(asked: str) -> str:
    """Name the device that networks run on; without them it is the processor."""
    models = sys.modules.get("sbd.networks.models")
    if models is None:
        return "cpu"
    device = str(models.choose_device(asked))
    if device.startswith("cuda"):
        return f"{device} ({sys.modules['torch'].cuda.get_device_name(device)})"
    return device
