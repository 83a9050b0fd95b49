r"""Which simulation is this image? Search thickness, tilt, defocus and particle.

A template is known exactly between its samples, because it is band-limited: it is its
Fourier series on the box, evaluated where the pixels of the image lie. The place of the
image in the box is found by normalised correlation [1]_ within the part of the box that
has no seams, on binned pixels first and then to a small fraction of a pixel by Newton
steps on the squared difference.

References
----------
.. [1] D. Padfield, "Masked object registration in the Fourier domain", IEEE Trans.
   Image Processing 21 (2012) 2706-2718.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from tqdm import tqdm

from sbd.simulation.frame import AUTHORS_PIXEL, BOX
from sbd.simulation.imaging import IMAGE_SAMPLES, ExitWave, exit_wave, form_image
from sbd.simulation.microscope import Microscope
from sbd.simulation.noise import VACUUM
from sbd.simulation.specimens import (
    DEFOCI,
    PARTICLES,
    THICKNESSES,
    TILTS,
    defect_labels,
)
from sbd.simulation.structures import CEO2_LATTICE, check_tilts, pt_on_ceria
from sbd.typing import Image
from sbd.validation import check_image

_COARSE, _FINE = 0.40, 0.20  # binned pixels of the search and of the score [angstrom]
_LEFT, _RIGHT = 3.0, 44.0  # the support does not close at 46 [angstrom]
_BOTTOM, _TOP = 8.0, 46.0  # above its end, below what shines in from the other side
_SURFACE = 23.0  # below it, from the bottom of the box, there is only support
_FREQUENCIES = np.arange(-IMAGE_SAMPLES // 2 + 1, IMAGE_SAMPLES // 2) / BOX
_NOISY = 0.01  # share of the variance beyond the band limit that no clean image has
_FIRST = "PtNp2"  # whose support stands for all in the first search


@dataclass(frozen=True)
class SimulationMatch:
    """The simulation that an image looks like most.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        The simulated image, registered to the input, at its shape and brightness.
    correlation : float
        Pearson's, between the input and `image` on the support, without the seams.
    frame_correlation : float
        The same on the whole frame, without the seams.
    parameters : dict
        ``particle``, ``defect``, ``thickness`` [angstrom], ``tilt_x``, ``tilt_y``
        [degrees], ``defocus`` [nm], ``pixel`` (height, width) [angstrom], ``origin``
        (row, column) of pixel (0, 0) in the box [angstrom], ``dose`` of the vacuum
        [the input's unit per pixel], and ``mirrored``, whether left is right.
    support : ndarray of bool, shape (height, width)
        Where `correlation` was taken.
    """

    image: Image = field(repr=False)
    correlation: float
    frame_correlation: float
    parameters: dict
    support: np.ndarray = field(repr=False)


def match_simulation(
    image: Image,
    *,
    pixel: float | tuple[float, float] | None = None,
    particles: Sequence[str] = PARTICLES,
    thicknesses: Sequence[float] = THICKNESSES,
    tilts: Sequence[tuple[float, float]] = TILTS,
    defoci: Sequence[float] = DEFOCI,
    grid: int | None = None,
    microscope: Microscope | None = None,
    progress: bool = False,
) -> SimulationMatch:
    """Find the structure and the imaging parameters that an image was simulated with.

    The support decides on thickness, tilt and defocus (with the particle, where noise
    leaves several open), the whole frame on the particle and its defect. The
    correlation of a noisy image is as low as its noise demands.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        An image of platinum on ceria, beam along [1-10], support at the bottom, at
        least 25 angstrom high and wide, clean or noisy; a crop of the box or all of it.
    pixel : float or (height, width), optional
        Pixel size [angstrom]. The authors' 50 / 1024 if not given and, where nothing
        fits a clean image at that, the size at which the spots of ceria lie where they
        should, which is a rough estimate: give it where you know it.
    particles : sequence of str
        Names of particles to try; by default all of the benchmark's.
    thicknesses : sequence of float
        Thicknesses of the support to try; by default all of the benchmark's [angstrom].
    tilts : sequence of (tilt_x, tilt_y)
        Tilts to try; by default all of the benchmark's. Those of the other sign, and
        the mirror image, are tried where nothing fits a clean image [degrees].
    defoci : sequence of float
        Foci to try, positive for overfocus; by default all of the benchmark's [nm].
    grid : int, optional
        Samples of the box in the multislice calculation, instead of the microscope's
        640.
    microscope : Microscope, optional
        What the simulations are made with, instead of the default one.
    progress : bool, default False
        Whether to show bars.

    Returns
    -------
    SimulationMatch
        The simulated image and what it was made with.

    Raises
    ------
    ValueError
        If `image` is no image, is constant, is too small at its pixel size, or a list
        of candidates is empty.

    Examples
    --------
    >>> match_simulation(np.zeros((9, 9)))
    Traceback (most recent call last):
    ValueError: image must not be constant; got 0.0 everywhere
    """
    image = check_image(image).astype(float)
    if np.ptp(image) == 0:
        msg = f"image must not be constant; got {image.flat[0]} everywhere"
        raise ValueError(msg)
    for name, values in (("particles", particles), ("thicknesses", thicknesses),
                         ("defoci", defoci)):  # fmt: skip
        if not len(values):
            msg = f"{name} must hold at least one candidate; got none"
            raise ValueError(msg)
    for particle in particles:
        defect_labels(particle)
    search = _Search(
        tuple(particles), tuple(map(float, thicknesses)), tuple(check_tilts(tilts)),
        tuple(map(float, defoci)), _Scope(microscope or Microscope(), grid),
        not progress,
    )  # fmt: skip
    best, refused = None, None
    for frame, candidates in _attempts(image, pixel, search):
        try:
            found = candidates.run(frame)
        except ValueError as error:
            refused = refused or error
            continue
        if best is None or found.correlation > best.correlation:
            best = found
        if best.correlation > 0.99 or _noise_share(image) > _NOISY:
            break
    if best is None:
        raise refused
    return best


@dataclass(frozen=True)
class _Frame:
    """An image, its pixel, and the same with binned pixels."""

    image: np.ndarray
    pixel: tuple[float, float]
    mirrored: bool = False

    def binned(self, size: float) -> tuple[np.ndarray, tuple[int, int]]:
        """Add pixels up to about `size` [angstrom]; also how many."""
        b = tuple(max(1, round(size / p)) for p in self.pixel)
        h, w = (n // k for n, k in zip(self.image.shape, b, strict=True))
        cut = self.image[: h * b[0], : w * b[1]]
        return cut.reshape(h, b[0], w, b[1]).mean((1, 3)), b

    def places(self, b: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Heights and widths of the binned pixels' centres [angstrom]."""
        return tuple(
            (np.arange(n // k) * k + (k - 1) / 2) * p
            for n, k, p in zip(self.image.shape, b, self.pixel, strict=True)
        )


def _attempts(
    image: np.ndarray, pixel: float | tuple[float, float] | None, search: "_Search"
) -> Iterator[tuple[_Frame, "_Search"]]:
    """Yield what to try, the likeliest first."""
    given = pixel if pixel is not None else AUTHORS_PIXEL
    pairs = [tuple(float(p) for p in np.broadcast_to(given, 2))]
    if pixel is None:
        pairs.append(_lattice_pixel(image))
    pairs = [
        pair
        for pair in pairs
        if all(25 <= n * p < np.inf for n, p in zip(image.shape, pair, strict=True))
    ]
    if not pairs:
        msg = (
            "pixel must make image at least 25 angstrom high and wide; got "
            f"{pixel or AUTHORS_PIXEL} for {image.shape} pixels (give pixel)"
        )
        raise ValueError(msg)
    turned = ((-x, -y) for x, y in search.tilts)
    other = tuple(tilt for tilt in turned if tilt not in search.tilts)
    searches = [search, replace(search, tilts=other)] if other else [search]
    yield _Frame(image, pairs[0]), search
    for pair in pairs[1:]:
        yield _Frame(image, pair), search
    for again in searches[1:]:
        yield _Frame(image, pairs[0]), again
    for again in searches:
        yield _Frame(image[:, ::-1], pairs[0], mirrored=True), again


@dataclass(frozen=True)
class _Scope:
    """A microscope that results can be kept by."""

    microscope: Microscope
    grid: int | None

    def __hash__(self) -> int:
        return hash((repr(self.microscope), self.grid))


@dataclass(frozen=True)
class _Search:
    """What to try."""

    particles: tuple[str, ...]
    thicknesses: tuple[float, ...]
    tilts: tuple[tuple[float, float], ...]
    defoci: tuple[float, ...]
    scope: "_Scope"
    quiet: bool

    def run(self, frame: _Frame) -> SimulationMatch:
        """Find thickness, tilt and defocus, then the particle, then its defect."""
        coarse, fine = _Comparison(frame, _COARSE), _Comparison(frame, _FINE)
        first = _FIRST if _FIRST in self.particles else self.particles[0]
        found = self._conditions(fine, coarse, first, part=0)
        found = self._best(fine, coarse, [(p, "D0", *found[1]) for p in self.particles])
        particle = found[0]
        if fine.noisy or particle != first:
            # its support may have a step; and noise leaves much to the particle
            part = 1 if fine.noisy else 0
            found = self._conditions(fine, coarse, particle, part=part)
        conditions = found[1]
        defects = [(particle, d, *conditions) for d in defect_labels(particle)]
        return fine.result(*self._best(fine, coarse, defects)[2])

    def _conditions(
        self, fine: "_Comparison", coarse: "_Comparison", particle: str, *, part: int
    ) -> tuple[str, tuple]:
        """Find thickness and tilt by the support (part 0) or the frame (part 1)."""
        best = (-np.inf, None)
        for thickness in tqdm(self.thicknesses, disable=self.quiet, unit="thickness"):
            for tilt, series in self._series(particle, "D0", thickness, self.tilts):
                evidence, _, _ = _focus(fine, coarse, series, part)
                if evidence > best[0]:
                    best = (evidence, (thickness, tilt))
        if best[1] is None:
            msg = "image must show the support, free of the box's seams; got none of it"
            raise ValueError(msg)
        return particle, best[1]

    def _best(
        self, fine: "_Comparison", coarse: "_Comparison", specimens: list[tuple]
    ) -> tuple[str, tuple, tuple]:
        """Find the specimen, at any defocus, that explains most of the frame.

        Particle, (thickness, tilt), and the arguments of `_Comparison.result`.
        """
        best = (-np.inf,)
        for specimen in tqdm(specimens, disable=self.quiet, unit="specimen"):
            ((_, series),) = self._series(*specimen[:3], (specimen[3],))
            evidence, i, origin = _focus(fine, coarse, series, 1)
            if evidence > best[0]:
                labels = (*specimen, self.defoci[i])
                best = (evidence, (labels, origin, series[i]))
        labels = best[1][0]
        return labels[0], labels[2:4], best[1]

    def _series(
        self,
        particle: str,
        defect: str,
        thickness: float,
        tilts: tuple[tuple[float, float], ...],
    ) -> Iterator[tuple[tuple[float, float], np.ndarray]]:
        """Yield each tilt with the spectra of its focal series."""
        # what every image is compared with is kept, what is tried once is not
        make = _spectra if len(tilts) > 1 else _spectra.__wrapped__
        spectra = make(particle, defect, thickness, tilts, self.defoci, self.scope)
        return zip(tilts, spectra, strict=True)


def _focus(
    fine: "_Comparison", coarse: "_Comparison", series: np.ndarray, part: int
) -> tuple[float, int, np.ndarray]:
    """Find the image of a focal series that explains most: (evidence, i, origin).

    Binned pixels tell the place, but are too coarse to tell one focus from another.
    """
    rough = [coarse.locate(spectrum) for spectrum in series]
    places = []
    for i in np.argsort([-score for _, score in rough])[:3]:
        place = fine.refine(series[i], rough[i][0], support=part == 0)
        places.append((fine.evidence(series[i], place)[part], i, place))
    origin = max(places, key=lambda entry: entry[0])[2]
    evidence = [fine.evidence(spectrum, origin)[part] for spectrum in series]
    for i in np.argsort(evidence)[::-1][:3]:
        place = fine.refine(series[i], origin, support=part == 0)
        places.append((fine.evidence(series[i], place)[part], i, place))
    return max(places, key=lambda entry: entry[0])


@lru_cache(maxsize=8)  # 24 MB each
def _spectra(
    particle: str,
    defect: str,
    thickness: float,
    tilts: tuple[tuple[float, float], ...],
    defoci: tuple[float, ...],
    scope: "_Scope",
) -> np.ndarray:
    """Centred Fourier coefficients of focal series: (tilts, defoci, m, m)."""
    atoms = pt_on_ceria(particle, defect, thickness=thickness)
    waves = exit_wave(atoms, scope.microscope, grid=scope.grid, tilts=tilts)
    return np.array([make_template(wave, defoci) for wave in waves])


def make_template(wave: ExitWave, defocus: float | Sequence[float]) -> np.ndarray:
    """Centred Fourier coefficients of images of a wave: (..., m, m), none of Nyquist's.

    At a defocus or several [nm].
    """
    foci = 10.0 * np.asarray(defocus, float)
    image = form_image(wave, defocus=foci, samples=IMAGE_SAMPLES)
    spectrum = np.fft.fftshift(np.fft.fft2(image, norm="forward"), axes=(-2, -1))
    return spectrum[..., 1:, 1:].astype(np.complex64)


class _Comparison:
    """Compare templates with one image at one size of binned pixels."""

    def __init__(self, frame: _Frame, size: float) -> None:
        self.frame = frame
        self.noisy = _noise_share(frame.image) > _NOISY
        self.image, bins = frame.binned(size)
        self.pixels = bins[0] * bins[1]
        self.rows, self.columns = frame.places(bins)
        # a binned pixel is the mean over its pixels' centres
        self.damping = [
            _bin_response(_FREQUENCIES * p, b)
            for p, b in zip(frame.pixel, bins, strict=True)
        ]
        self.steps = [p * b for p, b in zip(frame.pixel, bins, strict=True)]
        patch = [np.arange(int(BOX / step)) * step for step in self.steps]
        self.patch = self._waves(*patch)
        self.inside = _inside(*patch)
        self.shape = [
            next_fast_len(a + len(b) - 1, real=True)
            for a, b in zip(self.image.shape, patch, strict=True)
        ]
        mask = rfft2(self.inside, self.shape)
        centred = self.image - self.image.mean()
        self.f_domain = rfft2(np.ones_like(self.image), self.shape)
        self.f_image = rfft2(centred, self.shape)
        self.count = self._slide(self.f_domain, mask).clip(1e-6)
        self.sum = self._slide(self.f_image, mask)
        squares = self._slide(rfft2(centred**2, self.shape), mask)
        self.energy = (squares - self.sum**2 / self.count).clip(1e-12)
        enough = 0.35 * min(self.inside.sum(), self.image.size)
        self.weight = np.where(self.count > enough, self.count, 0.0)

    def _slide(self, of: np.ndarray, under: np.ndarray) -> np.ndarray:
        """Sum over x of image(x + s) template(x), for every shift s."""
        return irfft2(of * under.conj(), self.shape)

    def _waves(self, rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
        """Fourier series at places of the box [angstrom]."""
        return [
            (np.exp(2j * np.pi * places[:, None] * _FREQUENCIES) * damping).astype("F")
            for places, damping in zip((rows, columns), self.damping, strict=True)
        ]

    def locate(self, spectrum: np.ndarray) -> tuple[np.ndarray, float]:
        """Find the image's origin to a binned pixel, and the evidence there."""
        template = _evaluate(self.patch, spectrum).astype(float)
        template = (template - template[self.inside > 0].mean()) * self.inside
        f = rfft2(template, self.shape)
        cross, first = self._slide(self.f_image, f), self._slide(self.f_domain, f)
        second = self._slide(self.f_domain, rfft2(template**2, self.shape))
        energy = (second - first**2 / self.count).clip(1e-12)
        score = cross - self.sum * first / self.count
        share = (score.clip(0) ** 2 / (self.energy * energy)).clip(0, 1 - 1e-9)
        evidence = -0.5 * self.weight * np.log1p(-share)
        shift = np.array(np.unravel_index(evidence.argmax(), evidence.shape))
        # shift s: pixel x + s of the image lies on place x of the patch
        shift = np.where(shift >= self.image.shape, shift - self.shape, shift)
        origin = -shift * np.array(self.steps) - (self.rows[0], self.columns[0])
        return origin, float(evidence.max())

    def refine(
        self, spectrum: np.ndarray, origin: np.ndarray, *, support: bool = False
    ) -> np.ndarray:
        """Move the origin to where the squared difference is least (Gauss-Newton)."""
        slope = (2j * np.pi * _FREQUENCIES).astype("F")
        for _ in range(8):
            rows, columns = self.rows + origin[0], self.columns + origin[1]
            mask = _inside(rows, columns, support=support) > 0
            if mask.sum() < 100:
                break
            waves = self._waves(rows, columns)
            images = [spectrum, slope[:, None] * spectrum, spectrum * slope]
            value, *slopes = (_evaluate(waves, image)[mask] for image in images)
            basis = np.stack([value, np.ones_like(value), *slopes]).astype(float)
            solution = np.linalg.solve(basis @ basis.T, basis @ self.image[mask])
            if solution[0] <= 0:
                break
            step = np.clip(solution[2:] / solution[0], -0.15, 0.15)
            origin = origin + step
            if np.abs(step).max() < 1e-4:
                break
        return origin

    def evidence(self, spectrum: np.ndarray, origin: np.ndarray) -> tuple[float, float]:
        """Tell how much better than a constant it explains support and frame.

        Logarithm of a ratio of likelihoods, the noise of unknown variance.
        """
        rows, columns = self.rows + origin[0], self.columns + origin[1]
        values = _evaluate(self._waves(rows, columns), spectrum).astype(float)
        found = []
        for support in (True, False):
            inside = _inside(rows, columns, support=support) > 0
            a, b = self.image[inside], values[inside]
            if a.size < 2:
                return -np.inf, -np.inf
            flat = a - a.mean()
            if self.noisy:
                rest = a - b * (a @ b) / (b @ b)
            else:
                b = b - b.mean()
                rest = flat - b * max(flat @ b, 0) / (b @ b)
            ratio = (flat @ flat) / max(rest @ rest, 1e-12 * (flat @ flat))
            found.append(float(a.size / 2 * np.log(ratio)))
        return tuple(found)

    def values(
        self, spectrum: np.ndarray, origin: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate a template on the binned pixels; and which have no seams."""
        rows, columns = self.places_in_box(origin)
        values = _evaluate(self._waves(rows, columns), spectrum).astype(float)
        return values, _inside(rows, columns) > 0

    def places_in_box(self, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the binned pixels in the box [angstrom]."""
        return self.rows + origin[0], self.columns + origin[1]

    def scale(self, image: np.ndarray, values: np.ndarray) -> tuple[float, float]:
        """Fit the brightness, and of a clean image an offset; counts have none."""
        if self.noisy:
            return float((image @ values) / (values @ values)), 0.0
        slope, offset = np.polyfit(values, image, 1)
        return float(slope), float(offset)

    def _on_pixels(
        self, spectrum: np.ndarray, origin: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Evaluate a template on the image's own pixels; and where these are."""
        rows, columns = (
            np.arange(n) * p + o
            for n, p, o in zip(
                self.frame.image.shape, self.frame.pixel, origin, strict=True
            )
        )
        waves = [
            np.exp(2j * np.pi * x[:, None] * _FREQUENCIES) for x in (rows, columns)
        ]
        return rows, columns, _evaluate(waves, spectrum)

    def full(
        self, spectrum: np.ndarray, origin: np.ndarray, scale: tuple[float, float]
    ) -> Image:
        """Give a template as the image has it, at its brightness and not mirrored."""
        values = scale[0] * self._on_pixels(spectrum, origin)[2] + scale[1]
        turn = np.s_[:, ::-1] if self.frame.mirrored else np.s_[:, :]
        return values.astype(np.float32)[turn]

    def result(
        self, labels: tuple, origin: np.ndarray, spectrum: np.ndarray
    ) -> SimulationMatch:
        """Evaluate a template on the image's own pixels."""
        image, pixel = self.frame.image, self.frame.pixel
        rows, columns, values = self._on_pixels(spectrum, origin)
        support = _inside(rows, columns, support=True) > 0
        frame = _inside(rows, columns) > 0
        dose, offset = self.scale(image[frame], values[frame])
        turn = np.s_[:, ::-1] if self.frame.mirrored else np.s_[:, :]
        particle, defect, thickness, tilt, defocus = labels
        return SimulationMatch(
            image=(dose * values + offset).astype(np.float32)[turn],
            correlation=_pearson(image[support], values[support]),
            frame_correlation=_pearson(image[frame], values[frame]),
            parameters={
                "particle": particle, "defect": defect, "thickness": thickness,
                "tilt_x": tilt[0], "tilt_y": tilt[1], "defocus": defocus,
                "pixel": pixel, "origin": tuple(float(o) for o in origin % BOX),
                "dose": dose * VACUUM + offset, "mirrored": self.frame.mirrored,
            },
            support=support[turn],
        )  # fmt: skip


def compare_frame(
    image: Image, pixel: tuple[float, float], mirrored: bool
) -> _Comparison:
    """Prepare an image to be compared with templates, as a match found it."""
    turn = np.s_[:, ::-1] if mirrored else np.s_[:, :]
    return _Comparison(_Frame(image[turn], pixel, mirrored), _FINE)


def _evaluate(waves: Sequence[np.ndarray], spectrum: np.ndarray) -> np.ndarray:
    return (waves[0] @ spectrum @ waves[1].T).real


def _bin_response(f: np.ndarray, b: int) -> np.ndarray:
    """Mean of exp(2 pi i f n) over `b` pixels about their middle."""
    n = np.arange(b) - (b - 1) / 2
    return np.cos(2 * np.pi * f[:, None] * n).mean(1)


def _inside(
    rows: np.ndarray, columns: np.ndarray, *, support: bool = False
) -> np.ndarray:
    """Mark the places of the box that have no seams, 1 or 0; only support if asked."""
    height = BOX - rows  # above the bottom of the box; no wrapping
    top = _SURFACE if support else _TOP
    down = (height >= _BOTTOM) & (height <= top)
    across = (columns >= _LEFT) & (columns <= _RIGHT)
    return (down[:, None] & across).astype(float)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if a.size < 2:
        return -1.0
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)).clip(1e-30))


def _noise_share(image: np.ndarray) -> float:
    """Tell the share of the variance in the highest frequencies, where no signal is."""
    window = np.outer(*(np.hanning(n) for n in image.shape))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    f = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"))
    return float(power[f > 0.35].sum() / power.sum())


def _lattice_pixel(image: np.ndarray) -> tuple[float, float]:
    """Estimate the pixel from where the spots of ceria lie: (height, width)."""
    g111 = np.sqrt(3) / CEO2_LATTICE
    across = g111 * np.sin(np.deg2rad(70.529))
    up = g111 * np.array([1, -1, 2, -2]) / 3  # of (11-1) and (002), both signs
    lower = image[image.shape[0] // 2 :] - image[image.shape[0] // 2 :].mean()
    lower = lower * np.outer(*(np.hanning(n) for n in lower.shape))

    def power(fy: np.ndarray, fx: np.ndarray) -> np.ndarray:
        rows = np.exp(-2j * np.pi * np.outer(fy, np.arange(lower.shape[0])))
        columns = np.exp(-2j * np.pi * np.outer(fx, np.arange(lower.shape[1])))
        return np.abs(rows @ lower @ columns.T) ** 2

    sizes = np.geomspace(0.02, 0.2, 1500)
    height = sizes[power(g111 * sizes, np.zeros(1))[:, 0].argmax()]
    width = sizes[power(up * height, across * sizes).sum(0).argmax()]
    return float(height), float(width)
