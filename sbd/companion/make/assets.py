"""Make the simulated micrograph that the package bundles: ``make assets``.

    python -m sbd.companion.make.assets

Its structure, thickness, tilt and defocus are in no benchmark that a network is trained
on.
"""

import numpy as np

import sbd
from sbd.companion.make.packing import ASSETS, enter_digest
from sbd.files import replacing


def main() -> None:
    """Simulate the image, write it, enter its digest in the catalogue and print it."""
    edits = [(0, 0, -3), (1, 7, -6)]
    atoms = sbd.pt_on_ceria("PtNp1", edits, thickness=45.0, tilt=(2.5, 0.5))
    wave = sbd.exit_wave(atoms, grid=768)
    clean = sbd.form_image(wave, defocus=70.0).astype(np.float16)
    path = ASSETS / "example_simulated.npz"
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            clean=clean,
            box=50.0,
            crop_rows=(0.06, 0.88),
            crop_cols=(0.02, 0.90),
            label="PtNp1 without two edge columns",
        )
    print(path.name, enter_digest("example/simulated", path))


if __name__ == "__main__":
    main()
