__all__ = [
    "CountsReport",
    "Finding",
    "PixelSize",
    "Recording",
    "check_counts",
    "rank_denoisers",
    "read_micrograph",
    "to_counts",
    "write_micrograph",
]

from .diagnosis import CountsReport, check_counts, to_counts
from .findings import Finding
from .lengths import PixelSize
from .ranking import rank_denoisers
from .reading import read_micrograph
from .recording import Recording
from .writing import write_micrograph
