"""Measure p-values of columns on real vacuum: ``make recorded``.

    python book/measured/vacuum_counts.py FILE

The counts are 40 frames of `sbd.data.fetch_counts`, at their own dose and thinned to
that of the paper; the first of 41 has another noise, and is tested apart. Nothing is
there, so p-values of columns that are claimed should be uniform, if counts were Poisson
and the vacuum known. A column is a Gaussian bump,
brighter or darker than the vacuum around it, and has the scale of the paper's columns.
The vacuum is told in three ways:

* ``frame``: the mean of the frame;
* ``field``: the illumination, which is the mean of the other frames, blurred, at the
  brightness of the frame;
* ``ring``: the mean of the frame in a ring around the disc.

Next to that stands the same with simulated Poisson counts of that illumination. What
coincidence loss does is told by variances of pixels and blocks, and by correlations.
"""

import argparse
import json
import time
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, signal, stats

import sbd
from sbd.columns.finding import Columns
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine
from sbd.data.movies import comb_gain, fetch_counts, fetch_values
from sbd.evidence.calibration import lay_discs

RADII = (8, 12)  # [pixels]
HEIGHTS = {"bright": 0.3, "dark": -0.3}  # of the vacuum
WIDTH = 3.5  # standard deviation of a column [pixels]
SPACING = 16  # of discs: scores of neighbours have a correlation of exp(-256 / 49)
BLUR = 24.0  # of the illumination [pixels]
RING = (16, 40)  # radii of the ring [pixels]
LEVELS = (0.05, 0.01, 0.001)
STEP = 5e-4  # relative, to which a disc's vacuum is rounded so that many share a law
BLOCKS = (1, 2, 4, 8, 16)  # sides [pixels]
SHIFTS = {
    "next in the row": (0, 1),
    "next in the column": (1, 0),
    "diagonal": (1, 1),
    "other diagonal": (1, -1),
    "second in the row": (0, 2),
    "second in the column": (2, 0),
}


@dataclass(frozen=True)
class Movie:
    """Frames of vacuum, with what they count where nothing is."""

    counts: NDArray  # (frames, height, width) [electrons per pixel]
    vacuum: dict[str, NDArray]  # by way, a map for each frame [electrons per pixel]


def tell_vacuum(counts: NDArray, illumination: NDArray) -> dict[str, NDArray]:
    """Map the vacuum of every frame, in each of the three ways."""
    means = counts.mean((1, 2), keepdims=True)
    row, column = np.indices((2 * RING[1] + 1,) * 2) - RING[1]
    away = row**2 + column**2
    ring = ((away >= RING[0] ** 2) & (away <= RING[1] ** 2)).astype(float)
    area = signal.fftconvolve(np.ones(counts.shape[1:]), ring, mode="same")
    rings = [signal.fftconvolve(frame, ring, mode="same") / area for frame in counts]
    return {
        "frame": np.broadcast_to(means, counts.shape),
        "field": illumination * means,
        "ring": np.stack(rings),
    }


def illuminate(counts: NDArray) -> NDArray:
    """Blur the mean of all frames but one, for each; its own mean is 1."""
    total = counts.sum(0)
    fields = [ndimage.gaussian_filter(total - frame, BLUR) for frame in counts]
    return np.stack([field / field.mean() for field in fields])


def place_discs(shape: tuple[int, int], how: str, rng: np.random.Generator) -> NDArray:
    """Lay middles of discs that lie whole in a frame: on a grid, or by chance."""
    margin = max(RADII) + 1
    places = lay_discs(shape, spacing=SPACING, radius=SPACING / 2).positions
    inside = (places >= margin) & (places <= np.array(shape) - 1 - margin)
    places = places[inside.all(1)]
    if how == "grid":
        return places
    return rng.uniform(margin, np.array(shape) - 1 - margin, places.shape)


def cut(frame: NDArray, places: NDArray, reach: int) -> NDArray:
    """Cut squares around places."""
    box = np.arange(-reach, reach + 1)
    rows, columns = np.rint(places).astype(int).T[..., None] + box
    return frame[rows[:, :, None], columns[:, None, :]]


def tile(patches: NDArray) -> NDArray:
    """Put patches beneath each other, as one image."""
    return patches.reshape(-1, patches.shape[2])


