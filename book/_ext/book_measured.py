"""Show a measured file as tables: ``{measured} name`` reads ``measured/name.json``.

A number that has a standard error is rounded by it and shown with it, as in 40.8 ± 0.2.
Others keep the digits of the file. Nothing is left out but what ``:without:`` names.
``:rows:`` and ``:columns:`` choose a table that stands first, and what is long then
waits in a fold.

::

    ```{measured} methods
    :rows: strict test / all
    :units: dB: lowest
    ```
"""

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxTranslator

TIMES = " \N{MULTIPLICATION SIGN} "
MEANS = ("mean", "value")
ERRORS = ("standard error", "standard_error", "its standard error")
WIDEST = 14  # columns of a table
OPEN = 30  # rows that need no fold
NARROW = 6  # columns of a row that holds nothing but rows itself
FEW = 3  # rows that a row may hold beside other things
SAME = 0.5  # rows of one table share more than so much of their columns
LONGEST = 12  # values that one cell lists
TINY = 1e-3  # below, powers of ten are written
MOST = 6  # decimals
FACTS = 8  # single numbers of a file that are written in one line
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WORDS = (
    (re.compile(r"\[([^\]]+)\]"), r"(\1)"),
    (re.compile(r"angstrom"), "Å"),
    (re.compile(r"\bpsnr\b(?! \(dB\))"), "PSNR (dB)"),
    (re.compile(r"\bPSNR\b(?!.*\(dB\))"), "PSNR (dB)"),
    (re.compile(r"\bssim\b"), "SSIM"),
    (re.compile(r"\bfourier\b"), "Fourier"),
)


@dataclasses.dataclass
class Cell:
    """What stands in one cell: a value, perhaps with its standard error.

    Parameters
    ----------
    value : object
        A number, a text, a list of them, or None.
    error : float, optional
        Its standard error, in the same unit.
    """

    value: Any
    error: float | None = None


Row = dict[str, Cell]


def places(number: float) -> int:
    """Count the decimals of a number as the file has it."""
    _, _, decimals = repr(number).partition(".")
    if "e" in decimals:
        return 0
    if len(decimals) > MOST:  # a division's endless digits: four of them
        return max(0, 3 - math.floor(math.log10(abs(number))))
    return len(decimals)


def rounded(value: float, decimals: int) -> str:
    """Write a number with so many decimals; negative ones round to tens, hundreds."""
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def shown(cell: Cell, decimals: int | None = None) -> str:
    r"""Write a cell.

    Parameters
    ----------
    cell : Cell
        With an error, the value is rounded to the error's second digit, but to no more
        digits than the file has.
    decimals : int, optional
        Decimals of the column, which a value without an error is filled up to where the
        file has dropped a zero.

    Returns
    -------
    str
        With a true minus sign.

    Examples
    --------
    >>> shown(Cell(94.43, 38.71))
    '94 ± 39'
    >>> shown(Cell([727, 687])) == "727 \N{MULTIPLICATION SIGN} 687"
    True
    >>> shown(Cell([]))
    'none'
    """
    value, error = cell.value, cell.error
    if isinstance(value, list):
        if len(value) > LONGEST:
            return f"{len(value)} values, in the file"
        if not value:
            return "none"
        sizes = 1 < len(value) <= 3 and all(type(entry) is int for entry in value)
        return (TIMES if sizes else ", ").join(shown(Cell(entry)) for entry in value)
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if error is not None:
        known = max(places(value), places(error))
        second = 1 - math.floor(math.log10(error)) if error > 0 else known
        digits = min(second, known)
        return f"{rounded(value, digits)} ± {rounded(error, digits)}"
    if isinstance(value, int):
        return rounded(value, 0)
    if 0 < abs(value) < TINY:
        base, _, power = f"{value:.3g}".partition("e")
        if power:
            raised = str(int(power)).translate(SUPERSCRIPTS)
            return f"{base}{TIMES}10{raised}".replace("-", "\N{MINUS SIGN}")
    own = places(value)
    pads = decimals is not None and (value in {0.0, 1.0} or decimals - own <= 1)
    return rounded(value, decimals if pads else own)


