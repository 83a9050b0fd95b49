"""The microscope: its optics, how its electrons see atoms, how finely to compute.

The constants are those that reproduce the authors' images. Lengths in angstrom, angles
in mrad, energies in eV.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.units import _c, _e, _hplanck, _me

from sbd.validation import check_whole, check_word

WAVE_LIMIT = 3.2
"""No wave component beyond this matters to the image [1/angstrom]."""


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
    form_factors : {"kirkland", "lobato"}
        Who fitted the electron scattering factors of atoms.
    absorption : float or dict of str to float, default 1.045
        What thermal motion scatters out of the elastic wave, times that number. A dict:
        imaginary over real part of the potential, by element.
    thermal : float or dict of str to float, default 0.0747
        Root mean square thermal displacement along one axis, of all atoms or by element
        [angstrom].
    exit_plane : float, default 1.909
        From the last layer of atoms to the plane that the focus is counted from; by
        default half a period of ceria [angstrom].
    grid : int, default 640
        Samples of each side of the box in the multislice calculation, at least 64.

    Notes
    -----
    `focal_step` and `grid` are no physics but the accuracy of the calculation; the
    defaults suit a benchmark, and `REFERENCE` is what they are measured against.

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
    form_factors: Literal["kirkland", "lobato"] = "kirkland"
    absorption: float | dict[str, float] = 1.045
    thermal: float | dict[str, float] = 0.0747
    exit_plane: float = 1.909
    grid: int = 640

    def __post_init__(self) -> None:
        for name in ("cs", "c5", "focal_spread", "convergence", "vibration",
                     "exit_plane"):  # fmt: skip
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
        widest = self.focal_spread or np.inf  # one focus needs no steps
        if not 0 < self.focal_step <= widest:
            msg = (
                "focal_step must be above 0 and at most focal_spread, "
                f"{self.focal_spread}; got {self.focal_step}"
            )
            raise ValueError(msg)
        check_word("form_factors", self.form_factors, ("kirkland", "lobato"))
        for name in ("absorption", "thermal"):
            given = getattr(self, name)
            values = given.values() if isinstance(given, dict) else [given]
            if not all(isinstance(v, (int, float)) and 0 <= v < np.inf for v in values):
                msg = (
                    f"{name} must be a finite number, or a dict from elements to such, "
                    f"none below 0; got {given}"
                )
                raise ValueError(msg)
        check_whole("grid", self.grid, 64)

    def displacement(self, symbol: str) -> float:
        """Thermal displacement of an element's atoms along one axis [angstrom]."""
        if isinstance(self.thermal, dict):
            return self.thermal.get(symbol, 0.0)
        return self.thermal

    @property
    def wavelength(self) -> float:
        """Relativistic wavelength of the electrons [angstrom]."""
        rest = _me * _c**2 / _e
        momentum = np.sqrt(self.energy * (self.energy + 2 * rest)) * _e / _c
        return float(_hplanck / momentum * 1e10)

    @property
    def interaction(self) -> float:
        """Phase for each volt of projected potential [rad / (volt angstrom)]."""
        mass = _me + self.energy * _e / _c**2
        return 2e-10 * np.pi * mass * _e * (self.wavelength * 1e-10) / _hplanck**2

    def aberration(self, k2: np.ndarray, c1: float) -> np.ndarray:
        """Return the phase of the aberrations [rad].

        At squared spatial frequencies [1/angstrom^2] and the defocus `c1`, positive for
        overfocus [angstrom].
        """
        w = self.wavelength
        terms = c1 + k2 * w**2 * (self.cs / 2 + k2 * w**2 * self.c5 / 3)
        return np.pi * w * k2 * terms


@dataclass(frozen=True)
class ResidualAberrations:
    r"""What an aberration corrector leaves that is not round.

    In the notation of Uhlemann and Haider [1]_, at the angle :math:`\theta = \lambda k`
    and the azimuth :math:`\varphi`,

    .. math:: \chi = \frac{2\pi}{\lambda} \left[
        \tfrac{1}{2} A_1 \theta^2 \cos 2(\varphi - \alpha_1)
        + B_2 \theta^3 \cos(\varphi - \beta_2)
        + \tfrac{1}{3} A_2 \theta^3 \cos 3(\varphi - \alpha_2) \right] .

    Parameters
    ----------
    astigmatism : float, default 0.0
        Twofold astigmatism A1 [angstrom].
    coma : float, default 0.0
        Axial coma B2, which a tilted beam has too [angstrom].
    threefold : float, default 0.0
        Threefold astigmatism A2 [angstrom].
    astigmatism_angle, coma_angle, threefold_angle : float, default 0.0
        Their azimuths, from the direction of rows (to the right) towards the bottom
        [degrees].

    Raises
    ------
    ValueError
        If a number is not finite.

    References
    ----------
    .. [1] S. Uhlemann, M. Haider, "Residual wave aberrations in the first spherical
       aberration corrected transmission electron microscope", Ultramicroscopy 72
       (1998) 109-119.

    Examples
    --------
    >>> along = ResidualAberrations(astigmatism=20.0).phase(0.0, 0.5, 0.02)
    >>> round(float(along / np.pi), 3)
    0.1
    """

    astigmatism: float = 0.0
    coma: float = 0.0
    threefold: float = 0.0
    astigmatism_angle: float = 0.0
    coma_angle: float = 0.0
    threefold_angle: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not np.isfinite(value):
                msg = f"{name} must be finite; got {value}"
                raise ValueError(msg)

    def phase(
        self, down: np.ndarray, across: np.ndarray, wavelength: float
    ) -> np.ndarray:
        """Return their phase at spatial frequencies [1/angstrom], in rad."""
        angle = np.arctan2(down, across)
        theta = wavelength * np.hypot(down, across)
        turned = {
            1: angle - np.deg2rad(self.coma_angle),
            2: 2 * (angle - np.deg2rad(self.astigmatism_angle)),
            3: 3 * (angle - np.deg2rad(self.threefold_angle)),
        }
        path = theta**2 * self.astigmatism / 2 * np.cos(turned[2])
        path += theta**3 * self.coma * np.cos(turned[1])
        path += theta**3 * self.threefold / 3 * np.cos(turned[3])
        return 2 * np.pi / wavelength * path


REFERENCE = Microscope(grid=768, focal_step=5.0)
"""The default microscope, calculated more finely, to measure errors against."""


LOBATO = Microscope(
    form_factors="lobato",
    absorption={"Pt": 0.048, "Ce": 0.023},
    thermal={"Pt": 0.075, "Ce": 0.065, "O": 0.096},
    exit_plane=0.0,
)
"""Absorption in proportion to the potential, as fitted to one tilted specimen alone.

It fails without tilt; for comparison.
"""


def image_samples(box: float, scope: Microscope) -> int:
    """Count the samples along a box [angstrom] that hold an image.

    To 1.28 / angstrom, or as far as the wave goes where little vibration blurs it.
    """
    limit = 1.28 if scope.vibration >= 0.45 else 2 * WAVE_LIMIT
    return 2 * int(np.ceil(limit * box))
