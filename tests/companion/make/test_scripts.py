"""Check that the scripts, most of which run for hours, would start."""

import ast
import runpy
import sysconfig
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import sbd

PACKAGE = Path(sbd.__file__).parent
MEASURING = sorted((PACKAGE.parent / "book" / "measured").glob("*.py"))
MAKING = [
    path
    for path in sorted((PACKAGE / "companion" / "make").glob("*.py"))
    if "__main__" in path.read_text()
]
NEEDED = {"bench": "abtem", "benchmark": "psutil", "budget": "abtem"}  # from extras
script = pytest.mark.parametrize("path", [*MAKING, *MEASURING], ids=lambda p: p.stem)


@script
def test_a_script_finds_all_that_it_imports_and_calls(path):
    if path.stem in NEEDED:
        pytest.importorskip(NEEDED[path.stem])
    names = runpy.run_path(str(path))  # all but what the last lines call
    assert callable(names["main"])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "sbd":
            assert hasattr(sbd, node.attr), f"sbd.{node.attr}"


@script
def test_a_script_says_how_it_is_run(path):
    command = f"    python -m sbd.companion.make.{path.stem}"
    if path in MEASURING:
        command = f"    python book/measured/{path.name}"
    assert command in ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MEASURING, ids=lambda path: path.stem)
def test_a_measuring_script_takes_no_name_that_something_imports(path):
    # the folder of a script that is run comes first where Python looks for modules
    places = [
        sysconfig.get_path(which) for which in ("stdlib", "platstdlib", "purelib")
    ]
    assert PathFinder.find_spec(path.stem, places) is None