def test_patches(
    patches: NDArray, offsets: NDArray, vacuum: float, height: float, radius: int
) -> NDArray:
    """Test the patches for a column in their middles, off by less than a pixel."""
    reach = radius + 1
    axis = np.arange(-reach, reach + 1)
    row, column = ((axis - off[:, None]) ** 2 for off in (offsets[:, 0], offsets[:, 1]))
    bump = np.exp(-(row[:, :, None] + column[:, None, :]) / (2 * WIDTH**2))
    number, side = len(patches), 2 * reach + 1
    middles = reach + offsets
    middles[:, 0] += side * np.arange(number)
    discs = Columns(middles, np.full(number, float(radius)), np.zeros(number))
    claim = vacuum * (1 + height * tile(bump))
    return sbd.column_p_values(tile(patches), claim, discs, vacuum=vacuum)


def test_vacuum(
    movie: Movie, way: str, how: str, height: float, radius: int, seed: int
) -> pd.DataFrame:
    """Test columns that are not there, in every frame: their p-values, ``p``."""
    rows = []
    for index, frame in enumerate(movie.counts):
        rng = np.random.default_rng([seed, index])
        places = place_discs(frame.shape, how, rng)
        offsets = places - np.rint(places)
        patches = cut(frame, places, radius + 1)
        vacuum = cut(movie.vacuum[way][index], places, radius)
        disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
        local = vacuum[:, disc].mean(1)
        if way != "frame":
            local = np.exp(STEP * np.rint(np.log(local) / STEP))
        for value in np.unique(local):
            mine = local == value
            p = test_patches(patches[mine], offsets[mine], float(value), height, radius)
            rows.append(pd.DataFrame({"frame": index, "p": p}))
    return pd.concat(rows, ignore_index=True)


def summarise(table: pd.DataFrame) -> dict:
    """Compare p-values with uniform ones; standard errors are those among frames."""
    test = stats.kstest(table["p"], "uniform")
    record = {
        "discs": len(table),
        "KS distance": round(float(test.statistic), 4),
        "KS": float(f"{test.pvalue:.3g}"),
    }
    for level in LEVELS:
        low = (table["p"] <= level).groupby(table["frame"]).mean()
        record[f"up to {level:g}"] = round(float(low.mean()), 5)
        if len(low) > 1:
            record[f"up to {level:g}, standard error"] = round(float(low.sem()), 5)
        record[f"over {1 - level:g}"] = round(float((table["p"] > 1 - level).mean()), 5)
    return record


def calibrate(movie: Movie, ways: tuple[str, ...], how: str, seed: int) -> dict:
    """Test columns of both signs and radii, against each way to tell the vacuum."""
    record = {}
    for way, radius, (name, height) in product(ways, RADII, HEIGHTS.items()):
        began = time.perf_counter()
        table = test_vacuum(movie, way, how, height, radius, seed)
        record[f"{way}, radius {radius}, {name}"] = summarise(table)
        spent = time.perf_counter() - began
        print(f"{how}, {way}, radius {radius}, {name}: {spent:.0f} s", flush=True)
    return record


def among_frames(values: list[float], digits: int = 5) -> dict:
    """Give the mean over the frames, and its standard error."""
    return {
        "mean": round(float(np.mean(values)), digits),
        "standard error": round(float(stats.sem(values)), digits),
    }


def block_sums(counts: NDArray, side: int) -> NDArray:
    """Add up the counts of square blocks."""
    frames, height, width = counts.shape
    height, width = height // side, width // side
    cut = counts[:, : height * side, : width * side]
    return cut.reshape(frames, height, side, width, side).sum((2, 4))


def correlate(residual: NDArray, other: NDArray) -> float:
    """Correlate two images."""
    spread = np.sqrt((residual**2).mean() * (other**2).mean())
    return float((residual * other).mean() / spread)


