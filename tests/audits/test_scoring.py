"""Score denoisers whose score is known, and tamper with what is written of them."""

import copy
import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.audits import score_sets
from sbd.audits.challenge import ChallengeScene, summarise_challenge
from sbd.audits.entrants import Entrant
from sbd.audits.score_checks import check_score
from sbd.audits.score_means import (
    digest_frames,
    paired_difference,
    share,
    share_error,
    summarise_frames,
)
from sbd.audits.score_sets import choose_frames, digest_seed
from sbd.audits.scoring import FIELDS, agree, score_denoiser
from sbd.benchmark.recipes import Recipe
from sbd.files import write_json
from sbd.simulation.frame import BOX_SAMPLES, CROP

FEW = {
    "recipes": (Recipe("PtNp1", "D0", 30.0),),  # of the test split
    "tilts": ((2.0, 0.0),),
    "grid": 64,
    "progress": False,
}
SECRET = 2**90 + 17


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return sbd.simulate_benchmark(tmp_path_factory.mktemp("benchmark"), **FEW)


def flat(noisy):
    return np.full(noisy.shape, sbd.VACUUM)


def blank(noisy):
    return np.zeros(noisy.shape)


class Spy:
    """A denoiser that remembers the counts it was shown, by their bytes."""

    def __init__(self, denoise=flat):
        self.denoise, self.seen = denoise, []

    def __call__(self, noisy):
        self.seen.append(hashlib.sha256(noisy.tobytes()).hexdigest())
        return self.denoise(noisy)


def score(denoiser, benchmark, sets=("white",), limit=2, **how):
    return score_denoiser(denoiser, benchmark, sets=sets, limit=limit, **how)


def entrant(denoise=flat, digest="0" * 64):
    return Entrant("mine", denoise, "module", digest)


# --- what is measured


@pytest.mark.filterwarnings("ignore:.*electrons per pixel")
def test_scores_are_the_authors_metric_on_the_authors_frame(benchmark):
    # an empty estimate has the same score whatever the counts were
    frames = score(blank, benchmark)["sets"]["white"]["frames"]
    table = benchmark.table
    for frame in frames:
        focus = float(frame["image"].split()[-1])
        row = int(np.flatnonzero(table["defocus"] == focus)[0])
        clean = benchmark.image(row, samples=BOX_SAMPLES)[CROP]
        clean = sbd.authors_resize(clean).clip(0, 1)
        psnr = -10 * math.log10(np.mean(clean.astype(float) ** 2))
        assert frame["psnr"] == pytest.approx(psnr, abs=5.1e-4)  # three digits
        assert table["published_split_white"][row] == "test"


def test_every_denoiser_sees_the_same_counts_in_whatever_set(benchmark):
    spies = Spy(), Spy(), Spy()
    score(spies[0], benchmark, limit=None)
    score(spies[1], benchmark, limit=1)
    score(spies[2], benchmark, sets=("strict",), limit=None)
    assert set(spies[1].seen) < set(spies[0].seen) < set(spies[2].seen)
    assert len(set(spies[0].seen)) == 3
    assert len(set(spies[2].seen)) == len(benchmark)


def test_a_part_of_a_set_is_a_part_of_any_larger_part(benchmark):
    parts = []
    for limit in (2, 5, None):
        frames, most = choose_frames("strict", benchmark, limit=limit)
        parts.append({frame.image for frame in frames})
        assert most == len(benchmark)
    assert [len(part) for part in parts] == [2, 5, len(benchmark)]
    assert parts[0] < parts[1] < parts[2]


def test_the_seed_of_the_draws_changes_images_and_counts(benchmark):
    spies = [Spy(), Spy(), Spy()]
    for spy, seed in zip(spies, (0, 0, SECRET), strict=True):
        score(spy, benchmark, sets=("draws",), limit=3, seed=seed)
    assert spies[0].seen == spies[1].seen
    assert not set(spies[0].seen) & set(spies[2].seen)
    chosen = [
        [frame.image for frame in choose_frames("draws", benchmark, limit=3, seed=s)[0]]
        for s in (0, SECRET)
    ]
    assert chosen[0] != chosen[1]


def test_a_hidden_seed_is_committed_to_and_not_told(benchmark):
    found = score(flat, benchmark, sets=("draws",), seed=SECRET, hidden=True)
    digest = hashlib.sha256(str(SECRET).encode()).hexdigest()
    assert found["seeds"]["draws"] == {"sha256": digest, "seed": None}
    assert str(SECRET) not in json.dumps(found)


