r"""Does an estimate leave anything but noise? A test that needs no correction.

Of the counts a denoiser has seen, some of the noise went into its estimate: what is
left varies less than counts do, by as much as nobody knows. So the electrons are
thinned. The estimate is made of one half, and the other half :math:`B`, which it has
not seen, is Poisson around it if it is right: in blocks with the expected sums
:math:`x`

.. math:: z = (B - x) / \sqrt{x}, \qquad D = \overline{z^2}

has mean 0, and the dispersion :math:`D` mean 1. No degrees of freedom are used up. How
far chance alone takes :math:`D`, the products of neighbouring blocks and the largest
deviation is drawn from the Poisson counts themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from sbd.typing import Denoiser
from sbd.validation import (
    apply_denoiser,
    check_between,
    check_image,
    check_shape,
    check_whole,
)

_STEADY = 25  # electrons that a block is to hold
_LEAST = 16  # blocks, of which something can be told
_FLOOR = 1.0  # electrons in a block, below which an estimate is taken for that many
_FINEST = 4  # side of a block [pixels]
_WINDOWS = 1, 3, 7  # sides of squares of blocks that are looked at together
_WIDTH = 1.96  # standard errors of an interval of 95 %


@dataclass(frozen=True, eq=False)
class ResidualTest:
    """What an estimate leaves of electrons that it has not seen.

    Parameters
    ----------
    side : int
        Of the blocks [pixels].
    residuals : ndarray of shape (rows, columns)
        Of each block, in standard deviations of counts, averaged over the deals; NaN
        where it is not wholly in what was recorded.
    electrons : float
        Mean of what is expected in a block of the tested half.
    dispersion : float
        Mean square of the residuals of a deal, 1 if only chance is left.
    correlation : float
        Mean product of neighbouring ones, 0 if only chance is left.
    p_value : float
        That so much dispersion or correlation is left by chance: twice the smaller of
        two, each twice the median over the deals (once that of a single deal).
    p_low : float
        The same for so little dispersion, which independent counts do not have.
    error : (float, float, float)
        Root mean square of what the estimate is off in a block, relative to what is
        there, with the interval of 95 %.
    places : ndarray of shape (n, 2)
        (row, column) around which 1, 3 x 3 or 7 x 7 blocks differ, in more than half of
        the deals, by more than the largest difference that chance makes in 97.5 % of
        all images [pixels].
    deals : int
        Times that the electrons were thinned.
    """

    side: int
    residuals: NDArray[np.float64]
    electrons: float
    dispersion: float
    correlation: float
    p_value: float
    p_low: float
    error: tuple[float, float, float]
    places: NDArray[np.float64]
    deals: int


def judge_residuals(
    counts: ArrayLike,
    denoise: Denoiser,
    *,
    rng: np.random.Generator,
    recorded: ArrayLike | None = None,
    deals: int = 4,
    draws: int = 499,
    level: float = 0.025,
) -> ResidualTest:
    """Test whether an estimate of half the electrons leaves only noise of the others.

    Parameters
    ----------
    counts : array_like of shape (height, width)
        Whole counts [electrons per pixel].
    denoise : callable
        Image to image.
    rng : numpy.random.Generator
        Of the thinnings and of chance.
    recorded : array_like of bool of shape (height, width), optional
        Where there is dose; everywhere by default.
    deals : int, default 4
        Times that the electrons are thinned.
    draws : int, default 499
        Times that chance is drawn in each.
    level : float, default 0.025
        Of the places that are named.

    Returns
    -------
    ResidualTest
        Dispersion, correlation, p-values and places.

    Raises
    ------
    ValueError
        If `counts` is no image of whole counts, `recorded` or an estimate has another
        shape, or there are fewer than 16 blocks of 25 electrons.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> flat, wave = np.full((96, 96), 2.0), 2 + np.sin(np.arange(96) / 5)
    >>> mean = lambda y: np.full(y.shape, y.mean())
    >>> judge_residuals(rng.poisson(flat), mean, rng=rng).p_value > 0.01
    True
    >>> judge_residuals(rng.poisson(wave + 0 * flat), mean, rng=rng).p_value < 0.01
    True
    """
    image = check_image(counts, "counts", counts=True)
    whole = np.rint(image).astype(np.int64)
    if (whole != image).any():
        msg = f"counts must be whole numbers; got {image[whole != image][0]:g}"
        raise ValueError(msg)
    check_whole("deals", deals)
    check_whole("draws", draws, least=39)
    check_between(level, "level")
    some = np.ones(whole.shape, bool) if recorded is None else np.asarray(recorded)
    check_shape(some, "recorded", whole, "counts")
    side, inside = _choose_blocks(whole, some)
    found = []
    for _ in range(deals):
        seen = rng.binomial(whole, 0.5)
        estimate = apply_denoiser(denoise, seen.astype(np.float32)).astype(float)
        held, expected = _sum(whole - seen, side), _sum(estimate, side)
        found.append(_Deal(held, expected.clip(_FLOOR), inside, rng, draws, level))
    return _combine(found, side, inside)


class _Deal:
    """What one thinning says, and how often chance says as much."""

    def __init__(
        self,
        held: NDArray,
        expected: NDArray,
        inside: NDArray[np.bool_],
        rng: np.random.Generator,
        draws: int,
        level: float,
    ) -> None:
        self.z, most = _normalise(held, expected, inside)
        self.dispersion, self.correlation = _measure(self.z, inside)
        self.electrons = float(expected[inside].mean())
        # the mean of (B - x)^2 - B is the squared error of x, whatever B is around
        square = ((held - expected) ** 2 - held)[inside]
        self.square = float(square.mean())
        self.square_error = float(square.std(ddof=1) / np.sqrt(square.size))
        chance = np.empty((draws, 3))
        for one in chance:
            z, around = _normalise(rng.poisson(expected), expected, inside)
            one[:] = *_measure(z, inside), around.max()
        spread, product, largest = chance.T
        self.p_spread = _rank(np.sum(spread >= self.dispersion), draws)
        self.p_product = _rank(np.sum(product >= self.correlation), draws)
        self.p_low = _rank(np.sum(spread <= self.dispersion), draws)
        self.odd = most > np.quantile(largest, 1 - level, method="higher")


def _choose_blocks(
    counts: NDArray[np.int64], some: NDArray[np.bool_]
) -> tuple[int, NDArray[np.bool_]]:
    """Choose the smallest blocks that hold enough; also which were wholly recorded."""
    mean = counts[some].mean() / 2 if some.any() else 0.0
    side = max(_FINEST, int(np.ceil(np.sqrt(_STEADY / mean)))) if mean else 0
    fits = side and side <= min(counts.shape)
    inside = _sum(some, side) == side**2 if fits else np.zeros((1, 1), bool)
    if inside.sum() < _LEAST:
        msg = (
            f"counts must fill {_LEAST} blocks of {_STEADY} electrons in each half, to "
            f"tell what an estimate leaves; got {inside.sum()}"
        )
        raise ValueError(msg)
    return side, inside


def _sum(values: NDArray, side: int) -> NDArray:
    """Sum blocks; what is left over at the end is left out."""
    rows, columns = (n // side for n in values.shape)
    cut = values[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).sum((1, 3))


def _normalise(
    held: NDArray, expected: NDArray, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give what is left of each block by its noise, and the most in any square there.

    The second is a magnitude, of all squares of blocks around the block.
    """
    left = np.where(inside, held - expected, 0.0)
    variance = np.where(inside, expected, 0.0)
    most = np.zeros(left.shape)
    for side in _WINDOWS:
        square = np.ones(side)
        sums = [left, variance]
        for axis in (0, 1):
            sums = [ndimage.convolve1d(v, square, axis, mode="constant") for v in sums]
        most = np.maximum(most, np.abs(sums[0]) / np.sqrt(sums[1].clip(_FLOOR)))
    return left / np.sqrt(expected), np.where(inside, most, 0.0)


