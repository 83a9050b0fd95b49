"""Lengths as files state them, in angstrom, or the reason why they are none."""

import re
from dataclasses import dataclass

ANGSTROM = {
    "m": 1e10, "meter": 1e10, "metre": 1e10, "mm": 1e7, "cm": 1e8,
    "um": 1e4, "micron": 1e4, "microns": 1e4, "micrometer": 1e4, "micrometre": 1e4,
    "nm": 10.0, "nanometer": 10.0, "nanometre": 10.0,
    "a": 1.0, "å": 1.0, "ang": 1.0, "angstrom": 1.0, "angstroms": 1.0,
    "pm": 1e-2, "picometer": 1e-2, "picometre": 1e-2,
}  # fmt: skip
"""How many angstrom a unit has, by its name in lower case."""

_NONE = "", "none", "undefined", "<undefined>", "pixel", "pixels", "px", "unknown"
_RANGE = 1e-3, 1e6  # what a side of a pixel can measure in any microscope [angstrom]


class RefusedFileError(ValueError):
    """What is amiss with a file, in words for its owner."""


class DiffractionError(RefusedFileError):
    """The axes of an image are reciprocal lengths."""


@dataclass(frozen=True)
class PixelSize:
    """Sides of a pixel, down and across, and where they are from.

    Parameters
    ----------
    sides : (float, float) or None
        None where nobody says [angstrom].
    source : str
        Where they stand, or why there are none.
    """

    sides: tuple[float, float] | None
    source: str

    def __str__(self) -> str:
        """Say both in one line."""
        if self.sides is None:
            return f"unknown ({self.source})"
        down, across = (f"{side:.6g}" for side in self.sides)
        told = down if down == across else f"{down} x {across}"
        return f"{told} angstrom ({self.source})"


def to_angstrom(unit: object) -> float | None:
    """Tell how many angstrom a unit has; None where it says nothing.

    Raises `DiffractionError` for a reciprocal length, and ValueError for what is no
    unit of length.
    """
    name = "" if unit is None else str(unit).strip().strip("\0")
    plain = name.replace("\\u00b5", "u").replace("\\u00B5", "u")
    plain = plain.replace("µ", "u").replace("μ", "u").replace("Å", "å")
    plain = plain.lower()
    if plain in _NONE:
        return None
    if plain in ANGSTROM:
        return ANGSTROM[plain]
    if re.match(r"1\s*/|rad$|mrad$|deg", plain) or re.search(
        r"(\^-|\*\*-|⁻|-)\s*[1¹]$", plain
    ):
        msg = f"holds a diffraction pattern, not an image: its axes are in {name}"
        raise DiffractionError(msg)
    msg = f"must have axes in a unit of length; got {name!r}"
    raise ValueError(msg)


def measure(
    scales: tuple[float, float], units: tuple[object, object], where: str
) -> PixelSize:
    """Convert what a file says of its axes, down and across.

    What says nothing, or nothing that can be, is left out with the reason.
    """
    try:
        factors = [to_angstrom(unit) for unit in units]
    except DiffractionError:
        raise
    except ValueError as error:
        return PixelSize(None, f"{where}: it {error}")
    if None in factors:
        return PixelSize(None, f"{where} gives no unit")
    try:
        sides = [abs(float(s)) * f for s, f in zip(scales, factors, strict=True)]
    except (TypeError, ValueError):
        return PixelSize(None, f"{where} gives no number")
    if not all(_RANGE[0] <= side <= _RANGE[1] for side in sides):
        told = " x ".join(f"{side:.4g}" for side in sides)
        return PixelSize(None, f"{where} gives {told} angstrom, which cannot be")
    return PixelSize(tuple(sides), where)
