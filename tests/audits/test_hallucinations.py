"""Check the audit on images whose lost and invented columns are drawn by hand."""

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.audits.hallucinations import (
    audit_denoisers,
    audit_focal_series,
    audit_vacuum,
    disagreement,
)
from sbd.audits.inspection import inspect_estimate, score_found, score_scene
from sbd.audits.placed_atoms import PlacedAtoms
from sbd.audits.scenes import Scene

VACUUM, PIXEL, SHAPE = 0.45, 0.1, (180, 260)
SPACING = 2.4 / PIXEL  # of platinum columns [pixels]


def dots(places):
    """Draw columns of 0.7 angstrom radius."""
    rows, cols = np.indices(SHAPE)
    squared = (rows - np.reshape(places, (-1, 2))[:, 0, None, None]) ** 2
    squared = squared + (cols - np.reshape(places, (-1, 2))[:, 1, None, None]) ** 2
    return VACUUM + 0.2 * np.exp(-squared / (0.7 / PIXEL) ** 2).sum(axis=0)


def rhombus():
    """Four by three close-packed columns, and a support far below them."""
    down = np.sqrt(3) / 2 * SPACING
    places = [(70 + k * down, 60 + j * SPACING + k * SPACING / 2)
              for k in range(3) for j in range(4)]  # fmt: skip
    return np.array(places)


PLACES = rhombus()
SPECIMEN = PlacedAtoms(
    PLACES, np.ones(12, bool), np.array([[175.0, 5.0]]), (PIXEL, PIXEL), SHAPE
)
SCENE = Scene("rhombus, 6 nm", dots(PLACES), SPECIMEN)


def shown(places):
    """Make a denoiser that shows the given columns whatever the counts are."""
    return lambda noisy: dots(places) * (noisy.mean() / SCENE.clean.mean())


def test_where_the_clean_image_shows_no_column_there_is_no_score():
    flat = Scene("flat", np.full(SHAPE, VACUUM), SPECIMEN)
    truth = Scene("dots", dots(PLACES), SPECIMEN)
    denoisers = {
        "dots": lambda noisy: truth.clean + 0 * noisy,
        "flat": lambda noisy: flat.clean + 0 * noisy,
    }
    table = audit_denoisers(denoisers, [flat, truth], seed=0)
    nothing = table[table["image"] == "flat"]
    assert (nothing["seen"] == 0).all()
    scores = nothing[["recall", "precision", "f1", "surface_jaccard"]]
    assert scores.isna().to_numpy().all()
    assert nothing["psnr"].notna().all()
    # and where there is none, none can be in opposite order
    assert disagreement(nothing, ["f1"]).isna().all()
    assert disagreement(table, ["f1"]).notna().all()


def test_the_clean_image_is_without_fault():
    scores = score_scene(SCENE, SCENE.clean)
    assert scores["f1"].tolist() == [1, 1, 1]
    assert scores["true"].tolist() == [12, 12, 10]  # two are inside
    pd.testing.assert_frame_equal(scores, score_found(SCENE, SCENE.truth.found))


def test_what_is_lost_and_what_is_invented_is_counted():
    far = (40.0, 200.0)  # in the vacuum
    denoisers = {
        "true": shown(PLACES),
        "less": shown(PLACES[1:]),
        "more": shown([*PLACES, far]),
        "both": shown([*PLACES[2:], far]),
        "nothing": shown([]),
    }
    table = audit_denoisers(denoisers, [SCENE], draws=2, seed=0)
    assert len(table) == 10
    table = table[table["draw"] == 1].set_index("method")
    assert table["seen"].tolist() == [12] * 5
    assert table["lost"].to_dict() == {
        "true": 0, "less": 1, "more": 0, "both": 2, "nothing": 12
    }  # fmt: skip
    assert table["invented"].to_dict() == {
        "true": 0, "less": 0, "more": 1, "both": 1, "nothing": 0
    }  # fmt: skip
    assert table.loc["both", "recall"] == pytest.approx(10 / 12)
    assert table.loc["both", "precision"] == pytest.approx(10 / 11)
    assert table.loc["both", "jaccard"] == pytest.approx(10 / 13)
    assert table.loc["both", "f1"] == pytest.approx(20 / 23)
    assert table.loc["nothing", ["recall", "f1", "surface_f1"]].tolist() == [0, 0, 0]
    # a sharp corner has no neighbour inside: without it nothing else lies bare
    assert table.loc["less", "surface_jaccard"] == pytest.approx(9 / 10)
    assert table.loc["true", "psnr"] > table.loc["less", "psnr"]


