r"""Fourier-domain filters: keep what stands above the shot noise.

The shot noise of electron counts is white and its level is known: with the transform
:math:`F` of an image of :math:`N` pixels and mean :math:`m`, pure noise has
:math:`E|F|^2 = m N`. Nothing needs to be estimated from a background.
"""

import numpy as np
from scipy import fft, ndimage

from sbd.denoisers.gains import apply_gain, frequency_length
from sbd.denoisers.lowpass import denoise_butterworth
from sbd.typing import Image
from sbd.validation import check_counts, check_image, check_positive

_CLIPS = 3  # passes of the radial background, and the multiple it is clipped at


def denoise_spot_filter(
    noisy: Image,
    *,
    significance: float = 3.5,
    spot_radius: float = 0.003,
    centre_radius: float = 0.006,
    return_gain: bool = False,
) -> Image | tuple[Image, Image]:
    """Keep the Bragg spots and the centre of the Fourier transform, as an expert does.

    The mask is 1 in holes around them, which have at least one Fourier pixel and fade
    out over half a spot's radius. It carries the lattice over the whole image: expect
    fringes in the vacuum. Source: Mohan et al., IEEE Trans. Comput. Imaging 8 (2022):
    the "spot filter".

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    significance : float, default 3.5
        How many times the shot noise's power a spot must have, after smoothing over
        about a dozen Fourier pixels. Pure noise reaches 3.5 once in 10^8 pixels.
    spot_radius : float, default 0.003
        Radius of the hole around each spot [cycles/pixel]; about the inverse of the
        crystal's extent in pixels.
    centre_radius : float, default 0.006
        Radius of the hole at zero frequency, which keeps shapes and the mean
        [cycles/pixel].
    return_gain : bool, default False
        Whether to return the mask as well.

    Returns
    -------
    estimate : ndarray of shape (height, width)
        As float32, in electrons per pixel.
    gain : ndarray of shape (height, width)
        With `return_gain` only: from 0 to 1, zero frequency first, as float32.

    Raises
    ------
    TypeError
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`, or if another argument is not positive.

    Examples
    --------
    >>> fringes = 0.45 + 0.2 * np.cos(np.arange(64) * np.pi / 4) * np.ones((64, 1))
    >>> counts = np.random.default_rng(0).poisson(fringes)
    >>> estimate = denoise_spot_filter(counts)
    >>> float(np.sqrt(np.mean((estimate - fringes) ** 2))) < 0.05
    True
    """
    noisy = check_image(noisy, "noisy", counts=True)
    mask = spot_mask(
        noisy,
        significance=significance,
        spot_radius=spot_radius,
        centre_radius=centre_radius,
    )
    return apply_gain(noisy, mask, return_gain=return_gain)


def spot_mask(
    noisy: Image,
    *,
    significance: float = 3.5,
    spot_radius: float = 0.003,
    centre_radius: float = 0.006,
) -> Image:
    """Find the Bragg spots and draw a hole around each: 0 to 1, zero frequency first.

    Holes have at least one Fourier pixel, and fade out over half a spot's radius.
    """
    noisy = check_counts(noisy)
    check_positive(significance=significance)
    check_positive(spot_radius=spot_radius, centre_radius=centre_radius)
    pixel = 1 / min(noisy.shape)
    spot_radius, centre_radius = (max(r, pixel) for r in (spot_radius, centre_radius))
    frequency = frequency_length(noisy.shape)
    power = ndimage.gaussian_filter(_relative_power(noisy), 1, mode="wrap")
    spots = power == ndimage.maximum_filter(power, size=3, mode="wrap")
    spots &= (power > significance) & (frequency > centre_radius)
    outside = np.maximum(frequency - centre_radius, 0)
    if spots.any():
        near = _distance(spots, 5 * spot_radius)  # the mask is exp(-32) there
        outside = np.minimum(outside, np.maximum(near - spot_radius, 0))
    return np.exp(-2 * (outside / spot_radius) ** 2).astype(np.float32)


def denoise_wiener(
    noisy: Image,
    *,
    floor: str = "poisson",
    smoothing: float = 1.5,
    excess: float = 1.7,
    return_gain: bool = False,
) -> Image | tuple[Image, Image]:
    r"""Filter with the ratio of signal power to power, Kilaas' Wiener filter.

    The gain is :math:`G = \max(0, 1 - e B^2 / |F|^2)` with the background power
    :math:`B^2`. Kilaas takes a radial background, no smoothing and :math:`e = 1`
    (``floor="radial", smoothing=0, excess=1``). That leaves a fifth of the noise's
    power, which at 0.45 electrons per pixel still drowns the image, so the defaults use
    what is known here: the background is shot noise, and a single :math:`|F|^2` has as
    much scatter as mean. Source: Kilaas, "Optimal and near-optimal filters in
    high-resolution electron microscopy", J. Microscopy 190 (1998) 45.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    floor : {"poisson", "radial"}
        Background power: that of the shot noise, or the clipped mean over rings.
    smoothing : float, default 1.5
        Standard deviation of the Gaussian that :math:`|F|^2` is averaged with [Fourier
        pixels]; 0 for none.
    excess : float, default 1.7
        The factor :math:`e`. Averaged over about 28 Fourier pixels, pure noise reaches
        1.7 times its mean once in a thousand.
    return_gain : bool, default False
        Whether to return the gain as well.

    Returns
    -------
    ndarray, or a pair of them
        As from `denoise_spot_filter` [electrons per pixel].

    Raises
    ------
    TypeError
        As for `denoise_constant`.
    ValueError
        As for `denoise_constant`, if there is no such `floor`, or if a number is out of
        range.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> float(denoise_wiener(vacuum).std()) < 0.02
    True
    """
    noisy = check_image(noisy, "noisy", counts=True)
    gain = wiener_gain(noisy, floor=floor, smoothing=smoothing, excess=excess)
    return apply_gain(noisy, gain, return_gain=return_gain)


