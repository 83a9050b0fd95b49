"""``sbd check``: whether recordings hold electrons."""

import argparse
import json
import sys
from math import isnan
from pathlib import Path

from sbd.cli.files import add_dataset, read_part

HELP = "tell whether files hold counted electrons, and what stands against it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Read recordings and say what their values are: unit, dose, offset, read "
        "noise, clipped, averaged or hot pixels, areas without dose. Exit code 1 if "
        "one cannot be read or holds no electrons."
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE",
        help=".tif, .dm3, .dm4, .emd, .ser, .mrc, .hspy, .h5, .npy, .npz, or a folder "
        "of such",
    )  # fmt: skip
    add_dataset(parser)
    parser.add_argument(
        "--read-noise", type=float, dest="read_noise",
        help="of the detector, if it is known [in the unit of the values]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="write JSON instead")


def run(
    files: list[Path],
    *,
    read_noise: float | None = None,
    json: bool = False,
    **part: object,
) -> int:
    """Say what each file holds; 1 if one holds no electrons."""
    from sbd.recordings.isolation import ReadingProcess
    from sbd.recordings.reading import list_readable

    listed = [file for path in files for file in list_readable(path)]
    with ReadingProcess() as process:
        part["process"] = process
        found = [_check(file, read_noise, part) for file in listed]
    if json:
        sys.stdout.write(_to_json(found))
    else:
        for one in found:
            head = f"{one['file']}: " + one.get("recording", one.get("error", ""))
            sys.stdout.write(f"{head}\n" + "".join(f"  {s}\n" for s in one["says"]))
    return int(not all(one["electrons"] for one in found))


def _check(file: Path, read_noise: float | None, part: dict[str, object]) -> dict:
    """Read and check one file; what is amiss with it does not stop the others."""
    import numpy as np

    from sbd.recordings import check_counts

    try:
        recording = read_part(file, **part)
        report = check_counts(recording, read_noise=read_noise)
    except (ValueError, OSError, ImportError) as error:
        return {"file": str(file), "electrons": False, "error": str(error), "says": []}
    return {
        "file": str(file),
        "electrons": report.independent,
        "recording": str(recording),
        "says": str(report).split("\n"),
        "shape": list(recording.values.shape),
        "pixel": recording.pixel.sides and list(recording.pixel.sides),
        "pixel from": recording.pixel.source,
        "verdict": report.verdict,
        "unit": report.unit,
        "offset": report.offset,
        "read noise": report.read_noise,
        "dispersion": None if isnan(report.dispersion) else report.dispersion,
        "electrons per pixel": report.dose,
        "electrons per square angstrom": report.dose_area,
        "recorded": float(report.recorded.mean()),
        "hot pixels": (report.hot + np.array(recording.corner)).tolist(),
        "findings": [vars(finding) for finding in report.findings],
    }


def _to_json(found: list[dict]) -> str:
    kept = [{k: v for k, v in one.items() if k != "says"} for one in found]
    return json.dumps(kept, indent=1) + "\n"
