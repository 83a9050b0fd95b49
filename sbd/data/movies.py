"""Recorded movies, as the electrons that were counted."""

import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbd.data.catalogue import ITEMS
from sbd.data.registry import fetch
from sbd.validation import check_word

_GAIN = 32.3  # detector units for an electron: the comb of the values, see `comb_gain`
_MOVIES = tuple(name for name in ITEMS if name.startswith("recorded/"))
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}
# the outline that the frames were cut with, and its bounds: not needed
_LEFT_OUT = {("shapely.io", "from_wkb"), ("numpy.core.multiarray", "scalar")}


def fetch_counts(name: str = "recorded/vacuum") -> NDArray[np.float32]:
    """Read a movie that the paper's group recorded, as counted electrons.

    The camera counted, and a gain was applied afterwards, which differs a little from
    pixel to pixel: values lie on a comb of 32.3 detector units for an electron, which
    is divided out and rounded. Where five or more electrons hit a pixel, a few in a
    hundred are counted one too many or too few.

    The counts of ``"recorded/vacuum"`` are nearly Poisson, at 3.06 electrons per pixel
    and frame. As two electrons that arrive together count as one (coincidence loss),
    sums vary less than Poisson counts: the variance is 1.00 times the mean for a pixel,
    0.94 times for 4 x 4 pixels and 0.93 times for 8 x 8, and neighbours have a
    correlation of -0.009 (``book/measured/vacuum_counts.py``). The first frame of both
    movies is not of that kind: its variance is 1.36 times its mean; leave it out. In
    ``"recorded/movie"`` the edge of a particle drifts and changes from frame to frame.
    The size of a pixel is not known.

    The frames are those of the package detectda, by the kindness of the Crozier group.
    Source: Thomas, Crozier, Xu, Matteson, "Feature detection and hypothesis testing for
    extremely noisy nanoparticle images using topological data analysis", Technometrics
    (2023).

    Parameters
    ----------
    name : {"recorded/vacuum", "recorded/movie"}
        Which movie of the registry.

    Returns
    -------
    ndarray of shape (frames, height, width)
        Whole counts, float32: 41 frames of 585 x 296 pixels of vacuum, or of 245 x 158
        pixels of the movie [electrons per pixel].

    Raises
    ------
    ValueError
        If there is no such movie.
    DataUnavailableError
        If it cannot be had.

    Examples
    --------
    >>> fetch_counts("recorded/sound")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: name must be one of recorded/movie, ...; got 'recorded/sound'
    """
    return np.rint(fetch_values(name) / np.float32(_GAIN))


def fetch_values(name: str) -> NDArray[np.float32]:
    """Read a recorded movie in the units of its detector; see `fetch_counts`."""
    check_word("name", name, _MOVIES)
    return _read_frames(fetch(name))


def comb_gain(values: NDArray) -> float:
    """Estimate the detector units for an electron from the comb of whole counts.

    Of spacings from 10 to 100 units, that on which the values agree best in phase,
    (Fourier transform of their distribution). Zeros, in phase with all, do not count.
    """
    levels, number = np.unique(values[values > 0], return_counts=True)
    spacings = np.arange(10.0, 100.0, 0.02)
    waves = np.exp(2j * np.pi * levels[:, None] / spacings)
    return float(spacings[np.argmax((number @ waves).real)])


class _Unpickler(pickle.Unpickler):
    """Makes numpy's arrays, and nothing else: a pickle may call any function."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _LEFT_OUT:
            return _leave_out
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        msg = f"only numpy's arrays are read from a pickle; got {module}.{name}"
        raise pickle.UnpicklingError(msg)


def _leave_out(*_: object) -> None:
    """Stand in for what is not needed."""


def _read_frames(path: Path) -> NDArray[np.float32]:
    """Read the frames of a pickled dictionary, without running what it asks for."""
    with path.open("rb") as file:
        found = _Unpickler(file).load()
    frames = found.get("video") if isinstance(found, dict) else None
    if not (isinstance(frames, np.ndarray) and frames.dtype == np.float32):
        msg = f"{path} must hold frames, as float32, under the name 'video'"
        raise ValueError(msg)
    return frames
