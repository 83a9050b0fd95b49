"""The paper's claims beside what was measured, on one page and on those that test.

====================  ==============================================================
directive             shows
====================  ==============================================================
``{overview}``        every claim on a line: the paper's number, ours, the verdict
``{claims} kinds``    the claims of these kinds, with all that was measured of them
``{verdicts}``        how many claims have which verdict, with a link
``{evidence}``        at which commit each file of ``measured`` was measured
``{headline}``        the default network beside the paper's number, with errors
====================  ==============================================================

Every page that a claim of ``claims.yml`` names opens with what the paper says, and
closes with the verdict. All of it is computed by :mod:`sbd.companion.claims` when the
book is built, from the records that this copy of the book shows.
"""

from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from sbd.companion.claims import (
    VERDICTS,
    Claim,
    count_verdicts,
    read_claims,
)
from sbd.companion.freshness import describe_measured

PAGE = "claims"
FEW = 5  # claims that open a page in full; of more the verdict below tells the rest
MARKS = dict(zip(VERDICTS, "✓◐✗\N{EN DASH}", strict=True))
OUTCOMES = {"holds": "✓ holds", "fails": "✗ fails", "open": "open"}
OUTCOMES |= {"less": "from another image", "absent": "not in this copy"}


def cell(*content: str | nodes.Node) -> nodes.entry:
    """Make a cell of a table; text stands in a paragraph."""
    inside = [nodes.Text(c) if isinstance(c, str) else c for c in content]
    return nodes.entry("", nodes.paragraph("", "", *inside))


def build_table(
    head: Iterable[str], rows: Iterable[Iterable[nodes.entry]], widths: list[int]
) -> nodes.table:
    """Make a table of docutils nodes."""
    group = nodes.tgroup(cols=len(widths))
    group += [nodes.colspec(colwidth=width) for width in widths]
    group += nodes.thead("", nodes.row("", *(cell(text) for text in head)))
    group += nodes.tbody("", *(nodes.row("", *row) for row in rows))
    return nodes.table("", group, classes=["claims"])


def badge(verdict: str) -> nodes.inline:
    """Show a verdict as a mark and a word, so that colour is not all there is."""
    text = f"{MARKS[verdict]}\N{NO-BREAK SPACE}{verdict}"
    return nodes.inline("", text, classes=["verdict", f"verdict-{verdict}"])


def link_to(page: str) -> addnodes.pending_xref:
    """Link to a page by its title, which may not have been read yet."""
    about = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page}"}
    about |= {"refexplicit": False, "refwarn": True}
    return addnodes.pending_xref("", nodes.inline("", page), **about)


def findings(claim: Claim) -> list[nodes.Node]:
    """Set down what was measured of one claim, and what it falls short of."""
    built: list[nodes.Node] = []
    if claim.findings:
        rows = [
            [
                cell(finding.what),
                cell(finding.measured),
                cell(finding.expected),
                cell(OUTCOMES[finding.outcome] + ", no error" * finding.unsure),
                cell(nodes.literal("", f"{finding.record}.json")),
            ]
            for finding in claim.findings
        ]
        head = ("measured", "ours", "expected", "", "where it stands")
        built.append(build_table(head, rows, [38, 18, 18, 10, 16]))
    if claim.reason:
        built.append(nodes.paragraph("", claim.reason))
    return built


def tell(
    claim: Claim, address: str | None = None, *, briefly: bool = False
) -> nodes.paragraph:
    """Tell a claim in one paragraph, with its verdict; in full, where it is printed."""
    about = [badge(claim.verdict), nodes.Text(" ")]
    says = nodes.strong("", claim.says)
    about += [nodes.reference("", "", says, refuri=address)] if address else [says]
    if not briefly:
        where = f" ({claim.where}{': ' + claim.theirs if claim.theirs else ''})"
        about.append(nodes.Text(where))
    return nodes.paragraph("", "", *about)


