"""Audit denoisers: other doses, empty vacuum, columns found and columns invented."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from sbd.audits.inspection import PIXEL, Inspection, inspect_columns
from sbd.benchmark.dataset import Benchmark
from sbd.metrics import authors_psnr
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser, check_doses, check_image

_LEGIBLE = 0.9  # share of the columns that a clean image must show to be judged
_LOBE, _RING = 5, 10  # a spectral peak reaches no farther; its surroundings do [bins]
_LEAST = 1e-6  # share of the power below which a peak, or rounding, does not matter
_PERIODS = 8  # across the image; what is slower is no lattice


def dose_curve(
    denoisers: Mapping[str, Denoiser],
    cleans: Mapping[str, Image],
    *,
    doses: Sequence[float],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Score denoisers on the same images, counted at several doses.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    cleans : dict of str to ndarray of shape (height, width)
        Expected counts with the vacuum at 0.45, by name [electrons per pixel].
    doses : sequence of float
        Mean count in vacuum [electrons per pixel].
    draws : int
        Times that each image is counted at each dose.
    seed : int
        Of the counts; all denoisers see the same.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``image``, ``dose``, ``draw`` and ``psnr``: by the authors' metric,
        with the vacuum scaled back to 0.45, so that doses can be compared [dB].

    Raises
    ------
    ValueError
        If there is no denoiser, image or dose, a dose is not positive, `draws` is
        below 1, or a clean image has a negative value.

    Examples
    --------
    >>> vacuum = {"vacuum": np.full((32, 32), 0.45)}
    >>> table = dose_curve({"raw": np.array}, vacuum, doses=[1, 4], draws=1, seed=0)
    >>> bool(table["psnr"].is_monotonic_increasing)
    True
    """
    for name, given in (("denoisers", denoisers), ("cleans", cleans)):
        if not given:
            msg = f"{name} must hold at least one; got none"
            raise ValueError(msg)
    check_doses(doses)
    if draws < 1:
        msg = f"draws must be at least 1; got {draws}"
        raise ValueError(msg)
    rows = []
    for i, (image, clean) in enumerate(cleans.items()):
        clean = check_image(clean, image, counts=True)
        for j, dose in enumerate(doses):
            for draw in range(draws):
                rng = np.random.default_rng([seed, i, j, draw])
                noisy = poisson_noise(clean * (dose / VACUUM), rng=rng)
                for method, denoise in denoisers.items():
                    scaled = apply_denoiser(denoise, noisy, method) * (VACUUM / dose)
                    score = authors_psnr(clean, scaled)
                    rows.append((method, image, float(dose), draw, score))
    return pd.DataFrame(rows, columns=["method", "image", "dose", "draw", "psnr"])


def vacuum_response(
    denoiser: Denoiser,
    *,
    doses: Sequence[float],
    shape: tuple[int, int] = (512, 512),
    seed: int,
) -> pd.DataFrame:
    """Denoise counts of nothing: whatever is in the result was invented.

    Parameters
    ----------
    denoiser : callable
        Image to image.
    doses : sequence of float
        Mean count [electrons per pixel].
    shape : tuple of int, default (512, 512)
        (height, width), at least 32 x 32 [pixels].
    seed : int
        Of the counts.

    Returns
    -------
    pandas.DataFrame
        A row for each ``dose``: ``mean`` of the result, its standard ``deviation``, the
        ``largest`` distance of a pixel from the mean [electrons per pixel], the
        ``relative`` deviation in units of the dose, and the `peak_share` of the
        deviation's power as ``peaks``.

    Raises
    ------
    ValueError
        If there is no dose, one is not positive, or `shape` is too small.

    Examples
    --------
    >>> def flatten(noisy):
    ...     return np.full(noisy.shape, noisy.mean())
    >>> vacuum_response(flatten, doses=[0.45], shape=(64, 64), seed=0)["peaks"].item()
    0.0
    """
    check_doses(doses)
    rows = []
    for i, dose in enumerate(doses):
        vacuum = np.full(shape, float(dose))
        noisy = poisson_noise(vacuum, rng=np.random.default_rng([seed, i]))
        result = apply_denoiser(denoiser, noisy, "denoiser").astype(np.float64)
        mean, deviation = result.mean(), result.std()
        largest = np.abs(result - mean).max()
        relative, peaks = deviation / dose, peak_share(result)
        rows.append((float(dose), mean, deviation, largest, relative, peaks))
    names = ["dose", "mean", "deviation", "largest", "relative", "peaks"]
    return pd.DataFrame(rows, columns=names)


