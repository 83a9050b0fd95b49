"""Tune denoisers whose best parameters are known."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.denoisers.tuning import Tuning

FLAT = np.full((48, 40), sbd.VACUUM)
IMAGES = [FLAT, 2 * FLAT, 0.5 * FLAT]


def shrink(noisy, *, share=0.5, name="a"):  # noqa: ARG001
    """Take the counts towards their mean; of a flat image, all the way is best."""
    return share * noisy.mean() + (1 - share) * noisy


def error(clean, image):
    """Mean squared error; the more, the worse, so with a minus."""
    return -float(np.mean((clean - image) ** 2))


def tuned(grid, images=IMAGES, **options):
    options = {"draws": 2, "seed": 3, "metric": error} | options
    return sbd.tune(shrink, images, grid, **options)


def test_the_least_squares_optimum_is_found():
    # E|share m + (1 - share) y - x|^2 = (1 - share)^2 x + (...) x / n: least at 1
    found = tuned({"share": (0.0, 0.25, 0.9, 1.0, 1.5)})
    assert found.parameters == {"share": 1.0}
    assert found.edges == ()
    expected = [-((1 - s) ** 2) for s in found.table["share"]]
    mean = np.mean([image.mean() for image in IMAGES])
    # a variance from 3 x 2 x 1,920 counts, most of them at 0.9, is known to 3 %
    np.testing.assert_allclose(found.table["score"] / mean, expected, atol=0.04)


def test_the_default_is_always_a_candidate_and_comes_first():
    table = tuned({"share": (0.25, 0.9)}).table
    assert table["share"].tolist() == [0.5, 0.25, 0.9]
    first = table.iloc[0]
    assert (first["difference"], first["standard_error"]) == (0, 0)
    assert tuned({"share": (0.25, 0.5)}).table["share"].tolist() == [0.5, 0.25]


def test_every_combination_is_tried_once():
    table = tuned({"share": (0.0, 0.5), "name": ("a", "b")}).table
    assert len(table) == 4 == len(table[["share", "name"]].drop_duplicates())


def test_the_counts_depend_on_seed_image_and_draw_alone():
    table = tuned({"share": (0.25, 1.0)}).table
    by_hand = [
        [
            error(image, shrink(noisy, share=1.0)) - error(image, shrink(noisy))
            for i in range(2)
            for noisy in [
                sbd.poisson_noise(image, rng=np.random.default_rng([3, j, i]))
            ]
        ]
        for j, image in enumerate(IMAGES)
    ]
    means = np.mean(by_hand, axis=1)
    last = table.iloc[-1]
    assert last["difference"] == pytest.approx(means.mean())
    assert last["standard_error"] == pytest.approx(means.std(ddof=1) / np.sqrt(3))


def test_the_error_of_one_image_is_that_over_its_draws():
    lone = tuned({"share": (1.0,)}, [FLAT], draws=4).table.iloc[-1]
    gains = [
        tuned({"share": (1.0,)}, [FLAT], draws=k).table["difference"].iloc[-1] * k
        for k in range(1, 5)
    ]
    draws = np.diff([0, *gains])  # draw i is the same however many there are
    assert lone["standard_error"] == pytest.approx(draws.std(ddof=1) / 2)
    once = tuned({"share": (1.0,)}, [FLAT], draws=1).table
    assert once["standard_error"].isna().all()


def test_of_equal_candidates_the_default_is_best():
    assert tuned({"name": ("z", "b", "a")}).parameters == {"name": "a"}


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ((0.9, 1.0), ("share",)),
        ((0.9, 1.0, 2.0), ()),
        ((0.5,), ()),
        ((1.0,), ("share",)),
    ],
)
def test_the_edge_of_the_grid_is_told(values, edges, caplog):
    with caplog.at_level(logging.INFO, logger="sbd.denoisers.tuning"):
        assert tuned({"share": values}).edges == edges
    assert ("lie on the grid's edge" in caplog.text) == bool(edges)


def test_a_word_is_on_no_edge():
    assert tuned({"share": (1.0,), "name": ("a", "b")}).edges == ("share",)


def test_the_default_metric_is_the_authors():
    found = sbd.tune(shrink, [FLAT], {"share": (1.0,)}, draws=1, seed=0)
    noisy = sbd.poisson_noise(FLAT, rng=np.random.default_rng([0, 0, 0]))
    assert found.best["score"] == sbd.authors_psnr(FLAT, shrink(noisy, share=1.0))


def test_the_clean_images_are_left_alone():
    clean = FLAT.copy()
    tuned({"share": (1.0,)}, [clean])
    np.testing.assert_array_equal(clean, FLAT)


def test_a_run_that_was_stopped_goes_on(tmp_path):
    cache, done = tmp_path / "scores.json", []

    def once(clean, image):
        done.append(clean.mean())
        if len(done) == 6:
            raise KeyboardInterrupt
        return error(clean, image)

    grid, options = {"share": (1.0,)}, {"draws": 1, "seed": 0, "metric": once}
    with pytest.raises(KeyboardInterrupt):
        sbd.tune(shrink, IMAGES, grid, cache=cache, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]
    assert len(json.loads(cache.read_text())["scores"]) == 2
    found = sbd.tune(shrink, IMAGES, grid, cache=cache, **options)
    assert len(done) == 9  # once to tell the metric, then the third image alone
    whole = sbd.tune(shrink, IMAGES, grid, **options)
    pd.testing.assert_frame_equal(found.table, whole.table)


def test_another_metric_of_the_same_name_is_another_run(tmp_path):
    grid, options = {"share": (1.0,)}, {"draws": 1, "seed": 0}
    options["cache"] = tmp_path / "scores.json"
    for sign in (1, -1):

        def signed(clean, image, sign=sign):
            return sign * error(clean, image)

        if sign == 1:
            sbd.tune(shrink, IMAGES, grid, metric=signed, **options)
            continue
        with pytest.raises(ValueError, match="cache must be of the same run"):
            sbd.tune(shrink, IMAGES, grid, metric=signed, **options)


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"draws": 1}, {"images": IMAGES[:2]}, {"grid": {"share": (0.7,)}}],
    ids=["seed", "draws", "images", "grid"],
)
def test_the_cache_of_another_run_is_refused(tmp_path, other):
    cache = tmp_path / "scores.json"
    tuned({"share": (1.0,)}, cache=cache)
    tuned({"share": (1.0,)}, cache=cache)
    with pytest.raises(ValueError, match="cache must be of the same run"):
        tuned(**({"grid": {"share": (1.0,)}} | other), cache=cache)
    cache.write_text("no such thing")
    with pytest.raises(ValueError, match=f"got {cache}"):
        tuned({"share": (1.0,)}, cache=cache)


def test_the_cache_of_a_denoiser_that_has_changed_is_refused(tmp_path):
    cache = tmp_path / "scores.json"
    options = {"draws": 1, "seed": 0, "cache": cache}
    sbd.tune(shrink, IMAGES, {"share": (1.0,)}, **options)

    def changed(noisy, *, share=0.5):
        return shrink(noisy, share=share) + 1e-6

    with pytest.raises(ValueError, match="cache must be of the same run"):
        sbd.tune(changed, IMAGES, {"share": (1.0,)}, **options)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="clean_images must hold at least one"):
        tuned({"share": (1.0,)}, [])
    with pytest.raises(ValueError, match=r"clean_images\[1\] must hold electron count"):
        tuned({"share": (1.0,)}, [FLAT, -FLAT])
    with pytest.raises(ValueError, match=r"draws must be a whole .* 1; got 0"):
        tuned({"share": (1.0,)}, draws=0)
    with pytest.raises(ValueError, match=r"default \(share, name\); got 'sigma'"):
        tuned({"sigma": (1.0,)})
    with pytest.raises(ValueError, match=r"default \(none\); got 'copy'"):
        sbd.tune(dict, [FLAT], {"copy": (True,)}, draws=1, seed=0)
    with pytest.raises(ValueError, match="grid must hold values to try"):
        tuned({"share": ()})
    with pytest.raises(ValueError, match="grid must hold values to try"):
        tuned({})
    with pytest.raises(ValueError, match=r"takes; got {'sigma': -1.0} \(sigma must be"):
        sbd.tune(sbd.denoise_gaussian, [FLAT], {"sigma": (-1.0,)}, draws=1, seed=0)
    with pytest.raises(ValueError, match="metric must give finite numbers; got inf"):
        tuned({"share": (1.0,)}, metric=lambda *_: np.inf)


def test_the_best_row_is_the_one_with_the_best_parameters():
    found = tuned({"share": (0.9, 1.0, 1.1)})
    assert isinstance(found, Tuning)
    assert found.best["share"] == found.parameters["share"]
    assert found.default == {"share": 0.5}
