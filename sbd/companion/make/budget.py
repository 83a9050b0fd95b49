"""Measure what each approximation of the simulation costs: ``make budget``.

    python -m sbd.companion.make.budget

writes ``sbd/assets/error_budget.csv``, one row for each effect, setting, thickness and
tilt of PtNp2, and goes on where it stopped: a row that is there is not made again. An
error is the difference between two series of images at defocus 0, 1, ... 20 nm (128 x
128 samples of the whole box), the second being the better one;
`sbd.companion.pages.fidelity.budget.series_error` says what ``rms``, ``worst`` and
``relative`` are.

Effects, and what is compared with what:

* ``default``: the default settings with `REFERENCE` (grid 768, foci 5 angstrom apart);
* ``grid``: that grid with the reference's 768; 1024 tells how good the reference is;
* ``slices``: atoms moved to slices of that thickness [angstrom], counted from the last
  atomic layer, with slices at the atomic layers;
* ``focal step``: foci that far apart [angstrom] with 2.5;
* ``wave``: waves cut off at 3.2 per angstrom, as they are kept, with whole ones;
* ``potential``: abTEM's own infinite projection on that grid, with our exact layers on
  the same grid (both without absorption and thermal motion, which abTEM's has not);
* ``storage``: 128 samples in half precision, evaluated on 256, with 256 in single;
* ``engine``: `sbd.simulation.multislice` in single precision with abTEM, on grid 512;
* ``physics``: no approximation but a yardstick: specimens without absorption, or
  without thermal motion and what it absorbs, or with the scattering factors and the
  absorption of `LOBATO`, or a tilt that is off by 0.1 degrees about x.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial

import abtem
import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

import sbd
from sbd.companion.make.packing import ASSETS
from sbd.companion.pages.fidelity.budget import series_error
from sbd.files import replacing
from sbd.simulation import imaging
from sbd.simulation.frame import BOX
from sbd.simulation.imaging import ExitWave
from sbd.simulation.microscope import LOBATO, REFERENCE, WAVE_LIMIT, Microscope
from sbd.simulation.specimens import THICKNESSES, TILTS

FILE = ASSETS / "error_budget.csv"
KEYS = ("effect", "setting", "thickness", "tilt_x", "tilt_y")
NUMBERS = ("rms", "worst", "relative")
DEFOCI = 10.0 * np.arange(21)
FEW = ((0.0, 0.0), (3.0, 0.0))  # tilts at which single effects are looked at
STILL = replace(REFERENCE, absorption={}, thermal={}, grid=512)


@cache
def specimen(thickness: float = 40.0) -> Atoms:
    """Build the particle that the authors published images of."""
    return sbd.pt_on_ceria("PtNp2", thickness=thickness)


def record(waves: list[ExitWave], samples: int = 128, **optics: float) -> np.ndarray:
    """Form all images, relative to vacuum: (tilts, defoci, samples, samples)."""
    scope = replace(waves[0].microscope, **optics)
    images = [
        sbd.form_image(wave, defocus=DEFOCI, samples=samples, microscope=scope, dose=1)
        for wave in waves
    ]
    return np.array(images)


@cache
def reference_waves() -> list[ExitWave]:
    """Calculate the waves that single effects are measured against."""
    return sbd.exit_wave(specimen(), REFERENCE, tilts=FEW)


def images(atoms: Atoms, scope: Microscope) -> np.ndarray:
    """Simulate with one thing changed."""
    return record(sbd.exit_wave(atoms, scope, tilts=FEW))


@cache
def single() -> Atoms:
    """Leave out columns that the seam doubles: in slices their atoms would meet."""
    atoms = specimen()
    across = cKDTree(atoms.positions[:, :2] % BOX, boxsize=BOX)
    doubled = [b for a, b in across.query_pairs(0.5) if a < b and _apart(atoms, a, b)]
    return atoms[np.setdiff1d(np.arange(len(atoms)), doubled)]


def _apart(atoms: Atoms, a: int, b: int) -> bool:
    """Tell whether two atoms are of two columns."""
    return bool(np.abs(atoms.positions[a] - atoms.positions[b])[:2].max() > 0.01)


def sliced(thickness: float) -> Atoms:
    """Move atoms along the beam to the middle of slices counted from the last layer."""
    atoms = single().copy()
    z = atoms.positions[:, 2]
    atoms.positions[:, 2] = z.max() - thickness * np.round((z.max() - z) / thickness)
    return atoms


def whole_waves() -> list[ExitWave]:
    """Propagate without cutting the waves off."""
    spectra = imaging._multislice(specimen(), REFERENCE, FEW)
    return [ExitWave(spectrum, 50.0, REFERENCE) for spectrum in spectra]


def infinite_projection(grid: int) -> list[ExitWave]:
    """Leave the potential to abTEM, each atomic layer at the front of a slice."""
    atoms = specimen().copy()
    x, y, z = atoms.positions.T
    front = 0.01
    atoms.positions = np.stack([50.0 - y, x, z - z.min() + front], axis=1)
    layers = np.unique((z - z.min()).round(3))
    steps = (*np.diff(layers), 2 * front)
    atoms.cell[2, 2] = sum(steps)
    potential = abtem.Potential(
        atoms, gpts=grid, slice_thickness=steps, projection="infinite",
        parametrization=STILL.form_factors,
    )  # fmt: skip
    wave = abtem.PlaneWave(energy=STILL.energy, tilt=1e3 * np.deg2rad(FEW))
    quiet = {"diagnostics.progress_bar": False, "local_diagnostics.progress_bar": False}
    with abtem.config.set({"fft": "numpy", **quiet}):
        array = np.asarray(wave.multislice(potential, lazy=False).array)
    scope = replace(STILL, grid=grid)
    spectra = np.fft.fft2(array, norm="forward")
    cut = 2 * int(np.ceil(WAVE_LIMIT * 50))
    spectra = imaging.crop_spectrum(spectra, min(cut, grid))
    return [ExitWave(spectrum, 50.0, scope) for spectrum in spectra]


def tilted_more() -> np.ndarray:
    """Tilt by another tenth of a degree."""
    tilts = [(x + 0.1, y) for x, y in FEW]
    return record(sbd.exit_wave(specimen(), REFERENCE, tilts=tilts))


def stored(series: np.ndarray) -> np.ndarray:
    """Keep images in half precision [electrons per pixel], as the benchmark does."""
    kept = (sbd.VACUUM * series).astype(np.float16).astype(np.float32) / sbd.VACUUM
    spectra = np.fft.fft2(kept, norm="forward")
    return imaging.resample(spectra, (256, 256))


def on_torch() -> list[ExitWave]:
    """Propagate with our own multislice, in single precision on the CPU."""
    scope = replace(REFERENCE, grid=512)
    spectra = imaging._multislice_on(specimen(), scope, FEW, "cpu")
    spectra = imaging.crop_spectrum(spectra, 320)
    return [ExitWave(spectrum, 50.0, scope) for spectrum in spectra]


def compare_default(thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Simulate one thickness at all tilts by default and by the reference."""
    return tuple(
        record(sbd.exit_wave(specimen(thickness), scope, tilts=TILTS))
        for scope in (Microscope(), REFERENCE)
    )


