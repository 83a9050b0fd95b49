"""Quote computed numbers in prose: the role ``number`` reads ``figures/*.json``.

``{number}`02_comparison:network.psnr:.1f``` is the entry ``psnr`` of ``network`` in
``figures/02_comparison.json``, with one decimal. An unknown name stops the build, so
prose cannot outlive the result it quotes.
"""

import json
import math
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from sbd.companion.claims import look_up


def quote(folder: Path, text: str) -> str:
    """Format the number that a role names.

    Parameters
    ----------
    folder : pathlib.Path
        Where the ``.json`` files lie.
    text : str
        ``record:key`` or ``record:key:format``, with a Python format.

    Returns
    -------
    str
        The number as prose shows it, with a true minus sign.

    Raises
    ------
    ValueError
        If the record, the entry or the format does not exist, or the entry is no
        finite number and no text.
    """
    record, _, rest = text.partition(":")
    key, _, style = rest.partition(":")
    path = folder / f"{record}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json")))
        msg = f"number must name a record, one of {known}; got {record!r}"
        raise ValueError(msg)
    try:
        value = look_up(json.loads(path.read_text("utf8")), key)
        shown = format(value, style)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"number must name an entry of {path.name}; got {text!r}: {error.args[0]}"
        raise ValueError(msg) from None
    if isinstance(value, str):
        return shown
    if not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"number must be finite or text; got {value!r} for {text!r}"
        raise ValueError(msg)
    return shown.replace("-", "\N{MINUS SIGN}")


class NumberRole(SphinxRole):
    """Put a number of ``figures/*.json`` into running text."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the number; an unknown one ends the build."""
        folder = Path(self.env.srcdir) / "figures"
        try:
            shown = quote(folder, self.text)
        except ValueError as error:
            source, line = self.get_source_info()
            msg = f"{source}:{line}: {error}"
            raise ExtensionError(msg) from None
        record = self.text.partition(":")[0]
        self.env.note_dependency(str(folder / f"{record}.json"))
        return [nodes.inline(self.text, shown, classes=["number"])], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role."""
    app.add_role("number", NumberRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
