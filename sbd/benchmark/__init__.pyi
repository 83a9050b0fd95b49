__all__ = [
    "AuthorsDataset",
    "Benchmark",
    "Recipe",
    "default_recipes",
    "published_split",
    "read_authors_layout",
    "read_recipe",
    "simulate_benchmark",
    "write_authors_layout",
]

from .authors_layout import AuthorsDataset, read_authors_layout, write_authors_layout
from .dataset import Benchmark
from .production import simulate_benchmark
from .recipes import Recipe, default_recipes, read_recipe
from .splits import published_split
