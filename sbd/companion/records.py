"""Run the notebooks and keep their records; tell which records are out of date.

A notebook is a text, ``notebooks/NN_name.py``. Its record is ``NN_name.ipynb`` with the
outputs, and what it filed in ``figures/``. Two runs give the same bytes. ::

    python -m sbd.records run                              every notebook, in place
    python -m sbd.records run --to _build/executed 02      one, somewhere else
    python -m sbd.records run --scale smoke -p seed 3 02   small, to _build/executed
    python -m sbd.records text                             prose and captions only
    python -m sbd.records check                            exit 1 if one is stale
"""

import argparse
import ast
import contextlib
import copy
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbd.companion.fingerprints import (
    bundled_record,
    check_records,
    find_notebooks,
    fingerprint,
    is_code,
    read_code,
    read_parameters,
    read_text,
)
from sbd.figureguard.digests import DIGEST_KEY
from sbd.files import replacing, write_bytes, write_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

ELSEWHERE = Path("_build/executed")
"""Where runs go whose parameters are not the notebook's own."""

# by name, since __name__ is "__main__" under python -m
_LOG = logging.getLogger("sbd.companion.records")
_KEPT = ("mystnb", "tags")  # metadata of a cell
_START = "from sbd.companion import tracing; tracing.start(); del tracing"
_LAST = "from sbd.companion import tracing; print(tracing.used())"


def run_notebook(
    path: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    to: Path | None = None,
) -> Path:
    """Run a notebook from the top and keep its record and figures.

    It runs in a temporary project, so that a notebook that fails leaves nothing and
    plain relative paths end where the record does.

    Parameters
    ----------
    path : pathlib.Path
        The notebook's text, ``NN_name.py``.
    parameters : dict, optional
        Values in place of those in the cell tagged ``parameters``. If any differs, they
        stand in a cell of their own below it, and `to` must be given.
    to : pathlib.Path, optional
        Folder for ``notebooks/NN_name.ipynb`` and ``figures/``; by default the project
        that the notebook is in. There it is run a second time, without downloads, and
        what it then shows is kept in ``notebooks/bundled``.

    Returns
    -------
    pathlib.Path
        The record.

    Raises
    ------
    ValueError
        If a parameter is unknown, or others than the notebook's own would go into the
        committed record.
    papermill.PapermillExecutionError
        If a cell fails; its message holds the traceback.
    """
    text = read_text(path)
    own = read_parameters(text)
    changed = _changed(own, parameters or {})
    here = path.resolve().parents[1]
    root = here if to is None else Path(to)
    at_home = root.resolve() == here
    if changed and at_home:
        msg = (
            f"to must be a folder for a run with another {' and '.join(changed)}, such "
        )
        raise ValueError(msg + f"as {ELSEWHERE}; got the notebook's own project")
    if at_home:
        with tempfile.TemporaryDirectory(prefix="sbd-") as scratch:
            bundled = _record(path, {}, Path(scratch), BUNDLED_ONLY)
        write_text(bundled_record(path), _bundled(bundled))
    with tempfile.TemporaryDirectory(prefix="sbd-") as scratch:
        record = _record(path, changed, Path(scratch), {})
        _file_figures(Path(scratch) / "figures", root / "figures", path.stem)
    return _write(record, root / "notebooks" / f"{path.stem}.ipynb")


def _record(
    path: Path, changed: Mapping[str, Any], scratch: Path, variables: Mapping[str, str]
) -> "NotebookNode":
    """Run a notebook in a temporary project, and say what it was made from."""
    cwd = scratch / "notebooks"
    cwd.mkdir()
    text = read_text(path)
    values = {**read_parameters(text), **changed}
    with kernel_environment(**variables):
        record, used = _execute(text, cwd, dict(changed))
    record = _tidy(record)
    source = _source(record, path.stem)
    record.metadata["sbd"] = {
        **{key: values[key] for key in ("scale", "seed") if key in values},
        "source": source,
        "made_from": fingerprint(text, values, source, used),
    }
    return record


def _bundled(record: "NotebookNode") -> str:
    """Keep what a record shows, a line for each cell, and leave the pictures out."""
    cells = [cell.outputs for cell in record.cells if is_code(cell)]
    for output in (output for outputs in cells for output in outputs):
        for mime in [m for m in output.get("data", {}) if m.startswith("image/")]:
            del output["data"][mime]
    about = json.dumps({"sbd": record.metadata["sbd"]}, sort_keys=True)
    lines = ",\n".join(json.dumps(cell, sort_keys=True) for cell in cells)
    return f'{{"metadata": {about},\n"outputs": [\n{lines}\n]}}\n'


