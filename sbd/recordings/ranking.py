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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.recordings.areas import fill_gaps
from sbd.recordings.diagnosis import check_counts, to_counts
from sbd.recordings.recording import Recording
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_between, check_whole, check_word

_FEWEST = 3  # frames, whose differences tell an error


def rank_denoisers(
    recording: Recording | ArrayLike,
    denoisers: Mapping[str, Denoiser],
    *,
    rng: np.random.Generator,
    against: str | None = None,
    frames: str = "sum",
    splits: int = 4,
    share: float = 0.5,
    level: float = 0.95,
) -> pd.DataFrame:
    """Rank denoisers on a recording without a truth, with intervals.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        Counted electrons. Areas without dose are left out, and filled with counts like
        those around for the denoisers to see no edge (`fill_gaps`).
    denoisers : mapping of str to callable
        Two or more functions image -> image.
    rng : numpy.random.Generator
        Of the thinnings.
    against : str, optional
        Which denoiser the others are compared with. None takes the one that does best,
        chosen by the same counts: intervals of those close to it are then a little too
        high.
    frames : {"sum", "each"}, default "sum"
        What is ranked on a stack: the sum of its frames, or each frame alone, at its
        own dose; then the intervals are of the mean over frames, from how much they
        differ, and need three frames or more.
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
    check_word("frames", frames, ("sum", "each"))
    if against is not None:
        check_word("against", against, denoisers)
    stack, recorded = take_counts(recording)
    if frames == "each" and stack.frames < _FEWEST:
        msg = (
            f"recording must have {_FEWEST} frames or more to be ranked frame by "
            f"frame; got {stack.frames}"
        )
        raise ValueError(msg)
    whole = [stack.sum()] if frames == "sum" else list(stack.stack)
    trials = [
        Trial.of(image, recorded, denoisers, rng, splits, share) for image in whole
    ]
    table = _tabulate(trials, against, level)
    table.attrs["share"] = share
    return table


def take_counts(
    recording: Recording | ArrayLike,
) -> tuple[Recording, NDArray[np.bool_]]:
    """Give a recording's electrons and where there are any, or say why it has none."""
    report = check_counts(recording)
    if not report.counted:
        msg = (
            "recording must hold electrons that were counted one by one to be thinned; "
            f"got: {report.verdict}"
        )
        raise ValueError(msg)
    return to_counts(recording, report), report.recorded


@dataclass(frozen=True)
class Trial:
    """What denoisers made of parts of one image's electrons, and what the others tell.

    Parameters
    ----------
    estimates : list of dict of str to ndarray
        Of each part, by name, where there is dose [electrons per pixel].
    held : list of ndarray
        What was not denoised, scaled to the dose of the part.
    variance : ndarray
        Of the mean of what was held.
    """

    estimates: list[dict[str, NDArray]]
    held: list[NDArray]
    variance: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        image: Image,
        some: NDArray[np.bool_],
        denoisers: Mapping[str, Denoiser],
        rng: np.random.Generator,
        splits: int,
        share: float,
    ) -> "Trial":
        """Thin an image, and let everybody denoise."""
        counts = image.astype(np.int64)
        kept, estimates = [], []
        for _ in range(splits):
            part = rng.binomial(counts, share)
            kept.append(counts - part)
            thinned = fill_gaps(part.astype(np.float32), some, rng=rng)
            estimates.append({
                name: _estimate(f, thinned, name)[some]
                for name, f in denoisers.items()
            })  # fmt: skip
        scale = share / (1 - share)
        held = [scale * part[some] for part in kept]
        variance = scale * np.mean(held, axis=0)  # Poisson counts, times a number
        joint = max(1 - share, 2 * share * (1 - share))
        return cls(estimates, held, variance * (1 / splits + (1 - 1 / splits) * joint))

    def loss(self, name: str) -> float:
        """Give the mean squared difference to what was held, which noise dominates."""
        pairs = zip(self.estimates, self.held, strict=True)
        return float(np.mean([np.mean((one[name] - b) ** 2) for one, b in pairs]))

    def error(self, name: str, other: str) -> float:
        """Give the standard error of the difference of two losses."""
        apart = [one[name] - one[other] for one in self.estimates]
        squares = np.mean([np.vdot(h * self.variance, h) for h in apart])
        return float(2 * np.sqrt(squares) / self.held[0].size)


def _estimate(denoiser: Denoiser, noisy: Image, name: str) -> Image:
    """Denoise, and see that numbers come back: what is none has no rank."""
    image = apply_denoiser(denoiser, noisy, name)
    bad = np.count_nonzero(~np.isfinite(image))
    if bad:
        msg = f"{name!r} must return finite numbers; got {bad} that are none"
        raise ValueError(msg)
    return image


def _tabulate(
    trials: Sequence[Trial], against: str | None, level: float
) -> pd.DataFrame:
    """Compare all with one, by the counts of an image or by how much frames differ."""
    losses = {
        name: np.array([trial.loss(name) for trial in trials])
        for name in trials[0].estimates[0]
    }
    order = sorted(losses, key=lambda name: losses[name].mean())
    other = order[0] if against is None else against
    dose = float(np.mean([[part.mean() for part in trial.held] for trial in trials]))
    several = len(trials) > 1
    normal = stats.t(len(trials) - 1) if several else stats.norm
    width = normal.ppf(0.5 + level / 2)
    rows = {}
    for name in order:
        apart = losses[name] - losses[other]
        error = trials[0].error(name, other)
        if several:
            error = apart.std(ddof=1) / len(apart) ** 0.5
        low, high = apart.mean() + np.array([-width, width]) * error
        rows[name] = (apart.mean() / dose, low / dose, high / dose, bool(low > 0))
    table = pd.DataFrame(
        rows.values(),
        pd.Index(rows, name="denoiser"),
        ["worse by", "low", "high", "behind"],
    )
    table.attrs["dose"] = dose
    return table
