"""Compare the simulation with an image that the authors published."""

import numpy as np
import pytest
from scipy.ndimage import fourier_shift
from skimage.registration import phase_cross_correlation

import sbd
from sbd.registry import DataUnavailableError


def simulate(defect):
    atoms = sbd.pt_on_ceria("PtNp2", defect, thickness=40.0, tilt=(3.0, 0.0))
    return sbd.form_image(sbd.exit_wave(atoms), defocus=60.0, samples=1024)


def registered_psnr(image, published):
    """PSNR in the published frame, 60 pixels off its border, after a rigid shift."""
    height, width = published.shape
    frame = np.zeros_like(image)
    frame[:height, :width] = published - published.mean()
    correlation = np.fft.ifft2(np.fft.fft2(image - image.mean())
                               * np.fft.fft2(frame).conj()).real  # fmt: skip
    reach = correlation[: 1025 - height, : 1025 - width]
    row, column = np.unravel_index(reach.argmax(), reach.shape)
    cut = image[row : row + height, column : column + width]
    window = np.outer(np.hanning(height), np.hanning(width))
    shift = phase_cross_correlation(
        window * (published - published.mean()),
        window * (cut - cut.mean()),
        upsample_factor=50,
        normalization=None,
    )[0]
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(image), shift)).real
    moved = moved[row : row + height, column : column + width]
    inside = np.s_[60:-60, 60:-60]
    return sbd.psnr(published[inside], moved[inside])


@pytest.mark.network
def test_the_simulation_is_the_authors_image():
    try:
        published = sbd.fetch_clean("clean/PtNp2-S3_5")
    except DataUnavailableError as error:
        pytest.skip(f"the authors' image cannot be had: {str(error).splitlines()[0]}")
    same, full = (registered_psnr(simulate(d), published) for d in ("S3_5", "D0"))
    # the same image but for rounding of the optics; a missing column costs more
    assert same > 54
    assert full < same - 3
