"""Trained on one kind of image, tested on another: the paper's heat maps.

The studies are the paper's: networks that learnt from images of one contrast, one
particle or one kind of defect. `published_map` reads what theirs reached from the
authors' evaluation logs; `draw_test_images` and `score_networks` do the same with ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from sbd.benchmark.authors_layout import CONTRASTS
from sbd.benchmark.recipes import Recipe, contrast_label
from sbd.benchmark.splits import published_test_counts
from sbd.companion.wording import list_names, with_sign
from sbd.data.registry import fetch
from sbd.denoisers.network import denoise
from sbd.denoisers.trials import check_trials, try_denoisers
from sbd.metrics import authors_psnr, authors_resize, authors_ssim
from sbd.networks.models import load_model
from sbd.networks.operations import TORCH
from sbd.plotting.images import arrange_panels
from sbd.simulation.frame import BOX_SAMPLES, CROP
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.specimens import PARTICLES
from sbd.typing import Denoiser, Image

if TYPE_CHECKING:
    import torch

_HEAT = "coolwarm"

_WHITE = ("white",)
_SHARED = 50  # thickness at which several structures share a label [angstrom]
_SLIP = 60, 1, 0  # thickness and tilt that stand for two in the authors' tables


@dataclass(frozen=True)
class Study:
    """One of the paper's three studies."""

    by: str  # what the subsets differ in: contrast, structure or defect
    subsets: tuple[str, ...]  # values of it, as in ``weights/contrast-black``
    particles: tuple[str, ...] = PARTICLES
    defects: tuple[str, ...] = ("D0", "D1", "D2", "Dh", "Ds")
    contrasts: tuple[str, ...] = _WHITE

    def __post_init__(self) -> None:
        if self.by not in ("contrast", "structure", "defect"):
            msg = f"by must be 'contrast', 'structure' or 'defect'; got {self.by!r}"
            raise ValueError(msg)

    @property
    def logs(self) -> list[str]:
        """The authors' evaluation log of each subset, as `fetch` knows it."""
        if self.by == "contrast":
            return [f"log/{name}" for name in self.subsets]
        return [f"log/{self.by}-{n}" for n in range(1, len(self.subsets) + 1)]

    @property
    def weights(self) -> dict[str, tuple[str, str]]:
        """Our networks of each subset, of two trainings, as `load_model` knows them."""
        names = {name: f"weights/{self.by}-{name}" for name in self.subsets}
        return {name: (item, f"{item}-again") for name, item in names.items()}

    def labels(self, subset: str) -> dict[str, list[str]]:
        """Labels of a subset's images, as `Benchmark.select` takes them."""
        labels = {
            "particle": self.particles,
            "defect": self.defects,
            "contrast": self.contrasts,
        }
        name = "particle" if self.by == "structure" else self.by
        return {key: [*values] for key, values in (labels | {name: [subset]}).items()}

    def keep(self, table: pd.DataFrame) -> pd.DataFrame:
        """Take a table's rows that belong to the study, with their ``tested on``."""
        mine = (
            table["structure"].isin(self.particles)
            & table["defect"].isin(self.defects)
            & table["contrast"].isin(self.contrasts)
        )
        return table[mine].assign(**{"tested on": table[self.by]})


STUDIES = {
    study.by: study
    for study in (
        Study("contrast", CONTRASTS, contrasts=CONTRASTS),
        Study("structure", PARTICLES, defects=("D0", "D1")),
        Study("defect", ("D0", "D1", "D2", "Dh", "Ds"), particles=("PtNp1",)),
    )
}
"""The paper's studies, by name."""


@dataclass(frozen=True)
class KeptOut:
    """A kind of specimen that a network of ``without-*`` was not shown."""

    name: str  # in words
    labels: dict[str, tuple]  # an image with one of these values is of the kind
    rest: dict[str, list]  # what `Benchmark.select` takes to leave it out
    networks: tuple[str, str]  # of two trainings, as `load_model` knows them

    def find(self, table: pd.DataFrame) -> pd.Series:
        """Say of each row of a benchmark's table whether it is of the kind."""
        found = pd.Series(False, index=table.index)
        for column, values in self.labels.items():
            found |= table[column].isin(values)
        return found


