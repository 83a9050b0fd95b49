__all__ = [
    "ITEMS",
    "SERVER",
    "DataUnavailableError",
    "Item",
    "example_micrograph",
    "example_truth",
    "fetch",
    "fetch_clean",
    "fetch_counts",
]

from .catalogue import ITEMS, SERVER, Item
from .examples import example_micrograph, example_truth, fetch_clean
from .movies import fetch_counts
from .registry import DataUnavailableError, fetch
