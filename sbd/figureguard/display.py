"""Give every Matplotlib figure that a notebook displays its digest."""

import base64
from typing import TYPE_CHECKING, Any

from sbd.figureguard.digests import DIGEST_KEY, Digest, picture_hash

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

_FIGURE = ("matplotlib.figure", "Figure")
_PNG = "image/png"


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Store a digest in the metadata of every figure that is displayed from now on.

    IPython calls it for ``%load_ext sbd.figureguard``. How the pictures are made
    is left as it is: by ``plt.show()``, at the end of a cell, or by ``display``.

    Parameters
    ----------
    shell : InteractiveShell
        That of the notebook, of IPython.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> from matplotlib.figure import Figure
    >>> shell = InteractiveShell()
    >>> load_ipython_extension(shell)
    >>> fig = Figure()
    >>> _ = fig.subplots()
    >>> _, metadata = shell.display_formatter.format(fig)
    >>> list(metadata)
    ['sbd_digest']
    """
    formatter = shell.display_formatter

    def describe(
        fig: "Figure",
        include: Any = None,  # noqa: ANN401, ARG001, IPython passes them
        exclude: Any = None,  # noqa: ANN401, ARG001
    ) -> tuple[dict, dict]:
        if not fig.axes and not fig.lines:  # IPython shows no picture of these
            return {}, {}
        return {}, {DIGEST_KEY: _digest(fig, formatter.formatters[_PNG])}

    formatter.mimebundle_formatter.for_type_by_name(*_FIGURE, describe)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """Store no more digests; IPython calls it for ``%unload_ext sbd.figureguard``.

    Parameters
    ----------
    shell : InteractiveShell
        That of the notebook, of IPython.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> shell = InteractiveShell()
    >>> load_ipython_extension(shell)
    >>> unload_ipython_extension(shell)
    """
    from matplotlib.figure import Figure

    shell.display_formatter.mimebundle_formatter.pop(Figure, None)


def _digest(fig: "Figure", draw_png: Any) -> Digest:  # noqa: ANN401
    """Describe a figure as it is when it has been drawn."""
    from sbd.figureguard.artists import digest_figure

    png = draw_png(fig)  # the same call that makes the picture, so the same bytes
    if png is None:  # the notebook shows SVG, JPEG or PDF: no two have the same bytes
        fig.canvas.draw()
        return {**digest_figure(fig), "mime": None, "picture": None}
    png = png[0] if isinstance(png, tuple) else png
    png = base64.b64decode(png) if isinstance(png, str) else png
    return {**digest_figure(fig), "mime": _PNG, "picture": picture_hash(png)}
