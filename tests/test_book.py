"""Check the book: its sources, its small extensions, and the site when it is built."""

import functools
import http.server
import importlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

pytest.importorskip("jupyter_book", reason="the book needs the extra [book]")
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
SITE = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
PAGES = sorted(BOOK.glob("*.md"))
ADDRESS = CONFIG["repository"]["url"]

site = pytest.mark.site
built = pytest.mark.skipif(
    not (SITE / "index.html").exists(), reason="no _build/html: run `make book`"
)
page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


@pytest.fixture
def extension(monkeypatch):
    """Import a local extension as Sphinx does."""
    monkeypatch.syspath_prepend(BOOK / "_ext")
    return importlib.import_module


# --- sources


def contents():
    text = (BOOK / "_toc.yml").read_text("utf8")
    return re.findall(r"(?m)^[ -]*(?:root|file): (\S+)$", text)


def test_every_page_and_every_notebook_is_in_the_table_of_contents():
    there = [path.stem for path in PAGES]
    there += [f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb")]
    assert sorted(contents()) == sorted(there)


@page
def test_every_citation_is_in_the_bibliography(path):
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text("utf8"))
    keys = {key.strip() for group in cited for key in group.split(",")}
    bibliography = (BOOK / "references.bib").read_text("utf8")
    assert keys <= set(re.findall(r"@\w+\{([\w-]+),", bibliography))


@page
def test_pages_name_no_path_of_one_machine(path):
    text = re.sub(r"https?://\S+", "", path.read_text("utf8"))
    assert re.findall(r"(?<![\w.~])(?:/home/|/root/|/work/|\.\./)\S*", text) == []


def test_the_configuration_is_the_one_that_was_found_to_work():
    config = CONFIG["sphinx"]["config"]
    assert CONFIG["execute"]["execute_notebooks"] == "off"
    assert CONFIG["only_build_toc_files"] is True
    assert config["nb_execution_raise_on_error"] is True
    assert CONFIG["sphinx"]["recursive_update"] is True  # or the buttons vanish
    # both would ask other sites for scripts, intersphinx for indices
    unwanted = {"sphinx_thebe", "sphinx_comments", "sphinx.ext.intersphinx"}
    assert not unwanted & set(config["extensions"])


def test_every_local_extension_is_there_and_loaded():
    local = CONFIG["sphinx"]["local_extensions"]
    assert set(local) == {path.stem for path in (BOOK / "_ext").glob("*.py")}
    assert set(local) <= set(CONFIG["sphinx"]["config"]["extensions"])
    assert set(local.values()) == {"book/_ext"}


def test_mathjax_comes_with_the_book_and_with_its_licence():
    vendored = BOOK / "_extra" / "_static"
    script = vendored / CONFIG["sphinx"]["config"]["mathjax_path"]
    assert script.exists()
    assert "Apache License" in (script.parent / "LICENSE").read_text("utf8")
    fonts = script.parent / "output" / "chtml" / "fonts" / "woff-v2"
    assert len(list(fonts.glob("*.woff"))) == 23


# --- records


RUN = {
    "cell_type": "code",
    "execution_count": 1,
    "metadata": {},
    "outputs": [],
    "source": "1 + 1",
}
FAILED = {
    "output_type": "error",
    "ename": "ValueError",
    "evalue": "no atoms",
    "traceback": [],
}


def write_project(root, *, cell=RUN, text="Fine."):
    """Make the smallest project with the real configuration and extensions."""
    for name in ("_ext", "_static", "_extra"):
        shutil.copytree(BOOK / name, root / "book" / name)
    shutil.copy(BOOK / "references.bib", root / "book")
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n  - file: notebooks/00_one\n"
    )
    (root / "book" / "intro.md").write_text(f"# Cover\n\n{text}\n")
    title = {"cell_type": "markdown", "metadata": {}, "source": "# One"}
    record = {"cells": [title, cell], "metadata": {}, "nbformat": 4}
    for folder in ("notebooks", "figures"):
        (root / folder).mkdir()
    path = root / "notebooks" / "00_one.ipynb"
    path.write_text(json.dumps(record | {"nbformat_minor": 4}))
    (root / "figures" / "00_one.json").write_text('{"network": {"psnr": 36.74}}')
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    (tmp_path / "book").mkdir()
    write_project(tmp_path)
    return tmp_path


