"""Check the microscope against physics and against an independent multislice loop."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

import sbd
from sbd.simulation.imaging import ExitWave, crop_spectrum, resample
from sbd.simulation.microscope import (
    LOBATO,
    REFERENCE,
    Microscope,
    ResidualAberrations,
    image_samples,
)
from sbd.simulation.potential import check_atoms, layered_potential, layers_of

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


def test_the_interaction_constant_is_the_textbook_one():
    # Kirkland, Advanced Computing in Electron Microscopy, to the figures given there
    assert Microscope().interaction == pytest.approx(0.6526e-3, abs=1e-7)
    assert Microscope(energy=200e3).interaction == pytest.approx(0.7288e-3, abs=1e-7)


def test_abtem_agrees_with_a_plain_multislice_loop(atoms, wave):
    grid, box, scope = 192, 50.0, Microscope()
    layers, steps = layered_potential(atoms, replace(scope, grid=grid))
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


def test_one_average_of_images_is_the_sum_written_out(wave):
    """Against numpy in double precision, one focus after the other."""
    scope, m, c1 = wave.microscope, len(wave.spectrum), 60.0
    k = np.fft.fftfreq(m, wave.box / m)
    k2 = k[:, None] ** 2 + k**2
    sigma, w = scope.focal_spread / np.sqrt(2), scope.wavelength
    offsets = np.arange(-100.0, 101.0, 10.0)
    intensity = 0.0
    for offset, weight in zip(
        offsets, np.exp(-((offsets / sigma) ** 2) / 2), strict=True
    ):
        c = c1 + offset + scope.exit_plane
        slope = c + k2 * w**2 * (scope.cs + k2 * w**2 * scope.c5)
        fan = np.exp(-((np.pi * scope.convergence * 1e-3 * slope) ** 2) * k2)
        phase = np.exp(-1j * scope.aberration(k2, c))
        intensity += weight * np.abs(np.fft.ifft2(wave.spectrum * fan * phase)) ** 2
    total = np.exp(-((offsets / sigma) ** 2) / 2).sum()
    spectrum = np.fft.fft2(intensity) * m**2 / total
    spectrum *= np.exp(-2 * np.pi**2 * scope.vibration**2 * k2)
    expected = sbd.VACUUM * resample(crop_spectrum(spectrum, 128), (128, 128))
    # single precision: 2e-7 of a vacuum of 0.45, five standard deviations
    np.testing.assert_allclose(sbd.form_image(wave, defocus=c1), expected, atol=5e-7)


def test_a_weak_phase_grating_has_the_contrast_of_theory():
    """I = 1 + 2 eps sin(chi) cos(k x) for exp(i eps cos(k x)), without damping."""
    eps, index, c1 = 1e-3, 10, 80.0
    scope = Microscope(focal_spread=0, convergence=0, vibration=0, exit_plane=0.0)
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


def test_the_reference_is_the_default_calculated_more_finely(atoms):
    assert replace(REFERENCE, grid=640, focal_step=10.0) == Microscope()
    coarse = sbd.exit_wave(atoms, replace(REFERENCE, grid=96))
    assert coarse.microscope.focal_step == 5.0
    again = sbd.exit_wave(atoms, REFERENCE, grid=96)
    np.testing.assert_array_equal(coarse.spectrum, again.spectrum)
    assert again.microscope.grid == 96


@pytest.mark.parametrize("particle", ["PtNp1", "PtNp2", "PtNp3", "PtNp4"])
@pytest.mark.parametrize("thickness", [10.0, 60.0])
def test_the_particles_of_the_benchmark_are_accepted(particle, thickness):
    assert check_atoms(sbd.pt_on_ceria(particle, thickness=thickness)) == 50.0


def pair(apart=(2.0, 0.0, 0.0), *, first=(25.0, 25.0, 5.0), box=50.0, symbols="PtO"):
    places = [first, np.add(first, apart)]
    return Atoms(symbols, places, cell=(box, box, 30.0))


def test_atoms_half_an_angstrom_apart_are_accepted_also_through_the_sides():
    for apart in ((0.51, 0, 0), (0, 49.4, 0), (0, 0, 0.6), (0, 25, 30.0)):
        assert check_atoms(pair(apart, first=(0.2, 0.0, 0.0))) == 50.0


def test_an_atom_just_outside_is_wrapped():
    inside, outside = (
        sbd.exit_wave(pair((0, 25, 0), first=(x, 12, 5)), grid=64).spectrum
        for x in (49.7, -0.3)
    )
    # a whole turn of each phase, in double precision
    np.testing.assert_allclose(inside, outside, atol=1e-6)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(cell=(50, 50, 30)), "must hold at least one atom; got none"),
        (pair(box=5.0), "must be in a box of at least 10 angstrom; got 5"),
        (Atoms("O"), "must be in a box that is square across z; got"),
        (pair((np.nan, 0, 0)), "must have finite positions; got 1 of 2 without"),
        (pair((30, 0, 0)), "lie inside their box of 50 angstrom .* got 25.0 to 55.0"),
        (pair((0, -26, 0)), "got -1.0 to 25.0 .the box is too small: enlarge it"),
        (pair((0.3, 0, 0)), r"apart; got Pt and O \(atoms 0 and 1\) 0.30 angstrom"),
        (pair((49.8, 0, 0), first=(0, 0, 0)), "0.20 angstrom apart"),
        (pair((0, 50, 0), first=(0, -1e-17, 0)), "0.00 angstrom apart"),
        (pair(symbols="PtX"), "of elements with scattering factors; got X"),
    ],
)
def test_atoms_that_can_not_be_simulated_are_refused(atoms, message):
    with pytest.raises(ValueError, match=message):
        sbd.exit_wave(atoms, grid=64)


def test_what_is_no_atoms_or_no_grid_is_refused():
    with pytest.raises(TypeError, match=r"atoms must be ase.Atoms; got str"):
        sbd.exit_wave("PtNp2")
    with pytest.raises(ValueError, match=r"grid must be a whole .* 64; got 512\.0"):
        Microscope(grid=512.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Microscope(energy=1.0), "energy must be 10e3 to 3e6 eV; got 1.0"),
        (lambda: Microscope(vibration=-1), "vibration must not be negative; got -1"),
        (lambda: Microscope(focal_step=0), "focal_step must be above 0 .*; got 0"),
        (lambda: Microscope(focal_step=float("nan")), "focal_step must be above 0"),
        (lambda: Microscope(focal_step=90), "at most focal_spread, 40.0; got 90"),
        (lambda: Microscope(absorption={"Pt": float("nan")}), "absorption must be a"),
        (lambda: Microscope(absorption=-1.0), "absorption must be a"),
        (lambda: Microscope(form_factors="lobarto"), "form_factors must be one of"),
        (lambda: Microscope(thermal="a"), "thermal must be a finite .*; got a"),
        (lambda: Microscope(grid=10), "grid must be a whole .* at least 64; got 10"),
        (lambda: sbd.exit_wave(sbd.pt_on_ceria(), grid=10), "grid must be a whole"),
    ],
)
def test_impossible_optics_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_too_few_samples_are_refused(wave):
    with pytest.raises(ValueError, match=r"samples must be a whole .* 16; got 8"):
        sbd.form_image(wave, defocus=0.0, samples=8)


def test_plans_of_another_calculation_change_no_digit(atoms):
    import abtem
    import pyfftw

    before = sbd.exit_wave(atoms, grid=96).spectrum
    field = np.ones((96, 96), np.complex64)
    pyfftw.FFTW(field, field.copy(), axes=(0, 1), flags=("FFTW_PATIENT",))
    wisdom = _plans(pyfftw.export_wisdom())
    assert any(len(plans) > 2 for plans in wisdom)
    effort = abtem.config.get("fftw.planning_effort")
    after = sbd.exit_wave(atoms, grid=96).spectrum
    np.testing.assert_array_equal(after, before)
    # and what others planned and set is there again
    assert _plans(pyfftw.export_wisdom()) == wisdom
    assert abtem.config.get("fftw.planning_effort") == effort


def _plans(wisdom):
    """Return the plans of each precision; FFTW lists what it read in another order."""
    return [sorted(text.splitlines()) for text in wisdom]


def test_atoms_of_one_height_are_a_layer_with_rows_counted_from_the_top():
    atoms = Atoms("PtO", [(5, 5, 1), (5, 10, 3)], cell=(20, 20, 5))
    layers, thicknesses = layers_of(atoms)
    assert [layer["O"].tolist() for layer in layers] == [[], [[0.5, 0.25]]]
    assert layers[0]["Pt"].tolist() == [[0.75, 0.25]]
    assert thicknesses.tolist() == [2.0, 0.0]


@pytest.mark.parametrize(("vibration", "samples"), [(0.5, 128), (0.1, 640)])
def test_samples_hold_the_frequencies_that_vibration_leaves(vibration, samples):
    # 2 * 1.28 * 50, and 2 * 2 * 3.2 * 50: an intensity has twice the wave's
    assert image_samples(50.0, Microscope(vibration=vibration)) == samples


def test_displaced_atoms_do_not_make_a_layer_each():
    atoms = sbd.pt_on_ceria(**SMALL)
    still, _ = layers_of(atoms)
    atoms.rattle(0.05, seed=0)
    layers, thicknesses = layers_of(atoms)
    depth = np.ptp(atoms.positions[:, 2])
    assert len(still) < 3 * depth
    assert len(layers) <= depth / 0.25 + 2
    assert sum(len(p) for layer in layers for p in layer.values()) == len(atoms)
    # slices are as far apart as they are, the last is the exit plane
    np.testing.assert_allclose(thicknesses.sum(), depth, atol=0.25)


def test_absorption_is_the_scatter_of_the_potential_of_moving_atoms():
    rms, grid, box = 0.15, 256, 10.0
    scope = Microscope(
        form_factors="kirkland", absorption=1.0, thermal={"O": rms}, grid=grid
    )
    still = replace(scope, thermal={}, absorption={})
    one = Atoms("O", [(5.0, 5.0, 1.0)], cell=(box, box, 2.0), pbc=True)
    (potential,), _ = layered_potential(one, scope)
    rng, seen = np.random.default_rng(0), []
    for _ in range(400):
        moved = one.copy()
        moved.positions[:, :2] += rng.normal(0, rms, 2)
        seen.append(layered_potential(moved, still)[0][0].real)
    # 400 draws give a variance to 1 / sqrt(200), 7 %, a sum over pixels better
    scatter = scope.interaction / 2 * np.var(seen, axis=0)
    assert potential.imag.sum() == pytest.approx(scatter.sum(), rel=0.07)
    assert potential.imag.max() == pytest.approx(scatter.max(), rel=0.15)
    assert potential.real.sum() == pytest.approx(np.mean(seen, axis=0).sum(), rel=1e-3)


def test_atoms_that_do_not_move_absorb_nothing():
    one = Atoms("Pt", [(5.0, 5.0, 1.0)], cell=(10.0, 10.0, 2.0), pbc=True)
    scope = Microscope(absorption=1.0, thermal={}, grid=64)
    (potential,), _ = layered_potential(one, scope)
    assert abs(potential.imag).max() < 1e-5 * potential.real.max()


def test_one_thermal_displacement_is_that_of_all_atoms():
    one, some = Microscope(thermal=0.08), Microscope(thermal={"O": 0.08})
    assert [one.displacement(s) for s in ("O", "Au")] == [0.08, 0.08]
    assert [some.displacement(s) for s in ("O", "Au")] == [0.08, 0.0]


def test_without_tilt_the_way_of_absorbing_shows_more():
    atoms = sbd.pt_on_ceria(thickness=30.0)
    numerics = {"grid": 256, "exit_plane": 0.0}
    error = []
    for tilt in (0.0, 3.0):
        ours, former = (
            sbd.form_image(
                sbd.exit_wave(atoms, replace(scope, **numerics), tilts=[(tilt, 0)])[0],
                defocus=120.0,
            )
            for scope in (Microscope(), LOBATO)
        )
        error.append((ours - former).std() / ours.std())
    # measured on the authors' images: half of the contrast without tilt, 3 % with
    assert error[0] > 0.2 > 0.05 > error[1]


@pytest.mark.parametrize("name", ["lobato", "kirkland"])
def test_form_factors_scatter_forward_as_the_tables_say(name):
    one = Atoms("O", [(5.0, 5.0, 1.0)], cell=(10.0, 10.0, 2.0), pbc=True)
    (potential,), _ = layered_potential(one, Microscope(form_factors=name, grid=128))
    # International Tables C, 4.3.1: 1.983 angstrom for oxygen, from another calculation
    # of the atom; h^2 / (2 pi m e) = 47.878 V angstrom^2
    forward = potential.real.mean() * 100 / 47.878
    assert forward == pytest.approx(1.983, rel=0.03)


def fringes(direction):
    """A wave of vacuum and a weak grating, turned from the rows' direction."""
    spectrum = np.zeros((96, 96), complex)
    spectrum[0, 0] = 1.0
    down, across = direction
    spectrum[down, across] = spectrum[-down, -across] = 0.1j
    return ExitWave(spectrum, 50.0, Microscope(convergence=0.0, exit_plane=0.0))


