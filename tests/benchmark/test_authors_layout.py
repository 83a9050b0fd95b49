"""Check that the authors' loader and ours read the same folder."""

import shutil
from collections import namedtuple
from importlib.resources import files

import numpy as np
import pandas as pd
import PIL.Image
import pytest

import sbd
from sbd.benchmark.authors_layout import (
    COLUMNS,
    read_authors_layout,
    write_authors_layout,
)
from sbd.benchmark.recipes import Recipe
from sbd.simulation.frame import CROP

ALL = ("white", "intermediate", "black")
NAME = "black_intermediate_white"


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return sbd.simulate_benchmark(
        tmp_path_factory.mktemp("benchmark"),
        recipes=(Recipe("PtNp4", "D0", 30.0), Recipe("PtNp4", "D1", 30.0)),
        tilts=((0.0, 0.0), (0.0, 2.0)),
        defoci=(0.0, 7.0),
        grid=64,
        progress=False,
    )


@pytest.fixture(scope="module")
def folder(benchmark, tmp_path_factory):
    target = tmp_path_factory.mktemp("layout") / "new"
    return write_authors_layout(benchmark, target, contrasts=ALL, progress=False)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def load_as_the_authors_do(root, split, contrast):
    """Go through a table by the places of its columns, as their loader does."""
    table = pd.read_csv(root / f"{split}_{contrast}.csv", sep=",", header=0)
    assert "particle" in table.columns
    for index in range(len(table)):
        path, label, thickness, tilt_x, tilt_y, _ = table.iloc[
            index, [0, 1, 4, 5, 6, 10]
        ]
        structure, defect = label.split("-")
        defocus, contrast = table.iloc[index, [10, 11]]
        with PIL.Image.open(root / path) as opened:
            assert opened.mode == "F"
            image = np.array(opened)
        name = f"{thickness:02d} {tilt_x:02d} {tilt_y:02d} {defocus:02d}"
        yield structure, defect, name, contrast, image


def labels(benchmark, image_split):
    """List the labels of a benchmark's images that belong to a split."""
    for index, row in enumerate(benchmark.table.itertuples()):
        if row.published_split == image_split:
            numbers = (row.thickness, row.tilt_x, row.tilt_y, row.defocus)
            name = " ".join(f"{int(number):02d}" for number in numbers)
            yield row.particle, row.defect, name, row.contrast, index


def test_their_loader_finds_every_image_of_the_benchmark(benchmark, folder):
    seen = 0
    for split in ("train", "valid", "test"):
        found = list(load_as_the_authors_do(folder, split, NAME))
        expected = list(labels(benchmark, split))
        assert [row[:4] for row in found] == [row[:4] for row in expected]
        for (*_, image), (*_, index) in zip(found, expected, strict=True):
            fine = benchmark.image(index, samples=1024)
            np.testing.assert_array_equal(image, fine[42:918, :927])
        seen += len(found)
    assert seen == len(benchmark) == 8


def test_what_is_written_is_read_back(benchmark, folder):
    dataset = read_authors_layout(folder, contrast="white_black_intermediate")
    table = dataset.table
    assert len(dataset) == len(table) == 8
    assert list(table) == [
        *("path", "particle", "defect", "thickness", "tilt_x", "tilt_y", "defocus"),
        *("contrast", "split"),
    ]
    keys = ["particle", "defect", "thickness", "tilt_x", "tilt_y", "defocus"]
    assert [table[name].dtype.kind for name in keys[2:]] == list("iiii")
    ours = benchmark.table.rename(columns={"split": "strict"})
    ours = ours.rename(columns={"published_split": "split"})[[*keys, "split"]]
    both = table.astype(dict.fromkeys(keys[2:], float)).merge(
        ours.reset_index(), on=[*keys, "split"]
    )
    assert len(both) == 8
    image = dataset[5]
    assert image.dtype == np.float32
    index = int(both["index"][5])
    np.testing.assert_array_equal(image, benchmark.image(index, samples=1024)[CROP])
    np.testing.assert_array_equal(dataset[-3], image)
    assert sum(1 for _ in dataset) == 8


def test_the_tables_have_the_columns_that_are_documented(folder):
    table = pd.read_csv(folder / f"train_{NAME}.csv")
    assert list(table) == list(COLUMNS)
    assert list(table).index("thickness") == 4
    assert table["pixel_size"].eq(50 / 1024).all()
    assert set(table["variant"]) == {"a"}


