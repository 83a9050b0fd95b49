"""The pages of public names, made from the stubs of ``sbd`` and its subpackages."""

import ast
import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CITATION = re.compile(r"^\.\. \[(\d+)\] ")
# a documentation whose first example fails on purpose
FAILING = re.compile(r"Examples\n-+\n>>> .*\n(?:\.\.\. .*\n)*Traceback")
MENTION = re.compile(r"\s?\[\d+\]_")

# one page each, in the order of the overview; what is private to the book has none
ROOMS = (
    "recordings",
    "denoisers",
    "evidence",
    "reports",
    "columns",
    "networks",
    "simulation",
    "benchmark",
    "metrics",
    "audits",
    "plotting",
    "figureguard",
    "provenance",
    "data",
    "companion",
)
ONLY_PROMISED = ("companion",)  # the rest of it serves the book alone


def public_names(stub: Path) -> list[str]:
    """Read the names that a stub lists, modules left out.

    Parameters
    ----------
    stub : pathlib.Path
        The ``.pyi`` file of a package.

    Returns
    -------
    list of str
        In the order of the stub.
    """
    body = ast.parse(stub.read_text("utf8")).body
    modules = [n for n in body if isinstance(n, ast.ImportFrom) and n.module]
    return [alias.name for node in modules for alias in node.names]


def promised_names(stub: Path) -> dict[str, list[str]]:
    """Read which names ``sbd`` itself promises, by the room that they come from.

    Parameters
    ----------
    stub : pathlib.Path
        ``sbd/__init__.pyi``.

    Returns
    -------
    dict of str to list of str
        In the order of the stub.
    """
    body = ast.parse(stub.read_text("utf8")).body
    found: dict[str, list[str]] = {}
    for node in (n for n in body if isinstance(n, ast.ImportFrom) and n.module):
        found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    return found


def summary(package: str, name: str = "") -> str:
    """Return the first line of a documentation.

    Parameters
    ----------
    package : str
        ``"sbd"`` or one of its subpackages.
    name : str, optional
        One of its public names; a constant has no line of its own.

    Returns
    -------
    str
        One sentence; empty where there is none.
    """
    value = importlib.import_module(package)
    if name:
        value = getattr(value, name)
        if not callable(value):
            return ""
    return (inspect.getdoc(value) or "").partition("\n")[0]


def directives(package: str, names: list[str]) -> list[str]:
    """Write what documents some names; errors and examples of them come last.

    Parameters
    ----------
    package : str
        ``"sbd"`` or one of its subpackages.
    names : list of str
        Its public names.

    Returns
    -------
    list of str
        reStructuredText, in which Sphinx's autodoc fills in the rest.
    """
    lines, last = [], []
    loaded = importlib.import_module(package)
    for name in names:
        kind, place = "data", package
        if inspect.isclass(value := getattr(loaded, name)):
            kind = "exception" if issubclass(value, Exception) else "class"
        elif callable(value):
            kind = "function"
        else:  # its words stand where it is defined
            place = defining_module(package, name)
        entry = [f".. auto{kind}:: {place}.{name}", ""]
        is_last = kind == "exception" or FAILING.search(inspect.getdoc(value) or "")
        (last if is_last else lines).extend(entry)
    return lines + last


def describe(room: str, promised: list[str], others: list[str]) -> list[str]:
    """Write the page of one subpackage, the promised names first.

    Parameters
    ----------
    room : str
        Such as ``"denoisers"``.
    promised, others : list of str
        Names that ``sbd`` has as well, and names that only the subpackage has.

    Returns
    -------
    list of str
        Markdown.
    """
    package = f"sbd.{room}"
    lines = [summary(package), ""]
    for title, names in (("Promised", promised), ("More", others)):
        if names:
            lines += [f"## {title}", "", "```{eval-rst}", *directives(package, names)]
            lines += ["```", ""]
    return lines


def defining_module(package: str, name: str) -> str:
    """Name the module that a package has a public name from.

    Parameters
    ----------
    package : str
        ``"sbd"`` or one of its subpackages.
    name : str
        One of its public names.

    Returns
    -------
    str
        With dots, such as ``"sbd.simulation.noise"``.
    """
    stub = Path(importlib.import_module(package).__file__).with_suffix(".pyi")
    body = ast.parse(stub.read_text("utf8")).body
    for node in (n for n in body if isinstance(n, ast.ImportFrom) and n.module):
        if name in [alias.name for alias in node.names]:
            module = f"{package}.{node.module}"
            face = Path(importlib.import_module(module).__file__).with_suffix(".pyi")
            return defining_module(module, name) if face.exists() else module
    msg = f"name must be a public one of {package}; got {name}"
    raise ValueError(msg)


def documented(room: str, name: str) -> str:
    """Name what a name is documented as: a constant is at its home."""
    package = f"sbd.{room}"
    if not callable(getattr(importlib.import_module(package), name)):
        package = defining_module(package, name)
    return f"{package}.{name}"


class Names(SphinxDirective):
    """A directive that reads the stubs of the package."""

    def stub(self, room: str = "") -> Path:
        """Name a stub, and have the page built again when it changes."""
        path = Path(self.env.srcdir).parent / "sbd" / room / "__init__.pyi"
        self.env.note_dependency(str(path))
        return path

    def parse(self, lines: list[str]) -> list[nodes.Node]:
        """Parse Markdown where the directive stands."""
        holder = nodes.section()
        content = StringList(lines, source=self.get_source_info()[0])
        self.state.nested_parse(content, self.content_offset, holder, match_titles=True)
        return holder.children


class PublicNames(Names):
    """Document every public name of a subpackage."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the stubs of ``sbd`` and of the subpackage."""
        room = self.arguments[0]
        promised = promised_names(self.stub()).get(room, [])
        stub, others = self.stub(room), []
        if stub.exists() and room not in ONLY_PROMISED:
            others = [name for name in public_names(stub) if name not in promised]
        return self.parse(describe(room, promised, others))


class PromisedNames(Names):
    """List the names that ``sbd`` promises, in a line each, by subpackage."""

    def run(self) -> list[nodes.Node]:
        """Read the stub of ``sbd``."""
        promised, lines = promised_names(self.stub()), []
        for room in ROOMS:
            lines += [f"## [sbd.{room}](api/{room}.md)", "", summary(f"sbd.{room}"), ""]
            names = promised.get(room, [])
            rows = [
                f"| [`sbd.{n}`](#{documented(room, n)}) | {summary('sbd', n)} |"
                for n in names
            ]
            if rows:
                lines += ["| promised | |", "| --- | --- |", *rows, ""]
        return self.parse(lines)


def flatten_references(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    lines: list[str],
) -> None:
    """Turn numbered references into a list: on one page their numbers would clash."""
    lines[:] = [MENTION.sub("", CITATION.sub("*  ", line)) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and tame the docstrings' footnotes."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("public-names", PublicNames)
    app.add_directive("promised-names", PromisedNames)
    app.connect("autodoc-process-docstring", flatten_references)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
