"""Check the book's sources, its small extensions, and that a flaw is a red build."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("jupyter_book", reason="the book needs the extra [book]")
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
PAGES = sorted([*BOOK.glob("*.md"), *BOOK.glob("api/*.md")])
page = pytest.mark.parametrize(
    "path", PAGES, ids=lambda path: f"{path.parent.stem}-{path.stem}"
)


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
    there = [path.relative_to(BOOK).with_suffix("").as_posix() for path in PAGES]
    there += [f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb")]
    assert sorted(contents()) == sorted(there)


def test_every_measured_file_is_shown_on_one_page():
    texts = [path.read_text("utf8") for path in PAGES]
    shown = re.findall(r"(?m)^`{3}\{measured\} (\S+)$", "\n".join(texts))
    assert sorted(shown) == sorted(p.stem for p in (BOOK / "measured").glob("*.json"))


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


def test_every_part_of_mathjax_that_is_loaded_is_there():
    config = CONFIG["sphinx"]["config"]
    folder = (BOOK / "_extra" / "_static" / config["mathjax_path"]).parent
    for part in config["mathjax3_config"]["loader"]["load"]:
        file = part.replace("[tex]", "input/tex/extensions")
        assert (folder / f"{file}.js").exists(), part


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


CLAIM = """
- {id: far, kind: claim, says: It is far better., where: abstract, page: PAGE,
   ours: [{what: ours, value: "figures/00_one:KEY", unit: dB, exact: true, above: 36}]}