def test_records_are_mirrored_and_left_alone_when_nothing_changed(project, extension):
    records = extension("book_records")
    records.bring_records(project / "book")
    copy = project / "book" / "notebooks" / "00_one.ipynb"
    os.utime(copy, (1, 1))
    records.bring_records(project / "book")
    assert copy.stat().st_mtime == 1
    assert (project / "book" / "figures" / "00_one.json").exists()


def test_what_is_gone_is_removed_from_the_mirror(project, extension):
    stale = project / "book" / "figures" / "09_gone.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    extension("book_records").bring_records(project / "book")
    assert not stale.exists()


def test_fresh_records_are_shown_in_place_of_the_committed_ones(
    project, extension, monkeypatch
):
    shutil.copytree(project / "notebooks", project / "_build/executed/notebooks")
    shutil.rmtree(project / "notebooks")
    monkeypatch.setenv("SBD_BOOK_RECORDS", "_build/executed")
    extension("book_records").bring_records(project / "book")
    assert (project / "book" / "notebooks" / "00_one.ipynb").exists()


def test_a_folder_of_records_that_is_not_there_is_refused(
    project, extension, monkeypatch
):
    monkeypatch.setenv("SBD_BOOK_RECORDS", "nowhere")
    with pytest.raises(ExtensionError, match="must name a folder of records; got"):
        extension("book_records").bring_records(project / "book")


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (RUN | {"outputs": [FAILED]}, "cell 2 failed: ValueError: no atoms"),
        (RUN | {"execution_count": None}, "cell 2 was never run"),
        (None, "00_one.ipynb is missing"),
    ],
    ids=["failed", "never run", "missing"],
)
def test_an_incomplete_record_is_refused(project, extension, cell, fault):
    path = project / "notebooks" / "00_one.ipynb"
    if cell is None:
        path.unlink()
    else:
        path.write_text(json.dumps({"cells": [{**RUN, "source": ""}, cell]}))
    with pytest.raises(ExtensionError, match=fault):
        extension("book_records").bring_records(project / "book")


# --- numbers and tables


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("00:network.psnr:.1f", "36.7"),
        ("00:network.psnr", "36.74"),
        ("00:rows.1.bias:.2f", "\N{MINUS SIGN}0.46"),
        ("00:source", "real micrograph"),
        ("00:images:,", "17,955"),
    ],
)
def test_a_number_is_quoted_as_it_was_filed(extension, tmp_path, text, shown):
    numbers = {
        "network": {"psnr": 36.74},
        "rows": [{}, {"bias": -0.458}],
        "source": "real micrograph",
        "images": 17955,
    }
    (tmp_path / "00.json").write_text(json.dumps(numbers))
    assert extension("book_numbers").quote(tmp_path, text) == shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01:psnr", "one of 00; got '01'"),
        ("00:ssim", "no entry 'ssim' among 'psnr', 'name', 'rows'"),
        ("00:psnr.whole", "no entry 'whole' below a plain value"),
        ("00:rows", "finite or text"),
        ("00:name:.1f", "Unknown format code"),
    ],
)
def test_a_number_that_does_not_exist_is_an_error(extension, tmp_path, text, reason):
    numbers = {"psnr": 36.7, "name": "network", "rows": []}
    (tmp_path / "00.json").write_text(json.dumps(numbers))
    with pytest.raises(ValueError, match=reason):
        extension("book_numbers").quote(tmp_path, text)


def test_every_file_of_the_registry_is_on_the_data_page(extension):
    from sbd.registry import ITEMS, SERVER

    tables = extension("book_tables")
    text = (BOOK / "data.md").read_text("utf8")
    ways = re.findall(r"\{data-items\} (.*)", text)
    lines = [x for way in ways for x in tables.data_items(ITEMS.values(), way, SERVER)]
    shown = "\n".join(lines)
    for item in ITEMS.values():
        assert f"`{item.name}`" in shown
        assert item.licence in shown
        assert item.digest is None or item.digest in shown


def test_the_scoreboard_ranks_the_denoisers(extension):
    numbers = {
        "source": "simulated",
        "constant": {"psnr": 26.33, "ssim": 0.86},
        "network": {"psnr": 36.74, "ssim": 0.98},
    }
    rows = extension("book_tables").scores(numbers)[2:]
    assert rows == ["| network | 36.7 | 0.980 |", "| constant | 26.3 | 0.860 |"]


