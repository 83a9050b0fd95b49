"""Hold our own multislice against formulas, abTEM and numpy, all on the CPU."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from abtem.antialias import antialias_aperture
from scipy.special import jv

import sbd
from sbd.simulation import multislice
from sbd.simulation.imaging import _average, _foci, _lens, _multislice_on
from sbd.simulation.microscope import Microscope
from sbd.simulation.multislice import _aperture, propagate, require_device

GRID, BOX, LAMBDA, SIGMA = 96, 50.0, 0.0196875, 6.526e-4
OPTICS = {"box": BOX, "wavelength": LAMBDA, "interaction": SIGMA}
TILTS = [(0.0, 0.0), (3.0, 0.0), (0.0, 2.0), (-1.0, 4.0)]
# Single precision is 6e-8 for each operation. A wave goes through four hundred (11
# layers, four transforms each, nine passes a transform); at random they add up 20-fold.
SINGLE = 20 * 6e-8


@pytest.fixture(scope="module")
def atoms():
    return sbd.pt_on_ceria("PtNp4", thickness=10.0)


@pytest.fixture(scope="module")
def waves(atoms):
    return sbd.exit_wave(atoms, grid=128, tilts=TILTS)


@pytest.fixture
def cuda_is_the_cpu(monkeypatch):
    monkeypatch.setattr(multislice, "require_device", lambda _: torch.device("cpu"))


def grating(index, height=1.0):
    """Fourier coefficients of the potential 2 cos(2 pi k x) along a row."""
    factor = np.zeros((GRID, GRID), complex)
    factor[0, [index, -index]] = height
    return {"O": factor}


CORNER = {"O": np.zeros((1, 2))}


@pytest.mark.parametrize("tilt", TILTS)
def test_a_weak_grating_turns_by_the_fresnel_phase_and_the_tilt(tilt):
    index, distance = 20, 30.0
    weak = grating(index, 1e-2 / SIGMA)
    layers, steps = [CORNER, {}], [distance, 0.0]
    (psi,) = propagate(layers, steps, weak, **OPTICS, tilts=[tilt], device="cpu")
    k = index / BOX
    shift = distance * np.tan(np.deg2rad(tilt[1]))
    for sign in (1, -1):
        phase = -np.pi * LAMBDA * distance * k**2 - 2 * np.pi * sign * k * shift
        # J1(2 eps) / eps = 1 - eps^2 / 2 + ...
        expected = 1j * 1e-2 * np.exp(1j * phase)
        assert psi[0, sign * index] == pytest.approx(expected, abs=1e-2 * 1e-4)


def test_a_strong_grating_diffracts_into_bessel_functions():
    eps, index = 0.4, 5
    factors = grating(index, eps / SIGMA)
    (psi,) = propagate([CORNER], [0.0], factors, **OPTICS, tilts=[(0, 0)], device="cpu")
    for order in range(-4, 5):  # exp(2 i eps cos) has i^n J_n(2 eps)
        expected = 1j ** abs(order) * jv(abs(order), 2 * eps)
        assert psi[0, order * index] == pytest.approx(expected, abs=SINGLE)


def test_an_absorbing_layer_dims_the_wave():
    factors = {"O": np.zeros((GRID, GRID), complex)}
    factors["O"][0, 0] = 0.1j / SIGMA
    (psi,) = propagate([CORNER], [0.0], factors, **OPTICS, tilts=[(0, 0)], device="cpu")
    assert psi[0, 0] == pytest.approx(np.exp(-0.1), abs=SINGLE)


def test_the_band_limit_is_abtems():
    k = np.fft.fftfreq(GRID, BOX / GRID)
    theirs = antialias_aperture((GRID, GRID), (BOX / GRID, BOX / GRID), np)
    # theirs is in single precision and has its cut-off at 0.6666666; the rim's slope is
    # pi / 2 / 0.02 a unit of the highest frequency
    np.testing.assert_allclose(_aperture(k, GRID / 2 / BOX), theirs, atol=5e-5)


def test_abtem_and_ours_give_the_same_waves(atoms, waves):
    ours = _multislice_on(atoms, Microscope(grid=128), TILTS, "cpu")
    for tilt, wave, other in zip(TILTS, waves, ours, strict=True):
        scattered = wave.spectrum.copy()
        scattered[0, 0] = 0
        # crop_spectrum leaves out the Nyquist row, which is beyond the aperture
        difference = np.linalg.norm(other - wave.spectrum) / np.linalg.norm(scattered)
        assert difference < 5 * SINGLE, tilt


def test_focal_averages_are_numpys(waves):
    wave = waves[1]
    foci, weights = _foci(np.array([0.0, 50.0, 200.0]), wave.microscope)
    lens = _lens(wave, wave.microscope, foci)
    ours = multislice.average(*lens, weights, 60, device="cpu")
    np.testing.assert_allclose(ours, _average(*lens, weights, 60), atol=SINGLE)


@pytest.mark.usefixtures("cuda_is_the_cpu")
def test_another_device_gives_the_same_images(atoms, waves):
    there = sbd.exit_wave(atoms, grid=128, tilts=TILTS, device="cuda")
    for wave, other in zip(waves, there, strict=True):
        image = sbd.form_image(wave, defocus=[0.0, 60.0])
        again = sbd.form_image(other, defocus=[0.0, 60.0], device="cuda")
        # an intensity has twice the error of an amplitude
        np.testing.assert_allclose(again, image, atol=10 * SINGLE * sbd.VACUUM)


@pytest.mark.usefixtures("cuda_is_the_cpu")
def test_the_number_of_threads_changes_no_bit(atoms):
    scope, before = Microscope(grid=96), torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(_multislice_on(atoms, scope, TILTS[:2], "cuda"))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_graphics_processor_gives_the_same_images(atoms, waves):
    there = sbd.exit_wave(atoms, grid=128, tilts=TILTS, device="cuda")
    for wave, other in zip(waves, there, strict=True):
        image = sbd.form_image(wave, defocus=[0.0, 60.0])
        again = sbd.form_image(other, defocus=[0.0, 60.0], device="cuda")
        np.testing.assert_allclose(again, image, atol=20 * SINGLE * sbd.VACUUM)


@pytest.mark.parametrize("device", ["gpu", "auto", "cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(device, atoms, waves, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    message = f"device must be 'cpu' on this machine; got '{device}'"
    for call in (
        lambda: require_device(device),
        lambda: sbd.exit_wave(atoms, grid=64, device=device),
        lambda: sbd.form_image(waves[0], defocus=0.0, device=device),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_the_simulation_loads_no_torch_until_it_is_asked_for():
    code = "import sbd.simulation.imaging, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
