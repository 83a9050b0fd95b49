__all__ = [
    "ColumnVerdicts",
    "ErasedColumns",
    "absence_p_values",
    "column_p_values",
    "column_significance",
    "column_weights",
    "decidable_dose",
    "detection_power",
    "effective_field_of_view",
    "erase_columns",
    "filter_spectrum",
    "guided_backpropagation",
    "jacobian_action",
    "jacobian_column",
    "jacobian_row",
    "jacobian_rows",
    "judge_columns",
    "likelihood_map",
    "log_likelihood_ratio",
    "supported_columns",
    "tabulate_verdicts",
    "thin_counts",
    "unsupported_columns",
]

from .erasure import ErasedColumns, erase_columns
from .jacobian import (
    effective_field_of_view,
    jacobian_action,
    jacobian_column,
    jacobian_row,
    jacobian_rows,
)
from .judgement import judge_columns
from .likelihood import (
    column_significance,
    likelihood_map,
    log_likelihood_ratio,
    supported_columns,
    unsupported_columns,
)
from .row_filters import column_weights, filter_spectrum
from .saliency import guided_backpropagation
from .significance import (
    absence_p_values,
    column_p_values,
    decidable_dose,
    detection_power,
    thin_counts,
)
from .verdicts import ColumnVerdicts, tabulate_verdicts
