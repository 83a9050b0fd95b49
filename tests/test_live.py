"""Check the page that denoises in the browser: its files, and the page at work."""

import importlib
import json
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from live_page import (
    ABOUT,
    LIVE,
    PAGE,
    ROOT,
    SIDE,
    at_work,
    clean_images,
    fill,
    node,
    opened_page,
    press,
    settle,
    text,
    unpacked,
)

import sbd
from sbd.files import sha256

WEIGHTS = ROOT / "sbd" / "assets" / "weights" / ABOUT["weights"]["file"]
# float32 has 6e-8; dozens of layers and sums in another order make it some 1e-6
TOLERANCE = ABOUT["tolerance"]


def reference():
    """Counts, what Python made of them, and a filter, as the page has them."""
    data = unpacked("reference.bin.gz")
    cut = SIDE**2
    counts = np.frombuffer(data[:cut], np.uint8).reshape(SIDE, SIDE)
    denoised = np.frombuffer(data[cut : 5 * cut], "<f4").reshape(SIDE, SIDE)
    row = np.frombuffer(data[5 * cut :], "<f4").reshape(2 * [ABOUT["bins"]])
    return counts, denoised, row


def add_up(counts):
    n = ABOUT["binning"]
    means = counts.reshape(ABOUT["bins"], n, ABOUT["bins"], n).mean((1, 3))
    return means.astype(np.float32)[None, None]


# --- files


def test_everything_was_made_of_the_weights_that_are_the_default():
    again = "`make live`: the default weights are others now"
    assert sha256(WEIGHTS) == ABOUT["weights"]["digest"], again


def test_the_clean_images_are_those_of_the_test_split():
    scenes = {s.title: s for s in sbd.held_out_scenes(frame=(SIDE, SIDE))}
    for label, clean in zip(ABOUT["scenes"], clean_images(), strict=True):
        scene = scenes[label["name"]]
        assert np.abs(scene.clean - clean).max() <= 0.5001 / ABOUT["levels"]
        pixel = np.prod(scene.specimen.pixel) ** 0.5
        assert label["pixel"] == pytest.approx(pixel, abs=5e-6)  # as rounded


def test_python_still_makes_of_the_counts_what_the_page_compares_with():
    counts, denoised, row = reference()
    model, n = sbd.load_model(), ABOUT["binning"]
    made = sbd.denoise(counts, model, device="cpu")
    assert np.abs(made - denoised).max() < TOLERANCE
    pixel = tuple(ABOUT["reference"]["pixel"])
    # in float64, the same on every processor: in float32 some turn a ReLU on the brink
    again, _ = sbd.jacobian_row(
        model.double(), counts.astype(float), pixel, device="cpu"
    )
    assert np.abs(again[::n, ::n] - row).max() < TOLERANCE * np.abs(row).max()
    assert np.abs(row).max() == pytest.approx(ABOUT["reference"]["largest"])


