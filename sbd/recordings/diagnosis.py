"""Are these electrons? What a recording's values say about the counts behind them.

A denoiser, a verdict and a dose mean what they say for counted electrons alone. Here a
recording is asked for the unit of its values, for what an offset, a limit, a mean or an
interpolation did to them, for pixels that are not to be believed, and for areas that
recorded nothing. What can be undone is (`to_counts`), and what cannot is refused with
the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.evidence.counts import (
    check_independence,
    dose_mask,
    refuse_clipping,
)
from sbd.recordings.findings import Finding
from sbd.recordings.readings import (
    fill_pixels,
    find_clusters,
    measure_scatter,
    mend_pixels,
    middle_of,
    read_values,
)
from sbd.recordings.recording import Recording, as_recording, sum_stack
from sbd.validation import check_positive, measure_dispersion

_HUGE = 2.0**31  # no pixel holds so many electrons
_MANY = 30.0  # electrons per pixel from which filters beat the network
_FAULTS = "clipped", "dependent", "averaged"  # which a verdict names
_FULL = 0.5  # share of pixels with a number, below which a frame is left out
_SEVERAL, _ODD = 5, 8.0  # frames, and robust deviations from the others


@dataclass(frozen=True)
class CountsReport:
    """What `check_counts` found.

    Parameters
    ----------
    findings : tuple of Finding
        What is to be known, in the order in which it was found.
    unit : float or None
        Units of the values for one electron; None where that cannot be told.
    offset : float
        Value of no electron.
    read_noise : float
        Standard deviation of what the detector added [electrons].
    counted : bool
        Whether each value is a whole number of electrons, times `unit`.
    dispersion : float
        Variance over mean of the counts between neighbours, 1 for Poisson counts; NaN
        where there is too little to tell.
    dose : float or None
        Mean over the recorded area, of all frames together; None where values are no
        counts of known size [electrons per pixel].
    dose_area : float or None
        The same [electrons per square angstrom].
    recorded : ndarray of shape (height, width), bool
        Where there is dose.
    hot : ndarray of shape (number, 2), int
        Hot pixels as (row, column).
    """

    findings: tuple[Finding, ...]
    unit: float | None
    offset: float
    read_noise: float
    counted: bool
    dispersion: float
    dose: float | None
    dose_area: float | None
    recorded: NDArray[np.bool_] = field(repr=False)
    hot: NDArray[np.int_] = field(repr=False)

    @property
    def refused(self) -> bool:
        """Whether no counts can be had."""
        return any(finding.harm == "refusal" for finding in self.findings)

    @property
    def independent(self) -> bool:
        """Whether nothing stands against independent counts."""
        return not self.refused and not any(f.what in _FAULTS for f in self.findings)

    @property
    def verdict(self) -> str:
        """Say in a sentence what the values are."""
        if self.refused:
            return "These are no counts of electrons, and cannot be made any."
        if not self.counted:
            return (
                f"Electrons in units of {self.unit:.4g}, with a read noise of "
                f"{self.read_noise:.2g} electrons: not counted one by one."
            )
        unit = "" if self.unit == 1 else f", in units of {self.unit:.6g}"
        faults = [f.what for f in self.findings if f.what in _FAULTS]
        if faults:
            return f"No independent counts of electrons: {' and '.join(faults)}."
        return f"Counted electrons{unit}."

    def __str__(self) -> str:
        """Say all of it, a line for each finding."""
        lines = [self.verdict]
        if self.dose is not None:
            area = (
                f", {self.dose_area:.4g} per square angstrom" if self.dose_area else ""
            )
            lines.append(f"{self.dose:.4g} electrons per pixel{area}.")
        lines += [f"{f.harm}: {f.words}" for f in self.findings]
        return "\n".join(lines)


def check_counts(
    recording: Recording | ArrayLike, *, read_noise: float | None = None
) -> CountsReport:
    """Tell whether the values of a recording are electrons, and what stands against it.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    read_noise : float, optional
        Standard deviation of what the detector adds to each value, if it is known [in
        the unit of the values]. None estimates it where values lie below zero.

    Returns
    -------
    CountsReport
        Unit, dose, faults, and a verdict in words.

    Raises
    ------
    ValueError
        If the array is no image or stack of images of real numbers.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> check_counts(counts).verdict
    'Counted electrons.'
    >>> check_counts(counts / 6).verdict
    'Counted electrons, in units of 0.166667.'
    """
    recording = as_recording(recording)
    if read_noise is not None and read_noise != 0:
        check_positive(read_noise=read_noise)
    findings: list[Finding] = []
    recording = leave_out_frames(recording, findings)
    stack, known = _prepare(recording.stack, findings)
    if any(finding.harm == "refusal" for finding in findings):
        return _refuse(findings, recording)
    frames, total = len(stack), sum_stack(stack)
    some = known & _find_dose(total, known)
    reading = read_values(stack, total, some, read_noise, findings)
    if reading is None or any(finding.harm == "refusal" for finding in findings):
        return _refuse(findings, recording)
    electrons = (total - frames * reading.offset) / reading.unit
    if reading.counted:  # frame by frame: gains that differ between pixels would add up
        electrons = np.zeros(recording.shape)
        for frame in stack:
            electrons += np.rint((frame - reading.offset) / reading.unit)
        _find_odd_frames(stack, reading.offset, reading.unit, findings)
    recorded = some & ((electrons > -0.5) | (not reading.counted))
    nothing = known & ~recorded
    if nothing.any():
        words = (
            f"{nothing.mean():.2%} of the pixels recorded nothing, or less (a "
            "frame, an aperture, a beam stop); they are left out"
        )
        findings.append(Finding("no dose", "warning", words))
    hot, mended = np.empty((0, 2), int), electrons
    if reading.counted:
        hot, mended = _find_hot(electrons, recorded, recording.corner, findings)
        _find_groups(mended, recorded, recording.corner, findings)
        _find_faults(mended, recorded, findings)
    added = 0.0 if reading.counted else frames * reading.noise**2
    dispersion = measure_scatter(mended, recorded, added)
    dose = float(mended[recorded].mean())
    if any(finding.what == "averaged" for finding in findings):
        dose = None  # nobody knows of what
    sides = recording.pixel.sides
    dose_area = dose / float(np.prod(sides)) if sides and dose is not None else None
    if dose is not None and dose > _MANY:
        words = (
            f"{dose:.3g} electrons per pixel are more than networks learn from: "
            "filters do better here (rank them, or use denoise_windowed_fourier)"
        )
        findings.append(Finding("many electrons", "note", words))
    return CountsReport(
        tuple(findings), reading.unit, reading.offset, reading.noise, reading.counted,
        dispersion, dose, dose_area, recorded, hot,
    )  # fmt: skip


def _refuse(findings: list[Finding], recording: Recording) -> CountsReport:
    """Report that there are no counts to be had."""
    return CountsReport(
        tuple(findings), None, 0.0, 0.0, counted=False, dispersion=float("nan"),
        dose=None, dose_area=None, recorded=np.ones(recording.shape, bool),
        hot=np.empty((0, 2), int),
    )  # fmt: skip


def to_counts(
    recording: Recording | ArrayLike, report: CountsReport | None = None
) -> Recording:
    """Undo what was done to counted electrons: divide, round, replace hot pixels.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        From `read_micrograph`, or an array.
    report : CountsReport, optional
        What `check_counts` found; None asks it.

    Returns
    -------
    Recording
        Electrons per pixel and frame, whole numbers where they were counted. Hot pixels
        hold the mean of those around them, rounded; frames that `check_counts` leaves
        out are not there.

    Raises
    ------
    ValueError
        If no counts can be had; it says why.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> bool((to_counts(counts / 6).values == counts).all())
    True
    """
    recording = as_recording(recording)
    report = check_counts(recording) if report is None else report
    recording = leave_out_frames(recording)
    count = frame_counter(recording, report)
    values = np.empty(recording.values.shape, np.float32)
    for counts, frame in zip(
        values if values.ndim == 3 else values[None], recording.stack, strict=True
    ):
        counts[...] = count(frame)
    return replace(recording, values=values, unit="electrons")


def frame_counter(
    recording: Recording, report: CountsReport
) -> Callable[[NDArray], NDArray[np.float32]]:
    """Return what makes electrons of one frame; refuse where none can be had."""
    if report.refused:
        reasons = "; ".join(f.words for f in report.findings if f.harm == "refusal")
        msg = f"recording must hold electrons; {reasons}"
        raise ValueError(msg)
    if report.recorded.shape != recording.shape:
        msg = (
            f"report must be that of this recording, of shape {recording.shape}; got "
            f"one of shape {report.recorded.shape}"
        )
        raise ValueError(msg)
    bad = np.zeros(recording.shape, bool)
    bad[tuple(report.hot.T)] = True

    def count(frame: NDArray) -> NDArray[np.float32]:
        values = np.asarray(frame, np.float64)
        known = np.isfinite(values)
        values = np.where(known, (values - report.offset) / report.unit, 0)
        if report.counted:
            values = np.rint(values).clip(0)
        if len(report.hot):
            values = fill_pixels(values, bad)
            values = np.rint(values) if report.counted else values
        return values.astype(np.float32)

    return count


def refuse_uncounted(report: CountsReport, *, dependent: bool = False) -> None:
    """Say why a movie's values are no counts, or no independent ones, if they are none.

    `dependent` takes counts whose sum over all frames varies otherwise than it should.
    """
    if report.counted and (dependent or report.independent):
        return
    reasons = "; ".join(f.words for f in report.findings if f.harm != "note")
    msg = (
        "recording must hold electrons that were counted one by one; "
        f"{report.verdict} {reasons}"
    )
    raise ValueError(msg.rstrip())


class _Finite(Sequence):
    """The frames of a stack, one at a time, finite and of a kind that adds up."""

    def __init__(self, stack: NDArray) -> None:
        self.stack, self.dtype = stack, stack.dtype

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, place: int) -> NDArray:
        frame = np.asarray(self.stack[place])
        if frame.dtype.kind == "f":
            known = np.isfinite(frame)
            frame = frame if known.all() else np.where(known, frame, 0)
        # sums of which would overflow
        return frame.astype(np.float32) if frame.dtype == np.float16 else frame


def leave_out_frames(
    recording: Recording, findings: list[Finding] | None = None
) -> Recording:
    """Leave out frames most of whose pixels hold no number, unless all are such."""
    kept = kept_frames(recording)
    if kept.all():
        return recording
    values, places = recording.values, np.flatnonzero(~kept)
    told = ", ".join(map(str, places[:8])) + (", ..." if len(places) > 8 else "")
    words = (
        f"of {len(values)} frames, {len(places)} hold no number in most of their "
        f"pixels: {told}; they are left out"
    )
    if findings is not None:
        findings.append(Finding("empty frames", "warning", words))
    return replace(recording, values=values[kept])


def kept_frames(recording: Recording) -> NDArray[np.bool_]:
    """Tell which frames hold numbers in most of the pixels that do in any frame."""
    values = recording.stack
    kept = np.ones(len(values), bool)
    if len(values) == 1 or values.dtype.kind != "f":
        return kept
    share, ever = np.empty(len(values)), np.zeros(recording.shape, bool)
    for number, frame in enumerate(values):
        known = np.isfinite(frame)
        share[number] = known.sum()
        ever |= known
    kept = share >= _FULL * ever.sum()
    return kept if kept.any() else np.ones(len(values), bool)


def _prepare(
    stack: NDArray, findings: list[Finding]
) -> tuple[Sequence, NDArray[np.bool_]]:
    """Make frames finite, one at a time; also tell where all hold numbers."""
    known = _find_gaps(stack, findings)
    _find_wrapping(stack, findings)
    frames = _Finite(stack)
    most = max(max(float(frame.max()), -float(frame.min())) for frame in frames)
    if known.any() and most > _HUGE:
        words = f"values go up to {most:.3g}: no counts, or a fault"
        findings.append(Finding("huge", "refusal", words))
    return frames, known


def _find_gaps(stack: NDArray, findings: list[Finding]) -> NDArray[np.bool_]:
    """Tell where all frames hold numbers."""
    known = np.ones(stack.shape[1:], bool)
    for frame in stack if stack.dtype.kind == "f" else ():
        known &= np.isfinite(frame)
    if not known.any():
        findings.append(
            Finding("no number", "refusal", "no pixel holds a number in every frame")
        )
    elif not known.all():
        words = f"{known.size - known.sum()} pixels hold no number; they are left out"
        findings.append(Finding("no number", "warning", words))
    return known


def _find_wrapping(stack: NDArray, findings: list[Finding]) -> None:
    """See whether an unsigned subtraction went below zero."""
    if stack.dtype.kind != "u":
        return
    most = np.iinfo(stack.dtype).max
    high = between = 0
    for frame in stack:
        above = np.count_nonzero(frame > most // 8 * 7)
        high += above
        between += np.count_nonzero(frame > most // 8) - above
    if high and high < stack.size and not between:
        words = (
            f"{high} values are near {most}, the largest of {stack.dtype}, and "
            "none is between: a subtraction went below zero and wrapped round "
            "(subtract in a signed type)"
        )
        findings.append(Finding("wrapped", "refusal", words))


def _find_dose(total: NDArray, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where values are not the lowest or the most frequent, over wide areas.

    What is not known makes nothing beside it doubtful.
    """
    recorded = np.ones(total.shape, bool)
    values, number = np.unique(total[known], return_counts=True)
    for level in {float(values[0]), float(values[np.argmax(number)]), 0.0}:
        above = ((total != level) | ~known).astype(np.int64)
        if above.any() and not above.all():
            recorded &= dose_mask(above)
    return recorded if recorded.any() else np.ones(total.shape, bool)


