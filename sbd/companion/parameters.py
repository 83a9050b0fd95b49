"""Refuse what papermill only logs: a parameter that a notebook does not have."""

import ast
from collections.abc import Sequence

_INJECTED = "# Parameters"  # how papermill begins the cell that it puts in


def check_parameters(cells: Sequence[str] | None = None) -> None:
    r"""Check the names that papermill put into this notebook against its own.

    Parameters
    ----------
    cells : sequence of str, optional
        Code that ran so far, the parameters first; that of the running notebook if not
        given. Outside a notebook, or where it keeps no history, nothing is checked.

    Raises
    ------
    ValueError
        If a name was given that the notebook's parameters do not have.

    Examples
    --------
    >>> check_parameters(["seed = 0", "# Parameters\nseed = 1"])
    >>> check_parameters(["seed = 0", "# Parameters\nsead = 1"])
    Traceback (most recent call last):
    ValueError: parameters must be among seed; got sead
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
