"""Check that the figure of the method shows every step."""

import numpy as np
import pytest
from ase import Atoms

from sbd.companion.pages.pipeline import show_pipeline

IMAGE = np.arange(2000.0).reshape(40, 50)
ATOMS = Atoms("PtCeO", [(2, 3, 2), (1, 1, 1), (3, 1, 1)], cell=(4, 4, 4))


def pipeline(**change):
    options = {
        "simulated": [IMAGE + i for i in range(6)],
        "training": (IMAGE, IMAGE + 7, IMAGE + 8),
        "inference": (IMAGE + 9, IMAGE + 10, IMAGE - 1000),
        "pixels": (1.0, 1.0, 1.0),
    }
    return show_pipeline(ATOMS, **{**options, **change})


def test_the_pipeline_shows_every_image_given():
    canvas, *panels = pipeline().axes
    smallest = {float(image.get_array().min()) for image in canvas.images}
    assert smallest == {*range(6), 7, 8, 9, 10}
    assert [len(panel.images) for panel in panels] == [0, 0, 1]


def test_the_pipeline_names_its_three_parts():
    words = {text.get_text() for text in pipeline().axes[0].texts}
    assert {"Simulating", "Training", "Inference", "Noisy data", "1 nm"} <= words


def test_the_pipeline_wants_six_images():
    with pytest.raises(ValueError, match="simulated must hold six images; got 2"):
        pipeline(simulated=[IMAGE] * 2)