def test_columns_are_counted_in_an_estimate(benchmark):
    drawn = score(flat, benchmark, sets=("columns",), limit=3)["sets"]["columns"]
    for frame in drawn["frames"]:
        assert frame["columns"] > 20
        assert (frame["found"], frame["false"], frame["invented"]) == (0, 0, 0)
    assert drawn["means"]["all"]["found_share"] == 0
    raw = score(np.array, benchmark, sets=("columns",), limit=1)["sets"]["columns"]
    assert raw["means"]["all"]["invented"] > 20  # noise is full of dots


def scenes_by_hand(_folder, *, specimens, **_how):
    """One column that is there, and a scene without it."""
    names = ["row", "column", "element", "kind", "surface", "site", "there"]
    y, x = np.mgrid[:96, :96]
    dot = 0.3 * np.exp(-((y - 48) ** 2 + (x - 48) ** 2) / 100)
    for there in (True, False):
        table = pd.DataFrame([(48, 48, "Pt", "whole", True, True, there)])
        labels = {"specimen": specimens[0], "contrast": "white", "thickness": 40}
        yield ChallengeScene(
            f"{specimens[0]}, {there}", 0.45 + there * dot,
            table.set_axis(names, axis=1), labels=labels,
        )  # fmt: skip


def test_the_challenge_counts_what_is_lost_and_invented(benchmark, monkeypatch):
    monkeypatch.setattr(score_sets, "challenge_scenes", scenes_by_hand)
    y, x = np.mgrid[:96, :96]
    artist = 0.45 + 0.3 * np.exp(-((y - 48) ** 2 + (x - 48) ** 2) / 100)
    how = {"sets": ("challenge",), "limit": 2}
    found = score(lambda _: artist, benchmark, **how)["sets"]["challenge"]
    means = found["means"]["all"]
    assert (means["lost"], means["invented"]) == (0, 500)
    lost = score(flat, benchmark, **how)["sets"]["challenge"]["means"]["all"]
    assert (lost["lost"], lost["invented"]) == (1000, None)


# --- means


def frames_of(values, **labels):
    label = {"contrast": "white", "thickness": 40.0} | labels
    return [
        {"image": f"{labels}{i}", **label, "psnr": value, "ssim": value / 50}
        for i, value in enumerate(values)
    ]


def test_means_are_those_of_numpy_and_groups_have_three_frames():
    values = np.round(np.random.default_rng(0).normal(36, 2, 40), 3).tolist()
    few = frames_of([30.0, 31.0], contrast="black")
    found = summarise_frames(frames_of(values) + few)
    assert list(found) == ["all", "contrast white", "thickness 40"]
    white = found["contrast white"]
    assert white["psnr"] == pytest.approx(np.mean(values), abs=5.1e-4)
    error = np.std(values, ddof=1) / np.sqrt(40)
    assert white["psnr_error"] == pytest.approx(error, abs=5.1e-4)
    assert white["lowest"] == min(values)


def test_the_error_of_a_rate_is_that_of_the_challenge():
    rng = np.random.default_rng(1)
    names = ["method", "specimen", "seen", "invented", "verdict"]
    rows = [
        ("one", s, True, False, rng.choice(["not judged", "not claimed"]))
        for s in range(6)
        for _ in range(rng.integers(5, 30))
    ]
    table = pd.DataFrame(rows, columns=names).assign(image="", dose=1.0, draw=0)
    theirs = summarise_challenge(table).iloc[0]
    lost = table["verdict"] == "not claimed"
    parts = [
        {"true": int(n), "lost": int(k)}
        for n, k in zip(
            table.groupby("specimen").size(),
            lost.groupby(table["specimen"]).sum(),
            strict=True,
        )
    ]
    mine = (
        share(parts, "lost", "true", 6, 1000),
        share_error(parts, "lost", "true", 6, 1000),
    )
    assert mine == pytest.approx((theirs["lost"], theirs["lost_error"]), abs=1e-6)


def test_a_paired_difference_needs_the_same_frames():
    one, other = frames_of([30.0, 34.0, 38.0]), frames_of([29.0, 33.5, 36.5])
    ahead, error = paired_difference(one, other[::-1])
    assert ahead == 1.0
    assert error == pytest.approx(np.std([1, 0.5, 1.5], ddof=1) / 3**0.5, abs=5.1e-4)
    with pytest.raises(ValueError, match="on the same 2 frames; got other ones"):
        paired_difference(one[:2], other)


# --- what denoisers do wrong