"""


def write_project(root, *, cell=RUN, text="Fine.", key="network.psnr", page=None):
    """Make the smallest project with the real configuration and extensions."""
    for name in ("_ext", "_static", "_extra", "_templates"):
        shutil.copytree(BOOK / name, root / "book" / name)
    shutil.copy(BOOK / "references.bib", root / "book")
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\n"
        "chapters:\n  - file: claims\n  - file: notebooks/00_one\n"
    )
    (root / "book" / "intro.md").write_text(f"# Cover\n\n{text}\n")
    title = {"cell_type": "markdown", "metadata": {}, "source": "# One"}
    python = {"language_info": {"name": "python"}}
    record = {"cells": [title, cell], "metadata": python, "nbformat": 4}
    for folder in ("notebooks", "figures"):
        (root / folder).mkdir()
    path = root / "notebooks" / "00_one.ipynb"
    path.write_text(json.dumps(record | {"nbformat_minor": 4}))
    (root / "figures" / "00_one.json").write_text('{"network": {"psnr": 36.74}}')
    claim = CLAIM.replace("KEY", key).replace("PAGE", page or "notebooks/00_one")
    (root / "book" / "claims.yml").write_text(claim)
    (root / "book" / "claims.md").write_text(
        "# Claims\n\n```{overview}\n```\n\n```{claims} claim\n```\n"
    )
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
    from sbd.data.registry import ITEMS, SERVER

    tables = extension("book_tables")
    text = (BOOK / "data.md").read_text("utf8")
    ways = re.findall(r"\{data-items\} (.*)", text)
    lines = [x for way in ways for x in tables.data_items(ITEMS.values(), way, SERVER)]
    shown = "\n".join(lines)
    for item in ITEMS.values():
        assert f"`{item.name}`" in shown
        assert item.licence in shown
        assert item.digest is None or item.digest in shown


def test_the_leaderboard_shows_scores_with_their_errors(extension):
    row = {"psnr": 40.067, "psnr_error": 0.278, "lowest": 36.8, "ssim": 0.99171}
    ahead = {"ahead of the next": 0.11, "ahead_error": 0.02}
    content = {"parts": {"strict": "20 of 60"}}
    content["strict"] = {"network": row | ahead, "constant": row}
    shown = extension("book_scores").leaderboard(content, "strict")
    assert shown[0].startswith("| denoiser, 20 of 60 images | PSNR (dB) |")
    network = (
        "| network | 40.07 \N{PLUS-MINUS SIGN} 0.28 | 0.11 \N{PLUS-MINUS SIGN} 0.02"
    )
    assert shown[2] == f"{network} | 36.8 | 0.9917 |"
    assert "|  | 36.8 |" in shown[3]
    with pytest.raises(ValueError, match="must name one of strict; got 'white'"):
        extension("book_scores").leaderboard(content, "white")


def test_a_card_of_weights_shows_every_entry_and_draws_the_curve(extension):
    card = {
        "data": "simulated",
        "training": {"learning_rate": 2e-3, "steps": 20_000},
        "curve": [{"step": 0, "psnr": 33.0}, {"step": 500, "psnr": 36.5}],
    }
    text = "\n".join(extension("book_weights").weights_card(card))
    assert "| training: learning rate | 0.002 |" in text
    assert "| training: steps | 20,000 |" in text
    assert 'points="40.0,180.0 600.0,40.0"' in text
    assert "from 33.0 dB at step 0 to 36.5 dB at step 500" in text


def test_a_curve_without_levels_is_refused(extension):
    with pytest.raises(ValueError, match="points with step and psnr; got"):
        extension("book_weights").learning_curve([{"step": 1}])


def test_meaning_and_unit_come_from_the_docstring(extension):
    from sbd.companion.parameters import Scale

    words = extension("book_tables").described(Scale)
    assert words["grid"].startswith("Samples of the 50 angstrom box")
    assert list(words) == ["name", "crop", "draws", "grid", "train_steps"]


# --- measured files


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (40.813, 0.178, "40.81 ± 0.18"),  # to the second digit of the error
        (94.4, 38.7, "94 ± 39"),
        (45_600_000.0, 42_440_000.0, "46,000,000 ± 42,000,000"),
        (9.29, 0.2, "9.29 ± 0.20"),
        (37.2, 0.1, "37.2 ± 0.1"),  # no digit that the file has not
        (-0.021, 0.032, "\N{MINUS SIGN}0.021 ± 0.032"),
        (6.29, 0.0, "6.29 ± 0.00"),
        (17_955, None, "17,955"),
        (2.5e-06, None, "2.5 \N{MULTIPLICATION SIGN} 10⁻⁶"),
        (None, None, "\N{EN DASH}"),
        (True, None, "yes"),
        ([727, 687], None, "727 \N{MULTIPLICATION SIGN} 687"),
    ],
)
def test_a_number_is_rounded_by_its_error(extension, value, error, shown):
    measured = extension("book_measured")
    assert measured.shown(measured.Cell(value, error)) == shown


def test_a_dropped_zero_is_put_back_but_no_digit_is_made_up(extension):
    measured = extension("book_measured")
    column = [measured.Cell(value) for value in (39.93, 38.1, 122.0, 0.0)]
    digits = measured.decimals([*column, measured.Cell(0.123)])
    assert digits == 3
    assert measured.shown(column[0], digits) == "39.930"
    assert measured.shown(column[1], digits) == "38.1"
    assert measured.shown(column[3], digits) == "0.000"


@pytest.mark.parametrize(
    "entry",
    [
        {"psnr": 40.8, "standard_error": 0.2},
        {"psnr": {"mean": 40.8, "standard error": 0.2}},
        {"psnr": 40.8, "psnr_error": 0.2},
        {"psnr": 40.8, "error of psnr": 0.2},
        {"psnr": 40.8, "psnr, standard error": 0.2},
        {"psnr": {"value": 40.8, "standard_error": 0.2}},
    ],
    ids=str,
)
def test_a_standard_error_finds_its_value(extension, entry):
    measured = extension("book_measured")
    assert measured.cells(entry) == {"psnr": measured.Cell(40.8, 0.2)}


def leaves(entry):
    """List the single values of a file, standard errors and all."""
    if isinstance(entry, dict | list):
        values = entry.values() if isinstance(entry, dict) else entry
        return [leaf for value in values for leaf in leaves(value)]
    return [entry]


@pytest.mark.parametrize(
    "path", sorted((BOOK / "measured").glob("*.json")), ids=lambda path: path.stem
)
def test_no_value_of_a_measured_file_is_lost_in_its_tables(extension, path):
    measured = extension("book_measured")
    numbers = json.loads(path.read_text("utf8"))
    tables = measured.tables(numbers)
    cells = [c for t in tables for row in t.rows.values() for c in row.values()]
    held = leaves([cell.value for cell in cells]) + [cell.error for cell in cells]
    titles = " ".join(table.title for table in tables)  # some facts stand in them
    texts = " ".join(value for value in held if isinstance(value, str))
    for value in leaves(numbers):
        assert (
            value in held
            or measured.shown(measured.Cell(value)) in titles
            or (isinstance(value, str) and value in texts)
        )
    assert all(len(table.columns) <= measured.WIDEST for table in tables)


def test_rows_of_one_kind_make_one_table(extension):
    measured = extension("book_measured")
    numbers = {
        "seed": 0,
        "strict test": {
            "all": {"images": 300} | {name: {"psnr": 40.2} for name in "abcdefgh"},
        },
    }
    facts, table = measured.tables(numbers)
    assert (facts.title, facts.rows) == ("Seed 0", {})
    assert table.title == "strict test: all (images 300)"
    assert list(table.rows) == list("abcdefgh")


def test_a_column_that_no_row_has_is_refused(extension):
    with pytest.raises(
        ValueError, match="columns must name entries of a row; got ssim"
    ):
        extension("book_measured").chosen({"network": {"psnr": 40.2}}, "ssim")


# --- pages that are light and usable


@pytest.mark.parametrize(
    ("asset", "body", "needed"),
    [
        ("_static/sphinx-design.min.css", "<p>Words.</p>", False),
        ("_static/sphinx-design.min.css", '<div class="sd-card">', True),
        ("_static/mathjax/startup.js", '<section class="mathjax_ignore">', False),
        ("_static/mathjax/startup.js", '<span class="math notranslate">', True),
        ("None window.MathJax = {}", "", False),
        ("_static/book.css", "", True),
    ],
)
def test_a_page_asks_only_for_what_it_needs(extension, asset, body, needed):
    assert extension("book_looks").is_needed(asset, body) is needed


def test_every_room_of_the_library_has_a_page(extension):
    api = extension("book_api")
    promised = api.promised_names(ROOT / "sbd" / "__init__.pyi")
    rooms = {path.parent.name for path in (ROOT / "sbd").glob("*/__init__.pyi")}
    assert rooms | set(promised) == set(api.ROOMS)
    for room in api.ROOMS:
        assert f"{{public-names}} {room}\n" in (BOOK / f"api/{room}.md").read_text(
            "utf8"
        )


def test_the_page_of_a_room_begins_with_what_is_promised_and_ends_with_errors(
    extension,
):
    lines = extension("book_api").describe(
        "data", ["DataUnavailableError", "fetch"], ["Item"]
    )
    first = [line for line in lines if line.startswith((".. auto", "##"))]
    assert first == [
        "## Promised",
        ".. autofunction:: sbd.data.fetch",
        ".. autoexception:: sbd.data.DataUnavailableError",
        "## More",
        ".. autoclass:: sbd.data.Item",
    ]


def test_code_cells_fold_together_up_to_one_that_shows_something(extension):
    from docutils import nodes

    folding = extension("book_folding")

    def cell(code, *, output=False, tag=""):
        made = nodes.container(nb_element="cell_code", cell_metadata={"tags": [tag]})
        source = nodes.container(nb_element="cell_code_source")
        source += nodes.literal_block("", code)
        made += source
        if output:
            made += nodes.container(nb_element="cell_code_output")
        return made

    section = nodes.section()
    section += [
        cell("scale = 1", tag="parameters"),
        cell("import sbd\nfig = 1", output=True),
        cell("2"),
        nodes.paragraph("", "Words."),
        cell("3", tag="show-input"),
        cell("4"),
    ]
    labels = [folding.label(run) for run in folding.runs(section)]
    assert labels == [
        "Show parameters and code (3 lines)",
        "Show code (1 line)",
        "Show code (1 line)",
    ]


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
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", "book/", *options]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False
    )


STRICT = ("-W", "-n", "--keep-going", "--all")


@pytest.mark.slow
def test_a_sound_book_is_built(tmp_path, monkeypatch):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    (tmp_path / "book").mkdir()
    write_project(tmp_path, text="{number}`00_one:network.psnr:.1f` dB")
    done = build(tmp_path, *STRICT)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = tmp_path / "_build/html"
    assert ">36.7<" in (pages / "intro.html").read_text("utf8")
    for page in ("claims.html", "notebooks/00_one.html"):  # where it is listed, tested
        text = (pages / page).read_text("utf8")
        assert "verdict-reproduced" in text
        assert "36.74 dB" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "options", "message"),
    [
        ({"cell": RUN | {"outputs": [FAILED]}}, (), "ValueError: no atoms"),
        ({"text": "{number}`00_one:ssim:.1f`"}, (), "no entry 'ssim'"),
        ({"text": "[gone](gone.md)"}, STRICT, "gone.md"),
        ({"key": "network.ssim"}, (), "a claim must name an entry of figures/00_one"),
        ({"page": "gone"}, (), "must name a page of the book; got gone"),
    ],
    ids=["failed cell", "unknown number", "broken link", "no evidence", "no page"],
)
def test_a_flaw_makes_the_build_red(tmp_path, monkeypatch, flaw, options, message):
    monkeypatch.delenv("SBD_BOOK_RECORDS", raising=False)
    (tmp_path / "book").mkdir()
    write_project(tmp_path, **flaw)
    done = build(tmp_path, *options)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
