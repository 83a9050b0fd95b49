"""Check the benchmark folder: recipes, labels, images, checksums."""

import json

import numpy as np
import pytest

import sbd
from sbd.benchmark.dataset import chunk_path
from sbd.benchmark.recipes import Recipe, contrast_label, default_recipes, read_recipe

FEW = {
    "recipes": (Recipe("PtNp4", "D0", 10.0), Recipe("PtNp4", "D1", 10.0)),
    "tilts": ((0.0, 0.0), (0.0, 2.0)),
    "defoci": (0.0, 6.0),
    "grid": 64,
    "progress": False,
}


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return sbd.simulate_benchmark(tmp_path_factory.mktemp("benchmark"), **FEW)


def test_every_image_has_a_row(benchmark):
    assert len(benchmark) == 2 * 2 * 2
    row = benchmark.table.iloc[3]
    assert (row.particle, row.defect, row.tilt_y, row.defocus) == (
        "PtNp4",
        "D0",
        2.0,
        6.0,
    )


def test_an_image_is_what_the_microscope_makes(benchmark):
    atoms = sbd.pt_on_ceria("PtNp4", thickness=10.0, tilt=(0.0, 2.0))
    direct = sbd.form_image(sbd.exit_wave(atoms, grid=64), defocus=60.0)
    # half precision near 0.45 has steps of 2.4e-4
    np.testing.assert_allclose(benchmark[3], direct, atol=2.5e-4)
    fine = benchmark.image(3, samples=256)
    np.testing.assert_allclose(fine[::2, ::2], direct, atol=2e-3)


def test_the_published_structures_are_for_evaluation_only():
    for name in ("S3_5", "S5_5", "S3_2-S5_2", "S1-2_2-S3_1"):
        assert Recipe("PtNp2", name, 40.0).split == "test"
    assert Recipe("PtNp2", [(0, 0, -1)], 40.0).split == "test"


def test_the_default_recipes_are_the_structures_of_the_table():
    table = sbd.structure_table()
    recipes = default_recipes()
    assert [r.name for r in recipes] == table["structure"].tolist()
    assert [r.split for r in recipes] == table["split"].tolist()
    labels = [r.label for r in recipes]
    assert labels == list(zip(table["defect"], table["variant"], strict=True))


def test_some_recipes_can_be_chosen():
    some = default_recipes(particles=["PtNp3"], defects=["D2"], thicknesses=[50])
    assert [r.name for r in some] == [f"PtNp3-D2{v}-50" for v in ("", *"bcde")]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"particles": ["PtNp9"]}, "particles must be among PtNp1, .*; got 'PtNp9'"),
        ({"defects": ["D1b"]}, "defects must be among D0, .*; got 'D1b'"),
        ({"thicknesses": [45]}, "thicknesses must be among 30.0, .*; got 45"),
        ({"particles": ["PtNp4"], "defects": ["Ds"]}, "must meet in a structure; got"),
    ],
)
def test_a_choice_of_nothing_is_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        default_recipes(**choice)


def test_a_structure_file_becomes_a_recipe(tmp_path):
    atoms = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    path = tmp_path / "mine.xyz"
    atoms.write(path, format="extxyz")
    recipe = read_recipe(path)
    assert recipe.name.startswith("mine-file-")
    np.testing.assert_allclose(recipe.build().positions, atoms.positions, atol=1e-7)
    path.write_text("no atoms at all")
    with pytest.raises(ValueError, match="that ASE can read; got"):
        read_recipe(path)


def test_the_contrast_table_covers_the_published_parameters():
    labels = [
        contrast_label(thickness, tilt, defocus)
        for thickness in (30, 40, 50)
        for tilt in ((0, 0), (3, 0), (0, 4))
        for defocus in range(21)
    ]
    assert set(labels) == {"white", "intermediate", "black"}
    assert contrast_label(33, (0, 0), 5) is None


def test_settings_are_readable(benchmark):
    settings = json.loads((benchmark.folder / "benchmark.json").read_text())
    first = settings["recipes"][0]
    assert (first["structure"], first["split"]) == ("PtNp4-D0-10", "train")
    assert settings["microscope"]["energy"] == 300e3
    assert settings["box"] == 50.0


def test_the_card_says_what_is_in_the_folder(benchmark):
    card = (benchmark.folder / "README.md").read_text()
    assert "8 noise-free images: 2 atomic structures x 2 crystal tilts" in card
    assert "not among the library's 95" in card  # 10 angstrom is not of the paper
    assert "{" not in card.replace("{'", "")  # every field was filled in


def test_checksums_tell_which_chunk_changed(tmp_path):
    few = {**FEW, "tilts": ((0.0, 0.0),)}
    benchmark = sbd.simulate_benchmark(tmp_path, **few)
    assert benchmark.verify() == 2
    chunk = chunk_path(tmp_path, 1)
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"got 1 damaged or missing .*c/1/0/0/0/0"):
        benchmark.verify()
    (tmp_path / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(ValueError, match="got 3 damaged or missing"):
        benchmark.verify()
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match="a finished benchmark"):
        benchmark.verify()


def test_a_chunk_that_vanished_is_no_black_image(tmp_path):
    benchmark = sbd.simulate_benchmark(tmp_path, **{**FEW, "tilts": ((0.0, 0.0),)})
    assert len(benchmark) == 4
    chunk_path(tmp_path, 0).unlink()
    with pytest.raises(ValueError, match="the images of its table; got none at"):
        benchmark[0]


def test_a_folder_of_another_version_is_refused(tmp_path):
    (tmp_path / "benchmark.json").write_text('{"recipes": []}')
    with pytest.raises(ValueError, match=r"format 2; got .* of format None"):
        sbd.Benchmark(tmp_path)


def test_a_folder_without_a_benchmark_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold a benchmark"):
        sbd.Benchmark(tmp_path)


def test_only_the_published_parameters_have_a_contrast():
    assert contrast_label(30, (0, 0), 2) == "intermediate"
    assert contrast_label(30.9, (0.9, 0), 2.9) is None
    assert contrast_label(30, (-0.5, -0.5), 2) is None


def test_a_selection_has_the_images_of_its_labels(benchmark):
    chosen = benchmark.select(defect="D1", defocus=[6.0])
    assert len(chosen) == 2
    assert set(chosen.table["defect"]) == {"D1"}
    rows = benchmark.table.query("defect == 'D1' and defocus == 6").index
    np.testing.assert_array_equal(chosen.read(range(2)), benchmark.read(rows))
    assert len(benchmark) == 8  # as it was


def test_a_selection_can_be_split_as_published(benchmark):
    chosen = benchmark.select(split="published_split")
    assert (chosen.table["split"] == benchmark.table["published_split"]).all()
    assert len(chosen) == len(benchmark)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"colour": "white"}, "labels must be among structure, .* got 'colour'"),
        ({"split": "thickness"}, "split must be one of split, .* got 'thickness'"),
        ({"defect": "D7"}, "labels must be those of some images; got"),
    ],
)
def test_a_selection_of_nothing_is_refused(benchmark, labels, message):
    with pytest.raises(ValueError, match=message):
        benchmark.select(**labels)
