__all__ = [
    "Columns",
    "Match",
    "box_around",
    "column_occupancy",
    "erase_columns",
    "find_columns",
    "match_columns",
    "outline_columns",
    "particle_boxes",
    "score_columns",
    "surface_columns",
]

from .finding import (
    Columns,
    Match,
    box_around,
    find_columns,
    match_columns,
    particle_boxes,
)
from .occupancies import column_occupancy, erase_columns
from .surfaces import outline_columns, score_columns, surface_columns