@pytest.mark.parametrize(
    ("denoise", "error", "message"),
    [
        (lambda n: n[:-1], ValueError, r"return shape \(727, 687\); got \(726, 687\)"),
        (lambda n: n * np.nan, ValueError, "finite; got 499449 NaN or infinite"),
        (lambda n: n + 1j, TypeError, "must hold real numbers; got dtype complex"),
        (lambda _: None, TypeError, "must return an image; got None"),
        (lambda _: 1 / 0, RuntimeError, "got ZeroDivisionError: division by zero"),
    ],
    ids=["shape", "NaN", "complex", "None", "raises"],
)
def test_what_a_denoiser_does_wrong_is_said_with_the_image(
    benchmark, denoise, error, message
):
    with pytest.raises(error, match=message + r".* \(image "):
        score(denoise, benchmark)


def test_an_error_on_one_image_names_it(benchmark):
    frames, _ = choose_frames("white", benchmark)
    spy = Spy(lambda noisy: flat(noisy) if len(spy.seen) < 5 else 1 / 0)
    with pytest.raises(RuntimeError, match=rf"\(image {frames[1].image}\)"):
        score(spy, benchmark, limit=None)  # two calls and one before all frames


def test_the_truth_itself_is_no_estimate(benchmark):
    row = choose_frames("strict", benchmark, limit=1)[0][0].work.args[1]
    clean = benchmark.image(row, samples=BOX_SAMPLES)[CROP]
    clean = sbd.authors_resize(clean).clip(min=0)
    with pytest.raises(ValueError, match="got that image itself"):
        score(lambda _: clean, benchmark, sets=("strict",), limit=1)


def test_a_denoiser_may_spoil_its_input(benchmark):
    def spoil(noisy):
        noisy[:] = sbd.VACUUM
        return noisy

    mine, plain = (score(f, benchmark)["sets"] for f in (spoil, flat))
    assert mine == plain


def test_a_random_denoiser_is_told_and_recorded(benchmark):
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="another image when it is called again"):
        found = score(lambda n: flat(n) + rng.normal(0, 0.1, n.shape), benchmark)
    assert not found["repeatable"]
    assert found["difference of two calls"] > 0.1
    assert len(found["remarks"]) == 1


def test_one_array_that_is_handed_out_again_hides_no_chance(benchmark):
    rng, store = np.random.default_rng(0), np.empty((727, 687))

    def same(noisy):
        store[:] = sbd.VACUUM + rng.normal(0, 0.01, noisy.shape)
        return store

    with pytest.warns(UserWarning, match="called again"):
        assert not score(same, benchmark)["repeatable"]


def test_other_units_are_guessed(benchmark):
    with pytest.warns(UserWarning, match="in electrons per pixel.*divide it by 255"):
        score(lambda n: 255 * n, benchmark)


def test_a_set_that_is_none_is_refused(benchmark):
    with pytest.raises(ValueError, match="sets must be one of white, test"):
        score(flat, benchmark, sets=("black",))
    with pytest.raises(ValueError, match="each once; got"):
        score(flat, benchmark, sets=("white", "white"))
    with pytest.raises(ValueError, match="limit must be a whole number"):
        score(flat, benchmark, limit=0)


# --- a run that was killed


def test_a_run_that_was_killed_goes_on(benchmark, tmp_path):
    keep, spy = tmp_path / "kept.jsonl", Spy()

    def tire(noisy):
        if len(spy.seen) > 5:
            raise KeyboardInterrupt
        return flat(noisy)

    spy.denoise = tire
    with pytest.raises(KeyboardInterrupt):
        score(entrant(spy), benchmark, ("strict",), 5, keep=keep)
    with keep.open("a") as file:
        file.write('{"at": "quality: cut of')
    again = Spy()
    found = score(entrant(again), benchmark, ("strict",), 5, keep=keep)
    # three before all frames, one to see that it is the same, three that were missing
    assert len(again.seen) == 3 + 1 + 3
    assert found == score(entrant(), benchmark, ("strict",), 5)
    last = Spy()
    assert score(entrant(last), benchmark, ("strict",), 5, keep=keep) == found
    assert len(last.seen) == 3 + 1


@pytest.mark.parametrize("change", ["digest", "seed"])
def test_frames_of_something_else_are_not_taken_again(benchmark, tmp_path, change):
    how = {"sets": ("draws",), "keep": tmp_path / "kept.jsonl"}
    score(entrant(), benchmark, seed=1, **how)
    spy = Spy()
    digest = "1" * 64 if change == "digest" else "0" * 64
    score(entrant(spy, digest), benchmark, seed=1 + (change == "seed"), **how)
    assert len(spy.seen) == 3 + 2


