"""Check where a scene says that atoms, surface and vacuum are."""

import hashlib
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.audits import bundled_scenes
from sbd.audits.placed_atoms import REGIONS, PlacedAtoms, place_atoms
from sbd.audits.scenes import Scene, crop_scene, find_recipe
from sbd.data.registry import fetch
from sbd.simulation.frame import PIXEL
from sbd.simulation.specimens import DEFOCI

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = sbd.held_out_scenes()
SCENES = [sbd.example_scene("simulated"), *HELD_OUT]
TITLES = [scene.title for scene in SCENES]
PIXELS = (0.25, 0.2)
SHAPE = (80, 90)
CENTRE = np.array([40.0, 45.0])


def hexagon(extra=()):
    """Seven columns 2.5 angstrom apart, the first one in the middle."""
    turns = np.arange(6) * np.pi / 3
    ring = 2.5 * np.stack([np.sin(turns), np.cos(turns)], axis=1) / PIXELS
    columns = CENTRE + np.concatenate([[[0, 0]], ring, *extra])
    support = np.array([[70.1, 10.1]])
    return PlacedAtoms(columns, np.ones(len(columns), bool), support, PIXELS, SHAPE)


def distances(places):
    """Distance of each pixel from the nearest of some places [angstrom]."""
    rows, columns = np.indices(SHAPE)
    return np.min(
        [
            np.hypot((rows - r) * PIXELS[0], (columns - c) * PIXELS[1])
            for r, c in places
        ],
        axis=0,
    )


def test_the_regions_are_what_their_distances_say():
    specimen = hexagon()
    found = specimen.regions
    assert tuple(found) == REGIONS
    ring = specimen.columns[1:]
    everything = np.concatenate([specimen.columns, specimen.support])
    wanted = {
        "particle": distances(specimen.columns) < 1.5,
        "surface": distances(ring) < 2.4,
        "vacuum": distances(everything) > 3.0,
    }
    for name, mask in wanted.items():
        np.testing.assert_array_equal(found[name], mask, err_msg=name)
    assert not found["surface"][tuple(CENTRE.astype(int))]


def test_the_support_is_neither_particle_nor_surface():
    specimen = hexagon()
    cerium = PlacedAtoms(
        specimen.columns, np.arange(7) < 6, specimen.support, PIXELS, SHAPE
    )
    there = tuple(specimen.columns[6].round().astype(int))
    assert specimen.regions["surface"][there]
    assert not cerium.regions["particle"][there]
    assert not cerium.regions["vacuum"][there]


@pytest.mark.parametrize("scene", SCENES, ids=TITLES)
def test_columns_are_where_the_clean_image_shows_them(scene):
    found = sbd.find_columns(
        scene.clean, min_radius=8, max_radius=16, polarity=scene.polarity
    )
    pixel, specimen = np.array(scene.specimen.pixel), scene.specimen
    platinum = specimen.columns[specimen.platinum]
    match = sbd.match_columns(found.positions * pixel, platinum * pixel, tolerance=0.8)
    assert match.recall > 0.9
    here, there = match.pairs.T
    shift = (found.positions[here] - platinum[there]) * pixel
    # thick columns and thin ones are displaced by the tilt, by the mean of the beam's
    # weight along them and not by that of their atoms: a tenth of an angstrom, and 0.14
    # at 4 degrees where contrast has just reversed, in either microscope
    near = "tilt (0, 4) degrees, 2 nm" in scene.title
    np.testing.assert_allclose(shift.mean(axis=0), 0, atol=0.15 if near else 0.1)


@pytest.mark.parametrize("scene", SCENES, ids=TITLES)
def test_the_vacuum_of_every_scene_is_flat_and_its_particle_is_not(scene):
    regions = scene.specimen.regions
    vacuum = scene.clean[regions["vacuum"]]
    assert vacuum.mean() == pytest.approx(sbd.VACUUM, rel=0.02)
    assert scene.clean[regions["particle"]].std() > 5 * vacuum.std()
    assert 0.01 < regions["particle"].mean() < 0.2
    assert not (regions["vacuum"] & (regions["particle"] | regions["surface"])).any()


def test_the_truth_shows_the_columns_of_the_bundled_images_and_no_others():
    for scene in SCENES:
        assert scene.truth.hit.mean() >= 0.9
        assert not len(scene.truth.rest)


def test_the_scene_of_the_example_is_its_clean_image():
    clean, title = sbd.example_truth("simulated")
    scene = sbd.example_scene("simulated")
    np.testing.assert_array_equal(scene.clean, clean)
    assert scene.title == title
    np.testing.assert_allclose(scene.specimen.pixel, PIXEL, rtol=1e-3)


