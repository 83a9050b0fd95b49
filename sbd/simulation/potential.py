"""The potential: atoms as the electrons meet them, layer by layer.

Atoms at one height are a layer. Its projected potential is evaluated exactly, as a
matrix product of plane waves with scattering factors, complex, with Debye-Waller factor
and absorption.
"""

from functools import lru_cache
from types import ModuleType

import numpy as np
from ase import Atoms
from scipy import fft
from scipy.spatial import cKDTree

from sbd.simulation.microscope import Microscope

_CLOSE = 0.5  # atoms nearer than this are an error, or outside by more [angstrom]
_DENSE = 3  # layers to the angstrom: no crystal has more, but displaced atoms do
_CELL, _FINE = 8.0, 512  # in which an atom is moved [angstrom], and its samples
_SLICE = 0.25  # that displaced atoms are gathered in [angstrom]


def check_atoms(atoms: Atoms) -> float:
    """Return the side of the box [angstrom], or say why atoms cannot be simulated."""
    if not isinstance(atoms, Atoms):
        msg = f"atoms must be ase.Atoms; got {type(atoms).__name__}"
        raise TypeError(msg)
    if not len(atoms):
        msg = "atoms must hold at least one atom; got none"
        raise ValueError(msg)
    box = float(atoms.cell.lengths()[0])
    if box == 0 or not np.allclose(atoms.cell[:2], np.eye(3)[:2] * box, atol=1e-6):
        msg = f"atoms must be in a box that is square across z; got {atoms.cell[:]}"
        raise ValueError(msg)
    if box < 10:
        msg = f"atoms must be in a box of at least 10 angstrom; got {box:g}"
        raise ValueError(msg)
    lost = np.count_nonzero(~np.isfinite(atoms.positions).all(axis=1))
    if lost:
        msg = f"atoms must have finite positions; got {lost} of {len(atoms)} without"
        raise ValueError(msg)
    across = atoms.positions[:, :2]
    if across.min() < -_CLOSE or across.max() > box + _CLOSE:
        msg = (
            f"atoms must lie inside their box of {box:g} angstrom across the beam; got "
            f"{across.min():.1f} to {across.max():.1f} (the box is too small: enlarge "
            "it with atoms.set_cell and call atoms.center, or atoms.wrap for a crystal "
            "that is periodic in it)"
        )
        raise ValueError(msg)
    parameters = import_abtem().parametrizations.LobatoParametrization().parameters
    for symbol in map(str, np.unique(atoms.get_chemical_symbols())):
        if symbol not in parameters:
            msg = f"atoms must be of elements with scattering factors; got {symbol}"
            raise ValueError(msg)
    _check_distances(atoms, box)
    return box


def _check_distances(atoms: Atoms, box: float) -> None:
    """Refuse atoms that overlap, also through the sides of the box."""
    if len(atoms) == 1:
        return
    wrapped = atoms.positions.copy()
    wrapped[:, :2] %= box
    wrapped[:, :2][wrapped[:, :2] >= box] = 0.0  # the modulus of -1e-17
    tree = cKDTree(wrapped, boxsize=(box, box, 0))  # 0: not periodic along the beam
    distances, neighbours = tree.query(wrapped, k=2)
    first = distances[:, 1].argmin()
    if distances[first, 1] < _CLOSE:
        second = int(set(neighbours[first]).difference([first]).pop())
        msg = (
            f"atoms must be at least {_CLOSE} angstrom apart; got "
            f"{atoms.symbols[first]} and {atoms.symbols[second]} (atoms {first} and "
            f"{second}) {distances[first, 1]:.2f} angstrom apart"
        )
        raise ValueError(msg)


