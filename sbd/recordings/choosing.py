"""Choose a denoiser's parameters on the recording itself, from its counts alone.

What `rank_denoisers` tells of two denoisers it tells of two settings of one, too. Of
many settings the best by the counts looks better than it is; so the defaults are left
only where their interval, widened for the number that was tried, lies above.

The gains of a network are parameters, too: `adapt_network`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sbd.denoisers.network import choose_bins, denoise_network, take_model
from sbd.denoisers.tuning import Grid, combine_values, read_defaults, run_candidate
from sbd.networks.adapting import adapt_gains, average_models
from sbd.recordings.areas import fill_gaps
from sbd.recordings.ranking import Trial, rank_denoisers, take_counts
from sbd.recordings.recording import Recording, as_recording
from sbd.typing import Denoiser
from sbd.validation import check_between, check_whole


@dataclass(frozen=True, eq=False)
class Choice:
    """What was tried on a recording, and what was chosen.

    Parameters
    ----------
    parameters : dict
        The keyword arguments to use: the default's, unless others are better for sure.
    default : dict
        The same keywords as the denoiser has them by default.
    table : pandas.DataFrame
        A row for each candidate, the best first: its keyword arguments, by how much it
        is ``worse by`` than the default, and the interval ``low`` to ``high``, as in
        `rank_denoisers`.

    Examples
    --------
    >>> Choice({"sigma": 2.0}, {"sigma": 1.0}, pd.DataFrame()).changed
    True
    """

    parameters: dict[str, Any]
    default: dict[str, Any]
    table: pd.DataFrame

    @property
    def changed(self) -> bool:
        """Whether the defaults were left."""
        return self.parameters != self.default


def tune_on_counts(
    recording: Recording | ArrayLike,
    denoiser: Denoiser,
    grid: Grid,
    *,
    rng: np.random.Generator,
    splits: int = 4,
    share: float = 0.8,
    level: float = 0.95,
) -> Choice:
    """Try every combination of some parameters on a recording without a truth.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        Counted electrons; frames are added up.
    denoiser : callable
        Image to image, with keyword arguments that have defaults.
    grid : dict of str to sequence
        Values to try, by keyword. The defaults together are a candidate in any case.
    rng : numpy.random.Generator
        Of the thinnings, as for `rank_denoisers`.
    splits : int, default 4
        As for `rank_denoisers`.
    share : float, default 0.8
        Of the electrons that are denoised, as for `rank_denoisers`; parameters are the
        best at that share of the dose.
    level : float, default 0.95
        Probability that the defaults stay, where nothing that is tried is better.

    Returns
    -------
    Choice
        The parameters, and the table of all candidates.

    Raises
    ------
    ValueError
        As for `rank_denoisers`, or if `grid` is empty, names what is no keyword with a
        default, or holds a value that the denoiser does not take.

    Examples
    --------
    >>> from sbd import denoise_gaussian
    >>> flat = np.random.default_rng(0).poisson(np.full((96, 96), 2.0))
    >>> grid = {"sigma": (0.5, 1.0)}
    >>> rng = np.random.default_rng(1)
    >>> tune_on_counts(flat, denoise_gaussian, grid, rng=rng).changed
    False
    """
    check_between(level, "level")
    default = read_defaults(denoiser, grid)
    candidates = combine_values(default, grid)
    if len(candidates) < 2:
        msg = f"grid must hold values other than the default's; got {dict(grid)}"
        raise ValueError(msg)
    named = {
        _name(candidate): partial(run_candidate, denoiser, candidate)
        for candidate in candidates
    }
    table = rank_denoisers(
        recording, named, rng=rng, against=_name(default), splits=splits, share=share,
        level=1 - (1 - level) / (len(candidates) - 1),
    )  # fmt: skip
    known = {_name(candidate): candidate for candidate in candidates}
    best = table.index[0]
    chosen = known[best] if table["high"].iloc[0] < 0 else default
    return Choice(dict(chosen), dict(default), _lay_out(table, known))


@dataclass(frozen=True, eq=False)
class Adaptation:
    """A network adapted to a recording, and whether that is any better.

    Parameters
    ----------
    model : torch.nn.Module
        The network to use: the adapted one if `kept`, else the one that was given.
    kept : bool
        Whether the adapted one is better for sure.
    worse_by : float
        Its mean squared error less that of the one given, relative to the variance of
        the counts' noise, as in `rank_denoisers`.
    low, high : float
        The interval of that.

    Examples
    --------
    >>> Adaptation(None, True, -0.01, -0.015, -0.005).kept
    True
    """

    model: object
    kept: bool
    worse_by: float
    low: float
    high: float


def adapt_network(
    recording: Recording | ArrayLike,
    model: object = None,
    *,
    rng: np.random.Generator,
    pixel: float | tuple[float, float] | None = None,
    folds: int = 4,
    steps: int = 10,
    level: float = 0.95,
    device: str = "auto",
) -> Adaptation:
    """Adapt a network's gains to a recording; keep them where the counts say better.

    The electrons are dealt out to as many parts as there are folds. Gains are found
    without one part, `sbd.networks.adapt_gains`, each other part against the rest in
    turn; that part then tells whether they are better, at the dose without it. The
    adapted network has the mean of the folds' gains, and is not tested once more.

    Parameters
    ----------
    recording : Recording or ndarray of shape ([frames,] height, width)
        Counted electrons; frames are added up.
    model : torch.nn.Module, str or pathlib.Path, optional
        A network, or what `load_model` takes; None takes the default weights.
    rng : numpy.random.Generator
        Of the deal.
    pixel : float or (float, float), optional
        Size of a pixel, as for `sbd.denoise`; None takes the recording's [angstrom].
    folds : int, default 4
        Parts of the electrons, three or more.
    steps : int, default 10
        As for `sbd.networks.adapt_gains`.
    level : float, default 0.95
        Of the interval that decides.
    device : str, default "auto"
        Where to denoise, as for `sbd.denoise`; gains are found on the CPU.

    Returns
    -------
    Adaptation
        The network to use, and what decided.

    Raises
    ------
    ValueError
        As for `rank_denoisers`, `sbd.denoise_network` and `sbd.networks.adapt_gains`.

    Examples
    --------
    >>> from sbd.networks import create_model
    >>> model = create_model(seed=0, scales=2, channels=4)
    >>> flat = np.random.default_rng(0).poisson(np.full((64, 64), 2.0))
    >>> found = adapt_network(flat, model, rng=np.random.default_rng(1), steps=1)
    >>> found.low <= found.worse_by <= found.high
    True
    """
    check_whole("folds", folds, 3)
    check_between(level, "level")
    recording = as_recording(recording)
    stack, recorded = take_counts(recording)
    counts = fill_gaps(stack.sum(), recorded, rng=rng)
    network = take_model(model)
    bins = choose_bins(recording.pixel.sides if pixel is None else pixel, network)
    parts = rng.multinomial(counts.astype(np.int64), np.full(folds, 1 / folds))
    parts = np.moveaxis(parts, -1, 0)
    how = {"pixel": recording.pixel.sides if pixel is None else pixel, "device": device}
    adapted, trials = [], []
    for left in range(folds):
        some = [parts[i] for i in range(folds) if i != left]
        pool = sum(some)
        pairs = [(pool - part, (folds - 2.0) * part) for part in some]
        adapted.append(adapt_gains(network, pairs, bins=bins, steps=steps))
        both = {
            name: denoise_network(pool, one, **how)[recorded]
            for name, one in (("given", network), ("adapted", adapted[-1]))
        }
        held = (folds - 1.0) * parts[left][recorded]
        trials.append(Trial([both], [held], (folds - 1.0) * held))
    apart = [trial.loss("adapted") - trial.loss("given") for trial in trials]
    errors = [trial.error("adapted", "given") for trial in trials]
    dose = float(np.mean([trial.held[0].mean() for trial in trials]))
    middle = float(np.mean(apart)) / dose
    # The gains of a fold are found with the parts that others hold. To first order the
    # sum over folds is one over pairs of parts, each told twice: its variance is twice
    # that of independent folds.
    error = float(np.sqrt(2 * np.sum(np.square(errors)))) / folds / dose
    width = float(stats.norm.ppf(0.5 + level / 2)) * error
    kept = middle + width < 0
    return Adaptation(
        average_models(adapted) if kept else network,
        kept, middle, middle - width, middle + width,
    )  # fmt: skip


def _name(candidate: dict[str, Any]) -> str:
    """Name a candidate."""
    return ", ".join(f"{key}={value!r}" for key, value in candidate.items())


def _lay_out(table: pd.DataFrame, known: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Put the keyword arguments before what was found."""
    rows = [known[name] for name in table.index]
    arguments = pd.DataFrame(rows, dtype=object).infer_objects()
    found = table[["worse by", "low", "high"]].reset_index(drop=True)
    return pd.concat([arguments, found], axis=1)