def denoise_absf(
    noisy: Image,
    *,
    floor: str = "poisson",
    smoothing: float = 1.5,
    excess: float = 1.7,
    return_gain: bool = False,
) -> Image | tuple[Image, Image]:
    r"""Subtract the average background from the amplitudes (ABSF).

    The gain is :math:`G = \max(0, 1 - \sqrt{e} B / |F|)`, the amplitudes' counterpart
    of `denoise_wiener`; it suppresses more. Source: Kilaas, "Optimal and near-optimal
    filters in high-resolution electron microscopy", J. Microscopy 190 (1998) 45.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    floor : {"poisson", "radial"}
        As for `denoise_wiener`.
    smoothing : float, default 1.5
        As for `denoise_wiener` [Fourier pixels].
    excess : float, default 1.7
        As for `denoise_wiener`.
    return_gain : bool, default False
        Whether to return the gain as well.

    Returns
    -------
    ndarray, or a pair of them
        As from `denoise_spot_filter` [electrons per pixel].

    Raises
    ------
    TypeError, ValueError
        As for `denoise_wiener`.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> float(denoise_absf(vacuum).std()) < 0.02
    True
    """
    noisy = check_image(noisy, "noisy", counts=True)
    gain = wiener_gain(noisy, floor=floor, smoothing=smoothing, excess=excess)
    return apply_gain(noisy, 1 - np.sqrt(1 - gain), return_gain=return_gain)


def wiener_gain(
    noisy: Image, *, floor: str = "poisson", smoothing: float = 1.5, excess: float = 1.7
) -> Image:
    """Return the Wiener filter's gain G; that of ABSF is 1 - sqrt(1 - G)."""
    noisy = check_counts(noisy)
    check_positive(excess=excess)
    if not smoothing >= 0:
        msg = f"smoothing must not be negative; got {smoothing!r}"
        raise ValueError(msg)
    if floor not in ("poisson", "radial"):
        msg = f"floor must be 'poisson' or 'radial'; got {floor!r}"
        raise ValueError(msg)
    power = _relative_power(noisy)
    background = np.float32(1) if floor == "poisson" else _radial_background(power)
    if smoothing:
        power = ndimage.gaussian_filter(power, smoothing, mode="wrap")
    noise = np.full_like(power, np.inf)
    np.divide(excess * background, power, out=noise, where=power > 0)
    return np.maximum(0, 1 - noise)


def _relative_power(noisy: Image) -> Image:
    """Power of an image without its mean, in units of its shot noise's power."""
    electrons = noisy.sum(dtype=np.float64)
    if electrons == 0:
        return np.zeros(noisy.shape, np.float32)
    spectrum = fft.fft2((noisy - electrons / noisy.size).astype(np.float32))
    return (spectrum.real**2 + spectrum.imag**2) / np.float32(electrons)


def _radial_background(power: Image) -> Image:
    """Mean power over rings one Fourier pixel wide, spots clipped away."""
    rings = np.rint(frequency_length(power.shape) * min(power.shape)).astype(np.intp)
    pixels = np.maximum(np.bincount(rings.ravel()), 1)
    clipped = power
    for _ in range(_CLIPS):
        mean = np.bincount(rings.ravel(), clipped.ravel()) / pixels
        background = mean[rings].astype(np.float32)
        clipped = np.minimum(power, _CLIPS * background)
    return background


def _distance(spots: np.ndarray, reach: float) -> Image:
    """Distance from the nearest spot [cycles/pixel] on the periodic Fourier grid.

    Right up to `reach`, which saves the memory of wrapping all of it.
    """
    height, width = spots.shape
    margin = [min(-(-n // 2), int(np.ceil(reach * n)) + 1) for n in spots.shape]
    wrapped = np.pad(spots, [(m, m) for m in margin], mode="wrap")
    distance = ndimage.distance_transform_edt(
        ~wrapped, sampling=(1 / height, 1 / width)
    )
    inside = tuple(slice(m, m + n) for m, n in zip(margin, spots.shape, strict=True))
    return distance[inside].astype(np.float32)


def filter_gains(noisy: Image, *, reach: float = 0.5) -> dict[str, Image]:
    """Get what each filter in Fourier space lets through, around zero frequency.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    reach : float, default 0.5
        Highest frequency shown, along rows and columns [cycles/pixel].

    Returns
    -------
    dict of str to ndarray
        Gains with the defaults, by the filters' names; zero frequency in the middle.

    Raises
    ------
    TypeError
        As for `denoise_spot_filter`.
    ValueError
        As for `denoise_spot_filter`, or if `reach` is not above 0.

    Examples
    --------
    >>> vacuum = np.random.default_rng(0).poisson(0.45, (64, 64))
    >>> {name: gain.shape for name, gain in filter_gains(vacuum, reach=0.25).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'spot filter': (32, 32), 'Kilaas Wiener': (32, 32), 'ABSF': (32, 32),
     'Butterworth': (32, 32)}
    """
    check_positive(reach=reach)
    filters = {
        "spot filter": denoise_spot_filter,
        "Kilaas Wiener": denoise_wiener,
        "ABSF": denoise_absf,
        "Butterworth": denoise_butterworth,
    }
    middle = tuple(
        slice(n // 2 - most, n // 2 + most)
        for n in np.shape(noisy)
        for most in [max(1, min(round(reach * n), n // 2))]
    )
    return {
        name: fft.fftshift(denoise(noisy, return_gain=True)[1])[middle]
        for name, denoise in filters.items()
    }
