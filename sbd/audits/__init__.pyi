__all__ = [
    "PIXEL",
    "audit_denoisers",
    "audit_vacuum",
    "column_audit",
    "compare_denoisers",
    "dose_curve",
    "example_scene",
    "focal_series",
    "held_out_scenes",
    "judge_denoisers",
    "peer_denoisers",
    "rank_denoisers",
    "run_peer",
    "score_scene",
    "vacuum_response",
]

from .benchmark_audit import column_audit
from .bundled_scenes import example_scene, focal_series, held_out_scenes
from .comparison import compare_denoisers, dose_curve, judge_denoisers, rank_denoisers
from .hallucinations import audit_denoisers, audit_vacuum
from .inspection import PIXEL, score_scene
from .peers import peer_denoisers, run_peer
from .vacuum import vacuum_response