KEPT_OUT = {
    "thickness": KeptOut(
        "60 Å thick", {"thickness": (60,)}, {"thickness": [30, 40, 50]},
        ("weights/without-thickness", "weights/without-thickness-again"),
    ),
    "tilt": KeptOut(
        "tilted by 3° or 4°", {"tilt_x": (3, 4), "tilt_y": (3, 4)},
        {"tilt_x": [0, 1, 2], "tilt_y": [0, 1, 2]},
        ("weights/without-tilt", "weights/without-tilt-again"),
    ),
    "particle": KeptOut(
        "PtNp4", {"particle": ("PtNp4",)}, {"particle": ["PtNp1", "PtNp2", "PtNp3"]},
        ("weights/without-particle", "weights/without-particle-again"),
    ),
    "nothing": KeptOut(
        "none of these", {}, {},
        ("weights/without-nothing", "weights/without-nothing-again"),
    ),
}  # fmt: skip
"""What the networks ``weights/without-*`` were not shown."""


def published_map(study: str, *, metric: str = "psnr") -> pd.DataFrame:
    """Average the authors' evaluation logs to one of their heat maps.

    `metric` is "psnr" [dB] or "ssim", theirs. A row for each subset that a network
    learnt from, a column for each that it was tested on. Of the defects, the last two
    logs are one file under two names; ``attrs["repeated"]`` names them.
    """
    chosen = _find(study)
    if metric not in ("psnr", "ssim"):
        msg = f"metric must be 'psnr' or 'ssim'; got {metric!r}"
        raise ValueError(msg)
    rows, contents = {}, {}
    for subset, log in zip(chosen.subsets, chosen.logs, strict=True):
        path = fetch(log)
        contents.setdefault(path.read_bytes(), []).append(subset)
        table = pd.read_csv(path)
        table[["structure", "defect"]] = table["particle"].str.split("-", expand=True)
        rows[subset] = chosen.keep(table).groupby("tested on")[metric].mean()
    result = pd.DataFrame(rows).T.rename_axis("trained on").loc[:, [*chosen.subsets]]
    twice = [names for names in contents.values() if len(names) > 1]
    result.attrs["repeated"] = twice[0] if twice else []
    return result


def published_tests(study: str) -> pd.DataFrame:
    """Read the authors' evaluation logs as `score_networks` writes ours.

    All logs list the same images in the same order, so that networks can be compared
    image by image.
    """
    chosen = _find(study)
    places = {subset: place for place, subset in enumerate(chosen.subsets)}
    order = lambda kinds: kinds.map(places)  # noqa: E731
    parts = []
    for subset, log in zip(chosen.subsets, chosen.logs, strict=True):
        table = pd.read_csv(fetch(log))
        table[["structure", "defect"]] = table["particle"].str.split("-", expand=True)
        kept = chosen.keep(table)[["tested on", "psnr", "ssim"]]
        kept = kept[kept["tested on"].isin(chosen.subsets)]
        kept = kept.sort_values("tested on", key=order, kind="stable")
        parts.append(
            kept.assign(**{"trained on": subset, "run": 0, "image": kept.index})
        )
    return pd.concat(parts, ignore_index=True)


def frame_as_published(image: Image) -> Image:
    """Cut and resize an image of the whole box, 1024 x 1024, as the authors do."""
    return authors_resize(image[CROP]).clip(min=0)


def _find(study: str) -> Study:
    try:
        return STUDIES[study]
    except (KeyError, TypeError):
        msg = f"study must be one of {', '.join(STUDIES)}; got {study!r}"
        raise ValueError(msg) from None


