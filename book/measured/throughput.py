"""Measure what each trick of training is worth: ``make throughput``.

    python book/measured/throughput.py BENCHMARK FILE [--steps N]

Crops learnt from in a second of one core, for three networks, with one trick more from
row to row; each row is a process of its own, and its first two steps do not count. Time
is that of the processor, all threads together, so that a busy machine does little harm.
Wall time, which a second thread is there for, is given beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from tqdm import tqdm

import sbd
from sbd.companion.freshness import write_measured
from sbd.networks.drawing import Drawing, draw_batch
from sbd.networks.models import create_model
from sbd.networks.training import _estimator, _weighted_error

KEEP = {
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "1000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
NETWORKS = {
    "LatticeUNet": ("LatticeUNet", {}, Drawing(crop=128), 8),
    "CrystalUNet": ("CrystalUNet", {}, Drawing(crop=160), 5),
    "UNet, every pixel": (
        "UNet", {"scales": 4, "channels": 32, "bias": False}, Drawing(crop=256), 4,
    ),
}  # fmt: skip
TRICKS = {  # each with those before it; the last two are tried and not used
    "as it comes": {},
    "channels last": {"last": True},
    "memory kept": {"last": True, "keep": True},
    "bfloat16": {"last": True, "keep": True, "half": True},
    "fused optimiser": {"last": True, "keep": True, "half": True, "fused": True},
    "two threads": {"last": True, "keep": True, "half": True, "threads": 2},
}


def measure(benchmark: Path, network: str, trick: str, steps: int) -> dict:
    """Train for some steps; crops per second of the processor and of the clock."""
    kind, config, drawing, batch = NETWORKS[network]
    how = TRICKS[trick]
    torch.set_num_threads(how.get("threads", 1))
    images = sbd.Benchmark(benchmark)
    images = images.read(range(0, len(images), 500))
    model = create_model(kind, seed=0, **config).train()
    if how.get("last"):
        model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), fused=how.get("fused", False))
    binning = getattr(model, "binning", 1)
    spent = {"drawing": 0.0, "preparing": 0.0, "learning": 0.0}
    for step in range(steps + 2):
        if step == 2:
            spent = dict.fromkeys(spent, 0.0)
            began = time.perf_counter()
        clock = [time.process_time()]
        noisy, clean = draw_batch(images, drawing, binning, batch, (0, step))
        clock.append(time.process_time())
        with torch.autocast("cpu", torch.bfloat16, enabled=how.get("half", False)):
            if hasattr(model, "prepare"):
                with torch.no_grad():
                    noisy = model.prepare(noisy)
            clock.append(time.process_time())
            loss = _weighted_error(_estimator(model)(noisy), clean)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        clock.append(time.process_time())
        for i, name in enumerate(spent):
            spent[name] += clock[i + 1] - clock[i]
    crops = steps * batch
    return {
        "crops per core-second": round(crops / sum(spent.values()), 2),
        "crops per second": round(crops / (time.perf_counter() - began), 2),
        "bins per crop": drawing.crop**2,
        "share": {k: round(v / sum(spent.values()), 2) for k, v in spent.items()},
    }


def main() -> None:
    """Measure every row in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.benchmark, *given.one, given.steps)))
        return
    table = {network: {} for network in NETWORKS}
    pairs = [(network, trick) for network in NETWORKS for trick in TRICKS]
    for network, trick in tqdm(pairs, unit="row", mininterval=10):
        command = [sys.executable, __file__, str(given.benchmark), "-", "--steps"]
        command += [str(given.steps), "--one", network, trick]
        environment = os.environ | (KEEP if TRICKS[trick].get("keep") else {})
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, check=True
        )
        table[network][trick] = json.loads(done.stdout)
    record = {
        "rows": table,
        "steps": given.steps,
        "versions": {name: version(name) for name in ("sbd", "torch")},
    }
    write_measured(given.file, record, __file__)


if __name__ == "__main__":
    main()
