"""What the numbers of the page say, of the authors' files or of what stands in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from sbd.companion.pages.fidelity.budget import default_rows
from sbd.companion.pages.fidelity.pairs import Pair
from sbd.companion.wording import STAND_IN, markdown
from sbd.simulation.specimens import layer_counts

if TYPE_CHECKING:
    from IPython.display import Markdown

_SCORES = {
    "PSNR": "PSNR (dB)",
    "PSNR inside": "PSNR inside (dB)",
    "correlation": "correlation",
    "rms": "rms difference inside (% of vacuum)",
    "largest": "largest difference inside (% of vacuum)",
}
_PARAMETERS = {
    "particle": "particle",
    "defect": "defect",
    "thickness": "support (\u00c5)",
    "tilt_x": "tilt about x (degrees)",
    "tilt_y": "tilt about y (degrees)",
    "defocus": "defocus (nm)",
    "pixel": "pixel: down, across (\u00c5)",
    "origin": "origin of the frame: down, across (\u00c5)",
    "dose": "vacuum (e/pixel)",
    "grid": "grid",
}


def tell_source(pair: Pair) -> "Markdown":
    """Say what the simulation is compared with, and what follows."""
    if pair.source == "authors":
        return markdown(
            "In this copy the simulation is compared with the authors' files, at "
            f"{pair.parameters['pixel'][0]:.4f} \u00c5 a pixel."
        )
    what = (
        "our own finest calculation takes the place of each of their files. It tells "
        "how well the default settings approximate that one, and nothing about the "
        "authors"
    )
    return markdown(STAND_IN.format(what=what))


def tabulate_scores(pairs: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Write the numbers of `score_pairs` with their units, a row for each image."""
    return pd.DataFrame(pairs).T.rename(columns=_SCORES).rename_axis("image")


def tabulate_parameters(pairs: Mapping[str, Pair]) -> pd.DataFrame:
    """Write what ours were computed with, a column for each image."""
    rows = {}
    for name, pair in pairs.items():
        rows[name] = {
            words: _write(pair.parameters[key])
            for key, words in _PARAMETERS.items()
            if key in pair.parameters
        }
    return pd.DataFrame(rows)


def _write(value: object) -> str:
    """Write a word, a number, or several."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ", ".join(_write(part) for part in value)
    return f"{value:.5g}"


def list_weights(
    share: float, weights: Mapping[str, pd.Series]
) -> dict[str, float | dict[str, dict[int, float]]]:
    """Give the test of one column to a figure."""
    curves = {name: curve.round(1).to_dict() for name, curve in weights.items()}
    return {
        "share of the difference at the column": round(share, 2),
        "PSNR by atoms": curves,
    }


def tell_weights(
    pairs: Mapping[str, Pair],
    weights: Mapping[str, pd.Series],
    share: float,
    site: tuple[int, int] = (2, 0),
) -> "Markdown":
    """Say which number of atoms fits a column best, and which one its name tells."""
    parts = []
    for name, curve in weights.items():
        particle = pairs[name].parameters["particle"]
        named = layer_counts(particle, name)[site[0]][site[1]]
        best = int(curve.idxmax())
        second = curve.drop(best).max()
        fits = "as its name says" if best == named else f"its name says {named}"
        parts.append(
            f"for {name} the PSNR is highest with {best} atoms on the column ({fits}), "
            f"{curve[best] - second:.1f} dB above the next"
        )
    first = "; ".join(parts)
    return markdown(
        f"{first[0].upper()}{first[1:]}. With the column put back, {100 * share:.0f} % "
        "of the squared difference lies at its place."
    )


def tell_difference(pair: Pair, described: Mapping[str, float]) -> "Markdown":
    """Say how much of the power the difference has, and where the seam is."""
    side = "beyond" if described["distance"] > 0 else "inside"
    return markdown(
        f"Compared with {_name(pair)}: at no frequency from 0.1 to 1 per angstrom "
        f"has the difference more than {described['share']:.2g} % of the power. The "
        f"frame ends {described['edge']:.1f} \u00c5 from the left of the box, and the "
        f"seam lies {abs(described['distance']):.1f} \u00c5 {side} that."
    )


def tell_columns(pair: Pair, described: Mapping[str, float]) -> "Markdown":
    """Say how far the peaks of the columns are off."""
    dim = "dimmer" if described["mean"] < 0 else "brighter"
    return markdown(
        f"Compared with {_name(pair)}, ours are {dim} by "
        f"{abs(described['mean']):.2g} % of the vacuum on the mean of "
        f"{described['columns']:.0f} columns, with a spread of "
        f"{described['spread']:.2g} % about that; one atom more is worth "
        f"{described['an atom']:.1f} % on a thin column."
    )


def tell_remaining(pair: Pair, remaining: float, budget: pd.DataFrame) -> "Markdown":
    """Compare the largest error of the default settings with what remains."""
    rows = default_rows(budget)
    worst = rows.loc[rows["rms"].idxmax()]
    largest = 100 * worst["rms"]
    than = "less" if largest < remaining else "more"
    return markdown(
        f"The largest error of the default settings is {largest:.2g} % of the vacuum, "
        f"at {worst['thickness']:g} \u00c5 and a tilt of "
        f"({worst['tilt_x']:g}, {worst['tilt_y']:g}) degrees: {than} than the "
        f"{remaining:.2g} % by which S3_5 differs from {_name(pair)} (rms, inside)."
    )


def _name(pair: Pair) -> str:
    return "the authors' file" if pair.source == "authors" else "our reference"
