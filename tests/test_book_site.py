"""Check the built site: nothing foreign or broken, fit for phones and the dark."""

import functools
import http.server
import json
import posixpath
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["repository"]["url"]
ASKING = {  # tag: attribute that makes the browser ask for a file
    **dict.fromkeys(["script", "img", "iframe", "source", "video", "embed"], "src"),
    **{"link": "href", "object": "data"},
}
PAGES = re.findall(
    r"(?m)^[ -]*(?:root|file): (\S+)$", (ROOT / "book" / "_toc.yml").read_text("utf8")
)

pytestmark = [
    pytest.mark.site,
    pytest.mark.skipif(
        not (SITE / "index.html").exists(), reason="no _build/html: run `make book`"
    ),
]


class Links(HTMLParser):
    """Collect what a page refers to, and what can be referred to in it."""

    def __init__(self, path):
        super().__init__()
        self.assets, self.links, self.ids, self.images = [], [], set(), []
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if attrs.get(ASKING.get(tag)):
            self.assets.append(attrs[ASKING[tag]])
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img":
            self.images.append(attrs)


@functools.cache
def parsed():
    # the webpack-macros are templates of the theme, not pages
    paths = [p for p in SITE.rglob("*.html") if "webpack-macros" not in p.name]
    return {path: Links(path) for path in paths}


def is_foreign(address):
    return bool(re.match(r"(?:https?:)?//", address))


def test_no_page_asks_another_site_for_anything():
    found = {a for links in parsed().values() for a in links.assets if is_foreign(a)}
    assert found == set()
    for css in SITE.rglob("*.css"):
        urls = re.findall(
            r"(?:url\(|@import)\s*[\"']?([^\"')]+)", css.read_text("utf8")
        )
        assert not [url for url in urls if is_foreign(url)], css.name


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


def test_every_image_has_words_for_those_who_cannot_see_it():
    for path, links in parsed().items():
        for image in links.images:
            alt = (image.get("alt") or "").strip()
            assert alt, f"{path.name}: {image.get('src')}"
            assert not alt.endswith((".png", ".svg")), f"{path.name}: {alt} is a path"


def test_dark_mode_leaves_grey_levels_alone():
    css = (SITE / "_static" / "book.css").read_text("utf8")
    rule = re.search(r'\[data-theme="dark"\] img[^{]*\{[^}]*\}', css)[0]
    assert "filter: none" in rule
    # it has the theme's own selector, so it only wins when it comes last
    for path in SITE.glob("*.html"):
        text = path.read_text("utf8")
        if "sphinx-book-theme.css" in text:
            assert text.rindex("sphinx-book-theme.css") < text.rindex("book.css?v=")


def test_no_page_shows_a_failed_cell():
    for path in parsed():
        assert 'class="output traceback' not in path.read_text("utf8"), path.name


@pytest.mark.parametrize("name", [n for n in PAGES if "/" in n])
def test_buttons_lead_to_the_repository_or_are_not_there(name):
    links = parsed()[SITE / f"{name}.html"].links
    colab = [a for a in links if a.startswith("https://colab.research.google.com/")]
    edits = [a for a in links if "/edit/" in a]
    expected = []
    if ADDRESS:
        place = ADDRESS.removeprefix("https://github.com/")
        colab_page = f"https://colab.research.google.com/github/{place}"
        expected = [
            f"{colab_page}/blob/main/{name}.ipynb",
            f"{ADDRESS}/edit/main/{name}.py",
        ]
    assert colab + edits == expected, "another address: run `make book` again"


HARNESS = """<body><pre></pre><script>(async () => {
  const report = [];
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.style.cssText = "width:390px;height:844px;border:0";
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; frame.src = page; });
    await new Promise(done => setTimeout(done, 2500));
    const view = frame.contentWindow, html = view.document.documentElement;
    report.push({page, excess: html.scrollWidth - html.clientWidth,
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
    names = [f"{name}.html" for name in PAGES]
    (copy / "harness.html").write_text(HARNESS.replace("PAGES", json.dumps(names)))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Keep the test's output clean."""

    handler = functools.partial(Quiet, directory=copy)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/harness.html"
        server.shutdown()


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
    assert len(report) == len(PAGES)
    for found in report:
        assert found["excess"] <= 0, found
        assert not found["foreign"], found
        assert not found["broken"], found
        assert found["raw"] == found["errors"] == 0, found
