"""The card of trained weights: ``{weights-card} path``, made from a JSON file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from book_measured import Fold
from book_tables import Markdown, plain, table
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

WIDTH, HEIGHT, MARGIN = 640, 220, 40  # of the drawing [SVG units]


def weights_card(card: dict[str, Any]) -> list[str]:
    """Show what is known about trained weights.

    Parameters
    ----------
    card : dict
        Parsed JSON; a nested dict becomes a group of rows, ``"curve"`` a drawing.

    Returns
    -------
    list of str
        A Markdown table, and the curve of training if the card has one.
    """
    rows = []
    for key, value in card.items():
        if key == "curve":
            continue
        if isinstance(value, dict):
            rows += [[f"{key}: {name}", plain(entry)] for name, entry in value.items()]
        else:
            rows.append([key, plain(value)])
    lines = table(["entry", "value"], [[k.replace("_", " "), v] for k, v in rows])
    if card.get("curve"):
        lines += ["", *learning_curve(card["curve"])]
    return lines


def learning_curve(curve: Sequence[dict[str, float]]) -> list[str]:
    """Draw the PSNR on validation images against the optimiser's steps.

    Parameters
    ----------
    curve : sequence of dict
        Points with ``step`` and ``psnr`` [dB].

    Returns
    -------
    list of str
        Lines of HTML: a drawing in the text's colour, with words for those who cannot
        see it.

    Raises
    ------
    ValueError
        If a point lacks either.
    """
    try:
        steps = [float(point["step"]) for point in curve]
        levels = [float(point["psnr"]) for point in curve]
    except (KeyError, TypeError):
        msg = f"curve must hold points with step and psnr; got {curve[0]}"
        raise ValueError(msg) from None
    low, high = min(levels), max(levels)
    right, bottom = WIDTH - MARGIN, HEIGHT - MARGIN
    spots = " ".join(
        f"{MARGIN + (right - MARGIN) * step / (steps[-1] or 1):.1f},"
        f"{bottom - (bottom - MARGIN) * (level - low) / ((high - low) or 1):.1f}"
        for step, level in zip(steps, levels, strict=True)
    )
    words = (
        f"Training curve: PSNR on validation images, from {levels[0]:.1f} dB "
        f"at step {steps[0]:,.0f} to {levels[-1]:.1f} dB at step {steps[-1]:,.0f}."
    )
    return [
        "<figure>",
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}"',
        ' style="max-width: 100%" fill="none" stroke="currentColor">',
        f'<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" opacity="0.5"/>',
        f'<polyline points="{spots}" stroke-width="2"/>',
        '<g fill="currentColor" stroke="none" font-size="13">',
        f'<text x="0" y="{MARGIN + 4}">{high:.1f}</text>',
        f'<text x="0" y="{bottom + 4}">{low:.1f}</text>',
        f'<text x="{right}" y="{bottom + 20}" text-anchor="end">',
        f"{steps[-1]:,.0f} steps</text></g></svg>",
        f"<figcaption>{words}</figcaption>",
        "</figure>",
    ]


class WeightsCard(Markdown):
    """Show the card of trained weights: the curve, and the rest in a fold."""

    required_arguments = 1

    def markdown(self) -> list[str]:
        """Read the JSON file, its path counted from the project's root."""
        path = Path(self.env.srcdir).parent / self.arguments[0]
        try:
            lines = weights_card(json.loads(path.read_text("utf8")))
        except (OSError, ValueError) as error:
            msg = f"weights-card must name a card of the project; got {path}: {error}"
            raise ExtensionError(msg) from None
        self.note(path)
        return lines

    def run(self) -> list[nodes.Node]:
        """Put the table into a fold below the curve."""
        fold, rest = Fold(label="Everything on the card"), []
        for node in super().run():
            if isinstance(node, nodes.table):
                fold += node
            else:
                rest.append(node)
        return [*rest, fold]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("weights-card", WeightsCard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