def layers_of(atoms: Atoms) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Sort atoms into layers along the beam: (row, column) in boxes, by element.

    And the distance to the next [angstrom]; 0 behind the last, the exit plane.
    """
    box = float(atoms.cell.lengths()[0])
    x, y, z = atoms.positions.T
    heights = z.round(3)
    if len(np.unique(heights)) > _DENSE * (np.ptp(z) + 1):
        heights = (z / _SLICE).round() * _SLICE
    places = np.stack([box - y, x], axis=1) / box
    symbols = np.array(atoms.get_chemical_symbols())
    levels = np.unique(heights)
    layers = [
        {s: places[(heights == level) & (symbols == s)] for s in np.unique(symbols)}
        for level in levels
    ]
    return layers, np.append(np.diff(levels), 0.0)


def scattering_factors(atoms: Atoms, microscope: Microscope) -> dict[str, np.ndarray]:
    """Evaluate the potential of one atom at the origin, by element [volt angstrom].

    Fourier coefficients (grid, grid), with absorption and thermal motion.
    """
    box, grid = float(atoms.cell.lengths()[0]), microscope.grid
    k = np.fft.fftfreq(grid, box / grid)
    k2 = (k[:, None] ** 2 + k**2).astype(np.float32)
    proportional = isinstance(microscope.absorption, dict)
    factors = {}
    for symbol in map(str, np.unique(atoms.get_chemical_symbols())):
        f = _form_factor(symbol, microscope.form_factors, k2)
        rms = microscope.displacement(symbol)
        damped = f * np.exp(-2 * np.pi**2 * rms**2 * k2) / box**2
        if proportional:
            factor = damped * (1 + 1j * microscope.absorption.get(symbol, 0.0))
        else:
            at, values = thermal_absorption(
                symbol, rms, microscope.form_factors, microscope.interaction
            )
            lost = np.interp(np.sqrt(k2), at, values) / box**2
            factor = damped + 1j * microscope.absorption * lost
        factors[symbol] = factor.astype(np.complex64)
    return factors


@lru_cache(maxsize=64)
def thermal_absorption(
    symbol: str, rms: float, form_factors: str, interaction: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Tell what thermal motion of one atom takes from the elastic wave.

    To second order the mean of :math:`e^{\mathrm{i} \sigma V}` over its places is
    that of the mean potential with an imaginary part,
    :math:`\sigma (\langle V^2 \rangle - \langle V \rangle^2) / 2`. Returned are spatial
    frequencies [1/angstrom], and its Fourier transform there [volt angstrom^3]. Kept,
    since on a coarse grid it takes as long as the multislice.
    """
    k = np.fft.fftfreq(_FINE, _CELL / _FINE)
    k2 = k[:, None] ** 2 + k**2
    f = _form_factor(symbol, form_factors, k2) / _CELL**2
    blur = np.exp(-2 * np.pi**2 * rms**2 * k2)
    still = fft.ifft2(f, norm="forward").real
    mean = fft.ifft2(f * blur, norm="forward").real
    square = fft.ifft2(fft.fft2(still**2) * blur).real
    lost = fft.fft2(square - mean**2, norm="forward").real * _CELL**2
    half = _FINE // 2
    lost = interaction / 2 * lost[0, :half]
    lost.flags.writeable = k.flags.writeable = False  # of all who ask
    return k[:half], lost


@lru_cache(maxsize=4)
def _parametrization(name: str) -> object:
    """Return abTEM's fit of electron scattering factors."""
    fits = import_abtem().parametrizations
    return {
        "lobato": fits.LobatoParametrization, "kirkland": fits.KirklandParametrization
    }[name]()  # fmt: skip


def _form_factor(symbol: str, name: str, k2: np.ndarray) -> np.ndarray:
    """Evaluate an atom's projected scattering factor [volt angstrom^3]."""
    return _parametrization(name).projected_scattering_factor(symbol)(k2)


def layered_potential(
    atoms: Atoms, microscope: Microscope
) -> tuple[np.ndarray, np.ndarray]:
    """Project the potential of each layer (layers, grid, grid), band-limited but exact.

    In volt angstrom; with the thicknesses of `layers_of`.
    """
    layers, thicknesses = layers_of(atoms)
    factors, grid = scattering_factors(atoms, microscope), microscope.grid
    array = np.empty((len(layers), grid, grid), np.complex64)
    for i, layer in enumerate(layers):
        spectrum = np.zeros((grid, grid), np.complex64)
        for symbol, places in layer.items():
            down, right = (_plane_waves(place, grid) for place in places.T)
            spectrum += (down.T @ right) * factors[symbol]
        array[i] = fft.ifft2(spectrum, norm="forward", overwrite_x=True)
    return array, thicknesses


def _plane_waves(places: np.ndarray, grid: int) -> np.ndarray:
    """Evaluate exp(-2 pi i k x) for each x and each frequency of the grid."""
    turns = np.outer(places, np.fft.fftfreq(grid, 1 / grid))
    turns -= turns.round()  # whole turns would cost digits in single precision
    angle = (-2 * np.pi * turns).astype(np.float32)
    return np.cos(angle) + 1j * np.sin(angle)


def import_abtem() -> ModuleType:
    """Import abTEM, or say how to get it; the one place that imports it."""
    try:
        import abtem
    except ImportError as error:
        msg = "simulation needs abTEM: pip install 'sbd[simulation]'"
        raise ImportError(msg) from error
    return abtem
