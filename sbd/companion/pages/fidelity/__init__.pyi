__all__ = [
    "change_structure",
    "compare_published",
    "compare_row",
    "compare_structures",
    "compare_unlabelled",
    "describe_columns",
    "describe_default",
    "describe_difference",
    "error_budget",
    "grid_error",
    "list_weights",
    "locate_difference",
    "score_pair",
    "score_pairs",
    "series_error",
    "show_budget",
    "show_column_peaks",
    "show_pairs",
    "show_profiles",
    "show_structure_test",
    "tabulate_effects",
    "tabulate_parameters",
    "tabulate_scores",
    "tabulate_unlabelled",
    "tell_columns",
    "tell_difference",
    "tell_remaining",
    "tell_source",
    "tell_weights",
    "weigh_column",
]

from .budget import (
    compare_row,
    describe_default,
    error_budget,
    grid_error,
    series_error,
    show_budget,
    tabulate_effects,
)
from .charts import show_column_peaks, show_pairs, show_profiles, show_structure_test
from .pairs import (
    change_structure,
    compare_published,
    compare_structures,
    compare_unlabelled,
    score_pair,
    score_pairs,
    weigh_column,
)
from .residuals import describe_columns, describe_difference, locate_difference
from .sentences import (
    list_weights,
    tabulate_parameters,
    tabulate_scores,
    tell_columns,
    tell_difference,
    tell_remaining,
    tell_source,
    tell_weights,
)
from .unlabelled import tabulate_unlabelled
