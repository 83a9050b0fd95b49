"""The page of public names, made from the stubs of ``sbd`` and its subpackages."""

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
MENTION = re.compile(r"\s?\[\d+\]_")


ROOMS = (
    "data",
    "simulation",
    "benchmark",
    "columns",
    "networks",
    "denoisers",
    "evidence",
    "audits",
    "plotting",
    "figureguard",
)


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


def describe(package: str, names: list[str]) -> list[str]:
    """Write the section of one package.

    Parameters
    ----------
    package : str
        ``"sbd"`` or one of its subpackages.
    names : list of str
        Its public names.

    Returns
    -------
    list of str
        Markdown, in which Sphinx's autodoc fills in the rest.
    """
    loaded = importlib.import_module(package)
    summary = (inspect.getdoc(loaded) or "").partition("\n")[0]
    lines = [f"## {package}", "", summary, "", "```{eval-rst}"]
    for name in names:
        kind, place = "data", package
        if inspect.isclass(value := getattr(loaded, name)):
            kind = "exception" if issubclass(value, Exception) else "class"
        elif callable(value):
            kind = "function"
        else:  # its words stand where it is defined
            place = defining_module(package, name)
        lines += [f".. auto{kind}:: {place}.{name}", ""]
    return [*lines, "```", ""]


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


class PublicNames(SphinxDirective):
    """Document every public name, the promised ones first."""

    def run(self) -> list[nodes.Node]:
        """Read the stubs of the package."""
        root = Path(self.env.srcdir).parent / "sbd"
        lines, promised = [], set()
        for package in ("sbd", *(f"sbd.{room}" for room in ROOMS)):
            stub = root.joinpath(*package.split(".")[1:]) / "__init__.pyi"
            self.env.note_dependency(str(stub))
            names = [n for n in public_names(stub) if n not in promised]
            promised |= set(names) if package == "sbd" else set()
            lines += describe(package, names)
        holder = nodes.section()
        content = StringList(lines, source=str(root))
        self.state.nested_parse(content, self.content_offset, holder, match_titles=True)
        return holder.children


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
    app.connect("autodoc-process-docstring", flatten_references)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
