"""Check the built site: nothing foreign or broken, fit for phones and the dark.

With ``SBD_AXE`` set to the file ``axe.min.js`` of axe-core 4, its rules are asked too.
"""

import functools
import html
import http.server
import json
import os
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

HEAVIEST = 1_500_000  # bytes of a page and all that it asks for, but its images
FIRST = 900  # pixels: the height of the window in which a figure has to begin

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
        self.controls, self.open, self.math = [], None, False
        self.labelled, self.within = set(), 0
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
        self.math |= "math" in (attrs.get("class") or "").split()
        if tag == "label":
            self.labelled.add(attrs.get("for"))
            self.within += "for" not in attrs
        if tag in ("button", "summary", "select", "textarea", "input"):
            name = attrs.get("aria-label") or attrs.get("title") or ""
            name = name or ("its label" if self.within else "")
            self.controls.append([tag, attrs, name])
            self.open = self.controls[-1] if tag in ("button", "summary") else None

    def handle_data(self, data):
        if self.open:
            self.open[2] += data.strip()

    def handle_endtag(self, tag):
        if tag == "label":
            self.within = 0
        if self.open and tag == self.open[0]:
            self.open = None


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


def test_every_control_says_what_it_does():
    for path, links in parsed().items():
        for tag, attrs, name in links.controls:
            # the theme opens its sidebars with hidden boxes, which no keyboard reaches
            if "sidebar-toggle" in (attrs.get("class") or "") and tag == "input":
                continue
            known = name or attrs.get("id") in links.labelled
            assert known, f"{path.name}: {tag} {attrs}"


def test_mathematics_is_set_only_where_there_is_any():
    for path, links in parsed().items():
        loaded = any("mathjax" in asset for asset in links.assets)
        assert loaded == links.math, path.name


def test_no_icon_font_and_no_icon_script_is_asked_for():
    for path, links in parsed().items():
        assert not [a for a in links.assets if "fontawesome" in a], path.name


@pytest.mark.parametrize("name", [n for n in PAGES if n.startswith("notebooks/")])
def test_every_figure_and_table_is_there_without_scripts(name):
    folder = os.environ.get("SBD_BOOK_RECORDS", "")
    cells = json.loads((ROOT / folder / f"{name}.ipynb").read_text("utf8"))["cells"]
    shown = [o.get("data", {}) for cell in cells for o in cell.get("outputs", [])]
    pictures = sum(any(kind.startswith("image/") for kind in data) for data in shown)
    page = parsed()[SITE / f"{name}.html"]
    assert sum("_images/" in i["src"] for i in page.images) >= pictures > 0
    tables = sum("".join(data.get("text/html", "")).count("<table") for data in shown)
    text = (SITE / f"{name}.html").read_text("utf8")
    assert text.count("<table") >= tables


def test_code_is_folded_but_for_cells_that_ask_to_stay_open():
    for name in (n for n in PAGES if n.startswith("notebooks/")):
        text = (SITE / f"{name}.html").read_text("utf8")
        opened = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
        assert opened.count('class="cell_input') == text.count("tag_show-input"), name


def test_no_page_of_the_library_begins_with_a_traceback():
    for name in (n for n in PAGES if n.startswith("api/")):
        text = (SITE / f"{name}.html").read_text("utf8")
        example = re.search(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)
        without = {"api/companion", "api/provenance", "api/reports"}
        if name not in without:
            words = html.unescape(re.sub(r"<[^>]*>", "", example[1]))
            assert not re.match(r">>> .*\n(?:\.\.\. .*\n)*Traceback", words), name


