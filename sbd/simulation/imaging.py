r"""The simulation: atoms give an exit wave, the exit wave gives images.

The multislice calculation is abTEM's. Two things are done here because the images ask
for them: the layered potential is evaluated exactly in Fourier space (complex, with
Debye-Waller factor and absorption), and partial temporal coherence is an explicit
average of coherent images over the focal spread, whose foci a defocus series shares.
On a graphics processor both steps are those of `sbd.simulation.multislice`.

The contrast transfer of the wave is :math:`\exp(-i\chi(k))` with

.. math:: \chi(k) = \pi\lambda C_1 k^2 + \tfrac{\pi}{2} C_s \lambda^3 k^4
                    + \tfrac{\pi}{3} C_5 \lambda^5 k^6 .

Lengths in angstrom, angles in mrad, energies in eV.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from scipy import fft

from sbd.simulation.microscope import (
    WAVE_LIMIT,
    Microscope,
    ResidualAberrations,
    image_samples,
)
from sbd.simulation.noise import VACUUM
from sbd.simulation.potential import (
    check_atoms,
    import_abtem,
    layered_potential,
    layers_of,
    scattering_factors,
)
from sbd.simulation.structures import check_tilts
from sbd.typing import Image
from sbd.validation import check_whole

_ONE_AT_A_TIME = threading.Lock()  # abTEM's settings are those of the whole process
IMAGE_SAMPLES = 128
"""Samples that hold an image of a 50 angstrom box, to 1.28 per angstrom."""


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
        What it was calculated for, and how finely.
    """

    spectrum: np.ndarray
    box: float
    microscope: Microscope


def exit_wave(
    atoms: Atoms,
    microscope: Microscope | None = None,
    *,
    grid: int | None = None,
    tilts: Sequence[tuple[float, float]] | None = None,
    device: str = "cpu",
) -> ExitWave | list[ExitWave]:
    """Propagate a plane wave through the atoms by the multislice method.

    A tilt displaces what lies earlier along the beam: a positive tilt about x moves it
    down the rows, a positive tilt about y to the right, while the last layer stays.

    Parameters
    ----------
    atoms : ase.Atoms
        Specimen in a box that is square across the beam (z); a crystal tilt in degrees
        in ``atoms.info["tilt"]`` goes into the propagator.
    microscope : Microscope, optional
        Energy, absorption, thermal motion and grid are used here; `REFERENCE` is the
        default one, calculated more finely.
    grid : int, optional
        Samples of each side of the box, at least 64, instead of the microscope's 640;
        the wave is band-limited at two thirds of what it can hold.
    tilts : sequence of (tilt_x, tilt_y), optional
        Several tilts that share one potential, instead of the one in `atoms`
        [degrees].
    device : {"cpu", "cuda", "mps"}
        Where to calculate: on the CPU with abTEM, or on a graphics processor with
        `sbd.simulation.multislice`, which agrees with abTEM to single precision.

    Returns
    -------
    ExitWave or list of ExitWave
        One wave, or one for each of `tilts`.

    Raises
    ------
    TypeError
        If `atoms` are none.
    ValueError
        If the atoms overlap, lie outside their box, are of an element without
        scattering factors or have positions that are no numbers; if the box is not
        square or below 10 angstrom, `grid` is too small, a tilt is none, or `device` is
        not there.
    ImportError
        If abTEM is not installed.

    Examples
    --------
    >>> from sbd import pt_on_ceria
    >>> wave = exit_wave(pt_on_ceria("PtNp4", thickness=30.0), grid=64)
    >>> wave.box
    50.0
    """
    microscope = microscope or Microscope()
    if grid is not None:
        microscope = replace(microscope, grid=grid)
    box = check_atoms(atoms)
    own = atoms.info.get("tilt", (0.0, 0.0))
    wanted = check_tilts([own] if tilts is None else tilts)
    if device == "cpu":
        spectra = _multislice(atoms, microscope, wanted)
    else:
        spectra = _multislice_on(atoms, microscope, wanted, device)
    keep = min(2 * int(np.ceil(WAVE_LIMIT * box)), microscope.grid)
    spectra = crop_spectrum(spectra, keep)
    result = [ExitWave(spectrum, box, microscope) for spectrum in spectra]
    return result if tilts is not None else result[0]


