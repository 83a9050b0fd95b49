"""Say what audits and comparisons of surfaces found, in sentences and tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbd.audits.hallucinations import disagreement
from sbd.audits.scenes import Scene
from sbd.companion.wording import list_names, markdown, tell_copy, with_error

if TYPE_CHECKING:
    from IPython.display import Markdown

_WORDS = {
    "psnr": "PSNR (dB)",
    "recall": "recall of the columns",
    "f1": "F1 of the columns",
    "surface_jaccard": "Jaccard of the surface",
}


def tell_scenes(scenes: Mapping[str, Scene]) -> "Markdown":
    """Say how many of `surface_scenes` are the authors' files."""
    theirs = sum("authors" in scene.title for scene in scenes.values())
    shown = f"Of the first {len(scenes)} images {theirs} are the authors' files, "
    shown += f"{len(scenes) - theirs} are simulated here from the same structures."
    missing = "the first images are simulated here from the same structures"
    return tell_copy(whole=theirs > 0, shown=shown, missing=missing)


def disagree_with_errors(
    table: pd.DataFrame, metrics: Sequence[str]
) -> tuple[pd.Series, pd.Series]:
    """Give `sbd.audits.hallucinations.disagreement`, and its standard error.

    By leaving out one method after the other (the jackknife), as pairs with a method
    in common are not independent.
    """
    methods = list(dict.fromkeys(table["method"]))
    whole = disagreement(table, metrics)
    if len(methods) < 3:
        return whole, whole * np.nan
    less = pd.DataFrame(
        [disagreement(table[table["method"] != name], metrics) for name in methods]
    )
    spread = ((less - less.mean()) ** 2).sum(skipna=False)
    return whole, (spread * (len(methods) - 1) / len(methods)) ** 0.5


