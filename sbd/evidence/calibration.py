"""Measure that what is said of columns holds: where there are none, and where all are.

The statements are those of `sbd.evidence.significance`; here they are put to the test
on images whose truth is known.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from sbd.columns.finding import Columns, match_columns
from sbd.evidence.judgement import judge_columns
from sbd.evidence.significance import column_p_values, thin_counts
from sbd.simulation.noise import poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_doses, check_whole


def lay_discs(
    shape: tuple[int, int], *, spacing: int = 24, radius: float = 8.0
) -> Columns:
    """Lay discs on a square grid, as columns that are not there [pixels]."""
    if not 0 < radius <= spacing / 2:
        msg = f"radius must be above 0 and at most {spacing / 2:g}; got {radius}"
        raise ValueError(msg)
    axes = [spacing * (np.arange(side // spacing) + 0.5) for side in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    return Columns(places, np.full(len(places), float(radius)), np.zeros(len(places)))


def calibrate(
    denoise: Denoiser,
    *,
    doses: Sequence[float],
    images: int = 1,
    shape: tuple[int, int] = (720, 720),
    share: float = 0.5,
    seed: int,
) -> pd.DataFrame:
    """Test columns that are not there, in three ways: a calibrated one is uniform.

    For each disc of `lay_discs`, ``dose``, ``p`` and ``way``: tested on counts that are
    ``"independent"`` of the claim, on the other ``"split"`` part, or on the ``"same"``
    ones. Doses are mean counts of pure vacuum [electrons per pixel].
    """
    check_doses(doses)
    discs, rows = lay_discs(shape), []
    for dose, image in product(doses, range(images)):
        rng = np.random.default_rng([seed, image, int(1e6 * dose)])
        flat = np.full(shape, float(dose))
        noisy, fresh = (poisson_noise(flat, rng=rng) for _ in range(2))
        claim = apply_denoiser(denoise, noisy)
        first, second = thin_counts(noisy, share=share, rng=rng)
        left = (1 - share) / share * apply_denoiser(denoise, first)
        ways = {
            "independent": column_p_values(fresh, claim, discs, vacuum=dose),
            "split": column_p_values(second, left, discs, vacuum=(1 - share) * dose),
            "same": column_p_values(noisy, claim, discs, vacuum=dose),
        }
        rows += [
            pd.DataFrame({"dose": dose, "way": w, "p": p}) for w, p in ways.items()
        ]
    return pd.concat(rows, ignore_index=True)


def summarise_calibration(table: pd.DataFrame) -> pd.DataFrame:
    """Compare p-values from `calibrate` with uniform ones, by their way.

    The share up to 0.01 and to 0.05, and ``KS``, a Kolmogorov-Smirnov test's p-value.
    """
    rows = {}
    for way, each in table.groupby("way", sort=False):
        p = each["p"].to_numpy()
        rows[way] = {"discs": len(p)}
        rows[way] |= {f"up to {x:g}": float(np.mean(p <= x)) for x in (0.01, 0.05)}
        rows[way]["KS"] = float(stats.kstest(p, "uniform").pvalue)
    return pd.DataFrame(rows).T.astype({"discs": int})


def judge_repeatedly(
    clean: Image,
    denoise: Denoiser,
    true: Columns,
    *,
    draws: int,
    seed: int,
    tolerance: float = 16.0,
    **options: object,
) -> pd.DataFrame:
    """Count an image again and again, and compare every verdict with the truth.

    Draw `i` depends on (seed, i) alone; options are those of `judge_columns`. A row for
    each: columns ``invented``, how many of them are ``let pass``, ``true`` ones, their
    share ``supported``, and the share that their power lets one ``expect``.
    """
    check_whole("draws", draws)
    rows = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        noisy = poisson_noise(clean, rng=rng)
        judged = judge_columns(noisy, denoise, rng=rng, **options)
        matched = match_columns(judged.columns, true, tolerance=tolerance)
        false = np.isin(np.arange(len(judged.columns)), matched.spurious)
        rows.append(
            {
                "invented": int(false.sum()),
                "let pass": int(judged.supported[false].sum()),
                "true": int((~false).sum()),
                "supported": float(judged.supported[~false].sum()),
                "expect": float(judged.power[~false].sum()),
            }
        )
    table = pd.DataFrame(rows)
    for name in ("supported", "expect"):
        table[name] /= table["true"].clip(lower=1)
    return table