def peak_share(image: Image) -> float:
    r"""Tell how much of an image's variation is periodic: a lattice, or fringes.

    Noise that was smoothed, in whatever way, has a smooth spectrum, whose coefficients'
    powers scatter about it exponentially: one in :math:`e^t` exceeds `t` times its
    mean. A peak is a local maximum that exceeds its surroundings so far that chance
    would make one peak in a hundred images. Its power, less that of the surroundings,
    counts as periodic.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        What was made of an empty image, at least 32 x 32 pixels; its border is faded
        out (Hann).

    Returns
    -------
    float
        Share of the variance in peaks of at least eight periods across the image; 0
        for noise of any smooth spectrum, and for a flat image.

    Raises
    ------
    TypeError
        If the image does not hold real numbers.
    ValueError
        If it is smaller than 32 x 32, not two-dimensional or not finite.

    Notes
    -----
    The surroundings of a peak are a square ring 6 to 10 coefficients away. Of the
    medians in its four quadrants the highest counts: on a slope, or at the end of the
    spectrum, a coefficient has to exceed what lies uphill. The smaller a patch of
    lattice is, the wider are its peaks: of one that is smaller than a third of the
    image, part of the power goes unnoticed.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * np.arange(64) / 4) * np.ones((64, 1))
    >>> noise = np.random.default_rng(0).normal(size=(64, 64))
    >>> round(peak_share(wave), 3), peak_share(noise), peak_share(np.ones((64, 64)))
    (1.0, 0.0, 0.0)
    """
    image = check_image(image).astype(np.float64)
    if min(image.shape) < 32:
        msg = f"image must be at least 32 x 32 pixels; got shape {image.shape}"
        raise ValueError(msg)
    if np.ptp(image) <= 1e-6 * np.abs(image).max():  # flat, to float32's rounding
        return 0.0
    height, width = image.shape
    window = np.outer(*(np.sin(np.pi * np.arange(n) / n) ** 2 for n in image.shape))
    power = np.abs(np.fft.fft2((image - np.average(image, weights=window)) * window))
    power **= 2
    side = 2 * _LOBE + 1
    top = power == ndimage.maximum_filter(power, side, mode="wrap")
    rows, columns = (np.fft.fftfreq(n, 1 / n) for n in image.shape)
    top &= np.hypot(rows[:, None], columns) >= _PERIODS
    peaks = np.argwhere(top)
    background = _surroundings(power, peaks)
    # the spectrum of a real image holds each of its coefficients twice
    uphill = np.log(100 * power.size / 2) * background.max(axis=0)
    stands = power[tuple(peaks.T)] > uphill
    stands &= power[tuple(peaks.T)] > _LEAST * power.sum()
    floor = np.full(power.shape, np.nan)
    step = np.arange(-_LOBE, _LOBE + 1)
    levels = background.mean(axis=0)[stands]
    for (row, column), level in zip(peaks[stands], levels, strict=True):
        floor[np.ix_((row + step) % height, (column + step) % width)] = level
    inside = np.isfinite(floor)
    return float(max((power - floor)[inside].sum(), 0.0) / power.sum())


def _surroundings(power: NDArray, peaks: NDArray) -> NDArray:
    """Mean power in each of four quadrants around each peak (4, n), from medians."""
    step = np.arange(-_RING, _RING + 1)
    down, right = (grid.ravel() for grid in np.meshgrid(step, step, indexing="ij"))
    ring = np.maximum(np.abs(down), np.abs(right)) > _LOBE
    levels = []
    for up, left in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        here = ring & (up * down >= 0) & (left * right >= 0)
        rows = (peaks[:, :1] + down[here]) % power.shape[0]
        columns = (peaks[:, 1:] + right[here]) % power.shape[1]
        levels.append(np.median(power[rows, columns], axis=1))
    return np.array(levels) / np.log(2)  # the median of exponential scatter


