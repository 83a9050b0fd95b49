__all__ = [
    "PIXEL",
    "audit_denoisers",
    "audit_focal_series",
    "audit_vacuum",
    "column_audit",
    "compare_denoisers",
    "disagreement",
    "dose_curve",
    "example_scene",
    "find_recipe",
    "focal_series",
    "held_out_scenes",
    "inspect_columns",
    "inspect_rows",
    "judge_denoisers",
    "legible",
    "peer_denoisers",
    "published_scene",
    "rank_denoisers",
    "recall_by_score",
    "run_peer",
    "score_scene",
    "spread_rows",
    "summarise_audit",
    "tabulate_inspections",
    "vacuum_response",
]

from .bundled_scenes import example_scene, focal_series, held_out_scenes
from .column_audit import (
    column_audit,
    inspect_rows,
    legible,
    recall_by_score,
    spread_rows,
    summarise_audit,
    tabulate_inspections,
)
from .comparison import compare_denoisers, dose_curve, judge_denoisers, rank_denoisers
from .hallucinations import (
    audit_denoisers,
    audit_focal_series,
    audit_vacuum,
    disagreement,
    score_scene,
)
from .inspection import PIXEL, inspect_columns
from .peers import peer_denoisers, run_peer
from .scenes import find_recipe, published_scene
from .vacuum import vacuum_response
