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
items = [item for runs in view.NETWORKS.values() for item in runs]
paths = {item: sbd.fetch(f"weights/{item}") for item in items}
models = {item: sbd.load_model(path) for item, path in paths.items()}
cards = {i: json.loads(p.with_suffix(".json").read_text()) for i, p in paths.items()}
truths = sbd.example_truth("simulated"), sbd.example_truth(source)
cleans = {title: clean[: size.crop, : size.crop] for clean, title in truths}
origin = {"source": "simulated" if len(cleans) == 1 else "authors", "seed": seed}

# %% [markdown]
# ## The networks
#
# All but the last two learnt from the same images at the paper's dose, each twice, from two seeds. A network that works on every pixel spends its time on few examples; one that adds the counts of 4 x 4 pixels first sees more of them and looks four times as far, and loses nothing, because the microscope passes no detail so fine. More scales could look farther still; whether they do is measured below. Views of the lattice are the [default network](07_networks.ipynb)'s way of looking far without layers that have to learn it. Steps were chosen for about 200 seconds of one core; where that makes them unequal, a third and fourth run have as many steps as the network that they are compared with. The network of the paper's kind has a quarter of the published one's channels and learns as its authors say, from white images only; the default had hours, and minutes of a GPU. The seconds are what the machine took, with others at work on it.

# %%
trained = pd.DataFrame({
    name: {
        "steps": cards[runs[0]]["curve"][-1]["step"],
        "seconds": [cards[r].get("cost", {}).get("processor seconds") for r in runs],
        "parameters": sum(p.numel() for p in models[runs[0]].parameters()),
    }
    for name, runs in view.NETWORKS.items()
}).T  # fmt: skip
trained

# %% [markdown]
# ## How far they look, and what it brings
#
# The radius is measured, not taken from the layers: that of the disc around a pixel that holds 95 % of the squared weights with which the recorded pixels enter its estimate, the median of five places on the bundled image, the mean over two runs. Many small weights far away count little in it, so the radius for 95 % of the absolute weights is given, too. What a network *could* see is more.

# %%
rng = np.random.default_rng(seed)
noisy = sbd.example_micrograph("simulated", rng=rng, crop=size.crop).noisy
middle = np.array(noisy.shape) // 2
steps = (0, 0), (60, 40), (-50, 70), (40, -60), (-70, -40)
places = [tuple(map(int, middle + step)) for step in steps]
radii = {}
for item, model in models.items():
    rows, _ = sbd.jacobian_rows(model, noisy, places, device=device)
    radii[item] = view.measure_radii(rows, places)
radii = pd.DataFrame({
    name: pd.DataFrame([radii[run] for run in runs]).mean()
    for name, runs in view.NETWORKS.items()
}).T  # fmt: skip

# %%
denoisers = {
    item: lambda noisy, model=model: sbd.denoise(noisy, model, device=device)
    for item, model in models.items()
}
how = {"doses": [sbd.VACUUM], "draws": size.draws, "seed": seed}
scores = sbd.dose_curve(denoisers, cleans, **how)
views, errors = view.average_runs(scores)
views = views.join(radii)
views["kind"] = [view.tell_kind(name) for name in views.index]

# %% mystnb={"figure": {"caption": "Quality at the paper's dose against how far a network really looks, with the standard error over runs and draws of the counts. Discs: trained on all images, for equal seconds, or (open) for as many steps as the network they are compared with; diamonds: on white images (the paper's kind) or longer (the default), one run each.", "name": "fig-view"}, "image": {"alt": "Charts of PSNR over the radius of the effective field of view on a logarithmic axis, with numbered marks, one for each network.", "width": "100%"}}
fig = view.show_views(views, errors)
spread = view.spread_of_runs(scores)
numbers = {"spread of runs": round(spread, 3)} | views.round(2).T.to_dict()
numbers = sbd.save_figure(fig, "08_view", origin | numbers, figures)

# %%
views.round(1)

# %% [markdown]
# ## The claim
#
# The paper holds that a large field of view is what makes its networks good. Its own logs do not settle it: with 4 scales they have 38.2 dB, with 6 scales 30.5 (whole images) or 34.6 (patches), where the [far border](09_borders.ipynb) is spoilt. Below, each row changes one thing, with what is equal: seconds of a core, steps, or both. `better by` is the gain in decibels, mean over the images and over two pairs of runs; its standard error holds the spread from one run to another, pooled over all networks, and that between draws. `wider by` is the ratio of the radii of squared weight. Rows that change the scales alone are the claim's test. The network with 6 scales has half the channels, and still three times the parameters of that with 4. The last two rows change what is fed to the network.

# %%
view.compare_views(scores, radii["radius"])

# %% [markdown]
# If a wide view alone made a network good, every row that adds scales would say `better`. Where it does not, the network already saw as far as it can make use of, or what it gained in width it lost in training: more scales are more parameters for the same minutes. What lies far away helps a network most where it need not learn to find it: the views of the lattice are shown to it. These are small networks and minutes of training, so this is no verdict on the paper's own, whose scales nobody has varied alone.
