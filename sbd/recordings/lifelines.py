"""The life of each column through a movie: when the counts support it.

A window of frames is asked for a column that the other frames claim: these are
denoised, and tell the image with the column and without it, and where it is. The
window's own electrons have no part in what they are asked, so its p-values hold for any
denoiser that has not learnt from this movie. That is so for each window; but the claims
of one window hold the electrons of another, so that p-values depend on one another,
and not only positively: electrons too many in a window make its own p-value small and,
as they raise what the others take for the image without the column, theirs large.
Benjamini and Hochberg's rule is proved for positive dependence alone, so that of
Benjamini and Yekutieli is used, over all columns and windows. Source: Benjamini,
Yekutieli, "The control of the false discovery rate in multiple testing under
dependency", Ann. Stat. 29 (2001).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import spatial, stats

from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns, check_columns, find_columns
from sbd.evidence.erasure import check_pixel
from sbd.evidence.judgement import ask_counts
from sbd.evidence.likelihood import supported_columns
from sbd.evidence.tally import Claims
from sbd.evidence.verdicts import VERDICTS, ColumnVerdicts
from sbd.networks.eraser import REACH, Eraser
from sbd.recordings.diagnosis import (
    CountsReport,
    check_counts,
    kept_frames,
    refuse_uncounted,
)
from sbd.recordings.movies import running_sums, sum_frames
from sbd.recordings.recording import Recording, as_recording
from sbd.simulation.frame import PIXEL
from sbd.typing import Denoiser
from sbd.validation import apply_denoiser, check_between, check_positive, check_whole


@dataclass(frozen=True, eq=False)
class LifeLines:
    """What each window of a movie says of each column.

    Parameters
    ----------
    columns : Columns
        The n columns.
    first : ndarray of int of shape (t,)
        First frame of each window.
    frames : int
        How many a window has.
    supported, ruled_out : ndarray of bool of shape (n, t)
        Whether the counts of the window rule out the image without the column; whether
        they rule out half of what the other frames claim.
    presence, absence : ndarray of shape (n, t)
        The p-values of both; 1 where the other frames claim no such column.
    change : ndarray of shape (n, t)
        The p-value of its disc having as large a part of the window's electrons as of
        the other frames': no denoiser has a part in it.
    electrons : ndarray of shape (n, t)
        What the disc counts more than without the column; NaN where none is claimed.
    elsewhere : int
        Columns and windows that were supported at places of none of the columns.

    Examples
    --------
    >>> one = Columns(np.array([[4.0, 4.0]]), np.array([3.0]), np.array([0.2]))
    >>> yes, few = np.array([[True, False]]), np.array([[0.01, 0.5]])
    >>> lives = LifeLines(one, np.array([0, 9]), 9, yes, ~yes, few, few, few, few, 0)
    >>> lives.states.tolist()
    [['supported', 'ruled out']]
    """

    columns: Columns
    first: NDArray[np.int_]
    frames: int
    supported: NDArray[np.bool_]
    ruled_out: NDArray[np.bool_]
    presence: NDArray[np.float64]
    absence: NDArray[np.float64]
    change: NDArray[np.float64]
    electrons: NDArray[np.float64]
    elsewhere: int

    @property
    def states(self) -> NDArray[np.str_]:
        """One of `sbd.evidence.VERDICTS` for each column and window."""
        return np.select([self.supported, self.ruled_out], VERDICTS[:2], VERDICTS[2])


def follow_columns(
    recording: Recording | ArrayLike,
    columns: Columns | ColumnVerdicts,
    denoise: Denoiser,
    *,
    frames: int,
    report: CountsReport | None = None,
    shifts: ArrayLike | None = None,
    level: float = 0.05,
    known: bool = False,
    vacuum: float | None = None,
    pixel: float = PIXEL,
    eraser: Eraser | str | Path | None = None,
    **finding: object,
) -> LifeLines:
    """Tell when, in a movie, the counts support each column.

    Of all that is supported, columns times windows, at most the share `level` is not
    there, on average; likewise of all that is ruled out. Columns must stand still: what
    drifts out of its disc looks as if it had vanished, so hand over the `shifts`, and
    find the columns in the sum with the same shifts. A column that is there in less
    than half of the other frames is claimed more weakly than it is; one that they do
    not claim is undecided.

    Parameters
    ----------
    recording : Recording or ndarray of shape (frames, height, width)
        Electrons, counted one by one.
    columns : Columns or ColumnVerdicts
        Those to be followed, such as `find_columns` or `judge_columns` give for the
        sum of the frames.
    denoise : callable
        Image to image; sees all frames but those of a window.
    frames : int
        How many a window has; windows have none in common. Those left over at the end
        are not asked.
    report : CountsReport, optional
        What `check_counts` found; None asks it.
    shifts : array_like of shape (frames, 2), optional
        Where the specimen is in each frame, as for `sum_frames` [pixels].
    level : float, default 0.05
        False discovery rate.
    known : bool, default False
        Whether the columns are known from elsewhere than this recording: then each is
        tested in its place. Else a window tests those that the other frames claim,
        within 0.75 angstrom of one, as columns that were found with the window's own
        electrons would have these twice.
    vacuum : float, optional
        Test against vacuum of that mean count in the sum of all frames, instead of
        against the image without the column [electrons per pixel].
    pixel : float, default 0.0622
        Side of a pixel [angstrom].
    eraser : Eraser, str or pathlib.Path, optional
        As for `sbd.evidence.erase_columns`.
    **finding
        Options of `find_columns`.

    Returns
    -------
    LifeLines
        A state for each column and window, with p-values.

    Raises
    ------
    ValueError
        If values are no independent counts of electrons, there are less than two
        windows, or an option is out of its range.

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(0.45, (8, 64, 64))
    >>> one = Columns(np.array([[32.0, 32.0]]), np.array([6.0]), np.array([0.2]))
    >>> flat = lambda y: np.full(y.shape, y.mean())
    >>> follow_columns(movie, one, flat, frames=4).states.tolist()
    [['undecided', 'undecided']]
    """
    recording = as_recording(recording)
    places = columns.columns if isinstance(columns, ColumnVerdicts) else columns
    check_columns(places)
    check_between(level, "level")
    check_pixel(pixel)
    check_whole("frames", frames)
    if vacuum is not None:
        check_positive(vacuum=vacuum)
    kept = np.flatnonzero(kept_frames(recording))
    if len(kept) < 2 * frames or recording.values.ndim != 3:
        msg = (
            f"frames must leave at least two windows; got {frames} of the "
            f"{len(kept)} frames"
        )
        raise ValueError(msg)
    report = check_counts(recording) if report is None else report
    refuse_uncounted(report)
    whole = sum_frames(recording, report, shifts=shifts).values
    null = {"pixel": pixel, "eraser": eraser, "vacuum": vacuum}
    found, change = [], []
    for window in running_sums(recording, frames, report=report, shifts=shifts):
        counts = window.values.astype(np.int64)
        rest, share = whole - counts, float(counts.sum() / whole.sum())
        estimate = apply_denoiser(denoise, rest.astype(np.float32)) / (1 - share)
        estimate = np.asarray(estimate, np.float64)
        mine = places if known else find_columns(estimate, **finding)
        claims = ask_counts(counts, estimate, mine, share, cap=None, **null)
        reach = None if known else REACH / pixel
        found.append((claims, _own(places, mine, reach), share))
        change.append(_tell_change(counts, rest, places, share))
    first = kept[frames * np.arange(len(found))]
    return LifeLines(
        places, first, frames, change=np.stack(change, 1), **_tell(found, places, level)
    )


def _own(places: Columns, mine: Columns, reach: float | None) -> NDArray[np.intp]:
    """Tell which claim is each place's own, the nearest within reach, or -1."""
    if reach is None:
        return np.arange(len(places))
    own = np.full(len(places), -1)
    if not len(mine) or not len(places):
        return own
    distance, index = spatial.KDTree(mine.positions).query(places.positions)
    for place in np.argsort(-distance):  # the nearer has the last word on a claim
        if distance[place] <= reach:
            own[own == index[place]] = -1
            own[place] = index[place]
    return own


