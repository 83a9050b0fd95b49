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
# # Image borders: what cropping a micrograph does to a denoising network
#
# A micrograph ends where the detector ends. What a network makes of a column far from any border should not depend on that. Here the same counts are denoised twice, the second time with some columns of pixels cut off.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
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
import pandas as pd

import sbd
from sbd.companion.pages import borders

sbd.check_parameters()
size = sbd.at_scale(scale)
rng = np.random.default_rng(seed)
micrograph = sbd.example_micrograph("simulated", rng=rng, crop=size.crop)
middle = micrograph.clean.shape[0] // 2
band = micrograph.clean[middle - 152 : middle + 152]  # a multiple of 16, across it
wide = np.tile(band, (1, 1 if size.crop else 2))
noisy = sbd.poisson_noise(wide, rng=rng)
origin = {"source": "simulated", "seed": seed}

# %%
paper = sbd.load_model("weights/paper-4x128")
ways = {
    "paper's network, published": borders.ZeroFilledUNet(paper),
    "paper's network, mirrored": paper,
    "default network": sbd.load_model(),
}
runs = {
    name: borders.remember(lambda y, model=model: sbd.denoise(y, model, device=device))
    for name, model in ways.items()
}

# %% mystnb={"figure": {"caption": "Above: estimates, all on one grey scale. Below: what changes in them when the last 15 columns of pixels are cut off at the right.", "name": "fig-borders"}, "image": {"alt": "Three denoised images of a particle with scale bars and one grey bar, and below each a map in red and blue of what changes, with a colour bar in per cent of the vacuum.", "width": "100%"}}
estimates = {name: run(noisy)[:, :-15] for name, run in runs.items()}
maps = {name: run(noisy[:, :-15]) - estimates[name] for name, run in runs.items()}
last = np.s_[:, -band.shape[0] :]
shown = {name: image[last] for name, image in estimates.items()}
changed = {name: image[last] for name, image in maps.items()}
fig = borders.show_cuts(shown, changed, limit=0.05)
psnrs = {name: borders.border_psnr(wide.T, run(noisy).T) for name, run in runs.items()}
numbers = {k: {n: round(x, 2) for n, x in v.items()} for k, v in psnrs.items()}
numbers = sbd.save_figure(fig, "09_borders", origin | numbers, figures)

# %% [markdown]
# ## Three ways to use weights
#
# The image is a band of the bundled one, twice side by side, so that there is room; the figure shows its far end. *Published* is the paper's network, 4 scales and 128 channels, as its authors evaluate it, here with weights [trained by this project](../data.md). *Mirrored* is how this library runs the same weights. The *default* network comes last.
#
# The published evaluation fails twice. Its decoder interpolates from corner to corner, so that every place in the image depends on the image's size. And where a side is no multiple of 16 pixels, it fills up with zeros what is missing, which spoils the far border. The authors' own figures for whole images and for patches differ ([differences](../differences.md)); what the border costs over their 279 validation images, made again, stands [with the weights](../data.md), and below for one draw of this image. Mirroring the image up to a multiple of 16 mends the border. The dependence on the size stays, since it is in the way the weights are used. The default network works on tiles, and so on a grid: a cut at the far end matters as far as it looks, but an image that begins in between two tiles is another image to it, everywhere.

# %% [markdown]
# PSNR of the whole image and of its parts along the far border, for one draw of the counts:

# %%
borders.tabulate_borders(psnrs)

# %% [markdown]
# ## How far a cut is felt
#
# For three cuts, by the distance from the new end: the largest change there or farther away, relative to the largest value of the estimate.

# %% mystnb={"figure": {"caption": "The largest change, at a distance from the cut or beyond, when so many columns of pixels are cut off. Written above: what the cut does to all that is left of the image, in decibels of PSNR, and as the share of the atomic columns that are not found both before and after.", "name": "fig-borders-distance"}, "image": {"alt": "Three charts on a logarithmic axis, one for each cut, with a line for each of the three networks that begins at the cut; above the lines, in their colours, what the cut costs in decibels and columns.", "width": "100%"}}
cuts = {"15 at the far end": 15, "16 at the near end": -16, "256 at the near end": -256}
changes = {
    cut: {n: borders.change_by_distance(run, noisy, cut=c) for n, run in runs.items()}
    for cut, c in cuts.items()
}
costs = {
    cut: {n: borders.cut_cost(run, wide, noisy, cut=c) for n, run in runs.items()}
    for cut, c in cuts.items()
}
fig = borders.show_changes(changes, costs)
falls = pd.concat({cut: pd.DataFrame(each) for cut, each in changes.items()}, axis=1)
falls = falls.dropna()  # the shortest of them
falls = falls.loc[[d for d in (0, 64, 128, 256, 512, 1024) if d in falls.index]]
numbers = {cut: falls[cut].map(lambda x: float(f"{x:.1e}")).to_dict() for cut in cuts}
numbers = sbd.save_figure(fig, "09_borders-distance", origin | numbers, figures)

# %%
borders.tell_reach(changes, costs, "default network")

# %% [markdown]
# A large change in a few pixels need not matter, so the last table says what is left of the image after each cut: its PSNR, and the atomic columns that are found before and after, of which some may not be found in both within half an angstrom.

# %%
borders.tabulate_costs(costs)

# %% [markdown]
# ## What to do about it
#
# * **Keep what matters away from the border**, whatever the network; the chart says how far.
# * **A place that changes with the cut was uncertain before.** Shifting an image by a few pixels and denoising again is a cheap way to see which columns hang by a thread.
# * **Do not cut a micrograph before you denoise it**, unless the network is one whose tiles fit together; `sbd.denoise(counts, tile=1024)` refuses one whose do not.
