"""Structures of gold and their microscope, for ``make gold``; and its weights.

    python -m sbd.companion.make.gold write FOLDER
    python -m sbd.companion.make.gold pack FOLDER COMMIT

The first command writes what a reader would bring: structure files, in ``train`` and
``held-out``, and ``optics.json``. ``sbd simulate`` and ``sbd train`` do the rest. The
second puts the last network into the package, with a card.
"""

import argparse
import json
from pathlib import Path

from sbd.companion.make.packing import pack_weights
from sbd.companion.make.weights import read_runs
from sbd.companion.pages.material import DEFOCI, TILTS, write_optics, write_structures
from sbd.files import write_json

LEARNT, HELD_OUT = range(48), range(100, 106)
"""Seeds of the particles; those of the page are 200 and more."""


def write(folder: Path) -> None:
    """Write the structures and the optics."""
    write_structures(folder / "train", LEARNT)
    write_structures(folder / "held-out", HELD_OUT)
    write_optics(folder / "optics.json")


def pack(folder: Path, commit: str) -> None:
    """Pack the weights and write their card."""
    runs, curve = read_runs([(folder / "pilot", commit), (folder / "crystal", commit)])
    weights = pack_weights("gold", folder / "crystal", bits=16)
    images = len(TILTS) * len(DEFOCI)
    card = {
        "name": "weights/gold",
        "data": {
            "made by": "sbd simulate --structures (sbd.companion.pages.material)",
            "images": {
                "train": len(LEARNT) * images,
                "valid": len(HELD_OUT) * images,
            },
            "microscope": "200 kV, Cs 0.6 mm, foci of -75 to -30 nm",
        },
        **runs,
        "cost": {
            name: json.loads((folder / name / "cost.json").read_text())
            for name in ("pilot", "crystal")
        },
        "curve": curve,
    }
    write_json(weights.with_suffix(".json"), card)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("write", "pack"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("commit", nargs="?", default="")
    given = parser.parse_args()
    if given.what == "write":
        write(given.folder)
    else:
        pack(given.folder, given.commit)


if __name__ == "__main__":
    main()
