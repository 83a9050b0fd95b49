"""Page 12: classical denoisers, what they let through and what they are worth."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sbd.audits.scenes import Scene
from sbd.companion.frames import draw_frames
from sbd.companion.wording import (
    describe_dose,
    markdown,
    tell_copy,
    with_error,
    with_sign,
)
from sbd.plotting.images import (
    STYLE,
    WIDTH,
    add_bar,
    arrange_panels,
    shared_grey,
    show_image,
    show_images,
)
from sbd.plotting.marks import mark_scale
from sbd.simulation.frame import PIXEL
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser, Image

if TYPE_CHECKING:
    from IPython.display import Markdown

_GALLERY = ("spot filter", "VST + NLM", "PURE-LET", "windowed Fourier",
            "correlation averaging", "network")  # fmt: skip
_PARTS = {"": "whole", " particle": "particle", " surface": "surface",
          " vacuum": "vacuum"}  # fmt: skip


def tell_scene(title: str) -> "Markdown":
    """Say which image is shown, and whether it stands in for the authors'."""
    return tell_copy(
        whole="authors" in title, shown=f"Shown on {title}.",
        missing=f"what is judged on one image is judged on {title}",
    )  # fmt: skip


def make_gallery(
    scene: Scene, noisy: Image, denoisers: Mapping[str, Denoiser]
) -> dict[str, Image]:
    """Gather the counts, the clean image and some estimates, by name."""
    estimates = {n: denoisers[n](noisy) for n in _GALLERY if n in denoisers}
    return {"counts": noisy, "clean": scene.clean} | estimates


def show_gallery(scene: Scene, images: Mapping[str, Image]) -> Figure:
    """Draw images of a scene on the clean image's grey scale.

    The counts have one of their own.
    """
    grey = dict.fromkeys(images, shared_grey([scene.clean])) | {"counts": "robust"}
    look = {"pixel_size": scene.specimen.pixel[1], "bar": "electrons per pixel"}
    look["heading"] = f"{scene.title}, {describe_dose(VACUUM, PIXEL)}"
    return show_images(images, columns=4, limits=grey, **look)


def frame_gallery(scene: Scene, images: Mapping[str, Image]) -> dict[str, Figure]:
    """Draw each image of a scene alone, all on the clean image's grey scale."""
    grey, pixel = shared_grey([scene.clean]), scene.specimen.pixel[1]
    return draw_frames(images, limits=grey, pixel_size=pixel, width=340)


def show_gains(
    gains: Mapping[str, Image], place: Image, pixel: tuple[float, float]
) -> Figure:
    """Draw gains around zero frequency, and a map of what a filter lets through.

    `gains` are of `sbd.denoisers.filter_gains`, of an image whose pixels have sides of
    `pixel` (down, across) [angstrom]; `place` is the map, as large as that image, with
    values from 0 up, on a scale of its own; in the others black is 0 and white is 1.
    """
    names = [*gains, "windowed Fourier"]
    high, wide = place.shape
    height = 0.82 * WIDTH / len(names) * high / wide + 0.75
    fig, panels = arrange_panels([names], height=height)
    for name, gain in gains.items():
        ax = panels[name]
        show_image(ax, gain, title=name, limits=(0.0, 1.0))
        ax.title.set_fontsize(8)
        ends = []
        for size, whole, side in zip(gain.shape, place.shape, pixel, strict=True):
            middle, reach = size // 2, size / 2 / whole / side
            ends.append(([middle - 0.9 * middle, middle, middle + 0.9 * middle], reach))
        (rows, down), (columns, across) = ends
        look = {"fontsize": STYLE["xtick.labelsize"]}
        ax.set_xticks(columns, [f"{0.9 * k * across:.1f}" for k in (-1, 0, 1)], **look)
        if name == names[0]:
            labels = [f"{0.9 * k * down:.1f}" for k in (-1, 0, 1)]
            ax.set_yticks(rows, labels, **look)
            ax.set_ylabel("frequency (1/\u00c5)", fontsize=8)
        ax.set_xlabel("frequency (1/\u00c5)", fontsize=8)
    top = 100 * float(np.max(place)) or 1.0
    last = panels[names[-1]]
    shown = show_image(last, 100 * place, title=names[-1], limits=(0.0, top))
    last.title.set_fontsize(8)
    mark_scale(last, pixel[1], length=None)
    add_bar(last, shown, "% of the noise")
    return fig


def tabulate_tuning(tuning: pd.DataFrame) -> pd.DataFrame:
    """Write what tuning chose, and what it gained there."""
    pairs = zip(tuning["difference"], tuning["standard_error"], strict=True)
    return pd.DataFrame({
        "tuned to": tuning["tuned"],
        "gain on validation images (dB)": [
            with_sign(*pair) if pair[1] else "the defaults are best" for pair in pairs
        ],
        "at the end of the grid in": tuning["edge"],
    }, tuning.index)  # fmt: skip


def tabulate_judged(judged: pd.DataFrame) -> pd.DataFrame:
    """Write `sbd.judge_denoisers` with units."""
    told = {}
    for measure, unit, digits in (("PSNR", " (dB)", 1), ("SSIM", "", 2)):
        for part, words in _PARTS.items():
            values = judged[f"{measure}{part}"]
            told[f"{measure}, {words}{unit}"] = values.map(f"{{:.{digits}f}}".format)
    told["columns found (%)"] = (100 * judged["found_share"]).map("{:.0f}".format)
    told["false ones"] = judged["false"].map("{:.0f}".format)
    return pd.DataFrame(told, judged.index)


def tabulate_ranking(ranking: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Write `sbd.rank_denoisers` with units and errors."""
    told = {"PSNR (dB)": [], f"over {reference} (dB)": []}
    for row in ranking.itertuples():
        told["PSNR (dB)"].append(with_error(row.PSNR, row.standard_error))
        gain = with_sign(row.difference, row.difference_error)
        told[f"over {reference} (dB)"].append("" if row.Index == reference else gain)
    told["ahead on so many images"] = [*ranking["ahead"]]
    return pd.DataFrame(told, ranking.index)


def tell_best(ranking: pd.DataFrame, reference: str, images: int) -> "Markdown":
    """Say which denoiser does best without training, and how sure that is."""
    best = ranking.drop(index=["network", reference], errors="ignore").iloc[0]
    gain = with_sign(best["difference"], best["difference_error"])
    sure = abs(best["difference"]) > 2 * best["difference_error"]
    words = "more" if sure else "no more"
    return markdown(
        f"**The best without training is {best.name}**: {gain} dB against {reference}, "
        f"{words} than two standard errors of {images} images."
        if best["difference"] > 0
        else f"**The best without training is {reference}.** Next is {best.name}: "
        f"{gain} dB, {words} than two standard errors of {images} images."
    )


def tell_parts(judged: pd.DataFrame, name: str, reference: str) -> "Markdown":
    """Say in which parts of the image a denoiser gains on another."""
    if not {name, reference} <= set(judged.index):
        return markdown("")
    parts = [
        f"{judged.loc[name, key] - judged.loc[reference, key]:+.1f} dB ({words})"
        for key, words in ((f"PSNR{part}", words) for part, words in _PARTS.items())
    ]
    return markdown(f"{name} against {reference}, on this image: {', '.join(parts)}.")
