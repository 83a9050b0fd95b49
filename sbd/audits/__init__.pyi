__all__ = [
    "PIXEL",
    "ChallengeScene",
    "Entrant",
    "ScoreCheck",
    "audit_denoisers",
    "audit_vacuum",
    "challenge_denoisers",
    "challenge_scenes",
    "check_score",
    "column_audit",
    "compare_denoisers",
    "dose_curve",
    "example_scene",
    "focal_series",
    "held_out_scenes",
    "image_removal",
    "judge_denoisers",
    "load_entrant",
    "peer_denoisers",
    "rank_denoisers",
    "remove_columns",
    "run_peer",
    "score_denoiser",
    "score_scene",
    "summarise_challenge",
    "vacuum_response",
]

from .benchmark_audit import column_audit
from .bundled_scenes import example_scene, focal_series, held_out_scenes
from .challenge import (
    ChallengeScene,
    challenge_denoisers,
    challenge_scenes,
    summarise_challenge,
)
from .comparison import compare_denoisers, dose_curve, judge_denoisers, rank_denoisers
from .entrants import Entrant, load_entrant
from .hallucinations import audit_denoisers, audit_vacuum
from .inspection import PIXEL, score_scene
from .peers import peer_denoisers, run_peer
from .removals import image_removal, remove_columns
from .score_checks import ScoreCheck, check_score
from .scoring import score_denoiser
from .vacuum import vacuum_response
