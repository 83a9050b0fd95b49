r"""The drift of a specimen through a movie, with its errors.

Each frame is laid over the sum of all others, at the shift where they correlate best:
with :math:`F` the transform of the frame, :math:`T` that of the others and a real
weight :math:`W` for each frequency, where :math:`\sum W \Re(T^* F e^{i k d})` is
largest. The frame itself is left out of the sum: its noise would draw it to no shift.
The weight follows the power of the frames above the shot noise, which is the number of
electrons. The sum is made anew with the new positions, until they stay.

The errors are those of a parametric bootstrap: the aligned sum is denoised, so that its
noise is not taken for structure, moved to the measured positions, counted anew and
measured in the same way. Source: Efron, Tibshirani, "An introduction to the bootstrap",
Chapman and Hall (1993), chapter 6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage, signal

from sbd.denoisers.windows import denoise_windowed_fourier
from sbd.recordings.diagnosis import (
    CountsReport,
    check_counts,
    leave_out_frames,
    refuse_uncounted,
)
from sbd.recordings.movies import each_frame, shared_areas, sum_frames
from sbd.recordings.recording import Recording, as_recording
from sbd.validation import check_positive, check_whole

_SIDE, _LEAST = 512, 32  # of the part that is looked at, and of what all show [pixels]
_TAPER = 0.25  # of a side, over which the window falls
_SLOW = 1.5  # waves to a side, up to which illumination is not told from structure
_FEWEST = 4  # sums of frames; of 3, errors came out a tenth too small
_DIM = 0.1  # part of the mean dose, up to which a sum is no image
_CLEAR = 5.0  # deviations above the shot noise, of a power that is believed
_WORST, _PART = 1.0, 0.25  # largest error: pixels, and part of `most`
_ALIKE = 0.5  # height of another peak of the correlation
_FAR = 0.25  # part of a side, up to which neighbours are laid over one another
_JUMPS = 0.01  # share of positions that may be measured half a period away
_ROUNDS, _SEARCHES, _STEPS = 4, 2, 4  # sums; with a search; climbs on each
_WAY_OUT = "(sum more frames for one position, or take a larger area)"


@dataclass(frozen=True, eq=False)
class Drift:
    """Where a specimen is in each frame of a movie.

    Parameters
    ----------
    positions : ndarray of shape (frames, 2)
        As (down, across), against their mean over the frames [pixels].
    errors : ndarray of shape (frames, 2)
        Their standard deviations, from shot noise [pixels].
    frames : int
        Frames that were summed for one position.
    most : float
        How far, along an axis, a position was let be from its neighbours [pixels].

    Examples
    --------
    >>> still = Drift(np.zeros((3, 2)), np.full((3, 2), 0.1), 1, 4.0)
    >>> len(still.positions)
    3
    """

    positions: NDArray[np.float64]
    errors: NDArray[np.float64]
    frames: int
    most: float


def measure_drift(
    recording: Recording | ArrayLike,
    report: CountsReport | None = None,
    *,
    frames: int = 1,
    most: float | None = None,
    repeats: int = 16,
    seed: int = 0,
) -> Drift:
    """Measure how a specimen moves through a movie, to fractions of a pixel.

    As one body: parts that move otherwise, or turn, are not told, nor are changes of
    the specimen. What stands still in the detector (hot columns, an aperture's edge)
    draws the positions together. Waves of less than 1.5 to a side are left out.

    A crystal that fills the field looks alike after each period. Of the positions that
    look alike, that within `most` of the neighbouring frames' is taken: a crystal that
    moves by more than half a period from one frame to the next is measured wrong, and
    nothing in the frames can tell.

    Parameters
    ----------
    recording : Recording or ndarray of shape (frames, height, width)
        Counted electrons; of a large one, the 512 x 512 pixels with the most structure
        are looked at.
    report : CountsReport, optional
        What `check_counts` found; None asks it.
    frames : int, default 1
        Neighbouring frames that are summed for one position, where the dose is low; the
        last sum has those left over, too. Between the middles of the sums positions lie
        on straight lines, and errors do not say what the specimen does beside these.
    most : float, optional
        How far the specimen moves at most, along each axis, from one sum to the next.
        None takes a quarter of the period that the visible structure has in the root
        mean square of its frequencies, and at least 2 [pixels].
    repeats : int, default 16
        How often the drift is counted and measured anew, to get its errors.
    seed : int, default 0
        Of these counts.

    Returns
    -------
    Drift
        Positions and their errors; `sum_frames` takes the positions as its `shifts`.
        Errors are the root mean square over all repeats and sums, of each sum by its
        dose. In simulated movies of 4 to 16 frames, 96 x 96 pixels and 1 to 8 electrons
        per pixel, misses were 0.9 to 1.1 times as large.

    Raises
    ------
    ValueError
        If the recording has less than four sums of frames, a sum without dose, or no
        counted electrons; or if no structure stands above the noise, as in vacuum; or
        if positions have errors above a pixel or a quarter of `most`, as along a flat
        edge; or if more than 1 % of the repeated measurements are half a period away;
        or if the specimen moves by more than `most`, or looks alike, half as well or
        better, more than half a period away within it.

    Examples
    --------
    >>> scene = np.random.default_rng(0).normal(0, 4, (72, 72))
    >>> scene = 9 * np.exp(ndimage.gaussian_filter(scene, 3))
    >>> movie = [scene[i : i + 64, 2 * i : 2 * i + 64] for i in range(5)]
    >>> movie = np.random.default_rng(1).poisson(movie)
    >>> drift = measure_drift(movie)
    >>> drift.positions.round().astype(int).tolist()
    [[2, 4], [1, 2], [0, 0], [-1, -2], [-2, -4]]
    >>> bool((drift.errors < 0.2).all())
    True
    """
    recording = as_recording(recording)
    check_whole("frames", frames)
    check_whole("repeats", repeats, 2)
    if most is not None:
        check_positive(most=most)
    report = check_counts(recording) if report is None else report
    refuse_uncounted(report, dependent=True)
    middles, sums, number = _sum_up(recording, report, frames)
    reach = _measure_reach(sums)
    most = _check_most(most, reach, sums)
    positions = _align(sums, most)
    scene = _denoise_aligned(sums, positions)
    rng = np.random.default_rng(seed)
    misses = np.array([
        _align(_count_anew(scene, sums, positions, rng), most) - positions
        for _ in range(repeats)
    ])  # fmt: skip
    errors = np.sqrt((misses**2).mean((0, 1)))
    _refuse_unclear(positions, misses, most, reach)
    _refuse_alike(sums, positions, most, reach)
    doses = sums.mean((1, 2), dtype=np.float64)
    each = errors * np.sqrt(doses.mean() / doses.clip(1e-9))[:, None]
    return Drift(*_interpolate(positions, each, middles, number), frames, most)


def _sum_up(
    recording: Recording, report: CountsReport, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], int]:
    """Return middles of sums of `size` frames, these, and the number of frames."""
    recording = leave_out_frames(recording)
    if recording.frames < _FEWEST * size or min(recording.shape) < _LEAST:
        msg = (
            f"recording must have at least {_FEWEST} times {size} frames of {_LEAST} x "
            f"{_LEAST} pixels; got {recording.frames} of shape {recording.shape}"
        )
        raise ValueError(msg)
    total = sum_frames(recording, report).values
    total = np.where(report.recorded, total, total.mean())
    steep = ndimage.gaussian_gradient_magnitude(total, 4) ** 2
    sides = [min(_SIDE, side) for side in steep.shape]
    inside = ndimage.uniform_filter(steep, sides, mode="constant")
    middle = np.unravel_index(np.argmax(inside), inside.shape)
    area = tuple(
        slice(first := int(np.clip(m - s // 2, 0, whole - s)), first + s)
        for m, s, whole in zip(middle, sides, steep.shape, strict=True)
    )
    movie = np.stack([frame[area] for frame in each_frame(recording, report)])
    dark = ~report.recorded[area]
    for frame in movie if dark.any() and not dark.all() else ():
        frame[dark] = frame[~dark].mean()
    firsts = np.arange(0, len(movie) - size + 1, size)
    lasts = np.append(firsts[1:], len(movie))
    sums = np.add.reduceat(movie, firsts)
    doses = sums.mean((1, 2))
    if doses.min() <= _DIM * doses.mean():
        place = int(firsts[doses.argmin()])
        msg = (
            f"recording must have dose in all frames; got {doses.min():.2g} electrons "
            f"per pixel from frame {place} on, and {doses.mean():.2g} in the mean "
            "(leave such frames out, or sum more for one position)"
        )
        raise ValueError(msg)
    return (firsts + lasts - 1) / 2, sums, len(movie)


@dataclass(frozen=True, eq=False)
class _Waves:
    """The m waves of n frames in which structure is seen."""

    values: NDArray[np.complex128]  # of shape (n, m)
    k: NDArray[np.float64]  # of shape (2, m) [radians per pixel]
    power: NDArray[np.float64]  # above the shot noise, of shape (m,)
    weights: NDArray[np.float64]  # of shape (m,)

    def move(self, by: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Move frames back by as many (down, across)."""
        return self.values * np.exp(1j * (by @ self.k))


def _transform(sums: NDArray[np.float32], positions: NDArray[np.float64]) -> _Waves:
    """Transform what all frames show, laid over one another by whole pixels."""
    try:
        areas = shared_areas(positions, len(sums), sums.shape[1:])
    except ValueError:
        areas = [(slice(0, 0), slice(0, 0))]
    sides = [area.stop - area.start for area in areas[0]]
    if min(sides) < _LEAST:
        msg = (
            f"recording must show {_LEAST} x {_LEAST} pixels of its specimen in all "
            "frames; at the positions found it does not (take fewer frames, or a "
            "larger area)"
        )
        raise ValueError(msg)
    cut = np.stack([s[area] for s, area in zip(sums, areas, strict=True)])
    window = np.outer(*(signal.windows.tukey(side, _TAPER) for side in sides))
    level = (cut * window).sum((1, 2)) / window.sum()
    waves = fft.rfft2((cut - level[:, None, None]) * window)
    down, across = fft.fftfreq(sides[0])[:, None], fft.rfftfreq(sides[1])[None]
    noise = float((window**2 * cut.mean(0)).sum())
    power = (np.abs(waves) ** 2).mean(0) - noise
    many = noise / np.sqrt(len(sums))
    ring = np.rint(np.hypot(down, across) * min(sides) / 2).astype(int)
    members = np.bincount(ring.ravel())
    around = np.bincount(ring.ravel(), power.ravel()) / members
    # the taper lets neighbouring waves vary together, some two of them
    around[around < _CLEAR * many * np.sqrt(2 / members)] = 0
    near = ndimage.gaussian_filter(power, 1.0, mode=("wrap", "reflect"))
    near[near < _CLEAR * many * np.sqrt(2 / (4 * np.pi))] = 0
    power = np.maximum(around[ring], near)
    power[np.hypot(down * sides[0], across * sides[1]) < _SLOW] = 0
    seen = power > 0
    if not seen.any():
        msg = f"recording must show structure; got shot noise alone {_WAY_OUT}"
        raise ValueError(msg)
    k = 2 * np.pi * np.stack(np.broadcast_arrays(down, across))[:, seen]
    power = power[seen]
    weights = power / (len(sums) * power + noise)
    return _Waves(waves[:, seen], k, power, weights / (weights * power).sum())


def _measure_reach(sums: NDArray[np.float32]) -> float:
    """Return a quarter of the period of what is seen, at least 2 [pixels]."""
    seen = _transform(sums, np.zeros((len(sums), 2)))
    squares = (seen.weights * seen.power * (seen.k**2).sum(0)).sum()
    return max(2.0, float(np.pi / 2 / np.sqrt(squares)))


def _check_most(most: float | None, reach: float, sums: NDArray[np.float32]) -> float:
    """Return how far neighbours may be apart; refuse what leaves too little of them."""
    far = _FAR * min(sums.shape[1:])
    most = min(reach, far) if most is None else float(most)
    if most > far:
        msg = (
            f"most must be at most {far:g}, a quarter of the shorter side that is "
            f"looked at; got {most:g} (take a larger area)"
        )
        raise ValueError(msg)
    return most


def _align(sums: NDArray[np.float32], most: float) -> NDArray[np.float64]:
    """Return positions of frames, each against the sum of the others."""
    positions = np.zeros((len(sums), 2))
    for turn in range(_ROUNDS):
        whole = np.rint(positions)
        seen = _transform(sums, whole)
        rest = positions - whole
        if turn == 0:
            total = seen.values[0].copy()
            for place in range(1, len(sums)):
                last = rest[place - 1]
                rest[place] = _search(seen, total, place, last, most)
                total += seen.values[place] * np.exp(1j * (rest[place] @ seen.k))
        elif turn <= _SEARCHES:
            positions = rest + whole
            for place in range(len(sums)):
                near = positions[max(place - 1, 0) : place + 2]
                near = (near.sum(0) - positions[place]) / (len(near) - 1)
                moved = seen.move(rest)
                others = moved.sum(0) - moved[place]
                found = _search(seen, others, place, near - whole[place], most)
                # the top that is climbed already is as good as its whole pixels
                if np.abs(found - rest[place]).max() > 1:
                    rest[place] = found
        positions = whole + _climb(seen, rest)
        positions -= positions.mean(0)
    return positions


def _search(
    seen: _Waves,
    others: NDArray[np.complex128],
    place: int,
    middle: NDArray[np.float64],
    most: float,
) -> NDArray[np.float64]:
    """Return the place of the best correlation within `most`, in whole steps."""
    steps = np.arange(-int(most), int(most) + 1)
    product = seen.weights * others.conj() * seen.values[place]
    found = _map(product, seen.k, middle[:, None] + steps)
    best = np.unravel_index(np.argmax(found), found.shape)
    return middle + steps[list(best)]


def _map(
    product: NDArray[np.complex128], k: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a correlation at places down, `at[0]`, by places across, `at[1]`."""
    down, across = (np.exp(1j * np.outer(a, b)) for a, b in zip(at, k, strict=True))
    return ((product * down) @ across.T).real


def _climb(seen: _Waves, rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Step to the tops of the correlations, by the curvature that powers tell."""
    curvature = (seen.k * seen.weights * seen.power) @ seen.k.T
    inverse = np.linalg.pinv(curvature, 1e-6, hermitian=True) / (len(rest) - 1)
    for _ in range(_STEPS):
        moved = seen.move(rest)
        others = moved.sum(0) - moved
        slopes = -((seen.weights * others.conj() * moved).imag @ seen.k.T)
        steps = (slopes @ inverse).clip(-1, 1)
        rest = rest + steps - steps.mean(0)
    return rest


def _denoise_aligned(
    sums: NDArray[np.float32], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Denoise the sum of all, aligned by whole pixels; its mean is 1."""
    areas = shared_areas(positions, len(sums), sums.shape[1:])
    total = sum(s[area].astype(np.float64) for s, area in zip(sums, areas, strict=True))
    scene = np.maximum(denoise_windowed_fourier(total), 0).astype(np.float64)
    return scene / scene.mean()


def _count_anew(
    scene: NDArray[np.float64],
    sums: NDArray[np.float32],
    positions: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Count the scene at its positions; it goes on as in a mirror."""
    area = shared_areas(positions, len(sums), sums.shape[1:])[0]
    corner = [a.start - w for a, w in zip(area, np.rint(positions[0]), strict=True)]
    grids = [np.arange(side, dtype=float) for side in sums.shape[1:]]
    counts = np.empty(sums.shape, np.float32)
    for count, position, dose in zip(
        counts, positions, sums.mean((1, 2), dtype=float), strict=True
    ):
        at = [g - p - c for g, p, c in zip(grids, position, corner, strict=True)]
        there = np.stack(np.meshgrid(*at, indexing="ij"))
        mean = ndimage.map_coordinates(scene, there, mode="mirror")
        count[...] = rng.poisson(dose * mean.clip(0))
    return counts


def _refuse_unclear(
    positions: NDArray[np.float64],
    misses: NDArray[np.float64],
    most: float,
    reach: float,
) -> None:
    """Refuse positions that counts alone might give, or of which others look alike."""
    errors, limit = np.sqrt((misses**2).mean((0, 1))), min(_WORST, _PART * most)
    if errors.max() > limit:
        axis = ("down", "across")[int(errors.argmax())]
        msg = (
            f"recording must tell positions to {limit:.2g} pixels; got errors of "
            f"{errors.max():.2g} {axis} {_WAY_OUT}"
        )
        raise ValueError(msg)
    jumps = float((np.abs(misses).max(2) > 2 * reach).mean())
    if jumps > _JUMPS:
        msg = (
            "recording must look alike at one position alone; counted anew, "
            f"{jumps:.0%} of its positions jump by {2 * reach:.0f} pixels or more, as "
            f"in a crystal {_WAY_OUT}"
        )
        raise ValueError(msg)
    step = float(np.abs(np.diff(positions, axis=0)).max())
    if step > most:
        msg = (
            f"most must be as far as the specimen moves between neighbours; got "
            f"{most:.3g} and steps up to {step:.3g} pixels (give a larger one, below "
            "half a period of the crystal)"
        )
        raise ValueError(msg)


def _refuse_alike(
    sums: NDArray[np.float32],
    positions: NDArray[np.float64],
    most: float,
    reach: float,
) -> None:
    """Refuse neighbours that look alike at another step that `most` would let be."""
    whole = np.rint(positions)
    seen = _transform(sums, whole)
    moved = seen.move(positions - whole)
    product = seen.weights * (moved[:-1].conj() * moved[1:]).sum(0)
    far = int(most + np.abs(np.diff(positions, axis=0)).max())
    steps = np.arange(-far, far + 1)
    found = _map(product, seen.k, np.stack([steps, steps]))
    area = shared_areas(positions, len(sums), sums.shape[1:])[0]
    # the windows of neighbours have less in common the further they are apart
    common = [
        np.maximum(1 - np.abs(steps) / ((1 - _TAPER / 2) * (a.stop - a.start)), 0.2)
        for a in area
    ]
    found = found / np.outer(*common)
    distance = np.hypot(*np.meshgrid(steps, steps, indexing="ij"))
    peaks = (found == ndimage.maximum_filter(found, 3)) & (distance > 2 * reach)
    others = np.where(peaks, found, -np.inf)
    if others.max() > _ALIKE * found[far, far]:
        down, across = steps[list(np.unravel_index(others.argmax(), others.shape))]
        msg = (
            "most must let neighbouring frames look alike at one step alone; got "
            f"{most:.3g}, and they look alike {down} pixels down and {across} across, "
            "too, as crystals do (give a smaller one, below half of that, or take a "
            "larger area)"
        )
        raise ValueError(msg)


def _interpolate(
    positions: NDArray[np.float64],
    errors: NDArray[np.float64],
    middles: NDArray[np.float64],
    number: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw straight lines through the middles of sums, and on to the ends."""
    each = np.arange(number)
    left = np.searchsorted(middles, each, "right").clip(1, len(middles) - 1) - 1
    part = ((each - middles[left]) / np.diff(middles)[left])[:, None]
    found = (1 - part) * positions[left] + part * positions[left + 1]
    before, after = (1 - part) * errors[left], part * errors[left + 1]
    # as positions are told against their mean, errors add up to nothing
    spread = before**2 + after**2 - 2 * before * after / (len(middles) - 1)
    return found - found.mean(0), np.sqrt(spread)
