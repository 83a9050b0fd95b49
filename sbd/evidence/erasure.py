"""What an image would show without one of its columns, told by a trained network."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns
from sbd.networks.eraser import BIN, REACH, SIDE, Eraser, load_eraser
from sbd.simulation.frame import PIXEL
from sbd.typing import Image
from sbd.validation import check_image, check_positive

_LEAST = 1e-3  # of what a patch holds on average: no mean is below
_DOUBT = 0.05  # of what a column adds: no null is surer, whatever the network says
_AT_ONCE = 256  # patches that go through the network together

_default = cache(load_eraser)


@dataclass(frozen=True, eq=False)
class ErasedColumns:
    """What an image would show in the disc of each column, were that one not there.

    Parameters
    ----------
    columns : Columns
        The columns, with the radius of the disc in which they are tested [pixels].
    means : ndarray of shape (k,)
        Expected counts in the pixels of all discs, one disc after another [electrons
        per pixel].
    doubts : ndarray of shape (n, 2)
        What they still hold of the column, as a part of what it adds: the median, and
        the standard deviation that goes with the upper tail.
    """

    columns: Columns
    means: NDArray[np.float64]
    doubts: NDArray[np.float64]

    def scaled(self, factor: float) -> "ErasedColumns":
        """Return the same at another dose."""
        return ErasedColumns(self.columns, factor * self.means, self.doubts)


def erase_columns(
    denoised: Image,
    columns: Columns,
    *,
    pixel: float = PIXEL,
    eraser: Eraser | str | Path | None = None,
) -> ErasedColumns:
    """Tell what an image would show without each of its columns, one at a time.

    A network has learnt it from pairs of simulated specimens with and without a column.
    It needs no vacuum and no dose, only the size of a pixel.

    Parameters
    ----------
    denoised : ndarray of shape (height, width)
        A clean or denoised image [electrons per pixel].
    columns : Columns
        The columns to be taken out, each from the image with all others.
    pixel : float, default 0.0622
        Side of a pixel [angstrom].
    eraser : Eraser, str or pathlib.Path, optional
        The network, or its file; by default that for platinum on ceria which comes with
        the library.

    Returns
    -------
    ErasedColumns
        In discs of 0.75 angstrom.

    Raises
    ------
    TypeError
        If `denoised` does not hold real numbers.
    ValueError
        If `denoised` is no image, a column lies outside, or `pixel` is not 0.01 to
        0.35 angstrom.

    Examples
    --------
    >>> flat = np.full((64, 64), 0.45)
    >>> one = Columns(np.array([[32.0, 32.0]]), np.array([8.0]), np.array([0.1]))
    >>> erased = erase_columns(flat, one)
    >>> bool(abs(erased.means - 0.45).max() < 0.05)
    True
    """
    denoised = check_image(denoised, "denoised").astype(np.float64)
    check_pixel(pixel)
    radii = np.full(len(columns), REACH / pixel)
    discs = Columns(
        columns.positions, radii, columns.amplitudes, columns.polarity, columns.shape
    )
    which, pixels = disc_pixels(discs, denoised.shape)
    if not len(columns):
        return ErasedColumns(discs, np.zeros(0), np.zeros((0, 2)))
    net = eraser if isinstance(eraser, Eraser) else _default(eraser)
    patches = torch.from_numpy(cut_patches(denoised, columns.positions, pixel))
    changes, doubts = [], []
    with torch.inference_mode():
        for some in patches[:, None].split(_AT_ONCE):
            erased, doubt = net(some)
            changes.append((some - erased)[:, 0].numpy())
            doubts.append(doubt.numpy())
    offsets = (np.stack(pixels, 1) - columns.positions[which]) * pixel / BIN
    places = np.vstack([which, offsets.T + (SIDE - 1) / 2])
    change = ndimage.map_coordinates(np.concatenate(changes), places, order=1)
    least = _LEAST * patches.mean((1, 2)).numpy()
    means = np.maximum(denoised[pixels] - change, least.clip(1e-12)[which])
    doubt = np.concatenate(doubts).astype(np.float64)
    doubt[:, 1] = np.maximum(doubt[:, 1], _DOUBT)
    return ErasedColumns(discs, means, doubt)


def check_pixel(pixel: float) -> None:
    """Refuse a pixel [angstrom] at which no column can be told, or a slip of units."""
    check_positive(pixel=pixel)
    if not 0.01 <= pixel <= 0.35:
        msg = (
            f"pixel must be 0.01 to 0.35 angstrom; got {pixel:g} (0.0622 angstrom is "
            "0.00622 nm)"
        )
        raise ValueError(msg)


def cut_patches(
    image: Image, positions: NDArray[np.float64], pixel: float
) -> NDArray[np.float32]:
    """Cut the surroundings of places (row, column) [pixels] out of a smooth image.

    Patches of shape (n, 32, 32), a bin of 0.25 angstrom each; beyond the border goes
    on what is nearest.
    """
    size = max(1, round(BIN / pixel))
    smooth = ndimage.uniform_filter(np.asarray(image, np.float64), size, mode="nearest")
    if size % 2 == 0:  # the filter's middle is half a pixel off
        positions = positions + 0.5
    steps = (np.arange(SIDE) - (SIDE - 1) / 2) * BIN / pixel
    rows = positions[:, 0, None, None] + steps[:, None]
    columns = positions[:, 1, None, None] + steps
    places = np.broadcast_arrays(rows, columns)
    patches = ndimage.map_coordinates(smooth, places, order=1, mode="nearest")
    return patches.astype(np.float32)