def _find_odd_frames(
    stack: Sequence[NDArray], offset: float, unit: float, findings: list[Finding]
) -> None:
    """Name frames whose counts vary otherwise than those of the others."""
    if len(stack) < _SEVERAL:
        return
    found = np.array([
        measure_dispersion(((frame - offset) / unit).astype(np.float32))
        for frame in stack
    ])  # fmt: skip
    blank = [i for i, frame in enumerate(stack) if (frame == frame.flat[0]).all()]
    if 0 < len(blank) < len(stack) / 2:
        told = ", ".join(map(str, blank[:8])) + (", ..." if len(blank) > 8 else "")
        words = f"frames {told} hold one value everywhere: leave them out"
        findings.append(Finding("blank frames", "warning", words))
    some = found[~np.isnan(found)]
    if len(some) < _SEVERAL:
        return
    middle = np.median(some)
    spread = stats.median_abs_deviation(some, scale="normal")
    odd = np.flatnonzero(np.abs(found - middle) > np.maximum(_ODD * spread, 0.1))
    if len(odd):
        told = ", ".join(f"{i} ({found[i]:.2f})" for i in odd[:4])
        words = (
            f"frames {told} vary otherwise than the others ({middle:.2f} times as "
            "counts do): look at them, or leave them out"
        )
        findings.append(Finding("odd frames", "warning", words))


