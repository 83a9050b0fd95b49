"""Check that the authors' frame is the one that their files and their loader have."""

import numpy as np

from sbd.metrics import authors_resize
from sbd.simulation.frame import (
    AUTHORS_PIXEL,
    BOX,
    BOX_SAMPLES,
    CROP,
    CROP_SHAPE,
    PUBLISHED_SHAPE,
)


def test_the_crop_has_the_size_of_their_files_and_lies_in_the_box():
    box = np.zeros((BOX_SAMPLES, BOX_SAMPLES))
    assert box[CROP].shape == CROP_SHAPE == (876, 927)
    assert CROP_SHAPE[1] * AUTHORS_PIXEL < 46 < BOX  # the support has its seam at 46


def test_their_loader_makes_of_a_file_an_image_of_the_published_shape():
    assert authors_resize(np.zeros(CROP_SHAPE)).shape == PUBLISHED_SHAPE == (727, 687)