def _measure(z: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean square, and mean product of neighbours."""
    products = (z[1:] * z[:-1]).sum() + (z[:, 1:] * z[:, :-1]).sum()
    pairs = (inside[1:] & inside[:-1]).sum() + (inside[:, 1:] & inside[:, :-1]).sum()
    return float(np.square(z[inside]).mean()), float(products / max(pairs, 1))


def _rank(above: int, draws: int) -> float:
    """Probability of what no fewer than so many draws reach."""
    return float((1 + above) / (1 + draws))


def _combine(found: list[_Deal], side: int, inside: NDArray[np.bool_]) -> ResidualTest:
    """Say what all deals say together: thinnings share their electrons."""

    def middle(name: str) -> float:
        several = 2 if len(found) > 1 else 1
        return float(several * np.median([getattr(one, name) for one in found]))

    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in found]))

    square, width = mean("square"), _WIDTH * mean("square_error")
    ends = np.array([square, square - width, square + width])
    electrons = mean("electrons")
    odd = np.mean([one.odd for one in found], axis=0) > 0.5
    parts, number = ndimage.label(odd, np.ones((3, 3)))
    centres = ndimage.center_of_mass(odd, parts, range(1, number + 1))
    places = (np.reshape(centres, (-1, 2)) + 0.5) * side - 0.5
    residuals = np.mean([one.z for one in found], axis=0)
    return ResidualTest(
        side=side,
        residuals=np.where(inside, residuals, np.nan),
        electrons=electrons,
        dispersion=mean("dispersion"),
        correlation=mean("correlation"),
        p_value=min(1.0, 2 * min(middle("p_spread"), middle("p_product"))),
        p_low=min(1.0, middle("p_low")),
        error=tuple((np.sqrt(ends.clip(0)) / electrons).tolist()),
        places=places,
        deals=len(found),
    )
