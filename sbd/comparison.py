"""Judge several denoisers on the same draws of the counts."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sbd.metrics import authors_psnr, authors_ssim
from sbd.noise import poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import check_image


def compare_denoisers(
    clean: Image, denoisers: Mapping[str, Denoiser], *, draws: int, seed: int
) -> pd.DataFrame:
    """Count a clean image several times and score each denoiser on all of them.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts [electrons per pixel].
    denoisers : dict of str to callable
        Image to image, by name.
    draws : int
        Times that the image is counted; draw `i` depends on (seed, i) alone.
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        A row for each denoiser, in the order given, with its mean ``PSNR`` [dB] and
        ``SSIM`` by the authors' metric.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, there is no denoiser, or `draws` is below 1.

    Examples
    --------
    >>> from sbd import denoise_constant
    >>> vacuum, constant = np.full((32, 32), 0.45), {"constant": denoise_constant}
    >>> table = compare_denoisers(vacuum, constant, draws=2, seed=0)
    >>> list(table.columns)
    ['PSNR', 'SSIM']
    """
    clean = check_image(clean, "clean", counts=True)
    if not denoisers:
        msg = "denoisers must hold at least one; got none"
        raise ValueError(msg)
    if draws < 1:
        msg = f"draws must be at least 1; got {draws}"
        raise ValueError(msg)
    rows = []
    for draw in range(draws):
        noisy = poisson_noise(clean, rng=np.random.default_rng([seed, draw]))
        for name, denoise in denoisers.items():
            result = denoise(noisy)
            scores = authors_psnr(clean, result), authors_ssim(clean, result)
            rows.append((name, *scores))
    table = pd.DataFrame(rows, columns=["denoiser", "PSNR", "SSIM"])
    return table.groupby("denoiser", sort=False).mean()
