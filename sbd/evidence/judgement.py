"""Which columns of a recording to believe: supported, ruled out, or undecided.

The electrons are dealt out to a few parts. A denoiser sees one part and claims columns;
the others are asked for them. Each part takes its turn, and all is repeated with other
parts, so that no verdict hangs on one deal (`sbd.evidence.tally`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import spatial
from tqdm import tqdm

from sbd.columns.discs import vacuum_region
from sbd.columns.finding import Columns, check_columns, find_columns
from sbd.evidence.counts import check_independence, dose_mask, whole_counts
from sbd.evidence.erasure import check_pixel, erase_columns
from sbd.evidence.laws import ScoreLaws
from sbd.evidence.tally import Claims, tally_claims
from sbd.evidence.verdicts import WEAK, ColumnVerdicts
from sbd.networks.eraser import REACH, Eraser
from sbd.simulation.frame import PIXEL
from sbd.typing import Denoiser, Image
from sbd.validation import (
    apply_denoiser,
    check_between,
    check_positive,
    check_whole,
)

_OFF = 0.02  # of the vacuum, by which a stated one may be off


def judge_columns(
    noisy: ArrayLike,
    denoise: Denoiser,
    *,
    rng: np.random.Generator,
    parts: int = 4,
    deals: int = 20,
    level: float = 0.05,
    vacuum: float | Literal["auto"] | None = None,
    pixel: float = PIXEL,
    eraser: Eraser | str | Path | None = None,
    columns: Columns | None = None,
    workers: int = 1,
    progress: bool = False,
    **finding: object,
) -> ColumnVerdicts:
    """Tell which columns of a recording to believe.

    A column is *supported* if the counts rule out the image without it, *ruled out* if
    they rule out half of what is claimed, and *undecided* otherwise. Of those that are
    supported, at most the share `level` is not there, on average; of those that are
    ruled out, at most that share is. The image is the family: of a crop that holds
    fewer columns, others may be supported. To be supported means that there is more
    than the image without the column, within 0.75 angstrom of the place. The default
    network knows the speckles of carbon films of up to 12 nm; where they look like
    columns most stays undecided. Where a tilt smears columns into rows, a dot between
    two of them may be supported: the row is there.

    Parameters
    ----------
    noisy : array_like of shape (height, width) or (frames, height, width)
        Whole counts [electrons per pixel], of each frame if there are several. If these
        are no fewer than `parts`, whole frames are dealt out, else single electrons.
    denoise : callable
        Image to image; sees one part of the electrons at a time, and all of them for
        the picture. One that has learnt from this recording has seen the others too.
    rng : numpy.random.Generator
        Of the deals. With the default number of them verdicts hardly depend on it.
    parts : int, default 4
        Into which the electrons are dealt; one is denoised, the others test.
    deals : int, default 20
        Times that they are dealt; each part is denoised once in each.
    level : float, default 0.05
        False discovery rate.
    vacuum : float or "auto", optional
        Test against vacuum of that mean count [electrons per pixel], or as the image
        has it, instead of against the image without the column. In that, on other
        material, a fringe passes for a column.
    pixel : float, default 0.0622
        Side of a pixel [angstrom].
    eraser : Eraser, str or pathlib.Path, optional
        What tells the image without a column, as for `erase_columns`.
    columns : Columns, optional
        To be judged in every deal; by default each part's own.
    workers : int, default 1
        Parts that are judged at a time, in threads of their own, which `denoise` has to
        bear. Verdicts do not depend on it.
    progress : bool, default False
        Whether to show a bar.
    **finding
        Options of `find_columns`.

    Returns
    -------
    ColumnVerdicts
        For the columns of the whole recording, or those given.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers, or `rng` is no generator.
    ValueError
        If `noisy` is no image of independent electron counts (units, a common divisor,
        clipping, hot pixels, correlated neighbours: the message tells which, and the
        way out), if `vacuum` is not what the image has, or an option is out of its
        range.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> blur = lambda y: np.full(y.shape, y.mean())
    >>> len(judge_columns(counts, blur, rng=np.random.default_rng(0)).columns)
    0
    """
    if not isinstance(rng, np.random.Generator):
        msg = f"rng must be a numpy.random.Generator; got {rng!r}"
        raise TypeError(msg)
    check_whole("parts", parts, least=2)
    check_whole("deals", deals)
    check_whole("workers", workers)
    check_between(level, "level")
    check_pixel(pixel)
    frames = _frames(noisy)
    whole = frames.sum(0)
    judged = dose_mask(whole)
    frames = _fill(frames, judged, rng)
    whole = frames.sum(0)
    denoised = np.asarray(apply_denoiser(denoise, whole.astype(np.float32)), float)
    check_independence(whole, denoised, judged)
    places = find_columns(denoised, **finding) if columns is None else columns
    check_columns(places)
    places = places[_inside(places, judged, REACH / pixel)]
    if vacuum is not None:
        vacuum = _check_vacuum(whole, judged, places, vacuum)
    null = {"pixel": pixel, "eraser": eraser, "vacuum": vacuum}
    cap = None
    if columns is not None:
        discs, empty = _null(denoised, places, 1.0, **null)
        cap = ScoreLaws(denoised, discs, **empty).excess

    def ask(one: tuple[Image, float]) -> Claims:
        part, share = one
        estimate = np.asarray(apply_denoiser(denoise, part), np.float64) / share
        mine = find_columns(estimate, **finding) if columns is None else places
        mine = mine[_inside(mine, judged, REACH / pixel)]
        rest = whole - np.rint(part).astype(np.int64)
        return ask_counts(rest, estimate, mine, 1 - share, cap=cap, **null)

    dealt = _deal(frames, parts, deals, rng)
    bar = {"total": parts * deals, "unit": "part", "disable": not progress}
    claims = list(tqdm(_each(ask, dealt, workers), **bar))
    settings = {
        "level": level, "parts": parts, "deals": deals, "pixel [angstrom]": pixel,
        "tested against": "the image without the column" if vacuum is None
        else f"vacuum of {vacuum:.6g} electrons per pixel",
        "frames": len(frames), "sbd": version("sbd"),
    }  # fmt: skip
    reach = REACH / pixel if columns is None else None
    how = {"reach": reach, "level": level, "share": 1 - 1 / parts}
    return ColumnVerdicts(
        columns=places, denoised=denoised, judged=judged, settings=settings,
        **tally_claims(places, claims, **how),
    )  # fmt: skip


def _null(
    estimate: Image,
    columns: Columns,
    share: float,
    *,
    pixel: float,
    eraser: Eraser | str | Path | None,
    vacuum: float | None,
) -> tuple[Columns, dict[str, object]]:
    """Return the discs, and what `share` of the electrons shows without columns."""
    if vacuum is not None:
        return columns, {"vacuum": share * vacuum}
    erased = erase_columns(estimate, columns, pixel=pixel, eraser=eraser).scaled(share)
    return erased.columns, {"vacuum": share, "erased": erased}


def ask_counts(
    rest: NDArray[np.int64],
    estimate: Image,
    columns: Columns,
    share: float,
    *,
    cap: NDArray[np.float64] | None,
    **null: object,
) -> Claims:
    """Test the claims of one part on the other electrons, `share` of all.

    `cap` is what all electrons claim, of which at most half is tested for absence;
    `null` are `pixel`, `eraser` and `vacuum`, as for `judge_columns`.
    """
    discs, empty = _null(estimate, columns, share, **null)
    here = ScoreLaws(share * estimate, discs, **empty)
    excess, weak = here.excess / share, np.full(len(columns), WEAK)
    if cap is not None:
        weak = WEAK * (cap / np.where(excess == 0, np.inf, excess)).clip(0.02, 1.0)
    half = ScoreLaws(share * estimate, discs, occupancy=weak, **empty)
    # what is darker than without it is no bright column
    wrong = columns.polarity * excess <= 0
    amplitude, error = here.amplitudes(rest)
    deviation = np.sqrt(here.variances[0].clip(1e-30))
    silent = here.silent | wrong
    gap = np.where(silent, 0.0, (here.means[1] - here.means[0]).clip(0))
    return Claims(
        columns.positions,
        np.where(wrong, 1.0, here.presence(rest)),
        np.where(wrong, 1.0, half.absence(rest)),
        excess, amplitude, error, gap / deviation,
        here.blur / np.where(gap > 0, gap, np.inf),
        np.sqrt(here.variances[1]) / deviation,
    )  # fmt: skip


def _frames(noisy: ArrayLike) -> NDArray[np.int64]:
    """Return counts as (frames, height, width), each frame checked."""
    if np.ma.is_masked(noisy):
        masked = np.ma.count_masked(noisy)
        msg = (
            f"noisy must not be masked; got {masked} masked pixels (put Poisson counts "
            "of the mean of those around into single pixels; set areas of 4 x 4 pixels "
            "or more that lack 150 electrons or more to 0, and they are not judged)"
        )
        raise ValueError(msg)
    array = np.asarray(noisy)
    if array.ndim == 3 and len(array):
        frames = np.stack([whole_counts(frame) for frame in array])
        dark = np.flatnonzero(frames.sum((1, 2)) == 0)
        if len(dark):
            msg = (
                f"noisy must hold electrons in every frame; got none in frame {dark[0]}"
                f" of {len(frames)} (leave it out)"
            )
            raise ValueError(msg)
        whole_counts(frames.sum(0))
        return frames
    if array.ndim != 2:
        msg = (
            "noisy must be (height, width), or (frames, height, width); got shape "
            f"{array.shape}"
        )
        raise ValueError(msg)
    return whole_counts(array)[None]


def _fill(
    frames: NDArray[np.int64], judged: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Put electrons where the recording has no dose, as many as elsewhere."""
    # a step to zero would be the strongest feature of the image
    if judged.all():
        return frames
    frames = frames.copy()
    for frame in frames:
        frame[~judged] = rng.poisson(frame[judged].mean(), np.count_nonzero(~judged))
    return frames


