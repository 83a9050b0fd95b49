"""Check that files say how they were made, and that those that do not are refused."""

import base64
import json
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure

import sbd
from sbd.cli import main
from sbd.companion.filing import save_figure
from sbd.provenance import add_to_svg, list_provenance, read_provenance
from sbd.recordings import write_micrograph

NUMBERS = {"source": "simulated", "psnr": 36.2}


@pytest.fixture
def figures(tmp_path):
    """Give a folder with a figure of this project."""
    fig = Figure(figsize=(2, 1))
    fig.subplots().imshow(np.eye(4))
    save_figure(fig, "02_result", NUMBERS, tmp_path)
    return tmp_path


def test_picture_drawing_and_numbers_say_the_same(figures):
    found = read_provenance(figures / "02_result.png")
    assert found["figure"] == "02_result"
    assert found == read_provenance(figures / "02_result.svg")
    assert found == read_provenance(figures / "02_result.json")


def test_numbers_that_were_edited_are_refused(figures):
    (figures / "02_result.json").write_text(json.dumps(NUMBERS | {"psnr": 40.0}))
    with pytest.raises(ValueError, match=r"numbers of 02_result\.png beside it; got"):
        read_provenance(figures / "02_result.json")


def test_a_notebook_says_what_it_and_its_figures_were_made_with(figures):
    picture = base64.b64encode((figures / "02_result.png").read_bytes()).decode()
    about = {"scale": "smoke", "made_from": {"digest": "ab", "parameters": {"seed": 1}}}
    cells = [{"outputs": [{"data": {"image/png": picture}}]}, {"source": "prose"}]
    file = figures / "02_result.ipynb"
    file.write_text(json.dumps({"metadata": {"sbd": about}, "cells": cells}))
    found = read_provenance(file)
    assert (found["scale"], found["digest"]) == ("smoke", "ab")
    assert found["parameters"] == {"seed": 1}
    assert found["figures"] == {"02_result": read_provenance(figures / "02_result.png")}


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".npz", ".mrc"])
def test_a_denoised_image_says_what_it_was_made_of(tmp_path, suffix):
    file = tmp_path / f"denoised{suffix}"
    notes = {"made by": "sbd denoise", "pixel": [0.1, 0.2], "sha256": "ab"}
    write_micrograph(np.ones((4, 5)), file, provenance=notes)
    assert read_provenance(file) == notes


def test_files_that_say_nothing_are_refused(tmp_path):
    PIL.Image.new("L", (2, 2)).save(tmp_path / "plain.png")
    (tmp_path / "plain.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "plain.json").write_text("{}")
    (tmp_path / "plain.ipynb").write_text('{"cells": [], "metadata": {}}')
    np.save(tmp_path / "plain.npy", np.ones((2, 2)))
    for file in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match="file must say how it was made; got"):
            read_provenance(file)


def test_damaged_files_are_refused(figures):
    for suffix in (".png", ".svg", ".json"):
        file = figures / f"half{suffix}"
        whole = (figures / f"02_result{suffix}").read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=f"must be a whole {suffix} file; got"):
            read_provenance(file)


def test_what_is_no_file_and_no_object_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be one that exists; got"):
        read_provenance(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"a JSON object; got .* with a list"):
        read_provenance(tmp_path / "list.json")
    (tmp_path / "notes.doc").write_text("made by hand")
    with pytest.raises(ValueError, match=r"got .*notes\.doc"):
        read_provenance(tmp_path / "notes.doc")


def test_a_drawing_keeps_what_xml_would_read_otherwise(tmp_path):
    told = {"figure": "a < b & ]]> c", "words": "—"}
    plain = b"<svg><metadata>\n </metadata></svg>"
    (tmp_path / "a.svg").write_bytes(add_to_svg(plain, told))
    assert read_provenance(tmp_path / "a.svg") == told
    with pytest.raises(ValueError, match="svg must have metadata; got"):
        add_to_svg(b"<svg/>", told)


def test_nested_names_are_joined():
    told = {"a": {"b": {"c": 1}, "empty": {}}, "list": [1, 2], "no": None}
    assert list(list_provenance(told)) == [
        ("a: b: c", "1"),
        ("a: empty", "none"),
        ("list", "1, 2"),
        ("no", "None"),
    ]


def test_the_command_shows_a_table_or_json(figures, capsys):
    file = str(figures / "02_result.png")
    assert main(["provenance", file]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{file}\n  figure ")
    assert f"  versions: numpy       {np.__version__}\n" in shown
    assert main(["provenance", file, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {file: sbd.read_provenance(file)}


def test_a_notebook_is_shown_with_a_table_for_each_figure(figures, capsys):
    picture = base64.b64encode((figures / "02_result.png").read_bytes()).decode()
    cells = [{"outputs": [{"data": {"image/png": picture}}]}]
    file = figures / "02_result.ipynb"
    about = {"sbd": {"scale": "smoke"}}
    file.write_text(json.dumps({"metadata": about, "cells": cells}))
    assert main(["provenance", str(file)]) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == (str(file), "  scale  smoke")
    assert third == f"{file}: 02_result"


def test_one_file_that_says_nothing_does_not_stop_the_others(figures, capsys):
    file, gone = str(figures / "02_result.png"), str(figures / "gone.png")
    assert main(["provenance", gone, file]) == 1
    said = capsys.readouterr()
    assert "sbd provenance: file must be one that exists; got" in said.err
    assert file in said.out


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _png(told: bytes, side: int = 1) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = {b"IHDR": header, b"tEXt": b"sbd\0" + told, b"IDAT": zlib.compress(b"\0\0")}
    chunks = b"".join(_chunk(*part) for part in (parts | {b"IEND": b""}).items())
    return b"\x89PNG\r\n\x1a\n" + chunks


def _record(output: object) -> bytes:
    return json.dumps({"cells": [{"outputs": [{"data": output}]}]}).encode()


_LISTED = base64.b64encode(_png(b'{"figure":[1]}')).decode()
BROKEN = {
    "far too large.png": _png(b'{"a": 1}', 60_000),
    "nested.png": _png(b"[" * 200_000),
    "nested.json": b"[" * 200_000,
    "encoding.svg": b'<?xml version="1.0" encoding="foo"?><svg/>',
    "entity.svg": b'<!DOCTYPE l [<!ENTITY a SYSTEM "/etc/hosts">]><svg>&a;</svg>',
    "cells.ipynb": b'{"cells": [1]}',
    "metadata.ipynb": b'{"metadata": null}',
    "list.ipynb": b'{"metadata": {"sbd": []}}',
    "number.ipynb": _record({"image/png": 5}),
    "figure.ipynb": _record({"image/png": _LISTED}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_were_built_to_break_are_refused_in_words(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    assert main(["provenance", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("sbd provenance: file must")


@pytest.mark.parametrize(
    "told",
    [
        b'{"figures": [1]}',
        b'{"figures": {"a": 1}}',
        b'{"figures": {"a": {}}}',
        b'{"a":' * 500 + b"1" + b"}" * 500,
        rb'{"a": "\u001b[31mred\nfigure: another", "b": "\ud800"}',
    ],
)
def test_whatever_a_picture_tells_is_shown_and_steers_no_terminal(
    tmp_path, capsys, told
):
    (tmp_path / "a.png").write_bytes(_png(told))
    assert main(["provenance", str(tmp_path / "a.png")]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\nfigure" not in shown
    assert main(["provenance", "--json", str(tmp_path / "a.png")]) == 0
    assert [*json.loads(capsys.readouterr().out).values()] == [json.loads(told)]
