"""Draw how far a network can be trusted: training, doses, vacuum, columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from sbd.audits.benchmark_audit import (
    found_by_score,
    summarise_audit,
    tabulate_inspections,
)
from sbd.audits.inspection import Inspection
from sbd.columns.finding import box_around
from sbd.companion.wording import STAND_IN, describe_dose, markdown, with_error
from sbd.plotting.charts import name_chart, name_lines, scale_doses
from sbd.plotting.colours import BRICK, GREEN, GREY, INK, OCHRE, SCARLET, SKY, STEEL
from sbd.plotting.images import (
    LEGEND,
    TITLE_ROOM,
    WIDTH,
    add_bar,
    arrange_panels,
    show_image,
    show_map,
)
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Image

if TYPE_CHECKING:
    from IPython.display import Markdown

DOSE = f"{describe_dose(VACUUM, PIXEL)} at the paper's pixel"
"""What a dose per pixel is per area."""

# The first method is what the figure is about.
_COLOURS = (BRICK, STEEL, GREY, OCHRE, GREEN, INK)
_MARKERS = "osD^v*"
_LOST, _INVENTED = SKY, SCARLET


def show_training(card: Mapping) -> Figure:
    """Draw how a network's weights came about: PSNR and loss by step, run by run.

    `card` holds the ``curve`` and the settings of ``run 1``, ``run 2``, ... Each run
    has axes of its own: its images are other ones.
    """
    curve = pd.DataFrame(card["curve"])
    runs = {name: card[name] for name in card if name.startswith("run ")}
    ends = np.cumsum([run["steps"] for run in runs.values()])
    which = np.searchsorted(ends, curve["step"]).clip(max=len(runs) - 1)
    names = list(runs)
    mosaic = [[f"{name} {key}" for name in names] for key in ("psnr", "loss")]
    fig, panels = arrange_panels(mosaic, height=0.52 * WIDTH)
    fig.get_layout_engine().set(wspace=0.04)
    for i, (name, run) in enumerate(runs.items()):
        part = curve[which == i]
        look = {"color": BRICK if i == len(runs) - 1 else GREY, "linewidth": 1.2}
        for key in ("psnr", "loss"):
            ax = panels[f"{name} {key}"]
            ax.plot(part["step"], part[key], **look)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        first = "PSNR, validation (dB)" if not i else ""
        name_chart(panels[f"{name} psnr"], f"{name}: {run['class']}", "", first)
        panels[f"{name} loss"].ticklabel_format(axis="y", scilimits=(-2, 3))
        name_chart(panels[f"{name} loss"], "", "step", "" if i else "loss, training")
    return fig


def tell_images(titles: Sequence[str]) -> "Markdown":
    """Say on which images the page was made, and whether one is wanting."""
    if len(titles) == 1:
        what = f"where two images belong there is one, {titles[0]}"
        return markdown(STAND_IN.format(what=what))
    return markdown(f"The images of this copy: {' and '.join(titles)}.")


def tabulate_metrics(metrics: Mapping[str, float]) -> pd.DataFrame:
    """Write what was measured with the final weights, in words and with units."""
    score, error = (metrics[f"psnr_{k}"] for k in ("bundled_image", "standard_error"))
    rows = {
        f"PSNR of the bundled image, {metrics['draws']} draws (dB)": with_error(
            score, error, digits=1
        ),
        "SSIM of the bundled image": f"{metrics['ssim_bundled_image']:.4f}",
        "deviation in pure vacuum (e/pixel)": (
            f"{metrics['deviation_in_pure_vacuum']:.4f}"
        ),
    }
    return pd.DataFrame({"default network": rows})


def tabulate_drawing(card: Mapping) -> pd.DataFrame:
    """Write what each run drew its examples from, in words and with units."""
    words = {
        "crop": "side of a crop (bins)",
        "pixel": "pixel (\u00c5)",
        "aspect": "longer side of a pixel, up to (times the other)",
        "dose": "dose (e/pixel)",
        "paper_dose": "share of examples at the paper's dose",
        "contrast": "factor on the contrast",
        "vacuum": "share of empty examples",
        "illumination": "uneven illumination, up to (share)",
        "upright": "share of examples within 10\u00b0 of a quarter turn",
    }
    runs = {name: card[name]["drawing"] for name in card if name.startswith("run ")}
    return pd.DataFrame(
        {
            name: {
                words.get(key, key): _write_range(value)
                for key, value in drawing.items()
            }
            for name, drawing in runs.items()
        }
    ).fillna("")


def _write_range(value: object) -> str:
    """Write a number, or the two ends of a range."""
    if isinstance(value, list | tuple):
        return " to ".join(f"{end:.3g}" for end in value)
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def tabulate_doses(table: pd.DataFrame) -> pd.DataFrame:
    """Write the PSNR of `sbd.dose_curve` with standard errors over the draws."""
    groups = table.groupby(["image", "dose", "method"], sort=False)["psnr"]
    rows = {
        key: with_error(mean, error, digits=1)
        for (key, mean), error in zip(groups.mean().items(), groups.sem(), strict=True)
    }
    wide = pd.Series(rows).unstack().rename_axis(["image", "dose (e/pixel)"])
    wide = wide.rename(_shorten, level=0).rename("{:g}".format, level=1)
    return wide[list(dict.fromkeys(table["method"]))].add_suffix(" (dB)")


def _shorten(title: str) -> str:
    """Name an image in few words, for a table."""
    title = title.replace("this project's simulated image", "bundled:")
    return title.replace("authors' simulated image", "authors':").partition(",")[0]


def list_doses(table: pd.DataFrame) -> dict[str, dict[float, dict[str, float]]]:
    """Give the mean PSNR of `sbd.dose_curve` to a figure, by image, dose and method."""
    groups = table.groupby(["image", "dose", "method"], sort=False)["psnr"]
    means = groups.mean().unstack().round(1)
    return {name: means.loc[name].to_dict("index") for name in means.index.levels[0]}


def sum_columns(inspections: Mapping[str, Sequence[Inspection]]) -> pd.DataFrame:
    """Sum up what each method finds, a column for each, by `summarise_audit`."""
    tables = {name: tabulate_inspections(ones) for name, ones in inspections.items()}
    return pd.DataFrame({name: summarise_audit(t) for name, t in tables.items()})


def tabulate_vacuum(table: pd.DataFrame) -> pd.DataFrame:
    """Write a `sbd.vacuum_response` in words and with units."""
    return pd.DataFrame(
        {
            "mean (e/pixel)": table["mean"].map("{:.4f}".format),
            "standard deviation (e/pixel)": table["deviation"].map("{:.4f}".format),
            "largest excursion (e/pixel)": table["largest"].map("{:.4f}".format),
            "deviation (% of the dose)": (100 * table["relative"]).map("{:.2g}".format),
            "of its power in peaks (%)": (100 * table["peaks"]).map("{:.0f}".format),
        }
    ).set_axis(table["dose"].map("{:g}".format).rename("dose (e/pixel)"))


def tabulate_columns(sums: pd.DataFrame) -> pd.DataFrame:
    """Write a `summarise_audit` of each method, in words and with units."""
    words = {
        "images": ("images", "{:.0f}", 1),
        "columns": ("platinum columns in them", "{:.0f}", 1),
        "limit": ("found in the clean image (%)", "{:.0f}", 100),
        "found_share": ("found in the denoised image (%)", "{:.0f}", 100),
        "kept_share": ("of those in the clean image, found (%)", "{:.0f}", 100),
        "true_share": (
            "of what is found and of what is false, true (%)",
            "{:.0f}",
            100,
        ),
        "ghosts": ("ghosts in the clean image, per image", "{:.1f}", 1),
        "false": ("false columns, per image", "{:.1f}", 1),
        "invented": ("invented columns, per image", "{:.1f}", 1),
        "psnr": ("PSNR (dB)", "{:.1f}", 1),
    }
    rows = {
        text: [form.format(factor * value) for value in sums.loc[key]]
        for key, (text, form, factor) in words.items()
        if key in sums.index
    }
    return pd.DataFrame(rows, index=sums.columns).T


def learnt_doses(card: Mapping) -> tuple[float, float]:
    """Look up the lowest and highest dose of the last run [e/pixel]."""
    *_, last = (run for name, run in card.items() if name.startswith("run "))
    low, high = last["drawing"]["dose"]
    return low, high


def show_doses(
    table: pd.DataFrame,
    *,
    trained: tuple[float, float] | None = None,
    heading: str = "",
) -> Figure:
    """Draw the quality of denoisers by dose, for each image of `sbd.dose_curve`.

    Means over the draws, with standard errors where there are several. `trained` is the
    lowest and highest dose that was learnt from, to be shaded [e/pixel].
    """
    images = list(dict.fromkeys(table["image"]))
    names = "abcdef"[: len(images)]
    fig, panels = arrange_panels(names, height=0.46 * WIDTH, heading=heading)
    for name, image in zip(names, images, strict=True):
        part = table[table["image"] == image]
        groups = part.groupby(["method", "dose"], sort=False)["psnr"]
        mean, error = groups.mean(), groups.sem()
        methods = dict.fromkeys(part["method"])
        _draw_methods(panels[name], {k: mean[k] for k in methods})
        for k, line in zip(methods, list(panels[name].lines), strict=True):
            if error[k].notna().all():
                look = {"fmt": "none", "ecolor": line.get_color(), "capsize": 2}
                panels[name].errorbar(mean[k].index, mean[k], error[k], **look)
        scale_doses(panels[name], part["dose"])
        if trained is not None:
            panels[name].axvspan(*trained, color="#f1f1f1", linewidth=0, zorder=0)
        title = textwrap.fill(f"({name}) {image}", 44)
        name_chart(panels[name], title, "dose (e/pixel)", "PSNR (dB)")
    panels["a"].legend(loc="lower right", **LEGEND)
    low, high = table["psnr"].min(), table["psnr"].max()
    for ax in panels.values():
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return fig


def show_vacuum(
    maps: Mapping[str, Image],
    responses: Mapping[str, pd.DataFrame],
    *,
    dose: float,
    heading: str = "",
) -> Figure:
    """Draw what denoisers make of nothing: maps, and `sbd.vacuum_response` by dose.

    Each map is without its mean, on a scale of three of its standard deviations; below,
    how much deviates and how much of that is periodic.
    """
    *letters, first, second = "abcdefgh"[: len(maps) + 2]
    mosaic = [
        [letter for letter in letters for _ in range(2)],
        [first] * len(maps) + [second] * len(maps),
    ]
    heights = [WIDTH / len(maps), 0.36 * WIDTH]
    fig, panels = arrange_panels(
        mosaic,
        height=sum(heights) + (2 + bool(heading)) * TITLE_ROOM,
        heights=heights,
        heading=heading,
    )
    for letter, (name, image) in zip(letters, maps.items(), strict=True):
        percent = 100 * (image - image.mean()) / dose
        limit = 3 * float(percent.std()) or 1.0
        title = f"({letter}) {name}"
        show_map(panels[letter], percent, title=title, limit=limit, colour_bar=False)
        panels[letter].set_xlabel(f"\u00b1{limit:.2g} % of the dose")
    curves = {name: table.set_index("dose") for name, table in responses.items()}
    _draw_methods(panels[first], {k: 100 * t["relative"] for k, t in curves.items()})
    _draw_methods(panels[second], {k: t["peaks"] for k, t in curves.items()})
    panels[first].set_yscale("log")
    panels[second].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[second].set_ylim(-0.04, 1.04)
    panels[first].legend(loc="lower left", **LEGEND)
    words = {first: ("How much", "deviation (% of the dose)"),
             second: ("How much of it is periodic", "share of the power")}  # fmt: skip
    for letter, (title, up) in words.items():
        scale_doses(panels[letter], next(iter(responses.values()))["dose"])
        name_chart(panels[letter], f"({letter}) {title}", "dose (e/pixel)", up)
    return fig


def show_inspections(inspections: Sequence[Inspection], *, heading: str = "") -> Figure:
    """Draw at most eight clean images above denoised ones, and mark what differs.

    Both on one grey scale; circles where a column was lost, crosses where one was
    invented. The titles tell the defocus, and the median score that the columns can
    reach.
    """
    names = "abcdefgh"[: len(inspections)]
    top, left, tall, wide = _around(inspections)
    inside = np.s_[top : top + tall, left : left + wide]
    panel = WIDTH / len(names) * tall / wide
    fig, panels = arrange_panels(
        [list(names.upper()), list(names)],
        height=2 * panel + TITLE_ROOM * (2.2 + bool(heading)),
        heading=heading,
    )
    for name, one in zip(names, inspections, strict=True):
        score = one.counts["score"]
        title = f"({name}) {one.labels['defocus']:g} nm, score {score:.1f}"
        ax = panels[name.upper()]
        shown = show_image(ax, one.clean[inside], title=title)
        mark_scale(ax, one.scene.specimen.pixel[1], length=None)
        add_bar(ax, shown, "e/pixel" if name == names[-1] else "")
        ax = panels[name]
        show_image(ax, one.denoised[inside], limits=shown.get_clim())
        lost, made = (
            (places - (top, left)).T[::-1]
            for places in (one.columns[one.lost], one.false[one.invented])
        )
        ring = {"s": 40, "facecolors": "none", "edgecolors": _LOST}
        ax.scatter(*lost, linewidths=1.2, label="lost", **ring)
        cross = {"s": 30, "c": _INVENTED, "marker": "x"}
        ax.scatter(*made, linewidths=1.4, label="invented", **cross)
        ax.set(xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.5))
    for name, words in ((names[0].upper(), "clean"), (names[0], "denoised")):
        panels[name].set_ylabel(words)
    name_lines(panels[names[0]], 2)
    return fig


def show_column_audit(inspections: Mapping[str, Sequence[Inspection]]) -> Figure:
    """Draw which columns of one focal series are found, and how many are invented.

    By defocus, beside what the finder sees in the clean image; and the share found by
    score.
    """
    fig, panels = arrange_panels("abc", height=0.36 * WIDTH)
    series = {
        name: tabulate_inspections(ones).set_index("defocus").sort_index()
        for name, ones in inspections.items()
    }
    limit = next(iter(series.values()))["limit"]
    dots = {"color": INK, "linewidth": 0.9, "linestyle": ":"}
    panels["a"].plot(limit.index, limit, label="clean image", **dots)
    by_score = {name: found_by_score(ones) for name, ones in inspections.items()}
    _draw_methods(panels["a"], {k: t["found_share"] for k, t in series.items()})
    _draw_methods(panels["b"], {k: t["invented"] for k, t in series.items()})
    _draw_methods(panels["c"], {k: t["found_share"] for k, t in by_score.items()})
    for name in "ac":
        panels[name].yaxis.set_major_formatter(PercentFormatter(1.0))
        panels[name].set_ylim(-0.04, 1.04)
    panels["a"].legend(loc="lower right", **LEGEND)
    panels["b"].yaxis.set_major_locator(MaxNLocator(integer=True))
    across, score = "defocus (nm)", "score, at least (std. dev.)"
    name_chart(panels["a"], "(a) Columns found", across, "share of the columns")
    name_chart(panels["b"], "(b) Columns invented", across, "in one image")
    name_chart(panels["c"], "(c) Found, by evidence", score, "share of the columns")
    return fig


def _around(inspections: Sequence[Inspection]) -> tuple[int, int, int, int]:
    """Frame the particles of all images, with room for what is invented around them."""
    columns = np.concatenate([one.columns for one in inspections])
    low, high = columns.min(axis=0), columns.max(axis=0)
    room = 0.5 * (high - low).min() + 4
    size = tuple(int(n) for n in high - low + 2 * room)
    return box_around((low + high) / 2, size, inspections[0].clean.shape)


def _draw_methods(ax: Axes, curves: Mapping[str, pd.Series]) -> None:
    """Draw a line for each method; the first stands out."""
    for i, (name, curve) in enumerate(curves.items()):
        look = {"color": _COLOURS[i % len(_COLOURS)], "label": name}
        look |= {"marker": _MARKERS[i % len(_MARKERS)], "markersize": 4 if i else 5}
        ax.plot(curve.index, curve, linewidth=1.0 if i else 1.6, **look)
