"""Verdicts on columns, as arrays, as a table and in words."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbd.columns.finding import Columns
from sbd.typing import Image

VERDICTS = ("supported", "ruled out", "undecided")
"""What can be said of a column."""

WEAK = 0.5
"""A column is ruled out if the counts exclude this part of what is claimed."""


@dataclass(frozen=True, eq=False)
class ColumnVerdicts:
    """What a recording says of the columns that a denoiser claims in it.

    Parameters
    ----------
    columns : Columns
        The n columns.
    supported : ndarray of bool of shape (n,)
        Of which the counts rule out the image without them.
    ruled_out : ndarray of bool of shape (n,)
        Of which they rule out half of what is claimed.
    p_values : ndarray of shape (n,)
        That the counts, or such that speak more for the column, come without it: twice
        the median over the deals. Verdicts come from all deals, not from this number.
    absence : ndarray of shape (n,)
        The same for half of the column and counts that speak against it.
    selected : ndarray of shape (n,)
        Share of the deals that select the column.
    electrons : ndarray of shape (n,)
        What its disc counts more than without it.
    interval : ndarray of shape (n, 2)
        Where that lies with a probability of 95 % [electrons].
    power : ndarray of shape (n,)
        Probability of support, if it is there.
    dose : ndarray of shape (n,)
        At which that would be 0.9 [times the recorded dose]; infinite if at none.
    denoised : ndarray of shape (height, width)
        From all electrons [electrons per pixel].
    judged : ndarray of bool of shape (height, width)
        Where the recording has dose.
    settings : dict of str to object
        How it was judged.

    Examples
    --------
    >>> one = Columns(np.array([[4.0, 4.0]]), np.array([3.0]), np.array([0.2]))
    >>> yes, few, flat = np.array([True]), np.array([0.01]), np.ones((9, 9))
    >>> ColumnVerdicts(one, yes, ~yes, few, 1 - few, 1 - few, few, np.ones((1, 2)),
    ...                few, few, flat, flat > 0).verdicts.tolist()
    ['supported']
    """

    columns: Columns
    supported: NDArray[np.bool_]
    ruled_out: NDArray[np.bool_]
    p_values: NDArray[np.float64]
    absence: NDArray[np.float64]
    selected: NDArray[np.float64]
    electrons: NDArray[np.float64]
    interval: NDArray[np.float64]
    power: NDArray[np.float64]
    dose: NDArray[np.float64]
    denoised: Image
    judged: NDArray[np.bool_]
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def verdicts(self) -> NDArray[np.str_]:
        """One of `VERDICTS` for each column."""
        return np.select([self.supported, self.ruled_out], VERDICTS[:2], VERDICTS[2])


def tabulate_verdicts(verdicts: ColumnVerdicts) -> pd.DataFrame:
    """List what a recording says of each column.

    Parameters
    ----------
    verdicts : ColumnVerdicts
        From `judge_columns`.

    Returns
    -------
    pandas.DataFrame
        A row for each column, with ``row [pixels]``, ``column [pixels]`` and ``radius
        [pixels]``; the ``verdict``, one of "supported", "ruled out", "undecided"; the
        ``excess [electrons]`` in its disc over what would be there without it, and
        ``excess low [electrons]`` to ``excess high [electrons]``, in which it lies with
        95 %; ``p if absent``, the p-value against the image without the column (or
        vacuum), and ``p if present``, that against half of the claim: twice the median
        over the deals; the ``share of deals`` that selected the column; the ``power``,
        the probability of support if it is there as claimed; and ``dose to decide``,
        the dose at which that is 0.9: once in ``[electrons per pixel]``, averaged over
        the image, once in ``[times recorded]``. It is infinite where none suffices.

    Examples
    --------
    >>> from sbd.evidence.judgement import judge_columns
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> blur = lambda y: np.full(y.shape, y.mean())
    >>> place = Columns(np.array([[32.0, 32.0]]), np.array([6.0]), np.array([0.2]))
    >>> verdicts = judge_columns(
    ...     counts, blur, rng=np.random.default_rng(0), columns=place, vacuum="auto"
    ... )
    >>> tabulate_verdicts(verdicts)["verdict"].tolist()
    ['undecided']
    """
    rows, across = verdicts.columns.positions.T
    low, high = verdicts.interval.T
    return pd.DataFrame(
        {
            "row [pixels]": rows,
            "column [pixels]": across,
            "radius [pixels]": verdicts.columns.radii,
            "verdict": verdicts.verdicts,
            "excess [electrons]": verdicts.electrons,
            "excess low [electrons]": low,
            "excess high [electrons]": high,
            "p if absent": verdicts.p_values,
            "p if present": verdicts.absence,
            "share of deals": verdicts.selected,
            "power": verdicts.power,
            "dose to decide [electrons per pixel]": verdicts.dose * mean_dose(verdicts),
            "dose to decide [times recorded]": verdicts.dose,
        }
    )


def mean_dose(verdicts: ColumnVerdicts) -> float:
    """Return the mean count of what was judged [electrons per pixel]."""
    return float(verdicts.denoised[verdicts.judged].mean())


def explain_verdicts(verdicts: ColumnVerdicts) -> dict[str, str]:
    """Say in words what each of `VERDICTS` means for this recording."""
    settings = verdicts.settings
    null = settings.get("tested against", "the image without the column")
    rate = f"false discovery rate at most {100 * settings.get('level', 0.05):.3g} %"
    return {
        "supported": f"the counts rule out {null} ({rate})",
        "ruled out": f"the counts rule out even {100 * WEAK:g} % of what is claimed "
        f"({rate})",
        "undecided": "the counts allow both: too few electrons to tell",
    }
