"""The page that denoises in the browser: ``{live}``, ``{live-number}``, and its files.

A page that was opened from a disk may load scripts and nothing else. So every file of
``book/_live`` that it needs, and the weights as the package has them, become scripts
that hold base64. They are loaded when a button is pressed.
"""

import base64
import json
import shutil
from pathlib import Path

from book_numbers import quote
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

RUNTIME = ["ort-wasm-simd-threaded.wasm.gz", "ort-wasm-simd-threaded.mjs"]
GRAPHS = ["estimate.onnx.gz", "row.onnx.gz", "erase.onnx.gz"]
MADE = [*GRAPHS, "scenes.bin.gz", "reference.bin.gz"]
SCRIPTS = ["live.js", "judge.js", "counts.js", "ort.wasm.min.js"]
COPIED = [*SCRIPTS, "live.css", "LICENSE-onnxruntime"]


def list_files(folder: Path) -> dict[str, Path]:
    """List what is loaded at the press of the button.

    Parameters
    ----------
    folder : pathlib.Path
        ``book/_live``.

    Returns
    -------
    dict of str to pathlib.Path
        Where each is.
    """
    about = json.loads((folder / "about.json").read_text("utf8"))
    weights = folder.parents[1] / "sbd" / "assets" / "weights"
    names = [about[network]["file"] for network in ("weights", "eraser")]
    made = {name: folder / name for name in [*RUNTIME, *MADE]}
    return {name: weights / name for name in names} | made


def widget(folder: Path) -> str:
    """Write the part of the page that scripts work on.

    Parameters
    ----------
    folder : pathlib.Path
        ``book/_live``.

    Returns
    -------
    str
        HTML.
    """
    about = json.loads((folder / "about.json").read_text("utf8"))
    files = list_files(folder)
    sizes = {name: len(_script(name, path)) for name, path in files.items()}
    told = json.dumps(about | {"files": list(files), "sizes": sizes})
    told = told.replace("</", "<\\/")  # nothing in it may end the script
    text = (folder / "widget.html").read_text("utf8")
    data = f'<script type="application/json" id="live-about">{told}</script>\n'
    return data + text


def _script(name: str, path: Path) -> str:
    letters = base64.b64encode(path.read_bytes()).decode()
    return f'(self.sbdLive??={{}})["{name}"]="{letters}";\n'


class Live(SphinxDirective):
    """Show what denoises in the browser."""

    def run(self) -> list[nodes.Node]:
        """Put the HTML into the page."""
        folder = Path(self.env.srcdir) / "_live"
        for path in (*list_files(folder).values(), *folder.iterdir()):
            self.env.note_dependency(str(path))
        return [nodes.raw("", widget(folder), format="html")]


class LiveNumber(SphinxRole):
    """Quote what ``book/_live/about.json`` says."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read an entry; an unknown one ends the build."""
        folder = Path(self.env.srcdir) / "_live"
        try:
            shown = quote(folder, f"about:{self.text}")
        except ValueError as error:
            raise ExtensionError(str(error)) from None
        return [nodes.inline(self.text, shown, classes=["number"])], []


def bring_files(app: Sphinx, error: Exception | None) -> None:
    """Write the scripts beside the built page, if the book has it."""
    folder = Path(app.srcdir) / "_live"
    if error or app.builder.format != "html" or "live" not in app.env.found_docs:
        return
    target = Path(app.outdir) / "_static" / "live"
    target.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copyfile(folder / name, target / name)
    for name, path in list_files(folder).items():
        (target / f"{name}.js").write_text(_script(name, path), "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("live", Live)
    app.add_role("live-number", LiveNumber())
    app.connect("build-finished", bring_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
