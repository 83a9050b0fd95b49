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
# # Which atoms to believe
#
# A denoiser may paint an atom that is not there. The counts can be asked: are they more likely under the denoised image, or under vacuum? The likelihood map answers atom by atom, without knowing the truth.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 7  # a draw at which the network invents atoms
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "real", "authors" or "simulated" micrograph
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

import sbd
from sbd.plotting import arrange_panels, mark_arrow, show_image, show_map

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
micrograph = sbd.example_micrograph(
    source, rng=np.random.default_rng(seed), crop=size.crop
)
denoised = sbd.denoise(micrograph.noisy, model, device=device)

# %% [markdown]
# ## The map
# Every column that the denoised image claims, faint ones too, gets the mean log likelihood
# ratio of its pixels: above zero, the counts prefer an atom there. The arrow is set by the
# counts alone: it points at the column of the surface whose ratio, in standard deviations of
# what vacuum would give, is lowest.

# %%
claimed = sbd.find_columns(denoised, threshold=0.15)
likelihood = sbd.likelihood_map(
    micrograph.noisy, denoised, claimed, vacuum=micrograph.vacuum
)
evidence = sbd.column_significance(
    micrograph.noisy, denoised, claimed, vacuum=micrograph.vacuum
)
surface = np.flatnonzero(sbd.surface_columns(claimed))
if not len(surface):
    raise ValueError(f"no column at a surface in {micrograph.title}")
suspect = surface[evidence[surface].argmin()]
place = claimed.positions[suspect]

# %% [markdown]
# Where the truth is known, it can be looked up afterwards: which of the claimed columns are in
# the clean image, and is the one under the arrow among them?

# %%
numbers = {
    "source": micrograph.source,
    "seed": seed,
    "columns": len(claimed),
    "weakest": [round(float(p)) for p in place],
    "evidence": round(float(evidence[suspect]), 1),
    "vacuum_ratio": round(float(likelihood.vacuum_ratio), 3),
    "unsupported": int(sbd.unsupported_columns(evidence).sum()),
}
if micrograph.clean is not None:
    true = sbd.find_columns(micrograph.clean, threshold=0.15)
    match = sbd.match_columns(claimed, true, tolerance=1.0 / micrograph.pixel_size)
    numbers |= {
        "invented": len(match.spurious),
        "missed": len(match.missed),
        "arrow_at_invented": bool(suspect in match.spurious),
    }

# %% mystnb={"figure": {"caption": "Which atoms the counts support. (a) Data, (b) denoised, (c) likelihood map: discs at the columns, the vacuum in one colour, a white guard band between, (d) the surroundings of the weakest column of the surface, image and map.", "name": "fig-likelihood"}, "image": {"alt": "Noisy data, the denoised image and the likelihood map with a colour bar, each with a purple box; beside them the box enlarged, with an arrow at an atom whose disc is pale in the map.", "width": "100%"}}
top, left, height, width = box = sbd.box_around(place, (110, 220), denoised.shape)
inside = np.s_[top : top + height, left : left + width]
limit = float(np.quantile(np.abs(likelihood.ratios), 0.98))
fig, panels = arrange_panels("abcd;abce", height=2.05, heading=micrograph.title)
show_image(panels["a"], micrograph.noisy, title="(a) Data", limits="robust")
whole = show_image(panels["b"], denoised, title="(b) Denoised image")
show_map(panels["c"], likelihood.image, title="(c) Likelihood map", limit=limit)
show_image(panels["d"], denoised[inside], title="(d) Zoomed", limits=whole.get_clim())
show_map(panels["e"], likelihood.image[inside], limit=limit, colour_bar=False)
for name in "abc":
    sbd.mark_box(panels[name], box, "#6a1b7a")
for name in "de":
    mark_arrow(panels[name], (place[0] - top, place[1] - left))
numbers = sbd.save_figure(fig, "04_likelihood", numbers, figures)

# %%
numbers

# %% [markdown]
# A pale disc is a question, not a verdict. At 0.45 electrons per pixel a single platinum column
# is worth about two standard deviations, so some true columns look unsupported as well; and the
# denoised image was made from the same counts that it is judged by. The figure is one draw,
# chosen because the network invents atoms there and the arrow finds one; with most seeds it
# invents one or none, and the arrow then points at a true column.
# [The page on significance](11_significance.ipynb) splits the counts and gives each column a
# probability.
