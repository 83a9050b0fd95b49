"""Choose the bundled images of the test split: ``make scenes``.

    python -m sbd.companion.make.held_out BENCHMARK

Of 60 images of the strict test split, spread evenly over structures, tilts and defoci,
those are kept whose clean image shows the finder at least nine of ten columns; of
these, five of five thicknesses or particles as evenly as may be. One of the five is
chosen again, with all its defoci: of those that have the most of the authors' labels of
contrast on their way through focus, that whose clean images show the most columns. All
are written as the benchmark stores them, with their labels, and the digests entered in
the catalogue and printed.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import sbd
from sbd.audits.benchmark_audit import spread_rows
from sbd.audits.scenes import find_recipe, published_scene
from sbd.companion.make.packing import ASSETS, enter_digest
from sbd.files import replacing
from sbd.simulation.frame import BOX_SAMPLES

FILE, SERIES = ASSETS / "held_out.npz", ASSETS / "focal_series.npz"
LABELS = ["structure", "particle", "thickness", "tilt_x", "tilt_y", "defocus"]
LABELS += ["contrast"]
LOOKED_AT, NUMBER = 60, 5
LEGIBLE = 0.9


def seen_share(benchmark: sbd.Benchmark, row: int) -> float:
    """Tell how many of its columns the clean image shows, as a share."""
    label = benchmark.table.iloc[row]
    scene = published_scene(
        benchmark.image(row, samples=BOX_SAMPLES),
        find_recipe(label["structure"]).build(),
        (label["tilt_x"], label["tilt_y"]),
        title="",
    )
    return float(scene.truth.hit.mean())


def choose(benchmark: sbd.Benchmark) -> list[int]:
    """Choose rows that differ in as many labels as possible, one after the other."""
    test = benchmark.table.query("split == 'test'")
    rows = spread_rows(test, LOOKED_AT)
    rows = [r for r in rows if seen_share(benchmark, r) >= LEGIBLE]
    table = benchmark.table.loc[rows, LABELS].assign(
        tilt=lambda t: t["tilt_x"] + 10 * t["tilt_y"], focus=lambda t: t["defocus"] // 4
    )
    chosen: list[int] = []
    while len(chosen) < NUMBER:
        keys = ["structure", "particle", "thickness", "tilt", "focus", "contrast"]
        repeats = sum(table[k].map(table.loc[chosen, k].value_counts()).fillna(0)
                      for k in keys)  # fmt: skip
        chosen.append(int(repeats.drop(chosen).idxmin()))
    return sorted(chosen)


def choose_series(benchmark: sbd.Benchmark, rows: list[int]) -> list[int]:
    """Choose one of some images for its contrasts, and return it at every defocus."""
    table, names = benchmark.table, ["structure", "tilt_x", "tilt_y"]
    models = table.groupby(names, sort=False).groups
    series = [
        models[key].tolist() for key in table.loc[rows, names].itertuples(index=False)
    ]
    contrasts = [table.loc[each, "contrast"].nunique() for each in series]
    return max(
        (s for s, n in zip(series, contrasts, strict=True) if n == max(contrasts)),
        key=lambda s: sum(seen_share(benchmark, row) for row in s),
    )


def write(benchmark: sbd.Benchmark, rows: list[int], path: Path, name: str) -> None:
    """Write images with their labels, and print these and the digest."""
    labels = benchmark.table.loc[rows, LABELS].assign(row=rows)
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            images=benchmark.read(rows),
            labels=json.dumps(labels.to_dict("records")),
        )
    print(labels.to_string())
    print(path.name, enter_digest(name, path))


def main() -> None:
    """Choose, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    benchmark = sbd.Benchmark(parser.parse_args().benchmark)
    rows = choose(benchmark)
    write(benchmark, rows, FILE, "example/held-out")
    write(benchmark, choose_series(benchmark, rows), SERIES, "example/focal-series")


if __name__ == "__main__":
    main()
