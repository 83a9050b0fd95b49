"""Match images of known parameters, and count how many are found: ``make recovery``.

    python book/measured/recovery.py [--count N] [--seed SEED] [--summary FILE]

draws structures, tilts and defoci of the benchmark, and a place and a crop for each,
and matches the image without noise and as counts at 0.45 electrons per pixel. It writes
a line of JSON for each image to ``--out``, goes on after the last one there, and writes
the counts to ``--summary``.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

import sbd
from sbd.benchmark.recipes import default_recipes
from sbd.companion.freshness import write_measured
from sbd.simulation.frame import AUTHORS_PIXEL
from sbd.simulation.specimens import DEFOCI, TILTS

NAMES = ("thickness", "tilt_x", "tilt_y", "defocus", "particle", "defect")


def draw(rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Draw an image of the benchmark, displaced and cropped; with its parameters."""
    recipes = default_recipes()
    recipe = recipes[rng.integers(len(recipes))]
    tilt = TILTS[rng.integers(len(TILTS))]
    defocus = DEFOCI[rng.integers(len(DEFOCI))]
    wave = sbd.exit_wave(recipe.build(), tilts=[tilt])[0]
    # finer than needed, so that the place in the box is a fraction of a pixel
    fine = sbd.form_image(wave, defocus=10 * defocus, samples=4096)
    row, column = 120 + rng.integers(60), rng.integers(60)
    image = fine[row:, column:][: 4 * 860 : 4, : 4 * 900 : 4]
    labels = (recipe.thickness, *tilt, defocus, recipe.particle, recipe.defect)
    origin = [row * AUTHORS_PIXEL / 4, column * AUTHORS_PIXEL / 4]
    return image, dict(zip(NAMES, labels, strict=True)) | {"origin": origin}


def match_one(seed: int, number: int) -> dict:
    """Match one image, clean and noisy."""
    rng = np.random.default_rng((seed, number))
    image, true = draw(rng)
    row = {"number": number, "true": true}
    noisy = sbd.poisson_noise(image, rng=rng)
    for kind, seen in (("clean", image), ("noisy", noisy)):
        found = sbd.match_simulation(seen)
        off = np.subtract(found.parameters["origin"], true["origin"])
        row[kind] = {
            "parameters": {n: found.parameters[n] for n in NAMES},
            "correlation": found.correlation,
            "off": np.abs((off + 25) % 50 - 25).max(),
        }
    return row


def main() -> None:
    """Match, write, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("_build/recovery.jsonl"))
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {json.loads(line)["number"] for line in lines}
    numbers = [i for i in range(options.count) if i not in done]
    with ProcessPoolExecutor(options.workers) as pool:
        futures = [pool.submit(match_one, options.seed, i) for i in numbers]
        for future in as_completed(futures):
            with options.out.open("a") as file:
                file.write(json.dumps(future.result()) + "\n")
    rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    summary = {kind: summarise(rows, kind) for kind in ("clean", "noisy")}
    record = {"images": len(rows), "seed": options.seed, **summary}
    if options.summary:
        write_measured(options.summary, record, __file__)
    print(json.dumps(record, indent=1))


def summarise(rows: list[dict], kind: str) -> dict:
    """Count the images whose parameters were found, each and all together."""
    right = [{n: r[kind]["parameters"][n] == r["true"][n] for n in NAMES} for r in rows]
    return {
        **{f"{name} found": sum(r[name] for r in right) for name in NAMES},
        "all found": sum(all(r.values()) for r in right),
        "farthest from its place [angstrom]": round(
            max(r[kind]["off"] for r in rows), 4
        ),
        "lowest correlation": round(min(r[kind]["correlation"] for r in rows), 5),
    }


if __name__ == "__main__":
    main()
