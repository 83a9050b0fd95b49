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
# # A filter that knows its own error
#
# PURE-LET is the classical rival in the paper: a wavelet filter for counts that needs neither training nor a guess of the noise. For given weights it estimates its mean squared error from the noisy image alone, without bias, and it sets the weights so that this estimate is least. Here is how that works, where it can be trusted, and where the published shortcut fails.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
source = "auto"  # "authors" or "simulated" clean image
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
from sbd.companion.pages import purelet

sbd.check_parameters()
size = sbd.at_scale(scale)
clean, title = sbd.example_truth(source)
clean = clean[-(size.crop or 0) :, : size.crop]
noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(seed))
origin = {"source": "authors" if "authors" in title else "simulated", "seed": seed}

# %% [markdown]
# ## The pieces
#
# Every box of $2^j \times 2^j$ pixels, wherever it lies, is split into halves; the difference of their counts is a *coefficient*. Two electrons more in the one half of an empty box mean nothing, two hundred do: each coefficient belongs to what is above its threshold, or to what is below. Summed back into an image, the two kinds of each level and direction are the pieces $f_k$ of the estimate
#
# $$f = f_0 + \sum_k a_k f_k,$$
#
# and $f_0$ is the blurred image. All weights $a_k = 1$ give the noisy image back.

# %% mystnb={"figure": {"caption": "What the estimate is made of. Each panel has its own grey scale.", "name": "fig-purelet"}, "image": {"alt": "Four images of a particle: noise, a blur, a rough particle on an even background, and the smoother fitted estimate.", "width": "100%"}}
made = sbd.let_dictionary(noisy, levels=6 if size.crop is None else 4)
weights = made.solve()
estimate = made.combine(weights)
above = np.arange(len(weights)) % 2 == 0
images = {
    "(a) Counts": noisy,
    "(b) Blurred, f₀": made.lowpass,
    "(c) All above threshold": made.combine(above),
    "(d) Fitted weights": estimate,
}
fig = sbd.show_images(images, limits={"(a) Counts": "robust"}, heading=title)
error = float(np.mean((estimate - clean) ** 2))
numbers = {"error": round(error, 5), "PURE": round(made.risk(weights), 5)}
numbers |= {"PSNR": round(sbd.authors_psnr(clean, estimate), 2)}
numbers = sbd.save_figure(fig, "13_purelet", origin | numbers, figures)

# %% [markdown]
# The weights that it chose, averaged over the three directions. Where the image has structure, a piece above the threshold is kept; what is below is mostly left out.

# %%
shaped = weights.reshape(-1, 3, 2).mean(axis=1)
levels = [f"{2**j} pixels" for j in range(1, len(shaped) + 1)]
pd.DataFrame(shaped, levels, ["above threshold", "below threshold"]).round(2)

# %% [markdown]
# ## The estimated and the true error
#
# PURE is a sum over the noisy image, with no look at the clean one. As the threshold moves it follows the true error over orders of magnitude, and its lowest point tells where to stop. With fitted weights the threshold hardly matters: that is the point of fitting them. From one image PURE also carries an offset, nearly the same for every estimate; here it is taken off, such that PURE is right for the blurred image. Who has no clean image cannot do that: PURE serves to compare settings, not to read off an error.

# %% mystnb={"figure": {"caption": "Lines: the true error. Marks: PURE, less what it is off by for the blurred image. Grey: everything above the threshold kept, the rest removed. Red: fitted weights.", "name": "fig-purelet-risks"}, "image": {"alt": "Four charts, one for each dose. Grey lines fall steeply to a minimum near a threshold of three and rise again, red lines are flat near the minimum; marks lie on the lines.", "width": "100%"}}
thresholds = [2.0, 3.0, 4.0] if size.crop else [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6]
doses = [0.45] if size.crop else [0.1, 0.45, 2.0, 10.0]
how = {"thresholds": thresholds, "doses": doses, "draws": 1 if size.crop else 2}
how |= {"seed": seed, "levels": 4 if size.crop else 5}
table = purelet.threshold_risks(clean, **how)
fig = purelet.show_risks(table)
best = table[table["weights"] == "kept or removed"].groupby(["dose", "threshold"])
best = best[["risk", "error"]].mean().unstack("dose").idxmin()
numbers = {
    f"best threshold by {k}, {dose:g} e/pixel": v for (k, dose), v in best.items()
}
numbers = sbd.save_figure(fig, "13_purelet-risks", origin | numbers, figures)

# %% [markdown]
# ## Why it must be exact
#
# The heart of PURE is the overlap of each piece with the *unknown* clean image. For Haar boxes it is had exactly, by asking what a threshold would do with one electron less. For other transforms, as the published code does it, the question is answered to first order only. Among a few electrons one is not a small step.

# %% mystnb={"figure": {"caption": "Average deviation of the estimated overlap from the true one, as a share of it, with its standard error.", "name": "fig-purelet-expansion"}, "image": {"alt": "Two lines against dose. The one of Haar boxes is zero within twice its error; the one of cosines rises far above zero below two electrons per pixel.", "width": "70%"}}
coarse = clean[::4, ::4]  # loses nothing, and fills the blocks of 8 pixels
middle = [max(side // 2 - 32, 0) for side in coarse.shape]
scene = coarse[middle[0] :, middle[1] :][:64, :64]
doses = [0.5, 4.0] if size.crop else [0.25, 0.5, 1.0, 2.0, 4.0, 10.0]
table = purelet.expansion_bias(
    scene, doses=doses, draws=10 if size.crop else 60, seed=seed
)
fig = purelet.show_expansion(table)
numbers = {
    f"{row.dictionary}, {row.dose:g} e/pixel": [round(row.bias, 3), round(row.error, 3)]
    for row in table.itertuples()
}
numbers = sbd.save_figure(fig, "13_purelet-expansion", origin | numbers, figures)

# %%
numbers

# %% [markdown]
# ## Your own image
#
# `sbd.denoise_purelet(counts)` does this, with as many levels as the image holds. Counts with gain and offset go in with `gain="auto", offset=...`; `dictionary="interscale"` also asks the neighbouring boxes for edges, still exactly; `"dct8"` and `"dct16"` add cosines for textures, and are refused below three electrons per pixel, for the reason above. `return_risk=True` returns PURE, to compare two settings on one image.
