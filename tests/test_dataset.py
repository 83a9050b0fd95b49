"""Check the benchmark folder: labels, resuming, and independence of the workers."""

import json

import numpy as np
import pytest

import sbd
from sbd.dataset import Recipe, contrast_label, default_recipes

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


def test_two_workers_and_one_give_the_same_bytes(benchmark, tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW, workers=2)
    chunks = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("c/*/0/0/0/0"))
    assert len(chunks) == 2
    for chunk in chunks:
        assert (tmp_path / chunk).read_bytes() == (
            benchmark.folder / chunk
        ).read_bytes()


def test_a_broken_run_goes_on_with_what_is_missing(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    lost = tmp_path / "images.zarr" / "c" / "1" / "0" / "0" / "0" / "0"
    kept = tmp_path / "images.zarr" / "c" / "0" / "0" / "0" / "0"
    bytes_before, time_before = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    assert len(sbd.Benchmark(tmp_path)) == 4
    sbd.simulate_benchmark(tmp_path, **FEW)
    assert lost.read_bytes() == bytes_before
    assert kept.stat().st_mtime_ns == time_before


def test_other_settings_do_not_mix_into_a_folder(benchmark):
    with pytest.raises(ValueError, match="same benchmark; got"):
        sbd.simulate_benchmark(benchmark.folder, **{**FEW, "grid": 96})


def test_no_structure_is_in_two_splits():
    seen = {}
    for recipe in default_recipes():
        seen.setdefault((recipe.particle, str(recipe.defect)), set()).add(recipe.split)
    assert all(len(splits) == 1 for splits in seen.values())
    assert {s for splits in seen.values() for s in splits} == {"train", "valid", "test"}
    published = {"S3_5", "S5_5", "S3_2-S5_2", "S1-2_2-S3_1"}
    assert all(seen["PtNp2", name] == {"test"} for name in published)


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
    assert settings["recipes"][0] == ["PtNp4", "D0", 10.0, "train"]


def test_a_folder_without_a_benchmark_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold a benchmark"):
        sbd.Benchmark(tmp_path)
    with pytest.raises(ValueError, match="workers must be at least 1; got 0"):
        sbd.simulate_benchmark(tmp_path, workers=0)


@pytest.mark.parametrize("damage", ["half", "flip", "empty"])
def test_a_damaged_chunk_is_named_and_can_be_made_again(tmp_path, damage):
    few = {**FEW, "recipes": FEW["recipes"][:1], "tilts": ((0.0, 0.0),)}
    before = sbd.simulate_benchmark(tmp_path, **few)[0]
    chunk = tmp_path / "images.zarr" / "c" / "0" / "0" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    chunk.write_bytes(
        {"half": whole[:99], "flip": bytes(flipped), "empty": b""}[damage]
    )
    with pytest.raises(ValueError, match=r"damaged .*/c/0/0/0/0/0 \(delete that file"):
        sbd.Benchmark(tmp_path)[0]
    chunk.unlink()
    np.testing.assert_array_equal(sbd.simulate_benchmark(tmp_path, **few)[0], before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": (Recipe("PtNp9", "D0", 10.0),)}, "particle must be one of"),
        ({"grid": 10}, "grid must be at least 64; got 10"),
        ({"tilts": ((80.0, 0.0),)}, "at most 10 degrees"),
        ({"tilts": ((float("nan"), 0.0),)}, "at most 10 degrees"),
        ({"tilts": ()}, "at least one pair"),
        ({"defoci": ()}, "defoci must be one or more finite numbers"),
    ],
)
def test_a_wrong_call_leaves_the_folder_usable(tmp_path, changes, message):
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match=message):
        sbd.simulate_benchmark(folder, **{**FEW, **changes})
    assert not folder.exists()


def test_only_the_published_parameters_have_a_contrast():
    assert contrast_label(30, (0, 0), 2) == "intermediate"
    assert contrast_label(30.9, (0.9, 0), 2.9) is None
    assert contrast_label(30, (-0.5, -0.5), 2) is None
