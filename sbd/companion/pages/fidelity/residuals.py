"""Where a simulation and a published image differ: columns, frequencies, borders."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sbd.audits.placed_atoms import project_columns
from sbd.companion.pages.fidelity.pairs import Pair, inner_frame
from sbd.simulation.frame import BOX
from sbd.simulation.noise import VACUUM
from sbd.simulation.structures import pt_on_ceria
from sbd.typing import Image, Pixel
from sbd.validation import check_image

_REACH = 0.9  # a column's peak is this near to where its atoms are [angstrom]
_THIN = 6  # atoms up to which a peak grows steadily


def locate_difference(pair: Pair, *, radius: float = 2.0) -> tuple[Pixel, float]:
    """Find where the images differ most, and how much of the difference is there.

    The (row, column) of the inner frame's largest difference, and the share of the
    squared difference within `radius` of it [angstrom].
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
    """Read the peak of every platinum column off both images, where columns are bright.

    By column: atoms, place [pixels], and both peaks above the vacuum [% of it].
    """
    found = pair.parameters
    atoms = pt_on_ceria(
        found["particle"], found["defect"], thickness=found["thickness"]
    )
    table = project_columns(atoms, (found["tilt_x"], found["tilt_y"]))
    table = table[table["element"] == "Pt"].reset_index(drop=True)
    result = table[["atoms"]].copy()
    for name, start, pixel in zip(
        ("row", "column"), found["origin"], found["pixel"], strict=True
    ):
        result[name] = (table[name] - start) % BOX / pixel
    for name in ("published", "simulated"):
        peaks = _peaks(getattr(pair, name), result, _REACH / found["pixel"][0])
        result[name] = 100 * (peaks / VACUUM - 1)
    return result


def describe_columns(pairs: Mapping[str, Pair]) -> dict[str, float]:
    """Sum up how far the peaks of the platinum columns are off: ours less theirs.

    In percent of the vacuum; ``an atom`` is what one atom more adds to a column of up
    to six in the published images.
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
    """Average an image's power over all directions, by spatial frequency [1/angstrom].

    The mean is taken off and the border faded out (Hann); `pixel` is in angstrom.
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
    """Give the `radial_power` of both images' inner frames and of their difference."""
    pixel = pair.parameters["pixel"][0]
    names = ("published", "simulated", "difference")
    return pd.DataFrame(
        {name: radial_power(inner_frame(getattr(pair, name)), pixel) for name in names}
    )


def profile_difference(pair: Pair) -> pd.Series:
    """Follow the rms difference [% of the vacuum] across the frame [angstrom]."""
    pixel, start = pair.parameters["pixel"][1], pair.parameters["origin"][1]
    start -= BOX if start > BOX / 2 else 0.0
    rms = np.sqrt((pair.difference**2).mean(axis=0)) / VACUUM * 100
    return pd.Series(rms, index=start + pixel * np.arange(len(rms)))


def find_seam() -> float:
    """Find where the support's lattice does not close, from the left [angstrom]."""
    atoms = pt_on_ceria("PtNp2", thickness=40.0)
    x, y, _ = atoms.positions[atoms.symbols == "Ce"].round(2).T
    seams = []
    for layer in np.unique(y):
        row = np.unique(x[y == layer])
        gaps = np.diff(row, append=row[0] + BOX)
        odd = np.abs(gaps - np.median(gaps)).argmax()
        seams.append(row[odd] + gaps[odd] / 2)
    return float(np.median(seams))


def describe_difference(pair: Pair) -> dict[str, float]:
    """Sum up the spectra, and where the frame ends.

    ``share`` is the highest that the difference has in the power at 0.1 to 1 per
    angstrom [%]; ``edge`` of the frame, ``seam`` and their ``distance`` are in
    angstrom.
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
