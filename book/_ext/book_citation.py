"""How to cite the project and which one this is: citation box, footer, meta tags.

``{citation}`` shows both entries of ``CITATION.cff`` as text and as BibTeX. Every page
ends with the version, the commit, its date and the licences, and tells programs of its
title, its authors and its first picture. Where there is no repository, no address is
made up.
"""

import html
import re
import shutil
from pathlib import Path
from typing import Any

import yaml
from book_tables import Markdown
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

COPIED = {  # a browser shows what ends with .txt
    "CITATION.cff": "CITATION.cff",
    "LICENSE": "LICENSE.txt",
    "LICENSE-text": "LICENSE-text.txt",
}
GITHUB = re.compile(r"https://github\.com/([^/]+)/([^/]+)")
LONGEST = 200  # letters of a description


def read_citation(root: Path) -> dict[str, Any]:
    """Read ``CITATION.cff``.

    Parameters
    ----------
    root : pathlib.Path
        Root of the project.

    Returns
    -------
    dict
        Its content; empty if there is none.
    """
    path = root / "CITATION.cff"
    return yaml.safe_load(path.read_text("utf8")) if path.is_file() else {}


def author_names(entry: dict[str, Any]) -> list[str]:
    """List authors as ``"Mohan, Sreyas"``; a group has one name.

    Parameters
    ----------
    entry : dict
        An entry of ``CITATION.cff``.

    Returns
    -------
    list of str
        In their order.
    """
    return [
        author["name"]
        if "name" in author
        else f"{author['family-names']}, {author['given-names']}"
        for author in entry["authors"]
    ]


def as_text(entry: dict[str, Any], commit: str = "") -> str:
    """Write an entry as a list of references has it.

    Parameters
    ----------
    entry : dict
        An entry of ``CITATION.cff``.
    commit : str, optional
        That of the software.

    Returns
    -------
    str
        One line.
    """
    initials = [re.sub(r"(?<=, ).*", _initials, name) for name in author_names(entry)]
    who = " and ".join(filter(None, [", ".join(initials[:-1]), initials[-1]]))
    parts = [f"{who} ({entry['year']})" if "year" in entry else who, entry["title"]]
    if "journal" in entry:
        pages = f"{entry['start']}\N{EN DASH}{entry['end']}"
        parts.append(f"{entry['journal']} {entry['volume']}, {pages}")
    if "version" in entry:
        parts.append(f"Version {entry['version']}{f', commit {commit}' * bool(commit)}")
    parts += [f"https://doi.org/{entry['doi']}"] if "doi" in entry else []
    parts += [entry[key] for key in ("repository-code",) if key in entry]
    return ". ".join(parts) + ("" if parts[-1].startswith("https://") else ".")


def _initials(given: re.Match[str]) -> str:
    """Shorten "Joshua L." to "J. L."."""
    return " ".join(f"{name[0]}." for name in given[0].split())


def as_bibtex(entry: dict[str, Any], key: str, commit: str = "") -> str:
    """Write an entry as BibTeX.

    Parameters
    ----------
    entry : dict
        An entry of ``CITATION.cff``.
    key : str
        What it is cited by.
    commit : str, optional
        That of the software.

    Returns
    -------
    str
        Some lines.
    """
    names = author_names(entry)
    grouped = [n if ", " in n else f"{{{n}}}" for n in names]  # braces: one name
    fields = {"author": " and\n    ".join(grouped), "title": f"{{{entry['title']}}}"}
    fields |= {
        name: str(entry[name]) for name in ("journal", "volume") if name in entry
    }
    if "start" in entry:
        fields["pages"] = f"{entry['start']}--{entry['end']}"
    fields |= {name: str(entry[name]) for name in ("year", "doi") if name in entry}
    if "version" in entry:
        fields |= {"version": str(entry["version"])}
        fields |= {"note": f"commit {commit}"} if commit else {}
        fields |= (
            {"url": entry["repository-code"]} if "repository-code" in entry else {}
        )
    kind = "article" if entry["type"] == "article" else "misc"
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


class Citation(Markdown):
    """Show how to cite, from ``CITATION.cff``; each block has a button to copy it."""

    def markdown(self) -> list[str]:
        """Write the text and the BibTeX of the paper and of the project."""
        root = Path(self.env.srcdir).parent
        project = read_citation(root)
        if not project:
            msg = f"citation must find CITATION.cff; got none in {root}"
            raise ExtensionError(msg)
        self.note(root / "CITATION.cff")
        commit, _ = read_state(root)
        paper = project["preferred-citation"]
        shown = (
            ("The paper", as_text(paper), as_bibtex(paper, "mohan2022")),
            (
                "This companion",
                as_text(project, commit),
                as_bibtex(project, "sbd", commit),
            ),
        )
        lines = [project["message"], ""]
        for title, text, bibtex in shown:
            lines += [f"**{title}**", "", "```text", *_wrapped(text), "```", ""]
            lines += ["```bibtex", *bibtex.splitlines(), "```", ""]
        return lines