def label(key: str) -> str:
    """Write the name of an entry as a reader does: ``PSNR (dB)`` for ``psnr``."""
    if key == key.lower():
        key = key.replace("_", " ")
    for pattern, words in WORDS:
        key = pattern.sub(words, key)
    return key


def is_leaf(entry: object) -> bool:
    """Tell whether an entry fits one cell, or is a mean with what belongs to it."""
    if isinstance(entry, dict):
        return any(name in entry for name in MEANS) and not any(
            isinstance(value, dict) for value in entry.values()
        )
    return not (isinstance(entry, list) and any(isinstance(e, dict) for e in entry))


def error_name(key: str, entry: dict[str, Any]) -> str | None:
    """Find the entry that holds the standard error of another."""
    names = list(entry)
    following = names[names.index(key) + 1 :][:1]
    candidates = (f"{key}_error", f"error of {key}", f"{key}, standard error")
    for name in (*candidates, *(n for n in following if n in ERRORS)):
        if isinstance(entry.get(name, ""), int | float | None):
            return name
    return None


def cells(entry: dict[str, Any], prefix: str = "") -> Row:
    """Bring all numbers of an entry into one row, nested ones too.

    Parameters
    ----------
    entry : dict
        Parsed JSON.
    prefix : str, optional
        What the names of the columns begin with.

    Returns
    -------
    dict of str to Cell
        By the name of the column.
    """
    row: Row = {}
    errors = {error_name(key, entry) for key in entry}
    for key, value in entry.items():
        name = prefix if prefix and key in MEANS else f"{prefix}: {key}".lstrip(": ")
        if key in errors:
            continue
        if isinstance(value, dict):
            if value and all(isinstance(text, str) for text in value.values()):
                row[name] = Cell("; ".join(value.values()))
            else:
                row |= cells(value, name)
        elif isinstance(value, list) and any(isinstance(e, dict) for e in value):
            row[name] = Cell(f"{len(value)} entries")
        else:
            found = error_name(key, entry)
            row[name] = Cell(value, entry[found] if found else None)
    return row


@dataclasses.dataclass
class Table:
    """Rows of one kind.

    Parameters
    ----------
    title : str
        Where in the file they stand.
    rows : dict of str to dict of str to Cell
        By name; without a name where they have none.
    """

    title: str
    rows: dict[str, Row]

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))


def fits(rows: dict[str, Row]) -> bool:
    """Tell whether rows make one table: few columns, which most rows have."""
    if not all(rows.values()):
        return False
    width = len(Table("", rows).columns)
    return width <= WIDEST and all(len(row) > SAME * width for row in rows.values())


def tables(entry: Any, title: str = "") -> list[Table]:  # noqa: ANN401, parsed JSON
    """Cut a nested entry into tables.

    Parameters
    ----------
    entry : dict or list
        Parsed JSON.
    title : str, optional
        What it is called.

    Returns
    -------
    list of Table
        In the order of the file.
    """
    if isinstance(entry, list):
        rows = {str(i): cells(row) for i, row in enumerate(entry, 1)}
        return [Table(title, rows)]
    single = {key: value for key, value in entry.items() if is_leaf(value)}
    groups = {key: value for key, value in entry.items() if key not in single}
    found = []
    if facts := cells(single):
        few = len(facts) <= (3 if title else FACTS)
        if groups and few and not any(c.error for c in facts.values()):
            words = ", ".join(f"{label(k)} {shown(c)}" for k, c in facts.items())
            if title:
                title = f"{title} ({words})"
            else:
                found.append(Table(words[:1].upper() + words[1:], {}))
        else:
            found.append(Table(title, {label(k): {"": c} for k, c in facts.items()}))
    rows = {key: row_of(group) for key, group in groups.items()}
    flat = all(is_flat(group) for group in groups.values()) and are_alike(rows)
    if flat and len(Table("", rows).columns) <= WIDEST:
        return [*found, Table(title, rows)]
    pending: dict[str, Row] = {}
    for key, row in rows.items():
        if fits(pending | {key: row}):
            pending[key] = row
            continue
        if pending:
            found.append(Table(title, pending))
        pending = {key: row} if fits({key: row}) else {}
        if not pending:
            found += tables(groups[key], f"{title}: {label(key)}".lstrip(": "))
    return found + ([Table(title, pending)] if pending else [])


