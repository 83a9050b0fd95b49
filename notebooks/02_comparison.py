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
# # Denoisers compared: Fourier filters, PURE-LET, network
#
# One micrograph through the three methods that the paper compares, then through every denoiser of the library; and their scores on an image whose truth is known.

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
from sbd.companion import wording
from sbd.companion.pages import comparison

sbd.check_parameters()
size = sbd.at_scale(scale)
model, rng = sbd.load_model(), np.random.default_rng(seed)
micrograph = sbd.example_micrograph(source, rng=rng, crop=size.crop)
denoised = sbd.denoise(micrograph.noisy, model, device=device)
pixel_size = micrograph.pixel_size
wording.tell_image(micrograph)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One micrograph and three denoisers: the whole frame, the particle (red) and its left edge (orange), at the places where the network's image has them. The three denoised images have one grey scale, that of the bar; the counts have one of their own.", "name": "fig-result"}, "image": {"alt": "Four columns: noisy data, Fourier spot filter, PURE-LET and the network. Three rows: whole frame with two boxes, a zoom on the particle and a zoom on its edge, each with a scale bar and a grey bar at the right.", "width": "100%"}}
boxes = sbd.particle_boxes(sbd.find_columns(denoised), denoised.shape, pixel_size)
images = {
    "(a) Data": micrograph.noisy,
    "(b) Spot filter": sbd.denoise_spot_filter(micrograph.noisy),
    "(c) PURE-LET": sbd.denoise_purelet(micrograph.noisy, gain=1.0),
    "(d) SBD": denoised,
}
limits, grey = comparison.choose_grey(images)
looks = {"pixel_size": pixel_size, "heading": wording.describe_micrograph(micrograph)}
fig = comparison.show_zooms(images, boxes, limits=limits, **looks)
numbers = {
    "source": micrograph.source,
    "seed": seed,
    "spread": {name: round(float(image.std()), 4) for name, image in images.items()},
    "grey": [round(end, 3) for end in grey],
}
frames = comparison.frame_box(images, boxes[0], limits=grey, pixel_size=pixel_size)
name = "02_comparison-micrograph"
numbers = sbd.save_figure(fig, name, numbers, figures, frames=frames)

# %% [markdown]
# The particle alone, one image against another:
#
# ```{compare} 02_comparison-micrograph
# :label: Two images of the particle
# :alt: The particle and what is around it
# :left: Data
# :right: SBD
# The part of the figure in the red box. The counts, too, have the grey scale of the denoised images here; what lies beyond it is black or white.
# ```

# %% [markdown]
# ## Every other denoiser on the same counts
# Look at the vacuum, where nothing should be, and at the edge of the particle: a filter that knows only the whole crystal goes on with it beyond the edge.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The same counts through the other denoisers of the library, in the grey scale of the figure above; what lies beyond it is black or white.", "name": "fig-others"}, "image": {"alt": "Eight small images of the same micrograph in two rows, one for each denoiser, with its name above and a scale bar; a grey bar at the right.", "width": "100%"}}
shown = ("raw counts", "constant", "spot filter", "PURE-LET")
others = {n: f for n, f in sbd.classical_denoisers().items() if n not in shown}
images = {name: f(micrograph.noisy) for name, f in others.items()}
fig = sbd.show_images(images, limits=grey, bar="electrons per pixel", **looks)
numbers = {"source": micrograph.source, "seed": seed}
numbers |= {name: round(float(image.std()), 4) for name, image in images.items()}
numbers = sbd.save_figure(fig, "02_comparison-others", numbers, figures)

# %% [markdown]
# ## Scores on an image whose truth is known
# The authors' clean image PtNp2-S3_5, resized as they do, or the bundled simulated image where it is not at hand; the heading tells which. Its expected counts are drawn as Poisson numbers and judged by the authors' metric. The raw counts are in the table only. A constant, the mean of the noisy image, shows how little a decibel means by itself. The paper's network is the published one, of 4 scales and 128 channels, which had [minutes of a GPU](../data.md) here. The filters run with their defaults; [a later page](12_filters) tunes them, on other images, and judges them by more than one number.

# %%
clean, title = sbd.example_truth(source)
denoisers = sbd.classical_denoisers()
if bm3d:
    denoisers["VST + BM3D"] = sbd.denoise_bm3d
networks = {"network": model, "paper's network": sbd.load_model("weights/paper-4x128")}
for name, one in networks.items():
    denoisers[name] = lambda noisy, one=one: sbd.denoise(noisy, one, device=device)
table = comparison.score_draws(clean, denoisers, draws=size.draws, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PSNR of each denoiser by the authors' metric, whole image: mean over draws of the counts, with standard errors (smaller than the dots where none is seen). A dotted line is a constant image. Where the image is the authors', a second one is the mean that the authors' log gives for the paper's network, over 279 validation images.", "name": "fig-table"}, "image": {"alt": "A chart with one dot for each denoiser, the best on top, and its PSNR in decibels along the horizontal axis; dotted vertical lines at the PSNR of a constant and, where it can be compared, at the paper's value.", "width": "80%"}}
paper = comparison.PAPER if title.startswith("authors") else None
fig = comparison.show_psnr(table, paper=paper, heading=title)
numbers = comparison.list_scores(table)
numbers |= {"source": micrograph.source, "judged_on": title}
numbers |= {"draws": size.draws, "seed": seed}
numbers = sbd.save_figure(fig, "02_comparison", numbers, figures)

# %%
comparison.tabulate_scores(table)

# %%
record = wording.read_measured("score")
wording.markdown(comparison.tell_scores(table, record, size.draws))

# %% [markdown]
# No network here was trained on PtNp2-S3_5 itself. But the training split holds images that are nearly like it: PtNp2-D0 on a support as thick, at the same tilt and defocus, differs from it by one column. A score on that image says how well a network does on what it knows.
