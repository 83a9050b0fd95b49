"""Do the data support this atom? Poisson likelihoods of columns against vacuum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from sbd.columns.discs import count_vacuum, disc_pixels, vacuum_region
from sbd.columns.finding import Columns, find_columns
from sbd.simulation.noise import VACUUM
from sbd.typing import Image
from sbd.validation import (
    check_between,
    check_counts,
    check_image,
    check_positive,
    check_shape,
)

_LEAST = 1e-3  # a mean below this part of the vacuum is raised to it: see the ratio


@dataclass(frozen=True, eq=False)
class LikelihoodMap:
    """A picture of how far the counts support each column [nats per pixel]."""

    image: Image  # ratios in their discs, `vacuum_ratio` in its region, NaN between
    columns: Columns  # that were judged
    ratios: NDArray[np.float64]  # of each column
    vacuum_ratio: float  # what the same columns would score in the vacuum region
    vacuum_region: NDArray[np.bool_]  # (height, width)


def log_likelihood_ratio(
    noisy: Image,
    denoised: Image,
    columns: Columns,
    *,
    vacuum: float = VACUUM,
    intensity: Literal["pixels", "mean"] = "pixels",
) -> NDArray[np.float64]:
    r"""Compare the denoised image with vacuum as an account of each column's counts.

    Over the pixels :math:`R` of a column's disc, with counts :math:`y`, denoised
    intensities :math:`x` and vacuum :math:`v`,

    .. math:: \frac{1}{|R|} \log \frac{p(y_R \mid x_R)}{p(y_R \mid v)}
              = \frac{1}{|R|} \sum_{i \in R} y_i \log \frac{x_i}{v} - (x_i - v)

    for Poisson counts; :math:`\log y_i!` cancels. Positive values speak for the column
    as it was denoised, negative ones for vacuum, and near zero the counts do not tell:
    either they are ambiguous or the denoised column hardly differs from vacuum. A
    denoiser that follows the noise scores too high, because it has seen the counts:
    columns that it invented have positive values as a rule, and `judge_columns` asks
    counts that it has not seen.

    The authors' form claims one mean for each disc, ``intensity="mean"``: of the counts
    only their number matters. The default claims each pixel as it was denoised, so that
    the column's shape matters as well. Where a disc is flat the two are the same.

    Source: Mohan et al., "Deep Denoising for Scientific Discovery: A Case Study in
    Electron Microscopy", IEEE Trans. Comput. Imaging 8 (2022).

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    denoised : ndarray of shape (height, width)
        Denoised image of the same recording, in electrons per pixel. Values below a
        thousandth of `vacuum` are raised to it: a Poisson mean is positive.
    columns : Columns
        Columns to judge, each in the disc of its radius.
    vacuum : float, default 0.45
        Expected counts without the object [electrons per pixel].
    intensity : {"pixels", "mean"}, default "pixels"
        What is claimed of a column: the denoised intensity of each pixel, or, as the
        authors have it, in all of them their mean.

    Returns
    -------
    ndarray of shape (n,)
        Log-likelihood ratios [nats per pixel].

    Raises
    ------
    TypeError
        If an image does not hold real numbers.
    ValueError
        If an image is no image, counts are negative, the shapes differ, a column lies
        outside the image, `vacuum` is not positive or `intensity` is something else.

    Examples
    --------
    >>> column = Columns(np.array([[5.0, 5.0]]), np.array([3.0]), np.array([0.45]))
    >>> bright = np.full((11, 11), 0.9)
    >>> log_likelihood_ratio(bright, bright, column).round(3).tolist()
    [0.174]
    """
    noisy, *claims = check_claims(noisy, denoised, vacuum)
    discs = _Discs.of(columns, noisy.shape, claims, vacuum, intensity)
    return discs.ratios(noisy)


def column_significance(
    noisy: Image, denoised: Image, columns: Columns, *, vacuum: float = VACUUM
) -> NDArray[np.float64]:
    r"""Tell by how many standard deviations vacuum falls short of a column's score.

    If the disc is vacuum and the denoised image fixed, the summed log-likelihood ratio
    has mean :math:`\sum_i v w_i - (x_i - v)` and variance :math:`\sum_i v w_i^2`,
    :math:`w_i = \log (x_i / v)`, both exact; it is a sum over hundreds of pixels,
    so nearly normal.

    The score takes the denoised image as given beforehand. Where it was made from these
    very counts, the score is too high, the more so the more freely the denoiser follows
    the noise; an honest level needs counts that the denoiser has not seen.

    Parameters
    ----------
    noisy, denoised : ndarray of shape (height, width)
        As for `log_likelihood_ratio`.
    columns : Columns
        Columns to judge, each in the disc of its radius.
    vacuum : float, default 0.45
        Expected counts without the object [electrons per pixel].

    Returns
    -------
    ndarray of shape (n,)
        Standard scores: large positive values rule out vacuum; 0 where the denoised
        image is the vacuum.

    Raises
    ------
    TypeError, ValueError
        As for `log_likelihood_ratio`.

    Examples
    --------
    >>> column = Columns(np.array([[9.0, 9.0]]), np.array([8.0]), np.array([0.15]))
    >>> claim = np.full((19, 19), 0.6)
    >>> counts = np.random.default_rng(0).poisson(0.45, size=claim.shape)
    >>> column_significance(counts, claim, column).round(1).tolist()
    [1.0]
    """
    noisy, logs, _ = check_claims(noisy, denoised, vacuum)
    which, pixels = disc_pixels(columns, noisy.shape)
    surplus = (noisy[pixels] - vacuum) * logs[pixels]
    surplus = np.bincount(which, weights=surplus, minlength=len(columns))
    variance = vacuum * np.bincount(
        which, weights=logs[pixels] ** 2, minlength=len(columns)
    )
    return surplus / np.sqrt(np.where(variance > 0, variance, np.inf))


def supported_columns(p_values: ArrayLike, *, level: float = 0.05) -> NDArray[np.bool_]:
    """Pick columns so that few of them are vacuum.

    Source: Benjamini, Hochberg, "Controlling the false discovery rate", J. R. Stat.
    Soc. B 57 (1995).

    Parameters
    ----------
    p_values : array_like of shape (n,)
        Such as those of `sbd.column_p_values`.
    level : float, default 0.05
        False discovery rate: the mean share of vacuum among those picked is at most
        this (Benjamini and Hochberg's step-up).

    Returns
    -------
    ndarray of bool of shape (n,)
        True for columns that the counts support.

    Raises
    ------
    ValueError
        If `level` or a p-value is not between 0 and 1.

    Examples
    --------
    >>> supported_columns([1e-6, 0.4, 0.003, 0.04]).tolist()
    [True, False, True, False]
    """
    check_between(level, "level")
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        msg = f"p_values must be one row of numbers from 0 to 1; got {p_values}"
        raise ValueError(msg)
    if p_values.size == 0:
        return np.zeros(0, dtype=bool)
    return stats.false_discovery_control(p_values, method="bh") <= level


def unsupported_columns(
    significance: NDArray[np.float64], *, level: float = 0.05
) -> NDArray[np.bool_]:
    """Pick the columns that the counts do not tell from vacuum.

    All others are called supported; on average about a fraction `level` of those are
    vacuum (`supported_columns` of the one-sided normal p-values), if the claim was made
    from other counts and discs hold a hundred electrons or more: among fewer the normal
    law is too kind to bright columns, and `column_p_values` is exact. To be unsupported
    is no proof of absence: in one image at the paper's dose a platinum column is worth
    an expected score of 2 to 3 only.

    Parameters
    ----------
    significance : ndarray of shape (n,)
        Standard scores from `column_significance`.
    level : float, default 0.05
        False discovery rate among the supported columns.

    Returns
    -------
    ndarray of bool of shape (n,)
        True for columns without support.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1, or `significance` is not one row of numbers.

    Examples
    --------
    >>> unsupported_columns([5.0, 0.3, 4.0, 2.2]).tolist()
    [False, True, False, False]
    """
    scores = np.asarray(significance, dtype=np.float64)
    if scores.ndim != 1 or np.isnan(scores).any():
        msg = f"significance must be one row of numbers; got {significance}"
        raise ValueError(msg)
    return ~supported_columns(stats.norm.sf(scores), level=level)


def likelihood_map(
    noisy: Image,
    denoised: Image,
    columns: Columns | None = None,
    *,
    vacuum: float = VACUUM,
    guard: float | None = None,
    intensity: Literal["pixels", "mean"] = "pixels",
) -> LikelihoodMap:
    r"""Draw the log-likelihood ratio of every column, and the vacuum for comparison.

    Each column's disc holds its ratio. The vacuum region is what lies farther than
    `guard` from every column, less what is too narrow for a disc of half the guard's
    radius. Its value is what the columns' claims would score on vacuum: the mean over
    the columns of their ratio with every count replaced by the region's mean count. It
    is negative if `vacuum` is right, and a disc of that colour is what an atom without
    any support would look like. (The region's own denoised image, being flat, would
    always score 0.)

    The map shows how well the counts agree with an image that was made from them, and
    does not find what was invented: see `log_likelihood_ratio`.

    Parameters
    ----------
    noisy, denoised : ndarray of shape (height, width)
        As for `log_likelihood_ratio`.
    columns : Columns, optional
        Columns to judge; by default those found in the denoised image.
    vacuum : float, default 0.45
        Expected counts without the object [electrons per pixel]; the mean of an empty
        corner, say. A warning tells where it does not fit the image.
    guard : float, optional
        Distance from a column's centre to the vacuum region [pixels]; by default the
        median distance between neighbouring columns (4 radii of a lone one).
    intensity : {"pixels", "mean"}, default "pixels"
        As for `log_likelihood_ratio`; the authors' map has the second.

    Returns
    -------
    LikelihoodMap
        The picture, ``image``, and the numbers in it: ``columns``, ``ratios``,
        ``vacuum_region`` and ``vacuum_ratio``, which is 0 if there are no columns and
        NaN if there is no such region.

    Raises
    ------
    TypeError
        As for `log_likelihood_ratio`.
    ValueError
        As for `log_likelihood_ratio`, or if `guard` is not positive.

    Examples
    --------
    >>> y, x = np.mgrid[:120, :120]
    >>> atom = 0.45 + 0.2 * np.exp(-((y - 40) ** 2 + (x - 40) ** 2) / 72)
    >>> support = likelihood_map(atom, atom)
    >>> support.ratios.round(3).tolist(), round(support.vacuum_ratio, 3)
    ([0.017], -0.016)
    """
    noisy, *claims = check_claims(noisy, denoised, vacuum)
    if columns is None:
        columns = find_columns(denoised)
    if guard is not None:
        check_positive(guard=guard)
    discs = _Discs.of(columns, noisy.shape, claims, vacuum, intensity)
    ratios = discs.ratios(noisy)
    region = vacuum_region(columns, noisy.shape, guard)
    vacuum_ratio = np.nan
    if region.any():
        counted = count_vacuum(noisy, region, vacuum)
        empty = discs.ratios(float(counted))
        vacuum_ratio = float(empty.mean()) if len(empty) else 0.0
    image = np.where(region, vacuum_ratio, np.nan)
    image[discs.pixels] = ratios[discs.which]
    return LikelihoodMap(image, columns, ratios, vacuum_ratio, region)


def check_claims(
    noisy: Image, denoised: Image, vacuum: float, name: str = "denoised"
) -> tuple[Image, NDArray[np.float64], NDArray[np.float64]]:
    """Return the counts, log(x / v) and x - v, in double precision."""
    noisy = check_counts(noisy).astype(np.float64)
    denoised = check_image(denoised, name).astype(np.float64)
    check_shape(denoised, name, noisy, "noisy")
    check_positive(vacuum=vacuum)
    denoised = np.maximum(denoised, _LEAST * vacuum)
    return noisy, np.log(denoised / vacuum), denoised - vacuum


@dataclass(frozen=True)
class _Discs:
    """The pixels of each column's disc, and what is claimed of them."""

    number: int
    which: NDArray[np.intp]
    pixels: tuple[NDArray[np.intp], NDArray[np.intp]]
    logs: NDArray[np.float64]
    excess: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        columns: Columns,
        shape: tuple[int, int],
        claims: Sequence[NDArray],
        vacuum: float,
        intensity: str,
    ) -> "_Discs":
        """Find the pixels; claims are log(x / v) and x - v, as of `check_claims`."""
        if intensity not in ("pixels", "mean"):
            msg = f"intensity must be 'pixels' or 'mean'; got {intensity!r}"
            raise ValueError(msg)
        which, pixels = disc_pixels(columns, shape)
        discs = cls(len(columns), which, pixels, *(claim[pixels] for claim in claims))
        if intensity == "pixels":
            return discs
        excess = discs.mean(discs.excess)[which]
        return replace(discs, logs=np.log1p(excess / vacuum), excess=excess)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values of the pixels over each disc."""
        count = np.bincount(self.which, minlength=self.number)
        return np.bincount(self.which, weights=values, minlength=self.number) / count

    def ratios(self, counts: Image | float) -> NDArray[np.float64]:
        """Average the ratio over each disc, for counts or if all pixels counted so."""
        counts = counts[self.pixels] if np.ndim(counts) else counts
        return self.mean(counts * self.logs - self.excess)