def test_a_lost_reader_gets_a_page_that_asks_for_no_file():
    page = parsed()[SITE / "404.html"]
    assert page.assets == []
    assert "intro.html" in page.links


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
  const report = [], wait = time => new Promise(done => setTimeout(done, time));
  const open = async address => {
    const frame = document.createElement("iframe");
    frame.style.cssText = "width:390px;height:844px;border:0";
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; frame.src = address; });
    await wait(2500);
    return frame;
  };
  const isPicture = entry => /[.](png|svg|jpg|ico)$/.test(entry.name.split("?")[0]);
  const hidden = view => [...view.document.querySelectorAll("article *")].filter(box =>
    ["auto", "scroll"].includes(view.getComputedStyle(box).overflowX) &&
    box.scrollWidth > box.clientWidth + 1 && box.clientWidth && box.tabIndex < 0 &&
    !box.querySelector("a, button, summary, [tabindex]"));
  for (const page of PAGES) {
    const frame = await open(page);
    const view = frame.contentWindow, html = view.document.documentElement;
    const loaded = view.performance.getEntriesByType("resource");
    const found = {page, excess: html.scrollWidth - html.clientWidth,
      said: view.said,
      files: [...new Set(loaded.filter(entry => !isPicture(entry))
        .map(entry => new URL(entry.name).pathname))],
      hidden: hidden(view).map(box => box.outerHTML.slice(0, 200)),
      foreign: loaded.map(r => r.name)
        .filter(name => !name.startsWith(location.origin)),
      broken: [...view.document.images].filter(i => !i.naturalWidth).map(i => i.src),
      raw: view.document.querySelectorAll(".math:not(:has(mjx-container))").length,
      errors: view.document.querySelectorAll("mjx-merror").length};
    frame.style.width = "1440px";
    frame.style.height = "900px";
    await wait(300);
    // where it stands once the page has taken its new width and its pictures
    const figure = () => [...view.document.querySelectorAll("article img")].find(
      image => image.complete && image.getBoundingClientRect().width > 150);
    const place = () => figure()?.getBoundingClientRect().top + view.scrollY;
    let before = NaN, tries = 0;
    while (view.document.querySelector("article img") && tries++ < 40 &&
        (view.innerWidth !== 1440 || place() !== before)) {
      before = place();
      await wait(500);
    }
    if (figure()) found.first = place();
    const box = view.document.querySelector(".search-button-field");
    const seen = box.getBoundingClientRect();
    found.search = seen.width > 0 && seen.top >= 0 && seen.bottom <= 900;
    box.focus();
    if (AXE) {
      const script = view.document.createElement("script");
      script.src = location.origin + "/axe.js";
      view.document.head.append(script);
      await new Promise(done => { script.onload = done; });
      found.axe = [];
      view.document.head.append(Object.assign(view.document.createElement("style"),
        {textContent: "* { transition: none !important; }"}));
      for (const theme of ["light", "dark"]) {
        html.dataset.theme = theme;
        await wait(500);
        const result = await view.axe.run(view.document, {preload: false});
        for (const rule of result.violations)
          if (["serious", "critical"].includes(rule.impact))
            found.axe.push([theme, rule.id, rule.nodes.length,
              rule.nodes[0].html.slice(0, 200)]);
      }
    }
    report.push(found);
    frame.remove();
  }
  const lost = await open("no/such/page.html");
  report.push([...lost.contentWindow.document.links].map(link => link.href));
  document.querySelector("pre").textContent = JSON.stringify(report);
})();</script></body>"""
LISTENER = """<script>
  window.said = [];
  addEventListener("error",
    event => said.push(String(event.message || event.target.src)), true);
  const complain = console.error;
  console.error = (...words) => { said.push(words.join(" ")); complain(...words); };
</script>"""


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Serve the site on 127.0.0.1 and look at all of its pages with one Chromium."""
    folder = tmp_path_factory.mktemp("looked")
    copy = folder / "site"
    shutil.copytree(SITE, copy)
    for page in copy.rglob("*.html"):  # they report what goes wrong in them
        text = page.read_text("utf8")
        page.write_text(text.replace("<head>", f"<head>{LISTENER}", 1), "utf8")
    axe = os.environ.get("SBD_AXE")
    if axe:
        shutil.copy(axe, copy / "axe.js")
    names = json.dumps([f"{name}.html" for name in PAGES])
    harness = HARNESS.replace("PAGES", names).replace("AXE", json.dumps(bool(axe)))
    (copy / "harness.html").write_text(harness)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Keep the test's output clean."""

        def send_error(self, code, *_):
            """Show the page for the lost, as static hosts do."""
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write((copy / "404.html").read_bytes())

    handler = functools.partial(Quiet, directory=copy)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = look(f"{address}/harness.html", folder / "profile")
        server.shutdown()
    *pages, links = found
    return pages, [link.removeprefix(address) for link in links]


def look(address, profile):
    """Open a page that looks at others, and return what it found."""
    command = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
        *("--no-first-run", "--disable-background-networking", "--disable-sync"),
        *("--disable-component-update", f"--user-data-dir={profile}"),
        *("--virtual-time-budget=600000", "--dump-dom", address),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=600
    )
    return json.loads(html.unescape(re.search(r"<pre>(.*)</pre>", done.stdout)[1]))


chromium = pytest.mark.skipif(
    not shutil.which("chromium"), reason="no chromium to look with"
)


@pytest.mark.slow
@chromium
def test_a_phone_shows_every_page_without_sideways_scrolling(looked_at):
    report, _ = looked_at
    assert len(report) == len(PAGES)
    for found in report:
        assert found["excess"] <= 0, found
        assert not found["foreign"], found
        assert not found["broken"], found
        assert found["raw"] == found["errors"] == 0, found


@pytest.mark.slow
@chromium
def test_no_page_complains_and_none_is_heavy(looked_at):
    for found in looked_at[0]:
        assert found["said"] == [], found
        files = [found["page"], *found["files"]]
        assert "/_static/scripts/bootstrap.js" in files
        weight = sum((SITE / file.lstrip("/")).stat().st_size for file in files)
        assert weight < HEAVIEST, (found["page"], weight)


@pytest.mark.slow
@chromium
def test_what_scrolls_is_reached_by_keyboard_and_search_is_in_sight(looked_at):
    for found in looked_at[0]:
        assert found["hidden"] == [], found
        assert found["search"], found


@pytest.mark.slow
@chromium
def test_the_first_figure_of_a_page_is_in_the_first_window(looked_at):
    notebooks = [f for f in looked_at[0] if f["page"].startswith("notebooks/")]
    late = {f["page"][:-5] for f in notebooks if f.get("first", FIRST + 1) > FIRST}
    assert late == set()


@pytest.mark.slow
@chromium
def test_a_lost_reader_finds_home_from_any_depth(looked_at):
    assert "/intro.html" in looked_at[1]
    assert not [link for link in looked_at[1] if link.startswith("/no/")]


@pytest.mark.slow
@chromium
@pytest.mark.skipif(not os.environ.get("SBD_AXE"), reason="SBD_AXE names no axe.min.js")
def test_axe_finds_nothing_serious(looked_at):
    for found in looked_at[0]:
        assert found["axe"] == [], found
