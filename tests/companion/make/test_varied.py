"""Check the images of other conditions that the default weights learn from."""

import numpy as np
import pytest
from scipy import spatial

import sbd
from sbd.benchmark.recipes import default_recipes
from sbd.companion.make import varied
from sbd.companion.make.varied import (
    Condition,
    Mixed,
    move_particle,
    simulate,
    turning,
    vary_specimen,
)
from sbd.simulation.microscope import Microscope


def test_conditions_are_drawn_around_the_microscope_s():
    drawn = [Condition.draw(np.random.default_rng(seed)) for seed in range(300)]
    astigmatism = np.array([one.residual.astigmatism for one in drawn])
    assert 0.4 < (astigmatism == 0).mean() < 0.6
    # the mean of a half normal deviate of 25
    assert astigmatism[astigmatism > 0].mean() == pytest.approx(20, rel=0.2)
    as_usual = [one.microscope == Microscope() for one in drawn]
    assert 0.12 < np.mean(as_usual) < 0.28  # .5 * .5 * .8
    foci = np.array([one.focus for one in drawn])
    assert -20 <= foci.min() < 10 < 190 < foci.max() <= 220
    assert len({round(focus % 10, 3) for focus in foci}) > 200  # in between


def test_a_particle_is_moved_about_its_middle_and_nothing_else():
    atoms = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    metal = atoms.symbols == "Pt"
    turned = move_particle(atoms, turning(10.0))
    np.testing.assert_array_equal(turned.positions[~metal], atoms.positions[~metal])
    np.testing.assert_array_equal(turned.positions[:, 2], atoms.positions[:, 2])
    before, after = (
        spatial.distance.pdist(a.positions[metal][:40]) for a in (atoms, turned)
    )
    np.testing.assert_allclose(after, before)
    assert np.abs(turned.positions[metal] - atoms.positions[metal]).max() > 0.5
    middle = atoms.positions[metal].mean(0)
    np.testing.assert_allclose(turned.positions[metal].mean(0), middle)


def test_each_specimen_is_varied_in_its_own_way_and_again_alike():
    atoms = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    kinds = []
    for seed in range(60):
        made = vary_specimen(atoms, np.random.default_rng(seed))
        again = vary_specimen(atoms, np.random.default_rng(seed))
        assert made == again
        metal = made.symbols == "Pt"
        moved = np.ptp((made.positions[metal] - atoms.positions[atoms.symbols == "Pt"])[
            :, :2
        ]) > 1e-9  # fmt: skip
        kinds.append((moved, made.symbols.count("C") > 0))
    moved, filmed = np.mean(kinds, axis=0)
    assert 0.3 < moved < 0.7
    assert 0.22 < filmed < 0.58


def test_training_images_are_half_of_each_kind(monkeypatch, tmp_path):
    monkeypatch.setattr(varied, "TURNED", 1)
    monkeypatch.setattr(varied, "IMAGES", 2)
    recipes = {}
    for recipe in default_recipes():
        recipes.setdefault(recipe.split, recipe)
    for number, split in enumerate(("train", "valid")):
        images = simulate(recipes[split], number)
        assert images.shape == (2, 128, 128)
        assert images.dtype == np.float16
        np.savez(tmp_path / f"{recipes[split].name}.npz", images=images)
    sbd.simulate_benchmark(
        tmp_path / "benchmark", recipes=[recipes["train"], recipes["valid"]],
        defoci=[float(n) for n in range(6)], tilts=[(0.0, 0.0)],
        microscope=Microscope(grid=128),
    )  # fmt: skip
    mixed = Mixed(sbd.Benchmark(tmp_path / "benchmark"), tmp_path)
    assert mixed.table["split"].value_counts().to_dict() == {"train": 12, "valid": 12}
    assert not np.array_equal(mixed.images[0], mixed.images[6])
    np.testing.assert_array_equal(mixed.images[6], mixed.images[7])
    np.testing.assert_array_equal(mixed.read([12]), mixed.images[12:13])
