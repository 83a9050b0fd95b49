"""Choose a denoiser's parameters on images that are kept for that.

A filter that is judged with the defaults of its package may lose for want of care, and
one that is tuned on the image it is judged on wins by looking. `tune` tries a small
grid on clean images that nothing else is judged on, all candidates on the same counts.
"""

import inspect
import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from sbd.denoisers.trials import try_denoisers
from sbd.files import sha256, write_text
from sbd.metrics import authors_psnr
from sbd.typing import Denoiser, Image
from sbd.validation import check_image, check_whole

Grid = Mapping[str, Sequence[Any]]
"""Values to try, by keyword argument."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Tuning:
    """What was tried, and what was best.

    Parameters
    ----------
    parameters : dict
        The best candidate's keyword arguments.
    default : dict
        The same keywords as the denoiser has them by default.
    table : pandas.DataFrame
        A row for each candidate, the default first: its keyword arguments, the mean
        ``score`` over all images and draws, its mean ``difference`` to the default on
        the same counts, and the ``standard_error`` of that.
    edges : tuple of str
        Keywords of which the best value is the least or the greatest number tried, so
        that the grid may have to be widened.

    Examples
    --------
    >>> table = pd.DataFrame({"sigma": [1.0, 2.0], "score": [30.0, 31.0],
    ...                       "difference": [0.0, 1.0], "standard_error": [0.0, 0.1]})
    >>> Tuning({"sigma": 2.0}, {"sigma": 1.0}, table, ("sigma",)).best["score"].item()
    31.0
    """

    parameters: dict[str, Any]
    default: dict[str, Any]
    table: pd.DataFrame
    edges: tuple[str, ...]

    @property
    def best(self) -> pd.Series:
        """Row of the best candidate."""
        # rounding in a mean of scores must not part candidates of equal results
        return self.table.loc[self.table["difference"].idxmax()]


def tune(
    denoiser: Denoiser,
    clean_images: Sequence[Image],
    grid: Grid,
    *,
    draws: int,
    seed: int,
    metric: Callable[[Image, Image], float] = authors_psnr,
    cache: str | Path | None = None,
    progress: bool = False,
) -> Tuning:
    """Try every combination of some parameters on the same counts.

    The standard error is that of a mean over images, each with the mean over its draws,
    since conditions differ more than counts do; of one image, over its draws; of one
    draw of one image it is NaN.

    Parameters
    ----------
    denoiser : callable
        Image to image, with keyword arguments that have defaults.
    clean_images : sequence of ndarray of shape (height, width)
        Expected counts of images that nothing else is judged on [electrons per pixel].
    grid : dict of str to sequence
        Values to try, by keyword. The defaults together are a candidate in any case.
    draws : int
        Times that each image is counted; draw `i` of image `j` depends on (seed, j, i)
        alone.
    seed : int
        Of the counts.
    metric : callable, default `sbd.authors_psnr`
        (clean, image) to a score, of which more is better.
    cache : str or pathlib.Path, optional
        File that keeps the scores of the images that are done, so that a run that was
        stopped goes on. One that belongs to another run is refused.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    Tuning
        The best parameters, the table of all candidates, and which of the best lie on
        the edge of the grid; of equal ones the default, or else the first, is best.

    Raises
    ------
    ValueError
        If there is no image, one is no image of counts, `draws` is below 1, `grid` is
        empty or names what is no keyword with a default, a candidate cannot be run or
        scores no finite number, or `cache` belongs to another run.

    Examples
    --------
    >>> def shrink(noisy, *, share=0.5):
    ...     return share * noisy.mean() + (1 - share) * noisy
    >>> vacuum = np.full((32, 32), 0.45)
    >>> found = tune(shrink, [vacuum, vacuum], {"share": (0.0, 1.0)}, draws=1, seed=0)
    >>> found.parameters, found.edges
    ({'share': 1.0}, ('share',))
    """
    if not len(clean_images):
        msg = "clean_images must hold at least one image; got none"
        raise ValueError(msg)
    check_whole("draws", draws)
    cleans = [
        check_image(clean, f"clean_images[{j}]", counts=True)
        for j, clean in enumerate(clean_images)
    ]
    default = read_defaults(denoiser, grid)
    candidates = combine_values(default, grid)
    about = {
        "candidates": candidates,
        "draws": draws,
        "seed": seed,
        "metric": getattr(metric, "__qualname__", repr(metric)),
        "images": _digest(cleans),
        **_fingerprint(denoiser, metric, cleans[0], seed, candidates[-1]),
    }
    scores = _read(cache, about)
    trials = _trials(denoiser, candidates)
    bar = tqdm(
        total=len(cleans), initial=len(scores), unit="image", disable=not progress
    )
    with bar:
        for j in range(len(scores), len(cleans)):
            one = np.empty((draws, len(candidates)))
            for i in range(draws):
                tried = try_denoisers(trials, cleans[j], seed=[seed, j, i])
                for k, trial in enumerate(tried):
                    score = _score(metric, cleans[j], trial.estimate, candidates[k])
                    one[i, k] = score
            scores.append(one.tolist())
            _write(cache, about, scores)
            bar.update()
    return _choose(candidates, grid, np.array(scores))


def _fingerprint(
    denoiser: Denoiser,
    metric: Callable[[Image, Image], float],
    clean: Image,
    seed: int,
    other: dict[str, Any],
) -> dict[str, Any]:
    """Tell a denoiser and a metric by what they do, since their names do not."""
    tried = try_denoisers(_trials(denoiser, [{}, other]), clean, seed=[seed, 0, 0])
    results = [trial.estimate for trial in tried]
    score = _score(metric, clean, results[0], {})
    return {"denoised": _digest(results), "scored": score}


def read_defaults(denoiser: Denoiser, grid: Grid) -> dict[str, Any]:
    """Look up what the denoiser takes if it is not told."""
    try:
        parameters = inspect.signature(denoiser).parameters
    except ValueError:  # a built-in function may not tell
        parameters = {}
    known = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }
    for name in grid:
        if name not in known:
            among = ", ".join(known) or "none"
            msg = f"grid must name keywords with a default ({among}); got {name!r}"
            raise ValueError(msg)
    if not grid or not all(len(values) for values in grid.values()):
        msg = f"grid must hold values to try; got {dict(grid)}"
        raise ValueError(msg)
    return {name: known[name] for name in grid}


def combine_values(default: dict[str, Any], grid: Grid) -> list[dict[str, Any]]:
    """List the default and every other combination once."""
    candidates = [default]
    for values in itertools.product(*grid.values()):
        candidate = dict(zip(grid, values, strict=True))
        if not any(_same(candidate, other) for other in candidates):
            candidates.append(candidate)
    return candidates


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    # True equals 1 for Python, but is another value to try
    return one == other and [*map(type, one.values())] == [*map(type, other.values())]


def _trials(denoiser: Denoiser, candidates: list[dict]) -> dict[str, Denoiser]:
    return {
        f"candidate {k}": partial(run_candidate, denoiser, candidate)
        for k, candidate in enumerate(candidates)
    }


def run_candidate(denoiser: Denoiser, candidate: dict[str, Any], noisy: Image) -> Image:
    """Denoise with a candidate's keyword arguments, or say which could not be run."""
    try:
        return np.asarray(partial(denoiser, **candidate)(noisy))
    except (TypeError, ValueError) as error:
        msg = f"grid must hold values the denoiser takes; got {candidate} ({error})"
        raise ValueError(msg) from error


