"""Check the challenge on scenes whose lost and invented columns are drawn by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import sbd.audits.challenge as module
from sbd.audits.challenge import (
    CONTRASTS,
    ChallengeScene,
    challenge_denoisers,
    challenge_scenes,
    draw_foci,
    list_columns,
    summarise_challenge,
)
from sbd.audits.placed_atoms import project_columns
from sbd.audits.removals import remove_columns
from sbd.benchmark.recipes import contrast_label
from sbd.columns.finding import find_columns
from sbd.evidence.judgement import judge_columns
from sbd.simulation.structures import pt_on_ceria

PIXEL, SHAPE, VACUUM = 0.1, (180, 200), 0.45
NAMES = ["row", "column", "element", "kind", "surface", "site", "there"]
PLACES = np.array([[60.0, 60.0], [60.0, 90.0], [60.0, 120.0], [90.0, 60.0]])
EMPTY = np.array([[90.0, 90.0]])
GHOST = np.array([[130.0, 130.0]])  # the clean image shows it, and no column is there
FAR = np.array([[140.0, 40.0]])


def dots(*places):
    """Draw columns of 0.7 angstrom radius."""
    rows, columns = np.indices(SHAPE)
    image = np.full(SHAPE, VACUUM)
    for row, column in np.concatenate(places):
        squared = (rows - row) ** 2 + (columns - column) ** 2
        image += 0.3 * np.exp(-squared / (0.7 / PIXEL) ** 2)
    return image


def scene(title="by hand", specimen=0):
    """Four columns, the last of cerium, and one empty site, where a column was."""
    rows = [(*p, "Pt", "whole", True, False, True) for p in PLACES[:3]]
    rows += [(*PLACES[3], "Ce", "part", False, True, True)]
    rows += [(*EMPTY[0], "Pt", "planted", True, True, False)]
    table = pd.DataFrame(rows, columns=NAMES)
    labels = {"specimen": specimen, "contrast": "white"}
    return ChallengeScene(title, dots(PLACES, GHOST), table, PIXEL, labels)


def shown(*places):
    """Make a denoiser that shows the given columns whatever the counts are."""
    picture = dots(*places)
    return lambda noisy: picture * (noisy.mean() / picture.mean())


def verdict(*places, words):
    """Make a judge that finds what the denoiser shows, and gives the verdicts."""

    def judge(noisy, denoise, *, rng, pixel, **finding):
        assert isinstance(rng, np.random.Generator)
        assert pixel == PIXEL
        image = denoise(noisy)
        found = find_columns(image, **finding)
        gaps = np.hypot(
            *(found.positions[:, None] - np.array(places)).transpose(2, 0, 1)
        )
        said = np.array(words)[gaps.argmin(1)]
        return SimpleNamespace(columns=found, verdicts=said, denoised=image)

    return judge


def challenge(denoise, judge=None, **how):
    how = {"seed": 0, "judge": judge} | how
    return challenge_denoisers({"one": denoise}, how.pop("scenes", [scene()]), **how)


# --- what is lost, and what is invented


def test_the_truth_itself_loses_and_invents_nothing():
    table = challenge(shown(PLACES, GHOST))
    assert len(table) == 5
    true = table[table["kind"] != "none"]
    assert true["seen"].all()
    assert set(true["verdict"]) == {"not judged"}
    assert not table["invented"].any()
    assert table["kind"].tolist()[-1] == "none"  # the ghost: shown, but not invented


def test_lost_and_invented_columns_are_told_one_by_one():
    table = challenge(shown(PLACES[1:], EMPTY, FAR))
    lost = table[table["verdict"] == "not claimed"]
    np.testing.assert_array_equal(lost[["row", "column"]], PLACES[:1])
    invented = table[table["invented"]].sort_values("row")
    # the finder is exact for single dots; neighbours three angstrom away move them
    np.testing.assert_allclose(
        invented[["row", "column"]], np.concatenate([EMPTY, FAR]), atol=1.0
    )
    assert invented["site"].tolist() == [True, False]
    # that of the nearest column: cerium for both
    assert invented["element"].tolist() == ["Ce", "Ce"]
    assert not invented["surface"].any()
    assert (table["reason"] == "").all()


def test_what_the_clean_image_shows_as_a_dot_is_not_invented():
    table = challenge(shown(PLACES, GHOST, FAR))
    false = table[table["kind"] == "none"].sort_values("row")
    assert false["invented"].tolist() == [False, True]


def test_a_column_that_the_clean_image_hides_is_not_lost():
    one = scene()
    image = dots(PLACES[:3], GHOST)
    hidden = ChallengeScene("hidden", image, one.columns, PIXEL, one.labels)
    assert hidden.seen.tolist() == [True, True, True, False]
    table = challenge(shown(PLACES[:3], GHOST), scenes=[hidden])
    summary = summarise_challenge(table).iloc[0]
    assert (summary["true"], summary["lost"]) == (3, 0.0)


def test_dark_columns_are_seen_as_well():
    one = scene()
    dark = ChallengeScene(
        "dark", 2 * VACUUM + 0.3 - dots(PLACES), one.columns, PIXEL, one.labels
    )
    assert dark.seen.all()
    table = challenge(lambda noisy: dark.clean + 0 * noisy, scenes=[dark])
    assert not table["invented"].any()
    assert not (table["verdict"] == "not claimed").any()


def test_the_estimate_is_scored_at_the_paper_s_dose():
    table = challenge(lambda noisy: 4 * scene().clean + 0 * noisy, doses=[1.8])
    assert table["psnr"].min() > 100  # but for rounding, it is the clean image


# --- after the verdict


def test_verdicts_are_those_of_the_judge():
    said = ["supported", "undecided", "ruled out", "supported", "undecided"]
    judge = verdict(*PLACES, FAR[0], words=said)
    table = challenge(shown(PLACES, FAR), judge)
    assert table["verdict"].tolist() == said
    assert table["invented"].tolist() == [False] * 4 + [True]
    rows = summarise_challenge(table).set_index("shown")
    assert rows["lost"].tolist() == [0, 250, 500]
    assert rows["claims"].tolist() == [5, 4, 2]
    assert rows["invented"].tolist() == [200, 250, 0]
    assert rows["inventions"].tolist() == [1, 1, 0]


def test_a_refusal_is_told_and_supports_nothing():
    def judge(*_, **__):
        msg = "noisy must be something else; got this"
        raise ValueError(msg)

    table = challenge(shown(PLACES), judge)
    assert set(table["verdict"]) == {"refused"}
    assert set(table["reason"]) == {"noisy must be something else; got this"}
    rows = summarise_challenge(table).set_index("shown")
    assert rows["lost"].tolist() == [0, 1000, 1000]


def test_an_error_that_is_no_refusal_of_the_counts_is_raised():
    def judge(*_, **__):
        msg = "p_values must be numbers; got none"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="p_values must be numbers"):
        challenge(shown(PLACES), judge)


def test_the_library_s_own_verdict_supports_columns_and_no_invention():
    # against vacuum, which needs no eraser; 40 electrons a pixel leave no doubt of dots
    # two thirds as high, and a dot that the denoiser puts anywhere has none
    def judge(*given, **how):
        return judge_columns(*given, vacuum="auto", deals=1, **how)

    table = challenge(shown(PLACES, GHOST, FAR), judge, doses=[40.0])
    assert set(table.loc[table["seen"], "verdict"]) == {"supported"}
    assert table.loc[table["invented"], "verdict"].tolist() == ["ruled out"]


# --- recordings


def test_counts_do_not_depend_on_what_else_is_tried():
    seen = []

    def watching(noisy):
        seen.append(noisy.copy())
        return noisy

    first, second = scene("a"), scene("b")
    alone = {"seed": 3, "judge": None, "doses": [0.45]}
    challenge_denoisers({"watching": watching}, [second], **alone)
    both = {"other": shown(PLACES), "watching": watching}
    challenge_denoisers(both, [first, second], seed=3, judge=None, doses=[2, 0.45])
    np.testing.assert_array_equal(seen[0], seen[-1])
    assert sum(np.array_equal(seen[0], other) for other in seen) == 2


def test_every_draw_dose_scene_and_method_has_its_rows():
    denoisers = {"a": shown(PLACES), "b": shown(PLACES[:2])}
    scenes = [scene("one", 1), scene("two", 2)]
    table = challenge_denoisers(
        denoisers, iter(scenes), doses=[0.45, 2.0], draws=2, seed=0, judge=None
    )
    keys = table[["method", "image", "specimen", "dose", "draw"]].drop_duplicates()
    assert len(keys) == 16
    summary = summarise_challenge(table, ["method", "dose"])
    assert summary["recordings"].tolist() == [4, 4, 4, 4]
    lost = summary.set_index(["method", "dose"])["lost"].to_dict()
    assert lost == {("a", 0.45): 0, ("a", 2): 0, ("b", 0.45): 500, ("b", 2): 500}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenes": []}, "scenes must hold at least one"),
        ({"doses": []}, "doses must hold at least one"),
        ({"doses": [-1.0]}, "doses must be one or more numbers above 0"),
        ({"draws": 0}, "draws must be a whole number"),
    ],
)
def test_what_cannot_be_challenged_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        challenge(shown(PLACES), **change)


def test_a_denoiser_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match="'one' must return shape"):
        challenge(lambda noisy: noisy[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clean": -dots(PLACES)}, "clean must hold electron counts"),
        ({"pixel": 0.0}, "pixel must be positive"),
        (
            {"columns": pd.DataFrame({"row": [1]})},
            "columns must have .*got no 'column'",
        ),
    ],
)
def test_a_scene_that_is_none_is_refused(change, message):
    one = scene()
    parts = {"clean": one.clean, "columns": one.columns, "pixel": PIXEL} | change
    with pytest.raises(ValueError, match=message):
        ChallengeScene("none", **parts)


# --- the summary


def test_standard_errors_are_those_of_independent_specimens():
    # true and lost columns of many specimens, and the spread of their ratio
    rng = np.random.default_rng(0)

    def draw(number):
        specimen = np.repeat(np.arange(number), rng.integers(5, 30, number))
        lost = rng.random(len(specimen)) < rng.beta(2, 6, number)[specimen]
        words = np.where(lost, "not claimed", "not judged")
        table = pd.DataFrame({"verdict": words, "specimen": specimen, "seen": True})
        table = table.assign(method="a", image="", dose=1.0, draw=0, invented=False)
        return summarise_challenge(table).iloc[0]

    some = pd.DataFrame([draw(40) for _ in range(300)])
    spread, told = some["lost"].std(), some["lost_error"].mean()
    # 300 draws tell a deviation to 4 percent; linearisation is off by some 1/40
    assert abs(told / spread - 1) < 0.15


def test_of_one_specimen_there_is_no_standard_error():
    row = summarise_challenge(challenge(shown(PLACES, FAR))).iloc[0]
    assert np.isnan(row["lost_error"])
    assert row["invented"] == pytest.approx(200)


def test_a_rate_of_nothing_is_none():
    blank = challenge(lambda noisy: np.full(noisy.shape, noisy.mean()))
    row = summarise_challenge(blank).iloc[0]
    assert (row["lost"], row["claims"]) == (1000, 0)
    assert np.isnan(row["invented"])


@pytest.mark.parametrize("lacking", ["method", "specimen"])
def test_a_table_without_what_is_asked_for_is_refused(lacking):
    table = challenge(shown(PLACES)).drop(columns=lacking)
    with pytest.raises(ValueError, match=f"table must have the column '{lacking}'"):
        summarise_challenge(table)


# --- scenes


def test_foci_are_of_all_contrasts_and_none_comes_twice():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        foci = draw_foci(30.0, (3.0, 0.0), 21, rng)
        assert sorted(foci) == list(range(21))
        labels = [contrast_label(30.0, (3.0, 0.0), f) for f in foci[:3]]
        assert tuple(labels) == CONTRASTS
    # 50 angstrom without tilt: the authors call one image black, one white
    assert 0.0 in draw_foci(50.0, (0.0, 0.0), 3, np.random.default_rng(0))


def test_columns_are_listed_as_they_are_and_empty_sites_as_they_were():
    atoms, tilt = pt_on_ceria("PtNp2", thickness=40.0), (3.0, 0.0)
    corner, shape = np.array([33, 0]), (688, 728)
    pixel = 50.0 / 804
    columns = project_columns(atoms, tilt).query("element != 'O'")
    rng = np.random.default_rng(1)
    pair = remove_columns(atoms, tilt, number=10, rng=rng)
    lists = [list_columns(columns, pair, t, corner, shape) for t in (True, False)]
    present, absent = lists
    assert present["there"].all()
    assert (absent["there"] == ~absent["site"]).all()
    assert set(present["kind"]) == {"whole", "part", "planted"}
    places = pair.sites[["row", "column"]].to_numpy() / pixel - corner
    inside = ((places >= 0) & (places <= np.array(shape) - 1)).all(1)
    for table in lists:
        mine = table[table["site"]][["row", "column"]].to_numpy()
        assert len(mine) == inside.sum()
        gaps = np.hypot(*(places[inside][:, None] - mine).transpose(2, 0, 1))
        np.testing.assert_allclose(gaps.min(1), 0, atol=1e-6)
    # what stood behind a column of the surface lies bare without it
    stays = ~present["site"]
    assert (absent["surface"] >= present["surface"])[stays].mean() > 0.95
    assert present["surface"].any()
    assert not present["surface"].all()


@pytest.fixture
def quick(monkeypatch):
    """Let images be drawn instead of simulated, and tell how many were."""
    drawn = []

    def images(removal, tilt, defocus, *, samples):
        assert len(removal.present) > len(removal.absent)
        assert len(tilt) == 2
        for focus in defocus:
            drawn.append(focus)
            yield tuple(
                np.full((samples, samples), 0.45 + k, np.float32) for k in (1, 0)
            )

    monkeypatch.setattr(module, "image_removal", images)
    return drawn


def test_scenes_are_simulated_once_and_then_read(quick, tmp_path):
    first = list(challenge_scenes(tmp_path, specimens=2, foci=2, seed=5))
    assert len(quick) == 4
    assert len(first) == 8
    again = list(challenge_scenes(tmp_path, specimens=[1], foci=2, seed=5))
    assert len(quick) == 4
    for one, other in zip(first[4:], again, strict=True):
        assert one.title == other.title
        assert one.labels == other.labels
        np.testing.assert_array_equal(one.clean, other.clean)
        pd.testing.assert_frame_equal(one.columns, other.columns)
    list(challenge_scenes(tmp_path, specimens=1, foci=2, seed=6))
    assert len(quick) == 6


def test_scenes_with_sites_and_without_them_go_by_turns(quick, tmp_path):
    scenes = list(challenge_scenes(tmp_path, specimens=1, foci=3, seed=0))
    assert [s.labels["sites"] for s in scenes] == [True, False] * 3
    assert [float(s.clean[0, 0]) for s in scenes] == pytest.approx([1.45, 0.45] * 3)
    assert len({s.title for s in scenes}) == 6
    assert [10 * s.labels["defocus"] for s in scenes[::2]] == quick
    for one in scenes:
        label = one.labels
        tilt = label["tilt_x"], label["tilt_y"]
        known = contrast_label(label["thickness"], tilt, label["defocus"]) or "unknown"
        assert label["contrast"] == known
        assert one.clean.shape == (688, 728)
        assert one.columns["site"].any()
        assert one.columns["there"].all() == label["sites"]


def test_scenes_are_of_the_strict_test_split(quick, tmp_path):
    from sbd.simulation.specimens import structure_table

    scenes = list(challenge_scenes(tmp_path, specimens=8, foci=1, seed=0))
    table = structure_table().set_index("structure")["split"]
    structures = [scene.labels["structure"] for scene in scenes[::2]]
    assert set(table[structures]) == {"test"}
    assert len(set(structures)) == 8
    assert len(quick) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specimens": 0}, "specimens must be a whole number"),
        ({"specimens": [-1]}, "specimens must be a whole number"),
        ({"foci": 22}, "foci must be a whole number from 1 to 21"),
    ],
)
def test_scenes_that_cannot_be_are_refused(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        list(challenge_scenes(tmp_path, **change))