def are_alike(rows: dict[str, Row]) -> bool:
    """Tell whether each row shares a column with one of the others, and so all do."""
    left = [set(row) for row in rows.values()]
    known = left.pop() if left else set()
    while near := [row for row in left if row & known]:
        known = known.union(*near)
        left = [row for row in left if row not in near]
    return bool(rows) and not left


def is_flat(entry: Any) -> bool:  # noqa: ANN401, parsed JSON
    """Tell whether an entry holds single values alone."""
    return isinstance(entry, dict) and all(
        is_leaf(value) and not isinstance(value, dict) for value in entry.values()
    )


def row_of(entry: Any) -> Row:  # noqa: ANN401, parsed JSON
    """Bring an entry into one row, or none where it is a table by itself."""
    if not isinstance(entry, dict):
        return {}
    row = cells(entry)
    inner = [value for value in entry.values() if not is_leaf(value)]
    wide = len(row) > NARROW and len(inner) == len(entry)
    return {} if wide or len(inner) > FEW else row


def chosen(entry: dict[str, Any], columns: str) -> dict[str, Row]:
    """Make one table of some columns.

    Parameters
    ----------
    entry : dict
        A dict for each row.
    columns : str
        Entries to show, separated by semicolons; ``all / psnr`` is the entry ``psnr``
        of ``all``, and what follows an equals sign is the title.

    Returns
    -------
    dict of str to dict of str to Cell
        Rows by name; entries that a row lacks are left empty.
    """
    rows: dict[str, Row] = {}
    for name, row in entry.items():
        if not isinstance(row, dict):
            continue
        flat = cells(row)
        rows[name] = {}
        for column in columns.split(";"):
            place, _, title = (part.strip() for part in column.partition("="))
            key = place.replace(" / ", ": ")
            if key in flat:
                rows[name][title or key] = flat[key]
    found = {name: row for name, row in rows.items() if row}
    if not found:
        msg = f"columns must name entries of a row; got {columns}"
        raise ValueError(msg)
    return found


def decimals(column: list[Cell]) -> int:
    """Count the decimals that all numbers of a column are shown with."""
    numbers = [c.value for c in column if isinstance(c.value, float)]
    return max((places(n) for n in numbers if abs(n) >= TINY or not n), default=0)


def draw(table: Table, units: dict[str, str]) -> list[nodes.Node]:
    """Draw a table with its title.

    Parameters
    ----------
    table : Table
        Rows of one kind.
    units : dict of str to str
        Units of columns whose names tell none.

    Returns
    -------
    list of docutils.nodes.Node
        A title and a table that scrolls by itself where it is too wide.
    """
    if not table.rows:
        return [nodes.paragraph("", f"{table.title}.")]
    drawn: list[nodes.Node] = [nodes.rubric("", table.title)] if table.title else []
    names = table.columns
    digits = {
        name: decimals([row[name] for row in table.rows.values() if name in row])
        for name in names
    }
    plain = names == [""]
    head = ["", *(with_unit(name, units) for name in names)]
    body = [
        [
            label(key),
            *(written(row.get(name), digits[name], plain=plain) for name in names),
        ]
        for key, row in table.rows.items()
    ]
    drawn.append(grid([] if plain else head, body))
    return drawn


def with_unit(name: str, units: dict[str, str]) -> str:
    """Write the head of a column, with its unit."""
    unit = units.get(name) or units.get(name.rpartition(": ")[2])
    return f"{label(name)} ({unit})" if unit else label(name)