def draw_test_images(
    study: str, *, number: int, seed: int, grid: int | None = None
) -> pd.DataFrame:
    """Simulate images of the paper's test set, the same number of every subset.

    `grid` is of the multislice. Drawn where the authors' logs tell a structure: not at
    a thickness of 50 angstrom, where several share a label, and not where two tilts
    share a name (see `sbd.benchmark.splits.published_split`).
    """
    chosen = _find(study)
    table = chosen.keep(_test_parameters())
    rng = np.random.default_rng(seed)
    rows = []
    for subset in chosen.subsets:
        some = table[table["tested on"] == subset]
        if not 1 <= number <= len(some):
            msg = f"number must be 1 to {len(some)} for {subset}; got {number}"
            raise ValueError(msg)
        rows.append(some.iloc[np.sort(rng.choice(len(some), number, replace=False))])
    rows = pd.concat(rows, ignore_index=True)
    cleans = [_simulate(row, grid) for row in rows.itertuples()]
    return rows.assign(clean=cleans)


def _test_parameters() -> pd.DataFrame:
    """List the authors' test images of which the structure is known."""
    table = published_test_counts().query("test > 0")
    at = table[["thickness", "tilt_x", "tilt_y"]]
    unclear = (at["thickness"] == _SHARED) | (at == [*_SLIP]).all(axis=1)
    table = table[~unclear].reset_index(drop=True)
    table[["structure", "defect"]] = table["label"].str.split("-", expand=True)
    table["contrast"] = [
        contrast_label(row.thickness, (row.tilt_x, row.tilt_y), row.defocus)
        for row in table.itertuples()
    ]
    return table


def _simulate(row: object, grid: int | None) -> np.ndarray:
    recipe = Recipe(row.structure, row.defect, float(row.thickness))
    wave = exit_wave(recipe.build(), grid=grid, tilts=[(row.tilt_x, row.tilt_y)])[0]
    image = form_image(wave, defocus=10.0 * row.defocus, samples=BOX_SAMPLES)
    return frame_as_published(image)


def load_networks(study: str, *, device: str = "auto") -> dict[str, list[Denoiser]]:
    """Load our networks of a study, by what they learnt from, for `score_networks`.

    What all of them are shown of an image is computed once, by the first.
    """
    views, networks = _remember(TORCH.windowed_fourier), {}
    for name, items in _find(study).weights.items():
        models = [load_model(item) for item in items]
        for model in models:
            model.operations = replace(model.operations, windowed_fourier=views)
        networks[name] = [partial(denoise, model=m, device=device) for m in models]
    return networks


def _remember(compute: Callable) -> Callable:
    """Keep what `compute` returns for an image until there is another one."""
    last, kept = None, {}

    # a function: copies of a network, such as those with folded layers, share it
    def recall(image: "torch.Tensor", **how: object) -> list["torch.Tensor"]:
        nonlocal last
        if last is None or image.shape != last.shape or (image != last).any():
            last = image
            kept.clear()
        key = tuple(sorted(how.items()))
        if key not in kept:
            kept[key] = compute(image, **how)
        return list(kept[key])

    return recall


def score_networks(
    denoisers: Mapping[str, Sequence[Denoiser]], images: pd.DataFrame, *, seed: int
) -> pd.DataFrame:
    """Test denoisers, by what they learnt from, on all images of `draw_test_images`.

    Each stands in as many runs as it has. A row for each run and image, by the authors'
    metric at their dose. All see the same counts.
    """
    runs = {
        (name, i): d for name, each in denoisers.items() for i, d in enumerate(each)
    }
    flat = {f"{name} {i}": denoise for (name, i), denoise in runs.items()}
    check_trials(denoisers=flat)
    if not len(images):
        msg = "images must hold at least one; got none"
        raise ValueError(msg)
    rows = []
    pairs = zip(images["tested on"], images["clean"], strict=True)
    for i, (subset, clean) in enumerate(pairs):
        tried = try_denoisers(flat, clean, seed=[seed, i])
        for (name, run), one in zip(runs, tried, strict=True):
            scores = (
                authors_psnr(clean, one.estimate),
                authors_ssim(clean, one.estimate),
            )
            rows.append((name, run, subset, i, *scores))
    return pd.DataFrame(
        rows, columns=["trained on", "run", "tested on", "image", "psnr", "ssim"]
    )


