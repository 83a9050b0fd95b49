"""Parameters of notebooks: the scales, and the refusal of names there are not."""

import ast
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

INJECTED = "# Parameters"
"""How papermill begins the cell that it puts in."""


def check_parameters(cells: Sequence[str] | None = None) -> None:
    """Refuse what papermill put into this notebook and is none of its parameters.

    `cells` is the code that ran so far, that of the running notebook if not given.
    """
    ran = ran_cells() if cells is None else list(cells)
    given = [cell for cell in ran if cell.startswith(INJECTED)]
    if not given:
        return
    known = _assigned(ran[0])
    unknown = [name for name in _assigned(given[0]) if name not in known]
    if unknown:
        msg = f"parameters must be among {', '.join(known)}; got {', '.join(unknown)}"
        raise ValueError(msg)


def given_parameters(cells: Sequence[str]) -> dict[str, Any]:
    """Read the parameters of a notebook from the code that ran, those injected first.

    The folder that figures go to is left out: nothing that is drawn depends on it.
    """
    given = [cell for cell in cells if cell.startswith(INJECTED)]
    found: dict[str, Any] = {}
    for cell in (*cells[:1], *given[:1]):
        for node in ast.parse(cell).body:
            names = _targets(node)
            with contextlib.suppress(ValueError):  # no plain value: no parameter
                value = ast.literal_eval(node.value) if names else None
                found |= dict.fromkeys(names, value)
    return {name: value for name, value in found.items() if name != "figures"}


def ran_cells() -> list[str]:
    """List the cells that the running notebook has executed, this one too."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    names = getattr(ask(), "user_ns", {})
    return [cell for cell in names.get("In", []) if cell]


def _assigned(cell: str) -> list[str]:
    """List the names that a cell of plain assignments sets."""
    return [name for node in ast.parse(cell).body for name in _targets(node)]


def _targets(node: ast.stmt) -> list[str]:
    """List the names that an assignment sets; none if it is something else."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


@dataclass(frozen=True)
class Scale:
    """The sizes one run of a notebook works at.

    Parameters
    ----------
    name : str
        ``"smoke"``, ``"default"`` or ``"paper"``.
    crop : int or None
        Side of the square the example image is cropped to; None keeps it whole
        [pixels].
    draws : int
        Noise draws that a table's row is averaged over.
    grid : int
        Samples of the 50 angstrom box in the multislice calculation.
    train_steps : int
        Optimiser steps of a training run that a notebook does live.
    """

    name: str
    crop: int | None
    draws: int
    grid: int
    train_steps: int


_SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", crop=384, draws=1, grid=256, train_steps=4),
        Scale("default", crop=None, draws=3, grid=640, train_steps=40),
        Scale("paper", crop=None, draws=12, grid=768, train_steps=4000),
    )
}


def at_scale(name: str) -> Scale:
    """Look up the sizes for a scale.

    Parameters
    ----------
    name : {"smoke", "default", "paper"}
        Seconds, a laptop's minutes, or the paper's own sizes.

    Returns
    -------
    Scale
        The sizes, to be handed on as plain keyword arguments.

    Raises
    ------
    ValueError
        If there is no such scale.

    Examples
    --------
    >>> at_scale("smoke").draws
    1
    """
    try:
        return _SCALES[name]
    except (KeyError, TypeError):
        msg = f"scale must be one of {', '.join(map(repr, _SCALES))}; got {name!r}"
        raise ValueError(msg) from None
