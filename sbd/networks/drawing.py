"""Examples to learn from, drawn on the fly from the images of a benchmark.

An image at a random rotation, pixel size, aspect, position and dose, counted afresh. On
a GPU the same is done there, for a batch at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import ndimage

from sbd.simulation.frame import BOX
from sbd.simulation.imaging import resample
from sbd.simulation.noise import VACUUM
from sbd.typing import Image
from sbd.validation import check_whole

_FINE = 256  # samples of the box that the examples are interpolated from
_FINER = 1024  # by cubic convolution, which needs more
_SIDES = 0.0, 6.4  # left and right of the box; the seam is at 46 of 50 [angstrom]
_BOTTOM = 7.0  # below the support [angstrom]
_TOP = 5.0  # above the particle, where the support's other side shines in [angstrom]
_SKY = 40.0  # of vacuum put there instead [angstrom]


@dataclass(frozen=True)
class Drawing:
    """How examples are drawn.

    Parameters
    ----------
    crop : int, default 128
        Side of an example [bins].
    pixel : tuple of float, default (0.055, 0.080)
        Range of pixel sizes [angstrom].
    aspect : float, default 1.12
        Largest ratio between the two pixel sides.
    dose : tuple of float, default (0.1, 10.0)
        Range of the vacuum's intensity, uniform in the logarithm [electrons/pixel].
    paper_dose : float, default 0.6
        Share of the examples at the paper's 0.45 electrons per pixel.
    contrast : tuple of float, default (0.7, 1.2)
        Range of a factor on the contrast of a third of the examples.
    vacuum : float, default 0.08
        Share of the examples that hold nothing but vacuum.
    upright : float, default 0.0
        Share of the examples within 10 degrees of a multiple of 90 degrees; the others
        are turned by any angle, and large crops then reach beyond the simulated field,
        which is mirrored there.
    illumination : float, default 0.0
        By which share of it the illumination falls at most from one side to the other
        of a third of the examples.
    """

    crop: int = 128
    pixel: tuple[float, float] = (0.055, 0.080)
    aspect: float = 1.12
    dose: tuple[float, float] = (0.1, 10.0)
    paper_dose: float = 0.6
    contrast: tuple[float, float] = (0.7, 1.2)
    vacuum: float = 0.08
    upright: float = 0.0
    illumination: float = 0.0

    def __post_init__(self) -> None:
        check_whole("crop", self.crop, 8)
        for name in ("pixel", "dose"):
            low, high = getattr(self, name)
            if not 0 < low <= high < np.inf:
                msg = f"{name} must be a range above 0; got {(low, high)}"
                raise ValueError(msg)
        for name in ("paper_dose", "vacuum", "upright", "illumination"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} must be a share of 0 to 1; got {getattr(self, name)}"
                raise ValueError(msg)


@dataclass(frozen=True)
class _Place:
    """Where in the field an example lies, and how bright it is."""

    axes: np.ndarray  # steps of a bin (2, 2) [angstrom]
    middle: np.ndarray  # [angstrom]
    gain: float  # of the contrast
    dose: float  # of vacuum [electrons/pixel]
    empty: bool
    slope: np.ndarray  # of the illumination, down and across [1 per example]

    @classmethod
    def draw(cls, drawing: Drawing, binning: int, rng: np.random.Generator) -> "_Place":
        """Draw a place; how many numbers that takes depends on what comes out."""
        step = binning * rng.uniform(*drawing.pixel)  # angstrom per bin
        stretch = drawing.aspect ** rng.uniform(-0.5, 0.5)
        angle = rng.uniform(0, 2 * np.pi)
        if rng.random() < drawing.upright:
            angle = np.pi / 2 * rng.integers(4) + np.deg2rad(rng.uniform(-10, 10))
        flip = rng.choice([-1.0, 1.0])
        empty = rng.random() < drawing.vacuum
        turn = np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
        axes = turn @ np.diag([stretch, flip / stretch]) * step
        middle = np.zeros(2)
        if not empty:
            height, width = _size()
            middle = np.array([
                rng.uniform(0.8 * _SKY, height - 0.3 * _SKY),
                rng.uniform(0.15, 0.85) * width,
            ])  # fmt: skip
        gain = 1.0
        if rng.random() < 1 / 3:
            gain = rng.uniform(*drawing.contrast)
        dose = VACUUM
        if rng.random() > drawing.paper_dose:
            dose = np.exp(rng.uniform(*np.log(drawing.dose)))
        slope = np.zeros(2)
        if drawing.illumination and rng.random() < 1 / 3:
            fall, angle = (
                rng.uniform(0, drawing.illumination),
                rng.uniform(0, 2 * np.pi),
            )
            slope = fall * np.array([np.sin(angle), np.cos(angle)])
        return cls(axes, middle, gain, dose, empty, slope)

    def light(self, crop: int) -> np.ndarray:
        """Return the relative illumination (crop, crop), 1 in the middle."""
        line = (np.arange(crop) + 0.5) / crop - 0.5
        return 1 + self.slope[0] * line[:, None] + self.slope[1] * line


def draw_example(
    image: Image, drawing: Drawing, *, binning: int, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Draw one noisy example and its truth, (crop, crop) [electrons per pixel].

    From a stored image of a benchmark; means of `binning` x `binning` pixels.
    """
    n = drawing.crop
    place = _Place.draw(drawing, binning, rng)
    if place.empty:
        clean = np.full((n, n), VACUUM)
    else:
        field, per = _field(image)
        grid = np.indices((n, n)).reshape(2, -1) - (n - 1) / 2
        places = place.axes / per @ grid + place.middle[:, None] / per
        clean = ndimage.map_coordinates(field, places, order=3, mode="mirror")
        clean = clean.reshape(n, n).clip(min=0)
    if place.gain != 1:
        clean = VACUUM + place.gain * (clean - VACUUM)
    clean = np.clip(clean, 0, None) * place.dose / VACUUM
    if place.slope.any():
        clean = clean * place.light(n)
    counts = binning**2
    noisy = rng.poisson(counts * clean) / counts
    return noisy.astype(np.float32), clean.astype(np.float32)


