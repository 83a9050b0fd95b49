"""Keep the page on the architecture true: its tree, its layers, its variables."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sbd"
PAGE = (ROOT / "book/architecture.md").read_text("utf8")
VARIABLE = re.compile(r"SBD_[A-Z][A-Z_]*")


def section(title):
    return re.search(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", PAGE)[1]


def block(title):
    return re.search(r"(?s)```text\n(.*?)\n```", section(title))[1].splitlines()


def tree(lines):
    """Read an indented tree: modules and folders by path, with what they are."""
    above = []
    for line in lines:
        indent, name, about = re.fullmatch(r"( *)(\S+) +(\S.*)", line).groups()
        above = above[: len(indent) // 2]
        yield "/".join([*above, name.rstrip("/")]), name.endswith("/"), about
        if name.endswith("/"):
            above.append(name.rstrip("/"))


def test_the_tree_is_the_package():
    listed = [(path, folder) for path, folder, _ in tree(block("The rooms"))]
    assert len(listed) == len(set(listed))
    there = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    there = {path for path in there if path.parts[0] != "assets"}
    modules = {path for path in there if not path.name.startswith("__")}
    folders = {path.parent for path in there} - {Path()}
    assert {path for path, folder in listed if not folder} == {
        path.with_suffix("").as_posix() for path in modules
    }
    assert {path for path, folder in listed if folder} == {
        path.as_posix() for path in folders
    }


def test_the_layers_are_those_that_are_checked():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    assert block("Layers") == layers


# --- variables


def read_by_python(path):
    """Find names that are looked up in the environment, or that are written out."""
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if VARIABLE.fullmatch(node.value):
                yield node.value
        elif isinstance(node, ast.keyword) and VARIABLE.fullmatch(node.arg or ""):
            yield node.arg
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function in {"os.environ.get", "os.getenv"}:
                yield getattr(node.args[0], "value", None)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            where = ast.unparse(node.value)
            yield getattr(node.slice, "value", None) if where == "os.environ" else None


def read_by_shell(path):
    """Find names with a default: ``${NAME:-...}``, or ``NAME ?=`` in a Makefile."""
    text = path.read_text("utf8")
    yield from re.findall(r"\$\{([A-Z_]+):-", text)
    yield from re.findall(r"(?m)^([A-Z_]+) \?=", text)
    yield from VARIABLE.findall(text)


def test_the_table_of_variables_names_those_that_are_read():
    folders = (PACKAGE, ROOT / ".ci", ROOT / "book/_ext", ROOT / "book/measured")
    scripts = [path for folder in folders for path in folder.rglob("*.py")]
    read = {name for path in scripts for name in read_by_python(path)}
    for path in (ROOT / "Makefile", ROOT / ".ci/run", ROOT / ".ci/stage"):
        read |= set(read_by_shell(path))
    table = re.findall(r"(?m)^\| `(\w+)` \| \S", section("Environment variables"))
    assert len(table) == len(set(table))
    assert set(table) == read - {None}  # None: not a plain name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("os.environ.get('REMARK')", "REMARK"),
        ("os.environ['RANK']", "RANK"),
        ("os.getenv('HERE', '')", "HERE"),
        ("PEERS = {'topaz': 'SBD_PEER'}", "SBD_PEER"),
        ("start(SBD_SOURCE=None)", "SBD_SOURCE"),
    ],
)
def test_variables_are_found_however_they_are_read(tmp_path, code, name):
    path = tmp_path / "module.py"
    path.write_text(code)
    assert set(read_by_python(path)) - {None} == {name}


# --- steps


def test_every_file_that_a_step_names_is_there():
    named = re.findall(r"`((?:sbd|book|notebooks|tests|\.ci)/[\w./*-]+)`", PAGE)
    real = [name for name in named if not re.search(r"\b(NN_)?name\b", name)]
    assert len(real) > 10
    assert [name for name in real if not (ROOT / name).exists()] == []
