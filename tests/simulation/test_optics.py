"""Check each part of the optics against its formula, written out here by hand."""

import numpy as np
import pytest
from ase import Atoms

import sbd
from sbd.simulation.imaging import ExitWave, crop_spectrum
from sbd.simulation.microscope import Microscope

LAMBDA = 0.0196875  # 300 kV [angstrom]
BOX = 50.0
Q = 40 / BOX  # spatial frequency of the grating [1/angstrom]
EPS = 1e-2  # its amplitude [rad]
C1 = 80.0
PERFECT = {"focal_spread": 0.0, "convergence": 0.0, "vibration": 0.0, "exit_plane": 0.0}


def chi(k, c1, cs=-1.3e5, c5=5e7):
    return (
        np.pi * LAMBDA * c1 * k**2
        + np.pi / 2 * cs * LAMBDA**3 * k**4
        + np.pi / 3 * c5 * LAMBDA**5 * k**6
    )


def contrast(*, axis=1, defocus=C1, **optics):
    """Amplitude of cos(2 pi Q x) in the image of exp(i EPS cos(2 pi Q x)), per EPS."""
    scope = Microscope(**{**PERFECT, **optics})
    spectrum = np.zeros((96, 96), complex)
    spectrum[0, 0] = 1
    spectrum[0, [40, -40]] = 0.5j * EPS
    wave = ExitWave(spectrum if axis else spectrum.T.copy(), BOX, scope)
    image = sbd.form_image(wave, defocus=defocus, dose=1.0).astype(float)
    across = (image - 1).mean(axis=1 - axis)
    return 2 * (across * np.cos(2 * np.pi * 40 * np.arange(128) / 128)).mean() / EPS


# The image is calculated in single precision: a pixel is off by 2e-7 root mean square,
# 6e-8 from each of some ten passes of the Fourier transforms. The wave takes 16
# different phases on 128 pixels, so its amplitude is off by 2e-7 * sqrt(2 / 16) / EPS,
# 7e-6, times 4. The wavelength's rounding adds 1e-6. The grating is three plane waves,
# so what is of second order in EPS is at 0 and 2 Q, and there is no third.
ROUNDING = 5e-5


@pytest.mark.parametrize("k", [0.1, 0.434, 0.8, 1.2])
@pytest.mark.parametrize("c1", [-100.0, 0.0, 60.0])
def test_the_aberration_phase_is_the_formula(k, c1):
    cs, c5 = -1.3e5, 5e7
    # the terms may cancel, so relative to the largest; lambda is rounded at 1e-6 and
    # enters C5 in its fifth power
    size = abs(chi(k, c1, 0, 0)) + abs(chi(k, 0, cs, 0)) + abs(chi(k, 0, 0, c5))
    phase = Microscope().aberration(np.array(k**2), c1)
    assert phase == pytest.approx(chi(k, c1), abs=5e-6 * size)


def test_each_aberration_has_its_hand_computed_phase_at_one_reciprocal_angstrom():
    def phase(c1, cs, c5):
        return Microscope(cs=cs, c5=c5).aberration(np.array(1.0), c1)

    # 3.14159265 * 0.0196875 * 60; 1.57079633 * 7.630829e-6 * 1e5;
    # 1.04719755 * 2.957691e-9 * 1e7; the wavelength's rounding as above
    assert phase(60.0, 0.0, 0.0) == pytest.approx(3.7110063, rel=1e-6)
    assert phase(0.0, 1e5, 0.0) == pytest.approx(1.1986478, rel=3e-6)
    assert phase(0.0, 0.0, 1e7) == pytest.approx(0.0309729, rel=5e-6)


def test_overfocus_is_a_positive_phase():
    scope = Microscope(cs=0.0, c5=0.0)
    assert scope.aberration(np.array(0.2), 10.0) > 0
    assert scope.aberration(np.array(0.2), -10.0) < 0


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("defocus", [-40.0, 20.0, 80.0])
def test_an_ideal_microscope_shows_twice_the_sine_of_the_phase(axis, defocus):
    expected = 2 * np.sin(chi(Q, defocus))
    got = contrast(axis=axis, defocus=defocus)
    assert got == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("spread", [20.0, 40.0])
