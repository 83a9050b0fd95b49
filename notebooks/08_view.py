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
# # How far a network has to look
#
# A crystal repeats itself. What one column looks like can be learnt from all the others, if the network sees that far. The paper's claim is that this is what makes its networks work, and that the field of view has to be large. Here networks that differ in little else are set side by side. [The next page](09_borders.ipynb) asks for the reverse: what must *not* matter is where the image happens to end.

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

sbd.check_parameters()
size = sbd.at_scale(scale)
names = view.NETWORKS
paths = {name: sbd.fetch(f"weights/{item}") for name, item in names.items()}
models = {name: sbd.load_model(path) for name, path in paths.items()}
cards = {n: json.loads(p.with_suffix(".json").read_text()) for n, p in paths.items()}
truths = sbd.example_truth("simulated"), sbd.example_truth(source)
cleans = {title: clean[: size.crop, : size.crop] for clean, title in truths}
origin = {"source": "simulated" if len(cleans) == 1 else "authors", "seed": seed}

# %% [markdown]
# ## The networks
#
# All but the last two had the same images and the paper's dose. A network that works on every pixel spends its time on few examples; one that adds the counts of 4 x 4 pixels first sees more of them and looks four times as far, and loses nothing, because the microscope passes no detail so fine. More scales could look farther still; whether they do is measured below. Views of the lattice are the [default network](07_networks.ipynb)'s way of looking far without layers that have to learn it. The network of the paper's kind has a quarter of the published one's channels and learns as its authors say, from white images only. The table tells what each had: seconds of one processor core (nobody kept those of the default: hours, and minutes of a GPU), and they are not equal, so a difference between networks on every pixel and on bins is also one of time.

# %%
trained = pd.DataFrame({name: card.get("cost") for name, card in cards.items()}).T
trained["steps"] = [card["curve"][-1]["step"] for card in cards.values()]
trained["parameters"] = [
    sum(p.numel() for p in m.parameters()) for m in models.values()
]
trained

# %% [markdown]
# ## How far they look, and what it brings
#
# The radius is measured, not taken from the layers: that of the disc around a pixel that holds 95 % of the squared weights with which the recorded pixels enter its estimate, the median of five places on the bundled image. Many small weights far away count little in it, so the radius for 95 % of the absolute weights is given, too. What a network *could* see is more.

# %%
rng = np.random.default_rng(seed)
noisy = sbd.example_micrograph("simulated", rng=rng, crop=size.crop).noisy
middle = np.array(noisy.shape) // 2
steps = (0, 0), (60, 40), (-50, 70), (40, -60), (-70, -40)
places = [tuple(map(int, middle + step)) for step in steps]
radii = {}
for name, model in models.items():
    rows, _ = sbd.jacobian_rows(model, noisy, places, device=device)
    radii[name] = view.measure_radii(rows, places)

# %%
denoisers = {
    name: lambda noisy, model=model: sbd.denoise(noisy, model, device=device)
    for name, model in models.items()
}
how = {"doses": [sbd.VACUUM], "draws": size.draws, "seed": seed}
scores = sbd.dose_curve(denoisers, cleans, **how)
by = scores.groupby(["method", "image"], sort=False)["psnr"]
views, errors = by.mean().unstack(), by.sem().unstack().fillna(0)
views = views.join(pd.DataFrame(radii).T)
views["equal"] = [name not in view.OTHERS for name in names]

# %% mystnb={"figure": {"caption": "Quality at the paper's dose against how far a network really looks; with the standard error over draws of the counts; discs: trained for minutes on all images, diamonds: on white ones (the paper's kind) or longer (the default).", "name": "fig-view"}, "image": {"alt": "Charts of PSNR over the radius of the effective field of view on a logarithmic axis, with numbered marks, one for each network.", "width": "100%"}}
fig = view.show_views(views, errors)
numbers = views.round(2).T.to_dict()
numbers = sbd.save_figure(fig, "08_view", origin | numbers, figures)

# %%
views.round(1)

# %% [markdown]
# ## The claim
#
# The paper holds that a large field of view is what makes its networks good. Its own logs do not settle it: with 4 scales they have 38.2 dB, with 6 scales 30.5 (whole images) or 34.6 (patches), where the [far border](09_borders.ipynb) is spoilt. Below, each row changes one thing. `better by` is the gain in decibels, mean over the images, with the standard error over draws; `wider by` the ratio of the radii of squared weight. The first two rows change the scales alone, at nearly equal cost: they are the claim's test. The network with 6 scales has half the channels, and still three times the parameters of that with 4. The last two change what is fed to the network.

# %%
changes = view.compare_views(views, errors, view.CHANGES)
changes.round(2)

# %% [markdown]
# One training run each: another seed would move each of them by some tenths of a decibel, which the errors do not hold.
