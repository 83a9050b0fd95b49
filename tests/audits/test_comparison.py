"""Check the table of denoisers."""

import time
from functools import partial

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.audits.placed_atoms import PlacedAtoms
from sbd.audits.scenes import Scene
from sbd.metrics import score_regions

CLEAN = np.full((40, 48), sbd.VACUUM)


def test_every_row_is_the_mean_over_the_same_draws():
    table = sbd.compare_denoisers(
        CLEAN, {"raw": np.array, "constant": sbd.denoise_constant}, draws=3, seed=5
    )
    drawn = [
        sbd.poisson_noise(CLEAN, rng=np.random.default_rng([5, i])) for i in range(3)
    ]
    by_hand = np.mean([sbd.authors_psnr(CLEAN, noisy) for noisy in drawn])
    assert list(table.index) == ["raw", "constant"]
    assert table.loc["raw", "PSNR"] == pytest.approx(by_hand)
    assert table.loc["constant", "PSNR"] > table.loc["raw", "PSNR"] + 10


def test_the_classical_ones_all_beat_the_counts():
    table = sbd.compare_denoisers(CLEAN, sbd.classical_denoisers(), draws=1, seed=0)
    others = table.drop("raw counts")
    assert len(others) == len(sbd.classical_denoisers()) - 1
    assert (others["PSNR"] > table.loc["raw counts", "PSNR"] + 10).all()


def test_the_clean_image_is_left_alone():
    clean = CLEAN.copy()
    sbd.compare_denoisers(clean, {"raw": np.array}, draws=1, seed=0)
    np.testing.assert_array_equal(clean, CLEAN)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="denoisers must hold at least one; got none"):
        sbd.compare_denoisers(CLEAN, {}, draws=1, seed=0)
    with pytest.raises(ValueError, match=r"draws must be a whole .* 1; got 0"):
        sbd.compare_denoisers(CLEAN, {"raw": np.array}, draws=0, seed=0)
    with pytest.raises(ValueError, match="clean must hold electron counts"):
        sbd.compare_denoisers(-CLEAN, {"raw": np.array}, draws=1, seed=0)


# --- regions, columns and time


def dot(places, shape, height=0.2, sigma=10.0):
    rows, columns = np.indices(shape)
    return sum(
        height * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * sigma**2))
        for r, c in places
    )


@pytest.fixture(scope="module")
def scene():
    """Four platinum columns, one of them surrounded by nothing else."""
    places = np.array([[100.0, 60.0], [100.0, 105.0], [140.0, 82.0], [140.0, 127.0]])
    specimen = PlacedAtoms(
        places, np.ones(4, bool), np.array([[230.0, 100.0]]), (0.06, 0.06), (240, 220)
    )
    clean = sbd.VACUUM + dot(places, (240, 220))
    return Scene("four columns", clean, specimen)


def judge(scene, denoise, draws=1):
    return sbd.judge_denoisers(scene, {"one": denoise}, draws=draws, seed=0).loc["one"]


def test_a_perfect_denoiser_finds_everything_and_makes_no_error(scene):
    row = judge(scene, lambda _: scene.clean)
    assert (row["found_share"], row["false"]) == (1, 0)
    for part in ("", " particle", " surface", " vacuum"):
        assert (row[f"PSNR{part}"], row[f"SSIM{part}"]) == (np.inf, pytest.approx(1))


def test_an_invented_column_in_the_vacuum_is_false_and_spoils_the_vacuum_alone(scene):
    row = judge(scene, lambda _: scene.clean + dot([(40, 160)], (240, 220)))
    assert (row["found_share"], row["false"]) == (1, 1)
    # at 2.5 angstrom, 42 pixels, a dot of 10 pixels has faded to 1e-4 of its height
    assert row["PSNR vacuum"] < 40 < 60 < row["PSNR particle"]


def test_a_lost_column_is_missed_and_spoils_the_particle_most(scene):
    lost = dot(scene.specimen.columns[:1], (240, 220))
    row = judge(scene, lambda _: scene.clean - lost)
    assert (row["found_share"], row["false"]) == (0.75, 0)
    assert row["PSNR particle"] < row["PSNR surface"] < row["PSNR"] < row["PSNR vacuum"]


def test_the_whole_image_scores_as_in_the_plain_table(scene):
    denoisers = {"raw": np.array, "Gaussian": sbd.denoise_gaussian}
    plain = sbd.compare_denoisers(scene.clean, denoisers, draws=2, seed=4)
    judged = sbd.judge_denoisers(scene, denoisers, draws=2, seed=4)
    assert list(judged.index) == list(plain.index)
    np.testing.assert_allclose(judged[["PSNR", "SSIM"]], plain)


def test_default_and_tuned_stand_side_by_side_with_their_parameters(scene):
    filters = {"default": sbd.denoise_gaussian, "own": lambda noisy: 1.0 * noisy}
    filters["tuned"] = partial(sbd.denoise_gaussian, sigma=9.0)
    table = sbd.judge_denoisers(scene, filters, draws=1, seed=0)
    assert table["parameters"].to_list() == ["sigma=7.5", "", "sigma=9.0"]
    by_hand = sbd.compare_denoisers(scene.clean, filters, draws=1, seed=0)
    assert table.loc["tuned", "PSNR"] == pytest.approx(by_hand.loc["tuned", "PSNR"])