@pytest.mark.parametrize("defocus", [-40.0, 20.0, 80.0])
def test_focal_spread_averages_the_sine_over_a_gaussian(spread, defocus):
    sigma = spread / np.sqrt(2)  # of a Gaussian whose half width at 1/e is `spread`
    damping = np.exp(-((np.pi * LAMBDA * Q**2 * sigma) ** 2) / 2)
    assert damping < 0.9  # 0.86 and 0.54: a wrong sigma would show
    expected = 2 * np.sin(chi(Q, defocus)) * damping
    got = contrast(focal_spread=spread, defocus=defocus)
    # a Gaussian has 4.7e-4 of itself beyond 3.5 sigma, where the foci end; what is left
    # is normalised, so at most twice that share of the full contrast 2 is amiss
    assert got == pytest.approx(expected, abs=ROUNDING + 4 * 4.7e-4)


@pytest.mark.parametrize("rms", [0.1, 0.3, 0.5])
def test_vibration_damps_the_image_by_its_gaussian(rms):
    expected = 2 * np.sin(chi(Q, C1)) * np.exp(-2 * np.pi**2 * rms**2 * Q**2)
    assert contrast(vibration=rms) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("defocus", [-40.0, 80.0])
def test_convergence_averages_over_the_angles_of_the_illumination(defocus):
    alpha = 5e-3  # half width at 1/e [rad], 25 times the default, so that it shows
    q0 = alpha / LAMBDA
    slope = (
        2 * np.pi * LAMBDA * Q
        * (defocus - 1.3e5 * LAMBDA**2 * Q**2 + 5e7 * LAMBDA**4 * Q**4)
    )  # fmt: skip
    step = 1e-6
    numeric = (chi(Q + step, defocus) - chi(Q - step, defocus)) / (2 * step)
    assert slope == pytest.approx(numeric, rel=1e-6)
    # the angles are distributed as exp(-(k / q0)^2); to first order each shifts the
    # phase by k times the slope
    k = np.linspace(-6 * q0, 6 * q0, 4001)
    weight = np.exp(-((k / q0) ** 2))
    average = (weight * np.cos(k * slope)).sum() / weight.sum()
    closed = np.exp(-((q0 / 2) ** 2) * slope**2)
    assert average == pytest.approx(closed, rel=1e-6)
    assert closed < 0.9
    expected = 2 * np.sin(chi(Q, defocus)) * closed
    got = contrast(convergence=5.0, defocus=defocus)
    assert got == pytest.approx(expected, abs=ROUNDING)


def test_the_three_dampings_multiply():
    def of(**optics):
        return contrast(**optics) / contrast()

    parts = {"vibration": 0.2, "convergence": 3.0}
    both = of(**parts)
    one_by_one = np.prod([of(**{name: value}) for name, value in parts.items()])
    # three measurements, each with its rounding, over a contrast of at least 1
    assert abs(contrast()) > 1
    assert both == pytest.approx(one_by_one, abs=6 * ROUNDING)


@pytest.fixture(scope="module")
def tilted():
    """Waves of a Pt atom at the middle, 20 angstrom before another 15 to its right."""
    atoms = Atoms("Pt2", [(25, 25, 5), (40, 25, 25)], cell=(BOX, BOX, 30))
    tilts = [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0), (-3.0, 0.0)]
    waves = sbd.exit_wave(atoms, grid=128, tilts=tilts)
    return dict(zip(tilts, waves, strict=True))


