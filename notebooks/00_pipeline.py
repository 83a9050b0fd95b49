# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Simulation-based denoising in one picture: simulate, train, infer
#
# No clean micrograph of a nanoparticle exists to learn from. Simulation-based denoising learns from images whose truth is known, because physics made them, and is then applied to another one, of which only the counts are given.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "real", "authors" or "simulated" micrograph
figures = "figures"

# %% tags=["hide-input"]
import subprocess
import sys
from importlib.metadata import version

repository = ""  # `make repository URL=...` writes the address here
if "google.colab" in sys.modules:
    if not repository:
        sys.exit("This book's repository has no address yet: nothing can be installed.")
    keep = [f"{name}=={version(name)}" for name in ("numpy", "torch")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *keep]
    subprocess.run([*pip, f"sbd[simulation] @ git+{repository}"], check=True)

# %%
import numpy as np

import sbd
from sbd.companion import wording
from sbd.companion.pages.pipeline import show_pipeline

sbd.check_parameters()
size = sbd.at_scale(scale)
rng = np.random.default_rng(seed)
atoms = sbd.pt_on_ceria("PtNp2", thickness=40.0)
tilts = [(3.0, 0.0), (0.0, 2.0), (1.0, 0.0)]
waves = sbd.exit_wave(atoms, grid=size.grid, tilts=tilts)
simulated = [
    image[: int(0.88 * 512), 10:-60]  # without the seam of the periodic box
    for defocus in ([60.0, 120.0])
    for image in (sbd.form_image(wave, defocus=defocus, samples=512) for wave in waves)
]
model = sbd.load_model()
clean = sbd.form_image(waves[0], defocus=60.0, samples=804)[: int(0.88 * 804), 48:-48]
noisy = sbd.poisson_noise(clean, rng=rng)
learnt = sbd.denoise(noisy, model, device=device)
micrograph = sbd.example_micrograph(source, rng=rng, crop=size.crop)
denoised = sbd.denoise(micrograph.noisy, model, device=device)
likelihood = sbd.likelihood_map(micrograph.noisy, denoised, vacuum=micrograph.vacuum)
wording.tell_image(micrograph)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Simulation-based denoising. Simulating: an atomic model and six images of it, at three tilts of the crystal and two defocus values. Training: a clean image, its counts, and what the network makes of them. Inference: a micrograph, denoised, and how far the counts support each atom, as log likelihood ratios against vacuum. Each image has a grey scale of its own; all bars are 1 nm.", "name": "fig-pipeline"}, "image": {"alt": "Three rows of panels. Simulating: an atomic model of a platinum particle on ceria, its projection and six simulated images. Training: a clean image, a noisy one, a network and a denoised image. Inference: a noisy image, a network, the denoised image and a likelihood map with a colour bar in nats per pixel.", "width": "100%"}}
fig = show_pipeline(
    atoms,
    simulated=simulated,
    training=(clean, noisy, learnt),
    inference=(micrograph.noisy, denoised, likelihood.image),
    pixels=(50.0 / 512, 50.0 / 804, micrograph.pixel_size),
    heading=wording.describe_micrograph(micrograph),
)
numbers = {
    "source": micrograph.source,
    "seed": seed,
    "psnr_training_example": round(sbd.psnr(clean, learnt), 1),
    "columns": len(likelihood.columns),
    "vacuum": round(micrograph.vacuum, 3),
}
numbers = sbd.save_figure(fig, "00_pipeline", numbers, figures)

# %% [markdown]
# **Simulate.** Atoms give an exit wave, and the exit wave gives an image at any defocus: [the dataset](01_dataset.ipynb), [the structures](05_structures.ipynb), [how faithful it is](06_fidelity.ipynb).
#
# **Train.** A training pair is a simulated image and the same image counted as electrons. The network shown here is the one that comes with the package; `sbd train` makes it again: [the networks](07_networks.ipynb).
#
# **Infer.** The same network on a micrograph that it was not trained on: [beside other denoisers](02_comparison.ipynb), [what it looks at](03_jacobian.ipynb), and [which atoms the counts support](04_likelihood.ipynb).
