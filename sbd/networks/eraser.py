"""A network that tells what an image shows where one of its columns is taken away."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from sbd.data.registry import fetch
from sbd.files import replacing

SIDE = 32
"""Bins along a patch."""

BIN = 0.25
"""Side of a bin [angstrom]."""

REACH = 0.75
"""Radius of the disc in which a column is tested [angstrom]."""

_LEAST = 1e-3  # of a patch's mean: no intensity is below
_HIGH = 0.95  # part of the claims of which no more is left than the upper bound
_SCALES = 1.645  # standard deviations from the median to there
_CLAIM = 0.02  # a claim below this contrast has no margin to learn from


class Eraser(nn.Module):
    """Take the column in the middle of each patch out of it.

    Patches show 8 x 8 angstrom around a column, in bins of 0.25 angstrom. A patch
    times a number gives the result times that number: neither the dose nor the vacuum
    has to be known.

    Parameters
    ----------
    channels : int, default 40
        Width of the network.
    """

    def __init__(self, channels: int = 40) -> None:
        super().__init__()
        self.config = {"channels": channels}
        steps = (torch.arange(SIDE) - (SIDE - 1) / 2) * 2 / SIDE
        squared = steps[:, None] ** 2 + steps**2
        places = [torch.exp(-squared * s) for s in (4.0, 16.0, 64.0)]
        self.register_buffer("places", torch.stack(places)[None], persistent=False)
        disc = (squared <= (REACH / BIN * 2 / SIDE) ** 2).float()
        self.register_buffer("disc", disc[None, None], persistent=False)
        self.enter = nn.Conv2d(4, channels, 4, stride=2, padding=1)
        dilations = (1, 2, 4, 2, 1)
        self.inner = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=d, dilation=d) for d in dilations
        )
        self.leave = nn.Conv2d(channels, 4, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.doubt = nn.Sequential(
            nn.Linear(2 * channels + 2, channels),
            nn.ReLU(),
            nn.Linear(channels, channels),
            nn.ReLU(),
            nn.Linear(channels, 2),
        )

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return patches (n, 1, 32, 32) without their columns, and the doubt (n, 2).

        What is left over, as a part of the column: its median, and a standard deviation
        that goes with its upper tail.
        """
        mean = patches.mean((2, 3), keepdim=True).clamp_min(1e-12)
        shape = patches / mean - 1
        places = self.places.expand(len(patches), -1, -1, -1)
        x = functional.relu(self.enter(torch.cat([shape, places], 1)))
        for layer in self.inner:
            x = x + functional.relu(layer(x))
        change = functional.pixel_shuffle(self.leave(x), 2)
        size = (change.square() * self.disc).mean((1, 2, 3)).sqrt()
        spread = shape.square().mean((1, 2, 3)).sqrt()
        features = [x.mean((2, 3)), x[:, :, 6:10, 6:10].mean((2, 3))]
        features = torch.cat(
            [*features, torch.log(torch.stack([size, spread], 1) + 1e-3)], 1
        )
        median, upper = self.doubt(features.detach()).unbind(1)
        scale = functional.softplus(upper) / _SCALES
        return patches - mean * change, torch.stack([median, scale], 1)


