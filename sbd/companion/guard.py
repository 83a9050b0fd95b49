"""A pytest plugin that lets nbval see figures.

nbval compares the text that a notebook prints, never its pictures. `sbd.save_figure`
stores a digest of what it draws beside each picture; here the digest of the committed
record is compared with that of the fresh run. The plugin is loaded in every pytest run,
so it imports next to nothing and does nothing until ``--nbval`` is given::

    pytest --nbval --nbval-current-env notebooks/
"""

import base64
import functools
import re
import tempfile
from collections.abc import Generator
from typing import Any

import pytest

from sbd.companion.digest import (
    DIGEST_KEY,
    compare_digests,
    picture_hash,
    same_but_for_rounding,
)
from sbd.companion.records import QUIET, kernel_environment

_NOT_COMPARED = "record not compared:"
_FOLDER = pytest.StashKey[str]()


def figure_problems(reference: list, fresh: list, source: str) -> list[str]:
    """Compare the figures among the outputs of one notebook cell.

    Parameters
    ----------
    reference, fresh : list of dict
        Outputs of the cell in the committed record and in the new run.
    source : str
        The cell's code.

    Returns
    -------
    list of str
        What is wrong, one sentence each.

    Examples
    --------
    >>> figure_problems([], [], "save_figure(fig, name, numbers, figures)")
    ['the record shows no figure, but the code calls save_figure']
    """
    old, new = _figures(reference), _figures(fresh)
    if not old and re.search(r"\bsave_figure\(", source):
        return ["the record shows no figure, but the code calls save_figure"]
    if len(old) != len(new):
        return [f"the record shows {len(old)} figures, the code now draws {len(new)}"]
    problems = []
    for i, (a, b) in enumerate(zip(old, new, strict=True), start=1):
        for side, figure in (("record", a), ("new run", b)):
            flaw = _flaw(figure)
            problems += [f"figure {i} of the {side} {flaw}"] if flaw else []
        digests = [f["metadata"].get(DIGEST_KEY) for f in (a, b)]
        if all(digests):
            found = compare_digests(*({**d, "picture": None} for d in digests))
            problems += [f"figure {i}: {difference}" for difference in found]
    return problems


def _figures(outputs: list) -> list[dict]:
    """Pick the outputs that show a picture or claim to."""
    return [
        {"metadata": out.get("metadata", {}), "data": out.get("data", {})}
        for out in outputs
        if DIGEST_KEY in out.get("metadata", {})
        or any(mime.startswith("image/") for mime in out.get("data", {}))
    ]


def _flaw(figure: dict) -> str:
    """Say why a figure cannot be trusted; an empty string if it can."""
    picture = figure["data"].get("image/png")
    digest = figure["metadata"].get(DIGEST_KEY)
    if not digest:
        return "has no digest: draw it with save_figure, and keep the metadata"
    if picture is None:
        return "has a digest and no picture"
    if digest.get("picture") != picture_hash(base64.b64decode(picture)):
        return "is not the picture that its digest was made with"
    return ""


def _forgive_rounding(old: Any, new: Any) -> Any:  # noqa: ANN401
    """Take the record's text where the new one is the same but for rounding."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {k: _forgive_rounding(old.get(k), value) for k, value in new.items()}
    texts = isinstance(old, str) and isinstance(new, str)
    return old if texts and same_but_for_rounding(old, new) else new


def _compare_text(compare: Any, fresh: list, reference: list, **kwargs: Any) -> bool:  # noqa: ANN401
    """Let nbval compare as usual, rounding forgiven."""
    if len(fresh) == len(reference):
        pairs = zip(reference, fresh, strict=True)
        fresh = [type(new)(_forgive_rounding(old, new)) for old, new in pairs]
    return compare(fresh, reference, **kwargs)


def _guarded(item: pytest.Item) -> bool:
    """Tell whether an item is a cell that nbval compares."""
    active = item.config.getoption("nbval", default=False)
    return bool(active) and hasattr(item, "cell_num") and hasattr(item, "cell")


@functools.cache
def _missing(source: str) -> str:
    """Say why a source of images cannot be had; an empty string if it can."""
    import numpy as np

    from sbd.data.examples import example_micrograph
    from sbd.data.registry import DataUnavailableError

    try:
        example_micrograph(source, rng=np.random.default_rng(0))
    except DataUnavailableError as error:
        return str(error)
    return ""


def _scratch(config: pytest.Config) -> str:
    """Name the folder that fresh figures go to; figures/ itself is left alone."""
    if _FOLDER not in config.stash:
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        config.stash[_FOLDER] = folder.name
    return config.stash[_FOLDER]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Skip a record whose images cannot be had, with the reason; set up its kernel."""
    if not _guarded(item):
        return (yield)
    source = item.parent.nb.metadata.get("sbd", {}).get("source")
    reason = source and _missing(source)
    if reason:
        pytest.skip(f"{_NOT_COMPARED} its source {source!r} is missing: {reason}")
    folder = _scratch(item.config)
    with kernel_environment(**QUIET, SBD_SOURCE=source, SBD_FIGURES=folder):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Compare the figures of a cell after nbval has run it and compared its text."""
    if not _guarded(item):
        return (yield)
    source = item.cell.source
    if source.strip() and item.cell.execution_count is None:
        item.raise_cell_error("This cell was never run, so the record proves nothing")
    item.compare_outputs = functools.partial(_compare_text, item.compare_outputs)
    failure = None
    try:
        result = yield
    except Exception as error:
        if "differ" not in str(error):
            raise
        failure, result = error, None
    problems = figure_problems(item.cell.outputs, item.test_outputs or [], source)
    if problems:
        text = [str(failure)] if failure else []
        item.raise_cell_error("\n".join(["Figures differ", *problems, *text]))
    if failure:
        raise failure
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401
    """Name every record that was not compared, whatever the verbosity."""
    skipped = terminalreporter.stats.get("skipped", [])
    texts = {(r.nodeid.partition("::")[0], str(r.longrepr[-1])) for r in skipped}
    for path, text in sorted(pair for pair in texts if _NOT_COMPARED in pair[1]):
        reason = " ".join(text.removeprefix("Skipped: ").split())
        terminalreporter.write_line(f"figure guard: {path}: {reason}")
