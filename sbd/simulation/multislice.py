r"""The same microscope on a graphics processor: multislice and focal average in torch.

`sbd.exit_wave` and `sbd.form_image` come here when they are asked for another device
than the CPU. The formulas are those of abTEM and of `sbd.simulation.imaging`, written
anew and in complex64: transmission :math:`\exp(i \sigma V)`, band-limited; a propagator
that is a row times a column,

.. math:: \exp(-i\pi\lambda \Delta z\, k^2)\,
          \exp(-2\pi i\, \Delta z (k_y \tan t_x + k_x \tan t_y)) ;

all tilts at once, so that they share each layer's transmission. Phases are reduced to a
turn in double precision before they become single. It also runs on the CPU, where the
tests hold it against abTEM.

Lengths in angstrom.
"""

from collections.abc import Sequence

import numpy as np
import torch

_CUTOFF, _TAPER = 2 / 3, 0.02  # of the highest frequency of the grid, as abTEM has them


def require_device(device: str) -> torch.device:
    """Return the processor that was asked for, or say that it is not there.

    A result should not depend on what happens to be there: nothing else is taken.
    """
    found = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not found.get(device, False):
        there = " or ".join(repr(name) for name, yes in found.items() if yes)
        msg = f"device must be {there} on this machine; got {device!r}"
        raise ValueError(msg)
    return torch.device(device)


def propagate(
    layers: Sequence[dict[str, np.ndarray]],
    thicknesses: Sequence[float],
    factors: dict[str, np.ndarray],
    *,
    box: float,
    wavelength: float,
    interaction: float,
    tilts: Sequence[tuple[float, float]],
    device: str,
) -> np.ndarray:
    """Propagate a plane wave through layers of atoms: spectra (tilts, m, m), vacuum 1.

    Places in boxes, factors in volt angstrom, `interaction` in rad / that, degrees.
    """
    on = require_device(device)
    grid = len(next(iter(factors.values())))
    k = np.fft.fftfreq(grid, box / grid)
    aperture = _to(_aperture(k, grid / (2 * box)), on)
    there = {symbol: _to(factor, on) for symbol, factor in factors.items()}
    slopes = np.tan(np.deg2rad(np.reshape(tilts, (-1, 2))))
    psi = torch.ones((len(slopes), grid, grid), dtype=torch.complex64, device=on)
    with torch.inference_mode():
        for layer, thickness in zip(layers, thicknesses, strict=True):
            transmitted = _transmission(layer, there, interaction, aperture)
            turns = thickness * (wavelength / 2 * k**2 + slopes[:, :, None] * k)
            down, right = (_turn(turns[:, axis], on) for axis in (0, 1))
            psi = torch.fft.fft2(psi.mul_(transmitted))
            psi.mul_(down[:, :, None]).mul_(right[:, None, :]).mul_(aperture)
            psi = torch.fft.ifft2(psi)
        return torch.fft.fft2(psi, norm="forward").cpu().numpy()


def average(
    in_focus: np.ndarray,
    foci: np.ndarray,
    ramps: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    weights: np.ndarray,
    highest: int,
    *,
    device: str,
) -> np.ndarray:
    """Average images over shared foci: half spectra (n, 2 highest + 1, highest + 1).

    The arrays are those of `sbd.simulation.imaging._lens`; the weights, (n, foci).
    """
    on = require_device(device)
    wave, ramps = (_to(array, on, torch.complex64) for array in (in_focus, ramps))
    a, b, weights = (_to(array, on, torch.float32) for array in (a, b, weights))
    rows = torch.as_tensor(np.r_[0 : highest + 1, -highest:0], device=on)
    size = (weights.shape[0], len(rows), highest + 1)
    spectra = torch.zeros(size, dtype=torch.complex64, device=on)
    with torch.inference_mode():
        for focus, ramp, weight in zip(foci, ramps, weights.T, strict=True):
            envelope = torch.exp(-((a * float(focus) + b) ** 2))
            psi = torch.fft.ifft2(
                wave * ramp[:, None] * ramp * envelope, norm="forward"
            )
            intensity = psi.real.square() + psi.imag.square()
            half = torch.fft.rfft(intensity, norm="forward")[:, : highest + 1]
            half = torch.fft.fft(half, dim=0, norm="forward")[rows]
            spectra += weight[:, None, None] * half
        return spectra.cpu().numpy()


def _to(
    array: np.ndarray, device: torch.device, kind: torch.dtype | None = None
) -> torch.Tensor:
    """Copy an array to a device, in single precision (there may be no double)."""
    array = np.asarray(array)
    if kind is None:
        kind = torch.complex64 if np.iscomplexobj(array) else torch.float32
    return torch.as_tensor(array).to(kind).to(device)


def _turn(turns: np.ndarray, device: torch.device) -> torch.Tensor:
    """Evaluate exp(-2 pi i turns); whole turns go first, as they would cost digits."""
    angle = _to(-2 * np.pi * (turns - np.rint(turns)), device)
    return torch.polar(torch.ones_like(angle), angle)


def _aperture(k: np.ndarray, highest: float) -> np.ndarray:
    """Pass the frequencies that a product of two can not fold back, with a soft rim."""
    radius = np.hypot(k[:, None], k) / highest
    outside = np.clip((radius - _CUTOFF + _TAPER) / _TAPER, 0, 1)
    return 0.5 * (1 + np.cos(np.pi * outside))


def _transmission(
    layer: dict[str, np.ndarray],
    factors: dict[str, torch.Tensor],
    interaction: float,
    aperture: torch.Tensor,
) -> torch.Tensor:
    """Evaluate the band-limited transmission function of a layer."""
    grid, on = len(aperture), aperture.device
    order = np.fft.fftfreq(grid, 1 / grid)
    spectrum = torch.zeros((grid, grid), dtype=torch.complex64, device=on)
    for symbol, places in layer.items():
        down, right = (_turn(np.outer(place, order), on) for place in places.T)
        spectrum += (down.T @ right) * factors[symbol]
    potential = torch.fft.ifft2(spectrum, norm="forward")
    phase = interaction * potential
    transmitted = torch.polar(torch.exp(-phase.imag), phase.real)
    return torch.fft.ifft2(torch.fft.fft2(transmitted).mul_(aperture))
