"""Movies: stacks of frames that may be larger than the memory, added up as counts.

Frames come from the disc one at a time. What is added up stays counts: frames are
shifted by whole pixels alone, as whatever lies between pixels would have to be
interpolated, and interpolated counts are no Poisson counts.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbd.recordings.diagnosis import (
    CountsReport,
    check_counts,
    frame_counter,
    kept_frames,
    leave_out_frames,
)
from sbd.recordings.recording import Recording, as_recording
from sbd.validation import check_whole


def each_frame(
    recording: Recording | ArrayLike, report: CountsReport | None = None
) -> Iterator[NDArray[np.float32]]:
    """Give a recording's frames as electrons, one at a time.

    As `to_counts` does it, with one frame in the memory instead of all.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    report : CountsReport, optional
        What `check_counts` found; None asks it.

    Returns
    -------
    iterator of ndarray of shape (height, width)
        Electrons per pixel of each frame, as float32.

    Raises
    ------
    ValueError
        If no counts can be had; it says why.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(0.45, (3, 64, 64))
    >>> [(a == b).all().item() for a, b in zip(each_frame(counts / 4), counts)]
    [True, True, True]
    """
    recording = as_recording(recording)
    report = check_counts(recording) if report is None else report
    recording = leave_out_frames(recording)
    # a map, no generator: what is wrong is said at once
    return map(frame_counter(recording, report), recording.stack)


def sum_frames(
    recording: Recording | ArrayLike,
    report: CountsReport | None = None,
    *,
    shifts: ArrayLike | None = None,
) -> Recording:
    """Add up the frames of a recording as electrons, one at a time.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    report : CountsReport, optional
        What `check_counts` found; None asks it.
    shifts : array_like of shape (frames, 2), optional
        Where the specimen is in each frame, as (down, across). Frames are moved back by
        that, rounded to whole pixels, so that counts stay counts; up to half a pixel of
        the drift is left. The sum has the area that all frames show, which is smaller.
        None adds them up as they are [pixels].

    Returns
    -------
    Recording
        Their sum [electrons per pixel].

    Raises
    ------
    ValueError
        If no counts can be had, or shifts are no two numbers for each frame or leave no
        area that all frames show.

    See Also
    --------
    measure_drift : The shifts, measured on the movie itself.

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(0.45, (3, 64, 64))
    >>> moved = [[0.2, 0.0], [1.1, -2.4], [0.0, 0.4]]
    >>> sum_frames(movie).values.shape, sum_frames(movie, shifts=moved).values.shape
    ((64, 64), (63, 62))
    """
    recording, shifts = _leave_out(as_recording(recording), shifts)
    total = None
    for frame in _move(recording, report, shifts):
        total = frame.astype(np.float64) if total is None else total + frame
    return replace(recording, values=total, unit="electrons")


def running_sums(
    recording: Recording | ArrayLike,
    frames: int,
    *,
    step: int | None = None,
    report: CountsReport | None = None,
    shifts: ArrayLike | None = None,
) -> Iterator[Recording]:
    """Add up the frames of one window of time after the other.

    Parameters
    ----------
    recording : Recording or ndarray of shape (frames, height, width)
        From `read_micrograph`, or an array.
    frames : int
        How many a window has. Those left over at the end, too few for one, are not
        used.
    step : int, optional
        Frames from one window to the next. None takes as many as a window has: such
        tumbling windows have no electron in common, so their counts are independent.
        With fewer they slide: neighbours share electrons, and look alike for that.
    report : CountsReport, optional
        What `check_counts` found; None asks it.
    shifts : array_like of shape (frames, 2), optional
        Where the specimen is in each frame, as for `sum_frames` [pixels].

    Returns
    -------
    iterator of Recording
        Sum of each window, of the same area for all [electrons per pixel].

    Raises
    ------
    ValueError
        As for `sum_frames`, or if a window has no frame or more than there are.

    Examples
    --------
    >>> movie = np.random.default_rng(0).poisson(0.45, (7, 64, 64))
    >>> len(list(running_sums(movie, 3))), len(list(running_sums(movie, 3, step=1)))
    (2, 5)
    """
    recording, shifts = _leave_out(as_recording(recording), shifts)
    check_whole("frames", frames)
    step = frames if step is None else step
    check_whole("step", step)
    if frames > recording.frames:
        msg = f"frames must be at most the {recording.frames} there are; got {frames}"
        raise ValueError(msg)
    report = check_counts(recording) if report is None else report
    ahead, behind = (_move(recording, report, shifts) for _ in range(2))
    sums = _tumble(ahead, frames, step) if step >= frames else (
        total for first, total in enumerate(_slide(ahead, behind, frames))
        if first % step == 0
    )  # fmt: skip
    return (replace(recording, values=total, unit="electrons") for total in sums)


def _leave_out(
    recording: Recording, shifts: ArrayLike | None
) -> tuple[Recording, ArrayLike | None]:
    """Leave out frames without numbers, and what was said of their places."""
    kept = kept_frames(recording)
    if shifts is not None and not kept.all() and len(np.asarray(shifts)) == len(kept):
        shifts = np.asarray(shifts)[kept]
    return leave_out_frames(recording), shifts


def _tumble(ahead: Iterator[NDArray], frames: int, step: int) -> Iterator[NDArray]:
    """Add up windows that have no frame in common."""
    total = 0.0
    for number, frame in enumerate(ahead):
        place = number % step
        if place < frames:
            total = frame.astype(np.float64) if place == 0 else total + frame
        if place == frames - 1:
            yield total


def _slide(
    ahead: Iterator[NDArray], behind: Iterator[NDArray], frames: int
) -> Iterator[NDArray]:
    """Add up every window; a frame that leaves it is read once more."""
    total = 0.0
    for number, frame in enumerate(ahead):
        # whole counts: adding and taking off again leaves nothing
        total = total + frame.astype(np.float64)
        if number >= frames:
            total = total - next(behind)
        if number >= frames - 1:
            yield total


def _move(
    recording: Recording, report: CountsReport | None, shifts: ArrayLike | None
) -> Iterator[NDArray[np.float32]]:
    """Give frames as electrons, of the area that all show, moved by whole pixels."""
    counts = each_frame(recording, report)
    if shifts is None:
        return counts
    areas = shared_areas(shifts, recording.frames, recording.shape)
    return (frame[area] for frame, area in zip(counts, areas, strict=True))


def shared_areas(
    shifts: ArrayLike, frames: int, shape: tuple[int, int]
) -> list[tuple[slice, slice]]:
    """Tell where each frame has the area that all frames show.

    `shifts` of shape (frames, 2) say where the specimen is [pixels].
    """
    shifts = np.asarray(shifts, np.float64)
    if shifts.shape != (frames, 2) or not np.isfinite(shifts).all():
        msg = (
            f"shifts must be two numbers for each of the {frames} frames; got shape "
            f"{shifts.shape}"
        )
        raise ValueError(msg)
    whole = np.rint(shifts).astype(int)
    first = whole - whole.min(0)
    sides = np.array(shape) - first.max(0)
    if (sides < 1).any():
        msg = (
            "shifts must leave an area that all frames show; got up to "
            f"{first.max(0).tolist()} pixels for frames of shape {shape}"
        )
        raise ValueError(msg)
    return [
        (slice(row, row + sides[0]), slice(column, column + sides[1]))
        for row, column in first
    ]