def test_the_authors_image_is_resized_as_they_do_and_its_atoms_with_it(monkeypatch):
    # their file may not be had: a drawing of its atoms, as bright dots, stands in
    rng = np.random.default_rng(0)
    rows, columns = np.indices((876, 927))
    atoms = sbd.pt_on_ceria("PtNp2", "S3_5", thickness=40.0)
    box = 50.0 / 1024
    placed = place_atoms(
        atoms, (3.0, 0.0), shape=(876, 927), pixel=(box, box), corner=(42, 0)
    )
    published = np.full((876, 927), sbd.VACUUM)
    for r, c in placed.columns[placed.platinum]:
        published += 0.2 * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 200)
    monkeypatch.setattr("sbd.audits.bundled_scenes.fetch_clean", lambda _: published)
    monkeypatch.setattr("sbd.data.examples.fetch_clean", lambda _: published)
    scene = sbd.example_scene("authors")
    assert scene.clean.shape == (727, 687)
    np.testing.assert_array_equal(scene.clean, sbd.authors_resize(published))
    platinum = scene.specimen.columns[scene.specimen.platinum]
    found = sbd.find_columns(scene.clean, polarity="bright")
    match = sbd.match_columns(found, platinum, tolerance=3)
    assert (len(match.missed), len(match.spurious)) == (0, 0)
    here, there = match.pairs.T
    shift = (found.positions[here] - platinum[there]).mean(axis=0)
    # resizing interpolates; a shift of the grid by half a pixel would be 0.1 pixels
    np.testing.assert_allclose(shift, 0, atol=0.05)
    noisy = sbd.poisson_noise(scene.clean, rng=rng)
    assert scene.look(noisy * 0 + scene.clean).hit.all()


def test_a_frame_around_the_particle_keeps_its_atoms_in_place():
    scene = HELD_OUT[0]
    part = crop_scene(scene, (400, 480))
    assert part.clean.shape == part.specimen.shape == (400, 480)
    assert part.specimen.platinum.sum() == scene.specimen.platinum.sum()
    shift = np.unique((scene.specimen.support - part.specimen.support).round(9), axis=0)
    assert len(shift) == 1
    top, left = shift[0].astype(int)
    np.testing.assert_array_equal(
        part.clean, scene.clean[top : top + 400, left : left + 480]
    )
    particle = part.specimen.columns[part.specimen.platinum]
    np.testing.assert_allclose(
        (particle.min(axis=0) + particle.max(axis=0)) / 2, (200, 240), atol=0.5
    )  # up to the rounding to a pixel
    # nothing of the particle is cut, so the same columns are hit
    assert part.truth.hit.sum() == scene.truth.hit.sum()


def test_places_belong_to_the_crystal_whose_column_is_nearest():
    specimen = hexagon(extra=[[[20.0, -20.0]]])
    platinum = np.arange(8) < 7
    specimen = PlacedAtoms(
        specimen.columns, platinum, specimen.support, specimen.pixel, specimen.shape
    )
    places = [CENTRE + 3, np.add(CENTRE, (20, -18))]
    assert specimen.is_particle(places).tolist() == [True, False]
    assert specimen.is_particle(np.zeros((0, 2))).tolist() == []


def test_held_out_images_are_five_different_ones_of_the_test_split():
    with np.load(fetch("example/held-out")) as file:
        labels = json.loads(str(file["labels"]))
    assert len(HELD_OUT) == len(labels) == 5
    assert {find_recipe(label["structure"]).split for label in labels} == {"test"}
    for name in ("structure", "defocus"):
        assert len({label[name] for label in labels}) == 5
    assert len({(label["tilt_x"], label["tilt_y"]) for label in labels}) == 5
    assert len({label["thickness"] for label in labels}) >= 3


def test_a_held_out_image_is_what_the_simulation_gives():
    with np.load(fetch("example/held-out")) as file:
        stored, label = file["images"][4], json.loads(str(file["labels"]))[4]
    wave = sbd.exit_wave(
        find_recipe(label["structure"]).build(),
        grid=256,
        tilts=[(label["tilt_x"], label["tilt_y"])],
    )[0]
    image = sbd.form_image(wave, defocus=10.0 * label["defocus"], samples=128)
    # the benchmark's grid is finer: that of 256 samples is off by some thousandths
    assert sbd.psnr(stored.astype(float), image) > 40


