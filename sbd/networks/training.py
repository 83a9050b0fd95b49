"""Teach a network to denoise, on simulated images only.

Examples are drawn on the fly (`sbd.networks.drawing`). Every draw depends on (seed,
step) alone, so a run that was killed goes on as if nothing had happened.
"""

import json
import logging
import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sbd.benchmark.dataset import Benchmark
from sbd.files import replacing, sha256, write_json
from sbd.networks.drawing import Drawing, Field, draw_batch, draw_batch_there
from sbd.networks.models import choose_device, evaluating, save_model
from sbd.simulation.noise import VACUUM
from sbd.validation import check_whole

log = logging.getLogger(__name__)

_PARTS = ("model", "average", "optimiser", "schedule")
_FUNCTIONS = 64  # that torch may compile
_SETTLING = 32  # batches that the final statistics of normalisations are from


def train(
    model: nn.Module,
    benchmark: Benchmark,
    folder: str | Path,
    *,
    steps: int,
    seed: int = 0,
    batch: int = 8,
    rate: float = 2e-3,
    drawing: Drawing | None = None,
    device: str = "auto",
    bf16: bool = False,
    compiled: bool = False,
    save_every: int = 100,
    workers: int = 0,
    progress: bool = True,
) -> nn.Module:
    """Train a network, or go on with a run that was begun.

    Started by ``torchrun``, the processes share each batch and average their gradients;
    only the first one writes. On GPUs each takes its own, on processors they talk
    through gloo.

    Parameters
    ----------
    model : torch.nn.Module
        A network of this library, trained in place; of a CrystalUNet the second network
        only, so its pilot must have been trained before.
    benchmark : Benchmark
        Only rows whose split is ``"train"`` are learnt from; the curve is measured on
        ``"valid"``, whose structures are others (on ``"train"`` where there are none).
    folder : str or pathlib.Path
        Gets ``checkpoint.pt``, ``curve.json``, ``cost.json`` (processor time of this
        process so far, without the workers') and, at the end, ``model.safetensors``.
    steps : int
        Optimiser steps in all.
    seed : int, default 0
        Of every example; the initial weights are the model's own, see `create_model`.
    batch : int, default 8
        Examples in a step.
    rate : float, default 2e-3
        Largest learning rate; it warms up and falls as a cosine.
    drawing : Drawing, optional
        How examples are drawn.
    device : str, default "auto"
        Where to compute, as for `denoise_network`.
    bf16 : bool, default False
        Whether convolutions compute in bfloat16, twice as fast where the processor
        has it; weights and averages stay float32.
    compiled : bool, default False
        Whether torch compiles each pair of convolutions, which takes a minute and a C
        compiler, and pays on a GPU. Results differ by rounding.
    save_every : int, default 100
        Steps between checkpoints and points of the curve.
    workers : int, default 0
        Processes that draw examples beside this one; the result does not depend on it.
    progress : bool, default True
        Whether to show a bar.

    Returns
    -------
    torch.nn.Module
        Running average of the weights, in evaluation mode, the statistics of its
        normalisations measured anew.

    Raises
    ------
    ValueError
        If a number is below 1, the batch cannot be shared evenly, the benchmark has no
        training images, or `folder` holds a run with other settings or other images.
    """
    for name, number in (
        ("steps", steps),
        ("batch", batch),
        ("save_every", save_every),
    ):
        check_whole(name, number)
    drawing = drawing or Drawing()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    team = _Team.gather(device)
    if batch % team.size:
        msg = f"batch must be a multiple of {team.size} processes; got {batch}"
        raise ValueError(msg)
    settings = {
        "class": type(model).__name__, "config": model.config, "steps": steps,
        "seed": seed, "batch": batch, "rate": rate, "bf16": bf16,
        "drawing": asdict(drawing),
    }  # fmt: skip
    images, valid = _load_split(benchmark, "train"), _load_split(benchmark, "valid")
    # a run goes on with no other images
    settings["images"] = [len(images), len(valid), sha256(images.tobytes())[:16]]
    field = Field.of(benchmark)
    if field.repeats:
        settings["box"] = field.box
        _warn_of_repeats(field.box, drawing, model)
    examples = _Examples(
        images, drawing, batch, seed, model.eval(), team, bf16=bf16, field=field
    )
    loader = DataLoader(examples, batch_size=None, num_workers=workers)
    run = _Run.begin(folder, settings, model, team, compiled=compiled)
    first = run.resume()
    examples.steps = range(first, steps)
    probe = examples.probe(valid if len(valid) else images)
    losses = []
    for step, example in tqdm(
        zip(examples.steps, loader, strict=True),
        initial=first,
        total=steps,
        disable=not progress or team.rank > 0,
        unit="step",
        mininterval=10,
    ):
        losses.append(run.learn(*examples.finish(*example), step))
        if (step + 1) % save_every == 0 or step + 1 == steps:
            run.save(step + 1, losses, probe)
            losses.clear()
    run.settle(examples, probe)
    if team.rank == 0:
        notes = {"training": json.dumps(settings)}
        save_model(run.average, folder / "model.safetensors", notes=notes)
    team.wait()
    return run.average.eval()


