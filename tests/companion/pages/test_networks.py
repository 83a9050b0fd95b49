"""Check that what networks learn, lose and invent is drawn as it was measured."""

import numpy as np
import pandas as pd
import pytest

from sbd.audits.inspection import inspect_estimate
from sbd.audits.placed_atoms import PlacedAtoms
from sbd.audits.scenes import Scene
from sbd.companion.pages.networks import (
    learnt_doses,
    list_doses,
    show_column_audit,
    show_doses,
    show_inspections,
    show_training,
    show_vacuum,
    sum_columns,
    tabulate_columns,
    tabulate_doses,
    tabulate_drawing,
    tabulate_metrics,
    tabulate_vacuum,
    tell_images,
)

SHAPE, PIXEL = (120, 140), 0.1


def dots(places):
    """Draw columns of 0.7 angstrom radius."""
    rows, columns = np.indices(SHAPE)
    image = np.full(SHAPE, 0.45)
    for row, column in places:
        squared = (rows - row) ** 2 + (columns - column) ** 2
        image += 0.2 * np.exp(-squared / (0.7 / PIXEL) ** 2)
    return image


PLACES = [(40.0, 30.0), (40.0, 54.0), (60.0, 42.0), (60.0, 66.0)]
SPECIMEN = PlacedAtoms(
    np.array(PLACES), np.ones(4, bool), np.array([[115.0, 5.0]]), (PIXEL, PIXEL), SHAPE
)
SCENE = Scene("four columns", dots(PLACES), SPECIMEN)


def look(image, defocus=6.0):
    return inspect_estimate(SCENE, image, labels={"defocus": defocus})


def test_what_was_lost_and_what_was_invented_is_marked():
    place, far = PLACES[1], (20.0, 120.0)
    fig = show_inspections([look(dots([PLACES[0], *PLACES[2:], far]))])
    lost, made = fig.axes[1].collections
    (x, y), (u, v) = lost.get_offsets()[0], made.get_offsets()[0]
    assert (len(lost.get_offsets()), len(made.get_offsets())) == (1, 1)
    # the panels are cut out of the image; the distance of the two is not
    np.testing.assert_allclose((v - y, u - x), np.subtract(far, place), atol=0.1)
    assert fig.axes[0].get_title().startswith("(a) 6 nm, score ")


def test_the_share_found_is_drawn_by_defocus_and_by_score():
    worse = [look(dots(PLACES[1:]), 9.0), look(SCENE.clean, 3.0)]
    fig = show_column_audit({"network": worse})
    found, invented, by_score = fig.axes
    np.testing.assert_allclose(found.lines[0].get_ydata(), [1, 1])  # what is seen
    np.testing.assert_allclose(found.lines[1].get_xdata(), [3, 9])
    np.testing.assert_allclose(found.lines[1].get_ydata(), [1, 0.75])
    np.testing.assert_allclose(invented.lines[0].get_ydata(), [0, 0])
    np.testing.assert_allclose(by_score.lines[0].get_ydata(), [7 / 8])


def test_each_run_of_a_training_is_a_line():
    curve = [{"step": s, "loss": 1 / s, "psnr": 30 + s} for s in (10, 20, 30)]
    runs = {"run 1": {"class": "UNet", "steps": 20}}
    runs["run 2"] = {"class": "LatticeUNet", "steps": 10}
    first, second, loss, _ = show_training({"curve": curve, **runs}).axes
    assert first.get_title() == "run 1: UNet"
    assert first.lines[0].get_xdata().tolist() == [10, 20]
    assert second.lines[0].get_xdata().tolist() == [30]
    assert loss.lines[0].get_ydata().tolist() == [1 / 10, 1 / 20]


CARD = {
    "run 1": {"drawing": {"dose": [0.2, 5.0], "crop": 160}},
    "run 2": {"drawing": {"dose": [0.1, 10.0], "crop": 128, "vacuum": 0.08}},
    "metrics": {
        "psnr_bundled_image": 40.7,
        "psnr_standard_error": 0.1,
        "ssim_bundled_image": 0.9923,
        "deviation_in_pure_vacuum": 0.0012,
        "draws": 8,
    },
}


def test_a_card_is_written_in_words():
    assert learnt_doses(CARD) == (0.1, 10.0)
    table = tabulate_drawing(CARD)
    assert table.loc["dose (e/pixel)"].tolist() == ["0.2 to 5", "0.1 to 10"]
    assert table.loc["share of empty examples"].tolist() == ["", "0.08"]
    written = tabulate_metrics(CARD["metrics"])["default network"]
    assert written["PSNR of the bundled image, 8 draws (dB)"] == "40.70 \u00b1 0.10"


def test_doses_have_errors_where_there_are_several_draws():
    rows = [
        (method, 0.45, "this project's simulated image X, cut", draw, psnr)
        for method, first in (("a", 30.0), ("b", 20.0))
        for draw, psnr in enumerate((first, first + 2.0))
    ]
    table = pd.DataFrame(rows, columns=["method", "dose", "image", "draw", "psnr"])
    written = tabulate_doses(table)
    # of two draws that differ by 2 the mean has an error of 1
    assert written.loc[("bundled: X", "0.45")].tolist() == [
        "31.0 \u00b1 1.0",
        "21.0 \u00b1 1.0",
    ]
    assert list_doses(table) == {rows[0][2]: {0.45: {"a": 31.0, "b": 21.0}}}
    ax = show_doses(table, trained=(0.1, 1.0)).axes[0]
    assert len(ax.containers) == 2
    ax = show_doses(table[table["draw"] == 0], trained=(0.1, 1.0)).axes[0]
    assert len(ax.containers) == 0


def test_an_image_that_is_wanting_is_told():
    assert "stand-in" in tell_images(["a"]).data
    assert "stand-in" not in tell_images(["a", "b"]).data


def test_columns_are_summed_up_in_words():
    sums = sum_columns({"network": [look(SCENE.clean)]})
    written = tabulate_columns(sums)["network"]
    assert written["platinum columns in them"] == "4"
    assert written["found in the denoised image (%)"] == "100"


def test_a_vacuum_is_written_in_words():
    row = {"dose": 0.45, "mean": 0.45, "deviation": 0.001, "largest": 0.01}
    written = tabulate_vacuum(pd.DataFrame([row | {"relative": 0.002, "peaks": 0.5}]))
    assert written.loc["0.45"].tolist()[-2:] == ["0.2", "50"]


def test_maps_of_nothing_are_shown_without_their_mean():
    noise = 0.45 + 0.09 * np.eye(3)
    table = pd.DataFrame({"dose": [0.45, 2.0], "relative": [0.1, 0.2], "peaks": [0, 1]})
    fig = show_vacuum({"a": noise}, {"a": table}, dose=0.45)
    drawn, relative, peaks = fig.axes
    assert drawn.images[0].get_array().mean() == pytest.approx(0, abs=1e-12)
    assert np.ptp(drawn.images[0].get_array()) == pytest.approx(20.0)  # % of the dose
    np.testing.assert_allclose(relative.lines[0].get_ydata(), [10, 20])
    np.testing.assert_allclose(peaks.lines[0].get_ydata(), [0, 1])
