__all__ = [
    "arrange_panels",
    "frame_panel",
    "mark_arrow",
    "mark_box",
    "mark_pixel",
    "show_image",
    "show_images",
    "show_map",
    "show_scores",
    "show_verdicts",
]

from .charts import show_scores
from .images import arrange_panels, show_image, show_images, show_map
from .marks import frame_panel, mark_arrow, mark_box, mark_pixel
from .verdicts import show_verdicts
