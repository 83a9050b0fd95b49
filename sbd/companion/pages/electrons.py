"""Page 16: what denoisers make of electrons that were really counted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage, stats

from sbd.companion.wording import (
    list_names,
    markdown,
    tabulate_ranking,
    tell_copy,
    with_error,
)
from sbd.data.examples import example_truth
from sbd.data.movies import fetch_values
from sbd.data.registry import DataUnavailableError
from sbd.denoisers.network import denoise_network
from sbd.evidence.judgement import judge_columns
from sbd.plotting.charts import name_chart
from sbd.plotting.colours import GREY, INK, RED, SILVER, STEEL
from sbd.plotting.images import (
    LEGEND,
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.recordings.choosing import Adaptation
from sbd.recordings.diagnosis import CountsReport
from sbd.recordings.drift import Drift, measure_drift
from sbd.recordings.movies import sum_frames
from sbd.recordings.ranking import rank_denoisers
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image
from sbd.validation import apply_denoiser

if TYPE_CHECKING:
    from IPython.display import Markdown
    from torch import nn

STAND_IN = "simulated: the recorded movie is not in this copy"
"""Title of what is shown where the movie cannot be had."""

_SHAPE, _FRAMES = (245, 158), 40  # of the movie, but its first frame
_DOSE, _UNIT, _SPREAD = 2.9, 32.3, 0.01  # [electrons/pixel/frame], units, of the gain
_CORNER = (60, 150)  # of the stand-in in the bundled image [pixels]
_BLUR = 3.0  # of the mean of a frame's neighbours [pixels]
_NEIGHBOURS = 4  # frames before and after one, that say what is there
_NEARLY = 0.1  # of a ratio of classes to 1
_WAYS = {"each": "each frame", "sum": "all frames added"}
_MOST = 8  # electrons in a pixel that are told apart


def load_movie(
    seed: int = 0, most: int | None = None
) -> tuple[NDArray[np.float32], str]:
    """Give the frames of the recorded movie, at most so many, and a title.

    In detector units. Its first frame is of another kind and left out. Where the movie
    cannot be had, a simulated one stands in, and the title says so.
    """
    try:
        values = fetch_values("recorded/movie")[1:]
    except DataUnavailableError:
        return _simulate(seed)[:most], STAND_IN
    return values[:most], "recorded movie of the Crozier group"


def tell_source(title: str) -> str:
    """Name the source of what `load_movie` gave."""
    return "simulated" if title == STAND_IN else "real"


def tell_movie(values: NDArray, title: str) -> "Markdown":
    """Say what is shown: electrons of a camera, or what stands in for them."""
    frames, high, wide = values.shape
    size = f"{frames} frames of {high} x {wide} pixels"
    return tell_copy(
        whole=title != STAND_IN,
        shown=f"Shown are {size} of the edge of a particle, as a camera counted them.",
        missing=f"the recorded movie is not in it: {size}, counted in the computer "
        "from a piece of the bundled image, which does not move, stand in for it",
    )


def tell_adaptation(found: Adaptation) -> "Markdown":
    """Say whether an adapted network was kept, and why."""
    verb = "kept" if found.kept else "not kept"
    sides = "ahead" if found.worse_by < 0 else "behind"
    ends = f"{1e3 * found.low:.2f} to {1e3 * found.high:.2f}"
    return markdown(
        f"**The adapted network is {verb}.** On the electrons left out it is {sides} "
        f"by {1e3 * abs(found.worse_by):.2f} thousandths of the noise's variance "
        f"(interval of 95 %, above 0 for behind: {ends})."
    )


def tell_drift(drift: Drift | None, reason: str) -> "Markdown":
    """Say how far the specimen moves, or why that cannot be told."""
    if drift is None:
        return markdown(f"It cannot be told: {reason}")
    path = drift.positions.max(0) - drift.positions.min(0)
    at = [drift.positions.argmin(0), drift.positions.argmax(0)]
    error = np.hypot(*[[drift.errors[k, axis] for axis, k in enumerate(x)] for x in at])
    far = [with_error(*pair, digits=1) for pair in zip(path, error, strict=True)]
    still = (path < 3 * error).all()
    words = ", no more than counting anew would do" if still else ""
    return markdown(
        f"From one end of its path to the other the specimen moves {far[0]} pixels "
        f"down or up and {far[1]} across{words}."
    )


def tabulate_classes(table: pd.DataFrame) -> pd.DataFrame:
    """Write `count_classes` with errors."""
    pairs = zip(table["ratio"], table["standard error"], strict=True)
    return pd.DataFrame({
        "pixels that have them": table["observed"],
        "Poisson counts would": table["expected"].round().astype(int),
        "ratio": [with_error(*pair, digits=3) for pair in pairs],
    }, table.index)  # fmt: skip


def tell_lessons(
    classes: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    drift: Drift | None,
    title: str,
) -> "Markdown":
    """Say what this recording, or what stands in for it, teaches."""
    ratio = classes["ratio"]
    whose = "These counts, made in the computer," if title == STAND_IN else "These"
    near = "nearly" if (ratio - 1).abs().max() < _NEARLY else "not"
    words = [
        f"* **{whose} are {near} Poisson, frame by frame.** None to {len(ratio) - 1} "
        f"electrons hit a pixel {ratio.min():.2f} to {ratio.max():.2f} times as often "
        "as they would: no file says so, their classes do."
    ]
    ways = []
    for way, table in tables.items():
        best = table.index[0]
        others = table[(table["low"] != 0) | (table["high"] != 0)]  # but the reference
        if best in others.index:
            than = table.index.difference(others.index)[0]
            end = f", nearer than {than}"
            if table.loc[best, "high"] >= 0:
                end += " by no more than chance"
        else:
            even = [name for name in others.index if not others.loc[name, "behind"]]
            end = f", and {list_names(even)} may be as near" if even else ""
        ways.append(f"for {_WAYS[way]} {best} comes nearest{end}")
    words.append(
        f"* **The ranking can be had without a truth**, with intervals: "
        f"{'; '.join(ways)}. It need not be the ranking of the simulated images: a "
        "network that was never shown a specimen like this one has no claim to be "
        "ahead."
    )
    if drift is not None and (np.ptp(drift.positions, axis=0) > 1).any():
        words.append(
            "* **The mean of all frames is no truth** where the specimen moves. Moved "
            "back first, its frames add up to another picture. Look there before dots "
            "of an estimate are called inventions, and before they are believed."
        )
    words.append(
        "* **A picture that looks clean proves nothing.** Where two estimates differ, "
        "ask the electrons that neither has seen."
    )
    return markdown("\n".join(words))


def _simulate(seed: int) -> NDArray[np.float32]:
    """Count a piece of the bundled image, frame by frame, with gains of pixels."""
    clean, _ = example_truth("simulated")
    row, column = _CORNER
    clean = clean[row : row + _SHAPE[0], column : column + _SHAPE[1]] * _DOSE / VACUUM
    rng = np.random.default_rng([seed, 16])
    gain = _UNIT * (1 + _SPREAD * rng.standard_normal(_SHAPE))
    counts = rng.poisson(clean, (_FRAMES, *_SHAPE))
    return np.rint(gain * counts).astype(np.float32)


def show_comb(values: NDArray, unit: float, *, heading: str = "") -> Figure:
    """Draw how often each value occurs, over the comb of whole electrons."""
    fig, (ax,) = _charts(1, heading)
    flat = values.ravel()
    edges = np.arange(-0.5, (_MOST + 0.7) * unit)
    number, _ = np.histogram(flat, edges)
    ax.stairs(number / flat.size, edges, fill=True, color=SILVER)
    for n in range(_MOST + 1):
        ax.axvline(n * unit, color=RED, lw=0.7, zorder=0)
    ax.set_yscale("log")
    ax.set_xlim(-0.5 * unit, edges[-1])
    for n in range(_MOST + 1):
        ax.annotate(
            str(n), (n * unit, 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", color=RED, fontsize=7,
        )  # fmt: skip
    name_chart(ax, "", "value (detector units)", "share of pixels")
    return fig


def count_classes(counts: NDArray) -> pd.DataFrame:
    """Compare how often n electrons hit a pixel with Poisson counts of its mean.

    The mean is that of the four frames before and after, or as many as there are on
    both sides, and not of the frame itself: a specimen that drifts is in its place
    there, on average. Blurred by three pixels, and scaled to the frame's own. The first
    and the last frame have none, and are not counted.
    """
    if len(counts) < 3:
        msg = f"counts must have at least 3 frames; got {len(counts)}"
        raise ValueError(msg)
    means = [_mean_beside(counts, i) for i in range(1, len(counts) - 1)]
    rows = []
    for n in range(_MOST + 1):
        chance = [stats.poisson.pmf(n, mean) for mean in means]
        expected = float(np.sum(chance))
        error = float(np.sqrt(np.sum([p * (1 - p) for p in chance])))
        observed = int((counts[1:-1] == n).sum())
        rows.append((observed, expected, observed / expected, error / expected))
    names = ["observed", "expected", "ratio", "standard error"]
    return pd.DataFrame(rows, pd.RangeIndex(_MOST + 1, name="electrons"), names)


def _mean_beside(counts: NDArray, i: int) -> NDArray[np.float64]:
    """Tell from its neighbours what a frame shows, at the frame's own mean."""
    far = min(_NEIGHBOURS, i, len(counts) - 1 - i)
    near = [j for j in range(i - far, i + far + 1) if j != i]
    beside = counts[near].mean(0, dtype=np.float64)
    mean = ndimage.gaussian_filter(beside, _BLUR)
    return mean * (counts[i].mean(dtype=np.float64) / mean.mean())


