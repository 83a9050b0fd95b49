"""The authors' images without a label."""

import json
from pathlib import Path

import pandas as pd

MEASURED = Path(__file__).resolve().parents[4] / "book" / "measured" / "specimens.json"
"""What `make unlabelled` wrote; an installed package is without it."""

_REGIONS = "support", "particle", "frame"


def tabulate_unlabelled(path: Path = MEASURED) -> pd.DataFrame:
    """List how well each image is simulated, by region; empty without the file.

    A row for each image and microscope: what was found, and the error as a part of the
    contrast [%].
    """
    if not path.is_file():
        return pd.DataFrame()
    rows = {}
    for name, measured in json.loads(path.read_text("utf8")).items():
        if not name.startswith("unlabelled/"):
            continue
        found = measured["found"]
        told = (
            "{particle} {defect}, {thickness:g} \u00c5, tilt ({tilt_x:g}, {tilt_y:g}), "
            "{defocus:g} nm"
        ).format(**found)
        for microscope, regions in measured.items():
            if microscope in ("found", "minutes"):
                continue
            row = {"found": told}
            for region in _REGIONS:
                row[f"correlation, {region}"] = regions[region]["correlation"]
                off = 100 * regions[region]["error over contrast"]
                row[f"error, {region} (%)"] = round(off, 1)
            image = name.removeprefix("unlabelled/")
            rows[image, microscope] = row
    return pd.DataFrame(rows).T.rename_axis(["image", "microscope"])