def _find_hot(
    electrons: NDArray,
    recorded: NDArray[np.bool_],
    corner: tuple[int, int],
    findings: list[Finding],
) -> tuple[NDArray[np.int_], NDArray]:
    """Find hot pixels, say how many, and mend them."""
    places, mended = mend_pixels(np.where(recorded, electrons, 0))
    if len(places):
        first = ", ".join(
            f"{electrons[row, column]:.0f} at ({corner[0] + row}, {corner[1] + column})"
            for row, column in places[:4]
        )
        more = ", ..." if len(places) > 4 else ""
        words = (
            f"{len(places)} hot pixel{'s' * (len(places) > 1)}: {first}{more}, as "
            "(row, column); to_counts puts the mean of those around there"
        )
        findings.append(Finding("hot pixels", "warning", words))
    return places, mended


def _find_groups(
    electrons: NDArray,
    recorded: NDArray[np.bool_],
    corner: tuple[int, int],
    findings: list[Finding],
) -> None:
    """Name groups of bright pixels; what is under them nobody knows."""
    places = find_clusters(electrons, recorded) + np.array(corner, int)
    if len(places):
        told = ", ".join(f"({row}, {column})" for row, column in places[:4])
        words = (
            f"{len(places)} group{'s' * (len(places) > 1)} of pixels, more than 20 "
            f"times as bright as what is around: at {told}"
            f"{', ...' if len(places) > 4 else ''}, as (row, column); if they are no "
            "specimen (a cosmic ray, an X-ray), leave out that frame, or that place"
        )
        findings.append(Finding("bright groups", "warning", words))


def _find_faults(
    electrons: NDArray, recorded: NDArray[np.bool_], findings: list[Finding]
) -> None:
    """See whether counts are clipped, or depend on one another."""
    middle = middle_of(electrons.shape)
    counts = np.rint(electrons[middle].clip(0)).astype(np.int64)
    recorded = recorded[middle]
    try:
        refuse_clipping(counts)
    except ValueError as error:
        findings.append(Finding("clipped", "warning", _reword(error)))
        return
    if any(finding.what == "averaged" for finding in findings):
        return
    try:
        # fine structure is no dependence: what a filter sees of it is taken off
        estimate = denoise_windowed_fourier(counts.astype(np.float32))
        check_independence(counts, estimate, recorded)
    except ValueError as error:
        findings.append(Finding("dependent", "warning", _reword(error)))


def _reword(error: ValueError) -> str:
    """Name values, and not an argument that nobody here gave."""
    return f"the values{str(error).removeprefix('noisy')}"
