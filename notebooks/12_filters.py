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
# # Denoising filters compared without a network: Wiener, NLM, TV, PURE-LET, Fourier
#
# Not every micrograph has a network that was trained for it. Here is every classical denoiser that a microscopist would reach for, each at its honest best: once with its defaults, once with parameters tuned on other images, never on those it is judged by.

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
from sbd.companion.pages import filters
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
scene = sbd.example_scene(source)
origin = {"source": "authors" if "authors" in scene.title else "simulated"}
origin |= {"seed": seed, "judged_on": scene.title}
filters.tell_scene(scene.title)

# %% mystnb={"figure": {"caption": "Counts, the clean image, some filters with their defaults, and the network. All but the counts have the grey scale of the clean image; what lies beyond it is black or white.", "name": "fig-filters"}, "image": {"alt": "Two rows of images of a particle on a support, each with its name and a scale bar: noisy counts, the clean image, and six estimates; a grey bar at the end of each row.", "width": "100%"}}
noisy = sbd.poisson_noise(scene.clean, rng=np.random.default_rng([seed, 0]))
gallery = filters.make_gallery(scene, noisy, denoisers)
fig = filters.show_gallery(scene, gallery)
judged = sbd.judge_denoisers(scene, denoisers, draws=1, seed=seed)
shown = [*judged.columns.drop(["parameters", "seconds"])]
numbers = origin | judged[shown].round(2).to_dict("index")
frames = filters.frame_gallery(scene, gallery)
numbers = sbd.save_figure(fig, "12_filters", numbers, figures, frames=frames)

# %% [markdown]
# The same images, one against another:
#
# ```{compare} 12_filters
# :label: Two images of the particle on its support
# :alt: The particle on its support
# :left: windowed Fourier
# :right: clean
# All have the grey scale of the clean image, also the counts; what lies beyond it is black or white.
# ```

# %% [markdown]
# ## Which one to take
#
# Five images of the benchmark's test split, of several thicknesses, tilts and defoci, each counted once. The difference to the windowed Fourier threshold is taken image by image; its standard error says what five images can tell.

# %% mystnb={"figure": {"caption": "Difference of the PSNR to that of the windowed Fourier threshold, mean and standard error over five images.", "name": "fig-filters-ranking"}, "image": {"alt": "Horizontal bars, one for each denoiser with its defaults and as tuned, the best on top, to both sides of zero with error bars and numbers.", "width": "85%"}}
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
filters.tell_best(ranking, "windowed Fourier", len(scenes))

# %% [markdown]
# The windowed Fourier threshold needs no training and no choice of parameters and takes the noise's level from the counts themselves. It takes them for counts: divide by your detector's gain first.
#
# **Where the crystal repeats itself, one may average it over its own translations** (`sbd.denoise_correlation_averaging`). An average over the lattice is a statement about the lattice; a column that is like no other, at an edge or a defect, is what it may lose, and a column that is missing is what it may fill in. The windowed threshold may do the same within its windows, and at empty sites claims columns about as often ([measured](../measurements.md)). Look at both: [what each finds and loses](14_surfaces) is more than a matter of decibels.
#
# **After a filter that leaves noise in the vacuum, do not trust what looks like a column**: the noise does, also where nothing is. The column of false ones below says how often. And whatever the filter, [ask the counts](11_significance) before you believe a single column.

# %%
filters.tabulate_ranking(ranking, "windowed Fourier")

# %% [markdown]
# ## One image, every number
#
# The image at the top, counted once. PSNR and SSIM by the authors' metric for the whole image, the particle, its surface and the vacuum; then the share of the true columns that a finder finds in the denoised image, and how many it finds where there are none. No single number will do: a constant scores well in the whole and shows nothing, and counts as they are let the finder find nearly everything, false columns above all.

# %%
filters.tabulate_judged(judged)

# %%
filters.tell_parts(judged, "correlation averaging", "windowed Fourier")

# %%
judged[["parameters"]]  # judged["seconds"]: how long each took, here and now

# %% [markdown]
# ## What a filter lets through
#
# Filters in Fourier space are a mask or a gain, which each returns with `return_gain=True`. Shown is what surrounds zero frequency, up to a little more than the image's band limit. The windowed threshold works on a small part of the image at a time; its panel is a map of the image, and shows how much of the noise is let through.

# %% mystnb={"figure": {"caption": "Gains around zero frequency on the counts above, from 0 (black) to 1 (white), and the share of the noise that the windowed Fourier threshold lets through at each place, on a scale of its own.", "name": "fig-filters-gains"}, "image": {"alt": "Four panels with axes in spatial frequency, one for each filter in Fourier space, bright where it passes; a fifth that is a map of the image with a scale bar and a grey bar.", "width": "100%"}}
gains = filter_gains(noisy, reach=1 / 16)
place = sbd.denoise_windowed_fourier(noisy, return_gain=True)[1]
fig = filters.show_gains(gains, place, scene.specimen.pixel)
every = gains | {"windowed Fourier": place}
numbers = origin | {name: round(float(g.mean()), 4) for name, g in every.items()}
numbers = sbd.save_figure(fig, "12_filters-gains", numbers, figures)

# %% [markdown]
# ## Tuned on other images
#
# Every combination of a small grid of parameters was tried on images of the benchmark's validation split, on the same counts. The gain is that of tuning over the defaults there, with its standard error. Where the defaults came out best, the tables above have one row.

# %%
filters.tabulate_tuning(tuning)
