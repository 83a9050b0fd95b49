"""File a figure: the picture, the drawing, the numbers, and where they come from."""

import base64
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

from sbd.companion.frames import read_limits
from sbd.companion.provenance import describe_figure
from sbd.figureguard.artists import digest_figure
from sbd.figureguard.digests import DIGEST_KEY, Digest, picture_hash
from sbd.files import write_bytes, write_text
from sbd.plotting.images import DPI
from sbd.provenance import KEY, add_to_svg

Numbers: TypeAlias = dict[str, Any]
"""What a figure claims: names to numbers, strings, or lists and dicts of them."""

FRAMES_KEY = "sbd_frames"
"""Where the hashes of a figure's frames are in the metadata of its output."""

_LARGEST_RGB = 700_000  # bytes; a larger picture is brought to 256 colours
_LARGEST_PNG = 1_000_000  # bytes; a notebook stays under 1.5 MB in base64
_LARGEST_SVG = 1_000_000  # bytes; above it, the picture says the same
_LARGEST_FRAMES = 600_000  # bytes of all frames of a figure: they load with the page


def save_figure(
    fig: Figure,
    name: str,
    numbers: Numbers,
    folder: str | Path = "figures",
    *,
    exact: bool = True,
    frames: Mapping[str, Figure] | None = None,
) -> Numbers:
    """Write a figure and, beside it, the numbers it shows; display it in a notebook.

    Writes ``{name}.png`` at 150 dots per inch and, if it stays under 1 MB,
    ``{name}.svg``, which both say how they were made (`sbd.read_provenance`), and
    ``{name}.json`` last. In a notebook, the
    picture is displayed with a digest of what is drawn in the output's metadata, which
    the figure guard compares.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The drawing.
    name : str
        Stem of the files: that of the notebook, then a hyphen and a word for every
        figure but the first, as in ``"02_result"`` and ``"02_result-table"``.
    numbers : dict
        What the figure claims, already rounded to the digits that are stable. By
        custom ``"source"`` says which images were used.
    folder : str or pathlib.Path, default "figures"
        Where the files go. A plain relative name is looked up from the project's
        root, the closest folder upward that holds ``notebooks``; one that begins with
        a dot is relative to the current folder. The environment variable
        ``SBD_FIGURES`` wins over both.
    exact : bool, default True
        Whether a picture of many colours keeps them all, up to 700 kB. For charts 256
        will do: only the edges of the lines differ, and the file is a third as large.
    frames : dict of str to matplotlib.figure.Figure, optional
        Grey images of one size and one grey scale, by label, that a slider of the book
        steps through. Written as ``{name}.00.png``, ``{name}.01.png``, ...; not
        displayed, but their digests are part of that of the figure.

    Returns
    -------
    dict
        `numbers` as they were filed, so that a notebook's last line shows them and
        nbval compares them.

    Raises
    ------
    TypeError
        If `numbers` holds something that is neither number, text, list nor dict.
    ValueError
        If a number is not finite, `name` is no file name, the picture is too large for
        a notebook, or `frames` cannot be compared or are too large for a page.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(Figure(), "00_nothing", {"source": "simulated"}, folder)
    {'source': 'simulated'}
    """
    if not re.fullmatch(r"\w[\w-]*", name):
        msg = f"name must be made of letters, digits, _ and -; got {name!r}"
        raise ValueError(msg)
    numbers = {key: _plain(value, key) for key, value in numbers.items()}
    target = _resolve(folder)
    text = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    provenance = describe_figure(name)
    texts = {
        "Title": name,
        "Source": provenance["notebook"],
        "Description": json.dumps(numbers),
        "Software": f"{provenance['software']}, Matplotlib {mpl.__version__}",
        KEY: json.dumps(provenance),
    }
    png = _encode(_render(fig), texts, _LARGEST_RGB if exact else 0)
    svg = add_to_svg(_draw(fig, texts), provenance)
    stills = _encode_frames(frames, name, texts) if frames is not None else {}
    write_bytes(target / f"{name}.png", png)
    if len(svg) < _LARGEST_SVG:
        write_bytes(target / f"{name}.svg", svg)
    else:
        (target / f"{name}.svg").unlink(missing_ok=True)
    for old in target.glob(f"{name}.[0-9]*.png"):
        old.unlink()
    for file, still in stills.items():
        write_bytes(target / file, still)
    write_text(target / f"{name}.json", text)
    digest = {**digest_figure(fig), "numbers": numbers, "picture": picture_hash(png)}
    if frames:
        digest["frames"] = [
            {"label": label, **digest_figure(frame)} for label, frame in frames.items()
        ]
    _display(png, name, digest, {f: picture_hash(still) for f, still in stills.items()})
    return numbers