def test_columns_of_atoms_that_no_image_shows_are_part_of_no_recall():
    hidden = Scene("one is not seen", dots(PLACES[1:]), SPECIMEN)
    one = inspect_estimate(hidden, dots(PLACES[2:]))
    wanted = {"columns": 12, "seen": 11, "found": 10, "kept": 10, "lost": 1}
    assert {name: one.counts[name] for name in wanted} == wanted
    recall = score_scene(hidden, one.denoised).loc["particle", "recall"]
    assert recall == pytest.approx(10 / 11)


def test_doses_are_brought_back_to_the_papers_level():
    table = audit_denoisers(
        {"true": shown(PLACES)}, [SCENE], doses=[0.45, 45.0], seed=0
    )
    assert table["dose"].tolist() == [0.45, 45.0]
    # the estimate is off by the mean of the counts alone: of 180 x 260 pixels with
    # 0.46 electrons, 0.7 % of 0.46 at most (4.8 standard errors), so above 49 dB
    assert (table["psnr"] > 49).all()
    assert table["lost"].tolist() == [0, 0]


def test_all_methods_see_the_same_counts_and_a_seed_repeats_them():
    seen = []
    watch = {
        "a": lambda noisy: seen.append(noisy) or noisy,
        "b": lambda noisy: seen.append(noisy) or noisy,
    }
    first = audit_denoisers(watch, [SCENE], seed=3)
    np.testing.assert_array_equal(seen[0], seen[1])
    pd.testing.assert_frame_equal(audit_denoisers(watch, [SCENE], seed=3), first)
    audit_denoisers(watch, [SCENE], seed=4)
    assert (seen[-1] != seen[0]).any()


def test_a_lattice_in_vacuum_is_found_and_flat_vacuum_is_not_accused():
    rows, cols = np.indices((200, 200))
    period = 24.0  # pixels
    wave = np.cos(2 * np.pi * rows / period) * np.cos(2 * np.pi * cols / period)

    def lattice(noisy):
        return noisy.mean() * (1 + 0.3 * wave)

    def flat(noisy):
        return np.full(noisy.shape, noisy.mean())

    table = audit_vacuum(
        {"lattice": lattice, "flat": flat},
        doses=[0.45, 4.5],
        shape=(200, 200),
        pixel=PIXEL,
        seed=0,
    ).set_index(["method", "dose"])
    assert table.loc["flat", "columns"].tolist() == [0, 0]
    assert table.loc["flat", "relative"].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert (table.loc["lattice", "peaks"] > 0.9).all()
    # two dots to a period square; those on the outermost pixels, and the half periods
    # at the far borders, may be missing: 2 (200 / 24)^2 = 139 in 4 nm², less 2 rows of
    # 17 along each axis
    assert (table.loc["lattice", "columns"] > (139 - 4 * 17) / 4).all()
    assert (table.loc["lattice", "columns"] < (139 + 17) / 4).all()


def test_disagreement_counts_pairs():
    table = pd.DataFrame(
        {
            "image": [1, 1, 1, 2, 2],
            "dose": 0.45,
            "draw": 0,
            "psnr": [30.0, 31.0, 32.0, 20.0, 25.0],
            "f1": [0.5, 0.4, 0.9, 0.2, 0.2],
            "flat": 1.0,
        }
    )
    # of three pairs in the first image one is opposed; the second is level
    found = disagreement(table, ["f1", "flat", "psnr"])
    assert found["f1"] == pytest.approx(1 / 3)
    assert np.isnan(found["flat"])
    assert found["psnr"] == 0
    with pytest.raises(
        ValueError, match="table must have the column 'ssim'; got image"
    ):
        disagreement(table, ["ssim"])


def test_disagreement_compares_images_of_one_method_as_well():
    table = pd.DataFrame(
        {
            "method": ["a", "a", "b", "b"],
            "defocus": [0.0, 9.0] * 2,
            "draw": 0,
            "psnr": [38.0, 30.0, 20.0, 21.0],
            "f1": [0.1, 0.9, 0.8, 0.9],
        }
    )
    same = ["method", "draw"]
    assert disagreement(table, ["f1"], same=same)["f1"] == pytest.approx(1 / 2)
    each = table.groupby("method").apply(disagreement, ["f1"], same=["draw"])
    assert each["f1"].to_dict() == {"a": 1.0, "b": 0.0}
    with pytest.raises(ValueError, match="table must have the column 'image'"):
        disagreement(table, ["f1"])