def copy_prose(path: Path) -> Path:
    """Bring prose, tags and captions of a text into its record, without a run.

    Raises ValueError if the record's code is not that of the text.
    """
    import nbformat

    text = read_text(path)
    record = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    if read_code(text) != read_code(record):
        msg = f"the record of {path.stem} must have the text's code; run it instead"
        raise ValueError(msg)
    ran = iter([cell for cell in record.cells if is_code(cell)])
    for cell in text.cells:
        if is_code(cell):
            done = next(ran)
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
    text.metadata = record.metadata
    return _write(_tidy(text), path.with_suffix(".ipynb"))


BUNDLED_ONLY = {"SBD_SOURCE": "simulated", "SBD_ONLY_BUNDLED": "1"}
"""Variables that make a run use what is in the package, and nothing else."""

QUIET = {"TQDM_DISABLE": "1", "SBD_PROGRESS": "0"}
"""Variables that keep progress bars, downloads' included, out of a record."""

# Networks ask for the same memory again and again: the C library keeps what was freed.
_MEMORY = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
# OpenBLAS rounds by processor, and a fit that is nearly singular shows it: take those
# of its routines that need AVX2 and no more, unless the environment chose others.
_ARITHMETIC = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "512"}


def computing() -> dict[str, str]:
    """Return variables with which a kernel computes quickly and as others do."""
    import numpy as np

    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    known = {*simd.get("baseline", ()), *simd.get("found", ())}
    alike = known & {"AVX2", "X86_V3"} and not _ARITHMETIC.keys() & os.environ.keys()
    return dict.fromkeys(_MEMORY, "4000000000") | (_ARITHMETIC if alike else {})


