__all__ = [
    "expansion_bias",
    "show_expansion",
    "show_risks",
    "threshold_risks",
]

from .charts import show_expansion, show_risks
from .risks import expansion_bias, threshold_risks
