"""Check that what networks learn, lose and invent is drawn as it was measured."""

import numpy as np
import pandas as pd
import pytest

from sbd.audits.inspection import inspect_estimate
from sbd.audits.placed_atoms import PlacedAtoms
from sbd.audits.scenes import Scene
from sbd.companion.pages.networks import (
    show_column_audit,
    show_inspections,
    show_training,
    show_vacuum,
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
    quality, loss = show_training({"curve": curve, **runs}).axes
    first, second = (line for line in quality.lines if line.get_label()[:3] == "run")
    assert first.get_xdata().tolist() == [10, 20]
    assert second.get_xdata().tolist() == [30]
    assert loss.lines[0].get_ydata().tolist() == [1 / 10, 1 / 20]


def test_maps_of_nothing_are_shown_without_their_mean():
    noise = 0.45 + 0.09 * np.eye(3)
    table = pd.DataFrame({"dose": [0.45, 2.0], "relative": [0.1, 0.2], "peaks": [0, 1]})
    fig = show_vacuum({"a": noise}, {"a": table}, dose=0.45)
    drawn, relative, peaks = fig.axes
    assert drawn.images[0].get_array().mean() == pytest.approx(0, abs=1e-12)
    assert np.ptp(drawn.images[0].get_array()) == pytest.approx(20.0)  # % of the dose
    np.testing.assert_allclose(relative.lines[0].get_ydata(), [10, 20])
    np.testing.assert_allclose(peaks.lines[0].get_ydata(), [0, 1])
