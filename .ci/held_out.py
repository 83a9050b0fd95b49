"""Choose the bundled images of the test split: ``make scenes``.

    python .ci/held_out.py BENCHMARK

Of 60 images of the strict test split, spread evenly over structures, tilts and defoci,
those are kept whose clean image shows the finder at least nine of ten columns; of
these, five of five thicknesses or particles as evenly as may be. They are written as
the benchmark stores them, with their labels, and the digest for the catalogue printed.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

import sbd
from sbd.audit import spread_rows
from sbd.scenes import find_recipe, published_scene

FILE = Path(__file__).parents[1] / "sbd" / "assets" / "held_out.npz"
LABELS = ["structure", "particle", "thickness", "tilt_x", "tilt_y", "defocus"]
LABELS += ["contrast"]
LOOKED_AT, NUMBER = 60, 5
LEGIBLE = 0.9


def is_legible(benchmark: sbd.Benchmark, row: int) -> bool:
    """Tell whether the clean image shows its columns."""
    label = benchmark.table.iloc[row]
    scene = published_scene(
        benchmark.image(row, samples=1024),
        find_recipe(label["structure"]).build(),
        (label["tilt_x"], label["tilt_y"]),
        title="",
    )
    return scene.truth.hit.mean() >= LEGIBLE


def choose(benchmark: sbd.Benchmark) -> list[int]:
    """Choose rows that differ in as many labels as possible, one after the other."""
    test = benchmark.table.query("split == 'test'")
    rows = [r for r in spread_rows(test, LOOKED_AT) if is_legible(benchmark, r)]
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


def main() -> None:
    """Choose, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    benchmark = sbd.Benchmark(parser.parse_args().benchmark)
    rows = choose(benchmark)
    labels = benchmark.table.loc[rows, LABELS].assign(row=rows)
    part = FILE.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        images=benchmark.read(rows),
        labels=json.dumps(labels.to_dict("records")),
    )
    part.replace(FILE)
    print(labels.to_string())
    print(FILE.name, hashlib.sha256(FILE.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
