__all__ = [
    "Scale",
    "at_scale",
    "check_parameters",
    "make",
    "pages",
    "read_text",
    "save_figure",
]

from . import make, pages
from .filing import save_figure
from .fingerprints import read_text
from .parameters import check_parameters
from .scales import Scale, at_scale