@pytest.mark.parametrize(("direction", "sign"), [((0, 20), 1), ((20, 0), -1)])
def test_astigmatism_is_another_focus_in_another_direction(direction, sign):
    wave, residual = fringes(direction), ResidualAberrations(astigmatism=35.0)
    ours = sbd.form_image(wave, defocus=60.0, residual=residual)
    truth = sbd.form_image(wave, defocus=60.0 + sign * 35.0)
    np.testing.assert_allclose(ours, truth, atol=1e-6)
    assert not np.allclose(ours, sbd.form_image(wave, defocus=60.0), atol=1e-3)
    turned = replace(residual, astigmatism=-35.0, astigmatism_angle=90.0)
    again = sbd.form_image(wave, defocus=60.0, residual=turned)
    np.testing.assert_allclose(ours, again, atol=1e-6)
    # halfway between, the focus is the round one
    between = replace(residual, astigmatism_angle=45.0)
    again = sbd.form_image(wave, defocus=60.0, residual=between)
    np.testing.assert_allclose(again, sbd.form_image(wave, defocus=60.0), atol=1e-6)


def test_coma_and_threefold_astigmatism_are_as_symmetric_as_they_should_be():
    down, across = np.random.default_rng(0).normal(size=(2, 50))
    turn = np.deg2rad(120)
    turned = (
        np.sin(turn) * across + np.cos(turn) * down,
        np.cos(turn) * across - np.sin(turn) * down,
    )
    threefold = ResidualAberrations(threefold=500.0, threefold_angle=17.0)
    phase = threefold.phase(down, across, 0.02)
    np.testing.assert_allclose(threefold.phase(*turned, 0.02), phase, atol=1e-12)
    np.testing.assert_allclose(threefold.phase(-down, -across, 0.02), -phase)
    coma = ResidualAberrations(coma=300.0, coma_angle=90.0)
    # 2 pi / lambda * B2 * theta^3 straight down, nothing across
    assert coma.phase(0.5, 0.0, 0.02) == pytest.approx(2 * np.pi * 0.02**2 * 300 / 8)
    assert coma.phase(0.0, 0.5, 0.02) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(coma.phase(*turned, 0.02), replace(
        coma, coma_angle=90.0 - 120.0
    ).phase(down, across, 0.02), atol=1e-12)  # fmt: skip


def test_a_coma_is_a_tilted_beam():
    """Round aberrations seen from a tilted beam are coma, astigmatism and a shift."""
    wavelength, cs, tilt = 0.02, 1e5, 2e-3
    across, down = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 50))

    def round_phase(theta):
        return np.pi / 2 / wavelength * cs * (theta**2).sum(0) ** 2

    theta = wavelength * np.stack([across, down])
    beam = np.array([[tilt], [0.0]])
    seen = round_phase(theta + beam) - round_phase(theta)
    # what is left beside terms of the second order and lower
    coma = ResidualAberrations(coma=cs * tilt).phase(down, across, wavelength)
    lower = seen - coma
    basis = np.stack([across, down, across**2, down**2, across * down, across * 0 + 1])
    left = lower - basis.T @ np.linalg.lstsq(basis.T, lower, rcond=None)[0]
    assert np.abs(left).max() < 1e-9 * np.abs(seen).max()


def test_residual_aberrations_are_finite():
    with pytest.raises(ValueError, match="coma must be finite; got nan"):
        ResidualAberrations(coma=np.nan)
