"""Denoise one image with a network of topaz-em: ``run_topaz.py NETWORK IN OUT``.

Runs in an environment with ``topaz-em`` (tried with 0.3.20, GPL-3.0), not in that of
sbd. NETWORK is one of its pretrained ones (unet, unet-small, fcnn, affine). Its own
``Denoise`` brings an image to mean 0 and standard deviation 1 and undoes it afterwards,
so the counts go in as they are.

Bepler, Kelley, Noble, Berger, "Topaz-Denoise: general deep denoising models for cryoEM
and cryoET", Nature Communications 11 (2020) 5208.
"""

import sys

import numpy as np


def main(network: str, given: str, wanted: str) -> None:
    """Read, denoise, write."""
    from topaz.denoise import Denoise

    noisy = np.load(given).astype(np.float32)
    estimate = Denoise(network).denoise(noisy)
    np.save(wanted, np.asarray(estimate, np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:])
