__all__ = [
    "ResidualTest",
    "count_inventions",
    "judge_residuals",
    "list_rivals",
    "write_report",
]

from .inventions import count_inventions
from .residuals import ResidualTest, judge_residuals
from .rivals import list_rivals
from .writing import write_report
