__all__ = [
    "ITEMS",
    "SERVER",
    "DataUnavailableError",
    "Item",
    "example_micrograph",
    "example_truth",
    "fetch",
    "fetch_clean",
]

from .catalogue import ITEMS, SERVER, Item
from .examples import example_micrograph, example_truth, fetch_clean
from .registry import DataUnavailableError, fetch
