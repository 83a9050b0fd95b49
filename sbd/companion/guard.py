"""The figure guard of this book: a pytest plugin that lets nbval see its figures.

`sbd.save_figure` stores a digest of what it draws beside each picture, and
`sbd.figureguard` compares that of the record with that of a new run. What a record was
made with may not be had on this machine (no connection, no authors' files): then the
notebook runs with what the package holds, and is compared with what it showed so, in
``notebooks/bundled``. No notebook is left out. ``notebooks/conftest.py`` hands the
hooks to pytest::

    pytest --nbval --nbval-current-env notebooks/
"""

import functools
import json
import re
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sbd.companion.fingerprints import bundled_record
from sbd.companion.records import BUNDLED_ONLY, QUIET, computing, kernel_environment
from sbd.figureguard.comparison import figure_problems as compare_figures
from sbd.figureguard.digests import DIGEST_KEY, same_but_for_rounding
from sbd.figureguard.plugin import compare_cell, is_compared

_WITHOUT = "compared without downloads:"
_ADVICE = "`save_figure` draws it"
_FOLDER = pytest.StashKey[str]()


def figure_problems(
    reference: list, fresh: list, source: str, *, pictures: bool = True
) -> list[str]:
    """Compare the figures among the outputs of a cell, of the record and of a new run.

    `source` is the cell's code; without `pictures` the reference holds digests alone.
    Returns what is wrong, one sentence each.
    """
    shown = any(DIGEST_KEY in out.get("metadata", {}) for out in reference)
    shown = shown or any("image/" in str([*out.get("data", {})]) for out in reference)
    if not shown and re.search(r"\bsave_figure\(", source):
        return ["the record shows no figure, but the code calls save_figure"]
    return compare_figures(reference, fresh, pictures=pictures, advice=_ADVICE)


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


@functools.cache
def _missing(name: str) -> str:
    """Say why a file cannot be had; an empty string if it can.

    What was to be had and is not what it should be is a failure, and so is a setting.
    """
    from sbd.data.registry import ITEMS, DataUnavailableError, fetch

    if name not in ITEMS:
        pytest.fail(f"{name} is no item: run `make notebooks`", pytrace=False)
    try:
        fetch(name, progress=False)
    except DataUnavailableError as error:
        if error.refused:
            pytest.fail(str(error), pytrace=False)
        return str(error).partition("\n")[0]
    except ValueError as error:
        pytest.fail(str(error), pytrace=False)
    return ""


@functools.cache
def _bundled(path: Path) -> list[list[dict]]:
    """Read what the code cells of a notebook show without downloads."""
    target = bundled_record(path)
    if not target.exists():
        pytest.fail(f"{target} must be there: run `make notebooks`", pytrace=False)
    return json.loads(target.read_text(encoding="utf-8"))["outputs"]


def _outputs(item: pytest.Item) -> list[dict]:
    """Return what a cell shows without downloads."""
    cells = _bundled(item.parent.path)
    wanted = sum(cell.cell_type == "code" for cell in item.parent.nb.cells)
    if len(cells) != wanted:
        msg = f"{bundled_record(item.parent.path)} must hold {wanted} cells; got "
        pytest.fail(f"{msg}{len(cells)}: run `make notebooks`", pytrace=False)
    return cells[item.cell_num]


def _reason(item: pytest.Item) -> str:
    """Say why a record's own files cannot be had; an empty string if they can."""
    about = item.parent.nb.metadata.get("sbd", {})
    needed = about.get("made_from", {}).get("items", {})
    return next(filter(None, map(_missing, needed)), "")


def _scratch(config: pytest.Config) -> str:
    """Name the folder that fresh figures go to; figures/ itself is left alone."""
    if _FOLDER not in config.stash:
        folder = tempfile.TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        config.stash[_FOLDER] = folder.name
    return config.stash[_FOLDER]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Choose what a notebook is compared with, and set up its kernel for that."""
    if not is_compared(item):
        return (yield)
    reason = _reason(item)
    if reason:
        from nbformat import from_dict

        item.cell.outputs = from_dict(_outputs(item))
        item.user_properties.append((_WITHOUT, reason))
    source = item.parent.nb.metadata.get("sbd", {}).get("source")
    variables = BUNDLED_ONLY if reason else {"SBD_SOURCE": source}
    folder = _scratch(item.config)
    with kernel_environment(**QUIET, **computing(), **variables, SBD_FIGURES=folder):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Compare the figures of a cell after nbval has run it and compared its text."""
    if not is_compared(item):
        return (yield)
    item.compare_outputs = functools.partial(_compare_text, item.compare_outputs)
    whole = _WITHOUT not in dict(item.user_properties)
    source = item.cell.source
    problems = functools.partial(figure_problems, source=source, pictures=whole)
    return (yield from compare_cell(item, problems))


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401
    """Name every notebook that was compared without its downloads, and why."""
    reports = (r for each in terminalreporter.stats.values() for r in each)
    texts = {
        (report.nodeid.partition("::")[0], reason)
        for report in reports
        for key, reason in getattr(report, "user_properties", ())
        if key == _WITHOUT
    }
    for path, reason in sorted(texts):
        terminalreporter.write_line(f"figure guard: {path}: {_WITHOUT} {reason}")