class Overview(SphinxDirective):
    """List every claim on a line."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        rows = []
        for claim in self.env.claims:
            says = nodes.reference("", claim.says, refuri=f"#claim-{claim.id}")
            none = "\N{EN DASH}"
            row = [cell(says), cell(claim.theirs or none), cell(claim.found or none)]
            rows.append([*row, cell(badge(claim.verdict))])
        head = ("claim, number, table or figure", "the paper", "here", "verdict")
        return [build_table(head, rows, [32, 26, 28, 14])]


class ClaimsDirective(SphinxDirective):
    """List the claims of some kinds, each with a table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Read the claims, and set them down."""
        built: list[nodes.Node] = []
        kinds = self.arguments[0].split()
        self.env.note_dependency(str(Path(self.env.srcdir) / "claims.yml"))
        for claim in self.env.claims:
            if claim.kind in kinds:
                part = nodes.container(ids=[f"claim-{claim.id}"], classes=["claim"])
                part += [tell(claim), *findings(claim)]
                part += nodes.paragraph(
                    "", "", nodes.Text("Page: "), link_to(claim.page)
                )
                built.append(part)
        if not built:
            msg = f"claims must name kinds of claims; got {self.arguments[0]!r}"
            raise ExtensionError(msg)
        return built


class Verdicts(SphinxDirective):
    """Count the verdicts."""

    def run(self) -> list[nodes.Node]:
        """Build one row."""
        counts = count_verdicts(self.env.claims)
        here = self.env.docname
        address = (
            self.env.app.builder.get_relative_uri(here, PAGE) if here != PAGE else ""
        )
        rows = [[cell(badge(name)), cell(str(n))] for name, n in counts.items()]
        rows.append([cell("all"), cell(str(sum(counts.values())))])
        table = build_table(["verdict", "claims, tables, figures"], rows, [50, 50])
        if not address:
            return [table]
        link = nodes.reference("", "claim by claim", refuri=address)
        return [
            table,
            nodes.paragraph("", "", nodes.Text("All of them, "), link, nodes.Text(".")),
        ]


class Headline(SphinxDirective):
    """Show what the default network reaches, beside the number of the paper."""

    def run(self) -> list[nodes.Node]:
        """Take the findings of one claim."""
        claim = next(c for c in self.env.claims if c.id == "reaches-published")
        rows = [[cell(f.what), cell(f.measured)] for f in claim.findings]
        rows.append([cell("the paper's network, its own images"), cell(claim.theirs)])
        return [build_table(["at 0.45 electrons per pixel", "PSNR"], rows, [70, 30])]


class Evidence(SphinxDirective):
    """Say how fresh the measured files are."""

    def run(self) -> list[nodes.Node]:
        """Read the notes beside them."""
        folder = Path(self.env.srcdir) / "measured"
        cited = {f.record for claim in self.env.claims for f in claim.findings}
        rows = []
        for name, about in describe_measured(folder).items():
            kept = about["kept"]
            state = f"kept, older: {kept}" if kept else "of the code as it is"
            used = "yes" if f"measured/{name}" in cited else ""
            commit = nodes.literal("", about["commit"] or "unknown")
            rows.append([cell(nodes.literal("", name)), cell(used), cell(commit)])
            rows[-1].append(cell(state))
        head = ("measured file", "cited above", "at commit", "state")
        return [build_table(head, rows, [20, 12, 18, 50])]


def load(app: Sphinx, env, names) -> None:  # noqa: ANN001, ARG001, as Sphinx calls it
    """Read the claims once, before any page."""
    book = Path(app.srcdir)
    try:
        env.claims = read_claims(
            book / "claims.yml", book / "figures", book / "measured"
        )
    except (OSError, ValueError) as error:
        msg = f"claims.yml: {error}"
        raise ExtensionError(msg) from None
    for claim in env.claims:
        if claim.page not in env.project.docnames:
            msg = f"the claim {claim.id} must name a page of the book; got {claim.page}"
            raise ExtensionError(msg)


def frame(app: Sphinx, tree: nodes.document) -> None:
    """Open a page with the claims that it tests, and close it with the verdicts."""
    here = app.env.docname
    claims = [claim for claim in app.env.claims if claim.page == here]
    section = next(tree.findall(nodes.section), None)
    if not claims or section is None:
        return
    base = app.builder.get_relative_uri(here, PAGE)
    opening = nodes.container(classes=["claims-opening"])
    lines = nodes.bullet_list()
    many = len(claims) > FEW
    for claim in claims:
        told = tell(claim, f"{base}#claim-{claim.id}", briefly=many)
        lines += nodes.list_item("", told)
    opening += [nodes.paragraph("", "The paper says, we measure:"), lines]
    section.insert(1, opening)
    closing = nodes.section(ids=["verdict"], names=["verdict"])
    closing += nodes.title("", "Verdict")
    for claim in claims:
        closing += [tell(claim, f"{base}#claim-{claim.id}"), *findings(claim)]
    section += closing
    tree.note_implicit_target(closing)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives, and what frames the pages."""
    app.add_directive("overview", Overview)
    app.add_directive("claims", ClaimsDirective)
    app.add_directive("verdicts", Verdicts)
    app.add_directive("evidence", Evidence)
    app.add_directive("headline", Headline)
    app.connect("env-before-read-docs", load)
    app.connect("doctree-read", frame)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
