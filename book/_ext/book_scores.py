"""What ``sbd score`` measures and writes, and the denoisers that it ranked.

====================  ==============================================================
directive             shows
====================  ==============================================================
``{score-sets}``      the sets, from :data:`sbd.audits.score_sets.SETS`
``{score-fields}``    what a score file holds, from :data:`sbd.audits.scoring.FIELDS`
``{leaderboard} set`` a set's denoisers, from ``measured/leaderboard.json``
====================  ==============================================================
"""

import json
from pathlib import Path
from typing import Any

from book_tables import Markdown, table
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

QUALITY = {
    "PSNR (dB)": ("psnr", ".2f"),
    "ahead of the next (dB)": ("ahead of the next", ".2f"),
    "lowest (dB)": ("lowest", ".1f"),
    "SSIM": ("ssim", ".4f"),
}
COLUMNS = {
    "found, of all columns": ("found_share", ".2f"),
    "false, an image": ("false", ".1f"),
    "invented, an image": ("invented", ".1f"),
}
ERRORS = {"ahead of the next": "ahead_error"}


def with_error(row: dict[str, Any], key: str, style: str) -> str:
    """Write a number of a row with its standard error, if it has one."""
    if row.get(key) is None:
        return ""
    text = format(row[key], style)
    error = row.get(ERRORS.get(key, f"{key}_error"))
    if error is not None:
        text += f" \N{PLUS-MINUS SIGN} {error:{style}}"
    return text.replace("-", "\N{MINUS SIGN}")


def leaderboard(content: dict[str, Any], name: str) -> list[str]:
    """Rank the denoisers of one set.

    Parameters
    ----------
    content : dict
        Parsed ``leaderboard.json``.
    name : {"strict", "white", "columns"}
        Which set.

    Returns
    -------
    list of str
        A Markdown table in the order of the file, with the number of images above.

    Raises
    ------
    ValueError
        If the file has no such set.
    """
    if name not in content.get("parts", {}):
        known = ", ".join(content.get("parts", {}))
        msg = f"leaderboard must name one of {known}; got {name!r}"
        raise ValueError(msg)
    shown = COLUMNS if name == "columns" else QUALITY
    rows = [
        [denoiser, *(with_error(row, *how) for how in shown.values())]
        for denoiser, row in content[name].items()
    ]
    head = [f"denoiser, {content['parts'][name]} images", *shown]
    return table(head, rows)


class Leaderboard(Markdown):
    """Show the denoisers of one set, the best first."""

    required_arguments = 1

    def markdown(self) -> list[str]:
        """Read ``measured/leaderboard.json``."""
        path = Path(self.env.srcdir) / "measured" / "leaderboard.json"
        try:
            lines = leaderboard(json.loads(path.read_text("utf8")), self.arguments[0])
        except (OSError, ValueError) as error:
            raise ExtensionError(str(error)) from None
        self.note(path)
        return lines


class ScoreSets(Markdown):
    """List the sets that a denoiser can be scored on."""

    def markdown(self) -> list[str]:
        """Read what the library says of them."""
        from sbd.audits import score_sets

        self.note(Path(score_sets.__file__))
        rows = [[f"`{name}`", words] for name, words in score_sets.SETS.items()]
        return table(["set", "what it holds"], rows)


class ScoreFields(Markdown):
    """List what a score file holds."""

    def markdown(self) -> list[str]:
        """Read what the library says of it."""
        from sbd.audits import scoring

        self.note(Path(scoring.__file__))
        rows = [[f"`{name}`", words] for name, words in scoring.FIELDS.items()]
        return table(["entry", "what it is"], rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("leaderboard", Leaderboard)
    app.add_directive("score-sets", ScoreSets)
    app.add_directive("score-fields", ScoreFields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
