"""Say how well the authors' images determine the microscope: ``make optics``.

    python book/measured/optics.py FILE [--grid N]

On the supports of four of the authors' images (three thicknesses, three tilts, four
foci) the constants of the default microscope are moved one by one, together with the
lattice of ceria, the tilt and the place of the frame, and fitted to all images at once,
to first order; then those of the scattering alone. The standard error is that of the
jackknife, which leaves out one image after the other; what is left out is predicted by
the others. Beside it, how far the constant can go alone, and with all others following,
until the squared error of all images has grown by a tenth; and which pairs nearly do
the same to the images.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.pages.fidelity import compare_published, compare_unlabelled
from sbd.companion.pages.fidelity.pairs import Pair
from sbd.simulation.frame import BOX
from sbd.simulation.matching import compare_frame, make_template
from sbd.simulation.microscope import Microscope

STEPS = {
    "thermal motion of cerium [angstrom]": 2e-3,
    "thermal motion of oxygen [angstrom]": 4e-3,
    "absorption": 0.03,
    "plane of focus [angstrom]": 0.5,
    "focal spread [angstrom]": 1.0,
    "vibration [angstrom]": 0.01,
    "convergence [mrad]": 0.05,
    "spherical aberration [angstrom]": 2e3,
    "fifth-order aberration [angstrom]": 2e6,
    "lattice of ceria [angstrom]": 1e-3,
}
"""What is fitted to all images, and by how much it is moved."""
FIELDS = {
    "absorption": "absorption", "plane of focus [angstrom]": "exit_plane",
    "focal spread [angstrom]": "focal_spread", "vibration [angstrom]": "vibration",
    "convergence [mrad]": "convergence",
    "spherical aberration [angstrom]": "cs",
    "fifth-order aberration [angstrom]": "c5",
}  # fmt: skip
SCATTERING = 4  # constants, the first, that are not the lens's
OWN = ("tilt_x", "tilt_y", "row", "column")
TILT, PLACE = 0.02, 0.01  # of each image, moved by [degrees, angstrom]
TOP, LEFT, RIGHT, BOTTOM = 27.0, 3.0, 44.0, 42.0  # of the support in the box
GROWTH, ALIKE = 0.1, 0.9  # of the squared error; correlation of a degenerate pair
WORD = "lattice of ceria [angstrom]"


def default_value(name: str) -> float:
    """Tell the constant that the default microscope has."""
    scope = Microscope()
    if name.startswith("thermal"):
        return scope.displacement("Ce")
    if name == WORD:
        return sbd.simulation.structures.CEO2_LATTICE
    return float(getattr(scope, FIELDS[name]))


def change_scope(moved: dict[str, float], grid: int) -> Microscope:
    """Give a microscope with some constants moved."""
    scope = Microscope(grid=grid)
    fields = {
        field: getattr(scope, field) + moved.get(name, 0.0)
        for name, field in FIELDS.items()
    }
    rms = scope.displacement("Ce")
    thermal = {
        "Pt": rms,
        "Ce": rms + moved.get("thermal motion of cerium [angstrom]", 0.0),
        "O": rms + moved.get("thermal motion of oxygen [angstrom]", 0.0),
    }
    return replace(scope, thermal=thermal, **fields)


class Support:
    """An image's support, and how it changes with every constant."""

    def __init__(self, pair: Pair, grid: int) -> None:
        self.told, self.grid = pair.parameters, grid
        self.comparison = compare_frame(
            pair.published, pair.parameters["pixel"], mirrored=False
        )
        origin = np.array(pair.parameters["origin"])
        origin[1] -= BOX if origin[1] > BOX / 2 else 0  # left of the box
        rows, columns = self.comparison.places_in_box(origin)
        self.region = np.ix_(
            (rows > TOP) & (rows < BOTTOM), (columns > LEFT) & (columns < RIGHT)
        )
        self.image = self.comparison.image[self.region].ravel()
        base = self._see(self._spectrum({}), origin)
        self.residual = self.image - base
        slopes = [
            (self._see(self._spectrum({key: step}), origin) - base) / step
            for key, step in STEPS.items()
        ]
        slopes += [
            (self._see(self._spectrum({axis: TILT}), origin) - base) / TILT
            for axis in ("tilt_x", "tilt_y")
        ]
        spectrum = self._spectrum({})
        slopes += [
            (self._see(spectrum, origin + PLACE * unit) - base) / PLACE
            for unit in np.eye(2)
        ]
        self.slopes = np.stack(slopes, 1)

    def _spectrum(self, moved: dict[str, float]) -> NDArray[np.complex64]:
        told = self.told
        tilt = tuple(told[axis] + moved.get(axis, 0.0) for axis in ("tilt_x", "tilt_y"))
        atoms = sbd.pt_on_ceria(
            told["particle"], told["defect"], thickness=told["thickness"]
        )
        atoms.positions *= 1 + moved.get(WORD, 0.0) / default_value(WORD)
        (wave,) = sbd.exit_wave(atoms, change_scope(moved, self.grid), tilts=[tilt])
        return make_template(wave, told["defocus"])

    def _see(
        self, spectrum: NDArray[np.complex64], origin: NDArray
    ) -> NDArray[np.float64]:
        return self.comparison.values(spectrum, origin)[0][self.region].ravel()


