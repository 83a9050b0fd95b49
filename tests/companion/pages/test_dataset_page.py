"""Check that the figure of the dataset draws all that varies."""

import numpy as np
import pytest
from ase import Atoms

from sbd.companion.pages.dataset import show_dataset

IMAGE = np.arange(2000.0).reshape(40, 50)
ATOMS = Atoms("PtCeO", [(2, 3, 2), (1, 1, 1), (3, 1, 1)], cell=(4, 4, 4))


def dataset(images=6):
    return show_dataset(
        dict.fromkeys(("PtNp1", "PtNp2", "PtNp3"), ATOMS),
        dict.fromkeys(("3 nm", "6 nm"), ATOMS),
        {"0": (ATOMS, 0.0), "4": (ATOMS, 4.0)},
        {f"{k} nm": IMAGE + k for k in range(images)},
        captions=("a", "b", "c", "d"),
        pixel_size=1.0,
    )


def test_the_dataset_draws_seven_models_and_six_images():
    canvas, *models, bar = dataset().axes
    assert len(models) == 7
    assert bar.get_ylim() == (0.0, 2004.0)
    assert len(canvas.images) == 6
    words = {text.get_text() for text in canvas.texts}
    assert {
        "(a) Structure",
        "(b) Thickness",
        "(c) Tilt",
        "(d) Defocus and tilt",
    } <= words
    assert {"PtNp2", "6 nm", "4", "5 nm", "1 nm"} <= words
    assert {image.get_clim() for image in canvas.images} == {(0.0, 2004.0)}


def test_the_dataset_wants_as_many_as_it_draws():
    with pytest.raises(ValueError, match=r"must be 3, 2, 2 and 6; got 3, 2, 2, 5"):
        dataset(images=5)