def time_steps(
    model: nn.Module,
    benchmark: Benchmark,
    *,
    steps: int = 20,
    batch: int = 8,
    drawing: Drawing | None = None,
    device: str = "auto",
    bf16: bool = False,
    compiled: bool = False,
) -> float:
    """Measure how long a step of training takes, without keeping what is learnt [s].

    The median of `steps`, after two that are not counted; options as for `train`.
    """
    check_whole("steps", steps)
    check_whole("batch", batch)
    team = _Team(0, 1, choose_device(device))
    split = "train" if (benchmark.table["split"] == "train").any() else "valid"
    images = _load_split(benchmark, split, most=256)
    drawing, model = drawing or Drawing(), deepcopy(model)
    examples = _Examples(
        images, drawing, batch, 0, model.eval(), team, bf16=bf16,
        field=Field.of(benchmark),
    )  # fmt: skip
    examples.steps = range(steps + 2)
    settings = {"bf16": bf16, "rate": 1e-3, "steps": steps + 2}
    run = _Run.begin(Path(), settings, model, team, compiled=compiled)
    seconds = []
    for step in examples.steps:
        began = time.perf_counter()
        float(run.learn(*examples.finish(*examples[step]), step))  # waits for it
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[2:]))


def _warn_of_repeats(box: float, drawing: Drawing, model: nn.Module) -> None:
    """Say so where an example shows the same place twice."""
    binning = getattr(model, "binning", 1)
    side = drawing.crop * binning * drawing.pixel[1]
    if side > box:
        warnings.warn(
            f"examples of {side:.3g} angstrom repeat the box of {box:.3g}, defects and "
            "all, as no specimen does: simulate a wider box, or draw smaller crops",
            stacklevel=3,
        )


def _weighted_error(estimate: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Mean squared relative error, with every dose about as important as any other."""
    level = clean.mean((1, 2, 3), keepdim=True)
    # the variance of counting noise, relative to the level, falls as one over the dose
    weight = (level / VACUUM).sqrt().clamp(0.5, 4)
    return (weight * ((estimate - clean) / level).square()).mean()


def _load_split(
    benchmark: Benchmark, split: str, most: int | None = None
) -> np.ndarray:
    rows = np.flatnonzero((benchmark.table["split"] == split).to_numpy())
    if split == "train" and not len(rows):
        msg = (
            f"benchmark must hold images of split 'train'; got none of {len(benchmark)}"
        )
        raise ValueError(msg)
    return benchmark.read(rows[:most])


class _Extending(nn.Conv2d):
    """A convolution of an image that goes on as it ends.

    The same as with ``padding_mode="replicate"``, whose gradient a GPU adds up pixel by
    pixel.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for axis, width in zip((-2, -1), self.padding, strict=True):
            first, last = (x.narrow(axis, i, 1) for i in (0, x.shape[axis] - 1))
            x = torch.cat([*width * [first], x, *width * [last]], axis)
        return F.conv2d(x, self.weight, self.bias, self.stride)


def _quicken(model: nn.Module, *, compiled: bool) -> nn.Module:
    """Return a network that does the same with the very weights of this one."""
    if compiled:  # one function for each width and size; torch gives up after eight
        limit = max(_FUNCTIONS, torch.compiler.config.recompile_limit)
        torch.compiler.config.recompile_limit = limit
    own = chain(model.parameters(), model.buffers())
    twin = deepcopy(model, {id(tensor): tensor for tensor in own})
    for part in list(twin.modules()):
        if type(part) is nn.Conv2d and part.padding_mode == "replicate":
            part.__class__ = _Extending
        if compiled and isinstance(part, nn.Sequential):
            part.compile(dynamic=False)
    return twin


def _estimator(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the part of a network that is trained."""
    for name in ("finish", "denoise_binned"):
        if hasattr(model, name):
            return getattr(model, name)
    return model


@dataclass
class _Team:
    """The processes that train together, started by torchrun, or this one alone."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def gather(cls, device: str) -> "_Team":
        """Meet the others, and take a device."""
        where = choose_device(device)
        if not dist.is_torchelastic_launched():
            return cls(0, 1, where)
        if where.type == "cuda":
            where = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        if not dist.is_initialized():
            dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), where)

    def agree(self, tensors: Iterable[torch.Tensor], *, mean: bool = True) -> None:
        """Replace tensors by their means over the processes, or by the first one's."""
        if self.size == 1:
            return
        for tensor in tensors:
            if not mean:
                dist.broadcast(tensor, 0)
            elif tensor.dtype.is_floating_point:
                dist.all_reduce(tensor)
                tensor /= self.size

    def wait(self) -> None:
        """Wait until every process has come as far as this one."""
        if self.size > 1:
            dist.barrier()