def _score(
    metric: Callable[[Image, Image], float],
    clean: Image,
    result: Image,
    candidate: dict[str, Any],
) -> float:
    score = float(metric(clean, result))
    if not np.isfinite(score):
        msg = f"metric must give finite numbers; got {score} for {candidate}"
        raise ValueError(msg)
    return score


def _choose(candidates: list[dict[str, Any]], grid: Grid, scores: np.ndarray) -> Tuning:
    """Average scores of shape (images, draws, candidates); the first best wins."""
    ahead = scores - scores[..., :1]
    units = ahead.mean(axis=1) if len(ahead) > 1 else ahead[0]
    error = np.full(len(candidates), np.nan)
    if len(units) > 1:
        error = units.std(axis=0, ddof=1) / np.sqrt(len(units))
    table = pd.DataFrame(candidates, dtype=object).infer_objects()
    table["score"] = scores.mean(axis=(0, 1))
    table["difference"] = ahead.mean(axis=(0, 1))
    table["standard_error"] = error
    best = candidates[int(np.argmax(table["difference"]))]
    edges = tuple(name for name in grid if _on_edge(name, best, candidates))
    if edges:
        _LOG.info("the best values of %s lie on the grid's edge", ", ".join(edges))
    return Tuning(dict(best), dict(candidates[0]), table, edges)


def _on_edge(name: str, best: dict[str, Any], candidates: list[dict[str, Any]]) -> bool:
    """Tell whether a number is the least or greatest tried; a word never is."""
    tried = [candidate[name] for candidate in candidates]
    numbers = {v for v in tried if isinstance(v, Real) and not isinstance(v, bool)}
    value = best[name]
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and len(numbers) > 1 and value in (min(numbers), max(numbers))


def _digest(images: Sequence[Image]) -> str:
    pairs = ((repr((i.shape, i.dtype.str)).encode(), i.tobytes()) for i in images)
    return sha256(*itertools.chain.from_iterable(pairs))


def _text(about: dict, scores: list) -> str:
    return json.dumps({"about": about, "scores": scores}, default=repr) + "\n"


def _read(cache: str | Path | None, about: dict) -> list:
    """Give the scores of the images that are done, if they are of the same run."""
    if cache is None or not Path(cache).exists():
        return []
    try:
        held = json.loads(Path(cache).read_text())
        same = held["about"] == json.loads(_text(about, []))["about"]
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        msg = f"cache must be of the same run (remove it to begin anew); got {cache}"
        raise ValueError(msg)
    return held["scores"]


def _write(cache: str | Path | None, about: dict, scores: list) -> None:
    if cache is not None:
        write_text(cache, _text(about, scores))