@pytest.mark.parametrize("particle", ["PtNp1", "PtNp2", "PtNp3", "PtNp4"])
def test_the_crop_holds_the_whole_particle(particle):
    atoms = sbd.pt_on_ceria(particle, thickness=30.0)
    x, y = atoms.positions[atoms.symbols == "Pt", :2].T * 1024 / 50
    rows, columns = CROP
    # an image of an atom is narrower than 1 angstrom; row 0 is at the top
    assert (1024 - y).min() - 20 > rows.start
    assert (1024 - y).max() + 20 < rows.stop
    assert x.min() - 20 > columns.start
    assert x.max() + 20 < columns.stop


@pytest.mark.network
def test_the_crop_is_that_of_the_authors_file():
    try:
        path = sbd.fetch("clean/PtNp2-S3_5")
    except sbd.DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    with PIL.Image.open(path) as opened:
        theirs = np.array(opened, float) - 0.45
    atoms = sbd.pt_on_ceria("PtNp2", "S3_5", thickness=40.0, tilt=(3.0, 0.0))
    ours = sbd.form_image(sbd.exit_wave(atoms), defocus=60.0, samples=1024) - 0.45
    rows, columns = CROP
    assert theirs.shape == ours[CROP].shape
    padded = np.zeros_like(ours)
    padded[: theirs.shape[0], : theirs.shape[1]] = theirs
    match = np.fft.ifft2(np.fft.fft2(ours) * np.fft.fft2(padded).conj()).real
    best = np.unravel_index(match.argmax(), match.shape)
    assert best == (rows.start, columns.start)


def test_a_file_is_no_larger_than_announced(folder):
    # the pixels are 876 x 927 float32; the header of PIL is short
    for path in folder.glob("images/*/*.tif"):
        assert 876 * 927 * 4 < path.stat().st_size <= 876 * 927 * 4 + 256


def test_white_images_alone_take_the_split_of_the_white_experiments(
    benchmark, tmp_path
):
    contrast = benchmark.table["contrast"]
    white = write_authors_layout(benchmark, tmp_path / "w", progress=False)
    table = read_authors_layout(white).table
    assert set(table["contrast"]) == {"white"}
    split = benchmark.table["published_split_white"]
    assert len(table) == (contrast == "white").sum() == (split != "unused").sum() > 0
    assert sorted(table["split"]) == sorted(split[split != "unused"])


def test_a_broken_run_goes_on_with_what_is_missing(benchmark, copy):
    paths = sorted(copy.glob("images/*/*.tif"))
    lost, kept = paths[0], paths[1]
    content, when = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    (copy / f"test_{NAME}.csv").unlink()
    write_authors_layout(benchmark, copy, contrasts=ALL, progress=False)
    assert lost.read_bytes() == content
    assert kept.stat().st_mtime_ns == when
    assert (copy / f"test_{NAME}.csv").exists()
    assert not list(copy.rglob("*.part"))


def test_each_structure_is_read_once(benchmark, tmp_path, monkeypatch):
    calls = []
    read = type(benchmark).read
    monkeypatch.setattr(
        type(benchmark),
        "read",
        lambda self, rows: (calls.append(1), read(self, rows))[1],
    )
    write_authors_layout(benchmark, tmp_path / "x", contrasts=ALL, progress=False)
    assert len(calls) == 2


def test_rows_choose_a_part(benchmark, tmp_path):
    rows = (benchmark.table["defect"] == "D1") & (benchmark.table["tilt_y"] == 2)
    kw = {"contrasts": ALL, "split": "split", "progress": False}
    table = read_authors_layout(
        write_authors_layout(benchmark, tmp_path, rows=rows, **kw), contrast=NAME
    ).table
    assert table["defect"].tolist() == ["D1", "D1"]
    assert set(table["split"]) == set(benchmark.table["split"][rows])
    assert len(list(tmp_path.glob("images/*/*.tif"))) == 2