def _deal(
    frames: NDArray[np.int64], parts: int, deals: int, rng: np.random.Generator
) -> Iterator[tuple[Image, float]]:
    """Deal out electrons, or frames, and give each part with its share of all."""
    whole = frames.sum(0)
    for _ in range(deals):
        if len(frames) >= parts:
            for some in np.array_split(rng.permutation(len(frames)), parts):
                part = frames[some].sum(0)
                yield part.astype(np.float32), float(part.sum() / whole.sum())
        else:
            for hand in _hands(whole, parts, rng):
                yield hand.astype(np.float32), 1 / parts


def _hands(
    whole: NDArray[np.int64], parts: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Deal single electrons to so many parts."""
    left = whole
    for k in range(parts, 1, -1):
        hand = rng.binomial(left, 1 / k)
        left = left - hand
        yield hand
    yield left


def _each(
    ask: Callable[[tuple[Image, float]], Claims],
    dealt: Iterable[tuple[Image, float]],
    workers: int,
) -> Iterator[Claims]:
    """Ask about part after part, `workers` of them at a time, in their order."""
    if workers == 1:
        yield from map(ask, dealt)
        return
    dealt = iter(dealt)
    with ThreadPoolExecutor(workers) as pool:
        # no more parts in the memory than are at work, and one to go on with
        waiting = deque(pool.submit(ask, one) for one in islice(dealt, workers + 1))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(ask, one) for one in islice(dealt, 1))
        finally:
            for left in waiting:
                left.cancel()


def _inside(
    columns: Columns, judged: NDArray[np.bool_], reach: float
) -> NDArray[np.bool_]:
    """Tell which columns are farther than `reach` [pixels] from all without dose."""
    if judged.all() or not len(columns):
        return np.ones(len(columns), bool)
    dark = spatial.KDTree(np.argwhere(~judged))
    return dark.query(columns.positions)[0] > reach


def _check_vacuum(
    whole: NDArray[np.int64],
    judged: NDArray[np.bool_],
    columns: Columns,
    vacuum: float | str,
) -> float:
    """Return the vacuum that the image has, or say why it cannot be tested against."""
    region = vacuum_region(columns, whole.shape) & judged
    electrons = int(whole[region].sum())
    if electrons < 400:  # of which the mean is known to 5 percent
        msg = (
            "vacuum must be seen in the image to be tested against; got an image "
            "without a region free of columns (leave vacuum out)"
        )
        raise ValueError(msg)
    counted = float(whole[region].mean())
    if vacuum == "auto":
        return counted
    check_positive(vacuum=vacuum)
    error = np.sqrt(counted / np.count_nonzero(region))
    if abs(counted - vacuum) > max(4 * error, _OFF * counted):
        msg = (
            "vacuum must be what the image counts where it has no columns, "
            f"{counted:.4g} +- {error:.2g} electrons per pixel; got {vacuum:.4g} "
            "(leave vacuum out, or pass 'auto')"
        )
        raise ValueError(msg)
    return float(vacuum)
