__all__ = [
    "AUTHORS_PIXEL",
    "DEFOCI",
    "LOBATO",
    "PARTICLES",
    "PUBLISHED",
    "REFERENCE",
    "SEEN",
    "SHAPES",
    "THICKNESSES",
    "TILTS",
    "VACUUM",
    "WAVE_LIMIT",
    "ExitWave",
    "Microscope",
    "RefinedSpecimen",
    "ResidualAberrations",
    "SimulationMatch",
    "add_film",
    "atoms_per_column",
    "exit_wave",
    "form_image",
    "match_simulation",
    "poisson_noise",
    "pt_on_ceria",
    "refine_specimen",
    "resample",
    "structure_table",
]

from .films import add_film
from .frame import AUTHORS_PIXEL
from .imaging import ExitWave, exit_wave, form_image, resample
from .matching import SimulationMatch, match_simulation
from .microscope import LOBATO, REFERENCE, WAVE_LIMIT, Microscope, ResidualAberrations
from .noise import VACUUM, poisson_noise
from .refinement import RefinedSpecimen, refine_specimen
from .specimens import (
    DEFOCI,
    PARTICLES,
    PUBLISHED,
    SEEN,
    SHAPES,
    THICKNESSES,
    TILTS,
    structure_table,
)
from .structures import atoms_per_column, pt_on_ceria
