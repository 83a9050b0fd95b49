__all__ = [
    "describe_particles",
    "describe_structures",
    "show_models",
    "show_projections",
    "show_published",
]

from .atlas import (
    describe_particles,
    describe_structures,
    show_models,
    show_projections,
    show_published,
)