def test_a_foreign_folder_is_left_alone(benchmark, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="folder must be empty or of the same bench"):
        write_authors_layout(benchmark, tmp_path, contrasts=ALL, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_is_noticed_before_anything_is_written(
    benchmark, tmp_path, monkeypatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 8, 1_000_000))
    target = tmp_path / "a" / "b"
    # 8 images of 876 x 927 float32 and a header
    message = r"with 25,9\d\d,\d{3} bytes free for 8 images; got 1,000,000"
    with pytest.raises(OSError, match=message):
        write_authors_layout(benchmark, target, contrasts=ALL, progress=False)
    assert not target.parent.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"contrasts": ("grey",)},
            r"contrasts must be among 'black', .*got \('grey',\)",
        ),
        ({"contrasts": ()}, r"contrasts must be among .*; got \(\)"),
        ({"split": "half"}, r"split must be a column .*published_split.*; got 'half'"),
        ({"rows": [True]}, r"rows must be 8 bools, .*; got bool of shape \(1,\)"),
        ({"rows": range(8)}, r"rows must be 8 bools, .*; got int64 of shape \(8,\)"),
        ({"rows": [False] * 8}, r"must leave images; got none"),
    ],
)
def test_a_wrong_call_writes_nothing(benchmark, tmp_path, changes, message):
    arguments = {"contrasts": ALL, "progress": False, **changes}
    with pytest.raises(ValueError, match=message):
        write_authors_layout(benchmark, tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_benchmark_between_their_parameters_is_refused(benchmark, tmp_path):
    class Between:
        settings = benchmark.settings
        table = benchmark.table.assign(defocus=6.5)

    with pytest.raises(ValueError, match="benchmark must have whole numbers for thick"):
        write_authors_layout(Between(), tmp_path, contrasts=ALL)


def test_structures_of_one_name_are_refused(benchmark, tmp_path):
    class Twice:
        settings = benchmark.settings
        table = benchmark.table.assign(structure="one")

    with pytest.raises(ValueError, match="of different names; got twice images/one/"):
        write_authors_layout(Twice(), tmp_path, contrasts=ALL)


def test_a_missing_table_is_named_and_the_others_listed(copy):
    with pytest.raises(
        FileNotFoundError, match=f"train_black.csv; got test_{NAME}.csv,"
    ):
        read_authors_layout(copy, contrast="black")


def damage(path, change):
    table = pd.read_csv(path)
    change(table).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[:, :11], "train_.*csv must have at least 12 columns; got 11"),
        (lambda t: t.assign(tilt_x=0.5), r"numbers \(tilt_x\) in column 5; got \[0.5"),
        (lambda t: t.assign(thickness="x"), r"\(thickness\) in column 4; got \['x'"),
        (lambda t: t.assign(particle="Pt"), "PtNp1-D2 in column 1; got 'Pt'"),
    ],
)
def test_a_table_of_another_form_is_refused(copy, change, message):
    damage(copy / f"train_{NAME}.csv", change)
    with pytest.raises(ValueError, match=message):
        read_authors_layout(copy, contrast=NAME)


def test_an_image_that_is_none_is_named(copy):
    dataset = read_authors_layout(copy, contrast=NAME)
    path = copy / dataset.table["path"][0]
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"got none at .*defocus_.*tif"):
        dataset[0]
    path.write_bytes(whole[:9999])
    with pytest.raises(ValueError, match=r"got a damaged .*tif"):
        dataset[0]
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"got a damaged .*tif"):
        dataset[0]
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(path)
    with pytest.raises(
        ValueError, match=r"must be 32-bit floats; got mode 'L' in .*tif"
    ):
        dataset[0]
    PIL.Image.fromarray(np.full((5, 5), np.nan, np.float32)).save(path)
    with pytest.raises(ValueError, match="tif must be finite; got 25 NaN"):
        dataset[0]
    with pytest.raises(IndexError, match="index must be below 8; got 8"):
        dataset[8]


def test_their_own_numbering_and_names_of_columns_do_not_matter(copy):
    path = copy / f"train_{NAME}.csv"
    before = read_authors_layout(copy, contrast=NAME).table
    table = pd.read_csv(path)
    table.columns = [f"c{i}" for i in range(12)]
    table.assign(more=1).astype({"c5": float}).to_csv(path, index=False)
    pd.testing.assert_frame_equal(
        read_authors_layout(copy, contrast=NAME).table, before
    )


def test_the_published_contrasts_are_all_that_can_be_asked_for():
    with (files("sbd") / "assets" / "contrast.csv").open() as file:
        assert set(pd.read_csv(file)["label"].dropna()) == set(ALL)
