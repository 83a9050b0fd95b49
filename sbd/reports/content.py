"""What a report says, as numbers and images: gathered part by part.

A part that refuses leaves its reason, and the others stand.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from tqdm import tqdm

from sbd.data.registry import ITEMS, fetch
from sbd.denoisers.network import choose_bins, denoise
from sbd.evidence.judgement import judge_columns
from sbd.evidence.verdicts import ColumnVerdicts
from sbd.files import sha256
from sbd.networks.models import load_model
from sbd.recordings.areas import take_part
from sbd.recordings.diagnosis import CountsReport, check_counts, to_counts
from sbd.recordings.lengths import PixelSize
from sbd.recordings.ranking import rank_denoisers
from sbd.recordings.reading import read_micrograph
from sbd.recordings.recording import Recording, as_recording
from sbd.reports.inventions import count_inventions
from sbd.reports.residuals import ResidualTest, judge_residuals
from sbd.reports.rivals import FLAT, NETWORK, Filled, Told, list_rivals
from sbd.simulation.frame import PIXEL
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser

Anything = TypeVar("Anything")

_UNEVEN = 1.15  # ratio of a pixel's sides; the authors' have 1.12
_HISTOGRAM = 60  # counts, beyond which a histogram has wider bins


@dataclass(frozen=True)
class Options:
    """How a report is made."""

    model: str | None = None
    denoisers: Mapping[str, Denoiser] | None = None
    seed: int = 0
    quick: bool = False
    device: str = "auto"
    progress: bool = False

    @property
    def splits(self) -> int:
        """How often electrons are thinned, to rank and for what is left."""
        return 1 if self.quick else 4

    @property
    def deals(self) -> int:
        """How often they are dealt out, for the verdicts."""
        return 1 if self.quick else 20


@dataclass(eq=False)
class Content:
    """All that a report says; what is None has its reason in `reasons`."""

    recording: Recording
    options: Options
    file: dict[str, object]  # name and digest
    weights: dict[str, dict[str, str]]  # name and digest of each network's
    report: CountsReport
    total: Image  # the frames' sum, in the file's unit
    pixel_is_known: bool
    counts: Recording | None = None  # electrons
    ranking: pd.DataFrame | None = None
    estimates: dict[str, Image] = field(default_factory=dict)
    histogram: pd.DataFrame | None = None
    residuals: dict[str, ResidualTest] = field(default_factory=dict)
    verdicts: ColumnVerdicts | None = None
    inventions: pd.DataFrame | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @cached_property
    def image(self) -> Image | None:
        """Electrons of all frames together [electrons per pixel]."""
        return None if self.counts is None else self.counts.sum()

    @property
    def best_filter(self) -> str | None:
        """The classical filter that ranks first; the first of all if nothing ranks."""
        names = [n for n in self.estimates if n not in (NETWORK, FLAT)]
        if self.ranking is not None:
            names = [n for n in self.ranking.index if n in names]
        return names[0] if names else None


def gather(
    given: Recording | ArrayLike | str | Path,
    options: Options,
    *,
    pixel: float | tuple[float, float] | None = None,
    dataset: str | None = None,
    box: Sequence[int] | None = None,
    mask: ArrayLike | str | Path | None = None,
) -> Content:
    """Find out all that a report says."""
    read = isinstance(given, str | Path)
    recording = read_micrograph(given, dataset=dataset) if read else as_recording(given)
    content = _begin(take_part(recording, box, mask), options, pixel)
    steps = [_take_counts, _rank, _denoise, _count_values, _test, _judge, _audit]
    with (
        _watching(content),
        tqdm(total=len(steps), unit="part", disable=not options.progress) as bar,
    ):
        for step in steps:
            bar.set_description(_STEPS[step.__name__])
            step(content)
            bar.update()
    return content


_STEPS = {
    "_take_counts": "counts", "_rank": "ranking", "_denoise": "denoising",
    "_count_values": "histogram", "_test": "residuals", "_judge": "columns",
    "_audit": "inventions",
}  # fmt: skip


def _begin(
    recording: Recording,
    options: Options,
    pixel: float | tuple[float, float] | None,
) -> Content:
    """Ask what the values of a recording are."""
    if pixel is not None:
        sides = np.broadcast_to(np.asarray(pixel, float), 2)
        size = PixelSize(tuple(sides.tolist()), "given to the report")
        recording = replace(recording, pixel=size)
    path = recording.file
    file = {"name": None, "sha256": None}
    if path is not None:
        path = Path(path)
        file = {"name": path.name, "sha256": sha256(path) if path.is_file() else None}
    weights = {"denoiser": _identify(options.model or "weights/default")}
    weights["eraser"] = _identify("weights/eraser")
    return Content(
        recording=recording, options=options, file=file, weights=weights,
        report=check_counts(recording), total=recording.sum(),
        pixel_is_known=recording.pixel.sides is not None,
    )  # fmt: skip


def _identify(name: str) -> dict[str, str]:
    """Tell the name and the digest of weights."""
    path = fetch(name) if name in ITEMS else Path(name)
    if not path.is_file():
        msg = f"model must be the name or the file of weights; got {name}"
        raise FileNotFoundError(msg)
    told = name if name in ITEMS else path.name
    return {"name": told, "sha256": sha256(path)}


@contextmanager
def _watching(content: Content) -> None:
    """Keep what is warned of, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    content.warnings = list(dict.fromkeys(said))


