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
# # Denoisers side by side
#
# The paper compares its network with what an expert does in Fourier space and with PURE-LET, on a recorded micrograph. Here are the same three, on the best image that can be had, and then every denoiser of the library on an image whose truth is known.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "real", "authors" or "simulated" micrograph
figures = "figures"
bm3d = False  # True adds VST + BM3D, if you installed it (non-commercial licence)

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
from sbd.companion.pages.comparison import show_zooms

sbd.check_parameters()
size = sbd.at_scale(scale)
rng = np.random.default_rng(seed)
model = sbd.load_model()
micrograph = sbd.example_micrograph(source, rng=rng, crop=size.crop)
denoised = sbd.denoise(micrograph.noisy, model, device=device)

# %% [markdown]
# ## On a micrograph
# The boxes are drawn around the particle that the network found, and around its left edge.

# %% mystnb={"figure": {"caption": "One micrograph and three denoisers: the whole frame, the particle (red) and its edge (orange). Each column has one grey scale.", "name": "fig-result"}, "image": {"alt": "Four columns: noisy data, Fourier spot filter, PURE-LET and the network. Three rows: whole frame, a zoom on the particle and a zoom on its edge. The spot filter leaks the lattice into the vacuum, PURE-LET stays blurred, the network shows separate columns and flat vacuum.", "width": "100%"}}
boxes = sbd.particle_boxes(
    sbd.find_columns(denoised), denoised.shape, micrograph.pixel_size
)
images = {
    "(a) Data": micrograph.noisy,
    "(b) Spot filter": sbd.denoise_spot_filter(micrograph.noisy),
    "(c) PURE-LET": sbd.denoise_purelet(micrograph.noisy, gain=1.0),
    "(d) SBD": denoised,
}
fig = show_zooms(images, boxes, limits={"(a) Data": "robust"}, heading=micrograph.title)
numbers = {
    "source": micrograph.source,
    "seed": seed,
    "spread": {name: round(float(image.std()), 4) for name, image in images.items()},
}
numbers = sbd.save_figure(fig, "02_comparison-micrograph", numbers, figures)

# %%
numbers

# %% [markdown]
# And every other denoiser of the library on the same counts. No truth is known for a recorded micrograph; look at the vacuum, where nothing should be, and at the edge of the particle.

# %% mystnb={"figure": {"caption": "The same micrograph through the other denoisers, in the order of the table below.", "name": "fig-others"}, "image": {"alt": "Small images of the micrograph: a blurred one, several with fringes, some with the particle on an even background, and the two sharpest at the end.", "width": "100%"}}
shown = ("raw counts", "constant", "spot filter", "PURE-LET")
others = {n: f for n, f in sbd.classical_denoisers().items() if n not in shown}
images = {name: f(micrograph.noisy) for name, f in others.items()}
fig = sbd.show_images(images, columns=4, width=6.2, heading=micrograph.title)
numbers = {"source": micrograph.source, "seed": seed}
numbers |= {name: round(float(image.std()), 4) for name, image in images.items()}
numbers = sbd.save_figure(fig, "02_comparison-others", numbers, figures)

# %% [markdown]
# ## On an image whose truth is known
# The authors' clean image PtNp2-S3_5, resized as they do, its expected counts drawn as Poisson
# numbers, judged by their metric. Without it, the bundled simulated image stands in.
# A constant, the mean of the noisy image, is in the table to show how little a decibel means
# by itself. No network was trained on this image. The filters run with their defaults;
# [a later page](12_filters) tunes them, on other images, and judges them by more than one number.

# %%
clean, title = sbd.example_truth(source)
denoisers = sbd.classical_denoisers()
if bm3d:
    denoisers["VST + BM3D"] = sbd.denoise_bm3d
denoisers["network"] = lambda noisy: sbd.denoise(noisy, model, device=device)
table = sbd.compare_denoisers(clean, denoisers, draws=size.draws, seed=seed)
table.round({"PSNR": 1, "SSIM": 3})

# %% mystnb={"figure": {"caption": "PSNR by the authors' metric, whole image.", "name": "fig-table"}, "image": {"alt": "Horizontal bars of the PSNR of the raw counts, a constant and eleven denoisers; the network's bar is the longest, followed by correlation averaging and the windowed Fourier threshold.", "width": "80%"}}
fig = sbd.show_scores(
    table["PSNR"].to_dict(), label="PSNR (dB)", reference="constant", heading=title
)
numbers = {
    name: {"psnr": round(row["PSNR"], 2), "ssim": round(row["SSIM"], 4)}
    for name, row in table.iterrows()
}
numbers |= {"source": micrograph.source, "judged_on": title}
numbers |= {"draws": size.draws, "seed": seed}
numbers = sbd.save_figure(fig, "02_comparison", numbers, figures)

# %%
numbers
