r"""The microscope: atoms give an exit wave, the exit wave gives images.

The multislice calculation is abTEM's. Two things are done here because the images ask
for them: the layered potential is evaluated exactly in Fourier space (complex, with
Debye-Waller factor and absorption), and partial temporal coherence is an explicit
average of coherent images over the focal spread, whose foci a defocus series shares.

The contrast transfer of the wave is :math:`\exp(-i\chi(k))` with

.. math:: \chi(k) = \pi\lambda C_1 k^2 + \tfrac{\pi}{2} C_s \lambda^3 k^4
                    + \tfrac{\pi}{3} C_5 \lambda^5 k^6 .

Lengths in angstrom, angles in mrad, energies in eV.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.units import _c, _e, _hplanck, _me

from sbd.noise import VACUUM
from sbd.structures import check_tilts
from sbd.typing import Image

_WAVE_LIMIT = 3.2  # no wave component beyond this matters to the image [1/angstrom]
IMAGE_SAMPLES = 128
"""Samples that hold an image of a 50 angstrom box, to 1.28 per angstrom."""


@dataclass(frozen=True)
class Microscope:
    """Optics and specimen constants that reproduce the authors' images.

    Parameters
    ----------
    energy : float, default 300e3
        Energy of the electrons [eV].
    cs : float, default -1.3e5
        Third-order spherical aberration [angstrom].
    c5 : float, default 5e7
        Fifth-order spherical aberration [angstrom].
    focal_spread : float, default 40.0
        Half width at 1/e of the distribution of foci [angstrom].
    focal_step : float, default 10.0
        Distance between the foci that are averaged [angstrom].
    convergence : float, default 0.2
        Half width at 1/e of the illumination's angles [mrad].
    vibration : float, default 0.5
        Root mean square of the isotropic image vibration [angstrom].
    absorption : dict of str to float
        Imaginary over real part of the potential, by element.
    thermal : dict of str to float
        Root mean square thermal displacement along one axis, by element [angstrom].

    Examples
    --------
    >>> round(Microscope().wavelength, 5)
    0.01969
    """

    energy: float = 300e3
    cs: float = -1.3e5
    c5: float = 5e7
    focal_spread: float = 40.0
    focal_step: float = 10.0
    convergence: float = 0.2
    vibration: float = 0.5
    absorption: dict[str, float] = field(
        default_factory=lambda: {"Pt": 0.048, "Ce": 0.023}
    )
    thermal: dict[str, float] = field(
        default_factory=lambda: {"Pt": 0.075, "Ce": 0.065, "O": 0.096}
    )

    def __post_init__(self) -> None:
        for name in ("cs", "c5", "focal_spread", "convergence", "vibration"):
            if not np.isfinite(getattr(self, name)):
                msg = f"{name} must be finite; got {getattr(self, name)}"
                raise ValueError(msg)
        if not 10e3 <= self.energy <= 3e6:
            msg = f"energy must be 10e3 to 3e6 eV; got {self.energy}"
            raise ValueError(msg)
        for name in ("focal_spread", "convergence", "vibration"):
            if getattr(self, name) < 0:
                msg = f"{name} must not be negative; got {getattr(self, name)}"
                raise ValueError(msg)
        if self.focal_step <= 0:
            msg = f"focal_step must be positive; got {self.focal_step}"
            raise ValueError(msg)

    @property
    def wavelength(self) -> float:
        """Relativistic wavelength of the electrons [angstrom]."""
        rest = _me * _c**2 / _e
        momentum = np.sqrt(self.energy * (self.energy + 2 * rest)) * _e / _c
        return float(_hplanck / momentum * 1e10)

    def aberration(self, k2: np.ndarray, c1: float) -> np.ndarray:
        """Phase of the aberrations at squared spatial frequencies [rad].

        Parameters
        ----------
        k2 : ndarray
            Squared spatial frequency [1/angstrom^2].
        c1 : float
            Defocus, positive for overfocus [angstrom].

        Returns
        -------
        ndarray
            Phase, of the shape of `k2` [rad].
        """
        w = self.wavelength
        terms = c1 + k2 * w**2 * (self.cs / 2 + k2 * w**2 * self.c5 / 3)
        return np.pi * w * k2 * terms


@dataclass(frozen=True)
class ExitWave:
    """The electron wave behind the specimen, as Fourier coefficients.

    Parameters
    ----------
    spectrum : ndarray of shape (m, m), complex
        Coefficients in the order of ``numpy.fft.fft2``, axes (row, column); the vacuum
        has amplitude 1.
    box : float
        Side of the square field [angstrom].
    microscope : Microscope
        What it was calculated for.
    """

    spectrum: np.ndarray
    box: float
    microscope: Microscope


def exit_wave(
    atoms: Atoms,
    microscope: Microscope | None = None,
    *,
    grid: int = 512,
    tilts: Sequence[tuple[float, float]] | None = None,
) -> ExitWave | list[ExitWave]:
    """Propagate a plane wave through the atoms by the multislice method.

    Parameters
    ----------
    atoms : ase.Atoms
        Specimen in a box that is square across the beam (z); a crystal tilt in degrees
        in ``atoms.info["tilt"]`` goes into the propagator.
    microscope : Microscope, optional
        Energy, absorption and thermal motion are used here.
    grid : int, default 512
        Samples of each side of the box, at least 64; the wave is band-limited at two
        thirds of what it can hold.
    tilts : sequence of (tilt_x, tilt_y), optional
        Several tilts that share one potential, instead of the one in `atoms`
        [degrees].

    Returns
    -------
    ExitWave or list of ExitWave
        One wave, or one for each of `tilts`.

    Raises
    ------
    ValueError
        If the box is not square, `grid` is too small, or a tilt is none.
    ImportError
        If abTEM is not installed.

    Notes
    -----
    A tilt displaces what lies earlier along the beam: a positive tilt about x moves it
    down the rows, a positive tilt about y to the right, while the last layer stays.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> wave = exit_wave(pt_on_ceria("PtNp4", thickness=30.0), grid=64)
    >>> wave.box
    50.0
    """
    microscope = microscope or Microscope()
    box = float(atoms.cell.lengths()[0])
    if box == 0 or not np.allclose(atoms.cell[:2], np.eye(3)[:2] * box, atol=1e-6):
        msg = f"atoms must be in a box that is square across z; got {atoms.cell[:]}"
        raise ValueError(msg)
    check_grid(grid)
    own = atoms.info.get("tilt", (0.0, 0.0))
    wanted = check_tilts([own] if tilts is None else tilts)
    array, thicknesses = _layered_potential(atoms, microscope, grid)
    waves = _multislice(array, thicknesses, box, microscope, wanted)
    keep = min(2 * int(np.ceil(_WAVE_LIMIT * box)), grid)
    spectra = crop_spectrum(np.fft.fft2(waves), keep) / grid**2
    result = [ExitWave(spectrum, box, microscope) for spectrum in spectra]
    return result if tilts is not None else result[0]


def form_image(
    wave: ExitWave,
    *,
    defocus: float | Sequence[float],
    samples: int | tuple[int, int] = IMAGE_SAMPLES,
    microscope: Microscope | None = None,
    dose: float = VACUUM,
) -> Image:
    """Record what the objective lens makes of an exit wave.

    Parameters
    ----------
    wave : ExitWave
        From `exit_wave`.
    defocus : float or sequence of float
        C1, positive for overfocus as in the paper's file names [angstrom]; a series
        shares its foci, so it costs little more than one image.
    samples : int or tuple of int, default 128
        Samples of the box, (height, width); the interpolation is exact. Give
        ``round(50 / pixel)`` for a pixel in angstrom.
    microscope : Microscope, optional
        Optics, if they differ from those the wave came with.
    dose : float, default 0.45
        Mean intensity of the vacuum [electrons per pixel].

    Returns
    -------
    ndarray of shape (height, width) or (foci, height, width)
        Expected electrons per pixel, float32; row 0 is at the top of the box.

    Raises
    ------
    ValueError
        If `samples` is below 16 or `defocus` is empty or not finite.

    Notes
    -----
    Coherent images are averaged over a Gaussian of foci out to 3.5 standard deviations;
    the illumination's angles damp the wave through the gradient of the aberration
    phase; vibration damps the image.

    Examples
    --------
    >>> vacuum = np.zeros((8, 8), complex)
    >>> vacuum[0, 0] = 1
    >>> wave = ExitWave(vacuum, 50.0, Microscope())
    >>> image = form_image(wave, defocus=60.0, samples=16)
    >>> round(float(image.max()), 3)
    0.45
    """
    shape = (samples, samples) if np.ndim(samples) == 0 else tuple(samples)
    if min(shape) < 16:
        msg = f"samples must be at least 16; got {samples}"
        raise ValueError(msg)
    if not np.size(defocus) or not np.isfinite(defocus).all():
        msg = f"defocus must be one or more finite numbers; got {defocus}"
        raise ValueError(msg)
    scope = microscope or wave.microscope
    series = np.atleast_1d(np.asarray(defocus, float))
    foci, weights = _foci(series, scope)
    m = wave.spectrum.shape[0]
    k = np.fft.fftfreq(m, wave.box / m)
    k2 = k[:, None] ** 2 + k**2
    small = min(_image_samples(wave.box, scope), m)
    damping = np.exp(-2 * np.pi**2 * scope.vibration**2 * crop_spectrum(k2, small))
    spectra = np.zeros((len(series), small, small), np.complex64)
    fan = _illumination(k2, scope)
    for focus, weight in zip(foci, weights.T, strict=True):
        phase = scope.aberration(k2, focus)
        psi = np.fft.ifft2(wave.spectrum * fan(focus) * np.exp(-1j * phase)) * m**2
        intensity = crop_spectrum(np.fft.fft2(np.abs(psi) ** 2), small) / m**2
        spectra += weight[:, None, None] * intensity
    images = dose * resample(spectra * damping, shape)
    return images if np.ndim(defocus) else images[0]


def resample(spectrum: np.ndarray, shape: tuple[int, int]) -> Image:
    """Evaluate a band-limited periodic image on a grid of any size, exactly.

    Parameters
    ----------
    spectrum : ndarray of shape (..., m, m), complex
        Fourier coefficients, ``fft2(image) / m**2``.
    shape : tuple of int
        (height, width) wanted; a coarser grid drops the frequencies it cannot hold.

    Returns
    -------
    ndarray of shape (..., height, width)
        Values, as float32.

    Examples
    --------
    >>> flat = np.zeros((4, 4), complex)
    >>> flat[0, 0] = 2
    >>> float(resample(flat, (6, 5)).mean())
    2.0
    """
    full = crop_spectrum(spectrum, shape) * (shape[0] * shape[1])
    return np.fft.ifft2(full).real.astype(np.float32)


def crop_spectrum(spectrum: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Keep, or pad to, the lowest frequencies of an ``fft2`` array.

    Parameters
    ----------
    spectrum : ndarray of shape (..., m, n)
        In the order of ``numpy.fft.fft2``.
    size : int or tuple of int
        (height, width) wanted.

    Returns
    -------
    ndarray of shape (..., height, width)
        The same coefficients without those that do not fit (the Nyquist row of an even
        size included), zeros where there were none.

    Examples
    --------
    >>> crop_spectrum(np.arange(16.0).reshape(4, 4), 2).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    size = (size, size) if np.ndim(size) == 0 else size
    result = np.zeros(spectrum.shape[:-2] + tuple(size), spectrum.dtype)
    rows, columns = (
        np.arange(-((min(a, b) - 1) // 2), (min(a, b) - 1) // 2 + 1)
        for a, b in zip(size, spectrum.shape[-2:], strict=True)
    )
    index = (..., rows[:, None], columns[None, :])
    result[index] = spectrum[index]
    return result


def _image_samples(box: float, scope: Microscope) -> int:
    """Count the samples that hold an image: to 1.28 / angstrom, more if sharper."""
    limit = 1.28 if scope.vibration >= 0.45 else 2 * _WAVE_LIMIT
    return 2 * int(np.ceil(limit * box))


def check_grid(grid: int) -> None:
    """Refuse a grid that is too coarse for any wave.

    Parameters
    ----------
    grid : int
        Samples of each side of the box.

    Raises
    ------
    ValueError
        If there are fewer than 64.

    Examples
    --------
    >>> check_grid(512)
    """
    if grid < 64:
        msg = f"grid must be at least 64; got {grid}"
        raise ValueError(msg)


def _foci(series: np.ndarray, scope: Microscope) -> tuple[np.ndarray, np.ndarray]:
    """Foci that a series shares, and the weight of each focus in each image."""
    sigma, step = scope.focal_spread / np.sqrt(2), scope.focal_step
    if sigma < step / 10:
        return series, np.eye(len(series))
    offsets = (series - series[0]) / step
    shared = np.allclose(offsets, offsets.round(), atol=1e-6)
    anchors = [series[0]] if shared else list(series)
    reach = int(np.ceil(3.5 * sigma / step))
    foci = []
    for anchor in anchors:
        last = int(offsets.round().max()) if shared else 0
        first = int(offsets.round().min()) if shared else 0
        foci.append(anchor + step * np.arange(first - reach, last + reach + 1))
    foci = np.unique(np.concatenate(foci).round(6))  # rounding splits no focus in two
    distance = foci[None, :] - series[:, None]
    own = np.abs(distance / step - (distance / step).round()) < 1e-6
    weights = np.where(own, np.exp(-0.5 * (distance / sigma) ** 2), 0.0)
    weights[np.abs(distance) > (reach + 0.5) * step] = 0.0
    return foci, weights / weights.sum(axis=1, keepdims=True)


def _illumination(k2: np.ndarray, scope: Microscope):  # noqa: ANN202
    """Envelope of the convergence: exp(-(q0 |grad chi| / 2)^2), a function of focus."""
    w = scope.wavelength
    q0 = scope.convergence * 1e-3 / w

    def envelope(focus: float) -> np.ndarray:
        slope = focus + k2 * w**2 * (scope.cs + k2 * w**2 * scope.c5)
        return np.exp(-((np.pi * w * q0 * slope) ** 2) * k2)

    return envelope


def _layered_potential(
    atoms: Atoms, microscope: Microscope, grid: int
) -> tuple[np.ndarray, np.ndarray]:
    """Projected potential of each atomic layer, band-limited and otherwise exact."""
    lobato = _import_abtem().parametrizations.LobatoParametrization()
    box = float(atoms.cell.lengths()[0])
    heights = atoms.positions[:, 2].round(3)
    layers = np.unique(heights)
    k = np.fft.fftfreq(grid, box / grid)
    k2 = (k[:, None] ** 2 + k**2).astype(np.float32)
    symbols = np.array(atoms.get_chemical_symbols())
    factors = {}
    for symbol in np.unique(symbols):
        f = lobato.projected_scattering_factor(str(symbol))(k2)
        rms = microscope.thermal.get(str(symbol), 0.0)
        complex_part = 1 + 1j * microscope.absorption.get(str(symbol), 0.0)
        damped = f * np.exp(-2 * np.pi**2 * rms**2 * k2) * (grid / box) ** 2
        factors[symbol] = (damped * complex_part).astype(np.complex64)
    array = np.empty((len(layers), grid, grid), np.complex64)
    for i, height in enumerate(layers):
        spectrum = np.zeros((grid, grid), np.complex64)
        for symbol, factor in factors.items():
            x, y = atoms.positions[(heights == height) & (symbols == symbol), :2].T
            wave_x = np.exp(-2j * np.pi * np.outer(x, k)).astype(np.complex64)
            wave_y = np.exp(-2j * np.pi * np.outer(box - y, k)).astype(np.complex64)
            spectrum += (wave_y.T @ wave_x) * factor
        array[i] = np.fft.ifft2(spectrum)
    # the exit plane, from which defocus counts, is the last layer
    return array, np.append(np.diff(layers), 0.0)


def _multislice(
    array: np.ndarray,
    thicknesses: np.ndarray,
    box: float,
    microscope: Microscope,
    tilts: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Run abTEM through the layers, all tilts at once: waves (tilts, grid, grid)."""
    abtem = _import_abtem()
    quiet = {
        "fft": "numpy",  # repeatable, and twice as fast as FFTW's estimated plans
        "diagnostics.progress_bar": False,
        "local_diagnostics.progress_bar": False,
    }
    potential = abtem.PotentialArray(
        array, slice_thickness=tuple(thicknesses), extent=(box, box)
    )
    # The first axis of our arrays is the row (down), the second x. A tilt about x
    # shears the layers along y, a tilt about y along x.
    mrad = 1e3 * np.deg2rad([(about_x, about_y) for about_x, about_y in tilts])
    wave = abtem.PlaneWave(energy=microscope.energy, tilt=mrad)
    with abtem.config.set(quiet):
        return np.asarray(wave.multislice(potential, lazy=False).array)


def _import_abtem():  # noqa: ANN202
    """Import abTEM, or say how to get it."""
    try:
        import abtem
    except ImportError as error:
        msg = "simulation needs abTEM: pip install 'sbd[simulation]'"
        raise ImportError(msg) from error
    return abtem
