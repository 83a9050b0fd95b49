"""How much to compute: a smoke test, a laptop's minutes, or the paper's hours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The sizes one run of a notebook works at.

    Parameters
    ----------
    name : str
        ``"smoke"``, ``"default"`` or ``"paper"``.
    crop : int or None
        Side of the square the example image is cropped to; None keeps it whole
        [pixels].
    draws : int
        Noise draws that a table's row is averaged over.
    grid : int
        Samples of the 50 angstrom box in the multislice calculation.
    train_steps : int
        Optimiser steps of a training run that a notebook does live.
    """

    name: str
    crop: int | None
    draws: int
    grid: int
    train_steps: int


_SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", crop=384, draws=1, grid=256, train_steps=4),
        Scale("default", crop=None, draws=3, grid=640, train_steps=40),
        Scale("paper", crop=None, draws=12, grid=768, train_steps=4000),
    )
}


def at_scale(name: str) -> Scale:
    """Look up the sizes for a scale.

    Parameters
    ----------
    name : {"smoke", "default", "paper"}
        Seconds, a laptop's minutes, or the paper's own sizes.

    Returns
    -------
    Scale
        The sizes, to be handed on as plain keyword arguments.

    Raises
    ------
    ValueError
        If there is no such scale.

    Examples
    --------
    >>> at_scale("smoke").draws
    1
    """
    try:
        return _SCALES[name]
    except (KeyError, TypeError):
        msg = f"scale must be one of {', '.join(map(repr, _SCALES))}; got {name!r}"
        raise ValueError(msg) from None
