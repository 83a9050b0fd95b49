"""What a denoiser invents and loses at a recording's dose, where truth is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from sbd.audits.bundled_scenes import held_out_scenes
from sbd.audits.inspection import inspect_estimate
from sbd.audits.placed_atoms import RADII, TOLERANCE
from sbd.audits.scenes import Scene
from sbd.columns.finding import match_columns
from sbd.evidence.judgement import judge_columns
from sbd.evidence.verdicts import ColumnVerdicts
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.typing import Denoiser
from sbd.validation import check_positive, check_whole

FRAME = 384, 384
"""What is cut around the particle of a bundled scene [pixels]."""


def count_inventions(
    make_denoiser: Callable[[tuple[float, float]], Denoiser],
    dose: float,
    *,
    seed: int,
    scenes: Sequence[Scene] | None = None,
    draws: int = 1,
    deals: int = 1,
) -> pd.DataFrame:
    """Count the columns that a denoiser loses and invents, and what the verdict saves.

    Parameters
    ----------
    make_denoiser : callable
        Gives the denoiser for pixels of two sides [angstrom].
    dose : float
        Mean count over each scene [electrons per square angstrom].
    seed : int
        Of the counts and the verdicts' deals.
    scenes : sequence of Scene, optional
        Clean images and their atoms; by default the five bundled ones that nothing was
        trained on, cut to 384 x 384 pixels around the particle.
    draws : int, default 1
        Times that each is counted.
    deals : int, default 1
        Of `sbd.judge_columns`.

    Returns
    -------
    pandas.DataFrame
        A row for each ``image`` and ``draw``: how many columns of the particle are
        ``seen`` in the clean image; how many of these are ``lost`` and how many are
        ``invented`` in the estimate; the same of the columns that are supported,
        ``lost after`` and ``invented after``, NaN with the ``reason`` where the counts
        are refused.

    Raises
    ------
    ValueError
        If `dose` is not positive, or `draws` or `deals` no whole number from 1.

    Examples
    --------
    >>> flat = lambda sides: lambda y: np.full(y.shape, y.mean())
    >>> scenes = held_out_scenes(frame=(128, 128))[:1]
    >>> table = count_inventions(flat, 100.0, seed=0, scenes=scenes)
    >>> table["lost"].equals(table["seen"]), int(table["invented"].sum())
    (True, 0)
    """
    check_positive(dose=dose)
    check_whole("draws", draws)
    check_whole("deals", deals)
    scenes = held_out_scenes(frame=FRAME) if scenes is None else scenes
    rows = []
    for number, scene in enumerate(scenes):
        sides = scene.specimen.pixel
        denoise = make_denoiser(sides)
        mean = dose * float(np.prod(sides))
        clean = scene.clean * (mean / scene.clean.mean())
        for draw in range(draws):
            rng = np.random.default_rng([seed, number, draw])
            row = _count(scene, clean, denoise, rng, deals)
            rows.append({"image": scene.title, "draw": draw, **row})
    return pd.DataFrame(rows)


def _count(
    scene: Scene,
    clean: np.ndarray,
    denoise: Denoiser,
    rng: np.random.Generator,
    deals: int,
) -> dict[str, object]:
    """Count one scene once."""
    counts = poisson_noise(clean, rng=rng)
    side = float(np.sqrt(np.prod(scene.specimen.pixel)))
    least, most = (radius / side for radius in RADII)
    finding = {"min_radius": least, "max_radius": most, "polarity": scene.polarity}
    scale = scene.clean.mean() / clean.mean()
    try:
        verdicts = judge_columns(
            counts, denoise, rng=rng, pixel=side, deals=deals, **finding
        )
    except ValueError as error:
        one = inspect_estimate(scene, denoise(counts) * scale, dose=VACUUM / scale)
        after = {"lost after": np.nan, "invented after": np.nan, "reason": str(error)}
    else:
        image = verdicts.denoised * scale
        one = inspect_estimate(scene, image, dose=VACUUM / scale)
        kept, invented = _keep(scene, verdicts, one.false[one.invented])
        lost = int((one.seen & ~kept).sum())
        after = {"lost after": lost, "invented after": invented, "reason": ""}
    before = {name: one.counts[name] for name in ("seen", "lost", "invented")}
    return {**before, **after}


def _keep(
    scene: Scene, verdicts: ColumnVerdicts, invented: np.ndarray
) -> tuple[np.ndarray, int]:
    """Tell which of the particle's columns are supported, and how many inventions."""
    pixel, places = scene.specimen.pixel, verdicts.columns.positions
    known = scene.specimen.columns
    match = match_columns(places * pixel, known * pixel, tolerance=TOLERANCE)
    here, there = match.pairs.T
    kept = np.zeros(len(known), bool)
    kept[there] = verdicts.supported[here]
    same = match_columns(invented * pixel, places * pixel, tolerance=0.1)
    false = int(verdicts.supported[same.pairs[:, 1]].sum()) if len(invented) else 0
    return kept[scene.specimen.platinum], false
