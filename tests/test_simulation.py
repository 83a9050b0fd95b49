"""Check the microscope against physics and against an independent multislice loop."""

from dataclasses import replace

import numpy as np
import pytest

import sbd
from sbd.simulation import (
    ExitWave,
    Microscope,
    _layered_potential,
    crop_spectrum,
    resample,
)

SMALL = {"particle": "PtNp4", "thickness": 10.0}


@pytest.fixture(scope="module")
def atoms():
    return sbd.pt_on_ceria(**SMALL, tilt=(2.0, 0.0))


@pytest.fixture(scope="module")
def wave(atoms):
    return sbd.exit_wave(atoms, grid=192)


def test_the_wavelength_is_the_textbook_one():
    # Kirkland, Advanced Computing in Electron Microscopy: 1.97 and 2.51 pm
    assert Microscope().wavelength == pytest.approx(0.019687, abs=2e-6)
    assert Microscope(energy=200e3).wavelength == pytest.approx(0.025079, abs=2e-6)


def test_abtem_agrees_with_a_plain_multislice_loop(atoms, wave):
    grid, box, scope = 192, 50.0, Microscope()
    layers, steps = _layered_potential(atoms, scope, grid)
    k = np.fft.fftfreq(grid, box / grid)
    row, column = np.meshgrid(k, k, indexing="ij")
    k2 = row**2 + column**2
    rest = 510998.95
    relativistic = 1 + scope.energy / rest
    # interaction constant 2 pi m e lambda / h^2, h^2 / (2 m e) = 150.4 V angstrom^2
    sigma = np.pi * relativistic * scope.wavelength / 150.4126
    keep = np.sqrt(k2) < 2 / 3 * np.abs(k).max()
    psi = np.ones((grid, grid), complex)
    for potential, step in zip(layers, steps, strict=True):
        transmitted = np.fft.fft2(np.exp(1j * sigma * potential)) * keep
        psi = psi * np.fft.ifft2(transmitted)
        shear = row * np.tan(np.deg2rad(2.0))
        phase = np.pi * scope.wavelength * k2 * step + 2 * np.pi * shear * step
        psi = np.fft.ifft2(np.fft.fft2(psi) * keep * np.exp(-1j * phase))
    # abTEM rolls its aperture at 1.28 / angstrom off smoothly, so compare within 0.9
    m = 90
    ours = np.fft.ifft2(crop_spectrum(wave.spectrum, m)) * m**2
    plain = np.fft.ifft2(crop_spectrum(np.fft.fft2(psi), m)) * (m / grid) ** 2
    difference, contrast = np.abs(ours - plain), np.abs(plain - plain.mean())
    # two ways of rolling off leave 2.0 % at this coarse grid; a wrong sign leaves 100 %
    assert difference.max() < 0.04 * contrast.max()


def test_vacuum_is_the_dose_and_atoms_absorb(wave):
    image = sbd.form_image(wave, defocus=60.0)
    assert image.shape == (128, 128)
    # these rows are vacuum above the particle, 6 to 14 angstrom below the top
    assert image[15:35].mean() == pytest.approx(sbd.VACUUM, abs=0.002)
    assert image.mean() < sbd.VACUUM


def test_a_series_is_the_same_as_its_images(wave):
    series = sbd.form_image(wave, defocus=[0.0, 30.0, 200.0])
    for defocus, image in zip((0.0, 30.0, 200.0), series, strict=True):
        alone = sbd.form_image(wave, defocus=defocus)
        # single precision, different order of summation
        np.testing.assert_allclose(image, alone, atol=2e-6)


def test_foci_that_do_not_share_a_grid_are_no_problem(wave):
    # differences of 1e-15 between foci of the second and third must not double any
    for series in ([0.0, 33.3], [0.0, 33.3, 133.3], list(10 * np.arange(5) * 0.7)):
        images = sbd.form_image(wave, defocus=series)
        for defocus, image in zip(series, images, strict=True):
            alone = sbd.form_image(wave, defocus=defocus)
            np.testing.assert_allclose(image, alone, atol=2e-6)


def test_a_finer_focal_step_changes_nothing(wave):
    coarse = sbd.form_image(wave, defocus=60.0)
    finer = replace(wave.microscope, focal_step=5.0)
    fine = sbd.form_image(wave, defocus=60.0, microscope=finer)
    # the Gaussian of foci is oversampled at 10 angstrom already
    assert np.abs(fine - coarse).max() < 1e-4


def test_a_weak_phase_grating_has_the_contrast_of_theory():
    """I = 1 + 2 eps sin(chi) cos(k x) for exp(i eps cos(k x)), without damping."""
    eps, index, c1 = 1e-3, 10, 80.0
    scope = Microscope(focal_spread=0, convergence=0, vibration=0)
    spectrum = np.zeros((64, 64), complex)
    spectrum[0, 0] = 1
    spectrum[0, [index, -index]] = 0.5j * eps
    image = sbd.form_image(ExitWave(spectrum, 50.0, scope), defocus=c1, dose=1.0)
    chi = scope.aberration(np.array((index / 50.0) ** 2), c1)
    wave = 2 * eps * np.sin(chi) * np.cos(2 * np.pi * index * np.arange(128) / 128)
    # second order in eps
    np.testing.assert_allclose(image[7] - 1, wave, atol=4 * eps**2)


def test_resampling_is_exact_for_what_the_grid_holds():
    rng = np.random.default_rng(0)
    image = rng.random((15, 15))
    spectrum = np.fft.fft2(image) / image.size
    finer = resample(spectrum, (45, 30))
    np.testing.assert_allclose(finer[::3, ::2], image, atol=1e-6)


def test_removing_a_column_darkens_or_brightens_its_place():
    tilted = {"thickness": 10.0, "tilt": (3.0, 0.0)}
    full, without = (
        sbd.form_image(sbd.exit_wave(sbd.pt_on_ceria("PtNp4", d, **tilted), grid=128),
                       defocus=60.0)
        for d in ("D0", "D1")
    )  # fmt: skip
    change = np.abs(full - without)
    row, column = np.unravel_index(change.argmax(), change.shape)
    gone = [a.position for a in sbd.pt_on_ceria("PtNp4", "D0", **tilted)
            if not np.isclose(sbd.pt_on_ceria("PtNp4", "D1", **tilted).positions,
                              a.position).all(axis=1).any()]  # fmt: skip
    x, y, _ = np.mean(gone, axis=0)
    # within one atom's radius of where the three atoms were
    assert np.hypot(row * 50 / 128 - (50 - y), column * 50 / 128 - x) < 1.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Microscope(energy=1.0), "energy must be 10e3 to 3e6 eV; got 1.0"),
        (lambda: Microscope(vibration=-1), "vibration must not be negative; got -1"),
        (lambda: Microscope(focal_step=0), "focal_step must be positive; got 0"),
        (lambda: sbd.exit_wave(sbd.pt_on_ceria(), grid=10), "grid must be at least 64"),
    ],
)
def test_impossible_optics_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_too_few_samples_are_refused(wave):
    with pytest.raises(ValueError, match="samples must be at least 16; got 8"):
        sbd.form_image(wave, defocus=0.0, samples=8)
