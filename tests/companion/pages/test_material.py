"""Check the other material: its particles, images, scores and curve."""

import json

import numpy as np
import pytest
from scipy.spatial import KDTree

import sbd
from sbd.benchmark import read_recipe
from sbd.companion.pages import material as gold

NEXT = gold.LATTICE / np.sqrt(2)  # neighbours of a face-centred cubic lattice


@pytest.mark.parametrize("five", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_particles_are_gold_within_their_box_and_no_atoms_overlap(seed, five):
    atoms = gold.gold_particle(np.random.default_rng([seed, five]), five=five)
    assert set(atoms.symbols) == {"Au"}
    across = atoms.positions[:, :2]
    assert across.min() > 2.4
    assert across.max() < gold.BOX - 2.4
    near = KDTree(atoms.positions).query(atoms.positions, 2)[0][:, 1]
    # decahedra are strained, as five times 70.5 degrees are not 360
    assert near.min() == pytest.approx(NEXT, rel=0.02 if five else 1e-6)
    columns = len(np.unique(across.round(2), axis=0))
    assert len(atoms) > 4 * columns


def test_half_of_the_crystals_are_twinned():
    """A twin has neighbours in six planes, a crystal in four: count its directions."""
    twins = 0
    for seed in range(24):
        positions = gold.gold_particle(np.random.default_rng(seed)).positions
        pairs = KDTree(positions).query_pairs(1.1 * NEXT, output_type="ndarray")
        along = np.diff(positions[pairs], axis=1)[:, 0]
        along *= np.where(along[:, 1] < -1e-6, -1, 1)[:, None]
        upward = along[along[:, 1] > 1e-6][:, :2].round(2)
        twins += len(np.unique(upward, axis=0)) > 2
    # a coin: 3 of 24 or fewer, or 21 and more, come once in 4,000
    assert 4 <= twins <= 20


def test_files_are_read_as_they_were_built(tmp_path):
    files = gold.write_structures(tmp_path / "some", [3, 4])
    recipes = [read_recipe(files[0]), read_recipe(files[1], held_out=True)]
    assert [recipe.split for recipe in recipes] == ["train", "valid"]
    built = gold.gold_particle(np.random.default_rng([41, 3, False]))
    np.testing.assert_allclose(recipes[0].build().positions, built.positions, atol=1e-6)
    gold.write_optics(tmp_path / "optics.json")
    read = json.loads((tmp_path / "optics.json").read_text())
    assert sbd.Microscope(**read) == gold.MICROSCOPE


def test_denoisers_get_the_same_counts_at_the_paper_s_dose_per_area():
    seen = []

    def keep(noisy):
        seen.append(noisy)
        return noisy

    clean = gold.take_image(200, grid=256)
    per_area = clean[:, :5].mean() / (gold.BOX / len(clean)) ** 2
    # fringes of the particle reach into the vacuum
    assert per_area == pytest.approx(sbd.VACUUM / 0.0622**2, rel=0.03)
    table, shown = gold.score_all(
        {"one": [clean, clean]}, {"raw": keep, "mean": sbd.denoise_constant}, seed=1
    )
    assert list(shown["one"]) == ["clean", "counts", "raw", "mean"]
    np.testing.assert_array_equal(shown["one"]["raw"], shown["one"]["counts"])
    assert not np.array_equal(*seen)
    # the error of raw counts is their variance, the mean
    level = sbd.VACUUM * (0.12 / 0.0622) ** 2
    expected = 10 * np.log10(level**2 / clean.mean())
    assert table.loc[("one", "raw"), "PSNR"] == pytest.approx(expected, abs=0.05)
    assert table.loc[("one", "mean"), "over mean"] == 0
    told = gold.tabulate_scores(table)
    assert told.loc[("one", "mean"), "over mean (dB)"] == ""
    assert told.loc[("one", "raw"), "over mean (dB)"].startswith("-")
    assert told["images"].tolist() == [2, 2]
    assert "* **one**: raw -" in gold.tell_worth(table).data
    fig = gold.show_estimates(shown)
    grey = [ax.images[0].get_clim() for ax in fig.axes[:4]]
    assert grey[0] == grey[2] == grey[3]
    assert gold.tell_dose() == "1.7 e/pixel = 116 e/\u00c5\u00b2"


def test_the_weights_are_taught_pixels_of_the_page():
    model = sbd.load_model("weights/gold")
    assert sbd.denoisers.choose_bins(gold.PIXEL, model) == (2, 2)
    fig, runs = gold.show_training()
    assert fig.axes
    assert runs.loc["class"].tolist() == ["LatticeUNet", "CrystalUNet"]
    told = gold.tabulate_runs(runs)
    assert told["class"].tolist() == ["LatticeUNet", "CrystalUNet"]
    assert (told["images learnt from"] > told["images of the curve"]).all()