@pytest.fixture
def runtime(tmp_path):
    """Open one of the two graphs as the page does, with the weights beside it."""
    onnxruntime = pytest.importorskip("onnxruntime")
    (tmp_path / WEIGHTS.name).write_bytes(WEIGHTS.read_bytes())

    def begin(name):
        (tmp_path / name).write_bytes(unpacked(f"{name}.gz"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(tmp_path / name, options)

    return begin


def test_the_graph_computes_what_python_does(runtime):
    session, model = runtime("estimate.onnx"), sbd.load_model()
    for clean, dose in zip(clean_images(), (0.1, 0.45, 10.0), strict=True):
        rng = np.random.default_rng(5)
        counts = rng.poisson(clean * dose / ABOUT["vacuum"]).astype(np.float32)
        (bins,) = session.run(None, {"binned": add_up(counts)})
        rows = interpolation()
        ours = rows @ bins[0, 0] @ rows.T
        theirs = sbd.denoise(counts, model, device="cpu")
        assert np.abs(ours - theirs).max() < TOLERANCE * max(1, theirs.max())


def interpolation():
    """Cosine series at the bins and at the pixels, written down once more."""
    k = np.arange(ABOUT["bins"])
    coarse = np.cos(np.pi * k * (k[:, None] + 0.5) / len(k))
    fine = np.cos(np.pi * k * (np.arange(SIDE)[:, None] + 0.5) / SIDE)
    return fine @ np.linalg.inv(coarse)


def test_the_graph_of_filters_gives_the_row_of_the_jacobian(runtime):
    counts, _, row = reference()
    rows = interpolation()
    at = ABOUT["reference"]["pixel"]
    cotangent = np.outer(rows[at[0]], rows[at[1]]).astype(np.float32)[None, None]
    how = {"binned": add_up(counts), "cotangent": cotangent}
    denoised, back = runtime("row.onnx").run(["denoised", "row"], how)
    (alone,) = runtime("estimate.onnx").run(None, {"binned": how["binned"]})
    assert np.abs(denoised - alone).max() < TOLERANCE
    ours = back[0, 0] / ABOUT["binning"] ** 2
    assert np.abs(ours - row).max() < TOLERANCE * np.abs(row).max()


def test_graphs_of_other_weights_are_not_written(tmp_path):
    from sbd.networks.onnx import export_bins

    model = sbd.load_model()
    first = next(p for p in model.unet.parameters() if p.dim() == 4)
    first.data = first.data.flip(0)
    with pytest.raises(ValueError, match="weights must be those of the network"):
        export_bins(model, tmp_path / "a.onnx", bins=(64, 64), weights=WEIGHTS)
    assert not list(tmp_path.iterdir())


def test_the_runtime_comes_with_its_licences():
    assert "MIT License" in (LIVE / "LICENSE-onnxruntime").read_text("utf8")
    assert "v1.30.0" in (LIVE / "ort.wasm.min.js").read_text("utf8")[:200]
    assert b"protobuf" in unpacked("ThirdPartyNotices-onnxruntime.txt.gz")


def test_scripts_hold_the_files_and_are_small_enough(monkeypatch):
    pytest.importorskip("sphinx", reason="the book needs the extra [book]")
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    live = importlib.import_module("book_live")
    files = live.list_files(LIVE)
    assert all(path.stat().st_size < 12e6 for path in files.values())
    told = json.loads(
        re.search(r"(?s)live-about\">(.*?)</script>", live.widget(LIVE))[1]
    )
    assert list(told["sizes"]) == told["files"] == list(files)
    script = live._script("reference.bin.gz", LIVE / "reference.bin.gz")
    assert told["sizes"]["reference.bin.gz"] == len(script)


def test_every_id_that_the_script_looks_for_is_in_the_page():
    script = (LIVE / "live.js").read_text("utf8")
    names = set(re.findall(r'\$\("([\w-]+)"\)', script)) - {"about"}
    there = re.findall(r'id="live-([\w-]+)"', (LIVE / "widget.html").read_text("utf8"))
    assert names <= set(there)
    assert len(there) == len(set(there))


READ = """
const fs = require("fs"), text = fs.readFileSync(process.argv[1], "utf8");
const body = text.slice(text.indexOf("const READERS = {"), text.indexOf("async function takeFile"));
const readers = new Function("class Refusal extends Error {}" + body + "return {readNpy, readTif};")();
const told = process.argv.slice(2).map(file => {
  const bytes = new Uint8Array(fs.readFileSync(file)).buffer;
  try {
    const {values, shape} = readers[file.endsWith("npy") ? "readNpy" : "readTif"](bytes);
    return [shape, Array.from(values)];
  } catch (error) { return `${error.constructor.name}: ${error.message}`; }
});
console.log(JSON.stringify(told));
"""  # noqa: E501
GREY = np.arange(40, dtype="u2").reshape(10, 4)


def read_by_page(*files: Path) -> list:
    """Read files with the page's own readers, outside of any browser."""
    command = ["node", "-e", READ, str(LIVE / "live.js"), *map(str, files)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@node
def test_the_page_reads_either_order_of_bytes_rows_and_strips(tmp_path):
    files = [tmp_path / f"{n}.tif" for n in range(3)]
    tifffile.imwrite(files[0], GREY)
    tifffile.imwrite(files[1], GREY.astype(">u2"), byteorder=">")
    tifffile.imwrite(files[2], GREY, rowsperstrip=3)
    for kind in ("<u2", ">u2", ">f4", "<f8", "<i8", "|u1"):
        files.append(tmp_path / f"{len(files)}.npy")
        np.save(files[-1], np.asfortranarray(GREY.astype(kind)))
    assert read_by_page(*files) == [[[10, 4], [*range(40)]]] * len(files)


def broken_tif(**changed: int) -> bytes:
    """Write a tif of 3 x 4 whole numbers, with some of its tags changed."""
    tags = {"rows": 4, "columns": 3, "bits": 16, "strips": 8, "kind": 1, "each": 4}
    numbers = dict(zip(tags, (257, 256, 258, 273, 262, 278), strict=True))
    tags |= changed
    out = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for name in sorted(tags, key=numbers.get):
        out += struct.pack("<HHII", numbers[name], 4, 1, tags[name])
    return out + bytes(64)


@node
def test_the_page_refuses_what_it_would_read_wrong(tmp_path):
    files = {
        "palette.tif": (broken_tif(kind=3), "in colours"),
        "lost.tif": (broken_tif(each=1), "all rows"),
        "no rows in a strip.tif": (broken_tif(each=0), "all rows"),
        "none.tif": (broken_tif(columns=0), "rows and columns"),
        "huge.tif": (broken_tif(columns=2**32 - 1, rows=2**32 - 1), "ends before"),
        "long.npy": (b"(3L, 4L)", "rows and columns"),
        "minus.npy": (b"(-3, -4)", "rows and columns"),
        "empty.npy": (b"(0, 4)", "rows and columns"),
        "huge.npy": (b"(1000000000, 1000000000)", "ends before"),
    }
    for name, (content, _) in files.items():
        if name.endswith("npy"):
            header = b"{'descr': '<u2', 'fortran_order': False, 'shape': %b}" % content
            start = b"\x93NUMPY\1\0" + struct.pack("<H", len(header))
            content = start + header + bytes(64)
        (tmp_path / name).write_bytes(content)
    tall = tmp_path / "tall.tif"
    how = {"imagej": True, "resolution": (20, 10), "metadata": {"unit": "nm"}}
    tifffile.imwrite(tall, GREY, **how)
    files[tall.name] = (b"", "2 times as high as wide")
    (tmp_path / "whole.tif").write_bytes(broken_tif())
    *told, whole = read_by_page(*(tmp_path / name for name in [*files, "whole.tif"]))
    assert whole[0] == [4, 3]
    for answer, (_, words) in zip(told, files.values(), strict=True):
        assert answer.startswith("Refusal: ")
        assert words in answer


def test_every_field_has_a_label_and_what_happens_is_announced():
    page = (LIVE / "widget.html").read_text("utf8")
    labels = re.findall(r'<label for="([\w-]+)"', page)
    for tag in re.findall(r"<(?:input|select)[^>]*>", page):
        assert re.search(r'id="([\w-]+)"', tag)[1] in labels
    assert 'role="status" aria-live="polite"' in page
    assert "<noscript>" in page


# --- the built page at work


@pytest.fixture(scope="module")
def tab():
    with opened_page() as tab:
        yield tab


def data(tab, name):
    return tab.run(
        f"Object.assign({{}}, document.getElementById('live-{name}').dataset)"
    )


def counted(rng, size):
    y, x = np.mgrid[:size, :size] * (2 * np.pi / 46)
    return rng.poisson(0.45 * (1 + 0.3 * np.cos(x) * np.cos(y + 0.2 * x)))


CLICK = """(() => {
  const canvas = document.getElementById("live-denoised");
  const box = canvas.getBoundingClientRect();
  const [x, y] = [64.5 / 256, 192.5 / 256];
  const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height};
  canvas.dispatchEvent(new MouseEvent("click", at));
})()"""


class TestPageAtWork:
    """In headless Chromium, from a file, with the network off."""

    pytestmark = at_work

    def test_nothing_heavy_is_loaded_before_the_button(self, tab):
        assert "live.js" in {name.rpartition("/")[2] for name in tab.before}
        own = [name for name in tab.before if "/_static/live/" in name]
        # the rest is the theme's, and the same on every page
        assert sum(Path(name).stat().st_size for name in [*own, PAGE]) < 2e5

    def test_an_image_is_denoised_as_well_as_by_the_library(self, tab):
        clean = clean_images()[0]
        counts = np.random.default_rng(1).poisson(clean).astype(np.float32)
        psnr = sbd.psnr(clean, sbd.denoise(counts, device="cpu"))
        found = float(data(tab, "psnr")["psnr"])
        # another draw of the counts; of one image they differ by some 0.3 dB
        assert found == pytest.approx(psnr, abs=2)
        assert float(data(tab, "time")["seconds"]) > 0
        assert tab.run("document.getElementById('live-denoised').width") == 512

    def test_the_badge_says_that_it_agrees_with_python(self, tab):
        badge = data(tab, "badge")
        assert 0 < float(badge["image"]) < TOLERANCE
        assert 0 < float(badge["filter"]) < TOLERANCE

    def test_a_click_shows_the_filter_of_that_pixel(self, tab):
        tab.run(CLICK)
        settle(tab, "Filter of pixel (192,64)")
        told = text(tab, "filter-word")
        words = r"add up to (\S+) electrons, and the denoised pixel is (\S+)\. Half"
        weights, value = map(float, re.search(words, told).groups())
        assert weights == pytest.approx(value, abs=3e-5)  # sums in float32, rounded
        assert 0.05 < value < 2

    def test_a_tif_of_ones_own_is_denoised(self, tab, tmp_path):
        counts = counted(np.random.default_rng(0), 300).astype(np.uint16)
        path = tmp_path / "mine.tif"
        unit = {"unit": "nm"}
        tifffile.imwrite(
            path, counts, imagej=True, metadata=unit, resolution=(160, 160)
        )
        tab.choose_file(path)
        # 0.0625 angstrom: bins of four pixels, from the middle
        settle(tab, "mine.tif, rows 22 to 277, columns 22 to 277: denoised in")
        assert "no truth" in text(tab, "psnr")

    def test_finer_pixels_are_added_to_larger_bins(self, tab, tmp_path):
        counts = counted(np.random.default_rng(0), 400).astype(np.float32)
        np.save(tmp_path / "fine.npy", counts)
        tab.choose_file(tmp_path / "fine.npy")
        settle(tab, "what is the side of a pixel")
        fill(tab, pixel=0.045)
        press(tab, "own-go")
        assert sbd.denoisers.choose_bins(0.045) == (6, 6)
        settle(tab, "fine.npy, rows 0 to 383")

    @pytest.mark.parametrize(
        ("name", "values", "word"),
        [
            ("stack.npy", np.ones((3, 300, 300)), "one image (height, width)"),
            (
                "small.npy",
                np.ones((100, 300)),
                "takes 256 x 256 of them; got 100 x 300",
            ),
            ("minus.npy", -np.ones((300, 300)), "negative values"),
            ("nan.npy", np.full((300, 300), np.nan), "not finite"),
            ("dark.npy", np.zeros((300, 300)), "no electrons"),
            ("words.npy", np.full((300, 300), "a"), "plain numbers"),
        ],
    )
    def test_what_is_no_image_of_counts_is_refused(
        self, tab, tmp_path, name, values, word
    ):
        np.save(tmp_path / name, values)
        tab.choose_file(tmp_path / name)
        if "npy file" not in word and name not in ("stack.npy", "words.npy"):
            settle(tab, name)
            fill(tab, pixel=0.0622)
            press(tab, "own-go")
        settle(tab, word)

    def test_a_compressed_tif_is_refused(self, tab, tmp_path):
        path = tmp_path / "small.tif"
        tifffile.imwrite(path, np.ones((300, 300), np.uint8), compression="zlib")
        tab.choose_file(path)
        settle(tab, "is compressed")

    def test_no_request_failed_and_nothing_went_to_the_console(self, tab):
        assert tab.faults() == []
