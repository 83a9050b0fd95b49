"""Make every page light, and usable by keyboard, on a phone and with a screen reader.

* A page asks only for the styles and scripts that something on it needs.
* The bibliography is no list with the wrong children.
* ``404.html`` finds its way home from any depth: it carries its own styles.
"""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx

# name of a style or script, and what a page must hold to need it
NEEDED = {
    "sphinx-design": r'class="[^"]*\bsd-',
    "design-tabs": r'class="[^"]*\bsd-tab',
    "mystnb": r'class="[^"]*\b(?:cell|ansi)\b',
    "togglebutton": r'class="[^"]*\b(?:dropdown|toggle)\b',
    "copybutton": r'class="highlight',
    "clipboard": r'class="highlight',
    "sliders": r'class="slider"',
    "mathjax": r'class="[^"]*\bmath\b',
}
INLINE = {
    "toggleHint": "togglebutton",
    "toggleOpen": "togglebutton",
    "window.MathJax": "mathjax",
}


def is_needed(asset: str, body: str) -> bool:
    """Tell whether a page needs a style or a script.

    Parameters
    ----------
    asset : str
        Its file name, or the script itself.
    body : str
        The page [HTML].

    Returns
    -------
    bool
        True for everything that is not known to be left out.

    Examples
    --------
    >>> is_needed("_static/design-tabs.js", "<p>Words.</p>")
    False
    """
    for name, sign in NEEDED.items():
        if name in asset:
            return bool(re.search(sign, body))
    for beginning, name in INLINE.items():
        if beginning in asset:
            return bool(re.search(NEEDED[name], body))
    return True


def lighten(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Leave out what the page does not need, and mend its bibliography."""
    body = context.get("body", "")
    for kind in ("css_files", "script_files"):
        context[kind] = [
            asset
            for asset in context.get(kind, [])
            if is_needed(f"{getattr(asset, 'filename', asset)} {words(asset)}", body)
        ]
    if pages := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *a, **k: name_folds(pages(*a, **k))
    if body:
        context["body"] = body.replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def name_folds(pages: str) -> str:
    """Say what the folds in the list of pages are."""
    return Markup(str(pages).replace("<summary>", '<summary aria-label="Its pages">'))


def words(asset: object) -> str:
    """Return a script that stands in the page itself."""
    return getattr(asset, "attributes", {}).get("body", "")


def lost_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Write the page for addresses that lead nowhere."""
    known = [
        (f"{name}.html", title.astext())
        for name, title in app.env.titles.items()
        if "/" not in name or name.startswith("notebooks/")
    ]
    yield "404", {"known": known}, "lost.html"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect after all others have named their styles and scripts."""
    app.connect("html-page-context", lighten, priority=900)
    app.connect("html-collect-pages", lost_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
