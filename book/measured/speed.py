"""Time the networks against the published definition: ``make speed``.

    python book/measured/speed.py FILE [--runs N] [--threads N]

All denoise one noisy image of 727 x 687 pixels in one process, in turn, so that the
ratios hold for this machine. "published" is the UNet of four scales and 128 channels
without constants, defined and evaluated as its authors do: padding in layers of its
own, and a normalisation that computes the variance of what passes and then divides by
the running one. "ours" is the same network, with the same weights, through
`sbd.denoise_network`. Weights are random except for the default's.

Peak memory is that of a process of its own, less what it had before. Seconds are wall
time, medians. The allocator of glibc gives large blocks back at once; what it saves to
let it keep them is measured too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import sbd
from sbd.companion.freshness import write_measured
from sbd.companion.measurements import PUBLISHED_SHAPE, describe_machine
from sbd.typing import Denoiser, Image

KEEP = {
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "67108864",
}


class PublishedNorm(nn.BatchNorm2d):
    """Normalisation by the running variance, and by way of the one of `x`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise channel by channel."""
        rows = x.transpose(0, 1)
        shape = rows.shape
        rows = rows.contiguous().view(x.size(1), -1)
        rows.var(dim=1)  # needed for training only
        rows = rows / (self.running_var.view(-1, 1) ** 0.5 + self.eps)
        rows = self.weight.view(-1, 1) * rows
        return rows.view(shape).transpose(0, 1)


def double_conv(inputs: int, middle: int, outputs: int) -> nn.ModuleDict:
    """Pad, convolve, normalise and rectify, twice."""
    layers = []
    for a, b in ((inputs, middle), (middle, outputs)):
        layers += [nn.ReplicationPad2d(1), nn.Conv2d(a, b, 3, bias=False)]
        layers += [PublishedNorm(b), nn.ReLU(inplace=True)]
    return nn.ModuleDict({"double_conv": nn.Sequential(*layers)})


class PublishedUNet(nn.Module):
    """The network as defined by its authors; parameters are named as in `sbd.UNet`."""

    def __init__(self, c: int = 128) -> None:
        super().__init__()
        self.inc = double_conv(1, c, c)
        for i, (a, b) in enumerate(((c, c), (c, c), (c, 2 * c), (2 * c, 2 * c)), 1):
            down = nn.Sequential(nn.MaxPool2d(2), double_conv(a, b, b))
            setattr(self, f"down{i}", nn.ModuleDict({"maxpool_conv": down}))
        for i, (a, b) in enumerate(((4 * c, 2 * c), *[(2 * c, c)] * 3), 3):
            setattr(self, f"up{i}", nn.ModuleDict({"conv": double_conv(a, b, c)}))
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(c, 1, 1, bias=False)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Denoise a batch of shape (batch, 1, height, width)."""
        x = self.inc["double_conv"](x)
        skips = []
        for i in range(1, 5):
            skips.append(x)
            pool, conv = getattr(self, f"down{i}")["maxpool_conv"]
            x = conv["double_conv"](pool(x))
        for i in range(3, 7):
            skip = skips.pop()
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            down, right = (skip.size(k) - x.size(k) for k in (2, 3))
            sides = (right // 2, right - right // 2, down // 2, down - down // 2)
            x = torch.cat([skip, F.pad(x, sides)], dim=1)
            x = getattr(self, f"up{i}")["conv"]["double_conv"](x)
        return self.outc["conv"](x)


def give_weights(model: nn.Module) -> nn.Module:
    """Draw weights that keep the size of what passes, and statistics about one."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 4:
            deviation = (2 / tensor[0].numel()) ** 0.5
            tensor.normal_(0, deviation, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def make_denoiser(name: str) -> Denoiser:
    """Make what is to be timed, a function from image to image."""
    if name == "published":
        model = give_weights(PublishedUNet())

        @torch.no_grad()
        def denoise(noisy: Image) -> Image:
            return model(torch.from_numpy(noisy)[None, None])[0, 0].numpy()

        return denoise
    if name == "ours":
        ours = sbd.UNet(scales=4, channels=128, bias=False)
        ours.load_state_dict(give_weights(PublishedUNet()).state_dict())
    else:
        ours = sbd.load_model()
    return lambda noisy: sbd.denoise_network(noisy, ours, device="cpu")


NAMES = ("published", "ours", "default")


def draw_counts(shape: tuple[int, int] = PUBLISHED_SHAPE) -> Image:
    """Count electrons on a lattice, at the dose of the paper."""
    row, column = np.indices(shape) * (2 * np.pi / 40)
    clean = sbd.VACUUM * (1 + 0.3 * np.cos(row) * np.cos(column))
    return sbd.poisson_noise(clean, rng=np.random.default_rng(0))


def time_in_turn(jobs: dict[str, Callable], runs: int) -> dict[str, float]:
    """Return the median seconds of each job, not counting a first call."""
    seconds = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return {name: round(statistics.median(each), 4) for name, each in seconds.items()}


def measure_alone(name: str, runs: int) -> dict[str, float]:
    """Measure memory and time of one denoiser; for a process of its own."""
    denoise, noisy = make_denoiser(name), draw_counts()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    denoise(noisy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = time_in_turn({name: lambda: denoise(noisy)}, runs)[name] if runs else None
    return {"peak memory [GB]": round(peak / 2**20, 3), "seconds": seconds}


def run_alone(name: str, threads: int, runs: int, **environment: str) -> dict:
    """Run `measure_alone` in a process of its own."""
    command = [sys.executable, __file__, "--alone", name, "--runs", str(runs)]
    command += ["--threads", str(threads)]
    environment = os.environ | environment
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def compare(denoise: dict[str, Denoiser]) -> float:
    """Return the largest difference of the two definitions, relative to the largest."""
    # the published decoder pads with zeros where a side is no multiple of 16
    noisy = draw_counts(tuple(n // 16 * 16 for n in PUBLISHED_SHAPE))
    published, ours = (denoise[name](noisy) for name in ("published", "ours"))
    return float(f"{np.abs(ours - published).max() / np.abs(published).max():.1e}")


def measure_bf16(denoise: dict[str, Denoiser], runs: int) -> dict[str, dict]:
    """Measure what convolutions in bfloat16 save and cost, by `torch.autocast`."""
    micrograph = sbd.example_micrograph("simulated", rng=np.random.default_rng(0))
    noisy, record = draw_counts(), {}
    for name in ("ours", "default"):

        def in_bf16(noisy: Image, full: Denoiser = denoise[name]) -> Image:
            with torch.autocast("cpu", torch.bfloat16):
                return full(noisy)

        jobs = {"float32": lambda f=denoise[name]: f(noisy)}
        jobs["bf16"] = lambda f=in_bf16: f(noisy)
        seconds = time_in_turn(jobs, runs)
        full, half = denoise[name](micrograph.noisy), in_bf16(micrograph.noisy)
        error = np.abs(half - full).max() / np.abs(full).max()
        record[name] = {
            "seconds": seconds,
            "relative difference": float(f"{error:.1e}"),
        }
        if name == "default":
            record[name]["PSNR on the bundled image [dB]"] = {
                "float32": round(sbd.authors_psnr(micrograph.clean, full), 3),
                "bf16": round(sbd.authors_psnr(micrograph.clean, half), 3),
            }
    return record


class Counting(TorchDispatchMode):
    """Counts what torch is told to do: on a GPU each of it costs a start."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        """Count one operation, views included, and do it."""
        self.number += 1
        return func(*args, **(kwargs or {}))


def count_all(noisy: Image) -> dict[str, int]:
    """Count the operations of a call of the default network, and of a row."""
    model = sbd.load_model()
    pixel = tuple(n // 2 for n in noisy.shape)
    jobs = {
        "denoised image": lambda: sbd.denoise_network(noisy, model, device="cpu"),
        "row of the Jacobian": lambda: sbd.jacobian_row(model, noisy, pixel),
    }
    numbers = {}
    for name, job in jobs.items():
        job()  # which folds the network and makes tables
        with Counting() as counting:
            job()
        numbers[name] = counting.number
    return numbers


def measure(runs: int, threads: int) -> dict:
    """Measure everything."""
    # first, because a process begins with the peak memory of the one that starts it
    alone = {name: run_alone(name, threads, 0) for name in NAMES}
    noisy = draw_counts()
    denoise = {name: make_denoiser(name) for name in NAMES}
    jobs = {name: lambda f=denoise[name]: f(noisy) for name in NAMES}
    seconds = time_in_turn(jobs, runs)
    kept = ("default",)
    return {
        "shape": PUBLISHED_SHAPE,
        "threads": threads,
        "runs": runs,
        "seconds": seconds,
        "times faster than published": {
            name: round(seconds["published"] / seconds[name], 2) for name in NAMES[1:]
        },
        "relative difference of ours": compare(denoise),
        "peak memory [GB]": {
            name: each["peak memory [GB]"] for name, each in alone.items()
        },
        "seconds alone": {
            "as it comes": {n: run_alone(n, threads, runs)["seconds"] for n in kept},
            "memory kept": {
                n: run_alone(n, threads, runs, **KEEP)["seconds"] for n in kept
            },
        },
        "operations": count_all(noisy),
        "bf16": measure_bf16(denoise, runs),
        "default": type(sbd.load_model()).__name__,
        **describe_machine("sbd", "torch"),
    }


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", choices=NAMES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.alone:
        print(json.dumps(measure_alone(given.alone, given.runs)))
        return
    if given.file is None:
        parser.error("file must be given: where the record goes")
    record = measure(given.runs, given.threads)
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
