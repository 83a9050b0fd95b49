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
# # Field of view: how far a denoising network looks
#
# The paper holds that its networks are good because they look far: what one column of a crystal looks like can be learnt from all the others, if the network sees them {cite}`mohan2022`. Here networks that differ in little else stand side by side.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" or "simulated" image beside the bundled one
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
import json

import numpy as np
import pandas as pd

import sbd
from sbd.companion.pages import view
from sbd.companion.wording import tell_copy

sbd.check_parameters()
size = sbd.at_scale(scale)
items = [item for runs in view.NETWORKS.values() for item in runs]
paths = {item: sbd.fetch(f"weights/{item}") for item in items}
models = {item: sbd.load_model(path) for item, path in paths.items()}
cards = {i: json.loads(p.with_suffix(".json").read_text()) for i, p in paths.items()}
truths = sbd.example_truth("simulated"), sbd.example_truth(source)
cleans = {title: clean[: size.crop, : size.crop] for clean, title in truths}
origin = {"source": "simulated" if len(cleans) == 1 else "authors", "seed": seed}
missing = "the networks are tried on the bundled image alone, not on theirs too"
shown = "The networks are tried on the bundled image and on one of the authors'."
tell_copy(whole=len(cleans) > 1, shown=shown, missing=missing)

# %%
rng = np.random.default_rng(seed)
noisy = sbd.example_micrograph("simulated", rng=rng, crop=size.crop).noisy
middle = np.array(noisy.shape) // 2
steps = (0, 0), (60, 40), (-50, 70), (40, -60), (-70, -40)
places = [tuple(map(int, middle + step)) for step in steps]
radii = {}
for item, model in models.items():
    radii[item] = view.measure_radii(*view.rows_of(model, noisy, places, device=device))
radii = pd.DataFrame({
    name: pd.DataFrame([radii[run] for run in runs]).mean()
    for name, runs in view.NETWORKS.items()
}).T  # fmt: skip
denoisers = {
    item: lambda noisy, model=model: sbd.denoise(noisy, model, device=device)
    for item, model in models.items()
}
how = {"doses": [sbd.VACUUM], "draws": size.draws, "seed": seed}
scores = sbd.dose_curve(denoisers, cleans, **how)
views, errors = view.average_runs(scores)
views = views.join(radii)
views["kind"] = [view.tell_kind(name) for name in views.index]
changes = view.compare_views(scores, radii["radius"])

# %% mystnb={"figure": {"caption": "Quality at the paper's dose against how far a network really looks, image by image, with the standard error over runs and draws of the counts. Lines join networks that differ in their scales and were trained for like times; an open mark is the same network trained for as many steps as the one that it is compared with; diamonds are networks trained otherwise, once each. Last panel: what one change brings, mean over the images.", "name": "fig-view"}, "image": {"alt": "Charts of PSNR over the radius of the effective field of view on a logarithmic axis, with a named mark for each network, and below them a row for each change with its gain in decibels and an error bar.", "width": "100%"}}
fig = view.show_views(views, errors, changes)
spread = view.spread_of_runs(scores)
numbers = {"spread of runs": round(spread, 3)} | views.round(2).T.to_dict()
numbers |= {f"{c}, equal {e}": r.to_dict() for (c, e), r in changes.round(2).iterrows()}
numbers = sbd.save_figure(fig, "08_view", origin | numbers, figures)

# %%
view.tell_verdict(changes)

# %% [markdown]
# These are small networks and minutes of training, so that is no verdict on the paper's own, whose scales nobody has varied alone. The authors' own logs do not settle it either: with 4 scales they have 38.2 dB, with 6 scales 30.5 (whole images) or 34.6 (patches), where the [far border](09_borders.ipynb) is spoilt.
#
# ## Change by change
#
# Each row changes one thing, with what is equal: seconds of a core, steps, or both. The gain is a mean over the images and over pairs of runs; its standard error holds the spread from one run to another, pooled over all networks, and that between draws of the counts. A verdict needs an interval of 95 % that leaves zero out, so one row in twenty gets one by chance. Rows that change the scales alone are the claim's test; the last ones change what is fed to the network.

# %%
view.tabulate_changes(changes)

# %% [markdown]
# More scales are more parameters for the same time, so what a wider view brings may be lost in training; and more scales need not look farther at all. What lies far away need not be found by many layers: views of the lattice are shown to the network, shifted to where the crystal repeats itself.
#
# ## How far they look
#
# The radius is measured, not taken from the layers: that of the disc around a pixel that holds 95 % of the squared weights with which the recorded pixels enter its estimate, the median of five places on the bundled image, the mean over runs. Many small weights far away count little in it, so the radius for 95 % of the absolute weights is given, too. What a network *could* see is more.

# %%
view.tabulate_views(views, errors)

# %% [markdown]
# ## The networks
#
# All but the last two learnt from the same images at the paper's dose, each from two seeds. A network that works on every pixel spends its time on few examples; one that adds the counts of 4 x 4 pixels first sees more of them and could look four times as far, and loses nothing, because the microscope passes no detail so fine. Views of the lattice are the [default network](07_networks.ipynb)'s way of looking far without layers that have to learn it. Steps were chosen for like times; the seconds are what the machine took, with others at work on it, and differ by chance from run to run. Where steps and time cannot both be equal, there is a network for each. The paper's network is the published one, of 4 scales and 128 channels, trained here for [minutes of a GPU](../data.md) as its authors say, from white images only; it is measured in windows that hold all its layers can see.

# %%
view.tabulate_training(cards)