def left_over(
    claimed: torch.Tensor, erased: torch.Tensor, truth: torch.Tensor, disc: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tell which part of a claimed column the truth still holds, and its contrast.

    By the weights of the test: log(claimed / erased).
    """
    least = _LEAST * claimed.mean((2, 3), keepdim=True)
    claimed, erased, truth = (torch.maximum(v, least) for v in (claimed, erased, truth))
    weights = torch.log(claimed / erased) * disc
    whole = ((claimed - erased) * weights).sum((1, 2, 3))
    part = ((truth - erased) * weights).sum((1, 2, 3))
    contrast = (weights.square().sum((1, 2, 3)) / disc.sum()).sqrt()
    return part / whole.clamp_min(1e-9), contrast


def train_eraser(
    claimed: NDArray[np.float32],
    without: NDArray[np.float32],
    weights: NDArray[np.float64],
    *,
    steps: int,
    seed: int,
    channels: int = 40,
    batch: int = 96,
    report: Callable[[int, float, float], None] | None = None,
) -> Eraser:
    """Train an eraser on patches (n, 32, 32) with a column, and without it.

    Weights say how often a pair is drawn.
    `report` gets the step and running means of the two losses.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    chance = np.asarray(weights, np.float64) / np.sum(weights)
    claimed, without = (torch.as_tensor(v)[:, None] for v in (claimed, without))
    net = Eraser(channels)
    optimiser = torch.optim.AdamW(net.parameters(), 2.5e-3, weight_decay=1e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2.5e-3, total_steps=steps, pct_start=0.15
    )
    focus = net.places[:, 1:2] * 4 + 0.1
    running = np.zeros(2)
    for step in range(steps):
        some = torch.as_tensor(rng.choice(len(claimed), batch, p=chance))
        x, truth = _turn(claimed[some], without[some], rng, free=step % 2 == 1)
        erased, doubt = net(x)
        mean = x.mean((2, 3), keepdim=True)
        spread = (x / mean - 1).square().mean((2, 3), keepdim=True) + 0.05**2
        loss = (focus * ((erased - truth) / mean).square() / spread).mean()
        left, contrast = left_over(x, erased.detach(), truth, net.disc)
        left, (median, scale) = left.clamp(-2, 2), doubt.unbind(1)
        pinball = _pinball(left - median, 0.5)
        pinball = pinball + _pinball(left - median.detach() - _SCALES * scale, _HIGH)
        told = (contrast > _CLAIM).float()
        second = (pinball * told).sum() / told.sum().clamp_min(1)
        optimiser.zero_grad()
        (loss + second).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        plan.step()
        now = np.array([loss.item(), second.item()])
        running = now if step == 0 else 0.98 * running + 0.02 * now
        if report and step % 250 == 249:
            report(step + 1, *running)
    return net.eval()


def _pinball(off: torch.Tensor, part: float) -> torch.Tensor:
    """Loss that is least where that part of the values is below."""
    return torch.maximum(part * off, (part - 1) * off)


def _turn(
    x: torch.Tensor, truth: torch.Tensor, rng: np.random.Generator, *, free: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror and turn pairs of patches at random, by any angle if `free`."""
    pair = torch.cat([x, truth], 1)
    flips = rng.random(3) < 0.5
    if flips[0]:
        pair = pair.flip(3)
    if flips[1]:
        pair = pair.flip(2)
    if flips[2]:
        pair = pair.transpose(2, 3)
    if free:
        angle = torch.as_tensor(rng.uniform(-np.pi / 4, np.pi / 4, len(pair))).float()
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        rows = torch.stack([cos, -sin, zero, sin, cos, zero], 1).reshape(-1, 2, 3)
        grid = functional.affine_grid(rows, pair.shape, align_corners=False)
        pair = functional.grid_sample(
            pair, grid, padding_mode="reflection", align_corners=False
        )
    return pair[:, :1], pair[:, 1:]


def load_eraser(name: str | Path | None = None) -> Eraser:
    """Read an eraser from a file; None gives that of platinum on ceria."""
    path = fetch("weights/eraser") if name is None else Path(name)
    try:
        with safe_open(path, "pt") as file:
            config = json.loads(file.metadata()["config"])
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        net = Eraser(**config)
        net.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        msg = f"eraser must be a file that save_eraser wrote; got {path} ({error})"
        raise ValueError(msg) from error
    return net.eval()


def save_eraser(net: Eraser, path: Path) -> None:
    """Write an eraser to a file, in half precision."""
    weights = {key: value.half() for key, value in net.state_dict().items()}
    with replacing(Path(path)) as part:
        save_file(weights, part, metadata={"config": json.dumps(net.config)})