def form_image(
    wave: ExitWave,
    *,
    defocus: float | Sequence[float],
    samples: int | tuple[int, int] = IMAGE_SAMPLES,
    microscope: Microscope | None = None,
    residual: ResidualAberrations | None = None,
    dose: float = VACUUM,
    device: str = "cpu",
) -> Image:
    """Record what the objective lens makes of an exit wave.

    Coherent images are averaged over a Gaussian of foci out to 3.5 standard deviations;
    the illumination's angles damp the wave through the gradient of the aberration
    phase; vibration damps the image.

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
    residual : ResidualAberrations, optional
        Aberrations that are not round. Their part in the damping by the illumination's
        angles is left out: it is small where they are.
    dose : float, default 0.45
        Mean intensity of the vacuum [electrons per pixel].
    device : {"cpu", "cuda", "mps"}
        Where to calculate, as for `exit_wave`.

    Returns
    -------
    ndarray of shape (height, width) or (foci, height, width)
        Expected electrons per pixel, float32; row 0 is at the top of the box.

    Raises
    ------
    ValueError
        If `samples` is below 16, `defocus` is empty or not finite, or `device` is not
        there.

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
    for side in shape:
        check_whole("samples", side, 16)
    if not np.size(defocus) or not np.isfinite(defocus).all():
        msg = f"defocus must be one or more finite numbers; got {defocus}"
        raise ValueError(msg)
    scope = microscope or wave.microscope
    behind = np.atleast_1d(np.asarray(defocus, float)) + scope.exit_plane
    foci, weights = _foci(behind, scope)
    highest = (min(image_samples(wave.box, scope), len(wave.spectrum)) - 1) // 2
    lens = _lens(wave, scope, foci, residual)
    if device == "cpu":
        spectra = _average(*lens, weights, highest)
    else:
        from sbd.simulation import multislice

        spectra = multislice.average(*lens, weights, highest, device=device)
    k = np.fft.fftfreq(2 * highest + 1, wave.box / (2 * highest + 1))
    k2 = k[:, None] ** 2 + k[: highest + 1] ** 2
    damping = np.exp(-2 * np.pi**2 * scope.vibration**2 * k2).astype(np.float32)
    images = dose * _evaluate(spectra * damping, shape)
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
    positive = (spectrum.shape[-1] - 1) // 2 + 1
    return _evaluate(spectrum[..., :positive], shape)


def crop_spectrum(spectrum: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Keep, or pad to, the lowest frequencies of ``fft2`` arrays (..., m, n).

    Without the Nyquist row of an even size; `size` is (height, width), or both.
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


def _lens(
    wave: ExitWave,
    scope: Microscope,
    foci: np.ndarray,
    residual: ResidualAberrations | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Prepare what the lens does to a wave: in focus, foci, ramps, a and b.

    Phase of a focus: ``ramps[i]`` down and across; convergence: exp(-(a f + b)^2).
    """
    m = len(wave.spectrum)
    k = np.fft.fftfreq(m, wave.box / m)
    k2 = k[:, None] ** 2 + k**2
    w = scope.wavelength
    phase = scope.aberration(k2, 0.0)
    if residual is not None:
        phase = phase + residual.phase(k[:, None], k, w)
    in_focus = wave.spectrum * np.exp(-1j * phase)
    ramps = np.exp(-1j * np.pi * w * np.outer(foci, k**2))
    a = np.pi * scope.convergence * 1e-3 * np.sqrt(k2)
    b = a * k2 * w**2 * (scope.cs + k2 * w**2 * scope.c5)
    real, both = np.float32, np.complex64
    return (
        in_focus.astype(both),
        foci,
        ramps.astype(both),
        a.astype(real),
        b.astype(real),
    )


