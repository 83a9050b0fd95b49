"""A pytest plugin that lets nbval see figures.

nbval compares the text that a notebook prints, never its pictures. Here the digests of
what is drawn are compared as well, with those that the notebook's file holds. A project
takes the plugin in its top ``conftest.py``::

    pytest_plugins = ["sbd.figureguard.plugin"]
"""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from sbd.figureguard.comparison import figure_problems

HEADING = "Figures differ"
NEVER_RUN = "This cell was never run, so the record proves nothing"


def is_compared(item: pytest.Item) -> bool:
    """Tell whether an item is a cell of a notebook that nbval runs."""
    options = ("nbval", "nbval_lax")
    active = any(item.config.getoption(name, default=False) for name in options)
    return active and hasattr(item, "cell_num") and hasattr(item, "cell")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Compare the figures of a cell after nbval has run it and compared its text.

    Cells that nbval is told not to compare are left alone: those marked
    ``NBVAL_IGNORE_OUTPUT`` or ``NBVAL_SKIP``, and with ``--nbval-lax`` all that are
    not marked ``NBVAL_CHECK_OUTPUT``.
    """
    if not is_compared(item) or item.options["skip"] or not item.options["check"]:
        return (yield)
    return (yield from compare_cell(item, figure_problems))


def compare_cell(
    item: pytest.Item, problems_of: Callable[[list, list], list[str]]
) -> Generator[None, Any, Any]:
    """Run a cell and add what `problems_of` the old and new outputs to its failure."""
    if item.cell.source.strip() and item.cell.get("execution_count") is None:
        item.raise_cell_error(NEVER_RUN)
    # what a figure with a digest shows as SVG has other names inside each time
    item.parent.skip_compare = (*item.parent.skip_compare, "image/svg+xml")
    failure = None
    try:
        result = yield
    except Exception as error:
        if "differ" not in str(error):
            raise
        failure, result = error, None
    problems = problems_of(item.cell.outputs, item.test_outputs or [])
    if problems:
        text = [str(failure)] if failure else []
        item.raise_cell_error("\n".join([HEADING, *problems, *text]))
    if failure:
        raise failure
    return result