def test_a_focal_series_is_audited_defocus_by_defocus():
    true = {"true": shown(PLACES), "half": shown(PLACES[:6])}
    table = audit_focal_series(true, {3.0: SCENE, 1.0: SCENE}, draws=2, seed=4)
    assert table["defocus"].tolist() == [3.0] * 4 + [1.0] * 4
    assert table["method"].tolist() == ["true", "half"] * 4
    plain = audit_denoisers(true, [SCENE, SCENE], draws=2, seed=4)
    pd.testing.assert_frame_equal(table.drop(columns="defocus"), plain)
    more = audit_focal_series(true, {3.0: SCENE}, dose=2.0, seed=4)
    assert more["dose"].unique().tolist() == [2.0]
    with pytest.raises(ValueError, match="scenes must hold at least one; got none"):
        audit_focal_series(true, {}, seed=0)


def test_what_cannot_be_audited_is_refused():
    true = {"true": shown(PLACES)}
    with pytest.raises(ValueError, match="denoisers must hold at least one; got none"):
        audit_denoisers({}, [SCENE], seed=0)
    with pytest.raises(ValueError, match="scenes must hold at least one; got none"):
        audit_denoisers(true, [], seed=0)
    with pytest.raises(ValueError, match="doses must hold at least one; got none"):
        audit_vacuum(true, doses=[], seed=0)
    with pytest.raises(ValueError, match=r"or more numbers above 0; got \[0\]"):
        audit_denoisers(true, [SCENE], doses=[0], seed=0)
    with pytest.raises(ValueError, match=r"draws must be a whole .* 1; got 0"):
        audit_denoisers(true, [SCENE], draws=0, seed=0)
    with pytest.raises(ValueError, match=r"'cut' must return shape \(180, 260\); got"):
        audit_denoisers({"cut": lambda noisy: noisy[1:]}, [SCENE], seed=0)


def zeroes(noisy):
    return np.multiply(noisy, 0, out=noisy)


def spoils(noisy):
    image = sbd.denoise_gaussian(noisy)
    zeroes(noisy)
    return image


def test_a_denoiser_that_works_in_place_spoils_it_for_no_other():
    flat, nowhere = np.full((48, 48), 0.45), np.zeros((0, 2))
    empty = PlacedAtoms(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (48, 48))
    mean = {"mean": lambda noisy: np.full(noisy.shape, noisy.mean())}
    both, scene = {"zeroes": zeroes} | mean, [Scene("vacuum", flat, empty)]
    for audit in (
        lambda these: audit_denoisers(these, scene, seed=0),
        lambda these: sbd.dose_curve(these, {"a": flat}, doses=[2.0], draws=1, seed=0),
    ):
        after, alone = audit(both), audit(mean)
        after = after[after["method"] == "mean"]
        assert after["psnr"].tolist() == alone["psnr"].tolist()
    counts = np.random.default_rng(0).poisson(np.full((160, 160), 0.45))
    some = sbd.Columns(np.array([[30.0, 30.0]]), np.array([8.0]), np.array([0.1]))
    both = [
        sbd.judge_columns(counts, one, rng=np.random.default_rng(0), columns=some,
                          vacuum="auto", deals=2)
        for one in (sbd.denoise_gaussian, spoils)
    ]  # fmt: skip
    assert both[0].p_values.tolist() == both[1].p_values.tolist()


def test_results_of_another_shape_are_refused():
    flat, nowhere = np.full((48, 48), 0.45), np.zeros((0, 2))
    empty = PlacedAtoms(nowhere, np.zeros(0, bool), nowhere, (0.2, 0.2), (48, 48))
    with pytest.raises(ValueError, match=r"image must have shape \(48, 48\); got"):
        score_scene(Scene("vacuum", flat, empty), np.ones((5, 5)))
    with pytest.raises(ValueError, match=r"'cut' must return shape \(256, 256\)"):
        audit_vacuum({"cut": lambda noisy: noisy[:40]}, doses=[0.45], seed=0)


def test_one_of_each_is_no_list_of_them():
    with pytest.raises(TypeError, match="denoisers must be a dict of functions"):
        audit_vacuum([zeroes], doses=[0.45], seed=0)
    with pytest.raises(TypeError, match="doses must be a sequence"):
        audit_vacuum({"zeroes": zeroes}, doses=0.45, seed=0)