def _average(
    in_focus: np.ndarray,
    foci: np.ndarray,
    ramps: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    weights: np.ndarray,
    highest: int,
) -> np.ndarray:
    """Average coherent images: half spectra (images, 2 highest + 1, highest + 1)."""
    rows = np.r_[0 : highest + 1, -highest:0]
    spectra = np.zeros((len(weights), len(rows), highest + 1), np.complex64)
    psi, envelope = np.empty_like(in_focus), np.empty_like(a)  # kept: half the time
    for focus, ramp, weight in zip(foci, ramps, weights.T, strict=True):
        np.multiply(a, focus, out=envelope)
        envelope += b
        envelope *= envelope
        np.exp(-envelope, out=envelope)
        np.multiply(in_focus, ramp, out=psi)
        psi *= ramp[:, None]
        psi *= envelope
        image = fft.ifft2(psi, norm="forward", overwrite_x=True)
        intensity = image.real**2 + image.imag**2
        # the image is real and band-limited, so most of its spectrum is not wanted
        columns = fft.rfft(intensity, axis=1, norm="forward")[:, : highest + 1]
        wanted = fft.fft(columns, axis=0, norm="forward")[rows]
        for i in np.flatnonzero(weight):
            spectra[i] += weight[i].astype(np.float32) * wanted
    return spectra


def _evaluate(spectrum: np.ndarray, shape: tuple[int, int]) -> Image:
    """Evaluate real images, given their frequencies that are positive along a row."""
    down = (min(spectrum.shape[-2], shape[0]) - 1) // 2
    right = (min(2 * spectrum.shape[-1], shape[1]) - 1) // 2
    rows, columns = np.arange(-down, down + 1), slice(0, right + 1)
    half = np.zeros((*spectrum.shape[:-2], shape[0], shape[1] // 2 + 1), np.complex64)
    half[..., rows, columns] = spectrum[..., rows, columns]
    return fft.irfft2(half, shape, norm="forward")


def _multislice(
    atoms: Atoms, microscope: Microscope, tilts: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Run abTEM through the layers, all tilts at once: spectra (tilts, grid, grid)."""
    abtem, grid = import_abtem(), microscope.grid
    quiet = {
        # Estimated plans are the same every time, which measured ones are not, and on
        # a grid of 640 as fast; on powers of two they are slower than numpy.
        "fft": "fftw" if grid & (grid - 1) else "numpy",
        "fftw.planning_effort": "FFTW_ESTIMATE",
        "fftw.threads": 1,
        "diagnostics.progress_bar": False,
        "local_diagnostics.progress_bar": False,
    }
    array, thicknesses = layered_potential(atoms, microscope)
    box = float(atoms.cell.lengths()[0])
    potential = abtem.PotentialArray(
        array, slice_thickness=tuple(thicknesses), extent=(box, box)
    )
    # The first axis of our arrays is the row (down), the second x. A tilt about x
    # shears the layers along y, a tilt about y along x.
    mrad = 1e3 * np.deg2rad([(about_x, about_y) for about_x, about_y in tilts])
    wave = abtem.PlaneWave(energy=microscope.energy, tilt=mrad)
    with _ONE_AT_A_TIME, abtem.config.set(quiet), _fresh_plans():
        waves = np.asarray(wave.multislice(potential, lazy=False).array)
    return fft.fft2(waves, norm="forward", overwrite_x=True)


@contextmanager
def _fresh_plans() -> Iterator[None]:
    """Forget FFTW's plans for a while: with others the last digits would differ."""
    import pyfftw

    wisdom = pyfftw.export_wisdom()
    pyfftw.forget_wisdom()
    try:
        yield
    finally:
        pyfftw.forget_wisdom()
        pyfftw.import_wisdom(wisdom)


def _multislice_on(
    atoms: Atoms,
    microscope: Microscope,
    tilts: Sequence[tuple[float, float]],
    device: str,
) -> np.ndarray:
    """Run our own multislice on a device: spectra (tilts, grid, grid)."""
    from sbd.simulation import multislice

    layers, thicknesses = layers_of(atoms)
    return multislice.propagate(
        layers,
        thicknesses,
        scattering_factors(atoms, microscope),
        box=float(atoms.cell.lengths()[0]),
        wavelength=microscope.wavelength,
        interaction=microscope.interaction,
        tilts=tilts,
        device=device,
    )