def written(cell: Cell | None, digits: int, *, plain: bool) -> str:
    """Write a cell in its column; a list of facts has no common decimals."""
    return "" if cell is None else shown(cell, None if plain else digits)


def grid(head: list[str], body: list[list[str]]) -> nodes.table:
    """Build the nodes of a table; long texts may break, numbers may not."""
    table = nodes.table(classes=["numbers"])
    group = nodes.tgroup(cols=len(body[0]))
    group += [nodes.colspec(colwidth=1) for _ in body[0]]
    for rows, part in (([head] if head else [], nodes.thead()), (body, nodes.tbody())):
        for texts in rows:
            row = nodes.row()
            for text in texts:
                long = len(text) > 30
                entry = nodes.entry(classes=["words"] if long else [])
                row += entry
                entry += nodes.paragraph("", text)
            part += row
        if rows:
            group += part
    table += group
    return table


class Fold(nodes.Element):
    """What a reader can ask for."""


def open_fold(self: SphinxTranslator, node: Fold) -> None:
    """Begin with what stands on it."""
    self.body.append(f'<details class="fold"><summary>{node["label"]}</summary>\n')


def close_fold(self: SphinxTranslator, _node: Fold) -> None:
    """End it."""
    self.body.append("</details>\n")


class Measured(SphinxDirective):
    """Show a measured file."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012, docutils reads it
        "rows": directives.unchanged,
        "columns": directives.unchanged,
        "units": directives.unchanged,
        "without": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Read ``book/measured/{name}.json``."""
        name = f"measured/{self.arguments[0]}.json"
        path = Path(self.env.srcdir) / name
        self.env.note_dependency(str(path))
        try:
            numbers = json.loads(path.read_text("utf8"))
            for key in filter(None, self.options.get("without", "").split(";")):
                del numbers[key.strip()]
            first = self.first(numbers)
        except (OSError, ValueError, KeyError) as error:
            msg = f"measured must name a file and its entries; got {name}: {error}"
            raise ExtensionError(msg) from None
        versions = numbers.pop("versions", {})
        found = tables(numbers)
        units = self.units()
        every = [node for table in found for node in draw(table, units)]
        every.append(self.source(name, versions))
        shown_rows = sum(len(table.rows) for table in found)
        if not first and shown_rows <= OPEN:
            return every
        fold = Fold(label=f"All {shown_rows} rows of the file")
        fold += every
        return [*(n for table in first for n in draw(table, units)), fold]

    def first(self, numbers: dict[str, Any]) -> list[Table]:
        """Make the table that stands first."""
        if not (place := self.options.get("rows")):
            return []
        entry: Any = numbers
        for part in (p.strip() for p in place.split(" / ") if place != "*"):
            entry = entry[part]
        if "columns" in self.options:
            return [Table("", chosen(entry, self.options["columns"]))]
        return tables(entry, place.replace(" / ", ": "))

    def units(self) -> dict[str, str]:
        """Read units, as in ``dB: lowest, loss; s: wall``."""
        found = {}
        for part in filter(None, self.options.get("units", "").split(";")):
            unit, _, names = part.partition(":")
            found |= {name.strip(): unit.strip() for name in names.split(",")}
        return found

    def source(self, name: str, versions: dict[str, str]) -> nodes.paragraph:
        """Link the file itself, and say what it was measured with."""
        link = addnodes.download_reference(
            "", "", reftarget=f"/{name}", refdoc=self.env.docname, refdomain=""
        )
        link += nodes.literal("", Path(name).name)
        line = nodes.paragraph("", "", link, classes=["measured-file"])
        if versions:
            with_ = ", ".join(f"{key} {value}" for key, value in versions.items())
            line += nodes.Text(f", measured with {with_}")
        return line


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and its fold."""
    app.add_node(Fold, html=(open_fold, close_fold))
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
