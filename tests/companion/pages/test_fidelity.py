"""Check the comparison with the published images, and its parts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.companion.pages import fidelity
from sbd.companion.pages.fidelity import pairs
from sbd.companion.pages.fidelity.budget import (
    compare_row,
    default_rows,
    describe_default,
    error_budget,
    grid_error,
    series_error,
    show_budget,
    tabulate_effects,
)
from sbd.companion.pages.fidelity.charts import (
    show_column_peaks,
    show_pairs,
    show_profiles,
    show_structure_test,
)
from sbd.companion.pages.fidelity.pairs import (
    Pair,
    change_structure,
    compare_published,
    compare_structures,
    score_pair,
    weigh_column,
)
from sbd.companion.pages.fidelity.residuals import (
    compare_spectra,
    describe_columns,
    describe_difference,
    find_seam,
    locate_difference,
    measure_columns,
    profile_difference,
    radial_power,
)
from sbd.companion.pages.fidelity.sentences import (
    list_weights,
    tabulate_parameters,
    tabulate_scores,
    tell_columns,
    tell_difference,
    tell_remaining,
    tell_source,
    tell_weights,
)
from sbd.data.registry import DataUnavailableError
from sbd.simulation import structures
from sbd.simulation.specimens import TILTS

PIXEL = 50 / 512
# a thin specimen on a coarse grid: the arithmetic is the same
FOUND = {
    "particle": "PtNp2", "defect": "S3_5", "thickness": 10.0, "tilt_x": 0.0,
    "tilt_y": 0.0, "defocus": 6.0, "pixel": (PIXEL, PIXEL), "origin": (2.0, 49.9),
    "dose": 0.45, "grid": 128,
}  # fmt: skip
SHAPE = 430, 460


def simulate(**changes):
    return pairs._simulate(FOUND | changes, SHAPE)


@pytest.fixture(scope="module")
def pair():
    """Give a file of S3_5 that is a little brighter than ours."""
    image = simulate()
    return Pair(1.001 * image, image, FOUND, "simulated")


def test_a_frame_is_the_box_s_image_where_their_pixels_agree():
    atoms = sbd.pt_on_ceria("PtNp2", "S3_5", thickness=10.0)
    whole = sbd.form_image(sbd.exit_wave(atoms, grid=128), defocus=60.0, samples=512)
    frame = simulate(origin=(20 * PIXEL, 500 * PIXEL))
    rows, columns = (20 + np.arange(430)) % 512, (500 + np.arange(460)) % 512
    # float32 images of about 0.5
    np.testing.assert_allclose(frame, whole[np.ix_(rows, columns)], atol=2e-6)


def test_a_place_between_pixels_is_no_approximation():
    fine = simulate(pixel=(PIXEL / 2, PIXEL / 2), origin=(2.0, 3.0))
    moved = simulate(origin=(2.0 + PIXEL / 2, 3.0))
    np.testing.assert_allclose(fine[1::2, ::2], moved[:215, :230], atol=1e-12)


def test_scores_are_those_of_a_known_difference():
    clean = 0.45 + 0.1 * np.random.default_rng(0).random((300, 300))
    wrong = clean.copy()
    wrong[:, -1] += 0.3  # at the border, so it is outside
    wrong[150, 150] += 0.09  # a fifth of the vacuum
    score = score_pair(Pair(clean, wrong, {}, "simulated"))
    assert score["PSNR"] == pytest.approx(sbd.psnr(clean, wrong))
    assert score["largest"] == pytest.approx(20.0)
    # one pixel of the 180 x 180 inside
    assert score["rms"] == pytest.approx(20.0 / 180)
    assert score["PSNR inside"] == pytest.approx(-20 * np.log10(0.09 / 180))


def test_the_number_of_atoms_on_a_column_is_found():
    published = simulate(defect=((2, 0, -2), (0, 0, -2)))
    here = FOUND | {"defect": "S3_2-S5_2"}
    curve = weigh_column(Pair(published, published, here, "simulated"))
    assert curve.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert curve.idxmax() == 3
    assert curve[0] < curve[1] < curve[2] < curve[3] > curve[4] > curve[5]


def test_each_published_structure_fits_its_own_image_best(pair):
    other = Pair(simulate(defect="S5_5"), pair.simulated, FOUND, "simulated")
    table = compare_structures({"S3_5": pair, "S5_5": other})
    assert table.idxmax().to_dict() == {"S3_5": "S3_5", "S5_5": "S5_5"}


def test_another_structure_differs_where_the_atoms_do(pair):
    perfect = change_structure(pair, "D0")
    assert perfect.parameters["defect"] == "D0"
    assert perfect.published is pair.published
    pixel, share = locate_difference(perfect)
    spots = measure_columns(perfect)
    near = np.hypot(spots["row"] - pixel[0], spots["column"] - pixel[1]) * PIXEL
    assert near.min() < 0.5
    assert spots["atoms"][near.idxmin()] == 5
    assert share > 0.9


def test_peaks_are_read_where_the_columns_are():
    atoms = sbd.pt_on_ceria("PtNp2", "S3_5", thickness=10.0)
    columns = sbd.atoms_per_column(atoms).query("element == 'Pt'")
    rows, across = np.mgrid[:430, :460] * PIXEL
    image = np.full(SHAPE, 0.45)
    for _, x, y, n in columns.itertuples(index=False):
        # a spot of 0.3 angstrom is nothing a column away
        off = (rows + 2.0 - (50 - y)) ** 2 + (across - 0.1 - x) ** 2
        image += 0.045 * n * np.exp(-off / (2 * 0.3**2))
    table = measure_columns(Pair(image, image, FOUND, "simulated"))
    assert sorted(table["atoms"]) == sorted(columns["atoms"])
    # half a pixel off the peak: 1 - exp(-(0.05**2 + 0.05**2) / (2 * 0.3**2)) = 3 %
    np.testing.assert_allclose(table["published"], 10 * table["atoms"], rtol=0.03)


@pytest.mark.parametrize("tilt", [(3.0, 0.0), (0.0, 3.0)])
def test_the_tilt_moves_the_columns_to_where_they_are_looked_for(tilt):
    changes = {"thickness": 40.0, "tilt_x": tilt[0], "tilt_y": tilt[1]}
    image = simulate(**changes)
    table = measure_columns(Pair(image, image, FOUND | changes, "simulated"))
    reach = round(1.2 / PIXEL)
    off = []
    for row, column in table[["row", "column"]].round().astype(int).to_numpy():
        cut = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
        off.append(np.subtract(np.unravel_index(cut.argmax(), cut.shape), reach))
    # 20 angstrom times tan 3 degrees is 1; with the other sign they would be 2 off
    assert np.abs(np.median(off, axis=0)).max() * PIXEL < 0.4


def test_noise_of_unit_variance_has_unit_power_at_all_frequencies():
    noise = np.random.default_rng(0).normal(size=(400, 500))
    power = radial_power(noise, 0.05)
    assert power.index[1] == pytest.approx(1 / (400 * 0.05))
    # a ring of radius r holds about pi r independent coefficients
    assert power[2.0:].mean() == pytest.approx(1.0, abs=0.02)
    assert power[5.0:].std() < 0.1


def test_the_difference_has_the_share_that_it_was_given(pair):
    spectra = compare_spectra(pair)
    ratio = spectra["difference"] / spectra["published"]
    # 1.001 times theirs is ours times 1.001: a thousandth, squared
    np.testing.assert_allclose(ratio[0.1:1.0], (1 - 1 / 1.001) ** 2, rtol=1e-6)
    assert describe_difference(pair)["share"] == pytest.approx(1e-4, rel=0.01)


def test_the_profile_begins_at_the_frame_s_place_and_the_seam_lies_beyond(pair):
    profile = profile_difference(pair)
    assert profile.index[0] == pytest.approx(-0.1)
    assert profile.index[-1] == pytest.approx(-0.1 + 459 * PIXEL)
    described = describe_difference(pair)
    assert described["distance"] == pytest.approx(find_seam() - profile.index[-1])
    # layers end within half a spacing of 3.3 angstrom
    assert abs(find_seam() - structures._SEAM) < 1.0


def test_columns_are_summed_up(pair):
    described = describe_columns({"a": pair, "b": pair})
    assert described["columns"] == 84
    table = measure_columns(pair)
    rest = table["simulated"] - table["published"]
    assert described["mean"] == pytest.approx(rest.mean())
    assert described["rms"] ** 2 == pytest.approx(
        described["mean"] ** 2 + described["spread"] ** 2
    )


def stand_in(monkeypatch, *, available):
    """Replace the file, the search and the box by small ones."""

    def fetch(name):
        if not available:
            raise DataUnavailableError(name)
        return np.full(SHAPE, 0.45)

    monkeypatch.setattr("sbd.data.examples.fetch_clean", fetch)
    monkeypatch.setattr(pairs, "REFERENCE", sbd.Microscope(grid=64))
    monkeypatch.setattr(pairs, "_STAND_IN", {"origin": (2, 3), "shape": SHAPE})
    found = SimpleNamespace(parameters=FOUND | {"dose": 0.4})
    monkeypatch.setattr(pairs, "match_simulation", lambda *_, **__: found)
    monkeypatch.delenv("SBD_SOURCE", raising=False)


@pytest.mark.parametrize(
    ("available", "asked", "named", "taken"),
    [
        (True, "auto", "", "authors"),
        (True, "auto", "real", "authors"),
        (True, "auto", "simulated", "simulated"),
        (True, "simulated", "authors", "simulated"),
        (False, "auto", "", "simulated"),
        (False, "real", "", "simulated"),
    ],
)
def test_the_best_source_is_taken(monkeypatch, available, asked, named, taken):
    stand_in(monkeypatch, available=available)
    monkeypatch.setenv("SBD_SOURCE", named)
    pair = compare_published("S3_5", source=asked, grid=64)
    assert pair.source == taken
    assert pair.whose == {"authors": "Authors' file"}.get(taken, "Our reference")
    # nothing is scaled, whatever the search found, and the grid is the one asked for
    assert (pair.parameters["dose"], pair.parameters["grid"]) == (0.45, 64)


def test_what_was_asked_for_is_not_replaced(monkeypatch):
    stand_in(monkeypatch, available=False)
    with pytest.raises(DataUnavailableError):
        compare_published("S3_5", source="authors", grid=64)
    with pytest.raises(ValueError, match=r"source must be one of auto, .*; got 'film"):
        compare_published("S3_5", source="film")


def test_a_series_error_is_relative_to_vacuum_and_to_contrast():
    better = np.ones((2, 4, 4))
    better[:, ::2] += 0.2
    better[:, 1::2] -= 0.2
    changed = better + np.array([0.03, 0.04])[:, None, None]
    error = series_error(changed, better)
    assert error["rms"] == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))
    assert error["worst"] == pytest.approx(0.04)
    assert error["relative"] == pytest.approx(error["rms"] / 0.2)
    with pytest.raises(ValueError, match=r"changed must be a series .* got \(4, 4\)"):
        series_error(changed[0], better[0])


def test_a_row_of_the_budget_is_found_again():
    table = error_budget().query("effect == 'grid' and setting == '384'")
    row = table[table["tilt_x"] == 3.0].iloc[0]
    # the table holds three digits; fast Fourier transforms differ by less
    for name, value in grid_error(384).items():
        assert value == pytest.approx(row[name], rel=0.01), name


def test_the_budget_knows_every_specimen_and_repeats_none():
    budget = error_budget()
    keys = ["effect", "setting", "thickness", "tilt_x", "tilt_y"]
    assert not budget.duplicated(keys).any()
    default = budget[budget["effect"] == "default"]
    assert set(zip(default["tilt_x"], default["tilt_y"], strict=True)) == set(TILTS)
    assert set(default["thickness"]) == {30.0, 40.0, 50.0, 60.0}
    ranges = describe_default(budget)
    errors = 100 * default["relative"]
    assert min(low for low, _ in ranges.values()) == errors.min()
    assert max(high for _, high in ranges.values()) == errors.max()


def test_a_difference_is_drawn_on_a_scale_of_its_own_that_its_title_tells():
    clean = np.linspace(0.0, 1.0, 300) * np.ones((300, 1))
    pair = Pair(clean, clean + 0.05, FOUND, "authors")
    fig = show_pairs({"S3_5": pair, "again": pair})
    theirs, ours, rest = fig.axes[:3]
    assert theirs.get_title() == "(a) Authors' file, S3_5"
    assert ours.images[0].get_clim() == theirs.images[0].get_clim() == (0.0, 1.0)
    # 1 over twice 0.05 is 10
    assert rest.get_title() == "(c) Difference, 10 times"
    np.testing.assert_allclose(rest.images[0].get_clim(), [-5 / 0.45, 5 / 0.45])
    np.testing.assert_allclose(rest.images[0].get_array(), 5 / 0.45)
    assert fig.axes[5].get_title().startswith("(f) ")


def test_the_test_of_a_column_shows_its_place_and_the_best_number(pair):
    perfect = change_structure(pair, "D0")
    curve = pd.Series([40.0, 50.0, 45.0])
    fig = show_structure_test(pair, perfect, {"a": curve, "b": curve + 1})
    zooms, chart, whole = fig.axes[:3], fig.axes[3], fig.axes[4]
    assert {ax.images[0].get_array().shape for ax in zooms} == {(320, 320)}
    # an arrow, and the words of the scale bar
    assert [text.get_text() for text in zooms[0].texts] == ["0.5 nm", ""]
    assert [line.get_xdata()[0] for line in chart.lines[1::2]] == [1, 1]
    assert len(whole.patches) == 1


def test_profiles_and_peaks_show_both_images(pair):
    fig = show_profiles(pair)
    spectra, values, across = fig.axes
    assert len(spectra.lines) == 3
    assert len(values.lines) == 2
    assert values.lines[0].get_ydata().sum() == pytest.approx(100.0)
    assert across.lines[1].get_xdata()[0] == find_seam()
    left, right = show_column_peaks({"a": pair}).axes
    table = measure_columns(pair)
    offsets = [c.get_offsets()[:, 1] for c in left.collections]
    np.testing.assert_array_equal(offsets[0], table["published"])
    np.testing.assert_array_equal(offsets[1], table["simulated"])
    rest = table["simulated"] - table["published"]
    np.testing.assert_array_equal(right.collections[0].get_offsets()[:, 1], rest)


FLAT = np.full((4, 4), 0.45)


def test_it_is_said_whose_the_images_are():
    theirs = Pair(FLAT, FLAT, FOUND, "authors")
    ours = replace(theirs, source="simulated")
    assert "stand-in" not in tell_source(theirs).data
    assert tell_source(ours).data.startswith("**This copy shows a stand-in.**")
    assert "nothing about the authors" in tell_source(ours).data
    described = {"mean": -0.2, "columns": 40.0, "spread": 0.1, "an atom": 8.0}
    said = tell_columns(theirs, described).data
    assert said.startswith("Compared with the authors' file, ours are dimmer by 0.2 %")
    said = tell_columns(ours, described | {"mean": 0.01}).data
    assert said.startswith("Compared with our reference, ours are brighter by 0.01 %")


def test_the_best_number_of_atoms_is_said_beside_that_of_the_name():
    pairs_of = {"S3_5": Pair(FLAT, FLAT, FOUND, "authors")}
    best = {"S3_5": pd.Series([61.2, 50.0, 45.0])}  # none is left of five
    said = tell_weights(pairs_of, best, 0.97).data
    assert "highest with 0 atoms on the column (as its name says), 11.2 dB" in said
    assert "97 % of the squared difference" in said
    other = {"S3_5": pd.Series([40.0, 50.0, 45.0])}
    assert (
        "1 atoms on the column (its name says 0)"
        in tell_weights(pairs_of, other, 0.97).data
    )
    listed = list_weights(0.971, best)
    assert listed["share of the difference at the column"] == 0.97
    assert listed["PSNR by atoms"]["S3_5"] == {0: 61.2, 1: 50.0, 2: 45.0}


def test_the_seam_is_said_to_be_where_it_is():
    pair = Pair(FLAT, FLAT, FOUND, "authors")
    described = {"share": 0.2, "edge": 45.0, "seam": 46.5, "distance": 1.5}
    assert (
        "the seam lies 1.5 \u00c5 beyond that" in tell_difference(pair, described).data
    )
    described |= {"seam": 44.0, "distance": -1.0}
    assert (
        "the seam lies 1.0 \u00c5 inside that" in tell_difference(pair, described).data
    )


def test_the_largest_error_is_held_against_what_remains():
    pair, budget = Pair(FLAT, FLAT, FOUND, "authors"), error_budget()
    largest = 100 * default_rows(budget)["rms"].max()
    for remaining, word in ((2 * largest, "less than"), (largest / 2, "more than")):
        assert word in tell_remaining(pair, remaining, budget).data


def test_scores_parameters_and_effects_are_written_with_units():
    pair = Pair(FLAT, FLAT + 0.0045, FOUND, "authors")
    written = tabulate_scores({"a": {"PSNR": 46.9, "rms": 1.0}})
    assert list(written.columns) == ["PSNR (dB)", "rms difference inside (% of vacuum)"]
    table = tabulate_parameters({"a": pair})["a"]
    assert table["support (\u00c5)"] == "10"
    assert table["origin of the frame: down, across (\u00c5)"] == "2, 49.9"
    budget = error_budget()
    effects = tabulate_effects(budget)
    row = budget.query("effect == 'grid' and setting == '384' and tilt_x == 3").iloc[0]
    assert float(effects.loc[("grid", "384")].iloc[1]) == pytest.approx(
        100 * row["rms"], rel=0.05
    )
    live = {name: row[name] for name in ("rms", "worst", "relative")}
    both = compare_row(budget, live)
    assert (both["in the table"] == both["computed here"]).all()


def test_the_budget_is_drawn_as_it_is():
    budget = error_budget()
    fig = show_budget(budget, 0.25, whose="Authors' file")
    heat, dots = fig.axes
    said = [text.get_text() for text in dots.get_legend().get_texts()]
    assert "difference from authors' file" in said
    names = [label.get_text() for label in heat.get_xticklabels()]
    assert names == ["x 4", "x 3", "x 2", "x 1", "0", "y 1", "y 2", "y 3", "y 4"]
    shown = heat.images[0].get_array()
    cell = budget.query("effect == 'default' and thickness == 50 and tilt_y == 2")
    assert shown[2, 6] == 100 * cell["relative"].item()
    points = sum(len(c.get_offsets()) for c in dots.collections)
    assert points == (budget["effect"] != "default").sum()
    labels = [label.get_text() for label in dots.get_yticklabels()]
    grid = sbd.Microscope().grid
    row = labels.index(f"grid {grid} (default)")
    errors = budget.query(f"effect == 'grid' and setting == '{grid}'")["rms"] * 100
    at = np.concatenate([c.get_offsets() for c in dots.collections])
    assert set(at[at[:, 1] == row, 0]) == set(errors)


def test_wrong_arguments_are_refused(pair):
    with pytest.raises(ValueError, match=r"name must be one of S3_5, .*; got 'D0'"):
        compare_published("D0")
    with pytest.raises(ValueError, match=r"site must be one of PtNp2's; got \(9, 9\)"):
        weigh_column(pair, (9, 9))
    with pytest.raises(ValueError, match="pixel must be positive; got 0"):
        radial_power(pair.published, 0)
    with pytest.raises(ValueError, match="defect must name a site"):
        change_structure(pair, [(9, 9, 1)])
    with pytest.raises(ValueError, match="two-dimensional"):
        radial_power(np.zeros(3), 1.0)
    broken = replace(pair, parameters=FOUND | {"particle": "Au"})
    with pytest.raises(ValueError, match="particle must be one of"):
        change_structure(broken, "D0")


@pytest.mark.network
def test_the_simulation_is_the_authors_image():
    try:
        pair = compare_published("S3_5", source="authors")
    except DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    score = score_pair(pair)
    # the same image but for rounding of the optics, also at the border
    assert score["PSNR"] > 60
    assert score["PSNR inside"] > 60
    assert score["correlation"] > 0.9998
    # a missing column costs more, by far
    perfect = score_pair(change_structure(pair, "D0"))
    assert perfect["PSNR inside"] < score["PSNR inside"] - 8


def test_images_without_a_label_are_listed_microscope_by_microscope(tmp_path):
    region = {"correlation": 0.99971, "error over contrast": 0.0251}
    found = {"particle": "PtNp1", "defect": "D0", "thickness": 30.0, "tilt_x": 0.0,
             "tilt_y": 0.0, "defocus": 12.0}  # fmt: skip
    regions = dict.fromkeys(("support", "particle", "frame"), region)
    measured = {"unlabelled/1": {"found": found, "minutes": 1.0, "ours": regions},
                "atoms put on and taken": {}}  # fmt: skip
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(measured), "utf8")
    table = fidelity.tabulate_unlabelled(file)
    assert table.index.tolist() == [("1", "ours")]
    row = table.loc["1", "ours"]
    assert row["error, support (%)"] == 2.5
    assert row["found"] == "PtNp1 D0, 30 \u00c5, tilt (0, 0), 12 nm"
    assert fidelity.tabulate_unlabelled(tmp_path / "none.json").empty
