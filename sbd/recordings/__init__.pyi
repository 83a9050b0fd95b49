__all__ = [
    "Adaptation",
    "Choice",
    "CountsReport",
    "Drift",
    "Finding",
    "LifeLines",
    "PixelSize",
    "Recording",
    "adapt_network",
    "check_counts",
    "crop_recording",
    "denoise_movie",
    "each_frame",
    "fill_gaps",
    "follow_columns",
    "hyperspy",
    "mask_recording",
    "measure_drift",
    "napari",
    "rank_denoisers",
    "read_micrograph",
    "running_sums",
    "sum_frames",
    "to_counts",
    "tune_on_counts",
    "write_micrograph",
]

from . import hyperspy, napari
from .areas import crop_recording, fill_gaps, mask_recording
from .choosing import Adaptation, Choice, adapt_network, tune_on_counts
from .diagnosis import CountsReport, check_counts, to_counts
from .drift import Drift, measure_drift
from .findings import Finding
from .framewise import denoise_movie
from .lengths import PixelSize
from .lifelines import LifeLines, follow_columns
from .movies import each_frame, running_sums, sum_frames
from .ranking import rank_denoisers
from .reading import read_micrograph
from .recording import Recording
from .writing import write_micrograph