@dataclass
class _Examples(Dataset):
    """The examples of each step, and what is computed from them once and for all."""

    images: np.ndarray
    drawing: Drawing
    batch: int
    seed: int
    model: nn.Module
    team: _Team
    bf16: bool
    field: Field
    steps: range = range(0)

    def __len__(self) -> int:
        """Return the number of steps to come."""
        return len(self.steps)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw this process's examples of a step; on a CPU whoever draws also prepares.

        A GPU draws itself: then only the step is told.
        """
        step = self.steps[index]
        if self.team.device.type == "cuda":
            return (step,)
        noisy, clean = self.draw(step, self.images)
        on_cpu = self.team.device.type == "cpu"
        return self._prepare(noisy) if on_cpu else noisy, clean

    def draw(
        self, step: int, images: np.ndarray | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw this process's examples of a step."""
        drawn = self._draw(images, self.drawing, self.batch, (self.seed, step))
        mine = slice(self.team.rank, None, self.team.size)
        return tuple(part[mine] for part in drawn)

    @cached_property
    def stored(self) -> torch.Tensor:
        """The images, where they are learnt from."""
        return torch.from_numpy(self.images).to(self.team.device)

    def finish(self, *drawn: torch.Tensor | int) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring drawn examples to where they are learnt from."""
        device = self.team.device
        if device.type == "cuda":
            drawn = self.draw(int(drawn[0]), self.stored)
        noisy, clean = (part.to(device) for part in drawn)
        return noisy if device.type == "cpu" else self._prepare(noisy), clean

    def probe(self, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the validation examples: the paper's dose and contrast, none empty."""
        fixed = replace(self.drawing, paper_dose=1.0, contrast=(1.0, 1.0), vacuum=0.0)
        noisy, clean = self._draw(images, fixed, 16, (self.seed, 2**31))
        device = self.team.device
        return self._prepare(noisy.to(device)), clean.to(device)

    def _draw(
        self,
        images: np.ndarray | torch.Tensor,
        drawing: Drawing,
        batch: int,
        key: Sequence[int],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        binning = getattr(self.model, "binning", 1)
        draw = draw_batch_there if isinstance(images, torch.Tensor) else draw_batch
        return draw(images, drawing, binning, batch, key, self.field)

    @torch.no_grad()
    def _prepare(self, noisy: torch.Tensor) -> torch.Tensor:
        if not hasattr(self.model, "prepare"):
            return noisy
        with (
            evaluating(self.model),
            torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            return self.model.prepare(noisy)


@torch.no_grad()
def _score(model: nn.Module, probe: Sequence[torch.Tensor]) -> float:
    """PSNR on the fixed validation examples, over all their pixels [dB]."""
    prepared, clean = probe
    with evaluating(model):
        estimate = _estimator(model)(prepared)
    return float(-10 * torch.log10((estimate - clean).square().mean()))


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    for ours, theirs in zip(average.parameters(), model.parameters(), strict=True):
        ours.lerp_(theirs, 1 - decay)
    for ours, theirs in zip(average.buffers(), model.buffers(), strict=True):
        if ours.dtype.is_floating_point:
            ours.lerp_(theirs, 1 - decay)


@dataclass
class _Run:
    """What a checkpoint holds, and the folder it goes to."""

    folder: Path
    settings: dict
    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    curve: list[dict]
    team: _Team
    learner: nn.Module  # what computes gradients, with the weights of `model`
    earlier: float = 0.0  # processor time of the processes before this one [s]
    began: float = field(default_factory=time.process_time)

    @classmethod
    def begin(
        cls, folder: Path, settings: dict, model: nn.Module, team: _Team, *,
        compiled: bool,
    ) -> "_Run":  # fmt: skip
        """Take a network to where it learns; a pilot within it stays as it is."""
        model.to(team.device, memory_format=torch.channels_last).requires_grad_()
        if (pilot := getattr(model, "pilot", None)) is not None:
            pilot.requires_grad_(requires_grad=False)
        team.agree(model.state_dict().values(), mean=False)
        rate, steps = settings["rate"], settings["steps"]
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            rate,
            total_steps=steps,
            pct_start=min(0.05, 200 / steps) if steps > 20 else 0.3,
            cycle_momentum=False,
        )
        average, learner = deepcopy(model), model
        if compiled or team.device.type == "cuda":
            learner = _quicken(model, compiled=compiled)
        return cls(
            folder, settings, model, average, optimiser, schedule, [], team, learner
        )

    def learn(
        self, noisy: torch.Tensor, clean: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Take one step; return the loss, which a GPU may still be computing."""
        device, bf16 = self.team.device.type, self.settings["bf16"]
        self.learner.train()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = _weighted_error(_estimator(self.learner)(noisy), clean)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        learnt = [p for p in self.model.parameters() if p.grad is not None]
        self.team.agree(p.grad for p in learnt)
        nn.utils.clip_grad_norm_(learnt, 1.0)
        self.optimiser.step()
        self.schedule.step()
        decay = min(0.998, (step + 1) / (step + 10))
        _update_average(self.average, self.model, decay=decay)
        return loss.detach()

    def save(
        self, step: int, losses: Sequence[torch.Tensor], probe: Sequence[torch.Tensor]
    ) -> None:
        """Write the checkpoint and the curve, each to a temporary name first."""
        loss = torch.stack(list(losses)).double().mean()
        self.team.agree([loss, *self.model.buffers(), *self.average.buffers()])
        psnr = _score(self.average, probe)
        self.curve.append({"step": step, "loss": float(loss), "psnr": psnr})
        if self.team.rank > 0:
            return
        state = {part: getattr(self, part).state_dict() for part in _PARTS}
        spent = self.earlier + time.process_time() - self.began
        state |= {"settings": json.dumps(self.settings), "step": step}
        state["spent"] = spent
        state["curve"] = json.dumps(self.curve)
        with replacing(self.folder / "checkpoint.pt") as part, part.open("wb") as file:
            torch.save(state, file)
        record = {"settings": self.settings, "curve": self.curve}
        write_json(self.folder / "curve.json", record)
        record = {"steps": step, "processor seconds": round(spent, 1)}
        write_json(self.folder / "cost.json", record)

    @torch.no_grad()
    def settle(self, examples: "_Examples", probe: Sequence[torch.Tensor]) -> None:
        """Measure the statistics of normalisations anew, with the final weights.

        Those averaged on the way belong to weights that have changed since.
        """
        learnt = getattr(self.average, "unet", self.average)
        norms = [p for p in learnt.modules() if isinstance(p, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        examples.steps = range(2**31 + 1, 2**31 + 1 + _SETTLING)
        self.average.train()
        for i in range(_SETTLING if norms else 0):
            for norm in norms:
                norm.momentum = 1 / (i + 1)  # the mean of all so far
            noisy, _ = examples.finish(*examples[i])
            with torch.autocast(
                noisy.device.type, torch.bfloat16, enabled=self.settings["bf16"]
            ):
                _estimator(self.average)(noisy)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.team.agree(self.average.buffers())
        final = {"psnr": _score(self.average, probe)}
        if self.team.rank == 0:
            record = {"settings": self.settings, "curve": self.curve, "final": final}
            write_json(self.folder / "curve.json", record)

    def resume(self) -> int:
        """Go back to the checkpoint, if there is one; the number of steps done."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return 0
        try:
            state = torch.load(path, self.team.device, weights_only=True)
            settings = json.loads(state["settings"])
        except (OSError, EOFError, KeyError, TypeError, RuntimeError, ValueError,
                pickle.UnpicklingError) as error:  # fmt: skip
            msg = (
                f"folder must hold a whole checkpoint; got a damaged {path} (delete it "
                "to start again)"
            )
            raise ValueError(msg) from error
        if settings != json.loads(json.dumps(self.settings)):
            msg = (
                "folder must be empty or hold a run with the same settings; got "
                f"{self.folder}"
            )
            raise ValueError(msg)
        for part in _PARTS:
            getattr(self, part).load_state_dict(state[part])
        self.curve[:] = json.loads(state["curve"])
        self.earlier = state.get("spent", 0.0)
        log.info("going on from step %d of %s", state["step"], self.folder)
        return state["step"]
