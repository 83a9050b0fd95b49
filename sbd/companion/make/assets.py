"""Make the simulated micrograph that the package bundles: ``make assets``.

Its structure, thickness, tilt and defocus are in no benchmark that a network is trained
on.
"""

import hashlib
from pathlib import Path

import numpy as np

import sbd

ASSETS = Path(__file__).parents[2] / "assets"


def main() -> None:
    """Simulate the image, write it and print its digest for the catalogue."""
    edits = [(0, 0, -5), (1, 7, -4)]
    atoms = sbd.pt_on_ceria("PtNp1", edits, thickness=45.0, tilt=(2.5, 0.5))
    wave = sbd.exit_wave(atoms, grid=768)
    clean = sbd.form_image(wave, defocus=70.0).astype(np.float16)
    part = ASSETS / "example_simulated.part.npz"
    np.savez_compressed(
        part,
        clean=clean,
        box=50.0,
        crop_rows=(0.06, 0.88),
        crop_cols=(0.02, 0.90),
        label="PtNp1 without two edge columns",
    )
    path = part.with_name("example_simulated.npz")
    part.replace(path)
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