def test_a_comparison_without_scores_is_refused(extension):
    with pytest.raises(ValueError, match="entries with psnr and ssim; got source"):
        extension("book_tables").scores({"source": "simulated"})


def test_meaning_and_unit_come_from_the_docstring(extension):
    from sbd.scales import Scale

    words = extension("book_tables").described(Scale)
    assert words["grid"].startswith("Samples of the 50 angstrom box")
    assert list(words) == ["name", "crop", "draws", "grid", "train_steps"]


# --- the header's buttons


class Settings:
    """As much of Sphinx's configuration as the buttons look at."""

    def __init__(self, url):
        self.html_theme_options = {"repository_url": url, "launch_buttons": {"a": 1}}


def test_without_an_address_there_are_no_dead_buttons(extension):
    settings = Settings("")
    extension("book_links").choose_buttons(None, settings)
    assert "launch_buttons" not in settings.html_theme_options
    assert not settings.html_theme_options["use_repository_button"]


def test_with_an_address_there_are_all_buttons(extension):
    settings = Settings("https://github.com/owner/name")
    extension("book_links").choose_buttons(None, settings)
    assert settings.html_theme_options["launch_buttons"]
    assert settings.html_theme_options["use_edit_page_button"]


# --- the strict build


def build(root, *options):
    # the very command, with this Python's packages
    command = [sys.executable, "-m", "jupyter_book", "build", "book/", *options]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False
    )


STRICT = ("-W", "-n", "--keep-going", "--all")


