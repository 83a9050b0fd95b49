"""What a file says of how it was made: figures, records, and images that were written.

A figure carries it in a text chunk of the PNG, or in the ``metadata`` of the SVG; an
executed notebook in its own metadata; an image of `sbd denoise` where its format has
room (`sbd.recordings.writing`).
"""

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

KEY = "sbd"
"""Name of the PNG's text chunk, and of the metadata of a notebook."""

NAMESPACE = "urn:sbd:provenance"
"""Of the element in the ``metadata`` of an SVG, whose text is JSON."""

UNKNOWN = "unknown"
"""What stands where nobody can tell."""


def read_provenance(file: str | Path) -> dict[str, Any]:
    """Read what a file says of how it was made.

    Parameters
    ----------
    file : str or pathlib.Path
        A figure (.png or .svg) of this project, the .json of its numbers, which lies
        beside it, an executed notebook (.ipynb), or an image that `sbd denoise` or
        `sbd.recordings.write_micrograph` wrote (.tif, .npz, .mrc, .hspy).

    Returns
    -------
    dict
        As it stands in the file. For a figure: ``figure``, ``notebook``, ``software``,
        ``commit`` (with a + where the code was changed since), ``code`` (digests of the
        notebook's cells and of the library that it used), ``scale``, ``seeds``,
        ``parameters``, ``data`` and ``weights`` (digests by name), ``device`` and
        ``versions``. A notebook has its figures under ``figures``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, of another kind, or says nothing of its making.
    ImportError
        If it takes rosettasciio to read it, and that is not installed.

    Examples
    --------
    >>> read_provenance("figure.png")
    Traceback (most recent call last):
    FileNotFoundError: file must be one that exists; got figure.png
    """
    file = Path(file)
    if not file.is_file():
        msg = f"file must be one that exists; got {file}"
        raise FileNotFoundError(msg)
    reader = _READERS.get(file.suffix.lower(), _read_image)
    found = reader(file)
    if not found:
        msg = (
            f"file must say how it was made; got {file}, which does not (only figures, "
            "records and images that this library wrote do)"
        )
        raise ValueError(msg)
    return found


def list_provenance(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List it as (name, value), nested names joined by a colon.

    Parameters
    ----------
    provenance : Mapping
        What `read_provenance` returns.

    Yields
    ------
    tuple of str
        Name and value, as ``("versions: numpy", "2.4.6")``.

    Examples
    --------
    >>> list(list_provenance({"scale": "smoke", "seeds": {"seed": 0}}))
    [('scale', 'smoke'), ('seeds: seed', '0')]
    """
    todo = [*reversed(provenance.items())]
    while todo:
        name, value = todo.pop()
        if isinstance(value, Mapping) and value:
            inner = reversed(value.items())
            todo += ((f"{name}: {below}", each) for below, each in inner)
        elif isinstance(value, Mapping):
            yield name, "none"
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        else:
            yield name, str(value)


def add_to_svg(svg: bytes, provenance: Mapping[str, Any]) -> bytes:
    """Put it into the ``metadata`` of a drawing of Matplotlib."""
    text = escape(json.dumps(provenance))
    element = f'<provenance xmlns="{NAMESPACE}">{text}</provenance>\n </metadata>'
    before, end, after = svg.partition(b"</metadata>")
    if not end:
        msg = f"svg must have metadata; got {svg[:40]!r}"
        raise ValueError(msg)
    return before + element.encode() + after


def _read_png(file: Path) -> dict[str, Any]:
    return _parse_png(file.read_bytes(), file)


def _parse_png(content: bytes, file: Path) -> dict[str, Any]:
    """Read the text chunk of a picture; `file` is for the message."""
    import PIL.Image

    bomb = PIL.Image.DecompressionBombError  # far more pixels than a figure has
    try:
        with PIL.Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            told = getattr(picture, "text", {}).get(KEY)
    except (OSError, SyntaxError, ValueError, bomb) as error:  # PIL: broken chunks
        raise _damaged(file, error) from error
    return _parse_json(told, file)


def _read_svg(file: Path) -> dict[str, Any]:
    try:
        root = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # encodings too
        raise _damaged(file, error) from error
    return _parse_json(root.findtext(f".//{{{NAMESPACE}}}provenance"), file)


def _read_notebook(file: Path) -> dict[str, Any]:
    """Read the metadata of a record, and what each of its pictures says."""
    notebook = _load(file)
    try:
        return _read_cells(notebook, file)
    except (AttributeError, KeyError, TypeError) as error:  # parts of another kind
        raise _damaged(file, error) from error


def _read_cells(notebook: dict[str, Any], file: Path) -> dict[str, Any]:
    about = notebook.get("metadata", {}).get(KEY, {})
    made_from = about.get("made_from", {})
    found = {key: about[key] for key in ("scale", "seed", "source") if key in about}
    if "digest" in made_from:
        found["digest"] = made_from["digest"]
        found["parameters"] = made_from.get("parameters", {})
    figures = {}
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture:
                content = base64.b64decode("".join(picture))
                said = _parse_png(content, file)
                figures |= {said["figure"]: said} if "figure" in said else {}
    return found | ({"figures": figures} if figures else {})


def _read_numbers(file: Path) -> dict[str, Any]:
    """Read what the picture beside the numbers says, if they are the same numbers."""
    numbers = _load(file)
    picture = file.with_suffix(".png")
    if not picture.is_file():
        return {}
    import PIL.Image

    found = _read_png(picture)
    with PIL.Image.open(picture) as opened:
        shown = _parse_json(opened.text.get("Description"), picture)
    if shown != numbers:
        msg = (
            f"file must hold the numbers of {picture.name} beside it; got {file} with "
            "others (it was edited, or belongs to another figure)"
        )
        raise ValueError(msg)
    return found


def _read_image(file: Path) -> dict[str, Any]:
    """Read the notes of an image or a stack."""
    from sbd.recordings import read_micrograph

    return read_micrograph(file).metadata.get(KEY, {})


def _load(file: Path) -> dict[str, Any]:
    return _parse_json(file.read_bytes(), file)


def _parse_json(text: str | bytes | None, file: Path) -> dict[str, Any]:
    """Read a JSON object; nothing where there is no text."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, error) from error
    if not isinstance(value, dict):
        msg = f"file must hold a JSON object; got {file} with a {type(value).__name__}"
        raise ValueError(msg)
    return value


def _damaged(file: Path, error: Exception) -> ValueError:
    kind = file.suffix.lower()
    return ValueError(f"file must be a whole {kind} file; got {file} ({error})")


_READERS = {
    ".png": _read_png,
    ".svg": _read_svg,
    ".ipynb": _read_notebook,
    ".json": _read_numbers,
}
