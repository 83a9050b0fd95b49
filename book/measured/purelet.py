"""Measure PURE-LET, its speed and quality: ``make purelet``.

    python book/measured/purelet.py FILE [--runs N]

Speed and memory are told as ratios: of the best of many runs to the best of many
`scipy.fft.fft2` of the same array in the same process, which makes them comparable
between machines. Quality is that on the photographs that come with scikit-image, at the
peaks of the papers; no parameter was chosen for them one by one.
"""

import argparse
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import fft
from skimage import data
from skimage.transform import resize

import sbd
from sbd.companion.freshness import write_measured

PEAKS = (1, 5, 10, 30, 60, 120)
LARGE = """
import numpy, resource, sbd, time
noisy = numpy.random.default_rng(0).poisson(5.0, (4096, 4096)).astype("float32")
start = time.perf_counter()
sbd.denoise_purelet(noisy, levels=7, dictionary={!r})
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def best_time(work: Callable[[], object], runs: int) -> float:
    """Return the shortest of several runs [s], after one to warm up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_speed(runs: int) -> dict[str, float]:
    """Time every dictionary, and what one call keeps in memory."""
    noisy = np.random.default_rng(0).poisson(5.0, (512, 512)).astype(np.float32)
    result = {}
    for workers in (1, 2):
        transform = best_time(lambda: fft.fft2(noisy), 5 * runs)
        options = {"levels": 5, "workers": workers}
        work = best_time(lambda o=options: sbd.denoise_purelet(noisy, **o), runs)
        result[f"ratio to fft2, {workers} threads"] = round(work / transform, 1)
    for name in ("interscale", "dct8", "dct16"):
        options = {"levels": 5, "dictionary": name}
        work = best_time(lambda o=options: sbd.denoise_purelet(noisy, **o), 2)
        result[f"ratio to fft2, {name}"] = round(work / transform)
    tracemalloc.start()
    sbd.denoise_purelet(noisy, levels=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result["images in memory"] = round(peak / noisy.nbytes, 1)
    return result


def measure_large() -> dict[str, dict[str, float]]:
    """Time an image of a large camera, in processes of their own."""
    result = {}
    for name in ("haar", "interscale"):
        command = [sys.executable, "-c", LARGE.format(name)]
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, memory = (float(word) for word in out.stdout.split())
        result[name] = {"seconds": round(seconds, 1), "GiB": round(memory, 2)}
    return result


def photographs() -> dict[str, np.ndarray]:
    """Load what comes with scikit-image, from 0 to 1."""
    shrink = {"anti_aliasing": True, "output_shape": (256, 256)}
    return {
        "camera 256": resize(data.camera() / 255, **shrink),
        "astronaut 256": resize(data.astronaut().mean(-1) / 255, **shrink),
        "brick 512": data.brick() / 255,
        "grass 512": data.grass() / 255,
    }


def measure_quality() -> list[dict]:
    """Denoise the photographs with every dictionary."""
    rows = []
    for name, photograph in photographs().items():
        for peak in PEAKS:
            clean = peak * photograph / photograph.max()
            noisy = np.random.default_rng([peak, 0]).poisson(clean)
            row = {"image": name, "peak": peak}
            for dictionary in ("haar", "interscale", "dct8", "dct16"):
                try:
                    estimate = sbd.denoise_purelet(noisy, dictionary=dictionary)
                except ValueError:  # too few electrons for cosines
                    row[dictionary] = None
                    continue
                error = np.mean((estimate - clean) ** 2)
                row[dictionary] = round(float(10 * np.log10(peak**2 / error)), 2)
            rows.append(row)
    return rows


def main() -> None:
    """Measure all and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("to", type=Path)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    result = {
        "speed": measure_speed(options.runs),
        "4096 x 4096, 7 levels": measure_large(),
        "PSNR (dB)": measure_quality(),
    }
    write_measured(options.to, result, __file__)
    print(json.dumps(result["speed"], indent=1))


if __name__ == "__main__":
    main()
