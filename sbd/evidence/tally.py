"""What many deals say of a column, put together.

In each deal Benjamini and Hochberg's rule selects columns at a part of the level, and
each selected one gets the e-value 1 / (their number x that level), in units in which
those of all that are false add up to at most 1 on average. So does their mean over the
deals, whatever these have in common and however columns of different deals are matched;
and the rule for e-values bounds the share of false ones among those with the most.
Sources: Ren, Barber, "Derandomised knockoffs: leveraging e-values for false discovery
rate control", J. R. Stat. Soc. B 86 (2024); Wang, Ramdas, "False discovery rate control
with e-values", J. R. Stat. Soc. B 84 (2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import spatial, special

from sbd.columns.finding import Columns
from sbd.evidence.laws import LEAST
from sbd.evidence.likelihood import supported_columns

_STRICT = 0.4  # of the level: that of each deal
_SURE = 0.9  # power at which a dose decides
_TRUE = 0.25, 4.0  # part of the claims that is there, at least and at most
_ENOUGH, _APART = 20, 0.5  # places, and their spread, that a line is drawn through
_FLAT = 1e-5  # beyond 1 less that, a p-value tells no score
_DOSES = np.geomspace(0.02, 500, 180)  # in doses of the recording, to be decided at
_ROUNDS, _EASE = 12, 100.0  # of bar and number selected; factor of the bar, at most
_NORMAL = 1.959964  # standard deviations, within which 95 % lie


@dataclass(frozen=True, eq=False)
class Claims:
    """The columns that one part claims, and what the others say of each."""

    positions: NDArray[np.float64]
    presence: NDArray[np.float64]  # p-values
    absence: NDArray[np.float64]
    excess: NDArray[np.float64]  # electrons claimed, at the dose of the whole
    amplitude: NDArray[np.float64]  # part of them that is there
    error: NDArray[np.float64]  # its standard deviation
    signal: NDArray[np.float64]  # expected standard score, no doubt about the null
    doubt: NDArray[np.float64]  # standard deviation of the null, as a part of the claim
    spread: NDArray[np.float64]  # standard deviation of the score with the column


def tally_claims(
    places: Columns,
    claims: Sequence[Claims],
    *,
    reach: float | None,
    level: float,
    share: float,
) -> dict[str, NDArray]:
    """Say of every place what `ColumnVerdicts` holds.

    Claims within `reach` [pixels] of a place are its own, or, if that is None, they are
    the places; `share` of the electrons test in each deal.
    """
    return _Tally(places, claims, reach, level).results(share)


@dataclass(frozen=True)
class _Bar:
    """What it takes to be selected: a p-value in a deal, in this share of the deals."""

    p: float
    share: float


class _Tally:
    """All claims of all deals, by place."""

    def __init__(
        self,
        places: Columns,
        claims: Sequence[Claims],
        reach: float | None,
        level: float,
    ) -> None:
        self.number, self.level, self.claims = len(places), level, claims
        self.where = [
            np.arange(self.number) if reach is None
            else _nearest(places, c.positions, reach)
            for c in claims
        ]  # fmt: skip

    def table(self, name: str, empty: float) -> NDArray[np.float64]:
        """One row a deal, one column a place; `empty` where nothing is claimed."""
        rows = np.full((len(self.claims), self.number), empty)
        for row, claim, where in zip(rows, self.claims, self.where, strict=True):
            row[where[where >= 0]] = getattr(claim, name)[where >= 0]
        return rows

    def select(self, name: str) -> tuple[NDArray[np.bool_], NDArray, "_Bar"]:
        """Select places by e-values; with their share of the deals, and the bar.

        In a deal Benjamini and Hochberg's rule at `_STRICT` of the level selects R of
        the claims; to each it gives the e-value 1 / (R x that level), in units in which
        those of all that are false add up to at most 1 on average. So does their mean
        over the deals, whatever the deals have in common, and the rule for e-values of
        Wang and Ramdas bounds the false discovery rate.
        """
        strict = _STRICT * self.level
        evidence, share = np.zeros(self.number), np.zeros(self.number)
        bars, counted = [], np.ones(len(self.claims))
        for k, (claim, where) in enumerate(zip(self.claims, self.where, strict=True)):
            p = getattr(claim, name)
            chosen = supported_columns(p, level=strict)
            counted[k] = number = max(int(chosen.sum()), 1)
            bars.append(strict * number / max(len(p), 1))
            mine = where[chosen & (where >= 0)]
            np.add.at(evidence, mine, 1 / (strict * number * len(self.claims)))
            np.add.at(share, mine, 1 / len(self.claims))
        ranked = np.sort(evidence)[::-1] * np.arange(1, self.number + 1)
        enough = np.flatnonzero(ranked >= 1 / self.level)
        if not len(enough):
            bar = _Bar(float(np.median(bars)), _STRICT)
            return np.zeros(self.number, bool), share, bar
        chosen = evidence >= 1 / (self.level * (enough[-1] + 1))
        # what so many deals give, if they select as many claims as these do
        least = strict / (self.level * (enough[-1] + 1) * np.mean(1 / counted))
        return chosen, share, _Bar(float(np.median(bars)), float(least))

    def results(self, share: float) -> dict[str, NDArray]:
        """Say of every place what `ColumnVerdicts` holds."""
        supported, selected, bar = self.select("presence")
        ruled_out, _, _ = self.select("absence")
        claimed = np.isfinite(self.table("presence", np.nan))
        some = claimed.sum(0).clip(1)

        def mean(values: NDArray) -> NDArray[np.float64]:
            return np.where(claimed, values, 0).sum(0) / some

        excess, amplitude = self.table("excess", 0.0), self.table("amplitude", 0.0)
        electrons = mean(excess * amplitude)
        # of a mean over all deals the variance is at most this part of one deal's
        noise = mean((excess * self.table("error", 0.0)) ** 2) * share
        doubt = np.abs(mean(excess * self.table("doubt", 0.0)))
        width = _NORMAL * np.sqrt(noise + doubt**2)
        power, dose = self._power(bar, share)
        return {
            "supported": supported,
            "ruled_out": ruled_out & ~supported,
            "p_values": np.minimum(2 * np.median(self.table("presence", 1.0), 0), 1),
            "absence": np.minimum(2 * np.median(self.table("absence", 1.0), 0), 1),
            "selected": selected,
            "electrons": electrons,
            "interval": np.stack([electrons - width, electrons + width], 1),
            "power": power,
            "dose": dose,
        }

    def _power(
        self, bar: _Bar, share: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probability that enough deals select a column, and the dose for 0.9."""
        # Counts make the mean score of all deals vary with the variance `share`. About
        # that mean the deals vary, and so many of them have to be beyond the bar. The
        # score grows with the root of the dose until the doubt outweighs the noise.
        claimed = np.isfinite(self.table("presence", np.nan))
        some = claimed.sum(0).clip(1)
        signal, doubt, spread = (
            self.table(name, 0.0).sum(0) / some
            for name in ("signal", "doubt", "spread")
        )
        signal = self._expect(signal)
        width, vary = np.sqrt(share) * spread, self._vary(share)
        least = np.ceil(bar.share * len(self.claims) - 1e-9)
        rank = ((least - 3 / 8) / (some + 1 / 4)).clip(1e-3, 1 - 1e-3)
        asked, lag = vary * special.ndtri(rank), self._lag(bar)

        def score(
            dose: float, p: float, asked: NDArray | float, vary: float
        ) -> NDArray[np.float64]:
            """Return the normal score of the probability to be beyond a bar."""
            strong = signal * np.sqrt(dose)
            high = np.maximum(-special.ndtri(p) + lag + asked, 0.1)
            limit = high * np.sqrt(1 + (strong * doubt) ** 2)
            wide = np.hypot(width, vary)
            beyond = (strong - limit) / np.where(wide > 0, wide, 1.0)
            return np.where(signal > 0, beyond, -99.0)

        def count(dose: float, p: float) -> float:
            return float(special.ndtr(score(dose, p, 0.0, vary)).sum())

        now, scores = count(1.0, bar.p), []
        for dose in _DOSES:
            # where more columns are selected, the bar is lower for each of them
            p = bar.p
            for _ in range(_ROUNDS if now else 0):
                ease = count(dose, p) / now
                p = float(np.clip(bar.p * ease, bar.p / _EASE, bar.p * _EASE))
            scores.append(score(dose, p, asked, 0.0))
        power = special.ndtr(score(1.0, bar.p, asked, 0.0))
        return power, _crossing(np.array(scores))

    def _lag(self, bar: _Bar) -> float:
        """Return how far the bar is beyond the normal score of its p-value."""
        # few electrons: the law without the column is skew, and has steps
        scores = -special.ndtri(self.table("presence", 1.0).clip(LEAST, 1.0))
        signal, doubt = self.table("signal", 0.0), self.table("doubt", 0.0)
        plain = signal * self.table("amplitude", 0.0) / np.hypot(1, signal * doubt)
        near = np.abs(scores + special.ndtri(bar.p)) < 1
        if np.count_nonzero(near) < _ENOUGH:
            return 0.0
        return float((plain - scores)[near].mean())

    def _vary(self, share: float) -> float:
        """Return by how much a column's scores vary about their mean."""
        p_values = self.table("presence", np.nan)
        clear = (p_values > 10 * LEAST) & (p_values < 1 - _FLAT)
        inside = p_values[:, clear.all(0)]
        if inside.shape[1] < _ENOUGH or len(inside) < 2:
            return float(np.sqrt(1 - share))
        scores = -special.ndtri(inside)
        return float(np.sqrt(scores.var(0, ddof=1).mean()))

    def _expect(self, claimed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn the claimed signals of all places into those to be expected."""
        # A denoiser may make all columns too weak, or weak ones weaker: what the counts
        # hold of the claims, as a straight line through all places.
        number = np.isfinite(self.table("presence", np.nan)).sum(0)
        found = self.table("signal", 0.0) * self.table("amplitude", 0.0)
        found = found.sum(0) / number.clip(1)
        some = (number >= len(self.claims) / 2) & (claimed > 0)
        if np.count_nonzero(some) < _ENOUGH or np.ptp(claimed[some]) < _APART:
            square = (claimed[some] ** 2).sum()
            ratio = (claimed[some] * found[some]).sum() / square if square else 1.0
            return np.clip(ratio, *_TRUE) * claimed
        slope, start = np.polyfit(claimed[some], found[some], 1)
        return np.where(claimed > 0, (start + slope * claimed).clip(0), 0.0)


def _crossing(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate the dose at which scores (doses, places) come to be sure."""
    sure, logs = special.ndtri(_SURE), np.log(_DOSES)
    rising = np.maximum.accumulate(scores, axis=0).T
    return np.exp([np.interp(sure, one, logs, right=np.inf) for one in rising])


def _nearest(
    places: Columns, positions: NDArray[np.float64], reach: float
) -> NDArray[np.intp]:
    """Index of the place nearest to each position within reach, or -1."""
    if not len(places) or not len(positions):
        return np.full(len(positions), -1)
    distance, index = spatial.KDTree(places.positions).query(positions)
    return np.where(distance <= reach, index, -1)
