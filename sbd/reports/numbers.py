"""The numbers of a report, as JSON has them."""

import platform
from importlib.metadata import version

import numpy as np
import pandas as pd

from sbd.evidence.verdicts import VERDICTS, tabulate_verdicts
from sbd.reports.content import Content
from sbd.reports.residuals import ResidualTest

_PACKAGES = "sbd", "torch", "numpy", "scipy"


def list_numbers(content: Content) -> dict[str, object]:
    """List all that a report says: plain numbers, words, lists and dicts."""
    recording, report = content.recording, content.report
    options = content.options
    found = {
        "file": content.file,
        "recording": {
            "shape": list(recording.shape),
            "first pixel": list(recording.corner),
            "frames": recording.frames,
            "dtype": str(recording.values.dtype),
            "pixel [angstrom]": recording.pixel.sides,
            "pixel from": recording.pixel.source,
            "exposure of a frame [s]": recording.exposure,
            "unit": recording.unit,
            "title": recording.title,
        },
        "counts": {
            "verdict": report.verdict,
            "counted": report.counted,
            "independent": report.independent,
            "unit": report.unit,
            "offset": report.offset,
            "read noise [electrons]": report.read_noise,
            "dispersion": report.dispersion,
            "electrons per pixel": report.dose,
            "electrons per square angstrom": report.dose_area,
            "recorded share": float(report.recorded.mean()),
            "hot pixels": report.hot + np.array(recording.corner),
            "findings": [vars(one) for one in report.findings],
            "histogram": _list_rows(content.histogram),
        },
        "ranking": _list_ranking(content.ranking),
        "residuals": {k: _list_test(v) for k, v in content.residuals.items()},
        "columns": _list_verdicts(content),
        "inventions": _list_inventions(content.inventions),
        "not done": content.reasons,
        "warnings": content.warnings,
        "weights": content.weights,
        "options": {
            "model": options.model,
            "denoisers": sorted(options.denoisers) if options.denoisers else None,
            "seed": options.seed,
            "quick": options.quick,
            "splits": options.splits,
            "deals": options.deals,
        },
        "versions": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
    }
    return _plain(found)


def sum_inventions(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Mean of an image and its standard error over the images, by column."""
    names = ["seen", "lost", "invented", "lost after", "invented after"]
    each = table.groupby("image")[names].mean()
    error = each.std(ddof=1) / np.sqrt(len(each))
    return {name: (float(each[name].mean()), float(error[name])) for name in names}


def _list_rows(table: pd.DataFrame | None) -> dict | None:
    if table is None:
        return None
    return {**table.attrs, "rows": table.to_dict("records")}


def _list_ranking(table: pd.DataFrame | None) -> dict | None:
    return None if table is None else _list_rows(table.reset_index())


def _list_inventions(table: pd.DataFrame | None) -> dict | None:
    if table is None:
        return None
    sums = sum_inventions(table).items()
    means = {k: {"mean": mean, "standard error": error} for k, (mean, error) in sums}
    return {**_list_rows(table), "per image": means}


def _list_test(test: ResidualTest) -> dict:
    """Say all of a test but its map, which is rounded."""
    listed = {k: v for k, v in vars(test).items() if k != "residuals"}
    return listed | {"residuals": np.round(test.residuals, 3)}


def tabulate_places(content: Content) -> pd.DataFrame:
    """Tabulate the verdicts, places from the first pixel of what the file has."""
    rows = tabulate_verdicts(content.verdicts)
    row, column = content.recording.corner
    return rows.assign(
        **{
            "row [pixels]": rows["row [pixels]"] + row,
            "column [pixels]": rows["column [pixels]"] + column,
        }
    )


def _list_verdicts(content: Content) -> dict | None:
    verdicts = content.verdicts
    if verdicts is None:
        return None
    rows = tabulate_places(content)
    counted = {kind: int((rows["verdict"] == kind).sum()) for kind in VERDICTS}
    return {
        "number": len(rows), **counted, "settings": verdicts.settings,
        "rows": rows.to_dict("records"),
    }  # fmt: skip


def _plain(value: object) -> object:
    """Make a value JSON's: no NumPy, no NaN, no infinity."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