def place(wave, column):
    """Centre of the phase peak near (25, column), as (row, column) [angstrom]."""
    full = crop_spectrum(wave.spectrum, 512) * 512**2
    phase = np.angle(np.fft.ifft2(full))
    at = np.arange(512) * BOX / 512
    near = (np.abs(at[:, None] - 25) < 4) & (np.abs(at - column) < 4)
    phase = np.where(near, phase, 0.0)
    top = np.where(phase > 0.5 * phase.max(), phase, 0.0)
    return np.array([(top.sum(1) * at).sum(), (top.sum(0) * at).sum()]) / top.sum()


@pytest.mark.parametrize(
    ("tilt", "moved"),
    [
        ((3.0, 0.0), (1, 0)),  # about x: down the rows, towards smaller y
        ((-3.0, 0.0), (-1, 0)),
        ((0.0, 3.0), (0, 1)),  # about y: to the right, towards larger x
    ],
)
def test_a_tilt_shifts_an_atom_by_its_depth_times_the_tangent(tilted, tilt, moved):
    """The convention: a positive tilt moves what the beam meets first down or right."""
    shift = place(tilted[tilt], 25) - place(tilted[0.0, 0.0], 25)
    expected = 20 * np.tan(np.deg2rad(3.0)) * np.array(moved)  # 1.05 angstrom
    # a shift of a periodic band-limited peak is exact; the threshold at half its height
    # takes whole samples of 0.1 angstrom in or out at its rim
    np.testing.assert_allclose(shift, expected, atol=0.05)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)])
def test_a_tilt_leaves_the_last_layer_where_it_is(tilted, tilt):
    np.testing.assert_allclose(place(tilted[tilt], 40), (25, 40), atol=0.05)


def test_atoms_of_one_column_come_apart_when_tilted():
    def row_profile(atoms, tilt):
        (wave,) = sbd.exit_wave(atoms, grid=128, tilts=[tilt])
        full = crop_spectrum(wave.spectrum, 512) * 512**2
        return np.angle(np.fft.ifft2(full))[:, 256]

    pair = Atoms("Pt2", [(25, 25, 5), (25, 25, 25)], cell=(BOX, BOX, 30))
    straight, slanted = (row_profile(pair, (angle, 0.0)) for angle in (0.0, 6.0))
    at = (np.arange(512) - 256) * BOX / 512
    lower, upper = (np.abs(at - x) < 0.4 for x in (20 * np.tan(np.deg2rad(6.0)), 0.0))
    gap = np.abs(at - 10 * np.tan(np.deg2rad(6.0))) < 0.1
    # two humps, 2.1 angstrom apart, with a dip between: one hump when not tilted
    assert min(slanted[lower].max(), slanted[upper].max()) > 1.3 * slanted[gap].max()
    assert straight[lower].max() < 0.5 * slanted[lower].max()


@pytest.mark.parametrize("rms", [0.1, 0.2])
def test_thermal_motion_damps_the_phase_by_the_debye_waller_factor(rms):
    def phase_spectrum(thermal):
        # at the corner the spectrum of the symmetric phase is real
        atom = Atoms("O", [(0, 0, 5)], cell=(BOX, BOX, 10))
        scope = Microscope(thermal={"O": thermal}, absorption={})
        wave = sbd.exit_wave(atom, scope, grid=128)
        peak = np.angle(np.fft.ifft2(wave.spectrum) * wave.spectrum.size)[0, 0]
        return wave.spectrum.imag[0, 1:41], peak

    still, still_peak = phase_spectrum(0.0)
    moving, peak = phase_spectrum(rms)
    k = np.arange(1, 41) / BOX
    factor = np.exp(-2 * np.pi**2 * rms**2 * k**2)
    # exp(i f) - 1 = i f - f^2 / 2 - i f^3 / 6: the second order is not in the imaginary
    # part, and the third is at most f^2 / 6 of the first, in both spectra
    tolerance = 2 * still_peak**2 / 6
    assert tolerance < 0.02
    np.testing.assert_allclose(moving / still, factor, rtol=tolerance)
    assert factor[-1] < 0.9
    assert peak < still_peak * (1 - 0.02)