def test_the_seconds_are_those_of_the_denoiser_and_nothing_else_varies(scene):
    def slow(noisy):
        time.sleep(0.05)
        return noisy

    tables = [
        sbd.judge_denoisers(scene, {"slow": slow, "raw": np.array}, draws=2, seed=0)
        for _ in range(2)
    ]
    assert tables[0].loc["slow", "seconds"] >= 0.05
    one, other = (table.drop(columns="seconds") for table in tables)
    pd.testing.assert_frame_equal(one, other)


def test_regions_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    clean = rng.uniform(0.2, 0.8, (40, 48))
    image = clean + rng.normal(0, 0.1, clean.shape) * np.linspace(0, 1, 48)
    left = np.zeros(clean.shape, bool)
    left[:, :12] = True
    parts = score_regions(
        clean, image, {"all": left | ~left, "left": left, "right": ~left}
    )
    scores = sbd.authors_psnr(clean, image), sbd.authors_ssim(clean, image)
    assert parts["all"] == pytest.approx(scores)
    errors = {name: 10 ** (-decibels / 10) for name, (decibels, _) in parts.items()}
    assert errors["all"] == pytest.approx(errors["left"] / 4 + errors["right"] * 3 / 4)
    # windows that reach over the border do not count: 34 of 40 rows, 9 and 33 columns
    mixed = (9 * parts["left"][1] + 33 * parts["right"][1]) / 42
    assert parts["all"][1] == pytest.approx(mixed)
    assert parts["left"][0] > parts["right"][0]


def test_a_region_of_nothing_has_no_score():
    parts = score_regions(CLEAN, CLEAN + 0.1, {"none": np.zeros(CLEAN.shape, bool)})
    assert np.isnan(parts["none"]).all()


# --- ranking


BY_IMAGE = {
    "a": {"x": (30.0, 32.0), "y": (36.0, 36.0)},
    "b": {"x": (32.0, 33.0), "y": (36.0, 39.0)},
    "c": {"x": (32.0, 32.0), "y": (35.0, 35.0)},
}
SCORES = pd.DataFrame(
    [
        {"method": method, "image": image, "draw": draw, "psnr": score}
        for method, images in BY_IMAGE.items()
        for image, draws in images.items()
        for draw, score in enumerate(draws)
    ]
)


def test_the_ranking_is_that_of_means_over_images():
    table = sbd.rank_denoisers(SCORES, reference="a")
    # means of a: 31, 36; of b: 32.5, 37.5; of c: 32, 35; ties stay in their order
    wanted = {
        "PSNR": [35.0, 33.5, 33.5],
        "standard_error": [2.5, 2.5, 1.5],
        "difference": [1.5, 0.0, 0.0],
        "difference_error": [0.0, 0.0, 1.0],
        "ahead": [2, 0, 1],
    }
    wanted = pd.DataFrame(wanted, index=pd.Index(["b", "a", "c"], name="method"))
    pd.testing.assert_frame_equal(table, wanted)


def test_the_errors_of_one_image_are_not_known():
    one = sbd.rank_denoisers(SCORES.query("image == 'x'"), reference="a")
    assert one[["standard_error", "difference_error"]].isna().all(axis=None)


def test_held_out_images_can_be_ranked():
    flat = {"vacuum": CLEAN, "brighter": 2 * CLEAN}
    filters = {"constant": sbd.denoise_constant, "raw": np.array}
    how = {"doses": [sbd.VACUUM], "draws": 1, "seed": 0}
    scores = sbd.dose_curve(filters, flat, **how)
    table = sbd.rank_denoisers(scores, reference="raw")
    assert list(table.index) == ["constant", "raw"]
    assert table.loc["constant", "ahead"] == 2


def test_a_ranking_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="reference must be one of a, b, c; got 'z'"):
        sbd.rank_denoisers(SCORES, reference="z")
    with pytest.raises(ValueError, match="method on every image; got gaps of 'c'"):
        sbd.rank_denoisers(SCORES.iloc[:-2], reference="a")
    doses = SCORES.assign(dose=SCORES["draw"])
    with pytest.raises(ValueError, match=r"scores must be of one dose; got \[.*0.*1"):
        sbd.rank_denoisers(doses, reference="a")


def test_a_judgement_that_makes_no_sense_is_refused(scene):
    with pytest.raises(ValueError, match="denoisers must hold at least one; got none"):
        sbd.judge_denoisers(scene, {}, draws=1, seed=0)
    with pytest.raises(ValueError, match=r"draws must be a whole .* 1; got 0"):
        sbd.judge_denoisers(scene, {"raw": np.array}, draws=0, seed=0)
    with pytest.raises(ValueError, match="'one' must return shape"):
        judge(scene, lambda noisy: noisy[1:])
    with pytest.raises(ValueError, match=r"regions must have the shape \(40, 48\)"):
        score_regions(CLEAN, CLEAN, {"all": np.ones((2, 2), bool)})
