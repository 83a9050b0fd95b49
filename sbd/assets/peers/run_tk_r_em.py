"""Denoise one image with a network of tk_r_em: ``run_tk_r_em.py NETWORK IN OUT``.

Runs in an environment with ``tk_r_em``, not in that of sbd; tried with 1.0.4 (GPL-3.0)
on tensorflow-cpu 2.15.1, whose successors cannot read its networks. Version 2
(Apache-2.0) has the same two functions. NETWORK is one of its tags, such as sfr_hrtem.
The counts go in as they are, as in the package's examples.

Lobato, Friedrich, Van Aert, "Deep convolutional neural networks to restore single-shot
electron microscopy images", npj Computational Materials 10 (2024) 10.
"""

import sys

import numpy as np


def main(network: str, given: str, wanted: str) -> None:
    """Read, denoise, write."""
    from tk_r_em import load_network

    noisy = np.load(given).astype(np.float32)
    estimate = load_network(network).predict(noisy[None, :, :, None])
    np.save(wanted, np.asarray(estimate, np.float32).reshape(noisy.shape))


if __name__ == "__main__":
    main(*sys.argv[1:])