def measure_noise(counts: NDArray) -> dict:
    """Measure variances over means, and correlations, of what changes in time."""
    brightness = counts.mean((1, 2))
    counts = counts * (brightness.mean() / brightness)[:, None, None]
    frames = len(counts)
    fano, pattern = {}, {}
    for side in BLOCKS:
        sums = block_sums(counts, side)
        mean = sums.mean(0)
        # a frame is part of the mean that is taken off it
        squares = ((sums - mean) ** 2).mean((1, 2)) * frames / (frames - 1)
        fano[f"{side} x {side}"] = among_frames(list(squares / mean.mean()))
        # what the mean of the frames varies in space beyond its noise; smooth or not
        excess = mean.var() - squares.mean() / frames
        pattern[f"{side} x {side}"] = round(
            float(np.sign(excess) * np.sqrt(abs(excess)) / mean.mean()), 5
        )
    residual = counts - counts.mean(0)
    height, width = counts.shape[1:]
    neighbours = {}
    for name, (down, across) in SHIFTS.items():
        left = max(0, -across)
        here = residual[:, : height - down, left : width - max(0, across)]
        there = residual[:, down:, left + across :][:, :, : here.shape[2]]
        pairs = zip(here, there, strict=True)
        neighbours[name] = among_frames([correlate(*pair) for pair in pairs])
    return {
        "variance over mean, of blocks": fano,
        "pattern that stays, relative": pattern,
        "correlation of neighbours": neighbours,
        "correlation of consecutive frames": among_frames(
            [correlate(*pair) for pair in pairwise(residual)]
        )
        | {"expected": round(-1 / (frames - 1), 5)},
        "brightness of frames, relative spread": round(
            float(brightness.std(ddof=1) / brightness.mean()), 5
        ),
    }


def judge(movie: Movie, seed: int) -> dict:
    """Judge the columns that a denoiser draws into the frames: none is there."""
    del movie, seed  # `sbd.judge_columns` comes here
    return {}


def describe_counts(counts: NDArray, illumination: NDArray) -> dict:
    """Describe the recording: its gain, its dose, its frames, its illumination."""
    values = fetch_values("recorded/vacuum")
    empty = float((counts == 0).mean())
    field = illumination.mean(0)
    within = list(counts.var((1, 2)) / counts.mean((1, 2)))
    return {
        "frames": list(counts.shape),
        "detector units for an electron, of the comb": round(comb_gain(values), 2),
        "mean units of single electrons": round(float(values[counts == 1].mean()), 2),
        "mean [e/pixel]": round(float(counts.mean()), 4),
        "mean by the empty pixels [e/pixel]": round(-float(np.log(empty)), 4),
        "variance over mean within a frame, the first": round(float(within[0]), 4),
        "variance over mean within a frame, the others": among_frames(within[1:]),
        "illumination, least and most": [
            round(float(end), 4) for end in (field.min(), field.max())
        ],
        "illumination, relative spread": round(float(field.std()), 4),
    }


def measure(seed: int = 0) -> dict:
    """Measure everything."""
    whole = fetch_counts("recorded/vacuum")
    illumination = illuminate(whole[1:].astype(np.float64))
    record = {
        **describe_machine("numpy", "scipy"),
        "recording": describe_counts(whole.astype(np.float64), illumination),
        "noise": measure_noise(whole[1:].astype(np.float64)),
        "p-values": {},
    }
    rng = np.random.default_rng(seed)
    share = sbd.VACUUM / float(whole.mean())
    thinned = [sbd.thin_counts(frame, share=share, rng=rng)[0] for frame in whole]
    for name, counts in (("as recorded", whole), ("thinned", np.stack(thinned))):
        movie = Movie(counts[1:], tell_vacuum(counts[1:], illumination))
        first = Movie(counts[:1], tell_vacuum(counts[:1], illumination[:1]))
        drawn = rng.poisson(movie.vacuum["field"]).astype(np.float32)
        control = Movie(drawn, tell_vacuum(drawn, illumination))
        ways = tuple(movie.vacuum)
        record["p-values"][f"{name}, {movie.counts.mean():.2f} e/pixel"] = {
            "on a grid": calibrate(movie, ways, "grid", seed),
            "by chance": calibrate(movie, ("field",), "chance", seed + 1),
            "simulated, on a grid": calibrate(control, ways, "grid", seed),
            "first frame, on a grid": calibrate(first, ("field",), "grid", seed),
            "judged": judge(movie, seed),
        }
    return record


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    record = measure()
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
