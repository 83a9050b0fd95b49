__all__ = [
    "AUTHORS_SCORES",
    "SURFACES",
    "compare_surfaces",
    "disturb_image",
    "show_doses",
    "show_focal_series",
    "show_hallucinations",
    "show_surfaces",
    "show_tradeoffs",
    "surface_scenes",
]

from .charts import (
    show_doses,
    show_focal_series,
    show_hallucinations,
    show_surfaces,
    show_tradeoffs,
)
from .demonstrations import (
    AUTHORS_SCORES,
    SURFACES,
    compare_surfaces,
    disturb_image,
    surface_scenes,
)