def show_classes(table: pd.DataFrame, *, heading: str = "") -> Figure:
    """Draw the ratios of `count_classes`, with three standard errors."""
    fig, (ax,) = _charts(1, heading)
    ax.axhline(1, color=GREY, lw=0.8)
    ax.errorbar(
        table.index, table["ratio"], 3 * table["standard error"], fmt="o", ms=4,
        color=STEEL, capsize=2,
    )  # fmt: skip
    name_chart(ax, "", "electrons in a pixel", "observed / Poisson")
    return fig


def describe_ranking(
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, dict[str, float]]:
    """Tell rankings as a figure files them, errors from their intervals of 95 %."""
    told = {way: table["worse by"].round(5).to_dict() for way, table in tables.items()}
    for way, table in tables.items():
        error = (table["high"] - table["low"]) / (2 * 1.96)
        told[f"{way}, error"] = error.round(6).to_dict()
    return told


def show_ranking(
    tables: Mapping[str, pd.DataFrame], *, against: str, heading: str = ""
) -> Figure:
    """Draw by how much denoisers are worse than one, with intervals, for some doses."""
    fig, panels = _charts(len(tables), heading)
    order = next(iter(tables.values())).index
    order = [name for name in order if name not in ("constant", against)][::-1]
    for ax, (title, table) in zip(panels, tables.items(), strict=True):
        rows = table.loc[order]
        middle = rows["worse by"].to_numpy()
        ends = np.stack([middle - rows["low"], rows["high"] - middle])
        ax.errorbar(
            middle, range(len(order)), xerr=ends, fmt="o", ms=4, color=STEEL, capsize=2
        )
        ax.axvline(0, color=INK, lw=0.8)
        ax.set_yticks(range(len(order)), order if ax is panels[0] else [])
        name_chart(
            ax, _WAYS.get(title, title), f"behind {against} (noise variances)", ""
        )
    return fig


