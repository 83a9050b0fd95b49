r"""Rank denoisers on a recording whose truth nobody knows.

Counts are thinned: each electron goes to the part :math:`A` that is denoised with
probability :math:`s`, or to :math:`B`. The parts are independent Poisson counts, so
that for two denoisers :math:`f, g` and :math:`B' = B s / (1 - s)`

.. math:: D = \sum_i (f_i(A) - B'_i)^2 - (g_i(A) - B'_i)^2

has the expectation, given :math:`A`, of the true difference of their squared errors
at the dose of :math:`A`; what is common to both, the noise of :math:`B`, drops out.
Its variance, given :math:`A`, is that of :math:`2 \sum_i (f_i - g_i) B'_i`, which the
counts of :math:`B` tell. An absolute error cannot be had in this way: it drowns in the
noise of :math:`B`.

Thinnings of the same counts share electrons. Two parts :math:`B` are correlated by
:math:`1 - s`, and where the estimates differ by their own noise, which an electron of
another part :math:`B` may have made, the products are by :math:`2 s (1 - s)`; the
larger one tells how little the mean over several is surer than a single one.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.recordings.diagnosis import check_counts, to_counts
from sbd.recordings.recording import Recording
from sbd.typing import Denoiser
from sbd.validation import apply_denoiser, check_between, check_whole, check_word


def rank_denoisers(
    recording: Recording | ArrayLike,
    denoisers: Mapping[str, Denoiser],
    *,
    rng: np.random.Generator,
    against: str | None = None,
    splits: int = 4,
    share: float = 0.5,
    level: float = 0.95,
) -> pd.DataFrame:
    """Rank denoisers on a recording without a truth, with intervals.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        Counted electrons; frames are added up. Areas without dose are left out.
    denoisers : mapping of str to callable
        Two or more functions image -> image.
    rng : numpy.random.Generator
        Of the thinnings.
    against : str, optional
        Which denoiser the others are compared with. None takes the one that does best,
        chosen by the same counts: intervals of those close to it are then a little too
        high.
    splits : int, default 4
        How often the electrons are thinned. More narrow the intervals a little.
    share : float, default 0.5
        Of the electrons that are denoised. The ranking is that at this share of the
        dose, so a larger one is nearer to the recording's, with wider intervals.
    level : float, default 0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each denoiser, the best first. ``worse by`` is its mean squared error
        less that of the one it is compared with, at the dose of the denoised part,
        relative to the variance of that part's noise; ``low`` and ``high`` its
        interval; ``behind`` whether all of that is above 0. ``attrs["dose"]`` is the
        dose of the denoised part [electrons per pixel].

    Raises
    ------
    ValueError
        If the recording holds no counted electrons, there are fewer than two denoisers
        or one returns another shape, or a number is out of range.

    Examples
    --------
    >>> from sbd import denoise_constant, denoise_gaussian
    >>> wave = 2 + np.cos(np.arange(64) / 5) * np.ones((64, 1))
    >>> rng = np.random.default_rng(0)
    >>> both = {"mean": denoise_constant, "blur": denoise_gaussian}
    >>> rank_denoisers(rng.poisson(wave), both, rng=rng).index.tolist()
    ['blur', 'mean']
    """
    check_whole("splits", splits)
    check_between(share, "share")
    check_between(level, "level")
    if len(denoisers) < 2:
        msg = f"denoisers must be two or more to rank them; got {len(denoisers)}"
        raise ValueError(msg)
    if against is not None:
        check_word("against", against, denoisers)
    report = check_counts(recording)
    if not report.counted:
        msg = (
            "recording must hold electrons that were counted one by one to be thinned; "
            f"got: {report.verdict}"
        )
        raise ValueError(msg)
    counts = to_counts(recording, report).sum().astype(np.int64)
    some = report.recorded
    kept, estimates = [], []
    for _ in range(splits):
        part = rng.binomial(counts, share)
        kept.append(counts - part)
        image = part.astype(np.float32)
        estimates.append(
            {
                name: apply_denoiser(f, image, name)[some]
                for name, f in denoisers.items()
            }
        )
    scale = share / (1 - share)
    held = [scale * part[some] for part in kept]
    variance = scale * np.mean(held, axis=0)  # Poisson counts, times a number
    joint = max(1 - share, 2 * share * (1 - share))
    variance *= 1 / splits + (1 - 1 / splits) * joint
    table = _tabulate(estimates, held, variance, against, level)
    table.attrs["share"] = share
    return table


def _tabulate(
    estimates: list[dict[str, NDArray]],
    held: list[NDArray],
    variance: NDArray[np.float64],
    against: str | None,
    level: float,
) -> pd.DataFrame:
    """Compare all with one."""
    names = list(estimates[0])
    pairs = list(zip(estimates, held, strict=True))
    losses = {
        name: float(np.mean([np.mean((one[name] - b) ** 2) for one, b in pairs]))
        for name in names
    }
    order = sorted(names, key=losses.get)
    dose = float(np.mean([b.mean() for b in held]))
    number = held[0].size
    width = stats.norm.ppf(0.5 + level / 2)
    rows = {}
    other = order[0] if against is None else against
    for name in order:
        apart = [one[name] - one[other] for one in estimates]
        squares = np.mean([np.vdot(h * variance, h) for h in apart])
        error = 2 * np.sqrt(squares) / number
        worse = losses[name] - losses[other]
        low, high = worse - width * error, worse + width * error
        rows[name] = {
            "worse by": worse / dose,
            "low": low / dose,
            "high": high / dose,
            "behind": bool(low > 0),
        }
    table = pd.DataFrame(rows).T.rename_axis("denoiser")
    table = table.astype(
        {"worse by": float, "low": float, "high": float, "behind": bool}
    )
    table.attrs["dose"] = dose
    return table
