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
# # Trained on one kind of image, tested on another
#
# A network only knows what it was shown. The paper asks how much that matters: networks were trained on images of one contrast, of one particle, or of one kind of defect, and tested on all. What they reached can be read from the authors' evaluation logs; beside it stands what small networks of this project reach that were trained in the same way, in minutes, each for the same time, once.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" draws their heat maps too, "simulated" only ours
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
from functools import partial

import pandas as pd

import sbd
from sbd.companion.pages import generalisation

sbd.check_parameters()
size = sbd.at_scale(scale)

# %% [markdown]
# ## The authors' networks
#
# Means over the images of each kind in the authors' logs, by their metric. Of the logs on defects two are one file under two names, so that the rows Dh and Ds are one result ([differences](../differences.md)).

# %%
maps = {}
try:
    if source != "simulated":
        maps["theirs"] = {
            s: generalisation.published_map(s) for s in generalisation.STUDIES
        }
except sbd.DataUnavailableError:
    if source == "authors":
        raise
origin = {"source": "authors" if maps else "simulated", "seed": seed}
pd.concat(maps.get("theirs", {"": pd.DataFrame()})).round(2)

# %% [markdown]
# ## Ours
#
# The networks are small ones of the kind that the [default](07_networks.ipynb) begins with, trained on the part of the benchmark, as it was then, that the paper's split leaves to each. The test images are simulated here, as the benchmark is now, at parameters that the authors' test set has. Most structures among them were in training at other parameters, as in the paper; those of PtNp1 had other atoms then. The last row is a filter that learnt nothing.

# %%
rest = "filter"
tables, number = {}, 2 * size.draws
for study, about in generalisation.STUDIES.items():
    images = generalisation.draw_test_images(
        study, number=number, seed=seed, grid=min(size.grid, 512)
    )
    denoisers = {
        name: [partial(sbd.denoise, model=sbd.load_model(item), device=device)]
        for name, item in about.weights.items()
    }
    denoisers[rest] = [sbd.denoise_windowed_fourier]
    tables[study] = generalisation.score_networks(denoisers, images, seed=seed)
maps["ours"] = {s: generalisation.generalisation_map(t) for s, t in tables.items()}
print(f"{number} images of each kind, one draw of the counts each")

# %% mystnb={"figure": {"caption": "Mean PSNR of networks trained on one kind of image (rows) and tested on another (columns); bold: on their own kind.", "name": "fig-generalisation"}, "image": {"alt": "Heat maps with a number in each cell, for contrast, structure and defect: above those of the authors, below those of this project's networks.", "width": "100%"}}
fig = generalisation.show_heat_maps(maps)
numbers = {
    f"{whose} {study}": heat.round(2).T.to_dict()
    for whose, each in maps.items()
    for study, heat in each.items()
}
numbers = sbd.save_figure(fig, "10_generalisation", origin | numbers, figures)

# %% [markdown]
# How much a network is worth on its own kind, how much on the others, and the most that it loses there:

# %%
generalisation.summarise(maps, leave=rest).round(2)

# %% [markdown]
# ## What a network loses on another kind
#
# Kinds of image differ in how hard they are for any method, so a network is compared within a column: with the network of the kind that is tested on, image by image. Decibels, with the standard error over images; another training would move a network by some tenths of a decibel more ([the field of view](08_view.ipynb) has the spread of two).

# %%
generalisation.tell_gains(tables)

# %% [markdown]
# The same against the filter that learnt nothing: where a number is below zero by more than twice its error, training on the wrong images is worse than not training at all.

# %%
generalisation.tell_gains(tables, against=rest)

# %% [markdown]
# And by structural similarity (SSIM, of the authors' code):

# %%
ssim = {s: generalisation.generalisation_map(t, "ssim") for s, t in tables.items()}
pd.concat(ssim).round(3).astype(object).fillna("")

# %% [markdown]
# ## What to take from it
#
# * **Contrast matters most.** It is a matter of focus, and a microscopist cannot know it before: a network has to be trained on all of it.
# * **Structure and defects matter little** to our networks, which are shown the lattice, and less than contrast to the authors', as long as the material is the same.
# * **Read columns, not rows.** The kinds of image differ in how hard they are for any method; the filter's row says by how much. What a network loses on another kind shows against the network of that kind, in the same column.
