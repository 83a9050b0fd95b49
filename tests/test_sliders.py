"""Check the sliders of the book: what the directives take, and the pages at work."""

import importlib
import io
import json
import re
import runpy
import shutil
from pathlib import Path

import PIL.Image
import pytest
from PIL.PngImagePlugin import PngInfo

pytest.importorskip("sphinx", reason="the book needs the extra [book]")
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
MEASURED = runpy.run_path(str(ROOT / "book" / "measured" / "live.py"))
GREY = "0.10 to 0.90 electrons per pixel"
LABELS = ("counts", "a < b", "network")


def write_frame(folder, number, *, size=(6, 4), name="09_one", **texts):
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    path = folder / f"{name}.{number:02d}.png"
    PIL.Image.new("L", size).save(path, pnginfo=info)
    return path


def write_frames(folder, labels=LABELS):
    folder.mkdir(exist_ok=True)
    for i, label in enumerate(labels):
        write_frame(folder, i, Label=label, Grey=GREY)


@pytest.fixture
def sliders(monkeypatch):
    """Import the extension as Sphinx does."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    return importlib.import_module("book_sliders")


# --- frames


def test_frames_come_in_their_order_with_what_they_say(sliders, tmp_path):
    write_frames(tmp_path)
    write_frame(tmp_path, 0, name="09_one-other", Label="of another", Grey=GREY)
    (tmp_path / "09_one.png").write_bytes(b"the figure itself")
    frames = sliders.read_frames(tmp_path, "09_one")
    assert [frame.label for frame in frames] == list(LABELS)
    assert {(frame.grey, frame.size) for frame in frames} == {(GREY, (6, 4))}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"size": (6, 5)}, r"must agree in size; got \(6, 4\) and \(6, 5\)"),
        ({"Grey": "0 to 1"}, "must agree in grey; got 0 to 1 and 0.10 to"),
        ({"Label": "counts"}, "must differ in their labels"),
        ({"Label": ""}, r"09_one.01.png must say its label; got none"),
        ({"Grey": ""}, "must say its grey; got none"),
    ],
)
def test_frames_that_cannot_be_compared_are_refused(sliders, tmp_path, changed, words):
    write_frames(tmp_path)
    write_frame(tmp_path, 1, **({"Label": "other", "Grey": GREY} | changed))
    with pytest.raises(ValueError, match=words):
        sliders.read_frames(tmp_path, "09_one")


# --- directives


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build a page of one directive, and return its HTML."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")

    def run(name, *options, figure="09_one", caption="All of *them*."):
        source = tmp_path / "book"
        source.mkdir(exist_ok=True)
        write_frames(source / "figures")
        lines = [f"```{{{name}}} {figure}", *options, caption, "```"]
        (source / "index.md").write_text("# One\n\n" + "\n".join(lines) + "\n")
        warned = io.StringIO()
        with docutils_namespace():
            Sphinx(
                *(source, None, tmp_path / "out", tmp_path / "trees", "html"),
                confoverrides={"extensions": ["myst_parser", "book_sliders"]},
                status=None, warning=warned, freshenv=True,
            ).build()  # fmt: skip
        assert warned.getvalue() == ""
        return (tmp_path / "out" / "index.html").read_text("utf8")

    return run


ABOUT = (":label: Two images", ":alt: A particle")


def test_the_page_holds_every_frame_with_its_label_and_its_words(build, tmp_path):
    page = build("compare", *ABOUT)
    assert re.findall(r'alt="(A particle: [^"]*)"', page) == [
        "A particle: counts", "A particle: a &lt; b", "A particle: network"
    ]  # fmt: skip
    found = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert found == ["counts", "a &lt; b", "network"]
    for name in re.findall(r'src="(_images/09_one[^"]*)"', page):
        assert (tmp_path / "out" / name).is_file()
    assert "All of <em>them</em>." in page
    assert f"One grey scale for all, from black to white: {GREY}." in page


def test_the_script_is_told_what_to_begin_with(build):
    tag = re.search(r'<div class="slider"[^>]*>', build("compare", *ABOUT))[0]
    for words in ('role="group"', 'aria-label="Two images"', 'data-kind="compare"'):
        assert words in tag
    assert 'data-left="0" data-right="2"' in tag
    assert "--slider-ratio: 6 / 4" in tag
    chosen = build("compare", *ABOUT, ":left: network", ":right: a < b")
    assert 'data-left="2" data-right="1"' in chosen
    assert 'data-first="1"' in build("series", *ABOUT, ":first: a < b")
    assert 'data-first="0"' in build("series", *ABOUT)


@pytest.mark.parametrize(
    ("name", "options", "figure", "words"),
    [
        ("series", ABOUT, "09_two", "name a figure with frames; got '09_two' with 0"),
        ("series", ABOUT, "../figures/09_one", "must name a figure with frames; got"),
        ("series", ABOUT[:1], "09_one", ":alt: must say what is shown; got none"),
        ("compare", ABOUT[1:], "09_one", ":label: must say what is shown; got none"),
        ("series", (*ABOUT, ":first: 6 nm"), "09_one",
         ":first: must be one of counts, a < b, network; got 6 nm"),
        ("compare", (*ABOUT, ":left: net"), "09_one", ":left: must be one of counts"),
        ("compare", (*ABOUT, ":left: network"), "09_one",
         ":right: must be another than :left:; got network"),
    ],
)  # fmt: skip
def test_a_slider_that_cannot_be_ends_the_build(build, name, options, figure, words):
    with pytest.raises(ExtensionError, match=rf"index, {name}: .*{re.escape(words)}"):
        build(name, *options, figure=figure)


def test_an_option_of_the_other_directive_is_a_warning(build):
    with pytest.raises(AssertionError, match="left"):
        build("series", *ABOUT, ":left: counts")


@pytest.mark.usefixtures("sliders")
def test_only_pages_with_a_slider_ask_for_its_script():
    looks = importlib.import_module("book_looks")
    for asset in ("_static/sliders.js", "_static/sliders.css"):
        assert looks.is_needed(asset, '<div class="slider" role="group">')
        assert not looks.is_needed(asset, "<p>Words about a slider.</p>")


# --- the built pages at work

PAGES = {
    path.stem: re.findall(r"(?m)^# ```\{(series|compare)\} (\S+)$", text)
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.py"))
    if "# ```{" in (text := path.read_text("utf8"))
}
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, "Tab": 9}
ABOUT_PAGE = """(() => {
  const html = document.documentElement, seen = box => {
    const style = getComputedStyle(box), place = box.getBoundingClientRect();
    return style.display !== "none" && style.visibility === "visible" && place.width > 50;
  };
  return {
    excess: html.scrollWidth - html.clientWidth,
    ready: document.querySelectorAll(".slider.ready").length,
    frames: document.querySelectorAll(".slider-frame").length,
    seen: [...document.querySelectorAll(".slider-frame")].filter(seen)
      .map(frame => frame.querySelector("figcaption").textContent),
    labels: [...document.querySelectorAll(".slider-frame figcaption")].filter(seen).length,
    clipped: [...document.querySelectorAll(".slider-frame")]
      .map(frame => getComputedStyle(frame).clipPath),
    wide: [...document.querySelectorAll(".slider, .slider *")].filter(box =>
      box.getBoundingClientRect().right > innerWidth + 1).length,
    broken: [...document.images].filter(image => image.complete && !image.naturalWidth).length,
    fields: [...document.querySelectorAll(".slider-fields :is(input, select)")].map(field =>
      [field.labels[0].textContent, field.getAttribute("aria-valuetext")]),
  };
})()"""  # noqa: E501

at_work = [
    pytest.mark.site,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SITE / "index.html").exists(), reason="no _build/html: run `make book`"
    ),
    pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to look with"),
]


@pytest.fixture(scope="module")
def tab():
    with MEASURED["browser"]() as tab:
        yield tab


def look(tab, page, *, scripts=True, width=1200, media="screen"):
    """Open a page from the disk, without a network, and say what is on it."""
    off = {"value": not scripts}
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    tab.ask("Emulation.setScriptExecutionDisabled", **off)
    tab.ask("Emulation.setDeviceMetricsOverride", **size)
    tab.ask("Emulation.setEmulatedMedia", media=media)
    tab.events.clear()
    tab.open(SITE / "notebooks" / f"{page}.html")
    return tab.run(ABOUT_PAGE)


def press(tab, key, times=1):
    for _ in range(times):
        for kind in ("keyDown", "keyUp"):
            code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            tab.ask("Input.dispatchKeyEvent", type=kind, **code)


def focus(tab, field):
    tab.run(f"document.querySelector('.slider-fields {field}').focus()")


def kinds(kind):
    return [page for page, found in PAGES.items() if kind in dict(found)]


class TestSlidersAtWork:
    """In headless Chromium, from a file, with the network off."""

    pytestmark = at_work

    def test_there_are_pages_with_sliders(self):
        assert kinds("series")
        assert kinds("compare")

    @pytest.mark.parametrize("page", kinds("series"))
    def test_arrow_keys_step_through_a_series(self, tab, page):
        about = look(tab, page)
        assert len(about["seen"]) == about["ready"] == 1
        labels = tab.run(
            "[...document.querySelectorAll('.slider-frame figcaption')]"
            ".map(label => label.textContent)"
        )
        begun = labels.index(about["seen"][0])
        focus(tab, "input")
        for key, times, at in (
            ("ArrowRight", 2, begun + 2), ("ArrowLeft", 1, begun + 1),
            ("End", 1, len(labels) - 1), ("ArrowRight", 1, len(labels) - 1),
            ("Home", 1, 0),
        ):  # fmt: skip
            press(tab, key, times)
            about = tab.run(ABOUT_PAGE)
            assert about["seen"] == [labels[at]]
            assert about["fields"][0][1] == labels[at]
            word = tab.run("document.querySelector('.slider-word').textContent")
            assert word == labels[at]

    @pytest.mark.parametrize("page", kinds("compare"))
    def test_arrow_keys_move_the_divider(self, tab, page):
        about = look(tab, page)
        assert len(about["seen"]) == 2
        assert sum("inset" in clip for clip in about["clipped"]) == 2
        focus(tab, "input")
        told = []
        for key, share in (("ArrowRight", 51), ("Home", 0), ("End", 100)):
            press(tab, key)
            about = tab.run(ABOUT_PAGE)
            assert about["fields"][0][1].startswith(f"{share} % ")
            told.append(about["clipped"])
        assert len({json.dumps(clipped) for clipped in told}) == 3

    @pytest.mark.parametrize("page", kinds("compare"))
    def test_dragging_moves_the_divider(self, tab, page):
        look(tab, page)
        tab.run(
            "document.querySelector('.slider').scrollIntoView("
            "{block: 'center', behavior: 'instant'})"
        )
        box = tab.run(
            "(({left, top, width, height}) => ({left, top, width, height}))"
            "(document.querySelector('.slider-frames').getBoundingClientRect())"
        )
        row = box["top"] + box["height"] / 2
        button = {"button": "left", "buttons": 1, "y": row}
        for kind, share in (
            ("mousePressed", 0.4), ("mouseMoved", 0.25), ("mouseReleased", 0.25)
        ):  # fmt: skip
            at = box["left"] + share * box["width"]
            tab.ask("Input.dispatchMouseEvent", type=kind, x=at, clickCount=1, **button)
        about = tab.run(ABOUT_PAGE)
        # the mouse is on whole pixels, the divider on whole per cent
        share = float(about["fields"][0][1].split()[0])
        assert share == pytest.approx(25, abs=1)

    @pytest.mark.parametrize("page", kinds("compare"))
    def test_what_is_chosen_twice_changes_sides(self, tab, page):
        first = look(tab, page)["fields"][0][1]
        script = """(() => {
          const [left, right] = document.querySelectorAll('.slider-fields select');
          left.selectedIndex = right.selectedIndex;
          left.dispatchEvent(new Event('change'));
        })()"""
        tab.run(script)
        names = re.fullmatch(r"50 % (.*), 50 % (.*)", first).groups()
        swapped = tab.run(ABOUT_PAGE)["fields"][0][1]
        assert swapped == f"50 % {names[1]}, 50 % {names[0]}"

    @pytest.mark.parametrize("page", PAGES)
    def test_every_field_has_its_label_and_is_seen_when_it_has_the_focus(
        self, tab, page
    ):
        about = look(tab, page)
        assert about["fields"]
        assert all(label.strip() for label, _ in about["fields"])
        focus(tab, "input")
        press(tab, "ArrowRight")  # from now on the keyboard is in use
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert tab.run(outline) == "solid"

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("how", [{"scripts": False}, {"media": "print"}])
    def test_without_scripts_and_on_paper_every_image_is_shown(self, tab, page, how):
        about = look(tab, page, **how)
        assert len(about["seen"]) == about["labels"] == about["frames"] > 1
        assert set(about["clipped"]) == {"none"}
        assert about["broken"] == 0
        shown = "[...document.querySelectorAll('.slider-fields')]"
        assert not tab.run(f"{shown}.some(box => box.offsetHeight)")

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("scripts", [True, False])
    def test_a_phone_shows_a_slider_without_sideways_scrolling(
        self, tab, page, scripts
    ):
        about = look(tab, page, width=390, scripts=scripts)
        assert about["ready"] == scripts
        assert about["excess"] <= 0
        assert about["wide"] == 0

    @pytest.mark.parametrize("page", PAGES)
    def test_nothing_fails_and_nothing_foreign_is_asked_for(self, tab, page):
        look(tab, page)
        assert tab.faults() == []
        methods = [event.get("method") for event in tab.events]
        sent = [
            event["params"]["request"]["url"]
            for event in tab.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        assert {url.partition(":")[0] for url in sent} <= {"file", "data"}
        assert sum("sliders.js" in url for url in sent) == 1
        failed = [
            event["params"]
            for event in tab.events
            if event.get("method") == "Network.loadingFailed"
            and event["params"]["type"] != "Font"  # kept from pages on a disk
        ]
        assert "Network.loadingFinished" in methods
        assert failed == []
