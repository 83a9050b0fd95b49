"""What each approximation of the simulation costs: measured, kept, and drawn.

``assets/error_budget.csv`` holds the table. A row compares two focal series of PtNp2
that differ in one thing, the second being the better one.
"""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sbd.plotting.charts import name_chart
from sbd.plotting.colours import INK, PALE, RED, SILVER
from sbd.plotting.images import arrange_panels
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import REFERENCE, Microscope
from sbd.simulation.specimens import DEFOCI
from sbd.simulation.structures import pt_on_ceria

_NO_ERROR, _LINE = SILVER, INK
_NAMES = {
    "grid": "grid {:g}",
    "slices": "slices of {:g} Å",
    "focal step": "foci {:g} Å apart",
    "wave": "wave cut at {:g} /Å",
    "potential": "abTEM's potential, {}",
    "storage": "stored as {}",
    "engine": "{}, single precision",
    "no absorption": "no absorption",
    "no thermal": "no thermal motion, no absorption",
    "proportional": "absorption as the potential",
    "tilt + 0.1": "tilt off by 0.1°",
}
"""How to call an effect of the budget, or a setting, in a chart."""
_YARDSTICK = "physics"  # rows that are no approximation


def error_budget() -> pd.DataFrame:
    """Read what each approximation of the simulation costs, as measured.

    A row is an effect at a thickness [angstrom] and a tilt [degrees], with the errors
    of `series_error` against `sbd.REFERENCE`, or what ``sbd/companion/make/budget.py``
    says.
    """
    with (files("sbd") / "assets" / "error_budget.csv").open() as file:
        return pd.read_csv(file, dtype={"effect": str, "setting": str})


def series_error(changed: ArrayLike, better: ArrayLike) -> dict[str, float]:
    """Compare two focal series (defoci, height, width); the second is the better.

    ``rms`` and ``worst`` are relative to the vacuum, ``relative`` to the contrast.
    """
    changed, better = np.asarray(changed), np.asarray(better)
    if changed.ndim != 3 or changed.shape != better.shape:
        shapes = f"{changed.shape} and {better.shape}"
        msg = f"changed must be a series of the shape of better; got {shapes}"
        raise ValueError(msg)
    of_each = np.sqrt(((changed - better) ** 2).mean(axis=(1, 2)))
    rms = np.sqrt((of_each**2).mean())
    contrast = np.sqrt(better.var(axis=(1, 2)).mean())
    return {
        "rms": float(rms),
        "worst": float(of_each.max()),
        "relative": float(rms / contrast),
    }


def grid_error(
    grid: int,
    *,
    thickness: float = 40.0,
    tilt: tuple[float, float] = (3.0, 0.0),
    reference: Microscope = REFERENCE,
) -> dict[str, float]:
    """Measure one row of the budget anew: a coarser grid against the reference's.

    PtNp2 on a support of `thickness` [angstrom], tilted about x and y [degrees]; 21
    defoci, 128 samples of the whole box. Returns what `series_error` does.
    """
    atoms = pt_on_ceria("PtNp2", thickness=thickness, tilt=tilt)
    changed, better = (
        form_image(exit_wave(atoms, scope), defocus=10 * np.array(DEFOCI), dose=1.0)
        for scope in (replace(reference, grid=grid), reference)
    )
    return series_error(changed, better)


def compare_row(
    budget: pd.DataFrame, live: dict[str, float], grid: int = 384
) -> pd.DataFrame:
    """Put what `grid_error` gives beside its row of the table."""
    some = (budget["effect"] == "grid") & (budget["setting"] == str(grid))
    row = budget[some & (budget["tilt_x"] == 3)].iloc[0]
    both = {"in the table": row[list(live)], "computed here": live}
    units = "of vacuum", "of vacuum, worst focus", "of contrast"
    table = pd.DataFrame(both).astype(float).loc[["rms", "worst", "relative"]]
    return table.set_axis(units).map("{:.2e}".format)


def tabulate_effects(budget: pd.DataFrame) -> pd.DataFrame:
    """List what each effect costs by itself [% of the vacuum], by the tilt."""
    single = budget.query("effect != 'default'").assign(percent=100 * budget["rms"])
    table = single.pivot_table("percent", ["effect", "setting"], "tilt_x", sort=False)
    words = {tilt: f"tilt {tilt:g}\u00b0 about x (% of vacuum)" for tilt in table}
    return table.rename(columns=words).rename_axis(columns=None).map("{:.2g}".format)


def describe_default(budget: pd.DataFrame) -> dict[str, list[float]]:
    """Sum up the error of the default settings by the size of the tilt.

    Lowest and highest over thicknesses and axes [% of the contrast].
    """
    table = default_rows(budget)
    tilt = table["tilt_x"] + table["tilt_y"]
    groups = {"no tilt": tilt == 0, "1 degree": tilt == 1, "2 to 4 degrees": tilt > 1}
    errors = {words: 100 * table["relative"][of] for words, of in groups.items()}
    return {words: [float(e.min()), float(e.max())] for words, e in errors.items()}