def _tell(
    found: list[tuple[Claims, NDArray[np.intp], float]], places: Columns, level: float
) -> dict[str, object]:
    """Select among the claims of all windows, and say what is each place's own."""
    shape = len(places), len(found)
    told = {}
    elsewhere = 0
    for name, selected in (("presence", "supported"), ("absence", "ruled_out")):
        p_values = np.concatenate([getattr(claims, name) for claims, *_ in found])
        strict = level / max(1.0, float((1 / np.arange(1, len(p_values) + 1)).sum()))
        chosen = supported_columns(p_values, level=strict)
        told[name], told[selected] = np.ones(shape), np.zeros(shape, bool)
        first = 0
        for number, (claims, own, _) in enumerate(found):
            mine = own >= 0
            last = first + len(getattr(claims, name))
            told[name][mine, number] = p_values[first:last][own[mine]]
            told[selected][mine, number] = chosen[first:last][own[mine]]
            first = last
        if name == "presence":
            elsewhere = int(chosen.sum() - told[selected].sum())
    told["ruled_out"] &= ~told["supported"]
    electrons = np.full(shape, np.nan)
    for number, (claims, own, share) in enumerate(found):
        mine = own >= 0
        excess = share * claims.excess * claims.amplitude
        electrons[mine, number] = excess[own[mine]]
    return {**told, "electrons": electrons, "elsewhere": elsewhere}


def _tell_change(
    counts: NDArray[np.int64], rest: NDArray, places: Columns, share: float
) -> NDArray[np.float64]:
    """Test whether discs have their part of the electrons, given all that they have."""
    which, pixels = disc_pixels(places, counts.shape)
    here, there = (
        np.bincount(which, values[pixels], len(places)).astype(np.int64)
        for values in (counts, rest)
    )
    both = here + there
    low = stats.binom.cdf(here, both, share)
    high = stats.binom.sf(here - 1, both, share)
    return np.minimum(2 * np.minimum(low, high), 1.0)
