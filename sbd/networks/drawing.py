"""Examples to learn from, drawn on the fly from the images of a benchmark.

An image at a random rotation, pixel size, aspect, position and dose, counted afresh. On
a GPU the same is done there, for a batch at a time. Of the library's own specimens the
seams of the box are left out, and vacuum goes on above them; images of other structures
are taken whole, and repeat, as their cell does (`Field`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

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
_ROUND = 4  # samples beyond a period that interpolation needs


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
class Field:
    """Which part of a stored image examples are taken from.

    Parameters
    ----------
    box : float, default 50.0
        Side of the simulated field [angstrom].
    repeats : bool, default False
        Whether it is taken whole and repeats, as a cell does. Otherwise the image is
        one of the library's specimens: the support does not close at 46 of 50 angstrom,
        and its other side shines in at the top; these are cut off, and vacuum is put
        above instead.
    """

    box: float = BOX
    repeats: bool = False
    right: ClassVar[float] = 6.4  # where the seam is [angstrom]
    bottom: ClassVar[float] = 7.0  # below the support [angstrom]
    top: ClassVar[float] = 5.0  # above the particle [angstrom]
    sky: ClassVar[float] = 40.0  # of vacuum put there [angstrom]

    @classmethod
    def of(cls, benchmark: object) -> "Field":
        """Tell the field of a benchmark's images."""
        settings = getattr(benchmark, "settings", {})
        own = [recipe.get("own", False) for recipe in settings.get("recipes", ())]
        if any(own) and not all(own):
            msg = (
                "benchmark must hold the library's specimens or other structures, not "
                f"both; got {sum(own)} others of {len(own)}"
            )
            raise ValueError(msg)
        return cls(settings.get("box", BOX), repeats=any(own))

    def middle(self, rng: np.random.Generator) -> np.ndarray:
        """Draw where the middle of an example lies, down and across [angstrom]."""
        if self.repeats:
            return rng.uniform(0, self.box, 2)
        per = self.box / _FINE
        right, bottom, top, sky = self._margins()
        height, width = (_FINE - bottom - top + sky) * per, (_FINE - right) * per
        return np.array([
            rng.uniform(0.8 * self.sky, height - 0.3 * self.sky),
            rng.uniform(0.15, 0.85) * width,
        ])  # fmt: skip

    def cut(self, image: Image) -> tuple[Image, float]:
        """Sample the field finely; also the distance of the samples [angstrom]."""
        fine = resample(np.fft.fft2(image) / image.size, (_FINE, _FINE))
        if not self.repeats:
            right, bottom, top, sky = self._margins()
            inner = fine[top : _FINE - bottom, : _FINE - right]
            fine = np.pad(inner, ((sky, 0), (0, 0)), mode="edge")
        return fine, self.box / _FINE

    def cut_there(self, images: torch.Tensor) -> torch.Tensor:
        """Sample the fields of images (n, side, side) more finely, where they are."""
        side = images.shape[-1]
        spectrum = torch.fft.fftshift(torch.fft.fft2(images), (-1, -2))
        spectrum = F.pad(spectrum, [(_FINER - side) // 2] * 4)
        spectrum = torch.fft.ifftshift(spectrum, (-1, -2)) * (_FINER / side) ** 2
        field = torch.fft.ifft2(spectrum).real[:, None]
        if self.repeats:
            return F.pad(field, [_ROUND] * 4, "circular")
        right, bottom, top, sky = (x * _FINER // _FINE for x in self._margins())
        field = field[..., top : _FINER - bottom, : _FINER - right]
        return F.pad(field, (0, 0, sky, 0), "replicate")

    def _margins(self) -> list[int]:
        """Tell right, bottom, top and sky [samples]."""
        lengths = self.right, self.bottom, self.top, self.sky
        return [round(x / self.box * _FINE) for x in lengths]


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
    def draw(
        cls, drawing: Drawing, field: Field, binning: int, rng: np.random.Generator
    ) -> "_Place":
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
        middle = np.zeros(2) if empty else field.middle(rng)
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
    image: Image,
    drawing: Drawing,
    *,
    binning: int,
    rng: np.random.Generator,
    field: Field | None = None,
) -> tuple[Image, Image]:
    """Draw one noisy example and its truth, (crop, crop) [electrons per pixel].

    From a stored image of a benchmark, of the library's specimens if no field is given;
    means of `binning` x `binning` pixels.
    """
    n, field = drawing.crop, field or Field()
    place = _Place.draw(drawing, field, binning, rng)
    if place.empty:
        clean = np.full((n, n), VACUUM)
    else:
        fine, per = field.cut(image)
        grid = np.indices((n, n)).reshape(2, -1) - (n - 1) / 2
        places = place.axes / per @ grid + place.middle[:, None] / per
        mode = "grid-wrap" if field.repeats else "mirror"
        clean = ndimage.map_coordinates(fine, places, order=3, mode=mode)
        clean = clean.reshape(n, n).clip(min=0)
    if place.gain != 1:
        clean = VACUUM + place.gain * (clean - VACUUM)
    clean = np.clip(clean, 0, None) * place.dose / VACUUM
    if place.slope.any():
        clean = clean * place.light(n)
    counts = binning**2
    noisy = rng.poisson(counts * clean) / counts
    return noisy.astype(np.float32), clean.astype(np.float32)


def draw_batch(
    images: np.ndarray,
    drawing: Drawing,
    binning: int,
    batch: int,
    key: Sequence[int],
    field: Field | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw examples (batch, 1, crop, crop), noisy and true [electrons per pixel].

    From stored images (n, side, side); the key decides on all.
    """
    rng = np.random.default_rng(key)
    chosen = rng.integers(len(images), size=batch)
    pairs = [
        draw_example(
            images[i].astype(np.float32), drawing, binning=binning, rng=rng, field=field
        )
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
    field: Field | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw examples as `draw_batch` does, where the images are.

    Other ones for the same key, since the counts are drawn by another generator.
    """
    rng, field = np.random.default_rng(key), field or Field()
    chosen = torch.from_numpy(rng.integers(len(images), size=batch)).to(images.device)
    places = [_Place.draw(drawing, field, binning, rng) for _ in range(batch)]
    clean = _show(images[chosen].float(), places, drawing.crop, field)
    generator = torch.Generator(images.device).manual_seed(int(rng.integers(2**62)))
    counts = binning**2
    return torch.poisson(counts * clean, generator=generator) / counts, clean


def _show(
    images: torch.Tensor, places: Sequence[_Place], crop: int, field: Field
) -> torch.Tensor:
    """Show stored images (n, side, side) at their places: (n, 1, crop, crop)."""
    fine = field.cut_there(images)

    def together(values: list) -> torch.Tensor:
        return torch.tensor(np.array(values), dtype=torch.float32).to(images.device)

    # places down and across, then from angstrom to -1 ... 1 between the outer samples
    axes = together([place.axes for place in places])
    middle = together([place.middle for place in places])
    steps = torch.arange(crop, device=images.device) - (crop - 1) / 2
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)
    where = torch.einsum("nij,rcj->nrci", axes, grid) + middle[:, None, None]
    where = where / (field.box / _FINER)
    if field.repeats:
        where = where % _FINER + _ROUND
    half = (together(fine.shape[-2:]) - 1) / 2
    clean = F.grid_sample(
        fine,
        (where / half - 1).flip(-1),
        mode="bicubic",
        padding_mode="reflection",
        align_corners=True,
    )
    gain, dose, empty = (
        together([getattr(place, name) for place in places])[:, None, None, None]
        for name in ("gain", "dose", "empty")
    )
    clean = torch.where(empty > 0, VACUUM, clean.clamp_min(0))
    clean = (VACUUM + gain * (clean - VACUUM)).clamp_min(0) * dose / VACUUM
    slopes = np.array([place.slope for place in places])
    if slopes.any():
        clean = clean * together([place.light(crop) for place in places])[:, None]
    return clean