def test_a_denoiser_that_changed_behind_its_digest_is_noticed(benchmark, tmp_path):
    keep = tmp_path / "kept.jsonl"
    score(entrant(), benchmark, keep=keep)
    other = entrant(lambda noisy: flat(noisy) + 0.01)
    with pytest.raises(ValueError, match="kept scores must be of the same denoiser"):
        score(other, benchmark, keep=keep)


def test_a_function_without_a_digest_keeps_nothing(benchmark, tmp_path):
    with pytest.raises(ValueError, match="a denoiser that has a digest; got a funct"):
        score(flat, benchmark, keep=tmp_path / "kept.jsonl")


# --- checks


@pytest.fixture(scope="module")
def true(benchmark):
    sets = ("white", "strict", "draws", "columns")
    content = score(entrant(), benchmark, sets, 3, seed=SECRET, hidden=True)
    assert content.keys() == FIELDS.keys()
    return content


@pytest.fixture
def check(benchmark, tmp_path):
    def _check(content, denoiser=None, **how):
        write_json(tmp_path / "score.json", content)
        how.setdefault("rng", np.random.default_rng(0))
        return check_score(
            tmp_path / "score.json", how.pop("benchmark", benchmark), denoiser, **how
        )

    return _check


def test_a_true_file_has_nothing_against_it(true, check):
    found = check(true, entrant(), number=1, seed=SECRET)
    assert found.sound
    assert (found.repeated, found.largest) == (4, 0.0)
    assert "4 of 12 frames were repeated" in found.remarks[0]


def test_a_hidden_set_is_not_repeated_until_its_seed_is_known(true, check):
    assert any("seed is hidden" in remark for remark in check(true).remarks)
    wrong = check(true, seed=SECRET + 1)
    assert wrong.problems == (
        "draws: the seed is not the one that the file commits to",
    )


def test_a_changed_mean_is_found(true, check):
    false = copy.deepcopy(true)
    false["sets"]["white"]["means"]["all"]["psnr"] += 0.001
    (problem,) = check(false).problems
    assert problem.startswith("white: psnr of all is ")


def test_the_smallest_change_of_a_frame_is_found(true, check):
    false = copy.deepcopy(true)
    frame = false["sets"]["strict"]["frames"][1]
    frame["ssim"] = round(frame["ssim"] + 1e-5, 5)
    assert "strict: its frames are not those of its sha256" in check(false).problems


def resum(one):
    """Make all sums of a set fit its frames, as somebody who means to deceive would."""
    one["means"] = summarise_frames(one["frames"])
    one["sha256"] = digest_frames(one["frames"])


def test_a_frame_that_was_changed_with_all_sums_is_found_when_repeated(true, check):
    false = copy.deepcopy(true)
    false["sets"]["white"]["frames"][0]["psnr"] += 0.011
    resum(false["sets"]["white"])
    assert check(false).sound  # sums alone cannot tell
    found = check(false, entrant(), number=3)
    assert len(found.problems) == 1
    assert "gives" in found.problems[0]
    assert found.largest == pytest.approx(0.011)


def test_frames_that_were_picked_are_found(true, check, benchmark):
    false = copy.deepcopy(true)
    others, _ = choose_frames("strict", benchmark)
    there = {frame["image"] for frame in false["sets"]["strict"]["frames"]}
    swap = next(frame for frame in others if frame.image not in there)
    false["sets"]["strict"]["frames"][0] |= {"image": swap.image, **swap.labels}
    resum(false["sets"]["strict"])
    assert "strict: its frames are not those of the set" in check(false).problems


def test_a_part_that_calls_itself_the_whole_is_found(true, check):
    false = copy.deepcopy(true)
    false["sets"]["strict"]["part"] = "3 of 3"
    assert "strict: it has 3 of 21 frames, not 3 of 3" in check(false).problems


@pytest.mark.parametrize("value", [float("nan"), True, "38.1"])
def test_a_score_that_is_no_number_is_found(true, check, value):
    false = copy.deepcopy(true)
    false["sets"]["white"]["frames"][0]["psnr"] = value
    assert check(false).problems[0].startswith("white: ")


def test_another_denoiser_and_another_benchmark_are_found(true, check):
    (problem,) = check(true, entrant(digest="1" * 64)).problems
    assert "it is not the one of the file" in problem
    false = copy.deepcopy(true)
    false["benchmark"]["recipe"] = "0" * 64
    assert "other structures or optics" in check(false).problems[0]


def test_images_of_another_processor_are_compared_frame_by_frame(true, check):
    false = copy.deepcopy(true)
    false["benchmark"]["content"] = "0" * 64
    assert "bit by bit" in check(false).problems[0]
    found = check(false, entrant(), number=1)
    assert found.sound
    assert any("bit by bit" in remark for remark in found.remarks)