def column_audit(
    denoiser: Denoiser,
    benchmark: Benchmark,
    rows: Sequence[int],
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> pd.DataFrame:
    """Count the particle's columns that a denoiser finds, loses and invents.

    Parameters
    ----------
    denoiser : callable
        Image to image.
    benchmark : Benchmark
        Of structures that `default_recipes` lists.
    rows : sequence of int
        Of its table.
    dose : float, default 0.45
        Mean count in vacuum [electrons per pixel].
    seed : int
        Of the counts, which depend on (seed, row) alone.
    pixel : float, default 0.0622
        Side of a pixel; that of the paper's movies if not given [angstrom].

    Returns
    -------
    pandas.DataFrame
        A row for each image: its number in the benchmark as ``row``, its labels, the
        ``polarity`` of its columns, the median of their ``score``, and of the
        particle's columns how many there are (``columns``), how many the finder sees in
        the clean image (``seen``), how many it finds in the denoised one (``found``),
        and how many in both (``kept``). Then what is found where nothing is: in the
        clean image (``ghosts``), in the denoised one (``false``), and in the denoised
        one only (``invented``). ``limit`` is seen / columns, ``recall`` found /
        columns, ``recall_seen`` kept / seen, ``precision`` found / (found + false);
        ``psnr`` is the authors' [dB].

    Raises
    ------
    ValueError
        If there are no rows, a structure is not known, or `dose` or `pixel` is not
        positive.

    See Also
    --------
    sbd.audits.inspection.inspect_columns : How columns are found and matched.

    Examples
    --------
    >>> column_audit(np.array, Benchmark, [], seed=0)
    Traceback (most recent call last):
    ValueError: rows must name at least one image; got none
    """
    if not len(rows):
        msg = "rows must name at least one image; got none"
        raise ValueError(msg)
    options = {"dose": dose, "seed": seed, "pixel": pixel}
    return tabulate_inspections(
        inspect_columns(denoiser, benchmark, int(row), **options) for row in rows
    )


def inspect_rows(
    denoisers: Mapping[str, Denoiser],
    benchmark: Benchmark,
    rows: Sequence[int],
    *,
    dose: float = VACUUM,
    seed: int,
    pixel: float = PIXEL,
) -> dict[str, list[Inspection]]:
    """Inspect the same counts of several images with several denoisers.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    benchmark, rows, dose, seed, pixel
        As for `column_audit`.

    Returns
    -------
    dict of str to list of Inspection
        By name, in the order of `rows`.

    Examples
    --------
    >>> inspect_rows({"raw": np.array}, Benchmark, [], seed=0)
    {'raw': []}
    """
    options = {"dose": dose, "seed": seed, "pixel": pixel}
    return {
        name: [inspect_columns(denoise, benchmark, row, **options) for row in rows]
        for name, denoise in denoisers.items()
    }


def tabulate_inspections(inspections: Iterable[Inspection]) -> pd.DataFrame:
    """Write what was found in each image into the table of `column_audit`.

    Parameters
    ----------
    inspections : iterable of Inspection
        From `sbd.audits.inspection.inspect_columns`.

    Returns
    -------
    pandas.DataFrame
        A row for each, see `column_audit`.

    Examples
    --------
    >>> from types import SimpleNamespace as Like
    >>> counts = {"columns": 10, "seen": 8, "found": 9, "kept": 8, "false": 0}
    >>> one = Like(labels={"row": 7}, counts=counts)
    >>> tabulate_inspections([one])[["row", "limit", "recall"]].values.tolist()
    [[7.0, 0.8, 0.9]]
    """
    table = pd.DataFrame([one.labels | one.counts for one in inspections])
    return table.assign(**_ratios(table))


def recall_by_score(
    inspections: Iterable[Inspection], edges: Sequence[float] = tuple(range(8))
) -> pd.DataFrame:
    """Tell which share of the columns is found, by what their counts can tell.

    Parameters
    ----------
    inspections : iterable of Inspection
        From `sbd.audits.inspection.inspect_columns`; their columns are taken together.
    edges : sequence of float, default 0 to 7
        Bounds of the classes, in ascending order [standard deviations]; the last class
        has no upper bound.

    Returns
    -------
    pandas.DataFrame
        By the lower bound of the ``score``: how many ``columns`` there are, and the
        ``recall``, the share of them that is found. Empty classes are left out.

    Examples
    --------
    >>> from types import SimpleNamespace as Like
    >>> one = Like(scores=np.array([0.5, 3.1, 3.2]), found=np.array([0, 1, 0], bool))
    >>> recall_by_score([one])["recall"].to_dict()
    {0: 0.0, 3: 0.5}
    """
    pairs = [(one.scores, one.found) for one in inspections]
    scores, found = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    lower = np.asarray(edges)[np.searchsorted(edges, scores, side="right") - 1]
    table = pd.DataFrame({"score": lower, "found": found}).groupby("score")["found"]
    return table.agg(columns="size", recall="mean")


def summarise_audit(table: pd.DataFrame) -> dict[str, float]:
    """Sum up a `column_audit`, all columns of all images together.

    Parameters
    ----------
    table : pandas.DataFrame
        From `column_audit`, or some rows of it.

    Returns
    -------
    dict
        How many ``images`` and ``columns``, the ratios of `column_audit` over all
        columns, ``ghosts``, ``false`` and ``invented`` columns per image, and the mean
        ``psnr``.

    Examples
    --------
    >>> names = ("columns", "seen", "found", "kept", "ghosts", "false", "invented")
    >>> table = pd.DataFrame([(10, 10, 9, 9, 0, 1, 1), (10, 8, 8, 7, 1, 2, 1)],
    ...                      columns=names).assign(psnr=30.0)
    >>> summary = summarise_audit(table)
    >>> summary["recall"], summary["limit"], summary["invented"]
    (0.85, 0.9, 1.0)
    """
    total = table.select_dtypes("number").sum()
    means = table[["ghosts", "false", "invented", "psnr"]].mean()
    ratios = {name: float(value) for name, value in _ratios(total).items()}
    sizes = {"images": len(table), "columns": int(total["columns"])}
    return sizes | ratios | {name: float(value) for name, value in means.items()}


def legible(table: pd.DataFrame) -> pd.Series:
    """Tell in which images of a `column_audit` the truth itself shows the columns.

    Parameters
    ----------
    table : pandas.DataFrame
        From `column_audit`.

    Returns
    -------
    pandas.Series of bool
        Whether the finder sees at least 90 % of the columns in the clean image. Near
        the focus at which contrast reverses it does not, and to find those columns
        after denoising would be luck.

    Examples
    --------
    >>> legible(pd.DataFrame({"columns": [10, 10], "seen": [10, 8]})).tolist()
    [True, False]
    """
    return table["seen"] >= _LEGIBLE * table["columns"]


def spread_rows(table: pd.DataFrame, number: int) -> list[int]:
    """Choose images evenly over structures, tilts and defoci.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a benchmark, or some rows of it; every structure at every tilt and defocus.
    number : int
        How many; all if there are no more.

    Returns
    -------
    list of int
        Labels of rows, in ascending order; of a benchmark's table, their numbers. Each
        structure, tilt and defocus is there as often as any other, give or take one.

    Raises
    ------
    ValueError
        If `number` is below 1.

    Examples
    --------
    >>> grid = [(s, x, 0.0, f) for s in "ab" for x in (0.0, 1.0) for f in range(4)]
    >>> names = ["structure", "tilt_x", "tilt_y", "defocus"]
    >>> spread_rows(pd.DataFrame(grid, columns=names), 4)
    [0, 6, 11, 13]
    """
    if number < 1:
        msg = f"number must be at least 1; got {number}"
        raise ValueError(msg)
    keys = [["structure"], ["tilt_x", "tilt_y"], ["defocus"]]
    pairs = [a + b for a, b in itertools.combinations(keys, 2)]
    groups = [table.groupby(names).ngroup().to_numpy() for names in keys + pairs]
    # what was taken equally often is in no order, so that no two axes keep in step
    cost, chosen = 1e-6 * np.random.default_rng(0).random(len(table)), []
    for _ in range(min(number, len(table))):
        best = int(cost.argmin())
        chosen.append(best)
        cost[best] = np.inf
        for group, price in zip(groups, (1.0,) * 3 + (1e-4,) * 3, strict=True):
            cost[group == group[best]] += price
    return sorted(table.index[chosen].tolist())


def _ratios(table: pd.DataFrame | pd.Series) -> dict[str, NDArray]:
    """Divide the counts of an audit, or their totals."""
    claimed = table["found"] + table["false"]
    return {
        "limit": _ratio(table["seen"], table["columns"]),
        "recall": _ratio(table["found"], table["columns"]),
        "recall_seen": _ratio(table["kept"], table["seen"]),
        "precision": _ratio(table["found"], claimed),
    }


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray:
    """Divide; of nothing, nothing is lost."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)