@contextlib.contextmanager
def kernel_environment(**variables: str | None) -> Iterator[None]:
    """Set environment variables, or remove them (None), for kernels that start."""
    before = {name: os.environ.get(name) for name in variables}

    def put(values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(variables)
    try:
        yield
    finally:
        put(before)


def _changed(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given parameters that differ from the notebook's own."""
    unknown = [name for name in given if name not in own]
    if unknown:
        msg = f"parameters must be among {', '.join(own)}; got {', '.join(unknown)}"
        raise ValueError(msg)
    return {name: value for name, value in given.items() if value != own[name]}


def _execute(
    text: "NotebookNode", cwd: Path, parameters: dict[str, Any]
) -> tuple["NotebookNode", dict[str, list[str]]]:
    """Run a notebook in a folder; return it with what its kernel used."""
    import nbformat
    import papermill

    given, done = cwd.parent / "text.ipynb", cwd.parent / "done.ipynb"
    watched = copy.deepcopy(text)
    watched.cells.append(nbformat.v4.new_code_cell(_LAST))
    nbformat.write(watched, given)
    with kernel_environment(**QUIET, **computing(), SBD_FIGURES=None):
        record = papermill.execute_notebook(
            given,
            done,
            parameters,
            cwd=cwd,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            extra_arguments=[
                "--log-level=CRITICAL",
                f"--IPKernelApp.exec_lines={_START}",
            ],
        )
    used = record.cells.pop().outputs[-1].text
    return record, ast.literal_eval(used.splitlines()[-1])


def _tidy(notebook: "NotebookNode") -> "NotebookNode":
    """Remove what differs between two runs: times, random names, versions."""
    count = 0
    for index, cell in enumerate(notebook.cells):
        kept = {key: cell.metadata[key] for key in _KEPT if cell.metadata.get(key)}
        cell.metadata, cell.id = type(cell.metadata)(kept), f"cell-{index:02d}"
        if is_code(cell):
            count += 1
            cell.execution_count = count
            cell.outputs = _joined(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    language = notebook.metadata.get("language_info", {"name": "python"})
    language.pop("version", None)
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": language,
        **{key: notebook.metadata[key] for key in ("sbd",) if key in notebook.metadata},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _joined(outputs: list) -> list:
    """Join pieces of one stream: where it was cut is chance."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def _source(record: "NotebookNode", stem: str) -> str | None:
    """Return the source of images that the figures name."""
    digests = [
        output.get("metadata", {}).get(DIGEST_KEY, {})
        for cell in record.cells
        for output in cell.get("outputs", [])
    ]
    sources = {digest.get("numbers", {}).get("source") for digest in digests} - {None}
    if len(sources) > 1:
        msg = f"the figures of {stem} must name one source; got {sorted(sources)}"
        raise ValueError(msg)
    return next(iter(sources), None)


def _file_figures(made: Path, target: Path, stem: str) -> None:
    """Move the figures of a notebook to where they stay, and remove its older ones."""
    new = {path.name: path for path in made.glob("*")} if made.is_dir() else {}
    target.mkdir(parents=True, exist_ok=True)
    mine = re.compile(rf"{re.escape(stem)}(-[\w-]+)?(\.\d+)?\.(png|svg|json)")
    for old in target.iterdir():
        if mine.fullmatch(old.name) and old.name not in new:
            old.unlink()
    for name, path in sorted(new.items()):
        write_bytes(target / name, path.read_bytes())


def _write(record: "NotebookNode", target: Path) -> Path:
    """Write a record at once."""
    import nbformat

    for cell in record.cells:
        for output in cell.get("outputs", []):
            digest = output.get("metadata", {}).get(DIGEST_KEY)
            if digest and not isinstance(digest, str):  # a number a line is half a file
                packed = json.dumps(digest, separators=(",", ":"))
                output.metadata[DIGEST_KEY] = packed
    with replacing(target) as part:
        nbformat.write(record, part)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, check or retext records; return 1 if one is stale or an argument wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    _LOG.setLevel(logging.INFO)
    try:
        if options.command == "check":
            problems = check_records(options.notebooks, options.names)
        else:
            problems = []
            _for_each(options)
    except ValueError as error:
        problems = [str(error)]
    for problem in problems:
        _LOG.error(problem)
    return 1 if problems else 0


def _for_each(options: argparse.Namespace) -> None:
    """Run or retext the notebooks that were asked for."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    paths = find_notebooks(options.notebooks, options.names)
    if options.command == "run":  # every name is checked before the first run
        given = {name: _value(value) for name, value in options.parameters or ()}
        given |= {"scale": options.scale} if options.scale else {}
        changed = [_changed(read_parameters(read_text(path)), given) for path in paths]
        to = options.to or (ELSEWHERE if any(changed) else None)
        to = None if to == options.notebooks else to

    def work(path: Path) -> None:
        start = time.perf_counter()
        if options.command != "run":
            copy_prose(path)
        elif options.jobs == 1:
            run_notebook(path, parameters=given, to=to)
        else:
            _run_apart(path, options, to)
        _LOG.info("%s: %.0f s", path.stem, time.perf_counter() - start)

    jobs = getattr(options, "jobs", 1)
    with logging_redirect_tqdm(), ThreadPoolExecutor(jobs) as pool:
        progress = {"total": len(paths), "unit": "notebook", "disable": None}
        if jobs == 1:  # papermill changes the folder of the whole process
            list(tqdm(map(work, paths), **progress))
            return
        done = [pool.submit(work, path) for path in paths]
        try:
            for one in tqdm(as_completed(done), **progress):
                one.result()
        finally:  # after a failure, those that have not begun are left out
            pool.shutdown(wait=False, cancel_futures=True)


def _run_apart(path: Path, options: argparse.Namespace, to: Path | None) -> None:
    """Run a notebook in a process of its own, with its share of the threads."""
    command = [sys.executable, "-m", "sbd.companion.records", "run", path.stem]
    command += ["--notebooks", str(options.notebooks)]
    command += ["--to", str(to)] if to else []
    command += ["--scale", options.scale] if options.scale else []
    for name, value in options.parameters or ():
        command += ["-p", name, value]
    share = str(max(1, (os.cpu_count() or 1) // options.jobs))
    environment = {"OMP_NUM_THREADS": share} | os.environ | QUIET
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = f"{path.stem} must run; it ended with\n{done.stderr.strip()}"
        raise ValueError(msg)


def _value(word: str) -> Any:  # noqa: ANN401
    """Read a value as papermill does: numbers, True, False and None, else text."""
    try:
        value = ast.literal_eval(word)
    except (SyntaxError, ValueError):
        return word
    return value if value is None or isinstance(value, bool | int | float) else word


def _jobs(word: str) -> int:
    """Read a number of notebooks at a time."""
    jobs = int(word)
    if jobs < 1:
        msg = f"jobs must be at least 1; got {jobs}"
        raise argparse.ArgumentTypeError(msg)
    return jobs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sbd records", description="Records of notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in (
        ("run", "run notebooks and keep their records and figures"),
        ("text", "bring prose and captions into the records, without a run"),
        ("check", "name the records that are missing or out of date"),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument("names", nargs="*", help="such as 02; by default all")
        command.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    run = commands.choices["run"]
    run.add_argument("--to", type=Path, help="folder for notebooks/ and figures/")
    run.add_argument("--jobs", type=_jobs, default=1, help="notebooks at a time")
    run.add_argument("--scale", help="smoke, default or paper")
    run.add_argument("-p", nargs=2, action="append", dest="parameters", metavar="")
    return parser


if __name__ == "__main__":
    sys.exit(main())
