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
# A crystal repeats itself. What one column looks like can be learnt from all the others, if the network sees that far. The paper's claim is that this is what makes its networks work, and that the field of view has to be large. Here networks that differ in little else are trained for the same processor time and set side by side. [The next page](09_borders.ipynb) asks for the reverse: what must *not* matter is where the image happens to end.

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
from sbd.evidence import effective_field_of_view

sbd.check_parameters()
size = sbd.at_scale(scale)
names = {
    "every pixel, 2 scales": "view-pixels-2",
    "every pixel, 4 scales": "view-pixels-4",
    "bins of 4 x 4, 2 scales": "view-bins-2",
    "bins of 4 x 4, 4 scales": "view-bins-4",
    "bins of 4 x 4, 6 scales": "view-bins-6",
    "bins and views of the lattice": "view-lattice",
    "the paper's, longer": "paper",
    "default, longer": "default",
}
paths = {name: sbd.fetch(f"weights/{item}") for name, item in names.items()}
models = {name: sbd.load_model(path) for name, path in paths.items()}
cards = {n: json.loads(p.with_suffix(".json").read_text()) for n, p in paths.items()}
truths = sbd.example_truth("simulated"), sbd.example_truth(source)
cleans = {title: clean[: size.crop, : size.crop] for clean, title in truths}
origin = {"source": "simulated" if len(cleans) == 1 else "authors", "seed": seed}

# %% [markdown]
# ## The networks
#
# All but the last two had the same images, the paper's dose, and about the same time of one processor core. A network that works on every pixel spends it on few examples; one that adds the counts of 4 x 4 pixels first sees more of them and looks four times as far, and loses nothing, because the microscope passes no detail so fine. More scales could look farther still; how far they do is measured below. Views of the lattice are the [default network](07_networks.ipynb)'s way of looking far without layers that have to learn it. The paper's network, here with a quarter of its channels and without biases, and the default had longer; the table tells how long (nobody kept the time of the default: it was hours). Even so the paper's is no better than its relatives that had minutes: an hour of one core is little for a network that works on every pixel, and without constants it also has to learn the brightness.

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
# The radius is measured, not taken from the layers: that of the disc around a pixel that holds 95 % of the squared weights with which the recorded pixels enter its estimate, the median of three places on the bundled image. What a network *could* see is more.

# %%
rng = np.random.default_rng(seed)
noisy = sbd.example_micrograph("simulated", rng=rng, crop=size.crop).noisy
middle = np.array(noisy.shape) // 2
places = [tuple(map(int, middle + step)) for step in ((0, 0), (60, 40), (-50, 70))]
radii = {}
for name, model in models.items():
    pairs = zip(sbd.jacobian_rows(model, noisy, places)[0], places, strict=True)
    radii[name] = np.median([effective_field_of_view(*pair) for pair in pairs])

# %%
denoisers = {
    name: lambda noisy, model=model: sbd.denoise(noisy, model, device=device)
    for name, model in models.items()
}
how = {"doses": [sbd.VACUUM], "draws": size.draws, "seed": seed}
scores = sbd.dose_curve(denoisers, cleans, **how)
views = scores.groupby(["method", "image"], sort=False)["psnr"].mean().unstack()
views["radius"] = pd.Series(radii)
views["equal"] = ["longer" not in name for name in names]

# %% mystnb={"figure": {"caption": "Quality at the paper's dose against how far a network really looks; discs: trained for the same time, diamonds: longer.", "name": "fig-view"}, "image": {"alt": "Charts of PSNR over the radius of the effective field of view on a logarithmic axis, with numbered marks; most rise to the right, and the paper's network lies below the others.", "width": "100%"}}
fig = view.show_views(views)
numbers = views.round(2).T.to_dict()
numbers = sbd.save_figure(fig, "08_view", origin | numbers, figures)

# %%
views.round(1)