def disagree(
    counts: NDArray, denoisers: Mapping[str, Denoiser], pair: tuple[str, str],
    rng: np.random.Generator, side: int = 12,
) -> NDArray[np.float64]:  # fmt: skip
    """Map where one of two denoisers is nearer to electrons that were held back.

    Mean over frames of the difference of squared errors in blocks of `side` pixels, in
    standard errors from the frames' scatter: (rows, columns); above 0 where the first
    is farther away.
    """
    blocks = []
    for frame in counts.astype(np.int64):
        part = rng.binomial(frame, 0.5)
        held, image = frame - part, part.astype(np.float32)
        first, second = (apply_denoiser(denoisers[n], image, n) for n in pair)
        apart = (first - held) ** 2 - (second - held) ** 2
        high, wide = (n // side for n in apart.shape)
        cut = apart[: high * side, : wide * side].reshape(high, side, wide, side)
        blocks.append(cut.mean((1, 3)))
    blocks = np.array(blocks)
    return blocks.mean(0) / (blocks.std(0, ddof=1) / len(blocks) ** 0.5)


def show_estimates(
    frame: Image, whole: Image, estimates: Mapping[str, Image], *, heading: str = ""
) -> Figure:
    """Draw one frame, the mean of all, and what denoisers make of the frame."""
    names = ["one frame", "mean of all", *estimates]
    ratio = frame.shape[0] / frame.shape[1]
    height = WIDTH / len(names) * ratio + TITLE_ROOM * (2 if heading else 1)
    fig, panels = arrange_panels([names], height=height, heading=heading)
    limits = tuple(np.quantile(ndimage.gaussian_filter(whole, 2), [0.002, 0.998]))
    show_image(panels["one frame"], frame, title="one frame", limits="robust")
    for name, image in {"mean of all": whole, **estimates}.items():
        shown = show_image(panels[name], image, title=name, limits=limits)
        panels[name].title.set_fontsize(7.5)
    add_bar(panels[names[-1]], shown, "electrons per pixel and frame")
    return fig


def track(
    values: NDArray, report: CountsReport, *, seed: int
) -> tuple[Drift | None, str]:
    """Measure how the specimen moves, four frames at a time, or say why it cannot."""
    try:
        return measure_drift(values, report, frames=4, seed=seed), ""
    except ValueError as error:
        return None, str(error)


def show_drift(
    values: NDArray, report: CountsReport, drift: Drift | None, *, heading: str = ""
) -> Figure:
    """Draw where the specimen is, and all frames added up without and with that."""
    plain = sum_frames(values, report).values
    moved = None if drift is None else drift.positions
    still = sum_frames(values, report, shifts=moved).values
    height = WIDTH / 3 * plain.shape[0] / plain.shape[1] * 0.8 + 2 * TITLE_ROOM
    fig, panels = arrange_panels("abc", height=height, heading=heading)
    limits = tuple(np.quantile(ndimage.gaussian_filter(plain, 2), [0.002, 0.998]))
    for name, image, title in (
        ("a", plain, "added up as they are"), ("b", still, "moved back first"),
    ):  # fmt: skip
        smooth = ndimage.gaussian_filter(image, 1.5)
        shown = show_image(panels[name], smooth, title=title, limits=limits)
    add_bar(panels["b"], shown)
    ax = panels["c"]
    if drift is not None:
        frames = np.arange(len(drift.positions))
        for axis, (label, colour) in enumerate((("down", STEEL), ("across", RED))):
            middle, error = drift.positions[:, axis], 2 * drift.errors[:, axis]
            ax.plot(frames, middle, color=colour, label=label, lw=1.2)
            ax.fill_between(
                frames, middle - error, middle + error, color=colour, alpha=0.3, lw=0
            )
        ax.legend(loc="best", **LEGEND)
    name_chart(ax, "the specimen's place", "frame", "place (pixel)")
    return fig


def show_disagreement(
    estimates: Mapping[str, Image], z: NDArray, *, heading: str = ""
) -> Figure:
    """Draw two estimates of the mean of all frames, and `disagree` beside them."""
    names = [*estimates, "who is nearer"]
    shape = next(iter(estimates.values())).shape
    height = WIDTH / 3 * shape[0] / shape[1] * 0.8 + 2 * TITLE_ROOM
    fig, panels = arrange_panels([names], height=height, heading=heading)
    limits = tuple(np.quantile(list(estimates.values()), [0.002, 0.998]))
    for name, image in estimates.items():
        show_image(panels[name], image, title=name, limits=limits)
    second = list(estimates)[1]
    label = f"{second} nearer, in standard errors"
    show_map(panels["who is nearer"], z, title=f"red: {second} nearer", label=label)
    return fig


def tabulate_adapted(
    counts: NDArray,
    denoisers: Mapping[str, Denoiser],
    model: "nn.Module",
    *,
    device: str,
    rng: np.random.Generator,
    **how: object,
) -> pd.DataFrame:
    """Rank denoisers and an adapted network, frame by frame, in a table."""
    adapted = {"adapted": lambda noisy: denoise_network(noisy, model, device=device)}
    both = {**denoisers, **adapted}
    return tabulate_ranking(rank_denoisers(counts, both, rng=rng, frames="each", **how))


def judge_sums(
    counts: NDArray,
    denoisers: Mapping[str, Denoiser],
    frames: Sequence[int] = (1, 4, 16, 40),
    *,
    seed: int,
    deals: int,
) -> pd.DataFrame:
    """Tabulate what verdicts say of sums of the first frames, or why nothing."""
    rows = []
    for number in (number for number in frames if number <= len(counts)):
        whole = counts[:number].sum(0)
        for name, denoiser in denoisers.items():
            try:
                rng = np.random.default_rng(seed)
                found = judge_columns(whole, denoiser, rng=rng, deals=deals)
                rows.append((
                    number, name, len(found.columns), int(found.supported.sum()), "",
                ))  # fmt: skip
            except ValueError as error:
                reason = str(error).partition(";")[0]
                rows.append((number, name, "", "", reason))
    names = ["frames added", "denoiser", "columns", "supported", "refused, as"]
    return pd.DataFrame(rows, columns=names)


def _charts(number: int, heading: str) -> tuple[Figure, list]:
    names = [str(i) for i in range(number)]
    height = 2.4 + (TITLE_ROOM if heading else 0)
    fig, panels = arrange_panels([names], height=height, heading=heading)
    return fig, [panels[name] for name in names]
