"""Parameters of notebooks: the scales, and the refusal of names there are not."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

_INJECTED = "# Parameters"  # how papermill begins the cell that it puts in


def check_parameters(cells: Sequence[str] | None = None) -> None:
    """Refuse what papermill put into this notebook and is none of its parameters.

    `cells` is the code that ran so far, that of the running notebook if not given.
    """
    ran = _history() if cells is None else list(cells)
    given = [cell for cell in ran if cell.startswith(_INJECTED)]
    if not given:
        return
    known = _assigned(ran[0])
    unknown = [name for name in _assigned(given[0]) if name not in known]
    if unknown:
        msg = f"parameters must be among {', '.join(known)}; got {', '.join(unknown)}"
        raise ValueError(msg)


def _history() -> list[str]:
    """List the cells that the running notebook has executed."""
    try:
        from IPython import get_ipython
    except ImportError:
        return []
    shell = get_ipython()
    return [cell for cell in shell.user_ns.get("In", []) if cell] if shell else []


def _assigned(cell: str) -> list[str]:
    """List the names that a cell of plain assignments sets."""
    return [
        target.id
        for node in ast.parse(cell).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


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
