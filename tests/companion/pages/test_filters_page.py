"""Check that filters are drawn and told as they were measured."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from sbd.companion.pages.filters import (
    frame_gallery,
    make_gallery,
    show_gains,
    tabulate_judged,
    tabulate_ranking,
    tabulate_tuning,
    tell_best,
    tell_parts,
)
from sbd.plotting.images import shared_grey

RANKING = pd.DataFrame(
    {
        "PSNR": [40.0, 35.5, 35.0, 32.0],
        "standard_error": [0.7, 0.9, 1.0, 1.1],
        "difference": [5.0, 0.5, 0.0, -3.0],
        "difference_error": [0.6, 0.4, 0.0, 0.2],
        "ahead": [5, 3, 0, 0],
    },
    index=["network", "averaging", "window", "blur"],
)


def test_frames_show_what_the_gallery_does_on_the_grey_of_the_clean_image():
    clean = np.linspace(0.2, 0.8, 1200).reshape(30, 40)
    noisy = np.round(clean)
    specimen = SimpleNamespace(pixel=(0.4, 0.5))
    scene = SimpleNamespace(clean=clean, specimen=specimen)
    denoisers = {"network": lambda counts: counts / 2, "not in the gallery": np.sqrt}
    images = make_gallery(scene, noisy, denoisers)
    assert list(images) == ["counts", "clean", "network"]
    frames = frame_gallery(scene, images)
    assert list(frames) == list(images)
    shown = [fig.axes[0].images[0] for fig in frames.values()]
    np.testing.assert_array_equal(shown[2].get_array(), noisy / 2)
    assert {image.get_clim() for image in shown} == {shared_grey([clean])}
    bar = frames["clean"].axes[0].patches[0]
    assert bar.get_width() == 10  # 5 angstrom of half an angstrom


def test_gains_have_axes_in_frequency():
    gain = np.eye(10)
    fig = show_gains({"blur": gain}, np.full((80, 160), 0.02), (0.5, 0.25))
    left, right = fig.axes[:2]
    assert left.images[0].get_clim() == (0.0, 1.0)
    assert right.images[0].get_clim() == (0.0, 2.0)  # per cent
    # 5 of 160 samples of .25 angstrom: .125 per angstrom, of which .9 have a tick
    assert [t.get_text() for t in left.get_xticklabels()] == ["-0.1", "0.0", "0.1"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["-0.1", "0.0", "0.1"]
    assert left.get_xlabel().endswith("(1/\u00c5)")


def test_the_ranking_is_told_with_its_errors():
    told = tabulate_ranking(RANKING, "window")
    assert told.loc["averaging"].tolist() == [
        "35.5 \u00b1 0.9",
        "+0.5 \u00b1 0.4",
        3,
    ]
    assert told.loc["window", "over window (dB)"] == ""
    said = tell_best(RANKING, "window", 5).data
    assert "is averaging**: +0.5 \u00b1 0.4 dB" in said
    assert "no more than two standard errors of 5 images" in said
    behind = RANKING.drop(index="averaging")
    said = tell_best(behind, "window", 5).data
    assert said.startswith("**The best without training is window.** Next is blur")


def test_what_was_judged_has_units():
    parts = ("", " particle", " surface", " vacuum")
    row = {f"PSNR{part}": 30.0 + k for k, part in enumerate(parts)}
    row |= {f"SSIM{part}": 0.9 for part in parts}
    row |= {"found_share": 0.875, "false": 2.0}
    judged = pd.DataFrame([row, row], index=["blur", "window"])
    judged.loc["blur", "PSNR vacuum"] += 2
    told = tabulate_judged(judged)
    assert told.loc["window", "PSNR, particle (dB)"] == "31.0"
    assert told.loc["window", "columns found (%)"] == "88"
    said = tell_parts(judged, "blur", "window").data
    assert "+0.0 dB (particle)" in said
    assert "+2.0 dB (vacuum)" in said
    assert tell_parts(judged, "blur", "nothing").data == ""


def test_tuning_says_where_defaults_are_best():
    tuning = pd.DataFrame(
        {"tuned": ["a=1", "b=2"], "difference": [0.3, 0.0],
         "standard_error": [0.06, 0.0], "edge": ["a", ""]},
        index=["spot", "blur"],
    )  # fmt: skip
    told = tabulate_tuning(tuning)["gain on validation images (dB)"].tolist()
    assert told == ["+0.30 \u00b1 0.06", "the defaults are best"]