def disagree_along(
    table: pd.DataFrame, along: str, metrics: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give `disagree_with_errors` for each value of a column that has any pair."""
    found = {
        value: disagree_with_errors(rows, metrics)
        for value, rows in table.groupby(along)
    }
    shares = pd.DataFrame({value: share for value, (share, _) in found.items()}).T
    errors = pd.DataFrame({value: error for value, (_, error) in found.items()}).T
    shares = shares.dropna()
    return shares, errors.loc[shares.index]


def tabulate_opposed(shares: pd.Series, errors: pd.Series) -> pd.DataFrame:
    """Write `disagree_with_errors` in per cent."""
    told = [
        with_error(100 * share, 100 * error)
        for share, error in zip(shares, errors, strict=True)
    ]
    names = [_WORDS.get(name, name) for name in shares.index]
    return pd.DataFrame({"pairs in opposite order (%)": told}, names)


def tabulate_surfaces(scores: pd.DataFrame) -> pd.DataFrame:
    """Write the scores of `compare_surfaces` with units."""
    return pd.DataFrame({
        "PSNR (dB)": [
            "the same" if np.isinf(x) else f"{x:.1f}" for x in scores["psnr"]
        ],
        "F1 of the surface": scores["f1"].map("{:.3f}".format),
        "Jaccard of the surface": scores["jaccard"].map("{:.3f}".format),
        "least occupancy": scores["occupancy"].map("{:.2f}".format),
    }, scores.index)  # fmt: skip


def tell_surfaces(scores: pd.DataFrame, printed: Mapping[str, float]) -> "Markdown":
    """Say what one number makes of wrong surfaces, beside what the authors print."""
    wrong = scores[~scores.index.str.startswith("reference")]
    clean = wrong[~wrong.index.str.contains("disturbed")]
    right = scores.loc["reference, disturbed", "psnr"]
    before = (clean["psnr"] > right).sum()
    ends = [f"{clean['psnr'].min():.1f}", f"{clean['psnr'].max():.1f}"]
    scored = {name: sorted({f"{x:.3f}" for x in wrong[name]}) for name in _PRINTED}
    told = ", ".join(
        f"{words} {list_names(scored[name])} ({printed[name]:.3f} in the authors' "
        "notebook)"
        for name, words in _PRINTED.items()
    )
    return markdown(
        f"Each wrong surface has {told}. Without an error they have "
        f"{' to '.join(dict.fromkeys(ends))} dB against the reference, and the right "
        f"one has {right:.1f} dB with it: PSNR puts {before} of {len(clean)} wrong "
        "surfaces before the right one."
    )


_PRINTED = {"f1": "F1", "jaccard": "Jaccard index"}


def tell_focus(
    scenes: Mapping[float, Scene],
    table: pd.DataFrame,
    opposed: pd.DataFrame,
    errors: pd.DataFrame,
) -> "Markdown":
    """Say where PSNR is best, and where it has methods upside down."""
    means = table.groupby(["method", "defocus"], sort=False)["psnr"].mean().unstack()
    best = means.idxmax(axis=1).value_counts()
    focus, number = best.index[0], int(best.iloc[0])
    hit = scenes[focus].truth.hit
    share, error = opposed["f1"], errors["f1"].fillna(0)
    sides = {
        "the opposite order": share.index[share - 2 * error > 0.5],
        "the same order": share.index[share + 2 * error < 0.5],
    }
    told = [
        f"{number} of {len(means)} methods have their highest PSNR at {focus:g} nm, "
        f"where the finder sees {hit.sum()} of {len(hit)} columns in the clean image."
    ]
    for words, foci in sides.items():
        if len(foci):
            places = list_names([f"{x:g}" for x in foci])
            told.append(
                f"At {places} nm PSNR and F1 put most pairs of methods in {words}, by "
                "more than two standard errors."
            )
    near = table[table["defocus"] == share.index[0]].groupby("method", sort=False)
    scores = near[["psnr", "f1"]].mean()
    first = scores["f1"].idxmax()
    place = int(scores["psnr"].rank(ascending=False)[first])
    told.append(
        f"At {share.index[0]:g} nm the best F1, {scores['f1'].max():.2f}, is that of "
        f"{first}, in PSNR number {place} of {len(scores)}."
    )
    return markdown(" ".join(told))


def tabulate_along(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Tell, method by method, how often PSNR puts pairs of defoci the other way round.

    In per cent of the pairs of one draw.
    """
    groups = table.groupby("method", sort=False)
    shares = groups.apply(disagreement, metrics, same=["draw"])
    told = (100 * shares).map(lambda x: "no pair" if np.isnan(x) else f"{x:.0f}")
    return told.rename(columns={name: f"{_WORDS[name]} (%)" for name in told})


def list_means(
    table: pd.DataFrame, along: str, metrics: Sequence[str], unit: str = ""
) -> dict[str, dict[str, float]]:
    """List means of scores by method and by dose or defocus, for a figure's numbers."""
    means = table.groupby(["method", along], sort=False)[list(metrics)].mean()
    rows = means.round(2).dropna().iterrows()
    return {f"{name}, {at:g}{unit}": row.to_dict() for (name, at), row in rows}


def list_audit(
    table: pd.DataFrame, vacuum: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """List what is lost and invented by method and dose, for a figure's numbers."""
    by = ["method", "dose"]
    audit = table.groupby(by, sort=False)[["seen", "lost", "invented"]].mean()
    empty = vacuum.rename(columns={"columns": "in vacuum"}).set_index(by)
    audit = audit.join(empty[["relative", "peaks", "in vacuum"]]).round(3)
    return {f"{name}, {at:g}": row.to_dict() for (name, at), row in audit.iterrows()}


def tell_dose(table: pd.DataFrame) -> "Markdown":
    """Say what the raw counts have at the highest dose, beside a constant image."""
    dose = table["dose"].max()
    some = table[table["dose"] == dose].groupby("method", sort=False)
    scores = some[["psnr", "f1"]].mean()
    if not {"raw counts", "constant"} <= set(scores.index):
        return markdown("")
    raw, flat = scores.loc["raw counts"], scores.loc["constant"]
    place = int(scores["f1"].rank(ascending=False)["raw counts"])
    return markdown(
        f"At {dose:g} e/pixel the raw counts have {raw['psnr']:.1f} dB, a constant "
        f"image {flat['psnr']:.1f} dB; F1 of the raw counts is {raw['f1']:.2f}, number "
        f"{place} of {len(scores)}."
    )


def tabulate_doses(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Write means over images with their standard errors, by method and dose."""
    groups = table.groupby(["method", "dose"], sort=False)
    columns = {}
    for metric in metrics:
        means, errors = groups[metric].mean(), groups[metric].sem().fillna(0)
        told = pd.Series(
            [with_error(*pair) for pair in zip(means, errors, strict=True)], means.index
        ).unstack("dose")
        columns[_WORDS[metric]] = told.loc[list(dict.fromkeys(table["method"]))]
    told = pd.concat(columns, axis=1)
    told.columns = told.columns.set_levels(
        [f"{dose:g} e/pixel" for dose in told.columns.levels[1]], level=1
    )
    return told


def tabulate_audit(
    table: pd.DataFrame, vacuum: pd.DataFrame, dose: float
) -> pd.DataFrame:
    """Write what is lost and invented at one dose, and what becomes of vacuum."""
    some = table[table["dose"] == dose].groupby("method", sort=False)
    empty = vacuum[vacuum["dose"] == dose].set_index("method")
    columns = {}
    for name in ("seen", "lost", "invented"):
        means, errors = some[name].mean(), some[name].sem().fillna(0)
        columns[f"{name} (columns in an image)"] = [
            with_error(*pair, digits=1) for pair in zip(means, errors, strict=True)
        ]
    told = pd.DataFrame(columns, means.index)
    told["deviation in vacuum (%)"] = (100 * empty["relative"]).map("{:.1f}".format)
    told["of that periodic (%)"] = (100 * empty["peaks"]).map("{:.0f}".format)
    told["columns in vacuum (1/nm\u00b2)"] = empty["columns"].map("{:.1f}".format)
    return told