@pytest.mark.slow
def test_a_sound_book_is_built(tmp_path, monkeypatch):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    (tmp_path / "book").mkdir()
    write_project(
        tmp_path, text="{number}`00_one:network.psnr:.1f` dB, {cite}`mohan2022`"
    )
    done = build(tmp_path, *STRICT)
    # the bibliography, which the citation needs, is on no page of this small book
    assert done.returncode != 0
    (tmp_path / "book" / "intro.md").write_text(
        "# Cover\n\n{number}`00_one:network.psnr:.1f` dB\n"
    )
    done = build(tmp_path, *STRICT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert ">36.7<" in (tmp_path / "_build/html/intro.html").read_text("utf8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "options", "message"),
    [
        ({"cell": RUN | {"outputs": [FAILED]}}, (), "ValueError: no atoms"),
        ({"text": "{number}`00_one:ssim:.1f`"}, (), "no entry 'ssim'"),
        ({"text": "[gone](gone.md)"}, STRICT, "gone.md"),
    ],
    ids=["failed cell", "unknown number", "broken link"],
)
def test_a_flaw_makes_the_build_red(tmp_path, monkeypatch, flaw, options, message):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    (tmp_path / "book").mkdir()
    write_project(tmp_path, **flaw)
    done = build(tmp_path, *options)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


# --- the built site


class Links(HTMLParser):
    """Collect what a page refers to, and what can be referred to in it."""

    SOURCES = {  # tag: attribute that makes the browser ask for a file
        **dict.fromkeys(["script", "img", "iframe", "source", "video", "embed"], "src"),
        **{"link": "href", "object": "data"},
    }

    def __init__(self, path):
        super().__init__()
        self.assets, self.links, self.ids, self.images = [], [], set(), []
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if tag in self.SOURCES and attrs.get(self.SOURCES[tag]):
            self.assets.append(attrs[self.SOURCES[tag]])
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img":
            self.images.append(attrs)


@functools.cache
def parsed():
    # webpack-macros.html is a template of the theme's, not a page
    paths = [p for p in SITE.rglob("*.html") if p.name != "webpack-macros.html"]
    return {path: Links(path) for path in paths}


def is_foreign(address):
    return bool(re.match(r"(?:https?:)?//", address))


@site
@built
def test_no_page_asks_another_site_for_anything():
    found = {a for links in parsed().values() for a in links.assets if is_foreign(a)}
    assert found == set()
    for css in SITE.rglob("*.css"):
        urls = re.findall(
            r"(?:url\(|@import)\s*[\"']?([^\"')]+)", css.read_text("utf8")
        )
        assert not [url for url in urls if is_foreign(url)], css.name


@site
@built
def test_every_internal_link_leads_somewhere():
    broken = []
    for path, links in parsed().items():
        for address in links.assets + links.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or address.startswith("#top"):
                continue
            target = path
            if parts.path:
                target = SITE / posixpath.normpath(
                    (path.parent.relative_to(SITE) / unquote(parts.path)).as_posix()
                )
            anchors = parsed()[target].ids if target in parsed() else {parts.fragment}
            if not target.exists() or (
                parts.fragment and parts.fragment not in anchors
            ):
                broken.append(f"{path.name}: {address}")
    assert broken == []


@site
@built
def test_every_image_has_words_for_those_who_cannot_see_it():
    for path, links in parsed().items():
        for image in links.images:
            alt = (image.get("alt") or "").strip()
            assert alt, f"{path.name}: {image.get('src')}"
            assert not alt.endswith((".png", ".svg")), f"{path.name}: {alt} is a path"


@site
@built
def test_dark_mode_leaves_grey_levels_alone():
    css = (SITE / "_static" / "book.css").read_text("utf8")
    rule = re.search(r'\[data-theme="dark"\] img[^{]*\{[^}]*\}', css)[0]
    assert "filter: none" in rule
    # it has the theme's own selector, so it only wins when it comes last
    for path in SITE.glob("*.html"):
        text = path.read_text("utf8")
        if "sphinx-book-theme.css" in text:
            assert text.rindex("sphinx-book-theme.css") < text.rindex("book.css?v=")


@site
@built
def test_no_page_shows_a_failed_cell():
    for path in parsed():
        assert 'class="output traceback' not in path.read_text("utf8"), path.name


@site
@built
@pytest.mark.parametrize("name", [n for n in contents() if "/" in n])
def test_buttons_lead_to_the_repository_or_are_not_there(name):
    links = parsed()[SITE / f"{name}.html"].links
    colab = [a for a in links if a.startswith("https://colab.research.google.com/")]
    edits = [a for a in links if "/edit/" in a]
    if ADDRESS:
        place = ADDRESS.removeprefix("https://")
        start = "https://colab.research.google.com/" + place.replace(".com", "", 1)
        assert colab == [f"{start}/blob/main/{name}.ipynb"]
        assert edits == [f"{ADDRESS}/edit/main/{name}.py"]
    else:
        assert colab + edits == []


HARNESS = """<body><pre></pre><script>(async () => {
  const report = [];
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.style.cssText = "width:390px;height:844px;border:0";
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; frame.src = page; });
    await new Promise(done => setTimeout(done, 2500));
    const view = frame.contentWindow, html = view.document.documentElement;
    report.push({page, excess: html.scrollWidth - 390,
      foreign: view.performance.getEntriesByType("resource").map(r => r.name)
        .filter(name => !name.startsWith(location.origin)),
      broken: [...view.document.images].filter(i => !i.naturalWidth).map(i => i.src),
      raw: view.document.querySelectorAll(".math:not(:has(mjx-container))").length,
      errors: view.document.querySelectorAll("mjx-merror").length});
    frame.remove();
  }
  document.querySelector("pre").textContent = JSON.stringify(report);
})();</script></body>"""


@pytest.fixture
def served(tmp_path):
    """Serve the site on 127.0.0.1 beside a page that looks at all others."""
    copy = tmp_path / "site"
    shutil.copytree(SITE, copy)
    names = [f"{name}.html" for name in contents()]
    (copy / "harness.html").write_text(HARNESS.replace("PAGES", json.dumps(names)))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Keep the test's output clean."""

    handler = functools.partial(Quiet, directory=copy)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/harness.html"
        server.shutdown()


@site
@built
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to look with")
def test_a_phone_shows_every_page_without_sideways_scrolling(served, tmp_path):
    command = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
        *("--no-first-run", "--disable-background-networking", "--disable-sync"),
        *("--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--virtual-time-budget=90000", "--dump-dom", served),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300
    )
    report = json.loads(re.search(r"<pre>(.*)</pre>", done.stdout)[1])
    assert len(report) == len(contents())
    for found in report:
        assert found["excess"] <= 0, found
        assert not found["foreign"], found
        assert not found["broken"], found
        assert found["raw"] == found["errors"] == 0, found
