__all__ = [
    "Scale",
    "at_scale",
    "check_parameters",
    "disturb_image",
    "make",
    "pages",
    "pytest_runtest_call",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
    "read_text",
    "save_figure",
    "surface_scenes",
]

from . import make, pages
from .filing import save_figure
from .fingerprints import read_text
from .guard import pytest_runtest_call, pytest_runtest_setup, pytest_terminal_summary
from .pages.surfaces import disturb_image, surface_scenes
from .parameters import Scale, at_scale, check_parameters
