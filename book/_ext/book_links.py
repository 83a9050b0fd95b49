"""Give the header's buttons the right addresses, or leave them out."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

# notebooks are written as .py and shown as .ipynb: suggest edits to what is written
NOTEBOOK_EDIT = (
    "{{ github_url }}/{{ github_user }}/{{ github_repo }}/edit/{{ github_version }}/"
    "{{ file_name | replace('.ipynb', '.py') }}"
)


def choose_buttons(_app: Sphinx, config: Config) -> None:
    """Show the buttons that lead to the repository only when its address is known."""
    options = config.html_theme_options
    known = bool(options.get("repository_url"))
    if not known:
        options.pop("launch_buttons", None)
    for button in ("use_repository_button", "use_edit_page_button"):
        options[button] = known
    options["use_issues_button"] = known


def point_to_sources(
    _app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Let "suggest edit" open ``book/page.md`` or ``notebooks/name.py``."""
    if page.startswith("notebooks/"):
        if "github_url" in context:
            context["edit_page_url_template"] = NOTEBOOK_EDIT
            context["edit_page_provider_name"] = "GitHub"
    else:
        context["doc_path"] = "book"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both before the theme draws its header (priority 501)."""
    # Jupyter Book always sets it; sphinx_comments, which declares it, is left out
    app.add_config_value("comments_config", {}, "html", dict)
    app.connect("config-inited", choose_buttons)
    app.connect("html-page-context", point_to_sources, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
