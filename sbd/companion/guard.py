"""A pytest plugin that lets nbval see figures.

nbval compares the text that a notebook prints, never its pictures. `sbd.save_figure`
stores a digest of what it draws beside each picture; here the digest of the committed
record is compared with that of the fresh run. What a record was made with may not be
had on this machine (no connection, no authors' files): then the notebook runs with what
the package holds, and is compared with what it showed so, in ``notebooks/bundled``. No
notebook is left out. ``notebooks/conftest.py`` hands the hooks to pytest::

    pytest --nbval --nbval-current-env notebooks/
"""

import base64
import functools
import json
import re
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sbd.companion.digest import (
    DIGEST_KEY,
    compare_digests,
    picture_hash,
    same_but_for_rounding,
)
from sbd.companion.fingerprints import bundled_record
from sbd.companion.records import BUNDLED_ONLY, QUIET, computing, kernel_environment

_WITHOUT = "compared without downloads:"
_FOLDER = pytest.StashKey[str]()


def figure_problems(
    reference: list, fresh: list, source: str, *, pictures: bool = True
) -> list[str]:
    """Compare the figures among the outputs of a cell, of the record and of a new run.

    `source` is the cell's code; without `pictures` the reference holds digests alone.
    Returns what is wrong, one sentence each.
    """
    old, new = _figures(reference), _figures(fresh)
    if not old and re.search(r"\bsave_figure\(", source):
        return ["the record shows no figure, but the code calls save_figure"]
    if len(old) != len(new):
        return [f"the record shows {len(old)} figures, the code now draws {len(new)}"]
    problems = []
    for i, (a, b) in enumerate(zip(old, new, strict=True), start=1):
        for side, figure in (("record", a), ("new run", b)):
            flaw = _flaw(figure) if pictures or side != "record" else ""
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
    options = ("nbval", "nbval_lax")
    active = any(item.config.getoption(name, default=False) for name in options)
    return active and hasattr(item, "cell_num") and hasattr(item, "cell")


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
    if not _guarded(item):
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
    whole = _WITHOUT not in dict(item.user_properties)
    fresh = item.test_outputs or []
    problems = figure_problems(item.cell.outputs, fresh, source, pictures=whole)
    if problems:
        text = [str(failure)] if failure else []
        item.raise_cell_error("\n".join(["Figures differ", *problems, *text]))
    if failure:
        raise failure
    return result


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
