"""The page of public names, made from the stub ``sbd/__init__.pyi``."""

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


def public_names(stub: Path) -> dict[str, list[str]]:
    """Read which public name comes from which module.

    Parameters
    ----------
    stub : pathlib.Path
        The ``.pyi`` file that lists the public names.

    Returns
    -------
    dict of str to list of str
        Names by module, in the order of the stub.
    """
    found: dict[str, list[str]] = {}
    for node in ast.parse(stub.read_text("utf8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(a.name for a in node.names)
    return found


def describe(module: str, names: list[str]) -> list[str]:
    """Write the section of one module.

    Parameters
    ----------
    module : str
        Name of a module of the package.
    names : list of str
        Its public names.

    Returns
    -------
    list of str
        Markdown, in which Sphinx's autodoc fills in the rest.
    """
    loaded = importlib.import_module(f"sbd.{module}")
    summary = (inspect.getdoc(loaded) or "").partition("\n")[0]
    lines = [f"## {module}", "", summary, "", "```{eval-rst}"]
    for name in names:
        kind, place = "data", f"sbd.{module}"
        if inspect.isclass(value := getattr(loaded, name)):
            kind = "exception" if issubclass(value, Exception) else "class"
        elif callable(value):
            kind = "function"
        if kind != "data":  # documented under the name that readers use
            place = "sbd"
        lines += [f".. auto{kind}:: {place}.{name}", ""]
    return [*lines, "```", ""]


class PublicNames(SphinxDirective):
    """Document every public name, module by module."""

    def run(self) -> list[nodes.Node]:
        """Read the stub beside the package."""
        stub = Path(self.env.srcdir).parent / "sbd" / "__init__.pyi"
        self.env.note_dependency(str(stub))
        lines = [
            line
            for module, names in public_names(stub).items()
            for line in describe(module, names)
        ]
        holder = nodes.section()
        content = StringList(lines, source=str(stub))
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
