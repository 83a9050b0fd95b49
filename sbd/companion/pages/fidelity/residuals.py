"""Where a simulation and a published image differ: columns, frequencies, borders."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sbd.companion.pages.fidelity.pairs import Pair, inner_frame
from sbd.simulation.noise import VACUUM
from sbd.simulation.structures import BOX, pt_on_ceria
from sbd.typing import Image, Pixel
from sbd.validation import check_image

_REACH = 0.9  # a column's peak is this near to where its atoms are [angstrom]
_THIN = 6  # atoms up to which a peak grows steadily


def locate_difference(pair: Pair, *, radius: float = 2.0) -> tuple[Pixel, float]:
    """Find where the images differ most, and how much of the difference is there.

    Parameters
    ----------
    pair : Pair
        From `sbd.companion.pages.fidelity.pairs.compare_published`.
    radius : float, default 2.0
        What "there" means [angstrom].

    Returns
    -------
    pixel : tuple of int
        (row, column) of the largest difference in the inner frame.
    share : float
        Share of the squared difference of the inner frame that lies within `radius`.

    Examples
    --------
    >>> one = np.zeros((200, 200))
    >>> one[70, 90] = 1.0
    >>> pair = Pair(0 * one, one, {"pixel": (0.05, 0.05)}, "simulated")
    >>> locate_difference(pair)
    ((70, 90), 1.0)
    """
    squares = inner_frame(pair.difference) ** 2
    row, column = np.unravel_index(squares.argmax(), squares.shape)
    down, right = np.ogrid[: squares.shape[0], : squares.shape[1]]
    pixel = pair.parameters["pixel"]
    near = np.hypot((down - row) * pixel[0], (right - column) * pixel[1]) <= radius
    share = squares[near].sum() / squares.sum()
    off = [
        (a - b) // 2 for a, b in zip(pair.published.shape, squares.shape, strict=True)
    ]
    return (int(row) + off[0], int(column) + off[1]), float(share)


def measure_columns(pair: Pair) -> pd.DataFrame:
    """Read the peak of every platinum column off both images.

    Parameters
    ----------
    pair : Pair
        Images in which the columns are bright, as in those that were published.

    Returns
    -------
    pandas.DataFrame
        One row a column: ``atoms``; ``row`` and ``column`` where it is expected, the
        tilt allowed for [pixels]; ``published`` and ``simulated``, the highest value
        within 0.9 angstrom of there, above the vacuum [% of the vacuum].

    Examples
    --------
    >>> dark = np.zeros((876, 927))
    >>> found = {"particle": "PtNp2", "defect": "D0", "thickness": 40.0}
    >>> found |= {"tilt_x": 3.0, "tilt_y": 0.0}
    >>> found |= {"pixel": (0.05, 0.05), "origin": (2.0, 0.0)}
    >>> table = measure_columns(Pair(dark, dark, found, "simulated"))
    >>> len(table), float(table["simulated"].max())
    (43, -100.0)
    """
    found = pair.parameters
    defect, thickness = found["defect"], found["thickness"]
    atoms = pt_on_ceria(found["particle"], defect, thickness=thickness)
    depth = atoms.positions[:, 2].max()
    x, y, z = atoms.positions[atoms.symbols == "Pt"].T
    places = pd.DataFrame({"x": x.round(3), "y": y.round(3), "z": z})
    table = places.groupby(["y", "x"])["z"].agg(["size", "mean"]).reset_index()
    # what lies before the exit surface is displaced: down by a tilt about x
    down, right = (
        (depth - table["mean"]) * np.tan(np.deg2rad(found[tilt]))
        for tilt in ("tilt_x", "tilt_y")
    )
    spots = {"row": BOX - table["y"] + down, "column": table["x"] + right}
    result = {"atoms": table["size"]}
    for (name, spot), start, pixel in zip(
        spots.items(), found["origin"], found["pixel"], strict=True
    ):
        result[name] = (spot - start) % BOX / pixel
    result = pd.DataFrame(result)
    for name in ("published", "simulated"):
        peaks = _peaks(getattr(pair, name), result, _REACH / found["pixel"][0])
        result[name] = 100 * (peaks / VACUUM - 1)
    return result


def describe_columns(pairs: Mapping[str, Pair]) -> dict[str, float]:
    """Sum up how far the peaks of the platinum columns are off.

    Parameters
    ----------
    pairs : dict of str to Pair
        Whose columns are taken together.

    Returns
    -------
    dict
        ``columns``, how many; ``rms``, ``mean`` and ``spread`` (about the mean) of ours
        less theirs; ``an atom``, what one atom more adds to a column of up to six atoms
        in the published images [% of the vacuum].

    Examples
    --------
    >>> found = {"particle": "PtNp4", "defect": "D0", "thickness": 40.0}
    >>> found |= {"tilt_x": 0.0, "tilt_y": 0.0}
    >>> found |= {"pixel": (0.5, 0.5), "origin": (0.0, 0.0)}
    >>> image = np.ones((100, 100))
    >>> describe_columns({"a": Pair(image, image, found, "simulated")})["columns"]
    12
    """
    table = pd.concat(map(measure_columns, pairs.values()))
    rest = table["simulated"] - table["published"]
    thin = table[table["atoms"] <= _THIN].groupby("atoms")["published"].mean()
    return {
        "columns": len(table),
        "rms": float(np.sqrt((rest**2).mean())),
        "mean": float(rest.mean()),
        "spread": float(rest.std(ddof=0)),
        "an atom": float((thin.iloc[-1] - thin.iloc[0]) / np.ptp(thin.index)),
    }


def radial_power(image: Image, pixel: float) -> pd.Series:
    """Average the power of an image over all directions.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        An image; its mean is taken off and its border faded out (Hann).
    pixel : float
        Side of a pixel [angstrom].

    Returns
    -------
    pandas.Series
        Mean power by spatial frequency, in steps of one over the shorter side
        [1/angstrom]; the powers of two images of one shape can be compared.

    Raises
    ------
    ValueError
        If `image` is none or `pixel` is not positive.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * 0.25 * np.arange(128)) * np.ones((128, 1))
    >>> float(radial_power(wave, 0.5).idxmax())
    0.5
    """
    image = check_image(image)
    if not pixel > 0:
        msg = f"pixel must be positive; got {pixel}"
        raise ValueError(msg)
    window = np.outer(*(np.hanning(n) for n in image.shape))
    faded = (image - image.mean()) * window
    power = np.abs(np.fft.rfft2(faded)) ** 2 / (window**2).sum()
    rows, columns = image.shape
    k = np.hypot(np.fft.fftfreq(rows, pixel)[:, None], np.fft.rfftfreq(columns, pixel))
    step = 1 / (min(image.shape) * pixel)
    ring = np.round(k / step).astype(int).ravel()
    mean = np.bincount(ring, power.ravel()) / np.bincount(ring).clip(1)
    last = min(image.shape) // 2
    return pd.Series(mean[:last], index=np.arange(last) * step)


def compare_spectra(pair: Pair) -> pd.DataFrame:
    """Tell at which spatial frequencies the images differ.

    Parameters
    ----------
    pair : Pair
        From `sbd.companion.pages.fidelity.pairs.compare_published`.

    Returns
    -------
    pandas.DataFrame
        ``published``, ``simulated`` and ``difference``: the `radial_power` of the inner
        frame by spatial frequency [1/angstrom].

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(200, 200))
    >>> pair = Pair(image, image, {"pixel": (0.05, 0.05)}, "simulated")
    >>> float(compare_spectra(pair)["difference"].max())
    0.0
    """
    pixel = pair.parameters["pixel"][0]
    names = ("published", "simulated", "difference")
    return pd.DataFrame(
        {name: radial_power(inner_frame(getattr(pair, name)), pixel) for name in names}
    )


def profile_difference(pair: Pair) -> pd.Series:
    """Follow the difference across the frame, to its borders.

    Parameters
    ----------
    pair : Pair
        From `sbd.companion.pages.fidelity.pairs.compare_published`.

    Returns
    -------
    pandas.Series
        Root mean square of each column of pixels [% of the vacuum], by its place from
        the left of the box [angstrom].

    Examples
    --------
    >>> pair = Pair(np.zeros((9, 2)), np.full((9, 2), 0.045),
    ...             {"pixel": (0.5, 0.5), "origin": (0.0, 49.5)}, "simulated")
    >>> profile_difference(pair).round(3).to_dict()
    {-0.5: 10.0, 0.0: 10.0}
    """
    pixel, start = pair.parameters["pixel"][1], pair.parameters["origin"][1]
    start -= BOX if start > BOX / 2 else 0.0
    rms = np.sqrt((pair.difference**2).mean(axis=0)) / VACUUM * 100
    return pd.Series(rms, index=start + pixel * np.arange(len(rms)))


def find_seam(particle: str = "PtNp2", thickness: float = 40.0) -> float:
    """Find where the lattice of the support does not close.

    Parameters
    ----------
    particle : str, default "PtNp2"
        As for `sbd.pt_on_ceria`.
    thickness : float, default 40.0
        The same [angstrom].

    Returns
    -------
    float
        Its place from the left of the box, averaged over the layers [angstrom].

    Examples
    --------
    >>> round(find_seam())
    48
    """
    atoms = pt_on_ceria(particle, thickness=thickness)
    x, y, _ = atoms.positions[atoms.symbols == "Ce"].round(2).T
    seams = []
    for layer in np.unique(y):
        row = np.unique(x[y == layer])
        gaps = np.diff(row, append=row[0] + BOX)
        odd = np.abs(gaps - np.median(gaps)).argmax()
        seams.append(row[odd] + gaps[odd] / 2)
    return float(np.mean(seams))


def describe_difference(pair: Pair) -> dict[str, float]:
    """Sum up the spectra, and where the frame ends.

    Parameters
    ----------
    pair : Pair
        From `sbd.companion.pages.fidelity.pairs.compare_published`.

    Returns
    -------
    dict
        ``share``, the highest that the difference has in the power at any frequency
        from 0.1 to 1 per angstrom [%]; ``edge`` of the frame at the right and ``seam``,
        from the left of the box, and their ``distance`` [angstrom].

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(300, 300))
    >>> found = {"pixel": (0.05, 0.05), "origin": (0.0, 0.0)}
    >>> described = describe_difference(Pair(image, 1.1 * image, found, "simulated"))
    >>> round(described["share"], 6), round(described["edge"], 2)
    (1.0, 14.95)
    """
    spectra = compare_spectra(pair).loc[0.1:1.0]
    edge, seam = float(profile_difference(pair).index[-1]), find_seam()
    share = spectra["difference"] / spectra["published"]
    return {
        "share": 100 * float(share.max()),
        "edge": edge,
        "seam": seam,
        "distance": seam - edge,
    }


def _peaks(image: Image, spots: pd.DataFrame, reach: float) -> np.ndarray:
    """Find the highest value within reach of each spot [pixels]."""
    steps = np.arange(-int(reach), int(reach) + 1)
    disc = np.hypot(steps[:, None], steps) <= reach
    down, across = (grid[disc] for grid in np.meshgrid(steps, steps, indexing="ij"))
    rows = spots["row"].round().to_numpy(int)[:, None] + down
    columns = spots["column"].round().to_numpy(int)[:, None] + across
    height, width = image.shape
    return image[rows.clip(0, height - 1), columns.clip(0, width - 1)].max(axis=1)
