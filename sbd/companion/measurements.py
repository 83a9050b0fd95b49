"""What the measuring scripts of ``book/measured`` have in common."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from sbd.data.examples import example_truth
from sbd.simulation.frame import PUBLISHED_SHAPE
from sbd.typing import Image


def describe_machine(*packages: str) -> dict:
    """Say what a measurement ran on: the kind of machine and versions of packages."""
    return {
        "machine": platform.machine(),
        "versions": {name: version(name) for name in packages},
    }


def average(values: Sequence[float], digits: int = 2) -> dict[str, float | None]:
    """Give the mean of independent values, its standard error, and the lowest."""
    values = np.asarray(values, float)
    numbers = {"mean": values.mean(), "standard_error": None, "lowest": values.min()}
    if len(values) > 1:
        numbers["standard_error"] = values.std(ddof=1) / len(values) ** 0.5
    return {
        k: None if v is None else round(float(v), digits) for k, v in numbers.items()
    }


def mirrored_truth() -> Image:
    """Return the bundled image at the published size; the rest is its mirror image."""
    clean, _ = example_truth("simulated")
    pairs = zip(PUBLISHED_SHAPE, clean.shape, strict=True)
    clean = np.pad(clean, [(0, max(0, n - m)) for n, m in pairs], mode="reflect")
    return clean[: PUBLISHED_SHAPE[0], : PUBLISHED_SHAPE[1]]
