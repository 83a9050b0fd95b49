__all__ = [
    "compare_digests",
    "digest_figure",
    "figure_problems",
    "load_ipython_extension",
    "unload_ipython_extension",
]

from .artists import digest_figure
from .comparison import figure_problems
from .digests import compare_digests
from .display import load_ipython_extension, unload_ipython_extension
