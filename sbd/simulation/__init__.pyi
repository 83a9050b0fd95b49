__all__ = [
    "AUTHORS_PIXEL",
    "DEFOCI",
    "PARTICLES",
    "PUBLISHED",
    "REFERENCE",
    "THICKNESSES",
    "TILTS",
    "VACUUM",
    "WAVE_LIMIT",
    "ExitWave",
    "Microscope",
    "SimulationMatch",
    "add_film",
    "atoms_per_column",
    "exit_wave",
    "form_image",
    "match_simulation",
    "poisson_noise",
    "pt_on_ceria",
    "resample",
    "structure_table",
]

from .films import add_film
from .frame import AUTHORS_PIXEL
from .imaging import ExitWave, exit_wave, form_image, resample
from .matching import SimulationMatch, match_simulation
from .microscope import REFERENCE, WAVE_LIMIT, Microscope
from .noise import VACUUM, poisson_noise
from .specimens import (
    DEFOCI,
    PARTICLES,
    PUBLISHED,
    THICKNESSES,
    TILTS,
    structure_table,
)
from .structures import atoms_per_column, pt_on_ceria
