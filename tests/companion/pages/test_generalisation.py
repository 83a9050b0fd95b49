"""Check the studies of generalisation: the authors' maps and how ours are made."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.companion.make import studies
from sbd.companion.pages import generalisation
from sbd.companion.pages.generalisation import (
    KEPT_OUT,
    STUDIES,
    Study,
    compare_in_columns,
    draw_test_images,
    generalisation_map,
    load_networks,
    own_and_others,
    published_map,
    published_tests,
    score_networks,
    show_heat_maps,
    tabulate_kept_out,
    tabulate_kinds,
    tell_filter,
    tell_kept_out,
    tell_losses,
)
from sbd.companion.wording import with_sign
from sbd.data.registry import DataUnavailableError
from sbd.networks.operations import TORCH
from sbd.simulation.frame import CROP

PUBLISHED = {  # as the authors' notebooks print them [dB]
    "contrast": "39.11 29.32 27.93 37.18 35.34 35.31 36.95 34.43 36.26",
    "structure": "38.33 37.83 38.40 37.72 37.27 37.19 37.04 37.01 "
    "34.42 33.95 37.84 33.30 37.49 37.02 37.77 37.24",
    "defect": "35.59 35.00 34.77 34.68 35.23 34.37 34.46 34.50 34.45 34.48 "
    "36.80 36.71 36.79 36.40 36.40 " + "35.42 35.28 35.31 35.21 35.10 " * 2,
}


@pytest.mark.network
@pytest.mark.parametrize("study", STUDIES)
def test_the_authors_maps_follow_from_their_logs(study):
    try:
        heat = published_map(study)
    except DataUnavailableError as error:
        pytest.skip(f"no log: {str(error).splitlines()[0]}")
    expected = [float(word) for word in PUBLISHED[study].split()]
    # printed with two decimals
    np.testing.assert_allclose(heat.to_numpy().ravel(), expected, atol=0.005 + 1e-9)
    assert heat.attrs["repeated"] == (["Dh", "Ds"] if study == "defect" else [])


def test_a_map_is_the_mean_over_the_studys_images(tmp_path, monkeypatch):
    lines = ["thickness,tilt_x,tilt_y,defocus,contrast,particle,psnr,ssim"]
    lines += [
        f"40,0,0,6,{contrast},{label},{psnr},0.9"
        for contrast, label, psnr in (
            ("white", "PtNp1-D0", 30), ("white", "PtNp1-D1", 32),
            ("white", "PtNp1-Dh", 99), ("black", "PtNp2-D0", 99),
            ("white", "PtNp2-D0", 35), ("white", "PtNp3-D0", 36),
            ("white", "PtNp4-D1", 37),
        )
    ]  # fmt: skip
    (tmp_path / "log.csv").write_text("\n".join(lines))
    monkeypatch.setattr(generalisation, "fetch", lambda _: tmp_path / "log.csv")
    heat = published_map("structure")
    assert heat.loc["PtNp1"].tolist() == [31, 35, 36, 37]
    assert heat.attrs["repeated"] == ["PtNp1", "PtNp2", "PtNp3", "PtNp4"]


@pytest.mark.parametrize("study", STUDIES)
def test_test_images_are_in_the_papers_test_set(study, monkeypatch):
    monkeypatch.setattr(generalisation, "_simulate", lambda row, _: row.defocus)
    images = draw_test_images(study, number=5, seed=0)
    kinds = STUDIES[study]
    assert images["tested on"].value_counts().to_dict() == dict.fromkeys(
        kinds.subsets, 5
    )
    assert (images["test"] > 0).all()
    assert images["structure"].isin(kinds.particles).all()
    assert images["defect"].isin(kinds.defects).all()
    assert images["contrast"].isin(kinds.contrasts).all()
    assert not (images["thickness"] == 50).any()  # where a label is several structures
    again = draw_test_images(study, number=5, seed=0)
    pd.testing.assert_frame_equal(images, again)
    assert not images.equals(draw_test_images(study, number=5, seed=1))


def test_a_drawn_image_is_the_benchmarks(tmp_path):
    (row,) = draw_test_images("contrast", number=1, seed=0, grid=256)[:1].itertuples()
    recipe = sbd.Recipe(row.structure, row.defect, float(row.thickness))
    benchmark = sbd.simulate_benchmark(
        tmp_path, recipes=(recipe,), tilts=((float(row.tilt_x), float(row.tilt_y)),),
        defoci=(float(row.defocus),), grid=256, progress=False,
    )  # fmt: skip
    assert benchmark.table["published_split"].tolist() == ["test"]
    assert benchmark.table["contrast"].tolist() == [row.contrast]
    stored = benchmark.image(0, samples=1024)[CROP]
    # half precision near 0.45 has steps of 2.4e-4, and 128 x 128 of them add up to more
    np.testing.assert_allclose(row.clean, sbd.authors_resize(stored), atol=3e-3)


def test_every_network_sees_the_same_counts():
    seen = {"a": [], "b": []}
    runs = {
        name: (lambda y, all=all: all.append(y) or y,) for name, all in seen.items()
    }
    flat = np.full((32, 32), 0.45)
    images = pd.DataFrame({"tested on": ["x", "y"], "clean": [flat, flat]})
    table = score_networks(runs, images, seed=0)
    np.testing.assert_array_equal(seen["a"], seen["b"])
    assert not np.array_equal(*seen["a"])
    heat = generalisation_map(table)
    assert heat.index.tolist() == ["a", "b"]
    assert heat.columns.tolist() == ["x", "y"]
    assert heat.loc["a", "x"] == table["psnr"].iloc[0]


def test_networks_that_share_what_they_are_shown_estimate_as_alone(monkeypatch):
    asked = []

    def compute(image, **how):
        asked.append((image.clone(), how))
        return TORCH.windowed_fourier(image, **how)

    monkeypatch.setattr(
        generalisation, "TORCH", replace(TORCH, windowed_fourier=compute)
    )
    networks = load_networks("contrast", device="cpu")
    first, second, larger = (
        np.random.default_rng(i).poisson(0.45, (side, 72)).astype(np.float32)
        for i, side in enumerate((64, 64, 80))
    )
    for noisy in (first, second, first, larger):
        for name, (denoise, again) in networks.items():
            items = STUDIES["contrast"].weights[name]
            for item, one in zip(items, (denoise, again), strict=True):
                expected = sbd.denoise(noisy, model=sbd.load_model(item), device="cpu")
                np.testing.assert_array_equal(one(noisy), expected)
    # each image once, though six networks look at it: so many windows are asked for
    windows = {tuple(sorted(how.items())) for _, how in asked}
    assert len(windows) > 1
    assert len(asked) == 4 * len(windows)


def test_a_column_is_compared_image_by_image_and_run_by_run():
    psnr = {("a", 0): 30.0, ("a", 1): 30.4, ("b", 0): 29.0, ("b", 1): 29.0}
    psnr[("filter", 0)] = 33.0
    table = pd.DataFrame(
        [
            {"trained on": name, "run": run, "tested on": kind, "image": i, "psnr": p}
            for (name, run), mean in psnr.items()
            for kind, worse in (("a", 0.0), ("b", 1.0))
            for i, p in enumerate((mean - worse, mean - worse + 5 + 0.2 * run))
        ]
    )
    gains, errors = compare_in_columns(table)
    assert gains.loc["a", "a"] == errors.loc["a", "a"] == 0
    assert gains.loc["b", "a"] == pytest.approx(-1.2)
    # variances of runs: .125 (.1 of an image is common to both) and .005, in means of 2
    assert errors.loc["b", "a"] == pytest.approx(((0.125 + 0.005) / 2) ** 0.5)
    ahead, errors = compare_in_columns(table, against="filter")
    assert ahead.loc["b", "b"] == pytest.approx(-3.95)
    of_images = 0.05  # half the second run's 0.2, once
    assert errors.loc["b", "b"] == pytest.approx(np.hypot(of_images, 0.05))
    said = tell_losses({"ours": {"letters": table}}, "filter")
    assert said.startswith("* **letters**: ours -1.2")
    assert "(b on " in said
    table["ssim"] = table["psnr"] / 40
    told = tabulate_kinds({"letters": table}, "filter").loc[("letters", "b")]
    assert told["n"] == 2
    assert told["network ahead by (dB)"].startswith("-3.9")
    assert "on a and b, and within two of it on none" in tell_filter(
        {"letters": table}, "filter"
    )
    assert "higher mean on 2 of 2" in tell_filter({"letters": table}, "filter")


def test_what_cannot_be_studied_is_refused():
    with pytest.raises(ValueError, match="study must be one of contrast, structure"):
        published_map("colour")
    with pytest.raises(ValueError, match="metric must be 'psnr' or 'ssim'; got 'mse'"):
        published_map("contrast", metric="mse")
    with pytest.raises(ValueError, match=r"number must be 1 to \d+ for black; got 0"):
        draw_test_images("contrast", number=0, seed=0)
    with pytest.raises(ValueError, match="denoisers must hold at least one"):
        score_networks({}, pd.DataFrame({"tested on": [1], "clean": [1]}), seed=0)
    with pytest.raises(ValueError, match="same rows and columns"):
        own_and_others(pd.DataFrame([[1.0, 2.0]], index=["a"], columns=["a", "b"]))
    with pytest.raises(ValueError, match="by must be 'contrast'"):
        Study("colour", (), ())


def test_each_subset_has_a_network_of_its_own():
    for study in STUDIES.values():
        items = [(n, item) for n, each in study.weights.items() for item in each]
        assert len({item for _, item in items}) == 2 * len(study.subsets)
        for subset, item in items:
            path = sbd.fetch(item)
            assert sbd.load_model(path).trained_pixel == (0.055, 0.08)
            assert subset in path.name


@pytest.mark.network
@pytest.mark.parametrize("study", STUDIES)
def test_the_authors_tests_are_their_maps(study):
    try:
        published = published_map(study)
    except DataUnavailableError:
        pytest.skip("the authors' logs cannot be had")
    tests = published_tests(study)
    pd.testing.assert_frame_equal(
        generalisation_map(tests), published, check_names=False
    )
    gains, errors = compare_in_columns(tests)
    assert (np.diag(gains) == 0).all()
    assert (errors.to_numpy() >= 0).all()


def test_a_heat_map_says_its_numbers_and_shares_one_scale():
    near = {("a", "a"): 38.0, ("a", "b"): 30.0, ("b", "a"): 36.0, ("b", "b"): 37.0}
    far = {("a", "a"): 20.0, ("a", "b"): 25.0, ("b", "a"): 21.0, ("b", "b"): 25.0}
    tests = {
        whose: {
            "letters": pd.DataFrame(
                [
                    {"trained on": on, "run": 0, "tested on": kind, "image": i,
                     "psnr": mean + apart * i * (on == "a")}
                    for (on, kind), mean in psnr.items() for i in (0, 1)
                ]
            )
        }
        for whose, psnr, apart in (("ours", near, 1.0), ("theirs", far, 0.0))
    }  # fmt: skip
    fig = show_heat_maps(tests)
    first, second = fig.axes[:2]
    words = {t.get_text(): t.get_fontweight() for t in first.texts}
    assert words == {
        "38.5": "bold",
        "30.5\n-6.5\n±0.5": "normal",
        "36.0\n-2.5\n±0.5": "normal",
        "37.0": "bold",
    }
    assert first.images[0].get_clim() == second.images[0].get_clim() == (-6.5, 6.5)
    np.testing.assert_allclose(first.images[0].get_array(), [[0, -6.5], [-2.5, 0]])
    assert [t.get_text() for t in first.get_xticklabels()] == ["a\n(2)", "b\n(2)"]


def test_what_is_kept_out_and_what_is_learnt_are_all_images_once():
    axes = {
        "particle": generalisation.PARTICLES,
        "thickness": [30.0, 40.0, 50.0, 60.0],
        "tilt_x": [0.0, 1.0, 2.0, 3.0, 4.0],
        "tilt_y": [0.0, 3.0],
    }
    table = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)
    for name, kind in KEPT_OUT.items():
        learnt = pd.Series(True, index=table.index)
        for column, values in kind.rest.items():
            learnt &= table[column].isin(values)
        assert (learnt != kind.find(table)).all()
        assert learnt.all() == (name == "nothing")


@pytest.mark.parametrize("kind", KEPT_OUT.values(), ids=[*KEPT_OUT])
def test_networks_are_trained_on_all_but_what_was_kept_from_them(kind):
    for item, again in zip(kind.networks, (False, True), strict=True):
        name = item.removeprefix("weights/")
        assert studies.STUDIES[name].labels == kind.rest
        assert name.endswith(studies.AGAIN) == again


def test_images_of_one_structure_are_one_witness():
    # both networks of two runs that do not differ; gains of 0.2 and 0.4 dB
    gains = np.repeat([0.2, 0.4], 4)
    rows = [
        (name, run, "tilt", image, 30 + gain * (name == "tilt"), 0.9)
        for name in ("tilt", "nothing")
        for run in (0, 1)
        for image, gain in enumerate(gains)
    ]
    table = pd.DataFrame(
        rows, columns=["trained on", "run", "tested on", "image", "psnr", "ssim"]
    )
    compare = partial(compare_in_columns, against="nothing")
    two = table.assign(structure=table["image"].map(dict(enumerate("aaaabbbb"))))
    gain, error = compare(two)
    assert gain.loc["tilt", "tilt"] == pytest.approx(0.3)
    # of two means that are 0.2 apart
    assert error.loc["tilt", "tilt"] == pytest.approx(0.1)
    _, eight = compare(table)
    assert eight.loc["tilt", "tilt"] == pytest.approx(np.std(gains, ddof=1) / 8**0.5)
    apart = two.assign(psnr=two["psnr"] + 0.1 * two["run"])
    _, more = compare(apart)
    # each of both networks by the error of two runs that are 0.1 apart
    assert more.loc["tilt", "tilt"] == pytest.approx((0.01 + 2 * 0.05**2) ** 0.5)


def test_a_networks_runs_count_for_it_alone_on_every_kind():
    # two runs of a are 1 dB apart on kind b, alike on its own; those of b and c agree
    psnr = {"a": (0.0, 1.0), "b": (0.0, 0.0), "c": (0.0, 0.0)}
    table = pd.DataFrame(
        [
            (name, run, kind, image, 30 + apart * (kind == "b"), 0.9)
            for name, runs in psnr.items()
            for run, apart in enumerate(runs)
            for image, kind in enumerate("aabbcc")
        ],
        columns=["trained on", "run", "tested on", "image", "psnr", "ssim"],
    )
    _, errors = compare_in_columns(table)
    of_a = pytest.approx((0.5 / 2 / 3) ** 0.5)
    assert errors.loc["a", "b"] == errors.loc["a", "c"] == errors.loc["c", "a"] == of_a
    assert errors.loc["b", "c"] == errors.loc["c", "b"] == errors.loc["a", "a"] == 0


@pytest.fixture
def record():
    gains = {"thickness": -0.5, "tilt": 0.02, "particle": -0.12, "nothing": -0.01}
    networks = {key: dict.fromkeys(gains, 0.0) for key in (*KEPT_OUT, "filter")}
    for key in ("thickness", "tilt", "particle"):
        networks[key][key] = gains[key]
    networks["filter"]["tilt"] = -0.27
    errors = {key: dict.fromkeys(gains, 0.05) for key in networks}
    return {
        "images": dict.fromkeys(gains, 50), "structures": dict.fromkeys(gains, 3),
        "trainings": 2, "gain": networks, "standard error": errors,
    }  # fmt: skip


def test_a_loss_is_said_to_be_seen_beyond_three_errors_alone(record):
    lines = tell_kept_out(record).splitlines()
    thickness, tilt, particle, _, seen = lines
    for kind, line, gain in (
        ("thickness", thickness, -0.5), ("tilt", tilt, 0.02),
        ("particle", particle, -0.12),
    ):  # fmt: skip
        assert line == f"* **{KEPT_OUT[kind].name}**: {with_sign(gain, 0.05)} dB"
    assert "is seen on 60 Å thick. " in seen
    assert "ahead of the filter by 0.3 dB at most" in seen
    record["gain"]["thickness"]["thickness"] = -0.1
    assert "is seen nowhere. " in tell_kept_out(record)


def test_a_table_of_what_was_kept_out_has_no_row_against_itself(record):
    table = tabulate_kept_out(record)
    assert len(table) == len(KEPT_OUT)
    assert "filter" in table.index
    assert "none of these (50 of 3)" in table.columns