def solve(supports: list[Support], free: int) -> tuple[NDArray, NDArray]:
    """Fit the first constants to some supports: their moves, and the normal matrix.

    Each image counts alike, in shares of its contrast; its tilt and its place are its
    own.
    """
    own = len(OWN)
    size = free + own * len(supports)
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for k, support in enumerate(supports):
        weight = 1 / (support.image.var() * support.image.size)
        at = np.r_[:free, free + own * k : free + own * (k + 1)]
        slopes = np.delete(support.slopes, np.s_[free : len(STEPS)], 1)
        matrix[np.ix_(at, at)] += weight * slopes.T @ slopes
        right[at] += weight * slopes.T @ support.residual
    return np.linalg.solve(matrix, right)[:free], matrix


def predict(support: Support, moves: NDArray) -> float:
    """Tell the error of an image as others predict it, its tilt and place its own."""
    rest = support.residual - support.slopes[:, : len(moves)] @ moves
    own = support.slopes[:, len(STEPS) :]
    rest = rest - own @ np.linalg.lstsq(own, rest, rcond=None)[0]
    return float(rest.std() / support.image.std())


def report(supports: dict[str, Support], free: int) -> dict:
    """Fit the first constants, leave images out, and describe."""
    names, supports = list(supports), list(supports.values())
    moves, matrix = solve(supports, free)
    left_out = np.array([
        solve([s for s in supports if s is not one], free)[0] for one in supports
    ])  # fmt: skip
    number = len(supports)
    jackknife = np.sqrt((number - 1) * left_out.var(0))
    square = sum(predict(s, moves) ** 2 for s in supports)
    inverse = np.linalg.inv(matrix)
    constants = {}
    for k, name in enumerate(list(STEPS)[:free]):
        constants[name] = {
            "default": default_value(name),
            "fitted to all": default_value(name) + moves[k],
            "its standard error": jackknife[k],
            "error up by a tenth, alone": np.sqrt(GROWTH * square / matrix[k, k]),
            "with all others following": np.sqrt(GROWTH * square * inverse[k, k]),
        }
    constants = {
        name: {key: float(f"{value:.4g}") for key, value in one.items()}
        for name, one in constants.items()
    }
    scale = np.sqrt(np.diag(inverse))
    correlation = inverse / np.outer(scale, scale)
    pairs = {
        f"{a} and {b}": round(float(correlation[i, j]), 3)
        for i, a in enumerate(constants)
        for j, b in enumerate(constants)
        if i < j and abs(correlation[i, j]) > ALIKE
    }
    still = np.zeros(free)
    images = {
        name: {
            "now": round(predict(s, still), 4),
            "fitted with all": round(predict(s, moves), 4),
            "predicted by the others": round(predict(s, others), 4),
        }
        for name, s, others in zip(names, supports, left_out, strict=True)
    }
    return {
        "constants": constants, "pairs that do nearly the same": pairs,
        "error of the support over its contrast": images,
    }  # fmt: skip


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--grid", type=int, default=640)
    given = parser.parse_args()
    how = {"source": "authors", "grid": given.grid}
    pairs = {"S3_5": compare_published("S3_5", **how)} | compare_unlabelled(**how)
    supports = {}
    for name, pair in pairs.items():
        supports[name] = Support(pair, given.grid)
        print(name, flush=True)
    record = {
        "all constants": report(supports, len(STEPS)),
        "scattering, with the optics as they are": report(supports, SCATTERING),
    }
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