def _attempt(
    content: Content, part: str, function: Callable[[], Anything]
) -> Anything | None:
    """Do a part, or keep the reason why it cannot be done."""
    try:
        return function()
    except (ValueError, TypeError, RuntimeError, ImportError, MemoryError) as error:
        content.reasons[part] = str(error) or type(error).__name__
        return None


# --- parts


def _take_counts(content: Content) -> None:
    """Turn values into electrons."""
    content.counts = _attempt(
        content, "counts", lambda: to_counts(content.recording, content.report)
    )


def _list(content: Content) -> dict[str, Denoiser]:
    """List the denoisers, with what has no dose filled up."""
    options = content.options
    rivals = list_rivals(
        options.model, pixel=content.recording.pixel.sides, device=options.device,
        filters=options.denoisers,
    )  # fmt: skip
    bins = _attempt(content, "network", lambda: _bins(content))
    if bins is None:
        del rivals[NETWORK]
    how = {"recorded": content.report.recorded, "seed": options.seed}
    return {name: Filled(one, **how) for name, one in rivals.items()}


def _bins(content: Content) -> tuple[int, int]:
    """Tell how many pixels the network adds."""
    sides = content.recording.pixel.sides
    bins = choose_bins(sides, content.options.model)
    down, across = (n // b for n, b in zip(content.recording.shape, bins, strict=True))
    if min(down, across) < 4 or min(content.recording.shape) < 16:
        msg = (
            f"the network needs 16 x 16 pixels, and 4 x 4 bins of {bins[0]} x {bins[1]}"
            f" pixels; got {content.recording.shape}"
        )
        raise ValueError(msg)
    return bins


def _refuse_uncounted(content: Content, what: str) -> None:
    """Say why what needs single electrons cannot be had."""
    report = content.report
    if not report.counted:
        msg = f"{what} needs electrons that were counted one by one. {report.verdict}"
        raise ValueError(msg)
    if report.dose is None:
        msg = f"{what} needs independent counts. {report.verdict}"
        raise ValueError(msg)


def _rank(content: Content) -> None:
    """Rank the denoisers."""

    def rank() -> pd.DataFrame:
        _refuse_uncounted(content, "a ranking without truth")
        options, rivals = content.options, _list(content)
        rng = np.random.default_rng([options.seed, 1])
        total = len(rivals) * options.splits
        with tqdm(
            total=total, unit="image", leave=False, disable=not options.progress
        ) as bar:
            told = {name: Told(one.denoise, bar.update) for name, one in rivals.items()}
            return rank_denoisers(
                content.recording, told, rng=rng, splits=options.splits
            )

    content.ranking = _attempt(content, "ranking", rank)


def _denoise(content: Content) -> None:
    """Denoise all electrons with each."""
    if content.counts is None:
        return
    report = content.report
    image = content.image.astype(np.float32)
    signed = not report.counted and float(image.min()) < 0
    for name, one in _list(content).items():
        if signed and name != NETWORK:
            continue  # filters take counts
        if signed:
            noise = report.read_noise * content.recording.frames**0.5
            one = replace(one, denoise=partial(one.denoise, read_noise=noise))
        found = _attempt(content, name, lambda f=one, n=name: _apply(f, image, n))
        if found is not None:
            content.estimates[name] = found


def _apply(one: Denoiser, image: Image, name: str) -> Image:
    """Denoise, and take nothing for an image that is none."""
    found = apply_denoiser(one, image, name).astype(np.float64)
    if not np.isfinite(found).all():
        msg = f"{name} must give finite numbers"
        raise ValueError(msg)
    return found


def _count_values(content: Content) -> None:
    """Compare how often each count is there with what Poisson counts would have."""
    if content.counts is None or not content.report.counted:
        return
    name = NETWORK if NETWORK in content.estimates else content.best_filter
    if name is None:
        return
    some = content.report.recorded
    counts = content.image[some].astype(np.int64)
    means = content.estimates[name][some].clip(1e-6)
    content.histogram = compare_counts(counts, means)
    content.histogram.attrs["mean from"] = name


def compare_counts(
    counts: NDArray[np.int64], means: NDArray[np.float64]
) -> pd.DataFrame:
    """Count how often each count is there, and would be with these Poisson means.

    Columns ``from`` and ``to`` (both in), ``counted`` and ``expected`` pixels.
    """
    low, high = int(counts.min()), int(counts.max())
    width = max(1, -(-(high - low + 1) // _HISTOGRAM))
    starts = np.arange(low, high + 1, width)
    ends = starts + width - 1
    counted = np.bincount((counts - low) // width, minlength=len(starts))
    # means are many and alike: a fine histogram of them will do
    number, edges = np.histogram(means, bins=400)
    centres, some = (edges[1:] + edges[:-1]) / 2, number > 0
    chance = stats.poisson.cdf(ends[:, None], centres[some])
    chance -= stats.poisson.cdf(starts[:, None] - 1, centres[some])
    expected = chance @ number[some]
    table = {"from": starts, "to": ends, "counted": counted, "expected": expected}
    return pd.DataFrame(table)


def _test(content: Content) -> None:
    """Test what the estimates leave."""
    names = [name for name in (NETWORK, content.best_filter) if name]
    rivals = _list(content) if content.counts is not None else {}

    def test(name: str) -> ResidualTest:
        _refuse_uncounted(content, "a test of what is left")
        return judge_residuals(
            content.image, rivals[name], recorded=content.report.recorded,
            rng=np.random.default_rng([content.options.seed, 2]),
            deals=content.options.splits,
        )  # fmt: skip

    for name in names:
        if content.counts is None or name in rivals:
            found = _attempt(content, "residuals", partial(test, name))
            if found is not None:
                content.residuals[name] = found


def _make_network(content: Content) -> Callable[[object], Denoiser]:
    """Give the network for pixels of any sides."""
    network = load_model(content.options.model)
    how = {"model": network, "device": content.options.device}
    return lambda sides: partial(denoise, pixel=sides, **how)


def _judge(content: Content) -> None:
    """Ask the counts for columns."""

    def judge() -> ColumnVerdicts:
        _refuse_uncounted(content, "a verdict on columns")
        if "network" in content.reasons:
            raise ValueError(content.reasons["network"])
        sides, options = content.recording.pixel.sides, content.options
        if sides and max(sides) > _UNEVEN * min(sides):
            msg = (
                f"columns are judged on square pixels; got {sides[0]:g} x "
                f"{sides[1]:g} angstrom (bin along one axis)"
            )
            raise ValueError(msg)
        side = sum(sides) / 2 if sides else PIXEL
        return judge_columns(
            content.counts.values, _make_network(content)(sides), pixel=side,
            rng=np.random.default_rng(options.seed), deals=options.deals,
            progress=options.progress,
        )  # fmt: skip

    content.verdicts = _attempt(content, "verdicts", judge)


def _audit(content: Content) -> None:
    """Count what the network invents at this dose, where the truth is known."""

    def audit() -> pd.DataFrame:
        if content.report.dose is None:
            msg = f"an audit needs a dose in electrons. {content.report.verdict}"
            raise ValueError(msg)
        bins = _bins(content)
        sides = content.recording.pixel.sides or (PIXEL, PIXEL)
        make = _make_network(content)
        per_bin = content.report.dose * float(np.prod(bins))
        there = choose_bins((PIXEL, PIXEL), content.options.model)
        dose = per_bin / float(np.prod(there)) / PIXEL**2
        table = count_inventions(make, dose, seed=content.options.seed)
        table.attrs |= {"electrons per bin": per_bin, "sides": sides}
        return table

    content.inventions = _attempt(content, "inventions", audit)