def _size() -> tuple[float, float]:
    """Sides of the field that examples are taken from [angstrom]."""
    left, right, bottom, top, sky = _margins()
    per = BOX / _FINE
    return (_FINE - bottom - top + sky) * per, (_FINE - left - right) * per


def _margins() -> list[int]:
    return [round(x / BOX * _FINE) for x in (*_SIDES, _BOTTOM, _TOP, _SKY)]


def _field(image: Image) -> tuple[Image, float]:
    """Cut off the seams, put vacuum above; also the sampling [angstrom]."""
    fine = resample(np.fft.fft2(image) / image.size, (_FINE, _FINE))
    left, right, bottom, top, sky = _margins()
    inner = fine[top : _FINE - bottom, left : _FINE - right]
    return np.pad(inner, ((sky, 0), (0, 0)), mode="edge"), BOX / _FINE


def draw_batch(
    images: np.ndarray,
    drawing: Drawing,
    binning: int,
    batch: int,
    key: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw examples (batch, 1, crop, crop), noisy and true [electrons per pixel].

    From stored images (n, side, side); the key decides on all.
    """
    rng = np.random.default_rng(key)
    chosen = rng.integers(len(images), size=batch)
    pairs = [
        draw_example(images[i].astype(np.float32), drawing, binning=binning, rng=rng)
        for i in chosen
    ]
    noisy, clean = (
        torch.from_numpy(np.stack(x))[:, None] for x in zip(*pairs, strict=True)
    )
    return noisy, clean


def draw_batch_there(
    images: torch.Tensor,
    drawing: Drawing,
    binning: int,
    batch: int,
    key: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw examples as `draw_batch` does, where the images are.

    Other ones for the same key, since the counts are drawn by another generator.
    """
    rng = np.random.default_rng(key)
    chosen = torch.from_numpy(rng.integers(len(images), size=batch)).to(images.device)
    places = [_Place.draw(drawing, binning, rng) for _ in range(batch)]
    clean = _show(images[chosen].float(), places, drawing.crop)
    generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**62)))
    counts = binning**2
    return torch.poisson(counts * clean, generator=generator) / counts, clean


def _show(images: torch.Tensor, places: Sequence[_Place], crop: int) -> torch.Tensor:
    """Show stored images (n, side, side) at their places: (n, 1, crop, crop)."""
    side = images.shape[-1]
    spectrum = torch.fft.fftshift(torch.fft.fft2(images), (-1, -2))
    spectrum = F.pad(spectrum, [(_FINER - side) // 2] * 4)
    spectrum = torch.fft.ifftshift(spectrum, (-1, -2)) * (_FINER / side) ** 2
    left, right, bottom, top, sky = (x * _FINER // _FINE for x in _margins())
    field = torch.fft.ifft2(spectrum).real[:, None]
    field = field[..., top : _FINER - bottom, left : _FINER - right]
    field = F.pad(field, (0, 0, sky, 0), "replicate")

    def together(values: list) -> torch.Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32).to(images.device)

    # from angstrom to -1 ... 1 between the outermost samples, (x, y) for (row, column)
    half = (together(field.shape[-2:]) - 1) / 2 * BOX / _FINER
    axes = together([place.axes for place in places]) / half[:, None]
    middle = together([place.middle for place in places]) / half - 1
    reach = (crop - 1) / 2
    theta = torch.cat([axes.flip(-1, -2) * reach, middle.flip(-1)[..., None]], -1)
    grid = F.affine_grid(theta, [len(images), 1, crop, crop], align_corners=True)
    clean = F.grid_sample(
        field, grid, mode="bicubic", padding_mode="reflection", align_corners=True
    )
    gain, dose, empty = (
        together([getattr(place, name) for place in places])[:, None, None, None]
        for name in ("gain", "dose", "empty")
    )
    clean = torch.where(empty > 0, VACUUM, clean.clamp_min(0))
    light = together([place.light(crop) for place in places])[:, None]
    return (VACUUM + gain * (clean - VACUUM)).clamp_min(0) * dose / VACUUM * light
