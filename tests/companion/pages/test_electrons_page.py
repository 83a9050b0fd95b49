"""Check the page on real electrons: the stand-in, the classes, and who is nearer."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sbd
from sbd.companion.pages import electrons
from sbd.companion.wording import tabulate_ranking
from sbd.recordings import rank_denoisers, to_counts
from sbd.recordings.choosing import Adaptation
from sbd.recordings.drift import Drift


def test_where_the_movie_cannot_be_had_a_simulated_one_says_so(monkeypatch):
    monkeypatch.setenv("SBD_ONLY_BUNDLED", "1")
    values, title = electrons.load_movie(0)
    assert title == electrons.STAND_IN
    assert values.shape == (40, 245, 158)
    np.testing.assert_array_equal(values, electrons.load_movie(0)[0])
    report = sbd.check_counts(values)
    # pixels have gains that differ by 1 %: as the real movie's, within 1 %
    assert report.unit == pytest.approx(32.3, rel=0.01)
    counts = to_counts(values, report).values
    assert counts.mean() == pytest.approx(values.mean() / report.unit, rel=0.005)


def test_poisson_counts_come_in_poisson_classes_and_others_do_not():
    rng = np.random.default_rng(0)
    level = np.linspace(2, 4, 120) * np.ones((100, 1))
    frames = rng.poisson(level, (20, 100, 120))
    table = electrons.count_classes(frames)
    apart = (table["ratio"] - 1) / table["standard error"]
    # nine classes; the mean that is blurred over 40 x 20 counts adds little
    assert np.abs(apart).max() < 4
    assert table["observed"].sum() == (frames[1:-1] <= 8).sum()
    twice = electrons.count_classes(2 * rng.poisson(level / 2, (20, 100, 120)))
    assert twice.loc[1, "observed"] == 0
    assert twice.loc[0, "ratio"] > 2
    with pytest.raises(ValueError, match="at least 3 frames; got 2"):
        electrons.count_classes(frames[:2])
    fig = electrons.show_classes(table, heading="counts")
    assert len(fig.axes) == 1


def test_a_specimen_that_moves_has_poisson_classes_in_each_frame():
    rng = np.random.default_rng(4)
    x, frame = np.arange(140), np.arange(70)[:, None, None]
    level = 3 + np.sin(2 * np.pi * (x - 2 * frame) / 140)
    frames = rng.poisson(level * np.ones((60, 1)))
    table = electrons.count_classes(frames)
    assert np.abs(table["ratio"] - 1).max() < 0.04
    # about the mean of all, too many are empty and too many are full
    assert (frames == 0).mean() / stats.poisson.pmf(0, level.mean()) > 1.2


def test_who_is_nearer_is_told_block_by_block():
    """One denoiser is right to the left, the other to the right."""
    rng = np.random.default_rng(1)
    frames = rng.poisson(4.0, (30, 24, 48))
    left = np.arange(48) < 24

    def one(noisy):
        return np.where(left, 2.0, 3.0) * np.ones(noisy.shape)

    def other(noisy):
        return np.where(left, 3.0, 2.0) * np.ones(noisy.shape)

    both = {"one": one, "other": other}
    z = electrons.disagree(frames, both, ("one", "other"), rng, side=12)
    assert z.shape == (2, 4)
    assert (z[:, :2] < -3).all()
    assert (z[:, 2:] > 3).all()


def test_every_figure_of_the_page_can_be_drawn():
    rng = np.random.default_rng(2)
    frames = rng.poisson(3.0, (4, 60, 48)).astype(np.float32)
    blur, flat = sbd.denoise_gaussian, sbd.denoise_constant
    both = {"network": blur, "windowed Fourier": lambda y: blur(y) + 0.01,
            "constant": flat}  # fmt: skip
    table = rank_denoisers(frames, both, rng=rng, against="windowed Fourier")
    shown = {"a": table, "b": table}
    fig = electrons.show_ranking(shown, against="windowed Fourier", heading="x")
    assert [ax.get_title() for ax in fig.axes] == ["a", "b"]
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert names == ["network"]
    assert electrons.show_comb(frames * 10, 10.0).axes[0].get_yscale() == "log"
    estimates = {"network": blur(frames[0]), "windowed Fourier": blur(frames[0]) + 0.1}
    mean = frames.mean(0)
    assert len(electrons.show_estimates(frames[0], mean, estimates).axes) == 4
    z = rng.normal(size=(5, 4))
    assert electrons.show_disagreement(estimates, z, heading="x").axes


def test_a_sum_that_holds_no_counts_is_told_and_not_judged():
    rng = np.random.default_rng(3)
    frames = np.stack([rng.poisson(2.0, (64, 64)), 2 * rng.poisson(1.0, (64, 64))])
    table = electrons.judge_sums(
        frames, {"mean": sbd.denoise_constant}, [1, 2], seed=0, deals=1
    )
    assert table["columns"].tolist() == [0, ""]
    assert table["refused, as"].iloc[1].startswith("noisy must hold Poisson counts")


def test_a_stand_in_is_called_one_and_not_a_recording():
    values = np.zeros((4, 6, 5))
    said = electrons.tell_movie(values, electrons.STAND_IN).data
    assert "stand-in" in said
    assert "4 frames of 6 x 5 pixels, counted in the computer" in said
    said = electrons.tell_movie(values, "recorded movie").data
    assert "stand-in" not in said
    assert "a camera counted" in said


def ranked(behind):
    rows = {
        "blur": {"worse by": 0.0, "low": 0.0, "high": 0.0, "behind": False},
        "network": {"worse by": 4e-4, "low": -1e-4, "high": 9e-4, "behind": behind},
    }
    return pd.DataFrame(rows).T.rename_axis("denoiser")


def moving(path):
    places = np.linspace(0, path, 8)[:, None] * [1, 0]
    return Drift(places, np.full((8, 2), 0.1), frames=4, most=5.0)


def test_lessons_follow_from_the_recording():
    classes = pd.DataFrame({"ratio": [1.02, 0.99]})
    tables = {"each": ranked(True), "sum": ranked(False)}
    said = electrons.tell_lessons(classes, tables, moving(9.0), "recorded movie").data
    assert "None to 1 electrons hit a pixel 0.99 to 1.02 times" in said
    assert "for each frame blur comes nearest; for all frames added blur" in said
    assert "and network may be as near" in said
    assert "where the specimen moves" in said
    ahead = ranked(False)
    ahead.loc["network", ["worse by", "low", "high"]] = [-2e-4, -3e-4, -1e-4]
    ahead = ahead.sort_values("worse by")
    said = electrons.tell_lessons(classes, {"each": ahead}, None, "a movie").data
    assert "network comes nearest, nearer than blur" in said
    assert "chance" not in said
    ahead.loc["network", "high"] = 1e-4
    said = electrons.tell_lessons(classes, {"each": ahead}, None, "a movie").data
    assert "nearer than blur by no more than chance" in said
    for still in (moving(0.2), None):
        said = electrons.tell_lessons(classes, tables, still, electrons.STAND_IN).data
        assert "specimen moves" not in said
        assert "made in the computer" in said


def test_the_path_is_told_with_its_error():
    said = electrons.tell_drift(moving(9.0), "").data
    assert "moves 9.00 \u00b1 0.14 pixels down or up" in said
    assert "counting anew" in electrons.tell_drift(moving(0.2), "").data
    assert electrons.tell_drift(None, "few frames").data.endswith("told: few frames")


def test_tables_of_the_page_have_units():
    told = tabulate_ranking(ranked(True)).loc["network"].tolist()
    assert told == ["0.40", "-0.10 to 0.90", "yes"]
    classes = pd.DataFrame({
        "observed": [9], "expected": [9.8], "ratio": [0.918], "standard error": [0.31],
    })  # fmt: skip
    told = electrons.tabulate_classes(classes).iloc[0].tolist()
    assert told == [9, 10, "0.9 \u00b1 0.3"]
    found = Adaptation(None, True, -0.0018, -0.0027, -0.001)
    said = electrons.tell_adaptation(found).data
    assert "is kept" in said
    assert "ahead by 1.80 thousandths" in said


def test_the_path_of_the_specimen_is_drawn_or_the_reason_told():
    clean = sbd.example_truth("simulated")[0][240:336, 200:296] * (4 / sbd.VACUUM)
    moves = np.arange(16)
    frames = np.stack([
        np.random.default_rng(k).poisson(np.roll(clean, (k // 4, 0), (0, 1)))
        for k in moves
    ])  # fmt: skip
    report = sbd.check_counts(frames)
    drift, reason = electrons.track(frames, report, seed=0)
    assert reason == ""
    # three pixels down in all, from middle to middle of four frames
    assert np.ptp(drift.positions[:, 0]) == pytest.approx(3, abs=1)
    fig = electrons.show_drift(frames, report, drift, heading="x")
    assert len(fig.axes[2].lines) == 2
    few = frames[:8]
    drift, reason = electrons.track(few, sbd.check_counts(few), seed=0)
    assert drift is None
    assert reason
    fig = electrons.show_drift(few, sbd.check_counts(few), drift)
    assert not fig.axes[2].lines
