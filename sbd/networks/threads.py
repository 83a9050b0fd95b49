"""How many images to compute at a time, each on a core of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sbd.networks.models import choose_device

_MOST, _LARGE = 8, 2**22  # images at a time; pixels from which there is but one


@contextmanager
def share_cores(device: str | None, shape: tuple[int, int]) -> Iterator[int]:
    """Give each of several images a core, and say how many there may be at a time.

    Many small steps: two cores within one image do less than one core for each. On
    another device than the processor, and for images of `shape` with over four million
    pixels, whose memory adds up, there is one at a time.
    """
    cores = min(torch.get_num_threads(), _MOST)
    other = device not in (None, "auto", "cpu") or shape[0] * shape[1] > _LARGE
    if cores == 1 or other or choose_device(device or "auto").type != "cpu":
        yield 1
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield cores
    finally:
        torch.set_num_threads(threads)
