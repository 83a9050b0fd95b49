"""Adapt a network to one recording: a gain for each channel, and nothing else.

A network that was trained on other specimens has learnt what is of use here, in other
proportions. Its weights stay; a factor on each channel after each normalisation is
found by which what it makes of some electrons agrees best with others. So few numbers
can hardly follow the noise.

Source: Mohan, Vincent, Manzorro, Crozier, Fernandez-Granda, Simoncelli, "Adaptive
denoising via GainTuning", NeurIPS 34 (2021).
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import nn

from sbd.networks.inference import whole_precision
from sbd.networks.models import evaluating
from sbd.networks.published import bin_for, denoise_by_bins
from sbd.typing import Image
from sbd.validation import check_positive, check_whole


def adapt_gains(
    model: nn.Module,
    pairs: Sequence[tuple[Image, Image]],
    *,
    bins: tuple[int, int] | None = None,
    steps: int = 10,
    rate: float = 0.01,
) -> nn.Module:
    """Find the gains of a network's channels by which it agrees with other electrons.

    Parameters
    ----------
    model : torch.nn.Module
        A network with normalisations; it stays what it is. Of a CrystalUNet the last
        network is adapted.
    pairs : sequence of (ndarray, ndarray), each of shape (height, width)
        Counts to denoise, and independent ones of the same mean to compare with
        [electrons per pixel].
    bins : tuple of int, optional
        Pixels that are added for the network, as `choose_bins` tells.
    steps : int, default 10
        Times that all pairs are gone through.
    rate : float, default 0.01
        Of Adam.

    Returns
    -------
    torch.nn.Module
        A copy in evaluation mode with other gains.

    Raises
    ------
    ValueError
        If there are no pairs, the network has no normalisation with gains, or a number
        is out of range.

    Examples
    --------
    >>> from sbd.networks.models import create_model
    >>> model = create_model(seed=0, scales=2, channels=4)
    >>> rng = np.random.default_rng(0)
    >>> pair = tuple(rng.poisson(1.0, (2, 64, 64)))
    >>> adapted = adapt_gains(model, [pair], steps=1)
    >>> type(adapted).__name__, adapted.training
    ('LatticeUNet', False)
    """
    check_whole("steps", steps)
    check_positive(rate=rate)
    if not len(pairs):
        msg = "pairs must hold one or more; got none"
        raise ValueError(msg)
    adapted = deepcopy(model).eval().requires_grad_(False)
    part = adapted.unet if hasattr(adapted, "unet") else adapted
    gains = [
        module.weight
        for module in part.modules()
        if isinstance(module, nn.BatchNorm2d) and module.weight is not None
    ]
    if not gains:
        msg = "model must have normalisations with gains; got none in it"
        raise ValueError(msg)
    for gain in gains:
        gain.requires_grad_()
    device = gains[0].device
    with evaluating(adapted), whole_precision():
        examples = [_prepare(adapted, pair, bins, device) for pair in pairs]
        optimiser = torch.optim.Adam(gains, lr=rate)
        for _ in range(steps):
            for seen, target in examples:
                optimiser.zero_grad()
                error = (_finish(adapted, seen, bins) - target).square().mean()
                (error / target.mean().clamp_min(1e-6)).backward()
                optimiser.step()
    return adapted.requires_grad_(False)


def average_models(models: Sequence[nn.Module]) -> nn.Module:
    """Return a copy of the first network with the mean of all their parameters."""
    mean = deepcopy(models[0])
    with torch.no_grad():
        several = zip(*(model.parameters() for model in models), strict=True)
        for parameter, values in zip(mean.parameters(), several, strict=True):
            parameter.copy_(torch.stack(list(values)).mean(0))
    return mean


def _prepare(
    model: nn.Module,
    pair: tuple[Image, Image],
    bins: tuple[int, int] | None,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute once what does not depend on the gains; the target likewise binned."""
    noisy, target = (
        torch.as_tensor(np.asarray(image), dtype=torch.float32, device=device)
        for image in pair
    )
    noisy, target = noisy[None, None], target[None, None]
    if not hasattr(model, "prepare"):
        return noisy, target
    with torch.no_grad():
        return model.prepare(bin_for(model, noisy, bins)[0]), bin_for(
            model, target, bins
        )[0]


def _finish(
    model: nn.Module, seen: torch.Tensor, bins: tuple[int, int] | None
) -> torch.Tensor:
    """Estimate from what was prepared."""
    if hasattr(model, "finish"):
        return model.finish(seen)
    return denoise_by_bins(model, seen, bins)