def show_budget(budget: pd.DataFrame, remaining: float, *, whose: str) -> Figure:
    """Draw the error of the default settings, and of each approximation by itself.

    A heat map over thickness and tilt [% of the contrast], and dots for each effect [%
    of the vacuum], beside what `remaining` differs from a published image (rms, % as
    well), or from that of `whose` it is.
    """
    single = budget[budget["effect"] != "default"]
    rows = len(single.groupby(["effect", "setting"], sort=False))
    heights = 1.65, 0.55 + 0.19 * rows
    fig, panels = arrange_panels("a;b", height=sum(heights) + 0.5, heights=heights)
    _draw_heat(panels["a"], default_rows(budget))
    _draw_effects(panels["b"], single, remaining, whose)
    return fig


def default_rows(budget: pd.DataFrame) -> pd.DataFrame:
    """Pick the rows of today's default settings, or of those measured last."""
    rows = budget[budget["effect"] == "default"]
    scope = Microscope()
    today = f"{scope.grid} and {scope.focal_step:g}"
    measured = rows["setting"].unique()
    return rows[rows["setting"] == (today if today in measured else measured[-1])]


def _draw_heat(ax: Axes, table: pd.DataFrame) -> None:
    """Draw a value for each thickness and tilt, in colours and as a number."""
    tilts = list(dict.fromkeys(zip(table["tilt_x"], table["tilt_y"], strict=True)))
    tilts = sorted(tilts, key=lambda tilt: (-tilt[0], tilt[1]))
    depths = sorted(table["thickness"].unique())
    cells = table.set_index(["thickness", "tilt_x", "tilt_y"])["relative"] * 100
    values = np.array([[cells[depth, *tilt] for tilt in tilts] for depth in depths])
    norm = LogNorm(values.min() / 1.5, values.max() * 3)
    ax.imshow(values, cmap="Reds", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column, row, f"{value:.1f}" if value >= 1 else f"{value:.2f}",
            ha="center", va="center", fontsize=8,
            color="white" if norm(value) > 0.62 else "black",
        )  # fmt: skip
    names = [_name_tilt(*tilt) for tilt in tilts]
    ax.set_xticks(range(len(tilts)), names)
    ax.set_yticks(range(len(depths)), [f"{depth:g}" for depth in depths])
    ax.tick_params(length=0)
    grid, _, step = table["setting"].iloc[0].partition(" and ")
    title = f"(a) Error with grid {grid} and foci {step} Å apart (% of the contrast)"
    name_chart(ax, title, "tilt about x or y (degrees)", "thickness (Å)")
    ax.spines[:].set_visible(False)


def _name_tilt(x: float, y: float) -> str:
    if x:
        return f"x {x:g}"
    return f"y {y:g}" if y else "0"


def _draw_effects(ax: Axes, single: pd.DataFrame, remaining: float, whose: str) -> None:
    """Draw two dots for each effect, and a line at what remains."""
    keys = list(zip(single["effect"], single["setting"], strict=True))
    places = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([places[key] for key in keys])
    still = (single["tilt_x"] == 0).to_numpy()
    colours = np.where(single["effect"] == _YARDSTICK, _NO_ERROR, RED)
    errors = 100 * single["rms"].to_numpy()
    for label, at, faces in (
        ("no tilt", still, np.full(len(colours), "white")),
        ("3° about x", ~still, colours),
    ):
        ax.scatter(
            errors[at], rows[at], s=22, c=faces[at], edgecolors=colours[at], zorder=3
        )
        look = {"color": RED, "markerfacecolor": "white" if at is still else RED}
        ax.plot([], [], "o", markersize=4.5, label=label, **look)
    line = {"color": _LINE, "linewidth": 0.9, "linestyle": ":"}
    ax.axvline(
        remaining, label=f"difference from {whose[0].lower()}{whose[1:]}", **line
    )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(range(len(places)), [_name_effect(*key) for key in places])
    ax.invert_yaxis()
    ax.grid(axis="y", color=PALE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(loc="lower left", fontsize=7.5, facecolor="white", edgecolor="none")
    name_chart(ax, "(b) Each effect by itself, 40 Å", "rms error (% of vacuum)", "")


def _name_effect(effect: str, setting: str) -> str:
    """Call an effect by a name that fits beside a chart."""
    pattern = _NAMES[setting if effect == _YARDSTICK else effect]
    name = pattern.format(float(setting) if ":g" in pattern else setting)
    scope = Microscope()
    default = {("grid", str(scope.grid)), ("focal step", str(scope.focal_step))}
    return f"{name} (default)" if (effect, setting) in default else name
