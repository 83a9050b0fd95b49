"""How well PURE, the estimated error of PURE-LET, follows the true one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sbd.denoisers.purelet import let_dictionary
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Image
from sbd.validation import check_image


def threshold_risks(
    clean: Image,
    *,
    thresholds: Sequence[float],
    doses: Sequence[float] = (VACUUM,),
    levels: int = 5,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Move the threshold of the Haar coefficients, and compare PURE with the error.

    Once every coefficient above the threshold is kept and every other removed, with
    nothing fitted; and once both kinds are weighted as PURE-LET weights them.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts at `VACUUM` [electrons per pixel].
    thresholds : sequence of float
        In standard deviations of the coefficients' noise.
    doses : sequence of float
        What vacuum is scaled to [electrons per pixel].
    levels : int, default 5
        Of the Haar transform.
    draws : int
        Times that the image is counted.
    seed : int
        Of the counts; draw `i` of dose `j` depends on (seed, j, i) alone.

    Returns
    -------
    pandas.DataFrame
        ``dose``, ``threshold``, ``draw``, ``weights`` ("kept or removed" or "fitted"),
        ``risk`` and ``error``, both relative to the square of the dose. What PURE is
        off by for the blurred image, the share of all estimates from the same counts,
        is taken off the risk; only who knows the clean image can do that.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, or there is nothing to compare.

    Examples
    --------
    >>> table = threshold_risks(np.full((32, 32), 0.45), thresholds=[2.0, 3.0],
    ...                         levels=2, draws=1, seed=0)
    >>> list(table["weights"])
    ['kept or removed', 'fitted', 'kept or removed', 'fitted']
    """
    clean = check_image(clean, "clean", counts=True)
    if not (len(thresholds) and len(doses) and draws >= 1):
        msg = (
            "thresholds, doses and draws must name one at least; got "
            f"{list(thresholds)}, {list(doses)} and {draws}"
        )
        raise ValueError(msg)
    rows = []
    for which, dose in enumerate(doses):
        truth = clean * (dose / VACUUM)
        for draw in range(draws):
            rng = np.random.default_rng([seed, which, draw])
            noisy = poisson_noise(truth, rng=rng)
            for threshold in thresholds:
                made = let_dictionary(noisy, levels=levels, threshold=threshold)
                none = np.zeros(len(made.functions))
                offset = made.risk(none) - np.mean((made.lowpass - truth) ** 2)
                above = np.arange(len(made.functions)) % 2 == 0
                weights = {"kept or removed": above, "fitted": made.solve()}
                for name, coefficients in weights.items():
                    error = np.mean((made.combine(coefficients) - truth) ** 2)
                    judged = (made.risk(coefficients) - offset, float(error))
                    relative = [value / dose**2 for value in judged]
                    rows.append((dose, threshold, draw, name, *relative))
    columns = ["dose", "threshold", "draw", "weights", "risk", "error"]
    return pd.DataFrame(rows, columns=columns)


def expansion_bias(
    clean: Image, *, doses: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """Compare the exact correlations of Haar functions with the expansion of cosines.

    Parameters
    ----------
    clean : ndarray of shape (height, width)
        Expected counts, of which only the shape of the scene is used.
    doses : sequence of float
        Mean counts [electrons per pixel].
    draws : int
        Times that the image is counted at each; at least 2.
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        For each ``dose`` and ``dictionary``, the ``bias`` of the correlations' sum as a
        share of its true value, and its standard ``error``.

    Raises
    ------
    ValueError
        If `clean` is no image of counts, or empty of them, or there are no two draws.

    Examples
    --------
    >>> scene = np.outer(np.hanning(24), np.hanning(24))
    >>> table = expansion_bias(scene, doses=[4.0], draws=3, seed=0)
    >>> list(table["dictionary"])
    ['Haar, exact', 'cosines, to first order']
    """
    clean = check_image(clean, "clean", counts=True)
    if draws < 2:
        msg = f"draws must be at least 2; got {draws}"
        raise ValueError(msg)
    if not clean.any():
        msg = "clean must hold counts somewhere; got zeros only"
        raise ValueError(msg)
    rows = []
    for which, dose in enumerate(doses):
        truth = clean * (dose / clean.mean(dtype=np.float64))
        found = []
        for draw in range(draws):
            rng = np.random.default_rng([seed, which, draw])
            noisy = poisson_noise(truth, rng=rng)
            made = let_dictionary(noisy, levels=3, dictionary="dct8")
            overlap = np.tensordot(made.functions, truth, axes=2)
            off = made.correlations - overlap
            found.append((off[:-63].sum(), off[-63:].sum(),
                          overlap[:-63].sum(), overlap[-63:].sum()))  # fmt: skip
        found = np.array(found)
        scale = np.abs(found[:, 2:].mean(axis=0))
        bias = found[:, :2].mean(axis=0) / scale
        error = found[:, :2].std(axis=0, ddof=1) / np.sqrt(draws) / scale
        for name, b, e in zip(_KINDS, bias, error, strict=True):
            rows.append((dose, name, b, e))
    return pd.DataFrame(rows, columns=["dose", "dictionary", "bias", "error"])


_KINDS = ("Haar, exact", "cosines, to first order")
