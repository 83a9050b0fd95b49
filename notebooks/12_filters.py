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
# # Which filter, without a network?
#
# Not every micrograph has a network that was trained for it. Here is every classical denoiser that a microscopist would reach for, each at its honest best: once with its defaults, once with parameters tuned on other images of the benchmark, never on those it is judged by.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" or "simulated" clean image
figures = "figures"
bm3d = False  # True adds VST + BM3D, if you installed it (non-commercial licence)
peers = False  # True adds the networks of other packages that you configured

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
from sbd.denoisers import filter_gains

sbd.check_parameters()
pd.set_option("display.max_colwidth", None)
size = sbd.at_scale(scale)
model = sbd.load_model()
tuning = sbd.tuning_table()
changed = tuning.index[tuning["tuned"] != tuning["default"]]
tuned = {f"{name}, tuned": sbd.tuned_denoisers()[name] for name in changed}
denoisers = sbd.classical_denoisers() | tuned
if bm3d:
    denoisers["VST + BM3D"] = sbd.denoise_bm3d
if peers:
    denoisers |= sbd.peer_denoisers()
few = ("constant", "Gaussian", "windowed Fourier") if size.crop else [*denoisers]
denoisers = {name: denoisers[name] for name in few}
denoisers["network"] = lambda noisy: sbd.denoise_network(noisy, model, device=device)

# %% [markdown]
# ## Tuned on other images
#
# Every combination of a small grid of parameters was tried on images of the benchmark's validation split, on the same counts. `difference` is what tuning gained there over the defaults, in decibels, with its standard error. Where the defaults came out best, the tables below have one row.

# %%
tuning[["tuned", "difference", "standard_error", "edge"]].round(2)

# %% [markdown]
# ## One image, every number
#
# The authors' clean image, or the bundled one without it. PSNR by their metric for the whole image, the particle, its surface and the vacuum; then the share of the true columns that a finder finds in the denoised image, and how many it finds where there are none. A constant scores well in the whole, and counts as they are let the finder find nearly every column, among hundreds of false ones: no single number will do.

# %%
scene = sbd.example_scene(source)
judged = sbd.judge_denoisers(scene, denoisers, draws=1, seed=seed)
shown = [*judged.columns.drop(["parameters", "seconds"])]
judged[shown].round(2)

# %% tags=["nbval-ignore-output"]
judged[["parameters", "seconds"]].round(2)

# %% mystnb={"figure": {"caption": "Counts, the clean image, some filters, and the network.", "name": "fig-filters"}, "image": {"alt": "Eight images of a particle: noise, the clean one, one with fringes in the vacuum, a faint one, a rough one, two with clear columns, and the network's.", "width": "100%"}}
noisy = sbd.poisson_noise(scene.clean, rng=np.random.default_rng([seed, 0]))
gallery = ("spot filter", "VST + NLM", "PURE-LET", "windowed Fourier")
gallery = [*gallery, "correlation averaging", "network"]
images = {"counts": noisy, "clean": scene.clean}
images |= {name: denoisers[name](noisy) for name in gallery if name in denoisers}
look = {"columns": 4, "limits": {"counts": "robust"}, "heading": scene.title}
fig = sbd.show_images(images, **look)
origin = {"source": "authors" if "authors" in scene.title else "simulated"}
origin |= {"seed": seed, "judged_on": scene.title}
numbers = origin | judged[shown].round(2).to_dict("index")
numbers = sbd.save_figure(fig, "12_filters", numbers, figures)

# %% [markdown]
# ## What a filter lets through
#
# Filters in Fourier space are a mask or a gain, which each returns with `return_gain=True`: white is kept. The radius shown is a sixteenth of the sampling frequency, a little more than the image's band limit. The windowed threshold works on a small part of the image at a time; its panel is a map of the image, and shows how much of the noise is let through.

# %% mystnb={"figure": {"caption": "Gains around zero frequency, and the noise that the windowed Fourier threshold lets through at each place.", "name": "fig-filters-gains"}, "image": {"alt": "Five panels. The spot filter has small discs at the spots, Wiener and ABSF ragged patches, Butterworth a soft disc; the map of the windowed filter is bright on the crystal and dark in the vacuum.", "width": "100%"}}
gains = filter_gains(noisy, reach=1 / 16)
gains["windowed Fourier"] = sbd.denoise_windowed_fourier(noisy, return_gain=True)[1]
fig = sbd.show_images(gains, columns=5)
numbers = origin | {name: round(float(g.mean()), 4) for name, g in gains.items()}
numbers = sbd.save_figure(fig, "12_filters-gains", numbers, figures)

# %% [markdown]
# ## Other images
#
# Five images of the benchmark's test split, of several thicknesses, tilts and defoci, each counted once. The difference to the windowed Fourier threshold is taken image by image; its standard error says what five images can tell.

# %% mystnb={"figure": {"caption": "Difference of the PSNR to that of the windowed Fourier threshold, mean and standard error over five images.", "name": "fig-filters-ranking"}, "image": {"alt": "Horizontal bars, most of them to the left of zero; the network's and the correlation average's reach to the right.", "width": "85%"}}
scenes = {s.title: s.clean for s in sbd.held_out_scenes()[: 2 if size.crop else 5]}
scores = sbd.dose_curve(denoisers, scenes, doses=[sbd.VACUUM], draws=1, seed=seed)
ranking = sbd.rank_denoisers(scores, reference="windowed Fourier")
some = ranking.drop(index=["raw counts", "constant"], errors="ignore")
bars, errors = (some[c].to_dict() for c in ("difference", "difference_error"))
label = "PSNR less that of windowed Fourier (dB)"
fig = sbd.show_scores(bars, errors=errors, label=label)
numbers = origin | ranking.round(2).to_dict("index")
numbers = sbd.save_figure(fig, "12_filters-ranking", numbers, figures)

# %%
ranking.round(2)

# %% [markdown]
# ## The answer

# %%
best = ranking.drop(index="network").iloc[0]
print(f"{best.name}: {best['difference']:+.1f} dB against windowed Fourier")

# %% [markdown]
# **The best without training is printed above; the safest is the windowed Fourier threshold.** It needs no training and no choice of parameters, runs in a fraction of a second, takes the noise's level from the counts themselves, and leaves little in the vacuum. It takes them for counts: divide by your detector's gain first.
#
# **Where the crystal repeats itself, average it over its own translations** (`sbd.denoise_correlation_averaging`): the image as a whole gains once more. The table says where: in the vacuum and in what repeats over a wide area, not in the small particle, which loses. An average over the lattice is a statement about the lattice; a column that is like no other, at an edge or a defect, is what it may lose, and a column that is missing is what it fills in. The windowed threshold does the same within its windows, if less. Look at both: [what each finds and loses](14_surfaces) is more than a matter of decibels.
#
# **After a spot filter, a blur or wavelets, do not trust what looks like a column**: what they leave of the noise does, also where nothing is. And whatever the filter, [ask the counts](11_significance) before you believe a single column.
