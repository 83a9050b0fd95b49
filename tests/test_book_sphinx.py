"""Check that the book needs no Jupyter Book: settings, a build, and the comparison."""

import contextlib
import io
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

jupyter_book = pytest.importorskip("jupyter_book", reason="it is compared with")

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "book" / "_sphinx" / "conf.py"
SAME = runpy.run_path(str(ROOT / ".ci" / "same_site.py"))
FORBIDDEN = ("jupyter_book", "sphinx_jupyterbook_latex")
# what only Jupyter Book reads, what only PDFs need, and what is Sphinx's own default
ELSEWHERE = {
    *("use_jupyterbook_latex", "use_multitoc_numbering", "latex_engine"),
    *("comments_config", "html_baseurl", "numfig_format", "language"),
    *("nb_execution_allow_errors", "nb_execution_cache_path", "nb_output_stderr"),
    *("nb_execution_excludepatterns", "nb_execution_in_temp", "nb_execution_timeout"),
}
PATHS = {"html_logo", "html_favicon", "html_static_path", "html_extra_path"}
PATHS |= {"templates_path"}
UNUSED = {"announcement", "analytics", "extra_footer"}  # empty, as without them


@pytest.fixture
def ours(monkeypatch):
    """Read the settings, with everything of Jupyter Book out of reach."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    with monkeypatch.context() as without:
        for name in FORBIDDEN:
            without.setitem(sys.modules, name, None)
        return runpy.run_path(str(SETTINGS))


@pytest.fixture
def theirs(monkeypatch):
    """Ask Jupyter Book what it would tell Sphinx."""
    from jupyter_book.config import get_final_config

    monkeypatch.setattr(sys, "path", [*sys.path])
    with contextlib.redirect_stdout(io.StringIO()):
        found, _ = get_final_config(
            user_yaml=ROOT / "_config.yml",
            cli_config={"latex_individualpages": False},
            sourcedir=ROOT / "book",
        )
    return found


def relative(value):
    """Give paths as Jupyter Book does: from book/."""
    if isinstance(value, list):
        return [relative(part) for part in value]
    return str(value).removeprefix(f"{ROOT / 'book'}/")


def test_sphinx_is_told_what_jupyter_book_tells_it(ours, theirs):
    assert len(theirs) > 40
    for name in theirs.keys() - ELSEWHERE - {"extensions", "html_theme_options"}:
        here, there = ours[name], theirs[name]
        if name in PATHS | {"bibtex_bibfiles"}:
            here = relative(here)
        assert here == there, name


def test_what_is_left_to_sphinx_is_what_jupyter_book_would_say(theirs):
    from sphinx.config import Config

    for name in ELSEWHERE & theirs.keys() & Config.config_values.keys():
        if name == "latex_engine":  # for PDFs, which are made from pages
            continue
        default = Config.config_values[name].default
        assert theirs[name] == default, name


def test_the_theme_is_given_the_same_options(ours, theirs):
    here, there = ours["html_theme_options"], theirs["html_theme_options"]
    assert set(there) - set(here) == UNUSED
    assert set(here) <= set(there)
    assert {name: there[name] for name in here} == here
    assert not any(there[name] for name in ("announcement", "extra_footer"))
    plausible = "plausible_analytics_url"  # an address that is used with a domain alone
    assert not any(v for k, v in there["analytics"].items() if k != plausible)


def test_the_same_extensions_are_loaded_but_for_those_of_jupyter_book(ours, theirs):
    left = [name for name in theirs["extensions"] if name not in FORBIDDEN]
    assert ours["extensions"] == left


# --- a build


@pytest.mark.slow
def test_a_book_is_built_alike_where_there_is_no_jupyter_book(tmp_path, monkeypatch):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    monkeypatch.syspath_prepend(ROOT / "tests")
    from test_book import STRICT, build, write_project

    (tmp_path / "book").mkdir()
    text = "{number}`00_one:network.psnr:.1f` dB, $x^2$, [next](notebooks/00_one.ipynb)"
    write_project(tmp_path, text=text)
    shutil.copytree(SETTINGS.parent, tmp_path / "book" / "_sphinx")
    assert build(tmp_path, *STRICT).returncode == 0
    code = f"""
import sys
sys.modules.update(dict.fromkeys({FORBIDDEN}))
from sphinx.cmd.build import main
options = "-q -b html -a -E -W -n --keep-going -c book/_sphinx -d _build/.sphinx"
sys.exit(main([*options.split(), "book", "_build/sphinx"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sites = [tmp_path / "_build" / name for name in ("html", "sphinx")]
    assert ">36.7<" in (sites[1] / "intro.html").read_text("utf8")
    assert "intro.html" in (sites[1] / "index.html").read_text("utf8")
    assert SAME["compare"](*sites) == 0


# --- the comparison

PAGE = (
    '<nav>menu</nav><article><h1>A<a href="#a">#</a></h1><p>one two<br>three'
    '<span class="math notranslate">x</span></p><img src="a.png"></article>end'
)


def test_a_page_is_its_article():
    article = SAME["Article"](PAGE)
    assert article.words == ["A", "#", "one", "two", "three", "x"]
    wanted = dict.fromkeys(["headings", "figures", "links", "equations"], 1)
    assert SAME["counts"](article) == {"words": 6, **wanted, "tables": 0, "code": 0}
    assert SAME["differences"](PAGE, PAGE.replace("menu", "other")) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("two", "too", "words: 'two three x' became 'too three x'"),
        ('<img src="a.png">', "", "figures: 1 became 0, without ['a.png'], with []"),
        ("a.png", "b.png", "figures: 1 became 1, without ['a.png'], with ['b.png']"),
        ("#a", "#b", "links: 1 became 1, without ['#a'], with ['#b']"),
        ("math notranslate", "plain", "equations: 1 became 0"),
    ],
)
def test_what_differs_is_named(old, new, words):
    (found,) = SAME["differences"](PAGE, PAGE.replace(old, new))
    assert words in found


def test_a_missing_page_and_another_picture_are_differences(tmp_path, capsys):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.html").write_text(PAGE)
        (tmp_path / name / "a.png").write_text(name)
    (tmp_path / "one" / "b.html").write_text(PAGE)
    assert SAME["compare"](tmp_path / "one", tmp_path / "other") == 2
    shown = capsys.readouterr().out
    assert f"b.html: only in {tmp_path / 'one'}" in shown
    assert "a.png: another file" in shown


SITES = [ROOT / "_build" / name for name in ("html", "sphinx")]


@pytest.mark.site
@pytest.mark.skipif(
    not all((site / "index.html").exists() for site in SITES),
    reason="two sites are compared: run `make site` and `make sphinx`",
)
def test_the_two_sites_are_equal_page_by_page():
    assert SAME["compare"](*SITES) == 0