def test_the_choice_of_held_out_images_repeats_no_structure():
    script = runpy.run_path(str(ROOT / "sbd/companion/make/held_out.py"))
    assert script["NUMBER"] == 5
    for name in ("FILE", "SERIES"):
        digest = hashlib.sha256(script[name].read_bytes()).hexdigest()
        assert digest in (ROOT / "sbd/data/catalogue.toml").read_text()


def test_the_series_is_chosen_for_its_contrasts_then_for_its_columns(monkeypatch):
    script = runpy.run_path(str(ROOT / "sbd/companion/make/held_out.py"))
    table = pd.DataFrame(
        {
            "structure": ["a", "b", "c"] * 3,
            "tilt_x": 0.0,
            "tilt_y": 1.0,
            "defocus": [0] * 3 + [1] * 3 + [2] * 3,
            "contrast": [*"bbb", *"iib", *"wwb"],
        }
    )
    shares = dict(zip("abc", (0.5, 0.9, 1.0), strict=True))
    choose = script["choose_series"]
    monkeypatch.setitem(
        choose.__globals__, "seen_share", lambda _, row: shares["abc"[row % 3]]
    )
    benchmark = SimpleNamespace(table=table)
    # "c" shows most columns but its contrast is always the same
    assert choose(benchmark, [0, 4, 8]) == [1, 4, 7]


def test_the_focal_series_is_one_held_out_image_at_every_defocus():
    with np.load(fetch("example/focal-series")) as file:
        images, labels = file["images"], json.loads(str(file["labels"]))
    with np.load(fetch("example/held-out")) as file:
        others, known = file["images"], json.loads(str(file["labels"]))
    assert tuple(label["defocus"] for label in labels) == DEFOCI
    same = [known.index(label) for label in labels if label in known]
    assert same == [1]
    np.testing.assert_array_equal(images[2], others[1])
    of = {(x["structure"], x["tilt_x"], x["tilt_y"]) for x in labels}
    assert of == {("PtNp1-D1-30", 0.0, 4.0)}


def test_the_lens_alone_makes_the_focal_series():
    with np.load(fetch("example/focal-series")) as file:
        images = file["images"].astype(float)
    wave = sbd.exit_wave(
        find_recipe("PtNp1-D1-30").build(), grid=256, tilts=[(0.0, 4.0)]
    )[0]
    foci = [0, 1, 10, 20]
    formed = sbd.form_image(wave, defocus=[10.0 * f for f in foci], samples=128)
    for focus, image in zip(foci, formed, strict=True):
        # a coarser grid than the benchmark's leaves 56 dB; neighbouring foci reach 49
        assert sbd.psnr(images[focus], image) > 55


def test_contrast_reverses_in_the_focal_series():
    series = sbd.focal_series([0, 1, 2, 20], frame=(384, 480))
    assert list(series) == [0.0, 1.0, 2.0, 20.0]
    assert [s.polarity for s in series.values()] == ["dark", *["bright"] * 3]
    seen = [s.truth.hit.mean() for s in series.values()]
    assert min(seen[2], seen[3]) > 0.8
    assert seen[1] < 0.2 < seen[0]  # where it reverses
    assert {s.clean.shape for s in series.values()} == {(384, 480)}
    (whole,) = sbd.focal_series([2]).values()
    np.testing.assert_array_equal(whole.clean, HELD_OUT[1].clean)
    assert whole.title == HELD_OUT[1].title
    cut = sbd.held_out_scenes(frame=(384, 480))[1]
    np.testing.assert_array_equal(cut.clean, crop_scene(whole, (384, 480)).clean)


@pytest.mark.parametrize("defoci", [[], [2.5], [0, 21]])
def test_a_defocus_that_was_not_simulated_is_refused(defoci):
    with pytest.raises(ValueError, match=r"defoci must be one or more of 0, 1, \.\.\."):
        sbd.focal_series(defoci)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"size must be .*; got \(0, 9\)"):
        crop_scene(HELD_OUT[0], (0, 9))
    with pytest.raises(ValueError, match=r"shape \(3, 3\); got \(80, 90\)"):
        Scene("small", np.ones((3, 3)), hexagon())
    with pytest.raises(ValueError, match="default_recipes lists; got PtNp9"):
        find_recipe("PtNp9")


def test_the_bundled_image_is_of_the_structure_that_its_script_builds():
    (particle, edits), thickness, tilt = bundled_scenes._BUNDLED
    script = (ROOT / "sbd/companion/make/assets.py").read_text()
    assert f"edits = {[*edits]}\n" in script
    built = f'pt_on_ceria("{particle}", edits, thickness={thickness}, tilt={tilt})'
    assert built in script