def _plain(value: Any, name: str) -> Any:  # noqa: ANN401
    """Return a value as JSON holds it, or say why it cannot be filed."""
    if isinstance(value, dict):
        return {str(key): _plain(v, f"{name}.{key}") for key, v in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(v, f"{name}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | str):
        msg = f"numbers must be numbers or text; got {type(value).__name__} in {name}"
        raise TypeError(msg)
    if isinstance(value, float) and not math.isfinite(value):
        msg = f"numbers must be finite; got {value} in {name}"
        raise ValueError(msg)
    return value


def _resolve(folder: str | Path) -> Path:
    """Find the folder that figures go to."""
    forced = os.environ.get("SBD_FIGURES")
    if forced:
        return Path(forced)
    dotted = str(folder).startswith(".")
    folder = Path(folder).expanduser()
    if dotted or folder.is_absolute():
        return folder
    here = Path.cwd()
    roots = (up for up in (here, *here.parents) if (up / "notebooks").is_dir())
    return next(roots, here) / folder


def _render(fig: Figure) -> PIL.Image.Image:
    """Draw the pixels of a figure."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return PIL.Image.open(buffer).convert("RGB")


def _encode(picture: PIL.Image.Image, texts: dict[str, str], largest: int) -> bytes:
    """Compress a picture, to 256 colours if they are enough or it is too large."""
    info = _note(texts)

    def compress(image: PIL.Image.Image) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "png", optimize=True, pnginfo=info, dpi=(DPI, DPI))
        return buffer.getvalue()

    few = _few_colours(picture)
    png = compress(few)
    if not np.array_equal(few.convert("RGB"), picture):
        full = compress(picture)
        png = full if len(full) <= largest else png
    if len(png) > _LARGEST_PNG:
        msg = (
            f"fig must fit into a notebook, in {_LARGEST_PNG / 1e3:.0f} kB; got "
            f"{len(png) / 1e3:.0f} kB: make it smaller or show fewer noisy pixels"
        )
        raise ValueError(msg)
    return png


def _encode_frames(
    frames: Mapping[str, Figure], name: str, texts: dict[str, str]
) -> dict[str, bytes]:
    """Draw and compress frames, each with its label and the ends of the grey scale."""
    low, high = read_limits(frames)
    grey = {"Grey": f"{low:.2f} to {high:.2f} electrons per pixel"}
    files = {}
    for i, (label, frame) in enumerate(frames.items()):
        about = {**texts, "Title": f"{name}.{i:02d}", "Label": label, **grey}
        buffer, picture = io.BytesIO(), _render(frame).convert("L")
        picture.save(buffer, "png", optimize=True, pnginfo=_note(about), dpi=(DPI, DPI))
        files[f"{name}.{i:02d}.png"] = buffer.getvalue()
    size = sum(map(len, files.values()))
    if size > _LARGEST_FRAMES:
        msg = (
            f"frames must fit into a page, in {_LARGEST_FRAMES / 1e3:.0f} kB; got "
            f"{size / 1e3:.0f} kB: make them smaller or fewer"
        )
        raise ValueError(msg)
    return files


def _note(texts: dict[str, str]) -> PngInfo:
    """Put texts into the form in which a PNG takes them."""
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    return info


def _few_colours(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Bring a picture to its 256 most telling colours, without dithering."""
    methods, dither = PIL.Image.Quantize, PIL.Image.Dither
    return picture.quantize(256, method=methods.MEDIANCUT, dither=dither.NONE)


def _draw(fig: Figure, texts: dict[str, str]) -> bytes:
    """Draw a figure as SVG, the same bytes every time."""
    metadata = {key: texts[key] for key in ("Title", "Source", "Description")}
    metadata |= {"Creator": texts["Software"], "Date": None}
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "sbd"}):
        fig.savefig(buffer, format="svg", dpi=DPI, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def _display(png: bytes, name: str, digest: Digest, frames: dict[str, str]) -> None:
    """Show the picture in a notebook, with the digest of what was drawn.

    The hashes of its `frames`, which the notebook does not hold, stand beside it.
    """
    shell: Callable[[], object] = getattr(
        sys.modules.get("IPython"), "get_ipython", lambda: None
    )
    if shell() is None:
        return
    from IPython.display import publish_display_data

    data = {
        "image/png": base64.b64encode(png).decode(),
        "text/plain": f"<Figure {name}>",
    }
    metadata: dict[str, Any] = {DIGEST_KEY: digest}
    if frames:
        metadata[FRAMES_KEY] = frames
    publish_display_data(data, metadata=metadata)
