"""Below each figure of a notebook: its notebook, its numbers, its files, its data.

A picture on a page is known by its bytes: the notebook says which figure it filed them
as. The files of that figure are copied to ``figures/`` of the site, and the picture
leads to the largest of them. What is not there is not linked.
"""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

SHOWN = re.compile(r"<Figure ([\w-]+)>")
FILES = {".json": "numbers", ".png": "picture", ".svg": "drawing"}


def named_pictures(notebook: Path) -> dict[str, str]:
    """Say which figure each picture of a notebook was filed as.

    Parameters
    ----------
    notebook : pathlib.Path
        An executed notebook (.ipynb).

    Returns
    -------
    dict of str to str
        Name of the figure by the SHA-256 of its picture.
    """
    found = {}
    for cell in json.loads(notebook.read_text("utf8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            name = SHOWN.fullmatch("".join(data.get("text/plain", "")))
            if name and "image/png" in data:
                png = base64.b64decode("".join(data["image/png"]))
                found[hashlib.sha256(png).hexdigest()] = name[1]
    return found


def figure_links(
    folder: Path, name: str, page: str, address: str = ""
) -> list[tuple[str, str]]:
    """List what belongs to a figure, as words and addresses.

    Parameters
    ----------
    folder : pathlib.Path
        Where the figures lie.
    name : str
        Of the figure.
    page : str
        Name of its page, such as ``"notebooks/02_comparison"``.
    address : str, optional
        Of the notebook's text at the commit; without it, the page's own notebook is
        linked.

    Returns
    -------
    list of (str, str)
        Addresses are relative to the page, but for that of the notebook's text.
    """
    up = "../" * page.count("/")
    links = [("notebook", address or f"{up}_sources/{page}.ipynb")]
    for suffix, word in FILES.items():
        if (folder / f"{name}{suffix}").is_file():
            links.append((f"{word} ({suffix[1:]})", f"{up}figures/{name}{suffix}"))
    return links


def notebook_address(repository: str, figure: Path, page: str, commit: str) -> str:
    """Tell where the text of a notebook is to be read, as it was for a figure.

    Parameters
    ----------
    repository : str
        Its address; empty while there is none.
    figure : pathlib.Path
        The picture, which may say at which commit it was made.
    page : str
        Name of the page.
    commit : str
        That of the site, in case the picture does not say.

    Returns
    -------
    str
        An address, or an empty string where there is none to be sure of.
    """
    from sbd.provenance import UNKNOWN, read_provenance

    if not repository:
        return ""
    try:
        made = read_provenance(figure)["commit"]
    except (OSError, ValueError, KeyError):
        made = UNKNOWN
    sure = [each for each in (made, commit) if re.fullmatch(r"[0-9a-f]{40}", each)]
    return f"{repository}/blob/{sure[0]}/{page}.py" if sure else ""


def link_figures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Wrap pictures in links, and add a line of links below their captions."""
    notebook = Path(app.srcdir) / f"{page}.ipynb"
    if app.builder.format != "html" or not notebook.is_file():
        return
    from sbd.companion.provenance import read_commit

    folder = Path(app.srcdir) / "figures"
    names = named_pictures(notebook)
    repository = app.config.html_theme_options.get("repository_url") or ""
    commit = read_commit(Path(app.srcdir).parent)
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir) / image["uri"]
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        name = names.get(digest)
        if name is None:
            continue
        address = notebook_address(repository, folder / f"{name}.png", page, commit)
        links = figure_links(folder, name, page, address)
        if "data" in app.env.found_docs:
            links.append(("data", app.builder.get_relative_uri(page, "data")))
        _add_line(image, links)
        _enlarge(image, links)


def _add_line(image: nodes.image, links: list[tuple[str, str]]) -> None:
    """Put the links below the caption; below the picture where there is none."""
    line = nodes.paragraph(classes=["figure-files"])
    for i, (words, address) in enumerate(links):
        line += nodes.Text(" · " if i else "")
        line += nodes.reference("", words, refuri=address, internal=True)
    figure = image.parent
    if isinstance(figure, nodes.figure):
        figure += nodes.legend("", line)
    else:
        figure.insert(figure.index(image) + 1, line)


def _enlarge(image: nodes.image, links: list[tuple[str, str]]) -> None:
    """Let a picture lead to its drawing, or else to its file: no script is needed."""
    files = [address for _, address in links if address.endswith((".png", ".svg"))]
    if files and not isinstance(image.parent, nodes.reference):
        whole = nodes.reference("", "", refuri=files[-1], internal=True)
        whole["classes"].append("enlarge")
        image.replace_self(whole)
        whole += image


def linked_files(folder: Path, notebooks: Path) -> Iterator[Path]:
    """List the files of figures that notebooks show.

    Parameters
    ----------
    folder : pathlib.Path
        Where the figures lie.
    notebooks : pathlib.Path
        Where the executed notebooks lie.

    Yields
    ------
    pathlib.Path
        Of each figure its numbers, picture and drawing, as far as they are there.
    """
    for notebook in sorted(notebooks.glob("*.ipynb")):
        for name in named_pictures(notebook).values():
            files = (folder / f"{name}{suffix}" for suffix in FILES)
            yield from (file for file in files if file.is_file())


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Copy what is linked into the site."""
    if error or app.builder.format != "html":
        return
    source, target = Path(app.srcdir), Path(app.outdir) / "figures"
    target.mkdir(exist_ok=True)
    for file in linked_files(source / "figures", source / "notebooks"):
        shutil.copyfile(file, target / file.name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Link figures once their pictures are chosen, before pages are written."""
    app.connect("doctree-resolved", link_figures)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
