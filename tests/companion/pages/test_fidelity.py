"""Compare the simulation with an image that the authors published."""

import pytest

from sbd.companion.pages.fidelity.pairs import (
    change_structure,
    compare_published,
    score_pair,
)
from sbd.data.registry import DataUnavailableError


@pytest.mark.network
def test_the_simulation_is_the_authors_image():
    try:
        pair = compare_published("S3_5", source="authors")
    except DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    score = score_pair(pair)
    # the same image but for rounding of the optics, and for the seam at the border
    assert score["PSNR"] > 56
    assert score["PSNR inside"] > 58
    assert score["correlation"] > 0.9995
    # a missing column costs more, by far
    perfect = score_pair(change_structure(pair, "D0"))
    assert perfect["PSNR inside"] < score["PSNR inside"] - 8