def generalisation_map(table: pd.DataFrame, metric: str = "psnr") -> pd.DataFrame:
    """Average the tests of `score_networks` to a heat map."""
    orders = [list(dict.fromkeys(table[side])) for side in ("trained on", "tested on")]
    means = table.groupby(["trained on", "tested on"])[metric].mean().unstack()
    return means.loc[orders[0], orders[1]]


def compare_in_columns(
    table: pd.DataFrame, against: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare with one denoiser, or with the network of the kind that is tested on.

    From the tests of `score_networks`: by how much each is better, like a heat map, and
    the standard error [dB]. That has the spread of the differences over images, or, if
    the table has a column ``structure``, over structures, since images of one are
    alike; and of both networks the spread over runs, the mean over what they were
    tested on.
    """
    heat = generalisation_map(table)
    cells = table.groupby(["trained on", "tested on", "run"])["psnr"].mean().unstack()
    of_runs = cells.var(axis=1, ddof=1) / cells.count(axis=1)  # none of a single run
    of_runs = of_runs.groupby("trained on").mean().fillna(0.0)
    groups = table.groupby("image")["structure" if "structure" in table else "image"]
    groups = groups.first()
    gains, errors = heat * 0.0, heat * 0.0
    for kind, part in table.groupby("tested on"):
        reference = kind if against is None else against
        each = part.groupby(["trained on", "image"])["psnr"].mean().unstack(0)
        for name in heat.index.drop(reference):
            gain = each[name] - each[reference]
            variance = _variance_of_mean(gain, groups)
            gains.loc[name, kind] = gain.mean()
            errors.loc[name, kind] = np.sqrt(
                variance + of_runs[name] + of_runs[reference]
            )
    return gains, errors


def _variance_of_mean(values: pd.Series, groups: pd.Series) -> float:
    """Estimate how a mean varies, if values of a group vary together; 0 for one."""
    apart = (values - values.mean()).groupby(groups[values.index]).sum()
    few = len(apart) / max(1, len(apart) - 1)
    return few * float((apart**2).sum()) / len(values) ** 2


def describe_gains(
    tests: Mapping[str, Mapping[str, pd.DataFrame]],
) -> dict[str, dict[str, dict[str, float]]]:
    """Tell the gains of `compare_in_columns`, and their errors, as a figure files them.

    By ``"ours contrast, gain"`` and ``"ours contrast, error"``, by what was trained on,
    by what was tested on [dB].
    """
    told = {}
    for whose, each in tests.items():
        for study, table in each.items():
            gain, error = compare_in_columns(table)
            for name, part in (("gain", gain), ("error", error)):
                rows = part.round(3).fillna(0.0).T.to_dict()
                told[f"{whose} {study}, {name}"] = rows
    return told


def own_and_others(heat: pd.DataFrame) -> dict[str, float]:
    """Compare what networks reach on their own kind of image and on others.

    Of a square heat map: the diagonal's mean, the others', and the greatest loss of a
    network on another kind, against the network of that kind [dB].
    """
    if list(heat.index) != list(heat.columns):
        msg = f"heat must have the same rows and columns; got {heat.shape}"
        raise ValueError(msg)
    values = heat.to_numpy()
    own = np.diag(values)
    others = values[~np.eye(len(values), dtype=bool)]
    return {
        "own": float(own.mean()),
        "others": float(others.mean()),
        "loss": float((own - values).max()),
    }


def summarise(
    maps: Mapping[str, Mapping[str, pd.DataFrame]], leave: str
) -> pd.DataFrame:
    """Tell `own_and_others` of all maps, but for the row of that name, with units."""
    heads = {
        "own": "own kind (dB)",
        "others": "other kinds (dB)",
        "loss": "greatest loss in a column (dB)",
    }
    rows = {
        f"{whose}, {study}": own_and_others(heat.drop(index=leave, errors="ignore"))
        for whose, each in maps.items()
        for study, heat in each.items()
    }
    return pd.DataFrame(rows).T.rename(columns=heads).map("{:.1f}".format)


def tabulate_kinds(tables: Mapping[str, pd.DataFrame], rest: str) -> pd.DataFrame:
    """Compare, kind by kind of image, the network that learnt it with the filter.

    From the tests of `score_networks`, of which `rest` learnt nothing.
    """
    rows = {}
    for study, table in tables.items():
        gains, errors = compare_in_columns(table, rest)
        heats = {m: generalisation_map(table, m) for m in ("psnr", "ssim")}
        for kind in gains.columns:
            rows[study, kind] = {
                "n": table.loc[table["tested on"] == kind, "image"].nunique(),
                "network (dB)": f"{heats['psnr'].loc[kind, kind]:.1f}",
                "filter (dB)": f"{heats['psnr'].loc[rest, kind]:.1f}",
                "network ahead by (dB)": with_sign(
                    gains.loc[kind, kind], errors.loc[kind, kind]
                ),
                "SSIM, network": f"{heats['ssim'].loc[kind, kind]:.3f}",
                "SSIM, filter": f"{heats['ssim'].loc[rest, kind]:.3f}",
            }
    return pd.DataFrame(rows).T.rename_axis(["study", "tested on"])


def tell_losses(tables: Mapping[str, Mapping[str, pd.DataFrame]], rest: str) -> str:
    """Say, study by study, what a network loses most on another kind of image."""
    told = []
    for study in next(iter(tables.values())):
        parts = []
        for whose, each in tables.items():
            gains, errors = compare_in_columns(each[study])
            lost = gains.drop(index=rest, errors="ignore").stack()
            name, kind = lost.idxmin()
            words = with_sign(lost.min(), errors.loc[name, kind])
            parts.append(f"{whose} {words} dB ({name} on {kind})")
        told.append(f"* **{study}**: {', '.join(parts)}")
    return "\n".join(told)


def tell_filter(tables: Mapping[str, pd.DataFrame], rest: str) -> str:
    """Say where what learnt nothing is no worse than the network of the same kind."""
    behind, even = [], []
    for table in tables.values():
        gains, errors = compare_in_columns(table, rest)
        for kind in gains.columns:
            gain, error = gains.loc[kind, kind], errors.loc[kind, kind]
            if gain < -2 * error:
                behind.append(kind)
            elif gain <= 2 * error:
                even.append(kind)
    won = [
        kind
        for table in tables.values()
        for heat in [generalisation_map(table, "ssim")]
        for kind in heat.columns
        if heat.loc[rest, kind] > heat.loc[kind, kind]
    ]
    kinds = sum(table["tested on"].nunique() for table in tables.values())
    return (
        f"In PSNR the filter is ahead of the network of that kind of image, by more "
        f"than two standard errors, on {list_names(behind)}, and within two of it on "
        f"{list_names(even)}. In SSIM it has the higher mean on {len(won)} of {kinds} "
        "kinds."
    )


def tabulate_kept_out(record: Mapping[str, Mapping]) -> pd.DataFrame:
    """Tabulate what ``make kept-out`` measured: gains and standard errors [dB].

    A row for each network, by what was kept from it, a column for each kind that it was
    tested on, with the number of images and of structures.
    """
    names = {key: kind.name for key, kind in KEPT_OUT.items()}
    heads = {
        key: f"{name} ({record['images'][key]} of {record['structures'][key]})"
        for key, name in names.items()
    }
    rows = {}
    for network, gains in record["gain"].items():
        if network == "nothing":  # against itself
            continue
        errors = record["standard error"][network]
        row = f"without {names[network]}" if network in names else network
        rows[row] = {
            heads[kind]: with_sign(gain, errors[kind]) for kind, gain in gains.items()
        }
    return pd.DataFrame(rows).T.rename_axis("network", axis=1)


def tell_kept_out(record: Mapping[str, Mapping]) -> str:
    """Say what was seen on what was kept from a network, and what that can show."""
    gains, errors = record["gain"], record["standard error"]
    told = [
        f"* **{kind.name}**: {with_sign(gains[key][key], errors[key][key])} dB"
        for key, kind in KEPT_OUT.items()
        if key != "nothing"
    ]
    shown = [
        kind.name
        for key, kind in KEPT_OUT.items()
        if key != "nothing" and gains[key][key] < -3 * errors[key][key]
    ]
    seen = f"on {list_names(shown)}" if shown else "nowhere"
    lead = max(-gain for gain in gains["filter"].values())
    return "\n".join(told) + (
        f"\n\nA loss of three standard errors or more is seen {seen}. A smaller one "
        "cannot be told: errors that come from two trainings and a few structures are "
        "rough. And the network that was shown all is ahead of the filter by "
        f"{lead:.1f} dB at most; one that has learnt so little beyond a filter has "
        "little to lose."
    )


def show_heat_maps(tests: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Draw heat maps of what was trained on against what was tested on.

    `tests` are of `score_networks`, by row of the figure, then by study, the same in
    every row. In a cell stand the mean [dB] and the gain of `compare_in_columns` over
    the network of the kind that is tested on, with its standard error; the gain is the
    colour, on one scale for all. Below a column, how many images it has.
    """
    studies = list(next(iter(tests.values())))
    letters = iter("abcdefghijklmnop")
    mosaic = [[next(letters) for _ in studies] for _ in tests]
    gains = {
        whose: {study: compare_in_columns(table) for study, table in each.items()}
        for whose, each in tests.items()
    }
    shapes = {
        whose: [gain.shape for gain, _ in each.values()]
        for whose, each in gains.items()
    }
    heights = [0.42 * max(n for n, _ in each) + 0.8 for each in shapes.values()]
    widths = [max(4, wide) for _, wide in next(iter(shapes.values()))]
    fig, panels = arrange_panels(
        mosaic, height=sum(heights), widths=widths, heights=heights
    )
    every = [gain for row in gains.values() for gain, _ in row.values()]
    apart = max(float(gain.abs().max(axis=None)) for gain in every)
    scale = Normalize(-apart, apart)
    for names, (row, each) in zip(mosaic, tests.items(), strict=True):
        for name, (study, table) in zip(names, each.items(), strict=True):
            _draw_heat(panels[name], table, *gains[row][study], scale)
            panels[name].set_title(f"({name}) {row}: {study}", fontsize=8)
        panels[names[0]].set_ylabel("trained on", fontsize=7.5)
    for name in mosaic[-1]:
        panels[name].set_xlabel("tested on (images)", fontsize=7.5)
    shown = panels[mosaic[0][0]].images[0]
    bar = fig.colorbar(shown, ax=list(panels.values()), shrink=0.6, pad=0.01)
    bar.set_label("gain over the network of the kind tested on (dB)", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    return fig


def _draw_heat(
    ax: Axes,
    table: pd.DataFrame,
    heat: pd.DataFrame,
    errors: pd.DataFrame,
    scale: Normalize,
) -> None:
    """Draw one map; a network's own kind is bold, dark cells get light words."""
    means = generalisation_map(table).to_numpy()
    counts = table.groupby("tested on")["image"].nunique()
    shown = ax.imshow(heat, cmap=_HEAT, norm=scale, aspect="auto")
    kinds = [f"{kind}\n({counts[kind]})" for kind in heat.columns]
    ax.set_xticks(range(heat.shape[1]), kinds, fontsize=6)
    ax.set_yticks(range(heat.shape[0]), heat.index, fontsize=6.5)
    ax.tick_params(length=0)
    for (i, j), value in np.ndenumerate(heat.to_numpy()):
        red, green, blue, _ = shown.to_rgba(value)
        light = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        look = {"ha": "center", "va": "center", "fontsize": 6}
        look["color"] = "white" if light else "black"
        own = heat.index[i] == heat.columns[j]
        error = errors.to_numpy()[i, j]
        words = f"{means[i, j]:.1f}"
        if not own and error:
            words += "\n" + with_sign(value, error).replace(" ± ", "\n±")
        look["fontweight"] = "bold" if own else "normal"
        ax.text(j, i, words, **look)
