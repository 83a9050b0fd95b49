"""Tables made from the library itself, so that no page repeats what code says.

========================  ==========================================================
directive                 shows
========================  ==========================================================
``{data-items} how``      the files of :data:`sbd.data.registry.ITEMS` got that way
``{scales}``              what smoke, default and paper mean
``{defaults} class``      the fields of a dataclass with their default values
========================  ==========================================================
"""

import dataclasses
import importlib
import inspect
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

WAYS = ("bundled", "download", "wheel", "by hand")
ADDRESS = re.compile(r"https?://\S+[^\s.,;:)]")
UNIT = re.compile(r"\s*\[(.+?)\]\.?$")


def plain(value: Any) -> str:  # noqa: ANN401, defaults and JSON hold anything
    """Show a value as a reader writes it: ``300,000``, ``Pt 0.048, Ce 0.023``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def symbol(unit: re.Match[str] | None) -> str:
    """Abbreviate the unit that ends a description."""
    return unit[1].replace("angstrom", "Å") if unit else ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Write a Markdown table.

    Parameters
    ----------
    head : iterable of str
        Titles of the columns.
    rows : iterable of iterable of str
        Cells; bars and line breaks in them are made harmless.

    Returns
    -------
    list of str
        Lines of Markdown.
    """
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    clean = (
        [" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in lines
    )
    return [f"| {' | '.join(row)} |" for row in clean]


def described(cls: type) -> dict[str, str]:
    """Read the field descriptions of a numpydoc ``Parameters`` section.

    Parameters
    ----------
    cls : type
        Class with such a docstring.

    Returns
    -------
    dict of str to str
        Description by name, on one line.
    """
    text = inspect.getdoc(cls) or ""
    _, _, section = text.partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w[^\n]*\n---+\n", section)[0]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line[0].isspace():
            name = line.partition(" :")[0]
            found[name] = ""
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def data_items(items: Iterable[Any], how: str, server: str) -> list[str]:
    """Describe the registry's files that a reader gets in one way.

    Parameters
    ----------
    items : iterable of sbd.data.registry.Item
        Files; neighbours with the same source, licence and way out share a table.
    how : {"bundled", "download", "wheel", "by hand"}
        Which of them.
    server : str
        What their addresses continue.

    Returns
    -------
    list of str
        Markdown.
    """
    lines = []
    chosen = [item for item in items if item.how == how]
    for (source, licence, without), group in itertools.groupby(
        chosen, key=lambda item: (item.source, item.licence, item.without)
    ):
        files = list(group)
        link = f"<{source}>" if "://" in source else source
        lines += table(["file", "checked by"], [row(item, server) for item in files])
        lines += ["", f"Source: {link}. Licence: {licence}."]
        if how != "bundled":
            lines += [f"Without: {without}."]
        if how == "by hand":
            for item in files:
                steps = ADDRESS.sub(r"<\g<0>>", item.instructions)
                lines += ["", f"To get `{item.name}`, {steps}."]
        lines += [""]
    return lines


def row(item: Any, server: str) -> list[str]:  # noqa: ANN401, imported only when asked
    """Write the table row of one file; its name links to where it is downloaded."""
    name = f"`{item.name}`"
    if item.address:
        name = f"[{name}]({server}/{item.address})"
    size = f"{item.size:,} bytes" if item.size else ""
    digest = f"`{item.digest}`{{.digest}}" if item.digest else "no digest known"
    return [f"{name}: {item.title}", ", ".join(filter(None, [size, digest]))]


class Markdown(SphinxDirective):
    """A directive whose content is Markdown that Python wrote."""

    def markdown(self) -> list[str]:
        """Write the lines."""
        raise NotImplementedError

    def note(self, cls_or_path: type | Path) -> None:
        """Have the page built again when the file behind it changes."""
        path = cls_or_path
        if isinstance(path, type):
            path = Path(inspect.getfile(path))
        self.env.note_dependency(str(path))

    def run(self) -> list[nodes.Node]:
        """Parse the lines where the directive stands."""
        holder = nodes.container()
        lines = StringList(self.markdown(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children


class DataItems(Markdown):
    """List the registry's files of one kind."""

    required_arguments = 1
    final_argument_whitespace = True

    def markdown(self) -> list[str]:
        """Read :data:`sbd.data.registry.ITEMS`."""
        from sbd.data.registry import (  # imports pooch: only when asked
            ITEMS,
            SERVER,
            Item,
        )

        if self.arguments[0] not in WAYS:
            msg = f"data-items must be one of {WAYS}; got {self.arguments[0]!r}"
            raise ExtensionError(msg)
        self.note(Item)
        return data_items(ITEMS.values(), self.arguments[0], SERVER)


class Scales(Markdown):
    """Show what the three scales mean."""

    def markdown(self) -> list[str]:
        """Read :func:`sbd.companion.parameters.at_scale`."""
        from sbd.companion.parameters import Scale, at_scale

        self.note(Scale)
        scales = [at_scale(name) for name in ("smoke", "default", "paper")]
        words = described(Scale)
        rows = [
            [f"`{f.name}`", words[f.name], *(plain(getattr(s, f.name)) for s in scales)]
            for f in dataclasses.fields(Scale)
            if f.name != "name"
        ]
        return table(["", "", *(f"`{s.name}`" for s in scales)], rows)


class Defaults(Markdown):
    """Show the fields of a dataclass, their meaning and their defaults."""

    required_arguments = 1

    def markdown(self) -> list[str]:
        """Import the class, as in ``sbd.simulation.imaging.Microscope``."""
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        self.note(cls)
        rows, words = [], described(cls)
        example = cls()
        for field in dataclasses.fields(cls):
            unit = UNIT.search(words[field.name])
            meaning = UNIT.sub("", words[field.name])
            value = plain(getattr(example, field.name))
            rows.append([f"`{field.name}`", meaning, value, symbol(unit)])
        return table(["name", "meaning", "default", "unit"], rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("data-items", DataItems)
    app.add_directive("scales", Scales)
    app.add_directive("defaults", Defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
