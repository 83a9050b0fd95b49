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
# # Where the image ends
#
# A micrograph ends where the detector ends. What a network makes of a column far from any border should not depend on that. Here the same counts are denoised twice, the second time a little less of them, with some columns cut off at the far or the near end. The image is three times the bundled one side by side, so that there is room.

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
wide = np.tile(micrograph.clean, (1, 1 if size.crop else 3))
noisy = sbd.poisson_noise(wide, rng=rng)
origin = {"source": "simulated", "seed": seed}

# %% [markdown]
# ## Three ways to use weights
#
# *Published* is the paper's network as its authors evaluate it, here with weights trained by this project. *Mirrored* is how this library runs the same weights. The *default* network comes last.
#
# The published evaluation fails twice. Its decoder interpolates from corner to corner, so that every place in the image depends on the image's size. And where a side is no multiple of 16 pixels, it fills up with zeros what is missing, which spoils the far border; this is why the authors' own figures for whole images and for patches differ ([differences](../differences.md)). Mirroring the image up to a multiple mends the border. The dependence on the size stays, since it is in the way the weights are used. In the default network a cut matters as far as it looks, which is far: several hundred pixels, faintly, and beyond that not at all. It works on tiles, though, and so on a grid: an image that begins in between is another image to it, everywhere.

# %%
paper = sbd.load_model("weights/paper")
ways = {
    "paper's network, published": borders.ZeroFilledUNet(paper),
    "paper's network, mirrored": paper,
    "default network": sbd.load_model(),
}
runs = {
    name: borders.remember(lambda y, model=model: sbd.denoise(y, model, device=device))
    for name, model in ways.items()
}

# %% [markdown]
# ## What changes
#
# On the last part of the image, when its last 15 columns are cut off:

# %% mystnb={"figure": {"caption": "Above: estimates. Below: what changes in them when the last 15 columns are cut off.", "name": "fig-borders"}, "image": {"alt": "Three denoised images of a particle, and below each a map of what changes.", "width": "100%"}}
estimates = {name: run(noisy)[:, :-15] for name, run in runs.items()}
maps = {name: run(noisy[:, :-15]) - estimates[name] for name, run in runs.items()}
last = np.s_[:, -micrograph.clean.shape[1] :]
shown = {name: image[last] for name, image in estimates.items()}
changed = {name: image[last] for name, image in maps.items()}
fig = borders.show_cuts(shown, changed, limit=0.05)
psnrs = {name: borders.border_psnr(wide.T, run(noisy).T) for name, run in runs.items()}
numbers = {k: {n: round(x, 2) for n, x in v.items()} for k, v in psnrs.items()}
numbers = sbd.save_figure(fig, "09_borders", origin | numbers, figures)

# %% [markdown]
# And for three cuts, by the distance from the new end, the largest change there or farther away, relative to the largest value:

# %% mystnb={"figure": {"caption": "The largest change, beyond a distance from the cut, when (a) the last 15 columns are cut off, (b) the first 16, (c) the first 256.", "name": "fig-borders-distance"}, "image": {"alt": "Three charts on a logarithmic axis. The two lines of the paper's network nearly coincide, fall and then level off; that of the default network falls below them in the first and third chart, and stays flat above them in the second.", "width": "100%"}}
cuts = {"15 at the far end": 15, "16 at the near end": -16, "256 at the near end": -256}
changes = {
    cut: {n: borders.change_by_distance(run, noisy, cut=c) for n, run in runs.items()}
    for cut, c in cuts.items()
}
fig = borders.show_changes(changes)
falls = pd.concat({cut: pd.DataFrame(each) for cut, each in changes.items()}, axis=1)
falls = falls.dropna()  # the shortest of them
falls = falls.loc[[d for d in (0, 64, 128, 256, 512, 1024) if d in falls.index]]
numbers = {cut: falls[cut].map(lambda x: float(f"{x:.1e}")).to_dict() for cut in cuts}
numbers = sbd.save_figure(fig, "09_borders-distance", origin | numbers, figures)

# %%
falls.map("{:.1e}".format)

# %% [markdown]
# PSNR of the whole image, its last 32 columns, the 32 before them, and the rest:

# %%
pd.DataFrame(psnrs).T.round(2)

# %% [markdown]
# And what a cut of 16 columns at the near end does to all that is left of the image: PSNR before and after, and of the atomic columns that are found before or after, the share that is not found in both within half an angstrom.

# %%
costs = {name: borders.cut_cost(run, wide, noisy, cut=16) for name, run in runs.items()}
pd.DataFrame(costs).T.round(3)

# %% [markdown]
# ## What to do about it
#
# * **Keep what matters away from the border**, whatever the network; the chart says how far.
# * **A place that changes with the cut was uncertain before.** Shifting an image by a few pixels and denoising again is a cheap way to see which columns hang by a thread.
# * **Do not cut a micrograph before you denoise it**, unless the network is one whose tiles fit together; `sbd.denoise(counts, tile=1024)` refuses one whose do not.
