"""Settings of the book for Sphinx alone: what Jupyter Book would make of _config.yml.

    python -m sphinx -b html -W -n --keep-going -c book/_sphinx book _build/sphinx

Jupyter Book 1.x is a thin layer over Sphinx, MyST-NB and a theme. The pages, `_toc.yml`
and the extensions in `_ext` need nothing of it; here is the rest. `make sphinx` builds
with this file and compares the two sites; tests/test_book_sphinx.py compares settings.
"""

import sys
from pathlib import Path

import yaml
from sphinx.application import Sphinx

_ROOT = Path(__file__).resolve().parents[2]
_BOOK = _ROOT / "book"
_YAML = yaml.safe_load((_ROOT / "_config.yml").read_text("utf8"))
_OWN = _YAML["sphinx"]["config"]
# of Jupyter Book itself: one declares its settings, the other makes PDFs
_LEFT_OUT = {"jupyter_book", "sphinx_jupyterbook_latex"}
_BUTTONS = {"use_repository_button", "use_edit_page_button", "use_issues_button"}


def _in_book(paths: list[str]) -> list[str]:
    """Paths in _config.yml begin in book/, paths in a conf.py beside it."""
    return [str(_BOOK / path) for path in paths]


sys.path.append(str(_BOOK / "_ext"))

# --- what _config.yml says in Sphinx's own words

globals().update(_OWN)
extensions = [name for name in _OWN["extensions"] if name not in _LEFT_OUT]
html_extra_path = _in_book(_OWN["html_extra_path"])
templates_path = _in_book(_OWN["templates_path"])

# --- what it says in Jupyter Book's words

author = _YAML["author"]
copyright = str(_YAML["copyright"])
html_title = _YAML["title"]
html_logo = str(_BOOK / _YAML["logo"])
html_favicon = str(_BOOK / _YAML["html"]["favicon"])
bibtex_bibfiles = _in_book(_YAML["bibtex_bibfiles"])
myst_enable_extensions = _YAML["parse"]["myst_enable_extensions"]
nb_execution_mode = _YAML["execute"]["execute_notebooks"]
external_toc_path = "_toc.yml"
external_toc_exclude_missing = _YAML["only_build_toc_files"]
html_theme_options = {
    "repository_url": _YAML["repository"]["url"],
    "repository_branch": _YAML["repository"]["branch"],
    "path_to_docs": _YAML["repository"]["path_to_book"],
    "launch_buttons": {
        **{"jupyterhub_url": "", "deepnote_url": "", "thebe": False},
        **_YAML["launch_buttons"],
    },
    "home_page_in_toc": True,
    **dict.fromkeys(_BUTTONS, False),
    **_OWN["html_theme_options"],
}

# --- what Jupyter Book takes for granted

html_theme = "sphinx_book_theme"
html_static_path = _in_book(["_static"])
# in the order in which Jupyter Book finds them
html_css_files = [path.name for path in (_BOOK / "_static").rglob("*.css")]
html_js_files = [path.name for path in (_BOOK / "_static").rglob("*.js")]
html_sourcelink_suffix = ""
pygments_style = "sphinx"
exclude_patterns = ["**.ipynb_checkpoints", ".DS_Store", "Thumbs.db", "_build"]
myst_url_schemes = ["mailto", "http", "https"]
suppress_warnings = ["myst.domains"]


def _lead_home(app: Sphinx, exception: Exception | None) -> None:
    """Let the folder's address lead to the first page."""
    index = Path(app.outdir) / "index.html"
    if exception is None and app.builder.format == "html" and not index.exists():
        address = f"{app.config.root_doc}.html"
        index.write_text(
            f'\n<meta http-equiv="Refresh" content="0; url={address}" />\n'
        )


def setup(app: Sphinx) -> None:
    """Connect what comes after the build."""
    app.connect("build-finished", _lead_home)