def _wrapped(text: str) -> list[str]:
    """Break a line where a page would have to scroll."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 72:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def read_state(root: Path) -> tuple[str, str]:
    """Ask git which commit this is, and of which day.

    Parameters
    ----------
    root : pathlib.Path
        Root of the project.

    Returns
    -------
    commit, date : str
        Empty where nobody can tell; the commit ends with a + where the code was
        changed since.
    """
    from sbd.companion.provenance import ask_git, read_commit
    from sbd.provenance import UNKNOWN

    commit = read_commit(root)
    if commit == UNKNOWN:
        return "", ""
    return commit, ask_git(root, "log", "-1", "--format=%cs", commit.rstrip("+"))


def colophon(
    project: dict[str, Any], state: tuple[str, str], repository: str, top: str
) -> str:
    """Write the foot of a page.

    Parameters
    ----------
    project : dict
        Content of ``CITATION.cff``; may be empty.
    state : tuple of str
        What `read_state` returns.
    repository : str
        Its address; empty while there is none.
    top : str
        The way from the page to the top of the site, such as ``"../"``.

    Returns
    -------
    str
        HTML.
    """
    commit, date = state
    shown = f"commit {commit[:10] or 'unknown'}"
    if repository and commit:
        shown = f'<a href="{repository}/tree/{commit.rstrip("+")}">{shown}</a>'
    shown += " and changes since" if commit.endswith("+") else ""
    what = f"Version {project.get('version', 'unknown')}, {shown}"
    what += f" of {date or 'an unknown day'}."
    if not project:
        return f'<p class="colophon">{what}</p>'
    return (
        f'<p class="colophon">{what} Code: <a href="{top}LICENSE.txt">MIT</a>; '
        f'text and figures: <a href="{top}LICENSE-text.txt">CC BY 4.0</a>. '
        f'<a href="{top}CITATION.cff">CITATION.cff</a></p>'
    )


def describe(doctree: nodes.document | None) -> str:
    """Take the first paragraph of a page, cut at a word.

    Parameters
    ----------
    doctree : docutils.nodes.document or None
        The page; None for one that has none, such as the index.

    Returns
    -------
    str
        At most 200 letters.
    """
    if doctree is None:
        return ""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            text = " ".join(paragraph.astext().split())
            if len(text) <= LONGEST:
                return text
            return (
                text[:LONGEST].rpartition(" ")[0].rstrip(",;:")
                + " \N{HORIZONTAL ELLIPSIS}"
            )
    return ""


def site_address(repository: str, base: str = "") -> str:
    """Tell where the site is published.

    Parameters
    ----------
    repository : str
        Its address; empty while there is none.
    base : str, optional
        The site's own address, if it is configured.

    Returns
    -------
    str
        With a slash at the end; empty where it is not known.
    """
    found = GITHUB.fullmatch(repository)
    if base or not found:
        return f"{base.rstrip('/')}/" if base else ""
    owner, name = found.groups()
    site = f"{owner}.github.io"
    return f"https://{site}/" if name == site else f"https://{site}/{name}/"


def meta_tags(
    project: dict[str, Any],
    page: dict[str, str],
    state: tuple[str, str],
) -> str:
    """Write what programs read of a page: for previews, and for reference managers.

    Parameters
    ----------
    project : dict
        Content of ``CITATION.cff``; may be empty.
    page : dict of str to str
        ``title``, ``site``, ``description``, ``image`` and ``url``; what is empty is
        left out.
    state : tuple of str
        What `read_state` returns.

    Returns
    -------
    str
        HTML.
    """
    properties = {
        "og:title": page["title"],
        "og:type": "article",
        "og:site_name": page["site"],
        "og:description": page["description"],
        "og:image": page["image"],
        "og:url": page["url"],
    }
    names = [
        ("description", page["description"]),
        ("twitter:card", "summary_large_image" if page["image"] else "summary"),
    ]
    if project:
        names.append(("citation_title", f"{page['title']}: {project['title']}"))
        names += [("citation_author", name) for name in author_names(project)]
        names.append(("citation_publication_date", state[1].replace("-", "/")))
        names.append(("citation_public_url", page["url"]))
        paper = project["preferred-citation"]
        who = "".join(f"citation_author={name}; " for name in author_names(paper))
        names.append(
            (
                "citation_reference",
                f"citation_title={paper['title']}; {who}citation_journal_title="
                f"{paper['journal']}; citation_publication_date={paper['year']}; "
                f"citation_doi={paper['doi']}",
            )
        )
    tags = [("property", name, value) for name, value in properties.items()]
    tags += [("name", name, value) for name, value in names]
    return "".join(
        f'\n    <meta {kind}="{name}" content="{html.escape(value)}" />'
        for kind, name, value in tags
        if value
    )


def _first_image(app: Sphinx, doctree: nodes.document | None) -> str:
    """Name the first picture of a page, from the top of the site."""
    for image in doctree.findall(nodes.image) if doctree is not None else ():
        # once a page is drawn, its pictures have their places in the site
        folder, _, name = image["uri"].rpartition("/")
        if folder.endswith(app.builder.imagedir) and not name.endswith(".svg"):
            return f"{app.builder.imagedir}/{name}"  # previews know no drawings
    return ""


def add_to_page(
    app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Give a page its foot and its tags."""
    root = Path(app.srcdir).parent
    project, state = read_citation(root), read_state(root)
    repository = app.config.html_theme_options.get("repository_url") or ""
    top = "../" * page.count("/")
    context["theme_extra_footer"] = colophon(project, state, repository, top)
    base = site_address(repository, app.config.html_baseurl)
    image = _first_image(app, doctree)
    about = {
        "title": html.unescape(re.sub(r"<[^>]+>", "", context.get("title", ""))),
        "site": app.config.html_title or app.config.project,
        "description": describe(doctree),
        "image": f"{base or top}{image}" if image else "",
        "url": f"{base}{page}.html" if base else "",
    }
    if doctree is not None:
        context["metatags"] += meta_tags(project, about, state)


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Copy the citation and the licences into the site."""
    if error or app.builder.format != "html":
        return
    for name, shown in COPIED.items():
        file = Path(app.srcdir).parent / name
        if file.is_file():
            shutil.copyfile(file, Path(app.outdir) / shown)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive; pages are told before the theme draws them."""
    app.add_directive("citation", Citation)
    app.connect("html-page-context", add_to_page)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
