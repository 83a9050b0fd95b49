"""Fold the code of notebook pages, so that pictures and results come first.

A click on "Show code", or the Enter key on it, shows the code: it is a ``<details>``
and needs no script. On paper the code stands open. Code cells that follow each other
without a word or an output between them share one fold. The tag ``show-input`` keeps a
cell open.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxTranslator

OPEN = "show-input"  # the tag of a cell whose code is the subject of the page


class FoldedCode(nodes.Element):
    """Code that a reader can ask for."""


def visit_folded_code(self: SphinxTranslator, node: FoldedCode) -> None:
    """Open the fold; its label says how much is behind it."""
    self.body.append(
        '<details class="folded-code cell"><summary><span class="folded-code-label">'
        f"{node['label']}</span></summary>\n"
    )


def depart_folded_code(self: SphinxTranslator, _node: FoldedCode) -> None:
    """Close the fold."""
    self.body.append("</details>\n")


def is_code_cell(node: nodes.Node) -> bool:
    """Tell whether a node is a code cell of a notebook with its code in it."""
    return (
        isinstance(node, nodes.container)
        and node.get("nb_element") == "cell_code"
        and bool(node.children)
        and node.children[0].get("nb_element") == "cell_code_source"
        and OPEN not in tags(node)
    )


def tags(cell: nodes.Element) -> list[str]:
    """List the tags of a cell."""
    return cell.get("cell_metadata", {}).get("tags", [])


def label(cells: list[nodes.Element]) -> str:
    """Write what the fold of some cells says.

    Parameters
    ----------
    cells : list of docutils.nodes.Element
        Code cells, in their order.

    Returns
    -------
    str
        Such as ``"Show code (12 lines)"``.
    """
    lines = sum(len(cell.children[0].astext().splitlines()) for cell in cells)
    what = "parameters and code" if "parameters" in tags(cells[0]) else "code"
    return f"Show {what} ({lines} line{'s' if lines != 1 else ''})"


def runs(parent: nodes.Element) -> list[list[nodes.Element]]:
    """Find the code cells of a section that can share a fold.

    Parameters
    ----------
    parent : docutils.nodes.Element
        What holds the cells.

    Returns
    -------
    list of list of docutils.nodes.Element
        Neighbours, up to the first that has an output.
    """
    found: list[list[nodes.Element]] = []
    joined = False
    for child in parent.children:
        if not is_code_cell(child):
            joined = False
            continue
        if not joined:
            found.append([])
        found[-1].append(child)
        joined = len(child.children) == 1  # nothing but its code
    return found


class FoldCode(SphinxPostTransform):
    """Fold all code of notebooks, before MyST-NB looks at its own tags."""

    default_priority = 198
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Put the code of each run of cells into one fold, before the outputs."""
        cells = [n for n in self.document.findall(nodes.container) if is_code_cell(n)]
        parents: list[nodes.Element] = []
        for cell in cells:
            if not any(cell.parent is parent for parent in parents):
                parents.append(cell.parent)
        for run in (run for parent in parents for run in runs(parent)):
            fold = FoldedCode(label=label(run))
            first = run[0]
            first.parent.insert(first.parent.index(first), fold)
            for cell in run:
                cell.attributes.pop("hide_mode", None)
                code = cell.children[0]
                cell.remove(code)
                fold += code
                if not cell.children:
                    cell.parent.remove(cell)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the fold."""
    app.add_node(FoldedCode, html=(visit_folded_code, depart_folded_code))
    app.add_post_transform(FoldCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