def compare_reference(scope: Microscope) -> tuple[np.ndarray, np.ndarray]:
    """Simulate with something else than the reference has, and by the reference."""
    return images(specimen(), scope), record(reference_waves())


def compare_steps(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Average over coarse and over very fine steps of focus."""
    waves = reference_waves()
    return record(waves, focal_step=step), record(waves, focal_step=2.5)


def compare_potentials(grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Take abTEM's potential and ours."""
    exact = images(specimen(), replace(STILL, grid=grid))
    return record(infinite_projection(grid)), exact


def compare_storage() -> tuple[np.ndarray, np.ndarray]:
    """Store images and evaluate them on a finer grid, or calculate them on it."""
    waves = reference_waves()
    return stored(record(waves)), record(waves, samples=256)


def single_effects() -> Iterator[tuple[str, str, Callable]]:
    """List the effects that are looked at one by one: name, setting, both series."""
    for grid in (384, 512, 640, 1024):
        scope = replace(REFERENCE, grid=grid)
        yield "grid", str(grid), partial(compare_reference, scope)
    for thickness in (1.0, 2.0):
        yield (
            *("slices", str(thickness)),
            lambda t=thickness: (
                images(sliced(t), REFERENCE),
                images(single(), REFERENCE),
            ),
        )
    for step in (20.0, 10.0, 5.0):
        yield "focal step", str(step), partial(compare_steps, step)
    yield "wave", "3.2", lambda: (record(reference_waves()), record(whole_waves()))
    for grid in (512, 1024):
        yield "potential", f"projected {grid}", partial(compare_potentials, grid)
    yield "storage", "float16 128", compare_storage
    yield (
        *("engine", "torch"),
        lambda: (record(on_torch()), images(specimen(), replace(REFERENCE, grid=512))),
    )
    for name in ("absorption", "thermal"):
        scope = replace(REFERENCE, **{name: {}})
        yield "physics", f"no {name}", partial(compare_reference, scope)
    numerics = ("grid", "focal_step", "exit_plane")
    other = replace(LOBATO, **{name: getattr(REFERENCE, name) for name in numerics})
    yield "physics", "proportional", partial(compare_reference, other)
    yield "physics", "tilt + 0.1", lambda: (tilted_more(), record(reference_waves()))


def write(rows: list[dict]) -> None:
    """Write the table, or leave the old one."""
    with replacing(FILE) as part, part.open("w", newline="") as file:
        table = csv.DictWriter(file, (*KEYS, *NUMBERS), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Measure what is not in the table yet."""
    rows = list(csv.DictReader(FILE.open())) if FILE.exists() else []
    jobs = [(*e[:2], 40.0, FEW, e[2]) for e in single_effects()]
    for t in THICKNESSES:
        job = partial(compare_default, t)
        jobs.append(("default", "640 and 10", t, TILTS, job))
    for effect, setting, thickness, tilts, compare in jobs:
        keys = [
            dict(zip(KEYS, map(str, (effect, setting, thickness, *tilt)), strict=True))
            for tilt in tilts
        ]
        done = [{key: row[key] for key in KEYS} for row in rows]
        if all(key in done for key in keys):
            continue
        rows = [row for row, key in zip(rows, done, strict=True) if key not in keys]
        for key, changed, better in zip(keys, *compare(), strict=True):
            errors = series_error(changed, better)
            rows.append(key | {name: f"{errors[name]:.2e}" for name in NUMBERS})
            print(*rows[-1].values())
        write(rows)


if __name__ == "__main__":
    main()
