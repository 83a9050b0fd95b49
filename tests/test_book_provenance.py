"""Check how figures are linked, how the project is cited, and what pages tell."""

import base64
import hashlib
import importlib
import json
import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("jupyter_book", reason="the book needs the extra [book]")

from docutils import nodes

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "https://github.com/owner/name"


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    return importlib.import_module("book_figures")


@pytest.fixture
def citation(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    return importlib.import_module("book_citation")


# --- links of figures


def write_notebook(path, pictures):
    outputs = [
        {"data": {"image/png": base64.b64encode(png).decode(), "text/plain": text}}
        for text, png in pictures
    ]
    path.write_text(json.dumps({"cells": [{"outputs": outputs}, {"source": "prose"}]}))


def test_a_picture_is_known_by_what_the_notebook_filed_it_as(figures, tmp_path):
    path = tmp_path / "a.ipynb"
    write_notebook(path, [("<Figure 02_one-two>", b"png"), ("<Figure size 1>", b"x")])
    known = figures.named_pictures(path)
    assert known == {hashlib.sha256(b"png").hexdigest(): "02_one-two"}


def test_what_is_not_there_is_not_linked(figures, tmp_path):
    for suffix in (".json", ".png"):
        (tmp_path / f"02_one{suffix}").write_text("")
    assert figures.figure_links(tmp_path, "02_one", "notebooks/02_one") == [
        ("notebook", "../_sources/notebooks/02_one.ipynb"),
        ("numbers (json)", "../figures/02_one.json"),
        ("picture (png)", "../figures/02_one.png"),
    ]


def test_the_notebook_is_that_of_the_figures_own_commit(figures, monkeypatch, tmp_path):
    page, made = "notebooks/02_one", "f" * 40
    told = {"commit": made}
    monkeypatch.setattr("sbd.provenance.read_provenance", lambda _: told)
    at = figures.notebook_address(REPOSITORY, tmp_path / "a.png", page, COMMIT)
    assert at == f"{REPOSITORY}/blob/{made}/{page}.py"
    told["commit"] = made + "+"  # no commit holds what it was made with
    at = figures.notebook_address(REPOSITORY, tmp_path / "a.png", page, COMMIT)
    assert at == f"{REPOSITORY}/blob/{COMMIT}/{page}.py"
    at = figures.notebook_address(REPOSITORY, tmp_path / "a.png", page, "unknown")
    assert at == ""


def test_without_a_repository_no_address_is_made_up(figures, tmp_path):
    picture = tmp_path / "gone.png"
    assert figures.notebook_address("", picture, "notebooks/02_one", COMMIT) == ""


def test_only_what_notebooks_show_goes_into_the_site(figures, tmp_path):
    write_notebook(tmp_path / "a.ipynb", [("<Figure 02_one>", b"png")])
    for name in ("02_one.json", "02_one.svg", "03_other.json"):
        (tmp_path / name).write_text("")
    linked = {path.name for path in figures.linked_files(tmp_path, tmp_path)}
    assert linked == {"02_one.json", "02_one.svg"}


def test_a_picture_leads_to_its_drawing_and_keeps_its_caption(figures):
    image = nodes.image(uri="a.png", alt="words")
    figure = nodes.figure("", image, nodes.caption("", "Caption"))
    files = {"numbers": ".json", "picture": ".png", "drawing": ".svg"}
    links = [(words, f"../figures/a{suffix}") for words, suffix in files.items()]
    figures._add_line(image, links)
    figures._enlarge(image, links)
    whole, caption, legend = figure.children
    assert (whole["refuri"], whole.children) == ("../figures/a.svg", [image])
    assert caption.astext() == "Caption"
    assert legend.astext() == "numbers · picture · drawing"


def test_a_picture_without_caption_has_its_links_below(figures):
    image = nodes.image(uri="a.png")
    cell = nodes.container("", image, nodes.paragraph("", "text"))
    figures._add_line(image, [("numbers", "../figures/a.json")])
    assert [child.astext() for child in cell.children] == ["", "numbers", "text"]


# --- how to cite


def test_the_paper_is_cited_as_text(citation):
    text = citation.as_text(CFF["preferred-citation"])
    assert text.startswith("Mohan, S., Manzorro, R., Vincent, J. L., ")
    assert text.endswith(
        "Crozier, P. A. and Fernandez-Granda, C. (2022). Deep Denoising for Scientific "
        "Discovery: A Case Study in Electron Microscopy. IEEE Transactions on "
        "Computational Imaging 8, 585\N{EN DASH}597. https://doi.org/10.1109/TCI.2022.3176536"
    )


def test_the_project_is_cited_with_its_commit_and_its_address(citation):
    text = citation.as_text(CFF, COMMIT)
    assert text.endswith(f"Version {CFF['version']}, commit {COMMIT}.")
    entry = CFF | {"repository-code": REPOSITORY}
    assert citation.as_text(entry).endswith(f"Version {CFF['version']}. {REPOSITORY}")
    assert f"url = {{{REPOSITORY}}}" in citation.as_bibtex(entry, "sbd")
    assert f"note = {{commit {COMMIT}}}" in citation.as_bibtex(entry, "sbd", COMMIT)


def test_the_bibtex_is_read_as_the_bibliography_has_it(citation):
    from pybtex.database import parse_file, parse_string

    written = citation.as_bibtex(CFF["preferred-citation"], "mohan2022")
    entry = parse_string(written, "bibtex").entries["mohan2022"]
    listed = parse_file(str(ROOT / "book/references.bib")).entries["mohan2022"]
    for field in ("year", "doi", "volume", "pages", "journal"):
        assert entry.fields[field] == listed.fields[field]
    names = [person.last_names for person in entry.persons["author"]]
    assert names == [person.last_names for person in listed.persons["author"]]
    own = parse_string(citation.as_bibtex(CFF, "sbd"), "bibtex").entries["sbd"]
    (author,) = own.persons["author"]  # a group, not a given name and "of sbd"
    assert (author.first_names, author.prelast_names) == ([], [])
    assert own.fields["version"] == CFF["version"]


# --- foot and tags


def test_the_foot_says_which_version_of_which_day(citation):
    foot = citation.colophon(CFF, (COMMIT, "2026-11-27"), "", "../")
    assert f"Version {CFF['version']}, commit 0123456789 of 2026-11-27." in foot
    assert 'href="../LICENSE.txt"' in foot
    assert "github" not in foot
    foot = citation.colophon(CFF, (f"{COMMIT}+", "2026-11-27"), REPOSITORY, "")
    assert f'<a href="{REPOSITORY}/tree/{COMMIT}">' in foot
    assert "and changes since" in foot


def test_without_git_the_foot_says_that_it_is_not_known(citation, tmp_path):
    assert citation.read_state(tmp_path) == ("", "")
    foot = citation.colophon({}, ("", ""), REPOSITORY, "")
    assert foot == (
        '<p class="colophon">Version unknown, commit unknown of an unknown day.</p>'
    )


def test_a_description_is_the_first_paragraph_cut_at_a_word(citation):
    document = nodes.document("", "")
    long = "word " * 60
    document += nodes.note("", nodes.paragraph("", "a note"))
    document += nodes.section("", nodes.paragraph("", long))
    assert citation.describe(document) == "word " * 39 + "word …"
    assert citation.describe(None) == ""


@pytest.mark.parametrize(
    ("repository", "base", "expected"),
    [
        ("", "", ""),
        (REPOSITORY, "", "https://owner.github.io/name/"),
        ("https://github.com/o/o.github.io", "", "https://o.github.io/"),
        (REPOSITORY, "https://book.example/b", "https://book.example/b/"),
    ],
)
def test_the_site_is_where_it_is_published(citation, repository, base, expected):
    assert citation.site_address(repository, base) == expected


def test_tags_are_safe_and_leave_out_what_is_empty(citation):
    page = {
        "title": 'A "b" <c>',
        "site": "S",
        "description": "",
        "image": "",
        "url": "",
    }
    tags = citation.meta_tags(CFF, page, ("", ""))
    assert 'property="og:title" content="A &quot;b&quot; &lt;c&gt;"' in tags
    for absent in ("og:image", "og:url", "og:description", 'publication_date"'):
        assert absent not in tags
    assert 'name="citation_author" content="The authors of sbd"' in tags
    assert "citation_doi=10.1109/TCI.2022.3176536" in tags
    assert 'content=""' not in tags


# --- the built site

built = [
    pytest.mark.site,
    pytest.mark.skipif(
        not (SITE / "index.html").exists(), reason="no _build/html: run `make book`"
    ),
]


def site(function):
    for mark in built:
        function = mark(function)
    return function


@site
def test_every_figure_that_was_filed_has_its_numbers_below_it():
    for notebook in sorted((ROOT / "book" / "notebooks").glob("*.ipynb")):
        names = re.findall(r"<Figure ([\w-]+)>", notebook.read_text("utf8"))
        page = (SITE / "notebooks" / f"{notebook.stem}.html").read_text("utf8")
        for name in names:
            assert f'href="../figures/{name}.json"' in page, name
            assert re.search(rf'enlarge[^>]*href="\.\./figures/{name}\.', page), name


@site
def test_every_page_says_which_version_it_is():
    pages = [p for p in SITE.rglob("*.html") if "_static" not in p.parts]
    for path in pages:
        text = path.read_text("utf8")
        if "bd-footer-content" in text:  # index.html only leads on
            assert f"Version {CFF['version']}, " in text, path.name


@site
def test_every_page_of_the_book_tells_its_title_and_a_picture_that_is_there():
    for path in SITE.glob("notebooks/*.html"):
        text = path.read_text("utf8")
        assert '<meta property="og:title" content="' in text, path.name
        assert '<meta name="citation_title" content="' in text, path.name
        image = re.search(r'"og:image" content="([^"]+)"', text)[1]
        assert image.startswith("https://") or (path.parent / image).exists()


@site
def test_the_citation_lies_in_the_site_and_on_its_page():
    assert (SITE / "CITATION.cff").read_text() == (ROOT / "CITATION.cff").read_text()
    text = (SITE / "references.html").read_text("utf8")
    assert "10.1109/TCI.2022.3176536" in text
    assert "@article" in re.sub(r"<[^>]+>", "", text)
