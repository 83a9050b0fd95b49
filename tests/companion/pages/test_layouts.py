"""Check the whole figures: every panel there, each showing what it should."""

import numpy as np
import pytest
from ase import Atoms
from matplotlib.colors import to_rgba

from sbd.companion.pages.comparison import show_zooms
from sbd.companion.pages.dataset import show_dataset
from sbd.companion.pages.pipeline import show_pipeline
from sbd.plotting.colours import ORANGE, RED

IMAGE = np.arange(2000.0).reshape(40, 50)
ATOMS = Atoms("PtCeO", [(2, 3, 2), (1, 1, 1), (3, 1, 1)], cell=(4, 4, 4))


def colours_of_frame(ax):
    return {spine.get_edgecolor() for spine in ax.spines.values()}


def test_zooms_show_the_pixels_of_their_boxes():
    fig = show_zooms({"a": IMAGE, "b": -IMAGE}, [(5, 10, 20, 30), (8, 12, 10, 6)])
    shown = [ax.images[0].get_array() for ax in fig.axes]
    np.testing.assert_array_equal(shown[3], -IMAGE[5:25, 10:40])
    np.testing.assert_array_equal(shown[4], IMAGE[8:18, 12:18])


def test_zooms_keep_the_grey_of_the_whole_image():
    fig = show_zooms({"a": IMAGE}, [(0, 0, 5, 5)], limits=(-1.0, 5000.0))
    assert [ax.images[0].get_clim() for ax in fig.axes] == [(-1, 5000)] * 2


def test_boxes_and_frames_share_their_colours():
    fig = show_zooms({"a": IMAGE}, [(5, 10, 20, 30), (8, 12, 10, 6)])
    whole, first, second = fig.axes
    edges = [patch.get_edgecolor() for patch in whole.patches]
    assert edges == [to_rgba(RED), to_rgba(ORANGE)]
    assert colours_of_frame(first) == {to_rgba(RED)}
    assert colours_of_frame(second) == {to_rgba(ORANGE)}


@pytest.mark.parametrize(
    ("images", "boxes", "words"),
    [
        ({"a": IMAGE, "b": IMAGE.T}, [(0, 0, 2, 2)], "images must have one shape"),
        ({"a": IMAGE}, [], "boxes must be 1 to 2, one per colour; got 0"),
        ({"a": IMAGE}, [(0, 0, 2, 2)] * 3, "got 3"),
        ({"a": IMAGE}, [(0, 0, 41, 2)], "box must lie inside"),
        ({}, [(0, 0, 2, 2)], "images must hold at least one"),
    ],
)
def test_zooms_that_cannot_be_are_refused(images, boxes, words):
    with pytest.raises(ValueError, match=words):
        show_zooms(images, boxes)


def pipeline(**change):
    options = {
        "simulated": [IMAGE + i for i in range(6)],
        "training": (IMAGE, IMAGE + 7, IMAGE + 8),
        "inference": (IMAGE + 9, IMAGE + 10, IMAGE - 1000),
    }
    return show_pipeline(ATOMS, **{**options, **change})


def test_the_pipeline_shows_every_image_given():
    canvas, *panels = pipeline().axes
    smallest = {float(image.get_array().min()) for image in canvas.images}
    assert smallest == {*range(6), 7, 8, 9, 10}
    assert [len(panel.images) for panel in panels] == [0, 0, 1]


def test_the_pipeline_names_its_three_parts():
    words = {text.get_text() for text in pipeline().axes[0].texts}
    assert {"Simulating", "Training", "Inference", "Likelihood map"} <= words


def test_the_pipeline_wants_six_images():
    with pytest.raises(ValueError, match="simulated must hold six images; got 2"):
        pipeline(simulated=[IMAGE] * 2)


def dataset(images=6):
    return show_dataset(
        dict.fromkeys(("PtNp1", "PtNp2", "PtNp3"), ATOMS),
        dict.fromkeys(("3 nm", "6 nm"), ATOMS),
        {"0": (ATOMS, 0.0), "4": (ATOMS, 4.0)},
        [IMAGE] * images,
        captions=("a", "b", "c", "d"),
    )


def test_the_dataset_draws_seven_models_and_six_images():
    canvas, *models = dataset().axes
    assert len(models) == 7
    assert len(canvas.images) == 6
    words = {text.get_text() for text in canvas.texts}
    assert {"(a) Structure", "(b) Thickness", "(c) Tilt", "(d) Defocus"} <= words
    assert {"PtNp2", "6 nm", "4"} <= words


def test_the_dataset_wants_as_many_as_it_draws():
    with pytest.raises(ValueError, match=r"must be 3, 2, 2 and 6; got 3, 2, 2, 5"):
        dataset(images=5)