def test_a_random_denoiser_cannot_be_repeated(true, check):
    false = copy.deepcopy(true)
    false["repeatable"] = False
    rng = np.random.default_rng(0)
    noise = entrant(lambda n: flat(n) + rng.normal(0, 0.01, n.shape))
    assert "two calls differ" in check(false, noise).problems[-1]
    assert check(false, entrant(), number=1).sound  # it was said and is not so


def test_no_score_file_is_refused_in_words(tmp_path):
    file = tmp_path / "other.json"
    for text, message in [
        ("{", "file must hold JSON"),
        ("[]", "schema 'sbd score 1'; got None"),
        ('{"schema": "sbd score 1"}', "got no"),
    ]:
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            check_score(file)


def test_scores_agree_within_a_hundredth_of_a_decibel():
    before = {"psnr": 36.0, "ssim": 0.98}
    assert agree(before, {"psnr": 36.01, "ssim": 0.98004})
    assert not agree(before, {"psnr": 36.011, "ssim": 0.98})
    assert not agree(before, {"psnr": 36.0, "ssim": 0.9802})
    assert not agree(before, {"psnr": 36.0})


def test_a_seed_is_committed_to_by_its_digits():
    # printf 42 | sha256sum
    assert digest_seed(42).startswith("73475cb40a568e8da8a045ced110137e")


def _places(value, path=()):
    """List where every part of a score file stands, one entry of each list."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from _places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*path, 0))


@pytest.fixture(scope="module")
def drawn(benchmark):
    return score(entrant(), benchmark, sets=("white", "draws"), limit=1)


def test_a_file_of_which_a_part_is_strange_is_told_or_refused(drawn, tmp_path):
    file = tmp_path / "a.json"
    ends = 0
    for path in [*_places(drawn)][1:]:
        for strange in (None, "x", [1], {}, 10**400, 1.5, ...):
            other = copy.deepcopy(drawn)
            inner = other
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = strange
            if strange is ...:
                del inner[path[-1]]
            file.write_text(json.dumps(other))
            try:
                sound = check_score(file).sound
            except ValueError:  # any other is a traceback for a reader
                sound = False
            ends += not sound
    assert ends > 200
    file.write_text("[" * 200_000)
    with pytest.raises(ValueError, match="file must hold JSON"):
        check_score(file)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("dose",), 4.5, "dose: it must be 0.45"),
        (("benchmark", "images"), 3, "images, not those told"),
        (("seeds", "draws"), None, "draws: the file commits to no seed"),
        (("sets", "white", "frames", 0, "ssim"), 1.5, "ssim of"),
        (("sets", "white", "frames", 0, "psnr"), 10**400, "psnr of"),
    ],
)
def test_what_cannot_be_is_told(drawn, benchmark, tmp_path, path, value, words):
    other = copy.deepcopy(drawn)
    inner = other
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    (tmp_path / "a.json").write_text(json.dumps(other))
    found = check_score(tmp_path / "a.json", benchmark)
    assert words in "; ".join(found.problems)


def test_more_columns_found_than_there_are_is_told(tmp_path, drawn):
    frame = {"image": "a", "contrast": "white", "thickness": 30.0, "psnr": 30.0}
    frame |= {"columns": 5, "seen": 4, "found": 6, "false": 0, "invented": 0}
    one = {"part": "1 of 21", "means": summarise_frames([frame]), "frames": [frame]}
    one["sha256"] = digest_frames([frame])
    (tmp_path / "a.json").write_text(json.dumps(drawn | {"sets": {"columns": one}}))
    assert check_score(tmp_path / "a.json").problems == ("columns: found of a is 6",)
    frame["found"] = 5
    one |= {"means": summarise_frames([frame]), "sha256": digest_frames([frame])}
    (tmp_path / "a.json").write_text(json.dumps(drawn | {"sets": {"columns": one}}))
    assert check_score(tmp_path / "a.json").sound


def test_a_file_that_names_no_digest_may_be_anothers(drawn, benchmark, tmp_path):
    other = drawn | {"denoiser": {"kind": "module", "sha256": None}}
    (tmp_path / "a.json").write_text(json.dumps(other))
    rng = np.random.default_rng(0)
    found = check_score(tmp_path / "a.json", benchmark, entrant(), rng=rng, number=1)
    assert found.sound
    words = "denoiser: whether it is that of the file is not known"
    assert words in found.remarks
    (tmp_path / "a.json").write_text(json.dumps(drawn))
    found = check_score(tmp_path / "a.json", benchmark, entrant(), rng=rng, number=1)
    assert words not in found.remarks
